"""The injector says no: the pod is not created."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsm_stack.findings import Finding


class Refusal(Exception):  # noqa: N818  # it is the answer that the API server gets, not a defect
    """The admission request is refused, with the message that the API server shows.

    Attributes:
        message: the injector's own text where it has one.
        rule_id: the finding that explains it.
        path: the place in the pod or namespace that causes it.
        value: the offending value.
        secret_left: the injector has already made the bootstrap Secret, and leaves it behind.
        steps: what was decided before, for people.
    """

    def __init__(
        self,
        message: str,
        *,
        rule_id: str,
        path: str = "",
        value: str | None = None,
        secret_left: bool = False,
    ) -> None:
        self.message = message
        self.rule_id = rule_id
        self.path = path
        self.value = value
        self.secret_left = secret_left
        self.steps: tuple[str, ...] = ()
        super().__init__(message)

    def as_finding(self) -> Finding:
        """The refusal as a finding of the catalogue."""
        from fsm_stack.findings import finding  # noqa: PLC0415  # only a refusal needs it

        return finding(self.rule_id, self.message, path=self.path, value=self.value)
