from __future__ import annotations

import gc
import json
import re
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.runtime import rpc

from fsm_stack import pulumi as pulumi_program
from fsm_stack.errors import InputError
from fsm_stack.pulumi import config as pulumi_config
from fsm_stack.pulumi import stack as pulumi_stack
from fsm_stack.pulumi.config import EngineConfig, provider_arguments
from fsm_stack.redirection import scopes as render

from .recorder import CLUSTER_UID, Recorder, run
from .samples import settings

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.settings.models.stack import StackSettings

GOOD = {
    "fsm-stack:traffic": '{"outboundPortExclusionList":[6379]}',
    "fsm-stack:releaseAssets": '{"source":"existingConfigMap"}',
}


def loud(recorder: Any) -> list[tuple[str, str]]:
    """What was said, without what every port of a mesh's list is told."""
    return [one for one in recorder.log if "[excludes-mesh-port]" not in one[1]]


CONTEXT = GOOD | {"fsm-stack:cluster": '{"context":"prod"}'}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run the project's program with a config, as the language host does."""
    monkeypatch.setattr("pulumi.runtime.get_root_directory", lambda: str(tmp_path))

    def start(
        config: dict[str, str], *, secret: tuple[str, ...] = (), file: str | None = None
    ) -> Recorder:
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config))
        monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(secret))
        if file is not None:
            (tmp_path / "Pulumi.dev.yaml").write_text(file)
        recorder = Recorder()
        start.recorder = recorder  # type: ignore[attr-defined]  # read after an error
        return run(pulumi_config.declare, recorder=recorder)

    return start


def test_the_engines_config_becomes_one_stack_with_a_provider_of_its_own(engine: Any) -> None:
    recorder = engine(GOOD)

    assert recorder["fsm"].type == "fsm-stack:index:FsmStack"
    provider = next(one for one in recorder.registrations if "providers" in one.type)
    assert (provider.type, provider.name) == ("pulumi:providers:kubernetes", "cluster")
    assert provider.inputs["enableConfigMapMutable"] == "true"
    assert recorder["fsm-deployment-fsm-injector"].provider == "cluster"
    assert loud(recorder) == []


def test_the_stacks_outputs_are_the_components(engine: Any) -> None:
    """A StackReference reads the stack's outputs, never a component's."""
    recorder = engine(GOOD)

    assert recorder.exports == recorder.outputs["fsm"]
    assert recorder.exports["schemaVersion"] == 2


def test_a_stacks_redirection_is_worked_out_once(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects, the component's outputs and the stack's are of one and the same."""
    made: list[render.Redirection] = []

    def counted(stack: StackSettings) -> render.Redirection:
        made.append(render.redirection(stack))
        return made[-1]

    monkeypatch.setattr(pulumi_stack, "redirection", counted)
    recorder = engine(GOOD)

    (known,) = made
    assert recorder.exports["settingsDigest"] == known.settings_digest
    data = recorder["fsm-configmap-fsm-redirection"].inputs["data"]
    digest = json.loads(data["redirection.json"])["mesh"]["digest"]
    assert digest == recorder.exports["redirectionDigest"] == known.mesh.digest


def test_every_error_is_shown_at_its_place_and_nothing_is_declared(engine: Any) -> None:
    """One run tells all problems; the stack file is beside the program, so each has its line."""
    config = {"fsm-stack:traffic": '{"outboundPortExclusionList":[80810],"inboundPorts":[1]}'}
    file = """\
config:
  fsm-stack:traffic:
    outboundPortExclusionList: [80810]
    inboundPorts: [1]
"""

    with pytest.raises(pulumi.RunError) as error:
        engine(config, file=file)

    recorder = engine.recorder
    assert recorder.registrations == []
    errors = [text for level, text in recorder.log if level == "ERROR"]
    assert [text.split(": ")[0] for text in errors] == [
        "Pulumi.dev.yaml:3:33 traffic.outboundPortExclusionList[0]",
        "Pulumi.dev.yaml:4:5 traffic.inboundPorts",
    ]
    assert str(error.value) == "2 errors in the settings; nothing was changed"


def test_a_setting_of_the_project_file_stops_the_program(engine: Any, tmp_path: Path) -> None:
    """Rendered files and reviews do not have it: the engine alone would."""
    (tmp_path / "Pulumi.yaml").write_text(
        "name: mesh\nconfig:\n  fsm-stack:traffic: {value: {outboundPortExclusionList: [443]}}\n"
    )
    with pytest.raises(pulumi.RunError, match="1 error in the settings; nothing was changed"):
        engine(GOOD)

    assert engine.recorder.registrations == []
    assert next(text for level, text in engine.recorder.log if level == "ERROR") == (
        "Pulumi.yaml:3:30 config.fsm-stack:traffic.value: expected settings in "
        "Pulumi.<stack>.yaml only [project-setting]"
    )


def test_errors_have_their_path_where_the_stack_file_is_elsewhere(engine: Any) -> None:
    """`pulumi --config-file` and stackConfigDir: the engine has read it, this program cannot."""
    with pytest.raises(pulumi.RunError):
        engine(GOOD | {"fsm-stack:traffic": '{"outboundPortExclusionList":[0]}'})

    assert any(
        "traffic.outboundPortExclusionList[0]" in text
        for level, text in engine.recorder.log
        if level == "ERROR"
    )


def test_a_secret_is_an_error_that_does_not_print_it(engine: Any) -> None:
    with pytest.raises(pulumi.RunError):
        engine(GOOD | {"fsm-stack:cluster": '"s3cret"'}, secret=("fsm-stack:cluster",))

    text = "\n".join(text for _, text in engine.recorder.log)
    assert "[secret-value]" in text
    assert "s3cret" not in text


def test_a_warning_is_shown_and_the_stack_is_declared(engine: Any) -> None:
    recorder = engine(GOOD | {"fsm-stack:images": '{"pipy":{"tag":"latest"}}'})

    assert [level for level, _ in loud(recorder)] == ["WARNING"]
    assert "[mutable-image]" in recorder.log[0][1]
    assert "fsm-deployment-fsm-injector" in recorder.names()


def test_scripts_that_are_not_vendored_stop_the_program_with_the_command_that_mends_it(
    engine: Any,
) -> None:
    with pytest.raises(pulumi.RunError, match="1 error in the settings; nothing was changed"):
        engine({"fsm-stack:fsmVersion": "1.5.1", "fsm-stack:mesh": '{"name":"fsm"}'})

    (text,) = (text for level, text in engine.recorder.log if level == "ERROR")
    assert "[assets-missing]" in text
    assert "fsm-stack vendor --version 1.5.1" in text
    assert engine.recorder.names() == []


def test_the_providers_config_is_honoured() -> None:
    """An explicit provider does not read `kubernetes:…` by itself."""
    config = {
        "kubernetes:kubeconfig": '{"apiVersion": "v1"}',
        "kubernetes:suppressDeprecationWarnings": "true",
        "kubernetes:kubeClientSettings": '{"qps": 50}',
        "kubernetes:enableConfigMapMutable": "false",
        "fsm-stack:system": "fsm",
    }

    assert provider_arguments(EngineConfig(values=config), settings()) == {
        "kubeconfig": '{"apiVersion": "v1"}',
        "suppress_deprecation_warnings": True,
        "kube_client_settings": {"qps": 50},
        "enable_config_map_mutable": False,
    }


def test_objects_that_exist_are_updated_only_where_the_stack_adopts() -> None:
    """The provider refuses them otherwise; nothing is forced by that."""
    plain = provider_arguments(EngineConfig(values={}), settings())
    assert "upsert_existing_objects" not in plain
    stack = settings(deployment={"adopt": ["Deployment/fsm-system/fsm-injector"]})
    taking = provider_arguments(EngineConfig(values={}), stack)
    assert taking["upsert_existing_objects"] is True
    assert "enable_patch_force" not in taking


def test_a_setting_that_the_provider_does_not_have_is_told_without_a_traceback(
    engine: Any,
) -> None:
    with pytest.raises(pulumi.RunError):
        engine(GOOD | {"kubernetes:contxt": "dev"})
    (error,) = (text for level, text in engine.recorder.log if level == "ERROR")
    assert re.fullmatch(
        r"kubernetes:contxt: the Kubernetes provider [0-9.]+ has no such setting", error
    )
    assert engine.recorder.names() == []


def test_a_secret_kubeconfig_stays_a_secret(engine: Any) -> None:
    """As the engine's default provider keeps it: else its token is plain in the state."""
    kubeconfig = {"kubernetes:kubeconfig": "token: t0ken", "kubernetes:context": "dev"}
    recorder = engine(GOOD | kubeconfig, secret=("kubernetes:kubeconfig",))

    (provider,) = (one for one in recorder.registrations if "providers" in one.type)
    assert rpc.is_rpc_secret(provider.inputs["kubeconfig"])
    assert provider.inputs["context"] == "dev"


def test_the_provider_talks_to_the_cluster_of_the_settings() -> None:
    """With the UID as its identity, a renamed context does not replace every object."""
    stack = settings(cluster={"context": "prod", "uid": CLUSTER_UID})

    assert provider_arguments(EngineConfig(values={}), stack) == {
        "enable_config_map_mutable": True,
        "context": "prod",
        "cluster_identifier": CLUSTER_UID,
    }


def test_two_different_contexts_are_an_error() -> None:
    config = EngineConfig(values={"kubernetes:context": "dev"})
    with pytest.raises(InputError) as error:
        provider_arguments(config, settings(cluster={"context": "prod"}))

    assert str(error.value) == (
        "kubernetes:context: expected 'prod', as cluster.context says, got 'dev'"
    )


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_the_collector_is_as_before_after_the_program(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """It rests only while the program declares; also when that fails."""
    states = []

    def fails(_project: Path | None) -> None:
        states.append(gc.isenabled())
        raise pulumi.RunError("1 error")

    monkeypatch.setattr(pulumi_config, "declare", fails)
    monkeypatch.setattr(gc, "freeze", lambda: states.append("frozen"))
    if not on:
        gc.disable()
    try:
        with pytest.raises(pulumi.RunError):
            pulumi_program.run()
        states.append(gc.isenabled())
    finally:
        gc.enable()

    assert states == [False, "frozen", on]


def test_a_process_of_the_language_host_ends_as_one_that_has_said_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With any other code the engine adds "Program exited with non-zero exit code"."""

    def fails(_project: Path | None) -> None:
        raise pulumi.RunError("1 error in the settings; nothing was changed")

    monkeypatch.setattr(pulumi_config, "declare", fails)
    recorder = Recorder()
    with pytest.raises(SystemExit) as ended:
        run(pulumi_program.main, recorder=recorder)

    assert ended.value.code == 32
    assert recorder.log == [("ERROR", "1 error in the settings; nothing was changed")]


def test_what_cannot_be_used_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Automation API shows the error that ends the program twice, so that one is short."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"kubernetes:context": "dev"} | CONTEXT))
    recorder = Recorder()
    with pytest.raises(pulumi.RunError, match=r"^1 error; nothing was changed$"):
        run(lambda: pulumi_config.declare(tmp_path), recorder=recorder)

    assert loud(recorder) == [
        ("ERROR", "kubernetes:context: expected 'prod', as cluster.context says, got 'dev'")
    ]


def test_the_program_of_the_project_is_one_call(request: pytest.FixtureRequest) -> None:
    """Logic there would be out of every test's and every reviewer's sight."""
    program = (request.config.rootpath / "__main__.py").read_text()

    assert program.splitlines()[-1] == "main()"
    assert len(program.splitlines()) == 5
