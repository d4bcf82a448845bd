"""What differs in settings and in Kubernetes objects, value by value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.credentials import without_user
from fsm_stack.review.model import FieldChange, ObjectChange, Risk, SettingChange, What
from fsm_stack.review.risk import risk
from fsm_stack.review.side import json_text, place_text
from fsm_stack.snapshot.shape import mapping
from fsm_stack.well_known import PRESET_CONFIG_MAP, REDIRECTION_CONFIG_MAP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.review.side import Key, Side
    from fsm_stack.settings.models.policy import Environments
    from fsm_stack.yaml import Json
    from fsm_stack.yaml.places import Path

ABSENT: Final = object()
_NOTES: Final = frozenset({"reason", "owner", "until", "description"})
# What names an item of a list, in the settings and in Kubernetes objects.
_KEYS: Final = ("value", "name", "traffic", "containerPort", "port", "mountPath", "uid")
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {})
_HIDDEN: Final = '"(hidden)"'
# Fields that Kubernetes refuses to change: the object is deleted and made anew.
# Source: k8s.io/kubernetes pkg/apis validation of each kind's update.
_FIXED: Final[dict[str, tuple[str, ...]]] = {
    "Deployment": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy"),
    "DaemonSet": ("spec.selector",),
    "ClusterRoleBinding": ("roleRef",),
    "RoleBinding": ("roleRef",),
    "Service": ("spec.clusterIP",),
}
_REPEATING: Final = frozenset({PRESET_CONFIG_MAP, REDIRECTION_CONFIG_MAP})
_NEEDED: Final = frozenset(
    {"MutatingWebhookConfiguration", "CustomResourceDefinition", "MeshConfig", "Deployment"}
)

# Switches of the traffic section, settings and MeshConfig alike: what on means, and what off.
# No rule changes with them: sidecars get them from the controller, and need no restart.
_SWITCHES: Final = {
    "enablePermissiveTrafficPolicyMode": ("policy-off", "policy-on"),
    "enableEgress": ("egress-opens", "egress-closes"),
}


class Item(str):
    """The step of a path into a list: what names the item, not its place."""

    __slots__ = ()


Difference = tuple["Path", What, Any, Any]


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:  # noqa: ANN401  # decoded JSON
    """Every value that differs, with its path; items of lists are told apart by what names them.

    Yields:
        path, how it differs, the value before, the value after; ``ABSENT`` where there is none.
    """
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            one, two = before.get(key, ABSENT), after.get(key, ABSENT)
            yield from differences(one, two, (*path, key))
        return
    if isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
        return
    yield (path, _what(before, after), before, after)


def _what(before: object, after: object) -> What:
    if before is ABSENT:
        return "added"
    return "removed" if after is ABSENT else "changed"


def _of_lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    one, two = _named(before), _named(after)
    if one is None or two is None:
        texts = sorted(map(json_text, before)), sorted(map(json_text, after))
        yield (path, "reordered" if texts[0] == texts[1] else "changed", before, after)
        return
    if list(one) != list(two) and set(one) == set(two):
        yield (path, "reordered", list(one), list(two))
    for name in (*one, *(name for name in two if name not in one)):
        yield from differences(one.get(name, ABSENT), two.get(name, ABSENT), (*path, Item(name)))


def _named(items: list[Any]) -> dict[str, Any] | None:
    """Items by what names them; None: nothing does. A repeated plain value counts once."""
    if all(isinstance(item, str | int) for item in items):
        return {str(item): item for item in items}
    if not all(isinstance(item, dict) for item in items):
        return None
    for key in _KEYS:
        names = [item.get(key) for item in items]
        if all(isinstance(name, str | int) for name in names):
            whole = dict(zip(map(str, names), items, strict=True))
            if len(whole) == len(items) or key == "value":
                return whole
    return None


def setting_changes(before: Side, after: Side) -> tuple[SettingChange, ...]:
    """Every setting that differs, with the place that sets it on each side."""
    if before.settings is None or after.settings is None:
        return ()
    one, two = (
        side.settings.model_dump(mode="json", by_alias=True)  # type: ignore[union-attr]  # both are there
        for side in (before, after)
    )
    found: list[SettingChange] = []
    known: dict[int, dict[str, int]] = {}
    for path, what, was, now in differences(one, two):
        was_alone, now_alone = _value_alone(was), _value_alone(now)
        change = SettingChange(
            path=_shown(path),
            what=what,
            before=None if was is ABSENT else without_user(json_text(was_alone)),
            after=None if now is ABSENT else without_user(json_text(now_alone)),
            before_place="" if was is ABSENT else _placed(before, _indexed(path, one, known)),
            after_place="" if now is ABSENT else _placed(after, _indexed(path, two, known)),
            note=path[-1] in _NOTES or path[0] in ("accept", "contracts"),
        )
        found.append(replace(change, risk=_setting_risk(path, what, was, now)))
    return tuple(found)


def _value_alone(value: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """A value without what is empty in it; an entry without notes is its value."""
    if isinstance(value, list):
        return [_value_alone(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: _value_alone(item) for key, item in value.items() if item not in _EMPTY}
    return told["value"] if set(told) == {"value"} else told


def _shown(path: Path) -> str:
    """``traffic.outboundPortExclusionList[443]``: in brackets what names an item of a list."""
    text = ""
    for step in path:
        plain = str(step).replace("_", "").replace("-", "")
        word = plain.isascii() and plain.isalnum() and plain[0].isalpha()
        if isinstance(step, Item) or (text and not word):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text


def _placed(side: Side, path: Path) -> str:
    place = side.place(path)
    return place_text(place) if place.line else ""


def _indexed(path: Path, data: Any, known: dict[int, dict[str, int]]) -> Path:  # noqa: ANN401  # decoded JSON
    """The path with the places of list items in place of their names.

    Args:
        path: with names.
        data: what it leads into.
        known: the places in the lists that were asked before, which live as long.
    """
    found: list[str | int] = []
    for step in path:
        if isinstance(data, list):
            if id(data) not in known:
                places = {id(item): at for at, item in enumerate(data)}
                named = _named(data) or {}
                known[id(data)] = {name: places[id(item)] for name, item in named.items()}
            index = known[id(data)].get(str(step), 0)
            found.append(index)
            data = data[index] if index < len(data) else None
        else:
            found.append(step)
            data = data.get(step) if isinstance(data, dict) else None
    return tuple(found)


def _setting_risk(path: Path, what: What, was: object, now: object) -> Risk | None:
    match path:
        case ("traffic", str() as name) if name in _SWITCHES:
            return _switched(name, was, now)
        case ("contracts", *rest) if _says_less(rest, what):
            return risk("contract-dropped")
        case ("guard", *_) if _weaker(was, now):
            return risk("guard-weakened")
        case ("fsmVersion",):
            return risk("release-changes")
        case ("system",):
            return risk("system-changes")
        case ("enrolledNamespaces", _) if what == "removed":
            return risk("namespace-leaves")
        case ("enrolledNamespaces", _, "sidecarInjection") if now is not True:
            return risk("namespace-leaves")
    return None


def _says_less(steps: list[str | int], what: What) -> bool:
    """Whether a change below ``contracts`` may free some connection of one that was bound.

    A contract that comes binds more; one profile more among its exceptions, less.
    """
    match steps:
        case [_, "reason" | "owner"]:
            return False
        case [_, "exceptProfiles", *_]:
            return what != "removed"
        case [_, _, *_]:
            return True
    return what in ("removed", "changed")


_STRENGTH: Final = {"warn": 1, "deny": 2}


def _weaker(was: object, now: object) -> bool:
    """Whether the guard does less than before; what is absent is off."""
    if isinstance(was, dict):
        after = now if isinstance(now, dict) else {}
        return any(_weaker(item, after.get(key)) for key, item in was.items())
    before, left = (_STRENGTH.get(str(one), 0) for one in (was, now))
    return left < before


def unlisted(
    changes: Iterable[SettingChange], environments: Environments, stack: str
) -> tuple[SettingChange, ...]:
    """The changes between the reference and a stack that nobody listed as allowed.

    Notes for people, and the order of entries, may differ always.
    """
    allowed = [
        one.path for one in environments.may_differ if not one.stacks or stack in one.stacks
    ]
    return tuple(
        change
        for change in changes
        if not change.inert and not any(_below(change.path, path) for path in allowed)
    )


def _below(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))


def object_changes(before: Side, after: Side) -> tuple[ObjectChange, ...]:
    """Every object that differs; of two sides only kinds that both have."""
    if before.objects is None or after.objects is None:
        return ()
    found = []
    told = before.settings is not None and after.settings is not None
    for key in sorted({*before.objects, *after.objects}):
        if any(side.kinds is not None and key[0] not in side.kinds for side in (before, after)):
            continue
        one, two = before.objects.get(key), after.objects.get(key)
        change = _of_object(key, one, two)
        if change is not None:
            left = change.what == "removed" and key in before.patched
            grade = _object_risk(change, left=left)
            if grade is None and not told and key[0] == "MeshConfig":
                grade = _switches(one, two)
            found.append(replace(change, risk=grade))
    return tuple(found)


def _of_object(key: Key, one: Json | None, two: Json | None) -> ObjectChange | None:
    kind, namespace, name = key
    if one is None or two is None:
        what: What = "added" if one is None else "removed"
        return ObjectChange(kind=kind, namespace=namespace, name=name, what=what)
    changes = tuple(_field(kind, name, found) for found in differences(one, two))
    if not changes:
        return None
    fixed = [
        change.path
        for change in changes
        for known in _FIXED.get(kind, ())
        if change.path == known or change.path.startswith((f"{known}.", f"{known}["))
    ]
    why = f"Kubernetes does not let {fixed[0]} change" if fixed else ""
    return ObjectChange(
        kind=kind,
        namespace=namespace,
        name=name,
        what="replaced" if fixed else "changed",
        fields=changes,
        why=why,
    )


def _field(kind: str, name: str, found: Difference) -> FieldChange:
    path, what, was, now = found
    repeats = kind == "ConfigMap" and name in _REPEATING and path[0] == "data"
    return FieldChange(
        path=_shown(path),
        what=what,
        before=None if was is ABSENT or repeats else _told(kind, was),
        after=None if now is ABSENT or repeats else _told(kind, now),
        repeats=repeats,
    )


def _told(kind: str, value: object) -> str:
    return _HIDDEN if kind == "Secret" else without_user(json_text(value))


def _object_risk(change: ObjectChange, *, left: bool) -> Risk | None:
    if change.what == "replaced":
        return risk("object-replaced")
    if change.what == "removed" and change.kind == "Namespace":
        return risk("namespace-leaves") if left else risk("object-removed")
    if change.what == "removed" and change.kind in _NEEDED:
        return risk("object-removed")
    return None


def _switches(before: Json | None, after: Json | None) -> Risk | None:
    """What a MeshConfig opens or closes, where no settings on both sides say it."""
    one, two = (
        mapping(mapping(mapping(item).get("spec")).get("traffic")) for item in (before, after)
    )
    found = (_switched(name, one.get(name), two.get(name)) for name in _SWITCHES)
    return next((one for one in found if one is not None), None)


def _switched(name: str, was: object, now: object) -> Risk | None:
    """What a switch of the traffic section does; FSM takes an absent one as off."""
    opens, closes = _SWITCHES[name]
    if (was is True) == (now is True):
        return None
    return risk(opens if now is True else closes)
