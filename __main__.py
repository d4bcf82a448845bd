"""The Pulumi program of this project."""

from fsm_stack.pulumi import main

main()
