"""The MeshConfig that a cluster has, alone: what a stack is compared with before it is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.cluster.api import Refused
from fsm_stack.cluster.connect import connect
from fsm_stack.cluster.read import Reader
from fsm_stack.cluster.snapshot_file import read_files
from fsm_stack.cluster.subject import require_known, require_same_cluster
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.snapshot.snapshot import FILES, IN_CLUSTER
from fsm_stack.verify.expected import of_stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMeshConfig:
    """A cluster's MeshConfig.

    Attributes:
        title: ``context prod``, or the files' names.
        spec: its ``spec``.
    """

    title: str
    spec: Json


def live_mesh_config(
    settings: StackSettings,
    title: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    files: Sequence[Path] = (),
) -> LiveMeshConfig:
    """The MeshConfig of the cluster that a stack is meant for, live or out of a snapshot.

    Args:
        settings: the stack.
        title: its name, for messages.
        context: the kubeconfig's context.
        kubeconfig: the kubeconfig file.
        files: a snapshot's, read instead of a cluster.

    Raises:
        InputError: it is another cluster than the stack's.
        CouldNotCheckError: no cluster answers, or it has no such MeshConfig.
    """
    expected = of_stack(settings, title=title)
    name, namespace = settings.profile.mesh_config_name, settings.namespace
    if files:
        snapshot = read_files(files)
        source = snapshot.source
        known = "" if source.context == FILES else source.context
        require_same_cluster(expected, context=known, uid=source.uid)
        item = snapshot.mesh_config(settings.profile, namespace)
        title = f"cluster {known}" if known else source.server
    else:
        cluster = connect(kubeconfig=kubeconfig, context=context)
        known = "" if cluster.context == IN_CLUSTER else cluster.context
        uid = Reader(cluster=cluster).uid()
        require_same_cluster(expected, context=known, uid=uid)
        require_known(expected, context=known, uid=uid)
        version = settings.profile.mesh_config_api_version
        path = f"/apis/{version}/namespaces/{namespace}/meshconfigs/{name}"
        try:
            item = cluster.read(path)
        except Refused as refusal:
            raise CouldNotCheckError(f"MeshConfig {namespace}/{name}: {refusal}") from None
        title = f"cluster {cluster.context}"
    spec = (item or {}).get("spec")
    if not isinstance(spec, dict):
        raise CouldNotCheckError(f"{title}: no MeshConfig {namespace}/{name} was found")
    return LiveMeshConfig(title=title, spec=spec)
