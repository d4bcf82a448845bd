"""Uninstall by the page, word for word, with other vendors' objects in the cluster.

The commands come out of docs/uninstall.md. `pulumi` is a stand-in that deletes and applies what the
engine would: the bundle backwards, or again. The mesh is brought up once more afterwards, so this
may run at any place among the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.apiserver.client import ApiError
from tests.pages import blocks

from .stack import STACK
from .workloads import container, deployment, gone, pod, wait_deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stack import Stack

pytestmark = pytest.mark.node

NAMESPACE = "demo"
LABEL = "app.kubernetes.io/name=flomesh.io"  # fsm-bootstrap puts it on others' CRDs, too
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
WEB = deployment(pod(NAMESPACE, "web", container("http:8080")))
THEIR_CRDS = ("gateways.gateway.networking.k8s.io", "traffictargets.access.smi-spec.io")
THEIR_OBJECTS: list[dict[str, Any]] = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "theirs", "namespace": "default"},
        "spec": {
            "gatewayClassName": "theirs",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    },
    {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": "theirs", "namespace": "default"},
        "spec": {
            "destination": {"kind": "ServiceAccount", "name": "theirs", "namespace": "default"},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "theirs", "namespace": NAMESPACE},
        "stringData": {"password": "theirs"},
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        # Named like FSM's, and not labelled as FSM's.
        "metadata": {"name": "sidecar-bootstrap-config-of-mine", "namespace": NAMESPACE},
        "stringData": {"password": "theirs"},
    },
]


def commands_of_the_page() -> list[list[str]]:
    """The commands of each console block that is marked as run here."""
    return [
        [one.typed for one in block.commands]
        for block in blocks("docs/uninstall.md")
        if block.mark("run by:")
    ]


@pytest.fixture
def removable(stack: Stack) -> Iterator[Stack]:
    """The stack with a workload and others' objects; afterwards it is brought up again."""
    declared = (stack.project / f"Pulumi.{STACK}.yaml").read_text()
    for one in (*THEIR_OBJECTS, WEB):
        stack.api.create(one)
    wait_deployment(stack.api, WEB)
    yield stack
    (stack.project / f"Pulumi.{STACK}.yaml").write_text(declared)
    for one in (*THEIR_OBJECTS, WEB):
        if stack.api.exists(one):
            stack.api.delete(one)
    stack.apply(force=True)
    stack.wait_up()


def carry_out(stack: Stack, command: str) -> None:
    """One command of the page; the engine's are stood in for."""
    if command.startswith("pulumi up"):
        stack.apply(force=True)
    elif command.startswith("pulumi destroy"):
        destroy(stack)
    elif command.startswith("pulumi"):
        assert command.startswith("pulumi stack rm"), command
    else:
        stack.shell(command)


def destroy(stack: Stack) -> None:
    """What the engine does: the objects backwards; CRDs, and namespaces of workloads, stay."""
    manifests = [one for one in stack.objects() if not one.retain]
    for manifest in reversed(manifests):
        given = dict(manifest.object)
        if stack.api.exists(given):
            stack.api.delete(given)
    gone(stack.api, *(dict(one.object) for one in manifests if one.kind != "Namespace"))
    gone(stack.api, *(dict(one.object) for one in manifests if one.kind == "Namespace"))


def un_enrol(stack: Stack) -> None:
    """`enrolledNamespaces: []`, as the page asks for; the engine takes the label off."""
    before = [dict(one.object) for one in stack.objects() if one.wave.name == "ENROLMENT"]
    file = stack.project / f"Pulumi.{STACK}.yaml"
    config = yaml.safe_load(file.read_text())
    config["config"]["fsm-stack:enrolledNamespaces"] = []
    file.write_text(yaml.safe_dump(config))
    for one in before:
        labels = dict.fromkeys(one["metadata"].get("labels", {}))
        annotations = dict.fromkeys(one["metadata"].get("annotations", {}))
        stack.api.patch(one, {"metadata": {"labels": labels, "annotations": annotations}})


def test_the_page_removes_the_stack_and_nothing_else(removable: Stack) -> None:
    """Every command of the page, in its order; a pod can be made after each."""
    stack = removable
    theirs = [stack.api.get(one)["metadata"]["uid"] for one in THEIR_OBJECTS]
    labelled = stack.api.list(*CRD, labels=LABEL)
    assert set(THEIR_CRDS) < {one["metadata"]["name"] for one in labelled}
    un_enrol(stack)
    for commands in commands_of_the_page():
        for command in commands:
            carry_out(stack, command)
            stack.api.create(pod(NAMESPACE, "next"), dry_run=True)
    left = stack.api.list("v1", "Pod", namespace=NAMESPACE, labels="app=web")
    live = [one for one in left if "deletionTimestamp" not in one["metadata"]]
    wait_deployment(stack.api, WEB)
    assert all(len(one["spec"]["containers"]) == 1 for one in live)

    # Nothing of others' is gone, and nothing was made anew.
    assert [stack.api.get(one)["metadata"]["uid"] for one in THEIR_OBJECTS] == theirs
    crds = {one["metadata"]["name"] for one in stack.api.list(*CRD)}
    assert set(THEIR_CRDS) <= crds
    # Nothing of ours is left that would block a pod or hold a policy.
    assert [name for name in crds if name.endswith(".flomesh.io")] == []
    assert our_webhooks(stack) == []
    secrets = stack.api.list("v1", "Secret", namespace=NAMESPACE)
    assert {one["metadata"]["name"] for one in secrets} == {
        "theirs",
        "sidecar-bootstrap-config-of-mine",
    }
    with pytest.raises(ApiError):
        stack.api.get(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fsm-system"}}
        )


def our_webhooks(stack: Stack) -> list[str]:
    """Webhook configurations of the mesh that are left."""
    kinds = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    found = [
        one["metadata"]["name"]
        for kind in kinds
        for one in stack.api.list("admissionregistration.k8s.io/v1", kind)
    ]
    return [name for name in found if "fsm" in name or "flomesh" in name]
