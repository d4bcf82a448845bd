"""What the committed environments render, and what settings refuse, in a real kernel."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from network import BACKENDS

from fsm_stack.iptables.write import script
from fsm_stack.lists import InterceptLists
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import load_mapping, load_text
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from network import Backend, Network

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parent.parent.parent
TODAY = date(2026, 7, 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_every_rendered_script_loads(pod: Network, stack: str, backend: Backend) -> None:
    """The init container of every pod ends with 0."""
    file = ROOT / f"Pulumi.{stack}.yaml"
    loaded = load_text(file.read_text(encoding="utf-8"), file=file.name, today=TODAY)
    for scope in redirection(loaded.require()).scopes():
        pod.flush()
        done = pod.load(scope.script, backend)
        assert (done.returncode, done.stderr) == (0, ""), scope.name


# The setting, the injector's argument for it, what iptables says, and the finding.
BREAKING: dict[str, tuple[dict[str, Any], InterceptLists, str, str]] = {
    "H1": (
        {"outboundPortExclusionList": list(range(1, 17))},
        InterceptLists(outbound_ports=tuple(range(1, 17))),
        "too many ports specified",
        "too-many-ports",
    ),
    "H2": (
        {"outboundIPRangeExclusionList": ["fd00::/8"]},
        InterceptLists(excluded_ranges=("fd00::/8",)),
        "host/network `fd00::' not found",
        "ipv6-cidr",
    ),
    "H3": (
        {"networkInterfaceExclusionList": ["interface-name-0"]},
        InterceptLists(interfaces=("interface-name-0",)),
        "must be shorter than",
        "invalid-interface",
    ),
    "H4": (
        {"inboundPortExclusionList": [70000]},
        InterceptLists(inbound_ports=(70000,)),
        "invalid port/service `70000' specified",
        "invalid-port",
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hazard", BREAKING)
def test_what_settings_refuse_keeps_a_pod_from_starting(
    pod: Network, hazard: str, backend: Backend
) -> None:
    traffic, lists, complaint, finding_id = BREAKING[hazard]
    done = pod.load(script(lists, FSM), backend)
    assert done.returncode != 0
    assert complaint in done.stderr
    loaded = load_mapping({"traffic": traffic}, name="", today=TODAY)
    assert finding_id in {item.id for item in loaded.findings}
    with pytest.raises(Exception, match=finding_id):
        loaded.require()
