from __future__ import annotations

import pytest
from hypothesis import given

from fsm_stack.units import canonical_duration, nanoseconds

from .shorthand import mesh, refused
from .strategies import durations


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("0", "0s"),
        ("0s", "0s"),
        ("90s", "1m30s"),
        ("24h", "24h0m0s"),
        ("1.5h", "1h30m0s"),
        ("1500ms", "1.5s"),
        ("250ms", "250ms"),
        ("1h1m1.001s", "1h1m1.001s"),
        ("100m", "1h40m0s"),
        ("0.5s", "500ms"),
    ],
)
def test_a_duration_is_rewritten_as_go_does(written: str, canonical: str) -> None:
    """Recorded from metav1.Duration of k8s.io/apimachinery v0.33.7, built with Go 1.26."""
    assert canonical_duration(written) == canonical


@given(durations())
def test_the_canonical_form_is_the_same_duration_and_stays(written: str) -> None:
    canonical = canonical_duration(written)
    assert nanoseconds(canonical) == nanoseconds(written)
    assert canonical_duration(canonical) == canonical


@pytest.mark.parametrize(
    "text", ["", "90", "-3s", "1d", "5us", "0.5ms", "1s\n", "99999999h", "1h 30m", "1.s", ".5s"]
)
def test_what_no_mesh_needs_is_no_duration(text: str) -> None:
    assert nanoseconds(text) is None
    with pytest.raises(ValueError, match="is not a duration"):
        canonical_duration(text)


def test_a_duration_without_a_unit_is_refused_with_the_fix() -> None:
    assert refused(warmup={"duration": "90"}) == (
        "warmup.duration",
        "invalid-value",
        "expected a duration such as 90s, 1h30m or 250ms (units h, m, s, ms), got '90'",
        "Write 90s.",
    )


def test_another_text_is_refused_without_a_guess() -> None:
    assert refused(certificate={"serviceCertValidityDuration": "1 day"}) == (
        "certificate.serviceCertValidityDuration",
        "invalid-value",
        "expected a duration such as 90s, 1h30m or 250ms (units h, m, s, ms), got '1 day'",
        "",
    )


def test_settings_keep_what_was_written() -> None:
    """Only lowering rewrites, and only where upstream's type is metav1.Duration."""
    settings = mesh(warmup={"duration": "90s"}, certificate={"serviceCertValidityDuration": "24h"})
    assert settings.warmup.duration == "90s"
    assert settings.certificate.service_cert_validity_duration == "24h"
