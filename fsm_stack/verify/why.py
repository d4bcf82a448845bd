"""Excluded but still subject to policy, or the reverse: the cause, for one pod and destination.

The walk goes along the way of a setting, config, merge, restart, rule, order of rules, and stops
at the first step that does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.judge.expect import found_lists
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Dropped, Handed, May, Packet, ToListener, verdict_text
from fsm_stack.iptables.packet import Pod as Place
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.iptables.write import rule_text
from fsm_stack.snapshot.shape import mapping
from fsm_stack.verify.check import NotRun, only_pod
from fsm_stack.verify.checks.init import failure, loaded
from fsm_stack.verify.checks.owners import template_annotations
from fsm_stack.verify.checks.pods import decision_of, remedy_of
from fsm_stack.verify.checks.rules import changed_at, made_after
from fsm_stack.verify.commands import command
from fsm_stack.verify.drift import writers
from fsm_stack.verify.each import expected_lists, init_container, is_injected, reading_of
from fsm_stack.verify.elsewhere import elsewhere
from fsm_stack.verify.redirecting import destination, excluded_by
from fsm_stack.verify.restarting.mend import TEMPLATE_FIRST, restart_of

if TYPE_CHECKING:
    from fsm_stack.iptables.packet import Trace
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.iptables.rule import Ruleset
    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.redirecting import Entry

Cause = Literal[
    "as-declared",
    "config-absent",
    "config-excludes",
    "config-undeclared",
    "entry-misplaced",
    "not-injected",
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


def explain(context: Context, text: str, *, redirected: bool = False) -> Why:
    """Why one pod's connection to a destination is, or is not, redirected.

    Args:
        context: with one pod, or one that is not being deleted.
        text: the destination, ``10.0.0.8:6379``.
        redirected: it is meant to go through the sidecar; else it is meant to bypass it.

    Raises:
        InputError: no destination, or not one pod.
    """
    address, port = destination(text)
    pod = only_pod(context.pods, "--why")
    return _Walk(context, pod, address, port, redirected=redirected).answer()


class _Walk:
    def __init__(
        self, context: Context, pod: Pod, address: str, port: int, *, redirected: bool
    ) -> None:
        self.context, self.pod, self.redirected = context, pod, redirected
        self.address, self.port = address, port
        self.steps = [f"pod {pod.key}"] if len(context.pods) > 1 else []
        self.declared = self.actual = ""

    def answer(self) -> Why:
        expected = self.context.expected
        if not is_injected(self.pod, self.context) and not self.pod.elided:
            return self._not_injected()
        if self.pod.cut:
            return self._is("unknown", "kubectl describe cuts off the pod's annotations", "")
        if expected.settings is None:
            return self._is("unknown", "no MeshConfig is known, declared or in the cluster", "")
        lists = expected_lists(self.pod.annotations, expected.mesh)
        if isinstance(lists, Refusal):
            self.steps.append(f"annotations: {lists.message}")
            return self._is("not-merged", f"the injector cannot read the pod's annotations: "
                            f"{lists.message}", "Correct the annotation.")  # fmt: skip
        entry = self._excluded(lists)
        self.declared = _told(entry)
        self.steps.append(f"settings and annotations: {self.declared}")
        return self._by_script(entry, self._in_cluster(entry))

    def _by_script(self, entry: Entry | None, live: _Live | None) -> Why:
        """Whether the rules do what the settings say, and else why not."""
        init = init_container(self.pod, self.context)
        if init is None or init.script is None:
            return self._is("rule-missing", "the pod has no script: its init container is absent",
                            self._restart())  # fmt: skip
        reading = reading_of(init.script)
        if isinstance(reading, str):
            return self._is("unknown", f"the pod's script cannot be read: {reading}", "")
        actual = self._trace(reading.ruleset)
        bypasses = not isinstance(actual.verdict, ToListener)
        self.actual = _traced(actual)
        self.steps.append(f"script: {self.actual}")
        if isinstance(actual.verdict, May | Dropped | Handed):
            return self._is("unknown", _not_decided("script", actual), "")
        if not bypasses and self._without_egress():
            self.steps.append(
                "the cluster's MeshConfig: enableEgress is false: the sidecar refuses a host "
                "outside of the mesh, unless a policy allows it"
            )
        if bypasses == bool(entry):
            return self._not_loaded(init, reading) or self._in_kernel(entry)
        if self.pod.unannotated and not entry:
            return self._is("unknown", "no mesh-wide list excludes it, and the description leaves "
                            "out the pod's annotations", "")  # fmt: skip
        own = self._excluded(found_lists(reading).lists)
        if bool(own) != bypasses:
            return self._not_loaded(init, reading) or self._shadowed(actual, own)
        if live is not None and bool(live.entry) != bool(entry):
            return self._not_as_declared(entry, live)
        return self._older(entry or own)

    def _without_egress(self) -> bool:
        """Whether the mesh that runs lets nothing out; sidecars follow it without a restart."""
        expected = self.context.expected
        item = self.context.snapshot.mesh_config(self.context.system, expected.mesh.namespace)
        traffic = mapping(mapping(mapping(item).get("spec")).get("traffic"))
        return traffic.get("enableEgress") is False

    def _not_injected(self) -> Why:
        """No list is asked where there is no sidecar."""
        try:
            decision = decision_of(self.pod, self.context)
        except NotRun as reason:
            return self._is("not-injected", f"the pod has no sidecar; whether it should have one "
                            f"is unknown: {reason}", "")  # fmt: skip
        self.steps += decision.steps
        if decision.inject:
            return self._is("not-injected", f"the pod has no sidecar, though {decision.why}: it "
                            "was made before that, or past the webhook",
                            self._restart())  # fmt: skip
        return self._is("not-injected", f"the pod has no sidecar: {decision.why}",
                        remedy_of(decision))  # fmt: skip

    def _not_loaded(self, init: Container, reading: Reading) -> Why | None:
        """What keeps the script out of the kernel, whatever it says; None: nothing known does.

        The kernel's own rules, where they are given, tell more than the container's state.
        """
        ended = loaded(init)
        if self.context.live_rules is not None or (
            self.pod.elided and init.state.name == "unknown"
        ):
            return None
        if not ended:
            self.steps.append(f"init container: {failure(init)}")
            return self._is("rule-missing", f"{failure(init)}: its rules are not in the kernel",
                            self._look_at_init())  # fmt: skip
        if not reading.loads:
            return self._is("unknown", "a shell refuses the script, and its container ended with "
                            "exit code 0: the text is not what ran", "")  # fmt: skip
        return None

    def _look_at_init(self) -> str:
        """The command that says why the init container has not ended well."""
        pod = self.pod
        return command("fsm-stack", "verify", f"pod/{pod.name}", "-n", pod.namespace,
                       "--check", "pod-init")  # fmt: skip

    def _restart(self) -> str:
        return restart_of(self.pod, self.context)

    def _excluded(self, lists: InterceptLists) -> Entry | None:
        return excluded_by(lists, self.address, self.port, own=self.pod.address)

    def _in_cluster(self, declared: Entry | None) -> _Live | None:
        """What the cluster's MeshConfig says, where something else declares."""
        context = self.context
        view = context.live_mesh
        if not context.expected.declared or view is None:
            return None
        lists = expected_lists(self.pod.annotations, view)
        if isinstance(lists, Refusal):
            return None
        item = context.snapshot.mesh_config(context.system, context.expected.mesh.namespace)
        entry = self._excluded(lists)
        if item is None:
            self.steps.append("the cluster's MeshConfig: it is not there")
        elif bool(entry) != bool(declared):
            self.steps.append(f"the cluster's MeshConfig: {_told(entry)}")
        return _Live(item=item, entry=entry)

    def _not_as_declared(self, declared: Entry | None, live: _Live) -> Why:
        """The cluster's MeshConfig is what has to change first; a restart alone does not help."""
        remedy = self.context.mesh_config_first
        if live.item is None:
            name = self.context.system.mesh_config_name
            return self._is("config-absent", f"the cluster has no MeshConfig {name}: the injector "
                            "reads none of the declared lists",
                            f"{remedy}, then: {self._restart()}")  # fmt: skip
        if declared:
            return self._is("config-absent", "it is declared, and the cluster's MeshConfig has no "
                            f"such entry in {declared.list_name}",
                            f"{remedy}, then: {self._restart()}")  # fmt: skip
        name = live.entry.list_name if live.entry else ""
        who = writers(live.item, f"spec.traffic.{name}")
        by = f", last written by {who[0]}" if who else ""
        return self._is("config-undeclared", "nothing declares it, and the cluster's MeshConfig "
                        f"excludes it: {live.entry.text if live.entry else ''}{by}",
                        f"{remedy}, or declare it, then: {self._restart()}")  # fmt: skip

    def _in_kernel(self, entry: Entry | None) -> Why:
        """The script does what is declared: whether the kernel does, and whether it is meant."""
        bypasses, live = entry is not None, self.context.live_rules
        if live is not None:
            kernel = self._trace(live.ruleset)
            told = _traced(kernel)
            self.steps.append(f"kernel: {told}")
            if isinstance(kernel.verdict, May | Dropped | Handed):
                self.actual = told
                return self._is("unknown", _not_decided("kernel", kernel), "")
            if bypasses == isinstance(kernel.verdict, ToListener):
                self.actual = told
                lost = "has the rule, the kernel does not" if bypasses else (
                    "redirects it, the kernel does not"
                )  # fmt: skip
                return self._is("rule-missing", f"the script {lost}", self._restart())
        if entry is not None and self.redirected:
            return self._is(
                "config-excludes",
                f"it is meant to be redirected, and is excluded: {entry.text}",
                "None: the sidecar never sees it."
                if not entry.list_name
                else "Remove the entry, or make it narrower.",
            )
        if entry is None and not self.redirected:
            stray = elsewhere(self.pod, self.context, lambda lists: bool(self._excluded(lists)))
            if stray is not None:
                return self._is("entry-misplaced", *stray)
            return self._is(
                "config-absent",
                "no list, mesh-wide or of the pod, excludes it: it goes through the sidecar",
                "Exclude it, if it is meant to bypass the mesh: declare its port or range.",
            )
        does = "bypasses" if bypasses else "goes through"
        return self._is("as-declared", f"it {does} the sidecar, as declared", "")

    def _shadowed(self, actual: Trace, own: Entry | None) -> Why:
        rule = actual.decided_by
        taken = f" by {rule.chain} rule {rule.number}, {rule_text(rule.rule)}" if rule else ""
        what = "its rule" if own else "the redirection"
        return self._is("rule-shadowed", f"{what} is in the script, and the packet is taken "
                        f"before it{taken}", self._restart())  # fmt: skip

    def _older(self, entry: Entry | None) -> Why:
        """The settings are right, and the script is of others."""
        names = (entry.list_name,) if entry and entry.list_name else ()
        changed = changed_at(self.context, *names)
        excluded = self.declared.startswith("excluded")
        lacks = "lacks the rule" if excluded else "still has the rule"
        made = f"pod made {self.pod.created or 'at an unknown time'}"
        self.steps.append(f"{made}, lists last changed {changed}" if changed else made)
        fix = self._restart()
        if excluded and self._lost_at_restart():
            return self._is("pod-not-restarted", "only an annotation of the running pod excludes "
                            f"it, and annotations are read when a pod is injected: its script "
                            f"{lacks}", f"{TEMPLATE_FIRST}, then: {fix}")  # fmt: skip
        if made_after(self.pod, changed):
            injector = self.context.system.injector_name
            return self._is("not-merged", "the pod was made after the change, and its script "
                            f"{lacks}: {injector} did not merge it", fix)  # fmt: skip
        return self._is("pod-not-restarted", "the settings are read when a pod is injected, and "
                        f"its script {lacks}", fix)  # fmt: skip

    def _lost_at_restart(self) -> bool:
        """Whether only an annotation excludes it that the owner's template does not have."""
        template = template_annotations(self.pod, self.context)
        if template is None:
            return False
        lists = expected_lists(template, self.context.expected.mesh)
        return not isinstance(lists, Refusal) and not self._excluded(lists)

    def _trace(self, ruleset: Ruleset) -> Trace:
        own = self.pod.address
        packet = Packet(
            direction="outbound",
            destination=self.address,
            port=self.port,
            source=own if address_number(own) is not None else "",
        )
        return trace(ruleset, packet, pod=Place(address=own))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Live:
    """The cluster's MeshConfig, None: there is none, and what in it excludes the destination."""

    item: dict[str, Any] | None
    entry: Entry | None


def _told(entry: Entry | None) -> str:
    return f"excluded: {entry.text}" if entry else "intercepted: no list excludes it"


def _not_decided(where: str, walked: Trace) -> str:
    """The rules that decide, and that nobody here can decide."""
    hops = walked.undecided or ((walked.decided_by,) if walked.decided_by else ())
    rules = "; ".join(f"{hop.chain} rule {hop.number}, {rule_text(hop.rule)}" for hop in hops)
    return f"the {where} has rules of which it is not known here what they do with it: {rules}"


def _traced(walked: Trace) -> str:
    rule = walked.decided_by
    by = f", {rule.chain} rule {rule.number}: {rule_text(rule.rule)}" if rule else ""
    return f"{verdict_text(walked.verdict)}{by}"
