from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from fsm_stack.errors import InputError, did_you_mean
from fsm_stack.project.project import find_project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    for name in ("prod", "dev", "eu-west.1"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    return tmp_path


def test_a_project_is_found_from_any_directory_in_it(project: Path) -> None:
    inside = project / "docs" / "deep"
    inside.mkdir(parents=True)
    found = find_project(inside)
    assert found.directory == project
    assert found.shown(project / "Pulumi.dev.yaml") == "../../Pulumi.dev.yaml"


def test_no_project_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_project(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no Pulumi.yaml here or in any directory above; "
        "expected a directory of an fsm-stack project, name one with -C"
    )
    with pytest.raises(InputError) as missing:
        find_project(tmp_path / "no")
    assert str(missing.value) == f"{tmp_path}/no: no such directory"


def test_stacks_are_the_files_that_pulumi_takes_for_stacks(project: Path) -> None:
    """``Pulumi....yaml`` would be a stack called ``..``, and its directory everything."""
    for name in ("Pulumi....yaml", "Pulumi.a b.yaml", "Pulumi.x.yml", "Pulumi.yaml.bak"):
        (project / name).write_text("")
    assert find_project(project).stacks() == ("dev", "eu-west.1", "prod")


def test_an_unknown_stack_is_answered_with_the_nearest(project: Path) -> None:
    found = find_project(project)
    with pytest.raises(InputError) as near:
        found.chosen(("Prd",))
    assert str(near.value) == "'Prd': no such stack; did you mean 'prod'?"
    with pytest.raises(InputError) as far:
        found.chosen(("../../etc",))
    assert str(far.value) == "'../../etc': no such stack; expected one of dev, eu-west.1, prod"


def test_a_stack_file_with_the_other_ending_is_pointed_at(project: Path) -> None:
    """The Pulumi CLI would not read it either."""
    (project / "Pulumi.test.yml").write_text("config: {}\n")
    with pytest.raises(InputError, match=r"the engine reads Pulumi\.test\.yaml, not Pulumi\.test"):
        find_project(project).chosen(("test",))


def test_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "Pulumi.pipe.yaml")
    with pytest.raises(InputError, match=r"Pulumi\.pipe\.yaml: expected a regular file"):
        find_project(project).load("pipe")


def test_a_stack_that_is_named_twice_is_taken_once(project: Path) -> None:
    found = find_project(project)
    assert found.chosen(("prod", "dev", "prod")) == ("prod", "dev")
    assert found.chosen((), everything=True) == ("dev", "eu-west.1", "prod")


def test_a_project_without_stacks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    with pytest.raises(InputError) as caught:
        find_project(tmp_path).chosen((), everything=True)
    assert str(caught.value) == ".: no stack here; expected a file Pulumi.<stack>.yaml"


def test_a_stack_is_read_with_its_places(project: Path) -> None:
    file = project / "Pulumi.dev.yaml"
    file.write_text("config:\n  fsm-stack:trafic: {}\n")
    stack = find_project(project).load("dev", today=date(2026, 1, 1))
    (finding,) = stack.findings
    assert (finding.place.file, finding.place.line) == ("Pulumi.dev.yaml", 2)


def test_a_file_that_is_no_text_is_an_error_with_its_line(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_bytes(b"config:\n  a: \xff\n")
    with pytest.raises(InputError) as caught:
        find_project(project).load("dev")
    assert str(caught.value) == "Pulumi.dev.yaml:2:6: expected UTF-8 text, found byte 0xff"


def test_a_file_that_is_gone_or_too_large_is_an_error(project: Path) -> None:
    found = find_project(project)
    (project / "Pulumi.dev.yaml").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(InputError) as large:
        found.load("dev")
    assert str(large.value) == "Pulumi.dev.yaml: expected at most 4194304 bytes"
    (project / "Pulumi.dev.yaml").unlink()
    with pytest.raises(InputError) as gone:
        found.load("dev")
    assert str(gone.value) == "Pulumi.dev.yaml: no such file"


def test_a_word_that_is_near_to_none_gets_no_suggestion() -> None:
    assert did_you_mean("zzz", ("dev", "prod")) == ""
    assert did_you_mean("h01", ("H1", "H2")) == "; did you mean 'H1'?"
