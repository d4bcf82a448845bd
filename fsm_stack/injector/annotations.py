"""The annotations of pods and namespaces, as the injector reads them, and the script they give.

Source: pkg/injector exclusions.go and pkg/constants of FSM, osm-edge and OSM; the Pipy driver.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsm_stack.injector.go_values import atoi, is_cidr, lower, trim
from fsm_stack.injector.profile import Refusal, injector_profile
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.write import script, step_line
from fsm_stack.lists import POD_LISTS, InterceptLists, Lists, merged
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import INJECTION, METRICS, NO, YES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.lists import ListName
    from fsm_stack.systems import System

SIDECAR_IMAGE: Final = "sidecar-image"
HOLD: Final = "hold-application-until-proxy-starts"
GRACEFUL_EXIT: Final = "graceful-exit-until-downstream-ends"
RESOURCE_NAMES: Final = ("cpu", "memory", "storage", "ephemeral-storage")
RESOURCE_KINDS: Final = ("limits", "requests")


class Keys(NamedTuple):
    """One system's full annotation keys.

    Attributes:
        lists: the redirection lists of pods, in the injector's order.
        injection: whether a pod is injected; of pods and namespaces.
        metrics: of namespaces.
        image: of the sidecar.
        hold: the application waits for the sidecar.
        graceful_exit: the sidecar waits for its clients.
        resources: ``limits`` or ``requests``, resource, key; in the injector's order.
    """

    lists: tuple[str, ...]
    injection: str
    metrics: str
    image: str
    hold: str
    graceful_exit: str
    resources: tuple[tuple[str, str, str], ...]


def _keys(system: System) -> Keys:
    resources = tuple(
        (kind, name, system.annotation(f"sidecar-resource-{kind}-{name}"))
        for kind in RESOURCE_KINDS
        for name in RESOURCE_NAMES
    )
    return Keys(
        lists=tuple(system.annotation(name.annotation) for name in POD_LISTS),
        injection=system.annotation(INJECTION),
        metrics=system.annotation(METRICS),
        image=system.annotation(SIDECAR_IMAGE),
        hold=system.annotation(HOLD),
        graceful_exit=system.annotation(GRACEFUL_EXIT),
        resources=resources,
    )


# By name: a System is a large value to hash, and these are asked for every pod.
_KEYS: Final = {known.name: _keys(known) for known in SYSTEMS.values()}


def keys_of(system: System) -> Keys:
    """A system's annotation keys."""
    return _KEYS[system.name]


@cache
def pod_keys(system: System) -> frozenset[str]:
    """Every annotation that this system's injector reads from a pod."""
    names = [INJECTION]
    if injector_profile(system).sidecar_options:
        names += [SIDECAR_IMAGE, HOLD, GRACEFUL_EXIT]
    known = {*keys_of(system).lists, *map(system.annotation, names)}
    if system.sidecar_kind == "pipy":
        known |= {key for _, _, key in keys_of(system).resources}
    return frozenset(known)


@cache
def namespace_keys(system: System) -> frozenset[str]:
    """Every annotation that this system reads from a namespace."""
    lists = set(keys_of(system).lists)
    return (pod_keys(system) - lists) | {system.annotation(METRICS)}


def parse_list(name: ListName, text: str | None, key: str) -> tuple[Any, ...]:
    """One list of a pod; nothing for an absent annotation.

    A port is above 0, without an upper bound. A range is kept as written; IPv6 is accepted here
    and fails in the script.

    Args:
        name: the list.
        text: the annotation's value.
        key: its full key, for the message.

    Raises:
        Refusal: with the injector's message, for the first bad part.
    """
    parts = [] if text is None else [trim(part) for part in text.split(",")]
    if name.holds == "ports":
        return tuple(_port(part, key) for part in parts)
    for part in parts:
        if not is_cidr(part):
            raise _bad_part("Invalid IP range", "invalid-cidr", part, key)
    return tuple(parts)


def _port(part: str, key: str) -> int:
    port = atoi(part)
    if port is None or port <= 0:
        raise _bad_part("Invalid port value", "invalid-port", part, key)
    return port


def _bad_part(what: str, rule_id: str, shown: str, key: str) -> Refusal:
    return Refusal(
        f"{what} '{shown}' specified for annotation '{key}'",
        rule_id=rule_id,
        path=f"metadata.annotations.{key}",
        value=shown,
    )


def pod_lists(annotations: Mapping[str, str], system: System) -> Lists:
    """The lists of a pod.

    Raises:
        Refusal: the first bad one, in the injector's order.
    """
    parsed: dict[str, Any] = {
        name.field: parse_list(name, annotations.get(key), key)
        for name, key in zip(POD_LISTS, keys_of(system).lists, strict=True)
    }
    return Lists(**parsed)


def yes_or_no(text: str) -> bool | None:
    """The three yes and three no of the injector, in any case; None for anything else."""
    word = lower(text)
    if word in YES:
        return True
    return False if word in NO else None


class Interception(NamedTuple):
    """What the init container of a pod does.

    Attributes:
        lists: the script generator's arguments, merged.
        script: the text.
        system: whose script.
    """

    lists: InterceptLists
    script: str
    system: System


def interception(annotations: Mapping[str, str], mesh: MeshView) -> Interception:
    """The init container's part of a pod with these annotations.

    Raises:
        Refusal: for the first annotation that the injector does not take.
    """
    return _interception(mesh, *map(annotations.get, keys_of(mesh.system).lists))


@lru_cache(maxsize=1024)
def _interception(mesh: MeshView, *values: str | None) -> Interception:
    given = {
        key: value
        for key, value in zip(keys_of(mesh.system).lists, values, strict=True)
        if value is not None
    }
    lists = InterceptLists.of(
        merged(mesh.lists, pod_lists(given, mesh.system)),
        local_proxy_mode=mesh.local_proxy_mode,
        dns_proxy=mesh.dns_proxy and mesh.system.has_dns_rule,
    )
    return Interception(lists=lists, script=script(lists, mesh.system), system=mesh.system)


def script_lines(found: Interception) -> Iterator[str]:
    """Each rule of the script as it is spelt, and why it is there."""
    steps = intercept(found.lists, found.system).steps
    width = min(72, max(len(step_line(step)) for step in steps))
    for step in steps:
        yield f"{step_line(step):{width}}  # {step.rule.why.text}"
