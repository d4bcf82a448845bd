from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.redirection import redirection
from fsm_stack.settings.stack import StackSettings
from fsm_stack.settings.stack_file import from_engine, load_mapping
from tests.settings.loading import TODAY

from .strategies import hostile, stacks

# All that a script of the injector is made of. `$` stands in $POD_IP only, `<` in the here-document.
ALPHABET = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./,:[]*!#+@\n"
)


def scripts(settings: StackSettings) -> list[str]:
    known = redirection(settings)
    return [scope.script for scope in known.scopes()]


def only_known_syntax(script: str) -> bool:
    first, *rest = script.split("\n")
    body = "\n".join(rest).replace("--to-destination $POD_IP", "")
    return first == "iptables-restore --noflush <<EOF" and set(body) <= ALPHABET


@given(stacks)
def test_valid_settings_render_scripts_without_shell_syntax(data: dict[str, Any]) -> None:
    loaded = load_mapping(data, name="", today=TODAY)
    settings = StackSettings.model_validate_json(json.dumps(data))
    assert all(only_known_syntax(script) for script in scripts(settings))
    assert loaded.settings is None or loaded.settings == settings


@given(stacks)
def test_the_engines_config_gives_the_same_settings(data: dict[str, Any]) -> None:
    """Pulumi up, GitOps and a review must speak of one mesh."""
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


TEXT_PATHS: tuple[tuple[str, ...], ...] = (
    ("mesh", "name"),
    ("mesh", "namespace"),
    ("mesh", "trustDomain"),
    ("mesh", "webhookNamePrefix"),
    ("images", "registry"),
    ("images", "tag"),
    ("sidecar", "localProxyMode"),
    ("sidecar", "logLevel"),
    ("traffic", "interceptionMode"),
    ("repoServer", "codebase"),
    ("repoServer", "ipaddr"),
    ("observability", "fsmLogLevel"),
    ("releaseAssets", "configMapName"),
    ("certificateProvider", "caBundleSecretName"),
)


@given(st.sampled_from(TEXT_PATHS), hostile)
def test_hostile_text_elsewhere_never_reaches_a_script(path: tuple[str, ...], text: str) -> None:
    data: dict[str, Any] = {path[-1]: text}
    for step in reversed(path[:-1]):
        data = {step: data}
    loaded = load_mapping(data, name="", today=TODAY)
    if loaded.settings is not None:
        assert all(only_known_syntax(script) for script in scripts(loaded.settings))


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
