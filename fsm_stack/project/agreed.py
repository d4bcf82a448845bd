"""What a project agreed on: the contracts of every stack, and what may differ between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import FindingsError, InputError, did_you_mean
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.project.files import decoded
from fsm_stack.project.project import read_text
from fsm_stack.review.changes import setting_changes, unlisted
from fsm_stack.review.contracts import Placed, gone, marked_new
from fsm_stack.review.side import (
    place_text,
    placed,
)
from fsm_stack.settings.stack_file import load_policy

if TYPE_CHECKING:
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.side import Side
    from fsm_stack.settings.models.policy import Environments


POLICY_FILE: Final = "fsm-stack.yaml"
_SHORT: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What binds every stack of a project.

    Attributes:
        contracts: of all stacks.
        environments: what may differ between them; None: nobody said.
    """

    contracts: tuple[Placed, ...] = ()
    environments: Environments | None = None


def agreed(sides: Sides) -> Agreed:
    """What the project's ``fsm-stack.yaml`` says; nothing where there is none.

    Raises:
        FindingsError: it does not validate.
        InputError: it is no YAML.
    """
    if not sides.stacks():
        return Agreed()
    path = sides.project.directory / POLICY_FILE
    if not path.exists() and not path.is_symlink():
        return Agreed()
    shown = sides.project.shown(path)
    policy, place = load_policy(
        read_text(path, project=sides.project.directory, shown=shown), file=shown
    )
    contracts = tuple(
        Placed(contract=one, place=place_text(place(("contracts", index))))
        for index, one in enumerate(policy.contracts)
    )
    return Agreed(contracts=contracts, environments=policy.environments)


def agreed_at(sides: Sides, commit: str) -> tuple[Placed, ...]:
    """The contracts of all stacks at a commit, and none where its file does not validate there.

    A change that takes a contract away is held to it still: who made it has not agreed yet.
    """
    content = sides.repository.read(commit, POLICY_FILE)
    if content is None:
        return ()
    try:
        policy, _ = load_policy(decoded(content, POLICY_FILE), file=POLICY_FILE)
    except (InputError, FindingsError):
        return ()
    place = f"{POLICY_FILE} at {commit[:_SHORT]}"
    return tuple(Placed(contract=one, place=place) for one in policy.contracts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What holds a change since a commit.

    Attributes:
        contracts: of every stack: those of now, the new ones marked, and the lost ones.
        lost: those of the commit that are no more.
    """

    contracts: tuple[Placed, ...]
    lost: tuple[Placed, ...]


def bound(sides: Sides, commit: str) -> Bound:
    """The contracts of all stacks that a change since a commit is held to.

    Raises:
        FindingsError: the project's file does not validate.
        InputError: it is no YAML.
    """
    now, before = agreed(sides).contracts, agreed_at(sides, commit)
    lost = gone(before, now)
    return Bound(contracts=(*marked_new(now, before), *lost), lost=lost)


def reference(sides: Sides, wanted: Environments) -> Side:
    """The stack that the others are compared with.

    Raises:
        InputError: a stack that is named does not exist, or the reference does not validate.
    """
    known = sides.stacks()
    for name in (wanted.reference, *(one for item in wanted.may_differ for one in item.stacks)):
        if name not in known:
            hint = did_you_mean(name, known) or f"; expected one of {', '.join(known)}"
            raise InputError(f"{POLICY_FILE}: {name!r}: no such stack{hint}")
    return sides.stack(wanted.reference)


def differences(
    before: Side, side: Side, name: str, wanted: Environments
) -> tuple[int, tuple[Finding, ...]]:
    """How many settings of a stack differ from the reference's, and those that nobody listed."""
    changes = [change for change in setting_changes(before, side) if not change.inert]
    found = []
    for change in unlisted(changes, wanted, name):
        there = change.before or "nothing"
        message = f"{name} has {change.after or 'nothing'}, {wanted.reference} has {there}"
        place = placed(change.after_place or side.name.file)
        item = finding("environment-differs", message, path=change.path)
        found.append(item.at(file=place.file, line=place.line))
    return len(changes), tuple(found)


def environment_findings(sides: Sides) -> tuple[str, tuple[Finding, ...]]:
    """The reference stack, and what every other one differs in without being listed.

    Raises:
        InputError: nobody said what may differ, there is no such reference, or a stack does not
            validate.
    """
    wanted = agreed(sides).environments
    if wanted is None:
        raise InputError(
            f"--all-stacks: expected {POLICY_FILE} with environments: a reference, and mayDiffer"
        )
    before = reference(sides, wanted)
    others = (name for name in sides.stacks() if name != wanted.reference)
    found = (differences(before, sides.stack(name), name, wanted)[1] for name in others)
    return wanted.reference, tuple(item for items in found for item in items)
