"""The ways through a conflict of server-side apply: what takes a field back from another manager.

One spelling for the Pulumi program, which meets the conflict, and for reports, which foresee it.
"""

from __future__ import annotations

from typing import Final

# The setting of a stack that takes the MeshConfig's fields back.
FORCE_MESH_CONFIG: Final = "deployment.forceMeshConfig"
# The same of every object. Source: pulumi-kubernetes' schema, enablePatchForce.
FORCE_EVERY_OBJECT: Final = "PULUMI_K8S_ENABLE_PATCH_FORCE=true"
UP: Final = "pulumi up --refresh"
FORCED_UP: Final = f"{FORCE_EVERY_OBJECT} {UP}"
# The managers under which this project's own writes stand: the provider's default begins so.
OWN_MANAGERS: Final = ("pulumi", "fsm-stack")
