"""The base of every settings model: frozen, strict, unknown keys are errors."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from fsm_stack.settings import forms


class Model(BaseModel):
    """A mapping in a stack file.

    Fields are snake_case in Python and upstream's camelCase in files. Where ``to_camel`` spells an
    upstream name wrong (``outboundIPRangeExclusionList``), the field carries an explicit alias.
    Input is validated from JSON text, where an array is a tuple and nothing else is converted.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        defer_build=True,
    )


# A DNS-1123 label.
DnsLabel = Annotated[str, StringConstraints(pattern=forms.DNS_LABEL, min_length=1, max_length=63)]
# A DNS-1123 subdomain: names of most Kubernetes objects.
DnsName = Annotated[str, StringConstraints(pattern=forms.DNS_NAME, min_length=1, max_length=253)]
# A key in a Secret or ConfigMap.
DataKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
# Counts in Kubernetes objects are 32 signed bits.
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
