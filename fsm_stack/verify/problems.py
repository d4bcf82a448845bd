"""Findings told as problems: each root once, with what follows; and what to run, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.snapshot import FILES
from fsm_stack.verify.check import Status
from fsm_stack.verify.commands import command
from fsm_stack.verify.programs.program import THEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Check, Report

_OR: Final = ", or declare"  # the other way to mend a difference
_LATER: Final = " ; "  # what follows is for the time until then
_KUBECTL: Final = re.compile(r"(?:^|: )(kubectl .+)")
_EDITS: Final = re.compile(r"kubectl edit ")
_QUOTED: Final = re.compile(r"Run `((?:PULUMI_\w+=\w+ )?(?:pulumi|kubectl) [^`]+)`(.*)")
# Of one pod: the first check of these that finds something is why the later one does, too.
_OF_ONE_POD: Final = {
    "pod-init": ("told-cause", "pod-script"),
    "pod-ready": ("told-cause", "pod-script", "pod-init"),
    "pod-rules": ("pod-script", "pod-stale"),
    "pod-generation": ("pod-stale",),
    "pod-images": ("pod-stale",),
}
# Of the MeshConfig: what is mended by the same command is one problem.
_OF_MESH_CONFIG: Final = {
    "cluster-mesh-config-content": ("next-pod",),
    "cluster-lists": ("next-pod", "cluster-mesh-config-content"),
}
# What one finding of these says is the verdict.
_SAYS_IT_ALL: Final = frozenset({"told-cause", "never-completes"})
_OF_PODS: Final = frozenset({"pod", "rules"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One finding that follows from no other.

    Attributes:
        finding: it.
        hence: what follows from it, each with the id of its check.
    """

    finding: Finding
    hence: tuple[tuple[str, Finding], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What one check found, without what follows from what another one found.

    Attributes:
        check: which.
        roots: in its order.
    """

    check: Check
    roots: tuple[Root, ...]

    @property
    def severity(self) -> Severity:
        """The worst of its findings'."""
        return max((one.finding.severity for one in self.roots), key=lambda known: known.rank)

    @property
    def title(self) -> str:
        """What is wrong, in words of the catalogue: the check's own say what is right."""
        worst = self.severity
        found = {one.finding.id for one in self.roots if one.finding.severity is worst}
        return rule(found.pop() if len(found) == 1 else self.check.id).title

    @property
    def words(self) -> str:
        """The problem in one clause."""
        first = self.roots[0].finding
        if first.id in _SAYS_IT_ALL and len(self.roots) == 1:
            return first.message
        subjects = list(dict.fromkeys(subject(one.finding) for one in self.roots))
        if first.id == "next-pod" and first.place.path.startswith("MeshConfig "):
            more = f"; and {len(self.roots) - 1} more" if len(self.roots) > 1 else ""
            return f"{first.message}{more}"
        kinds = {one.partition(" ")[0] for one in subjects}
        noun = kinds.pop() if len(kinds) == 1 else "object"
        named = subjects[0] if len(subjects) == 1 else counted(len(subjects), noun)
        return f"{self.title} ({named})"


def subject(item: Finding) -> str:
    """The object that a finding is about: ``pod shop/web-7f9c``."""
    return " ".join(item.place.path.split(" ")[:2])


def problems(report: Report) -> tuple[Problem, ...]:
    """The findings of a report, causes with their consequences, in the order of the checks."""
    every = [(one.check.id, item) for one in report.outcomes for item in one.findings]
    roots = _roots(every)
    hence: dict[int, list[tuple[str, Finding]]] = {}
    for index, root in enumerate(roots):
        if root != index:
            hence.setdefault(root, []).append(every[index])
    found, index = [], 0
    for outcome in report.outcomes:
        own = range(index, index + len(outcome.findings))
        index = own.stop
        kept = tuple(
            Root(finding=every[one][1], hence=tuple(hence.get(one, ())))
            for one in own
            if roots[one] == one
        )
        if kept:
            found.append(Problem(check=outcome.check, roots=kept))
    return tuple(found)


def _roots(every: list[tuple[str, Finding]]) -> list[int]:
    """Of each finding the one that it follows from in the end: itself, if from none."""
    about: dict[tuple[str, str], list[int]] = {}
    mended: dict[str, int] = {}
    for index, (check_id, item) in enumerate(every):
        about.setdefault((check_id, subject(item)), []).append(index)
        if not check_id.startswith("pod-"):
            mended.setdefault(item.fix.partition(_OR)[0].partition(_LATER)[0], index)
    above = list(range(len(every)))
    for index, (check_id, item) in enumerate(every):
        above[index] = _above(index, check_id, item, about, mended, every)
    return [_top(index, above) for index in range(len(every))]


def _above(  # noqa: PLR0917  # two tables beside the finding
    index: int, check_id: str, item: Finding, about: dict[tuple[str, str], list[int]],
    mended: dict[str, int], every: list[tuple[str, Finding]],
) -> int:  # fmt: skip
    for cause in _OF_ONE_POD.get(check_id, ()):
        if known := about.get((cause, subject(item))):
            return known[0]
    for cause in _OF_MESH_CONFIG.get(check_id, ()):
        for one in about.get((cause, subject(item)), ()):
            if _same_mending(item.fix, every[one][1].fix):
                return one
    return next(
        (mended[one] for one in _before(item.fix) if mended.get(one, index) != index), index
    )


def _same_mending(one: str, other: str) -> bool:
    return one.partition(_OR)[0] in other or one.partition(": kubectl edit")[0] in other


def _before(fix: str) -> Iterator[str]:
    """What a fix does before its last step: from the longest."""
    steps = fix.split(THEN)
    for count in range(len(steps) - 1, 0, -1):
        yield THEN.join(steps[:count])
    if _LATER in fix:
        yield fix.partition(_LATER)[0]


def _top(index: int, above: list[int]) -> int:
    seen = {index}
    while (higher := above[index]) not in seen:
        seen.add(higher)
        index = higher
    return index


def verdict(report: Report, known: tuple[Problem, ...]) -> str:
    """The whole report in one sentence."""
    wrong = [one for one in known if one.severity is not Severity.INFO]
    errors = sum(one.severity is Severity.ERROR for one in wrong)
    kind = "problem" if errors or not wrong else "warning"
    told = f"{counted(len(wrong), kind)}: {'; '.join(one.words for one in wrong)}"
    unread = sum(not one.complete for one in report.outcomes)
    if not wrong and not _of_cluster(report):
        return (
            "nothing of a cluster was looked at: the files hold manifests only, which fsm-stack "
            "lint STACK -f FILE checks"
        )
    parts = [told if wrong else "no problem found" if unread else "all is well"]
    if unread:
        parts.append(f"{counted(unread, 'check')} could not look at everything")
    return "; ".join([*parts, *_pods(report)])


def _of_cluster(report: Report) -> bool:
    """Whether anything was read that a cluster has made, and nobody writes as a manifest."""
    known = report.context.snapshot
    if known.source.context != FILES:
        return True
    made = (known.mesh_configs, known.mutating, known.validating, known.programs, known.texts,
            known.events, known.endpoints, known.logs, known.redirection)  # fmt: skip
    return any(made) or any(pod.phase or pod.created or pod.described for pod in known.pods)


def _pods(report: Report) -> Iterator[str]:
    asked = [
        one for one in report.outcomes
        if one.check.group in _OF_PODS
        and one.status not in {Status.NOT_RUN, Status.NOT_APPLICABLE}
    ]  # fmt: skip
    pods = [pod for pod in report.context.pods if not pod.deleted]
    if not asked or not pods:
        return
    bad = {
        subject(item) for item in report.findings if item.severity is not Severity.INFO
    }  # fmt: skip
    fine = sum(bad.isdisjoint({f"pod {pod.key}", f"namespace {pod.namespace}"}) for pod in pods)
    yield f"{fine} of {counted(len(pods), 'pod')} fine"


def commands(report: Report, known: tuple[Problem, ...]) -> tuple[str, ...]:
    """What to run, in order, each once, for the cluster that was read.

    A step that no command does is a comment before what comes after it.
    """
    place = report.context.snapshot.source.kubectl_context
    where = command("kubectl", "--context", place) if place else ""
    found: dict[str, dict[str, None]] = {}  # each command with what is said before it
    by_hand: dict[str, list[str]] = {}
    for problem in known:
        for root in problem.roots:
            item = root.finding
            if item.severity is Severity.INFO:
                continue
            for fix in (item.fix, *(one.fix for _, one in root.hence if _makes(one))):
                for said, done in _steps(fix, where):
                    found.setdefault(done, {}).update(dict.fromkeys(said))
            if item.severity is Severity.ERROR and item.fix and not any(_steps(item.fix, where)):
                by_hand.setdefault(item.fix, []).append(subject(item))
                found.setdefault(f"# {item.fix}", {})
    if len(by_hand) == len(found):  # nothing to run: each problem has said what to do
        return ()
    return tuple(
        line
        for done, said in found.items()
        for line in (*said, _by_hand(done, by_hand.get(done.removeprefix("# "), ())))
    )


def _by_hand(done: str, subjects: Sequence[str]) -> str:
    """What no command does, with whom it helps."""
    if not subjects:
        return done
    more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
    return f"# {subjects[0]}{more}: {done.removeprefix('# ')}"


def _makes(item: Finding) -> bool:
    """Whether what follows needs more than its cause's mending: a look at it needs none."""
    return THEN in item.fix


def _steps(fix: str, where: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The commands of a fix, each with what is to be done or known before it."""
    before: list[str] = []
    for step in fix.split(THEN):
        done = _command(step.partition(_LATER)[0])
        advice = step.removesuffix(done)
        if not done:
            before.append(f"# {step}")
            continue
        if " with " in advice and not _EDITS.match(done):
            before.append(f"# {step.partition(_OR)[0]}")
        elif advice and _EDITS.match(done):
            before.append(f"# {advice.rstrip(': ')}")
        yield tuple(before), done.replace("kubectl ", f"{where} ") if where else done
        before = []


def _command(step: str) -> str:
    """The command in a step. What stands in quotation marks is a text of the cluster's."""
    quoted, plain = _QUOTED.search(step), _KUBECTL.search(step)
    if quoted is not None:
        return quoted[1]
    if plain is None or any(_open(step[: plain.start(1)], mark) for mark in "'\""):
        return ""
    return plain[1]


def _open(text: str, mark: str) -> bool:
    """Whether a quotation is open at the end; an apostrophe behind a word opens none."""
    inside = False
    for at, character in enumerate(text):
        beside = text[at + 1 : at + 2] if inside else text[at - 1 : at]
        if character == mark and not beside.isalnum():
            inside = not inside
    return inside
