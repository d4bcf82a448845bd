"""A finding: one problem, with a stable id, a place, a reason and a fix; as text and SARIF.

The ids are documented in :mod:`fsm_stack.findings.catalogue`; ``fsm-stack explain ID`` prints them.

A checked message of SARIF may hold links; brackets in it are escaped, so that nothing in a file
or a cluster makes one.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from fsm_stack import __version__
from fsm_stack.credentials import without_user
from fsm_stack.findings import Severity
from fsm_stack.findings.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "SHOWN_MAX", "Finding", "ObjectName", "Place", "Severity", "finding", "harmless", "in_order",
    "plain", "sarif",
]  # fmt: skip

SHOWN_MAX: Final = 300
# Control, format (bidirectional marks, zero width), surrogates, private use, line separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: object, *, limit: int | None = SHOWN_MAX) -> str:
    """One line, printable, of bounded length; what is hidden is written out as an escape.

    Passwords in URLs are left out.

    Args:
        text: from a cluster or a file.
        limit: characters; what is longer ends in the number of characters left out.
            None for all of them.
    """
    plain = without_user(str(text))
    cut = plain[:limit]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(map(_visible, cut))
    more = len(plain) - len(cut)
    return f"{shown}... ({more} more characters)" if more > 0 else shown


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


_UNTOLD: Final = frozenset({"secret-value"})  # ids


class ObjectName(NamedTuple):
    """A Kubernetes object as people name it.

    Attributes:
        kind: ``Deployment`` and so on.
        namespace: "" for an object outside of namespaces.
        name: "" where it has none.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """``Deployment/shop/web``."""
        return "/".join(part for part in (*self[:2], self.name or "(unnamed)") if part)

    def as_json(self) -> dict[str, str]:
        """A plain mapping, without empty parts."""
        return {key: value for key, value in self._asdict().items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finding is: any part may be unknown.

    Attributes:
        file: the path as the user gave it.
        line: 1-based.
        column: 1-based.
        object: the object, where the file holds several.
        path: the path inside the document, for example ``traffic.outboundPortExclusionList[2]``.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None
    object: ObjectName | None = None
    path: str = ""

    def __post_init__(self) -> None:
        """Leave out passwords: a key or a name may be a URL."""
        for name in ("file", "path"):
            if (text := getattr(self, name)) and "@" in text:
                object.__setattr__(self, name, without_user(text))
        if self.object and "@" in "".join(self.object):
            object.__setattr__(self, "object", ObjectName(*map(without_user, self.object)))

    def __str__(self) -> str:
        """``web.yaml:12:9 Deployment/shop/web spec.template``, without what is unknown."""
        spot = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        name = str(self.object) if self.object else ""
        return " ".join(part for part in (spot, name, self.path) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem.

    Attributes:
        id: stable, kebab-case, documented in the catalogue.
        message: what is wrong here, and what was expected.
        place: where.
        value: the offending value as text, where there is one.
        fix: what to do, concretely for this value; empty where the catalogue's fix says it all.
        severity: the catalogue's, unless a context raises or lowers it.
    """

    id: str
    message: str
    place: Place = Place()
    value: str | None = None
    fix: str = ""
    severity: Severity

    def __post_init__(self) -> None:
        """Leave out passwords, and what is refused because it is a secret."""
        for name in ("message", "value", "fix"):
            if (text := getattr(self, name)) and "@" in text:
                object.__setattr__(self, name, without_user(text))
        if self.id in _UNTOLD and self.value is not None:
            object.__setattr__(self, "value", None)

    def at(self, **changes: Any) -> Finding:  # noqa: ANN401  # the fields of Place, checked by replace
        """The same finding with parts of its place changed."""
        return replace(self, place=replace(self.place, **changes))

    def as_text(self, *, severity: bool = True) -> str:
        """One line for people: place, severity, id, message, fix; nothing in it is hidden.

        Args:
            severity: False for a log that says it by itself.
        """
        head = f"{self.place}: " if str(self.place) else ""
        loud = f"{self.severity}: " if severity else ""
        tail = f" Fix: {self.fix}" if self.fix else ""
        return harmless(f"{head}{loud}{self.message} [{self.id}]{tail}", limit=None)

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for ``--output json``, without empty parts."""
        keys = ("file", "line", "column", "path")
        place = {key: value for key in keys if (value := getattr(self.place, key))}
        parts = {
            "id": self.id,
            "severity": self.severity.value,
            "message": self.message,
            "object": self.place.object.as_json() if self.place.object else None,
            "place": place or None,
            "value": self.value,
            "fix": self.fix or None,
        }
        return {key: value for key, value in parts.items() if value is not None}


def finding(  # the one constructor that looks the severity up
    rule_id: str,
    message: str,
    *,
    path: str = "",
    value: object = None,
    fix: str = "",
    severity: Severity | None = None,
) -> Finding:
    """A finding of a catalogued rule.

    Raises:
        KeyError: when the id is not in the catalogue; a defect of ours, never the input's.
    """
    known = rule(rule_id)
    return Finding(
        id=known.id,
        message=message,
        place=Place(path=path),
        value=None if value is None else str(value),
        fix=fix,
        severity=severity or known.severity,
    )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by place in the file, then id: the order in which reports print them."""

    def key(item: Finding) -> tuple[str, int, int, str, str]:
        place = item.place
        return (place.file or "", place.line or 0, place.column or 0, place.path, item.id)

    return tuple(sorted(findings, key=key))


_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(
    findings: Iterable[Finding],
    *,
    invocation: dict[str, Any] | None = None,
    suppressed: Iterable[Finding] = (),
) -> dict[str, Any]:
    """One run with every finding, and the rules that they name.

    Args:
        findings: in the order of the report; what has no file gets a logical location alone.
        invocation: how the run went, where that is more than its findings.
        suppressed: findings that do not count: the user has left them out, or accepted them.
    """
    found, out = list(findings), list(suppressed)
    ids = sorted({item.id for item in (*found, *out)})
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "fsm-stack",
                "version": __version__,
                "rules": [_rule(rule_id) for rule_id in ids],
            }
        }
    }
    if invocation is not None:
        run["invocations"] = [invocation]
    run["results"] = [_result(item, ids) for item in found]
    for item in out:
        run["results"].append({**_result(item, ids), "suppressions": [{"kind": "external"}]})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def plain(text: str) -> str:
    """Text of a message, without an embedded link. Source: SARIF 2.1.0, section 3.11.6."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _rule(rule_id: str) -> dict[str, Any]:
    known = rule(rule_id)
    return {
        "id": known.id,
        "shortDescription": {"text": plain(known.title)},
        "fullDescription": {"text": plain(known.why)},
        "help": {"text": plain(known.fix)},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _result(item: Finding, ids: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": item.id,
        "ruleIndex": ids.index(item.id),
        "level": _LEVELS[item.severity],
        "message": {"text": plain(" ".join(part for part in (item.message, item.fix) if part))},
    }
    location = _location(item.place)
    if location:
        result["locations"] = [location]
    return result


def _location(place: Place) -> dict[str, Any]:
    location: dict[str, Any] = {}
    if place.file:
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(place.file)}}
        if place.line:
            region = {"startLine": place.line}
            if place.column:
                region["startColumn"] = place.column
            physical["region"] = region
        location["physicalLocation"] = physical
    names: list[dict[str, str]] = []
    if place.object:
        names.append({"fullyQualifiedName": str(place.object), "kind": "resource"})
        if place.object.name:
            names[0] = {"name": place.object.name, **names[0]}
    if place.path:
        logical = {"fullyQualifiedName": place.path}
        names.append(logical if place.file or place.object else {**logical, "kind": "resource"})
    if names:
        location["logicalLocations"] = names
    return location
