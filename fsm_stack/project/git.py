"""Git read through its own plumbing: revisions, files at a revision, what became of a file.

Nothing is checked out and nothing is written: neither work tree nor index nor references. No
program that a repository's configuration names is run, and nothing is fetched.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# What keeps Git from running or fetching anything because of a repository's own configuration.
_SAFE: Final = (
    "--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false", "-c", "log.showRoot=true", "-c", "core.quotePath=false",
    # A folder of the checkout may look like a repository of its own.
    "-c", "i18n.logOutputEncoding=UTF-8", "-c", "safe.bareRepository=explicit",
)  # fmt: skip
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_SECONDS_MAX: Final = 60
# Between zero bytes, which no message and no name can hold; the last is followed by the raw lines.
_HEADER: Final = "%x00%H%x00%P%x00%an%x00%aI%x00%s%x00"
_FIELDS: Final = 6
_BATCH: Final = 256
_NO_BLOB: Final = re.compile("0+")
_BLOB: Final = re.compile(rb"[0-9a-f]+ blob (\d+)")
# The number of a pull or merge request. Sources: what GitHub and GitLab write into the messages
# of merges and of squashed commits.
_REQUESTS: Final = (
    re.compile(r"^Merge pull request #(\d+) from ", re.MULTILINE),
    re.compile(r"^See merge request [^\s!]*!(\d+)\s*$", re.MULTILINE),
    re.compile(r"\A.*\(#(\d+)\)$", re.MULTILINE),
    re.compile(r"\A.*\(!(\d+)\)$", re.MULTILINE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One commit that changed a file.

    Attributes:
        commit: its full id.
        parents: the ids of its parents.
        author: who wrote it, as the commit says.
        date: when, with the zone.
        subject: its first line.
        path: the file's path there, from the repository's root.
        blob: the file's content; empty: the commit removed it.
        begins: whether its first parent has no file of that name.
    """

    commit: str
    parents: tuple[str, ...]
    author: str
    date: str
    subject: str
    path: str
    blob: str
    begins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository and the directory in it that a project is in.

    Attributes:
        directory: the project's.
        prefix: its path from the root, with a slash at its end; empty: it is the root.
    """

    directory: Path
    prefix: str

    def commit(self, revision: str) -> str:
        """The full id of a commit.

        Raises:
            InputError: there is no such commit here, or the word could be an option.
        """
        if revision.startswith("-") or not revision or not revision.isprintable():
            raise InputError(f"{harmless(revision)!r}: expected a Git revision")
        wanted = f"{revision}^{{commit}}"
        found = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
        if found is None:
            raise InputError(f"{revision!r}: no such revision here{self._why_missing()}")
        return found.strip()

    def is_revision(self, word: str) -> bool:
        """Whether a word names a commit."""
        try:
            self.commit(word)
        except InputError:
            return False
        return True

    def _why_missing(self) -> str:
        if self.shallow:
            return (
                "; the clone is shallow: get the rest with `git fetch --unshallow` "
                "(actions/checkout: fetch-depth: 0)"
            )
        return "; a branch of a remote is named with it, such as origin/main"

    @property
    def shallow(self) -> bool:
        """Whether the clone lacks older commits."""
        return (self._try("rev-parse", "--is-shallow-repository") or "").strip() == "true"

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's content at a commit; None: it has none there.

        A symbolic link is followed, as in a work tree, and never out of the commit.

        Args:
            commit: a full id.
            path: from the project's directory.
        """
        name = f"{commit}:{self.prefix}{path}\n"
        output = self._run("cat-file", "--batch", "--follow-symlinks", given=name)
        head, _, content = output.partition(b"\n")
        found = _BLOB.fullmatch(head)
        return None if found is None else content[: int(found[1])]

    def names(self, commit: str) -> tuple[str, ...]:
        """What the project's directory holds at a commit; empty: it was not there."""
        text = self._try("ls-tree", "-z", "--name-only", f"{commit}:{self.prefix}")
        return tuple(name for name in (text or "").split("\0") if name)

    def older_name(self, commit: str, path: str) -> str | None:
        """What a file was called at an older commit; None: it was not renamed since."""
        lines = self._text(
            "diff", "--raw", "--no-abbrev", "--find-renames", "--diff-filter=R", "--no-ext-diff",
            "--no-textconv", commit, "HEAD",
        ).splitlines()  # fmt: skip
        return next((old for old, new in _renames(lines) if new == f"{self.prefix}{path}"), None)

    def trailers(self, since: str, key: str) -> tuple[tuple[str, str], ...]:
        """A trailer's values in the commits after another one, oldest first, with the commit."""
        values = f"%(trailers:key={key},valueonly,unfold)"
        text = self._text(
            "log", "--reverse", f"--format=%x00%h%x00{values}",
            f"{since}..HEAD", "--",
        )  # fmt: skip
        found = []
        parts = text.split("\0")[1:]
        for commit, told in zip(parts[::2], parts[1::2], strict=True):
            found += [(commit, value.strip()) for value in told.split("\n") if value.strip()]
        return tuple(found)

    def merge_base(self, one: str, other: str) -> str | None:
        """The commit that two have in common; None: there is none here."""
        found = self._try("merge-base", one, other)
        return None if found is None else found.strip()

    def history(self, path: str, start: str = "HEAD", stop: str = "") -> Iterator[Revision]:
        """The commits that changed a file, newest first, along the first parents.

        A merge stands for what it brought in. Renames are followed, also into a name that the
        file, or another one, had before.

        Args:
            path: from the repository's root.
            start: the newest commit.
            stop: a commit that, with all before it, is left out.
        """
        older: str | None = path
        while older is not None:
            path, older = older, None
            for one in self._changes(path, start, stop):
                yield one
                if one.begins and one.parents and (older := self._renamed_by(one)):
                    start = one.parents[0]
                    break

    def _changes(self, path: str, start: str, stop: str) -> Iterator[Revision]:
        range_ = [start, *([f"^{stop}"] if stop else [])]
        text = self._text(
            "log", "--first-parent", "--diff-merges=first-parent", "--raw", "--no-abbrev",
            "--no-renames", "--no-ext-diff", "--no-textconv", f"--format={_HEADER}", *range_, "--",
            path,
        )  # fmt: skip
        parts = text.split("\0")[1:]
        for at in range(0, len(parts), _FIELDS):
            commit, parents, author, date, subject, rest = parts[at : at + _FIELDS]
            raw = next((line for line in rest.splitlines() if line.startswith(":")), "")
            was, blob = raw.split()[2:4] if raw else ("", "")
            yield Revision(
                commit=commit,
                parents=tuple(parents.split()),
                author=author,
                date=date,
                subject=subject,
                path=path,
                blob="" if _NO_BLOB.fullmatch(blob) else blob,
                begins=bool(_NO_BLOB.fullmatch(was)),
            )

    def _renamed_by(self, revision: Revision) -> str | None:
        lines = self._text(
            "diff-tree", "-r", "--raw", "--no-abbrev", "--find-renames", "--diff-filter=R",
            "--no-ext-diff", "--no-textconv", revision.parents[0], revision.commit,
        ).splitlines()  # fmt: skip
        return next((old for old, new in _renames(lines) if new == revision.path), None)

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The contents of some blobs, each read once."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, bytes] = {}
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            output = self._run("cat-file", "--batch", given="".join(f"{one}\n" for one in part))
            at = 0
            for one in part:
                end = output.index(b"\n", at)
                words = output[at:end].split()
                if len(words) < 3:  # noqa: PLR2004  # id, kind, size; else: missing
                    raise InputError(f"Git object {one}: it is not here{self._why_missing()}")
                size = int(words[2])
                found[one] = output[end + 1 : end + 1 + size]
                at = end + 1 + size + 1
        return found

    def message(self, commit: str) -> str:
        """A commit's whole message."""
        return self._text("log", "-1", "--format=%B", commit, "--")

    def request_of(self, commit: str) -> str:
        """The number of the pull or merge request that a commit's message names; empty: none."""
        message = self.message(commit)
        for pattern in _REQUESTS:
            if match := pattern.search(message):
                return match[1]
        return ""

    def _text(self, *words: str) -> str:
        return self._run(*words).decode(errors="replace")

    def _try(self, *words: str) -> str | None:
        done = _git(self.directory, words)
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def _run(self, *words: str, given: str = "") -> bytes:
        done = _git(self.directory, words, given=given)
        if done.returncode != 0:
            raise InputError(f"git {words[0]}: {_said(done)}{self._why_missing()}")
        return done.stdout


def repository(directory: Path) -> Repository:
    """The repository of a directory.

    Raises:
        InputError: it is in none, Git is not installed, or refuses to read it.
    """
    done = _git(directory, ("rev-parse", "--show-prefix"))
    if done.returncode != 0:
        raise InputError(f"{directory}: expected a Git repository: {_said(done)}")
    return Repository(directory=directory, prefix=done.stdout.decode(errors="replace").strip("\n"))


def _git(
    directory: Path, words: Sequence[str], *, given: str = ""
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603  # a fixed program, no shell; words that begin with - are refused
            ["git", *_SAFE, *words],  # noqa: S607  # the user's own git, as their shell finds it
            cwd=directory,
            env=os.environ | _ENVIRONMENT,
            input=given.encode(),
            capture_output=True,
            timeout=_SECONDS_MAX,
            check=False,
        )
    except FileNotFoundError:
        raise InputError("git: no such program; expected Git to read revisions") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"git {words[0]}: no answer within {_SECONDS_MAX} seconds") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = done.stderr.decode(errors="replace").strip().splitlines()
    return harmless(text[0].removeprefix("fatal: ") if text else f"exit code {done.returncode}")


def _renames(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Old and new path of every rename in raw output; quoted names are none of stacks'."""
    for line in lines:
        parts = line.split("\t")
        if len(parts) == 3:  # noqa: PLR2004  # modes and ids, old, new
            yield parts[1], parts[2]
