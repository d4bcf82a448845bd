"""The MeshConfig: there, with the declared lists, and otherwise as declared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity
from fsm_stack.iptables.sets.ranges import canonical
from fsm_stack.lists import KEYS
from fsm_stack.snapshot.shape import mapping, text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.control_plane import require_installed
from fsm_stack.verify.commands import apply, command
from fsm_stack.verify.drift import ABSENT, drifts, expected_writer, writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.drift import Drift
    from fsm_stack.yaml import Json


_MODE: Final = "spec.traffic.interceptionMode"
_LIST_PATHS: Final = tuple(f"spec.traffic.{name}" for name in KEYS)


def live(context: Context) -> Json:
    """The cluster's MeshConfig.

    Raises:
        NotRun: there is none.
    """
    item = context.snapshot.mesh_config(context.system, context.expected.mesh.namespace)
    if item is None:
        raise NotRun(f"MeshConfig {context.system.mesh_config_name} is not there")
    return item


def place(context: Context) -> str:
    """How reports name the MeshConfig."""
    return f"MeshConfig {context.expected.mesh.namespace}/{context.system.mesh_config_name}"


def present(context: Context) -> Iterator[Finding]:
    """The MeshConfig that the programs read is in the control plane's namespace."""
    mesh, system = context.expected.mesh, context.system
    if context.snapshot.mesh_config(system, mesh.namespace) is None:
        require_installed(context)
        others = sorted(
            f"{about.get('namespace')}/{about.get('name')}"
            for item in context.snapshot.mesh_configs
            if (about := item.get("metadata") or {})
        )
        yield found(
            "cluster-mesh-config",
            f"no MeshConfig {system.mesh_config_name} in namespace {mesh.namespace}",
            place=place(context),
            evidence=f"there are: {', '.join(others)}" if others else "there is no MeshConfig",
        )


def lists(context: Context) -> Iterator[Finding]:
    """The five lists hold what is declared, by meaning: order and repetition do not matter."""
    item = live(context)
    wanted = declared_lists(context)
    has = mapping(mapping(item.get("spec")).get("traffic"))
    for name in KEYS:
        if name not in wanted:
            continue
        declared, there = _entries(wanted[name]), _entries(has.get(name))
        missing = [entry for entry in declared if entry not in there]
        extra = [entry for entry in there if entry not in declared]
        if not missing and not extra:
            continue
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has {', '.join(extra)}, which is not declared"] if extra else []
        who = writers(item, f"spec.traffic.{name}")
        written = f"; last written by {who[0]}" if who else ""
        yield found(
            "cluster-lists",
            f"{name} {' and '.join(parts)}{written}",
            place=f"{place(context)} spec.traffic.{name}",
            evidence=f"declared {wanted[name]}, live {has.get(name) or []}",
            fix=list_fix(context, item, name, wanted[name]),
        )


def declared_lists(context: Context) -> Json:
    """The five lists that the MeshConfig should have: declared, or as the stack recorded them.

    Raises:
        NotApplicable: nothing tells.
    """
    if context.expected.declared:
        traffic = (context.expected.settings or {}).get("traffic") or {}
        return {name: traffic.get(name) or [] for name in KEYS}
    data = (context.snapshot.redirection or {}).get("data") or {}
    try:
        known = json.loads(data.get("redirection.json") or "null")
        recorded = known["mesh"]["lists"]
    except (ValueError, TypeError, KeyError):
        raise NotApplicable(
            "nothing is declared outside the cluster: name a STACK, or use --against"
        ) from None
    return {name: recorded[name] for name in KEYS if isinstance(recorded.get(name), list)}


def _entries(values: object) -> list[str]:
    """Values as text, ranges by the addresses that they match, each once."""
    texts = [str(value) for value in values] if isinstance(values, list | tuple) else []
    return list(dict.fromkeys(canonical(text) or text for text in texts))


def list_fix(context: Context, item: Json, name: str, values: list[object]) -> str:
    """What gives a list of the cluster's MeshConfig these values, or declares what it has."""
    if context.expected.origin != "stack":
        return _patch(context, name, values)
    return f"{apply(context, item, f'spec.traffic.{name}')}, or declare what it has."


def _patch(context: Context, name: str, values: list[object]) -> str:
    change = json.dumps({"spec": {"traffic": {name: values}}})
    mesh, system = context.expected.mesh, context.system
    return command(
        "kubectl", "patch", "meshconfig", system.mesh_config_name, "-n", mesh.namespace,
        "--type=merge", "-p", change,
    )  # fmt: skip


def drift(context: Context) -> Iterator[Finding]:
    """Every other setting of the MeshConfig is as declared."""
    if not context.expected.declared or context.expected.settings is None:
        raise NotApplicable(
            "nothing is declared outside the cluster: name a STACK, or use --against"
        )
    item = live(context)
    declared = {"spec": context.expected.settings}
    version, ours = text(item.get("apiVersion")), context.system.mesh_config_api_version
    lacks = []
    for one in drifts(declared, {"spec": item.get("spec") or {}}):
        if one.path.startswith(_LIST_PATHS):
            continue  # the check of the lists says it
        if one.live is ABSENT and version not in {"", ours}:
            lacks.append(one.path)
            continue
        yield from drift_finding(context, "cluster-mesh-config-drift", item, one, place(context))
    if lacks:
        yield found(
            "cluster-mesh-config-drift",
            f"it is of {version}, {ours} is declared: {counted(len(lacks), 'declared setting')} "
            "that it does not have may be none of that version, and did not count as a difference",
            place=place(context),
            evidence=", ".join(lacks),
            fix="None.",
            severity=Severity.INFO,
        )


def drift_finding(
    context: Context, check_id: str, item: Json, one: Drift, where: str
) -> Iterator[Finding]:
    """A field that differs; one that another program writes on purpose is information only."""
    foreign = expected_writer(one.path, _of_object(context, item))
    severity = Severity.INFO if one.declared is ABSENT else None
    who = writers(item, one.path)
    written = f", written by {', '.join(who)}" if who else ""
    if foreign is not None and one.declared is ABSENT:
        return  # nothing of ours differs
    if foreign is not None:
        yield found(
            check_id,
            f"{one.path} is {foreign.writer}'s on purpose: {foreign.why}",
            place=where,
            evidence=_shown(one),
            fix="None.",
            severity=Severity.INFO,
        )
        return
    yield found(
        check_id,
        f"{one.path} differs from what is declared{written}",
        place=where,
        evidence=_shown(one),
        fix=f"{apply(context, item, one.path)}, or declare it."
        if one.declared is not ABSENT
        else "Declare it, or let who wrote it remove it: to apply what is declared does not.",
        severity=Severity.ERROR if _decides_injection(context, one) else severity,
    )


def _decides_injection(context: Context, one: Drift) -> bool:
    """Whether new pods get an init container under one of the two values, and not the other."""
    if one.path != _MODE or one.live is ABSENT:
        return False
    declared = "" if one.declared is ABSENT else str(one.declared)
    return context.system.intercepts(declared) != context.system.intercepts(str(one.live))


def _of_object(context: Context, item: Json) -> list[Any]:
    name = (item.get("metadata") or {}).get("name")
    return [
        known
        for known in context.expected.foreign
        if known.kind == item.get("kind") and known.name == name
    ]


def _shown(one: Drift) -> str:
    def text(value: object) -> str:
        return "nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False)

    return f"declared {text(one.declared)}, live {text(one.live)}"


CHECKS: Final = (
    Check(
        id="cluster-mesh-config",
        title="the MeshConfig is in the control plane's namespace",
        needs=(Part.MESH_CONFIG,),
        run=present,
    ),
    Check(
        id="cluster-lists",
        title="the MeshConfig's five lists are those declared",
        needs=(Part.MESH_CONFIG,),
        run=lists,
    ),
    Check(
        id="cluster-mesh-config-drift",
        title="the MeshConfig's other settings are those declared",
        needs=(Part.MESH_CONFIG,),
        run=drift,
    ),
)
