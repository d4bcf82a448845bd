"""Annotations on the pods of other Pulumi programs, by a resource transform.

A program gets them from the mesh's stack with :func:`profile_annotations`, or from
:func:`fsm_stack.workloads.write.annotations_for`, and registers the transform for all of its
resources with ``pulumi.runtime.register_resource_transform``, or for some in their options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pulumi

from fsm_stack.errors import InputError
from fsm_stack.pulumi.stack import MeshOutputsError, outputs_of
from fsm_stack.workloads.objects import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fsm_stack.pulumi.stack import StackOutputs

_VERSIONS: Final = {"": "core/v1", "apps": "apps/v1", "batch": "batch/v1"}
# Resource type to the place of the pod template. Source: pulumi-kubernetes' schema.
_TYPES: Final = {
    f"kubernetes:{_VERSIONS[group]}:{kind}": template
    for (group, kind), template in TEMPLATES.items()
}


class AnnotationConflictError(InputError, pulumi.RunError):
    """A workload's own annotation has another value; shown without a traceback."""


def profile_annotations(
    mesh: pulumi.StackReference, profile: str
) -> pulumi.Output[Mapping[str, str]]:
    """The annotations of a profile of another program's mesh.

    Args:
        mesh: the mesh's stack.
        profile: one of its ``annotationProfiles``.

    Raises:
        MeshOutputsError: (in the output) the stack has no such profile, or is no mesh's.
    """

    def chosen(outputs: StackOutputs) -> Mapping[str, str]:
        profiles = outputs["annotations"]
        if profile not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            raise MeshOutputsError(
                f"profile {profile!r}: expected one of the mesh's profiles: {known}"
            )
        return profiles[profile]

    return outputs_of(mesh).apply(chosen)


def annotate_pods(
    annotations: pulumi.Input[Mapping[str, str]],
    *,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Callable[[pulumi.ResourceTransformArgs], pulumi.ResourceTransformResult | None]:
    """A transform that puts annotations on the pod templates of matching workloads.

    It never writes them on the workload itself, where the injector does not look.

    Args:
        annotations: key to value, plain or an output such as a StackReference's.
        namespace: only workloads that name this namespace, as text or as an output; None: all.
        labels: only workloads whose pods have these labels; None: all.

    Returns:
        The transform. It raises :class:`AnnotationConflictError` for a pod that has one of the
        annotations with another value: neither of the two would be right.
    """

    def transform(
        args: pulumi.ResourceTransformArgs,
    ) -> pulumi.ResourceTransformResult | None:
        template = _TYPES.get(args.type_)
        if template is None:
            return None
        props = dict(args.props)
        matches = _matches(props, template, namespace, labels)
        if matches is False:
            return None
        chosen = annotations
        if isinstance(matches, pulumi.Output):  # known only when the engine is done with another
            chosen = pulumi.Output.all(matches, annotations).apply(
                lambda both: both[1] if both[0] else {}
            )
        written = _with(props, (*template, "metadata", "annotations"), chosen, args.name)
        return pulumi.ResourceTransformResult(props=written, opts=args.opts)

    return transform


def _matches(
    props: Any,  # noqa: ANN401  # a resource's inputs
    template: tuple[str, ...],
    namespace: str | None,
    labels: Mapping[str, str] | None,
) -> bool | pulumi.Output[bool]:
    """Whether a workload is meant; an output where it rests on one."""
    place = None if namespace is None else _at(props, ("metadata", "namespace"))
    found = _at(props, (*template, "metadata", "labels")) if labels else None

    def told(known: tuple[Any, Any]) -> bool:
        place, found = known
        if namespace is not None and place != namespace:
            return False
        return not labels or (isinstance(found, dict) and labels.items() <= found.items())

    if _holds_output(place) or _holds_output(found):
        return pulumi.Output.all(place, found).apply(lambda both: told((both[0], both[1])))
    return told((place, found))


def _holds_output(value: Any) -> bool:  # noqa: ANN401  # a part of a resource's inputs
    parts = value.values() if isinstance(value, dict) else (value,)
    return any(isinstance(part, pulumi.Output) for part in parts)


def _at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401  # a resource's inputs
    for number, step in enumerate(path):
        if isinstance(value, pulumi.Output):
            rest = path[number:]
            return value.apply(lambda known: _at(known, rest))  # noqa: B023  # returned at once
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _with(value: Any, path: tuple[str, ...], new: Any, name: str) -> Any:  # noqa: ANN401  # inputs
    """The inputs with annotations at a path; where one of them is an output, an output."""
    if isinstance(value, pulumi.Output):
        return value.apply(lambda known: _with(known, path, new, name))
    if path:
        known = value or {}
        return {**known, path[0]: _with(known.get(path[0]), path[1:], new, name)}
    if isinstance(new, pulumi.Output) or any(
        isinstance(item, pulumi.Output) for item in (value or {}).values()
    ):
        return pulumi.Output.all(value or {}, new).apply(
            lambda both: _merged(both[0], both[1], name)
        )
    return _merged(value or {}, new, name)


def _merged(own: Mapping[str, str], new: Mapping[str, str], name: str) -> dict[str, str]:
    for key, value in new.items():
        if own.get(key, value) != value:
            raise AnnotationConflictError(
                f"{name}: annotation {key} is {own[key]!r} already, expected {value!r} or none"
            )
    return {**own, **new}
