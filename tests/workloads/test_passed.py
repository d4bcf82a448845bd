"""What is not looked at is named, and what is not rendered is said."""

from __future__ import annotations

import time

import pytest

from fsm_stack.errors import InputError
from fsm_stack.workloads.documents import NotRenderedError

from .test_stream import context, outcomes

SERVICE = """\
# the shop's
apiVersion: v1
kind: Service
metadata:
  labels: {app: web}
  name: web
  namespace: shop
spec:
  selector: {name: other}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: example.com/web:1}]}
"""


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        (POD, []),
        ("# nothing but a comment\n", []),
        ("", []),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n", []),
        (SERVICE, [("Service/shop/web", "no pod template", 1)]),
        (SERVICE.replace("\n", "\r\n"), [("Service/shop/web", "no pod template", 1)]),
        (f"---\n{SERVICE}---\n{POD}", [("Service/shop/web", "no pod template", 2)]),
        (
            "apiVersion: v1\nkind: Service\n"
            "metadata: {labels: {name: no}, name: web, namespace: shop}\n",
            [("Service/shop/web", "no pod template", 1)],
        ),
        ("kind: Service\nmetadata:\n  labels: {}\n", [("Service/(unnamed)", "no apiVersion", 1)]),
        (POD.replace("apiVersion: v1\n", ""), [("Pod/shop/web", "no apiVersion", 1)]),
        (POD.replace("kind: Pod\n", ""), [("shop/web", "no kind", 1)]),
        ("containers\n", [("", "no Kubernetes object", 1)]),
        ("just text\n", [("", "no Kubernetes object", 1)]),
        ("replicas: 3\nimage: x\n", [("(unnamed)", "no Kubernetes object", 1)]),
        (
            '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}',
            [("Service/a", "no pod template", 1)],
        ),
        (
            '{"apiVersion": "v1", "kind": "List", "items": ['
            '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}, 7]}',
            [("", "no Kubernetes object", 1), ("Secret/a", "no pod template", 1)],
        ),
    ],
)
def test_what_is_passed_over_is_named(text: str, passed: list[tuple[str, str, int]]) -> None:
    found = [item for outcome in outcomes(text) for item in outcome.passed]
    assert [(item.name, item.reason, item.line) for item in found] == passed


def test_a_templates_source_ends_the_writing_and_is_a_finding_of_the_check() -> None:
    text = f"{POD}---\n{POD.replace('name: web', 'name: {{ .Values.name }}')}---\n{POD}"
    with pytest.raises(NotRenderedError, match=r"^web.yaml:8: \{\{ .Values.name \}\} is not"):
        outcomes(text)
    found = outcomes(text, context(keep_going=True, write=False))
    assert [item.id for item in found[1].findings()] == ["not-rendered"]
    assert found[1].findings()[0].place.line == 8
    assert [outcome.looked for outcome in found] == [1, 0, 1]


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        (("namespace: shop", "namespace: $PLACE"), "error"),
        (("namespace: shop", 'namespace: "{{ .Values.place }}"'), "error"),
        (("name: web,", "name: '${NAME}',"), "warning"),
        (("web:1", "web:$TAG"), "warning"),
        (("namespace: shop", "namespace: <namespace>"), "error"),
        (("namespace: shop", 'namespace: "%NAMESPACE%"'), "error"),
        (("namespace: shop", 'namespace: "@PLACE@"'), "error"),
        (("namespace: shop", "namespace: __PLACE__"), "error"),
        (("namespace: shop", 'namespace: "<%= place %>"'), "error"),
        (
            ("namespace: shop", "namespace: shop, annotations: {flomesh.io/metrics: $(M)}"),
            "error",
        ),
    ],
)
def test_a_placeholder_is_said_where_it_decides(change: tuple[str, str], severity: str) -> None:
    (only,) = outcomes(POD.replace(*change))
    found = [item.severity for item in only.findings() if item.id == "not-rendered"]
    assert found == [severity]
    assert only.unsure == (severity == "error")


@pytest.mark.parametrize("raw", ["${PLACE}", "@PLACE@", "%PLACE%"])
def test_a_placeholder_that_is_no_yaml_is_to_be_rendered_too(raw: str) -> None:
    """In flow style a brace or a sign at the front ends the value: the parser's words say less."""
    text = POD.replace("namespace: shop", f"namespace: {raw}")
    with pytest.raises(NotRenderedError) as error:
        outcomes(text)
    assert " is not rendered: render the template first" in str(error.value)


def test_a_digest_and_a_percentage_are_no_placeholders() -> None:
    text = POD.replace("web:1", f"web@sha256:{'0' * 64}").replace(
        "namespace: shop", "namespace: shop, annotations: {flomesh.io/a: '5%', b: '<a> b'}"
    )
    (only,) = outcomes(text)
    assert "not-rendered" not in {item.id for item in only.findings()}


def test_a_dollar_or_a_brace_elsewhere_is_the_users() -> None:
    """Commands expand variables, and Vault's annotations hold templates."""
    text = POD.replace(
        "namespace: shop",
        "namespace: shop, annotations: {vault.hashicorp.com/agent-inject-template-a: "
        "'{{ with secret }}'}",
    ).replace("image:", "command: [echo, $HOME, $(POD_IP)], image:")
    (only,) = outcomes(text)
    assert "not-rendered" not in {item.id for item in only.findings()}


@pytest.mark.parametrize("begin", ["{{", "${", "$(", "<%", "<a", "%A", "@A", "__A"])
def test_beginnings_of_placeholders_alone_are_searched_at_once(begin: str) -> None:
    """A name or a broken document of 400,000 characters, none of which ends one."""
    started = time.process_time()
    outcomes(POD.replace("name: web,", f"name: '{begin * 200_000}',"))
    with pytest.raises(InputError):
        outcomes(POD.replace("name: web,", f"name: [{begin * 200_000}"))
    assert time.process_time() - started < 10
