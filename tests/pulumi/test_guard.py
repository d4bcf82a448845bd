from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest

from fsm_stack.manifests.bundle import bundle
from fsm_stack.pulumi.guard import (
    CONFLICT_REMEDIES,
    OTHER_STACK,
    WebhookInUseError,
    WrongClusterError,
    enrolment,
    remedies,
    remembered,
    same_cluster,
    webhooks_stay,
)
from fsm_stack.pulumi.kinds import OWNER
from fsm_stack.redirection.scopes import redirection

from .recorder import CLUSTER_UID, Recorder, run
from .samples import ASSET, settings

AROUND = (
    "No pod could be created in them until the new injector runs. Set enrolledNamespaces to [] "
    "and run pulumi up; then make this change and run it again; then enrol the namespaces."
)


def state(
    *enrolled: str, webhook: str | None = "fsm-webhook-fsm", **changes: str
) -> dict[str, Any]:
    return {
        "cluster": "",
        "namespace": "fsm-system",
        "webhooks": [f"MutatingWebhookConfiguration/{webhook}"] if webhook else [],
        "enrolledNamespaces": list(enrolled),
        **changes,
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(state("shop"), state("shop"), id="nothing changes"),
        pytest.param(state(), state("shop"), id="a namespace is enrolled"),
        pytest.param(state("shop"), state(), id="a namespace is un-enrolled"),
        pytest.param(state(), state(webhook="other"), id="renamed over nobody"),
        pytest.param(state(webhook=None), state("shop"), id="the first webhook"),
        pytest.param(state("shop"), state(webhook=None), id="all removed, as in a destroy"),
        pytest.param(state(), state(namespace="mesh-system"), id="moved over nobody"),
        pytest.param(state("shop"), state("shop", cluster=CLUSTER_UID), id="the UID is added"),
    ],
)
def test_a_change_that_leaves_the_webhook_in_place_or_nobody_under_it_is_fine(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    webhooks_stay(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            state("shop"),
            state("shop", webhook="other"),
            "MutatingWebhookConfiguration/fsm-webhook-fsm would become "
            "MutatingWebhookConfiguration/other, while these namespaces are enrolled: shop. ",
            id="renamed",
        ),
        pytest.param(
            state("shop"),
            state(webhook="other"),
            "MutatingWebhookConfiguration/fsm-webhook-fsm would become "
            "MutatingWebhookConfiguration/other, while these namespaces are enrolled: shop. ",
            id="un-enrolled in the same update, which comes last",
        ),
        pytest.param(
            state(),
            state("shop", webhook="other"),
            "MutatingWebhookConfiguration/fsm-webhook-fsm would become "
            "MutatingWebhookConfiguration/other, while these namespaces are enrolled: shop. ",
            id="enrolled in the same update",
        ),
        pytest.param(
            state("shop", "demo"),
            state("shop", webhook=None),
            "MutatingWebhookConfiguration/fsm-webhook-fsm would become nothing, while these "
            "namespaces are enrolled: demo, shop. ",
            id="removed",
        ),
        pytest.param(
            state("shop"),
            state("shop", namespace="mesh-system"),
            "namespace fsm-system would become mesh-system, while these namespaces are enrolled: "
            "shop. ",
            id="moved",
        ),
        pytest.param(
            state("shop", cluster="a"),
            state("shop", cluster="b"),
            "cluster a would become b, while these namespaces are enrolled: shop. ",
            id="another cluster",
        ),
    ],
)
def test_replacing_a_webhook_over_enrolled_namespaces_is_refused(
    old: dict[str, Any], new: dict[str, Any], message: str
) -> None:
    """H23: no CA bundle with failurePolicy Fail until the injector restarts."""
    with pytest.raises(WebhookInUseError) as error:
        webhooks_stay(old, new)
    assert str(error.value) == message + AROUND


def test_what_is_remembered_are_webhooks_and_who_is_under_them() -> None:
    assert enrolment(bundle(settings(), redirection(settings()), asset=ASSET), settings()) == {
        "cluster": "",
        "namespace": "fsm-system",
        "webhooks": [
            "MutatingWebhookConfiguration/flomesh-mutating-webhook-configuration",
            "MutatingWebhookConfiguration/fsm-webhook-fsm",
            "ValidatingWebhookConfiguration/flomesh-validating-webhook-configuration",
            "ValidatingWebhookConfiguration/fsm-validator-mesh-fsm",
        ],
        "enrolledNamespaces": ["demo", "shop"],
    }


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_the_engine_compares_with_the_last_update(
    monkeypatch: pytest.MonkeyPatch, *, preview: bool
) -> None:
    """In a preview the program stops; in an update the hook does, and the state stays as it was."""
    hooks: list[pulumi.ResourceHook] = []

    class Hook(pulumi.ResourceHook):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            hooks.append(self)

    monkeypatch.setattr(pulumi, "ResourceHook", Hook)
    args = pulumi.ResourceHookArgs(
        urn="",
        id="",
        name="",
        type="",
        old_inputs={"input": state("shop")},
        new_inputs={"input": state("shop", webhook="other")},
    )

    def program() -> None:
        memory = remembered("memory", state("shop", webhook="other"), opts=None)
        (hook,) = hooks
        assert hook.opts is not None
        assert hook.opts.on_dry_run
        if preview:
            hook.callback(args)
        else:
            with pytest.raises(WebhookInUseError):
                hook.callback(args)
        pulumi.export("memory", memory.apply(lambda _: "reached"))

    if preview:
        recorder = Recorder()
        with pytest.raises(WebhookInUseError, match=r"^1 error; nothing was changed$"):
            run(program, preview=preview, recorder=recorder)
        assert ["would become" in text for level, text in recorder.log if level == "ERROR"] == [
            True
        ]
    else:
        run(program, preview=preview)


def test_a_conflict_over_the_mesh_config_is_told_with_its_remedies() -> None:
    """The API server names the writer and the fields; what to do is this project's to say."""
    recorder = Recorder()

    def args(error: str) -> pulumi.ErrorHookArgs:
        return pulumi.ErrorHookArgs(
            urn="", id="", name="", type="", failed_operation="update", errors=[error]
        )

    def program() -> None:
        binding = remedies("fsm", CONFLICT_REMEDIES).hooks
        assert isinstance(binding, pulumi.ResourceHookBinding)
        assert binding.on_error is not None
        (hook,) = binding.on_error
        assert hook.callback(args("connection refused")) is False
        assert hook.callback(args('Apply failed with 1 conflict: conflict with "x"')) is False
        assert hook.callback(args(f"Apply failed with 1 conflict: .annotations.{OWNER}")) is False

    run(program, recorder=recorder)

    assert [entry for entry in recorder.log if entry[0] == "ERROR"] == [
        ("ERROR", CONFLICT_REMEDIES),
        ("ERROR", OTHER_STACK),
    ]


def test_the_same_cluster_is_fine() -> None:
    same_cluster(CLUSTER_UID, CLUSTER_UID)


def test_another_cluster_is_refused() -> None:
    with pytest.raises(WrongClusterError):
        same_cluster(CLUSTER_UID, "other")


def test_the_guards_errors_are_shown_without_a_traceback() -> None:
    """The language host prints the message of a RunError, and the stack of any other error."""
    assert issubclass(WrongClusterError, pulumi.RunError)
    assert issubclass(WebhookInUseError, pulumi.RunError)
    assert not issubclass(WebhookInUseError, asyncio.CancelledError)
