"""Single rules as text, spelled as the injectors spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from fsm_stack.iptables.rule import (
    Accept,
    Append,
    Destination,
    DestinationPort,
    Dnat,
    InInterface,
    Insert,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Redirect,
    Return,
    Source,
    UidOwner,
)

if TYPE_CHECKING:
    from fsm_stack.iptables.rule import Match, Rule, Step, Target


def step_line(step: Step) -> str:
    """``-A CHAIN ...`` or ``-I CHAIN ...``, as the injector spells it."""
    match step:
        case Append():
            head = f"-A {step.chain}"
        case Insert(position=1):
            head = f"-I {step.chain}"
        case Insert():
            head = f"-I {step.chain} {step.position}"
        case _:
            assert_never(step)
    return f"{head} {rule_text(step.rule)}"


def rule_text(rule: Rule) -> str:
    """The rule without its chain: ``-p tcp --dport 15010 -j RETURN``."""
    parts = [match_text(match) for match in rule.matches]
    return " ".join([*parts, target_text(rule.target)])


def match_text(match: Match) -> str:
    """One match with its options."""
    no = "! " if match.negated else ""
    match match:
        case Protocol():
            return f"{no}-p {match.name}"
        case Source():
            return f"{no}-s {match.cidr}"
        case Destination():
            return f"{no}-d {match.cidr}"
        case InInterface():
            return f"{no}-i {match.name}"
        case OutInterface():
            return f"{no}-o {match.name}"
        case DestinationPort():
            return f"{no}--dport {match.ports}"
        case Multiport():
            return f"--match multiport {no}--dports {','.join(map(str, match.ports))}"
        case UidOwner(last=None):
            return f"-m owner {no}--uid-owner {match.first}"
        case UidOwner():
            return f"-m owner {no}--uid-owner {match.first}-{match.last}"
        case _:
            assert_never(match)


def target_text(target: Target) -> str:
    """``-j`` and what follows."""
    match target:
        case Return():
            return "-j RETURN"
        case Accept():
            return "-j ACCEPT"
        case Redirect():
            return f"-j REDIRECT --to-port {target.port}"
        case Dnat():
            return f"-j DNAT --to-destination {target.to}"
        case Jump():
            return f"-j {target.chain}"
        case _:
            assert_never(target)
