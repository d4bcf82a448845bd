"""The rules that the kernel has, where somebody gives them: those of the script, once, in order.

Nothing of the API tells them. Without them only a second run of the init container is suspected.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.injector.annotations import interception
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.judge.lint import doubled_jumps
from fsm_stack.iptables.rule import (
    OUTPUT,
    POD_IP_VARIABLE,
    PREROUTING,
    Destination,
    Dnat,
    Source,
    kernel_order,
)
from fsm_stack.iptables.sets.ranges import canonical
from fsm_stack.iptables.write import rule_text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.rules import script_of
from fsm_stack.verify.commands import command
from fsm_stack.verify.each import (
    init_container,
    place,
    ran_to_its_end,
    reading_of,
    require_sidecar,
)
from fsm_stack.verify.restarting.mend import restart_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.rule import Match, Rule, Ruleset
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context

_HOOKS: Final = (PREROUTING, OUTPUT)
# One command, which nothing but an && before the next one can follow, and one that makes a chain.
_COMMAND: Final = re.compile(r"[^\n;|&#]+")
_MAKES: Final = re.compile(r"\s*iptables(?: +(?:-w|-t +nat))* +(?:-N|--new-chain) ")
# A rule by its meaning: the order of its matches and the spelling of ranges do not matter.
_Meaning = tuple[frozenset["Match"], object]


def in_kernel(context: Context) -> Iterator[Finding]:
    """The rules that the kernel has are those of the script, once.

    Raises:
        NotApplicable: nobody gave the kernel's rules.
        NotRun: nothing tells which rules they should be.
    """
    live = context.live_rules
    if live is None:
        yield from _suspected(context)
        return
    if len(context.pods) != 1:
        raise NotRun(f"--rules is of one pod, and {len(context.pods)} were asked about")
    (pod,) = context.pods
    for item in live.findings:
        yield item.at(path=place(pod))
    for item in doubled_jumps(live.ruleset):
        yield replace(item.at(path=place(pod)), fix=restart_of(pod, context))
    for item in _compared(_loaded(pod, context), live.ruleset, pod):
        yield replace(item, fix=restart_of(pod, context))


def _suspected(context: Context) -> Iterator[Finding]:
    repeated = [
        (pod, init.restarts)
        for pod in context.pods
        if (init := init_container(pod, context)) and init.restarts and not pod.over
        if not _once(init)
    ]
    if not repeated:
        for pod in context.pods if len(context.pods) == 1 else ():
            _require_rules(pod, context)
        raise NotApplicable(_how_to_get(context))
    for pod, restarts in repeated:
        yield found(
            "doubled-jump",
            f"suspected: init container {context.system.init_container} ran {restarts + 1} times "
            "in one network namespace",
            place=place(pod),
            fix=_how_to_get(context, pod),
        )


def _require_rules(pod: Pod, context: Context) -> None:
    """Ask nobody to look into the kernel for rules that cannot be there.

    Raises:
        NotApplicable: the pod has no sidecar, or has ended, and its network namespace with it.
    """
    require_sidecar(pod, context)
    if pod.over:
        raise ran_to_its_end(pod)


def _once(init: Container) -> bool:
    """Whether a script that ran several times left its rules at most once.

    iptables-restore loads all of a script or none. Of the oldest generation, commands joined by
    ``&&`` that first make a chain, every later run stops there: the chain exists.
    """
    script = init.script or ""
    reading = reading_of(script)
    if isinstance(reading, str):
        return False
    if reading.dialect == "commands":
        return all(map(_COMMAND.fullmatch, map(str.strip, script.split("&&")))) and bool(
            _MAKES.match(script)
        )
    return reading.dialect == "restore" and bool(init.last.exit_code)


def _loaded(pod: Pod, context: Context) -> Ruleset:
    """What the init container loads: the pod's own script, or what it would be."""
    script = script_of(pod, context)
    if script is None:
        if context.expected.settings is None:
            raise NotRun("the pod has no script, and no MeshConfig tells what it should be")
        try:
            script = interception(pod.annotations, context.expected.mesh).script
        except Refusal as refusal:
            raise NotRun(f"the pod has no script, and {refusal.message}") from None
    reading = reading_of(script)
    if isinstance(reading, str):
        raise NotRun(f"the script cannot be read: {reading}")
    return reading.ruleset


def _compared(loaded: Ruleset, live: Ruleset, pod: Pod) -> Iterator[Finding]:
    wanted, there = kernel_order(loaded), kernel_order(live)
    for chain, rules in wanted.items():
        declared = _by_meaning(rules, pod)
        has = _by_meaning(there.get(chain, ()), pod)
        lacks = [rule for meaning, rule in declared.items() if meaning not in has]
        for rule in lacks:
            message = f"the kernel lacks a rule of {chain}: {rule.why.text}"
            yield _differs(pod, message, chain, rule)
        extra = [rule for meaning, rule in has.items() if meaning not in declared]
        for rule in extra:
            foreign = chain in _HOOKS  # other programs may have rules of their own there
            yield _differs(pod, f"the kernel has a rule in {chain} that the script has not", chain,
                           rule, severity=Severity.WARNING if foreign else None)  # fmt: skip
        if not lacks and not extra and list(declared) != list(has):
            yield _differs(pod, f"the kernel has the rules of {chain} in another order", chain,
                           next(iter(has.values())))  # fmt: skip


def _differs(
    pod: Pod, message: str, chain: str, rule: Rule, *, severity: Severity | None = None
) -> Finding:
    return found(
        "pod-live-rules",
        message,
        place=place(pod),
        evidence=f"-A {chain} {rule_text(rule)}",
        severity=severity,
    )


def _by_meaning(rules: tuple[Rule, ...], pod: Pod) -> dict[_Meaning, Rule]:
    """Each rule once; what stands twice is told as a doubled jump."""
    known: dict[_Meaning, Rule] = {}
    for rule in rules:
        target = rule.target
        if isinstance(target, Dnat) and pod.address:
            target = Dnat(to=target.to.replace(POD_IP_VARIABLE, pod.address))
        known.setdefault((frozenset(map(_plain, rule.matches)), target), rule)
    return known


def _plain(match: Match) -> Match:
    if isinstance(match, Source | Destination):
        return replace(match, cidr=canonical(match.cidr) or match.cidr)
    return match


def _how_to_get(context: Context, pod: Pod | None = None) -> str:
    one = pod or (context.pods[0] if len(context.pods) == 1 else None)
    if one is None:
        return "--rules FILE gives the kernel's rules of one pod; name it as pod/NAME"
    init = init_container(one, context)
    image = (init.image if init else "") or context.system.init_image
    words = command(
        "kubectl", "debug", f"pod/{one.name}", "-n", one.namespace, "--profile=netadmin",
        "--image", image, "--attach", "--quiet", "--", "iptables-save", "-t", "nat",
    )  # fmt: skip
    return f"to look into the kernel: {words} > rules.txt, then --rules rules.txt"


CHECKS: Final = (
    Check(
        id="pod-live-rules",
        title="the kernel has these rules, once",
        needs=(Part.PODS,),
        run=in_kernel,
        group="rules",
    ),
)
