"""The guard's rules for pods: what the injector has made of them, and what they may carry.

Policies run after the mutating webhooks, so they see the init script that the pod will run. What
is asked of its lines is what :mod:`fsm_stack.iptables.judge.loadable` asks of the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.judge.loadable import SHELL_SYNTAX
from fsm_stack.iptables.write import entry_lines, static_lines
from fsm_stack.lists import LISTS, POD_LISTS
from fsm_stack.manifests.guard.cel import (
    Validation,
    listing,
    named,
    of_each,
    of_whole,
    pattern,
    shown,
    text,
)
from fsm_stack.manifests.guard.rules import variable
from fsm_stack.settings.effective import EVERYWHERE
from fsm_stack.settings.models.base import IPV4
from fsm_stack.well_known import (
    INJECTION,
    INTERFACE_NAME_MAX,
    METRICS,
    MULTIPORT_MAX,
    NO,
    PORT_MAX,
    SIDECAR_UID,
    YES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.lists import ListName, Lists
    from fsm_stack.systems import System

# Characters of an init script: rules for two lists of the longest.
SCRIPT_MAX: Final = 1_500_000
_LENGTH: Final = r"(3[0-2]|[12]?[0-9])"
_NUMBER: Final = r"(0|[1-9][0-9]{0,9})"
_WRITTEN_IPV6: Final = r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
# iptables takes single addresses, too, and ignores what stands before a zero length.
_LOADS: Final = pattern(rf"^({IPV4}(/{_LENGTH})?|{_WRITTEN_IPV6}/0)$")
_IPV6: Final = pattern(rf"^{_WRITTEN_IPV6}(/{_NUMBER})?$")


def _annotation(key: str) -> tuple[str, str]:
    """Whether a pod has an annotation, and its value."""
    found = f"object.metadata.annotations[{text(key)}]"
    return f"has(object.metadata.annotations) && {text(key)} in object.metadata.annotations", found


def pod_variables(system: System) -> Iterator[dict[str, str]]:
    """The script of the injector's init container, and the entries that it has of each list."""
    name = text(system.init_container)
    found = f"object.spec.initContainers.filter(c, c.name == {name})"
    yield named("inits", f"has(object.spec.initContainers) ? {found} : []")
    args = "variables.inits[0].args"
    there = f"variables.inits.size() > 0 && has({args}) && {args}.size() > 0"
    yield named("script", f"{there} ? {args}[{args}.size() - 1] : ''")
    short = f"variables.script.size() <= {SCRIPT_MAX}"
    yield named("lines", f"{short} ? variables.script.split('\\n') : []")
    for listed in LISTS:
        lines = [
            _entries(before, after, static_lines(system))
            for known, before, after in entry_lines(system)
            if known is listed
        ]
        yield named(variable(listed), " + ".join(lines))


def _entries(before: str, after: str, static: tuple[str, ...]) -> str:
    """The entries in lines that start and end so, and that are not of every script."""
    starts, ends = f"l.startsWith({text(before)})", f"l.endsWith({text(after)})"
    long = f"l.size() >= {len(before) + len(after)}"
    value = f"l.substring({len(before)}, l.size() - {len(after)})"
    alike = [line for line in static if line.startswith(before) and line.endswith(after)]
    own = f" && !(l in {listing(alike)})" if alike else ""
    return f"variables.lines.filter(l, {starts} && {ends} && {long}{own}).map(l, {value})"


def pod_rules(system: System) -> Iterator[Validation]:
    """Every rule of a pod: what would not load, who runs it, and the switch of injection."""
    for listed in LISTS:
        yield from _of_script(listed)
    yield from _users(system)
    yield _switch(system, INJECTION)


def namespace_rules(system: System) -> Iterator[Validation]:
    """The switches of a namespace: with another value the injector refuses every pod in it."""
    for name in (INJECTION, METRICS):
        yield _switch(system, name)


def _switch(system: System, name: str) -> Validation:
    """H16: an annotation that is neither a yes nor a no."""
    key = system.annotation(name)
    there, value = _annotation(key)
    words = listing(sorted(YES | NO))
    expected = text(f"annotation {key}: expected enabled or disabled, got ")
    return of_whole(
        "injection-value",
        f"{there} && !({value}.lowerAscii() in {words})",
        f"metadata.annotations.{key}",
        f"{expected} + {shown(value)}",
    )


def _of_script(listed: ListName) -> Iterator[Validation]:
    entries, place = variable(listed), f"{listed.title} of the init script"
    if listed.holds == "ports":
        count = "v.split(',').size()"
        says = (
            f"{text(f'{place}: expected at most {MULTIPORT_MAX} ports, got ')} + string({count})"
        )
        yield _bad("too-many-ports", entries, f"{count} > {MULTIPORT_MAX}", place, says)
        wrong = rf"(!p.matches(r'^[0-9]{{1,5}}$') || int(p) > {PORT_MAX})"
        first = f"v.split(',').filter(p, {wrong})[0]"
        says = f"{text(f'{place}: expected a port from 1 to {PORT_MAX}, got ')} + {first}"
        yield _bad("invalid-port", entries, f"v.split(',').exists(p, {wrong})", place, says)
    elif listed.holds == "ranges":
        says = f"{text(f'{place}: expected an IPv4 CIDR such as 10.0.0.0/8, got ')} + {shown('v')}"
        wrong = f"!v.matches({_LOADS})"
        yield _bad("invalid-cidr", entries, f"{wrong} && !v.matches({_IPV6})", place, says)
        says = f"{text(f'{place}: expected an IPv4 CIDR, got the IPv6 range ')} + {shown('v')}"
        yield _bad("ipv6-cidr", entries, f"{wrong} && v.matches({_IPV6})", place, says)
    else:
        signs = "".join(f"\\x{ord(one):02X}" for one in sorted(SHELL_SYNTAX))
        good = f"v.matches({pattern(f'^[^{signs}]+$')}) && bytes(v).size() <= {INTERFACE_NAME_MAX}"
        expected = f"expected 1 to {INTERFACE_NAME_MAX} characters without blanks or shell syntax"
        says = f"{text(f'{place} ')} + {shown('v')} + {text(f': {expected}')}"
        yield _bad("invalid-interface", entries, f"!({good})", place, says)


def _bad(rule_id: str, entries: str, wrong: str, place: str, says: str) -> Validation:
    return of_each(rule_id, f"{entries}.filter(v, {wrong})", place, says)


def _users(system: System) -> Iterator[Validation]:
    """H12, of pods that carry the sidecar: whose own user it is."""
    added = listing(
        (system.init_container, system.sidecar_container, system.healthcheck_container)
    )
    sidecar = f"object.spec.containers.exists(c, c.name == {text(system.sidecar_container)})"
    carries = f"variables.inits.size() > 0 && {sidecar}"
    pod = (
        "has(object.spec.securityContext) && has(object.spec.securityContext.runAsUser) && "
        f"object.spec.securityContext.runAsUser == {SIDECAR_UID}"
    )
    user = (
        f"!(c.name in {added}) && has(c.securityContext) && has(c.securityContext.runAsUser) && "
        f"c.securityContext.runAsUser == {SIDECAR_UID}"
    )
    inits = f"has(object.spec.initContainers) && object.spec.initContainers.exists(c, {user})"
    wrong = f"({pod}) || object.spec.containers.exists(c, {user}) || ({inits})"
    says = f"runs as user {SIDECAR_UID}, the sidecar's: its traffic bypasses the mesh"
    place = "spec.securityContext.runAsUser"
    yield of_whole("reserved-uid", f"{carries} && ({wrong})", place, text(f"{place}: {says}"))


def bypass_rules(system: System, register: Mapping[str, Lists]) -> Iterator[Validation]:
    """Entries of a pod's annotations that nobody has registered, for each list.

    Args:
        system: whose annotations.
        register: from :func:`fsm_stack.settings.effective.register`.
    """
    everywhere = register[EVERYWHERE]
    for listed in POD_LISTS:
        key = system.annotation(listed.annotation)
        there, value = _annotation(key)
        known = [f"{_value(listed)} in {listing(everywhere.entries(listed))}"]
        known += [
            f"request.namespace == {text(namespace)} && {_value(listed)} in "
            f"{listing(lists.entries(listed))}"
            for namespace, lists in register.items()
            if namespace != EVERYWHERE and lists.entries(listed)
        ]
        taken = "v.matches(r'^[+-]?[0-9]{1,18}$') && " if listed.holds == "ports" else ""
        wrong = f"{taken}!({' || '.join(known)})"
        carried = f"{value}.split(',').map(v, v.trim())"
        place = f"metadata.annotations.{key}"
        says = (
            f"{text(f'{key}: ')} + v + ' is in no profile, and namespace ' + request.namespace + "
            "' may not carry it'"
        )
        yield of_each(
            "bypass-unregistered", f"{there} ? {carried}.filter(v, {wrong}) : []", place, says
        )


def _value(listed: ListName) -> str:
    return "int(v)" if listed.holds == "ports" else "v"
