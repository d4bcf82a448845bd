"""What will become of one pod: the decision, the pod, its script, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import finding, in_order
from fsm_stack.injector.decision import (
    Decision,
    NamespaceView,
    admit,
    assumed_namespace,
    webhook_skips,
)
from fsm_stack.injector.go_values import trim
from fsm_stack.injector.pod import native_sidecars
from fsm_stack.injector.profile import Refusal
from fsm_stack.workloads.lint import Subject, lint
from fsm_stack.workloads.lint.subject import annotation_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.annotations import Interception
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation
    from fsm_stack.workloads.lint import ClusterRanges


# Kubernetes fills it in before it asks webhooks. Source: plugin/pkg/admission/serviceaccount.
_SERVICE_ACCOUNT: Final = "default"
# Refused values of one pod that are left out, one after the other, to see what is behind them.
_REFUSALS_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One pod's future.

    Attributes:
        decision: injected, left alone or refused, and why.
        given: the pod before.
        mutation: the pod after, in parts; None where it is left alone or refused.
        findings: what is wrong, or worth knowing.
        expected_ready: the count that kubectl shows when all is well, as in 3/3; 0 where refused.
    """

    decision: Decision
    given: Mapping[str, Any]
    mutation: Mutation | None = None
    findings: tuple[Finding, ...] = ()
    expected_ready: int = 0

    @property
    def pod(self) -> Mapping[str, Any]:
        """The pod as it will run; the given one where it is left alone or refused."""
        return self.given if self.mutation is None else self.mutation.plain()

    @property
    def interception(self) -> Interception | None:
        """The init container's lists, merged, and its script; None: no init container."""
        return None if self.mutation is None else self.mutation.interception

    @property
    def script(self) -> str | None:
        """The init container's script; None: no init container."""
        found = self.interception
        return None if found is None else found.script

    @property
    def secret(self) -> str | None:
        """The name of the bootstrap Secret that the injector makes."""
        return None if self.mutation is None else self.mutation.secret


def preview(
    pod: Mapping[str, Any],
    *,
    mesh: MeshView,
    namespace: NamespaceView | None = None,
    proxy_id: UUID | str,
    ranges: ClusterRanges | None = None,
    check: bool = True,
) -> Preview:
    """What the webhook and the injector make of a pod that is created now.

    Args:
        pod: a Pod, or the pod that a template stands for; never changed.
        mesh: whose injector, from :func:`fsm_stack.injector.of_settings.mesh_of`.
        namespace: where it is created; assumed to be enrolled if absent.
        proxy_id: the id that the injector would draw at random.
        ranges: the cluster's pod and service ranges, for the checks of exclusions.
        check: look for everything that is wrong; otherwise only refusals are found.

    Returns:
        The preview; a refusal is in its decision and findings, never raised.
    """
    place = namespace or assumed_namespace(_namespace_name(pod), mesh)
    mutation: Mutation | None = None
    refusal: Refusal | None = None
    decision = webhook_skips(place, mesh)
    if decision is None:
        try:
            decision, mutation = admit(
                pod,
                mesh=mesh,
                namespace=place,
                proxy_id=str(proxy_id),
                service_account=_SERVICE_ACCOUNT,
            )
        except Refusal as error:
            refusal = error
            decision = Decision(
                outcome="refuse", why=error.message, steps=error.steps, message=error.message
            )
    if place.assumed:
        decision = _assuming(decision, place.name)
    found: tuple[Finding, ...] = ()
    if check:
        left_alone = decision.outcome == "leave"
        seen = mutation
        if refusal is not None:
            seen = _without_refused(pod, refusal, mesh=mesh, place=place, proxy_id=str(proxy_id))
        subject = Subject.of(
            pod,
            mesh=mesh,
            namespace=place,
            mutation=seen,
            left_alone=left_alone,
            ranges=ranges,
        )
        found = tuple(lint(subject))
        if left_alone:
            found = (*found, finding("not-injected", f"not injected: {decision.why}"))
    if refusal is not None and not any(
        item.id == refusal.rule_id and item.place.path == refusal.path for item in found
    ):
        found = (refusal.as_finding(), *found)
    if mutation is not None:
        ready = mutation.ready_count()
    else:
        ready = 0 if decision.outcome == "refuse" else ready_count(pod)
    return Preview(
        decision=decision,
        given=pod,
        mutation=mutation,
        findings=in_order(found) if found else (),
        expected_ready=ready,
    )


def _assuming(decision: Decision, namespace: str) -> Decision:
    """A decision whose steps say that the namespace is not known."""
    known = f"namespace {namespace} is enrolled in the mesh"
    assumed = f"namespace {namespace} is not in the input: assumed to be enrolled in the mesh"
    of_namespace = f"namespace {namespace}: "
    steps = tuple(
        assumed
        if step == known
        else f"{step}, assumed too"
        if step.startswith(of_namespace)
        else step
        for step in decision.steps
    )
    return replace(decision, steps=steps)


def _without_refused(
    pod: Mapping[str, Any],
    refusal: Refusal,
    *,
    mesh: MeshView,
    place: NamespaceView,
    proxy_id: str,
) -> Mutation | None:
    """What the injector would make of a pod without its refused values, for the checks alone.

    So one wrong value hides no other finding. None where the refusal is not about such values.
    """
    for _ in range(_REFUSALS_MAX):
        metadata = pod.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        key = refusal.path.removeprefix(annotation_path(""))
        if not isinstance(metadata, dict) or not isinstance(annotations, dict):
            return None
        if key == refusal.path or not isinstance(annotations.get(key), str):
            return None
        parts = [part for part in annotations[key].split(",") if trim(part) != refusal.value]
        rest = {name: value for name, value in annotations.items() if name != key}
        if parts and ",".join(parts) != annotations[key]:
            rest[key] = ",".join(parts)
        pod = {**pod, "metadata": {**metadata, "annotations": rest}}
        try:
            _, mutation = admit(
                pod,
                mesh=mesh,
                namespace=place,
                proxy_id=proxy_id,
                service_account=_SERVICE_ACCOUNT,
            )
        except Refusal as error:
            refusal = error
        else:
            return mutation
    return None


def _namespace_name(pod: Mapping[str, Any]) -> str:
    metadata = pod.get("metadata")
    name = metadata.get("namespace") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else "default"


def ready_count(pod: Mapping[str, Any]) -> int:
    """The READY count of a pod as it is."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return 0
    containers = spec.get("containers")
    own = len(containers) if isinstance(containers, list) else 0
    return own + native_sidecars(spec.get("initContainers"))
