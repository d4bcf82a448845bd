"""What is kept of a program's log: refusals and last words, never a credential."""

from __future__ import annotations

import pytest

from fsm_stack.snapshot.programs import LINES_MAX, Denied, denied, last_words, telling

PLAIN = (
    'E0701 12:00:00.000000       1 reflector.go:200] "Failed to watch" err="failed to list '
    "*v1.EndpointSlice: endpointslices.discovery.k8s.io is forbidden: User "
    '\\"system:serviceaccount:fsm-system:fsm\\" cannot list resource \\"endpointslices\\" in API '
    'group \\"discovery.k8s.io\\" at the cluster scope"'
)
INSIDE = (
    'leases.coordination.k8s.io "x" is forbidden: User "system:serviceaccount:fsm-system:fsm" '
    'cannot update resource "leases" in API group "coordination.k8s.io" in the namespace '
    '"fsm-system"'
)
ACCOUNT = "system:serviceaccount:fsm-system:fsm"


def test_a_refusal_is_read_as_klog_and_as_plain_text() -> None:
    assert denied(f"{PLAIN}\n{INSIDE}\n{PLAIN}") == (
        Denied(group="coordination.k8s.io", resource="leases", verb="update",
               namespace="fsm-system", user=ACCOUNT),
        Denied(group="discovery.k8s.io", resource="endpointslices", verb="list", namespace="",
               user=ACCOUNT),
    )  # fmt: skip


def test_a_refusal_of_the_core_group_has_a_plain_name() -> None:
    text = INSIDE.replace("coordination.k8s.io", "").replace("leases", "pods")
    (found,) = denied(text)
    assert found.shown == "update pods"


def test_a_line_that_repeats_is_kept_once_and_the_newest_last() -> None:
    lines = [f'{{"level":"info","message":"step {number}"}}' for number in range(50)]
    failed = [f'{{"level":"error","time":"12:00:{second}","message":"no"}}' for second in range(9)]
    fatal = '{"level":"fatal","message":"gave up"}'
    assert telling("\n".join([*lines, PLAIN, *failed, PLAIN, fatal])).splitlines() == [
        failed[-1],
        PLAIN,
        fatal,
    ]


def test_what_tells_nothing_leaves_its_last_line() -> None:
    assert telling("one\ntwo\n\n") == "two"
    assert telling("") == ""
    assert last_words("one\ntwo\n \n") == "two"


def test_a_log_of_failures_alone_is_bounded() -> None:
    text = "\n".join(f"error {letter}" for letter in "abcdefghij")
    assert telling(text).splitlines() == [f"error {letter}" for letter in "efghij"]
    assert len(telling("\n".join("error x" + "y" * 9000 for _ in range(9)))) < 500 * LINES_MAX


@pytest.mark.parametrize(
    "line",
    [
        "error: Authorization: Bearer canary7d1f",
        "error: token=canary7d1f",
        'error {"password":"canary7d1f"}',
        'error {\\"clientSecret\\": \\"canary7d1f\\"}',
        "failed: https://user:canary7d1f@vault.example/v1",
        "error: eyJhbGciOiJSUzI1NiIsImtpZCI6.canary7d1f.canary7d1f",
        "error: -----BEGIN RSA PRIVATE KEY-----canary7d1f",
        "error: vault_api_key: canary7d1f",
    ],
)
def test_no_credential_is_kept(line: str) -> None:
    assert "canary7d1f" not in telling(line)


def test_a_refused_secret_is_no_credential() -> None:
    """Else the resource that is refused would be hidden."""
    text = INSIDE.replace("leases", "secrets")
    assert denied(telling(text))[0].resource == "secrets"
