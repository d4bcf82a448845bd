"""Whether an admission is injected, and why; the namespace as webhook and injector see it.

Source: pkg/injector webhook.go of FSM, osm-edge and OSM, which agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.injector.annotations import keys_of, yes_or_no
from fsm_stack.injector.mutate import label_only, mutate
from fsm_stack.injector.pod import Pod, mapping, texts
from fsm_stack.injector.profile import Refusal
from fsm_stack.well_known import INJECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """One namespace.

    Attributes:
        name: its name.
        labels: decide whether the webhook calls the injector, and whether the mesh knows it.
        annotations: defaults of its pods.
        assumed: nobody has shown it; it is taken as enrolled.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    assumed: bool = False


def namespace_view(manifest: Mapping[str, Any]) -> NamespaceView:
    """A Namespace object as it stands in a file or a cluster."""
    metadata = manifest.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    name = known.get("name")
    name = name if isinstance(name, str) else ""
    # The API server sets this label on every namespace, and refuses another value.
    labels = {"kubernetes.io/metadata.name": name} | _texts(known.get("labels"))
    return NamespaceView(name=name, labels=labels, annotations=_texts(known.get("annotations")))


def _texts(value: object) -> dict[str, str]:
    """The entries that the API server would take; it refuses an object with others."""
    entries = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in entries if isinstance(key, str) and isinstance(text, str)}


def assumed_namespace(name: str, mesh: MeshView) -> NamespaceView:
    """A namespace that is not at hand: as ``fsm namespace add`` leaves it."""
    return NamespaceView(
        name=name,
        labels={
            mesh.system.monitored_by_label: mesh.name,
            "kubernetes.io/metadata.name": name,
        },
        annotations={mesh.system.annotation(INJECTION): "enabled"},
        assumed=True,
    )


Outcome = Literal["inject", "leave", "refuse"]

# Source: pkg/injector webhook.go, nonInjectNamespaces.
_NEVER: Final = frozenset({"kube-system", "kube-public"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, with its reason.

    Attributes:
        outcome: ``inject``; ``leave``: the pod is created as it is; ``refuse``: it is not created.
        why: the reason, for people.
        steps: what was asked before, in order, each with its answer.
        message: the injector's message where it refuses.
        path: the place of what it refuses.
    """

    outcome: Outcome
    why: str
    steps: tuple[str, ...] = ()
    message: str = ""
    path: str = ""

    @property
    def inject(self) -> bool:
        """Whether the pod is mutated."""
        return self.outcome == "inject"

    def check(self) -> bool:
        """The same as :attr:`inject`.

        Raises:
            Refusal: where the injector refuses.
        """
        if self.outcome == "refuse":
            raise Refusal(self.message, rule_id="injection-value", path=self.path)
        return self.outcome == "inject"


def never_injected(namespace: str, control_plane: str) -> str:
    """Why no pod of a namespace is injected, whatever it asks for; empty: it is none of those.

    Source: pkg/injector webhook.go, isNamespaceInjectable.
    """
    if namespace == control_plane:
        return f"namespace {namespace} is the control plane's: its pods are never injected"
    if namespace in _NEVER:
        return f"namespace {namespace} is Kubernetes' own: its pods are never injected"
    return ""


def webhook_skips(namespace: NamespaceView, mesh: MeshView) -> Decision | None:
    """Why the API server does not even ask the injector; None when it does.

    Source: the namespaceSelector in createOrUpdateMutatingWebhook.
    """
    labels, system = namespace.labels, mesh.system
    label = system.monitored_by_label
    if labels.get(label) != mesh.name:
        found = f"is {labels[label]!r}" if label in labels else "is absent"
        why = f"namespace {namespace.name}: label {label} {found}, the mesh is {mesh.name!r}"
    elif system.ignore_label in labels:
        why = f"namespace {namespace.name}: label {system.ignore_label} keeps the webhook away"
    elif "control-plane" in labels:
        why = f"namespace {namespace.name}: label control-plane keeps the webhook away"
    elif labels.get(mesh.profile.name_label) == mesh.namespace:
        why = (
            f"namespace {namespace.name}: label {mesh.profile.name_label} names the control plane"
        )
    else:
        return None
    return Decision(
        outcome="leave", why=why, steps=("the webhook's namespace selector does not match",)
    )


def decide(
    annotations: Mapping[str, str],
    *,
    host_network: bool,
    namespace: NamespaceView,
    mesh: MeshView,
) -> Decision:
    """The injector's own decision, once the webhook asks it.

    Args:
        annotations: the pod's.
        host_network: the pod's ``spec.hostNetwork``; False for a virtual machine.
        namespace: of the admission request.
        mesh: whose injector.
    """
    system = mesh.system
    key = keys_of(system).injection
    return _decide(
        host_network,
        namespace.name,
        mesh.namespace,
        namespace.labels.get(system.monitored_by_label) == mesh.name,
        key,
        mesh.profile.refused_value,
        annotations.get(key),
        namespace.annotations.get(key),
    )


@lru_cache(maxsize=4096)
def _decide(  # noqa: PLR0917  # the cache's key
    host_network: bool,  # noqa: FBT001
    name: str,
    control_plane: str,
    monitored: bool,  # noqa: FBT001
    key: str,
    invalid: str,
    pod_value: str | None,
    namespace_value: str | None,
) -> Decision:
    steps: list[str] = []
    if host_network:
        why = "hostNetwork: the pod shares the node's network namespace"
        return Decision(outcome="leave", why=why)
    steps.append("the pod has a network namespace of its own")
    if why := never_injected(name, control_plane):
        return Decision(outcome="leave", why=why, steps=tuple(steps))
    if not monitored:
        why = f"namespace {name} is not enrolled in the mesh"
        return Decision(outcome="leave", why=why, steps=tuple(steps))
    steps.append(f"namespace {name} is enrolled in the mesh")
    answers: list[bool | None] = []
    for what, value, path in (
        ("pod", pod_value, "metadata.annotations"),
        (f"namespace {name}", namespace_value, f"namespace {name} metadata.annotations"),
    ):
        answer = None if value is None else yes_or_no(value)
        if value is not None and answer is None:
            return Decision(
                outcome="refuse",
                why=f"{what}: {key} is {value!r}, neither a yes nor a no",
                steps=tuple(steps),
                message=f'{invalid} annotation value for key "{key}": {value}',
                path=f"{path}.{key}",
            )
        steps.append(f"{what}: {key} is {value!r}" if value is not None else f"{what}: no {key}")
        answers.append(answer)
    pod, namespace = answers
    if pod:
        return Decision(outcome="inject", why="the pod asks for it", steps=tuple(steps))
    if pod is None and namespace:
        why = f"namespace {name} asks for it, and the pod does not object"
        return Decision(outcome="inject", why=why, steps=tuple(steps))
    if pod is False:
        why = "the pod declines it"
    elif namespace is False:
        why = f"namespace {name} declines it, and the pod does not ask for it"
    else:
        why = f"neither the pod nor namespace {name} asks for it"
    return Decision(outcome="leave", why=why, steps=tuple(steps))


VIRTUAL_MACHINE: Final = ("machine.flomesh.io/v1alpha1", "VirtualMachine")


def is_virtual_machine(manifest: Mapping[str, Any]) -> bool:
    """Whether an object is FSM's VirtualMachine, which gets a label and no containers."""
    return (manifest.get("apiVersion"), manifest.get("kind")) == VIRTUAL_MACHINE


def _of_machine(decision: Decision) -> Decision:
    """The same decision in a virtual machine's words."""
    steps = [step.replace("pod:", "VirtualMachine:") for step in decision.steps[1:]]
    steps.append("it gets the mesh's label; its own start script redirects")
    return replace(decision, why=decision.why.replace("the pod", "it"), steps=tuple(steps))


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
    if is_virtual_machine(pod) and mesh.system.injects_virtual_machines:
        metadata = mapping(pod.get("metadata"), "VirtualMachine.metadata", "v1.ObjectMeta")
        annotations = texts(metadata.get("annotations"), "ObjectMeta.metadata.annotations")
        decision = _of_machine(
            decide(annotations, host_network=False, namespace=namespace, mesh=mesh)
        )
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
