"""Lists edited in a stack file's text: untouched lines stay byte for byte, no comment is lost."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.project.stack_edit import Edited, edited
from fsm_stack.redirection.tidying import tidying
from fsm_stack.settings.stack_file import load_text

TODAY = date(2026, 1, 1)
HEAD = "config:\n  fsm-stack:releaseAssets: {source:   omit}   # odd blanks\n"


def tidy(text: str) -> Edited:
    settings = load_text(text, file="f", today=TODAY).settings
    assert settings is not None
    return edited(text, settings, tidying(settings).edits, file="f", today=TODAY)


def body(traffic: str) -> str:
    """The file's text after tidying its traffic; the head has to be as it was."""
    found = tidy(f"{HEAD}  fsm-stack:traffic:\n{traffic}")
    start = f"{HEAD}  fsm-stack:traffic:\n"
    assert found.text.startswith(start)
    return found.text.removeprefix(start)


BLOCK = """\
    outboundIPRangeExclusionList:
      # the first half
      - {value: 10.0.0.0/9, reason: "first: half", owner: a-team}  # A
      # the second half
      - value: 10.128.0.0/9   # B
        reason: second half
        owner: b-team
        until: "2027-01-01"
      - 2.2.2.2/24 # host bits
      - '2.2.2.7/32'

      - "8.8.8.8/32"
"""


def test_entries_are_merged_and_comments_stay() -> None:
    assert body(BLOCK) == (
        "    outboundIPRangeExclusionList:\n"
        "      # the first half\n"
        '      - {value: 10.0.0.0/8, reason: "first: half; second half", '
        'owner: "a-team, b-team", until: "2027-01-01"}  # A\n'
        "      # the second half\n"
        "      # B\n"
        "      - 2.2.2.0/24 # host bits\n"
        "\n"
        '      - "8.8.8.8/32"\n'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    outboundPortExclusionList: [80, 81,80 ]\n",
         "    outboundPortExclusionList: [80, 81 ]\n"),
        ("    outboundPortExclusionList: [80,  80, 81]\n",
         "    outboundPortExclusionList: [80, 81]\n"),
        ("    outboundPortExclusionList: [80, 80, 81, 80, 81, 80]\n",
         "    outboundPortExclusionList: [80, 81]\n"),
        ("    inboundPortExclusionList: [15010, 15901 , 80, 15010,80, 81 ]\n",
         "    inboundPortExclusionList: [80, 81 ]\n"),
        ("    inboundPortExclusionList: [15010, 15901]\n",
         "    inboundPortExclusionList: []\n"),
        ("    outboundPortExclusionList: [80, 7070, 80, {value: 7070, reason: again}]\n",
         "    outboundPortExclusionList: [80, {value: 7070, reason: again}]\n"),
        ("    outboundPortExclusionList: [\n      80,\n      80,\n      81,\n    ]\n",
         "    outboundPortExclusionList: [\n      80,\n      81,\n    ]\n"),
        ("    inboundPortExclusionList: [15010]\n", "    inboundPortExclusionList: []\n"),
        ("    inboundPortExclusionList:\n    - 15010 # scraped\n    enableEgress: true\n",
         "    inboundPortExclusionList: []\n    # scraped\n    enableEgress: true\n"),
        ("    outboundPortExclusionList:\n      - 80\n      - value: 80\n        owner: a",
         "    outboundPortExclusionList:\n      - {value: 80, owner: a}\n"),
        ("    outboundPortExclusionList:\n      - value: 80\n        reason: x # why\n"
         "      - {value: 80, owner: a}\n",
         "    outboundPortExclusionList:\n      - value: 80\n        reason: x # why\n"
         "        owner: a\n"),
    ],
)  # fmt: skip
def test_every_way_to_write_a_list_is_edited(before: str, after: str) -> None:
    assert body(before) == after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("    outboundPortExclusionList: [80, # web\n      80]\n", "comments inside its brackets"),
        ("    outboundPortExclusionList: &p [80, 80]\n    inboundPortExclusionList: *p\n",
         "its text is shared with something else"),
        ("    outboundPortExclusionList:\n      - {value: 80, reason: a}\n"
         "      - value: 80\n        reason: |\n          b\n", "several lines"),
    ],
)  # fmt: skip
def test_what_cannot_be_edited_safely_is_left_alone(text: str, why: str) -> None:
    whole = f"{HEAD}  fsm-stack:traffic:\n{text}"
    found = tidy(whole)
    assert found.text == whole
    assert found.made == ()
    assert why in found.left[0].why


def test_lists_in_json_text_are_left_alone() -> None:
    whole = f"{HEAD}  fsm-stack:traffic: '{{\"outboundPortExclusionList\": [80, 80]}}'\n"
    found = tidy(whole)
    assert found.text == whole
    assert [str(item) for item in found.left] == [
        "traffic.outboundPortExclusionList: left alone: it is not written as YAML of its own"
    ]


LIST = "    outboundPortExclusionList:\n"


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        "    outboundPortExclusionList: [80, 80]\n",
        LIST + "      - value: 80\n        reason: x\n      - {value: 80, owner: a} # why\n",
    ],
)
def test_windows_line_ends_stay(text: str) -> None:
    """In what is added and moved, too."""
    text = f"{HEAD}  fsm-stack:traffic:\n{text}"
    written = tidy(text).text
    assert written != text
    assert tidy(text.replace("\n", "\r\n")).text == written.replace("\n", "\r\n")


_RANGES = st.sampled_from(
    ["10.0.0.0/9", "10.128.0.0/9", "10.1.2.3/16", "10.0.0.0/8", "8.8.8.8/32", "127.0.0.1/32"]
)
_NOTE = st.sampled_from(["", "plain words", "a: colon # hash", "it's", 'say "so"', "ünï", "yes"])


@st.composite
def _entries(draw: st.DrawFn) -> str:
    lines = []
    for number in range(draw(st.integers(1, 5))):
        value, reason = draw(_RANGES), draw(_NOTE)
        quoted = "'" + reason.replace("'", "''") + "'"
        shape = draw(st.integers(0, 3)) if reason else draw(st.integers(0, 1))
        lines.append(
            [
                f"      - {value}",
                f'      - "{value}" # note {number}',
                f"      - {{value: {value}, reason: {quoted}}} # note {number}",
                f"      - value: {value}\n        # note {number}\n        reason: {quoted}",
            ][shape]
        )
        if draw(st.booleans()):
            lines.append(f"      # line {number}")
    return "\n".join(lines) + draw(st.sampled_from(["\n", ""]))


@given(_entries())
def test_untouched_lines_and_comments_survive_any_edit(entries: str) -> None:
    """And nothing is left to tidy afterwards."""
    tail = "" if not entries.endswith("\n") else "  fsm-stack:mesh: {name:  m}  # tail\n"
    text = f"{HEAD}  fsm-stack:traffic:\n    outboundIPRangeExclusionList:\n{entries}{tail}"
    found = tidy(text)
    assert found.left == ()
    comments = re.compile(r"# (?:note|line|tail|odd).*")
    assert sorted(comments.findall(found.text)) == sorted(comments.findall(text))
    assert found.text.startswith(HEAD)
    assert found.text.endswith(tail)
    assert tidy(found.text).made == ()
