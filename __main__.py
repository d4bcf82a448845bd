"""The Pulumi program of this project."""

from fsm_stack.pulumi.program import main

main()
