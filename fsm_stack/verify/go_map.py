"""Annotations as ``kubectl -o jsonpath='{.metadata.annotations}'`` prints them.

Newer kubectl prints JSON; older ones Go's ``map[key:value key:value]``, which does not say where
a value ends: what can be read in two ways is an error, not a guess.
"""

from __future__ import annotations

import json
import re
from typing import Final

from fsm_stack.errors import InputError

# A key of an annotation: an optional DNS prefix, a slash, a name. Source: Kubernetes validation.
_KEY: Final = r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_START: Final = re.compile(rf"(?:^| )(?P<key>{_KEY}):")


def read_annotations(text: str) -> dict[str, str]:
    """The annotations of one pod, from either form.

    Args:
        text: what kubectl printed; blanks around it and a stray quote at the end are let be.

    Raises:
        InputError: it is neither form, or the map can be read in two ways.
    """
    plain = text.strip().strip("'").strip()
    if plain.startswith("map[") and plain.endswith("]"):
        return _read_map(plain[4:-1])
    try:
        found = json.loads(plain)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise InputError(
            f"{plain[:60]!r}: expected annotations, as JSON or as Go's map[key:value ...]"
        )
    return found


def _read_map(inside: str) -> dict[str, str]:
    starts = list(_START.finditer(inside))
    if not inside:
        return {}
    if not starts or starts[0].start() != 0:
        raise InputError(f"map[{inside[:60]}]: expected key:value after map[")
    found: dict[str, str] = {}
    ends = [match.start() for match in starts[1:]] + [len(inside)]
    for match, end in zip(starts, ends, strict=True):
        key, value = match["key"], inside[match.end() : end]
        if "/" not in key and match is not starts[0]:
            raise InputError(
                f"map[...]: {key!r} may be a key or a part of the value before it; "
                "expected JSON: kubectl get pod NAME -o json"
            )
        if key in found:
            raise InputError(f"map[...]: the key {key!r} stands twice; expected JSON")
        found[key] = value
    if list(found) != sorted(found):  # fmt prints a map's keys in order
        raise InputError(
            "map[...]: the keys are not in order, so one of them is a part of a value; "
            "expected JSON: kubectl get pod NAME -o json"
        )
    return found
