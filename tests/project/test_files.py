from __future__ import annotations

import os
import stat
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.errors import InputError
from fsm_stack.gitops import replace as tree
from fsm_stack.gitops.replace import alone
from fsm_stack.project import files
from fsm_stack.project.files import FileError, read_file, read_tree, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD = {"a.yaml": b"old", "1-x/b.yaml": b"same", "gone/c.yaml": b"gone"}
NEW = {"a.yaml": b"new", "1-x/b.yaml": b"same", "2-y/d.yaml": b"d", "\xfc.sh": b"\xc3\xbc"}
NOBODY = 65534


def replace_tree(target: Path, content: dict[str, bytes], *, shown: str | None = None) -> None:
    """A run that writes a directory."""
    with alone(target, shown=shown):
        tree.replace_tree(target, content)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, which ignore the mode of a directory."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def crash_at(step: int, action: Callable[[], object]) -> int:
    """Run an action in a child that dies before its n-th operation on the file system.

    Returns:
        The child's exit code: 9 when it died, 0 when it finished before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the test runner, 3.12
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    operations = {
        "open",
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.scandir",
    }
    count = 0

    def die(event: str, _: Any) -> None:
        nonlocal count
        if event in operations:
            count += 1
            if count == step:
                os._exit(9)

    try:
        sys.addaudithook(die)
        action()
    except BaseException:  # noqa: BLE001  # a child of the test suite must never go on as one
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_a_crash_at_any_step_leaves_the_whole_old_or_the_whole_new_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, exchange: bool
) -> None:
    """Half a tree in Git, or under a controller, would be half a mesh."""
    if not exchange:
        monkeypatch.setattr(tree, "_exchange", lambda *_: False)
    seen = set()
    target = tmp_path / "dev"
    for step in range(1, 200):
        replace_tree(target, OLD)
        code = crash_at(step, lambda: replace_tree(target, NEW))
        if not exchange and not target.exists():
            tree.recover(target)
            seen.add("moved back")
        left = read_tree(target).files
        assert left in (OLD, NEW), f"after step {step}: {sorted(left)}"
        seen.add("old" if left == OLD else "new")
        replace_tree(target, NEW)
        assert read_tree(target).files == NEW
        assert [path.name for path in tmp_path.iterdir()] == ["dev"]
        if code == 0:
            break
    assert code == 0
    assert seen == ({"old", "new"} if exchange else {"old", "new", "moved back"})


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
@pytest.mark.parametrize("operation", ["rename", "link", "mkdir", "write_bytes"])
def test_a_failure_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, *, exchange: bool
) -> None:
    """A full disk is no reason to lose what was there."""
    target = tmp_path / "dev"
    replace_tree(target, OLD)

    def fail(self: Path, *arguments: Any, **_: Any) -> None:
        if operation == "rename" and str(self).endswith("-old"):
            os.rename(self, *arguments)  # noqa: PTH104  # the way back works
            return
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        if not exchange:
            patched.setattr(tree, "_exchange", lambda *_: False)
        if operation == "link":
            patched.setattr(os, "link", fail)
            replace_tree(target, NEW, shown="rendered/dev")
            assert read_tree(target).files == NEW
            return
        if operation == "rename":
            patched.setattr(tree, "_exchange", lambda *_: fail(target))
        else:
            patched.setattr(f"pathlib.Path.{operation}", fail)
        with pytest.raises(FileError) as caught:
            replace_tree(target, NEW, shown="rendered/dev")
    assert str(caught.value) == "cannot write rendered/dev: No space left on device"
    assert read_tree(target).files == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["dev"]


def test_a_failed_second_rename_brings_the_old_tree_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "dev"
    replace_tree(target, OLD)
    rename = os.rename

    def second_fails(self: Path, to: Path) -> None:
        if self.name.endswith("-new"):
            raise OSError(5, "Input/output error")
        rename(self, to)

    monkeypatch.setattr(tree, "_exchange", lambda *_: False)
    monkeypatch.setattr("pathlib.Path.rename", second_fails)
    with pytest.raises(FileError):
        replace_tree(target, NEW)
    assert read_tree(target).files == OLD


def test_a_read_only_directory_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "rendered"
    directory.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    with as_nobody(), pytest.raises(FileError) as caught:
        replace_tree(directory / "dev", NEW, shown="rendered/dev")
    assert str(caught.value) == "cannot write rendered/dev: Permission denied"
    with as_nobody(), pytest.raises(FileError) as caught:
        write_file(directory / "asset.json", b"{}", shown="asset.json")
    assert str(caught.value) == "cannot write asset.json: Permission denied"


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "",
        "a//b",
        "./a",
        "a\\b",
        "a\nb",
        "a\0b",
        "x" * 256,
        "..",
        "a/",
    ],
)
def test_a_path_out_of_the_target_is_refused(tmp_path: Path, path: str) -> None:
    """Names come from settings; a file outside of the target is never ours."""
    with pytest.raises(InputError) as caught:
        replace_tree(tmp_path / "dev", {path: b"x"})
    assert str(caught.value) == (
        f"{path!r}: expected a relative path of printable names up to 255 bytes, "
        "without '..' and backslashes"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_keeps_its_date_only_while_it_has_its_content(tmp_path: Path) -> None:
    """Another run may have written in between; a tree of two runs would belong to no stack."""
    target = tmp_path / "dev"
    replace_tree(target, {"same": b"one", "other": b"one", "link": b"one"})
    (tmp_path / "elsewhere").write_bytes(b"one")
    (target / "other").write_bytes(b"two")
    (target / "link").unlink()
    (target / "link").symlink_to(tmp_path / "elsewhere")
    before = (target / "same").stat().st_ino
    replace_tree(target, {"same": b"one", "other": b"one", "link": b"one"})
    assert read_tree(target).files == {"same": b"one", "other": b"one", "link": b"one"}
    assert (target / "same").stat().st_ino == before


def test_a_symbolic_link_is_never_followed(tmp_path: Path) -> None:
    """A link in a pull request must not make a reviewer's machine read or write elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_bytes(b"keep")
    target = tmp_path / "dev"
    replace_tree(target, OLD)
    (target / "link").symlink_to(outside)
    (target / "file").symlink_to(outside / "keep")
    assert read_tree(target).others == ("file", "link")
    assert read_tree(target).files == OLD
    replace_tree(target, NEW)
    assert read_tree(target).files == NEW
    for name in (".dev.fsm-stack-new", ".dev.fsm-stack-old"):
        (tmp_path / name).symlink_to(outside)
    replace_tree(target, OLD)
    assert (outside / "keep").read_bytes() == b"keep"


@pytest.mark.parametrize(
    ("kind", "found"), [("link", "a symbolic link"), ("file", "no directory")]
)
def test_a_target_that_is_no_directory_is_refused(tmp_path: Path, kind: str, found: str) -> None:
    target = tmp_path / "dev"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    else:
        target.write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        read_tree(target, shown="rendered/dev")
    assert str(caught.value) == f"rendered/dev: expected a directory, found {found}"
    with pytest.raises(InputError):
        replace_tree(target, NEW)
    assert target.is_symlink() == (kind == "link")


def test_what_is_not_there_is_an_empty_tree(tmp_path: Path) -> None:
    assert read_tree(tmp_path / "dev") == files.Tree(files={})


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "releases" / "asset.json"
    write_file(path, b"old")
    for step in range(1, 20):
        code = crash_at(step, lambda: write_file(path, b"new"))
        assert path.read_bytes() in {b"old", b"new"}
        if code == 0:
            break
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["asset.json"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_an_older_files_permissions_stay(tmp_path: Path, mode: int) -> None:
    """A stack file that only its owner may read stays so."""
    path = tmp_path / "Pulumi.dev.yaml"
    write_file(path, b"old")
    path.chmod(mode)
    write_file(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    """Root could replace /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link"):
        with pytest.raises(InputError) as caught:
            write_file(path, b"x", shown=path.name)
        assert str(caught.value) == f"{path.name}: expected a regular file"
    assert pipe.is_fifo()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_file_that_is_too_large_is_refused_and_a_missing_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert read_file(path, limit=3) is None
    path.write_bytes(b"abcd")
    assert read_file(path, limit=4) == b"abcd"
    with pytest.raises(InputError) as caught:
        read_file(path, limit=3, shown="x")
    assert str(caught.value) == "x: expected at most 3 bytes"
    with pytest.raises(FileError) as unreadable:
        read_file(tmp_path, limit=3, shown="x")
    assert str(unreadable.value) == "cannot read x: Is a directory"


def test_a_failed_exchange_is_an_error_and_a_missing_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without exchange takes the two renames; any other failure is told."""
    with pytest.raises(OSError, match="No such file or directory"):
        tree._exchange(tmp_path / "a", tmp_path / "b")
    monkeypatch.setattr(tree, "_NO_EXCHANGE", frozenset({2}))
    assert tree._exchange(tmp_path / "a", tmp_path / "b") is False


def test_files_are_written_where_windows_lacks_the_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has neither owners and modes by descriptor, nor locks on directories, nor an exchange."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "fchown")
    monkeypatch.delattr(os, "fchmod")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    file, target = tmp_path / "Pulumi.dev.yaml", tmp_path / "rendered"
    for content, state in ((OLD, b"old"), (NEW, b"new")):
        write_file(file, state)
        replace_tree(target, content)
        assert file.read_bytes() == state
        assert read_tree(target).files == content
