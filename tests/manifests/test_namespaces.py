"""The control plane's namespace, and enrolment."""

from __future__ import annotations

from fsm_stack.manifests.manifest import Wave
from tests.manifests.stacks import FULL, named


def test_the_control_planes_namespace_carries_the_label_that_webhooks_look_at() -> None:
    """Their selectors leave out namespaces whose label ``name`` is the control plane's."""
    assert named({}, "Namespace", "fsm-system").object == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "fsm-system", "labels": {"name": "fsm-system"}},
    }


def test_a_namespace_of_others_is_patched_with_our_fields_alone() -> None:
    enrolled = named(FULL, "Namespace", "bank")
    assert enrolled.patch
    assert enrolled.wave is Wave.ENROLMENT
    assert enrolled.object == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "bank",
            "labels": {"flomesh.io/monitored-by": "fsm"},
            "annotations": {
                "flomesh.io/sidecar-injection": "enabled",
                "flomesh.io/metrics": "enabled",
            },
        },
    }


def test_a_namespace_of_ours_is_created() -> None:
    created = named(FULL, "Namespace", "shop")
    assert not created.patch
    assert created.object["metadata"]["annotations"] == {"flomesh.io/sidecar-injection": "enabled"}


def test_a_namespace_may_be_watched_without_injection() -> None:
    quiet = named(FULL, "Namespace", "quiet").object["metadata"]
    assert quiet["annotations"] == {"flomesh.io/sidecar-injection": "disabled"}
    data = {"enrolledNamespaces": [{"name": "plain", "sidecarInjection": None}]}
    assert "annotations" not in named(data, "Namespace", "plain").object["metadata"]
