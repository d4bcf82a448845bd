"""Objects of files that no API server wrote: a field of any type ends in no traceback."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_stack.errors import CouldNotCheckError
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.anonymize import anonymous
from fsm_stack.snapshot.snapshot import FILES, Source
from fsm_stack.systems import SYSTEMS
from fsm_stack.verify.check import Report, run_checks
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.expected import of_cluster
from fsm_stack.verify.report import all_lines, as_json, lines, sarif
from fsm_stack.verify.restarting.restarts import restarts
from fsm_stack.verify.why import explain

from .world import DEV, World, world

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = [None, -1, 1.5, True, "x", [], {}, [None], [1], ["x"], [[]], [{}], {"name": None}, 2**70]
READ = ("Pod", "Namespace", "MeshConfig", "MutatingWebhookConfiguration", "Deployment", "Service",
        "ValidatingWebhookConfiguration", "EndpointSlice", "ConfigMap")  # fmt: skip


AMOUNTS = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
BESIDE = [
    {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop"},
     "spec": {"hard": {"cpu": "3", "limits.memory": "1Gi"}, "scopes": ["NotTerminating"]},
     "status": {"used": {"cpu": "1"}}},
    {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "r", "namespace": "shop"},
     "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "1m"}}]}},
    {"apiVersion": "apps/v1", "kind": "ReplicaSet",
     "metadata": {"name": "alone", "namespace": "shop", "ownerReferences": [
         {"kind": "Deployment", "name": "web", "controller": True}]},
     "spec": {"replicas": 1, "template": {"spec": {"containers": [{"resources": AMOUNTS}]}}},
     "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "a b"}]}},
    {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "shop"},
     "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{}]}}}}}},
]  # fmt: skip


def of_system(name: str) -> World:
    mesh = world(DEV.replace("config:", f"config:\n  fsm-stack:system: {name}"))
    mesh.objects = [item for item in mesh.objects if item["kind"] in READ]
    mesh.objects += copy.deepcopy(BESIDE)
    return mesh


MESHES = {name: of_system(name) for name in SYSTEMS}


def places(value: object, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, item in inside:
        yield (*before, key)
        yield from places(item, (*before, key))


def change(item: Any, place: tuple[Any, ...], value: object) -> None:
    for key in place[:-1]:
        item = item[key]
    item[place[-1]] = copy.deepcopy(value)


def look(mesh: World) -> None:
    """Everything that reads a snapshot: checks, reports, restarts, why, anonymous copies."""
    context = mesh.context()
    report = Report(context=context, outcomes=run_checks(context, CHECKS))
    assert list(lines(report))[-1]
    assert len(list(all_lines(report))) > len(CHECKS)
    json.dumps([as_json(report), sarif(report)])
    pasted = replace(context.snapshot, source=Source(context=FILES), read=frozenset())
    assert run_checks(replace(context, snapshot=pasted), CHECKS)
    restarts(context)
    if len(context.pods) == 1:
        explain(context, "10.0.0.8:6379")
    kept = [found for item in mesh.objects if (found := keep(item)) is not None]
    assert len(list(anonymous(kept, salt="s"))) == len(kept)


@settings(max_examples=600)
@given(data=st.data())
def test_a_field_of_any_type_ends_in_no_traceback(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(MESHES)))
    original = MESHES[name]
    item = copy.deepcopy(data.draw(st.sampled_from(original.objects)))
    known = [place for place in places(item) if place != ("kind",)]
    change(item, data.draw(st.sampled_from(known)), data.draw(st.sampled_from(VALUES)))
    others = [one for one in original.objects if one["kind"] != item["kind"]]
    asked = data.draw(st.sampled_from(["", "pod/web-7f9c5d-x2x -n shop", "namespace/shop"]))
    mesh = replace(original, objects=[item, *others], asked=asked)
    if data.draw(st.booleans()):
        try:
            own = of_cluster(mesh.snapshot(), system=SYSTEMS[name])
        except CouldNotCheckError:
            return  # several meshes
        assert own is not None
        mesh.known = own
    look(mesh)
