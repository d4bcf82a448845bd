"""What the control plane's account may do: every declared right is granted in the cluster."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.verify.apply import apply
from fsm_stack.verify.check import Check, NotApplicable, NotRun, found
from fsm_stack.verify.checks.installed import require_installed
from fsm_stack.verify.programs.rights import ACCOUNT, BINDINGS, RIGHTS_KINDS, ROLES, lacking
from fsm_stack.verify.shape import mapping, mappings, text
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Context
    from fsm_stack.verify.programs.rights import Right

Json = dict[str, Any]
_ID: Final = "cluster-rights"
_SHOWN: Final = 5


def granted(context: Context) -> Iterator[Finding]:
    """Roles, bindings and the account are there, and give what is declared.

    A program that runs keeps its caches: what it may not do any more shows at its next start.
    """
    declared = {
        key: one for key, one in context.expected.objects.items() if key[0] in RIGHTS_KINDS
    }
    if not declared:
        raise NotApplicable("no role is declared")
    if why := context.snapshot.unread(Part.RIGHTS):
        raise NotRun(why)
    require_installed(context)
    for (kind, namespace, name), item in declared.items():
        place = f"{kind} {f'{namespace}/' if namespace else ''}{name}"
        live = context.snapshot.rights.get((kind, namespace, name))
        if live is None:
            yield found(_ID, f"it is not there: {_without(kind)}", place=place,
                        fix=f"{apply(context)}.")  # fmt: skip
        elif kind in ROLES and (rights := lacking(item, live)):
            yield found(
                _ID,
                f"it lacks {_told(rights)}",
                place=place,
                evidence=f"{len(rights)} declared rights are not granted",
                fix=f"{apply(context, live, 'rules')}.",
            )
        elif kind in BINDINGS and (message := _unbound(item, live)):
            yield found(_ID, message, place=place,
                        fix=f"{apply(context, live, 'subjects', 'roleRef')}.")  # fmt: skip


def _without(kind: str) -> str:
    if kind == ACCOUNT:
        return "no pod of the control plane can be made"
    return "the control plane may not do what it grants"


def _told(rights: Iterable[Right]) -> str:
    """``list, watch of endpointslices.discovery.k8s.io``, the first few."""
    verbs: dict[str, list[str]] = defaultdict(list)
    for right in rights:
        group = f".{right.group}" if right.group else ""
        of = f" named {right.name}" if right.name else ""
        verbs[f"{right.resource}{group}{of}"].append(right.verb)
    resources: dict[str, list[str]] = defaultdict(list)
    for resource, names in verbs.items():
        resources[", ".join(names)].append(resource)
    parts = [f"{names} of {', '.join(every)}" for names, every in resources.items()]
    more = len(parts) - _SHOWN
    shown = "; ".join(parts[:_SHOWN])
    return f"{shown}; and {more} more" if more > 0 else shown


def _unbound(declared: Json, live: Json) -> str:
    """Whom a binding does not bind, or to what role; empty: it does."""
    wanted, has = (mapping(one.get("roleRef")) for one in (declared, live))
    if (wanted.get("kind"), wanted.get("name")) != (has.get("kind"), has.get("name")):
        return (
            f"it binds {text(has.get('kind'))} {text(has.get('name'))}, declared is "
            f"{text(wanted.get('kind'))} {text(wanted.get('name'))}"
        )
    missing = _subjects(declared) - _subjects(live)
    return f"it does not bind {', '.join(sorted(missing))}" if missing else ""


def _subjects(binding: Json) -> set[str]:
    return {
        f"{text(one.get('kind'))} {text(one.get('namespace'))}/{text(one.get('name'))}"
        for one in mappings(binding.get("subjects"))
    }


CHECKS: Final = (
    Check(
        id=_ID,
        title="the control plane's account has the declared rights",
        run=granted,
        group="control plane",
    ),
)
