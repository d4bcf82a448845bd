"""The base of every settings model, and the values that several settings share.

A digit is ``[0-9]`` everywhere: the shorthand for digits takes those of every script, and iptables
does not.

No module of the models postpones annotations (``from __future__``): pydantic would compile the
text of each of 340 fields again, in every process.
"""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from fsm_stack.units import DURATION_PATTERN, QUANTITY_PATTERN, amount, nanoseconds

_OCTET: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = rf"({_OCTET}\.){{3}}{_OCTET}"
IPV4_ADDRESS: Final = rf"^{IPV4}$"
_IPV6: Final = r"[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}"
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
IMAGE_REFERENCE: Final = (
    rf"^({REGISTRY.strip('^$')}/)?{IMAGE_NAME.strip('^$')}(:{TAG.strip('^$')})?"
    rf"(@{DIGEST.strip('^$')})?$"
)
# Five fields, or a name. Source: k8s.io/api batch/v1, CronJobSpec.
_CRON: Final = r"[0-9A-Za-z*/,?-]+"
_CRON_NAMES: Final = "@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
SCHEDULE: Final = rf"^({_CRON}( {_CRON}){{4}}|{_CRON_NAMES})$"
# Whoever writes HOST:PORT has a setting of its own for the port; colons are IPv6's.
HOST_NAME: Final = rf"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|{_IPV6})$"
UID: Final = r"^[0-9a-f-]{36}$"
HOST: Final = r"^[A-Za-z0-9.-]+$"
FOLDER: Final = r"^/[A-Za-z0-9._/-]*$"
KUBERNETES_VERSION: Final = r"^1\.(0|[1-9][0-9]?)(\.(0|[1-9][0-9]*))?$"

# What a message says of a text that does not match: by pattern; more come with `matching`.
EXPECTED: Final[dict[str, str]] = {
    IPV4_ADDRESS: "an IPv4 address such as 10.96.0.1",
    DNS_LABEL: "lower-case letters, digits and '-', with a letter or digit at both ends",
    DNS_NAME: "lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
    LABEL_KEY: "a label's key such as name or example.com/name",
    REGISTRY: "a registry and path such as registry.example.com:5000/team, without https://",
    IMAGE_NAME: "an image's name, without registry, tag and digest",
    TAG: "a tag of letters, digits, '_', '.' and '-'; a digest has a key of its own",
    DIGEST: "sha256: and 64 digits from 0 to f",
    IMAGE_REFERENCE: "an image as in registry.example.com/team/fsm-stack:0.1.0, without https://",
    SCHEDULE: "a schedule as cron writes it, such as */15 * * * * or @hourly",
    UID: "the 36 characters of a UID, as in 01234567-89ab-cdef-0123-456789abcdef",
    HOST_NAME: "a host name or address, without protocol and port",
    HOST: "a host name or address, without protocol and port",
    FOLDER: "a folder's absolute path such as /opt/cni/bin",
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


def matching(pattern: str, words: str, *, max_length: int | None = None) -> StringConstraints:
    """A text's pattern, with the words that say in a message what is expected."""
    EXPECTED[pattern] = words
    return StringConstraints(pattern=pattern, max_length=max_length)


# Characters of a DNS-1123 label and subdomain.
LABEL_MAX: Final = 63
NAME_MAX: Final = 253

# A DNS-1123 label.
DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=LABEL_MAX)]
# A DNS-1123 subdomain: names of most Kubernetes objects.
DnsName = Annotated[str, StringConstraints(pattern=DNS_NAME, min_length=1, max_length=NAME_MAX)]
# A key in a Secret or ConfigMap.
DataKey = Annotated[
    str,
    matching(r"^[-._a-zA-Z0-9]+$", "a key of letters, digits, '-', '_' and '.'", max_length=253),
]
# Counts in Kubernetes objects are 32 signed bits.
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]


def setting(default: Any, description: str, *, alias: str | None = None) -> Any:  # noqa: ANN401  # as pydantic's Field
    """A field with its default, what it is for, and its name in files where Python's differs."""
    return Field(default, alias=alias, description=description)


def section(model: type[Model], description: str, *, alias: str | None = None) -> Any:  # noqa: ANN401  # likewise
    """A field that is a mapping of its own, absent as a whole or in part."""
    return Field(default_factory=model.model_construct, alias=alias, description=description)


def refusal(rule_id: str, message: str, fix: str = "") -> PydanticCustomError:
    """An error for a validator to raise; the text is context, because braces are a template."""
    return PydanticCustomError(rule_id, "{message}", {"message": message, "fix": fix})


def is_label_key(text: str) -> bool:
    """Whether a label may have this key. Source: apimachinery's IsQualifiedName."""
    prefix = text.rpartition("/")[0]
    return re.fullmatch(LABEL_KEY, text) is not None and len(prefix) <= NAME_MAX


# Log levels of FSM's programs. Source: the enum in upstream's v1alpha3 CRD.
LogLevel = Literal["trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"]

# A whole number that every reader holds: Go's int32.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]

# A host name or an address; the alphabet has no blank and no shell syntax.
HostName = Annotated[str, StringConstraints(pattern=HOST_NAME, max_length=253)]
# A path in a URL, with a query where a collector wants one.
UrlPath = Annotated[
    str,
    matching(
        r"^/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%=&+-]*)?$",
        "a path of a URL, such as /api/v2/spans",
        max_length=1024,
    ),
]
IPv4 = Annotated[str, StringConstraints(pattern=IPV4_ADDRESS)]
IPv6 = Annotated[
    str, matching(rf"^{_IPV6}$", "an IPv6 address such as 2001:db8::1", max_length=45)
]
IPAddress = Annotated[
    str,
    matching(rf"^({IPV4}|{_IPV6})$", "an address such as 10.0.0.1 or 2001:db8::1", max_length=45),
]
# A share from 0 to 1, as text: upstream's type is a string.
Fraction = Annotated[
    str,
    matching(
        r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$",
        'a share from "0" to "1", such as "0.25", in quotes',
    ),
]
# A name in a place of a multi-cluster: region, zone, group, cluster.
PlaceName = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        "letters, digits, '-', '_' and '.', with a letter or digit at both ends",
        max_length=63,
    ),
]


def _with_unit(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise _no_duration(str(value), str(value))
    return value


def _checked(text: str) -> str:
    if nanoseconds(text) is None:
        raise _no_duration(text, repr(text))
    return text


def _no_duration(text: str, shown: str) -> PydanticCustomError:
    return refusal(
        "invalid-value",
        f"expected a duration such as 90s, 1h30m or 250ms (units h, m, s, ms), got {shown}",
        f"Write {text}s." if text.isascii() and text.isdigit() else "",
    )


# A duration as it was written; lowering canonicalises where upstream's type is metav1.Duration.
Duration = Annotated[
    str,
    BeforeValidator(_with_unit),
    AfterValidator(_checked),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["90s", "24h"]}),
]


def parse_quantity(value: object) -> str:
    """A quantity's text; whole and decimal numbers are read as they are written.

    Raises:
        PydanticCustomError: ``invalid-value``.
    """
    text = str(value)
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))  # the engine hands numbers over as floats
    if amount(text) is None:
        shown = repr(value) if isinstance(value, str) else text
        short = shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004  # a line
        raise refusal(
            "invalid-value", f"expected a quantity such as 500m, 0.5, 256Mi or 2G, got {short}"
        )
    return text


Quantity = Annotated[
    str,
    BeforeValidator(parse_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": QUANTITY_PATTERN},
                {"type": "number", "minimum": 0},
            ],
            "examples": ["500m", "256Mi"],
        }
    ),
]
