"""The stack as a component, and its outputs: typed, with a version."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

import pulumi

from fsm_stack import __version__
from fsm_stack.errors import InputError
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.manifest import Part, Wave
from fsm_stack.project.release_asset import asset_of
from fsm_stack.pulumi.guard import (
    CONFLICT_REMEDIES,
    OTHER_REMEDIES,
    enrolment,
    remedies,
    remembered,
    the_cluster,
)
from fsm_stack.pulumi.kinds import declared, logical_names, require_adoptable, require_own
from fsm_stack.redirection.scopes import SCHEMA_VERSION, redirection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fsm_stack.manifests.manifest import Key, Manifest
    from fsm_stack.manifests.release import ReleaseAsset
    from fsm_stack.redirection.scopes import Redirection
    from fsm_stack.settings.models.stack import StackSettings


class MeshOutputsError(InputError, pulumi.RunError):
    """Another stack's outputs cannot be used; the engine shows it without a traceback."""


class StackOutputs(TypedDict):
    """The outputs of a stack. A new field keeps ``schemaVersion``; any other change raises it.

    ``annotations`` are those of each annotation profile, by its name. What a pod gets follows from
    them and from the lists of the mesh, which ``redirectionDigest`` stands for: when one of the
    two changes, the pod has to start anew.
    """

    schemaVersion: int
    toolVersion: str
    settingsDigest: str
    system: str
    fsmVersion: str
    meshName: str
    namespace: str
    redirectionDigest: str
    annotations: dict[str, dict[str, str]]


def stack_outputs(settings: StackSettings, rendered: Redirection) -> StackOutputs:
    """The outputs of a stack with these settings and their redirection."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "toolVersion": __version__,
        "settingsDigest": rendered.settings_digest,
        "system": settings.system,
        "fsmVersion": settings.fsm_version,
        "meshName": settings.mesh_name,
        "namespace": settings.namespace,
        "redirectionDigest": rendered.mesh.digest,
        "annotations": {scope.name: dict(scope.annotations) for scope in rendered.profiles},
    }


def outputs_of(reference: pulumi.StackReference) -> pulumi.Output[StackOutputs]:
    """Another stack's outputs, for programs that deploy into its mesh.

    Raises:
        MeshOutputsError: (in the output) they have another version, or are no mesh's.
    """

    def known(found: dict[str, Any]) -> StackOutputs:
        version = found.get("schemaVersion")
        if version != SCHEMA_VERSION:
            raise MeshOutputsError(
                f"stack outputs: expected schemaVersion {SCHEMA_VERSION}, got {version!r}"
            )
        known = {key: whole(found.get(key)) for key in StackOutputs.__annotations__}
        return cast("StackOutputs", known)

    return reference.outputs.apply(known)


def whole(value: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """The value with whole numbers as integers: the engine hands every number over as a float."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: whole(item) for key, item in value.items()}
        case list():
            return [whole(item) for item in value]
        case _:
            return value


# The types of the stack's component and of each part's, under which the state knows them.
STACK_TYPE: Final = "fsm-stack:index:FsmStack"
PARTS: Final = {
    Part.CONTROL_PLANE: "fsm-stack:index:ControlPlane",
    Part.MESH_CONFIG: "fsm-stack:index:MeshConfig",
    Part.INJECTOR_WEBHOOK: "fsm-stack:index:InjectorWebhook",
    Part.GUARD: "fsm-stack:index:Guard",
    Part.OBSERVABILITY: "fsm-stack:index:Observability",
}


# Any member of the provider's package: a component has one provider for the package.
_KUBERNETES: Final = "kubernetes:core/v1:Namespace"


class FsmStack(pulumi.ComponentResource):
    """One environment's mesh.

    Everything of one :class:`Wave` waits for everything of the wave before it, so ``destroy`` runs
    backwards: namespaces leave the mesh first. Whoever depends on the component waits for all of
    it. Provider and transforms in ``opts`` hold for every resource in it.

    Attributes:
        resources: every object's resource, by its logical name without the component's.
        values: what :class:`StackOutputs` says, known before anything is declared.
        outputs: the same, when all objects are declared.

    Args:
        name: the component's name, the prefix of every resource's.
        settings: the stack's settings.
        asset: the release's Pipy scripts, where ``releaseAssets.source`` is ``vendored``; those
            below ``releases/`` in the program's directory if absent.
        opts: Pulumi's options.

    Raises:
        FsmStackError: the bundle cannot be made from these settings, or another component of the
            program declares one of its objects.
    """

    resources: Mapping[str, pulumi.CustomResource]
    outputs: pulumi.Output[Any]

    def __init__(
        self,
        name: str,
        settings: StackSettings,
        *,
        asset: ReleaseAsset | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        self.values, manifests = contents(settings, asset)
        values = self.values
        super().__init__(STACK_TYPE, name, {}, opts)
        self.resources = declare_in(self, name, manifests, settings)
        urns = [resource.urn for resource in self.resources.values()]
        self.outputs = pulumi.Output.all(*urns).apply(lambda _: values)
        self.register_outputs(dict(values))


def program_directory() -> Path:
    """The directory of the running program; the current one where nobody says it.

    The SDK's mocks name a directory that is not there.
    """
    named = Path(pulumi.runtime.get_root_directory() or ".")
    return named if named.is_dir() else Path()


def contents(
    settings: StackSettings, asset: ReleaseAsset | None
) -> tuple[StackOutputs, Sequence[Manifest]]:
    """A stack's outputs and its objects, before anything is declared.

    Args:
        settings: the stack's.
        asset: the release's Pipy scripts; None: those in the program's directory, if wanted.

    Raises:
        FsmStackError: the bundle cannot be made from these settings.
    """
    redirected = redirection(settings)
    asset = asset or asset_of(program_directory(), settings)
    manifests = bundle(settings, redirected, asset=asset)
    require_adoptable(manifests, settings.deployment)
    return stack_outputs(settings, redirected), manifests


def declare_in(
    stack: pulumi.ComponentResource,
    name: str,
    manifests: Sequence[Manifest],
    settings: StackSettings,
) -> dict[str, pulumi.CustomResource]:
    """All objects as resources of a component, wave by wave.

    Args:
        stack: the component.
        name: its name, the prefix of every resource's.
        manifests: what :func:`contents` gave.
        settings: the stack's settings.
    """
    require_own(name, manifests, stack.get_provider(_KUBERNETES))
    used = {manifest.part for manifest in manifests}
    inside = pulumi.ResourceOptions(parent=stack)
    parts = {
        part: pulumi.ComponentResource(component, f"{name}-{part}", {}, inside)
        for part, component in PARTS.items()
        if part in used
    }
    named = zip(logical_names(manifests, settings.namespace), manifests, strict=True)
    waves = groupby(sorted(named, key=lambda pair: pair[1].wave), key=lambda pair: pair[1].wave)
    resources: dict[str, pulumi.CustomResource] = {}
    made: dict[Key, pulumi.CustomResource] = {}
    before = _first(name, settings, inside)
    mesh_config = remedies(f"{name}-mesh-config", CONFLICT_REMEDIES)
    others = remedies(name, OTHER_REMEDIES)
    for wave, members in waves:
        if wave is Wave.WEBHOOK:
            opts = pulumi.ResourceOptions(parent=stack, depends_on=before)
            memory = remembered(f"{name}-enrolment", enrolment(manifests, settings), opts=opts)
            before = [*before, memory]
        current: list[pulumi.Input[pulumi.Resource]] = []
        for slug, manifest in members:
            opts = pulumi.ResourceOptions(parent=parts[manifest.part], depends_on=before)
            hooks = mesh_config if wave is Wave.MESH_CONFIG else others
            opts = pulumi.ResourceOptions.merge(opts, hooks)
            resources[slug] = made[manifest.key] = declared(
                f"{name}-{slug}",
                manifest,
                opts=opts,
                deployment=settings.deployment,
                followed=[made[key] for key in manifest.restarts_with],
            )
            current.append(resources[slug])
        before = current
    for part in parts.values():
        part.register_outputs({})
    return resources


def _first(
    name: str, settings: StackSettings, inside: pulumi.ResourceOptions
) -> list[pulumi.Input[pulumi.Resource]]:
    """What the first wave waits for: the cluster, where the settings say which one it is."""
    if settings.cluster.uid is None and settings.cluster.context is None:
        return []
    return [the_cluster(f"{name}-cluster", settings.cluster.uid, opts=inside)]
