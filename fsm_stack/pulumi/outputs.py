"""What a stack tells other stacks: its outputs, typed and with a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast

import pulumi

from fsm_stack import __version__
from fsm_stack.errors import InputError
from fsm_stack.redirection.scopes import SCHEMA_VERSION

if TYPE_CHECKING:
    from fsm_stack.redirection.scopes import Redirection
    from fsm_stack.settings.models.stack import StackSettings


class MeshOutputsError(InputError, pulumi.RunError):
    """Another stack's outputs cannot be used; the engine shows it without a traceback."""


class StackOutputs(TypedDict):
    """The outputs of a stack. A new field keeps ``schemaVersion``; any other change raises it.

    ``annotations`` are those of each annotation profile, by its name. What a pod gets follows from
    them and from the lists of the mesh, which ``redirectionDigest`` stands for: when one of the
    two changes, the pod has to start anew.
    """

    schemaVersion: int
    toolVersion: str
    settingsDigest: str
    system: str
    fsmVersion: str
    meshName: str
    namespace: str
    redirectionDigest: str
    annotations: dict[str, dict[str, str]]


def stack_outputs(settings: StackSettings, rendered: Redirection) -> StackOutputs:
    """The outputs of a stack with these settings and their redirection."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "toolVersion": __version__,
        "settingsDigest": rendered.settings_digest,
        "system": settings.system,
        "fsmVersion": settings.fsm_version,
        "meshName": settings.mesh_name,
        "namespace": settings.namespace,
        "redirectionDigest": rendered.mesh.digest,
        "annotations": {scope.name: dict(scope.annotations) for scope in rendered.profiles},
    }


def outputs_of(reference: pulumi.StackReference) -> pulumi.Output[StackOutputs]:
    """Another stack's outputs, for programs that deploy into its mesh.

    Raises:
        MeshOutputsError: (in the output) they have another version, or are no mesh's.
    """

    def known(found: dict[str, Any]) -> StackOutputs:
        version = found.get("schemaVersion")
        if version != SCHEMA_VERSION:
            raise MeshOutputsError(
                f"stack outputs: expected schemaVersion {SCHEMA_VERSION}, got {version!r}"
            )
        known = {key: _whole(found.get(key)) for key in StackOutputs.__annotations__}
        return cast("StackOutputs", known)

    return reference.outputs.apply(known)


def _whole(value: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """The value with whole numbers as integers: the engine hands every number over as a float."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
        case _:
            return value
