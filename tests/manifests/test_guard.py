"""The guard as objects: which are on, for whom, and what a stack takes on purpose."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fsm_stack.findings.catalogue import all_rules
from fsm_stack.findings.finding import Severity
from fsm_stack.manifests.guard.cel import Dialect
from fsm_stack.manifests.guard.policies import ACTIONS, BINDING, POLICY, guard
from fsm_stack.manifests.guard.rules import mesh_config_rules
from fsm_stack.manifests.manifest import Wave
from fsm_stack.redirection.scopes import settings_digest
from fsm_stack.settings.checks import check_settings
from fsm_stack.settings.models.values import INTERFACE_CHARACTERS
from fsm_stack.settings.stack_file import load_text
from fsm_stack.yaml.write import dump
from tests.manifests.stacks import bundle_of, settings_of

ON: dict[str, Any] = {"guard": {"meshConfig": "deny", "pods": "warn", "bypasses": "warn"}}
TODAY = date(2026, 7, 1)


def objects(data: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(item.kind, item.name): item.object for item in guard(settings_of(data))}


def expressions(item: Any) -> str:
    parts = (*item["spec"].get("variables", ()), *item["spec"]["validations"])
    return "\n".join(part["expression"] for part in parts)


def test_nothing_is_guarded_where_nobody_asked() -> None:
    assert guard(settings_of({})) == ()


def test_each_setting_has_its_policy_and_binding() -> None:
    names = ["fsm-guard-bypasses", "fsm-guard-mesh-config", "fsm-guard-mesh-config-warnings",
             "fsm-guard-namespaces", "fsm-guard-pods"]  # fmt: skip
    found = [item.key for item in bundle_of(ON) if item.kind in {POLICY, BINDING}]
    assert found == [(kind, "", name) for kind in (POLICY, BINDING) for name in names]
    waves = {item.wave for item in bundle_of(ON) if item.kind in {POLICY, BINDING}}
    assert waves == {Wave.CRD}  # a MeshConfig that loosens both finds the looser policy
    assert {item.kind for item in guard(settings_of({"guard": {"pods": "deny"}}))} == {
        POLICY,
        BINDING,
    }


def test_actions_follow_the_setting_and_warnings_only_warn() -> None:
    known = objects(ON)
    actions = {name: item["spec"]["validationActions"] for (kind, name), item in known.items()
               if kind == BINDING}  # fmt: skip
    assert actions == {
        "fsm-guard-mesh-config": ["Deny", "Audit"],
        "fsm-guard-mesh-config-warnings": ["Warn", "Audit"],
        "fsm-guard-pods": ["Warn", "Audit"],
        "fsm-guard-namespaces": ["Warn", "Audit"],
        "fsm-guard-bypasses": ["Warn", "Audit"],
    }
    assert all({"Deny", "Warn"} - set(listed) for listed in ACTIONS.values())  # one excludes other
    policies = {name: item["spec"]["failurePolicy"] for (kind, name), item in known.items()
                if kind == POLICY}  # fmt: skip
    assert policies == {
        "fsm-guard-mesh-config": "Fail",
        "fsm-guard-mesh-config-warnings": "Fail",
        "fsm-guard-pods": "Ignore",
        "fsm-guard-namespaces": "Ignore",
        "fsm-guard-bypasses": "Ignore",
    }


@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_every_system_is_guarded_by_its_own_names(system: str) -> None:
    known = objects(ON | {"system": system})
    prefix = "fsm" if system == "fsm" else "osm"
    group = "config.flomesh.io" if system == "fsm" else "config.openservicemesh.io"
    mesh = known[POLICY, f"{prefix}-guard-mesh-config"]["spec"]
    assert mesh["matchConstraints"]["resourceRules"][0]["apiGroups"] == [group]
    assert f"{prefix}-mesh-config" in mesh["matchConditions"][0]["expression"]
    assert f"c.name == '{prefix}-init'" in expressions(known[POLICY, f"{prefix}-guard-pods"])


def test_every_message_ends_in_a_known_id_and_has_no_line_break() -> None:
    for (kind, name), item in objects(ON).items():
        for rule in item["spec"].get("validations", ()):
            (rule_id,) = re.findall(r"\[([a-z0-9-]+)\]$", rule["message"])
            assert rule_id in all_rules(), (kind, name)
            assert rule["messageExpression"].endswith(f" + ' [{rule_id}]'")
            assert "\n" not in rule["message"]


def test_a_cluster_of_1_30_gets_no_function_of_later_ones() -> None:
    """An API server compiles what the release before it knew; IP libraries came with 1.30."""
    old = objects(ON | {"cluster": {"kubernetesVersion": "1.30"}})
    new = objects(ON | {"cluster": {"kubernetesVersion": "1.31"}})
    later = re.compile(r"\b(isCIDR|cidr|isIP|ip|format|distinct|semver)\(")
    assert not [key for key, item in old.items() if key[0] == POLICY
                and later.search(expressions(item))]  # fmt: skip
    assert later.search(expressions(new[POLICY, "fsm-guard-mesh-config"]))


def test_an_older_cluster_cannot_be_guarded() -> None:
    settings = settings_of(ON | {"cluster": {"kubernetesVersion": "1.29"}})
    found = [one for one in check_settings(settings, TODAY) if one[1].id == "kubernetes-too-old"]
    assert [path for path, _ in found] == [
        ("guard", "meshConfig"),
        ("guard", "pods"),
        ("guard", "bypasses"),
    ]
    assert found[0][1].message == (
        "expected Kubernetes 1.30 or newer, cluster.kubernetesVersion is 1.29: "
        "ValidatingAdmissionPolicy v1 is not served"
    )


def test_a_list_longer_than_policies_look_at_is_found_before() -> None:
    ranges = [f"10.{n // 256}.{n % 256}.1/32" for n in range(2_001)]
    data = ON | {"traffic": {"outboundIPRangeExclusionList": ranges}}
    found = [one for one in check_settings(settings_of(data), TODAY) if one[1].id == "too-large"]
    assert [(path, item.message) for path, item in found] == [
        (
            ("traffic", "outboundIPRangeExclusionList"),
            "expected at most 2000 entries where guard.meshConfig is on, got 2001",
        )
    ]
    off = {"traffic": {"outboundIPRangeExclusionList": ranges}}
    assert "too-large" not in {item.id for _, item in check_settings(settings_of(off), TODAY)}


CLUSTER = {"podRanges": ["10.244.0.0/16"], "serviceRanges": ["10.96.0.0/16"]}


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        ("traffic.outboundIPRangeExclusionList[0]", []),
        ("traffic.outboundIPRangeExclusionList", ["excludes-everything"]),
        ("traffic.outboundIPRangeExclusionList[1]", ["excludes-everything"]),
    ],
)
def test_what_a_stack_accepts_is_not_refused(path: str, lost: list[str]) -> None:
    """Else it would pass validation, and stop at the API server."""
    traffic = {"outboundIPRangeExclusionList": ["1.1.1.1/32", "0.0.0.0/0"]}
    accept = [{"id": "excludes-everything", "path": path, "reason": "a test", "owner": "me"}]
    if not lost:
        accept[0]["id"] = "host-bits"
    base = ON | {"cluster": CLUSTER, "traffic": traffic}

    def ids(data: dict[str, Any]) -> list[str]:
        rules = mesh_config_rules(settings_of(data), Dialect(has_cidr=True))
        return [one.id for one in rules if one.severity is Severity.ERROR]

    before, after = ids(base), ids(base | {"accept": accept})
    for one in lost:
        before.remove(one)
    assert sorted(after) == sorted(before)


def test_an_accepted_range_over_the_mesh_is_excepted_by_its_value() -> None:
    traffic = {"outboundIPRangeExclusionList": ["10.0.0.0/8"]}
    accept = [{"id": "excludes-mesh-traffic", "path": "traffic.outboundIPRangeExclusionList[0]",
               "reason": "a test", "owner": "me"}]  # fmt: skip
    data = ON | {"cluster": CLUSTER, "traffic": traffic, "accept": accept}
    text = expressions(objects(data)[POLICY, "fsm-guard-mesh-config"])
    assert "!(v in ['10.0.0.0/8'])" in text


def test_the_pattern_of_an_interface_has_every_character_that_the_settings_take() -> None:
    text = expressions(objects(ON)[POLICY, "fsm-guard-mesh-config"])
    (listed,) = set(re.findall(r"v\.matches\(r'\^(\[A-Za-z0-9[^ ]*\])\*", text))
    taken = {chr(code) for code in range(128) if re.fullmatch(listed, chr(code))}
    assert taken == INTERFACE_CHARACTERS


def test_profiles_and_allow_make_the_register() -> None:
    data = ON | {
        "traffic": {"outboundPortExclusionList": [53]},
        "annotationProfiles": {"redis": {"outboundPortExclusionList": [6379]}},
        "guard": ON["guard"]
        | {
            "allow": [
                {"namespace": "shop", "outboundPortExclusionList": [5432]},
                {"namespace": "shop", "outboundPortExclusionList": [5433]},
            ]
        },
    }
    text = expressions(objects(data)[POLICY, "fsm-guard-bypasses"])
    known = "int(v) in [53, 6379] || request.namespace == 'shop' && int(v) in [5432, 5433]"
    assert f"!({known})" in text


def test_no_policy_has_an_empty_list() -> None:
    """The API server drops it, and the next apply would write it again."""
    empty = [
        key for key, item in objects(ON).items() for one in item["spec"].values() if one == []
    ]
    assert empty == []


def test_contracts_that_a_policy_can_hold_are_rules() -> None:
    """Those about other protocols, about interfaces, and `never` are left to their proof."""

    def held(traffic: str, verdict: str = "always") -> int:
        one = {"traffic": traffic, "verdict": verdict, "reason": "a test", "owner": "me"}
        return expressions(
            objects(ON | {"cluster": CLUSTER, "contracts": [one]})[POLICY, "fsm-guard-mesh-config"]
        ).count("\n")

    none = held("udp 53")
    assert held("tcp 443", "never") == held("tcp 443 over eth1") == none
    assert held("tcp 443") > none
    assert held("inbound tcp 8080") > none
    assert held("tcp to api-server") == none  # the stack does not say where it is


def test_the_guard_is_no_part_of_the_meshs_digest() -> None:
    """Pods need not start anew because somebody may no longer write nonsense."""
    assert settings_digest(settings_of(ON)) == settings_digest(settings_of({}))


def test_the_example_has_the_policies_of_its_stack() -> None:
    """Tools that evaluate policies without a cluster read them there."""
    folder = Path(__file__).parents[2] / "examples/guard"
    text = (folder / "Pulumi.guarded.yaml").read_text(encoding="utf-8")
    settings = load_text(text, file="Pulumi.guarded.yaml", today=TODAY).settings
    assert settings is not None
    policies = "---\n".join(dump(dict(item.object)) for item in guard(settings))
    assert (folder / "policies.yaml").read_text(encoding="utf-8") == policies


KYVERNO = shutil.which("kyverno") or shutil.which("kubectl-kyverno")


@pytest.mark.skipif(KYVERNO is None, reason="kyverno's command line is not on PATH")
def test_a_tool_without_a_cluster_says_what_the_example_says(tmp_path: Path) -> None:
    """It hands every number over as a fraction, and calls a policy that it does not ask a pass."""
    root = Path(__file__).parents[2]
    for name in ("examples/guard", "rendered/dev/objects/1-crd"):
        shutil.copytree(root / name, tmp_path / name)
    folder = tmp_path / "examples/guard"

    def asked() -> tuple[int, list[dict[str, str]]]:
        words = [str(KYVERNO), "test", str(folder), "--detailed-results", "--remove-color",
                 "-o", "json"]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        rows, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("\n[") + 1 :])
        return done.returncode, rows

    code, rows = asked()
    assert code == 0
    assert {row["REASON"] for row in rows} == {"Ok"}
    told = {row["RESOURCE"].rpartition("/")[2]: row["Message"] for row in rows if row["Message"]}
    assert told == {
        "fsm-mesh-config": "spec.traffic.outboundPortExclusionList: expected at most 15 ports, "
        "got 16 [too-many-ports]",
        "sixteen-ports": "outbound ports of the init script: expected at most 15 ports, got 16 "
        "[too-many-ports]",
        "as-the-sidecar": "spec.securityContext.runAsUser: runs as user 1500, the sidecar's: its "
        "traffic bypasses the mesh [reserved-uid]",
        "nobodys-bypass": "flomesh.io/outbound-port-exclusion-list: 9999 is in no profile, and "
        "namespace web may not carry it [bypass-unregistered]",
    }
    resources = folder / "resources.yaml"
    text = resources.read_text(encoding="utf-8")
    resources.write_text(text.replace("    - 7015\n", "", 1), encoding="utf-8")
    code, rows = asked()
    assert code == 1
    assert [row["RESOURCE"] for row in rows if row["RESULT"] == "Fail"] == [
        "config.flomesh.io/v1alpha3/MeshConfig/fsm-system/fsm-mesh-config"
    ]
