"""`fsm-stack verify` on the node: what it names, and its printed fixes carried out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.apiserver.client import eventually

from .stack import STACK

if TYPE_CHECKING:
    from .stack import Stack

NAMED_SECONDS = 60
GREEN_SECONDS = 90
_COMMAND = re.compile(r"kubectl [^;]+")
_ENGINE = re.compile(r"(?:PULUMI_K8S_ENABLE_PATCH_FORCE=true )?pulumi up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One finding: its rule, its severity, what it says, what to do."""

    id: str
    severity: str
    message: str
    fix: str


def verified(stack: Stack, *words: str) -> tuple[Told, ...]:
    """What `verify` says of the stack's cluster now."""
    return tuple(
        Told(
            id=item["id"],
            severity=item["severity"],
            message=item["message"],
            fix=item.get("fix") or "",
        )
        for check in report(stack, *words)["checks"]
        for item in check.get("findings", ())
    )


def report(stack: Stack, *words: str) -> dict[str, Any]:
    """The whole report, as a program reads it."""
    result = stack.fsm_stack("verify", STACK, *words, "-o", "json")
    assert result.exit_code in {0, 1, 3}, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def named(stack: Stack, rule: str, text: str, *words: str) -> Told:
    """The finding of this rule that says this, once the cluster shows it."""
    seen: list[tuple[Told, ...]] = []

    def found() -> Told | None:
        seen[:] = [verified(stack, *words)]
        return next((one for one in seen[0] if one.id == rule and text in one.message), None)

    try:
        return eventually(f"verify names {rule}: {text}", found, seconds=NAMED_SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{_listed(seen)}") from None


def green(stack: Stack, *words: str) -> None:
    """Wait until `verify` finds nothing, and every check that applies was made."""
    seen: list[tuple[Told, ...]] = []

    def clean() -> bool:
        seen[:] = [verified(stack, *words)]
        return not seen[0] and stack.fsm_stack("verify", STACK, *words).exit_code == 0

    try:
        eventually("verify finds nothing", clean, seconds=GREEN_SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{_listed(seen)}") from None


def _listed(seen: list[tuple[Told, ...]]) -> str:
    return "\n".join(f"{one.id}: {one.message}\n  fix: {one.fix}" for all_ in seen for one in all_)


def carry_out(stack: Stack, told: Told) -> None:
    """Do what a fix says, step by step, with the commands that it prints.

    A line's first command counts: what follows a semicolon is for the time until then, or for
    somebody who cannot do it. `pulumi up` is the bundle applied again, with force where the fix
    names it.
    """
    steps = told.fix.split(", then: ")
    done = 0
    for step in steps:
        if _ENGINE.search(step):
            stack.apply(force="force" in step.lower())
            done += 1
        elif command := _COMMAND.search(step):
            stack.shell(command[0].strip())
            done += 1
    assert done == len(steps), f"a step without a command: {told.fix!r}"
