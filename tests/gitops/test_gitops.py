from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.errors import InputError
from fsm_stack.gitops.controllers import annotated
from fsm_stack.gitops.directory import MARKER, Written, named, tree, write
from fsm_stack.gitops.rendering import Stale, check
from fsm_stack.manifests.manifest import Manifest, Part, Wave, without_sync_annotations

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = {"mesh.sh": "*nat\nCOMMIT\n", "profiles/redis.annotations.yaml": "a: b\n"}


def thing(
    kind: str,
    name: str,
    *,
    namespace: str | None = None,
    version: str = "v1",
    wave: Wave = Wave.FOUNDATION,
    patch: bool = False,
    retain: bool = False,
    **more: Any,
) -> Manifest:
    about = {"name": name} | ({"namespace": namespace} if namespace else {})
    return Manifest(
        object={"apiVersion": version, "kind": kind, "metadata": about, **more},
        part=Part.CONTROL_PLANE,
        wave=wave,
        patch=patch,
        retain=retain,
    )


STACK = (
    thing("Namespace", "fsm-system", wave=Wave.NAMESPACE),
    thing("ConfigMap", "mesh", namespace="fsm-system", data={"init.sh": "*nat\nCOMMIT\n"}),
    thing("Namespace", "shop", wave=Wave.ENROLMENT, patch=True),
)


def test_one_object_a_file_under_its_wave() -> None:
    """A reviewer finds an object by its name, a controller applies the waves in order."""
    assert sorted(tree(named(STACK), SCRIPTS)) == [
        ".fsm-stack.files",
        "kustomization.yaml",
        "objects/0-namespace/namespace-fsm-system.yaml",
        "objects/3-foundation/configmap-mesh.yaml",
        "others/namespace-shop.yaml",
        "redirection/mesh.sh",
        "redirection/profiles/redis.annotations.yaml",
    ]


def test_a_file_holds_the_object_and_its_annotations() -> None:
    files = tree(named(STACK), SCRIPTS)
    assert files["objects/3-foundation/configmap-mesh.yaml"] == (
        b"apiVersion: v1\n"
        b"kind: ConfigMap\n"
        b"metadata:\n"
        b"  name: mesh\n"
        b"  namespace: fsm-system\n"
        b"  annotations:\n"
        b'    argocd.argoproj.io/sync-wave: "3"\n'
        b"data:\n"
        b"  init.sh: |\n"
        b"    *nat\n"
        b"    COMMIT\n"
    )
    assert files["redirection/mesh.sh"] == b"*nat\nCOMMIT\n"


def test_objects_that_would_share_a_file_are_told_apart() -> None:
    """By namespace and API group, also on a disk that ignores case."""
    rbac = "rbac.authorization.k8s.io/v1"
    assert list(
        named(
            (
                thing("Role", "fsm", namespace="blue", version=rbac),
                thing("Role", "fsm", namespace="green", version=rbac),
                thing("Role", "other", namespace="green", version=rbac),
                thing("ClusterRole", "Reader", version=rbac),
                thing("ClusterRole", "reader", version=rbac),
                thing("Service", "fsm", namespace="blue"),
            )
        )
    ) == [
        "objects/3-foundation/role-fsm@blue.rbac.authorization.k8s.io.yaml",
        "objects/3-foundation/role-fsm@green.rbac.authorization.k8s.io.yaml",
        "objects/3-foundation/role-other.yaml",
        "objects/3-foundation/clusterrole-Reader@.rbac.authorization.k8s.io.yaml",
        "objects/3-foundation/clusterrole-reader@.rbac.authorization.k8s.io.yaml",
        "objects/3-foundation/service-fsm.yaml",
    ]


def test_a_name_that_file_systems_do_not_take_is_escaped() -> None:
    names = list(named((thing("ClusterRole", "system:fsm/../x"),)))
    assert names == ["objects/3-foundation/clusterrole-system%3Afsm%2F..%2Fx.yaml"]


def test_two_objects_with_one_identity_are_a_defect() -> None:
    with pytest.raises(ValueError, match="the same kind, namespace and name"):
        named((thing("Service", "fsm"), thing("Service", "fsm")))


def test_kustomization_names_the_objects_in_the_order_of_creation() -> None:
    """What lies beside them is for other people, or for other programs."""
    assert yaml.safe_load(tree(named(STACK), SCRIPTS)["kustomization.yaml"]) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": [
            "objects/0-namespace/namespace-fsm-system.yaml",
            "objects/3-foundation/configmap-mesh.yaml",
        ],
    }


def test_what_belongs_to_others_lies_beside_the_objects_unless_asked_for() -> None:
    """Else a controller counts their namespace as its own, and two of them fight over it."""
    beside = tree(named(STACK), SCRIPTS)["others/namespace-shop.yaml"]
    assert yaml.safe_load(beside) == STACK[2].object  # for its owner's tree: no wave of ours
    among = tree(named(STACK, whole=True), SCRIPTS)
    assert "others/namespace-shop.yaml" not in among
    assert b"6-enrolment/namespace-shop.yaml" in among["kustomization.yaml"]
    assert annotations(among["objects/6-enrolment/namespace-shop.yaml"]) == {
        "argocd.argoproj.io/sync-wave": "6",
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false,ServerSideApply=true",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
        "kustomize.toolkit.fluxcd.io/ssa": "Merge",
    }


def annotations(file: bytes) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(file)["metadata"]["annotations"]
    return found


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (STACK[0], {"sync-wave": "0", "sync-options": "Prune=false,Delete=false",
                    "prune": "disabled"}),
        (thing("CustomResourceDefinition", "m.x.io", wave=Wave.CRD),  # retained or not
         {"sync-wave": "1", "sync-options": "Prune=false,Delete=false", "prune": "disabled",
          "ssa": "IfNotPresent"}),
        (STACK[1], {"sync-wave": "3"}),
        (thing("HorizontalPodAutoscaler", "fsm", wave=Wave.CONTROL_PLANE), {"sync-wave": "7"}),
        (thing("Service", "out", spec={"type": "LoadBalancer"}), {"sync-wave": "7"}),
        (thing("Service", "in", spec={}), {"sync-wave": "3"}),
        (replace(thing("MeshConfig", "m", wave=Wave.MESH_CONFIG), foreign_paths=("spec.x",)),
         {"sync-wave": "2", "ssa": "Merge"}),
    ],
    ids=lambda value: getattr(value, "slug", ""),
)  # fmt: skip
def test_an_object_says_its_wave_and_how_it_is_pruned_and_merged(
    manifest: Manifest, expected: dict[str, str]
) -> None:
    """In its own file, so that it holds for every reader, with and without kustomize."""
    notes = annotated(manifest)["metadata"]["annotations"]
    assert {key.rpartition("/")[2]: value for key, value in notes.items()} == expected
    assert without_sync_annotations(annotated(manifest)) == manifest.object


def test_the_first_file_says_why_a_tree_cannot_run() -> None:
    """Whoever applies it by hand, or reads it first, has to see that."""
    files = tree(named(STACK), SCRIPTS, note="# To look at.\n")
    first = files["objects/0-namespace/namespace-fsm-system.yaml"]
    assert first.startswith(b"# To look at.\napiVersion: v1\n")
    assert files["kustomization.yaml"].startswith(b"# To look at.\n# Written by fsm-stack render")
    assert b"# To look at" not in files["objects/3-foundation/configmap-mesh.yaml"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_builds_the_same_objects(tmp_path: Path) -> None:
    """The scripts and annotations beside the objects are no objects, and stay out."""
    write(tmp_path / "dev", tree(named(STACK), SCRIPTS), shown="dev")
    built = subprocess.run(
        ["kubectl", "kustomize", tmp_path / "dev"], check=True, capture_output=True, text=True
    )
    objects = list(yaml.safe_load_all(built.stdout))
    assert objects == [annotated(manifest) for manifest in STACK[:2]]


def test_writing_says_what_is_new_changed_and_removed(tmp_path: Path) -> None:
    target = tmp_path / "rendered" / "dev"
    first = write(target, tree(named(STACK), SCRIPTS), shown="rendered/dev")
    assert (first.total, len(first.created)) == (7, 7)
    changed = (STACK[0], thing("ConfigMap", "mesh", namespace="fsm-system"), thing("Secret", "x"))
    assert write(target, tree(named(changed), SCRIPTS), shown="rendered/dev") == Written(
        created=("objects/3-foundation/secret-x.yaml",),
        changed=(
            ".fsm-stack.files",
            "kustomization.yaml",
            "objects/3-foundation/configmap-mesh.yaml",
        ),
        removed=("others/namespace-shop.yaml",),
        unchanged=(
            "objects/0-namespace/namespace-fsm-system.yaml",
            "redirection/mesh.sh",
            "redirection/profiles/redis.annotations.yaml",
        ),
    )
    assert not (target / "others").exists()


def test_writing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    """A build that runs on every commit must not make files look new."""
    target = tmp_path / "dev"
    files = tree(named(STACK), SCRIPTS)
    write(target, files, shown="dev")
    before = (target.stat().st_ino, (target / "kustomization.yaml").stat().st_mtime_ns)
    done = write(target, files, shown="dev")
    assert (done.created, done.changed, done.removed) == ((), (), ())
    assert (target.stat().st_ino, (target / "kustomization.yaml").stat().st_mtime_ns) == before


def test_a_file_that_we_did_not_write_stops_the_run(tmp_path: Path) -> None:
    """It is not ours to delete."""
    target = tmp_path / "dev"
    write(target, tree(named(STACK), SCRIPTS), shown="rendered/dev")
    for name in ("notes.md", "b", "c", "d"):
        (target / name).write_text("mine")
    with pytest.raises(InputError) as caught:
        write(target, tree(named(STACK[:1]), SCRIPTS), shown="rendered/dev")
    assert str(caught.value) == (
        "rendered/dev: b, c, d and 1 more: not written by fsm-stack; "
        "expected a directory of its own, move these files away"
    )
    assert (target / "notes.md").read_text() == "mine"
    assert (target / "others/namespace-shop.yaml").exists()


def test_a_symbolic_link_in_the_tree_is_not_ours(tmp_path: Path) -> None:
    target = tmp_path / "dev"
    write(target, tree(named(STACK), SCRIPTS), shown="dev")
    (target / "kustomization.yaml").unlink()
    (target / "kustomization.yaml").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match=r"^dev: kustomization.yaml: not written by fsm-stack"):
        write(target, tree(named(STACK), SCRIPTS), shown="dev")


def test_a_lost_list_of_files_is_made_again(tmp_path: Path) -> None:
    """Files that are what we would write are ours, listed or not."""
    target = tmp_path / "dev"
    files = tree(named(STACK), SCRIPTS)
    write(target, files, shown="dev")
    (target / MARKER).unlink()
    assert write(target, files, shown="dev").created == (MARKER,)


def test_a_list_that_names_files_elsewhere_removes_none_of_them(tmp_path: Path) -> None:
    """The list comes from Git, and so from anyone: it can only make fewer files foreign."""
    (tmp_path / "precious").write_text("keep")
    target = tmp_path / "dev"
    write(target, tree(named(STACK), SCRIPTS), shown="dev")
    with (target / MARKER).open("a") as marker:
        marker.write("../precious\n/etc/passwd\n")
    write(target, tree(named(STACK), SCRIPTS), shown="dev")
    assert (tmp_path / "precious").read_text() == "keep"


def test_check_names_what_is_missing_changed_and_extra(tmp_path: Path) -> None:
    target = tmp_path / "dev"
    files = tree(named(STACK), SCRIPTS)
    write(target, files, shown="dev")
    assert check(target, files, shown="dev") == ()
    (target / "redirection/mesh.sh").write_bytes(b"*nat\n-A X -j RETURN\x1b[2J\nCOMMIT\n")
    (target / "objects/0-namespace/namespace-fsm-system.yaml").unlink()
    (target / "zz").symlink_to("/etc/passwd")
    assert check(target, files, shown="dev") == (
        Stale(path="objects/0-namespace/namespace-fsm-system.yaml", state="missing"),
        Stale(
            path="redirection/mesh.sh",
            state="changed",
            diff=(
                "@@ -1,3 +1,2 @@",
                " *nat",
                "--A X -j RETURN\N{REPLACEMENT CHARACTER}[2J",
                " COMMIT",
            ),
        ),
        Stale(path="zz", state="extra"),
    )


def test_a_long_diff_is_cut(tmp_path: Path) -> None:
    """A job's log is read by people."""
    target = tmp_path / "dev"
    write(target, {"a": b"x" * 1000 + b"\n"}, shown="dev")
    (stale,) = check(target, {"a": "\n".join(map(str, range(99))).encode()}, shown="dev")
    assert len(stale.diff) == 21
    assert stale.diff[1] == "-" + "x" * 160
    assert stale.diff[-1] == "... 82 more lines"


def test_everything_is_missing_where_nothing_was_rendered(tmp_path: Path) -> None:
    found = check(tmp_path / "dev", tree(named(STACK), {}), shown="dev")
    assert [item.state for item in found] == ["missing"] * 5


def test_a_file_with_unknown_content_is_listed_and_not_compared(tmp_path: Path) -> None:
    """Whoever has not vendored the scripts can still check everything else."""
    target = tmp_path / "dev"
    write(target, tree(named(STACK), SCRIPTS), shown="dev")
    unknown = ("objects/3-foundation/configmap-mesh.yaml",)
    files = tree(named(STACK), SCRIPTS, unknown=unknown)
    assert unknown[0] not in files
    assert check(target, files, shown="dev", unknown=unknown) == ()
