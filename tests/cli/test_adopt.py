"""``adopt``, ``leftovers`` and ``init`` as a user types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.services import injector_webhook
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import load_text
from tests.settings.loading import TODAY
from tests.settings.loading import settings as loaded

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from .conftest import Run


def saved(project: Path, **changes: Any) -> str:
    """What kubectl prints of an installation that is as the stack dev declares it."""
    text = (project / "Pulumi.dev.yaml").read_text()
    settings = load_text(text, file="x", today=TODAY).require()
    items = [
        json.loads(json.dumps(dict(one.object))) for one in bundle(settings, redirection(settings))
    ]
    for item in items:
        if item["kind"] == "MeshConfig":
            item["spec"]["traffic"] |= changes
    file = project / "installed.yaml"
    file.write_text("---\n".join(yaml.safe_dump(one) for one in items))
    return str(file)


def test_an_installation_as_declared_can_be_taken_over(run: Run, project: Path) -> None:
    there = ("-C", str(project), "--from", saved(project))
    result = run("adopt", "dev", *there)
    assert result.exit_code == 0, result.output
    assert "Deployment/fsm-system/fsm-injector: as declared\n" in result.stdout
    assert (
        "traffic: unchanged: the scripts of 1 class of pods are the same before and after\n"
        in result.stdout
    )
    programs = "Deployment/fsm-system/fsm-controller, Deployment/fsm-system/fsm-injector"
    assert f"restarts: {programs}, by a rolling update; no other pod\n" in result.stdout
    assert (
        "objects can be taken over: fsm-stack adopt dev --write, then pulumi up" in result.stdout
    )
    written = run("adopt", "dev", "--write", *there)
    assert written.exit_code == 0
    text = (project / "Pulumi.dev.yaml").read_text()
    settings = load_text(text, file="x", today=TODAY).require()
    assert "Deployment/fsm-system/fsm-injector" in settings.deployment.adopt
    found = [one.id for one in load_text(text, file="x", today=TODAY).findings]
    assert found == ["excludes-mesh-port", "adopting"]
    assert run("adopt", "dev", "--write", "--check", *there).exit_code == 2


def test_what_changes_of_the_traffic_is_shown_rule_by_rule(run: Run, project: Path) -> None:
    there = ("-C", str(project), "--from", saved(project, outboundPortExclusionList=[6379, 25]))
    result = run("adopt", "dev", *there)
    assert result.exit_code == 0
    assert "traffic: every pod without annotations:\n" in result.stdout
    assert "  --A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 6379,25 -j RETURN\n" in (
        result.stdout
    )
    data = document(run("adopt", "dev", *there, "-o", "json"))
    assert [one["changes"] for one in data["traffic"]] == [True]
    assert [one["id"] for one in data["findings"]] == ["adopt-changes-traffic"]


def test_leftovers_are_listed_with_their_commands(run: Run, tmp_path: Path) -> None:
    hook = injector_webhook(loaded({}))
    space = {"apiVersion": "v1", "kind": "Namespace",
             "metadata": {"name": "shop", "labels": {"flomesh.io/monitored-by": "fsm"}}}  # fmt: skip
    file = tmp_path / "left.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [hook, space]}))
    result = run("leftovers", "--from", str(file))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "webhooks that nobody answers for: they refuse pods now:"
    assert lines[2] == "  kubectl delete mutatingwebhookconfiguration fsm-webhook-fsm"
    assert "  kubectl label namespace shop flomesh.io/monitored-by-" in lines
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": []}))
    clean = run("leftovers", "--from", str(file))
    assert (clean.exit_code, clean.stdout) == (0, "nothing of a mesh is left\n")


def test_a_first_stack_is_small_valid_and_says_how_to_go_on(run: Run, project: Path) -> None:
    result = run("init", "laptop", "--empty", "-C", str(project))
    assert result.exit_code == 0, result.output
    text = (project / "Pulumi.laptop.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./schemas/stack.schema.json\n")
    assert len(text.splitlines()) < 20
    assert load_text(text, file="x", today=TODAY).findings == ()
    assert run("init", "laptop", "--empty", "-C", str(project)).exit_code == 2


def test_options_take_the_place_of_questions(run: Run, project: Path) -> None:
    result = run(
        "init", "x", "--pod-range", "10.244.0.0/16", "--service-range", "10.96.0.0/16",
        "--api-server", "10.96.0.1", "--enroll", "shop", "--create-namespaces", "-C", str(project),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    settings = load_text((project / "Pulumi.x.yaml").read_text(), file="x", today=TODAY).require()
    assert settings.cluster.pod_ranges == ("10.244.0.0/16",)
    assert settings.cluster.api_server is not None
    assert [(one.name, one.create) for one in settings.enrolled_namespaces] == [("shop", True)]


def test_a_demo_is_in_the_mesh_that_it_is_for(run: Run, project: Path) -> None:
    result = run("init", "x", "--demo", "-C", str(project))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "demo.yaml: written",
        "Pulumi.x.yaml: written; next: fsm-stack validate x",
    ]
    settings = load_text((project / "Pulumi.x.yaml").read_text(), file="x", today=TODAY).require()
    assert [(one.name, one.create) for one in settings.enrolled_namespaces] == [("demo", True)]
    lint = run("lint", "x", "-f", str(project / "demo.yaml"), "-C", str(project))
    assert lint.exit_code == 0, lint.output
    assert "Deployment/legacy/cache" in lint.stdout  # the only finding: it is outside
    assert "6 objects, 1 finding" in lint.stderr


def test_a_demo_that_is_there_is_left_alone(run: Run, project: Path) -> None:
    (project / "demo.yaml").write_text("mine: true\n")
    result = run("init", "x", "--demo", "-C", str(project))
    assert result.exit_code == 2
    assert "demo.yaml: is there already; expected a new stack, or --force\n" in result.stderr
    assert not (project / "Pulumi.x.yaml").exists()
    assert run("init", "x", "--demo", "--force", "-C", str(project)).exit_code == 0
    assert (project / "demo.yaml").read_text() != "mine: true\n"


def test_without_a_terminal_nothing_is_asked(run: Run, project: Path) -> None:
    result = run("init", "x", "-C", str(project))
    assert result.exit_code == 2
    assert "expected --from-cluster, --from FILE, --empty or options" in result.stderr


def test_on_a_terminal_every_stack_is_asked_for(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["10.244.0.0/16, 10.245.0.0/16", "", "", "1.33", "shop cart"])
    monkeypatch.setattr("fsm_stack.cli.adoption.init.on_terminal", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert run("init", "x", "-C", str(project)).exit_code == 0
    settings = load_text((project / "Pulumi.x.yaml").read_text(), file="x", today=TODAY).require()
    assert settings.cluster.pod_ranges == ("10.244.0.0/16", "10.245.0.0/16")
    assert settings.cluster.kubernetes_version == "1.33"
    assert [one.name for one in settings.enrolled_namespaces] == ["shop", "cart"]


def test_a_first_stack_of_values_is_the_converted_one(run: Run, project: Path) -> None:
    file = project / "values.yaml"
    file.write_text("fsm: {meshName: blue, outboundPortExclusionList: [6379]}\n")
    result = run("init", "x", "--from", str(file), "-C", str(project))
    assert result.exit_code == 0, result.output
    settings = load_text((project / "Pulumi.x.yaml").read_text(), file="x", today=TODAY).require()
    assert settings.mesh_name == "blue"
