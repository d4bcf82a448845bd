"""The engine's config, whichever way the program is run.

The language host hands it over in environment variables, the Automation API and tests call the
SDK. So every value is asked of the SDK, which knows all of these ways and their order.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.runtime import config as sdk

from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

# Asked for by name: the SDK need not list what a test or a user put into PULUMI_CONFIG_<KEY>.
_OURS: Final = tuple(
    f"{PROJECT}:{field.alias or name}" for name, field in StackSettings.model_fields.items()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What the engine holds for the running stack.

    Attributes:
        values: full keys (``fsm-stack:traffic``) to the engine's strings; objects are JSON.
        secret_keys: the keys whose values are secrets.
    """

    values: Mapping[str, str]
    secret_keys: frozenset[str] = frozenset()


def engine_config() -> EngineConfig:
    """The config of the running program: in a language host, inline, or under mocks."""
    marked = set(pulumi.runtime.get_config_secret_keys_env())
    asked = {key: pulumi.runtime.get_config(key) for key in dict.fromkeys((*_listed(), *_OURS))}
    values = {key: value for key, value in asked.items() if value is not None}
    secret = {key for key in values if key in marked or pulumi.runtime.is_config_secret(key)}
    return EngineConfig(values=values, secret_keys=frozenset(secret))


def _listed() -> tuple[str, ...]:
    """Every key that can be listed: only so a misspelt one is found.

    The SDK has no call that lists what it was told; where a later one keeps it elsewhere, the
    settings are still read, and only misspelt keys of an inline program go unnoticed.
    """
    held: Any = getattr(sdk, "CONFIG", None)
    told = held.get() if isinstance(held, ContextVar) else {}
    return (*pulumi.runtime.get_config_env(), *told)
