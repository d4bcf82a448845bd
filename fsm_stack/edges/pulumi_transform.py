"""Annotations on the pods of other Pulumi programs, by a resource transform.

A program gets them from the mesh's stack by ``StackReference``, or from
:func:`fsm_stack.injection.write.annotations_for`, and registers the transform for all of its
resources with ``pulumi.runtime.register_resource_transform``, or for some in their options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pulumi

from fsm_stack.errors import InputError
from fsm_stack.injection.workload import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VERSIONS: Final = {"": "core/v1", "apps": "apps/v1", "batch": "batch/v1"}
# Resource type to the place of the pod template. Source: pulumi-kubernetes' schema.
_TYPES: Final = {
    f"kubernetes:{_VERSIONS[group]}:{kind}": template
    for (group, kind), template in TEMPLATES.items()
}


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
        namespace: only workloads that name this namespace; None: all.
        labels: only workloads whose pods have these labels; None: all.

    Returns:
        The transform. It raises :class:`InputError` for a pod that has one of the annotations
        with another value: neither of the two would be right.
    """

    def transform(
        args: pulumi.ResourceTransformArgs,
    ) -> pulumi.ResourceTransformResult | None:
        template = _TYPES.get(args.type_)
        if template is None:
            return None
        props = dict(args.props)
        if namespace is not None and _at(props, ("metadata", "namespace")) != namespace:
            return None
        if labels:
            found = _at(props, (*template, "metadata", "labels"))
            if not isinstance(found, dict) or not labels.items() <= found.items():
                return None
        written = _with(props, (*template, "metadata", "annotations"), annotations, args.name)
        return pulumi.ResourceTransformResult(props=written, opts=args.opts)

    return transform


def _at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401  # a resource's inputs
    for step in path:
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
            raise InputError(
                f"{name}: annotation {key} is {own[key]!r} already, expected {value!r} or none"
            )
    return {**own, **new}
