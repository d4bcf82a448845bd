"""The Pulumi program of this project."""

from fsm_stack.edges.pulumi_config import run

run()
