"""The checks of `verify`, a file a subject; :mod:`fsm_stack.verify.every` has them in order."""
