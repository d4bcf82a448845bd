"""The committed environments: clean, complete, and rendered as they stand."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import load_text

ROOT = Path(__file__).parent.parent
STACKS = ("dev", "staging", "prod")
# Before every `until` of the examples, so that the suite does not fail on a birthday.
TODAY = date(2026, 7, 1)


def stack_text(stack: str) -> str:
    return (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")


@pytest.mark.requirement("C8")
@pytest.mark.parametrize("stack", STACKS)
def test_an_example_environment_validates_without_a_warning(stack: str) -> None:
    loaded = load_text(stack_text(stack), file=stack, today=TODAY)
    said = [(item.id, item.severity.value) for item in loaded.findings]
    looked = [("look-only", "info")] if stack == "dev" else []
    assert said == [("excludes-mesh-port", "info"), *looked]


def test_dev_excludes_and_staging_includes_what_the_guide_does() -> None:
    """The guide's ranges, with the host bits of 2.2.2.2/24 cleared."""
    dev = load_text(stack_text("dev"), file="dev", today=TODAY).require().traffic
    staging = load_text(stack_text("staging"), file="staging", today=TODAY).require().traffic
    assert [e.value for e in dev.outbound_ip_range_exclusion_list] == ["1.1.1.1/32", "2.2.2.0/24"]
    assert [e.value for e in dev.outbound_port_exclusion_list] == [6379, 7070]
    assert [e.value for e in staging.outbound_ip_range_inclusion_list] == [
        "10.244.0.0/16",
        "10.96.0.0/16",
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_an_example_names_its_schema_for_editors(stack: str) -> None:
    first = stack_text(stack).splitlines()[0]
    assert first == "# yaml-language-server: $schema=./schemas/stack.schema.json"


def project_config() -> dict[str, Any]:
    text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    return config


def test_pulumi_yaml_declares_every_setting_with_the_models_description() -> None:
    declared = {key: value["description"] for key, value in project_config().items()}
    fields = StackSettings.model_fields.items()
    assert declared == {field.alias or name: field.description for name, field in fields}


def test_pulumi_yaml_holds_no_default_that_the_models_do_not() -> None:
    """The engine replaces a project's object by the stack's; a default there would be lost."""
    for name, field in StackSettings.model_fields.items():
        declared = project_config()[field.alias or name]
        expected = {"array": [], "object": {}}.get(declared["type"], field.default)
        assert declared["default"] == expected


def test_the_committed_renderings_are_fresh() -> None:
    """Else a review would read another mesh than the one that is brought up."""
    program = Path(sys.executable).parent / "fsm-stack"
    done = subprocess.run(
        [program, "render", "--all", "--check", "--without-release-assets"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
