"""What is agreed on about traffic: contracts, the guard, what may differ between environments.

Contracts stand in a stack file, or in ``fsm-stack.yaml`` for every stack of a project.
"""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from fsm_stack.errors import InputError
from fsm_stack.settings.models.base import (
    DNS_LABEL,
    DnsLabel,
    Model,
    matching,
    refusal,
    setting,
)
from fsm_stack.settings.models.values import CidrEntry, PortEntry

Sentence = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
ProfileName = Annotated[str, StringConstraints(pattern=DNS_LABEL, max_length=63)]
# A path of settings; names of lists' entries stand in brackets.
SettingPath = Annotated[
    str,
    matching(
        r"^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9_-]+|\[[^\[\]]+\])*$",
        "a setting's path such as traffic.enableEgress",
        max_length=200,
    ),
]
StackName = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9_.-]{1,100}$",
        "a stack's name: at most 100 letters, digits, '-', '_' and '.'",
    ),
]
_EXAMPLES: Final = ["tcp 5432 to 10.0.0.0/8", "tcp 443 to any", "inbound tcp 8080"]


def _traffic(value: object) -> str:
    from fsm_stack.iptables.sets.written import written  # noqa: PLC0415  # few have contracts

    if not isinstance(value, str):
        raise refusal("invalid-value", "expected traffic such as 'tcp 5432 to 10.0.0.0/8'")
    try:
        written(value)
    except InputError as error:
        raise refusal("invalid-value", str(error)) from None
    return value


TrafficText = Annotated[
    str,
    BeforeValidator(_traffic),
    WithJsonSchema({"type": "string", "examples": _EXAMPLES}),
]


class Contract(Model):
    """Traffic that always, or never, goes through the sidecar; proved for every connection."""

    traffic: TrafficText = Field(
        description="Which connections, as in 'tcp 5432 to 10.0.0.0/8' or 'inbound tcp 8080'."
    )
    verdict: Literal["always", "never"] = Field(
        description="always: they go through the sidecar; never: they bypass it."
    )
    except_profiles: tuple[ProfileName, ...] = Field(
        (), description="Profiles whose pods it does not bind."
    )
    reason: Sentence = Field(description="Why it was agreed on.")
    owner: Sentence = Field(description="Who answers for it, and can change it.")


GuardAction = Literal["off", "warn", "deny"]
# The first 1.N in which ValidatingAdmissionPolicy is v1.
POLICIES_SINCE: Final = 30
# Longer lists are refused before a policy looks at their entries: what it costs has a limit.
GUARDED_ENTRIES_MAX: Final = 2_000


class AllowedBypass(Model):
    """Entries that pods of one namespace may carry, beside those of the profiles."""

    namespace: DnsLabel = Field(description="The pods' namespace.")
    outbound_port_exclusion_list: tuple[PortEntry, ...] = setting(
        (), "Outbound ports that its pods may exclude."
    )
    inbound_port_exclusion_list: tuple[PortEntry, ...] = setting(
        (), "Inbound ports that its pods may exclude."
    )
    outbound_ip_range_exclusion_list: tuple[CidrEntry, ...] = setting(
        (), "Outbound ranges that its pods may exclude.", alias="outboundIPRangeExclusionList"
    )
    outbound_ip_range_inclusion_list: tuple[CidrEntry, ...] = setting(
        (), "Outbound ranges that its pods may include.", alias="outboundIPRangeInclusionList"
    )


class Guard(Model):
    """Admission policies in the cluster: the checks of this stack for whoever writes there."""

    mesh_config: GuardAction = setting(
        "off",
        "What happens to a MeshConfig whose lists break pods: warn or deny. What is a warning "
        "here is one there in either case.",
    )
    pods: GuardAction = setting(
        "off", "What happens to a pod whose rules would not load, or whose user is the sidecar's."
    )
    bypasses: GuardAction = setting(
        "off", "What happens to a pod with an entry that neither a profile nor allow names."
    )
    allow: tuple[AllowedBypass, ...] = setting(
        (), "Entries that pods of single namespaces may carry."
    )

    def actions(self) -> dict[str, GuardAction]:
        """What is guarded, by the setting's name in files, and how."""
        return {
            "meshConfig": self.mesh_config,
            "pods": self.pods,
            "bypasses": self.bypasses,
        }


class MayDiffer(Model):
    """A setting that environments may have different values of."""

    path: SettingPath = Field(
        description="The setting, with all below it, as in cluster or components.controller."
    )
    stacks: tuple[StackName, ...] = Field(
        (), description="Only of these stacks; absent: of every one."
    )
    reason: Sentence = Field(description="Why it differs.")


class Environments(Model):
    """What the stacks of a project have in common."""

    reference: StackName = Field(description="The stack that the others are compared with.")
    may_differ: tuple[MayDiffer, ...] = Field(
        (), description="What may differ from it; anything else is a finding."
    )


class Policy(Model):
    """The file ``fsm-stack.yaml`` of a project."""

    contracts: tuple[Contract, ...] = Field((), description="Contracts that every stack keeps.")
    environments: Environments | None = Field(
        None, description="What may differ between the stacks."
    )
