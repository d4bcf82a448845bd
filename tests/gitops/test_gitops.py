from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.errors import InputError
from fsm_stack.gitops.directory import MARKER, Written, kustomization, named, tree, write
from fsm_stack.gitops.rendering import Stale, check
from fsm_stack.manifests.manifest import Manifest, Part, Wave

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
    assert sorted(tree(STACK, SCRIPTS)) == [
        ".fsm-stack.files",
        "0-namespace/namespace-fsm-system.yaml",
        "3-foundation/configmap-mesh.yaml",
        "6-enrolment/namespace-shop.yaml",
        "kustomization.yaml",
        "redirection/mesh.sh",
        "redirection/profiles/redis.annotations.yaml",
    ]


def test_a_file_holds_the_object_and_nothing_else() -> None:
    files = tree(STACK, SCRIPTS)
    assert files["3-foundation/configmap-mesh.yaml"] == (
        b"apiVersion: v1\n"
        b"kind: ConfigMap\n"
        b"metadata:\n"
        b"  name: mesh\n"
        b"  namespace: fsm-system\n"
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
        "3-foundation/role-fsm@blue.rbac.authorization.k8s.io.yaml",
        "3-foundation/role-fsm@green.rbac.authorization.k8s.io.yaml",
        "3-foundation/role-other.yaml",
        "3-foundation/clusterrole-Reader@.rbac.authorization.k8s.io.yaml",
        "3-foundation/clusterrole-reader@.rbac.authorization.k8s.io.yaml",
        "3-foundation/service-fsm.yaml",
    ]


def test_a_name_that_file_systems_do_not_take_is_escaped() -> None:
    names = list(named((thing("ClusterRole", "system:fsm/../x"),)))
    assert names == ["3-foundation/clusterrole-system%3Afsm%2F..%2Fx.yaml"]


def test_two_objects_with_one_identity_are_a_defect() -> None:
    with pytest.raises(ValueError, match="the same kind, namespace and name"):
        named((thing("Service", "fsm"), thing("Service", "fsm")))


def test_kustomization_applies_the_objects_in_order_and_guards_what_is_not_ours() -> None:
    """Leaving the list of enrolled namespaces must not delete a namespace with its workloads."""
    crd = thing("CustomResourceDefinition", "m.x.io", version="v1", wave=Wave.CRD, retain=True)
    text = kustomization(named((*STACK, crd)))
    document = yaml.safe_load(text)
    assert document["resources"] == [
        "0-namespace/namespace-fsm-system.yaml",
        "3-foundation/configmap-mesh.yaml",
        "6-enrolment/namespace-shop.yaml",
        "1-crd/customresourcedefinition-m.x.io.yaml",
    ]
    assert document["sortOptions"] == {"order": "fifo"}
    assert [yaml.safe_load(item["patch"])["metadata"] for item in document["patches"]] == [
        {
            "name": "shop",
            "annotations": {
                "argocd.argoproj.io/sync-wave": "1",
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false,ServerSideApply=true",
                "kustomize.toolkit.fluxcd.io/prune": "disabled",
                "kustomize.toolkit.fluxcd.io/ssa": "Merge",
            },
        },
        {
            "name": "m.x.io",
            "annotations": {
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
                "kustomize.toolkit.fluxcd.io/prune": "disabled",
                "kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent",
            },
        },
    ]
    assert "patches" not in yaml.safe_load(kustomization(named(STACK[:1])))


def test_flux_leaves_a_crd_to_bootstrap_also_where_it_may_be_deleted() -> None:
    """Bootstrap replaces its versions; Flux would put ours back at every interval."""
    crd = thing("CustomResourceDefinition", "m.x.io", version="v1", wave=Wave.CRD)
    (patch,) = yaml.safe_load(kustomization(named((crd,))))["patches"]
    assert yaml.safe_load(patch["patch"])["metadata"]["annotations"] == {
        "kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"
    }


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_builds_the_same_objects(tmp_path: Path) -> None:
    """The scripts and annotations beside the objects are no objects, and stay out."""
    write(tmp_path / "dev", tree(STACK, SCRIPTS), shown="dev")
    built = subprocess.run(
        ["kubectl", "kustomize", tmp_path / "dev"], check=True, capture_output=True, text=True
    )
    objects = list(yaml.safe_load_all(built.stdout))
    shop = objects.pop()
    assert objects == [manifest.object for manifest in STACK[:2]]
    assert shop["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/ssa"] == "Merge"


def test_writing_says_what_is_new_changed_and_removed(tmp_path: Path) -> None:
    target = tmp_path / "rendered" / "dev"
    first = write(target, tree(STACK, SCRIPTS), shown="rendered/dev")
    assert (first.total, len(first.created)) == (7, 7)
    changed = (STACK[0], thing("ConfigMap", "mesh", namespace="fsm-system"), thing("Secret", "x"))
    assert write(target, tree(changed, SCRIPTS), shown="rendered/dev") == Written(
        created=("3-foundation/secret-x.yaml",),
        changed=(".fsm-stack.files", "3-foundation/configmap-mesh.yaml", "kustomization.yaml"),
        removed=("6-enrolment/namespace-shop.yaml",),
        unchanged=(
            "0-namespace/namespace-fsm-system.yaml",
            "redirection/mesh.sh",
            "redirection/profiles/redis.annotations.yaml",
        ),
    )
    assert not (target / "6-enrolment").exists()


def test_writing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    """A build that runs on every commit must not make files look new."""
    target = tmp_path / "dev"
    files = tree(STACK, SCRIPTS)
    write(target, files, shown="dev")
    before = (target.stat().st_ino, (target / "kustomization.yaml").stat().st_mtime_ns)
    done = write(target, files, shown="dev")
    assert (done.created, done.changed, done.removed) == ((), (), ())
    assert (target.stat().st_ino, (target / "kustomization.yaml").stat().st_mtime_ns) == before


def test_a_file_that_we_did_not_write_stops_the_run(tmp_path: Path) -> None:
    """It is not ours to delete."""
    target = tmp_path / "dev"
    write(target, tree(STACK, SCRIPTS), shown="rendered/dev")
    for name in ("notes.md", "b", "c", "d"):
        (target / name).write_text("mine")
    with pytest.raises(InputError) as caught:
        write(target, tree(STACK[:1], SCRIPTS), shown="rendered/dev")
    assert str(caught.value) == (
        "rendered/dev: b, c, d and 1 more: not written by fsm-stack; "
        "expected a directory of its own, move these files away"
    )
    assert (target / "notes.md").read_text() == "mine"
    assert (target / "6-enrolment/namespace-shop.yaml").exists()


def test_a_symbolic_link_in_the_tree_is_not_ours(tmp_path: Path) -> None:
    target = tmp_path / "dev"
    write(target, tree(STACK, SCRIPTS), shown="dev")
    (target / "kustomization.yaml").unlink()
    (target / "kustomization.yaml").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match=r"^dev: kustomization.yaml: not written by fsm-stack"):
        write(target, tree(STACK, SCRIPTS), shown="dev")


def test_a_lost_list_of_files_is_made_again(tmp_path: Path) -> None:
    """Files that are what we would write are ours, listed or not."""
    target = tmp_path / "dev"
    files = tree(STACK, SCRIPTS)
    write(target, files, shown="dev")
    (target / MARKER).unlink()
    assert write(target, files, shown="dev").created == (MARKER,)


def test_a_list_that_names_files_elsewhere_removes_none_of_them(tmp_path: Path) -> None:
    """The list comes from Git, and so from anyone: it can only make fewer files foreign."""
    (tmp_path / "precious").write_text("keep")
    target = tmp_path / "dev"
    write(target, tree(STACK, SCRIPTS), shown="dev")
    with (target / MARKER).open("a") as marker:
        marker.write("../precious\n/etc/passwd\n")
    write(target, tree(STACK, SCRIPTS), shown="dev")
    assert (tmp_path / "precious").read_text() == "keep"


def test_check_names_what_is_missing_changed_and_extra(tmp_path: Path) -> None:
    target = tmp_path / "dev"
    files = tree(STACK, SCRIPTS)
    write(target, files, shown="dev")
    assert check(target, files, shown="dev") == ()
    (target / "redirection/mesh.sh").write_bytes(b"*nat\n-A X -j RETURN\x1b[2J\nCOMMIT\n")
    (target / "0-namespace/namespace-fsm-system.yaml").unlink()
    (target / "zz").symlink_to("/etc/passwd")
    assert check(target, files, shown="dev") == (
        Stale(path="0-namespace/namespace-fsm-system.yaml", state="missing"),
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
    found = check(tmp_path / "dev", tree(STACK, {}), shown="dev")
    assert [item.state for item in found] == ["missing"] * 5


def test_a_file_with_unknown_content_is_listed_and_not_compared(tmp_path: Path) -> None:
    """Whoever has not vendored the scripts can still check everything else."""
    target = tmp_path / "dev"
    write(target, tree(STACK, SCRIPTS), shown="dev")
    unknown = ("3-foundation/configmap-mesh.yaml",)
    files = tree(STACK, SCRIPTS, unknown=unknown)
    assert unknown[0] not in files
    assert check(target, files, shown="dev", unknown=unknown) == ()
