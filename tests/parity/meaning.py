"""Objects by meaning: flat mappings from a readable path to a value as text."""

from __future__ import annotations

import json
from typing import Any

import yaml

from fsm_stack.convert.chart.programs import STAND_INS
from fsm_stack.units import canonical_duration, canonical_quantity

_DURATIONS = (".configResyncInterval", ".serviceCertValidityDuration", ".warmup.duration")
_PRESET = "preset-mesh-config.json"
_ROOT_CERTIFICATE = "preset-mesh-root-certificate.json"
_YAML = ("prometheus.yml", "prometheus.yaml", "dashboards.yaml")


def objects_of(text: str) -> dict[str, dict[str, Any]]:
    """The objects of a multi-document YAML text by ``Kind/name``."""
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return {
        f"{item['kind']}/{item['metadata']['name']}": item
        for item in documents
        if item is not None
    }


def mesh_of_preset(preset: dict[str, Any]) -> dict[str, Any]:
    """The MeshConfig that bootstrap makes of a preset ConfigMap."""
    return {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": {"name": "fsm-mesh-config", "namespace": preset["metadata"]["namespace"]},
        "spec": json.loads(preset["data"][_PRESET]),
    }


def meaning(item: dict[str, Any]) -> dict[str, str]:
    """Every field of an object by path; what means nothing to Kubernetes is left out."""
    return dict(_flat(_read(item), ""))


def _read(item: dict[str, Any]) -> dict[str, Any]:
    """The object with texts that hold structure taken apart."""
    item = {**item}
    if "rules" in item:
        item["rules"] = sorted(
            json.dumps(_unordered(rule), sort_keys=True) for rule in item["rules"]
        )
    if "data" in item:
        item["data"] = {key: _text(key, text) for key, text in item["data"].items()}
    if "binaryData" in item:
        item["binaryData"] = {
            key: "".join(text.split()) for key, text in item["binaryData"].items()
        }
    return item


def _text(key: str, text: str) -> Any:
    """What a file of a ConfigMap says to its reader; a file of another kind is its text."""
    if key in (_PRESET, _ROOT_CERTIFICATE):
        return json.loads(text)
    if key in _YAML:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    if key.endswith((".ini", ".conf")):
        return _sections(text, "=" if key.endswith(".ini") else None)
    return text


def _sections(text: str, between: str | None) -> dict[str, dict[str, str]]:
    """Sections of keys and values, whatever the blanks, without comments."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            assert line not in sections, f"{line} twice"
            current = sections.setdefault(line, {})
        elif line and not line.startswith("#"):
            key, value = line.split(between, maxsplit=1)
            current[key.strip()] = value.strip()
    return sections


def _unordered(rule: dict[str, list[str]]) -> dict[str, list[str]]:
    return {key: sorted(values) for key, values in rule.items()}


def _flat(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [
            pair
            for key, item in value.items()
            for pair in _flat(_amount(path, item), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list) and value:
        return [
            pair for key, item in _entries(path, value) for pair in _flat(item, f"{path}[{key}]")
        ]
    if value is None:
        return []
    if path.endswith(_DURATIONS):
        value = canonical_duration(value)
    return [(path, value if isinstance(value, str) else _number(value))]


def _number(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value)


def _amount(path: str, value: Any) -> Any:
    """Quantities of containers in one form: 0.5, '0.5' and 500m are the same."""
    inside = path.endswith((".resources.limits", ".resources.requests"))
    if inside and not isinstance(value, dict) and value is not None:
        return canonical_quantity(str(value))
    return value


def _entries(path: str, value: list[Any]) -> list[tuple[str, Any]]:
    """List entries by what identifies them: their name, their flag, or their place."""
    if path.endswith(".args"):
        return list(_flags([str(item) for item in value]).items())
    names = [item.get("name") if isinstance(item, dict) else None for item in value]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return list(zip(names, value, strict=True))
    return [(str(place), item) for place, item in enumerate(value)]


def _flags(arguments: list[str]) -> dict[str, str]:
    """Flags by name, in any order: ``--a b`` and ``--a=b`` are the same.

    A flag that stands twice has all its values; what is no flag stands in its own place.
    """
    flags: dict[str, str] = {}
    words = iter(arguments)
    for place, word in enumerate(words):
        name, equals, text = word.partition("=")
        if not name.startswith("--"):
            flags[f"argument {place}"] = word
            continue
        value = text if equals else next(words)
        flags[name] = f"{flags[name]}, {value}" if name in flags else value
    if flags.get("--vault-token"):
        # Here it is in a Secret of a usual name, to which the arguments refer.
        del flags["--vault-token"]
        _, name, key = STAND_INS["fsm.vault.token"]
        flags |= {"--vault-token-secret-name": name, "--vault-token-secret-key": key}
    return flags
