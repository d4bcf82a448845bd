"""Excluded but still subject to policy, or the reverse: the cause, for one pod and destination.

The walk goes along the way of a setting, config, merge, restart, rule, order of rules, and stops
at the first step that does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fsm_stack.errors import InputError
from fsm_stack.injection.annotations import LISTS
from fsm_stack.injection.refusal import Refusal
from fsm_stack.iptables.packet import Packet
from fsm_stack.iptables.packet import Pod as Place
from fsm_stack.iptables.ranges import address_number, ipv4_range
from fsm_stack.iptables.rule_text import rule_text
from fsm_stack.iptables.simulate import trace
from fsm_stack.iptables.verdict import ToListener, verdict_text
from fsm_stack.verify.checks.each import init_container, restart
from fsm_stack.verify.checks.rules import expected_lists, reading_of
from fsm_stack.verify.drift import writers

if TYPE_CHECKING:
    from fsm_stack.iptables.lists import InterceptLists
    from fsm_stack.iptables.packet import Trace
    from fsm_stack.iptables.rule import Ruleset
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.objects import Pod

Cause = Literal[
    "as-declared",
    "config-absent",
    "not-merged",
    "pod-not-restarted",
    "rule-missing",
    "rule-shadowed",
    "unknown",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer.

    Attributes:
        cause: which step does not hold; ``as-declared``: the rules do what is declared.
        destination: ``10.0.0.8:6379``.
        declared: what the settings say: ``excluded`` or ``intercepted``, and by what.
        actual: what the rules do.
        steps: each step that was looked at, with its answer.
        why: the reason in one sentence.
        fix: what to do; empty where nothing is wrong.
    """

    cause: Cause
    destination: str
    declared: str
    actual: str
    steps: tuple[str, ...]
    why: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return {
            "cause": self.cause,
            "destination": self.destination,
            "declared": self.declared,
            "actual": self.actual,
            "steps": list(self.steps),
            "why": self.why,
            "fix": self.fix or None,
        }


def destination(text: str) -> tuple[str, int]:
    """``ADDRESS:PORT``.

    Raises:
        InputError: it is something else.
    """
    address, colon, port = text.rpartition(":")
    if not colon or address_number(address) is None or not port.isascii() or not port.isdigit():
        raise InputError(f"{text!r}: expected an IPv4 address and a port, such as 10.0.0.8:6379")
    if not 0 < int(port) <= 65535:  # noqa: PLR2004  # the message says it
        raise InputError(f"{text!r}: expected a port from 1 to 65535")
    return address, int(port)


def explain(context: Context, text: str) -> Why:
    """Why one pod's connection to a destination is, or is not, redirected.

    Args:
        context: with exactly one pod.
        text: the destination, ``10.0.0.8:6379``.

    Raises:
        InputError: no destination, or not exactly one pod.
    """
    address, port = destination(text)
    if len(context.pods) != 1:
        raise InputError(f"--why: expected one pod, got {len(context.pods)}: name it as pod/NAME")
    return _Walk(context, context.pods[0], address, port).answer()


def excluded_by(lists: InterceptLists, address: str, port: int) -> str:
    """The entry that makes a destination bypass the sidecar; empty: none does."""
    for cidr in lists.outbound_ip_range_exclusions:
        if _inside(cidr, address):
            return f"range {cidr} in outboundIPRangeExclusionList"
    if port in lists.outbound_port_exclusions:
        return f"port {port} in outboundPortExclusionList"
    included = lists.outbound_ip_range_inclusions
    if included and not any(_inside(cidr, address) for cidr in included):
        return "no range of outboundIPRangeInclusionList holds it"
    return "it is localhost" if _inside("127.0.0.1/32", address) else ""


def _inside(cidr: str, address: str) -> bool:
    bounds, number = ipv4_range(cidr), address_number(address)
    return bounds is not None and number is not None and bounds[0] <= number < bounds[1]


class _Walk:
    def __init__(self, context: Context, pod: Pod, address: str, port: int) -> None:
        self.context, self.pod = context, pod
        self.address, self.port = address, port
        self.steps: list[str] = []
        self.declared = self.actual = ""

    def answer(self) -> Why:
        lists = expected_lists(self.pod.annotations, self.context.expected.mesh)
        if isinstance(lists, Refusal):
            self.steps.append(f"annotations: {lists.message}")
            return self._is("not-merged", f"the injector cannot read the pod's annotations: "
                            f"{lists.message}", "Correct the annotation.")  # fmt: skip
        entry = excluded_by(lists, self.address, self.port)
        self.declared = f"excluded: {entry}" if entry else "intercepted: no list excludes it"
        self.steps.append(f"settings and annotations: {self.declared}")
        script = init_container(self.pod, self.context)
        if script is None or script.script is None:
            return self._is("rule-missing", "the pod has no script: its init container is absent",
                            restart(self.pod))  # fmt: skip
        reading = reading_of(script.script)
        if isinstance(reading, str):
            return self._is("unknown", f"the pod's script cannot be read: {reading}", "")
        actual = self._trace(reading.ruleset)
        bypasses = not isinstance(actual.verdict, ToListener)
        self.actual = self._told(actual)
        self.steps.append(f"script: {self.actual}")
        if bypasses == bool(entry):
            return self._in_kernel(bypasses)
        return self._differs(lists, reading.ruleset, actual, entry)

    def _in_kernel(self, bypasses: bool) -> Why:  # noqa: FBT001  # one of two answers
        live = self.context.live_rules
        if live is not None:
            kernel = self._trace(live.ruleset)
            told = self._told(kernel)
            self.steps.append(f"kernel: {told}")
            if bypasses == isinstance(kernel.verdict, ToListener):
                self.actual = told
                return self._is("rule-missing", "the script has the rule, the kernel does not",
                                restart(self.pod))  # fmt: skip
        what = "bypasses the sidecar" if bypasses else "goes through the sidecar"
        if not bypasses and not self.declared.startswith("excluded"):
            return self._is(
                "config-absent",
                "no list, mesh-wide or of the pod, excludes it: it goes through the sidecar",
                "Exclude it, if it is meant to bypass the mesh: declare its port or range.",
            )
        return self._is("as-declared", f"it {what}, as declared", "")

    def _differs(self, lists: InterceptLists, ruleset: Ruleset, actual: Trace, entry: str) -> Why:
        present = self._has_rule(ruleset, lists) if entry else False
        if entry and present:
            rule = actual.decided_by
            taken = f" by {rule.chain} rule {rule.number}, {rule_text(rule.rule)}" if rule else ""
            return self._is("rule-shadowed", f"its rule is in the script, and the packet is taken "
                            f"before it{taken}", restart(self.pod))  # fmt: skip
        if entry and (why := self._not_in_cluster(entry)):
            return why
        changed = self._changed_at()
        if entry and changed and self.pod.created and self.pod.created > changed:
            self.steps.append(f"pod made {self.pod.created}, lists last changed {changed}")
            injector = self.context.system.injector_name
            unmerged = (
                "the pod was made after the change, and its script lacks it: "
                f"{injector} did not merge it"
            )
            return self._is("not-merged", unmerged, restart(self.pod))
        when = f", lists last changed {changed}" if changed else ""
        self.steps.append(f"pod made {self.pod.created or 'at an unknown time'}{when}")
        lacks = "its script lacks the rule" if entry else "its script still has the rule"
        return self._is("pod-not-restarted", "the settings are read when a pod is injected, and "
                        f"{lacks}", restart(self.pod))  # fmt: skip

    def _not_in_cluster(self, entry: str) -> Why | None:
        """Declared in the stack, absent in the cluster's MeshConfig and the pod's annotations."""
        context = self.context
        item = context.snapshot.mesh_config(context.system, context.expected.mesh.namespace)
        if not context.expected.declared or item is None:
            return None
        traffic = (item.get("spec") or {}).get("traffic") or {}
        key = "outboundPortExclusionList" if entry.startswith("port") else (
            "outboundIPRangeExclusionList" if entry.startswith("range") else ""
        )  # fmt: skip
        annotated = any(context.system.annotation(name) in self.pod.annotations for name in LISTS)
        live = traffic.get(key) or []
        holds = (
            self.port in live
            if key == "outboundPortExclusionList"
            else any(_inside(str(cidr), self.address) for cidr in live)
        )
        if not key or holds or annotated:
            return None
        self.steps.append(f"the cluster's MeshConfig: {key} is {live}")
        return self._is("config-absent", f"it is declared, and the cluster's MeshConfig has no "
                        f"such entry in {key}", "Run `pulumi up` for the stack.")  # fmt: skip

    def _has_rule(self, ruleset: Ruleset, lists: InterceptLists) -> bool:
        from fsm_stack.iptables.rule import Destination, Multiport, Return  # noqa: PLC0415

        wanted_port = self.port in lists.outbound_port_exclusions
        for step in ruleset.steps:
            for match in step.rule.matches:
                if not isinstance(step.rule.target, Return) or match.negated:
                    continue
                if isinstance(match, Destination) and _inside(match.cidr, self.address):
                    return True
                if wanted_port and isinstance(match, Multiport):
                    return any(p.bounds[0] <= self.port <= p.bounds[1] for p in match.ports)
        return False

    def _changed_at(self) -> str:
        context = self.context
        item = context.snapshot.mesh_config(context.system, context.expected.mesh.namespace)
        newest = writers(item, "spec.traffic") if item else ()
        return newest[0].rpartition(" at ")[2] if newest and " at " in newest[0] else ""

    def _trace(self, ruleset: Ruleset) -> Trace:
        packet = Packet(direction="outbound", destination=self.address, port=self.port)
        return trace(ruleset, packet, pod=Place(address=self.pod.address))

    @staticmethod
    def _told(walked: Trace) -> str:
        rule = walked.decided_by
        by = f", {rule.chain} rule {rule.number}: {rule_text(rule.rule)}" if rule else ""
        return f"{verdict_text(walked.verdict)}{by}"

    def _is(self, cause: Cause, why: str, fix: str) -> Why:
        return Why(
            cause=cause,
            destination=f"{self.address}:{self.port}",
            declared=self.declared,
            actual=self.actual,
            steps=tuple(self.steps),
            why=why,
            fix=fix,
        )
