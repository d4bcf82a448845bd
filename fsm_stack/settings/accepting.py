"""Taking findings on purpose: ``accept`` applied to what the checks found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.catalogue import all_rules
from fsm_stack.findings import Finding, finding
from fsm_stack.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from fsm_stack.settings.stack import StackSettings
    from fsm_stack.settings.yaml_text import Path

    Placed = Callable[[Path, Finding], Finding]


def apply_accepted(
    settings: StackSettings | None,
    findings: tuple[Finding, ...],
    today: date,
    placed: Placed,
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Split findings into those that count and those that the stack takes.

    Args:
        settings: None when nothing could be read; then nothing is accepted.
        findings: what validation and checks found.
        today: an entry past its date accepts nothing.
        placed: puts a finding at its place in the file.

    Returns:
        What counts (with findings about ``accept`` itself), and what is accepted.
    """
    if settings is None or not settings.accept:
        return findings, ()
    kept = list(findings)
    accepted: list[Finding] = []
    for index, entry in enumerate(settings.accept):
        path: Path = ("accept", index)
        where = f"accept[{index}]"
        known = all_rules().get(entry.id)
        if known is None:
            close = nearest(entry.id, sorted(all_rules()))
            hint = f"; did you mean {close!r}?" if close else ""
            kept.append(
                placed(
                    path,
                    finding(
                        "accept-unknown",
                        f"expected a finding's id, got {entry.id!r}{hint}",
                        path=where,
                    ),
                )
            )
            continue
        hits = [item for item in kept if item.id == entry.id and item.place.path == entry.path]
        if not known.acceptable:
            message = f"{entry.id} at {entry.path} cannot be accepted"
            kept.append(placed(path, finding("accept-refused", message, path=where)))
        elif not hits:
            message = f"no finding {entry.id} at {entry.path}"
            kept.append(placed(path, finding("accept-unused", message, path=where)))
        elif entry.until is not None and entry.until < today:
            message = f"{entry.id} at {entry.path} was accepted until {entry.until}"
            kept.append(placed(path, finding("accept-expired", message, path=where)))
        else:
            kept = [item for item in kept if item not in hits]
            accepted.extend(hits)
    return tuple(kept), tuple(accepted)
