"""Objects as ``kubectl describe`` and ``jsonpath`` print them, read back: pods first of all.

Newer kubectl prints JSON; older ones Go's ``map[key:value key:value]``, which does not say where
a value ends: what can be read in two ways is an error, not a guess.

Only what checks read is taken. A line ``...`` marks text that somebody left out; then what is
absent is unknown. Source: kubectl pkg/describe/describe.go, describePod and describeContainers.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.snapshot.printed import NUMBER, events_of, kind_of, owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.yaml import Json

# A key of an annotation: an optional DNS prefix, a slash, a name. Source: Kubernetes validation.
_KEY: Final = r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_START: Final = re.compile(rf"(?:^| )(?P<key>{_KEY}):")


def read_annotations(text: str) -> dict[str, str]:
    """The annotations of one pod, from either form.

    Args:
        text: what kubectl printed; blanks around it and a stray quote at the end are let be.

    Raises:
        InputError: it is neither form, or the map can be read in two ways.
    """
    plain = text.strip().strip("'").strip()
    if plain.startswith("map[") and plain.endswith("]"):
        return _read_map(plain[4:-1])
    try:
        found = json.loads(plain)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise InputError(
            f"{plain[:60]!r}: expected annotations, as JSON or as Go's map[key:value ...]"
        )
    return found


def _read_map(inside: str) -> dict[str, str]:
    starts = list(_START.finditer(inside))
    if not inside:
        return {}
    if not starts or starts[0].start() != 0:
        raise InputError(f"map[{inside[:60]}]: expected key:value after map[")
    found: dict[str, str] = {}
    ends = [match.start() for match in starts[1:]] + [len(inside)]
    for match, end in zip(starts, ends, strict=True):
        key, value = match["key"], inside[match.end() : end]
        if "/" not in key and match is not starts[0]:
            raise InputError(
                f"map[...]: {key!r} may be a key or a part of the value before it; "
                "expected JSON: kubectl get pod NAME -o json"
            )
        if key in found:
            raise InputError(f"map[...]: the key {key!r} stands twice; expected JSON")
        found[key] = value
    if list(found) != sorted(found):  # fmt prints a map's keys in order
        raise InputError(
            "map[...]: the keys are not in order, so one of them is a part of a value; "
            "expected JSON: kubectl get pod NAME -o json"
        )
    return found


_FIELD: Final = re.compile(r"(?P<key>[A-Z][A-Za-z0-9 ]*):(?:\s+(?P<value>\S.*))?")
_PAIR: Final = re.compile(r"(?P<key>[^\s:=]+)(?::\s|=)(?P<value>.*)")
UNREAD: Final = "unread"  # marks what a description does not tell enough of for any check
_SECTIONS: Final = {"Init Containers": "initContainers", "Containers": "containers"}
_STATES: Final = {"Waiting": "waiting", "Running": "running", "Terminated": "terminated"}
_CONTAINER_INDENT: Final = 2
_OWNERS: Final = frozenset(
    {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"}
)
_FIELD_INDENT: Final = 4
# The command that was typed, pasted with what it printed.
_TYPED: Final = r"(?:.*\b(?:kubectl|oc) .*\n|[ \t]*\n)*"


def looks_like_description(text: str) -> bool:
    """Whether a text starts as ``kubectl describe`` does."""
    return bool(re.match(rf"{_TYPED}\s*Name:\s+\S", text))


def read_description(text: str) -> Iterator[Json]:
    """The objects of a description and their events, as JSON in the API's form.

    Of a kind that no check reads there is the kind and the name.

    Raises:
        InputError: an object without a name.
    """
    lines = text.splitlines()
    starts = [index for index, line in enumerate(lines) if re.match(r"Name:\s", line)]
    if not starts:
        raise InputError("expected a description of an object, which starts with Name:")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield from _described(lines[start:end])


def behind_descriptions(text: str) -> Iterator[str]:
    """What stands behind descriptions and is none of them: a log that was pasted with it.

    A description ends with its events: what follows at the margin is not of kubectl's.
    """
    behind: list[str] = []
    events = ended = False
    for line in [*text.splitlines(), "Name: "]:
        if re.match(r"Name:\s", line):
            if any(one.strip() for one in behind):
                yield "\n".join(behind)
            behind, events, ended = [], False, False
        elif line.startswith("Events:"):
            events = True
        elif events and (ended or not line.startswith((" ", "\t"))):
            ended = ended or bool(line.strip())
            behind.append(line)


def _described(lines: list[str]) -> Iterator[Json]:
    kind = kind_of(lines)
    item = _pod(lines) if kind == "Pod" else _other(lines, kind)
    yield item
    yield from events_of(lines, kind, item["metadata"])


def _other(lines: list[str], kind: str) -> Json:
    """What makes pods, a namespace, or what no check reads."""
    metadata: Json = {"labels": {}, "annotations": {}}
    template: dict[str, str] = {}
    for key, value, block in _blocks(lines, indent=0):
        if key in {"Name", "Namespace"}:
            metadata[key.lower()] = value
        elif key in {"Labels", "Annotations"}:
            metadata[key.lower()], _ = _pairs([value, *block])
        elif key == "Pod Template":
            for field, first, below in _blocks(block, indent=_CONTAINER_INDENT):
                if field == "Annotations":
                    template, _ = _pairs([first, *below])
    if kind in _OWNERS:
        return owner(lines, kind, metadata, template)
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, UNREAD: kind != "Namespace"}


def _pod(lines: list[str]) -> Json:
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {}, "annotations": {}},
        "spec": {},
        "status": {},
        "elided": any(line.strip() == "..." for line in lines),
        "cut": False,
        "described": True,
    }
    node = ""
    for key, value, block in _blocks(lines, indent=0):
        if key in _SECTIONS:
            _containers(pod, _SECTIONS[key], block)
        elif key in {"Labels", "Annotations"}:
            pod["metadata"][key.lower()], cut = _pairs([value, *block])
            pod["cut"] = pod["cut"] or (cut and key == "Annotations")
        elif key == "Node":
            node = value.partition("/")[2]
        else:
            _take_field(pod, key, value)
    if "containers" not in pod["spec"]:
        pod["elided"] = True
    pod["unannotated"] = pod["elided"] and not _has_annotations(lines)
    # Nothing else has the node's address, and kubectl prints the field nowhere.
    pod["spec"]["hostNetwork"] = bool(node) and node == pod["status"].get("podIP")
    _mark_native(pod)
    return pod


def _has_annotations(lines: list[str]) -> bool:
    """Whether all annotations are there: their field, and no gap after it before the next one."""
    inside = False
    for line in lines:
        if line.strip() == "..." and inside:
            return False
        if line[:1].strip():
            if inside:
                return True
            inside = line.startswith("Annotations:")
    return inside


def _mark_native(pod: Json) -> None:
    """Native sidecars: kubectl prints no restartPolicy, but no other init container keeps running.

    The containers start when all other init containers have ended.
    """
    status = pod["status"]
    started = any(
        not {"running", "terminated"}.isdisjoint(one.get("state") or {})
        for one in status.get("containerStatuses") or ()
    )
    states = status.get("initContainerStatuses") or ()
    for container, one in zip(pod["spec"].get("initContainers") or (), states, strict=True):
        if started and "terminated" not in (one.get("state") or {"terminated": {}}):
            container["restartPolicy"] = "Always"


def _pairs(lines: list[str]) -> tuple[dict[str, str], bool]:
    """Labels or annotations, and whether the end of one was cut off.

    kubectl prints a value of more than 140 characters below its key, each line cut off with
    ``...``. Source: describe.go, printAnnotationsMultiline and shorten.
    """
    found: dict[str, str] = {}
    below = ""
    for line in map(str.strip, lines):
        pair = _PAIR.fullmatch(line)
        if pair:
            found[pair["key"]], below = pair["value"].strip(), ""
        elif line.endswith(":") and " " not in line:
            below = line[:-1]
            found[below] = ""
        elif below:
            found[below] += line
    return found, any(value.endswith("...") for value in found.values())


def _take_field(pod: Json, key: str, value: str) -> None:
    match key:
        case "Name" | "Namespace":
            pod["metadata"][key.lower()] = value
        case "Status" if value.startswith("Terminating"):  # "Terminating (lasts 4m)"
            pod["metadata"]["deletionTimestamp"] = value
        case "Status":
            pod["status"]["phase"] = value.partition(" ")[0]
        case "Reason":
            pod["status"]["reason"] = value
        case "IP":
            pod["status"]["podIP"] = value
        case "Controlled By" if "/" in value:
            kind, _, name = value.partition("/")
            owner = {"kind": kind, "name": name, "controller": True}
            pod["metadata"]["ownerReferences"] = [owner]


def _blocks(lines: list[str], *, indent: int) -> Iterator[tuple[str, str, list[str]]]:
    """Each ``Key: value`` at this indent, with the deeper lines below it."""
    head: tuple[str, str] | None = None
    block: list[str] = []
    for line in lines:
        depth = len(line) - len(line.lstrip())
        match = _FIELD.fullmatch(line.strip()) if depth == indent else None
        if match:
            if head:
                yield (*head, block)
            head, block = (match["key"], (match["value"] or "").strip()), []
        elif line.strip() and line.strip() != "...":
            block.append(line)
    if head:
        yield (*head, block)


def _containers(pod: Json, part: str, lines: list[str]) -> None:
    current: list[str] = []
    named: list[tuple[str, list[str]]] = []
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if depth == _CONTAINER_INDENT and line.rstrip().endswith(":"):
            current = []
            named.append((line.strip()[:-1], current))
        else:
            current.append(line)
    containers, statuses = [], []
    for name, about in named:
        container, status = _container(name, about)
        containers.append(container)
        statuses.append(status)
    pod["spec"][part] = containers
    pod["status"][part.removesuffix("s") + "Statuses"] = statuses


def _container(name: str, lines: list[str]) -> tuple[Json, Json]:
    container: Json = {"name": name}
    status: Json = {"name": name}
    for key, value, block in _blocks(lines, indent=_FIELD_INDENT):
        if key == "Image":
            container["image"] = value
        elif key == "Args":
            container["args"] = _arguments(block)
        elif key in {"Port", "Ports"} and value != "<none>":
            ports = [int(text) for text in re.findall(r"\b([0-9]{1,9})/", value)]
            container["ports"] = [{"containerPort": port} for port in ports]
        elif key in {"State", "Last State"} and value in _STATES:
            part = "state" if key == "State" else "lastState"
            status[part] = {_STATES[value]: _state(block)}
        elif key == "Ready":
            status["ready"] = value == "True"
        elif key == "Restart Count" and NUMBER.fullmatch(value):
            status["restartCount"] = int(value)
    return container, status


def _arguments(block: list[str]) -> list[str]:
    """``-c`` and a script of any number of lines, without the indent."""
    lines = [line.strip() for line in block]
    if lines[:1] == ["-c"]:
        return ["-c", "\n".join(lines[1:])]
    return lines


def _state(block: list[str]) -> Json:
    state: Json = {}
    for line in block:
        match = _FIELD.fullmatch(line.strip())
        if match is None:
            continue
        key, value = match["key"], (match["value"] or "").strip()
        if key == "Exit Code" and NUMBER.fullmatch(value):
            state["exitCode"] = int(value)
        elif key in {"Reason", "Message"}:
            state[key.lower()] = value
    return state
