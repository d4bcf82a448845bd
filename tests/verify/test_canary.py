"""A canary in a snapshot: told while it lasts, without a trace once it is over."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.injector.annotations import interception
from fsm_stack.manifests.canary import STABLE, digest, objects, patch, tried, unpatch
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.anonymize import anonymous
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.canary import canaries
from fsm_stack.verify.check import Status
from fsm_stack.verify.restarting.canary import abortion, promotion, state
from fsm_stack.well_known import CANARY_LABEL

from .world import DEV, World, expected, pod_json, world

PORTS = "flomesh.io/outbound-port-exclusion-list"
ADDS = {PORTS: "443"}
WITH = DEV.replace("[6379, 7070]", "[6379, 7070, 443]")
Json = dict[str, Any]


def merge(target: Json, change: Json) -> Json:
    """A JSON merge patch, RFC 7386."""
    found = dict(target)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = merge(found.get(key) or {}, value)
        else:
            found[key] = value
    return found


def canary(*, declared: str = WITH, own: dict[str, str] | None = None) -> World:
    """The mesh of DEV with a canary on namespace shop: one of its pods made anew, one not yet."""
    found = world()
    known = found.known
    found.objects.extend(copy.deepcopy(objects("shop", ADDS, api_version=STABLE)))
    owner = found.the("Deployment", "web")
    owner["spec"]["template"]["metadata"]["annotations"] = dict(own or {})
    found.remove("Pod")
    new = pod_json(known, "web-7f9c5d-new", annotations=tried(own or {}, ADDS))
    new["metadata"]["labels"][CANARY_LABEL] = digest(ADDS)
    found.objects += [new, pod_json(known, "web-7f9c5d-old", annotations=dict(own or {}))]
    found.known = expected(declared)
    found.asked = "namespace/shop"
    return found


def without_policy(found: World) -> World:
    for kind in ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"):
        found.remove(kind)
    return found


def promoted(found: World) -> World:
    """The stack is brought up: the MeshConfig has the entries, too."""
    found.the("MeshConfig")["spec"] = copy.deepcopy(dict(expected(WITH).settings or {}))
    return found


def the_canary(found: World) -> Any:
    (one,) = canaries(found.snapshot(), found.known.system)
    return one


def test_a_canary_in_progress_is_told_and_is_no_fault() -> None:
    found = canary(declared=DEV)
    outcome = found.outcome("canary-pods")
    assert outcome.status is Status.PASSED
    (item,) = outcome.findings
    assert item.severity is Severity.INFO
    assert item.message == (
        "a canary is in progress: new pods get flomesh.io/outbound-port-exclusion-list 443; 1 pod "
        "so far"
    )
    assert item.place.path == "namespace shop"
    assert item.fix == (
        "See how it does: fsm-stack canary STACK -n shop --status; --promote or --abort ends it."
    )
    assert item.value == (
        "MutatingAdmissionPolicyBinding/fsm-stack-canary-shop, "
        "MutatingAdmissionPolicy/fsm-stack-canary-shop"
    )


@pytest.mark.parametrize("own", [{}, {PORTS: "9999"}, {PORTS: "443"}])
def test_what_the_policy_writes_is_no_annotation_that_gets_lost(own: dict[str, str]) -> None:
    """Its owner's template lacks it, and every next pod gets it."""
    for found in (canary(own=own), promoted(canary(own=own))):
        assert found.messages("pod-annotation-effect") == []
    assert without_policy(promoted(canary(own=own))).messages("pod-annotation-effect") == []


def test_the_pods_of_a_canary_that_is_over_are_told_until_they_restart() -> None:
    found = without_policy(canary(declared=DEV))
    (item,) = found.outcome("canary-pods").findings
    assert (item.severity, item.place.path) == (Severity.WARNING, "pod shop/web-7f9c5d-new")
    assert item.fix == "kubectl rollout restart deployment/web -n shop"
    assert found.messages("pod-annotation-effect") != []


def test_nothing_is_told_after_promotion() -> None:
    found = without_policy(promoted(canary()))
    assert found.messages("canary-pods") == []
    stale = [item.place.path for item in found.outcome("pod-stale").findings]
    assert stale == ["pod shop/web-7f9c5d-old"]


def test_a_policy_without_its_binding_is_a_fault() -> None:
    found = canary(declared=DEV)
    found.remove("MutatingAdmissionPolicyBinding")
    (item,) = found.outcome("canary-pods").findings
    assert item.severity is Severity.WARNING
    lost, half = [one.message for one in state(found.context(), the_canary(found)).findings]
    assert lost.startswith(
        "annotation flomesh.io/outbound-port-exclusion-list is on the pod and not"
    )
    assert half == (
        "the canary of namespace shop is not whole: only "
        "MutatingAdmissionPolicy/fsm-stack-canary-shop is there, and new pods get nothing of it"
    )


def test_the_status_counts_pods_and_names_those_that_wait() -> None:
    found = canary()
    new = found.the("Pod", "web-7f9c5d-new")
    new["status"]["containerStatuses"][0] |= {"restartCount": 3}
    told = state(found.context(), the_canary(found))
    assert list(told.lines()) == [
        "canary of namespace shop, by policy",
        "  adds flomesh.io/outbound-port-exclusion-list 443",
        "  made MutatingAdmissionPolicyBinding/fsm-stack-canary-shop",
        "  made MutatingAdmissionPolicy/fsm-stack-canary-shop",
        "1 pod has the new entries: 1 ready, 3 restarts",
        "1 pod has the old rules still:",
        "  kubectl rollout restart deployment/web -n shop --context test",
    ]
    assert [item.id for item in told.findings] == ["canary-restarts"]
    assert told.unread == ()


def test_a_canary_pod_that_is_not_ready_is_a_finding_of_the_status() -> None:
    found = canary()
    found.the("Pod", "web-7f9c5d-new")["status"]["containerStatuses"][1]["ready"] = False
    told = state(found.context(), the_canary(found))
    assert [item.id for item in told.findings] == ["pod-ready"]
    found = canary()
    found.the("Pod", "web-7f9c5d-old")["status"]["containerStatuses"][1]["ready"] = False
    assert state(found.context(), the_canary(found)).findings == ()


def test_promotion_restarts_no_pod_of_the_canary() -> None:
    before, after = canary(), promoted(canary())
    for found in (before, after):
        ending = promotion(found.context(), the_canary(found))
        assert ending.findings == ()
        assert ending.unchanged == 1
        assert ending.commands == (
            "kubectl delete mutatingadmissionpolicybinding fsm-stack-canary-shop "
            "--ignore-not-found --context test",
            "kubectl delete mutatingadmissionpolicy fsm-stack-canary-shop --ignore-not-found "
            "--context test",
        )
        assert ending.restarts == (
            "kubectl rollout restart deployment/web -n shop --context test",
        )
    assert promotion(before.context(), the_canary(before)).first == (
        "Run `pulumi up --refresh` for the stack"
    )
    assert promotion(after.context(), the_canary(after)).first == ""


def test_promotion_of_other_lists_than_were_tried_is_refused() -> None:
    """The stack lost the entry meanwhile, or has another."""
    found = canary(declared=DEV.replace("[6379, 7070]", "[6379, 7070, 444]"))
    ending = promotion(found.context(), the_canary(found))
    assert ending.unchanged == 0
    *_, item = ending.findings
    assert item.id == "canary-differs"
    assert item.message == (
        "after promotion it would need a restart: another fate has outbound tcp uid any but 1500 "
        "port 444"
    )


def test_aborting_removes_everything_and_restarts_the_pods_that_differ() -> None:
    found = canary()
    ending = abortion(found.context(), the_canary(found))
    assert [one.split()[2] for one in ending.commands] == [
        "mutatingadmissionpolicybinding",
        "mutatingadmissionpolicy",
    ]
    assert ending.restarts == ("kubectl rollout restart deployment/web -n shop --context test",)
    # A pod that is made while a server still asks the policy would get the entries once more.
    script = [line for line in ending.lines() if not line.startswith("#")]
    assert script == [*ending.commands, "sleep 5", *ending.restarts]
    late = abortion(promoted(canary()).context(), the_canary(promoted(canary())))
    assert (late.restarts, late.wait) == ((), "")


def test_a_pod_without_a_template_is_judged_without_what_the_policy_wrote() -> None:
    """Else it would seem to get the entries again, which nobody writes then."""
    found = canary()
    found.remove("Deployment", "web")
    for name in ("web-7f9c5d-new", "web-7f9c5d-old"):
        found.the("Pod", name)["metadata"].pop("ownerReferences")
    assert abortion(found.context(), the_canary(found)).restarts == (
        "kubectl delete pod web-7f9c5d-new -n shop --context test # no owner makes it anew: apply "
        "its manifest again",
    )
    assert promotion(found.context(), the_canary(found)).findings == ()


@pytest.mark.parametrize("own", [{}, {PORTS: "9999"}, {PORTS: " 443, 1", "x": "y"}])
def test_templates_are_as_before_once_the_patch_is_taken_back(own: dict[str, str]) -> None:
    owner = {"metadata": {"name": "web", "labels": {"a": "b"}},
             "spec": {"template": {"metadata": {"annotations": dict(own), "labels": {"app": "w"}}}}}  # fmt: skip
    patched = merge(owner, patch(own, ADDS, earlier={}))
    notes = patched["spec"]["template"]["metadata"]
    assert notes["annotations"] == tried(own, ADDS)
    assert notes["labels"] == {"app": "w", CANARY_LABEL: digest(ADDS)}
    record = json.loads(patched["metadata"]["annotations"]["fsm-stack.flomesh.io/canary-before"])
    back = merge(patched, unpatch(record))
    assert back["metadata"].pop("annotations") == {}
    assert back == owner


def test_a_canary_by_templates_is_found_by_what_it_wrote() -> None:
    found = world(WITH)
    found.the("MeshConfig")["spec"] = copy.deepcopy(dict(expected().settings or {}))
    owner = found.the("Deployment", "web")
    owner.update(merge(owner, patch({PORTS: "1"}, ADDS, earlier={})))
    found.remove("Pod")
    live = replace(found.known, mesh=expected().mesh)
    new = pod_json(live, annotations=tried({PORTS: "1"}, ADDS))
    new["metadata"]["labels"][CANARY_LABEL] = digest(ADDS)
    found.objects.append(new)
    one = the_canary(found)
    assert (one.by, one.namespace, one.adds) == ("templates", "shop", ADDS)
    assert one.tries(found.snapshot().pods[0])
    assert found.messages("canary-pods") == [
        "a canary is in progress: new pods get flomesh.io/outbound-port-exclusion-list 443; 1 pod "
        "so far"
    ]
    assert found.messages("pod-annotation-effect") == []
    ending = promotion(found.context(), one)
    assert (ending.commands, ending.unchanged, ending.findings) == ((), 1, ())
    assert ending.later[0].startswith("kubectl patch deployment web -n shop --type=merge -p ")
    abort = abortion(found.context(), one)
    assert (abort.commands, abort.restarts) == (ending.later, ())


def test_a_canary_by_templates_whose_entries_the_mesh_has_is_in_progress_no_more() -> None:
    """Its annotations stay until their owners change: nothing there waits for an end."""
    found = world(WITH)
    owner = found.the("Deployment", "web")
    owner.update(merge(owner, patch({PORTS: "1"}, ADDS, earlier={})))
    outcome = found.outcome("canary-pods")
    assert outcome.status is Status.PASSED
    (item,) = outcome.findings
    assert (item.severity, item.place.path) == (Severity.INFO, "namespace shop")
    assert item.message == (
        "a canary was promoted: its annotations in pod templates are without effect, and go with "
        "the next change of their owners"
    )


def test_policies_of_others_are_not_kept() -> None:
    other = {"apiVersion": STABLE, "kind": "MutatingAdmissionPolicy", "metadata": {"name": "x"}}
    assert keep(other) is None
    (policy, _) = objects("shop", ADDS, api_version=STABLE)
    assert keep(policy) == {
        "apiVersion": STABLE,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {
            "name": "fsm-stack-canary-shop",
            "labels": {CANARY_LABEL: digest(ADDS)},
            "annotations": ADDS,
        },
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
            }
        },
    }


def test_an_anonymous_snapshot_names_no_namespace_of_a_canary() -> None:
    kept = [keep(one) or {} for one in objects("shop", ADDS, api_version=STABLE)]
    told = list(anonymous(kept, salt="s"))
    assert "shop" not in json.dumps(told)
    assert told[1]["spec"]["policyName"] == told[0]["metadata"]["name"]


def test_what_was_not_asked_for_matters_to_pods_of_a_canary_alone() -> None:
    """Files of kubectl hold no policy; there is a canary only where a pod says so."""
    unread = {Part.CANARIES: "not read: forbidden"}
    plain, found = world(), without_policy(canary(declared=DEV))
    plain.not_read = found.not_read = unread
    assert plain.outcome("canary-pods").status is Status.PASSED
    outcome = found.outcome("canary-pods")
    assert outcome.status is Status.NOT_RUN
    assert outcome.why == (
        "whether the canary of pod shop/web-7f9c5d-new is over: not read: forbidden"
    )


def test_the_script_of_a_canary_pod_is_the_promoted_one() -> None:
    """The example that the rest rests on, written out."""
    now, then = expected().mesh, expected(WITH).mesh
    assert interception(ADDS, now).script == interception({}, then).script
