"""A Helm release as Helm stores it, in a Secret or ConfigMap of the cluster.

Source: helm pkg/storage/driver (util.go, labels.go) and pkg/release; Helm 3 and 4 store alike:
JSON, compressed with gzip, in base64, which Kubernetes encodes once more in a Secret.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.result import at
from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsm_stack.yaml import Json

# The charts of FSM, OSM and osm-edge.
CHARTS: Final = ("fsm", "osm", "osm-edge")
RELEASE_TYPE: Final = "helm.sh/release.v1"
_OWNER_LABEL: Final = {"owner": "helm"}
# A Secret holds 1 MB; its chart and manifest unpack to some tens of that.
UNPACKED_MAX: Final = 64 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One revision of a release.

    Attributes:
        name: ``fsm``.
        namespace: Helm's ``--namespace``.
        revision: 1 for the install.
        status: ``deployed``, ``superseded``, ``failed`` and so on.
        chart: the chart's name.
        version: the chart's.
        values: what the user gave, without the chart's defaults.
        manifest: the rendered objects.
        record: the Secret's or ConfigMap's name.
        kind: ``Secret`` or ``ConfigMap``.
    """

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    version: str
    values: Json
    manifest: str
    record: str
    kind: str = "Secret"


def is_release(item: Any) -> bool:
    """Whether an object is one of Helm's release records."""
    if not isinstance(item, dict):
        return False
    labels = at(item, "metadata.labels")
    owned = isinstance(labels, dict) and _OWNER_LABEL.items() <= labels.items()
    return item.get("type") == RELEASE_TYPE or (owned and "release" in (item.get("data") or {}))


def read_release(item: Json, *, name: str) -> Release:
    """The release of a record.

    Raises:
        InputError: it is no record of Helm's, or damaged.
    """
    data = at(item, "data.release")
    if not isinstance(data, str):
        raise InputError(f"{name}: data.release: expected what Helm stores, found none")
    kind = str(item.get("kind") or "Secret")
    content = json.loads(_json(data, kind, name))
    chart = at(content, "chart.metadata")
    if not isinstance(content, dict) or not isinstance(chart, dict):
        raise InputError(f"{name}: data.release: expected a release with a chart")
    values = content.get("config") or {}
    if not isinstance(values, dict):
        raise InputError(f"{name}: data.release: config: expected a mapping")
    revision = content.get("version")
    return Release(
        name=str(content.get("name", "")),
        namespace=str(content.get("namespace") or at(item, "metadata.namespace") or ""),
        revision=revision if isinstance(revision, int) else 0,
        status=str(at(content, "info.status") or ""),
        chart=str(chart.get("name", "")),
        version=str(chart.get("version", "")),
        values=values,
        manifest=str(content.get("manifest") or ""),
        record=str(at(item, "metadata.name") or ""),
        kind=kind,
    )


def _json(data: str, kind: str, name: str) -> str:
    """The record's JSON, within bounds. A ConfigMap is not encoded by Kubernetes once more."""
    try:
        once = base64.b64decode(data, validate=True) if kind == "Secret" else data.encode()
        packed = base64.b64decode(once, validate=True)
        if packed[:3] == b"\x1f\x8b\x08":
            stream = zlib.decompressobj(_GZIP)
            plain = stream.decompress(packed, UNPACKED_MAX + 1)
            if len(plain) > UNPACKED_MAX:
                raise InputError(
                    f"{name}: data.release: unpacks to more than {UNPACKED_MAX} bytes"
                )
        else:
            plain = packed
        text = plain.decode()
        json.loads(text)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise InputError(f"{name}: data.release: not what Helm stores: {error}") from None
    return text


def newest(releases: Iterable[Release]) -> Release | None:
    """The revision that counts: the deployed one, else the last; None of none.

    Raises:
        InputError: releases of several names, which one is meant is not said.
    """
    known = sorted(releases, key=lambda one: one.revision)
    names = {(one.namespace, one.name) for one in known}
    if len(names) > 1:
        shown = ", ".join("/".join(one) for one in sorted(names))
        raise InputError(f"releases {shown}: expected one; name it with --release")
    deployed = [one for one in known if one.status == "deployed"]
    return (deployed or known or [None])[-1]  # type: ignore[list-item]  # None of none


def not_counted(releases: Sequence[Release]) -> Iterator[tuple[str, str]]:
    """Revisions after the one that counts, or that one where it is not deployed; and why."""
    if (counts := newest(releases)) is None:
        return
    for one in releases:
        shown = f"release {one.name}, revision {one.revision}"
        if one.revision > counts.revision:
            yield f"{shown} ({one.status})", f"revision {counts.revision} is deployed"
        elif one is counts and one.status != "deployed":
            yield shown, f"its status is {one.status or 'not said'}: none is deployed"
