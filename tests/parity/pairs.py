"""Recorded pairs of Helm values and what FSM's chart renders for them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from fsm_stack.convert.chart.helm import convert_helm_values
from fsm_stack.findings.finding import Severity
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import DASHBOARDS, ReleaseAsset, egress_script_file
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.models.stack import StackSettings
from tests.parity.differences import DIFFERENCES
from tests.parity.meaning import meaning, mesh_of_preset, objects_of
from tests.recordings import recordings

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.manifests.manifest import Manifest
    from tests.parity.difference import Difference

CHART_VERSION = "1.6.0"


def corpus() -> Path:
    """The directory of pairs: FSM_STACK_CHART_CORPUS, or the one beside the repository."""
    return recordings("FSM_STACK_CHART_CORPUS", "chart")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Values, and the objects that the chart renders for them."""

    name: str
    values: dict[str, Any]
    chart: dict[str, dict[str, Any]]

    def ours(self) -> tuple[Manifest, ...]:
        """Our objects for the same values; the Pipy scripts are the chart's own."""
        converted = convert_helm_values(self.values, fsm_version=CHART_VERSION)
        lost = [
            item.message
            for item in converted.findings
            # A secret is a reference here, which is compared as one.
            if item.severity is Severity.ERROR and item.id != "secret-value"
        ]
        assert lost == []
        settings = StackSettings.model_validate_json(json.dumps(converted.settings))
        encoded = self.chart["ConfigMap/fsm-init-repo-scripts"]["binaryData"]["scripts.tar.gz"]
        asset = ReleaseAsset(
            version=CHART_VERSION,
            sha256="",
            scripts=base64.b64decode("".join(encoded.split())),
            texts=self._texts(settings),
        )
        return bundle(settings, redirection(settings), asset=asset)

    def _texts(self, settings: StackSettings) -> dict[str, str]:
        """The release's dashboards and scripts, where the chart rendered them."""
        held = {
            egress_script_file(settings.egress_gateway.mode): (
                "fsm-egress-gateway-pjs",
                "egress-gateway.js",
            ),
            **{
                file: (f"fsm-grafana-dashboard-definition-{folder}", key)
                for folder, files in DASHBOARDS.items()
                for key, file in files.items()
            },
        }
        return {
            file: self.chart[f"ConfigMap/{name}"]["data"][key]
            for file, (name, key) in held.items()
            if f"ConfigMap/{name}" in self.chart
        }


def load(directory: Path) -> list[Pair]:
    """Every pair of a directory, by name."""
    pairs = []
    for values in sorted(directory.glob("*.values.yaml")):
        name = values.name.removesuffix(".values.yaml")
        chart = objects_of((directory / f"{name}.objects.yaml").read_text(encoding="utf-8"))
        mesh = mesh_of_preset(chart["ConfigMap/preset-mesh-config"])
        chart["MeshConfig/fsm-mesh-config"] = mesh
        decoded = yaml.load(values.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        pairs.append(Pair(name=name, values=decoded or {}, chart=chart))
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two sets of objects differ in."""

    unexpected: tuple[str, ...]
    seen: frozenset[Difference]


def compare(ours: dict[str, dict[str, Any]], chart: dict[str, dict[str, Any]]) -> Comparison:
    """Compare objects by meaning, field by field, with the list of differences on purpose."""
    unexpected: list[str] = []
    seen: set[Difference] = set()

    def check(key: str, path: str, one: str | None, other: str | None) -> None:
        known = next((d for d in DIFFERENCES if d.covers(key, path, one, other)), None)
        if known is None:
            unexpected.append(
                f"{key} {path or '(the object)'}: ours {one!r}, the chart's {other!r}"
            )
        else:
            seen.add(known)

    for key in sorted(ours.keys() | chart.keys()):
        if key not in ours or key not in chart:
            check(key, "", "" if key in ours else None, "" if key in chart else None)
            continue
        one, other = meaning(ours[key]), meaning(chart[key])
        for path in sorted(one.keys() | other.keys()):
            if one.get(path) != other.get(path):
                check(key, path, one.get(path), other.get(path))
    return Comparison(unexpected=tuple(unexpected), seen=frozenset(seen))


def by_key(manifests: tuple[Manifest, ...]) -> dict[str, dict[str, Any]]:
    """Our objects under the keys that the chart's have."""
    return {f"{item.kind}/{item.name}": dict(item.object) for item in manifests}
