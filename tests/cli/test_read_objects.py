"""A pod's own JSON or YAML is read; other commands' listings say what to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

SCRIPT = """\
iptables-restore --noflush <<EOF
*nat
:FSM_PROXY_INBOUND - [0:0]
-A PREROUTING -p tcp -j FSM_PROXY_INBOUND
COMMIT
EOF
"""


def given(script: str = SCRIPT, name: str = "fsm-init") -> dict[str, object]:
    init = {"name": name, "image": "x", "args": ["-c", script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"initContainers": [init], "containers": [{"name": "web", "image": "x"}]},
    }


@pytest.mark.parametrize("form", ["json", "list", "yaml"])
def test_a_pods_object_holds_its_script(run: Run, tmp_path: Path, form: str) -> None:
    pods = {"apiVersion": "v1", "kind": "List", "items": [given()]}
    text = {
        "json": json.dumps(given()),
        "list": json.dumps(pods, indent=1),
        "yaml": f"# a pod\n---\n{yaml.safe_dump(given())}",
    }[form]
    path = tmp_path / "pod"
    path.write_text(text)
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    result, plain = run("read", str(path)), run("read", str(script))
    name = f"{path} (Pod shop/web, fsm-init)"
    assert result.stdout == plain.stdout.replace(str(script), name)
    assert result.stdout.startswith(name)
    assert result.exit_code == plain.exit_code


def test_of_a_pod_and_the_one_before_it_the_one_that_stays_is_read(
    run: Run, tmp_path: Path
) -> None:
    leaving = given(SCRIPT.replace("tcp", "udp"))
    leaving["metadata"] = {"name": "old", "namespace": "shop", "deletionTimestamp": "2026-01-01"}
    path = tmp_path / "pods"
    path.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [leaving, given()]}))
    assert run("read", str(path)).stdout.startswith(f"{path} (Pod shop/web, fsm-init)")
    path.write_text(json.dumps(leaving))  # the only one
    assert run("read", str(path)).stdout.startswith(f"{path} (Pod shop/old, fsm-init)")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            json.dumps(given(name="other")),
            ": no pod in it has the init container fsm-init or osm-init with a script",
        ),
        (
            json.dumps({"kind": "List", "apiVersion": "v1", "items": [given(), given("x")]}),
            ": expected one pod's script, got 2: Pod shop/web, fsm-init; Pod shop/web, fsm-init",
        ),
        (
            "Chain PREROUTING (policy ACCEPT)\ntarget prot opt source destination\n",
            ":1:1: this is the output of iptables -L, which does not show the rules in full: run "
            "iptables-save -t nat, or iptables -t nat -S, in the pod's network namespace, and "
            "give its output: Chain PREROUTING (policy ACCEPT)",
        ),
        (
            '{"nftables": [{"metainfo": {"version": "1.0.6"}}]}',
            ": this is the output of nft -j list, which writes the rules in nft's own language: run "
            "iptables-save -t nat, or iptables -t nat -S, in the pod's network namespace, and give "
            "its output",
        ),
        (
            "$ kubectl exec web -- iptables -t nat -L\nChain PREROUTING (policy ACCEPT)\n",
            ":2:1: this is the output of iptables -L, which does not show the rules in full: run "
            "iptables-save -t nat, or iptables -t nat -S, in the pod's network namespace, and "
            "give its output: Chain PREROUTING (policy ACCEPT)",
        ),
        (
            "table ip nat {\n}\n",
            ":1:1: this is the output of nft list, which writes the rules in nft's own language: "
            "run iptables-save -t nat, or iptables -t nat -S, in the pod's network namespace, and "
            "give its output: table ip nat {",
        ),
    ],
)
def test_what_cannot_be_read_says_what_is_needed(
    run: Run, tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "given"
    path.write_text(text)
    result = run("read", str(path))
    assert result.exit_code == 2
    assert result.stderr.endswith(f"{path}{problem}\n")
