"""The engine's config as settings, through the SDK in every way a program can be run.

The language host hands it over in environment variables, the Automation API and tests call the
SDK. So every value is asked of the SDK, which knows all of these ways and their order.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.runtime import config as sdk

from fsm_stack.errors import FindingsError, FsmStackError, InputError
from fsm_stack.findings.finding import Finding, Severity
from fsm_stack.project.project import read_text, with_project
from fsm_stack.project.release_asset import asset_of
from fsm_stack.pulumi.guard import said
from fsm_stack.pulumi.kinds import python_name
from fsm_stack.pulumi.stack import FsmStack, program_directory
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.reader import PROJECT
from fsm_stack.settings.stack_file import from_engine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fsm_stack.settings.reader import Loaded

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


COMPONENT: Final = "fsm"
PROVIDER: Final = "cluster"
PROVIDER_PROJECT: Final = "kubernetes"

# Provider settings whose value is text even where it looks like JSON.
# Source: the provider's schema.json, config.variables.
_TEXT: Final = frozenset(
    {"kubeconfig", "context", "cluster", "clusterIdentifier", "namespace", "renderYamlToDirectory"}
)


def declare(project: Path | None = None) -> None:
    """Declare the stack that the engine is asked for.

    Args:
        project: the project's directory; what the language host says, or the current one if
            absent. A program of the Automation API has to say it where it runs elsewhere.

    Raises:
        RunError: the settings have errors, or cannot be used. The errors are in the log already,
            each at its place: what raises this one is shown twice by the Automation API.
    """
    try:
        _declare(project or program_directory())
    except FindingsError as error:
        report(error.findings)
        raise _stopped(error.findings) from None
    except FsmStackError as error:
        raise said(pulumi.RunError(str(error))) from None


def _declare(project: Path) -> None:
    config = engine_config()
    loaded = load(project, pulumi.get_stack(), config)
    report(loaded.findings)
    if loaded.settings is None or loaded.worst() is Severity.ERROR:
        raise _stopped(loaded.findings)
    settings = loaded.settings
    asset = asset_of(project, settings)
    stack = FsmStack(
        COMPONENT,
        settings,
        asset=asset,
        opts=pulumi.ResourceOptions(provider=cluster_provider(settings, config=config)),
    )
    for key, value in stack.values.items():
        pulumi.export(key, value)


def load(project: Path, stack: str, config: EngineConfig) -> Loaded:
    """The engine's config as settings, with places in the stack file where it is to be found."""
    file = f"Pulumi.{stack}.yaml"
    try:
        text = read_text(project / file, project=project, shown=file)
    except FsmStackError:  # the file may be elsewhere; the engine has its values
        text = None
    loaded = from_engine(
        config.values,
        secret_keys=config.secret_keys,
        today=datetime.now(UTC).date(),
        text=text,
        file=file,
    )
    return with_project(loaded, project)


def report(findings: tuple[Finding, ...]) -> None:
    """Every finding to the engine's log, as loud as it is severe."""
    logs = {"error": pulumi.log.error, "warning": pulumi.log.warn, "info": pulumi.log.info}
    for item in findings:
        logs[item.severity](item.as_text(severity=False))


def _stopped(findings: tuple[Finding, ...]) -> pulumi.RunError:
    errors = sum(item.severity is Severity.ERROR for item in findings)
    problems = "1 error" if errors == 1 else f"{errors} errors"
    return pulumi.RunError(f"{problems} in the settings; nothing was changed")


def cluster_provider(
    settings: StackSettings, *, name: str = PROVIDER, config: EngineConfig | None = None
) -> pulumi.ProviderResource:
    """The Kubernetes provider of a stack: as configured, for the cluster of its settings.

    Args:
        settings: the stack's: their ``cluster.context`` and ``cluster.uid`` count.
        name: the provider's, in a program with several.
        config: the keys ``kubernetes:…``; those of the running stack if absent.

    Raises:
        InputError: the provider has no such setting, or another context is configured.
    """
    config = config or engine_config()
    from pulumi_kubernetes import (  # noqa: PLC0415  # only a stack without errors needs it
        Provider,
        ProviderArgs,
    )

    taken = {python_name(key): key for key in _configured(config)}
    for argument in sorted(taken.keys() - signature(ProviderArgs).parameters.keys()):
        key = f"{PROVIDER_PROJECT}:{taken[argument]}"
        raise InputError(
            f"{key}: the Kubernetes provider {version('pulumi_kubernetes')} has no such setting"
        )
    return Provider(name, **provider_arguments(config, settings))


def _configured(config: EngineConfig) -> dict[str, str]:
    """What the config says to the provider, by the keys of its schema."""
    return {
        key.partition(":")[2]: value
        for key, value in config.values.items()
        if key.partition(":")[0] == PROVIDER_PROJECT
    }


def provider_arguments(config: EngineConfig, settings: StackSettings) -> dict[str, Any]:
    """The provider's arguments: the keys ``kubernetes:…`` of the config, and what the stack needs.

    An explicit provider does not read the config by itself. ConfigMaps change in place unless the
    config says otherwise: the control plane mounts them, and replacing one takes it away first.

    Args:
        config: the engine's; what is a secret there stays one in the state.
        settings: the stack's.

    Raises:
        InputError: the config and the settings name two contexts.
    """
    found = _configured(config)
    context = settings.cluster.context
    if context is not None and found.get("context", context) != context:
        raise InputError(
            f"{PROVIDER_PROJECT}:context: expected {context!r}, as cluster.context says, got "
            f"{found['context']!r}"
        )
    values: dict[str, Any] = {"enableConfigMapMutable": "true", **found}
    if settings.deployment.adopt:
        # An object that exists is updated, not refused; without force, but of those named.
        values.setdefault("upsertExistingObjects", "true")
    if context is not None:
        values["context"] = context
    if settings.cluster.uid is not None:
        # A renamed context of the same cluster must not replace every object.
        values.setdefault("clusterIdentifier", settings.cluster.uid)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        known = _value(key, value)
        secret = f"{PROVIDER_PROJECT}:{key}" in config.secret_keys
        arguments[python_name(key)] = pulumi.Output.secret(known) if secret else known
    return arguments


def _value(key: str, text: str) -> Any:  # noqa: ANN401  # text, a truth value, or a mapping
    if key in _TEXT:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
