"""The policy pack under its SDK, and asked by the engine about the state of a stack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.apiserver.apiserver import NotInstalledError, find

from .engine import REPOSITORY, TARGET
from .language_python import installed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine

PORTS = "flomesh.io/outbound-port-exclusion-list"
WEB = "urn:pulumi:prod::shop::kubernetes:apps/v1:Deployment::web"
MISPLACED = "metadata.annotations"
TEMPLATE = "spec.template.metadata.annotations"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """The pack in a checkout of its own, with its environment."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "checkout/policy"

    def python(self, code: str, **variables: str) -> str:
        """What a program prints that has the pack's environment."""
        done = subprocess.run(
            [self.folder / "venv/bin/python", "-c", code],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": "..", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def analyze(
        self, state: dict[str, Any], *options: str, **variables: str
    ) -> tuple[int, dict[str, tuple[str, str]], str]:
        """Exit code, level and message by policy, and the text of `pulumi policy analyze`."""
        file = self.home / "state.json"
        file.write_text(json.dumps(state), encoding="utf-8")
        path = os.pathsep.join((str(self.home / "bin"), os.environ["PATH"]))
        done = subprocess.run(
            [
                *(self.home / "bin/pulumi", "policy", "analyze", "--file", file),
                *("--policy-pack", self.folder, "--color", "never", "--json", *options),
            ],
            cwd=self.home,
            env={
                "PATH": path,
                "HOME": str(self.home),
                "PULUMI_HOME": str(self.home / "pulumi"),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        told = [event["policyEvent"] for event in events if "policyEvent" in event]
        found = {one["policyName"]: (one["enforcementLevel"], one["message"]) for one in told}
        return done.returncode, found, done.stdout + done.stderr


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Set up as a user's engine would: from the pack's own lock."""
    home = tmp_path_factory.mktemp("policy")
    (home / "bin").mkdir()
    try:
        (home / "bin/pulumi").symlink_to(find("pulumi", target=TARGET))
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    installed(home / "bin")
    made = Pack(home=home)
    shutil.copytree(
        REPOSITORY / "policy", made.folder, ignore=shutil.ignore_patterns("venv", "__pycache__")
    )
    for name in ("fsm_stack", "templates"):
        (home / "checkout" / name).symlink_to(REPOSITORY / name)
    uv = [sys.executable, "-m", "uv", "--quiet"]
    venv = made.folder / "venv"
    subprocess.run([*uv, "venv", "--python", sys.executable, venv], check=True)
    locked = ("--require-hashes", "-r", made.folder / "requirements.txt")
    subprocess.run([*uv, "pip", "install", "--python", venv / "bin/python", *locked], check=True)
    return made


def state(**annotations: str) -> dict[str, Any]:
    """An exported stack of one Deployment, which has the annotation twice."""
    about = {"name": "web", "namespace": "shop"}
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {PORTS: annotations["template"]}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    own = {"annotations": {PORTS: annotations["own"]}} if "own" in annotations else {}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**about, **own},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    provider = "urn:pulumi:prod::shop::pulumi:providers:kubernetes::cluster"
    known = "0f5b36a9-5f44-4d6c-9d1b-3a3d0c6a7c11"
    stack = "pulumi:pulumi:Stack"
    resources: list[dict[str, Any]] = [
        {"urn": f"urn:pulumi:prod::shop::{stack}::shop-prod", "custom": False, "type": stack},
        {"urn": provider, "custom": True, "id": known, "type": "pulumi:providers:kubernetes"},
        {
            "urn": WEB,
            "custom": True,
            "id": "shop/web",
            "type": "kubernetes:apps/v1:Deployment",
            "provider": f"{provider}::{known}",
            "inputs": deployment,
            "outputs": deployment,
        },
    ]
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
    return {"version": 3, "deployment": {"manifest": manifest, "resources": resources}}


def test_the_engine_stops_at_what_lint_calls_an_error(pack: Pack) -> None:
    code, found, text = pack.analyze(state(template="80,70000", own="6379"))

    assert code != 0, text
    levels = {name: level for name, (level, _) in found.items()}
    assert levels == {
        "annotation-misplaced": "mandatory",
        "invalid-port": "mandatory",
        "namespace-assumed": "advisory",
    }
    assert f"Deployment/shop/web {MISPLACED}.{PORTS}: " in found["annotation-misplaced"][1]
    assert f"Deployment/shop/web {TEMPLATE}.{PORTS}: " in found["invalid-port"][1]


def test_a_stack_without_errors_passes(pack: Pack) -> None:
    code, found, text = pack.analyze(state(template="6379"))

    assert code == 0, text
    assert set(found) == {"namespace-assumed"}


def test_each_rule_is_switched_by_its_id(pack: Pack) -> None:
    config = pack.home / "config.json"
    config.write_text(
        json.dumps({"invalid-port": "advisory", "namespace-assumed": "disabled"}), encoding="utf-8"
    )

    code, found, text = pack.analyze(
        state(template="80,70000"), "--policy-pack-config", str(config)
    )

    assert code == 0, text
    assert {name: level for name, (level, _) in found.items()} == {"invalid-port": "advisory"}


def test_the_workloads_run_in_the_mesh_that_is_named(pack: Pack) -> None:
    """Its lists and the pod's become one: fifteen ports are the most that a rule takes."""
    many = ",".join(map(str, range(1001, 1014)))
    stack_file = pack.home / "Pulumi.prod.yaml"
    shutil.copy(REPOSITORY / "Pulumi.dev.yaml", stack_file)
    stack_file.write_text(
        stack_file.read_text().replace("[6379, 7070]", "[6379, 7070, 7071]"), encoding="utf-8"
    )

    code, _, text = pack.analyze(state(template=many))
    assert code == 0, text
    code, found, text = pack.analyze(state(template=many), FSM_STACK_MESH=str(stack_file))

    assert code != 0, text
    assert "too-many-ports" in found


def test_what_is_known_only_after_the_update_is_not_judged(pack: Pack) -> None:
    """In a preview the SDK raises an error for each such value."""
    told = pack.python(
        """
import json
from pulumi_policy import StackValidationArgs
from pulumi_policy.policy import PolicyResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy
import pack

def validated(ports):
    template = {"metadata": {"annotations": {"flomesh.io/outbound-port-exclusion-list": ports}},
                "spec": {"containers": [{"name": "web", "image": UNKNOWN_STRING_VALUE}]}}
    props = unknown_checking_proxy({"metadata": {"name": "web"}, "spec": {"template": template}})
    resource = PolicyResource("kubernetes:apps/v1:Deployment", props, "urn::web", "web",
                              None, None, None, [], {})
    args = StackValidationArgs([resource], {}, {})
    reported = []
    for policy in pack.policies():
        policy.validate(args, lambda message, urn=None: reported.append((policy.name, urn)))
    return reported

print(json.dumps([validated(UNKNOWN_STRING_VALUE), validated("70000")]))
"""
    )

    unknown, known = json.loads(told)
    assert unknown == [["namespace-assumed", "urn::web"]]
    assert sorted(known) == [["invalid-port", "urn::web"], ["namespace-assumed", "urn::web"]]
