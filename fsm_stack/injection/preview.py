"""What will become of one pod: the decision, the pod, its script, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsm_stack.findings import finding, in_order
from fsm_stack.injection.admission import admit
from fsm_stack.injection.decision import Decision, webhook_skips
from fsm_stack.injection.lint import Subject, lint
from fsm_stack.injection.namespace import NamespaceView, assumed_namespace
from fsm_stack.injection.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from fsm_stack.findings import Finding
    from fsm_stack.injection.lint.subject import ClusterRanges
    from fsm_stack.injection.mesh import MeshView
    from fsm_stack.injection.mutation import Mutation
    from fsm_stack.iptables.lists import InterceptLists


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One pod's future.

    Attributes:
        decision: injected, left alone or refused, and why.
        pod: as it will run; the given one where it is left alone or refused.
        findings: what is wrong, or worth knowing.
        lists: the redirection's lists, merged; None: no init container.
        script: the init container's script; None: no init container.
        expected_ready: the count that kubectl shows when all is well, as in 3/3; 0 where refused.
        secret: the name of the bootstrap Secret that the injector makes.
    """

    decision: Decision
    pod: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    lists: InterceptLists | None = None
    script: str | None = None
    expected_ready: int = 0
    secret: str | None = None


def preview(
    pod: Mapping[str, Any],
    *,
    mesh: MeshView,
    namespace: NamespaceView | None = None,
    proxy_id: UUID | str,
    ranges: ClusterRanges | None = None,
) -> Preview:
    """What the webhook and the injector make of a pod that is created now.

    Args:
        pod: a Pod, or the pod that a template stands for; never changed.
        mesh: whose injector, from :func:`fsm_stack.injection.of_settings.mesh_of`.
        namespace: where it is created; assumed to be enrolled if absent.
        proxy_id: the id that the injector would draw at random.
        ranges: the cluster's pod and service ranges, for the checks of exclusions.

    Returns:
        The preview; a refusal is in its decision and findings, never raised.
    """
    place = namespace or assumed_namespace(_namespace_name(pod), mesh)
    mutation: Mutation | None = None
    refusal: Refusal | None = None
    decision = webhook_skips(place, mesh)
    if decision is None:
        try:
            decision, mutation = admit(pod, mesh=mesh, namespace=place, proxy_id=str(proxy_id))
        except Refusal as error:
            refusal = error
            decision = Decision(outcome="refuse", why=error.message, message=error.message)
    found = tuple(
        lint(Subject.of(pod, mesh=mesh, namespace=place, mutation=mutation, ranges=ranges))
    )
    if refusal is not None and not any(
        item.id == refusal.rule_id and item.place.path == refusal.path for item in found
    ):
        found = (refusal.as_finding(), *found)
    if decision.outcome == "leave":
        found = (*found, finding("not-injected", f"not injected: {decision.why}"))
    result = pod if mutation is None else mutation.plain()
    shown = mutation.interception if mutation is not None else None
    return Preview(
        decision=decision,
        pod=result,
        findings=in_order(found),
        lists=shown.lists if shown else None,
        script=shown.script if shown else None,
        expected_ready=0 if decision.outcome == "refuse" else ready_count(result),
        secret=mutation.secret if mutation is not None else None,
    )


def _namespace_name(pod: Mapping[str, Any]) -> str:
    metadata = pod.get("metadata")
    name = metadata.get("namespace") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else "default"


def ready_count(pod: Mapping[str, Any]) -> int:
    """How many containers kubectl counts in its READY column: native sidecars are among them.

    Source: kubernetes pkg/printers/internalversion, printPod.
    """
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return 0
    containers, init = spec.get("containers"), spec.get("initContainers")
    native = [
        item
        for item in (init if isinstance(init, list) else ())
        if isinstance(item, dict) and item.get("restartPolicy") == "Always"
    ]
    return (len(containers) if isinstance(containers, list) else 0) + len(native)
