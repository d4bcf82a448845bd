"""Every stack of a project at a glance: what each is, owes and lets pass, and whom to ask.

One model for the terminal, for programs and for a page that holds everything it needs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity, finding, harmless
from fsm_stack.redirection.origins import notes_text
from fsm_stack.review.model import SCHEMA_VERSION, plain
from fsm_stack.review.reports.report import broken_finding
from fsm_stack.templating import render, source_hash, text
from fsm_stack.verify.checks.rules import script_of
from fsm_stack.verify.problems import problems, verdict
from fsm_stack.verify.report import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.review.reports.outcome import Broken
    from fsm_stack.review.side import Side
    from fsm_stack.settings.effective import Bypass
    from fsm_stack.verify.check import Report

_DIGITS: Final = 12
_LONG: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What a saved snapshot says of a stack's cluster.

    Attributes:
        context: the kubeconfig's name of it.
        taken: when it was saved.
        pods: how many of the mesh it has.
        scripts: the scripts that they started with, by digest, with the number of pods.
        findings: of the checks of ``fsm-stack verify``.
        said: their verdict in a sentence.
        complete: whether every check looked at everything.
    """

    context: str
    taken: str
    pods: int
    scripts: Mapping[str, int]
    findings: tuple[Finding, ...]
    said: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stack.

    Attributes:
        stack: its name.
        file: the stack file.
        system: whose mesh; empty: the file does not validate.
        version: its release.
        findings: what the checks say of its file.
        accepted: how many of their findings it takes on purpose.
        contracts: how many bind it.
        broken: those that are not kept.
        unproved: the pods for which no contract is proved, with why.
        bypasses: every entry of its lists.
        differs: how many settings differ from the reference's; None: nobody said what may.
        unlisted: those of them that nobody listed as allowed.
        scripts: the digest of each scope's script.
        no_scripts: why there is none; empty: there is.
        cluster: what its snapshot says; None: none was given.
    """

    stack: str
    file: str
    system: str = ""
    version: str = ""
    findings: tuple[Finding, ...] = ()
    accepted: int = 0
    contracts: int = 0
    broken: tuple[Broken, ...] = ()
    unproved: tuple[str, ...] = ()
    bypasses: tuple[Bypass, ...] = ()
    differs: int | None = None
    unlisted: tuple[Finding, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    no_scripts: str = ""
    cluster: Cluster | None = None

    @property
    def every(self) -> tuple[Finding, ...]:
        """All findings: of the file, of contracts, of environments, of the cluster."""
        return (
            *self.findings,
            *map(broken_finding, self.broken),
            *(finding("contract-unproved", why) for why in self.unproved),
            *self.unlisted,
            *(self.cluster.findings if self.cluster else ()),
        )

    @property
    def worst(self) -> str:
        """The severity of the worst finding; empty: there is none."""
        return max((item.severity for item in self.every), key=lambda one: one.rank, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Every stack.

    Attributes:
        rows: each stack, by name.
        reference: the stack that the others are compared with; empty: nobody said.
    """

    rows: tuple[Row, ...]
    reference: str = ""

    @property
    def scripts(self) -> dict[str, tuple[str, ...]]:
        """Each distinct script by its digest, and who declares it: ``prod mesh``."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for scope, digest in row.scripts.items():
                found.setdefault(digest, []).append(f"{row.stack} {scope}")
        return {digest: tuple(names) for digest, names in found.items()}

    @property
    def complete(self) -> bool:
        """Whether every check of every snapshot looked at everything."""
        return all(row.cluster is None or row.cluster.complete for row in self.rows)

    @property
    def headline(self) -> str:
        """All of it in a sentence."""
        versions = Counter(f"{row.system} {row.version}" for row in self.rows if row.system)
        releases = ", ".join(
            name if len(versions) == 1 else f"{name} ({number})"
            for name, number in sorted(versions.items())
        )
        wrong = sum(row.worst == Severity.ERROR for row in self.rows)
        unowned = sum(len(_unowned(row)) for row in self.rows)
        parts = [
            counted(len(self.rows), "stack") + (f" of {releases}" if releases else ""),
            counted(len(self.scripts), "distinct script"),
            f"{wrong} with errors" if wrong else "none with errors",
            *([f"{_entries(unowned)} without an owner"] if unowned else []),
        ]
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Plain values for ``--output json``."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "reference": self.reference or None,
            "scripts": plain(self.scripts),
            "stacks": [plain(row) | {"worst": str(row.worst) or None} for row in self.rows],
        }

    def text_lines(self) -> Iterator[str]:
        """For a terminal: the sentence, then each stack."""
        yield self.headline
        for row in self.rows:
            yield ""
            yield f"{row.stack}: {row.system} {row.version}".rstrip(": ") + f" ({row.file})"
            for name, told in _told(row, self.reference):
                yield f"  {name + ':':<11} {told}"
            for item in row.bypasses:
                yield f"    {_shown(_entry(item))}: {_shown(_about(item))}"
            for one in row.every:
                yield f"  {one.as_text()}"

    def html(self) -> str:
        """One page without a script: nothing in it is fetched, everything told is text."""
        style = text("review/page.css") + text("review/fleet.css")
        owners = sorted(
            ((item, row) for row in self.rows for item in row.bypasses),
            key=lambda pair: (bool(pair[0].owner), pair[0].until is None, str(pair[0].until)),
        )
        return render(
            "review/fleet.html.j2",
            style=style,
            style_hash=source_hash(style),
            headline=_html(self.headline),
            stacks=[_card(row, self.reference) for row in self.rows],
            entries=[_owned(item, row) for item, row in owners],
            scripts=[
                {"digest": digest, "names": [_html(name) for name in names]}
                for digest, names in self.scripts.items()
            ],
        )


def row_of(side: Side, row: Row) -> Row:
    """A stack's row with what its side tells beside its findings.

    Args:
        side: the stack, which validates.
        row: what is known of it already.
    """
    settings = side.settings
    assert settings is not None  # noqa: S101  # sides of stacks have settings
    return replace(
        row,
        system=settings.system,
        version=settings.fsm_version,
        bypasses=side.entries,
        scripts={scope: digest_of(script) for scope, script in side.scripts.items()},
        no_scripts=side.no_scripts,
    )


def cluster_of(report: Report) -> Cluster:
    """What the checks of a snapshot found."""
    context = report.context
    scripts = Counter(
        digest_of(script)
        for pod in context.pods
        if (script := script_of(pod, context)) is not None
    )
    return Cluster(
        context=context.snapshot.source.context,
        taken=context.snapshot.source.taken,
        pods=len(context.pods),
        scripts=dict(scripts.most_common()),
        findings=tuple(map(safe, report.findings)),
        said=verdict(report, problems(report)),
        complete=report.complete,
    )


def digest_of(script: str) -> str:
    """What tells a script from another one."""
    return sha256(script.encode()).hexdigest()[:_DIGITS]


def _told(row: Row, reference: str) -> Iterator[tuple[str, str]]:
    """What there is to say of a stack, each with its name."""
    yield (
        "findings",
        _severities(row.findings) + (f"; {row.accepted} accepted" * bool(row.accepted)),
    )
    if not row.system:
        return
    lost = len({one.contract for one in row.broken})
    kept = f"{lost} not kept" if lost else "all kept"
    yield "contracts", f"{row.contracts}, {'not proved' if row.unproved and not lost else kept}"
    late = sum(item.expired for item in row.bypasses)
    yield (
        "bypasses",
        ", ".join(
            [
                _entries(len(row.bypasses)),
                *([f"{len(_unowned(row))} without an owner"] if _unowned(row) else []),
                *([f"{late} past the last day"] if late else []),
            ]
        ),
    )
    if row.differs is not None:
        if row.stack == reference:
            yield "differs", "is the reference"
        else:
            allowed = row.differs - len(row.unlisted)
            yield "differs", f"{allowed} as listed, {len(row.unlisted)} not listed"
    each = ", ".join(f"{scope} {digest}" for scope, digest in row.scripts.items())
    yield "scripts", each or row.no_scripts
    if row.cluster is not None:
        known = row.cluster
        own = set(row.scripts.values())
        other = sum(number for digest, number in known.scripts.items() if digest not in own)
        name = f"{known.context} at {known.taken}" if known.taken else known.context
        pods = f"{counted(known.pods, 'pod')} with {counted(len(known.scripts), 'script')}"
        strange = f", {other} with one that is not declared" if other else ""
        yield "cluster", f"{name}: {pods}{strange}; {known.said}"


def _unowned(row: Row) -> list[Bypass]:
    """Entries that somebody wrote and nobody answers for; presets explain themselves."""
    return [item for item in row.bypasses if not item.owner and not _is_preset(item)]


def _is_preset(item: Bypass) -> bool:
    """Whether a profile's preset made it, and not somebody."""
    return item.path.endswith(".presets")


def _entries(number: int) -> str:
    return f"{number} entr{'y' if number == 1 else 'ies'}"


def _severities(findings: Iterable[Finding]) -> str:
    number = Counter(item.severity for item in findings)
    told = [
        f"{number[one]} info" if one is Severity.INFO else counted(number[one], one.value)
        for one in Severity
        if number[one]
    ]
    return ", ".join(told) or "none"


def _entry(item: Bypass) -> str:
    return f"{item.scope} {item.kind} {item.value}"


def _about(item: Bypass) -> str:
    owner = item.owner or ("a preset" if _is_preset(item) else "")
    past = " (past)" if item.expired else ""
    return f"{notes_text(item.reason, owner, item.until)}{past}"


def _shown(told: str) -> str:
    return harmless(told, limit=_LONG)


def _html(told: str) -> str:
    return escape(_shown(told))


def _card(row: Row, reference: str) -> dict[str, Any]:
    return {
        "stack": _html(row.stack),
        "release": _html(f"{row.system} {row.version}".strip() or "does not validate"),
        "file": _html(row.file),
        "worst": str(row.worst) or "fine",
        "told": [(name, _html(told)) for name, told in _told(row, reference)],
        "findings": [
            {"severity": item.severity.value, "text": _html(item.as_text())} for item in row.every
        ],
    }


def _owned(item: Bypass, row: Row) -> dict[str, Any]:
    return {
        "owner": _html(item.owner or ("a preset" if _is_preset(item) else "nobody")),
        "until": str(item.until or ""),
        "late": item.expired,
        "stack": _html(row.stack),
        "scope": _html(item.scope),
        "kind": item.kind,
        "value": _html(item.value),
        "reason": _html(item.reason),
    }
