"""What is wrong with rules as they stand: one named check a fault, a tuple lists them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import finding
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.packet import ToListener, may_reach_sidecar
from fsm_stack.iptables.rule import (
    OUTPUT,
    PREROUTING,
    Accept,
    Destination,
    DestinationPort,
    ForeignTarget,
    Jump,
    Multiport,
    Ports,
    Return,
    Source,
    kernel_order,
)
from fsm_stack.iptables.sets.coverage import WHOLE, coverage
from fsm_stack.iptables.sets.dead import dead_rules
from fsm_stack.iptables.sets.diagram import Diagrams, TooComplexError
from fsm_stack.iptables.sets.ranges import (
    canonical,
    complement,
    has_host_bits,
    interface_interval,
    ipv4_range,
    looks_like_ipv6,
)
from fsm_stack.iptables.write import rule_text
from fsm_stack.well_known import ADMIN_PORT, RESERVED_PORTS, SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.packet import Verdict
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.iptables.rule import Rule, Ruleset
    from fsm_stack.iptables.sets.dead import Dead

_TCP: Final = 6


def lint(ruleset: Ruleset, *, dead: bool = True) -> tuple[Finding, ...]:
    """Every fault of a rule set, refusals of iptables first.

    What needs the meaning of the rules (dead rules, loops of the sidecar) is checked only when
    they load at all.

    Args:
        ruleset: the rules.
        dead: look for dead rules, too; that takes longest, and none of them is an error.
    """
    found = [item for check in CHECKS for item in check(ruleset)]
    if not any(refusals(ruleset)):
        checks = [check for check in MEANING_CHECKS if dead or check is not unreachable]
        try:
            found += [item for check in checks for item in check(ruleset)]
        except TooComplexError:
            message = f"{len(ruleset.steps)} rules differ too much from one another"
            found.append(finding("too-complex", message))
    return tuple(found)


def lint_reading(reading: Reading, *, dead: bool = True) -> tuple[Finding, ...]:
    """Every fault of a text that was read: its syntax, its generation, its rules.

    Args:
        reading: the text.
        dead: see :func:`lint`.
    """
    return (*reading.findings, *old_generation(reading), *lint(reading.ruleset, dead=dead))


def old_generation(reading: Reading) -> Iterator[Finding]:
    """Chain names that no system writes today, or rules that today's scripts have and it lacks."""
    family = reading.generation
    if family is not None and (not family.current or family.lacks):
        yield finding("old-generation", family.describe())


def refused(ruleset: Ruleset) -> Iterator[Finding]:
    """What iptables or the kernel would not load."""
    for refusal in refusals(ruleset):
        where_it_is = refusal.rule
        item = finding(
            refusal.id, refusal.message, path=refusal.chain, value=refusal.value or None
        )
        yield (
            item
            if where_it_is is None
            else item.at(line=where_it_is.line, column=where_it_is.column)
        )


def doubled_jumps(ruleset: Ruleset) -> Iterator[Finding]:
    """A hook that jumps to one chain twice: the script ran twice in one network namespace."""
    chains = kernel_order(ruleset)
    for hook in (PREROUTING, OUTPUT):
        seen: set[Rule] = set()
        for rule in chains[hook]:
            if isinstance(rule.target, Jump) and rule in seen:
                message = f"{hook} jumps to {rule.target.chain} twice"
                yield _at("doubled-jump", message, rule, hook, value=rule.target.chain)
            seen.add(rule)


def unused_chains(ruleset: Ruleset) -> Iterator[Finding]:
    """Chains that are declared and that nothing jumps to."""
    targets = [step.rule.target for step in ruleset.steps]
    used = {target.chain for target in targets if isinstance(target, Jump)}
    used |= {
        name for one in targets if isinstance(one, ForeignTarget) for name in one.text.split()
    }
    for chain in ruleset.chains:
        if chain not in used:
            yield finding("unused-chain", f"chain {chain}: nothing jumps to it", path=chain)


def host_bits(ruleset: Ruleset) -> Iterator[Finding]:
    """Ranges that name an address inside themselves."""
    for chain, rule in _rules(ruleset):
        for match in rule.matches:
            if isinstance(match, Source | Destination) and has_host_bits(match.cidr):
                range_text = canonical(match.cidr) or match.cidr
                message = f"range {match.cidr} has host bits set: the kernel matches {range_text}"
                fix = f"Write {range_text} for the range, or {match.cidr.partition('/')[0]}/32."
                yield _at("host-bits", message, rule, chain, value=match.cidr, fix=fix)


def everything_in_disguise(ruleset: Ruleset) -> Iterator[Finding]:
    """``::/0`` in an IPv4 table: iptables ignores what stands before a zero length."""
    for chain, rule in _rules(ruleset):
        for match in rule.matches:
            if isinstance(match, Source | Destination) and looks_like_ipv6(match.cidr):
                if ipv4_range(match.cidr) is None:
                    continue
                message = f"range {match.cidr!r}: in an IPv4 table it matches every address"
                yield _at("ipv6-cidr", message, rule, chain, value=match.cidr)


def reserved_ports(ruleset: Ruleset) -> Iterator[Finding]:
    """Port lists that name a port of the mesh itself."""
    for chain, rule, ports in _port_lists(ruleset):
        for port in sorted({item.first for item in ports if item.last is None}):
            if port in RESERVED_PORTS:
                message = f"port {port} is reserved: {RESERVED_PORTS[port]}"
                yield _at("reserved-port-excluded", message, rule, chain, value=str(port))


def duplicate_entries(ruleset: Ruleset) -> Iterator[Finding]:
    """Ports that one list names twice."""
    for chain, rule, ports in _port_lists(ruleset):
        for item, count in Counter(ports).items():
            if count > 1:
                message = f"port {item}: {count} times in one list"
                yield _at("duplicate-entry", message, rule, chain, value=str(item))


def duplicate_rules(ruleset: Ruleset) -> Iterator[Finding]:
    """The same rule twice in a chain; doubled jumps of a hook have a finding of their own."""
    for chain, rules in kernel_order(ruleset).items():
        for rule, count in Counter(rules).items():
            hook_jump = chain in (PREROUTING, OUTPUT) and isinstance(rule.target, Jump)
            if count > 1 and not hook_jump:
                message = f"{chain}: {count} times {rule_text(rule)}"
                yield _at("duplicate-rule", message, rule, chain, value=rule_text(rule))


def unreachable(ruleset: Ruleset) -> Iterator[Finding]:
    """Rules that never apply, and what takes their packets."""
    chains = kernel_order(ruleset)
    first: dict[tuple[str, Rule], int] = {}
    for chain, rules in chains.items():
        for number, rule in enumerate(rules, start=1):
            first.setdefault((chain, rule), number)
    for dead in dead_rules(chains):
        if first[dead.chain, dead.rule] == dead.number:  # a duplicate is reported as such
            yield _dead_finding(dead)


def _dead_finding(dead: Dead) -> Finding:
    text = rule_text(dead.rule)
    by = f"taken by {rule_text(dead.covered_by) if dead.covered_by else 'the rules before it'}"
    if not dead.matches:
        by = f"no packet that enters {dead.chain} matches it"
    message = f"{dead.chain} rule {dead.number}, {text}, is never reached: {by}"
    cover = dead.covered_by
    if DestinationPort(ports=Ports(ADMIN_PORT)) in dead.rule.matches and isinstance(
        dead.rule.target, Accept
    ):
        kind = "dead-admin-rule"
    elif cover is not None and cover.target == dead.rule.target:
        kind = "shadowed-rule"
    elif cover is not None and isinstance(cover.target, Return) and _includes(dead.rule):
        kind = "dead-inclusion"
    else:
        kind = "dead-rule"
    return _at(kind, message, dead.rule, dead.chain, value=text)


def _includes(rule: Rule) -> bool:
    return isinstance(rule.target, Jump) and any(
        isinstance(match, Destination) and not match.negated for match in rule.matches
    )


def sidecar_loops(ruleset: Ruleset) -> Iterator[Finding]:
    """The sidecar's traffic to other hosts must never come back to it."""
    if _redirected_of(ruleset, sidecar=True, test=lambda found: isinstance(found, ToListener)):
        message = f"connections of uid {SIDECAR_UID} to other hosts go back to the sidecar"
        yield finding("sidecar-loop", message, path=OUTPUT)


def nothing_intercepted(ruleset: Ruleset) -> Iterator[Finding]:
    """Rules that examine outbound traffic and redirect none of it."""
    examined = any(isinstance(rule.target, Jump) for rule in kernel_order(ruleset)[OUTPUT])
    if examined and not _redirected_of(ruleset, sidecar=False, test=may_reach_sidecar):
        yield finding("intercepts-nothing", "no outbound connection is redirected", path=OUTPUT)


def _redirected_of(ruleset: Ruleset, *, sidecar: bool, test: Callable[[Verdict], bool]) -> bool:
    """Whether some outbound TCP connection over no loopback interface passes the test.

    Args:
        ruleset: rules that load.
        sidecar: whether of the sidecar's user, or of any other.
        test: of the connection's verdict.
    """
    own = [(SIDECAR_UID, SIDECAR_UID + 1)]
    limits = {
        "protocol": [(_TCP, _TCP + 1)],
        "interface": complement([interface_interval("lo")], *WHOLE["interface"]),
        "uid": own if sidecar else complement(own, *WHOLE["uid"]),
    }
    builder = Diagrams(rules=len(ruleset.steps))
    asked = builder.box(limits, value=True, other=False)
    redirected = builder.combine(
        lambda hit, verdict: hit and test(verdict),
        asked,
        coverage(ruleset).outbound,
    )
    return redirected is not builder.constant(value=False)


def _rules(ruleset: Ruleset) -> Iterator[tuple[str, Rule]]:
    for step in ruleset.steps:
        yield step.chain, step.rule


def _port_lists(ruleset: Ruleset) -> Iterable[tuple[str, Rule, tuple[Ports, ...]]]:
    for chain, rule in _rules(ruleset):
        for match in rule.matches:
            if isinstance(match, Multiport):
                yield chain, rule, match.ports


def _at(
    kind: str, message: str, rule: Rule, chain: str, *, value: str | None = None, fix: str = ""
) -> Finding:
    return finding(kind, message, path=chain, value=value, fix=fix).at(
        line=rule.line, column=rule.column
    )


CHECKS: tuple[Callable[[Ruleset], Iterator[Finding]], ...] = (
    refused,
    doubled_jumps,
    unused_chains,
    host_bits,
    everything_in_disguise,
    reserved_ports,
    duplicate_entries,
    duplicate_rules,
)
# These ask what the rules mean, so the rules must load.
MEANING_CHECKS: tuple[Callable[[Ruleset], Iterator[Finding]], ...] = (
    unreachable,
    sidecar_loops,
    nothing_intercepted,
)
