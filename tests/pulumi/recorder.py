"""One Pulumi program run without an engine, and everything that it asked the engine for."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.sync_await import _ensure_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROJECT, STACK = "fsm-stack", "dev"
CLUSTER_UID = "0f5b36a9-5f44-4d6c-9d1b-3a3d0c6a7c11"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource, as the engine would be asked for it: whole inputs, and every option."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    parent: str
    provider: str
    depends_on: frozenset[str]
    ignore_changes: tuple[str, ...]
    hide_diffs: tuple[str, ...]
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    aliases: tuple[str, ...]
    timeouts: Mapping[str, str]
    transforms: int
    hooks: tuple[str, ...]
    custom: bool


@dataclass(kw_only=True)
class Recorder(mocks.Mocks):
    """What a program did, in its order."""

    registrations: list[Registration] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    reads: list[tuple[str, str, str]] = field(default_factory=list)
    cluster_uid: str = CLUSTER_UID
    log: list[tuple[str, str]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.resource_id and args.typ == "kubernetes:core/v1:Namespace":
            return args.resource_id, {
                "metadata": {"name": args.resource_id, "uid": self.cluster_uid}
            }
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"no call is expected, got {args.token}")

    def __getitem__(self, name: str) -> Registration:
        (found,) = (one for one in self.registrations if one.name == name)
        return found

    def names(self, module: str = "kubernetes:") -> list[str]:
        return [one.name for one in self.registrations if one.type.startswith(module)]


class _Monitor(mocks.MockMonitor):
    """The engine's side: plain ``Mocks`` see no options."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.recorder = recorder
        self.loops: set[asyncio.AbstractEventLoop] = set()

    def _loop(self) -> None:
        """Pulumi makes a loop in each thread that answers and never closes it."""
        _ensure_event_loop()
        self.loops.add(asyncio.get_event_loop_policy().get_event_loop())

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # gRPC's name
        self._loop()
        if request.type != "pulumi:pulumi:Stack":
            self.recorder.registrations.append(_registration(request))
        return super().RegisterResource(request)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        self._loop()
        self.recorder.reads.append((request.type, request.name, request.id))
        return super().ReadResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        plain = json_format.MessageToDict(request.outputs)
        self.recorder.outputs[_name(request.urn)] = plain
        return super().RegisterResourceOutputs(request)


def _registration(request: Any) -> Registration:
    return Registration(
        type=request.type,
        name=request.name,
        inputs=rpc.deserialize_properties(request.object),
        parent=_name(request.parent),
        provider=_name(request.provider.rpartition("::")[0]) if request.provider else "",
        depends_on=frozenset(_name(urn) for urn in request.dependencies),
        ignore_changes=tuple(request.ignoreChanges),
        hide_diffs=tuple(request.hideDiffs),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        aliases=tuple(alias.spec.type for alias in request.aliases if alias.spec.type),
        timeouts={
            key: value
            for key in ("create", "update", "delete")
            if (value := getattr(request.customTimeouts, key))
        },
        transforms=len(request.transforms),
        hooks=tuple(
            hook
            for kind in request.hooks.DESCRIPTOR.fields_by_name
            for hook in getattr(request.hooks, kind)
        ),
        custom=request.custom,
    )


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


class _Log(logging.Handler):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        self.recorder.log.append((record.levelname, record.getMessage()))


def run(
    program: Callable[[], Any], *, preview: bool = False, recorder: Recorder | None = None
) -> Recorder:
    """Run a program on an event loop of its own; its errors are raised."""
    recorder = recorder or Recorder()
    logger = logging.Logger("pulumi", logging.INFO)  # noqa: LOG001  # this run's alone
    logger.addHandler(_Log(recorder))
    ran = []

    def body() -> None:
        ran.append(True)
        root = pulumi.runtime.get_root_resource()
        root.outputs.clear()  # it is one for all runs of the process
        program()
        recorder.exports = dict(root.outputs)

    monitor = _Monitor(recorder)
    with _fresh_loop(monitor.loops):
        mocks.set_mocks(
            recorder,
            project=PROJECT,
            stack=STACK,
            preview=preview,
            logger=logger,
            monitor=monitor,
        )
        pulumi.runtime.test(body)()
    assert ran == [True], "the program's body did not run"
    return recorder


@contextmanager
def _fresh_loop(others: set[asyncio.AbstractEventLoop]) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    # An error leaves futures behind that nobody reads; Pulumi's language host silences them, too.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        for one in {loop, *others}:
            one.close()
        asyncio.set_event_loop(None)
        SETTINGS.rpc_manager.clear()
