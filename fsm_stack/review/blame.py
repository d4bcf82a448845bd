"""Since when a connection has the fate that it has: the youngest change of it in a history."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import verdict_text
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.write import rule_text
from fsm_stack.redirection.origins import behind, declared, declared_text
from fsm_stack.review.model import Decision, SideName
from fsm_stack.review.side import of_settings
from fsm_stack.settings.stack_file import load_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from fsm_stack.iptables.packet import Packet

# The keys of a stack file that a script can depend on; all others change no connection's fate.
_DECIDING: Final = frozenset({"system", "traffic", "sidecar", "annotationProfiles", "cluster"})
_KEY: Final = re.compile(r"  (?:\"?fsm-stack:)?([A-Za-z]+)\"?:")
# With these a section may stand in another one: such a text is taken as a whole.
_REFERENCES: Final = ("&", "*", "<<", "\\")
_TOP: Final = re.compile(r" {0,2}[^ #\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a revision does to the connection.

    Attributes:
        decision: the verdict, the rule and its reason; None: it cannot be told.
        entries: the entries of the stack file behind it.
        why_not: why it cannot be told.
        absent: the stack, or the profile, was not there yet.
    """

    decision: Decision | None
    entries: tuple[str, ...] = ()
    why_not: str = ""
    absent: bool = False

    def like(self, other: Fate) -> bool:
        """Whether both are told, and the same happens."""
        one, two = self.decision, other.decision
        return one is not None and two is not None and one.verdict == two.verdict


@dataclass(slots=True)
class Question:
    """A connection, asked of any number of revisions; what decides it is evaluated once.

    Attributes:
        packet: the connection.
        profile: of the pods that are meant.
        today: for entries with an end.
        evaluated: how many different texts were evaluated.
    """

    packet: Packet
    profile: str
    today: date
    evaluated: int = 0
    _known: dict[str, Fate] = field(default_factory=dict)

    def of(self, text: str | None) -> Fate:
        """What a revision does to it."""
        if text is None:
            return Fate(decision=None, why_not="the stack was not there", absent=True)
        key = deciding(text)
        if key not in self._known:
            self.evaluated += 1
            self._known[key] = self._evaluate(key)
        return self._known[key]

    def _evaluate(self, text: str) -> Fate:
        try:
            loaded = load_text(text, file="stack file", today=self.today)
            if loaded.settings is None:
                first = loaded.findings[0].message if loaded.findings else "nothing is set"
                return Fate(decision=None, why_not=f"it does not validate: {first}")
            settings = loaded.settings
            side = of_settings(
                settings, SideName(title="", kind="stack"), today=self.today, objects=False
            )
            if side.no_scripts:
                return Fate(decision=None, why_not=side.no_scripts)
            if self.profile not in side.scripts:
                known = ", ".join(side.scripts)
                why = f"no profile {self.profile!r}; expected one of {known}"
                return Fate(decision=None, why_not=why, absent=True)
            ruleset = read(side.scripts[self.profile]).ruleset
            found = trace(ruleset, self.packet)
        except (InputError, NotLoadableError) as error:
            return Fate(decision=None, why_not=str(error))
        hop = found.decided_by
        told = declared(settings, self.profile, self.today)
        return Fate(
            decision=Decision(
                verdict=verdict_text(found.verdict),
                rule="" if hop is None else f"{hop.chain} {hop.number}: {rule_text(hop.rule)}",
                why=found.why,
            ),
            entries=()
            if hop is None
            else tuple(
                declared_text(item)
                for item in behind(hop.rule, told)
                if not item.value.isdecimal() or int(item.value) == self.packet.port
            ),
        )


def deciding(text: str) -> str:
    """The part of a stack file's text that a connection's fate can depend on.

    Sections stand at two blanks below ``config``. Where a section may refer to another one, the
    text is taken as a whole.
    """
    if any(mark in text for mark in _REFERENCES):
        return text
    kept, keeping = [], True
    for line in text.splitlines(keepends=True):
        if _TOP.match(line):
            name = _KEY.match(line)
            keeping = name is None or name[1] in _DECIDING
        if keeping and line.strip() and not line.lstrip().startswith("#"):
            kept.append(line)
    return "".join(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """The answer.

    Attributes:
        now: what the newest revision does.
        changed: the place in the history of the revision that made it so; None: it was so in
            every revision there is.
        before: what the revision before that did; None: there was none.
        skipped: revisions between the two that cannot be told: one of them may have done it.
        looked: how many revisions were looked at.
    """

    now: Fate
    changed: int | None
    before: Fate | None
    skipped: int = 0
    looked: int = 0


def since(question: Question, texts: Iterable[str | None]) -> Since:
    """The youngest revision from which on the connection has the verdict that it has now.

    Revisions that do not validate were never rolled out: they are passed over.

    Args:
        question: the connection.
        texts: the revisions, newest first.

    Raises:
        InputError: the newest one cannot be told, or there is none.
    """
    now: Fate | None = None
    last = skipped = looked = 0
    for place, text in enumerate(texts):
        looked += 1
        fate = question.of(text)
        if now is None:
            if fate.decision is None:
                raise InputError(f"the newest revision: {fate.why_not}")
            now = fate
        elif fate.absent:
            return Since(now=now, changed=last, before=fate, skipped=skipped, looked=looked)
        elif fate.decision is None:
            skipped += 1
        elif not fate.like(now):
            return Since(now=now, changed=last, before=fate, skipped=skipped, looked=looked)
        else:
            last, skipped = place, 0
    if now is None:
        raise InputError("expected a history, got no revision of the file")
    return Since(now=now, changed=None, before=None, skipped=skipped, looked=looked)
