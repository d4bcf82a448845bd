"""Sides to compare, from the short form of a stack file."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import yaml

from fsm_stack.review.compare import Comparison
from fsm_stack.review.intent import intent
from fsm_stack.review.model import SideName
from fsm_stack.review.side import Side, of_settings
from fsm_stack.settings.stack_file import load_text

if TYPE_CHECKING:
    from fsm_stack.review.model import Review

TODAY = date(2026, 11, 28)
CLUSTER = {
    "podRanges": ["10.128.0.0/14"],
    "serviceRanges": ["172.30.0.0/16"],
    "apiServer": {"address": "172.30.0.1"},
}
TRAFFIC = {
    "outboundPortExclusionList": [6379],
    "outboundIPRangeExclusionList": ["203.0.113.0/24"],
}


def text(**sections: Any) -> str:
    """A stack file with these sections."""
    config = {"cluster": CLUSTER, "traffic": TRAFFIC, "releaseAssets": {"source": "omit"},
              "deployment": {"lookOnly": True}} | sections  # fmt: skip
    return yaml.safe_dump({"config": {f"fsm-stack:{key}": one for key, one in config.items()}})


def side(title: str = "dev", **sections: Any) -> Side:
    """A stack with these sections."""
    loaded = load_text(text(**sections), file=f"Pulumi.{title}.yaml", today=TODAY)
    name = SideName(title=title, kind="stack", file=f"Pulumi.{title}.yaml")
    return of_settings(
        loaded.require(), name, today=TODAY, place=loaded.place, findings=loaded.findings
    )


def review(before: Side, after: Side, *expected: str, **options: Any) -> Review:
    """What there is to say of two sides."""
    intents = [intent(one, "--expect") for one in expected]
    return Comparison(before, after, intents=intents, **options).review()


def traffic(**lists: Any) -> dict[str, Any]:
    """The usual lists, with some of them changed."""
    return {"traffic": TRAFFIC | lists}
