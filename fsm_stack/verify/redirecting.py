"""A MeshConfig by itself: what decides its pods' rules and images, and what is wrong with it.

A MeshConfig comes from files of any origin, too. A field of another type than its CRD gives it is
one that no API server would answer: it counts as absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError, nearest
from fsm_stack.findings.finding import Severity
from fsm_stack.injector.annotations import keys_of
from fsm_stack.injector.mesh import MeshView, mesh_view
from fsm_stack.iptables.sets.ranges import address_number, inside, on_the_wire
from fsm_stack.lists import EXCLUDED_RANGES, INCLUDED_RANGES, KEYS, LISTS, OUTBOUND_PORTS
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.lists import Holds, InterceptLists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json


def redirecting_mesh(system: System, spec: object, *, name: str, namespace: str) -> MeshView:
    """The mesh as the injector sees it when it writes a script.

    Args:
        system: whose injector.
        spec: the MeshConfig's ``spec``; None where there is none: zero values.
        name: the mesh's.
        namespace: the control plane's.
    """
    return mesh_view(system, deciding(spec), environment={}, name=name, namespace=namespace)


def deciding(spec: object) -> Json:
    """What of a MeshConfig's ``spec`` decides a script; fields of another type are absent."""
    known = mapping(spec)
    sidecar, traffic = mapping(known.get("sidecar")), mapping(known.get("traffic"))
    return {
        "sidecar": {
            "localProxyMode": text(sidecar.get("localProxyMode")),
            "localDNSProxy": {
                "enable": mapping(sidecar.get("localDNSProxy")).get("enable") is True
            },
        },
        "traffic": {
            "interceptionMode": text(traffic.get("interceptionMode")),
            **{listed.key: _entries(traffic.get(listed.key), listed.holds) for listed in LISTS},
        },
    }


def _entries(value: object, holds: Holds) -> list[Any]:
    values = value if isinstance(value, list) else []
    kinds = (int, str) if holds == "ports" else (str,)
    return [one for one in values if isinstance(one, kinds) and not isinstance(one, bool)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Why a destination bypasses the sidecar.

    Attributes:
        list_name: the MeshConfig's list; empty: no list, but localhost.
        text: for people: ``port 6379 in outboundPortExclusionList``.
    """

    list_name: str
    text: str


def destination(text: str) -> tuple[str, int]:
    """``ADDRESS:PORT``.

    Raises:
        InputError: it is something else.
    """
    address, colon, port = text.rpartition(":")
    address = on_the_wire(address.removeprefix("[").removesuffix("]"))
    if not colon or address_number(address) is None or not port.isascii() or not port.isdigit():
        raise InputError(f"{text!r}: expected an IPv4 address and a port, such as 10.0.0.8:6379")
    if not 0 < int(port[:6]) <= PORT_MAX:
        raise InputError(f"{text!r}: expected a port from 1 to 65535")
    return address, int(port)


def excluded_by(lists: InterceptLists, address: str, port: int, *, own: str = "") -> Entry | None:
    """The entry that makes a destination bypass the sidecar; None: it goes through it.

    In the order of the script's rules: an exclusion beats an inclusion.

    Args:
        lists: mesh and pod together.
        address: of the destination, as its packets have it.
        port: of the destination.
        own: the pod's address, which is reached over lo; empty: unknown.
    """
    if inside("127.0.0.1/32", address):
        return Entry(list_name="", text="it is localhost")
    if inside("127.0.0.0/8", address) or (own and address == own):
        return Entry(list_name="", text="it is the pod itself, over interface lo")
    for cidr in lists.excluded_ranges:
        if inside(cidr, address):
            name = EXCLUDED_RANGES.key
            return Entry(list_name=name, text=f"range {cidr} in {name}")
    if port in lists.outbound_ports:
        name = OUTBOUND_PORTS.key
        return Entry(list_name=name, text=f"port {port} in {name}")
    included = lists.included_ranges
    if included and not any(inside(cidr, address) for cidr in included):
        name = INCLUDED_RANGES.key
        return Entry(list_name=name, text=f"no range of {name} holds it")
    return None


TRAFFIC: Final = "spec.traffic"
# What decides a pod's script, and the one place where the injectors read it.
_PLACES: Final = {
    **{key: f"{TRAFFIC}.{key}" for key in KEYS},
    "interceptionMode": f"{TRAFFIC}.interceptionMode",
    "localProxyMode": "spec.sidecar.localProxyMode",
    "localDNSProxy": "spec.sidecar.localDNSProxy",
}
_LIST: Final = "list"
# It asks for the cluster's own ranges, which no MeshConfig says.
_NOT_TOLD: Final = "excludes-mesh-traffic"


def list_findings(
    system: System, spec: object, today: date, *, ranges: Json | None = None
) -> tuple[Finding, ...]:
    """What the checks of stack files say of a MeshConfig's lists, each at its path.

    Args:
        system: whose MeshConfig.
        spec: its ``spec``, of any origin.
        today: for the checks.
        ranges: the cluster's own, as a stack file has them; empty: nothing tells them.
    """
    traffic = {key: value for key, value in deciding(spec)["traffic"].items() if value}
    given = {"system": system.name, "traffic": traffic, "cluster": ranges or {}}
    loaded = load_mapping(given, name="", today=today)
    return tuple(
        item.at(file=None, line=None, column=None, path=f"spec.{item.place.path}")
        for item in loaded.findings
        if item.place.path.startswith("traffic.")
        and (ranges or item.id != _NOT_TOLD)
        and item.severity is not Severity.INFO  # what is good to know, a review tells
    )


def strays(spec: object) -> Iterator[tuple[str, str, object]]:
    """Keys that would decide a script if they stood, or were spelt, as an injector reads them.

    Yields:
        The path of such a key, the path that is read, and the value that nobody reads.
    """
    sections: list[tuple[str, Json]] = [("spec", mapping(spec))]
    for where, section in sections:  # it grows
        for key, value in section.items():
            path = f"{where}.{key}"
            right = _PLACES.get(key)
            if right is None and key.lower().endswith(_LIST):
                meant = nearest(key, list(KEYS))
                right = _PLACES[meant] if meant else None
            if right is not None and path != right:
                yield path, right, value
            elif isinstance(value, dict):
                sections.append((path, value))


def injecting_mesh(like: MeshView, spec: object, injector: Mapping[str, Any] | None) -> MeshView:
    """The mesh as far as its images go; fields of another type than their CRD's are absent.

    Args:
        like: for the system, the name and the namespace.
        spec: the MeshConfig's ``spec``.
        injector: its Deployment, whose environment names the default images.
    """
    sidecar = mapping(mapping(spec).get("sidecar"))
    known: Json = _choosing(sidecar)
    known["sidecarDrivers"] = [_choosing(one) for one in mappings(sidecar.get("sidecarDrivers"))]
    return mesh_view(
        like.system,
        {"sidecar": known},
        environment=_environment(injector or {}, like.system.injector_name),
        name=like.name,
        namespace=like.namespace,
    )


def _choosing(section: Json) -> Json:
    """What of a section chooses an image: images, and osm-edge's class and drivers."""
    return {
        key: value
        for key, value in texts(section).items()
        if key.endswith("Image") or key in {"sidecarClass", "sidecarName"}
    }


def _environment(deployment: Mapping[str, Any], name: str) -> dict[str, str]:
    template = mapping(mapping(mapping(deployment.get("spec")).get("template")).get("spec"))
    return {
        text(entry.get("name")): text(entry.get("value"))
        for container in mappings(template.get("containers"))
        if container.get("name") == name
        for entry in mappings(container.get("env"))
    }


def images_of(pod: Pod, mesh: MeshView, namespace: NamespaceView | None) -> dict[str, set[str]]:
    """The images that are right for each of the mesh's containers; an unknown one is left out.

    Args:
        pod: whose annotations may choose the sidecar's.
        mesh: of :func:`injecting_mesh`.
        namespace: whose annotations may, too.
    """
    system = mesh.system
    sidecar = {mesh.sidecar_image, mesh.sidecar_windows_image}
    if mesh.profile.sidecar_options:
        key = keys_of(system).image
        shared = namespace.annotations if namespace else {}
        if chosen := pod.annotations.get(key) or shared.get(key):
            sidecar = {chosen}
    known = {
        system.init_container: {mesh.init_image},
        system.sidecar_container: sidecar,
        system.healthcheck_container: {mesh.healthcheck_image},
    }
    return {name: images - {""} for name, images in known.items() if images - {""}}


def release(image: str) -> str:
    """A program and its version, from whatever registry and with whatever digest beside it."""
    tagged, _, digest = image.partition("@")
    last = tagged.rpartition("/")[2]
    return last if ":" in last else f"{last}@{digest}"
