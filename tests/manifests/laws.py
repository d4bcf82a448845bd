"""Laws of every bundle, whatever the settings are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubernetes.client import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.manifests.manifest import Manifest

# The forms of single values in Kubernetes' API; an "object" is a number or text, or anything.
_PLAIN: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bytes": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "datetime": (),  # the API server writes times
    "object": (str, int, bool, dict, list),
}
# Ports of the controller that its container does not list, as the chart's does not.
_UNLISTED = {9092, 9093}


def broken(manifests: tuple[Manifest, ...]) -> Iterator[str]:
    """What is not unique, in order, and an object that the API server takes as it is."""
    for what in ("key", "slug"):
        names = [getattr(item, what) for item in manifests]
        yield from (f"{name}: twice" for name in {n for n in names if names.count(n) > 1})
    if sorted(manifests, key=lambda item: item.wave) != list(manifests):
        yield "the objects are in no order of waves"
    for item in manifests:
        yield from (f"{item.slug}: {path}: not as in JSON" for path in _wrong_types(item.object))
        if "status" in item.object:
            yield f"{item.slug}: the API server writes status"
        if item.kind != "MeshConfig":
            version = item.api_version.rpartition("/")[2].capitalize()
            yield from unknown(item.object, f"{version}{item.kind}", item.slug)


def _wrong_types(value: Any) -> list[str]:
    """Paths that JSON would not give back as they are."""
    if isinstance(value, dict):
        keys = [str(key) for key in value if type(key) is not str]
        return keys + [wrong for item in value.values() for wrong in _wrong_types(item)]
    if isinstance(value, list):
        return [wrong for item in value for wrong in _wrong_types(item)]
    return [] if type(value) in (str, int, float, bool) else [repr(value)]


def unknown(value: Any, form: str, path: str) -> Iterator[str]:
    """Fields that Kubernetes' API has not, or has of another type; as its client knows it."""
    model = getattr(models, form, None)
    listed = form.startswith("List[")
    if type(value) not in _PLAIN.get(form, (list if listed else dict,)):
        yield f"{path}: expected {form}, got {value!r}"
    elif listed:
        for place, item in enumerate(value):
            yield from unknown(item, form[5:-1], f"{path}[{place}]")
    elif form.startswith("Dict["):
        for key, item in value.items():
            yield from unknown(item, form.partition(", ")[2][:-1], f"{path}.{key}")
    elif model is not None:
        forms = {key: model.openapi_types[name] for name, key in model.attribute_map.items()}
        for key, item in value.items():
            if key in forms:
                yield from unknown(item, forms[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: no field of {form}"


def _pods(item: Manifest) -> dict[str, Any] | None:
    """The pod template of a workload."""
    spec = item.object.get("spec", {})
    job = spec.get("jobTemplate", {"spec": spec})["spec"]
    return job.get("template")


def lost(manifests: tuple[Manifest, ...]) -> Iterator[str]:
    """What an object names and no other one of the bundle is.

    Service accounts, roles, ConfigMaps and their keys, volumes, ports, pods, programs to scale.
    """
    there = {(item.kind, item.name): item.object for item in manifests}
    pods = [found for item in manifests if (found := _pods(item)) is not None]
    for item in manifests:
        slug, spec = item.slug, item.object.get("spec", {})
        own = _pods(item)
        if own is not None:
            yield from _lost_of_pods(own, there, slug)
        found = [one for one in pods if _selects(spec.get("selector"), one)]
        if "selector" in spec and len(found) != 1:
            yield f"{slug}: selects {len(found)} programs"
        for template in found if item.kind == "Service" else ():
            wanted = {port["targetPort"] for port in spec["ports"]}
            yield from (f"{slug}: port {port}" for port in wanted - _ports(template) - _UNLISTED)
        references = [*item.object.get("subjects", ()), item.object.get("roleRef")]
        references.append(spec.get("scaleTargetRef"))
        named = [(one["kind"], one["name"]) for one in references if one is not None]
        if "policyName" in spec:
            named.append(("ValidatingAdmissionPolicy", spec["policyName"]))
        yield from (f"{slug}: {kind} {name}" for kind, name in named if (kind, name) not in there)
        for webhook in item.object.get("webhooks", ()):
            service = webhook["clientConfig"]["service"]
            ports = there["Service", service["name"]]["spec"]["ports"]
            if service["port"] not in {port["port"] for port in ports}:
                yield f"{slug}: port {service['port']} of Service {service['name']}"


def _selects(selector: Any, template: dict[str, Any]) -> bool:
    """Whether a Service's labels, or a selector's, are among those of a template."""
    if selector is None:
        return False
    labels = selector.get("matchLabels", selector)
    return labels.items() <= template["metadata"]["labels"].items()


def _lost_of_pods(
    template: dict[str, Any], there: dict[tuple[str, str], Any], slug: str
) -> Iterator[str]:
    spec = template["spec"]
    if ("ServiceAccount", spec["serviceAccountName"]) not in there:
        yield f"{slug}: ServiceAccount {spec['serviceAccountName']}"
    volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    mounts = [mount for one in containers for mount in one.get("volumeMounts", ())]
    for name in volumes.keys() ^ {mount["name"] for mount in mounts}:
        yield f"{slug}: volume {name} is mounted or there, and not both"
    for name, volume in volumes.items():
        if "configMap" not in volume:
            continue
        found = there.get(("ConfigMap", volume["configMap"]["name"]))
        if found is None:
            yield f"{slug}: ConfigMap {volume['configMap']['name']}"
            continue
        keys = found.get("data", {}).keys() | found.get("binaryData", {}).keys()
        wanted = {one["key"] for one in volume["configMap"].get("items", ())}
        wanted |= {m["subPath"] for m in mounts if m["name"] == name and "subPath" in m}
        yield from (f"{slug}: key {key} of {name}" for key in wanted - keys)
    for one in containers:
        ports = {port["containerPort"] for port in one.get("ports", ())}
        names = {port["name"] for port in one.get("ports", ()) if "name" in port}
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            ask = one.get(probe, {})
            port = (ask.get("httpGet") or ask.get("tcpSocket") or {}).get("port")
            if port is not None and port not in ports | names:
                yield f"{slug}: {probe} of {one['name']} asks port {port}"


def _ports(template: dict[str, Any]) -> set[int | str]:
    """The ports of a pod, by number and by name."""
    ports = [port for one in template["spec"]["containers"] for port in one.get("ports", ())]
    return {port["containerPort"] for port in ports} | {port.get("name", "") for port in ports}
