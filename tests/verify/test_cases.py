"""Situations that users reported, which lie beside the checkout: the first line has the answer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from tests.recordings import ROOT, recordings

if TYPE_CHECKING:
    from pathlib import Path

CASES = recordings("FSM_STACK_CASES", "cases")
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"no cases in {CASES}: set FSM_STACK_CASES to their folder"
)
UNREACHED = (
    "1 problem: the API server does not reach webhook fsm-inject.k8s.io in time, and without it"
)
STOPS = "1 problem: every pod that restarts now will not start: spec.traffic.outbound"
ANSWERS = {
    "03v.json": (
        "2 problems: a namespace is not in the mesh (namespace httpbin); an annotation of the "
        "mesh's stands among the labels (pod orders/cart-1)"
    ),
    "09v-after-fix.json": (
        "2 problems: an annotation of another mesh system (namespace httpbin); an annotation of "
        "the mesh's stands among the labels (pod orders/cart-1)"
    ),
    "21-vault-pod.json": "1 problem: an init container runs behind the mesh's (pod demo/node-7b9-x1)",
    "22b.yaml": "1 problem: the MeshConfig's lists do not load or redirect, or stand where nobody",
    "22c.jsonl": "3 problems: the MeshConfig's lists do not load or redirect, or stand where nobody",
    "23-16ports.jsonl": f"{STOPS}PortExclusionList: expected at most 15 ports, got 16",
    "23-ipv6.jsonl": f"{STOPS}IPRangeExclusionList[2]: expected an IPv4 CIDR, got the IPv6 range",
    "23-port70000.jsonl": f"{STOPS}PortExclusionList[2]: expected a port from 1 to 65535, got 70000",
    "27-describe-old.txt": (
        "2 problems: the init container has not loaded the rules (pod edge-ns/gate-75ctr); the "
        "script is of an older generation (pod edge-ns/gate-75ctr)"
    ),
    "33-init-log.txt": "1 problem: the node's kernel has no nat table for this iptables back end",
    "35-describe-rs.txt": UNREACHED,
    "36-events.txt": UNREACHED,
    "38-job-pod.json": "1 problem: the application ended with exit code 0, and the sidecar keeps",
}
CAUSES = {
    "10-a-iotimeout": ("does not reach webhook fsm-inject.k8s.io in time", "port 9090"),
    "10-c-refused": ("nothing listens where webhook fsm-inject.k8s.io should", "fsm-injector"),
    "10-d-noendp": ("no ready pod stands behind webhook fsm-inject.k8s.io", "fsm-injector"),
    "10-f-psa": ("pod security restricted:latest of namespace demo", "enforce=privileged"),
    "10-g-quota": ("asks for requests and limits of every container", "sidecar.resources"),
    "10-h-egress": ("cannot resolve the Service of webhook", "konnectivity"),
    "10-i-autopilot": ("GKE Autopilot refuses", "allow-net-admin"),
    "11-a-owner-ext": ("has no module for iptables' owner", "Load xt_owner on the node"),
    "11-b-redirect-ext": ("has no module for iptables' REDIRECT", "Load xt_REDIRECT"),
    "11-c-no-chain": ("has no module for a match or target", "Load xt_owner, xt_multiport"),
    "11-d-genid": ("has no nf_tables, or not the one", "legacy back end"),
    "11-e-genid-perm": ("lost the capability NET_ADMIN", "admit NET_ADMIN"),
    "11-f-legacy-line": ("refuses what ends at line 22", "Load xt_owner"),
    "11-g-exec-format": ("made for another processor", "architecture"),
    "11-h-incompatible": ("wrote rules of nft's own", "legacy back end"),
    "11-i-who": ("no nat table for this iptables back end", "Load iptable_nat"),
    "11-j-not-found": ("image has no iptables", "init image of the release"),
    "11-k-chain-exists": ("ran before in this network namespace", "Delete the pod"),
    "11-l-proto": ("no nat table for this iptables back end", "Load iptable_nat"),
}


def told(name: str) -> str:
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, ["verify", "--from", str(CASES / name)])
    assert result.exit_code == 1, result.output
    return result.output


@pytest.mark.parametrize("name", ANSWERS)
def test_the_first_line_has_the_answer(name: str) -> None:
    assert told(name).startswith(ANSWERS[name])


@pytest.mark.parametrize("name", CAUSES)
def test_a_saved_failure_has_its_cause_and_its_remedy(name: str) -> None:
    said = told(f"logs/{name}.jsonl")
    cause, remedy = CAUSES[name]
    line = next(one for one in said.splitlines() if cause in one)
    assert line.lstrip().startswith("error: ")
    assert remedy in said


def test_a_mesh_of_an_older_version_is_compared_without_what_it_lacks(tmp_path: Path) -> None:
    for name in ("Pulumi.aks.yaml", "mesh.json"):
        shutil.copy(CASES / "14-aks" / name, tmp_path)
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    words = ["verify", "aks", "-C", str(tmp_path), "--from", str(tmp_path / "mesh.json")]
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, words)
    assert "outboundIPRangeExclusionList has 20.43.1.9/32, which is not declared" in result.output
    assert "live nothing" not in result.output
