"""The component provider of this project: FsmStack for programs in other languages."""

from fsm_stack.pulumi.component import main

main()
