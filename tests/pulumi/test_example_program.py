"""examples/annotated-workload: an application that takes its annotations from the mesh's stack.

Mocks record transforms and do not run them, so the one that the program registers is called here.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from fsm_stack.errors import InputError
from fsm_stack.pulumi.stack import stack_outputs
from fsm_stack.redirection.scopes import redirection

from .recorder import PROJECT, Recorder, run
from .samples import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parents[2] / "examples" / "annotated-workload" / "__main__.py"
KEY = "flomesh.io/outbound-port-exclusion-list"
MESH = settings(annotationProfiles={"redis-client": {"outboundPortExclusionList": [6379]}})


class WithMesh(Recorder):
    """Answers for the mesh's stack."""

    def new_resource(self, args: Any) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {
                "name": args.name,
                "outputs": dict(stack_outputs(MESH, redirection(MESH))),
            }
        return super().new_resource(args)


@pytest.fixture
def transforms(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The transforms that the program registers; the configuration is the test's own."""
    registered: list[Any] = []
    monkeypatch.setattr(pulumi.runtime, "register_resource_transform", registered.append)
    pulumi.runtime.set_all_config({f"{PROJECT}:meshStack": "acme/fsm-stack/prod"})
    yield registered
    pulumi.runtime.set_all_config({})


def started(transforms: list[Any]) -> tuple[Recorder, dict[str, Any]]:
    """The program's run, and its Deployment as the transform makes it."""
    written: list[dict[str, Any]] = []

    def program() -> None:
        runpy.run_path(str(PROGRAM))
        (transform,) = transforms
        metadata = {"name": "web", "namespace": "shop"}
        given = pulumi.ResourceTransformArgs(
            custom=True,
            type_="kubernetes:apps/v1:Deployment",
            name="web",
            props={"metadata": metadata, "spec": {"template": {"spec": {}}}},
            opts=pulumi.ResourceOptions(),
        )
        result = transform(given)
        pulumi.export("written", pulumi.Output.from_input(result.props).apply(written.append))

    return run(program, recorder=WithMesh()), written[0]


@pytest.mark.requirement("C10", "C16")
def test_the_pods_get_the_profile_of_the_meshs_stack(transforms: list[Any]) -> None:
    recorder, written = started(transforms)
    assert recorder.names() == ["web", "web"]
    assert [name for _, name, _ in recorder.reads] == ["acme/fsm-stack/prod"]
    template = {"metadata": {"annotations": {KEY: "6379"}}, "spec": {}}
    assert written == {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template},
    }


def test_a_profile_that_the_mesh_lacks_is_named_with_those_that_it_has(
    transforms: list[Any],
) -> None:
    pulumi.runtime.set_config(f"{PROJECT}:profile", "kafka")
    with pytest.raises(InputError) as caught:
        started(transforms)
    assert str(caught.value) == (
        "profile 'kafka': expected one of the mesh's profiles: redis-client"
    )
