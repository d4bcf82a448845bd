"""Helm values of FSM's chart to settings of a stack."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.convert.chart.control_plane import control_plane_values
from fsm_stack.convert.chart.mesh import MESH_VALUES
from fsm_stack.convert.chart.other import OPEN_KEYS, SECRETS, TOGETHER, WITHOUT_EFFECT
from fsm_stack.convert.chart.programs import (
    PROGRAM_VALUES,
    TOGETHER_WITH_OTHERS,
    take_programs,
)
from fsm_stack.convert.chart.set_syntax import as_list, merged
from fsm_stack.convert.result import Converted, Draft, Line, same
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.settings.models.components import PIPY_VERSIONS
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.problems import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

from fsm_stack.convert.chart.control_plane import How, Value

DEFAULT_VERSION: Final[str] = StackSettings.model_fields["fsm_version"].default
_NAMESPACE: Final = "fsm-system"
# Sections that the chart writes into its preset as they are. Source: preset-mesh-config.yaml.
_WRITTEN_WHOLE: Final = frozenset({"fsm.localDNSProxy", "fsm.pluginChains", "fsm.xnetDNSProxy"})
_EMPTY_IS_ABSENT: Final = ("tag", "optional", "where_on_optional")
_CPU_AND_MEMORY: Final = ("cpu", "memory")
_SERVICE_LB_IMAGE: Final = "flomesh/mirrored-klipper-lb:v0.4.7"


def convert_helm_values(
    values: Mapping[str, Any],
    *,
    fsm_version: str = "1.5.1",
    release_namespace: str = _NAMESPACE,
) -> Converted:
    """Settings that mean what these values mean to FSM's chart.

    What a stack does not declare, and secrets, are findings of severity error in the result.

    Args:
        values: decoded values, with the chart's roots ``fsm``, ``smi`` and ``clusterSet``.
        fsm_version: the chart's release, a key of ``PIPY_VERSIONS``.
        release_namespace: Helm's ``--namespace``.

    Raises:
        InputError: the values are no mapping, or the release is not known.
        FindingsError: ``unknown-key``, ``wrong-type`` or ``invalid-value``, each with its path.
    """
    require_release(fsm_version)
    conversion = _Conversion(fsm_version)
    conversion.read(values)
    if conversion.errors:
        raise FindingsError(tuple(conversion.errors))
    return conversion.settings(release_namespace)


def require_release(fsm_version: str, source: str = "") -> None:
    """Refuse a release that is not known: what is not said of it would be another's.

    Args:
        fsm_version: ``1.5.1``.
        source: what says so; empty: the option.

    Raises:
        InputError: with those that are known.
    """
    if fsm_version in PIPY_VERSIONS:
        return
    place = f"{source}: chart version" if source else "--chart-version"
    closest = "; name the release that it is closest to with --chart-version" if source else ""
    raise InputError(
        f"{place}: expected one of {', '.join(PIPY_VERSIONS)}, got {fsm_version!r}{closest}"
    )


class _Conversion:
    """The values that differ from the chart's defaults, sorted by what becomes of them."""

    def __init__(self, fsm_version: str) -> None:
        self._version = fsm_version
        self._becoming: dict[str, Value] = (
            control_plane_values(fsm_version) | MESH_VALUES | PROGRAM_VALUES
        )
        self._defaults: dict[str, Any] = {
            **{path: value.default for path, value in self._becoming.items()},
            **{path: default for path, (default, _) in WITHOUT_EFFECT.items()},
            **{path: default for path, (default, _) in SECRETS.items()},
            **TOGETHER,
            **TOGETHER_WITH_OTHERS,
        }
        self._changed: dict[str, Any] = {}
        self.errors: list[Finding] = []
        self._draft = Draft()

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
                if value is not None:
                    self.read(value, path)
                elif path in _WRITTEN_WHOLE:
                    self._removed(path, "section")
                else:  # Helm renders it only where nothing of the section is asked for
                    self._draft.drop(path, "null: nothing of the section is used")
            else:
                self._unknown(path)

    def _read_one(self, path: str, given: Any) -> None:  # decoded YAML
        default = self._defaults[path]
        mapping = path.rpartition(".")[2] in OPEN_KEYS
        if mapping and given is not None and not isinstance(given, dict):
            self._wrong(path, given, "a mapping")
            return
        becoming = self._becoming.get(path)
        if given and becoming is not None and becoming.how in ("program", "resources"):
            flat = {side: one for side, one in given.items() if not isinstance(one, dict | None)}
            for side, amount in flat.items():
                self._wrong(f"{path}.{side}", amount, "a mapping")
            if flat:
                return
        if not mapping and isinstance(given, dict):
            self._wrong(path, given, "a list" if isinstance(default, list) else "one value")
            return
        if given is None and not mapping and not isinstance(default, list):
            self._removed(path, f"default {default!r}")
            return
        if given is None and isinstance(default, list):
            given = []  # which the chart's templates write alike, or leave out
        value = merged(default, given) if mapping else given
        if same(value, default):
            self._draft.drop(path, "the chart's default")
        else:
            self._changed[path] = value

    def _removed(self, path: str, what: str) -> None:
        message = (
            f"null removes the chart's {what}, and the chart then writes an object that is not "
            "valid"
        )
        self.errors.append(finding("invalid-value", message, path=path, fix="Remove the key."))

    def _wrong(self, path: str, value: Any, expected: str) -> None:  # decoded YAML
        got = type_name(value) if path in SECRETS else repr(value)
        shown = None if path in SECRETS else value
        self.errors.append(
            finding("wrong-type", f"expected {expected}, got {got}", path=path, value=shown)
        )

    def _unknown(self, path: str) -> None:
        """Of a value that nobody knows nothing is told: it may be a secret under a wrong name."""
        parts = path.split(".")
        depth = len(parts)
        known = {".".join(name.split(".")[:depth]) for name in self._defaults}
        siblings = {name for name in known if name.rpartition(".")[0] == path.rpartition(".")[0]}
        meant = get_close_matches(path, sorted(siblings), n=1) or get_close_matches(
            path, sorted(self._defaults), n=1, cutoff=0.75
        )
        hint = f"; did you mean {meant[0]}?" if meant else ""
        self.errors.append(
            finding(
                "unknown-key",
                f"FSM's chart has no value {path}{hint}",
                path=path,
                fix=f"Write {meant[0]}." if meant else "",
            )
        )

    def settings(self, release_namespace: str) -> Converted:
        """The settings, where nothing was wrong."""
        draft = self._draft
        draft.set("fsmVersion", self._version)
        if release_namespace != _NAMESPACE:
            draft.set("mesh.namespace", release_namespace)
        for path, value in self._changed.items():
            if path in WITHOUT_EFFECT:
                self._without_effect(path, value, WITHOUT_EFFECT[path][1])
            elif path in SECRETS:
                self._secret(path)
            elif path in self._becoming:
                self._become(path, value)
        self._interception_mode()
        self._registries()
        take_programs(draft, self._value, self._changed, self._ignored)
        self._vault()
        return draft.done()

    def _secret(self, path: str) -> None:
        where = f"it belongs into {SECRETS[path][1]}"
        message = "expected no value: no setting takes a secret"
        self._draft.drop(path, f"a secret; {where}", finding(
            "secret-value", message, path=path, fix=f"{where[0].upper()}{where[1:]}."
        ))  # fmt: skip

    def _value(self, path: str) -> Any:  # decoded YAML
        return self._changed.get(path, self._defaults[path])

    def _ignored(self, path: str, reason: str) -> None:
        self._without_effect(path, self._changed[path], reason)

    def _without_effect(self, path: str, value: Any, reason: str) -> None:
        self._draft.drop(
            path,
            f"no effect: {reason}",
            finding("helm-value-ignored", f"no effect: {reason}", path=path, value=value),
        )

    def _become(self, path: str, value: Any) -> None:
        known, draft = self._becoming[path], self._draft
        where_on = known.how in ("where_on", "where_on_optional")
        off = where_on and not self._value(f"{path.rpartition('.')[0]}.enable")
        if off and path == "fsm.tracing.port" and self._value("fsm.deployJaeger"):
            draft.set("components.jaeger.port", value, path)
        elif off:
            self._without_effect(path, value, "the section is not enabled")
        elif known.how == "tag" and "@" in str(value):
            # So the chart's users pin Pipy's images, for which it has no digest.
            tag, _, digest = str(value).partition("@")
            draft.set(known.target, tag, path)
            draft.set(f"{known.target.removesuffix('tag')}digest", digest, path)
        elif value == "" and known.how in _EMPTY_IS_ABSENT:
            draft.drop(path, "empty: not set")
        else:
            beside = path.startswith("fsm.image.digest.") and self._value("fsm.image.tag")
            why = "the chart drops a digest beside a tag, the stack pins it" if beside else ""
            draft.set(known.target, self._converted(path, value, known.how), path, why)

    def _converted(self, path: str, value: Any, how: How) -> Any:
        match how:
            case "tag":
                return str(value)
            case "ports" | "texts":
                entries, warnings = as_list(path, value, numbers=how == "ports")
                self._draft.findings += warnings
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
            for unit, amount in (amounts or {}).items():
                if program and unit not in _CPU_AND_MEMORY:
                    reason = "of this container the chart writes cpu and memory only"
                    self._without_effect(f"{path}.{side}.{unit}", amount, reason)
                else:
                    kept[unit] = str(amount)
        return result

    def _interception_mode(self) -> None:
        path = "fsm.trafficInterceptionMode"
        mode = self._changed.get(path)
        if mode is not None:
            self._draft.set("traffic.interceptionMode", mode, path)

    def _registries(self) -> None:
        """Pipy's images have a registry of their own; an empty one is the control plane's."""
        base = self._value("fsm.image.registry")
        for section, target in (("sidecar", "images.pipy"), ("repoServer", "images.pipyRepo")):
            path = f"fsm.{section}.image.registry"
            registry = self._value(path) or base
            if registry != base:
                self._draft.set(f"{target}.registry", registry)
            if path in self._changed:
                self._tell(path, f"{target}.registry" if registry != base else "images.registry")
        paths = [f"fsm.serviceLB.image.{part}" for part in ("registry", "name", "tag")]
        registry, name, tag = map(self._value, paths)
        image = f"{registry or base}/{name}:{tag}"
        if image != _SERVICE_LB_IMAGE:
            self._draft.set("serviceLB.image", image)
        for path in paths:
            if path in self._changed:
                self._tell(path, "serviceLB.image")

    def _tell(self, path: str, target: str) -> None:
        self._draft.lines.append(Line(source=path, target=target))

    def _vault(self) -> None:
        """Vault's values count where Vault issues certificates only; plain HTTP is said then."""
        draft = self._draft
        provider = draft.settings.get("certificateProvider", {})
        if provider.get("kind") == "vault":
            # Ours is https by default, the chart's is http.
            draft.set("certificateProvider.vault.protocol", self._value("fsm.vault.protocol"))
            return
        ignored = [path for path in self._changed if path.startswith("fsm.vault.")]
        draft.lines = [line for line in draft.lines if line.source not in ignored]
        for path in ignored:
            if path not in SECRETS:
                reason = "fsm.certificateProvider.kind is not vault"
                self._without_effect(path, self._changed[path], reason)
        provider.pop("vault", None)
        if not provider:
            draft.settings.pop("certificateProvider", None)
