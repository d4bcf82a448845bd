"""One label or annotation of another mesh: FSM's name and value for it, or that there is none.

Source: the annotation references and injectors of OSM, osm-edge, Istio, Linkerd, Kuma and Consul.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.result import Line
from fsm_stack.errors import FindingsError
from fsm_stack.findings.finding import finding
from fsm_stack.injector import annotations as keys
from fsm_stack.lists import POD_LISTS
from fsm_stack.systems import FSM, OSM
from fsm_stack.well_known import INJECTION, METRICS
from fsm_stack.workloads.lint.foreign import DOMAINS, MESHES, domain_of
from fsm_stack.workloads.objects import object_at
from fsm_stack.workloads.rekey import KeyChange
from fsm_stack.workloads.write import PodSettings, annotations_of
from fsm_stack.yaml.decode import DecodeError, decode_yaml

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding, ObjectName
    from fsm_stack.lists import ListName
    from fsm_stack.yaml.places import Path

_DOMAINS: Final = {**DOMAINS, OSM.annotation_prefix: "OSM"}
_ISTIO_CONFIG: Final = "proxy.istio.io/config"
_ISTIO_HOLD: Final = "holdApplicationUntilProxyStarts"
# Labels without a domain, and one whose value is a revision: on a namespace they mean "inject".
_REVISIONS: Final = frozenset({"istio.io/rev"})
_BARE: Final = frozenset({"istio-injection"})
# Why a key has no equivalent, where there is more to say than that.
_WHY: Final = {
    "sidecar.istio.io/proxyImage": "it is an image of Envoy, FSM's sidecar is Pipy",
    "config.linkerd.io/skip-subnets": (
        "Linkerd leaves inbound connections from these sources alone; FSM has lists of "
        "destinations only"
    ),
    "traffic.sidecar.istio.io/includeInboundPorts": "FSM redirects every inbound port that is "
    "not excluded",
    "traffic.sidecar.istio.io/includeOutboundPorts": "FSM redirects every outbound port that is "
    "not excluded",
    "traffic.sidecar.istio.io/excludeInterfaces": "in FSM interfaces are excluded for the whole "
    "mesh, networkInterfaceExclusionList",
    "kuma.io/mesh": "a namespace is in one FSM mesh, by its label",
}
_YES: Final = frozenset({"enabled", "true", "yes", "1", "ingress", "inject"})
_NO: Final = frozenset({"disabled", "false", "no", "0"})
_SWITCHES: Final = frozenset({INJECTION, METRICS, keys.HOLD, keys.GRACEFUL_EXIT})


@dataclass(slots=True, kw_only=True)
class Moved:
    """What becomes of one document.

    Attributes:
        mesh_name: of the FSM mesh that namespaces join.
        changes: of labels and annotations, in order.
        versions: new ``apiVersion`` of policies, by path.
        findings: what is renamed, means less, or is lost; each with its object and path.
        lines: what became of each key.
    """

    mesh_name: str
    changes: list[KeyChange] = field(default_factory=list)
    versions: dict[Path, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One label or annotation of another mesh."""

    path: Path  # of metadata's owner
    part: str
    key: str
    value: Any
    object: ObjectName
    read: frozenset[str]  # FSM's annotations of such an object
    namespace: bool
    holder: Any  # what has the metadata

    @property
    def mesh(self) -> str:
        """Whose it is."""
        return MESHES.get(self.key, (mesh_of(self.key), ""))[0]


def mesh_of(key: str) -> str:
    """Whose key it is; empty: nobody's of these."""
    if key in _BARE:
        return MESHES[key][0]
    return domain_of(key, _DOMAINS)


def move(one: Key, result: Moved) -> None:
    """One key: renamed, or said to be lost; FSM's own beside it counts."""
    labels = {
        OSM.monitored_by_label: (FSM.monitored_by_label, result.mesh_name),
        OSM.ignore_label: (FSM.ignore_label, str(one.value)),
    }
    if one.key in labels:
        _to(one, one.part, *labels[one.key], result)
    elif one.key in _REVISIONS:
        _injection(one, "enabled", result)
    elif one.key == _ISTIO_CONFIG:
        _istio_config(one, result)
    else:
        known = MESHES.get(one.key, ("", ""))[1]
        if one.mesh == "OSM":
            known = one.key.partition("/")[2]
        ours = FSM.annotation(known)
        if known and ours in one.read:
            _translated(one, known, result)
        else:
            _lost(one, _WHY.get(one.key, "FSM has nothing like it"), result)


def _translated(one: Key, known: str, result: Moved) -> None:
    listed = next((name for name in POD_LISTS if name.annotation == known), None)
    text = _text(one.value)
    if listed is not None:
        _list(one, listed, text, result)
    elif known in _SWITCHES:
        asked = text.strip().lower()
        if asked not in _YES | _NO:
            message = f"expected a yes or a no, got {one.value!r}"
            _lost(one, message, result, rule="injection-value")
            return
        value = "enabled" if asked in _YES else "disabled"
        if known == INJECTION:
            _injection(one, value, result)
        else:
            _to(one, "annotations", FSM.annotation(known), value, result)
    else:
        _to(one, "annotations", FSM.annotation(known), text, result)


def _text(value: Any) -> str:
    """A value as Kubernetes would have it; YAML's true and 80 are no texts."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _injection(one: Key, value: str, result: Moved) -> None:
    """The injection annotation; a namespace joins by a label, too, where it did in one step."""
    _to(one, "annotations", FSM.annotation(INJECTION), value, result)
    joins = one.namespace and one.mesh != "OSM" and value == "enabled"
    label = FSM.monitored_by_label
    if joins and label not in object_at(one.holder, ("metadata", "labels")):
        added = [change for change in result.changes if change.path == one.path]
        if all(change.to_key != label for change in added):
            result.changes.append(
                KeyChange(
                    path=one.path,
                    part="",
                    key="",
                    to_part="labels",
                    to_key=label,
                    value=result.mesh_name,
                )
            )
    elif value == "enabled" and not one.namespace and one.mesh != "OSM":
        message = f"FSM looks at it only in namespaces with the label {label}"
        _tell(one, "setting-means-less", message, result)


def _istio_config(one: Key, result: Moved) -> None:
    try:
        config = decode_yaml(_text(one.value))
    except DecodeError:
        config = None
    hold = config.get(_ISTIO_HOLD) if isinstance(config, dict) else None
    rest = (
        sorted(str(key) for key in config if key != _ISTIO_HOLD)
        if isinstance(config, dict)
        else ["its text is no mapping"]
    )
    if not isinstance(hold, bool):
        _lost(one, "it configures Envoy, FSM's sidecar is Pipy", result)
        return
    value = "enabled" if hold else "disabled"
    _to(one, "annotations", FSM.annotation(keys.HOLD), value, result)
    if rest:
        _tell(one, "setting-lost", f"FSM has nothing like {', '.join(rest)}", result)


def _list(one: Key, name: ListName, text: str, result: Moved) -> None:
    """A list of ports or ranges; what FSM cannot say of it keeps the whole of it out."""
    entries = [part.strip() for part in text.split(",") if part.strip()]
    if name.annotation == "outbound-ip-range-inclusion-list" and entries == ["*"]:
        _gone(one, "every range is redirected: FSM's default, without an annotation", result)
        return
    if not entries:
        means_none = name.annotation == "outbound-ip-range-inclusion-list"
        why = "an empty list redirects nothing there, and everything in FSM" if means_none else ""
        if why:
            _lost(one, why, result)
        else:
            _gone(one, "an empty list excludes nothing, in FSM, too", result)
        return
    values: list[Any] = list(entries)
    if name.holds == "ports":
        values = [port for entry in entries for port in _ports(entry)]
    try:
        given: dict[str, Any] = {name.field: tuple(values)}
        found = annotations_of(PodSettings(**given), FSM)
    except FindingsError as error:
        for item in error.findings:
            _lost(one, item.message, result, rule=item.id)
        return
    key = FSM.annotation(name.annotation)
    _to(one, "annotations", key, found[key], result)


def _ports(entry: str) -> list[Any]:
    """A port, or the ports of a range as Linkerd and Kuma write it; what is neither stays."""
    first, dash, last = entry.partition("-")
    if entry.isdigit() and entry.isascii() and len(entry) <= 5:  # noqa: PLR2004  # 65535
        return [int(entry)]
    short = all(part.isdigit() and part.isascii() and len(part) <= 5 for part in (first, last))  # noqa: PLR2004
    if dash and short and int(first) <= int(last):
        return list(range(int(first), int(last) + 1))
    return [entry]


def _to(one: Key, part: str, key: str, value: str, result: Moved) -> None:
    """The key under FSM's name; where FSM's own is there already, that counts."""
    there = object_at(one.holder, ("metadata", part)).get(key)
    taken = [
        c for c in result.changes if c.path == one.path and (c.to_part, c.to_key) == (part, key)
    ]
    if taken:
        there = taken[0].value
    if there is not None:
        result.changes.append(KeyChange(path=one.path, part=one.part, key=one.key))
        result.lines.append(
            _line(one, key, "" if there == value else f"{there!r} is there already")
        )
        if there != value:
            message = f"{key} is there already and counts: {there!r}, not {value!r}"
            _tell(one, "setting-means-less", message, result)
        return
    result.changes.append(
        KeyChange(path=one.path, part=one.part, key=one.key, to_part=part, to_key=key, value=value)
    )
    result.lines.append(_line(one, key))
    same = "" if _text(one.value) == value else f", {value!r}"
    _tell(one, "setting-renamed", f"it is {part.removesuffix('s')} {key} in FSM{same}", result)


def _line(one: Key, target: str = "", why: str = "") -> Line:
    return Line(source=f"{one.object} {one.part}.{one.key}", target=target, why=why)


def _gone(one: Key, why: str, result: Moved) -> None:
    result.changes.append(KeyChange(path=one.path, part=one.part, key=one.key))
    result.lines.append(_line(one, why=why))
    _tell(one, "setting-renamed", why, result)


def _lost(one: Key, why: str, result: Moved, rule: str = "setting-lost") -> None:
    """What FSM cannot say; the key stays, because nobody reads it, and to be looked at."""
    result.lines.append(_line(one, why=why))
    _tell(one, rule, f"{one.mesh}'s {one.key}: {why}", result)


def _tell(one: Key, rule: str, message: str, result: Moved) -> None:
    path = ".".join((*map(str, one.path), "metadata", one.part, one.key))
    item = finding(rule, message, path=path, value=one.value).at(object=one.object)
    result.findings.append(item)
