"""What stops a preview before it hurts: another cluster, a webhook pulled from under namespaces.

Both look at more than one program run: at the cluster itself, and at what the last update left.
A third stop is the API server's, for a field that someone else took; here it gets its remedies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pulumi

from fsm_stack.manifests.foreign import FORCE_EVERY_OBJECT, FORCE_MESH_CONFIG
from fsm_stack.manifests.manifest import Wave
from fsm_stack.pulumi.kinds import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.settings.models.stack import StackSettings

# Its UID is the cluster's, by convention: it exists in every cluster and is never made again.
# Source: k8s.io/community KEP 2149 (cluster id); open-telemetry k8s.cluster.uid.
IDENTITY_NAMESPACE: Final = "kube-system"

# Source: k8s.io/apimachinery pkg/util/managedfields, the API server's words.
_CONFLICT: Final = "Apply failed with"
_EITHER: Final = (
    "declares; the API server's error names the writer after 'conflict with', and the fields. "
    "Either take their values into the stack file, or"
)
CONFLICT_REMEDIES: Final = (
    f"Someone else wrote fields of the MeshConfig that this stack {_EITHER} set "
    f"{FORCE_MESH_CONFIG} to true for one pulumi up, which takes the fields back."
)
OTHER_REMEDIES: Final = (
    f"Someone else wrote fields of this object that the stack {_EITHER} run one pulumi up with "
    f"{FORCE_EVERY_OBJECT} in its environment, which takes the fields of every object back."
)
OTHER_STACK: Final = (
    "Another stack has made this object: the annotation in the API server's error names it, and "
    "its object was left alone. Destroy one of the two stacks, this one first where it was never "
    "up, or give this mesh a mesh.releaseName, mesh.name and mesh.namespace of its own."
)

# What ends a program is shown twice by the Automation API.
NOTHING_CHANGED: Final = "1 error; nothing was changed"


class WrongClusterError(pulumi.RunError):
    """The cluster is not the one that the settings name."""


class WebhookInUseError(pulumi.RunError):
    """A webhook configuration would be replaced under enrolled namespaces."""


def the_cluster(
    name: str, uid: str | None, *, opts: pulumi.ResourceOptions
) -> pulumi.Output[pulumi.Resource]:
    """The cluster's identity, compared: whatever depends on it waits for a match.

    The namespace is read in previews, too. Where the cluster is not known before the update makes
    it, the comparison comes with the update.

    Args:
        name: the logical name of the read.
        uid: the UID that namespace ``kube-system`` must have; None: the cluster only has to be
            there. A preview alone would say of an absent context that everything is to be made.
        opts: the parent, and so the provider.
    """
    from pulumi_kubernetes.core.v1 import Namespace  # noqa: PLC0415  # a quarter of a second

    found = Namespace.get(name, IDENTITY_NAMESPACE, opts=opts)

    def compared(metadata: Any) -> pulumi.Resource:  # noqa: ANN401  # ObjectMeta, or a mapping
        if uid is not None:
            try:
                same_cluster(uid, metadata["uid"])
            except WrongClusterError as error:
                raise said(error) from None
        return found

    return found.metadata.apply(compared)


def same_cluster(expected: str, found: str) -> None:
    """Compare two clusters' UIDs.

    Raises:
        WrongClusterError: they differ.
    """
    if found != expected:
        raise WrongClusterError(
            f"cluster.uid: expected namespace {IDENTITY_NAMESPACE} to have UID {expected}, found "
            f"{found}: this is another cluster, nothing was changed. Choose the kubeconfig "
            "context of the stack's cluster, or correct cluster.uid."
        )


def said(error: pulumi.RunError) -> pulumi.RunError:
    """An error whose message goes to the log now, as the short one that ends the program."""
    pulumi.log.error(str(error))
    return type(error)(NOTHING_CHANGED)


def enrolment(manifests: Iterable[Manifest], settings: StackSettings) -> dict[str, Any]:
    """What a webhook's replacement would hit: webhook configurations, and who is under them."""
    manifests = tuple(manifests)
    webhooks = (m for m in manifests if m.wave is Wave.WEBHOOK)
    enrolled = (m for m in manifests if m.wave is Wave.ENROLMENT)
    return {
        "cluster": settings.cluster.uid or "",
        "namespace": settings.namespace,
        "webhooks": sorted(f"{m.kind}/{m.name}" for m in webhooks),
        "enrolledNamespaces": sorted(m.name for m in enrolled),
    }


def remembered(
    name: str, now: Mapping[str, Any], *, opts: pulumi.ResourceOptions
) -> pulumi.Output[pulumi.Resource]:
    """Keep the enrolment in the stack's state, and compare it with the last update's.

    The engine calls the comparison when the value changes, in previews and in updates, and never
    in ``pulumi destroy``, which removes the enrolment first and then the webhooks. ``protect``
    would refuse that as well; a hook on deletion would need the program to run.

    In a preview the program raises the error, which the engine shows as it is. In an update the
    hook raises it: only then does the state keep the last update's value.
    """
    is_preview = pulumi.runtime.is_dry_run()
    errors: list[WebhookInUseError] = []

    def compare(args: pulumi.ResourceHookArgs) -> None:
        try:
            webhooks_stay(_stashed(args.old_inputs), _stashed(args.new_inputs))
        except WebhookInUseError as error:
            if not is_preview:
                raise
            errors.append(error)

    hook = pulumi.ResourceHook(
        f"{name}-webhooks-in-use", compare, pulumi.ResourceHookOptions(on_dry_run=True)
    )
    opts = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[hook]))
    )
    memory = pulumi.Stash(name, input=dict(now), opts=opts)

    def compared(_urn: str) -> pulumi.Resource:
        if errors:
            raise said(errors[0])
        return memory

    return memory.urn.apply(compared)


def webhooks_stay(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to replace webhook configurations while namespaces are enrolled.

    A new configuration has ``failurePolicy: Fail`` and no CA bundle until the injector restarts:
    until then no pod can be created in an enrolled namespace. The same holds when the service
    behind it moves to another namespace. A namespace un-enrolled in the same update is under the
    webhook until that update's end.

    Raises:
        WebhookInUseError: with what would happen, and the way around it.
    """
    under = sorted({*old["enrolledNamespaces"], *new["enrolledNamespaces"]})
    if not (under and old["webhooks"]):
        return
    if not new["webhooks"] and not new["enrolledNamespaces"]:
        return  # as in a destroy: un-enrolled first
    changes = []
    if gone := sorted(set(old["webhooks"]) - set(new["webhooks"])):
        come = sorted(set(new["webhooks"]) - set(old["webhooks"]))
        changes.append(f"{', '.join(gone)} would become {', '.join(come) or 'nothing'}")
    if old["namespace"] != new["namespace"]:
        changes.append(f"namespace {old['namespace']} would become {new['namespace']}")
    if old["cluster"] and new["cluster"] and old["cluster"] != new["cluster"]:
        changes.append(f"cluster {old['cluster']} would become {new['cluster']}")
    if changes:
        raise WebhookInUseError(
            f"{'; '.join(changes)}, while these namespaces are enrolled: {', '.join(under)}. "
            "No pod could be created in them until the new injector runs. Set "
            "enrolledNamespaces to [] and run pulumi up; then make this change and run it again; "
            "then enrol the namespaces."
        )


def remedies(name: str, text: str) -> pulumi.ResourceOptions:
    """Say what to do when the API server refuses an object because others wrote into it.

    Its error names them and the fields, and nothing of what this project offers.

    Args:
        name: the prefix of the hook's name, unique in the program.
        text: what to do.
    """

    def say(args: pulumi.ErrorHookArgs) -> bool:
        conflicts = [error for error in args.errors if _CONFLICT in error]
        if any(OWNER in error for error in conflicts):
            pulumi.log.error(OTHER_STACK)  # taking the fields "back" would break the other mesh
        elif conflicts:
            pulumi.log.error(text)
        return False  # trying again would not help

    hook = pulumi.ErrorHook(f"{name}-conflict", say)
    return pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook]))


def _stashed(inputs: Mapping[str, Any] | None) -> Mapping[str, Any]:
    value: Mapping[str, Any] = (inputs or {})["input"]
    return value
