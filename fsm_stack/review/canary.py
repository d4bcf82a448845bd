"""A change of the mesh's lists as a canary: whether pods' annotations can say it, proved.

The proof is of scripts. For every class of pods the script with the entries as annotations, in the
mesh as it is, gives each connection the fate that the script after promotion gives it. So a pod of
the canary needs no second restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.errors import InputError, few
from fsm_stack.findings.finding import Severity, finding
from fsm_stack.injector.annotations import interception, keys_of
from fsm_stack.iptables.sets.ranges import canonical
from fsm_stack.lists import LISTS, POD_IP_MODE, POD_LISTS, Lists
from fsm_stack.manifests.canary import BETA, BETA_SINCE, STABLE, STABLE_SINCE, patch, tried
from fsm_stack.redirection.origins import pod_annotations
from fsm_stack.settings.effective import EVERYWHERE, profile_lists, register
from fsm_stack.settings.models.traffic import Traffic
from fsm_stack.snapshot.snapshot import OWNER_KINDS
from fsm_stack.verify.canary import before_of, other_fate, template_of
from fsm_stack.verify.checks.owners import decided
from fsm_stack.verify.each import is_injected
from fsm_stack.verify.restarting.mend import restart_of
from fsm_stack.verify.restarting.next_pod import why_not

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.lists import ListName
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json

By = Literal["policy", "templates"]
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Pods that carry the same redirection annotations.

    Attributes:
        title: whose they are, for people.
        annotations: theirs, without any canary's.
    """

    title: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What makes pods of the mesh in the namespace, and is restarted.

    Attributes:
        kind: ``Deployment`` and so on.
        name: its name.
        patch: what gives its pod template the entries.
        restart: the command that makes its pods anew; empty: it has none.
    """

    kind: str
    name: str
    patch: Json
    restart: str


_STEPS: Final = (
    "Give it to the workloads that use it by an annotation profile first. Then take it out of the "
    "list, and off one workload after the other."
)


def change(before: MeshView, after: MeshView) -> tuple[Lists, tuple[Finding, ...]]:
    """What a change adds to the lists that pods have, and what of it no annotation can say.

    Args:
        before: the mesh as it is.
        after: the mesh as it is to be.
    """
    found = list(_modes(before, after))
    adds: dict[str, tuple[Any, ...]] = {}
    for name in LISTS:
        was, now = _keyed(name, before), _keyed(name, after)
        lost = [value for key, value in was.items() if key not in now]
        more = tuple(value for key, value in now.items() if key not in was)
        place = f"spec.traffic.{name.key}"
        if lost:
            found.append(finding(
                "canary-refused",
                f"{name.key} loses {_shown(lost)}: an annotation adds to the mesh's list, and "
                "takes nothing away from it",
                path=place,
                fix=_STEPS if name.annotation else "",
            ))  # fmt: skip
        if more and not name.annotation:
            found.append(finding(
                "canary-refused",
                f"{name.key} gains {_shown(more)}: pods have no annotation for {name.title}s",
                path=place,
            ))  # fmt: skip
        elif more:
            adds[name.field] = more
    return Lists(**adds), tuple(found)


def _modes(before: MeshView, after: MeshView) -> Iterator[Finding]:
    """What decides a script beside the lists, by what it does: an absent mode is a mode, too."""
    system = before.system
    for path, was, now, same in (
        (
            "spec.traffic.interceptionMode",
            before.interception_mode,
            after.interception_mode,
            system.intercepts(before.interception_mode)
            == system.intercepts(after.interception_mode),
        ),
        (
            "spec.sidecar.localProxyMode",
            before.local_proxy_mode,
            after.local_proxy_mode,
            (before.local_proxy_mode == POD_IP_MODE) == (after.local_proxy_mode == POD_IP_MODE),
        ),
        (
            "spec.sidecar.localDNSProxy.enable",
            before.dns_proxy,
            after.dns_proxy,
            before.dns_proxy == after.dns_proxy or not system.has_dns_rule,
        ),
    ):
        if not same:
            yield finding(
                "canary-refused",
                f"it changes from {was!r} to {now!r}: no annotation of a pod does that",
                path=path,
            )
    if not system.intercepts(before.interception_mode):
        yield finding(
            "canary-refused",
            f"interceptionMode is {before.interception_mode!r}: no list counts, pods' neither",
            path="spec.traffic.interceptionMode",
        )


def _keyed(name: ListName, mesh: MeshView) -> dict[object, Any]:
    """Entries by what they mean: a range with host bits is the one that the kernel takes."""
    return {
        (canonical(str(value)) or value) if name.holds == "ranges" else str(value): value
        for value in mesh.lists.entries(name)
    }


def _shown(values: Iterable[object]) -> str:
    return few(values, _SHOWN)


def carriers(settings: StackSettings, context: Context | None, namespace: str) -> list[Carrier]:
    """Every way in which pods carry lists of their own: none, the stack's profiles, what is there.

    Args:
        settings: the stack.
        context: what was read of the namespace; None: nothing.
        namespace: whose pods.
    """
    found = [Carrier(title="pods without annotations", annotations={})]
    found += [
        Carrier(
            title=f"profile {name}",
            annotations=pod_annotations(profile_lists(settings, name), settings.profile),
        )
        for name in sorted(settings.annotation_profiles)
    ]
    if context is None:
        return found
    known = keys_of(settings.profile).lists
    by_values = {tuple(map(one.annotations.get, known)): one for one in found}
    there: dict[tuple[str | None, ...], list[str]] = {}
    for title, carries in _there(context, namespace):
        there.setdefault(tuple(map(carries.get, known)), []).append(title)
    for values, titles in there.items():
        own = {key: value for key, value in zip(known, values, strict=True) if value is not None}
        shared = f"{by_values[values].title}: " if values in by_values else ""
        by_values[values] = Carrier(title=f"{shared}{_shown(titles)}", annotations=own)
    return list(by_values.values())


def _there(context: Context, namespace: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What makes pods of the mesh in a namespace: templates, and pods whose template is unread."""
    for (kind, place, name), item in sorted(context.snapshot.owners.items()):
        if place == namespace and _injected(context, place, item):
            yield f"{kind} {name}", template_of(item)
    for pod in context.pods:
        owner = (pod.owner.kind, pod.namespace, pod.owner.name) if pod.owner else None
        if pod.namespace != namespace or owner in context.snapshot.owners:
            continue
        if is_injected(pod, context) and not (pod.over or pod.deleted):
            yield f"pod {pod.name}", pod.annotations


def _injected(context: Context, namespace: str, owner: Json) -> bool:
    spec = ((owner.get("spec") or {}).get("template") or {}).get("spec") or {}
    decision = decided(context, namespace, template_of(owner),
                       host_network=spec.get("hostNetwork") is True)  # fmt: skip
    return decision is None or decision.outcome != "leave"


def owners(context: Context, namespace: str, adds: Mapping[str, str]) -> tuple[Owner, ...]:
    """What makes the namespace's pods of the mesh, with what puts the entries into it."""
    pods: dict[tuple[str, str, str], Pod] = {}
    for pod in context.pods:
        if pod.owner is not None and is_injected(pod, context):
            pods.setdefault((pod.owner.kind, pod.namespace, pod.owner.name), pod)
    found, source = [], context.snapshot.source.kubectl_context
    for key, item in sorted(context.snapshot.owners.items()):
        kind, place, name = key
        if kind in OWNER_KINDS and place == namespace and _injected(context, place, item):
            own = template_of(item)
            earlier = {one: own.get(one) for one in before_of(item)}
            again = restart_of(pods[key], context, place=source) if key in pods else ""
            made = patch(own, adds, earlier=earlier)
            found.append(Owner(kind=kind, name=name, patch=made, restart=again))
    return tuple(found)


def proof(
    carried: Iterable[Carrier], adds: Mapping[str, str], before: MeshView, after: MeshView
) -> Iterator[Finding]:
    """What keeps a class of pods from being a canary; nothing: every class has the same rules.

    Args:
        carried: the classes.
        adds: the entries, as annotations.
        before: the mesh as it is.
        after: the mesh as it is to be.
    """
    for one in carried:
        first = why_not(one.annotations, before)
        more = tried(one.annotations, adds)
        if first:
            yield finding(
                "canary-stops",
                f"{one.title}: already now {first}",
                path=one.title,
                severity=Severity.WARNING,
            )
        elif why := why_not(more, before):
            own = {key: one.annotations[key] for key in adds if key in one.annotations}
            beside = f" beside their own {_shown(own.values())}" if own else ""
            yield finding(
                "canary-stops",
                f"{one.title}: with the new entries{beside} the next pods would not start: {why}",
                path=one.title,
            )
        elif why := other_fate(
            interception(more, before).script, interception(one.annotations, after).script
        ):
            yield finding("canary-differs", f"{one.title}: {why}", path=one.title)


def unregistered(settings: StackSettings, adds: Lists, namespace: str) -> Iterator[Finding]:
    """What the stack's guard refuses of a canary's pods: the cluster's register is of before."""
    if settings.guard.bypasses != "deny":
        return
    registered = register(settings.model_copy(update={"traffic": Traffic()})) or {}
    known = [registered[place] for place in (EVERYWHERE, namespace) if place in registered]
    for name in POD_LISTS:
        more = [
            value
            for value in adds.entries(name)
            if not any(value in lists.entries(name) for lists in known)
        ]
        if more:
            yield finding(
                "canary-stops",
                f"the guard refuses pods with {_shown(more)} in their annotations",
                path=f"guard.allow {name.key}",
                fix=f"Name it in guard.allow for namespace {namespace}, and bring that up first.",
            )


def way(minor: int, served: str | None, by: By | None) -> tuple[By, str]:
    """What gives new pods the entries, and the API version of a policy.

    Args:
        minor: of the cluster's declared Kubernetes version.
        served: the version in which the cluster serves policies; empty: in none; None: not asked.
        by: what was asked for; None: whatever the cluster can.

    Raises:
        InputError: a policy was asked for, and the cluster has none.
    """
    if by == "templates":
        return by, ""
    known = served
    if known is None:
        known = STABLE if minor >= STABLE_SINCE else ""
        if by == "policy" and BETA_SINCE <= minor < STABLE_SINCE:
            known = BETA  # behind a gate, which no file tells
    if known:
        return "policy", known
    if by is None:
        return "templates", ""
    where = f"Kubernetes 1.{minor} has" if served is None else "the cluster serves"
    raise InputError(
        f"--by policy: {where} no MutatingAdmissionPolicy: expected 1.{STABLE_SINCE}, or "
        f"1.{BETA_SINCE} with the feature gate MutatingAdmissionPolicy and "
        f"--runtime-config={BETA}=true"
    )
