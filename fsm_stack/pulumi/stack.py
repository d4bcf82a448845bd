"""A stack as Pulumi resources: one native typed resource for each object of the bundle."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pulumi

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.manifest import Part, Wave
from fsm_stack.pulumi.guard import (
    CONFLICT_REMEDIES,
    OTHER_REMEDIES,
    enrolment,
    remedies,
    remembered,
    the_cluster,
)
from fsm_stack.pulumi.kinds import declared, logical_names
from fsm_stack.pulumi.outputs import stack_outputs
from fsm_stack.redirection.scopes import redirection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fsm_stack.manifests.config_maps import ReleaseAsset
    from fsm_stack.manifests.manifest import Key, Manifest
    from fsm_stack.settings.models.stack import StackSettings


class ControlPlane(pulumi.ComponentResource):
    """The programs of the mesh and what they need: namespace, roles, ConfigMaps, Services."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("fsm-stack:index:ControlPlane", name, {}, opts)


class MeshConfig(pulumi.ComponentResource):
    """The mesh's configuration and its definition."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("fsm-stack:index:MeshConfig", name, {}, opts)


class InjectorWebhook(pulumi.ComponentResource):
    """The webhook that puts sidecars into pods, and the namespaces under it."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("fsm-stack:index:InjectorWebhook", name, {}, opts)


PARTS: Final = {
    Part.CONTROL_PLANE: ControlPlane,
    Part.MESH_CONFIG: MeshConfig,
    Part.INJECTOR_WEBHOOK: InjectorWebhook,
}


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
        asset: the release's Pipy scripts; needed when ``releaseAssets.source`` is ``vendored``.
        opts: Pulumi's options.

    Raises:
        FsmStackError: the bundle cannot be made from these settings.
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
        redirected = redirection(settings)
        manifests = bundle(settings, redirected, asset=asset)
        self.values = values = stack_outputs(settings, redirected)
        super().__init__("fsm-stack:index:FsmStack", name, {}, opts)
        self.resources = _declare(self, name, manifests, settings)
        urns = [resource.urn for resource in self.resources.values()]
        self.outputs = pulumi.Output.all(*urns).apply(lambda _: values)
        self.register_outputs(dict(values))


def _declare(
    stack: FsmStack, name: str, manifests: Sequence[Manifest], settings: StackSettings
) -> dict[str, pulumi.CustomResource]:
    """All objects, wave by wave."""
    used = {manifest.part for manifest in manifests}
    parts = {
        part: component(f"{name}-{part}", pulumi.ResourceOptions(parent=stack))
        for part, component in PARTS.items()
        if part in used
    }
    named = zip(logical_names(manifests, settings.namespace), manifests, strict=True)
    waves = groupby(sorted(named, key=lambda pair: pair[1].wave), key=lambda pair: pair[1].wave)
    resources: dict[str, pulumi.CustomResource] = {}
    made: dict[Key, pulumi.CustomResource] = {}
    before = _first(stack, name, settings)
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
    stack: FsmStack, name: str, settings: StackSettings
) -> list[pulumi.Input[pulumi.Resource]]:
    """What the first wave waits for: the cluster, where the settings say which one it is."""
    if settings.cluster.uid is None and settings.cluster.context is None:
        return []
    opts = pulumi.ResourceOptions(parent=stack)
    return [the_cluster(f"{name}-cluster", settings.cluster.uid, opts=opts)]
