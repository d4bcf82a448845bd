"""What taking an installation over would change: object by object, and for the traffic of pods.

An object is taken over by server-side apply. Where a field gets another value, its owner stands in
the way: the installer's fields are taken by name (``deployment.adopt``), a person's are not.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.convert.remains import is_ours
from fsm_stack.findings.finding import ObjectName, finding
from fsm_stack.injector.annotations import interception, keys_of
from fsm_stack.injector.profile import Refusal
from fsm_stack.manifests.foreign import FORCE_MESH_CONFIG, OWN_MANAGERS
from fsm_stack.manifests.manifest import FOLLOWED, Wave
from fsm_stack.redirection.scopes import redirection
from fsm_stack.systems import FSM
from fsm_stack.units import amount, nanoseconds
from fsm_stack.verify.commands import command
from fsm_stack.verify.drift import Manager, managers
from fsm_stack.verify.redirecting import redirecting_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.convert.chart.release import Release
    from fsm_stack.findings.finding import Finding
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.manifests.manifest import Key, Manifest
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml import Json

State = Literal["missing", "same", "differs", "patched"]

# Who installs a mesh: Helm 3 by updates and Helm 4 by applying, under one name; fsm install, which
# carries Helm in it; kubectl, of rendered manifests.
INSTALLERS: Final = frozenset(
    {"helm", "fsm", "kubectl-client-side-apply", "kubectl-create", "kubectl", "before-first-apply"}
)
# FSM's programs write into these objects when they start, and will again.
PROGRAMS: Final = frozenset({"fsm-bootstrap", "fsm-controller", "fsm-injector", "fsm-connector"})
_KEYED: Final = ("name", "containerPort", "port")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that adopting would change.

    Attributes:
        path: ``spec.template.spec.containers[fsm-injector].args``.
        declared: its declared value.
        live: its value now; None where it has none.
        managers: who wrote it, but for this stack.
    """

    path: str
    declared: Any
    live: Any
    managers: tuple[Manager, ...] = ()

    @property
    def foreign(self) -> tuple[Manager, ...]:
        """Those who are neither installers nor FSM's programs: people, other controllers."""
        return tuple(one for one in self.managers if one.name not in INSTALLERS | PROGRAMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """One declared object and what is there in its place.

    Attributes:
        name: the object.
        state: ``patched``: only written into, and never owned.
        differences: what would change.
        restarts: whether ``pulumi up`` makes its pods anew, by a rolling update.
    """

    name: ObjectName
    state: State
    differences: tuple[Difference, ...] = ()
    restarts: bool = False

    @property
    def takeable(self) -> bool:
        """Whether it is there, and nobody but its installer stands in the way."""
        there = self.state in {"same", "differs"}
        return there and not any(one.foreign for one in self.differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One class of pods, and whether the script of its next pod is another.

    Attributes:
        title: ``every pod``, ``profile batch``, ``annotations of shop/web``.
        before: the script that the live MeshConfig gives.
        after: the one that the declared MeshConfig gives.
    """

    title: str
    before: str
    after: str

    @property
    def changes(self) -> bool:
        """Whether adopting changes what its new pods redirect."""
        return self.before != self.after


@dataclass(slots=True, kw_only=True)
class Adoption:
    """What adopting would do.

    Attributes:
        objects: every declared object.
        traffic: every class of pods; empty: there is no live MeshConfig.
        findings: what stands in the way, and what is to be known.
    """

    objects: list[Adopted] = field(default_factory=list)
    traffic: list[Traffic] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The objects for ``deployment.adopt``."""
        return tuple(str(one.name) for one in self.objects if one.takeable)


def adoption(
    settings: StackSettings,
    manifests: Iterable[Manifest],
    live: Mapping[Key, Json],
    *,
    releases: Iterable[Release] = (),
    annotations: Mapping[str, Mapping[str, str]] | None = None,
    webhooks: Iterable[Json] = (),
) -> Adoption:
    """Compare a stack with what is installed.

    Args:
        settings: the stack's.
        manifests: its objects.
        live: those that are there, by kind, namespace and name.
        releases: Helm's records of the installation.
        annotations: of pods in enrolled namespaces, by a name for people.
        webhooks: every webhook configuration that is there.
    """
    result = Adoption()
    manifests = tuple(manifests)
    for manifest in manifests:
        result.objects.append(_adopted(manifest, live))
    result.traffic = list(_traffic(settings, live, annotations or {}))
    result.findings += _findings(result)
    declared = {manifest.key for manifest in manifests}
    for item in webhooks:
        name = ObjectName(str(item.get("kind")), "", str(item["metadata"].get("name")))
        if is_ours(item) and tuple(name) not in declared:
            result.findings.append(_leftover(name))
    for release in sorted({(one.namespace, one.name) for one in releases}):
        result.findings.append(_release(*release))
    return result


def _adopted(manifest: Manifest, there: Mapping[Key, Json]) -> Adopted:
    live = there.get(manifest.key)
    name = ObjectName(manifest.kind, manifest.namespace or "", manifest.name)
    if manifest.patch or manifest.retain or manifest.wave is Wave.ENROLMENT:
        return Adopted(name=name, state="patched")
    if live is None:
        return Adopted(name=name, state="missing")
    found = tuple(
        _with_managers(one, live)
        for one in differences(dict(manifest.object), live)
        if not _written_by_others(one.path, manifest.foreign_paths)
    )
    return Adopted(
        name=name,
        state="differs" if found else "same",
        differences=found,
        restarts=any(one.path.startswith("spec.template.") for one in found)
        or _follows_others(manifest, live, there),
    )


def _follows_others(manifest: Manifest, live: Json, there: Mapping[Key, Json]) -> bool:
    """Whether a pod template does not yet name the objects that its pods start anew with."""
    about = live.get("spec", {}).get("template", {}).get("metadata", {})
    now = (about.get("annotations") or {}).get(FOLLOWED, "")
    found = (there.get(key, {}).get("metadata", {}) for key in manifest.restarts_with)
    return bool(manifest.restarts_with) and now != ",".join(str(one.get("uid")) for one in found)


def _with_managers(one: Difference, live: Json) -> Difference:
    """The field with its owners; a field that is not there has none, and nobody to ask."""
    if one.live is None:
        return one
    plain = "".join(part.partition("[")[0] + "." for part in one.path.split(".")).rstrip(".")
    owners = tuple(
        owner for owner in managers(live, plain) if not owner.name.startswith(OWN_MANAGERS)
    )
    return Difference(path=one.path, declared=one.declared, live=one.live, managers=owners)


def _written_by_others(path: str, foreign: Iterable[str]) -> bool:
    plain = "".join(part.partition("[")[0] + "." for part in path.split("."))
    return any(plain.startswith(one.replace("[*]", "") + ".") for one in foreign)


def differences(declared: Any, live: Any, path: str = "") -> Iterator[Difference]:
    """Declared fields that are others in a live object; what the server adds is none."""
    if isinstance(declared, dict) and isinstance(live, dict):
        for key, value in declared.items():
            yield from differences(value, live.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(declared, list) and isinstance(live, list) and (keys := _keys(declared)):
        there = dict(zip(_keys(live), live, strict=True)) if _keys(live) else {}
        for key, value in zip(keys, declared, strict=True):
            yield from differences(value, there.get(key), f"{path}[{key}]")
    elif not _same(declared, live, path):
        yield Difference(path=path, declared=declared, live=live)


def _keys(items: list[Any]) -> list[Any]:
    """What identifies the items of a list: a name, or a port; empty: nothing does."""
    for key in _KEYED:
        found = [item.get(key) if isinstance(item, dict) else None for item in items]
        if (
            found
            and all(isinstance(one, str | int) for one in found)
            and len(set(found)) == len(found)
        ):
            return found
    return []


def _same(declared: Any, live: Any, path: str) -> bool:
    if declared == live or (live is None and declared in (None, False, "", 0, [], {})):
        return True
    if isinstance(declared, list) and isinstance(live, list):
        return len(declared) == len(live) and all(
            not list(differences(one, other)) for one, other in zip(declared, live, strict=True)
        )
    if ".resources." in f".{path}." or ".limits." in path or ".requests." in path:
        return amount(str(declared)) == amount(str(live)) is not None
    if isinstance(declared, str) and isinstance(live, str):
        if path.startswith("binaryData."):
            return _bytes(declared) == _bytes(live)
        length = nanoseconds(declared)
        return length is not None and length == nanoseconds(live)
    return False


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def _traffic(
    settings: StackSettings, live: Mapping[Key, Json], annotations: Mapping[str, Mapping[str, str]]
) -> Iterator[Traffic]:
    """Each class of pods under the live and the declared MeshConfig, script by script."""
    system = settings.profile
    there = live.get(("MeshConfig", settings.namespace, system.mesh_config_name))
    if there is None:
        return
    redirected = redirection(settings)
    declared = redirecting_mesh(
        system, _declared_spec(settings), name=settings.mesh_name, namespace=settings.namespace
    )
    before = redirecting_mesh(
        system, there.get("spec"), name=settings.mesh_name, namespace=settings.namespace
    )
    classes: dict[str, Mapping[str, str]] = {"every pod without annotations": {}}
    classes |= {f"profile {one.name}": one.annotations for one in redirected.profiles}
    seen = {_listed(one) for one in classes.values()}
    for title, notes in annotations.items():
        if _listed(notes) not in seen:
            seen.add(_listed(notes))
            classes[f"pods annotated as {title}"] = notes
    for title, notes in classes.items():
        yield Traffic(title=title, before=_script(notes, before), after=_script(notes, declared))


def _declared_spec(settings: StackSettings) -> Any:
    from fsm_stack.manifests.mesh import mesh_config  # noqa: PLC0415  # with the annotations' cost

    return mesh_config(settings).object["spec"]


def _listed(notes: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(notes.get(key) for key in keys_of(FSM).lists)


def _script(notes: Mapping[str, str], mesh: MeshView) -> str:
    if not mesh.system.intercepts(mesh.interception_mode):
        return "no rules: the pods get no init container"
    try:
        return interception(notes, mesh).script
    except Refusal as refusal:
        return f"refused: {refusal}"


def _findings(result: Adoption) -> Iterator[Finding]:
    for one in result.objects:
        for difference in one.differences:
            if difference.foreign:
                who = ", ".join(map(str, difference.foreign))
                mesh = one.name.kind == "MeshConfig"
                force = f", or set {FORCE_MESH_CONFIG}" if mesh else ""
                yield finding(
                    "adopt-foreign-manager",
                    f"{who} wrote {difference.live!r}, the stack declares {difference.declared!r}",
                    path=difference.path,
                    fix="Take its value into the stack file; or, to take the field from it, name "
                    f"{one.name} in deployment.adopt yourself{force}.",
                ).at(object=one.name)
    for traffic in result.traffic:
        if traffic.changes:
            message = f"new pods of {traffic.title} would get other rules than now"
            yield finding("adopt-changes-traffic", message, path=traffic.title)


def _leftover(name: ObjectName) -> Finding:
    removal = command("kubectl", "delete", name.kind.lower(), name.name)
    return finding(
        "adopt-leftover",
        "it is FSM's, and no object of the stack: of another version, or of another mesh",
        path=str(name),
        fix=f"Where no mesh needs it: {removal}",
    ).at(object=name)


def _release(namespace: str, name: str) -> Finding:
    command = f"kubectl delete secret -n {namespace} -l owner=helm,name={name}"
    return finding(
        "helm-release-there",
        f"Helm still has release {name} of namespace {namespace}: helm uninstall would delete "
        "what the stack owns, and helm upgrade would write over it",
        path=f"release {namespace}/{name}",
        fix=f"After pulumi up, let Helm forget the release: {command}",
    )
