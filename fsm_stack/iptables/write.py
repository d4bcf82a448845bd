"""Rule sets as text, in both dialects.

``write_restore`` gives the injector's own script byte for byte; ``write_commands`` the chained
``iptables ... && iptables ...`` of the documents, as valid shell.
"""

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
from fsm_stack.templating import render

if TYPE_CHECKING:
    from fsm_stack.iptables.rule import Match, Rule, Ruleset, Step, Target


def write_restore(ruleset: Ruleset) -> str:
    """The script that an init container runs: a here-document for ``iptables-restore``.

    Args:
        ruleset: its values are printed as they are, nonsense included.

    Returns:
        The text, ending in one newline.
    """
    return render(
        "iptables/restore.sh.j2",
        comment=ruleset.comment,
        chains=ruleset.chains,
        lines=[step_line(step) for step in ruleset.steps],
    )


def write_commands(ruleset: Ruleset, *, program: str = "iptables") -> str:
    """One line of shell: a command per chain and rule, each run only if all before it succeeded.

    Args:
        ruleset: its values are printed as they are.
        program: the command's name; ``iptables-legacy`` and ``iptables-nft`` exist too.

    Returns:
        The text, ending in one newline.
    """
    head = f"{program} -t nat"
    created = [f"{head} -N {chain}" for chain in ruleset.chains]
    return render(
        "iptables/commands.sh.j2",
        commands=[*created, *(f"{head} {step_line(step)}" for step in ruleset.steps)],
    )


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
