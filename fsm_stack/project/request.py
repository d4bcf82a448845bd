"""Every stack of a work tree against a Git revision, as a pull request is reviewed.

One stack that cannot be compared is told as that and does not hide the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.project.agreed import POLICY_FILE, bound
from fsm_stack.project.files import write_file
from fsm_stack.project.project import PROJECT_FILE, read_text, stack_names
from fsm_stack.review.compare import Comparison
from fsm_stack.review.contracts import contracts_of, prover_of
from fsm_stack.review.intent import meant_for
from fsm_stack.review.reports.page import html_page
from fsm_stack.review.reports.together import Part, Together
from fsm_stack.snapshot.shape import mapping
from fsm_stack.yaml.places import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fsm_stack.project.sides import Sides
    from fsm_stack.review.contracts import Placed
    from fsm_stack.review.intent import Intent
    from fsm_stack.review.model import Level, Review

_ELSEWHERE: Final = "stackConfigDir"


def together(sides: Sides, revision: str, intents: Sequence[Intent] = ()) -> Together:
    """What the work tree does to every stack since a revision.

    Args:
        sides: loads the stacks.
        revision: what they are compared with.
        intents: what was declared beside the commits' trailers; it binds stacks that change.

    Raises:
        InputError: there is no project or no such revision, or a trailer declares nothing.
    """
    project = sides.project
    commit = sides.repository.commit(revision)
    held = bound(sides, commit)
    declared = (*intents, *sides.declared(commit))
    shared = held.contracts
    parts = list(_parts(sides, project.stacks(), (revision, commit), declared, shared))
    done = _happening(parts)
    for index, part in enumerate(parts):
        if part.review is None or not _missing(part.review) & done:
            continue
        other = _missing(part.review) & done
        rest = [one for one in declared if (one.text, one.origin) not in other]
        parts[index] = _compared(sides, part.stack, revision, rest, shared)
    parts += _of_project(sides, commit)
    return Together(
        against=revision, parts=tuple(parts), gone=tuple(one.text for one in held.lost)
    )


def _happening(parts: Sequence[Part]) -> set[tuple[str, str]]:
    """The declared changes that some stack makes: a request speaks of all stacks at once."""
    reviews = [part.review for part in parts if part.review is not None]
    return {
        (one.text, one.origin)
        for review in reviews
        for one in review.expected
        if one.happens and not one.already
    }


def _missing(review: Review) -> set[tuple[str, str]]:
    return {(one.text, one.origin) for one in review.expected if not one.happens}


def _parts(
    sides: Sides,
    names: Sequence[str],
    revision: tuple[str, str],
    intents: Sequence[Intent],
    shared: Sequence[Placed],
) -> Iterator[Part]:
    word, commit = revision
    repository = sides.repository
    before = stack_names(repository.names(commit))
    shared_alike = all(_same(sides, commit, file) for file in (POLICY_FILE, PROJECT_FILE))
    renamed: set[str] = set()
    for name in names:
        file = f"Pulumi.{name}.yaml"
        if name not in before:
            older = repository.older_name(commit, file)
            if older is None:
                yield _new(sides, name, shared)
                continue
            renamed.update(stack_names([older.removeprefix(repository.prefix)]))
        elif shared_alike and _same(sides, commit, file):
            yield Part(stack=name, said="its file is unchanged")
            continue
        yield _compared(sides, name, word, intents, shared)
    for name in before:
        if name not in names and name not in renamed:
            yield Part(stack=name, said="the stack's file is gone", stops=True)


def _of_project(sides: Sides, commit: str) -> Iterator[Part]:
    """Whether the change has the engine look elsewhere for stack files.

    What else the project's file gives to stacks is an error of each (``project-setting``).
    Source: Pulumi's reference of the project file.
    """
    content = sides.repository.read(commit, PROJECT_FILE)
    if content is None or _same(sides, commit, PROJECT_FILE):
        return  # a project that is new changes nothing of what stacks got
    path = sides.project.directory / PROJECT_FILE
    before = content.decode(errors="replace")
    try:
        text = read_text(path, project=sides.project.directory, shown=PROJECT_FILE)
        now, was = (mapping(read_yaml(one, file=PROJECT_FILE).data) for one in (text, before))
    except InputError as error:
        yield Part(stack=PROJECT_FILE, said=f"cannot be read: {error}", stops=True, bad=True)
        return
    if now.get(_ELSEWHERE) != was.get(_ELSEWHERE):
        said = f"changes {_ELSEWHERE}, which is not looked into; expected stack files beside it"
        yield Part(stack=PROJECT_FILE, said=said, stops=True)


def _same(sides: Sides, commit: str, file: str) -> bool:
    """Whether a file of the project is what it was at a commit; a link is never."""
    path = sides.project.directory / file
    if path.is_symlink():
        return False
    now = path.read_bytes() if path.is_file() else None
    return now == sides.repository.read(commit, file)


def _compared(
    sides: Sides, name: str, word: str, intents: Sequence[Intent], shared: Sequence[Placed]
) -> Part:
    try:
        after = sides.stack(name)
        before, commit = sides.at(name, word)
        meant, notes = meant_for(intents, (name,), sides.stacks())
        both = Comparison(before, after, intents=meant, shared=shared)
        if note := sides.behind(name, word, commit):
            notes.append(note)
        return Part(stack=name, review=both.review(notes=tuple(notes)), both=both)
    except (InputError, FindingsError) as error:
        return Part(stack=name, said=f"cannot be compared: {error}", stops=True, bad=True)


def _new(sides: Sides, name: str, shared: Sequence[Placed]) -> Part:
    """A stack that was not there before: it validates, and keeps the contracts."""
    try:
        side = sides.stack(name)
        prover, bound_by = prover_of(side), contracts_of(side, shared)
        broken, unproved = prover.broken(bound_by), prover.unproved(bound_by)
    except (InputError, FindingsError) as error:
        return Part(stack=name, said=f"is new: {error}", stops=True, bad=True)
    if broken:
        said = f"is new, and breaks the contract {broken[0].contract}: {broken[0].said}"
        return Part(stack=name, said=said, stops=True)
    if unproved:
        said = f"is new, and no contract of it can be proved: {unproved[0]}"
        return Part(stack=name, said=said, stops=True)
    return Part(stack=name, said="is new: its settings validate, and it keeps every contract")


def write_report(found: Together, directory: Path, fail_on: Level) -> None:
    """The whole report as files: what a job keeps, and what another one posts.

    ``comment.md`` is the comment, ``review.json`` has everything, ``<stack>.html`` is the page of
    each stack that changes.
    """
    files = {
        "comment.md": found.markdown(fail_on),
        "review.json": json.dumps(found.as_json(fail_on), indent=2, ensure_ascii=False) + "\n",
    }
    for part in found.parts:
        if part.review is not None and part.both is not None and not part.review.nothing:
            files[f"{part.stack}.html"] = html_page(part.both, part.review)
    for name, text in files.items():
        write_file(directory / name, text.encode(errors="backslashreplace"))
