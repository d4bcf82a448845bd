"""Support archives and folders of dumps: what is in them is read, and nothing is unpacked."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from fsm_stack.cluster import snapshot_file as support_archive
from fsm_stack.cluster.snapshot_file import read_files
from fsm_stack.errors import InputError
from tests.verify.world import expected, pod_json, world

if TYPE_CHECKING:
    from pathlib import Path

# As `fsm support bug-report` names its files, the logs of JSON lines included.
PLACE = "fsm_bug_report_1/namespaces"
MESH = f"{PLACE}/fsm-system/commands/kubectl_get_meshconfig_-n_fsm-system_-o_yaml"
PODS = f"{PLACE}/shop/commands/kubectl_get_pods_-o_json"
POD = f"{PLACE}/shop/pods/web/commands/kubectl_describe_pod"
LOG = f"{PLACE}/fsm-system/pods/fsm-injector-x/commands/kubectl_logs"
MESH_YAML = """\
apiVersion: v1
items:
- apiVersion: config.flomesh.io/v1alpha3
  kind: MeshConfig
  metadata:
    name: fsm-mesh-config
    namespace: fsm-system
  spec:
    traffic:
      outboundPortExclusionList:
      - 6379
kind: List
"""
DESCRIBED = "Name:         described\nNamespace:    shop\nContainers:\n  app:\n    Image:  web:1\n"


def files() -> dict[str, bytes]:
    pods = {"apiVersion": "v1", "items": [pod_json(expected(), "listed")], "kind": "List"}
    return {
        MESH: MESH_YAML.encode(),
        PODS: json.dumps(pods, indent=4).encode(),
        POD: DESCRIBED.encode(),
        LOG: b'{"level":"info","time":1}\n{"level":"error","kind":"Pod","items": []}\n',
        f"{PLACE}/commands/fsm_namespace_list": b"NAMESPACE MESH\nshop fsm\n",
        f"{PLACE}/shop/core": b"\x7fELF\x00\xff\xfe",
        f"{PLACE}/shop/annotations.json": b'{"a": "b"}',
    }


def packed(path: Path, content: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # a mode that is computed
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["r.tar", "r.tar.gz", "r.tar.bz2", "r.tar.xz", "r.zip"])
def test_an_archive_gives_what_kubectl_wrote_and_passes_over_the_rest(
    tmp_path: Path, name: str
) -> None:
    found = read_files([packed(tmp_path / name, files())])
    assert [pod.name for pod in found.pods] == ["described", "listed"]
    assert found.mesh_configs[0]["spec"]["traffic"] == {"outboundPortExclusionList": [6379]}
    assert found.source.server == f"{name} (3 of 7 files)"
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_a_folder_is_read_without_its_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps(pod_json(expected(), "outside")))
    folder = tmp_path / "dump"
    for name, data in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "link.json").symlink_to(outside)
    assert [pod.name for pod in read_files([folder]).pods] == ["described", "listed"]


def test_an_archive_without_anything_of_kubectl_is_told(tmp_path: Path) -> None:
    path = packed(tmp_path / "r.tar.gz", {"notes.txt": b"hello", "log": b"{}\n{}\n"})
    with pytest.raises(InputError) as caught:
        read_files([path])
    assert str(caught.value) == (
        f"{path}: none of its 2 files is a saved snapshot, JSON or YAML of kubectl get -o, or the "
        "text of kubectl describe pod"
    )


@pytest.mark.parametrize("name", ["r.tar.gz", "r.zip"])
def test_a_cut_off_archive_is_told(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, files())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError) as caught:
        read_files([path])
    assert str(caught.value).startswith(f"{path}: ")


def test_an_archive_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support_archive, "FILES_MAX", 3)
    path = packed(tmp_path / "r.tar", files())
    with pytest.raises(InputError) as caught:
        read_files([path])
    assert str(caught.value) == f"{path}: expected at most 3 files and 4 GiB in it"


def test_a_snapshot_in_an_archive_keeps_its_context(tmp_path: Path) -> None:
    head = {"fsmStackSnapshot": 1, "context": "prod", "server": "https://p", "uid": "u",
            "taken": "t", "read": ["pods"], "notRead": {}}  # fmt: skip
    path = packed(tmp_path / "r.zip", {"mesh.jsonl": json.dumps(head).encode()})
    assert read_files([path]).source.context == "prod"


def test_yaml_of_several_documents_is_read(tmp_path: Path) -> None:
    file = tmp_path / "objects.yaml"
    pods = [f"{json.dumps(pod_json(expected(), name), indent=1)}\n" for name in ("a", "b")]
    file.write_text(f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n"
                    f"{pods[0]}---\n{pods[1]}")  # fmt: skip
    found = read_files([file])
    assert [pod.name for pod in found.pods] == ["a", "b"]
    assert list(found.namespaces) == ["shop"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apiVersion: [", "2: expected YAML or JSON: "),
        ("kind: Pod\nkind: Pod\n", "2: expected each key once, got 'kind' again"),
        ("items: " + "[" * 200, "1: expected a Kubernetes document, this one is nested too deep"),
        ("kind: Pod\n---\n\na: .inf\n", "4: expected what JSON can say, got !!float .inf"),
        (
            '{"kind": "Pod",\n"a": {"b": 1, "b": 2}}',
            " damaged or cut off JSON: expected each key once, got 'b' again",
        ),
        (
            '{"kind": "Pod", "a": NaN}',
            " damaged or cut off JSON: expected a number that JSON can say, got NaN",
        ),
    ],
)
def test_damaged_yaml_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_files([file])
    assert str(caught.value).startswith(f"{file}:{message}")


def test_an_alias_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file = tmp_path / "f.yaml"
    file.write_text("kind: Pod\n" + "\n".join(lines))
    with pytest.raises(InputError):
        read_files([file])


def test_progress_is_told_of_files_too(tmp_path: Path) -> None:
    file = tmp_path / "pods.json"
    items = [{"kind": "Pod", "metadata": {"name": f"p{number}"}} for number in range(1200)]
    file.write_text(json.dumps({"kind": "List", "items": items}))
    told: list[int] = []
    assert len(read_files([file], progress=told.append).pods) == 1200
    assert told == [500, 1000]


def test_the_same_object_in_two_files_counts_once(tmp_path: Path) -> None:
    """Else a webhook that was dumped twice would look like a stray one."""
    names = [tmp_path / "a.json", tmp_path / "b.json"]
    webhook = world().the("MutatingWebhookConfiguration", "fsm-webhook-fsm")
    for name in names:
        name.write_text(json.dumps(webhook))
    assert len(read_files(names).mutating) == 1


def test_a_compressed_file_that_is_no_archive_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "pods.json.gz"
    path.write_bytes(gzip.compress(b'{"kind": "List", "items": []}'))
    with pytest.raises(InputError) as caught:
        read_files([path])
    assert str(caught.value) == (
        f"{path}: compressed, and no archive: expected tar or zip, or the file unpacked"
    )


def test_a_files_name_in_an_archive_writes_no_line_of_its_own(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.tar", {"a\nfsm-stack: ok.json": b'{"kind": "List", "items": [1]}'})
    with pytest.raises(InputError) as caught:
        read_files([path])
    assert str(caught.value) == (
        f"{path}: a\\nfsm-stack: ok.json: expected a list of objects, found '1'"
    )
