from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from fsm_stack.cli.main import ENTRIES, cli
from fsm_stack.verify.every import CHECKS

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def completed(*words: str, incomplete: str = "") -> list[str]:
    shell = ShellComplete(cli, {}, "fsm-stack", "_FSM_STACK_COMPLETE")
    return [item.value for item in shell.get_completions(list(words), incomplete)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_FSM_STACK_COMPLETE" in result.stdout
    assert document(run("completion", shell, "-o", "json"))["script"] in result.stdout


def test_an_unknown_shell_is_bad_usage(run: Run) -> None:
    result = run("completion", "cmd")
    assert result.exit_code == 2
    assert "'cmd' is not one of 'bash', 'zsh', 'fish'" in result.stderr


def test_verbs_complete_in_the_order_of_the_help() -> None:
    assert completed(incomplete="v") == [name for name in ENTRIES if name.startswith("v")]
    assert {"validate", "vendor"} <= set(completed(incomplete="v"))


def test_stacks_complete_to_those_of_the_project(project: Path) -> None:
    assert completed("render", "-C", str(project)) == ["dev", "staging"]
    assert completed("render", "-C", str(project), incomplete="s") == ["staging"]
    assert completed("render", "-C", str(project), "dev") == ["staging"]


def test_outside_of_a_project_no_stack_completes(tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert completed("render", "-C", str(elsewhere)) == []


def test_finding_ids_complete() -> None:
    assert completed("explain", incomplete="host-b") == ["host-bits"]
    assert completed("lint", "dev", "--suppress", incomplete="host-b") == ["host-bits"]


def test_profiles_and_checks_complete(project: Path) -> None:
    with (project / "Pulumi.dev.yaml").open("a") as stream:
        stream.write("  fsm-stack:annotationProfiles: {redis: {}, api: {description: x}}\n")
    here = ("-C", str(project))
    assert completed("annotate", *here, "dev") == ["redis", "api"]
    assert completed("rules", *here, "dev", "--profile", incomplete="re") == ["redis"]
    assert completed("annotate", *here, "no") == []
    assert completed("verify", "--check", incomplete="init-") == [
        check.id for check in CHECKS if check.id.startswith("init-")
    ]
