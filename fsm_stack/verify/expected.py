"""What is declared: the objects of a stack, of rendered files, or the cluster's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.errors import CouldNotCheckError
from fsm_stack.findings.finding import harmless
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.foreign import UP, foreign_paths, foreign_paths_of_rendered
from fsm_stack.redirection.scopes import redirection
from fsm_stack.snapshot.guess import guessed_system
from fsm_stack.verify.commands import command
from fsm_stack.verify.redirecting import redirecting_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.manifests.foreign import ForeignPath
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.systems import System
    from fsm_stack.yaml import Json

Origin = Literal["stack", "files", "cluster"]
# The chart writes the mesh's name into this label of its programs.
_MESH_LABEL: Final = "app.kubernetes.io/instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the cluster should hold.

    Attributes:
        origin: ``cluster``: nothing is declared outside it; pods are compared with its own config.
        title: for people: ``stack dev``, ``rendered/dev``, ``the cluster's own MeshConfig``.
        mesh: the mesh of the declared MeshConfig, as an injector sees it.
        settings: the declared MeshConfig's ``spec``; None: no MeshConfig is known.
        objects: the declared objects, by kind, namespace and name.
        patched: those that exist without the stack, which only writes into them.
        scripts: the ConfigMap with the release's scripts, which is compared with nothing.
        makes_scripts: it is declared, too; else others make it, or nobody.
        directory: where the files are, if kubectl can apply it as it is.
        foreign: fields that others write on purpose.
        webhook: the name of the mutating webhook configuration; empty: found by its content.
        context: the kubeconfig's context that it is meant for; None: any.
        uid: of the cluster that it is meant for; None: any.
        ranges: the cluster's own, as a stack file has them; empty: nothing tells them.
    """

    origin: Origin
    title: str
    mesh: MeshView
    settings: Json | None
    objects: Mapping[tuple[str, str, str], Json]
    patched: frozenset[tuple[str, str, str]] = frozenset()
    scripts: tuple[str, str, str] | None = None
    makes_scripts: bool = False
    directory: str = ""
    foreign: tuple[ForeignPath, ...] = ()
    webhook: str = ""
    context: str | None = None
    uid: str | None = None
    ranges: Json = field(default_factory=dict)

    @property
    def system(self) -> System:
        """Whose injector."""
        return self.mesh.system

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that are declared to be in the mesh."""
        label = self.system.monitored_by_label
        return tuple(
            name
            for (kind, _, name), item in self.objects.items()
            if kind == "Namespace"
            and ((item.get("metadata") or {}).get("labels") or {}).get(label) == self.mesh.name
        )

    @property
    def declared(self) -> bool:
        """Whether something outside the cluster says what it should hold."""
        return self.origin != "cluster"

    @property
    def apply(self) -> str:
        """What brings the cluster to what is declared.

        A plain ``pulumi up`` compares the program with Pulumi's own state: what somebody changed
        in the cluster it sees after a refresh only.
        """
        if self.origin == "stack":
            return f"Run `{UP}` for the stack"
        return self.applied()

    def applied(self, *options: str) -> str:
        """How the files are applied, with more options of kubectl."""
        if self.directory:
            words = ("kubectl", "apply", "--server-side", *options, "-k", self.directory)
            return f"Run `{command(*words)}`"
        return " ".join(("Apply the rendered files", *(f"with {one}" for one in options)))


def of_stack(settings: StackSettings, *, title: str) -> Expected:
    """What one stack file declares; the release's scripts are no matter here."""
    assets = settings.release_assets.model_copy(update={"source": "omit"})
    without = settings.model_copy(update={"release_assets": assets})
    manifests = bundle(without, redirection(settings))  # its digest is of the assets, too
    objects = _by_key(dict(manifest.object) for manifest in manifests)
    patched = _by_key(dict(manifest.object) for manifest in manifests if manifest.patch)
    spec = _spec(objects, settings.profile, settings.namespace)
    return Expected(
        origin="stack",
        title=title,
        mesh=redirecting_mesh(
            settings.profile, spec, name=settings.mesh_name, namespace=settings.namespace
        ),
        settings=spec,
        objects=objects,
        patched=frozenset(patched),
        scripts=("ConfigMap", settings.namespace, settings.release_assets.config_map_name),
        makes_scripts=settings.release_assets.source == "vendored",
        foreign=foreign_paths(settings),
        webhook=settings.mutating_webhook_name if settings.profile.declares_control_plane else "",
        context=settings.cluster.context,
        uid=settings.cluster.uid,
        ranges=_ranges(settings),
    )


def _ranges(settings: StackSettings) -> Json:
    """The cluster's own, where the stack says them; else nobody knows which are."""
    cluster = settings.cluster
    if not (cluster.pod_ranges or cluster.service_ranges):
        return {}
    names = {"pod_ranges", "service_ranges", "api_server"}
    known: Json = cluster.model_dump(mode="json", by_alias=True, include=names, exclude_none=True)
    return known


def of_files(
    objects: Iterable[Json], *, system: System, title: str, directory: str = ""
) -> Expected:
    """What rendered objects declare; the mesh's name is the one that their webhook selects."""
    known = _by_key(objects)
    namespace = next(
        (place for kind, place, name in known if kind == "MeshConfig"), system.default_namespace
    )
    webhook = next(
        (
            name
            for (kind, _, name), item in known.items()
            if kind == "MutatingWebhookConfiguration" and selected_mesh(item, system)
        ),
        "",
    )
    mesh_name = (
        selected_mesh(known["MutatingWebhookConfiguration", "", webhook], system)
        if webhook
        else None
    )
    spec = _spec(known, system, namespace)
    return Expected(
        origin="files",
        title=title,
        directory=directory,
        mesh=redirecting_mesh(
            system, spec, name=mesh_name or system.default_mesh_name, namespace=namespace
        ),
        settings=spec,
        objects=known,
        foreign=(
            foreign_paths_of_rendered(
                mesh_config=system.mesh_config_name, mutating=webhook, validating=""
            )
            if system.declares_control_plane
            else ()
        ),
        webhook=webhook,
    )


def of_cluster(snapshot: Snapshot, *, system: System | None = None) -> Expected | None:
    """The cluster's own MeshConfig as what its pods should have.

    Returns:
        None where the system is not given and no MeshConfig tells it.

    Raises:
        CouldNotCheckError: several meshes are there, and nothing tells which one is meant.
    """
    known = system or guessed_system(snapshot)
    if known is None:
        return None
    found = _own_mesh_config(snapshot, known)
    namespace = str(((found or {}).get("metadata") or {}).get("namespace") or "")
    name = _own_mesh(snapshot, known, namespace)
    spec = (found or {}).get("spec") if found else None
    return Expected(
        origin="cluster",
        title="the cluster's own MeshConfig" if found else "no MeshConfig was read",
        mesh=redirecting_mesh(
            known,
            spec,
            name=name or known.default_mesh_name,
            namespace=namespace or known.default_namespace,
        ),
        settings=spec if isinstance(spec, dict) else None,
        objects={},
    )


def _own_mesh_config(snapshot: Snapshot, system: System) -> Json | None:
    """The MeshConfig of the control plane; of several, the one beside a webhook's service."""
    every = {
        str((item.get("metadata") or {}).get("namespace") or ""): item
        for item in snapshot.mesh_configs
        if (item.get("metadata") or {}).get("name") == system.mesh_config_name
    }
    served = {place for item in snapshot.mutating for place, _ in _served(item, system)}
    places = set(every) if len(every) == 1 else set(every) & served or set(every)
    if len(places) > 1:
        raise CouldNotCheckError(
            f"MeshConfigs {system.mesh_config_name} of several meshes were read, in namespaces "
            f"{_shown(places)}: name a STACK"
        )
    return every[places.pop()] if places else None


def _own_mesh(snapshot: Snapshot, system: System, namespace: str) -> str:
    """The mesh whose webhook leads to the injector of a namespace; empty: nothing tells it.

    Another mesh's webhook leads to another namespace. Where several lead to this one, the
    injector's own label says whose it is: the chart writes the mesh's name into it.
    """
    every = [pair for item in snapshot.mutating for pair in _served(item, system)]
    names = {mesh for place, mesh in every if place == namespace}
    program = snapshot.programs.get((namespace, system.injector_name)) or {}
    own = ((program.get("metadata") or {}).get("labels") or {}).get(_MESH_LABEL)
    if len(names) == 1:
        return names.pop()
    if isinstance(own, str) and (own in names or not names):
        return own
    if not names and not namespace:  # no MeshConfig tells where the control plane is
        names = {mesh for _, mesh in every}
        if len(names) == 1:
            return names.pop()
    if names:
        raise CouldNotCheckError(
            f"webhooks of several meshes lead to namespace {harmless(namespace)}: "
            f"{_shown(names)}; name a STACK"
        )
    return ""


def _shown(names: Iterable[str]) -> str:
    return ", ".join(harmless(name) for name in sorted(names))


def _served(configuration: Json, system: System) -> Iterator[tuple[str, str]]:
    """The namespaces of the services behind a configuration, each with the mesh it selects."""
    for webhook in configuration.get("webhooks") or ():
        if not isinstance(webhook, dict) or not is_injector(webhook, system):
            continue
        labels = (webhook.get("namespaceSelector") or {}).get("matchLabels") or {}
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        if isinstance(mesh := labels.get(system.monitored_by_label), str):
            yield str(service.get("namespace") or ""), mesh


def selected_mesh(configuration: Json, system: System) -> str | None:
    """The mesh whose namespaces a webhook configuration selects for this system's injector."""
    for webhook in configuration.get("webhooks") or ():
        if not isinstance(webhook, dict) or not is_injector(webhook, system):
            continue
        selector = webhook.get("namespaceSelector") or {}
        name = (selector.get("matchLabels") or {}).get(system.monitored_by_label)
        if isinstance(name, str):
            return name
    return None


def is_injector(webhook: Json, system: System) -> bool:
    """Whether a webhook is this system's injector; its name is fixed upstream."""
    return webhook.get("name") == f"{system.default_mesh_name}-inject.k8s.io"


def _by_key(objects: Iterable[Json]) -> dict[tuple[str, str, str], Json]:
    found = {}
    for item in objects:
        about = item.get("metadata") or {}
        key = (str(item.get("kind")), str(about.get("namespace") or ""), str(about.get("name")))
        found[key] = item
    return found


def _spec(
    objects: Mapping[tuple[str, str, str], Json], system: System, namespace: str
) -> Json | None:
    item = objects.get(("MeshConfig", namespace, system.mesh_config_name)) or {}
    spec = item.get("spec")
    return spec if isinstance(spec, dict) else None
