from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given

from fsm_stack.settings.models.base import parse_quantity
from fsm_stack.units import amount, canonical_quantity

from .shorthand import mesh, refused
from .strategies import quantities


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("0.5", "500m"),
        ("500m", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1.25", "1250m"),
        ("2G", "2G"),
        ("512M", "512M"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Ki", "1000Ki"),
        ("1000k", "1M"),
        ("1024", "1024"),
        ("1000", "1k"),
        ("0.0", "0"),
        ("0Ki", "0"),
        ("0.5Ki", "512"),
        ("1.1Ki", "1126400m"),
        ("0.001Ki", "1024m"),
        ("0.1m", "100u"),
        ("3Ti", "3Ti"),
    ],
)
def test_a_quantity_is_rewritten_as_the_api_server_does(written: str, canonical: str) -> None:
    """Recorded from resource.Quantity of k8s.io/apimachinery v0.33.7, built with Go 1.26."""
    assert canonical_quantity(written) == canonical


SIZES = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": 1}
SIZES |= {suffix: 1000**power for power, suffix in enumerate("kMGTPE", start=1)}
SIZES |= {f"{suffix}i": 1024**power for power, suffix in enumerate("KMGTPE", start=1)}


@given(quantities())
def test_the_canonical_form_is_the_same_amount_in_whole_units(written: str | float) -> None:
    text = parse_quantity(written)
    number, suffix = re.fullmatch("([0-9]+)([a-zA-Z]*)", canonical_quantity(text)).groups()
    assert int(number) * SIZES[suffix] == amount(text)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "+1", "1e3", "5.", ".5", "1 Gi", "1gi", "100u", "9E9", "16E", "1\n"]
)
def test_what_has_no_single_form_is_no_quantity(text: str) -> None:
    assert amount(text) is None
    with pytest.raises(ValueError, match="is not a quantity"):
        canonical_quantity(text)


@pytest.mark.parametrize(("given_", "kept"), [(2, "2"), (2.0, "2"), (0.5, "0.5"), ("2G", "2G")])
def test_numbers_are_quantities_too(given_: Any, kept: str) -> None:
    """YAML has ``cpu: 2`` and ``cpu: 0.5``; the engine hands whole numbers over as floats."""
    settings = mesh(sidecar={"resources": {"limits": {"cpu": given_}}})
    assert settings.sidecar.resources.limits == {"cpu": kept}


@pytest.mark.parametrize(
    ("given_", "shown"), [("2 GB", "'2 GB'"), (True, "True"), (-1, "-1"), (None, "None")]
)
def test_another_value_is_refused(given_: Any, shown: str) -> None:
    assert refused(sidecar={"initResources": {"requests": {"memory": given_}}}) == (
        "sidecar.initResources.requests.memory",
        "invalid-value",
        f"expected a quantity such as 500m, 0.5, 256Mi or 2G, got {shown}",
        "",
    )
