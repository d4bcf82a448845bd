"""Workloads and namespaces of other meshes to FSM's labels and annotations.

Source: the annotation references and injectors of OSM, osm-edge, Istio, Linkerd, Kuma and Consul.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.foreign_keys import Key, Moved, mesh_of, move
from fsm_stack.convert.result import Line
from fsm_stack.findings.finding import finding
from fsm_stack.injector.annotations import namespace_keys, pod_keys
from fsm_stack.systems import FSM, OSM
from fsm_stack.workloads.lint.foreign import MESHES
from fsm_stack.workloads.misplaced import misplaced, misplaced_of
from fsm_stack.workloads.objects import is_namespace, name_of, object_at, objects, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import ObjectName
    from fsm_stack.yaml.places import Path

# Kinds that have moved from OSM's group to FSM's, as they are.
_POLICIES: Final = frozenset(
    {"AccessCert", "AccessControl", "Egress", "EgressGateway", "IngressBackend", "Retry",
     "UpstreamTrafficSetting"}
)  # fmt: skip
_MULTICLUSTER: Final = frozenset({"GlobalTrafficPolicy", "ServiceExport", "ServiceImport"})
# Of each group its kinds, and FSM's group; config is told apart.
_GROUPS: Final = {
    "policy.openservicemesh.io": (_POLICIES, "policy.flomesh.io"),
    "flomesh.io": (_MULTICLUSTER, "multicluster.flomesh.io"),
    OSM.mesh_config_group: (frozenset[str](), ""),
}


def moved(value: Any, *, mesh_name: str = FSM.default_mesh_name) -> Moved:
    """What becomes of the labels, annotations and groups of a document's objects.

    Args:
        value: the decoded document.
        mesh_name: of the FSM mesh.
    """
    result = Moved(mesh_name=mesh_name)
    for path, manifest in objects(value):
        named = name_of(manifest)
        if is_namespace(manifest):
            for one in _keys(manifest, path, named, namespace_keys(FSM), namespace=True):
                move(one, result)
        elif _group(manifest) in _GROUPS:
            _policy(manifest, path, named, result)
    for item in workloads(value):
        named = name_of(item.manifest)
        holder = object_at(item.manifest, item.template)
        for one in _keys(holder, item.pod_path, named, pod_keys(FSM), namespace=False):
            move(one, result)
        elsewhere = (*misplaced(item, OSM), *misplaced_of(item, MESHES))
        result.findings += [found.at(object=named) for found in elsewhere]
    return result


def _keys(
    holder: Any, path: Path, named: ObjectName, read: frozenset[str], *, namespace: bool
) -> Iterator[Key]:
    for part in ("labels", "annotations"):
        for key, value in object_at(holder, ("metadata", part)).items():
            if mesh_of(str(key)):
                yield Key(
                    path=path,
                    part=part,
                    key=key,
                    value=value,
                    object=named,
                    read=read,
                    namespace=namespace,
                    holder=holder,
                )


def _group(manifest: Any) -> str:
    return str(manifest.get("apiVersion", "")).partition("/")[0]


def _policy(manifest: Any, path: Path, named: ObjectName, result: Moved) -> None:
    kind, version = manifest.get("kind"), str(manifest["apiVersion"]).partition("/")[2]
    source = f"{named} apiVersion"
    kinds, group = _GROUPS[_group(manifest)]
    if kind in kinds:
        target = f"{group}/{version}"
        result.versions[path] = target
        result.lines.append(Line(source=source, target=target))
        result.findings.append(
            finding(
                "setting-renamed",
                f"{manifest['apiVersion']} is {target} in FSM",
                path="apiVersion",
            ).at(object=named)
        )
        return
    why = "FSM has no such kind"
    if kind == "MeshConfig":
        why = "give it to fsm-stack convert, for a stack file"
    result.lines.append(Line(source=source, why=why))
    found = finding("setting-lost", f"{manifest['apiVersion']} {kind}: {why}", path="apiVersion")
    result.findings.append(found.at(object=named))
