"""Files that others may have put there: links, leftovers, names that are ours, two runs at once."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from fsm_stack.gitops import directory
from fsm_stack.project import files
from fsm_stack.project.project import find_project

if TYPE_CHECKING:
    from pathlib import Path

DEV = "config:\n  fsm-stack:releaseAssets: {source: existingConfigMap}\n"
FILES = {"a.yaml": b"a", "b/c.yaml": b"c"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (folder / "Pulumi.dev.yaml").write_text(DEV)
    return folder


def run(*words: str) -> Result:
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def render(project: Path, *more: str) -> Result:
    return run("render", "-C", str(project), *more)


# Leftovers.


def test_what_a_killed_run_left_goes_with_the_next_one_also_when_nothing_changes(
    project: Path,
) -> None:
    assert render(project).exit_code == 0
    rendered = project / "rendered"
    before = sorted(path.relative_to(rendered) for path in rendered.rglob("*"))
    for role in ("new", "old"):
        (rendered / f".dev.fsm-stack-{role}" / "x").mkdir(parents=True)
    done = render(project)
    assert done.exit_code == 0
    assert "nothing changed" in done.stdout
    assert sorted(path.relative_to(rendered) for path in rendered.rglob("*")) == before


def test_a_tree_that_a_killed_run_moved_aside_comes_back_before_it_is_read(project: Path) -> None:
    """Else its files would be told as new."""
    assert render(project).exit_code == 0
    rendered = project / "rendered"
    (rendered / "dev").rename(rendered / ".dev.fsm-stack-old")
    done = render(project)
    assert "nothing changed" in done.stdout
    assert [path.name for path in rendered.iterdir()] == ["dev"]


def test_a_killed_runs_draft_of_a_file_goes_with_the_next_one(tmp_path: Path) -> None:
    draft = tmp_path / ".x.json.fsm-stack-new"
    draft.write_bytes(b"half")
    files.write_file(tmp_path / "x.json", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


# Names.


@pytest.mark.parametrize("name", [".dev.fsm-stack-new", ".dev.fsm-stack-old", ".x"])
def test_a_stack_that_is_called_like_a_folder_of_ours_is_none(project: Path, name: str) -> None:
    """Its directory would be taken for what a killed run left, and removed."""
    (project / f"Pulumi.{name}.yaml").write_text(DEV)
    for words in (("validate", "-C", str(project)), ("render", "-C", str(project))):
        result = run(*words)
        assert result.exit_code == 2
        assert result.stderr == (
            f"fsm-stack: error: Pulumi.{name}.yaml: expected a stack's name that begins with no "
            f"'.', got {name!r}\n"
        )


# Links.


@pytest.mark.parametrize("content", [DEV, "config: {", "root:x:0:0\n"])
def test_a_stack_file_that_leads_out_of_the_project_is_refused(
    project: Path, tmp_path: Path, content: str
) -> None:
    """A pull request could have a file of the reviewer's machine read, and quoted."""
    outside = tmp_path / "outside.yaml"
    outside.write_text(content)
    (project / "Pulumi.x.yaml").symlink_to(outside)
    for verb in ("validate", "render", "tidy", "bypasses"):
        result = run(verb, "-C", str(project), "x")
        assert result.exit_code == 2
        assert "a symbolic link that leads out of the project" in result.stderr
        assert "root" not in result.output


def test_a_stack_file_that_is_a_link_inside_the_project_is_read(project: Path) -> None:
    (project / "Pulumi.x.yaml").symlink_to("Pulumi.dev.yaml")
    assert run("validate", "-C", str(project), "x").exit_code == 0


@pytest.mark.parametrize("name", ["scripts.tar.gz", "asset.json"])
def test_a_release_asset_that_leads_out_of_the_project_is_refused(
    project: Path, tmp_path: Path, name: str
) -> None:
    folder = project / "releases/1.5.1"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("s3cret")
    for one in ("scripts.tar.gz", "asset.json"):
        (folder / one).write_text("{}")
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "secret")
    (project / "Pulumi.v.yaml").write_text("config:\n  fsm-stack:mesh: {name: fsm}\n")
    result = render(project, "v")
    assert result.exit_code == 2
    assert "a symbolic link that leads out of the project" in result.stderr


@pytest.mark.parametrize("way", ["rendered", "rendered/dev", "--output-dir", "inside"])
def test_nothing_is_written_through_a_link(project: Path, tmp_path: Path, way: str) -> None:
    """A link in a branch must not have a run write elsewhere on the machine."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    more: tuple[str, ...] = ()
    if way == "--output-dir":
        (project / "out").symlink_to(elsewhere)
        more = ("--output-dir", "out")
    elif way == "inside":
        (project / "out").symlink_to(elsewhere)
        more = ("--output-dir", "out/more")
    else:
        (project / way).parent.mkdir(exist_ok=True)
        (project / way).symlink_to(elsewhere)
    result = render(project, "dev", *more)
    assert result.exit_code == 2, result.output
    assert "found a symbolic link" in result.stderr
    assert list(elsewhere.iterdir()) == []
    if way != "rendered/dev":
        assert render(project, "dev", "--check", *more).exit_code == 2


def test_a_directory_above_the_project_may_be_a_link(project: Path, tmp_path: Path) -> None:
    """As /tmp is on some systems."""
    (tmp_path / "link").symlink_to(project.parent)
    assert render(tmp_path / "link" / "project", "dev").exit_code == 0
    other = tmp_path / "link" / "other"
    assert render(project, "dev", "--output-dir", str(other)).exit_code == 0
    assert (tmp_path / "other/dev/kustomization.yaml").is_file()


# Two runs at once.


def test_what_was_there_is_read_when_no_other_run_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run would take another one's new files for a stranger's, or tell them as its own."""
    target = tmp_path / "dev"
    directory.write(target, {directory.MARKER: b"a.yaml\n", "a.yaml": b"1"}, shown="dev")
    slow = directory.replace_tree
    entered: list[str] = []

    def slowly(*arguments: object, **named: object) -> None:
        entered.append("x")
        time.sleep(0.3)
        slow(*arguments, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(directory, "replace_tree", slowly)
    first = {directory.MARKER: b"a.yaml\nb.yaml\n", "a.yaml": b"1", "b.yaml": b"b"}
    other = Thread(target=directory.write, args=(target, first), kwargs={"shown": "dev"})
    other.start()
    while not entered:
        time.sleep(0.01)
    done = directory.write(target, first, shown="dev")
    other.join()
    assert (done.created, done.changed, done.removed) == ((), (), ())
    assert done.unchanged == (directory.MARKER, "a.yaml", "b.yaml")


def test_a_project_is_found_through_a_link(project: Path, tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(project)
    assert find_project(tmp_path / "here").stacks() == ("dev",)
