"""What differs between the systems is a field of theirs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fsm_stack
from fsm_stack.systems import FSM, OSM, OSM_EDGE, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(fsm_stack.__file__).parent


def asked(source: str) -> Iterator[int]:
    """The lines of a module that compare something with a system's name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            compared: list[ast.AST] = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node]
        else:
            continue
        for part in (inner for one in compared for inner in ast.walk(one)):
            constant = isinstance(part, ast.Constant) and part.value in SYSTEMS
            if constant or (isinstance(part, ast.Name) and part.id in {"FSM", "OSM", "OSM_EDGE"}):
                yield node.lineno if isinstance(node, ast.Compare) else node.value.lineno


@pytest.mark.parametrize(
    "source",
    [
        'if system.name == "osm-edge": pass',
        'if settings.system != "fsm": pass',
        'if {"osm", "osm-edge"} == found: pass',
        "if system is FSM: pass",
        'match name:\n    case "osm": pass',
    ],
)
def test_a_question_for_the_name_is_seen(source: str) -> None:
    """Else the next test could not fail."""
    assert [*asked(source)]


def test_no_module_asks_which_system_it_is() -> None:
    """A fourth system would have to be added to every such place, and nothing would name them."""
    places = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "systems.py"
        for line in asked(path.read_text(encoding="utf-8"))
    ]
    assert places == []


def test_systems_of_the_same_mesh_config_are_told_apart() -> None:
    """With no mark, or two without one, a cluster's MeshConfig would not tell its system."""
    names = [(known.mesh_config_group, known.mesh_config_name) for known in (OSM_EDGE, OSM)]
    assert names[0] == names[1] != (FSM.mesh_config_group, FSM.mesh_config_name)
    assert OSM_EDGE.mesh_config_marks
    assert not OSM.mesh_config_marks
