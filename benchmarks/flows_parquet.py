"""A hundred million rows of Parquet: DuckDB groups them, the stack's rules judge the groups.

Goals: 180 seconds in all, and what comes after DuckDB takes at most a tenth of it.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter

import duckdb

from fsm_stack.flows.arrow import take_batches
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.rulebook import Rulebook
from fsm_stack.project.project import find_project

ROWS = 100_000_000
GOAL = 180.0
SHARE = 0.1
# 2,000 pods, each to ten destinations; a week.
WRITE = """
    COPY (
        SELECT '10.128.' || (pod // 250) || '.' || (pod % 250 + 1) AS source,
               CASE WHEN peer < 3 THEN '203.0.113.' || (pod % 3)
                    ELSE '52.' || (pod * 10 + peer) % 200 || '.7.9' END AS destination,
               [443, 8080, 5432, 6379, 9092][peer % 5 + 1] AS port,
               'outbound' AS direction, (i * 7919) % 90000 AS bytes,
               1794787200 + i * 604800 // {rows} AS time
        FROM (
            SELECT i, (i * 31) % 2000 AS pod, (i * 17 // 2000) % 10 AS peer
            FROM range({rows}) t(i)
        )
    ) TO '{file}' (FORMAT parquet)
"""
GROUPS = """
    SELECT source, destination, port, direction, count(*) AS rows, sum(bytes)::BIGINT AS bytes,
           min(time) AS first, max(time) AS last
    FROM read_parquet(?) GROUP BY ALL
"""


def main() -> int:
    """Print the time of each part; 1 when a goal is missed."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    settings = find_project(Path(__file__).parent.parent).load("prod").settings
    if settings is None:
        return 1
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/flows.parquet"
        duckdb.sql(WRITE.format(rows=rows, file=file))
        size = Path(file).stat().st_size / 1e6
        start = perf_counter()
        batches = list(duckdb.sql(GROUPS, params=[file]).to_arrow_reader(100_000))
        scanned = perf_counter()
        judge = Judge(Rulebook(settings, date(2026, 11, 28)))
        groups = take_batches(batches, judge).records
        total = judge.finish().total()
        end = perf_counter()
    share = (end - scanned) / (end - start)
    print(
        f"{total.rows:,} rows, {size:.0f} MB of Parquet, {groups:,} groups: {end - start:.1f} s "
        f"(goal {GOAL:.0f}), {share:.1%} of it after DuckDB (goal {SHARE:.0%})"
    )
    return int(end - start > GOAL or share > SHARE or total.rows != rows)


if __name__ == "__main__":
    sys.exit(main())
