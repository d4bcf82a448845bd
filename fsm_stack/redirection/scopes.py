"""The redirection of a stack: of the mesh and every profile, as scripts, annotations and words.

Each has a digest, so that a reviewer, a consumer and a cluster can tell one version from another.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack import __version__
from fsm_stack.errors import few
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.write import write_restore
from fsm_stack.lists import LISTS, MESH
from fsm_stack.redirection.origins import intercept_lists, pod_annotations
from fsm_stack.settings.effective import profile_lists
from fsm_stack.templating import render
from fsm_stack.well_known import REDIRECTION_CONFIG_MAP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fsm_stack.lists import InterceptLists
    from fsm_stack.settings.models.stack import StackSettings

_SHOWN = 4
_ON_NODES: Final = ("NodeLevel: fsm-xnetwork redirects on the nodes, and reads no list",)


def summary_lines(
    lists: InterceptLists, profiles: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...]:
    """Lines that say what goes through the sidecar and what does not.

    Args:
        lists: the mesh-wide lists, as the script generator gets them.
        profiles: each profile's annotations.
    """
    outbound = []
    if lists.excluded_ranges:
        outbound.append(f"to {few(lists.excluded_ranges, _SHOWN)}")
    if lists.outbound_ports:
        outbound.append(f"to port {few(lists.outbound_ports, _SHOWN)}")
    if lists.interfaces:
        outbound.append(f"over {few(lists.interfaces, _SHOWN)}")
    inbound = []
    if lists.inbound_ports:
        inbound.append(f"to port {few(lists.inbound_ports, _SHOWN)}")
    if lists.interfaces:
        inbound.append(f"over {few(lists.interfaces, _SHOWN)}")
    whole = "all TCP"
    if lists.included_ranges:
        whole = f"TCP to {few(lists.included_ranges, _SHOWN)}"
    lines = [
        f"outbound: {whole}{_except(outbound)} goes through the sidecar",
        f"inbound:  all TCP{_except(inbound)} goes through the sidecar",
    ]
    for name, carries in profiles.items():
        carried = "; ".join(
            f"{key.partition('/')[2].removesuffix('-list')} {value}"
            for key, value in carries.items()
        )
        lines.append(f"profile {name}: {carried or 'nothing of its own'}")
    return tuple(lines)


def _except(parts: Sequence[str]) -> str:
    return f" except {', '.join(parts)}" if parts else ""


# Version of the outputs' and the ConfigMap's form. A field is added without a new number;
# one that is removed, renamed or changes its meaning raises it.
SCHEMA_VERSION: Final = 2
CONFIG_MAP_NAME: Final = REDIRECTION_CONFIG_MAP
REDIRECTION_KEY: Final = "redirection.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Redirection of the pods without annotations, or of those with one profile's.

    Attributes:
        name: ``mesh``, or the profile's name.
        lists: the injector's arguments after the merge.
        script: the init container's script, byte for byte the injector's.
        annotations: what the pods carry; empty for ``mesh``.
        digest: ``sha256:…`` over annotations and script.
    """

    name: str
    lists: InterceptLists
    script: str
    annotations: Mapping[str, str]
    digest: str

    def as_json(self) -> dict[str, Any]:
        """Plain values for the ConfigMap; the digest stands for the script."""
        lists = self.lists
        return {
            "digest": self.digest,
            "annotations": dict(self.annotations),
            "lists": {
                **{name.key: list(lists.entries(name)) for name in LISTS},
                "localProxyMode": lists.local_proxy_mode,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirection:
    """All redirection of a stack.

    Attributes:
        system: ``fsm``, ``osm-edge`` or ``osm``.
        settings_digest: ``sha256:…`` over every setting of the stack.
        mesh: pods without redirection annotations.
        profiles: one scope a profile, by name: the engine and a file order keys differently.
        summary: what is redirected, in lines for people.
    """

    system: str
    settings_digest: str
    mesh: Scope
    profiles: tuple[Scope, ...]
    summary: tuple[str, ...]

    def scopes(self) -> tuple[Scope, ...]:
        """The mesh's scope, then the profiles'."""
        return (self.mesh, *self.profiles)

    def as_json(self) -> dict[str, Any]:
        """Plain values, versioned: what the ConfigMap holds."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "toolVersion": __version__,
            "system": self.system,
            "settingsDigest": self.settings_digest,
            "mesh": self.mesh.as_json(),
            "profiles": {scope.name: scope.as_json() for scope in self.profiles},
        }

    def files(self) -> dict[str, str]:
        """Relative path to text, for ``rendered/<stack>/redirection``.

        Script and annotations stand in files of their own: a change of one rule is one line of a
        review. A profile cannot be called like the mesh's files, since those are a level up.
        """
        files = {"mesh.sh": self.mesh.script}
        for scope in self.profiles:
            files[f"profiles/{scope.name}.sh"] = scope.script
            files[f"profiles/{scope.name}.annotations.yaml"] = annotations_yaml(scope)
        digests = {scope.name: scope.digest for scope in self.profiles}
        files["digests.json"] = _json(
            {
                "schemaVersion": SCHEMA_VERSION,
                "settingsDigest": self.settings_digest,
                "mesh": self.mesh.digest,
                "profiles": digests,
            }
        )
        return files


def annotations_yaml(scope: Scope) -> str:
    """A profile's annotations as YAML to paste into a pod template."""
    return render(
        "redirection/annotations.yaml.j2",
        title=f"Profile {scope.name}",
        annotations=list(scope.annotations.items()),
    )


def redirection(settings: StackSettings) -> Redirection:
    """Render the mesh default and every annotation profile of a stack."""
    profile = settings.profile
    mesh_intercept = intercept_lists(settings)
    mesh = _scope(MESH, mesh_intercept, {}, write_restore(intercept(mesh_intercept, profile)))
    profiles = []
    for name in sorted(settings.annotation_profiles):  # the engine sorts keys, a file does not
        pod = profile_lists(settings, name)
        lists = intercept_lists(settings, pod)
        text = write_restore(intercept(lists, profile))
        profiles.append(_scope(name, lists, pod_annotations(pod, profile), text))
    return Redirection(
        system=settings.system,
        settings_digest=settings_digest(settings),
        mesh=mesh,
        profiles=tuple(profiles),
        summary=(
            _ON_NODES
            if settings.node_level
            else summary_lines(mesh_intercept, {s.name: s.annotations for s in profiles})
        ),
    )


def settings_digest(settings: StackSettings) -> str:
    """``sha256:…`` over what a stack sets: in one release of this tool, equal is equal.

    Defaults do not count: a release that offers one more setting changes no digest. Nor do
    reasons, owners, ends, their policy, contracts and accepted findings, which are for people, the
    guard, which refuses and changes nothing, and how ``pulumi up`` treats objects.
    """
    notes = {"reason", "owner", "until"}
    for_people = {"accept", "bypass_policy", "contracts", "deployment", "guard"}
    plain = settings.model_dump(
        mode="json", by_alias=True, exclude=for_people, exclude_defaults=True
    )
    plain["fsmVersion"] = settings.fsm_version
    return _digest(json.dumps(_without(plain, notes), sort_keys=True, separators=(",", ":")))


def _without(value: Any, keys: set[str]) -> Any:  # noqa: ANN401  # decoded JSON
    if isinstance(value, dict):
        if "value" in value and value.keys() <= {"value", *keys}:
            return value["value"]
        return {key: _without(item, keys) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item, keys) for item in value]
    return value


def config_map_data(known: Redirection) -> dict[str, str]:
    """The data of ConfigMap ``fsm-redirection``: a cluster can be checked with it alone.

    The lists are enough for that: a script follows from them, and ``rendered`` holds it.
    """
    return {
        "schemaVersion": str(SCHEMA_VERSION),
        "toolVersion": __version__,
        "settingsDigest": known.settings_digest,
        REDIRECTION_KEY: _json(known.as_json()),
    }


def _scope(name: str, lists: InterceptLists, annotations: Mapping[str, str], text: str) -> Scope:
    digest = _digest(json.dumps([dict(annotations), text], sort_keys=True))
    return Scope(name=name, lists=lists, script=text, annotations=annotations, digest=digest)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
