"""A review as one HTML page: what changes, drawn, and a field that answers for any connection.

The page holds everything that it needs and fetches nothing; its policy forbids the browser to. Its
script is the walk of templates/review/walk.js over the rules of both sides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fsm_stack.credentials import without_user
from fsm_stack.errors import InputError
from fsm_stack.findings.finding import harmless
from fsm_stack.iptables.judge.walk_data import FACTS, Entry, walk_data
from fsm_stack.iptables.picture.draw import WIDTH, Move, lanes_svg, style_sheet
from fsm_stack.iptables.picture.entries import Block
from fsm_stack.iptables.picture.lanes import compared, lanes
from fsm_stack.iptables.sets.decisions import decisions
from fsm_stack.lists import MESH
from fsm_stack.redirection.origins import behind, declared_text, of_scope
from fsm_stack.review.fates import refused
from fsm_stack.review.reports.report import Shape, view
from fsm_stack.review.reports.words import packet_of
from fsm_stack.review.traffic import scope_text
from fsm_stack.templating import render, source_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.iptables.picture.lanes import Lanes
    from fsm_stack.iptables.rule import Rule
    from fsm_stack.redirection.origins import Declared
    from fsm_stack.review.compare import Comparison
    from fsm_stack.review.fates import Pair
    from fsm_stack.review.model import Review, TrafficChange
    from fsm_stack.review.side import Side

# The width of the picture on a telephone.
NARROW: Final = 400
# Items a section and characters a text.
_ITEMS_MAX: Final = 1_000
_CHARACTERS_MAX: Final = 2_000
# So many scopes are drawn; the field answers for all of them.
SCOPES_DRAWN: Final = 4
_KINDS: Final[dict[str, Any]] = {
    "bypassed": "leaves",
    "intercepted": "enters",
    "rewritten": "turns",
}


def html_page(compared_sides: Comparison, found: Review) -> str:
    """The page of a review.

    Args:
        compared_sides: both sides, with their rules.
        found: what their comparison found.

    Returns:
        A whole HTML document. Everything that a file or a cluster says is text in it.
    """
    script = text("review/walk.js") + text("review/page.js")
    style = text("review/page.css") + style_sheet()
    return render(
        "review/page.html.j2",
        **view(found, _Html(plain=False, items=_ITEMS_MAX, characters=_CHARACTERS_MAX)),
        kinds=[_KINDS[one.effect] for one in found.traffic],
        asks=[escape(_fragment(compared_sides, one)) for one in found.traffic],
        pictures=_pictures(compared_sides, found),
        data=_data(compared_sides, found.traffic),
        script=script,
        style=style,
        script_hash=source_hash(script),
        style_hash=source_hash(style),
    )


def _fragment(both: Comparison, change: TrafficChange) -> str:
    """What asks the page's field about one packet of a change: the part of a link after ``#``."""
    part = change.regions[0]
    packet = packet_of(part.region, both.known)
    names = [pair.name for pair in both.pairs]
    return urlencode(
        {
            "address": packet.destination,
            "port": packet.port,
            "scope": names.index(part.scopes[0]),
            "direction": packet.direction,
            "protocol": packet.protocol,
            "uid": packet.uid,
            "interface": packet.interface,
            "source": packet.source,
        }
    )


class _Html(Shape):
    """Texts as HTML that nothing in them can end."""

    def line(self, text: str) -> str:
        """A sentence."""
        return escape(harmless(without_user(text), limit=self.characters))

    def code(self, text: str) -> str:
        """Something to be read letter by letter."""
        return f"<code>{self.line(text)}</code>"

    def raw(self, text: str) -> str:
        """A line of a preformatted block."""
        return self.line(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The pictures of one scope, as whole SVG documents in two widths; or why there are none."""

    scope: str
    open: str = ""
    change: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    why: str = ""


def _pictures(both: Comparison, found: Review) -> list[Drawn]:
    """Those of the scopes in which something changes; of the mesh when nothing does."""
    touched = {scope for change in found.traffic for scope in change.scopes}
    pairs = [pair for pair in both.pairs if pair.name in touched]
    pairs = pairs or [pair for pair in both.pairs if pair.name == MESH]
    drawn = [_drawn(both, found, pair) for pair in pairs[:SCOPES_DRAWN]]
    return [replace(one, open=" open" if one is drawn[0] else "") for one in drawn]


def _drawn(both: Comparison, found: Review, pair: Pair) -> Drawn:
    name = scope_text(pair.name)
    if why := refused(*pair.before) or refused(*pair.after):
        return Drawn(scope=escape(name), why=escape(harmless(why)))
    try:
        one, two = _lanes(*pair.before), _lanes(*pair.after)
    except InputError as error:  # rules that differ too much from one another
        return Drawn(scope=escape(name), why=escape(harmless(error)))
    pictures = (
        (compared(one, two), "What changes", moves(found.traffic, pair.name)),
        (one, "Before", None),
        (two, "After", None),
    )
    change, before, after = (
        tuple(
            lanes_svg(
                drawn, title=f"{title}: {name}", named=_named(both), moves=moved, width=width,
                styled=False,
            )
            for width in (WIDTH, NARROW)
        )
        for drawn, title, moved in pictures
    )  # fmt: skip
    return Drawn(scope=escape(name), change=change, before=before, after=after)


def change_svg(both: Comparison, found: Review, scope: str = MESH) -> str:
    """What changes for the pods of one scope, as a whole SVG document.

    Raises:
        InputError: there is no such scope on both sides, or its rules cannot be told.
    """
    pair = next((one for one in both.pairs if one.name == scope), None)
    if pair is None:
        raise InputError(f"{scope!r}: expected a profile that both sides have")
    if why := refused(*pair.before) or refused(*pair.after):
        raise InputError(f"{scope_text(scope)}: {why}")
    return lanes_svg(
        compared(_lanes(*pair.before), _lanes(*pair.after)),
        title=f"{found.before.title} → {found.after.title}: {scope_text(scope)}",
        subtitle=found.headline,
        named=_named(both),
        moves=moves(found.traffic, scope),
    )


def moves(changes: Iterable[TrafficChange], scope: str) -> list[Move]:
    """What a review says of one scope's traffic, to be drawn."""
    return [
        Move(
            kind=_KINDS[change.effect],
            way=f"{change.before} → {change.after}" if change.effect == "rewritten" else "",
            block=_block(change),
        )
        for change in changes
        if scope in change.scopes
    ]


def _block(change: TrafficChange) -> Block:
    entries = change.entries
    ends = [f"until {entry.until}" for entry in entries if entry.until]
    owners = dict.fromkeys([*(entry.owner for entry in entries if entry.owner), *ends])
    reasons = dict.fromkeys(entry.reason for entry in entries if entry.reason)
    return Block(
        name=change.subject,
        reason="; ".join(reasons),
        owner=", ".join(owners),
        own=True,
        named=bool(entries),
        context=", ".join(change.names),
        addresses=change.said.destinations,
        ports=change.said.ports,
    )


def _notes(side: Side, scope: str) -> Declared | None:
    """What the side says of its entries; None: it has no stack file to say it in."""
    return of_scope(side.entries, scope) if side.settings is not None else None


def _lanes(side: Side, scope: str) -> Lanes:
    return lanes(decisions(side.reading(scope).ruleset), _notes(side, scope))


def _named(both: Comparison) -> list[tuple[str, str]]:
    known = both.known
    pods = [("pods", cidr) for cidr in known.pods]
    return [*pods, *(("services", cidr) for cidr in known.services)]


def _data(both: Comparison, changes: Sequence[TrafficChange]) -> str:
    """Both rule sets of every scope as JSON that no HTML parser reads anything else from."""
    scripts: list[dict[str, Any]] = []
    places: dict[str, int] = {}

    def number(side: Side, scope: str) -> int:
        script = _script(side, scope)
        key = json.dumps(script, sort_keys=True)
        if key not in places:
            places[key] = len(scripts)
            scripts.append(script)
        return places[key]

    scopes = [
        {
            "label": harmless(scope_text(pair.name)),
            "sides": [number(*pair.before), number(*pair.after)],
        }
        for pair in both.pairs
    ]
    titles = [harmless(both.before.name.title), harmless(both.after.name.title)]
    first = _fragment(both, changes[0]) if changes else ""
    data = {"facts": FACTS, "asked": first, "titles": titles, "scopes": scopes, "scripts": scripts}
    dumped = json.dumps(data, separators=(",", ":"), sort_keys=True)
    return dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _script(side: Side, scope: str) -> dict[str, Any]:
    if why := refused(side, scope):
        return {"why": harmless(why)}
    known = _notes(side, scope) or {}
    return {"chains": walk_data(side.reading(scope).ruleset, partial(_entries, known=known))}


def _entries(rule: Rule, known: Declared) -> list[Entry]:
    return [
        Entry(
            text=harmless(declared_text(item)),
            ports=(int(item.value), int(item.value)) if item.value.isdecimal() else None,
        )
        for item in behind(rule, known)
    ]
