"""A pod's rules: readable, of today's generation, with every declared entry, and not stale."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.findings.finding import Severity
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.judge.expect import differences, found_lists
from fsm_stack.iptables.judge.lint import lint_reading, old_generation
from fsm_stack.iptables.write import rule_text
from fsm_stack.lists import LISTS
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.init import overdue, without_init
from fsm_stack.verify.drift import managers
from fsm_stack.verify.each import (
    expected_lists,
    init_container,
    of_every_pod,
    place,
    reading_of,
    require_annotations,
)
from fsm_stack.verify.restarting.mend import TEMPLATE_FIRST, before_restart, remedy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.lists import InterceptLists
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.verify.check import Context

_HOST_BITS: Final = "host-bits"
_TOO_COMPLEX: Final = "too-complex"
_PASSED_OVER: Final = "passed-over"
_NO_RULES: Final = "missing-rule"


@lru_cache(maxsize=4096)
def _differences(script: str, lists: InterceptLists) -> tuple[Finding, ...]:
    reading = reading_of(script)
    if isinstance(reading, str):
        return ()
    return (*differences(reading, lists), *_beside_the_lists(reading, lists))


def _beside_the_lists(reading: Reading, lists: InterceptLists) -> Iterator[Finding]:
    """Rules that belong to no entry, and interfaces that are excluded in one direction only."""
    for item in reading.findings:
        if item.id == _PASSED_OVER:
            yield found("pod-rules", f"beside what an injector writes: {item.message}")
    known = found_lists(reading)
    for rule in known.unknown:
        yield found("pod-rules", "a rule that no injector writes", evidence=rule_text(rule))
    outbound, inbound = known.lists.interfaces, known.inbound_interfaces
    for name in dict.fromkeys(lists.interfaces):
        if (name in outbound) != (name in inbound):
            lacks = "inbound" if name in outbound else "outbound"
            yield found(_NO_RULES, f"interface {name}: the script has no {lacks} rule for it",
                        evidence=name)  # fmt: skip


@lru_cache(maxsize=2048)
def _faults(script: str) -> tuple[Finding, ...]:
    reading = reading_of(script)
    if isinstance(reading, str):
        return (found("pod-script", f"the script cannot be read: {reading}"),)
    return tuple(
        item
        for item in lint_reading(reading, dead=False)
        if item.severity is Severity.ERROR or item.id in (_HOST_BITS, _TOO_COMPLEX)
    )


@lru_cache(maxsize=2048)
def _generation(script: str) -> tuple[Finding, ...]:
    reading = reading_of(script)
    return () if isinstance(reading, str) else tuple(old_generation(reading))


def script_of(pod: Pod, context: Context) -> str | None:
    """The script of a pod's init container; None: it has none."""
    init = init_container(pod, context)
    return init.script if init else None


def require_script(pod: Pod, context: Context) -> str:
    """The script of a pod's init container.

    Raises:
        NotApplicable: it has none.
    """
    script = script_of(pod, context)
    if script is None:
        raise NotApplicable(
            f"pod {pod.key} has no script: no init container {context.system.init_container}"
        )
    return script


def compared(pod: Pod, context: Context) -> tuple[Finding, ...]:
    """What a pod's script lacks and has, against what the injector would write now.

    Raises:
        NotApplicable: the pod has no script, or none is due.
        NotRun: nothing says what it should hold, or the script cannot be read.
    """
    if context.expected.settings is None:
        raise NotRun("no MeshConfig is known, declared or in the cluster")
    script = require_script(pod, context)
    if overdue(pod, context):
        raise NotApplicable(without_init(context))
    if pod.cut:
        require_annotations(pod)
    lists = expected_lists(pod.annotations, context.expected.mesh)
    if isinstance(lists, Refusal):
        raise NotRun(f"pod {pod.key}: its annotations cannot be read")
    if isinstance(reading_of(script), str):
        raise NotRun(f"pod {pod.key}: its script cannot be read")
    return _differences(script, lists)


def certain(pod: Pod, items: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those that hold whatever the pod's annotations say: they add to the lists, no more."""
    return tuple(item for item in items if item.id == _NO_RULES) if pod.unannotated else items


def require_told(pod: Pod, items: tuple[Finding, ...]) -> None:
    """Leave what an annotation may have declared to who knows the annotations.

    Raises:
        NotRun: a difference is none if the pod has such an annotation, and that is unknown.
    """
    if len(certain(pod, items)) < len(items):
        require_annotations(pod)


def loadable(pod: Pod, context: Context) -> Iterator[Finding]:
    """The script is one that a shell and iptables take, and does what it says."""
    script = require_script(pod, context)
    for item in _faults(script):
        yield item.at(path=f"{place(pod)} {context.system.init_container}")
    reading = reading_of(script)
    init = init_container(pod, context)
    if not isinstance(reading, str) and not reading.loads and init and init.state.exit_code == 0:
        yield found(
            "pod-script",
            "it ended with exit code 0, which is impossible with this script: a shell refuses it; "
            "the text is not what ran",
            place=place(pod),
        )


def of_today(pod: Pod, context: Context) -> Iterator[Finding]:
    """The script is of the generation that the injectors write today."""
    script = require_script(pod, context)
    if isinstance(reading_of(script), str):
        raise NotRun(f"pod {pod.key}: its script cannot be read")
    for item in _generation(script):
        yield item.at(path=place(pod))


def complete(pod: Pod, context: Context) -> Iterator[Finding]:
    """Every entry of the merged lists has its rule, and no rule is undeclared."""
    items = compared(pod, context)
    for item in certain(pod, items):
        fix = item.fix or remedy(pod, script_of(pod, context), context)
        yield replace(item.at(path=place(pod)), fix=fix)
    require_told(pod, items)


def annotated(pod: Pod, context: Context) -> Iterator[Finding]:
    """The injector can read the pod's annotations."""
    require_annotations(pod)
    lists = expected_lists(pod.annotations, context.expected.mesh)
    if isinstance(lists, Refusal):
        yield found(
            "pod-annotations",
            f"the injector refuses such a pod: {lists.message}{_strange(lists.value)}",
            place=f"{place(pod)} {lists.path}",
            evidence=lists.value,
        )


def _strange(value: str | None) -> str:
    """Names the first character that only looks like ASCII: a full-width comma, for example."""
    for character in value or "":
        if not character.isascii():
            import unicodedata  # noqa: PLC0415  # rare

            name = unicodedata.name(character, "unnamed")
            return f"; it holds U+{ord(character):04X} {name}, expected ASCII"
    return ""


def current(pod: Pod, context: Context) -> Iterator[Finding]:
    """The pod was made under the settings that count now: they are read once, at injection."""
    if why := overdue(pod, context):
        script = script_of(pod, context)
        yield found("pod-stale", why, place=place(pod), fix=remedy(pod, script, context))
        return
    items = compared(pod, context)
    if found_here := certain(pod, items):
        yield _stale(pod, found_here, context)
    require_told(pod, items)


def _stale(pod: Pod, found_here: tuple[Finding, ...], context: Context) -> Finding:
    lacks = [str(item.value) for item in found_here if item.id == _NO_RULES]
    has = [str(item.value) for item in found_here if item.id != _NO_RULES]
    parts = [f"lacks {', '.join(lacks)}"] if lacks else []
    parts += [f"still has {', '.join(has)}"] if has else []
    made = f", made {pod.created}" if pod.created else ""
    script = script_of(pod, context)
    return found(
        "pod-stale",
        f"{_because(pod, script, context, found_here)}: it {' and '.join(parts)}",
        place=place(pod),
        evidence=f"{counted(len(found_here), 'difference')}{made}",
        fix=remedy(pod, script, context),
    )


def changed_at(context: Context, *list_names: str) -> str:
    """When lists of the MeshConfig were last changed, these or any; empty: nothing tells it."""
    item = context.snapshot.mesh_config(context.system, context.expected.mesh.namespace) or {}
    paths = [f"spec.traffic.{name}" for name in list_names] or ["spec.traffic"]
    return max((one.when for path in paths for one in managers(item, path)), default="")


def made_after(pod: Pod, changed: str) -> bool:
    """Whether a pod is younger than a change."""
    return bool(changed) and pod.created > changed


def _because(
    pod: Pod, script: str | None, context: Context, found_here: tuple[Finding, ...]
) -> str:
    match before_restart(pod, script, context):
        case "":
            said = [item.message for item in found_here]
            names = [
                one.key for one in LISTS if any(words.startswith(one.title) for words in said)
            ]
            if made_after(pod, changed := changed_at(context, *names)):
                return (
                    f"it was made after the settings last changed, {changed}, and "
                    f"{context.system.injector_name} did not merge them"
                )
            return "its rules are older than the settings"
        case known if known == TEMPLATE_FIRST:
            return "an annotation was put on the running pod, and its rules are older"
        case _:
            return "its rules are not those declared, and neither is the cluster's MeshConfig"


CHECKS: Final = (
    Check(
        id="pod-annotations",
        title="the pod's annotations can be read",
        needs=(Part.PODS,),
        run=of_every_pod(annotated),
        group="pod",
    ),
    Check(
        id="pod-script",
        title="the init container's script is one that loads",
        needs=(Part.PODS,),
        run=of_every_pod(loadable),
        group="rules",
    ),
    Check(
        id="pod-generation",
        title="the script is of today's generation",
        needs=(Part.PODS,),
        run=of_every_pod(of_today),
        group="rules",
    ),
    Check(
        id="pod-rules",
        title="every declared entry has its rule, and no other is there",
        needs=(Part.PODS,),
        run=of_every_pod(complete),
        group="rules",
    ),
    Check(
        id="pod-stale",
        title="the pod was made under the settings that count now",
        needs=(Part.PODS,),
        run=of_every_pod(current),
        group="rules",
    ),
)
