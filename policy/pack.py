"""The policies of the pack: one a rule, under the rule's id."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_policy import EnforcementLevel, StackValidationArgs, StackValidationPolicy
from pulumi_policy import Severity as Loudness
from pulumi_policy.proxy import UnknownValueError

from fsm_stack.errors import FindingsError
from fsm_stack.findings import Severity
from fsm_stack.project.project import stack_files
from fsm_stack.pulumi.policies import RULES, Declared, Violation, violations
from fsm_stack.settings.models.stack import StackSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fsm_stack.findings import Rule

# Whose mesh the workloads run in: a stack file, where it is not an FSM of upstream's defaults.
MESH = "FSM_STACK_MESH"

LEVELS = {
    Severity.ERROR: (EnforcementLevel.MANDATORY, Loudness.HIGH),
    Severity.WARNING: (EnforcementLevel.ADVISORY, Loudness.MEDIUM),
    Severity.INFO: (EnforcementLevel.ADVISORY, Loudness.LOW),
}


def policies() -> list[StackValidationPolicy]:
    """A policy for each rule: mandatory where it is an error, unless the pack's config differs."""
    looked = _Looked()
    return [_policy(rule, looked) for rule in RULES]


def _policy(rule: Rule, looked: _Looked) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report_violation: Callable[..., None]) -> None:
        for one in looked.at(args.resources):
            if one.id == rule.id:
                report_violation(one.message, one.urn)

    level, loudness = LEVELS[rule.severity]
    return StackValidationPolicy(
        name=rule.id,
        description=f"{rule.title}: {rule.why}",
        validate=validate,
        enforcement_level=level,
        severity=loudness,
        remediation_steps=rule.fix,
    )


class _Looked:
    """The violations of the last stack that was asked for: every policy asks for the same one."""

    def __init__(self) -> None:
        self._stack: list[Declared] = []
        self._found: tuple[Violation, ...] = ()

    def at(self, resources: Iterable[Any]) -> tuple[Violation, ...]:
        stack = [
            Declared(urn=one.urn, type=one.resource_type, properties=plain(one.props))
            for one in resources
        ]
        if stack != self._stack:
            self._found = violations(stack, mesh(), today=datetime.now(UTC).date())
            self._stack = stack
        return self._found


def mesh() -> StackSettings:
    """The settings of the mesh that FSM_STACK_MESH names.

    Raises:
        FsmStackError: they cannot be read, or have errors.
    """
    file = os.environ.get(MESH)
    if not file:
        return StackSettings()
    ((stack, _),) = stack_files([Path(file)])
    if stack.settings is None:
        raise FindingsError(stack.findings)
    return stack.settings


def plain(value: Any) -> Any:
    """A value of the SDK as plain data, without what is known only after the update."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    if hasattr(value, "keys"):
        return {key: plain(known) for key in value for known in _known(value, key)}
    return [plain(known) for index in range(len(value)) for known in _known(value, index)]


def _known(value: Any, key: Any) -> tuple[Any, ...]:
    try:
        return (value[key],)
    except UnknownValueError:
        return ()
