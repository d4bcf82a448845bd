from __future__ import annotations

import json
from contextvars import copy_context
from typing import TYPE_CHECKING

import pulumi

from fsm_stack.pulumi.config import EngineConfig, engine_config, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

TRAFFIC = "fsm-stack:traffic"
SENT = {TRAFFIC: '{"outboundPortExclusionList":[6379]}', "fsm-stack:trafic": "{}", "aws:x": "y"}


def asked(told: Callable[[], None]) -> EngineConfig:
    """What a program sees after the SDK was told, in a context of its own."""

    def program() -> EngineConfig:
        told()
        return engine_config()

    return copy_context().run(program)


def test_the_language_hosts_config_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(SENT))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["aws:x"]))

    config = asked(lambda: None)

    assert config == EngineConfig(values=SENT, secret_keys=frozenset({"aws:x"}))


def test_an_inline_programs_config_is_seen() -> None:
    """The Automation API calls the SDK and sets no variable; misspelt keys are in it, too."""
    config = asked(lambda: pulumi.runtime.set_all_config(SENT, [TRAFFIC]))

    assert config == EngineConfig(values=SENT, secret_keys=frozenset({TRAFFIC}))


def test_what_the_sdk_was_told_counts_more_than_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An inline program may run inside another program, whose variables it inherits."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({TRAFFIC: "{}", "fsm-stack:mesh": "{}"}))
    monkeypatch.setenv("PULUMI_CONFIG_FSM_STACK_SIDECAR", "1")

    config = asked(lambda: pulumi.runtime.set_all_config({TRAFFIC: "told"}))

    assert config.values == {TRAFFIC: "told", "fsm-stack:mesh": "{}", "fsm-stack:sidecar": "1"}


def test_an_sdk_that_lists_nothing_still_gives_every_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is no public part of the SDK: without it, only misspelt keys go unnoticed."""
    pulumi_config = pulumi.runtime.config

    def program() -> EngineConfig:
        pulumi.runtime.set_all_config(SENT)
        told = dict(pulumi_config.CONFIG.get())
        monkeypatch.setattr(pulumi.runtime, "get_config", told.get)
        monkeypatch.delattr(pulumi_config, "CONFIG")
        return engine_config()

    assert copy_context().run(program).values == {TRAFFIC: SENT[TRAFFIC]}


def test_no_config_at_all_is_no_mesh(tmp_path: Path) -> None:
    """The program stops; a mesh of defaults would be brought up unasked."""
    loaded = load(tmp_path, "dev", asked(lambda: None))

    assert [item.id for item in loaded.findings] == ["no-settings"]
