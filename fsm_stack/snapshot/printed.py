"""What kubectl prints of other objects than pods, read back: owners of pods, namespaces, events.

Source: kubectl pkg/describe/describe.go (describeDeployment, describeReplicaSet and so on,
DescribeEvents) and pkg/printers/internalversion/printers.go, printEvent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.yaml import Json

# A field at the edge of a description, and the kind that has it: the first that is there counts.
_MARKS: Final = (
    ("Schedule", "CronJob"),
    ("Parallelism", "Job"),
    ("StrategyType", "Deployment"),
    ("Desired Number of Nodes Scheduled", "DaemonSet"),
    ("Update Strategy", "StatefulSet"),
    ("Pods Status", "ReplicaSet"),
    ("Pod Template", "ReplicaSet"),
    ("Endpoints", "Service"),
    ("Taints", "Node"),
    ("Data", "ConfigMap"),
    ("Init Containers", "Pod"),
    ("Containers", "Pod"),
    ("Node", "Pod"),
    ("Start Time", "Pod"),
    ("QoS Class", "Pod"),
    ("IPs", "Pod"),
)
_NAMESPACE_PHASES: Final = ("Active", "Terminating")
UNTOLD: Final = "object"
_FIELD: Final = re.compile(r"([A-Z][A-Za-z -]*):(?:\s+(\S.*))?")
_CONTROLLED: Final = "Controlled By"
NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_COUNT: Final = re.compile(r"\b([0-9]{1,9}) (current|desired|updated|total|available)")
# Columns stand two blanks apart; an age may be "2m (x25 over 7m)".
_EVENT: Final = re.compile(
    r"\s*(?P<type>Normal|Warning)\s+(?P<reason>[A-Z]\w*)\s{2,}(?P<age>\S.*?)\s{2,}"
    r"(?P<source>\S.*?)\s{2,}(?P<message>\S.*)"
)
_LISTED: Final = re.compile(
    r"(?:(?P<namespace>[a-z0-9][\w.-]*)\s+)?(?P<age>(?:<\w+>|[\d.]+[smhdy]\w*)(?: \(x.*?\))?)\s+"
    r"(?P<type>Normal|Warning)\s+(?P<reason>[A-Z]\w*)\s+(?P<object>[a-z][\w.]*/[\w.-]+)\s+"
    r"(?P<message>\S.*)"
)
_HEAD: Final = re.compile(r"(?:NAMESPACE\s+)?LAST SEEN\s+.*TYPE\s+REASON\s+OBJECT\b.*MESSAGE")
_KINDS: Final = {
    one.lower(): one
    for one in ("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
}


def kind_of(lines: Sequence[str]) -> str:
    """What kind of object a description is of; ``object``: nothing tells it.

    Text with gaps, marked by ``...``, is a pod's where nothing tells another kind: the guides
    print pods so.
    """
    fields = _fields(lines)
    for field, kind in _MARKS:
        if field in fields:
            return kind
    if "Namespace" not in fields and fields.get("Status") in _NAMESPACE_PHASES:
        return "Namespace"
    if "Status" in fields or any(line.strip() == "..." for line in lines):
        return "Pod"
    return UNTOLD


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """The fields at the edge; ``Data`` of a ConfigMap is underlined."""
    found: dict[str, str] = {}
    for line in lines:
        if (known := _FIELD.fullmatch(line.rstrip())) is not None:
            found.setdefault(known[1], (known[2] or "").strip())
        elif line.rstrip() == "Data":
            found.setdefault("Data", "")
    return found


def owner(lines: Sequence[str], kind: str, metadata: Json, template: dict[str, str]) -> Json:
    """What makes pods, as JSON in the API's form.

    Args:
        lines: of its description.
        kind: of it.
        metadata: its name, namespace, labels and annotations.
        template: the annotations of its pod template.
    """
    fields = _fields(lines)
    counts = {word: int(number) for number, word in _COUNT.findall(fields.get("Replicas", ""))}
    made = counts.get("current", counts.get("total"))
    status: Json = {"conditions": _conditions(lines)}
    if made is not None:
        status |= {"replicas": made, "availableReplicas": counts.get("available", 0)}
    for field, key in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
    ):
        if NUMBER.fullmatch(value := fields.get(field, "")):
            status[key] = int(value)
    controller, _, name = fields.get(_CONTROLLED, "").partition("/")
    if name:
        metadata["ownerReferences"] = [{"kind": controller, "name": name, "controller": True}]
    return {
        "apiVersion": "batch/v1" if kind.endswith("Job") else "apps/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {
            **({"replicas": counts["desired"]} if "desired" in counts else {}),
            "template": {"metadata": {"annotations": template}},
        },
        "status": status,
    }


def _conditions(lines: Sequence[str]) -> list[Json]:
    """The table of conditions: it has no messages."""
    found: list[Json] = []
    for line in _below(lines, "Conditions"):
        words = line.split()
        if len(words) >= 2 and words[1] in {"True", "False", "Unknown"}:  # noqa: PLR2004  # type, status
            found.append({"type": words[0], "status": words[1], "reason": " ".join(words[2:])})
    return found


def _below(lines: Sequence[str], field: str) -> Iterator[str]:
    inside = False
    for line in lines:
        if line[:1].strip():
            inside = line.startswith(f"{field}:")
        elif inside and line.strip():
            yield line


def events_of(lines: Sequence[str], kind: str, metadata: Json) -> Iterator[Json]:
    """The events at the end of a description."""
    for number, line in enumerate(_below(lines, "Events")):
        if (known := _EVENT.fullmatch(line.rstrip())) is not None:
            yield _event(
                f"{metadata.get('name')}.{number}", known, kind,
                str(metadata.get("name") or ""), str(metadata.get("namespace") or ""),
            )  # fmt: skip


def looks_like_events(text: str) -> bool:
    """Whether a text is what ``kubectl get events`` prints, with or without its head."""
    lines = [line for line in text.splitlines()[:4] if line.strip()]
    return any(_HEAD.match(line) or _LISTED.fullmatch(line.rstrip()) for line in lines)


def read_events(text: str) -> Iterator[Json]:
    """The events of a list; of a kind that makes no pods, as it is written."""
    for number, line in enumerate(text.splitlines()):
        if (known := _LISTED.fullmatch(line.rstrip())) is not None:
            kind, _, name = known["object"].partition("/")
            kind = _KINDS.get(kind.partition(".")[0], kind)
            yield _event(f"{name}.{number}", known, kind, name, known["namespace"] or "")


def _event(name: str, known: re.Match[str], kind: str, about: str, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"kind": kind, "namespace": namespace, "name": about},
        "type": known["type"],
        "reason": known["reason"],
        "message": known["message"].strip(),
    }
