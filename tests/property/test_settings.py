from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import from_engine, load_mapping
from fsm_stack.yaml.write import dump
from tests.settings.loading import TODAY

from .strategies import hostile, stacks

ASSET = ReleaseAsset(version="1.5.1", sha256="0" * 64, scripts=b"stands for the release's own")

# All that a script of the injector is made of. `$` stands in $POD_IP only, `<` in the here-document.
ALPHABET = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./,:[]*!#+@\n"
)


def scripts(stack: StackSettings) -> list[str]:
    known = redirection(stack)
    return [scope.script for scope in known.scopes()]


def only_known_syntax(script: str) -> bool:
    first, *rest = script.split("\n")
    body = "\n".join(rest).replace("--to-destination $POD_IP", "")
    return first == "iptables-restore --noflush <<EOF" and set(body) <= ALPHABET


@given(stacks)
def test_valid_settings_render_scripts_without_shell_syntax(data: dict[str, Any]) -> None:
    loaded = load_mapping(data, name="", today=TODAY)
    stack = StackSettings.model_validate_json(json.dumps(data))
    assert all(only_known_syntax(script) for script in scripts(stack))
    assert loaded.settings is None or loaded.settings == stack


@given(stacks)
def test_the_engines_config_gives_the_same_settings(data: dict[str, Any]) -> None:
    """Pulumi up, GitOps and a review must speak of one mesh."""
    assume(any(value not in ({}, [], "fsm", "1.5.1") for value in data.values()))  # says something
    config = {
        f"fsm-stack:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in data.items()
    }
    of_engine = from_engine(config, today=TODAY)
    of_file = load_mapping(data, name="stack config", today=TODAY)
    assert of_engine.settings == of_file.settings
    assert [f.as_text() for f in of_engine.findings] == [f.as_text() for f in of_file.findings]


LIST_KEYS = (
    "outboundPortExclusionList",
    "inboundPortExclusionList",
    "outboundIPRangeExclusionList",
    "outboundIPRangeInclusionList",
    "networkInterfaceExclusionList",
)


@given(st.sampled_from(LIST_KEYS), hostile)
def test_hostile_list_entries_are_refused_or_harmless(key: str, text: str) -> None:
    """H5 and H6: the init script runs as root in every pod."""
    loaded = load_mapping({"traffic": {key: [text]}}, name="", today=TODAY)
    if loaded.settings is not None:
        assert all(only_known_syntax(script) for script in scripts(loaded.settings))


def text_paths() -> list[tuple[str | int, ...]]:
    """Every place of a stack file that takes text, from the models' own schema."""
    schema = StackSettings.model_json_schema()
    definitions = schema["$defs"]
    found: list[tuple[str | int, ...]] = []

    def walk(node: dict[str, Any], path: tuple[str | int, ...]) -> None:
        if "$ref" in node:
            node = definitions[node["$ref"].rpartition("/")[2]]
        for branch in node.get("anyOf", ()):
            walk(branch, path)
        if node.get("type") == "string":
            found.append(path)
        for key, part in node.get("properties", {}).items():
            walk(part, (*path, key))
        if isinstance(node.get("items"), dict):
            walk(node["items"], (*path, 0))
        of_keys = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
        for part in of_keys:
            if isinstance(part, dict):
                walk(part, (*path, "some-key"))

    walk(schema, ())
    return found


PATHS = text_paths()


def put(path: tuple[str | int, ...], value: Any) -> Any:
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def test_every_kind_of_text_is_tried() -> None:
    """Else the next property would hold for no field."""
    assert len(PATHS) > 100
    assert ("mesh", "namespace") in PATHS
    assert ("annotationProfiles", "some-key", "description") in PATHS


@settings(max_examples=600)
@given(st.sampled_from(PATHS), hostile)
def test_hostile_text_never_reaches_a_script_or_another_folder(
    path: tuple[str | int, ...], text: str
) -> None:
    """H5 and H6 in every field; and a name is never a way out of rendered/<stack>."""
    loaded = load_mapping(put(path, text), name="", today=TODAY)
    if loaded.settings is None:
        return
    assert all(only_known_syntax(script) for script in scripts(loaded.settings))
    for manifest in bundle(loaded.settings, redirection(loaded.settings), asset=ASSET):
        assert set(manifest.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert yaml.safe_load(dump(manifest.object)) == manifest.object


@given(hostile)
def test_hostile_profile_names_never_become_file_names(name: str) -> None:
    loaded = load_mapping({"annotationProfiles": {name: {}}}, name="", today=TODAY)
    if loaded.settings is not None:
        for path in redirection(loaded.settings).files():
            assert ".." not in path
            assert not path.startswith("/")
            assert path.isascii()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([f.alias or n for n, f in StackSettings.model_fields.items()]),
        json_values,
        max_size=4,
    )
)
def test_any_json_gives_settings_or_findings_and_never_a_crash(data: dict[str, Any]) -> None:
    loaded = load_mapping(data, name="", today=TODAY)
    assert loaded.settings is not None or loaded.findings
