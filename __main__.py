"""The Pulumi program of this project."""

from fsm_stack.edges.pulumi_program import main

main()
