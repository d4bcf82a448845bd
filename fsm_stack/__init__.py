"""The FSM service mesh as typed, previewed, reviewed and tested stack config."""

from fsm_stack.__about__ import __version__

__all__ = ["__version__"]
