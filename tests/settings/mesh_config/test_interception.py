from __future__ import annotations

from typing import Any, get_args

import pytest

from fsm_stack.settings.models.traffic import MODES, InterceptionMode, check_mode, effective_mode
from fsm_stack.systems import SYSTEMS

from .shorthand import mesh, refused

pytestmark = pytest.mark.requirement("C20", "C21")


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_of_some_system_is_held(mode: str) -> None:
    assert mesh(traffic={"interceptionMode": mode}).traffic.interception_mode == mode


def test_the_modes_are_those_of_the_systems() -> None:
    assert {mode for known in SYSTEMS.values() for mode in known.interception_modes} == set(MODES)
    assert get_args(get_args(InterceptionMode)[0]) == MODES


@pytest.mark.parametrize(
    ("mode", "shown", "fix"),
    [
        (
            "ebpf",
            "'ebpf'; eBPF interception is not a mode here",
            "Write PodLevel (FSM) or iptables (osm-edge).",
        ),
        ("podlevel", "'podlevel'", "Write PodLevel."),
        ("IPTABLES", "'IPTABLES'", "Write iptables."),
        ("none", "'none'", "Write PodLevel (FSM) or iptables (osm-edge)."),
        (1, "1", "Write PodLevel (FSM) or iptables (osm-edge)."),
    ],
)
def test_another_mode_is_refused_with_the_right_value(mode: Any, shown: str, fix: str) -> None:
    """The injector compares exactly: FSM would redirect with any other text, osm-edge never."""
    assert refused(traffic={"interceptionMode": mode}) == (
        "traffic.interceptionMode",
        "unsupported-mode",
        f"FSM has PodLevel and NodeLevel, osm-edge has iptables, got {shown}",
        fix,
    )


@pytest.mark.parametrize(
    ("mode", "system", "message"),
    [
        (None, "fsm", None),
        ("PodLevel", "fsm", None),
        ("NodeLevel", "fsm", None),
        ("iptables", "fsm", "FSM has PodLevel and NodeLevel, got 'iptables'; write PodLevel"),
        (
            "ebpf",
            "fsm",
            "FSM has PodLevel and NodeLevel, got 'ebpf'; eBPF interception is not a mode here; "
            "write PodLevel",
        ),
        (None, "osm-edge", None),
        ("iptables", "osm-edge", None),
        ("PodLevel", "osm-edge", "osm-edge has only iptables, got 'PodLevel'; write iptables"),
        (
            "ebpf",
            "osm-edge",
            "osm-edge has only iptables, got 'ebpf'; eBPF interception is not a mode here; "
            "write iptables",
        ),
        (None, "osm", None),
        (
            "PodLevel",
            "osm",
            "OSM has no interception modes, got 'PodLevel'; its init container always redirects: "
            "remove the setting",
        ),
    ],
)
def test_the_choice_is_closed_for_each_system(
    mode: str | None, system: str, message: str | None
) -> None:
    assert check_mode(mode, system) == message


@pytest.mark.parametrize(
    ("mode", "system", "counts"),
    [
        (None, "fsm", "PodLevel"),
        ("NodeLevel", "fsm", "NodeLevel"),
        (None, "osm-edge", "iptables"),
        (None, "osm", None),
    ],
)
def test_an_absent_mode_is_the_systems_own(
    mode: str | None, system: str, counts: str | None
) -> None:
    assert effective_mode(mode, system) == counts
