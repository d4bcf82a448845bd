from __future__ import annotations

import yaml

from fsm_stack.gitops.directory import ignored_differences, jq_path
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.scopes import redirection
from tests.settings.loading import settings


def test_property_paths_become_jq_paths() -> None:
    assert jq_path("webhooks[*].clientConfig.caBundle") == ".webhooks[]?.clientConfig.caBundle"
    assert jq_path('metadata.annotations["a/b"]') == '.metadata.annotations["a/b"]'


def test_every_foreign_path_of_a_stack_is_ignored_by_argo_cd() -> None:
    """Else it would revert the CA bundle that the injector writes once, at its start."""
    stack = settings({"releaseAssets": {"source": "existingConfigMap"}})
    manifests = bundle(stack, redirection(stack))
    told = yaml.safe_load(ignored_differences(manifests))["ignoreDifferences"]
    assert {
        "group": "admissionregistration.k8s.io",
        "kind": "MutatingWebhookConfiguration",
        "name": "fsm-webhook-fsm",
        "jqPathExpressions": [".webhooks[]?.clientConfig.caBundle"],
    } in told
    assert len(told) == sum(bool(manifest.foreign_paths) for manifest in manifests)


def test_a_stack_without_foreign_writers_has_no_such_file() -> None:
    stack = settings({"system": "osm"})
    assert ignored_differences(bundle(stack, redirection(stack))) == ""
