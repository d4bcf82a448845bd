"""Other descriptions of a mesh to settings: Helm values of FSM's chart."""

from tests.parity.convert.helm_values import Converted, convert_helm_values

__all__ = ["Converted", "convert_helm_values"]
