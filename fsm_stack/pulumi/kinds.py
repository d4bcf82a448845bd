"""Which typed resource stands for an object, and what the Kubernetes provider is told about it.

A module of ``pulumi_kubernetes`` is imported when an object of its group is declared: ``core.v1``
alone takes a quarter of a second.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import pulumi

from fsm_stack.errors import InputError, NotProvidedError
from fsm_stack.findings.finding import ObjectName
from fsm_stack.manifests.manifest import FOLLOWED, Manifest, Wave

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fsm_stack.manifests.manifest import Key
    from fsm_stack.settings.models.stack import Deployment


class ObjectTakenError(InputError, pulumi.RunError):
    """Two meshes of one program declare one object; the engine shows it without a traceback."""


# API group to module of pulumi_kubernetes; an object of any other group is a custom resource.
GROUPS: Final = {
    "": "core",
    "admissionregistration.k8s.io": "admissionregistration",
    "apiextensions.k8s.io": "apiextensions",
    "apps": "apps",
    "autoscaling": "autoscaling",
    "batch": "batch",
    "coordination.k8s.io": "coordination",
    "networking.k8s.io": "networking",
    "policy": "policy",
    "rbac.authorization.k8s.io": "rbac",
    "scheduling.k8s.io": "scheduling",
}

# Kinds that the provider waits for. Source: pulumi-kubernetes provider/pkg/await/awaiters.go.
AWAITED: Final = frozenset(
    {
        "DaemonSet",
        "Deployment",
        "Ingress",
        "Job",
        "PersistentVolumeClaim",
        "Pod",
        "ReplicationController",
        "Service",
        "StatefulSet",
    }
)

# Annotations that speak to the provider. Source: its provider/pkg/metadata/annotations.go.
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
PATCH_FORCE: Final = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
FIELD_MANAGER: Final = "fsm-stack"

# On every object that a stack owns. Server-side apply takes an object that exists with equal
# values for a second owner's, too, and destroying that stack would delete it under the first.
OWNER: Final = "fsm-stack.flomesh.io/stack"

_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_PROVIDER_SETS: Final = ("apiVersion", "kind")  # the typed classes know them


def declared(
    name: str,
    manifest: Manifest,
    *,
    opts: pulumi.ResourceOptions,
    deployment: Deployment,
    followed: Sequence[pulumi.CustomResource] = (),
) -> pulumi.CustomResource:
    """Declare one object as its native typed resource.

    Args:
        name: the logical name, unique among the stack's resources of one type.
        manifest: the object.
        opts: parent and dependencies; what the object itself asks for is added.
        deployment: how ``pulumi up`` treats the objects.
        followed: the resources of the objects in ``restarts_with``.
    """
    kind = resource_class(manifest)
    opts = pulumi.ResourceOptions.merge(opts, options(manifest))
    body = dict(manifest.object)
    notes = provider_annotations(manifest, deployment)
    if not _is_patch(manifest):
        notes[OWNER] = _this_stack()
    if notes:
        metadata = body["metadata"]
        body["metadata"] = {
            **metadata,
            "annotations": {**metadata.get("annotations", {}), **notes},
        }
    if followed:
        body["spec"] = _following(body["spec"], followed)
    if _is_custom(manifest):
        return kind(name, **_custom_arguments(manifest, body), opts=opts)
    arguments = {
        python_name(key): value for key, value in body.items() if key not in _PROVIDER_SETS
    }
    return kind(name, **arguments, opts=opts)


def _this_stack() -> str:
    organization = pulumi.get_organization() or "organization"  # the engine's word for none
    return f"{organization}/{pulumi.get_project()}/{pulumi.get_stack()}"


def _following(
    spec: Mapping[str, Any], followed: Sequence[pulumi.CustomResource]
) -> dict[str, Any]:
    """A workload whose pods start anew when one of the objects is another than before.

    The new object's UID changes the pod template in the update that makes the object.
    """
    uids = [resource.metadata.apply(_uid) for resource in followed]  # type: ignore[attr-defined]  # every object has it
    template = spec["template"]
    about = template["metadata"]
    notes = {**about.get("annotations", {}), FOLLOWED: pulumi.Output.all(*uids).apply(",".join)}
    return {**spec, "template": {**template, "metadata": {**about, "annotations": notes}}}


def _uid(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("uid") or "")  # mocks may know none


def resource_class(manifest: Manifest) -> type[pulumi.CustomResource]:
    """The class of ``pulumi_kubernetes`` that stands for the object.

    An object of others, or one that outlives the stack, is a ``…Patch``: the provider applies it
    where it exists and creates it where it does not, while creating a plain resource that exists
    fails. Deleting a patch gives its fields back; an object that outlives the stack is not even
    touched then (:func:`options`). Every enrolled namespace is one, also where the stack makes it:
    as a resource, leaving the mesh would delete the namespace and all workloads in it.

    Raises:
        NotProvidedError: the class is not in the installed ``pulumi_kubernetes``.
    """
    group, _, version = manifest.api_version.rpartition("/")
    kind = "CustomResource" if _is_custom(manifest) else manifest.kind
    name = f"{kind}Patch" if _is_patch(manifest) else kind
    module = "apiextensions" if _is_custom(manifest) else f"{GROUPS[group]}.{version}"
    try:
        found: type[pulumi.CustomResource] = getattr(
            import_module(f"pulumi_kubernetes.{module}"), name
        )
    except (ImportError, AttributeError) as error:
        raise NotProvidedError(
            f"{manifest.api_version} {manifest.kind}: pulumi_kubernetes has no {module}.{name}"
        ) from error
    return found


def options(manifest: Manifest) -> pulumi.ResourceOptions:
    """What the object asks of the engine, wherever it is declared."""
    return pulumi.ResourceOptions(
        ignore_changes=list(manifest.foreign_paths),
        hide_diffs=list(manifest.repeats),
        retain_on_delete=manifest.retain or None,
        # Names are fixed, so a second object can never stand beside the first.
        delete_before_replace=None if _is_patch(manifest) else True,
        # A setting that makes an object ours, or not, changes its class: it stays the same object.
        # Without this the engine would delete the namespace, or the CRD, that it gives up.
        aliases=[pulumi.Alias(type_=_other_type(manifest))] if _may_change(manifest) else None,
    )


def provider_annotations(manifest: Manifest, deployment: Deployment) -> dict[str, str]:
    """What the object asks of the Kubernetes provider; only resources carry it, never files."""
    notes = {}
    if not deployment.awaits and manifest.kind in AWAITED:
        notes[SKIP_AWAIT] = "true"
    forced = deployment.force_mesh_config and manifest.wave is Wave.MESH_CONFIG
    if forced or reference(manifest) in deployment.adopt:
        notes[PATCH_FORCE] = "true"
    if manifest.retain:
        # It may be there from an earlier life of this stack, rewritten since by the control
        # plane, which will rewrite it again: taking it back takes nothing from anyone. All lives
        # write under one name, so that none leaves fields behind that the next cannot remove.
        notes |= {PATCH_FORCE: "true", PATCH_FIELD_MANAGER: FIELD_MANAGER}
    return notes


def reference(manifest: Manifest) -> str:
    """An object as settings name it: ``Deployment/fsm-system/fsm-injector``."""
    return str(ObjectName(manifest.kind, manifest.namespace or "", manifest.name))


def require_adoptable(manifests: Iterable[Manifest], deployment: Deployment) -> None:
    """Refuse a name in ``deployment.adopt`` that the stack has no object for.

    Raises:
        InputError: with the name.
    """
    known = {reference(manifest) for manifest in manifests}
    for index, name in enumerate(deployment.adopt):
        if name not in known:
            raise InputError(
                f"deployment.adopt[{index}]: expected an object of this stack, got {name}; "
                "fsm-stack adopt lists them"
            )


# What each run of a program declares, in each provider's cluster: the object, and whose it is. An
# engine, or what stands in for one, has a monitor of its own in each run.
_DECLARED: Final[WeakKeyDictionary[Any, dict[tuple[str, Key], str]]] = WeakKeyDictionary()


def require_own(
    name: str,
    manifests: Iterable[Manifest],
    provider: pulumi.ProviderResource | None,
    *,
    run: object = None,
) -> None:
    """Refuse a second component of one program that declares an object of the first.

    The API server would take both for one owner's, and the object would have the second one's
    values until either of them is destroyed. An object that outlives its stack may be shared.

    Args:
        name: the component's.
        manifests: its objects.
        provider: of its resources; None: the default one. Two providers are two clusters.
        run: stands for the run of the program; its monitor, if absent.

    Raises:
        ObjectTakenError: with the objects.
    """
    known = _DECLARED.setdefault(run or pulumi.runtime.settings.get_monitor(), {})
    cluster = provider.pulumi_resource_name if provider else ""
    own = {(cluster, manifest.key): manifest for manifest in manifests if not manifest.retain}
    for key, manifest in own.items():
        if known.get(key, name) != name:
            raise ObjectTakenError(
                f"{name}: {reference(manifest)} is an object of {known[key]}, in the same "
                "cluster; expected a mesh.releaseName, mesh.name and mesh.namespace of its own, "
                "and other namespaces in enrolledNamespaces, or another cluster's provider in opts"
            )
    known.update(dict.fromkeys(own, name))


def logical_names(manifests: Iterable[Manifest], namespace: str) -> tuple[str, ...]:
    """A stable name for each object: its slug, and its namespace where that is another one.

    A name depends on its own object only, so that adding one never renames (and so deletes and
    creates) another.
    """
    return tuple(
        manifest.slug
        if manifest.namespace in {None, namespace}
        else f"{manifest.slug}-in-{manifest.namespace}"
        for manifest in manifests
    )


def _is_custom(manifest: Manifest) -> bool:
    return manifest.api_version.rpartition("/")[0] not in GROUPS


def _is_patch(manifest: Manifest) -> bool:
    return manifest.patch or manifest.retain or manifest.wave is Wave.ENROLMENT


def _may_change(manifest: Manifest) -> bool:
    return manifest.wave is Wave.NAMESPACE or manifest.kind == "CustomResourceDefinition"


def _other_type(manifest: Manifest) -> str:
    group, _, version = manifest.api_version.rpartition("/")
    suffix = "" if _is_patch(manifest) else "Patch"
    return f"kubernetes:{group or 'core'}/{version}:{manifest.kind}{suffix}"


def _custom_arguments(manifest: Manifest, body: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {python_name(key): value for key, value in body.items()}
    if unknown := sorted(arguments.keys() - {"api_version", "kind", "metadata", "spec"}):
        raise NotProvidedError(
            f"{manifest.api_version} {manifest.kind}: expected apiVersion, kind, metadata and "
            f"spec only, got {', '.join(unknown)}"
        )
    return arguments


def python_name(key: str) -> str:
    """``binaryData`` as Pulumi's Python calls it: ``binary_data``."""
    return _CAPITAL.sub(r"_\1", key).lower()
