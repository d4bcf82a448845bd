"""What iptables or the kernel refuses to load: rules, and chains that lead in circles.

Every refusal was seen with iptables 1.8.9; one of the nft back end alone says so. A rule set with
one is not simulated: the kernel installs nothing of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack.errors import FsmStackError
from fsm_stack.iptables.rule import (
    BUILT_IN_CHAINS,
    OUTPUT,
    PREROUTING,
    SOURCE_HOOKS,
    STANDARD_TARGETS,
    Destination,
    DestinationPort,
    Dnat,
    ForeignMatch,
    ForeignTarget,
    InInterface,
    Insert,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Redirect,
    Source,
    UidOwner,
    kernel_order,
)
from fsm_stack.iptables.sets.ranges import IPV4_END, ipv4_range, looks_like_ipv6
from fsm_stack.well_known import INTERFACE_NAME_MAX, MULTIPORT_MAX, PORT_MAX, UID_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.iptables.rule import Match, Ports, Rule, Ruleset, Step

Jumps = dict[str, set[str]]


def jumps_of(rules: Iterable[tuple[str, Rule]]) -> Jumps:
    """Each chain that jumps, with the chains that it jumps to."""
    jumps: Jumps = {}
    for chain, rule in rules:
        if isinstance(rule.target, Jump):
            jumps.setdefault(chain, set()).add(rule.target.chain)
    return jumps


def beyond(jumps: Mapping[str, set[str]], starts: Iterable[str]) -> set[str]:
    """The starts and every chain that jumps lead to from them."""
    seen = set(starts)
    todo = list(seen)
    while todo:
        new = jumps.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen


def loops_and_depth(jumps: Mapping[str, set[str]]) -> tuple[list[str], int]:
    """The chains that lead back to themselves, sorted, and how deep the other jumps are nested."""
    looping: list[str] = []
    depths: dict[str, int | None] = {}  # None: leads into a loop
    for component in _components(jumps):
        alone = component[0]
        if len(component) > 1 or alone in jumps.get(alone, ()):
            looping += component
            depths.update(dict.fromkeys(component))
            continue
        below = [depths[target] for target in jumps.get(alone, ())]
        known = [depth + 1 for depth in below if depth is not None]
        depths[alone] = max(known, default=0) if len(known) == len(below) else None
    return (sorted(looping), max((depth or 0 for depth in depths.values()), default=0))


def _components(jumps: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Groups of chains that all lead to one another; what they jump to comes first.

    Kosaraju's algorithm, with the two directions changed over.
    """
    backwards: Jumps = {}
    for chain, targets in jumps.items():
        for target in targets:
            backwards.setdefault(target, set()).add(chain)
    seen: set[str] = set()
    for chain in reversed(_left(backwards)):
        if chain not in seen:
            component = [chain]
            seen.add(chain)
            for member in component:  # it grows
                new = jumps.get(member, set()) - seen
                seen |= new
                component += new
            yield component


def _left(graph: Mapping[str, set[str]]) -> list[str]:
    """Every node in the order in which a walk in depth leaves it for good."""
    left: list[str] = []
    seen: set[str] = set()
    for root in graph:
        path = [] if root in seen else [(root, iter(graph[root]))]
        seen.add(root)
        while path:
            node, following = path[-1]
            new = next((one for one in following if one not in seen), None)
            if new is None:
                left.append(node)
                path.pop()
            else:
                seen.add(new)
                path.append((new, iter(graph.get(new, ()))))
    return left


# Source: iptables 1.8.9, "must be under 29 chars"; XT_EXTENSION_MAXNAMELEN.
CHAIN_NAME_MAX: Final = 28
# Source: Linux nf_tables.h, NFT_JUMP_STACK_SIZE is 16 with the hook; the other back end has no
# limit.
JUMP_DEPTH_MAX: Final = 15
# Targets that table nat does not have, and whose they are.
_OTHER_TABLES: Final = (
    dict.fromkeys(("CT", "NOTRACK"), "raw")
    | dict.fromkeys(("CHECKSUM", "CONNSECMARK", "DSCP", "ECN", "TCPOPTSTRIP", "TOS", "TPROXY",
                     "TTL"), "mangle")
    | {"REJECT": "filter"}
)  # fmt: skip
# The only hooks from which nat's own targets may be reached.
_HOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "DNAT": (PREROUTING, OUTPUT),
    "SNAT": SOURCE_HOOKS,
    "MASQUERADE": ("POSTROUTING",),
}
SHELL_SYNTAX: Final = frozenset("$`\\\"'|&;<>(){}*?[]~#! \t\n\r\v\f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason why a rule set does not load.

    Attributes:
        id: the finding's id in the catalogue.
        message: what is refused, and what was expected.
        chain: where.
        rule: which, when it is one rule's.
        value: the offending text.
    """

    id: str
    message: str
    chain: str = ""
    rule: Rule | None = None
    value: str = ""


class NotLoadableError(FsmStackError):
    """A rule set that iptables refuses: what it would do to a packet has no answer.

    Attributes:
        refusals: every reason.
    """

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        reasons = "; ".join(refusal.message for refusal in refusals)
        super().__init__(f"iptables refuses to load these rules: {reasons}")


def require_loadable(ruleset: Ruleset) -> Mapping[str, tuple[Rule, ...]]:
    """The chains in the kernel's order.

    Raises:
        NotLoadableError: with every reason why iptables would refuse the rules.
    """
    if refused := tuple(refusals(ruleset)):
        raise NotLoadableError(refused)
    return kernel_order(ruleset)


def refusals(ruleset: Ruleset) -> Iterator[Refusal]:
    """Every reason why the rules do not load, structure first."""
    jumps = jumps_of((step.chain, step.rule) for step in ruleset.steps)
    yield from _chain_refusals(ruleset)
    yield from _jump_refusals(ruleset, jumps)
    for step in ruleset.steps:
        if isinstance(target := step.rule.target, Redirect) and not 0 <= target.port <= PORT_MAX:
            message = f"REDIRECT to port {target.port}: expected 0 to {PORT_MAX}"
            yield _of(step, "invalid-port", message)
        if sum(isinstance(match, DestinationPort) for match in step.rule.matches) > 1:
            message = "a second port in one rule: expected one --dport, or a multiport list"
            yield _of(step, "invalid-port", message)
        for match in step.rule.matches:
            for finding_id, message, value in match_refusals(match):
                yield _of(step, finding_id, message, value)
    yield from _hook_refusals(ruleset, beyond(jumps, {PREROUTING, "INPUT"}))
    yield from _target_refusals(ruleset, {hook: beyond(jumps, {hook}) for hook in BUILT_IN_CHAINS})


def _of(step: Step, finding_id: str, message: str, value: str = "") -> Refusal:
    return Refusal(id=finding_id, message=message, chain=step.chain, rule=step.rule, value=value)


def _chain_refusals(ruleset: Ruleset) -> Iterator[Refusal]:
    for name, count in Counter(ruleset.chains).items():
        if count > 1:
            yield Refusal(
                id="duplicate-chain", message=f"chain {name}: declared twice", chain=name
            )
        if name in STANDARD_TARGETS:
            message = f"chain {name}: it is the name of a target"
            yield Refusal(id="invalid-chain-name", message=message, chain=name)
        if len(name.encode()) > CHAIN_NAME_MAX:
            message = f"chain {name}: expected at most {CHAIN_NAME_MAX} characters"
            yield Refusal(id="invalid-chain-name", message=message, chain=name)
    lengths: Counter[str] = Counter()
    for step in ruleset.steps:
        if isinstance(step, Insert) and not 1 <= step.position <= lengths[step.chain] + 1:
            message = f"chain {step.chain}: position {step.position} is past its end"
            yield _of(step, "insert-position", message)
        lengths[step.chain] += 1


def _jump_refusals(ruleset: Ruleset, jumps: Jumps) -> Iterator[Refusal]:
    declared = {*BUILT_IN_CHAINS, *ruleset.chains}
    for step in ruleset.steps:
        if step.chain not in declared:
            message = f"chain {step.chain}: has a rule but is not declared"
            yield _of(step, "dangling-jump", message, step.chain)
    for step in ruleset.steps:
        target = step.rule.target
        if not isinstance(target, Jump):
            continue
        if target.chain in BUILT_IN_CHAINS:
            message = f"chain {step.chain}: jumps to {target.chain}, which is a hook"
        elif target.chain not in declared:
            message = f"chain {step.chain}: jumps to {target.chain}, which is not declared"
        else:
            continue
        yield _of(step, "dangling-jump", message, target.chain)
    inside = beyond(jumps, BUILT_IN_CHAINS)  # only what packets can enter is looked at
    looping, depth = loops_and_depth({name: jumps[name] for name in jumps if name in inside})
    if depth > JUMP_DEPTH_MAX:
        most = f"the nft back end takes at most {JUMP_DEPTH_MAX}, the legacy one any number"
        message = f"jumps are nested {depth} deep: {most}"
        yield Refusal(id="jump-depth", message=message)
    for chain in looping:
        yield Refusal(
            id="jump-loop", message=f"chain {chain}: reaches itself by jumps", chain=chain
        )


def _hook_refusals(ruleset: Ruleset, inbound: set[str]) -> Iterator[Refusal]:
    """Matches that a hook cannot answer: an owner inbound, the other direction's interface.

    The interface is looked for in the hook itself only; below it matches as if it had no name.
    """
    for step in ruleset.steps:
        for match in step.rule.matches:
            if step.chain in inbound and isinstance(match, UidOwner):
                what = "matches an owner, which entering packets do not have"
            elif step.chain in (PREROUTING, "INPUT") and isinstance(match, OutInterface):
                what = "matches an outgoing interface, which entering packets do not have"
            elif step.chain in (OUTPUT, "POSTROUTING") and isinstance(match, InInterface):
                what = "matches an incoming interface, which leaving packets do not have"
            else:
                continue
            yield _of(step, "wrong-hook", f"chain {step.chain}: {what}")


def _target_refusals(ruleset: Ruleset, below: Mapping[str, set[str]]) -> Iterator[Refusal]:
    """Targets of other tables, and of this one below a hook that has no place for them.

    DROP is none: what nft itself wrote may drop in this table, and a dump then says so.
    """
    for step in ruleset.steps:
        target = step.rule.target
        if isinstance(target, Redirect | Dnat):
            name, hooks = type(target).__name__.upper(), _HOOKS["DNAT"]
        elif isinstance(target, ForeignTarget):
            name = target.name
            hooks = _HOOKS.get(name, BUILT_IN_CHAINS)
        else:
            continue
        wrong = [
            hook for hook in BUILT_IN_CHAINS if hook not in hooks and step.chain in below[hook]
        ]
        if name in _OTHER_TABLES:
            message = f"-j {name}: it is of table {_OTHER_TABLES[name]}, and table nat has no such"
        elif wrong:
            message = f"-j {name}: reached from {wrong[0]}, expected {' or '.join(hooks)} only"
        elif name == "QUEUE":
            message = "-j QUEUE: the nft back end has no such target, the legacy one has"
        else:
            continue
        yield _of(step, "wrong-hook", f"chain {step.chain}: {message}", name)


def match_refusals(match: Match) -> Iterator[tuple[str, str, str]]:
    """Finding id, message and value for each thing iptables refuses in one match."""
    match match:
        case Source() | Destination():
            yield from _range_refusals(match.cidr)
            if match.negated and ipv4_range(match.cidr) == (0, IPV4_END):
                message = f"range '! {match.cidr}': the nft back end refuses what matches nothing"
                yield ("invalid-cidr", message, match.cidr)
        case InInterface() | OutInterface():
            yield from _interface_refusals(match.name)
        case DestinationPort():
            yield from _port_refusals((match.ports,))
        case Multiport():
            yield from _port_refusals(match.ports)
            slots = sum(1 if ports.last is None else 2 for ports in match.ports)
            if slots > MULTIPORT_MAX:
                message = f"multiport: expected at most {MULTIPORT_MAX} ports, got {slots}"
                yield ("too-many-ports", message, str(slots))
        case UidOwner():
            first, last = match.bounds
            if not 0 <= first <= last <= UID_MAX:
                yield ("invalid-uid", f"uid {first}: expected 0 to {UID_MAX}", str(first))
        case Protocol() | ForeignMatch():
            return
        case _:
            assert_never(match)


def _range_refusals(text: str) -> Iterator[tuple[str, str, str]]:
    if ipv4_range(text) is not None:
        return
    if looks_like_ipv6(text):
        yield ("ipv6-cidr", f"range {text!r}: IPv6 in an IPv4 table", text)
    else:
        yield ("invalid-cidr", f"range {text!r}: expected an IPv4 CIDR such as 10.0.0.0/8", text)


def _interface_refusals(name: str) -> Iterator[tuple[str, str, str]]:
    if name and len(name.encode()) <= INTERFACE_NAME_MAX and not SHELL_SYNTAX.intersection(name):
        return
    expected = f"expected 1 to {INTERFACE_NAME_MAX} characters without blanks or shell syntax"
    yield ("invalid-interface", f"interface {name!r}: {expected}", name)


def _port_refusals(ports: tuple[Ports, ...]) -> Iterator[tuple[str, str, str]]:
    for item in ports:
        first, last = item.bounds
        if not 0 <= first <= last <= PORT_MAX:
            yield ("invalid-port", f"port {item}: expected 1 to {PORT_MAX}", str(item))
