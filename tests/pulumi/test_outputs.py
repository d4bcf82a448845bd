from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from fsm_stack.errors import InputError
from fsm_stack.pulumi.stack import StackOutputs, outputs_of, stack_outputs
from fsm_stack.redirection.scopes import redirection

from .recorder import run
from .samples import settings


class Reference:
    """A StackReference's only part that is read."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        self.outputs = pulumi.Output.from_input(outputs)


def read(outputs: dict[str, Any]) -> StackOutputs:
    found: list[StackOutputs] = []

    def program() -> None:
        known = outputs_of(Reference(outputs))  # type: ignore[arg-type]  # the part that is read
        pulumi.export("known", known.apply(found.append))

    run(program)
    return found[0]


def test_outputs_name_mesh_versions_and_redirection() -> None:
    stack = settings(annotationProfiles={"redis": {"description": "r"}})
    outputs = stack_outputs(stack, redirection(stack))

    assert set(outputs) == set(StackOutputs.__annotations__)
    assert outputs["schemaVersion"] == 2
    assert outputs["fsmVersion"] == "1.5.1"
    assert outputs["redirectionDigest"].startswith("sha256:")
    assert outputs["annotations"] == {"redis": {}}


def test_another_stack_reads_them_back_typed() -> None:
    """Numbers come back from the engine as floats; a newer tool's fields are left out."""
    outputs = stack_outputs(settings(), redirection(settings()))

    assert read({**outputs, "schemaVersion": 2.0, "later": True}) == outputs


@pytest.mark.parametrize("version", [1.0, 3.0, None], ids=["older", "newer", "no mesh"])
def test_outputs_of_another_version_are_refused(version: float | None) -> None:
    with pytest.raises(InputError) as error:
        read({"schemaVersion": version})

    assert str(error.value) == f"stack outputs: expected schemaVersion 2, got {version!r}"


def test_numbers_are_whole_again_for_consumers() -> None:
    """The engine hands every number over as a float; a consumer would write the version 2.0."""
    sent = json.loads(
        json.dumps(stack_outputs(settings(), redirection(settings()))), parse_int=float
    )
    assert str(read(sent)["schemaVersion"]) == "2"
