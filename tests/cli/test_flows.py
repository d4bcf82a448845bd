"""The verb as a user runs it: a project, logs in files, the report."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from fsm_stack.cli.change.flows import _FORMATS, _Progress
from fsm_stack.cli.main import cli
from fsm_stack.flows.formats import FORMATS
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.rulebook import Rulebook
from fsm_stack.project import flow_files
from fsm_stack.project.flow_files import Logs, read_logs
from tests.flows import given
from tests.flows.given import Flow

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from .conftest import Run

FLOWS = [
    *(Flow(target="203.0.113.7", port=443, size=1000, at=given.START + n) for n in range(3)),
    Flow(target="52.1.2.3", port=6379, size=50_000),
    Flow(target="52.1.2.3", port=443, size=70),
    Flow(source="52.9.9.9", target="10.128.0.1", port=8080, way="inbound", at=given.START + 86400),
]


@pytest.fixture
def flows(run: Run, project: Path) -> Run:
    (project / "Pulumi.prod.yaml").write_text(given.STACK)
    (project / "vpc.log").write_bytes(given.log("vpc", FLOWS))

    def started(verb: str, *arguments: str) -> Result:
        return run("flows", verb, "prod", "-C", str(project), *arguments)

    return started


def test_replay_says_what_was_read_and_what_becomes_of_it(flows: Run, project: Path) -> None:
    file = project / "vpc.log"
    result = flows("replay", "--flows", str(file))
    assert result.exit_code == 0
    assert result.stdout == (
        "prod: 6 records of 1 log, AWS VPC flow log\n"
        "  from 2026-11-16T00:00:00Z to 2026-11-17T00:00:00Z: 1.0 days\n"
        "  AWS VPC flow log: destinations are those after kube-proxy's choice; counts are of rows "
        "that start a connection\n"
        "  an address of a pod may stand for a Service's: where the two differ, the verdict is "
        "'may', and its port is taken for the Service's; --objects with Services and "
        "EndpointSlices decides both\n"
        "  pods are taken as without annotations; --objects tells each one's\n"
        "\n"
        "outbound: 4 connections, 53.0 kB past the sidecar\n"
        "outbound: 1 connection, 70 B through the sidecar\n"
        "inbound: 1 connection, 100 B through the sidecar\n"
        "\n"
        "past the sidecar, the biggest first\n"
        "  10.128.0.1 to 52.1.2.3:6379: 1 connection, 50.0 kB; "
        "traffic.outboundPortExclusionList[0] 6379\n"
        "  10.128.0.1 to 203.0.113.7:443: 3 connections, 3.0 kB; "
        "traffic.outboundIPRangeExclusionList[1] 203.0.113.0/24\n"
        "\n"
        "through the sidecar, the biggest first\n"
        "  10.128.0.1 port 8080 from 52.9.9.9: 1 connection, 100 B\n"
        "  10.128.0.1 to 52.1.2.3:443: 1 connection, 70 B\n"
    )


def test_replay_against_another_side_exits_with_1_for_a_change(flows: Run, project: Path) -> None:
    old = project / "old.yaml"
    old.write_text(given.STACK.replace("[6379, 9092]", "[9092]"))
    result = flows("replay", "--flows", str(project / "vpc.log"), "--against", "old.yaml")
    assert result.exit_code == 1
    assert (
        "changes against old.yaml\n"
        "  outbound: 1 connection, 50.0 kB: through the sidecar before, past the sidecar now\n"
        "\n"
        "what changes its side, the biggest first\n"
        "  10.128.0.1 to 52.1.2.3:6379: 1 connection, 50.0 kB; "
        "traffic.outboundPortExclusionList[0] 6379\n"
    ) in result.stdout
    data = document(
        flows("replay", "--flows", str(project / "vpc.log"), "--against", "old.yaml", "-o", "json")
    )
    assert [(item["before"], item["now"], item["peer"]) for item in data["flows"]] == [
        ("through", "bypass", "52.1.2.3")
    ]


def test_replay_against_a_revision(flows: Run, project: Path) -> None:
    for words in (
        ("init", "-q"), ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"),
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=project, check=True)
    (project / "Pulumi.prod.yaml").write_text(given.STACK.replace("6379, ", ""))
    result = flows("replay", "--flows", str(project / "vpc.log"), "--against", "HEAD")
    assert result.exit_code == 1
    assert "past the sidecar before, through the sidecar now" in result.stdout


def test_evidence_names_unused_and_wide_entries(flows: Run, project: Path) -> None:
    result = flows("evidence", "--flows", str(project / "vpc.log"))
    assert result.exit_code == 0
    assert "observed for 1.0 days only: what happens once a month is not in it\n" in result.stdout
    assert (
        "traffic.outboundIPRangeExclusionList[1] 203.0.113.0/24: 3 connections, 3.0 kB; last "
        "2026-11-16T00:00:02Z; 1 of 256 addresses\n    by 10.128.0.1\n    to 203.0.113.7\n"
    ) in result.stdout
    assert (
        "Pulumi.prod.yaml:12:39 traffic.outboundPortExclusionList[1]: warning: no connection in 1.0 days "
        "used 9092 [bypass-unused]\n"
    ) in result.stdout
    assert "[bypass-wider-than-used]" in result.stdout
    strict = flows("evidence", "--flows", str(project / "vpc.log"), "--fail-on", "warning")
    assert strict.exit_code == 1


def test_used_entries_are_no_finding(flows: Run, project: Path) -> None:
    (project / "Pulumi.prod.yaml").write_text(
        "config:\n  fsm-stack:cluster: {podRanges: [10.128.0.0/14]}\n"
        "  fsm-stack:traffic: {outboundIPRangeExclusionList: [203.0.113.7/32]}\n"
    )
    result = flows(
        "evidence", "--flows", str(project / "vpc.log"), "--fail-on", "info", "-o", "json"
    )
    data = document(result)
    assert (result.exit_code, data["findings"]) == (0, [])
    assert [(item["status"], item["connections"]) for item in data["entries"]] == [("used", 3)]


def test_recommend_shows_the_change_and_writes_it_on_request(flows: Run, project: Path) -> None:
    log, stack = str(project / "vpc.log"), project / "Pulumi.prod.yaml"
    shown = flows("recommend", "--flows", log)
    assert shown.exit_code == 1
    assert "+      - {value: 203.0.113.7/32, " in shown.stdout
    assert stack.read_text() == given.STACK
    written = flows("recommend", "--flows", log, "--write")
    assert written.exit_code == 0
    assert "no bypassed connection of these logs is lost" in written.stdout
    text = stack.read_text()
    assert "203.0.113.7/32" in text
    assert "# metadata" in text
    (project / "before.yaml").write_text(given.STACK)
    same = flows("replay", "--flows", log, "--against", "before.yaml")
    assert same.exit_code == 0
    assert "no connection of these logs changes its side against before.yaml" in same.stdout
    again = flows("recommend", "--flows", log)
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "prod: nothing to narrow")


def test_a_list_that_stays_gives_nothing_back_and_proves_no_contract(
    flows: Run, project: Path
) -> None:
    """Its text is an anchor that something else reads, too."""
    stack = given.STACK.replace("[6379, 9092]", "&ports [6379, 9092]")
    stack = stack.replace("[6380]", "*ports")
    (project / "Pulumi.prod.yaml").write_text(stack)
    unused = Flow(target="52.1.2.4", port=9093, size=70)
    (project / "vpc.log").write_bytes(given.log("vpc", [*FLOWS, unused]))
    result = flows("recommend", "--flows", str(project / "vpc.log"), "-o", "json", "--contracts")
    found = json.loads(result.stdout)
    shared = [one["path"] for one in found["left"] if "shared" in one["why"]]
    assert shared == ["traffic.outboundPortExclusionList"]
    edited = {"traffic.inboundPortExclusionList", "traffic.outboundIPRangeExclusionList"}
    assert {one["path"] for one in found["lists"]} == edited
    assert {one.partition(":")[0] for one in found["back"]} == edited


def test_a_bad_record_is_told_once_with_its_line_and_without_its_content(
    flows: Run, project: Path
) -> None:
    file = project / "mixed.log"
    bad = f"{given.SECRET} {given.SECRET}\n".encode()
    file.write_bytes(given.log("vpc", FLOWS) + bad + bad)
    result = flows("replay", "--flows", str(file))
    assert (
        f"  {file}:8: 2 bad records, skipped; the first: expected 29 fields, got 2\n"
        in result.stdout
    )
    assert given.SECRET not in result.stdout


def test_format_names_every_format_that_is_read() -> None:
    """The command line has the names by itself: it does not load the readers for its help."""
    assert tuple(FORMATS) == _FORMATS


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("verb", ["replay", "evidence", "recommend"])
def test_secrets_of_a_log_appear_nowhere(kind: str, verb: str, flows: Run, project: Path) -> None:
    """Bodies, headers and paths of requests stand in these logs, whole and cut off."""
    file = project / f"{kind}.log"
    whole = given.log(kind, FLOWS)
    file.write_bytes(whole + whole[: len(whole) // 2] + b"\n" + given.SECRET.encode() + b"\n")
    page = project / "page.html"
    drawn = ("--html", str(page)) if verb == "replay" else ()
    for output in ("text", "json"):
        result = flows(verb, "--flows", str(file), "-o", output, *drawn)
        assert given.SECRET not in result.output
        assert not drawn or given.SECRET not in page.read_text()
        assert result.exit_code in (0, 1) or "hold only what a sidecar took" in result.stderr


def test_standard_input_and_gzip_are_read(
    flows: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(given.log("csv", FLOWS))
    (project / "logs").mkdir()
    (project / "logs" / "one.gz").write_bytes(packed)
    (project / "logs" / "two.json").write_bytes(given.log("hubble", FLOWS))
    found = flows("replay", "--flows", str(project / "logs")).stdout.splitlines()[0]
    assert found == "prod: 12 records of 2 logs, CSV, Hubble flows"
    for given_bytes in (packed, given.log("csv", FLOWS)):
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given_bytes)))  # type: ignore[arg-type]
        monkeypatch.setattr(flow_files.sys, "stdin", stdin)
        judge = Judge(Rulebook(given.settings(), given.TODAY))
        tally, (log,) = read_logs(Logs(paths=("-",)), judge)
        assert (log.name, log.counted.records) == ("standard input", 6)
        assert tally.total().rows == 6


def test_a_compressed_log_that_ends_early_counts_until_there(flows: Run, project: Path) -> None:
    many = [Flow(target=f"52.{n % 250}.{n % 13}.9", port=443, size=n) for n in range(30_000)]
    packed = gzip.compress(given.log("vpc", many))
    (project / "cut.gz").write_bytes(packed[: len(packed) // 2])
    data = document(flows("replay", "--flows", str(project / "cut.gz"), "-o", "json"))
    assert data["logs"][0]["cut"] is True
    assert 1000 < data["logs"][0]["records"] < 30_000


def test_a_log_named_twice_is_read_once(flows: Run, project: Path) -> None:
    file = str(project / "vpc.log")
    (project / "link.log").symlink_to(file)
    data = document(
        flows("replay", "--flows", file, "--flows", f"{project}/./link.log", "-o", "json")
    )
    assert [log["records"] for log in data["logs"]] == [6]


@pytest.mark.parametrize("kind", ["vpc", "hubble", "csv"])
def test_a_log_in_parts_says_the_same_as_the_whole(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a part begins, each line is read once, and bad ones have the log's line number."""
    many = [
        Flow(target=f"203.0.113.{n % 99}", port=443, size=n, at=given.START + n)
        for n in range(500)
    ]
    lines = given.log(kind, many).split(b"\n")
    lines[400] = b"no record"
    (tmp_path / "log").write_bytes(b"\n".join(lines))

    def whole(part: int, jobs: int) -> tuple[Any, Any]:
        monkeypatch.setattr(flow_files, "_PART_MIN", part)
        judge = Judge(Rulebook(given.settings(), given.TODAY))
        tally, (log,) = read_logs(Logs(paths=(str(tmp_path / "log"),), jobs=jobs), judge)
        return tally, log

    expected = whole(1 << 30, 1)
    assert expected[1].counted.bad == 1
    assert expected[1].counted.first_bad[0] == 401
    for part in (1000, 1777, 4096):
        assert whole(part, 1) == expected
    assert whole(10_000, 2) == expected


@pytest.mark.parametrize("block", [1, 7, 64, 100])
def test_a_part_that_ends_with_a_block_loses_no_line(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever blocks, parts and lines end."""
    text = b"".join(b"%d\n" % number * (1 + number % 3) for number in range(60))
    (tmp_path / "log").write_bytes(text)
    monkeypatch.setattr(flow_files, "_BLOCK", block)
    for size in range(1, 130):
        found = b""
        for start in range(0, len(text), size):
            with (tmp_path / "log").open("rb") as stream:
                end = min(start + size, len(text))
                found += b"".join(flow_files._range(stream, start, end))
        assert found == text


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(given.log("csv", FLOWS))
    told: list[tuple[int, int]] = []
    judge = Judge(Rulebook(given.settings(), given.TODAY))
    read_logs(
        Logs(paths=(str(tmp_path / "log"),)), judge, progress=lambda *done: told.append(done)
    )
    size = (tmp_path / "log").stat().st_size
    assert told[-1] == (size, size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--flows", "nowhere.log"), "nowhere.log: no such file"),
        (("--flows", "vpc.log", "--profile", "bach"),
         "--profile 'bach': no such profile; did you mean 'batch'?"),
        (("--flows", "vpc.log", "--format", "istio"),
         "vpc.log: expected Istio access log; no record of it in the head"),
        (("--flows", "vpc.log", "--fields", "srcaddr"), "VPC flow log: expected the fields"),
        (("--flows", "Pulumi.yaml"), "Pulumi.yaml: no flow log that is known; expected one of"),
        (("--flows", "vpc.log", "--objects", "vpc.log"),
         "vpc.log: expected a saved snapshot, JSON or YAML of kubectl get -o"),
        (("--flows", "vpc.log", "--against", "gone"), "expected a Git repository"),
    ],
)  # fmt: skip
def test_bad_input_is_told_with_what_was_expected(
    arguments: tuple[str, ...],
    message: str,
    flows: Run,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project)
    result = flows("replay", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_empty_log_is_no_error(flows: Run, project: Path) -> None:
    (project / "empty.log").write_bytes(b"")
    result = flows("replay", "--flows", str(project / "empty.log"))
    assert result.exit_code == 0
    assert "0 records of 1 log, nothing in them" in result.stdout
    assert "no connection was judged" in result.stdout
    refused = flows("recommend", "--flows", str(project / "empty.log"))
    assert refused.exit_code == 2


def test_progress_with_rate_and_remaining_time_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    clock = iter([10.0, 12.0, 12.1, 14.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = _Progress()
    progress(2_000_000, 10_000_000)
    progress(3_000_000, 10_000_000)
    progress(5_000_000, 10_000_000)
    progress.clear()
    assert terminal.getvalue() == (
        "\r\x1b[K20 % read, 1.0 MB/s, 8 s left\r\x1b[K50 % read, 1.2 MB/s, 4 s left\r\x1b[K"
    )


def test_objects_may_be_a_file_of_kubectl(flows: Run, project: Path) -> None:
    (project / "objects.json").write_text(
        given.objects(
            given.pod("web", "10.128.0.1"),
            given.service("redis", "172.30.7.7", {"tcp": 6390}),
            given.slice_of("redis", ["10.130.0.5"], {"tcp": 8080}),
        )
    )
    (project / "more.log").write_bytes(given.log("vpc", [Flow(target="10.130.0.5", port=8080)]))
    data = document(
        flows("replay", "--flows", str(project / "more.log"), "-o", "json",
              "--objects", str(project / "objects.json"))
    )  # fmt: skip
    (flow,) = data["flows"]
    assert (flow["workload"], flow["peer"], flow["service"], flow["port"], flow["now"]) == (
        "Deployment/shop/web", "172.30.7.7", "shop/redis", 6390, "bypass"
    )  # fmt: skip
    assert json.dumps(data).count("may stand for a Service") == 0


def test_contracts_are_proposed_that_every_connection_keeps(flows: Run, project: Path) -> None:
    """What is proposed is kept on the day that it is pasted: the other verb proves it."""
    file = project / "more.log"
    file.write_bytes(given.log("vpc", [*FLOWS, Flow(target="10.130.0.5", port=5432)]))
    log = ("--flows", str(file), "--addresses", "original")
    data = document(flows("recommend", *log, "--contracts", "-o", "json"))
    assert [
        (one["traffic"], one["verdict"], one.get("exceptProfiles", []))
        for one in data["contracts"]
    ] == [
        ("tcp 5432 to pods,services", "always", []),
        ("inbound tcp 8080", "always", []),
        ("tcp to 203.0.113.7/32", "never", []),
        ("tcp 6379", "never", []),
    ]
    assert data["contracts"][0]["reason"] == (
        "1 connection, 100 B seen 2026-11-16 to 2026-11-16, all through the sidecar"
    )
    assert data["contracts"][2]["owner"] == "payments"
    shown = flows("recommend", *log, "--contracts", "--write").stdout
    text = shown[shown.index("fsm-stack:contracts:") :].split("\n\n")[0]
    stack = project / "Pulumi.prod.yaml"
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    stack.write_text(f"{stack.read_text()}{indented}")
    proved = CliRunner().invoke(cli, ["contracts", "prod", "-C", str(project)])
    assert (proved.exit_code, "4" in proved.stdout) == (0, True)
    again = document(flows("recommend", *log, "--contracts", "-o", "json"))
    assert again["contracts"] == []


def test_the_page_shows_entries_to_scale_and_nothing_of_a_log_is_markup(
    flows: Run, project: Path
) -> None:
    hostile = "</td><script>alert(1)</script>"
    rows = [
        "time,source,destination,port,direction,bytes,workload",
        f"2026-11-16T00:00:00Z,10.128.0.1,203.0.113.7,443,outbound,4000,Deployment/shop/{hostile}",
        "2026-11-16T00:00:00Z,10.128.0.1,52.1.2.3,443,outbound,8000,Deployment/shop/web",
        "2026-11-16T00:00:00Z,10.128.0.1,10.130.0.5,443,outbound,2000,Deployment/shop/web",
    ]
    (project / "rows.csv").write_text("\n".join(rows))
    page = project / "page.html"
    result = flows(
        "replay", "--flows", str(project / "rows.csv"), "--html", str(page), "--against",
        "Pulumi.prod.yaml",
    )  # fmt: skip
    assert result.exit_code == 0
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text
    widths = [
        line.split('class="')[1].split('"')[0] + " " + line.split('width="')[1].split('"')[0]
        for line in text.splitlines()
        if line.startswith("<rect")
    ]
    assert widths == ["through 640.0", "past 320.0", "may 160.0"]
    assert "No connection of these logs changes its side." in text
