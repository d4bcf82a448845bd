"""Flow logs in Parquet, however many: DuckDB scans and groups, fsm-stack judges what is left.

    python examples/flows_duckdb.py prod 's3-or-folder/*.parquet'

The columns are those of AWS VPC flow logs in Parquet. A hundred million rows of a few thousand
connections become a few thousand groups before any of them reaches Python.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from fsm_stack.flows.arrow import take_batches
from fsm_stack.flows.counting import Log
from fsm_stack.flows.evidence import Observed
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.objects import Assumed
from fsm_stack.flows.replay import Replay, replay_lines
from fsm_stack.flows.rulebook import Rulebook
from fsm_stack.project.project import find_project

# A row with SYN and without ACK begins a connection; one with both is the answer to it.
GROUPS = """
    SELECT CASE WHEN answer THEN dst ELSE src END AS source,
           CASE WHEN answer THEN src ELSE dst END AS destination,
           CASE WHEN answer THEN srcport ELSE dstport END AS port,
           CASE WHEN answer = (flow_direction = 'egress') THEN 'inbound' ELSE 'outbound' END
               AS direction,
           count(*) AS rows,
           count(*) FILTER (WHERE NOT answer AND tcp_flags & 2 = 2) AS connections,
           sum(bytes)::BIGINT AS bytes,
           min("end") AS first,
           max("end") AS last
    FROM (
        SELECT *, coalesce(pkt_srcaddr, srcaddr) AS src, coalesce(pkt_dstaddr, dstaddr) AS dst,
               CASE WHEN tcp_flags & 2 = 2 THEN tcp_flags & 16 = 16
                    ELSE srcport < 32768 AND dstport >= 32768 END AS answer
        FROM read_parquet(?)
        WHERE protocol = 6 AND action = 'ACCEPT'
    )
    GROUP BY ALL
"""


def main(stack: str, files: str) -> None:
    """Print the replay of a stack over some Parquet files."""
    settings = find_project(Path()).load(stack).settings
    if settings is None:
        sys.exit(f"{stack}: its settings do not validate; fsm-stack validate says why")
    rules = Rulebook(settings, datetime.now(UTC).date())
    # These addresses are those after kube-proxy's choice: give Judge the Objects of a snapshot
    # to take endpoints back to their Services.
    judge = Judge(rules, assumed=Assumed(original="no"))
    groups = duckdb.sql(GROUPS, params=[files]).to_arrow_reader(100_000)
    done = take_batches(groups, judge)
    observed = Observed(judge=judge, tally=judge.finish(), logs=(Log(name=files, counted=done),))
    for line in replay_lines(Replay(stack=stack, against="", observed=observed, top=20)):
        print(line)  # noqa: T201  # a program's output


if __name__ == "__main__":
    main(*sys.argv[1:])
