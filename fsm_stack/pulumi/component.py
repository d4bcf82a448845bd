"""The stack as a component for programs in other languages: Go, TypeScript, C#, Java, YAML.

The engine's SDK infers the package's schema from the annotations here, and reads them as they
stand: no ``from __future__ import annotations`` in this module. ``settings`` is free of a type on
purpose: the SDK would spell FSM's keys its own way (``outboundIpRangeExclusionList``), so the
settings keep upstream's, and go through the validator of a stack file.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path as Folder
from typing import Any, Final, NotRequired, TypedDict

import pulumi
from pulumi.provider import ConstructResult
from pulumi.provider import main as serve
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from fsm_stack import __version__
from fsm_stack.errors import FindingsError, FsmStackError
from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.project.release_asset import asset_of
from fsm_stack.pulumi.config import cluster_provider, report
from fsm_stack.pulumi.kinds import python_name, require_own
from fsm_stack.pulumi.stack import STACK_TYPE, contents, declare_in, whole
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.problems import type_name
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.yaml.places import Path, path_text

PACKAGE: Final = "fsm-stack"
_KUBERNETES: Final = "kubernetes"


class _Run:
    """One preview or update of a stack; each component of it gets a monitor of its own."""


_ASKED: Final[ContextVar[_Run | None]] = ContextVar("asked", default=None)


class FsmStackArgs(TypedDict):
    """What a program says of its mesh."""

    settings: Any
    """What Pulumi.<stack>.yaml says of one environment; keys without fsm-stack:, plain values."""
    project: NotRequired[str]
    """The folder that holds releases/, for vendored release assets; the program's if absent."""


class FsmStack(pulumi.ComponentResource):
    """One environment's FSM service mesh: control plane, MeshConfig, webhooks, redirection."""

    schema_version: pulumi.Output[int]
    """Raised by any change of these outputs except a new one."""
    tool_version: pulumi.Output[str]
    """The version of fsm-stack."""
    settings_digest: pulumi.Output[str]
    """Stands for the settings."""
    system: pulumi.Output[str]
    """The mesh system: fsm, osm-edge or osm."""
    fsm_version: pulumi.Output[str]
    """The FSM release."""
    mesh_name: pulumi.Output[str]
    """The mesh's name."""
    namespace: pulumi.Output[str]
    """The control plane's namespace."""
    redirection_digest: pulumi.Output[str]
    """Stands for the lists of the mesh: when it changes, pods have to start anew."""
    annotations: pulumi.Output[dict[str, dict[str, str]]]
    """The pod annotations of each annotation profile, by its name."""

    def __init__(
        self, name: str, args: FsmStackArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        settings = _settings(name, args["settings"])
        project = Folder(args.get("project", "."))
        values, manifests = contents(settings, asset_of(project, settings))
        opts = opts or pulumi.ResourceOptions()
        chosen = _provider(opts)
        require_own(name, manifests, chosen, run=_ASKED.get())
        if chosen is None:
            own = cluster_provider(settings, name=f"{name}-cluster")
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[own]))
        super().__init__(STACK_TYPE, name, {}, opts)
        resources = declare_in(self, name, manifests, settings)
        done = pulumi.Output.all(*(one.urn for one in resources.values()))
        for key, value in values.items():
            setattr(self, python_name(key), pulumi.Output.all(done, value).apply(_second))
        self.register_outputs(dict(values))


class StackProvider(ComponentProvider):
    """Serves the component; bad settings are told as what they are, not as a crash."""

    def __init__(self) -> None:
        super().__init__([FsmStack], PACKAGE, None, __version__)
        self._runs: dict[tuple[str, str, bool], _Run] = {}

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make the component that a program asks for.

        Raises:
            InputPropertiesError: settings cannot be used, each with its path, or no stack can be
                made of them. The engine prints it as it is; of a RunError it says in front that
                it was not expected.
        """
        asks = (pulumi.get_project(), pulumi.get_stack(), pulumi.runtime.is_dry_run())
        token = _ASKED.set(self._runs.setdefault(asks, _Run()))
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, FindingsError):
                raise _refused(name, error.inner.findings) from None
            if isinstance(error.inner, FsmStackError):
                raise pulumi.InputPropertiesError(str(error.inner), []) from None
            raise
        finally:
            _ASKED.reset(token)


def _second(both: Sequence[Any]) -> Any:  # noqa: ANN401  # an output's value
    return both[1]


def main() -> None:
    """What ``plugin/__main__.py`` does: serve the engine that started it."""
    serve(StackProvider(), [])


def _settings(name: str, given: Any) -> StackSettings:  # noqa: ANN401  # of another language
    """The settings of a component; what is no error is logged.

    Raises:
        FindingsError: they have errors, or values that are known too late.
    """
    late = tuple(_late(given, ()))
    if late:
        raise FindingsError(late)
    data = whole(given)
    if not isinstance(data, dict):
        message = f"expected a mapping of settings, got {type_name(data)}"
        raise FindingsError((finding("wrong-type", message),))
    loaded = load_mapping(data, name=name, today=datetime.now(UTC).date())
    settings = loaded.require()
    report(loaded.findings)
    return settings


def _late(value: Any, path: Path) -> Iterator[Finding]:  # noqa: ANN401  # of another language
    """Values that are no plain data: the objects of a stack cannot follow from them."""
    match value:
        case dict():
            for key, item in value.items():
                yield from _late(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _late(item, (*path, index))
        case None | bool() | int() | float() | str():
            return
        case _:
            message = "expected a plain value, got an output of a resource, or a secret"
            fix = (
                "Write the value itself: the objects of a mesh follow from it before any is made."
            )
            yield finding("wrong-type", message, path=path_text(path), fix=fix)


def _refused(name: str, findings: tuple[Finding, ...]) -> pulumi.InputPropertiesError:
    """The errors as the engine tells those of properties; the rest goes to its log."""
    errors = [item for item in findings if item.severity is Severity.ERROR]
    report(tuple(item for item in findings if item.severity is not Severity.ERROR))
    return pulumi.InputPropertiesError(
        f"{name}: the settings cannot be used; nothing was changed",
        [
            {
                "property_path": ".".join(filter(None, ("settings", item.place.path))),
                "reason": item.at(file=None, path="").as_text(severity=False),
            }
            for item in errors
        ],
    )


def _provider(opts: pulumi.ResourceOptions) -> pulumi.ProviderResource | None:
    """The one that the program chose for its cluster; the SDK's host gives them by package."""
    given = opts.providers
    return given.get(_KUBERNETES) if isinstance(given, Mapping) else None
