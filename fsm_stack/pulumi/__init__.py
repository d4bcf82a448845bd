"""A stack as Pulumi resources."""

from fsm_stack.errors import require_extra

require_extra("pulumi")
