"""Checks of the mesh's own objects, each broken once."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status
from fsm_stack.verify.expected import of_cluster

from .world import DEV, certificate, check, world

if TYPE_CHECKING:
    from fsm_stack.verify.expected import Origin

INJECTOR_WEBHOOK = "fsm-webhook-fsm"
CA = "cluster-webhook-ca"


def test_a_missing_mesh_config_is_named_with_its_namespace() -> None:
    mesh = world()
    mesh.remove("MeshConfig")
    assert mesh.messages("cluster-mesh-config") == [
        "no MeshConfig fsm-mesh-config in namespace fsm-system"
    ]


def test_checks_that_need_the_mesh_config_do_not_pass_without_it() -> None:
    mesh = world()
    mesh.remove("MeshConfig")
    assert mesh.outcome("cluster-lists").status is Status.NOT_RUN
    assert mesh.outcome("cluster-lists").why == "MeshConfig fsm-mesh-config is not there"


@pytest.mark.requirement("C30")
def test_a_patched_list_says_what_it_lacks_and_has_and_who_wrote_it() -> None:
    """The guides print the list with jsonpath, and leave the comparison to the reader."""
    mesh = world()
    item = mesh.the("MeshConfig")
    item["spec"]["traffic"]["outboundPortExclusionList"] = [7070, 5432]
    item["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-patch",
            "time": "2026-06-30T09:00:00Z",
            "fieldsV1": {"f:spec": {"f:traffic": {"f:outboundPortExclusionList": {}}}},
        },
        {"manager": "fsm-stack", "time": "2026-01-01T09:00:00Z", "fieldsV1": {"f:spec": {}}},
    ]
    assert mesh.messages("cluster-lists") == [
        "outboundPortExclusionList lacks 6379 and has 5432, which is not declared; "
        "last written by kubectl-patch at 2026-06-30T09:00:00Z"
    ]
    (finding,) = mesh.outcome("cluster-lists").findings
    assert finding.value == "declared [6379, 7070], live [7070, 5432]"
    assert str(finding.place) == (
        "MeshConfig fsm-system/fsm-mesh-config spec.traffic.outboundPortExclusionList"
    )


@pytest.mark.requirement("C30")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outboundPortExclusionList", []),
        ("inboundPortExclusionList", [80]),
        ("outboundIPRangeExclusionList", ["9.9.9.9/32"]),
        ("outboundIPRangeInclusionList", ["9.9.9.9/32"]),
        ("networkInterfaceExclusionList", ["net9"]),
    ],
)
def test_each_of_the_five_lists_is_compared(name: str, value: list[object]) -> None:
    mesh = world()
    mesh.the("MeshConfig")["spec"]["traffic"][name] = value
    (message,) = mesh.messages("cluster-lists")
    assert message.startswith(name)


def test_order_and_host_bits_are_no_difference_of_a_list() -> None:
    mesh = world()
    traffic = mesh.the("MeshConfig")["spec"]["traffic"]
    traffic["outboundPortExclusionList"] = [7070, 6379]
    assert mesh.messages("cluster-lists") == []


def test_without_a_stack_the_lists_are_compared_with_the_config_map() -> None:
    mesh = world()
    mesh.known = replace(mesh.known, origin="cluster")
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = [6379]
    assert mesh.messages("cluster-lists") == ["outboundPortExclusionList lacks 7070"]
    mesh.remove("ConfigMap", "fsm-redirection")
    outcome = mesh.outcome("cluster-lists")
    assert outcome.status is Status.NOT_APPLICABLE
    assert outcome.why == "nothing is declared outside the cluster: name a STACK, or use --against"


def test_another_setting_names_its_path_its_values_and_its_writer() -> None:
    mesh = world()
    item = mesh.the("MeshConfig")
    item["spec"]["traffic"]["enableEgress"] = not item["spec"]["traffic"]["enableEgress"]
    item["metadata"]["managedFields"] = [
        {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:traffic": {"f:enableEgress": {}}}}}
    ]
    (finding,) = mesh.outcome("cluster-mesh-config-drift").findings
    assert finding.message == (
        "spec.traffic.enableEgress differs from what is declared, written by kubectl-edit"
    )
    assert finding.severity is Severity.WARNING


def test_a_duration_as_go_writes_it_is_no_drift() -> None:
    mesh = world()
    certificate_ = mesh.the("MeshConfig")["spec"]["certificate"]
    assert mesh.known.settings is not None
    mesh.known.settings["certificate"]["serviceCertValidityDuration"] = "24h"
    certificate_["serviceCertValidityDuration"] = "24h0m0s"
    assert mesh.messages("cluster-mesh-config-drift") == []
    certificate_["serviceCertValidityDuration"] = "24h0m1s"
    assert mesh.messages("cluster-mesh-config-drift") == [
        "spec.certificate.serviceCertValidityDuration differs from what is declared"
    ]


def test_what_a_program_writes_on_purpose_is_told_apart() -> None:
    mesh = world()
    mesh.the("MeshConfig")["spec"].setdefault("connector", {})["viaGateway"] = {"clusterIP": "x"}
    outcome = mesh.outcome("cluster-mesh-config-drift")
    assert outcome.status is Status.PASSED
    (finding,) = outcome.findings
    assert finding.severity is Severity.INFO
    assert finding.message == (
        "spec.connector.viaGateway.clusterIP is fsm-connector's on purpose: it writes the "
        "addresses of the gateway that it found"
    )


def test_a_program_without_available_pods_is_named() -> None:
    mesh = world()
    mesh.the("Deployment", "fsm-injector")["status"] = {"replicas": 1}
    assert mesh.messages("cluster-control-plane") == ["fsm-injector: 0 of 1 pods are available"]
    mesh.remove("Deployment", "fsm-controller")
    assert "fsm-controller is not there" in mesh.messages("cluster-control-plane")


def test_another_injected_image_is_named_by_its_variable() -> None:
    mesh = world()
    spec = mesh.the("Deployment", "fsm-injector")["spec"]["template"]["spec"]
    entry = next(
        one
        for one in spec["containers"][0]["env"]
        if one["name"] == "FSM_DEFAULT_INIT_CONTAINER_IMAGE"
    )
    entry["value"] = "evil/init:9"
    (message,) = mesh.messages("cluster-images")
    assert message.startswith(
        "fsm-injector: FSM_DEFAULT_INIT_CONTAINER_IMAGE is evil/init:9, expected "
    )


@pytest.mark.parametrize(
    ("image", "severity"),
    [
        ("flomesh/fsm-injector:1.4.0", Severity.ERROR),
        ("flomesh/fsm-injector@sha256:aa", Severity.ERROR),
        ("mirror.example:5000/fsm-injector:1.5.1", Severity.WARNING),
        ("flomesh/fsm-injector:1.5.1@sha256:aa", Severity.WARNING),
    ],
)
def test_another_version_of_a_program_is_an_error_and_another_registry_a_warning(
    image: str, severity: Severity
) -> None:
    mesh = world()
    spec = mesh.the("Deployment", "fsm-injector")["spec"]["template"]["spec"]
    spec["containers"][0]["image"] = image
    (finding,) = mesh.outcome("cluster-images").findings
    assert finding.severity is severity
    assert finding.message == (
        f"fsm-injector: image of container fsm-injector is {image}, expected "
        "flomesh/fsm-injector:1.5.1"
    )


def test_an_init_container_of_the_control_plane_has_its_declared_image() -> None:
    mesh = world()
    spec = mesh.the("Deployment", "fsm-injector")["spec"]["template"]["spec"]
    spec["initContainers"][0]["image"] = "evil/curl:1.5.1"
    assert mesh.messages("cluster-images") == [
        "fsm-injector: image of init container init-fsm-injector is evil/curl:1.5.1, expected "
        "flomesh/fsm-curl:1.5.1"
    ]


def test_without_a_stack_the_programs_have_one_version() -> None:
    mesh = world()
    mesh.known = replace(mesh.known, origin="cluster", objects={})
    assert mesh.outcome("cluster-images").status is Status.PASSED
    containers = mesh.the("Deployment", "fsm-injector")["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "flomesh/fsm-injector:1.4.0"
    (message,) = mesh.messages("cluster-images")
    assert message.startswith(
        "the control plane's programs are of several versions: fsm-injector 1.4.0, fsm-controller "
    )


def test_a_config_map_of_other_settings_is_told() -> None:
    mesh = world()
    mesh.the("ConfigMap", "fsm-redirection")["data"]["settingsDigest"] = "sha256:0"
    assert mesh.messages("cluster-redirection") == [
        "it was written from other settings: those declared were not applied"
    ]


def test_a_missing_webhook_names_the_command_that_brings_it_back() -> None:
    mesh = world()
    mesh.remove("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)
    (finding,) = mesh.outcome("cluster-webhook").findings
    assert finding.message == "no webhook configuration fsm-webhook-fsm: new pods get no sidecar"
    assert finding.place.path == "mesh fsm"
    assert finding.fix == (
        "The injector writes it when it starts: "
        "kubectl rollout restart deployment/fsm-injector -n fsm-system"
    )


def test_an_empty_ca_bundle_refuses_every_pod_and_both_ways_out_are_named() -> None:
    mesh = world()
    webhook = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)["webhooks"][0]
    webhook["clientConfig"]["caBundle"] = ""
    (finding,) = mesh.outcome(CA).findings
    assert finding.message == (
        "caBundle is empty: the API server cannot trust the injector, and every new pod of the "
        "mesh is refused"
    )
    assert finding.fix == (
        "kubectl rollout restart deployment/fsm-injector -n fsm-system ; for new pods without a "
        "sidecar until then: kubectl delete mutatingwebhookconfiguration fsm-webhook-fsm"
    )


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        (certificate(end="260601000000Z"), "caBundle: expired at 2026-06-01 00:00 UTC"),
        (certificate(start="270101000000Z"), "caBundle: not valid before 2027-01-01 00:00 UTC"),
        # Two digits from 50 on are of the last century. Source: RFC 5280, 4.1.2.5.1.
        (certificate(start="491231235900Z"), "caBundle: not valid before 2049-12-31 23:59 UTC"),
        (certificate(end="500101000000Z"), "caBundle: expired at 1950-01-01 00:00 UTC"),
        ("%%%", "caBundle: it is no base64"),
        ("aGVsbG8=", "caBundle: it holds no PEM certificate"),
    ],
)
def test_an_authority_out_of_date_or_damaged_is_told(bundle: str, message: str) -> None:
    mesh = world()
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for item in mesh.objects:
            if item["kind"] == kind:
                for webhook in item.get("webhooks", []):
                    webhook["clientConfig"]["caBundle"] = bundle
    assert mesh.messages(CA) == [
        f"{message}: the API server cannot trust the controller, and every change of a policy is "
        "refused",
        message,
    ]
    renews = {one.fix.startswith("Renew the authority") for one in mesh.outcome(CA).findings}
    assert renews == {message.startswith("caBundle: expired")}  # no restart alone does


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("260731120000Z", []),
        ("260731115900Z", ["caBundle expires at 2026-07-31 11:59 UTC: from then on every new pod of "
                           "the mesh is refused"]),
    ],
)  # fmt: skip
def test_an_authority_that_ends_soon_is_a_warning(end: str, told: list[str]) -> None:
    """The API server says nothing before that day, and refuses every pod from then on."""
    mesh = world()
    for item in mesh.objects:
        if str(item["kind"]).endswith("WebhookConfiguration"):
            for webhook in item.get("webhooks", []):
                webhook["clientConfig"]["caBundle"] = certificate(end=end)
    findings = mesh.outcome(CA).findings
    assert [one.message for one in findings] == told
    assert {one.severity for one in findings} <= {Severity.WARNING}
    assert {one.fix for one in findings} <= {
        "Renew the authority at its issuer, or, where the mesh made it, by deleting its CA's "
        "Secret, before that day, then: kubectl rollout restart deployment/fsm-controller -n "
        "fsm-system, then: kubectl rollout restart deployment/fsm-injector -n fsm-system"
    }


@pytest.mark.parametrize(
    ("policy", "effect", "severity"),
    [
        ("Fail", "every change of a policy is refused", Severity.ERROR),
        ("Ignore", "no policy is checked", Severity.WARNING),
    ],
)
def test_a_validating_webhook_without_an_authority_is_told(
    policy: str, effect: str, severity: Severity
) -> None:
    mesh = world()
    item = mesh.the("ValidatingWebhookConfiguration", "fsm-validator-mesh-fsm")
    item["webhooks"][0]["failurePolicy"] = policy
    del item["webhooks"][0]["clientConfig"]["caBundle"]
    (finding,) = mesh.outcome(CA).findings
    assert finding.severity is severity
    assert finding.message == (
        f"caBundle is empty: the API server cannot trust the controller, and {effect}"
    )
    assert finding.place.path == "ValidatingWebhookConfiguration fsm-validator-mesh-fsm"
    assert finding.fix == (
        "The controller writes it when it starts: kubectl rollout restart "
        "deployment/fsm-controller -n fsm-system"
    )


def test_an_authority_that_is_not_the_control_planes_is_an_error() -> None:
    mesh = world()
    webhook = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)["webhooks"][0]
    webhook["clientConfig"]["caBundle"] = certificate(start="260102000000Z")
    (finding,) = mesh.outcome(CA).findings
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "caBundle is not the authority that the control plane's validating webhook has: they share "
        "one, so the API server refuses new pods of the mesh, or changes of policies"
    )


def test_a_stray_webhook_of_an_older_version_names_its_deletion() -> None:
    """The chart's cleanup job does not find it, and with policy Fail it blocks every pod."""
    mesh = world()
    stray = copy.deepcopy(mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK))
    stray["metadata"]["name"] = "fsm-webhook-old"
    stray["metadata"]["labels"]["app.kubernetes.io/version"] = "v1.4.0"
    mesh.objects.append(stray)
    (finding,) = mesh.outcome("cluster-webhook-stray").findings
    assert finding.message == (
        "a second configuration of version v1.4.0 for the same mesh, failurePolicy Fail"
    )
    assert finding.fix == "kubectl delete mutatingwebhookconfiguration fsm-webhook-old"


@pytest.mark.parametrize("name", ["a-webhook", "z-webhook"])
def test_the_injectors_own_webhook_is_never_the_stray(name: str) -> None:
    """Without a stack no name is declared: the first of the list would be any of them."""
    mesh = world()
    stray = copy.deepcopy(mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK))
    stray["metadata"]["name"] = name
    mesh.objects.insert(0, stray)
    mesh.known = replace(mesh.known, origin="cluster", objects={}, webhook="")
    (finding,) = mesh.outcome("cluster-webhook-stray").findings
    assert finding.fix == f"kubectl delete mutatingwebhookconfiguration {name}"


@pytest.mark.parametrize(
    ("version", "fix"),
    [
        ("v1.4.0", "kubectl delete mutatingwebhookconfiguration a-webhook"),
        (None, "Delete the one of the two that the injector's --webhook-config-name does not "
         "name."),
    ],
)  # fmt: skip
def test_of_two_webhooks_of_other_names_the_running_version_tells(
    version: str | None, fix: str
) -> None:
    mesh = world()
    own = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)
    own["metadata"]["name"] = "z-webhook"
    stray = copy.deepcopy(own)
    stray["metadata"]["name"] = "a-webhook"
    if version:
        stray["metadata"]["labels"]["app.kubernetes.io/version"] = version
    mesh.objects.insert(0, stray)
    mesh.known = replace(mesh.known, origin="cluster", objects={}, webhook="")
    (finding,) = mesh.outcome("cluster-webhook-stray").findings
    assert finding.fix == fix


def test_a_service_is_made_by_who_declares_it() -> None:
    """Restarting the injector brings none."""
    mesh = world()
    mesh.remove("Service", "fsm-injector")
    (finding,) = mesh.outcome("cluster-webhook-service").findings
    assert finding.fix == "Run `pulumi up --refresh` for the stack."
    mesh.known = replace(mesh.known, origin="cluster", objects={}, webhook="")
    (finding,) = mesh.outcome("cluster-webhook-service").findings
    assert finding.fix == (
        "Create Service fsm-system/fsm-injector again, as the installation did: no program "
        "writes it."
    )


def test_a_webhook_without_service_or_endpoint_is_told() -> None:
    mesh = world()
    mesh.the("EndpointSlice")["endpoints"][0]["conditions"]["ready"] = False
    (message,) = mesh.messages("cluster-webhook-service")
    assert message == (
        "Service fsm-system/fsm-injector has no ready endpoint: with failurePolicy Fail new pods "
        "of the mesh wait or are refused"
    )
    mesh.the("Service", "fsm-injector")["spec"]["ports"][0]["port"] = 1
    assert mesh.messages("cluster-webhook-service")[0] == (
        "Service fsm-system/fsm-injector has no port 9090"
    )
    mesh.remove("Service", "fsm-injector")
    assert mesh.messages("cluster-webhook-service") == [
        "Service fsm-system/fsm-injector is not there"
    ]


def test_a_field_that_nobody_declares_is_not_taken_away_by_applying() -> None:
    """Server-side apply leaves what it never had."""
    mesh = world()
    mesh.the("MeshConfig")["spec"]["observability"]["tracing"]["address"] = "jaeger.shop"
    (finding,) = mesh.outcome("cluster-mesh-config-drift").findings
    assert finding.severity is Severity.INFO
    assert finding.fix == (
        "Declare it, or let who wrote it remove it: to apply what is declared does not."
    )


def test_a_changed_webhook_is_drift() -> None:
    mesh = world()
    webhook = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)["webhooks"][0]
    webhook["failurePolicy"] = "Ignore"
    assert mesh.messages("cluster-webhook-drift") == [
        "webhooks[0].failurePolicy differs from what is declared"
    ]


@pytest.mark.parametrize(
    ("origin", "apply"),
    [
        ("stack", "Run `pulumi up --refresh` for the stack"),
        ("files", "Apply the rendered files"),
    ],
)
def test_what_somebody_changed_is_taken_back_by_the_teams_own_tool(
    origin: Origin, apply: str
) -> None:
    """A plain `pulumi up` finds nothing to do: it looks at the cluster after a refresh only."""
    mesh = world()
    mesh.known = replace(mesh.known, origin=origin)
    mesh.the("MeshConfig")["spec"]["observability"]["fsmLogLevel"] = "trace"
    webhook = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)["webhooks"][0]
    webhook["failurePolicy"] = "Ignore"
    injector = mesh.the("Deployment", "fsm-injector")["spec"]["template"]["spec"]
    injector["containers"][0]["image"] = "flomesh/fsm-injector:1.4.0"
    mesh.remove("ConfigMap", "fsm-redirection")
    fixes = {
        check_id: [item.fix for item in mesh.outcome(check_id).findings]
        for check_id in ("cluster-mesh-config-drift", "cluster-webhook-drift", "cluster-images",
                         "cluster-redirection")
    }  # fmt: skip
    assert fixes == {
        "cluster-mesh-config-drift": [f"{apply}, or declare it."],
        "cluster-webhook-drift": [f"{apply}, or declare it."],
        "cluster-images": [f"{apply}, or declare the image."],
        "cluster-redirection": [f"{apply}."],
    }


@pytest.mark.parametrize(
    ("create", "fix"),
    [
        ("true", "Run `pulumi up --refresh` for the stack."),
        ("false", "kubectl create namespace shop, then: Run `pulumi up --refresh` for the stack."),
    ],
)
def test_a_namespace_that_is_gone_is_made_by_its_owner(create: str, fix: str) -> None:
    """The stack makes those that it declares with create: true, and no others."""
    mesh = world(DEV.replace("create: true", f"create: {create}"))
    mesh.remove("Namespace", "shop")
    (finding,) = mesh.outcome("namespace-enrolled").findings
    assert (finding.message, finding.fix) == ("it is not there", fix)


def test_a_namespace_without_the_label_names_the_command() -> None:
    mesh = world()
    mesh.the("Namespace", "shop")["metadata"]["labels"] = {}
    (finding,) = mesh.outcome("namespace-enrolled").findings
    assert finding.message == "label flomesh.io/monitored-by is absent, expected 'fsm'"
    assert finding.fix == "kubectl label namespace shop flomesh.io/monitored-by=fsm --overwrite"


@pytest.mark.parametrize(
    ("name", "whose"),
    [("kube-system", "Kubernetes' own"), ("fsm-system", "the control plane's")],
)
def test_nobody_is_told_to_enrol_a_namespace_that_no_injector_takes(name: str, whose: str) -> None:
    """With its webhook's policy Fail, no pod of the cluster's own would start without it."""
    mesh = world()
    pod = mesh.the("Pod")
    pod["metadata"] |= {"namespace": name, "labels": {}}
    del pod["spec"]["initContainers"]
    mesh.objects.append({"kind": "Namespace", "metadata": {"name": name, "labels": {}}})
    mesh.asked = f"pod/web-7f9c5d-x2x -n {name}"
    why = f"namespace {name} is {whose}: its pods are never injected"
    for check_id in ("namespace-enrolled", "namespace-selected"):
        outcome = mesh.outcome(check_id)
        assert (outcome.status, outcome.why) == (Status.NOT_APPLICABLE, why)
    (finding,) = mesh.outcome("pod-injected").findings
    assert finding.message == f"its traffic is not redirected: {why}"
    assert finding.fix == (
        "None: run the application in another namespace, if it is meant to be in the mesh."
    )


def test_a_namespace_of_kubernetes_own_in_the_mesh_is_told() -> None:
    mesh = world()
    labels = {"flomesh.io/monitored-by": "fsm"}
    mesh.objects.append({"kind": "Namespace", "metadata": {"name": "kube-system",
                                                           "labels": labels}})  # fmt: skip
    mesh.asked = ""
    (finding,) = mesh.outcome("namespace-enrolled").findings
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "it carries label flomesh.io/monitored-by, and namespace kube-system is Kubernetes' own: "
        "its pods are never injected: where no injector runs, they are refused"
    )
    assert finding.fix == "kubectl label namespace kube-system flomesh.io/monitored-by-"


@pytest.mark.parametrize(
    ("origin", "severity"), [("stack", Severity.WARNING), ("cluster", Severity.ERROR)]
)
def test_a_namespace_of_a_mesh_that_nobody_serves_is_told(
    origin: Origin, severity: Severity
) -> None:
    """The label was mistyped: no check of the mesh's own namespaces looks there."""
    mesh = world()
    labels = {"flomesh.io/monitored-by": "fsmm"}
    mesh.objects.append({"kind": "Namespace", "metadata": {"name": "typo", "labels": labels}})
    mesh.known = replace(mesh.known, origin=origin)
    mesh.asked = ""
    (finding,) = mesh.outcome("namespace-enrolled").findings
    assert finding.severity is severity
    assert finding.place.path == "namespace typo"
    assert finding.message == (
        "label flomesh.io/monitored-by is 'fsmm', and no webhook takes pods of a mesh of that "
        "name: they get no sidecar"
    )
    other = copy.deepcopy(mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK))
    other["metadata"]["name"] = "fsm-webhook-fsmm"
    other["webhooks"][0]["namespaceSelector"]["matchLabels"] = labels
    mesh.objects.append(other)
    assert mesh.outcome("namespace-enrolled").status is Status.PASSED


def test_a_webhook_that_takes_another_meshs_pods_leaves_no_namespace_unnoticed() -> None:
    """Without a stack the webhook tells the mesh's name: its own namespaces then seem another's."""
    mesh = world()
    hook = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)["webhooks"][0]
    hook["namespaceSelector"]["matchLabels"]["flomesh.io/monitored-by"] = "osm"
    own = of_cluster(mesh.snapshot())
    assert own is not None
    mesh.known, mesh.asked = own, ""
    outcome = mesh.outcome("namespace-enrolled")
    assert outcome.status is Status.FAILED
    assert [item.place.path for item in outcome.findings] == ["namespace shop"]


def test_an_injection_annotation_that_is_no_answer_refuses_every_pod() -> None:
    mesh = world()
    key = "flomesh.io/sidecar-injection"
    mesh.the("Namespace", "shop")["metadata"]["annotations"][key] = "maybe"
    assert mesh.messages("namespace-enrolled")[0] == (
        f"{key} is 'maybe', neither a yes nor a no: every new pod is refused"
    )


def test_a_label_that_keeps_the_webhook_away_is_named() -> None:
    mesh = world()
    mesh.the("Namespace", "shop")["metadata"]["labels"]["flomesh.io/ignore"] = "true"
    assert mesh.messages("namespace-selected") == [
        "MutatingWebhookConfiguration fsm-webhook-fsm does not select it: label flomesh.io/ignore "
        "is 'true', expected DoesNotExist"
    ]


@pytest.mark.parametrize(
    ("labels", "selected", "fix"),
    [
        ({}, {}, "kubectl label namespace shop flomesh.io/monitored-by=fsm --overwrite"),
        ({"flomesh.io/monitored-by": "fsm", "flomesh.io/ignore": "true"}, {},
         "kubectl label namespace shop flomesh.io/ignore-"),
        ({"flomesh.io/monitored-by": "fsm"}, {"team": "x"},
         "The injector writes the selector when it starts: "
         "kubectl rollout restart deployment/fsm-injector -n fsm-system"),
    ],
)  # fmt: skip
def test_what_keeps_the_webhook_from_a_namespace_is_what_is_mended(
    labels: dict[str, str], selected: dict[str, str], fix: str
) -> None:
    mesh = world()
    mesh.the("Namespace", "shop")["metadata"]["labels"] = labels
    hook = mesh.the("MutatingWebhookConfiguration", INJECTOR_WEBHOOK)["webhooks"][0]
    hook["namespaceSelector"]["matchLabels"] |= selected
    (finding,) = mesh.outcome("namespace-selected").findings
    assert finding.fix == fix


def test_a_part_that_nobody_read_says_of_what() -> None:
    mesh = world()
    snapshot = replace(mesh.snapshot(), read=frozenset())
    assert snapshot.unread(Part.PODS) == "pods: not read of context test"
    source = replace(snapshot.source, context="files")
    assert replace(snapshot, source=source).unread(Part.PODS) == "pods: not in files"


def test_a_part_that_was_not_read_is_never_a_pass() -> None:
    mesh = world()
    mesh.not_read = {Part.SERVICES: "not read: services is forbidden"}
    outcome = mesh.outcome("cluster-webhook-service")
    assert outcome.status is Status.NOT_RUN
    assert outcome.why == "not read: services is forbidden"
    assert not outcome.complete
    assert check("cluster-webhook-service").needs == (Part.MUTATING, Part.SERVICES, Part.ENDPOINTS)


def test_what_an_older_version_of_the_mesh_config_may_not_have_is_no_difference() -> None:
    mesh = world()
    item = mesh.the("MeshConfig")
    item["apiVersion"] = "config.flomesh.io/v1alpha1"
    del item["spec"]["sidecar"]["logLevel"]
    item["spec"]["sidecar"]["sidecarTimeout"] = 61
    older, other = sorted(
        mesh.outcome("cluster-mesh-config-drift").findings, key=lambda one: one.severity.rank
    )
    assert (older.severity, older.value) == ("info", "spec.sidecar.logLevel")
    assert other.message.startswith("spec.sidecar.sidecarTimeout differs from what is declared")
    item["apiVersion"] = "config.flomesh.io/v1alpha3"
    assert len(mesh.messages("cluster-mesh-config-drift")) == 2
    assert all("differs" in one for one in mesh.messages("cluster-mesh-config-drift"))
