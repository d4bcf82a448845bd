"""A stack of every kind of object, and the program that declares it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pulumi

from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.pulumi.stack import FsmStack
from fsm_stack.settings.stack_file import load_mapping

from .recorder import run

if TYPE_CHECKING:
    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.settings.models.stack import StackSettings

    from .recorder import Recorder, Registration

ASSET = ReleaseAsset(version="1.5.1", sha256="0" * 64, scripts=b"scripts")
CRD = "fsm-customresourcedefinition-meshconfigs.config.flomesh.io"
INJECTOR_WEBHOOK = "fsm-mutatingwebhookconfiguration-fsm-webhook-fsm"


def settings(**data: Any) -> StackSettings:
    base = {
        "enrolledNamespaces": [{"name": "shop"}, {"name": "demo", "create": True}],
        "traffic": {"outboundPortExclusionList": [6379]},
    }
    return load_mapping(base | data, name="test", today=date(2026, 1, 1)).require()


def up(stack: StackSettings, *, preview: bool = False, **opts: Any) -> Recorder:
    def program() -> None:
        FsmStack("fsm", stack, asset=ASSET, opts=pulumi.ResourceOptions(**opts))

    return run(program, preview=preview)


def resource(recorder: Recorder, manifest: Manifest) -> Registration:
    return recorder[f"fsm-{manifest.slug}"]
