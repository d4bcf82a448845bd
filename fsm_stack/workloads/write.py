"""Pod settings to annotations, strictly: nothing that the injector refuses can be written.

Reading is as lenient as the injector, see :mod:`fsm_stack.injector.annotations`; writing is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticCustomError

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.injector import annotations as keys
from fsm_stack.injector.annotations import pod_keys
from fsm_stack.injector.decision import assumed_namespace
from fsm_stack.lists import LISTS, POD_LISTS, Lists, unique
from fsm_stack.redirection.origins import pod_annotations
from fsm_stack.settings.effective import profile_lists
from fsm_stack.settings.models.base import parse_quantity
from fsm_stack.settings.models.values import parse_cidr, parse_port
from fsm_stack.units import canonical_quantity
from fsm_stack.well_known import INJECTION, MULTIPORT_MAX
from fsm_stack.workloads.lint import Subject, lint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.lists import ListName
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.systems import System
    from fsm_stack.workloads.lint import ClusterRanges

_SWITCHES: Final = (
    ("injection", INJECTION),
    ("hold_application", keys.HOLD),
    ("graceful_exit", keys.GRACEFUL_EXIT),
)
_IMAGE_CHARACTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings(Lists):
    """What a pod may choose for itself: its lists and more. None and empty values write nothing.

    Attributes:
        injection: whether the pod gets a sidecar.
        sidecar_image: FSM only: the sidecar's image.
        hold_application: FSM only: the application waits for the sidecar.
        graceful_exit: FSM only: the sidecar waits for its clients.
        limits: FSM and osm-edge: the sidecar's; cpu, memory, storage, ephemeral-storage.
        requests: the same.
    """

    injection: bool | None = None
    sidecar_image: str | None = None
    hold_application: bool | None = None
    graceful_exit: bool | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)


def annotations_of(pod: PodSettings, system: System) -> dict[str, str]:
    """The annotations that carry a pod's settings.

    Raises:
        FindingsError: every value that is wrong, and every setting that the system does not have.
    """
    findings: list[Finding] = []
    lists = Lists(**{name.field: _parsed(pod, name, findings) for name in POD_LISTS})
    for name in LISTS:
        count = len(lists.entries(name))
        if name.holds == "ports" and count > MULTIPORT_MAX:
            message = f"expected at most {MULTIPORT_MAX} ports, got {count}"
            findings.append(finding("too-many-ports", message, path=name.field))
        if pod.entries(name) and not name.annotation:
            message = f"pods have no annotation for {name.key}, the mesh alone has this list"
            findings.append(finding("not-in-system", message, path=name.field))
    written = pod_annotations(lists, system)
    for path, short, value in _options(pod, findings):
        key = system.annotation(short)
        if key in pod_keys(system):
            written[key] = value
        else:
            message = f"{system.title} has no annotation {key}"
            findings.append(finding("not-in-system", message, path=path))
    if findings:
        raise FindingsError(tuple(findings))
    return written


def _options(pod: PodSettings, findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """Setting, short key and text of everything but the lists."""
    for name, short in _SWITCHES:
        value = getattr(pod, name)
        if value is not None:
            yield name, short, "enabled" if value else "disabled"
    if pod.sidecar_image is not None:
        if not pod.sidecar_image or not _IMAGE_CHARACTERS.issuperset(pod.sidecar_image):
            message = f"expected an image reference, got {pod.sidecar_image!r}"
            findings.append(finding("invalid-value", message, path="sidecar_image"))
        yield "sidecar_image", keys.SIDECAR_IMAGE, pod.sidecar_image
    for kind in keys.RESOURCE_KINDS:
        for resource, amount in getattr(pod, kind).items():
            path = f"{kind}.{resource}"
            text = _quantity(amount, path, findings)
            yield path, f"sidecar-resource-{kind}-{resource}", text


def _parsed(pod: PodSettings, name: ListName, findings: list[Finding]) -> tuple[Any, ...]:
    parse: Callable[[object], Any] = parse_port if name.holds == "ports" else parse_cidr
    found = []
    for index, value in enumerate(pod.entries(name)):
        try:
            found.append(parse(value))
        except PydanticCustomError as error:
            findings.append(_finding(error, f"{name.field}[{index}]", value))
    return unique(found)


def _quantity(value: object, path: str, findings: list[Finding]) -> str:
    try:
        return canonical_quantity(parse_quantity(value))
    except PydanticCustomError as error:
        findings.append(_finding(error, path, value))
        return ""


def _finding(error: PydanticCustomError, path: str, value: object) -> Finding:
    context = error.context or {}
    return finding(
        error.type, context.get("message", ""), path=path, value=value, fix=context.get("fix", "")
    )


def require(
    annotations: Mapping[str, str], mesh: MeshView, ranges: ClusterRanges | None = None
) -> tuple[Finding, ...]:
    """Make sure that pods with these annotations start in a mesh, its own lists included.

    Args:
        annotations: of the pods.
        mesh: whose injector.
        ranges: the cluster's own.

    Returns:
        What is doubtful all the same.

    Raises:
        FindingsError: what would be refused, would keep the init container from ending, or would
            take the mesh's own traffic out of the mesh.
    """
    subject = Subject.of(
        {"metadata": {"annotations": dict(annotations)}},
        mesh=mesh,
        namespace=assumed_namespace("default", mesh),
        ranges=ranges,
    )
    found = tuple(lint(subject))
    if any(item.severity is Severity.ERROR for item in found):
        raise FindingsError(found)
    return found


def together(profile: Mapping[str, str], own: Mapping[str, str], system: System) -> dict[str, str]:
    """A profile's annotations and those of given settings: of a list both parts, each once."""
    joined = {**profile, **own}
    for name in POD_LISTS:
        key = system.annotation(name.annotation)
        if key in profile and key in own:
            joined[key] = ",".join(unique((*profile[key].split(","), *own[key].split(","))))
    return joined


def annotations_for(settings: StackSettings, profile: str) -> dict[str, str]:
    """The annotations of a stack's profile, for the pods of other programs.

    Args:
        settings: the mesh's stack.
        profile: one of its ``annotationProfiles``.

    Raises:
        InputError: when the stack has no such profile.
    """
    if profile not in settings.annotation_profiles:
        known = ", ".join(settings.annotation_profiles) or "none"
        raise InputError(f"profile {profile!r}: expected one of the stack's profiles: {known}")
    return pod_annotations(profile_lists(settings, profile), settings.profile)
