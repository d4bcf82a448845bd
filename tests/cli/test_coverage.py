from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from .conftest import document
from .traffic import DOCUMENTS, TOO_MANY, fill

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from .conftest import Run


@pytest.fixture
def covered(run: Run, project: Path) -> Run:
    fill(project)

    def started(*arguments: str) -> Result:
        return run("coverage", "-C", str(project), *arguments)

    return started


@pytest.mark.requirement("C3", "C4", "C18")
def test_every_connection_is_in_one_entry(covered: Run) -> None:
    assert (
        covered("prod").stdout
        == """\
prod: FSM_PROXY_*: written by FSM today

outbound
  through the sidecar, to the outbound listener (15001)
    - tcp, via any but lo, any uid but 1500 (the sidecar)
      to any but 127.0.0.1/32, 203.0.113.0/24
      port any but 6379
      4,294,967,039 addresses x 65,535 ports
  through the sidecar, to the inbound listener (15003)
    - tcp, via lo, uid 1500 (the sidecar)
      to any but 127.0.0.1/32
      4,294,967,295 addresses x 65,536 ports
  not through the sidecar
    - all that is not TCP
      4,294,967,296 addresses
    - tcp, via any but lo, any uid but 1500 (the sidecar)
      to 127.0.0.1/32, 203.0.113.0/24
      port any but 6379
      257 addresses x 65,535 ports
    - tcp, via any but lo, any uid but 1500 (the sidecar)
      port 6379
      4,294,967,296 addresses x 1 port
    - tcp, via any but lo, uid 1500 (the sidecar)
      4,294,967,296 addresses x 65,536 ports
    - tcp, via lo, any uid but 1500 (the sidecar)
      4,294,967,296 addresses x 65,536 ports
    - tcp, via lo, uid 1500 (the sidecar)
      to 127.0.0.1/32
      1 address x 65,536 ports

inbound
  through the sidecar, to the inbound listener (15003)
    - tcp
      port any but 8081, 15010, 15901-15904
      4,294,967,296 addresses x 65,530 ports
  not through the sidecar
    - all that is not TCP
      4,294,967,296 addresses
    - tcp
      port 8081, 15010, 15901-15904
      4,294,967,296 addresses x 6 ports
"""
    )


@pytest.mark.requirement("C25", "C33", "C37", "C41")
@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_a_script_from_elsewhere_is_covered_too(covered: Run, system: str) -> None:
    file = DOCUMENTS / f"{system}-default.describe.txt"
    data = document(covered("--script", str(file), "--system", system, "-o", "json"))
    (inbound, _) = data["inbound"]
    assert inbound["throughSidecar"] is True
    assert inbound["regions"][0]["ports"] == "any but 15010,15901-15903"
    assert inbound["regions"][0]["portCount"] == 65532


def test_users_and_protocols_are_named_as_they_are(covered: Run, project: Path) -> None:
    """1500 is the sidecar, 1500-1600 and 15000 are not; what has no ports counts none."""
    script = project / "rules"
    script.write_text(
        "-N X\n-A OUTPUT -p tcp -j X\n-A OUTPUT -p icmp -j DNAT --to-destination 192.0.2.1\n"
        "-A X -m owner --uid-owner 15000 -j RETURN\n"
        "-A X -p tcp -m owner --uid-owner 1500-1600 -j REDIRECT --to-ports 15001\n"
    )
    assert covered("--script", str(script)).stdout.partition("\n\n")[2] == (
        """\
outbound
  through the sidecar, to the outbound listener (15001)
    - tcp, uid 1500-1600
      4,294,967,296 addresses x 65,536 ports
  sent elsewhere, rewritten to 192.0.2.1
    - icmp
      4,294,967,296 addresses
  not through the sidecar
    - any but icmp,tcp
      4,294,967,296 addresses
    - tcp, uid any but 1500-1600
      4,294,967,296 addresses x 65,536 ports

inbound
  not through the sidecar
    - everything
      4,294,967,296 addresses
"""
    )


@pytest.mark.parametrize(("count", "more"), [(6, ""), (7, " and 1 more"), (8, " and 2 more")])
def test_six_ports_are_shown_and_the_others_counted(
    covered: Run, project: Path, count: int, more: str
) -> None:
    ports = [str(port) for port in range(80, 80 + 2 * count, 2)]
    script = project / "rules"
    script.write_text(f"-A OUTPUT -p tcp -m multiport --dports {','.join(ports)} -j REDIRECT "
                      "--to-ports 15001\n")  # fmt: skip
    shown = covered("--script", str(script)).stdout
    assert f"      port {', '.join(ports[:6])}{more}\n" in shown


@pytest.mark.requirement("C4", "C37")
def test_dns_of_osm_edge_is_sent_elsewhere(covered: Run) -> None:
    data = document(covered("edge", "-o", "json"))
    (sent,) = [fate for fate in data["outbound"] if fate["verdict"].startswith("rewritten")]
    assert sent["verdict"] == "rewritten to 127.0.0.153:5300"
    assert {region["protocols"] for region in sent["regions"]} == {"udp"}
    assert {region["ports"] for region in sent["regions"]} == {"53"}


def test_the_lanes_are_drawn_with_owners_and_the_cluster_s_ranges(
    covered: Run, project: Path
) -> None:
    svg = project / "lanes.svg"
    assert covered("prod", "--svg", str(svg)).exit_code == 0
    drawn = ET.fromstring(svg.read_text())  # noqa: S314  # made by us
    assert drawn.attrib["aria-label"] == "prod: what goes through the sidecar"
    said = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"FSM_PROXY_*: written by FSM today", "203.0.113.0/24", "port 6379"} <= {*said}


def test_a_script_from_elsewhere_is_drawn_without_owners(covered: Run, project: Path) -> None:
    script, svg = project / "rules", project / "lanes.svg"
    script.write_text("-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\n")
    assert covered("--script", str(script), "--svg", str(svg)).exit_code == 0
    assert "no owner" not in svg.read_text()


def test_what_does_not_load_covers_nothing(covered: Run, project: Path) -> None:
    script = project / "rules"
    script.write_text(TOO_MANY)
    result = covered("--script", str(script))
    assert result.exit_code == 1
    assert "[too-many-ports]" in result.stdout


def test_what_depends_on_an_undecided_rule_is_perhaps_redirected(run: Run, project: Path) -> None:
    file = project / "dump"
    file.write_text(
        "*nat\n-A OUTPUT -p tcp -m mark --mark 1 -d 10.0.0.0/8 -j ACCEPT\n"
        "-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n"
    )
    lines = run("coverage", "--script", str(file)).stdout.splitlines()
    perhaps = lines.index(
        "  perhaps through the sidecar, either to the outbound listener (15001) or untouched"
    )
    assert lines[perhaps + 1 : perhaps + 4] == [
        "    it depends on -m mark --mark 1",
        "    - tcp",
        "      to 10.0.0.0/8",
    ]
    found = json.loads(run("coverage", "--script", str(file), "-o", "json").stdout)["outbound"]
    assert [one["throughSidecar"] for one in found] == [True, None, False]
    assert [one["undecided"] for one in found] == [[], ["-m mark --mark 1"], []]
