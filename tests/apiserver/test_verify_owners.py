"""Who makes a pod anew, told from pods that the standard controllers made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli

from .client import eventually

if TYPE_CHECKING:
    from .client import Api

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
PLACE = "owners"


def owner(kind: str, name: str, api_version: str, **template: object) -> Json:
    labels = {"app": name}
    selector = {} if kind == "Job" else {"selector": {"matchLabels": labels}}
    containers = [{"name": "app", "image": "app:1"}]
    spec = {"template": {"metadata": {"labels": labels},
                         "spec": {"containers": containers, **template}}}  # fmt: skip
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": PLACE},
        "spec": {**selector, **spec},
    }


def verify(api: Api, subject: str) -> Result:
    words = ["verify", subject, "-n", PLACE, "--system", "fsm", "--kubeconfig", str(api.kubeconfig),
             "--check", "pod-annotations", "-o", "json"]  # fmt: skip
    return CliRunner(env={"NO_COLOR": "1"}).invoke(cli, words, prog_name="fsm-stack")


@pytest.fixture(scope="module")
def owned(controlled_api: Api) -> Api:
    """A pod each of a Deployment, a ReplicaSet of its own and a Job."""
    controlled_api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    controlled_api.apply(owner("Deployment", "web", "apps/v1"))
    controlled_api.apply(owner("ReplicaSet", "lone-v2", "apps/v1"))
    controlled_api.apply(owner("Job", "migrate", "batch/v1", restartPolicy="Never"))
    eventually("3 pods", lambda: len(pods(controlled_api)) == 3, seconds=30)
    return controlled_api


def pods(api: Api) -> list[Json]:
    return [item for item in api.list("v1", "Pod") if item["metadata"].get("namespace") == PLACE]


@pytest.mark.parametrize("subject", ["deploy/web", "rs/lone-v2", "job/migrate"])
def test_an_owner_stands_for_the_pod_that_it_made(owned: Api, subject: str) -> None:
    result = verify(owned, subject)
    assert json.loads(result.stdout)["pods"] == 1, result.output
    assert result.exit_code == 0


def test_a_replica_set_of_its_own_is_no_deployment(owned: Api) -> None:
    assert verify(owned, "deploy/lone").exit_code == 2


def test_the_replica_set_of_a_deployment_stands_for_its_pods(owned: Api) -> None:
    (name,) = [
        item["metadata"]["ownerReferences"][0]["name"]
        for item in pods(owned)
        if "pod-template-hash" in item["metadata"]["labels"]
    ]
    result = verify(owned, f"rs/{name}")
    assert json.loads(result.stdout)["pods"] == 1, result.output
