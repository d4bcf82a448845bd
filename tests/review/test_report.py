"""Reports say the verdict first, fit, and are inert whatever the input holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.findings.finding import sarif
from fsm_stack.review.compare import Comparison
from fsm_stack.review.model import Level, Review, SettingChange, SideName
from fsm_stack.review.reports.page import html_page
from fsm_stack.review.reports.report import (
    MARKDOWN_MAX,
    MARKER,
    code,
    findings_of,
    markdown,
    prose,
    text_lines,
)
from fsm_stack.review.side import of_script

from .sides import review, side, traffic

HOSTILE = "</details><img src=x onerror=alert(1)> ![x](https://evil.example/x.png) [a](javascript:1) @team #12 `` ``` \x1b[31m\u202e ::set-output name=x::y <!-- --> | a\n# Head"
PORT = traffic(
    outboundPortExclusionList=[6379, {"value": 443, "reason": HOSTILE, "owner": HOSTILE}]
)


def dangerous() -> Review:
    found = review(side(), side(**PORT))
    change = SettingChange(
        path=HOSTILE, what="changed", before=HOSTILE, after=HOSTILE, after_place=HOSTILE
    )
    name = SideName(title=HOSTILE, kind="stack", file=HOSTILE)
    return replace(
        found,
        settings=(change,),
        after=name,
        notes=(HOSTILE,),
        undecided=(HOSTILE,),
        headline=HOSTILE,
    )


def outside_of_code(text: str) -> str:
    """Markdown without its code: what could still be a link, a mention or HTML."""
    without_blocks = re.sub(r"^(`{3,})[^`\n]*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", without_blocks)


def test_the_verdict_comes_first_and_details_are_folded() -> None:
    text = markdown(
        review(side(), side(**traffic(outboundPortExclusionList=[6379, 443]))),
        fail_on=Level.MEDIUM,
    )
    lines = text.splitlines()
    assert lines[0] == MARKER
    assert lines[1] == (
        "### Stopped: TCP 443 to any address leaves the mesh on every pod, the cluster's own "
        "ranges included: no mTLS, no policy"
    )
    assert text.count("<details>") == text.count("</details>") == 6
    assert lines.index("**Traffic**") < min(
        i for i, line in enumerate(lines) if "<details>" in line
    )


def test_nothing_is_said_in_a_few_lines() -> None:
    lines = [
        line for line in markdown(review(side(), side()), fail_on=Level.LOW).splitlines() if line
    ]
    assert lines[:3] == [MARKER, "### Passed: Nothing changes", "dev → dev"]


def test_hostile_text_stays_text_in_markdown() -> None:
    text = markdown(dangerous(), fail_on=Level.MEDIUM)
    rest = outside_of_code(text)
    tags = set(re.findall(r"<[^>]*>", rest))
    assert tags <= {MARKER, "<details>", "</details>", "<summary>", "</summary>"}
    assert rest.count("<details>") == rest.count("</details>")
    rest = re.sub(r"&#\d+;", "", rest)
    assert not re.search(r"@\w|#\d|\]\(|!\[|https?://|^# ", rest, flags=re.MULTILINE)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not re.search(r"^::", text, flags=re.MULTILINE)


FORGED = "approved; security-team; until 2026-12-31"


@pytest.mark.parametrize(
    ("notes", "shown"),
    [
        ({"reason": FORGED}, f'"{FORGED}"; no owner'),
        ({"reason": 'ok"; security-team'}, r'"ok\"; security-team"; no owner'),
        ({"reason": "ok", "owner": "ops; until 2026-12-31"}, '"ok"; "ops; until 2026-12-31"'),
    ],
)
def test_no_reason_passes_for_an_owner_or_an_end(notes: dict[str, str], shown: str) -> None:
    """Who reads the comment trusts what stands there as owner and end."""
    entry = {"value": 443, **notes}
    both = Comparison(side(), side(**traffic(outboundPortExclusionList=[6379, entry])))
    found = both.review()
    assert any(line.endswith(f": {shown}") for line in text_lines(found))
    assert f": {prose(shown)}\n" in markdown(found, fail_on=Level.HIGH)
    assert f": {escape(shown)}</p>" in html_page(both, found)


def test_hostile_text_moves_no_cursor_in_a_terminal() -> None:
    for line in text_lines(dangerous()):
        assert line.isprintable(), line
        assert not line.startswith("::")


@given(st.text(max_size=80))
def test_prose_holds_no_markup(text: str) -> None:
    shown = prose(text.replace("\n", " "))
    without = re.sub(r"&#\d+;", "", shown)
    assert not set(without) & set("<>[]`*_|@!~\\")


@given(st.text(alphabet="`ab <\\", max_size=30))
def test_no_text_ends_its_own_code_span(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    inner = span[len(fence[0]) : -len(fence[0])]
    assert span.endswith(fence[0])
    assert fence[0] not in re.findall("`+", inner)


def many(count: int) -> dict[str, Any]:
    entries = [{"value": f"198.{18 + index // 250}.{index % 250}.0/30", "reason": "r" * 300, "owner": "o" * 300}
               for index in range(count)]  # fmt: skip
    profiles = {f"p{index}": {"outboundPortExclusionList": [1000 + index]} for index in range(30)}
    return {"annotationProfiles": profiles} | traffic(outboundIPRangeExclusionList=entries)


@pytest.mark.parametrize("count", [10, 400])
def test_a_report_fits_into_a_comment_whatever_the_input(count: int) -> None:
    text = markdown(review(side(), side(**many(count))), fail_on=Level.MEDIUM)
    assert len(text) <= MARKDOWN_MAX < 60_000
    assert text.count("<details>") == text.count("</details>")
    assert len(re.findall("^````", text, flags=re.MULTILINE)) % 2 == 0


def test_the_tightest_budget_fits_the_worst_input() -> None:
    found = dangerous()
    long = "x" * 5000
    change = replace(
        found.traffic[0], sentence=long, names=(long,) * 50, entries=found.traffic[0].entries * 300
    )
    worst = replace(
        found, headline=long, traffic=(change,) * 300, settings=found.settings * 5000, notes=(long,) * 500,
        undecided=(long,) * 500, assumptions=(long,) * 100, findings=found.findings * 300,
        objects=found.objects * 500, rules=found.rules * 200,
    )  # fmt: skip
    assert len(markdown(worst, fail_on=Level.LOW)) <= MARKDOWN_MAX


def test_the_same_review_gives_the_same_bytes() -> None:
    first, again = (review(side(), side(**many(30))) for _ in range(2))
    assert markdown(first, fail_on=Level.LOW) == markdown(again, fail_on=Level.LOW)
    assert text_lines(first) == text_lines(again)
    assert json.dumps(first.as_json()) == json.dumps(again.as_json())


def test_json_holds_the_model() -> None:
    found = review(side(), side(**traffic(outboundPortExclusionList=[6379, 443]))).as_json()
    assert (found["schemaVersion"], found["risk"], found["nothing"]) == (1, "high", False)
    (change,) = found["traffic"]
    assert change["regions"][0]["region"] == {
        "direction": "outbound",
        "protocols": "tcp",
        "interfaces": "any but lo",
        "uids": "any but 1500",
        "sources": "any",
        "destinations": "any but 127.0.0.1/32,203.0.113.0/24",
        "ports": "443",
        "destinationSpans": [[0, 2130706432], [2130706434, 3405803775], [3405804032, 4294967295]],
        "portSpans": [[443, 443]],
    }
    json.dumps(found)


def test_findings_stand_at_the_entry_and_carry_the_risk() -> None:
    found = list(
        findings_of(review(side(), side(**traffic(outboundPortExclusionList=[6379, 443]))))
    )
    (only,) = [item for item in found if item.id == "traffic-bypasses"]
    assert (only.severity.value, only.place.file) == ("error", "Pulumi.dev.yaml")
    assert only.place.path == "traffic.outboundPortExclusionList[1]"
    (result,) = [
        one for one in sarif(found)["runs"][0]["results"] if one["ruleId"] == "traffic-bypasses"
    ]
    assert result["level"] == "error"


@pytest.mark.parametrize(
    ("expected", "ids"),
    [
        (("bypass tcp 443",), set()),
        (("nothing",), {"traffic-bypasses", "change-not-declared"}),
        (("bypass tcp 80", "bypass tcp 443"), {"change-missing"}),
    ],
)
def test_declared_changes_are_no_findings_and_the_rest_is(
    expected: tuple[str, ...], ids: set[str]
) -> None:
    found = review(side(), side(**traffic(outboundPortExclusionList=[6379, 443])), *expected)
    assert {item.id for item in findings_of(found)} == ids


@pytest.mark.parametrize(
    ("before", "after", "message", "severity"),
    [
        (
            {"enrolledNamespaces": [{"name": "demo"}]},
            {},
            "enrolledNamespaces[demo]: new pods of a namespace get no sidecar",
            "warning",
        ),
        (
            traffic(enablePermissiveTrafficPolicyMode=False),
            traffic(enablePermissiveTrafficPolicyMode=True),
            "traffic.enablePermissiveTrafficPolicyMode: services talk to each other without a policy "
            "that allows it",
            "warning",
        ),
    ],
)
def test_what_stops_without_a_connection_is_a_finding_too(
    before: dict[str, Any], after: dict[str, Any], message: str, severity: str
) -> None:
    """Else code scanning shows nothing, and the exit code is 1."""
    found = [
        item
        for item in findings_of(review(side(**before), side(**after)))
        if item.id == "change-weakens"
    ]
    assert (found[0].message, found[0].severity.value) == (message, severity)
    assert found[0].place.file == "Pulumi.dev.yaml"
    assert not [item for item in findings_of(review(side(**before), side(**before)))
                if item.id == "change-weakens"]  # fmt: skip


def test_what_comes_back_is_a_note() -> None:
    found = list(
        findings_of(review(side(**traffic(outboundPortExclusionList=[6379, 443])), side()))
    )
    assert [(item.id, item.severity.value) for item in found] == [("traffic-changes", "info")]


def test_what_cannot_be_told_is_an_error() -> None:
    good = of_script(side().scripts["mesh"], SideName(title="a", kind="script"))
    bad = of_script("*nat\n-A NOWHERE -j ACCEPT\nCOMMIT\n", SideName(title="b", kind="script"))
    assert "change-undecided" in {item.id for item in findings_of(review(good, bad))}
