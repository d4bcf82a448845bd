"""A week of VPC logs of the committed prod stack, as a new user would look at it."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import document
from tests.flows import given
from tests.flows.given import Flow
from tests.recordings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

DAYS = 7
CARDS = ("203.0.113.17", "203.0.113.18", "203.0.113.40")


def week() -> list[Flow]:
    """Shop and payments: the card processor, Redis, services, the internet; no Kafka."""
    source = random.Random(7)  # noqa: S311  # reproducible, not secret
    found = []
    for hour in range(24 * DAYS):
        at = given.START + 3600 * hour
        for pod in range(12):
            origin = f"10.128.{pod // 4}.{10 + pod}"
            peer = f"10.129.{source.randrange(4)}.{source.randrange(1, 30)}"
            rows = [
                Flow(source=origin, target=source.choice(CARDS), port=443, size=9_000, at=at),
                Flow(source=origin, target="52.10.0.5", port=6379, size=40_000, at=at + 60),
                Flow(source=origin, target="52.20.0.9", port=443, size=700, at=at + 90),
                Flow(source=origin, target=peer, port=8080, size=3_000, at=at + 120),
                Flow(source=origin, target="169.254.169.254", port=80, size=90, at=at + 150),
                Flow(source="10.130.0.7", target=origin, port=9091, size=500, way="inbound",
                     at=at + 180),
            ]  # fmt: skip
            found += rows
    source.shuffle(found)
    return found


@pytest.fixture
def prod(project: Path) -> Path:
    """The committed stack, and the week's logs: a compressed file a day."""
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        (project / name).write_bytes((ROOT / name).read_bytes())
    logs = project / "logs"
    logs.mkdir()
    flows = week()
    size = len(flows) // DAYS + 1
    for day in range(DAYS):
        part = flows[day * size : (day + 1) * size]
        (logs / f"day-{day}.log.gz").write_bytes(gzip.compress(given.log("vpc", part)))
    return project


def test_what_is_unused_and_what_is_too_wide_is_found_narrowed_and_reviewed(
    run: Run, prod: Path
) -> None:
    logs = ("--flows", str(prod / "logs"), "-C", str(prod))
    stack = prod / "Pulumi.prod.yaml"
    (prod / "before.yaml").write_bytes(stack.read_bytes())

    found = document(run("flows", "evidence", "prod", *logs, "-o", "json"))
    assert found["observed"]["days"] == 6.96
    assert [(item["id"], item["place"]["path"]) for item in found["findings"]] == [
        ("bypass-unused", "traffic.outboundPortExclusionList[1]"),
        ("bypass-wider-than-used", "traffic.outboundIPRangeExclusionList[1]"),
    ]

    assert run("flows", "recommend", "prod", *logs, "--write").exit_code == 0
    text = stack.read_text()
    for address in CARDS:
        assert f"{address}/32" in text or "203.0.113.16/30" in text
    assert "9092" not in text
    assert "reason: managed Redis speaks its own TLS, owner: data-team" in text
    assert "card processor, pinned certificates; " in text
    assert run("validate", "prod", "--without-release-assets").exit_code == 0

    lost = run("flows", "replay", "prod", *logs, "--against", "before.yaml")
    assert lost.exit_code == 0
    assert "no connection of these logs changes its side against before.yaml" in lost.stdout

    review = run("diff", "before.yaml", "prod", "-C", str(prod), "--fail-on", "low")
    assert review.exit_code in (0, 1)
    assert "9092" in review.stdout
    assert "203.0.113" in review.stdout
    again = run("flows", "recommend", "prod", *logs)
    assert again.stdout.splitlines()[-1] == "prod: nothing to narrow"
