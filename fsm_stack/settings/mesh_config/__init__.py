"""The settings of the mesh itself: one model for each section of MeshConfig v1alpha3."""

from fsm_stack.settings.mesh_config.interception import check_mode, effective_mode
from fsm_stack.settings.mesh_config.mesh import MeshSettings
from fsm_stack.settings.mesh_config.other_systems import not_in_system

__all__ = ["MeshSettings", "check_mode", "effective_mode", "not_in_system"]
