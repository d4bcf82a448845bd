"""The formats of flow logs that are read, and which of them a log is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.flows.formats.fsm import FSM
from fsm_stack.flows.formats.gcp import GCP
from fsm_stack.flows.formats.goldmane import GOLDMANE
from fsm_stack.flows.formats.hubble import HUBBLE
from fsm_stack.flows.formats.istio import ISTIO
from fsm_stack.flows.formats.named_columns import CSV
from fsm_stack.flows.formats.vpc import VPC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_stack.flows.row import Format, Reader

# Those with a mark of their own come first; a table of any names is the last guess.
FORMATS: Final = {item.name: item for item in (HUBBLE, GCP, GOLDMANE, ISTIO, FSM, VPC, CSV)}


def recognised(
    sample: Sequence[bytes], shown: str, *, name: str = "", fields: Sequence[str] = ()
) -> tuple[Format, Reader]:
    """The format of a log, and a reader for it.

    Args:
        sample: its first records.
        shown: its name in errors.
        name: the format that a user named; empty: whichever it is.
        fields: the order of its fields, for formats that may come without a header.

    Raises:
        InputError: it is none of the formats, or not the named one.
    """
    if fields:
        known = FORMATS[name or VPC.name]
        if known.named is None:
            raise InputError(
                f"{shown}: {known.title}: its fields have names of their own; expected no order"
            )
        return known, known.named(fields)
    wanted = [FORMATS[name]] if name else FORMATS.values()
    for place, record in enumerate(sample):
        for known in wanted:
            if known is CSV and place:
                continue  # a header is the first line, or none
            reader = known.knows(record)
            if reader is not None:
                return known, reader
    if name:
        raise InputError(f"{shown}: expected {FORMATS[name].title}; no record of it in the head")
    titles = ", ".join(known.title for known in FORMATS.values())
    raise InputError(
        f"{shown}: no flow log that is known; expected one of {titles}; a VPC flow log without "
        "header in an order of its own needs --fields"
    )
