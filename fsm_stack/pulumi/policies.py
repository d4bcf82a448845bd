"""What a policy pack says of any Pulumi stack: the findings of ``lint`` and of ``validate``.

The pack itself (``policy/``) has an environment of its own; here is what it asks, as values: the
resources of a stack in, violations out. Workloads are checked as they would run in the mesh, and
MeshConfigs that a program writes itself as the same settings in a stack file would be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.convert.mesh_config import kept_sections
from fsm_stack.convert.result import Draft
from fsm_stack.findings import redirection, settings, workload
from fsm_stack.project.workload_files import context_of
from fsm_stack.pulumi.stack import whole
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.systems import FSM
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.lint.beside import Peers
from fsm_stack.workloads.stream import learn_namespaces, outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from fsm_stack.findings import Rule
    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings

    Json = dict[str, Any]

# Of these rules each is a policy of its own: it can be switched by its id.
RULES: Final[tuple[Rule, ...]] = (*workload.RULES, *redirection.RULES, *settings.RULES)

_GROUP: Final = FSM.mesh_config_group
_KUBERNETES: Final = "kubernetes:"
_PATCH: Final = "Patch"
_INTERNAL: Final = "__"  # the engine's and the provider's own properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One resource of a stack.

    Attributes:
        urn: its URN.
        type: its type token, ``kubernetes:apps/v1:Deployment``.
        properties: its inputs, plain data; without what is known only after the update.
    """

    urn: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One finding of one resource.

    Attributes:
        id: of the rule, which is the policy's name.
        message: the place in the object, what is wrong, and the fix.
        urn: whose.
    """

    id: str
    message: str
    urn: str


def violations(
    resources: Iterable[Declared], mesh: StackSettings, *, today: date
) -> tuple[Violation, ...]:
    """Everything that is wrong with a stack's workloads and MeshConfigs.

    Args:
        resources: all of the stack.
        mesh: whose mesh the workloads run in.
        today: for bypasses with an end.
    """
    found = [(one.urn, manifest) for one in resources if (manifest := object_of(one)) is not None]
    context = context_of(mesh, write=False)
    context.keep_going = True
    for _, manifest in found:
        learn_namespaces(manifest, context)
    peers = Peers(mesh.profile, context.default_namespace)
    told: list[Finding] = []
    for urn, manifest in found:
        if is_mesh_config(manifest):
            told += (item.at(file=urn) for item in of_mesh_config(manifest, today=today))
            continue
        for document in split(StringIO(json.dumps(manifest)), file=urn):
            seen = outcome(document, context)
            peers.add(seen)
            told += seen.findings()
    told += peers.findings()
    return tuple(
        Violation(
            id=item.id,
            message=item.at(file=None, line=None, column=None).as_text(severity=False),
            urn=item.place.file or "",
        )
        for item in dict.fromkeys(told)
    )


def object_of(resource: Declared) -> Json | None:
    """A resource as the Kubernetes object that it stands for; None where it is none."""
    if not resource.type.startswith(_KUBERNETES) or resource.type.count(":") != 2:  # noqa: PLR2004  # package, module, name
        return None
    _, version, kind = resource.type.split(":")
    if "/" not in version:  # a chart, a list of files, the provider itself
        return None
    plain = {
        key: value for key, value in resource.properties.items() if not key.startswith(_INTERNAL)
    }
    known = {"apiVersion": version.removeprefix("core/"), "kind": kind.removesuffix(_PATCH)}
    manifest: Json = whole(known | plain)
    return manifest


def is_mesh_config(manifest: Json) -> bool:
    """Whether it is FSM's MeshConfig: those of osm-edge and OSM are not judged here."""
    group = str(manifest["apiVersion"]).partition("/")[0]
    return (group, manifest["kind"]) == (_GROUP, "MeshConfig")


def of_mesh_config(manifest: Json, *, today: date) -> Iterator[Finding]:
    """What is wrong with a MeshConfig, or with the part of one that a patch holds.

    Of what it does not say nothing is told: its defaults are for the stack that installs the mesh.
    """
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return
    given = {key: value for key, value in spec.items() if key not in {"image", "misc"}}
    loaded = load_mapping(kept_sections(given, Draft()), name="", today=today)
    for item in loaded.findings:
        if item.place.path.partition(".")[0] in given:
            yield item.at(file=None, path=f"spec.{item.place.path}")
