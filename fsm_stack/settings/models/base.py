"""The base of every settings model, and the patterns of text that several settings share.

A digit is ``[0-9]`` everywhere: the shorthand for digits takes those of every script, and iptables
does not.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

_OCTET: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = rf"({_OCTET}\.){{3}}{_OCTET}"
IPV4_ADDRESS: Final = rf"^{IPV4}$"
# Source: k8s.io/apimachinery pkg/util/validation, DNS-1123 label and subdomain.
DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_NAME: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
# Source: k8s.io/apimachinery pkg/util/validation, IsQualifiedName.
DOMAIN: Final = DNS_NAME.strip("^$")
LABEL_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_KEY: Final = rf"^({DOMAIN}/)?{LABEL_NAME}$"
# Source: distribution/reference, the grammar of registry, repository, tag and digest.
REGISTRY: Final = r"^[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
IMAGE_NAME: Final = r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
TAG: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"
DIGEST: Final = r"^sha256:[0-9a-f]{64}$"
# Whoever writes HOST:PORT has a setting of its own for the port; colons are IPv6's.
HOST_NAME: Final = (
    r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7})$"
)
UID: Final = r"^[0-9a-f-]{36}$"
HOST: Final = r"^[A-Za-z0-9.-]+$"
KUBERNETES_VERSION: Final = r"^1\.(0|[1-9][0-9]?)(\.(0|[1-9][0-9]*))?$"

EXPECTED: Final = {
    IPV4_ADDRESS: "an IPv4 address such as 10.96.0.1",
    DNS_LABEL: "lower-case letters, digits and '-', with a letter or digit at both ends",
    DNS_NAME: "lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
    LABEL_KEY: "a label's key such as name or example.com/name",
    REGISTRY: "a registry and path such as registry.example.com:5000/team, without https://",
    IMAGE_NAME: "an image's name, without registry, tag and digest",
    TAG: "a tag of letters, digits, '_', '.' and '-'; a digest has a key of its own",
    DIGEST: "sha256: and 64 digits from 0 to f",
    UID: "the 36 characters of a UID, as in 01234567-89ab-cdef-0123-456789abcdef",
    HOST_NAME: "a host name or address, without protocol and port",
    HOST: "a host name or address, without protocol and port",
    KUBERNETES_VERSION: 'a Kubernetes version such as "1.34", in quotes',
}


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
DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=63)]
# A DNS-1123 subdomain: names of most Kubernetes objects.
DnsName = Annotated[str, StringConstraints(pattern=DNS_NAME, min_length=1, max_length=253)]
# A key in a Secret or ConfigMap.
DataKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
# Counts in Kubernetes objects are 32 signed bits.
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
