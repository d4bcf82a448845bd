"""What the engine's user sees when nothing is brought up, and each way a program gets its config."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.automation import ConfigValue

from fsm_stack.pulumi import run as program

from .nodeless import ready_pods
from .project import changed, committed

if TYPE_CHECKING:
    from tests.apiserver.client import Api

    from .engine import Run
    from .project import Project

pytestmark = pytest.mark.engine

DEV = committed("dev")
OTHER_CLUSTER = "11111111-1111-4111-8111-111111111111"
CONTROL_PLANE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fsm-system"}}
# What the Automation API itself adds to the error that ends a program.
AGAIN = "an unhandled error occurred: "


def told(run: Run) -> list[str]:
    """The errors of a refused run, each of which a user reads once."""
    run.refused()
    for noise in ("Traceback", "RunError", "error: error:", "runtime error"):
        assert noise not in run.output
    return [error for error in run.errors if not error.startswith(AGAIN)]


def test_a_stack_without_config_is_no_mesh(api: Api, project: Project) -> None:
    """An inline program whose stack was given no config would bring up a mesh of defaults."""
    stack = project.stack("dev", {})

    for run in (stack.preview(), stack.up()):
        assert told(run) == [
            "Pulumi.dev.yaml:1:1: expected settings, fsm-stack:…, found none [no-settings]",
            "1 error in the settings; nothing was changed",
        ]
    assert not api.exists(CONTROL_PLANE)


def test_wrong_settings_are_told_at_their_places(project: Project) -> None:
    """Also a misspelt key, which can only be found where all keys are listed."""
    wrong = changed(DEV, traffic={"outboundPortExclusionList": [80800]})
    stack = project.stack("dev", {**wrong, "trafic": {"enableEgress": True}})

    misspelt, port, summary = sorted(told(stack.preview()), reverse=True)

    assert "trafic: expected a setting of a stack, got 'trafic'" in misspelt
    assert "traffic.outboundPortExclusionList[0]: expected a port from 1 to 65535" in port
    assert summary == "2 errors in the settings; nothing was changed"


def test_a_setting_of_the_project_file_is_refused(project: Project) -> None:
    """The engine gives it to the stack; nothing that reads the stack's file knows."""
    file = project.directory / "Pulumi.yaml"
    head, name, rest = file.read_text(encoding="utf-8").partition("  traffic:\n")
    excluded = rest.replace("default: {}", "default: {outboundPortExclusionList: [443]}", 1)
    file.write_text(f"{head}{name}{excluded}", encoding="utf-8")
    settings = {key: value for key, value in DEV.items() if key != "traffic"}

    place, summary = told(project.stack("dev", settings).preview())

    assert place.startswith("Pulumi.yaml:")
    assert place.endswith(
        " config.traffic.default: expected settings in Pulumi.<stack>.yaml only [project-setting]"
    )
    assert summary == "1 error in the settings; nothing was changed"


def test_config_that_the_automation_api_sets_is_the_stacks(project: Project) -> None:
    """No file of the user's is there: the values come from the engine alone."""
    stack = project.stack("inline", {})
    values = {
        "traffic.outboundPortExclusionList[0]": "9000",
        "releaseAssets.source": "vendored",
        "deployment.skipAwait": "true",
    }
    stack.engine.set_all_config(
        {f"fsm-stack:{key}": ConfigValue(value) for key, value in values.items()}, path=True
    )

    preview = stack.preview().succeeded()

    (step,) = (step for step in preview.steps if step.inputs.get("kind") == "MeshConfig")
    assert step.inputs["spec"]["traffic"]["outboundPortExclusionList"] == [9000]


def test_a_secret_setting_is_refused_and_not_shown(project: Project) -> None:
    stack = project.stack("dev", DEV)
    stack.engine.set_config("fsm-stack:fsmVersion", ConfigValue("s3cret", secret=True))

    run = stack.preview()

    assert any("[secret-value]" in error for error in told(run))
    assert "s3cret" not in run.output


def test_another_cluster_than_the_settings_name_is_refused(api: Api, project: Project) -> None:
    """The kubeconfig's context is what a user forgets to change."""
    found = api.get({**CONTROL_PLANE, "metadata": {"name": "kube-system"}})["metadata"]["uid"]
    stack = project.stack("dev", changed(DEV, cluster={"uid": OTHER_CLUSTER}))

    for run in (stack.preview(), stack.up()):
        message, short = told(run)
        assert message == (
            f"cluster.uid: expected namespace kube-system to have UID {OTHER_CLUSTER}, found "
            f"{found}: this is another cluster, nothing was changed. Choose the kubeconfig context "
            "of the stack's cluster, or correct cluster.uid."
        )
        assert short == "1 error; nothing was changed"
    assert not api.exists(CONTROL_PLANE)

    project.write("dev", changed(DEV, cluster={"uid": found, "context": "test"}))
    stack.preview().succeeded()
    project.write("dev", changed(DEV, cluster={"context": "elsewhere"}))
    assert "unreachable cluster" in stack.preview().refused()


def impatient(project: Project) -> None:
    """This package's program, which waits for a Deployment some seconds only."""

    def shorter(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
        timeouts = pulumi.CustomTimeouts(create="6s", update="6s")
        opts = pulumi.ResourceOptions.merge(
            args.opts, pulumi.ResourceOptions(custom_timeouts=timeouts)
        )
        return pulumi.ResourceTransformResult(props=args.props, opts=opts)

    pulumi.runtime.register_resource_transform(shorter)
    program(project.directory)


def test_an_update_waits_until_the_control_plane_runs(api: Api, project: Project) -> None:
    """It fails by name where a program does not start, and is done where all of them run."""
    waiting: dict[str, Any] = {**DEV, "deployment": {}, "releaseAssets": {"source": "vendored"}}
    waiting.pop("accept", None)
    stack = project.stack("dev", waiting, run=partial(impatient, project))

    failed = stack.up()

    for app in ("bootstrap", "controller", "injector"):
        assert f"'fsm-{app}' timed out waiting to be Ready" in failed.refused()
    assert "fsm-namespace-demo" not in {step.name for step in failed.done}

    with ready_pods(api, "fsm-system"):
        stack.up().succeeded()

    assert stack.preview().succeeded().changes() == []
