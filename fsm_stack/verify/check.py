"""What a check is, and how checks are run: each passed, failed, does not apply, or did not run."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError, few
from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity, finding
from fsm_stack.injector.decision import namespace_view
from fsm_stack.lists import KEYS
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.commands import apply, as_declared
from fsm_stack.verify.programs.trouble import program_trouble
from fsm_stack.verify.redirecting import injecting_mesh, redirecting_mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.systems import System
    from fsm_stack.verify.expected import Expected
    from fsm_stack.verify.programs.program import Trouble

_NAMED_MAX: Final = 10


class NotRun(Exception):  # noqa: N818  # an answer of a check, not a defect
    """The check could not be made: what it needs is not at hand.

    Raised after findings, it says that the check looked at a part only.
    """


class NotApplicable(Exception):  # noqa: N818  # the same
    """There is nothing here that the check could say anything about."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything a check may look at.

    Attributes:
        snapshot: what was read.
        expected: what is declared.
        now: for certificates.
        pods: the pods that were asked about; all enrolled ones when none was named.
        asked: how the user named them; empty: the whole mesh.
        live_rules: iptables-save of the one pod's network namespace; None: not given.
    """

    snapshot: Snapshot
    expected: Expected
    now: datetime
    pods: tuple[Pod, ...] = ()
    asked: str = ""
    live_rules: Reading | None = None

    @cached_property
    def namespaces(self) -> Mapping[str, NamespaceView]:
        """Every namespace that was read, as the injector sees it; in the order of their names."""
        known = self.snapshot.namespaces
        return {name: namespace_view(known[name]) for name in sorted(known)}

    @cached_property
    def declared_namespaces(self) -> Mapping[str, tuple[NamespaceView, str]]:
        """Those that are declared and there: as they should be, and the commands for that."""
        declared = set(self.expected.namespaces)
        return {
            name: as_declared(self, known)
            for name, known in self.namespaces.items()
            if name in declared
        }

    @cached_property
    def live_mesh(self) -> MeshView | None:
        """The mesh as the injector reads it now; None: the MeshConfig was not read.

        Without a MeshConfig the injector runs with zero values.
        """
        declared = self.expected.mesh
        if not self.expected.declared:
            return declared
        if Part.MESH_CONFIG not in self.snapshot.read:
            return None
        spec = (self.snapshot.mesh_config(self.system, declared.namespace) or {}).get("spec")
        return redirecting_mesh(
            self.system, spec, name=declared.name, namespace=declared.namespace
        )

    @cached_property
    def injecting(self) -> tuple[MeshView, MeshView | None]:
        """The mesh with the images that are declared, and with those of the cluster; None: unread.

        Where nothing declares a control plane, the cluster's injector tells its own images.
        """
        expected, snapshot = self.expected, self.snapshot
        mesh, name = expected.mesh, self.system.injector_name
        live = snapshot.programs.get((mesh.namespace, name))
        declared = expected.objects.get(("Deployment", mesh.namespace, name), live)
        spec = (snapshot.mesh_config(self.system, mesh.namespace) or {}).get("spec")
        return (
            injecting_mesh(mesh, expected.settings, declared),
            injecting_mesh(mesh, spec, live) if live is not None else None,
        )

    @cached_property
    def mesh_config_first(self) -> str:
        """What gives the cluster's MeshConfig the declared lists."""
        item = self.snapshot.mesh_config(self.system, self.expected.mesh.namespace)
        fields = (*KEYS, "interceptionMode")
        return apply(self, item, *(f"spec.traffic.{name}" for name in fields))

    def trouble(self, program: str) -> Trouble | None:
        """What keeps a program of the control plane from running; None: nothing, or unread."""
        if program not in self._troubles:
            self._troubles[program] = program_trouble(self, program)
        return self._troubles[program]

    @cached_property
    def _troubles(self) -> dict[str, Trouble | None]:
        return {}

    @cached_property
    def memory(self) -> dict[str, str]:
        """Texts that are the same for every pod, and take long to find: by their names."""
        return {}

    @property
    def named(self) -> bool:
        """Whether a pod or an owner was asked about, not the mesh or a namespace."""
        return bool(self.asked) and not self.asked.startswith("namespace/")

    @cached_property
    def system(self) -> System:
        """Whose injector; asked thirty times of every pod."""
        return self.expected.system


def only_pod(pods: Sequence[Pod], option: str) -> Pod:
    """The one pod that an owner's name stands for.

    A pod that is being deleted, or that ran to its end, counts only where the owner has no other:
    after a restart the pod before it stays in the list for a while.

    Args:
        pods: those that were asked about.
        option: what needs one, for the message: ``--why``.

    Raises:
        InputError: several pods, or none.
    """
    alive = [pod for pod in pods if not (pod.deleted or pod.over)] or pods
    if len(alive) == 1:
        return alive[0]
    names = few((f"pod/{pod.name}" for pod in alive), _NAMED_MAX)
    which = f"one of {names}" if names else "pod/NAME"
    raise InputError(f"{option}: expected one pod, got {len(alive)}: name it as {which}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question.

    Attributes:
        id: also the id of its own findings in the catalogue.
        title: what is so when it passes.
        needs: what must have been read.
        run: the findings.
        group: the heading in reports.
    """

    id: str
    title: str
    run: Callable[[Context], Iterator[Finding]]
    needs: tuple[Part, ...] = ()
    group: str = "mesh"


class Status(StrEnum):
    """The answer of a check."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    NOT_RUN = "not run"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One check's answer.

    Attributes:
        check: which.
        status: ``failed`` with an error, ``warned`` with findings below.
        findings: all of them.
        why: of what did not run or does not apply; also of what ran on a part only.
    """

    check: Check
    status: Status
    findings: tuple[Finding, ...] = ()
    why: str = ""

    @property
    def complete(self) -> bool:
        """Whether the check looked at everything that it should have."""
        return self.status is not Status.NOT_RUN and not (
            self.why and self.status is not Status.NOT_APPLICABLE
        )

    def as_json(self) -> dict[str, Any]:
        """A plain mapping, without empty parts."""
        parts: dict[str, Any] = {
            "id": self.check.id,
            "title": self.check.title,
            "status": self.status.value,
            "why": self.why or None,
            "findings": [item.as_json() for item in self.findings] or None,
        }
        return {key: value for key, value in parts.items() if value is not None}


def run_checks(context: Context, checks: Iterable[Check]) -> tuple[Outcome, ...]:
    """Every check's answer, in order; one that cannot run keeps no other from running."""
    return tuple(_outcome(check, context) for check in checks)


def _outcome(check: Check, context: Context) -> Outcome:
    missing = [_missing(part, context) for part in check.needs]
    absent = [text for read, text in missing if not read]
    partly = [text for read, text in missing if read and text]
    if absent:
        return Outcome(check=check, status=Status.NOT_RUN, why="; ".join(dict.fromkeys(absent)))
    findings: list[Finding] = []
    try:
        for item in check.run(context):
            findings.append(item)  # noqa: PERF402  # those before a reason stay
    except NotRun as reason:
        partly.append(str(reason))
    except NotApplicable as reason:
        if not partly:  # else what was not read may be what it applies to
            return Outcome(check=check, status=Status.NOT_APPLICABLE, why=str(reason))
    why = "; ".join(dict.fromkeys(partly))
    if not findings:
        status = Status.NOT_RUN if why else Status.PASSED
    else:
        worst = max(item.severity.rank for item in findings)
        status = (
            Status.FAILED
            if worst == Severity.ERROR.rank
            else Status.WARNED
            if worst == Severity.WARNING.rank
            else Status.PASSED
        )
    return Outcome(check=check, status=status, findings=tuple(findings), why=why)


def _missing(part: Part, context: Context) -> tuple[bool, str]:
    """Whether anything of a part was read, and what was not."""
    return part in context.snapshot.read, context.snapshot.unread(part)


def found(
    check_id: str,
    message: str,
    *,
    place: str = "",
    evidence: object = None,
    fix: str = "",
    severity: Severity | None = None,
) -> Finding:
    """A finding of a check: where, why, what was seen, what to do.

    Args:
        check_id: its id in the catalogue.
        message: the reason.
        place: the object, ``pod shop/web-7f9c``.
        evidence: what was seen.
        fix: empty: the catalogue's.
        severity: the catalogue's if absent.
    """
    return finding(
        check_id,
        message,
        path=place,
        value=evidence,
        fix=fix or rule(check_id).fix,
        severity=severity,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answers to one request.

    Attributes:
        context: what was asked, of what.
        outcomes: one a check.
    """

    context: Context = field(repr=False)
    outcomes: tuple[Outcome, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(item for outcome in self.outcomes for item in outcome.findings)

    @property
    def complete(self) -> bool:
        """Whether every check looked at everything."""
        return all(outcome.complete for outcome in self.outcomes)
