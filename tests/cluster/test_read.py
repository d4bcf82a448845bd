"""Files that stand for a cluster: every form, large ones, damaged ones, and what is never saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.cluster import snapshot_forms
from fsm_stack.cluster.snapshot_file import read_files, save
from fsm_stack.errors import InputError
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.anonymize import anonymous, anonymous_source
from fsm_stack.snapshot.snapshot import Part
from tests.verify.world import DEV, expected, pod_json, world

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
CANARY = "canary-7d1f"
PORTS = "flomesh.io/outbound-port-exclusion-list"


def kept() -> list[Json]:
    return [one for item in world().objects if (one := keep(item)) is not None]


def test_a_saved_snapshot_is_read_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mesh.jsonl"
    mesh = world()
    mesh.not_read = {Part.SERVICES: "not read: forbidden"}
    save(file, mesh.snapshot(), kept())
    again = read_files([file])
    assert again == mesh.snapshot()
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mesh.jsonl"
    file.write_text("mine")
    with pytest.raises(InputError) as caught:
        save(file, world().snapshot(), kept())
    assert str(caught.value) == f"{file}: it is there already; expected a new file"
    assert file.read_text() == "mine"


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("chunk", [64, 1024 * 1024])
def test_lists_of_kubectl_are_read_whole_or_an_object_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, chunk: int
) -> None:
    monkeypatch.setattr(snapshot_forms, "_CHUNK", chunk)
    file = tmp_path / "pods.json"
    pods = [pod_json(expected(), name) for name in ("a", "b")]
    known = {"apiVersion": "v1", "items": pods, "kind": "List", "metadata": {}}
    file.write_text(json.dumps(known, indent=indent))
    assert [one.name for one in read_files([file]).pods] == ["a", "b"]


def test_a_list_of_one_kind_gives_its_items_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "pods.json"
    item = pod_json(expected(), "a")
    del item["kind"]
    file.write_text(json.dumps({"kind": "PodList", "apiVersion": "v1", "items": [item]}))
    assert [one.name for one in read_files([file]).pods] == ["a"]


@pytest.mark.parametrize("chunk", [1 << 20, 64])
def test_lists_in_a_list_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """As somebody put several answers of kubectl together: none is passed over."""
    monkeypatch.setattr(snapshot_forms, "_CHUNK", chunk)
    pods = {"kind": "PodList", "items": [{"metadata": {"name": "a", "namespace": "shop"}}]}
    spaces = {"kind": "List", "items": [{"kind": "Namespace", "metadata": {"name": "shop"}}]}
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"kind": "List", "items": [pods, spaces]}))
    found = read_files([path])
    assert [pod.key for pod in found.pods] == ["shop/a"]
    assert list(found.namespaces) == ["shop"]


def test_single_objects_in_several_files_make_one_snapshot(tmp_path: Path) -> None:
    files = []
    for number, item in enumerate(world().objects):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(item))
    found = read_files(files)
    assert len(found.pods) == 1
    assert found.source.context == "files"


def test_what_was_not_asked_for_is_known_as_not_read(tmp_path: Path) -> None:
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(pod_json(expected())))
    assert read_files([file]).read == {Part.PODS}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "expected a saved snapshot, JSON or YAML of kubectl get -o, the text of "
         "kubectl describe or kubectl get events, or a pod's annotations, a log or an error with "
         "a known cause"),
        ('{"kind": "Pod"', "damaged or cut off JSON: Expecting ',' delimiter: line 1 column 15 "
         "(char 14)"),
        ('{"fsmStackSnapshot": 9}\n', "expected snapshot version 1, got 9"),
        ('{"kind": "List", "items": [5]}', "expected a list of objects, found '5'"),
        ('{"a":' * 100000, "nested too deep"),
    ],
)  # fmt: skip
def test_damaged_files_are_told_with_their_name(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "f"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_files([file])
    assert str(caught.value).startswith(str(file))
    assert str(caught.value).endswith(message)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        read_files([file])
    assert str(caught.value) == f"{file}: expected UTF-8 text (invalid start byte)"


def test_a_cut_off_list_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_forms, "_CHUNK", 64)
    file = tmp_path / "pods.json"
    whole = json.dumps({"kind": "List", "items": [pod_json(expected(), "a")]})
    file.write_text(whole[:-200])
    with pytest.raises(InputError) as caught:
        read_files([file])
    assert str(caught.value).startswith(f"{file}: damaged or cut off JSON: ")


def planted(value: Any, path: str = "") -> Any:
    """The object with a canary in every field that it does not have, at every level."""
    if isinstance(value, dict):
        more = {"planted": CANARY, "env": [{"name": "PASSWORD", "value": CANARY}],
                "command": [CANARY], "volumes": [{"name": CANARY}],
                "stringData": {"x": CANARY}}  # fmt: skip
        if path.endswith(".matchLabels"):  # a selector is kept whole: a check evaluates it
            return value
        skip = path.endswith((".labels", ".annotations", ".data"))
        known = {key: planted(item, f"{path}.{key}") for key, item in value.items()}
        if skip:
            more = {"example.org/planted": CANARY, "app.kubernetes.io/name": CANARY}
            return known | more if "data" not in path else known
        return {**more, **known} if "spec.traffic" not in path else known
    if isinstance(value, list):
        return [planted(item, f"{path}[]") for item in value]
    return value


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "Namespace", "Service", "EndpointSlice",
                                  "MutatingWebhookConfiguration"])  # fmt: skip
def test_only_the_fields_that_checks_read_are_kept(kind: str) -> None:
    """A canary in every other field of an object: an application's environment, for example."""
    for item in world().objects:
        if item["kind"] == kind:
            assert CANARY not in json.dumps(keep(planted(item)))


def test_arguments_and_images_of_an_application_are_not_kept() -> None:
    item = pod_json(expected())
    app = item["spec"]["containers"][0]
    app |= {"image": CANARY, "args": [CANARY], "command": [CANARY]}
    item["status"]["containerStatuses"][0]["state"] = {
        "terminated": {"exitCode": 1, "message": CANARY}
    }
    assert CANARY not in json.dumps(keep(item))


def test_secrets_and_other_config_maps_are_not_kept() -> None:
    assert keep({"kind": "Secret", "data": {"a": CANARY}}) is None
    other = {"kind": "ConfigMap", "metadata": {"name": "app"}, "data": {"a": CANARY}}
    assert CANARY not in json.dumps(keep(other))


def test_credentials_in_a_mesh_config_are_not_kept() -> None:
    spec = {"observability": {"remoteLogging": {"authorization": CANARY, "level": 2}}}
    item = {"kind": "MeshConfig", "metadata": {}, "spec": spec}
    assert keep(item) is not None
    assert (keep(item) or {})["spec"] == {"observability": {"remoteLogging": {"level": 2}}}
    assert CANARY not in json.dumps(keep(item))


def test_an_anonymous_snapshot_names_nothing_and_gives_the_same_answers(tmp_path: Path) -> None:
    file = tmp_path / "mesh.jsonl"
    mesh = world()
    objects = list(anonymous(kept(), salt="s"))
    save(file, anonymous_source(mesh.snapshot()), objects)
    text = file.read_text()
    for name in ("shop", "web-7f9c5d", '"app"', "10.244.0.7", "127.0.0.1:6443"):
        assert name not in text
    again = read_files([file])
    (pod,) = again.pods
    assert pod.owner is not None
    assert (pod.owner.kind, pod.namespace, pod.owner.name) in again.owners
    assert pod.namespace in again.namespaces


def test_an_anonymous_snapshot_has_no_text_that_somebody_else_wrote() -> None:
    """The kubelet's message of a crash-looping container names its pod and namespace."""
    mesh = world()
    pod = mesh.the("Pod")
    pod["metadata"]["annotations"] = {"flomesh.io/todo": "ask acme", PORTS: "6379"}
    said = "back-off 5m0s restarting failed container=fsm-init pod=acme-7f9c_acme(uid)"
    init = pod["status"]["initContainerStatuses"][0]
    init["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": said}}
    init["lastState"] = {"terminated": {"exitCode": 2, "message": "acme.example: unknown"}}
    mesh.the("Namespace", "shop")["metadata"]["labels"]["control-plane"] = "acme"
    spec = mesh.the("MeshConfig")["spec"]
    spec["observability"]["tracing"]["address"] = "jaeger.acme.example"
    mesh.objects.append({"kind": "MutatingWebhookConfiguration", "metadata": {"name": "acme"},
                         "webhooks": [{"name": "acme.example"}]})  # fmt: skip
    objects = [one for item in mesh.objects if (one := keep(item)) is not None]
    assert json.dumps(objects).count("acme") >= 6
    renamed = list(anonymous(objects, salt="s"))
    assert "acme" not in json.dumps(renamed)
    by_kind = {one["kind"]: one for one in renamed}
    assert by_kind["MeshConfig"]["spec"]["traffic"]["outboundPortExclusionList"] == [6379, 7070]
    assert by_kind["Pod"]["metadata"]["annotations"][PORTS] == "6379"
    assert by_kind["Pod"]["status"]["initContainerStatuses"][0]["lastState"] == {
        "terminated": {"exitCode": 2}
    }


def test_addresses_of_services_are_kept_for_flows_and_are_not_in_an_anonymous_snapshot() -> None:
    item = {
        "kind": "EndpointSlice",
        "metadata": {"name": "a", "labels": {"kubernetes.io/service-name": "a"}},
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}, "nodeName": "n"}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "x"}],
    }
    service = {
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"clusterIP": "172.30.0.9", "externalIPs": ["203.0.113.8"]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9", "hostname": "acme"}]}},
    }
    objects = [one for each in (item, service) if (one := keep(each)) is not None]
    assert objects[0]["endpoints"] == [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}]
    assert objects[0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert objects[1]["spec"] == {"clusterIP": "172.30.0.9", "externalIPs": ["203.0.113.8"]}
    assert objects[1]["status"] == {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    renamed = json.dumps(list(anonymous(objects, salt="s")))
    assert "10.1.2.3" not in renamed
    assert "172.30.0.9" not in renamed
    assert "203.0.113" not in renamed
    assert "8080" in renamed


def test_what_stands_in_a_condition_of_a_webhook_is_not_told() -> None:
    mesh = world()
    webhook = mesh.the("MutatingWebhookConfiguration", "fsm-webhook-fsm")["webhooks"][0]
    webhook["matchConditions"] = [{"name": "acme", "expression": "namespace != 'acme'"}]
    objects = [one for item in mesh.objects if (one := keep(item)) is not None]
    assert "acme" in json.dumps(objects)
    renamed = json.dumps(list(anonymous(objects, salt="s")))
    assert "acme" not in renamed
    assert "matchConditions" in renamed


def test_a_control_plane_of_ones_own_name_is_anonymous_and_still_belongs_together() -> None:
    text = DEV.replace("config:", "config:\n  fsm-stack:mesh: {namespace: acme-mesh}")
    mesh = world(text)
    mesh.the("EndpointSlice")["metadata"]["namespace"] = "acme-mesh"
    mesh.the("Service", "fsm-injector")["metadata"]["name"] = "acme-injector"
    webhook = mesh.the("MutatingWebhookConfiguration", "fsm-webhook-fsm")["webhooks"][0]
    webhook["clientConfig"]["service"]["name"] = "acme-injector"
    webhook["clientConfig"]["url"] = "https://acme.example"
    objects = [one for item in mesh.objects if (one := keep(item)) is not None]
    renamed = list(anonymous(objects, salt="s"))
    assert "acme" not in json.dumps(renamed)
    by_kind = {one["kind"]: one for one in renamed}
    place = by_kind["MeshConfig"]["metadata"]["namespace"]
    service = next(
        one["webhooks"][0]["clientConfig"]["service"]
        for one in renamed
        if one["metadata"]["name"] == "fsm-webhook-fsm"
    )
    assert service["namespace"] == place == by_kind["EndpointSlice"]["metadata"]["namespace"]
    names = {one["metadata"]["name"] for one in renamed if one["kind"] == "Service"}
    assert service["name"] in names


def test_webhooks_of_other_products_are_not_kept() -> None:
    """Where they listen is nobody's business, and no check reads it."""
    item = world().the("MutatingWebhookConfiguration", "fsm-webhook-fsm")
    item["webhooks"].append({"name": "x.example", "clientConfig": {"url": CANARY}})
    found = keep(item)
    assert found is not None
    assert [one["name"] for one in found["webhooks"]] == ["fsm-inject.k8s.io"]


def test_of_a_configuration_of_another_product_the_name_alone_is_kept() -> None:
    """Its managed fields name its webhooks, and who manages them."""
    fields = {"f:webhooks": {'k:{"name":"x.example"}': {}}}
    found = keep(
        {"kind": "MutatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1",
         "metadata": {"name": "x", "labels": {"app.kubernetes.io/name": CANARY},
                      "managedFields": [{"manager": CANARY, "fieldsV1": fields}]},
         "webhooks": [{"name": "x.example"}]}
    )  # fmt: skip
    assert found == {
        "kind": "MutatingWebhookConfiguration",
        "apiVersion": "admissionregistration.k8s.io/v1",
        "metadata": {"name": "x"},
        "webhooks": [],
    }


def test_of_the_record_only_the_meshs_lists_are_kept() -> None:
    item = world().the("ConfigMap", "fsm-redirection")
    assert "toolVersion" in item["data"]
    found = keep(item)
    assert found is not None
    assert set(found["data"]) == {"settingsDigest", "redirection.json"}
    assert json.loads(found["data"]["redirection.json"])["mesh"]["lists"][
        "outboundPortExclusionList"
    ] == [6379, 7070]
    assert keep(found) == found
