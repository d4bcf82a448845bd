"""The version of this package, read by the build and printed by ``fsm-stack --version``."""

__version__ = "0.1.0"
