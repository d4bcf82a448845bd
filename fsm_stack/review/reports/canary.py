"""A canary before it begins: what was proved, then its objects or commands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError, few
from fsm_stack.findings.finding import Severity, finding, harmless
from fsm_stack.injector.decision import webhook_skips
from fsm_stack.lists import KEYS
from fsm_stack.manifests.canary import objects
from fsm_stack.redirection.origins import pod_annotations
from fsm_stack.review.canary import carriers, change, owners, proof, unregistered, way
from fsm_stack.verify.commands import kubectl
from fsm_stack.verify.drift import drifts
from fsm_stack.verify.redirecting import redirecting_mesh
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.review.canary import By, Owner
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.verify.check import Context
    from fsm_stack.yaml import Json

_DIFFERENCES_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be tried.

    Attributes:
        title: the two sides, for people.
        namespace: whose new pods try it.
        settings: the stack.
        before: the ``spec`` of the MeshConfig as it is.
        after: the same as it is to be.
        context: what was read of the namespace; None: nothing.
        by: what gives pods the entries; None: what the cluster can.
        served: the API version in which the cluster serves policies; empty: in none; None: not
            asked.
    """

    title: str
    namespace: str
    settings: StackSettings
    before: Json
    after: Json
    context: Context | None = None
    by: By | None = None
    served: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A canary that has not begun.

    Attributes:
        asked: what is to be tried.
        adds: the entries, as annotations of pods.
        proved: the classes of pods whose rules were compared.
        findings: what keeps it from beginning.
        by: what gives new pods the entries.
        objects: the policy and its binding; none by templates.
        owners: what makes the namespace's pods, as far as it was read.
        others: paths of the MeshConfig that change, too, and are not tried.
        place: the kubeconfig's context, for commands.
    """

    asked: Asked
    adds: Mapping[str, str]
    proved: tuple[str, ...]
    findings: tuple[Finding, ...]
    by: By
    objects: tuple[Json, ...] = ()
    owners: tuple[Owner, ...] = ()
    others: tuple[str, ...] = ()
    place: str = ""

    @property
    def begins(self) -> bool:
        """Whether there is something to try, and nothing in its way."""
        return bool(self.adds) and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether something is in its way; what is wrong already is not."""
        return any(item.severity is Severity.ERROR for item in self.findings)

    def patches(self) -> Iterator[str]:
        """The commands that put the entries into pod templates, and so restart their pods."""
        for one in self.owners:
            words = json.dumps(one.patch, separators=(",", ":"))
            yield kubectl("patch", one.kind.lower(), one.name, "-n", self.asked.namespace,
                          "--type=merge", "-p", words, context=self.place)  # fmt: skip

    def restarts(self) -> tuple[str, ...]:
        """The commands that make the namespace's pods anew once the policy is in force."""
        return tuple(one.restart for one in self.owners if one.restart)

    def head(self) -> Iterator[str]:
        """What is tried, and what was proved of it."""
        yield f"canary of namespace {self.asked.namespace}: {harmless(self.asked.title)}"
        yield from (f"adds {key} {entries}" for key, entries in self.adds.items())
        if not self.adds and not self.stopped:
            yield "nothing to try: no list of the mesh gains an entry"
        if self.begins:
            yield (
                "proved: every connection has the fate that it has after promotion, so that no "
                "pod of the canary restarts twice:"
            )
            yield from (f"  {harmless(title)}" for title in self.proved)
        if self.asked.context is None and self.adds:
            yield f"the workloads of namespace {self.asked.namespace} were not read"
        if self.others:
            yield f"not tried: {few(self.others, _DIFFERENCES_SHOWN)}"

    def text(self) -> str:
        """What ``kubectl apply -f -`` takes, or a shell does; the rest stands in comments."""
        lines = [f"# {line}" for line in self.head()]
        if not self.begins:
            return "".join(f"{line}\n" for line in lines)
        if self.by == "templates":
            lines += ["# each starts the rollout of its pods", *self.patches()]
            return "".join(f"{line}\n" for line in lines)
        lines += [
            "# apply it; a moment later, when it is in force, make the pods anew:",
            *(f"#   {one}" for one in self.restarts()),
        ]
        return "".join(f"{line}\n" for line in lines) + "".join(
            f"---\n{dump(one)}" for one in self.objects
        )

    def as_json(self) -> dict[str, Any]:
        """A plain mapping."""
        begins = self.begins
        return {
            "namespace": self.asked.namespace,
            "title": self.asked.title,
            "adds": dict(self.adds),
            "by": self.by,
            "begins": begins,
            "proved": list(self.proved) if begins else [],
            "objects": list(self.objects) if begins else [],
            "patches": [
                {"kind": one.kind, "name": one.name, "patch": one.patch} for one in self.owners
            ]
            if begins and self.by == "templates"
            else [],
            "restart": list(self.restarts()) if begins and self.by == "policy" else [],
            "notTried": list(self.others),
            "findings": [item.as_json() for item in self.findings],
        }


def plan(asked: Asked) -> Plan:
    """Whether a change can be tried, and with what.

    Raises:
        InputError: what was asked for needs a cluster, or another one.
    """
    settings, context = asked.settings, asked.context
    before, after = (
        redirecting_mesh(
            settings.profile, spec, name=settings.mesh_name, namespace=settings.namespace
        )
        for spec in (asked.before, asked.after)
    )
    by, version = way(settings.cluster.kubernetes_minor, asked.served, asked.by)
    if by == "templates" and context is None:
        raise InputError(
            f"Kubernetes {settings.cluster.kubernetes_version} needs --by templates, and their "
            "workloads: expected a cluster, or --from FILE, in place of --against"
        )
    lists, refused = change(before, after)
    adds = pod_annotations(lists, settings.profile)
    carried = carriers(settings, context, asked.namespace)
    outside = tuple(_outside(asked))
    guarded = unregistered(settings, lists, asked.namespace)
    proved = () if refused else proof(carried, adds, before, after)
    ends = (*refused, *outside, *guarded, *proved)
    return Plan(
        asked=asked,
        adds=adds,
        proved=tuple(one.title for one in carried),
        findings=ends,
        by=by,
        objects=objects(asked.namespace, adds, api_version=version) if by == "policy" else (),
        owners=owners(context, asked.namespace, adds) if context is not None else (),
        others=tuple(_others(asked)),
        place=context.snapshot.source.kubectl_context if context is not None else "",
    )


def _outside(asked: Asked) -> Iterator[Finding]:
    """That the namespace's pods get no sidecar: there is nothing that could be tried."""
    context = asked.context
    known = None if context is None else context.namespaces.get(asked.namespace)
    if context is None or known is None:
        return
    skipped = webhook_skips(known, context.expected.mesh)
    if skipped is not None:
        yield finding(
            "canary-refused",
            f"namespace {asked.namespace} is not in the mesh: {skipped.why}",
            path=f"namespace {asked.namespace}",
        )


def _others(asked: Asked) -> Iterator[str]:
    """What changes beside the lists: a canary's pods do not have it."""
    lists = {f"spec.traffic.{key}" for key in KEYS}
    for one in drifts(asked.after, asked.before, "spec"):
        if one.path.partition("[")[0] not in lists:
            yield one.path
