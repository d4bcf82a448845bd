"""The redirection script of a pod that is given as an object: its init container's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.errors import InputError
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.objects import object_at, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.systems import System

_LENGTH = 2  # -c and the script


def init_script(text: str, shown: str, systems: Sequence[System]) -> tuple[str, str]:
    """Where the script is, and the script.

    Args:
        text: a pod, or a list of one, in JSON or YAML.
        shown: what the text is called.
        systems: whose init containers are looked for.

    Returns:
        ``Pod/shop/web, fsm-init`` and the script.

    Raises:
        InputError: the text cannot be decoded, or has no such init container, or several whose
            scripts differ.
    """
    names = {system.init_container for system in systems}
    found: dict[str, str] = {}
    for document in split(text.splitlines(keepends=True), file=shown):
        for item in workloads(document.load()):
            for name, script in _scripts(item.pod(), names):
                found.setdefault(script, f"{item.title}, {name}")
    if not found:
        expected = " or ".join(sorted(names))
        raise InputError(f"{shown}: no pod in it has the init container {expected} with a script")
    if len(found) > 1:
        pods = "; ".join(found.values())
        raise InputError(f"{shown}: expected one pod's script, got {len(found)}: {pods[:200]}")
    ((script, name),) = found.items()
    return name, script


def _scripts(pod: dict[str, Any], names: set[str]) -> Iterator[tuple[str, str]]:
    containers = object_at(pod, ("spec",)).get("initContainers")
    for item in containers if isinstance(containers, list) else ():
        args = item.get("args") if isinstance(item, dict) else None
        if str(object_at(item, ()).get("name")) in names and isinstance(args, list):
            script = args[-1] if len(args) == _LENGTH and args[0] == "-c" else None
            if isinstance(script, str):
                yield str(item["name"]), script
