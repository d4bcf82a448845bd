"""An engine scans and groups; the verdicts and the evidence are those of the same rows as a log."""

# ruff: noqa: S608  # the statements are of the test's own files
from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from fsm_stack.errors import InputError
from fsm_stack.flows.arrow import take_batches, verdicts
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.objects import Assumed
from fsm_stack.flows.rulebook import Rulebook
from tests.flows import given
from tests.flows.given import Flow
from tests.flows.test_judge import replayed
from tests.recordings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = [
    Flow(
        source=f"10.128.0.{n % 7}",
        target=("203.0.113.7", "52.1.2.3", "10.130.0.5", "169.254.169.254")[n % 4],
        port=(443, 6379, 9092)[n % 3], size=n, at=given.START + n,
    )
    for n in range(2000)
]  # fmt: skip
GROUPS = """
    SELECT source, destination, port, direction, count(*) AS rows, count(*) AS connections,
           sum(bytes)::BIGINT AS bytes, min(time) AS first, max(time) AS last
    FROM '{file}' GROUP BY ALL
"""


@pytest.fixture
def parquet(tmp_path: Path) -> str:
    file = tmp_path / "flows.parquet"
    (tmp_path / "flows.csv").write_bytes(given.log("csv", FLOWS))
    duckdb.sql(
        f"COPY (SELECT * FROM read_csv('{tmp_path}/flows.csv', types={{'time': 'TIMESTAMP'}})) "
        f"TO '{file}' (FORMAT parquet)"
    )
    return str(file)


def judge() -> Judge:
    return Judge(Rulebook(given.settings(), given.TODAY), assumed=Assumed())


def test_groups_of_an_engine_say_what_the_log_says(parquet: str) -> None:
    known = judge()
    done = take_batches(duckdb.sql(GROUPS.format(file=parquet)).to_arrow_reader(500), known)
    assert done.bad == 0
    assert known.finish() == replayed(given.log("csv", FLOWS))


def test_verdicts_join_with_the_rows_that_have_the_destination(parquet: str) -> None:
    asked = f"SELECT DISTINCT source, destination, port, direction FROM '{parquet}'"
    told = pa.Table.from_batches(verdicts(duckdb.sql(asked).to_arrow_reader(100), judge()))
    assert told.column_names[-2:] == ["verdict", "entry"]
    sides = duckdb.sql(
        f"SELECT verdict, count(*), sum(bytes)::BIGINT FROM '{parquet}' JOIN told "
        "USING (source, destination, port, direction) GROUP BY verdict"
    ).fetchall()
    expected = {
        now: (total.rows, total.bytes)
        for (_, _, now), total in replayed(given.log("csv", FLOWS)).sides.items()
    }
    assert {verdict: (rows, size) for verdict, rows, size in sides} == expected
    entries = {row["entry"] for row in told.to_pylist() if row["destination"] == "203.0.113.7"}
    assert "traffic.outboundIPRangeExclusionList[1]" in entries


def test_numbers_do_for_addresses_and_times(parquet: str) -> None:
    del parquet
    batch = pa.RecordBatch.from_pydict(
        {"dst": [0xCB007107, 1 << 32, None], "dst_port": [443, 443, 443],
         "first": [given.START] * 3, "last": [given.START + 9.5] * 3,
         "direction": ["egress"] * 3}
    )  # fmt: skip
    known = judge()
    done = take_batches([batch], known)
    assert (done.records, done.bad, done.first_bad) == (3, 2, (2, "expected an IP address"))
    ((flow, total),) = known.finish().flows.items()
    assert flow[1:4] == ("unknown", 0xCB007107, 443)
    assert (total.rows, total.connections, total.last) == (1, 1, given.START + 9.5)


def test_what_is_no_pods_has_no_verdict() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"source": ["192.0.2.1", "10.128.0.1", "10.128.0.1"],
         "destination": ["192.0.2.2", "2001:db8::1", "203.0.113.1"], "port": [1, 2, 3]}
    )  # fmt: skip
    (told,) = verdicts([batch], judge())
    assert told.column("verdict").to_pylist() == [None, None, "bypass"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["time", "port"],
            "Arrow batches: expected columns destination, port; missing: destination",
        ),
        (["destination", "port"], "Arrow batches: expected columns first and last, or time"),
    ],
)
def test_columns_that_are_needed_are_named(columns: list[str], message: str) -> None:
    batch = pa.RecordBatch.from_pydict({name: [1] for name in columns})
    with pytest.raises(InputError) as error:
        take_batches([batch], judge())
    assert str(error.value) == message


def test_the_example_says_of_parquet_what_the_verb_says_of_text(tmp_path: Path) -> None:
    """The same rows, once as AWS writes them in text and once in Parquet."""
    text = tmp_path / "vpc.log"
    back = (
        given.vpc(FLOWS[0]).replace("egress", "ingress").replace(" 2 IPv4 ", " 18 IPv4 ").split()
    )
    back[19], back[20] = back[20], back[19]
    back[5], back[6] = back[6], back[5]
    rows = [*map(given.vpc, FLOWS), " ".join(back)]
    text.write_text("\n".join([given.V5, *rows]))
    duckdb.sql(
        f'COPY (SELECT * RENAME ("tcp-flags" AS tcp_flags, "pkt-srcaddr" AS pkt_srcaddr, '
        f'"pkt-dstaddr" AS pkt_dstaddr, "flow-direction" AS flow_direction) FROM '
        f"read_csv('{text}', delim=' ')) TO '{tmp_path}/vpc.parquet' (FORMAT parquet)"
    )
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(given.STACK)

    def printed(*words: str) -> list[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, check=True, text=True,
            capture_output=True,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        return lines[lines.index("") :]

    main = "import fsm_stack.cli.main as verb; verb.main()"
    verb = printed("-c", main, "flows", "replay", "prod", "--flows", "vpc.log")
    assert verb[1].startswith("outbound: ")
    assert printed(str(ROOT / "examples" / "flows_duckdb.py"), "prod", "vpc.parquet") == verb


def test_what_is_not_tcp_is_no_connection_of_a_batch_either() -> None:
    batch = pa.RecordBatch.from_pydict({
        "destination": ["203.0.113.7"] * 5, "port": [443] * 5, "time": [given.START] * 5,
        "protocol": ["17", "6", "udp", "TCP", None], "rows": [1, 1, 1, 1, -1],
    })  # fmt: skip
    known = judge()
    done = take_batches([batch], known)
    assert dict(done.passed) == {"not TCP: never redirected": 2}
    assert (done.bad, done.first_bad) == (1, (5, "expected numbers of 0 or more"))
    assert known.finish().total().rows == 2
    numbers = batch.set_column(3, "protocol", pa.array([17, 6, 17, 6, 6]))
    found = next(iter(verdicts([numbers], judge()))).to_pydict()["verdict"]
    assert found == [None, "bypass", None, "bypass", "bypass"]
