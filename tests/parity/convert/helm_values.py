"""Helm values of FSM's chart to settings of a stack."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple, assert_never

from fsm_stack.errors import FindingsError, InputError, NotProvidedError
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.settings.models.components import PIPY_VERSIONS
from tests.parity.convert.coercion import as_list
from tests.parity.convert.control_plane_values import control_plane_values
from tests.parity.convert.mesh_values import MESH_VALUES
from tests.parity.convert.other_values import (
    NOT_PROVIDED,
    OPEN_KEYS,
    SECRETS,
    TOGETHER,
    WITHOUT_EFFECT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.parity.convert.value import How, Value

_NAMESPACE: Final = "fsm-system"
_EMPTY_IS_ABSENT: Final = ("tag", "optional", "where_on_optional")
_CPU_AND_MEMORY: Final = ("cpu", "memory")
_SERVICE_LB_IMAGE: Final = "flomesh/mirrored-klipper-lb:v0.4.7"


class Converted(NamedTuple):
    """A conversion's result.

    Attributes:
        settings: as in a stack file, without the prefix ``fsm-stack:``; defaults are left out.
        findings: warnings about values that were read in another form, or have no effect.
    """

    settings: dict[str, Any]
    findings: tuple[Finding, ...]


def convert_helm_values(
    values: Mapping[str, Any],
    *,
    fsm_version: str = "1.5.1",
    release_namespace: str = _NAMESPACE,
) -> Converted:
    """Settings that mean what these values mean to FSM's chart.

    Args:
        values: decoded values, with the chart's roots ``fsm``, ``smi`` and ``clusterSet``.
        fsm_version: the chart's release, a key of ``PIPY_VERSIONS``.
        release_namespace: Helm's ``--namespace``.

    Raises:
        InputError: the values are no mapping, or the release is not known.
        FindingsError: ``unknown-key``, ``wrong-type`` or ``invalid-value``, each with its path.
        NotProvidedError: a value asks for something that a stack does not declare, or is a secret.
    """
    if fsm_version not in PIPY_VERSIONS:
        known = ", ".join(PIPY_VERSIONS)
        raise InputError(f"FSM {fsm_version!r}: expected one of {known}")
    conversion = _Conversion(fsm_version)
    conversion.read(values)
    conversion.refuse()
    return conversion.settings(release_namespace)


def _same(one: Any, other: Any) -> bool:  # decoded YAML
    """Equality in which true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _merged(default: Any, given: Any) -> Any:  # decoded YAML
    """A mapping over the chart's default, as Helm merges them: null removes a key."""
    if given is None:
        return {}
    if not isinstance(default, dict) or not isinstance(given, dict):
        return given
    result = dict(default)
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(default[key], value) if key in default else value
    return result


class _Conversion:
    """The values that differ from the chart's defaults, sorted by what becomes of them."""

    def __init__(self, fsm_version: str) -> None:
        self._version = fsm_version
        self._becoming: dict[str, Value] = control_plane_values(fsm_version) | MESH_VALUES
        self._defaults: dict[str, Any] = {
            **{path: value.default for path, value in self._becoming.items()},
            **{path: default for path, (default, _) in WITHOUT_EFFECT.items()},
            **{path: default for path, (default, _) in SECRETS.items()},
            **NOT_PROVIDED,
            **TOGETHER,
        }
        self._changed: dict[str, Any] = {}
        self._errors: list[Finding] = []
        self._warnings: list[Finding] = []
        self._settings: dict[str, Any] = {}

    def read(self, values: Any, prefix: str = "") -> None:  # decoded YAML
        """Collect what differs from the defaults, and what is wrong."""
        if not isinstance(values, dict):
            if not prefix:
                raise InputError("Helm values: expected a mapping with fsm, smi or clusterSet")
            self._wrong(prefix, values, "a mapping")
            return
        for key, value in values.items():
            path = f"{prefix}.{key}" if prefix else str(key)
            if path in self._defaults:
                self._read_one(path, value)
            elif any(known.startswith(f"{path}.") for known in self._defaults):
                self.read({} if value is None else value, path)
            else:
                self._unknown(path, value)

    def _read_one(self, path: str, given: Any) -> None:  # decoded YAML
        default = self._defaults[path]
        mapping = path.rpartition(".")[2] in OPEN_KEYS
        if mapping and given is not None and not isinstance(given, dict):
            self._wrong(path, given, "a mapping")
            return
        if not mapping and isinstance(given, dict):
            self._wrong(path, given, "a list" if isinstance(default, list) else "one value")
            return
        if given is None and not mapping and not isinstance(default, list):
            self._errors.append(
                finding(
                    "invalid-value",
                    f"null removes the chart's default {default!r}, and the chart then writes "
                    "an object that is not valid",
                    path=path,
                    fix="Remove the key.",
                )
            )
            return
        if given is None and isinstance(default, list):
            given = []  # which the chart's templates write alike, or leave out
        value = _merged(default, given) if mapping else given
        if not _same(value, default):
            self._changed[path] = value

    def _wrong(self, path: str, value: Any, expected: str) -> None:  # decoded YAML
        self._errors.append(
            finding("wrong-type", f"expected {expected}, got {value!r}", path=path, value=value)
        )

    def _unknown(self, path: str, value: Any) -> None:  # decoded YAML
        parts = path.split(".")
        depth = len(parts)
        known = {".".join(name.split(".")[:depth]) for name in self._defaults}
        siblings = {name for name in known if name.rpartition(".")[0] == path.rpartition(".")[0]}
        meant = get_close_matches(path, sorted(siblings), n=1) or get_close_matches(
            path, sorted(self._defaults), n=1, cutoff=0.75
        )
        hint = f"; did you mean {meant[0]}?" if meant else ""
        self._errors.append(
            finding(
                "unknown-key",
                f"FSM's chart has no value {path}{hint}",
                path=path,
                value=value,
                fix=f"Write {meant[0]}." if meant else "",
            )
        )

    def refuse(self) -> None:
        """Raise what cannot be converted."""
        if self._errors:
            raise FindingsError(tuple(self._errors))
        asked = [
            f"{path}={value!r}"
            for path, value in self._changed.items()
            if path in NOT_PROVIDED
            or (path == "fsm.trafficInterceptionMode" and value == "NodeLevel")
        ]
        if asked:
            raise NotProvidedError(f"not provided yet: {', '.join(asked)}")
        secrets = [
            f"{path} (it belongs into {SECRETS[path][1]})"
            for path in self._changed
            if path in SECRETS
        ]
        if secrets:
            raise NotProvidedError(f"no setting takes a secret value: {', '.join(secrets)}")

    def settings(self, release_namespace: str) -> Converted:
        """The settings, once nothing is left to refuse."""
        self._set("fsmVersion", self._version)
        if release_namespace != _NAMESPACE:
            self._set("mesh.namespace", release_namespace)
        for path, value in self._changed.items():
            if path in WITHOUT_EFFECT:
                self._without_effect(path, value, WITHOUT_EFFECT[path][1])
            elif path in self._becoming:
                self._become(path, value)
        self._interception_mode()
        self._registries()
        self._vault()
        return Converted(self._settings, tuple(self._warnings))

    def _value(self, path: str) -> Any:  # decoded YAML
        return self._changed.get(path, self._defaults[path])

    def _set(self, target: str, value: Any) -> None:  # decoded YAML
        *sections, name = target.split(".")
        place = self._settings
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value

    def _without_effect(self, path: str, value: Any, reason: str) -> None:  # decoded YAML
        self._warnings.append(
            finding("helm-value-ignored", f"no effect: {reason}", path=path, value=value)
        )

    def _become(self, path: str, value: Any) -> None:  # decoded YAML
        known = self._becoming[path]
        where_on = known.how in ("where_on", "where_on_optional")
        if where_on and not self._value(f"{path.rpartition('.')[0]}.enable"):
            self._without_effect(path, value, "the section is not enabled")
        elif known.how == "tag" and "@" in str(value):
            # So the chart's users pin Pipy's images, for which it has no digest.
            tag, _, digest = str(value).partition("@")
            self._set(known.target, tag)
            self._set(f"{known.target.removesuffix('tag')}digest", digest)
        elif value != "" or known.how not in _EMPTY_IS_ABSENT:
            self._set(known.target, self._converted(path, value, known.how))

    def _converted(self, path: str, value: Any, how: How) -> Any:  # decoded YAML
        match how:
            case "tag":
                return str(value)
            case "ports" | "texts":
                entries, warnings = as_list(path, value, numbers=how == "ports")
                self._warnings += warnings
                return entries
            case "program" | "resources":
                return self._resources(path, value, how == "program")
            case "same" | "optional" | "where_on" | "where_on_optional":
                return value
            case _ as never:
                assert_never(never)

    def _resources(self, path: str, value: dict[str, Any], program: bool) -> dict[str, Any]:  # noqa: FBT001  # private
        """Amounts as text; of a program's container the chart reads cpu and memory only."""
        result: dict[str, dict[str, str]] = {}
        for side, amounts in value.items():
            kept = result.setdefault(side, {})
            for unit, amount in amounts.items():
                if program and unit not in _CPU_AND_MEMORY:
                    reason = "of this container the chart writes cpu and memory only"
                    self._without_effect(f"{path}.{side}.{unit}", amount, reason)
                else:
                    kept[unit] = str(amount)
        return result

    def _interception_mode(self) -> None:
        mode = self._changed.get("fsm.trafficInterceptionMode")
        if mode is not None:
            self._set("traffic.interceptionMode", mode)

    def _registries(self) -> None:
        """Pipy's images have a registry of their own; an empty one is the control plane's."""
        base = self._value("fsm.image.registry")
        for section, target in (("sidecar", "images.pipy"), ("repoServer", "images.pipyRepo")):
            registry = self._value(f"fsm.{section}.image.registry") or base
            if registry != base:
                self._set(f"{target}.registry", registry)
        registry, name, tag = (
            self._value(f"fsm.serviceLB.image.{part}") for part in ("registry", "name", "tag")
        )
        image = f"{registry or base}/{name}:{tag}"
        if image != _SERVICE_LB_IMAGE:
            self._set("serviceLB.image", image)

    def _vault(self) -> None:
        """Vault's values count where Vault issues certificates only; plain HTTP is said then."""
        provider = self._settings.get("certificateProvider", {})
        if provider.get("kind") == "vault":
            # Ours is https by default, the chart's is http.
            self._set("certificateProvider.vault.protocol", self._value("fsm.vault.protocol"))
            return
        for path, value in self._changed.items():
            if path.startswith("fsm.vault."):
                reason = "fsm.certificateProvider.kind is not vault"
                self._without_effect(path, value, reason)
        provider.pop("vault", None)
        if not provider:
            self._settings.pop("certificateProvider", None)
