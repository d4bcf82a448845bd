"""A stack's MeshConfig compared with one that is given: alone, and with Helm values beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from fsm_stack.convert.images import SIDECAR_IMAGE, take_pipy
from fsm_stack.convert.result import Converted, Draft, Line, at, over
from fsm_stack.findings.finding import finding
from fsm_stack.lists import KEYS
from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.manifests.mesh_config import RESOURCES
from fsm_stack.settings.models.components import PIPY_VERSIONS
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.units import amount, canonical_quantity
from fsm_stack.verify.drift import ABSENT, Drift, drifts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.yaml import Json

SECTIONS: Final = tuple(f.alias or to_camel(n) for n, f in MeshSettings.model_fields.items())
# Written by FSM's programs while they run; no setting.
WRITTEN: Final = ("connector.viaGateway", "connector.DO_NOT_EDIT_viaGateway")
UNREAD: Final = frozenset(
    {
        "sidecar.localDNSProxy.searchesWithNamespace",
        "sidecar.localDNSProxy.searchesWithTrustDomain",
    }
)
CREDENTIALS: Final = "observability.remoteLogging.authorization"
_MESH_COUNTS: Final = "the MeshConfig counts"


def proof(settings: Json, spec: Json, today: date) -> Iterator[Finding]:
    """What the stack's own MeshConfig would say otherwise than a given one: it should be nothing.

    Where the settings hold a value that cannot be used, there is nothing to compare: loading the
    stack file says which one.
    """
    loaded = load_mapping(settings, name="", today=today)
    if loaded.settings is None:
        return
    for drift in _differences(loaded.settings, spec):
        path = f"spec.{drift.path}"
        message = f"the stack would write {_shown(drift.declared)}, it is {_shown(drift.live)}"
        yield finding("conversion-differs", message, path=path)


def _canonical(spec: Json) -> Json:
    """A spec whose quantities are the API server's."""
    sidecar = spec.get("sidecar")
    if not isinstance(sidecar, dict):
        return spec
    changed = {
        name: {
            side: {
                unit: canonical_quantity(str(one)) if amount(str(one)) is not None else one
                for unit, one in amounts.items()
            }
            if isinstance(amounts, dict)
            else amounts
            for side, amounts in sidecar[name].items()
        }
        for name in RESOURCES
        if isinstance(sidecar.get(name), dict)
    }
    return {**spec, "sidecar": {**sidecar, **changed}}


def combined(values: Converted, mesh: Converted, spec: Json, *, today: date) -> Converted:
    """Values of a release, and the MeshConfig that runs: each counts where it is what counts.

    The mesh's sections are the MeshConfig's. The images of the control plane's programs are the
    values': Helm writes those into the Deployments at every upgrade.
    """
    ours = {key: one for key, one in values.settings.items() if key not in SECTIONS}
    theirs = {key: one for key, one in mesh.settings.items() if key in (*SECTIONS, "mesh")}
    images = {key: one for key, one in ours.pop("images", {}).items() if key != "pipy"}
    draft = Draft(settings=over(ours, theirs))
    usual = {"registry": images.get("registry", "flomesh"), "name": "pipy"}
    usual["tag"] = PIPY_VERSIONS[ours["fsmVersion"]]
    if images:
        draft.settings["images"] = images
    if (sidecar := at(spec, SIDECAR_IMAGE)) is not None:
        take_pipy(sidecar, f"spec.{SIDECAR_IMAGE}", "images.pipy", draft, usual=usual)
    for line in values.lines:
        counts = not line.target.startswith((*(f"{name}." for name in SECTIONS), "images.pipy."))
        draft.lines.append(line if counts else Line(source=line.source, why=_MESH_COUNTS))
    for line in mesh.lines:
        if line.target.startswith("images."):
            if line.source != f"spec.{SIDECAR_IMAGE}":
                draft.drop(line.source, "the Deployments' images are what the values say")
        elif line.source != f"spec.{SIDECAR_IMAGE}":
            draft.lines.append(line)
    draft.findings = [
        *values.findings,
        *(item for item in mesh.findings if item.id != "conversion-differs"),
        *_overruled(values, spec, today),
        *proof(draft.settings, spec, today),
    ]
    return draft.done(f"{mesh.title} and {values.title}")


def _overruled(values: Converted, spec: Json, today: date) -> Iterator[Finding]:
    """What the values say otherwise than the MeshConfig that runs."""
    loaded = load_mapping(values.settings, name="", today=today)
    if loaded.settings is None:
        return
    for drift in _differences(loaded.settings, spec):
        random = drift.path == "clusterSet.uid"  # the chart makes a new one at every render
        if drift.path.partition(".")[0] in SECTIONS and not random:
            yield finding(
                "values-overruled",
                f"the values say {_shown(drift.declared)}, the MeshConfig {_shown(drift.live)}",
                path=f"spec.{drift.path}",
            )


def _differences(settings: StackSettings, spec: Json) -> Iterator[Drift]:
    """The fields of a stack's MeshConfig that are others in a given one.

    What FSM's programs write is none, and what the API server fills in where it is absent: the
    defaults of the CRD are the chart's.
    """
    usual = mesh_config(StackSettings()).object["spec"]
    declared, live = mesh_config(settings).object["spec"], _canonical(spec)
    for key in KEYS:  # whole lists: an entry alone says nothing to people
        one, other = declared["traffic"][key], at(live, f"traffic.{key}") or []
        if one != other:
            yield Drift(path=f"traffic.{key}", declared=one, live=other)
    for drift in drifts(_without_lists(declared), _without_lists(live)):
        written = drift.path.startswith((*WRITTEN, *UNREAD, CREDENTIALS))
        derived = drift.path == "clusterSet.uid"
        filled = drift.live is ABSENT and (derived or drift.declared == _stands(usual, drift.path))
        if not written and not filled:
            yield drift


def _without_lists(spec: Json) -> Json:
    traffic = spec.get("traffic")
    if not isinstance(traffic, dict):
        return spec
    return {**spec, "traffic": {k: v for k, v in traffic.items() if k not in KEYS}}


def _stands(value: Any, path: str) -> Any:
    """What stands at a path with list indexes; ABSENT where nothing does."""
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return ABSENT
    return value


def _shown(value: object) -> str:
    return "nothing" if value is ABSENT else repr(value)
