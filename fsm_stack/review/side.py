"""One side of a comparison: what it sets, which objects it makes, which script each scope gets.

A side has what its origin can tell: a dump of rules has one scope and no settings, a rendered tree
has objects and scripts. What one of two sides does not have is not compared, and that is said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Place
from fsm_stack.iptables.read.text import Reading, read
from fsm_stack.iptables.write import script
from fsm_stack.lists import LISTS, MESH, InterceptLists, merged
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.origins import intercept_lists
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.effective import Bypass, bypasses, profile_lists
from fsm_stack.settings.models.traffic import effective_mode
from fsm_stack.settings.reader import nowhere
from fsm_stack.snapshot.shape import mapping
from fsm_stack.systems import SYSTEMS
from fsm_stack.verify.redirecting import redirecting_mesh
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.review.model import SideName
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json
    from fsm_stack.yaml.places import Path

Key = tuple[str, str, str]
_MESH_CONFIG: Final = "MeshConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side.

    Attributes:
        name: what it is called.
        scripts: the text of each scope; a scope without a script is absent.
        settings: what is set; None: the origin has no settings.
        place: where a settings path stands in the side's file.
        entries: every redirection entry of the settings.
        objects: the Kubernetes objects by kind, namespace and name; None: it has none to tell.
        patched: those that exist without the stack, which only writes into them.
        spec: the MeshConfig's ``spec``; None: unknown.
        system: whose mesh; None: nothing tells.
        no_scripts: why no scope has a script; empty: they have.
        refused: given workloads whose pods the injector refuses, with why.
        findings: what the checks say of it.
        assumes: what the answer rests on because of its origin.
        kinds: its objects are all of these kinds only; None: of every kind.
        tells_profiles: whether its entries are those of profiles, too.
    """

    name: SideName
    scripts: Mapping[str, str]
    settings: StackSettings | None = None
    place: Callable[[Path], Place] = nowhere
    entries: tuple[Bypass, ...] = ()
    objects: Mapping[Key, Json] | None = None
    patched: frozenset[Key] = frozenset()
    spec: Json | None = None
    system: System | None = None
    no_scripts: str = ""
    refused: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    assumes: tuple[str, ...] = ()
    kinds: frozenset[str] | None = None
    tells_profiles: bool = True
    _read: dict[str, Reading] = field(default_factory=dict, compare=False, repr=False)

    def reading(self, scope: str) -> Reading:
        """The script of a scope, read back.

        Raises:
            RuleSyntaxError: it is no script that iptables takes.
        """
        text = self.scripts[scope]
        if text not in self._read:
            self._read[text] = read(text)
        return self._read[text]

    @property
    def profiles(self) -> tuple[str, ...]:
        """The scopes that pods choose by annotations."""
        return tuple(name for name in self.scripts if name != MESH)


def of_settings(
    settings: StackSettings,
    name: SideName,
    *,
    today: date,
    place: Callable[[Path], Place] = nowhere,
    findings: Iterable[Finding] = (),
    objects: bool = True,
) -> Side:
    """The side that a stack declares; the release's own scripts are no matter here.

    Args:
        settings: the stack.
        name: what it is called.
        today: for entries with an end.
        place: where a path of the settings stands.
        findings: what the checks say of it.
        objects: make its Kubernetes objects, too; without them its scripts are all there is.
    """
    manifests = _manifests(settings) if objects else ()
    made = {manifest.key: dict(manifest.object) for manifest in manifests}
    spec = next((one["spec"] for key, one in made.items() if key[0] == _MESH_CONFIG), None)
    mode = effective_mode(settings.traffic.interception_mode, settings.system)
    no_scripts = ""
    if mode is not None and not settings.profile.intercepts(mode):
        no_scripts = (
            f"traffic.interceptionMode {mode}: pods get no init container, and no script says "
            "what is redirected"
        )
    return Side(
        name=replace(name, version=settings.fsm_version),
        scripts={} if no_scripts else _scripts(settings),
        settings=settings,
        place=place,
        entries=bypasses(settings, today),
        objects=made if objects else None,
        patched=frozenset(manifest.key for manifest in manifests if manifest.patch),
        spec=spec,
        system=settings.profile,
        no_scripts=no_scripts,
        findings=tuple(findings),
    )


def _manifests(settings: StackSettings) -> tuple[Manifest, ...]:
    assets = settings.release_assets.model_copy(update={"source": "omit"})
    without = settings.model_copy(update={"release_assets": assets})
    return bundle(without, redirection(settings))


def _scripts(settings: StackSettings) -> dict[str, str]:
    found = {MESH: script(intercept_lists(settings), settings.profile)}
    for name in sorted(settings.annotation_profiles):
        lists = intercept_lists(settings, profile_lists(settings, name))
        found[name] = script(lists, settings.profile)
    return found


def of_script(text: str, name: SideName, *, system: System | None = None) -> Side:
    """The side of one script or dump: the scope of pods without annotations."""
    return Side(name=name, scripts={MESH: text}, system=system)


def of_spec(spec: Json, name: SideName, *, like: Side) -> Side:
    """The side of a MeshConfig, for the scopes of a stack: its profiles are pods' annotations.

    Args:
        spec: the MeshConfig's ``spec``, of any origin: nothing is checked here.
        name: what it is called.
        like: the stack that it is compared with.
    """
    system = like.system or SYSTEMS["fsm"]
    mesh = redirecting_mesh(system, spec, name="", namespace="")
    settings = like.settings
    profiles = () if settings is None else sorted(settings.annotation_profiles)
    pods = {one: profile_lists(settings, one) for one in profiles} if settings else {}

    def text(scope: str) -> str:
        lists = merged(mesh.lists, pods[scope]) if scope in pods else mesh.lists
        return script(
            InterceptLists.of(
                lists,
                local_proxy_mode=mesh.local_proxy_mode,
                dns_proxy=mesh.dns_proxy and system.has_dns_rule,
            ),
            system,
        )

    no_scripts = ""
    if not system.intercepts(mesh.interception_mode):
        no_scripts = (
            f"spec.traffic.interceptionMode {mesh.interception_mode or 'is absent'}: pods get no "
            "init container, and no script says what is redirected"
        )
    objects = {
        key: ({**item, "spec": spec} if key[0] == _MESH_CONFIG else item)
        for key, item in (like.objects or {}).items()
        if key[0] == _MESH_CONFIG
    }
    return Side(
        name=name,
        scripts={} if no_scripts else {scope: text(scope) for scope in (MESH, *pods)},
        objects=objects or None,
        spec=spec,
        system=system,
        no_scripts=no_scripts,
        kinds=frozenset({_MESH_CONFIG}),
        entries=(*_of_mesh(spec), *(one for one in like.entries if one.scope != MESH)),
        place=lambda path: Place(file=name.file or None, path=path_text(path)),
        assumes=("profiles are the annotations that the stack declares for them",) if pods else (),
    )


def of_objects(
    objects: Iterable[Json], scripts: Mapping[str, str], name: SideName, *, system: System
) -> Side:
    """The side of rendered files: their objects and scripts as they stand there."""
    known = {key_of(item): item for item in objects}
    found = (item for key, item in known.items() if key[0] == _MESH_CONFIG)
    spec = next((item.get("spec") for item in found), None)
    return Side(
        name=name,
        scripts=dict(scripts),
        objects=known,
        spec=spec if isinstance(spec, dict) else None,
        system=system,
        entries=_of_mesh(spec),
        tells_profiles=False,
    )


def _of_mesh(spec: object) -> tuple[Bypass, ...]:
    """The entries of a MeshConfig's lists: nobody says there why they are."""
    traffic = mapping(mapping(spec).get("traffic"))
    return tuple(
        Bypass(
            scope=MESH,
            kind=listed.key,
            value=str(value),
            reason="",
            owner="",
            until=None,
            expired=False,
            path=f"spec.traffic.{listed.key}[{index}]",
        )
        for listed in LISTS
        for index, value in enumerate(_listed(traffic.get(listed.key)))
    )


def _listed(value: object) -> list[object]:
    """A list; what is none, of any origin, holds no entries."""
    return value if isinstance(value, list) else []


def key_of(item: Json) -> Key:
    """Kind, namespace and name of an object."""
    about = item.get("metadata")
    known = about if isinstance(about, dict) else {}
    return (
        str(item.get("kind") or ""),
        str(known.get("namespace") or ""),
        str(known.get("name") or ""),
    )


def json_text(value: object) -> str:
    """A value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def place_text(place: Place) -> str:
    """``Pulumi.dev.yaml:12``; empty without a file."""
    if not place.file:
        return ""
    return f"{place.file}:{place.line}" if place.line else place.file


def placed(text: str) -> Place:
    """The place that :func:`place_text` told."""
    file, _, line = text.rpartition(":")
    return Place(file=file, line=int(line)) if line.isdecimal() else Place(file=text or None)
