"""The commit since which a connection has its fate, with who wrote it and in which request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.review.blame import since

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.project.git import Repository, Revision
    from fsm_stack.review.blame import Fate, Question

# Contents are fetched so many at a time: most answers lie in the youngest ones.
_AHEAD: Final = 256
_MERGE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The answer.

    Attributes:
        now: what the connection meets now.
        before: what it met before that commit; None: there is nothing before it.
        revision: the commit that made it so; None: it was so in every revision there is.
        merge: the merge that brought the commit in; None: it needed none.
        request: the number of the pull or merge request; empty: no message names one.
        skipped: commits in between that do not validate.
        shallow: the clone lacks older commits, so that it may be older than that.
        commits: how many commits of the file were looked at.
        evaluated: how many different settings were evaluated.
    """

    now: Fate
    before: Fate | None
    revision: Revision | None
    merge: Revision | None
    request: str
    skipped: int
    shallow: bool
    commits: int
    evaluated: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "now": _fate(self.now),
            "before": _fate(self.before),
            "commit": _revision(self.revision),
            "merge": _revision(self.merge),
            "request": self.request or None,
            "skipped": self.skipped,
            "shallow": self.shallow,
            "commits": self.commits,
            "evaluated": self.evaluated,
        }


def _fate(fate: Fate | None) -> dict[str, Any] | None:
    if fate is None:
        return None
    if fate.decision is None:
        return {"verdict": None, "why": fate.why_not}
    found = fate.decision
    entries = list(fate.entries)
    return {"verdict": found.verdict, "rule": found.rule, "why": found.why, "entries": entries}


def _revision(revision: Revision | None) -> dict[str, Any] | None:
    if revision is None:
        return None
    return {
        "id": revision.commit,
        "author": revision.author,
        "date": revision.date,
        "subject": revision.subject,
        "path": revision.path,
    }


def blame(repository: Repository, path: str, question: Question) -> Blame:
    """Since which commit the connection has the fate that it has at ``HEAD``.

    Args:
        repository: of the project.
        path: the stack's file, from the project's directory.
        question: the connection.

    Raises:
        InputError: the file has no history, or its newest revision cannot be told.
    """
    history = list(repository.history(f"{repository.prefix}{path}"))
    if not history:
        raise InputError(f"{path}: expected a file that is committed")
    found = since(question, _texts(repository, history))
    revision = None if found.changed is None else history[found.changed]
    merge = None
    commits = found.looked
    # A branch may have merged another one: the commit that is no merge is asked for.
    while revision is not None and len(revision.parents) >= _MERGE:
        inner, looked = _inside(repository, revision, question, found.now)
        commits += looked
        if inner is None:
            break
        revision, merge = inner, merge or revision
    told = merge or revision
    shallow = repository.shallow and (found.changed is None or not history[found.changed].parents)
    return Blame(
        now=found.now,
        before=found.before,
        revision=revision,
        merge=merge,
        request="" if told is None else repository.request_of(told.commit),
        skipped=found.skipped,
        shallow=shallow,
        commits=commits,
        evaluated=question.evaluated,
    )


def _inside(
    repository: Repository, merge: Revision, question: Question, now: Fate
) -> tuple[Revision | None, int]:
    """The commit of a merged branch that made it so; None: the merge itself did."""
    looked = 0
    for branch in merge.parents[1:]:
        history = list(repository.history(merge.path, branch, merge.parents[0]))
        looked += len(history)
        texts = list(_texts(repository, history))
        if not history or not now.like(question.of(texts[0])):
            continue
        try:
            found = since(question, texts)
        except InputError:
            continue
        if found.changed is not None:
            return history[found.changed], looked
        if not _was_so(repository, history[-1], question, now):
            return history[-1], looked  # the branch began with it
    return None, looked


def _was_so(repository: Repository, first: Revision, question: Question, now: Fate) -> bool:
    """Whether the connection had its fate before the first commit of a branch."""
    if first.begins or not first.parents:
        return False
    older = next(repository.history(first.path, first.parents[0]), None)
    return older is not None and now.like(question.of(next(_texts(repository, [older]))))


def _texts(repository: Repository, history: Sequence[Revision]) -> Iterator[str | None]:
    for start in range(0, len(history), _AHEAD):
        part = history[start : start + _AHEAD]
        contents = repository.blobs(one.blob for one in part if one.blob)
        for one in part:
            content = contents.get(one.blob)
            yield None if content is None else content.decode(errors="replace")
