"""The injector's answer to one admission request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.injector.decision import Decision, decide
from fsm_stack.injector.mutate import label_only, mutate
from fsm_stack.injector.mutation import Mutation, Pod
from fsm_stack.injector.pod_fields import mapping, texts
from fsm_stack.injector.profile import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.decision import NamespaceView
    from fsm_stack.injector.mesh import MeshView

VIRTUAL_MACHINE: Final = ("machine.flomesh.io/v1alpha1", "VirtualMachine")


def admit(
    pod: Mapping[str, Any],
    *,
    mesh: MeshView,
    namespace: NamespaceView,
    proxy_id: str,
    dry_run: bool = False,
    secrets: Mapping[str, bool] | None = None,
    service_account: str = "",
) -> tuple[Decision, Mutation | None]:
    """What the handler behind the webhook does with a pod.

    The webhook's selectors are not asked; :func:`fsm_stack.injector.decision.webhook_skips` does.

    Args:
        pod: the request's object: a Pod, or FSM's VirtualMachine.
        mesh: whose injector.
        namespace: the request's, as the cluster has it.
        proxy_id: the id that the injector would draw.
        dry_run: the request's flag.
        secrets: see :func:`fsm_stack.injector.mutate.mutate`.
        service_account: what Kubernetes has filled in where the pod names none.

    Returns:
        The decision, and the mutation where it is to inject.

    Raises:
        Refusal: the pod is not created.
    """
    if mesh.sidecar_kind is None:
        raise Refusal(
            f"the injector does not start: sidecar class {mesh.sidecar_class!r} is unknown, "
            "expected pipy or envoy",
            rule_id="unknown-sidecar-class",
            value=mesh.sidecar_class,
        )
    machine = (pod.get("apiVersion"), pod.get("kind")) == VIRTUAL_MACHINE
    if machine and mesh.system.injects_virtual_machines:
        metadata = mapping(pod.get("metadata"), "VirtualMachine.metadata", "v1.ObjectMeta")
        annotations = texts(metadata.get("annotations"), "ObjectMeta.metadata.annotations")
        decision = decide(annotations, host_network=False, namespace=namespace, mesh=mesh)
        if not decision.check():
            return decision, None
        return decision, label_only(pod, metadata, mesh, proxy_id)
    known = Pod(pod)
    decision = decide(
        known.annotations, host_network=known.host_network, namespace=namespace, mesh=mesh
    )
    try:
        if not decision.check():
            return decision, None
        mutation = mutate(
            known,
            mesh=mesh,
            namespace=namespace,
            proxy_id=proxy_id,
            dry_run=dry_run,
            secrets=secrets,
            service_account=service_account,
        )
    except Refusal as refusal:
        refusal.steps = (*decision.steps, decision.why)
        raise
    return decision, mutation
