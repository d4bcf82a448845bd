"""Settings to redirection as versioned stack config: scripts, annotations, digests."""

from fsm_stack.redirection.render import (
    CONFIG_MAP_NAME,
    SCHEMA_VERSION,
    Redirection,
    Scope,
    config_map_data,
    redirection,
)

__all__ = [
    "CONFIG_MAP_NAME",
    "SCHEMA_VERSION",
    "Redirection",
    "Scope",
    "config_map_data",
    "redirection",
]
