"""Tables and pictures of the pages hold all that there is, and only that."""

from __future__ import annotations

import re
from datetime import date

import pytest
from click.testing import CliRunner

from fsm_stack.cli.change.flows import flows
from fsm_stack.cli.coverage import picture
from fsm_stack.cli.main import cli
from fsm_stack.findings.catalogue import all_rules
from fsm_stack.findings.finding import Severity
from fsm_stack.flows.formats import FORMATS
from fsm_stack.project.rules_source import of_stack
from fsm_stack.settings.stack_file import load_text
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.why import Cause
from tests.apiserver.apiserver import NEWEST_VERSION
from tests.apiserver.test_guard import OLDEST_VERSION
from tests.pages import ROOT, blocks, text_of
from tests.verify.example import FILE, content

FLOWS = text_of("docs/flows.md")
INJECT = text_of("docs/inject.md")
PREVIEW = text_of("docs/preview.md")
VERIFY = text_of("docs/verify.md")
STEPS = VERIFY.partition("## The guides, step by step")[2].partition("\n## ")[0]


def shown(page: str) -> list[list[str]]:
    """The words of each command of `fsm-stack` that a page shows the answer of."""
    return [
        one.typed.split()
        for block in blocks(page)
        for one in block.commands
        if one.shown is not None and one.typed.startswith("fsm-stack ")
    ]


def helped(*verbs: str) -> str:
    return "".join(CliRunner().invoke(cli, [verb, "--help"]).stdout for verb in verbs)


def test_flows_shows_every_verb_and_every_format() -> None:
    assert [words[2] for words in shown("docs/flows.md")] == list(flows.commands)
    table = FLOWS[FLOWS.index("| format |") :].split("\n\n")[0]
    assert table.count("\n") == len(FORMATS) + 1


def test_every_option_of_flows_exists() -> None:
    known = {
        option
        for command in flows.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    assert set(re.findall(r"`(--[a-z-]+)", FLOWS)) - known == set()


def test_every_finding_and_option_of_inject_exists() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \|", INJECT, flags=re.MULTILINE))
    assert len(named) == 6
    assert named <= set(all_rules())
    prose = re.sub(r"```.*?```", "", INJECT, flags=re.DOTALL)
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose))
    assert len(options) == 10
    known = helped("lint", "inject", "annotate")
    assert {option for option in options if option not in known} == set()


def test_preview_shows_every_verb_about_traffic() -> None:
    verbs = {words[1] for words in shown("docs/preview.md")}
    assert verbs == {"trace", "coverage", "rules", "read", "tidy"}


def test_every_option_of_preview_exists() -> None:
    options = {
        name
        for row in re.findall(r"^\| (`--.*?) \|", PREVIEW, flags=re.MULTILINE)
        for name in re.findall(r"`(--[a-z-]+)", row)
    }
    assert len(options) == 9
    known = helped("trace")
    assert {option for option in options if option not in known} == set()


def test_the_picture_is_of_the_committed_environment() -> None:
    """Drawn as of a day, since an entry that ends is marked once it is past."""
    drawn = (ROOT / "docs" / "pictures" / "coverage-prod.svg").read_text(encoding="utf-8")
    assert drawn == picture(of_stack(ROOT, "prod"), date(2026, 11, 28))


def test_the_risk_that_the_review_page_takes_counts_again_after_its_end() -> None:
    """An entry with an end, and the finding about it accepted up to the same day."""
    section = text_of("docs/review.md").partition("## Take a risk on purpose")[2]
    example = section.partition("```yaml\n")[2].partition("```")[0]
    head = "config:\n  fsm-stack:fsmVersion: 1.5.1\n"
    head += "  fsm-stack:cluster: {podRanges: [10.244.0.0/16], serviceRanges: [10.96.0.0/16]}\n"

    def found(today: date) -> list[str]:
        loaded = load_text(head + example, file="Pulumi.x.yaml", today=today)
        return sorted(one.id for one in loaded.findings if one.severity is Severity.WARNING)

    assert found(date(2027, 6, 30)) == []
    assert found(date(2027, 7, 1)) == ["accept-expired", "bypass-expired", "excludes-mesh-port"]


def test_the_guards_page_names_the_versions_that_its_tests_ask() -> None:
    said = re.search(r"ask API servers of ([\d., and]+)", text_of("docs/guard.md"))
    assert said is not None
    versions = re.findall(r"\d+\.\d+", said[1])
    ends = (one.removeprefix("v").rpartition(".")[0] for one in (OLDEST_VERSION, NEWEST_VERSION))
    assert [versions[0], versions[-1]] == list(ends)


def test_the_mesh_of_the_pages_is_current() -> None:
    """Mended by: .venv/bin/python -m tests.verify.example."""
    assert FILE.read_bytes() == content()


@pytest.mark.requirement("C23", "C24", "C30", "C31")
def test_every_check_stands_beside_a_step_or_a_question() -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", STEPS))
    assert {check.id for check in CHECKS} - named == set()
    assert [row for row in STEPS.splitlines() if re.match(r"\| [^|]*\| [1-3]\. ", row)] != []
    assert len(re.findall(r"\| [1-3]\. ", STEPS)) == 7


def test_every_cause_is_explained() -> None:
    table = VERIFY.partition("| cause | what it means |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"\| `([a-z-]+)` \|", table))
    assert set(Cause.__args__) - explained == set()  # type: ignore[attr-defined]  # Literal
