"""``fsm-stack fleet`` on this repository's own environments, and on fleets that have troubles."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.review.reports.fleet import digest_of

from .conftest import document

if TYPE_CHECKING:
    from click.testing import Result

    from .conftest import Run

ROOT = Path(__file__).parents[2]
MESH = ROOT / "docs/examples/mesh.jsonl"
HOSTILE = "</td><script>alert(1)</script><img src=https://evil.example/x> \x1b[31m\u202e&amp;"


class Project:
    """The environments of this repository, copied, so that a test may change them."""

    def __init__(self, directory: Path, run: Run) -> None:
        self.directory, self._run = directory, run
        for name in ("Pulumi.yaml", "fsm-stack.yaml", *(f"Pulumi.{s}.yaml" for s in STACKS)):
            shutil.copy(ROOT / name, directory)

    def fleet(self, *words: str) -> Result:
        return self._run("fleet", "-C", str(self.directory), *words)

    def change(self, old: str, new: str, file: str = "Pulumi.dev.yaml") -> None:
        path = self.directory / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def rows(self, *words: str) -> dict[str, Any]:
        return {row["stack"]: row for row in document(self.fleet("-o", "json", *words))["stacks"]}


STACKS = ("dev", "prod", "staging")


@pytest.fixture
def fleet(tmp_path: Path, run: Run) -> Project:
    directory = tmp_path / "fleet"
    directory.mkdir()
    return Project(directory, run)


def test_every_stack_is_told_with_what_it_owes(fleet: Project) -> None:
    done = fleet.fleet()
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "3 stacks of fsm 1.5.1, 9 distinct scripts, none with errors, 11 entries without an owner"
    )
    start = lines.index("prod: fsm 1.5.1 (Pulumi.prod.yaml)")
    told = [line for line in lines[start + 1 :] if line.startswith("  ")]
    assert told[0] == "  findings:   1 info; 1 accepted"
    assert told[1] == "  contracts:  2, all kept"
    assert told[2] == "  bypasses:   10 entries, 2 without an owner"
    assert told[3] == "  differs:    is the reference"
    assert told[4].startswith("  scripts:    mesh ")
    assert (
        '    mesh outboundIPRangeExclusionList 203.0.113.0/24: "card processor, pinned certificates"; '
        "payments-team; until 2027-06-30"
    ) in told
    assert (
        '    operator outboundIPRangeExclusionList 172.30.0.1/32: "the Kubernetes API server"; a preset'
        in told
    )


def test_equal_scripts_are_one_with_everybody_who_gets_it(fleet: Project) -> None:
    """The digest is of the text that `render` writes."""
    found = document(fleet.fleet("-o", "json"))
    script = (ROOT / "rendered/dev/redirection/mesh.sh").read_text(encoding="utf-8")
    assert found["scripts"][digest_of(script)] == ["dev mesh", "dev redis-client"]
    assert len(found["scripts"]) == 9
    assert {row["version"] for row in found["stacks"]} == {"1.5.1"}
    assert found["reference"] == "prod"


def test_a_broken_contract_is_an_error_of_its_stack(fleet: Project) -> None:
    fleet.change("[6379, 7070]", "[6379, 7070, 5432]")
    done = fleet.fleet()
    assert done.exit_code == 1
    assert "  contracts:  2, 1 not kept" in done.stdout.splitlines()
    assert "1 with errors" in done.stdout.splitlines()[0]
    rows = fleet.rows()
    assert [one["contract"] for one in rows["dev"]["broken"]] == [
        "tcp 5432,3306 to pods over eth0: always"
    ]
    assert (rows["dev"]["worst"], rows["staging"]["worst"]) == ("error", "info")


def test_a_difference_that_nobody_listed_is_told(fleet: Project) -> None:
    fleet.change("{path: observability, reason: dev logs more}", "{path: mesh, reason: x}",
                 "fsm-stack.yaml")  # fmt: skip
    done = fleet.fleet()
    assert done.exit_code == 1
    (row,) = [row for row in fleet.rows().values() if row["unlisted"]]
    assert row["stack"] == "dev"
    assert {one["id"] for one in row["unlisted"]} == {"environment-differs"}
    listed = row["differs"] - len(row["unlisted"])
    assert f"  differs:    {listed} as listed, {len(row['unlisted'])} not listed" in done.stdout


def test_without_a_reference_nothing_is_said_of_differences(fleet: Project) -> None:
    (fleet.directory / "fsm-stack.yaml").unlink()
    done = fleet.fleet()
    assert done.exit_code == 0
    assert "differs:" not in done.stdout
    assert {row["differs"] for row in fleet.rows().values()} == {None}


def test_an_entry_past_its_day_stops_where_warnings_do(fleet: Project) -> None:
    day = datetime.now(UTC).date() - timedelta(days=1)
    fleet.change("[6379, 7070]", f'[6379, {{value: 7070, reason: x, owner: y, until: "{day}"}}]')
    assert fleet.fleet().exit_code == 0
    done = fleet.fleet("--fail-on", "warning")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "  bypasses:   7 entries, 5 without an owner, 1 past the last day" in lines
    assert f'    mesh outboundPortExclusionList 7070: "x"; y; until {day} (past)' in lines


def test_a_stack_that_does_not_validate_hides_no_other(fleet: Project) -> None:
    fleet.change("[6379, 7070]", "[6379, 70000]")
    done = fleet.fleet()
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    start = lines.index("dev (Pulumi.dev.yaml)")
    assert lines[start + 1].startswith("  findings:   1 error")
    assert any("[invalid-port]" in line for line in lines[start + 2 : lines.index("", start)])
    assert "staging: fsm 1.5.1 (Pulumi.staging.yaml)" in lines


def test_a_snapshot_says_what_runs(fleet: Project) -> None:
    done = fleet.fleet("--from", f"dev={MESH}")
    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  cluster:")]
    assert line.startswith(
        "  cluster:    dev at 2026-07-01T12:00:00Z: 3 pods with 2 scripts, 1 with one that is not "
        "declared; "
    )
    assert "a pod runs with rules older than the settings (pod demo/cart-5b8d6c-k4d)" in line
    cluster = fleet.rows("--from", f"dev={MESH}")["dev"]["cluster"]
    assert cluster["pods"] == 3
    assert sorted(cluster["scripts"].values()) == [1, 2]
    assert "pod-stale" in {one["id"] for one in cluster["findings"]}
    assert cluster["complete"] is True


def test_a_snapshot_that_lacks_a_part_is_not_all_well(fleet: Project) -> None:
    """Nothing was found, since nothing was read: that is neither good nor bad."""
    head = json.loads(MESH.read_text(encoding="utf-8").splitlines()[0])
    part = fleet.directory / "part.jsonl"
    part.write_text(json.dumps(head | {"read": []}) + "\n", encoding="utf-8")
    done = fleet.fleet("--from", f"dev={part}")
    assert done.exit_code == 3
    assert fleet.rows("--from", f"dev={part}")["dev"]["cluster"]["complete"] is False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mesh.jsonl", "--from 'mesh.jsonl': expected STACK=FILE, as in dev=dev.jsonl"),
        ("dev=", "--from 'dev=': expected STACK=FILE, as in dev=dev.jsonl"),
        ("prd=x", "--from 'prd=x': no such stack; did you mean 'prod'?"),
        ("dev=missing.jsonl", "missing.jsonl"),
    ],
)
def test_a_snapshot_that_is_none_of_its_stack_is_bad_input(
    fleet: Project, given: str, said: str
) -> None:
    done = fleet.fleet("--from", given)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_snapshot_of_another_cluster_is_refused(fleet: Project) -> None:
    fleet.change("fsm-stack:cluster:\n", "fsm-stack:cluster:\n    context: kind-dev\n")
    done = fleet.fleet("--from", f"dev={MESH}")
    assert done.exit_code == 2
    assert "kind-dev" in done.stderr


def test_the_page_holds_everything_and_runs_nothing(fleet: Project) -> None:
    """Whatever somebody wrote as a reason is text on it."""
    entry = f'{{value: 7070, reason: "{HOSTILE}", owner: "{HOSTILE}"}}'
    entry = entry.replace("\x1b", "\\e").replace("\u202e", "\\u202e")
    fleet.change("[6379, 7070]", f"[6379, {entry}]")
    page = fleet.fleet("-o", "html", "--from", f"dev={MESH}").stdout
    assert page.startswith("<!doctype html>")
    assert page.count("<script") == 0
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page
    assert not set("\x1b\u202e") & set(page)
    assert "default-src 'none'; style-src 'sha256-" in page
    tags = re.findall(r"<[a-z][^>]*>", page)
    assert [tag for tag in tags if "src=" in tag or re.search('href="(?!#)', tag)] == []
    assert "@media (prefers-color-scheme: dark)" in page
    assert [page.count(f"<h2>{name} ") for name in STACKS] == [1, 1, 1]


def test_the_report_is_the_same_every_time(fleet: Project) -> None:
    for form in ("text", "json", "html"):
        assert fleet.fleet("-o", form).stdout == fleet.fleet("-o", form).stdout
