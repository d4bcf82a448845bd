"""A check of one pod, made for every pod that was asked about, over its script as rules."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.injector.annotations import interception
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.read.text import RuleSyntaxError, read
from fsm_stack.verify.check import NotApplicable, NotRun
from fsm_stack.verify.commands import command, kubectl
from fsm_stack.verify.drift import asked_about, shortfall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.verify.check import Context

# An injector's script has 2 kB, and 4 kB with the most entries that iptables takes.
SCRIPT_MAX: Final = 64 * 1024


@lru_cache(maxsize=2048)
def reading_of(script: str) -> Reading | str:
    """A script as rules, or why it is none."""
    if len(script) > SCRIPT_MAX:
        return f"expected at most {SCRIPT_MAX} characters, got {len(script)}"
    try:
        return read(script)
    except RuleSyntaxError as error:
        return str(error)


def expected_lists(annotations: Mapping[str, str], mesh: MeshView) -> InterceptLists | Refusal:
    """The lists that the injector gives a pod with these annotations, or why it refuses it."""
    try:
        return interception(annotations, mesh).lists
    except Refusal as refusal:
        return refusal


def place(pod: Pod) -> str:
    """How reports name a pod."""
    return f"pod {pod.key}"


def restart(pod: Pod, context: str = "") -> str:
    """The command that makes a pod anew; for a pod of its own there is none but to delete it.

    Args:
        pod: which.
        context: of the kubeconfig, for commands that are kept; empty: the current one.
    """
    owner = pod.owner
    if owner is not None and owner.kind in {"Deployment", "StatefulSet", "DaemonSet"}:
        what = f"{owner.kind.lower()}/{owner.name}"
        return kubectl("rollout", "restart", what, "-n", pod.namespace, context=context)
    if owner is None and pod.elided:
        return "# restart its owner: the description leaves out which one that is"
    deleted = kubectl("delete", "pod", pod.name, "-n", pod.namespace, context=context)
    if not deleted:
        return ""
    if owner is not None:
        return f"{deleted} # its {owner.kind} makes it anew"
    return f"{deleted} # no owner makes it anew: apply its manifest again"


def of_every_pod(
    check: Callable[[Pod, Context], Iterator[Finding]], *, whole: bool = False, ended: bool = False
) -> Callable[[Context], Iterator[Finding]]:
    """The check for all pods.

    A pod that it says nothing about is not counted as passed: where it says nothing about any,
    it does not apply; where it could not look at one, it did not run, or on a part only.

    Args:
        check: of one pod.
        whole: it needs the whole pod, not a description that leaves parts out.
        ended: it has something to say about pods that ran to their end, too.
    """

    def run(context: Context) -> Iterator[Finding]:
        _require_pods(context, whole=whole)
        looked, skipped = 0, ""
        unread: Counter[str] = Counter()
        for pod in context.pods:
            try:
                _require_alive(pod, ended=ended)
                yield from check(pod, context)
            except NotApplicable as reason:
                skipped = skipped or str(reason)
            except NotRun as reason:
                unread[str(reason)] += 1
            else:
                looked += 1
        if unread:
            raise NotRun(_told(unread))
        if not looked:
            raise NotApplicable(skipped)

    return run


def _require_pods(context: Context, *, whole: bool) -> None:
    if not context.pods:
        if context.named:
            raise NotRun(f"{context.asked} has no pod to look at{_lacks(context)}")
        raise NotApplicable("there is no pod to look at")
    if whole and (partial := [pod.key for pod in context.pods if pod.elided]):
        raise NotRun(f"the description of {partial[0]} leaves parts out")


def _lacks(context: Context) -> str:
    """How many pods the owner should have that was asked about."""
    for key, item in context.snapshot.owners.items():
        if asked_about(key, context.asked) and (lack := shortfall(key[0], item)) is not None:
            return f": {lack}"
    return ""


def _require_alive(pod: Pod, *, ended: bool) -> None:
    if pod.deleted:
        raise NotApplicable(f"pod {pod.key} is being deleted")
    if pod.over and not ended:
        raise ran_to_its_end(pod)


def ran_to_its_end(pod: Pod) -> NotApplicable:
    """Why nothing more is asked of a job's pod, for example."""
    return NotApplicable(f"pod {pod.key} ran to its end: {pod.phase}")


def _told(unread: Counter[str]) -> str:
    more = sum(unread.values()) - 1
    first = next(iter(unread))
    return f"{first}; and {counted(more, 'more pod')}" if more else first


def require_sidecar(pod: Pod, context: Context) -> None:
    """Leave pods outside the mesh to the check that says so.

    Raises:
        NotApplicable: the pod has no container of the mesh's.
    """
    if not is_injected(pod, context):
        raise NotApplicable(f"pod {pod.key} has no sidecar")


def require_annotations(pod: Pod) -> None:
    """The annotations as they are on the pod.

    Raises:
        NotRun: the text that they were read from cuts one off, or leaves them out.
    """
    if pod.unannotated:
        raise NotRun(
            f"the description of {pod.key} leaves its annotations out: give them, too, as kubectl "
            "get -o jsonpath='{.metadata.annotations}' prints them"
        )
    if pod.cut:
        raise NotRun(
            f"pod {pod.key}: kubectl describe cuts off its annotations: kubectl get -o json does "
            "not"
        )


def logs_of(pod: Pod, name: str) -> str:
    """The command that prints what a container wrote."""
    return command("kubectl", "logs", pod.name, "-c", name, "-n", pod.namespace)


def init_container(pod: Pod, context: Context) -> Container | None:
    """The container that loads the rules; its name is part of the system's profile."""
    return pod.container(context.system.init_container)


def is_injected(pod: Pod, context: Context) -> bool:
    """Whether a pod has a container of the mesh's.

    ``sidecar`` is a name that an application may give a container of its own: the injector's
    stands on a pod with the proxy's label.
    """
    system = context.system
    if init_container(pod, context) is not None:
        return True
    labelled = system.proxy_label in pod.labels or (pod.elided and not pod.labels)
    return labelled and pod.container(system.sidecar_container) is not None
