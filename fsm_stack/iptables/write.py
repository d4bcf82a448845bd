"""Rules as text, spelled as the injectors spell them; whole scripts in both dialects.

``write_restore`` gives the injector's own script byte for byte, and ``script`` the same text for
lists; ``write_commands`` gives the chained ``iptables ... && iptables ...`` of the documents, as
valid shell.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import (
    inbound_ports,
    inbound_static,
    intercept,
    outbound_decision,
    outbound_exclusions,
    outbound_ports,
    outbound_static,
)
from fsm_stack.iptables.rule import (
    POD_IP_VARIABLE,
    Accept,
    Append,
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
    Reason,
    Redirect,
    Return,
    Ruleset,
    Source,
    UidOwner,
)
from fsm_stack.lists import INCLUDED_RANGES, INTERFACES, LISTS, POD_IP_MODE, InterceptLists
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.rule import Match, Rule, Step, Target
    from fsm_stack.lists import ListName
    from fsm_stack.systems import System


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


# What iptables-save puts a comment into quotes for.
_QUOTED: Final = frozenset(" \t\"'\\$`|&;<>(){}*?~#!")

# Stands for an entry where a line is made once for all entries.
_MARK: Final = {"ports": 65536, "ranges": "\0", "interfaces": "\0"}
# A text, or what stands before and after the entries of a list.
_Part = tuple[str, "ListName | None", str]


def script(lists: InterceptLists, system: System) -> str:
    """The injector's script for these lists: ``write_restore(intercept(lists, system))``.

    Each line is made once a system, with a gap for the entries, because a thousand policies are
    written at once. No template engine takes part: its import takes longer than an answer may.

    Args:
        lists: the generator's own arguments; nonsense in them is kept.
        system: whose injector.
    """
    used = tuple(bool(lists.entries(name)) for name in LISTS)
    texts: list[str] = []
    for before, name, after in _parts(
        system, used, pod_ip=lists.local_proxy_mode == POD_IP_MODE, dns_proxy=lists.dns_proxy
    ):
        if name is None:
            texts.append(before)
        elif name.holds == "ports":
            texts.append(f"{before}{','.join(map(str, lists.entries(name)))}{after}")
        else:
            texts += [f"{before}{entry}{after}" for entry in lists.entries(name)]
    return "\n".join(texts)


@cache
def _parts(
    system: System, used: tuple[bool, ...], *, pod_ip: bool, dns_proxy: bool
) -> tuple[_Part, ...]:
    """The script of the lists that are used, each with one entry."""
    entries: dict[str, Any] = {
        name.field: (_MARK[name.holds],) for name, has in zip(LISTS, used, strict=True) if has
    }
    mode = POD_IP_MODE if pod_ip else ""
    marked = InterceptLists(local_proxy_mode=mode, dns_proxy=dns_proxy, **entries)
    chains = (f":{chain} - [0:0]" for chain in system.chains.all())
    head = ("iptables-restore --noflush <<EOF", f"# {system.script_comment}", "*nat", *chains)
    return (
        ("\n".join(head), None, ""),
        *(_part(step) for step in intercept(marked, system).steps),
        ("COMMIT\nEOF\n", None, ""),
    )


def entry_lines(system: System) -> tuple[tuple[ListName, str, str], ...]:
    """Each list with what stands before and after its entries in a line of the script.

    The ports of a list share one line; an interface has one for each direction.
    """
    parts = _parts(system, (True,) * len(LISTS), pod_ip=False, dns_proxy=False)
    return tuple((name, before, after) for before, name, after in parts if name is not None)


def static_lines(system: System) -> tuple[str, ...]:
    """The lines that a script may have without any entry."""
    parts = _parts(system, (False,) * len(LISTS), pod_ip=True, dns_proxy=True)
    return tuple(line for text, _, _ in parts for line in text.splitlines())


def _part(step: Step) -> _Part:
    line, name = step_line(step), step.rule.why.entries_of
    if name is None:
        return line, None, ""
    before, _, after = line.partition(str(_MARK[name.holds]))
    return before, name, after


# What later generations added to the static rules. Exclusions are inserted at the head of their
# chain, before the rule for the sidecar's own traffic, so that the kernel tries them in reverse.
# Source: the samples of the three troubleshooting pages.
_LATER = frozenset({Reason.HEALTHCHECK, Reason.SELF_CALL, Reason.APP_LOOPBACK})


def document_ruleset(lists: InterceptLists, system: System) -> Ruleset:
    """The rule set that the documents' generation makes of these lists.

    Args:
        lists: outbound ranges and ports, inbound ports: the documents know no other list.
        system: whose documents.

    Raises:
        InputError: a list or a mode that this generation does not have.
    """
    unknown = {
        INTERFACES.key: bool(lists.interfaces),
        INCLUDED_RANGES.key: bool(lists.included_ranges),
        f"localProxyMode {POD_IP_MODE} ({POD_IP_VARIABLE})": lists.local_proxy_mode == POD_IP_MODE,
        "localDNSProxy": lists.dns_proxy and system.has_dns_rule,
    }
    if names := [name for name, used in unknown.items() if used]:
        raise InputError(f"the documents' generation of scripts has no {', '.join(names)}")
    old = replace(system, chains=system.document_chains)
    return Ruleset(chains=old.chains.all(), steps=tuple(_steps(lists, old)))


def _steps(lists: InterceptLists, system: System) -> Iterator[Step]:
    for section in (outbound_static, outbound_decision, inbound_static):
        yield from (step for step in section(lists, system) if step.rule.why not in _LATER)
    for exclusions in (outbound_exclusions, outbound_ports, inbound_ports):
        for step in exclusions(lists, system):
            yield _inserted(step)


def _inserted(step: Step) -> Step:
    return Insert(chain=step.chain, rule=step.rule) if isinstance(step, Append) else step


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
    if rule.comment:
        parts.append(f"-m comment --comment {_quoted(rule.comment)}")
    return " ".join([*parts, target_text(rule.target)]).rstrip()


def _quoted(text: str) -> str:
    """As iptables-save prints a comment."""
    if not set(text) & _QUOTED:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


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
        case UidOwner():
            last = "" if match.last is None else f"-{match.last}"
            return f"-m owner {no}--uid-owner {match.first}{last}"
        case ForeignMatch():
            return match.text
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
        case ForeignTarget():
            return target.text
        case _:
            assert_never(target)
