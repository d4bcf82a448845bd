"""Every recorded admission of the real injectors, answered again: one test a row."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.findings.catalogue import all_rules
from fsm_stack.injector.decision import NamespaceView, admit, namespace_view
from fsm_stack.injector.mesh import MeshView, mesh_view
from fsm_stack.injector.profile import Refusal
from fsm_stack.systems import SYSTEMS, system
from tests.parity.same_pod import meaning
from tests.recordings import recordings

if TYPE_CHECKING:
    from fsm_stack.injector.decision import Decision
    from fsm_stack.injector.pod import Mutation

CORPUS = recordings("FSM_STACK_CORPUS", "corpus")
ABSENT = f"recorded pods not found in {CORPUS}: set FSM_STACK_CORPUS"

# Messages that end in a parser's own words, which are not ours to repeat; the finding says it.
WORDED_OTHERWISE = {"bootstrap-volume", "unknown-sidecar-class", "wrong-type"}


def rows() -> list[Any]:
    """The rows of every system, or one skipped row that says what is absent."""
    found = []
    for name in SYSTEMS:
        path = CORPUS / f"{name}-pods.jsonl"
        if not path.is_file():
            mark = pytest.mark.skip(reason=ABSENT)
            found.append(pytest.param(name, None, id=f"{name}-absent", marks=mark))
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            found.append(pytest.param(name, row, id=f"{name}-{number}-{row['in']['name']}"))
    return found


def mesh_of(name: str, given: dict[str, Any]) -> MeshView:
    services = {
        item["metadata"]["name"]: item["spec"]["clusterIP"] for item in given["services"] or ()
    }
    return mesh_view(
        system(name),
        given["meshConfig"],
        environment=given["env"],
        name=given["meshName"],
        pull_policy=given["pullPolicy"],
        services=services,
    )


def namespace_of(given: dict[str, Any]) -> NamespaceView:
    if given["namespace"] is None:
        return NamespaceView(name=given["requestNamespace"])
    view = namespace_view(given["namespace"])
    return NamespaceView(
        name=given["requestNamespace"], labels=view.labels, annotations=view.annotations
    )


def readable(secret: dict[str, Any], envoy: bool) -> bool:  # noqa: FBT001
    text = base64.b64decode((secret.get("data") or {}).get("bootstrap.yaml") or "").decode()
    try:
        found = yaml.safe_load(text) if envoy else json.loads(text)
    except (yaml.YAMLError, ValueError):
        return False
    return isinstance(found, dict) or not envoy


def answered(given: dict[str, Any], mesh: MeshView) -> tuple[Decision, Mutation | None] | Refusal:
    envoy = mesh.sidecar_kind == "envoy"
    try:
        return admit(
            given["pod"],
            mesh=mesh,
            namespace=namespace_of(given),
            proxy_id=given["proxyUUID"],
            dry_run=bool(given["dryRun"]),
            secrets={s["metadata"]["name"]: readable(s, envoy) for s in given["secrets"] or ()},
        )
    except Refusal as refusal:
        return refusal


@pytest.mark.requirement("C6", "C8", "C9", "C10", "C11", "C34", "C37", "C41")
@pytest.mark.parametrize(("name", "row"), rows())
def test_the_recorded_admission_is_answered_again(name: str, row: dict[str, Any] | None) -> None:
    """Allowed or refused with the same words, left alone, or the same pod."""
    assert row is not None, ABSENT
    given = row["in"]
    mesh = mesh_of(name, given)
    answer = answered(given, mesh)
    if isinstance(answer, Refusal):
        assert "error" in row, f"refused: {answer.message}"
        if answer.rule_id not in WORDED_OTHERWISE:
            assert answer.message == row["error"]
        assert answer.rule_id in all_rules()
        assert answer.secret_left == bool(row.get("secretsLeft"))
        return
    decision, mutation = answer
    assert "error" not in row, row["error"]
    expected = row["out"]
    assert decision.inject == expected["patched"] == (mutation is not None)
    if mutation is None:
        return
    assert json.loads(mutation.text()) == mutation.plain()
    assert meaning(mutation.plain(), mesh.system) == meaning(expected["pod"], mesh.system)
    made = [secret["name"] for secret in expected["secrets"]]
    assert ([mutation.secret] if mutation.secret else []) == made
    for secret in expected["secrets"]:
        check_summary(secret["bootstrap"], mutation.probes.kinds, reinjected=mutation.reinjected)


def check_summary(bootstrap: Any, kinds: Any, *, reinjected: bool) -> None:
    """Pipy's bootstrap configuration keeps the probes as they were."""
    if reinjected or not isinstance(bootstrap, dict) or "OriginalHealthProbes" not in bootstrap:
        return
    for key, original in zip(("Liveness", "Readiness", "Startup"), kinds, strict=True):
        expected = bootstrap["OriginalHealthProbes"][key]
        if original is None:
            assert expected is None
            continue
        assert expected == {
            "IsHTTP": original.http,
            "IsTCPSocket": original.tcp,
            "Path": original.path,
            "Port": original.port,
            "Timeout": original.timeout * 10**9,
        }
