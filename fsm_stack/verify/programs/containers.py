"""Why a container of the control plane is not ready: its image, its files, its rights, its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fsm_stack.snapshot.programs import denied, granting, last_words
from fsm_stack.snapshot.shape import mapping, mappings
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.commands import apply, command
from fsm_stack.verify.programs.program import Trouble, program, restart, then

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.snapshot.programs import Denied
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.programs.program import Program

# Source: kubernetes pkg/kubelet/images/types.go and pkg/kubelet/container/sync_result.go.
_PULL: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
     "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}
)  # fmt: skip
_CONFIG: Final = "CreateContainerConfigError"
_START: Final = frozenset(
    {"CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun",
     "PreCreateHookError", "PreStartHookError", "PostStartHookError"}
)  # fmt: skip
_LOOPING: Final = "CrashLoopBackOff"
_OOM: Final = "OOMKilled"
# What the kubelet waits for before it starts the containers of a pod.
_NOT_TRIED: Final = frozenset({"", "PodInitializing", "ContainerCreating"})
_MISSING: Final = re.compile(r"""(?i)\b(configmaps?|secrets?) ["']?([\w.-]+)["']? not found""")
_NO_KEY: Final = re.compile(r"(?i)couldn't find key (\S+) in (ConfigMap|Secret) ([\w./-]+)")
_KINDS: Final = {"c": "ConfigMap", "s": "Secret"}


def container_trouble(item: Container, pod: Pod, one: Program, context: Context) -> Trouble | None:
    """What keeps one container from being ready; None: it waits for another one."""
    for cause in CAUSES:
        if (found := cause(item, pod, one, context)) is not None:
            return found
    return None


def image(item: Container, pod: Pod, one: Program, context: Context) -> Trouble | None:
    """The image cannot be had."""
    if item.state.name != "waiting" or item.state.reason not in _PULL:
        return None
    wanted = _declared_image(context, one, item)
    if wanted and wanted != item.image:
        part = "initContainers" if item.init else "containers"
        fix = f"{apply(context, one.item, f'spec.template.spec.{part}.image')}."
    else:
        fix = (
            f"Put {item.image} where its registry serves it, or correct images in what is "
            f"declared, then: {restart(one.target, one.namespace)}"
        )
    declared = f", declared is {wanted}" if wanted not in {"", item.image} else ""
    return Trouble(
        id="program-image",
        why=f"image {item.image} of container {item.name} cannot be pulled: {item.state.reason}"
        f"{declared}",
        evidence=one.said(pod, "Failed") or item.state.message,
        fix=fix,
    )


def _declared_image(context: Context, one: Program, item: Container) -> str:
    declared = context.expected.objects.get(("Deployment", one.namespace, one.name)) or {}
    spec = mapping(mapping(mapping(declared.get("spec")).get("template")).get("spec"))
    part = "initContainers" if item.init else "containers"
    named = (known for known in mappings(spec.get(part)) if known.get("name") == item.name)
    return str(next(named, {}).get("image") or "")


def files(item: Container, pod: Pod, one: Program, context: Context) -> Trouble | None:
    """A ConfigMap or a Secret that it mounts or reads is not there."""
    if item.state.name == "waiting" and item.state.reason == _CONFIG:
        message = item.state.message
    elif _untried(item):
        message = one.said(pod, "FailedMount", "FailedAttachVolume")
    else:
        return None
    if not message:
        return None
    if (key := _NO_KEY.search(message)) is not None:
        kind, name = key[2], key[3].rpartition("/")[2]
        why = f"{kind} {one.namespace}/{name} has no key {key[1]}"
    elif (missing := _MISSING.search(message)) is not None:
        kind, name = _KINDS[missing[1][0].lower()], missing[2]
        why = f"{kind} {one.namespace}/{name} is not there"
    else:
        why = "a volume of its pod cannot be mounted"
        fix = then("Mend what the kubelet says of the volume", restart(one.target, one.namespace))
        return Trouble(id="program-files", why=why, evidence=message, fix=fix)
    fix = then(_make(kind, name, one, context), restart(one.target, one.namespace))
    return Trouble(id="program-files", why=why, evidence=message, fix=fix)


def _make(kind: str, name: str, one: Program, context: Context) -> str:
    """What makes a ConfigMap or Secret: applying it makes only what is declared."""
    expected, key = context.expected, (kind, one.namespace, name)
    scripts = key == expected.scripts
    if key in expected.objects or (scripts and expected.makes_scripts) or not expected.declared:
        return apply(context)
    if scripts:
        return f"Set releaseAssets.source to vendored, or make {kind} {one.namespace}/{name}"
    return f"Make {kind} {one.namespace}/{name}, which nothing declares"


def waits(item: Container, _pod: Pod, one: Program, context: Context) -> Trouble | None:
    """Its init container asks fsm-bootstrap, which is not there: a consequence."""
    first = context.system.bootstrap_name
    if not item.init or one.name == first or _untried(item):
        return None
    if program(context, first).runs:
        return None
    return Trouble(
        id="program-waits",
        why=f"init container {item.name} waits for {first}, which is not available",
        fix=f"None of its own: it starts once {first} runs.",
    )


def rights(item: Container, pod: Pod, one: Program, context: Context) -> Trouble | None:
    """The API server refuses what the program asks for."""
    refused = denied(one.log(pod, item))
    if not refused:
        return None
    first, more = refused[0], len(refused) - 1
    where = f"in namespace {first.namespace}" if first.namespace else "in the whole cluster"
    others = f", and {more} more" if more else ""
    return Trouble(
        id="program-forbidden",
        why=f"its account {_account(first.user)} may not {first.shown} {where}{others}",
        evidence=last_words(one.log(pod, item)),
        fix=_grant(first, one, context),
    )


def _grant(asked: Denied, one: Program, context: Context) -> str:
    again = restart(one.target, one.namespace)
    live = context.snapshot.rights if Part.RIGHTS in context.snapshot.read else {}
    if granting(live, asked):
        return again  # it was granted meanwhile, and the program has given up
    if known := granting(context.expected.objects, asked):
        return then(apply(context, live.get(known[0]), "rules"), again)
    group = asked.group or '""'
    rule = f"apiGroups [{group}], resources [{asked.resource}], verbs [{asked.verb}]"
    return then(f"Grant it by a role of {_account(asked.user)}: {rule}", again)


def _account(user: str) -> str:
    return user.removeprefix("system:serviceaccount:").replace(":", "/")


def start(item: Container, pod: Pod, one: Program, _context: Context) -> Trouble | None:
    """The container runtime does not start it."""
    sandbox = one.said(pod, "FailedCreatePodSandBox") if _untried(item) else ""
    if sandbox:
        why = "its node makes no sandbox for its pod"
        look = command("kubectl", "describe", "pod", pod.name, "-n", pod.namespace)
        return Trouble(id="program-start", why=why, evidence=sandbox,
                       fix=f"Mend the node's network or container runtime: {look}")  # fmt: skip
    failed = item.failed
    reason = next((state.reason for state in (item.state, failed) if state.reason in _START), "")
    if not reason:
        return None
    message = item.state.message or failed.message
    return Trouble(
        id="program-start",
        why=f"container {item.name} cannot be started: {reason}",
        evidence=message,
        fix=command("kubectl", "describe", "pod", pod.name, "-n", pod.namespace),
    )


def crash(item: Container, pod: Pod, one: Program, _context: Context) -> Trouble | None:
    """The program ends again and again."""
    ended = item.failed
    if ended.name != "terminated" or (item.init and ended.exit_code == 0):
        return None
    if ended.reason == _OOM:
        return Trouble(
            id="program-crash",
            why=f"container {item.name} needs more memory than its limit, and was killed: {_OOM}, "
            f"{item.restarts} restarts",
            evidence=last_words(one.log(pod, item)),
            fix=f"Raise the memory limit of container {item.name} in what is declared.",
        )
    if (found := _probe(item, pod, one, "Liveness", "Startup")) is not None:
        return found
    code = f"exit code {ended.exit_code}"
    loop = "again and again" if item.state.reason == _LOOPING else f"{item.restarts} times so far"
    previous = () if item.state.name != "running" else ("--previous",)
    return Trouble(
        id="program-crash",
        why=f"container {item.name} ends {loop}, last with {code}",
        evidence=last_words(one.log(pod, item)) or ended.reason,
        fix=command("kubectl", "logs", pod.name, "-c", item.name, *previous, "-n", pod.namespace),
    )


def probe(item: Container, pod: Pod, one: Program, _context: Context) -> Trouble | None:
    """The program runs, and does not answer."""
    if item.state.name != "running" or item.init:
        return None
    if (found := _probe(item, pod, one, "Readiness", "Startup", "Liveness")) is not None:
        return found
    return Trouble(
        id="program-probe",
        why=f"container {item.name} runs, and its readiness probe has not been answered yet",
        evidence=last_words(one.log(pod, item)),
        fix=command("kubectl", "logs", pod.name, "-c", item.name, "-n", pod.namespace),
    )


def _probe(item: Container, pod: Pod, one: Program, *kinds: str) -> Trouble | None:
    message = one.said(pod, "Unhealthy", "ProbeError")
    kind = message.partition(" ")[0]
    if kind not in kinds:
        return None
    return Trouble(
        id="program-probe",
        why=f"container {item.name} does not answer its {kind.lower()} probe",
        evidence=message,
        fix=restart(one.target, one.namespace),
    )


def waiting(item: Container, pod: Pod, _one: Program, _context: Context) -> Trouble | None:
    """It waits for something else that Kubernetes names."""
    if _untried(item):
        return None
    state = item.state
    if state.name not in {"waiting", "running"}:
        return None
    runs = "still runs" if state.name == "running" else f"waits: {state.reason}"
    kind = "init container" if item.init else "container"
    return Trouble(
        id="cluster-control-plane",
        why=f"{kind} {item.name} {runs}",
        evidence=state.message,
        fix=command("kubectl", "logs", pod.name, "-c", item.name, "-n", pod.namespace),
    )


def _untried(item: Container) -> bool:
    state = item.state
    return state.name == "unknown" or (state.name == "waiting" and state.reason in _NOT_TRIED)


CAUSES: Final[tuple[Callable[[Container, Pod, Program, Context], Trouble | None], ...]] = (
    image,
    files,
    waits,
    rights,
    start,
    crash,
    probe,
    waiting,
)
