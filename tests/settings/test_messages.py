"""One mistake is one message, in the file's words, and its fix is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm_stack.errors import FindingsError
from fsm_stack.settings.stack_file import load_policy, stack_schema
from tests.settings.loading import found, said


def test_a_key_in_pythons_spelling_is_no_key_of_a_file() -> None:
    """Editors refuse it, and tidy and accept would not find the list at its path."""
    assert said("config:\n  fsm-stack:traffic: {outbound_port_exclusion_list: [6379]}\n") == [
        "Pulumi.t.yaml:2:23 traffic.outbound_port_exclusion_list: error: expected a setting of "
        "traffic, got 'outbound_port_exclusion_list'; did you mean 'outboundPortExclusionList'? "
        "[unknown-key] Fix: Write outboundPortExclusionList."
    ]


def test_a_key_of_another_section_is_not_taken_for_a_misspelt_one() -> None:
    """A profile has no list of interfaces, and a list of ranges is no place for them."""
    profile = {"networkInterfaceExclusionList": ["net1"]}
    assert found({"annotationProfiles": {"a": profile}}) == [
        (
            "unknown-key",
            "annotationProfiles.a.networkInterfaceExclusionList",
            "expected a setting of annotationProfiles.a, got 'networkInterfaceExclusionList', "
            "which is one of traffic; here: description, presets, outboundPortExclusionList, "
            "inboundPortExclusionList, outboundIPRangeExclusionList, outboundIPRangeInclusionList",
        )
    ]
    assert found({"mesh": {"traffic": {}}})[0][2].startswith(
        "expected a setting of mesh, got 'traffic', which is one of the stack itself; here: name,"
    )


def test_a_section_without_its_required_key_is_not_called_absent_too() -> None:
    provider = {"kind": "vault", "vault": {"host": "vault.vault.svc"}}
    assert found({"certificateProvider": provider}) == [
        (
            "missing-key",
            "certificateProvider.vault.tokenSecret",
            "expected certificateProvider.vault.tokenSecret, got nothing",
        )
    ]


def test_a_secret_in_place_of_a_section_is_all_that_is_said_of_it() -> None:
    text = "config:\n  fsm-stack:certificateProvider:\n    vault: {secure: AAA}\n"
    assert [line.rpartition(": ")[2] for line in said(text)] == [
        "expected a plain setting, got a secret [secret-value]"
    ]


def test_a_value_twice_is_told_at_its_place_in_the_file() -> None:
    """Items that are wrong are taken out before; the others keep their places."""
    ports = [70000, 6379, 6379]
    namespaces = [{"name": "A_"}, {"name": "shop"}, {"name": "shop"}]
    data = {"traffic": {"inboundPortExclusionList": ports}, "enrolledNamespaces": namespaces}
    assert [item for item in found(data) if item[0] in {"duplicate-entry", "name-taken"}] == [
        ("name-taken", "enrolledNamespaces[2].name", "shop is in the list already"),
        (
            "duplicate-entry",
            "traffic.inboundPortExclusionList[2]",
            "6379 is in the list already",
        ),
    ]


def test_one_moving_tag_is_one_finding() -> None:
    images = {"tag": "latest", "injector": {"tag": "latest"}}
    assert found({"images": images}) == [
        ("mutable-image", "images.injector.tag", "injector is named by the moving tag latest"),
        (
            "mutable-image",
            "images.tag",
            "bootstrap, controller, sidecarInit, healthcheck, crds, preinstall, curl, connector, "
            "gateway, ingress, xnetmgmt are named by the moving tag latest",
        ),
    ]


def test_a_duration_without_its_unit_gets_one() -> None:
    """Quotes alone would leave it as wrong as before."""
    (line,) = said("config:\n  fsm-stack:warmup: {duration: 90}\n")
    assert line.endswith(
        "expected a duration such as 90s, 1h30m or 250ms (units h, m, s, ms), got 90 "
        "[invalid-value] Fix: Write 90s."
    )


@pytest.mark.parametrize("day", ["20261231", "2026-W53-4", "2026-13-01"])
def test_a_day_has_one_form(day: str) -> None:
    """Python reads the first two, editors' schema does not."""
    entry = {"value": 6379, "until": day}
    assert found({"traffic": {"outboundPortExclusionList": [entry]}}) == [
        (
            "invalid-value",
            "traffic.outboundPortExclusionList[0].until",
            f"expected a day as 2026-12-31, got '{day}'",
        )
    ]


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        (
            "images",
            "registry",
            "https://a.example",
            "expected a registry and path such as registry.example.com:5000/team, without "
            "https://, got 'https://a.example'",
        ),
        (
            "mesh",
            "name",
            "Prod",
            "expected lower-case letters, digits and '-', with a letter or digit at both ends, "
            "got 'Prod'",
        ),
        ("components", "controller", True, "expected a mapping, got true"),
        ("cluster", "context", "", "expected text, got an empty one"),
    ],
)
def test_what_was_expected_is_said_in_words(
    section: str, key: str, value: object, message: str
) -> None:
    assert [item[2] for item in found({section: {key: value}})] == [message]


def test_digits_of_other_scripts_make_no_address() -> None:
    """The kubernetes-api preset writes it into the script, and iptables-restore would refuse it."""
    address = "1\N{ARABIC-INDIC DIGIT TWO}3.0.0.1"
    assert found({"cluster": {"apiServer": {"address": address}}}) == [
        (
            "invalid-value",
            "cluster.apiServer.address",
            f"expected an IPv4 address such as 10.96.0.1, got {address!r}",
        )
    ]


def test_the_committed_schema_is_the_models() -> None:
    """Editors read the file, which is made of the descriptions and defaults of the settings."""
    file = Path(__file__).parents[2] / "schemas/stack.schema.json"
    assert json.loads(file.read_text(encoding="utf-8")) == stack_schema()


def test_no_pattern_takes_digits_or_letters_of_every_script() -> None:
    """Rust's shorthands for digits, letters and blanks mean those of Unicode."""
    text = json.dumps(stack_schema())
    assert not [shorthand for shorthand in (r"\\d", r"\\w", r"\\s") if shorthand in text]


SHARED = """\
contracts:
  - {traffic: tcp 443, verdict: always, exceptProfiles: [api], reason: r, owner: o}
environments:
  reference: prod
  mayDiffer: [{path: cluster, stacks: [dev], reason: r}]
"""


def test_the_shared_file_is_read_with_places() -> None:
    policy, place = load_policy(SHARED, file="fsm-stack.yaml")
    (contract,) = policy.contracts
    assert (contract.traffic, contract.except_profiles) == ("tcp 443", ("api",))
    assert policy.environments is not None
    assert policy.environments.reference == "prod"
    assert [item.path for item in policy.environments.may_differ] == ["cluster"]
    assert str(place(("contracts", 0))) == "fsm-stack.yaml:2:5 contracts[0]"
    assert load_policy("", file="fsm-stack.yaml")[0].contracts == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "contracts: [{traffic: tcp 443, verdict: sometimes, reason: r, owner: o}]",
            [
                "fsm-stack.yaml:1:41 contracts[0].verdict: error: expected 'always' or 'never', "
                "got 'sometimes' [invalid-value]"
            ],
        ),
        (
            "contracts: [{traffic: 443, verdict: never, reason: r, owner: o}]",
            [
                "fsm-stack.yaml:1:23 contracts[0].traffic: error: expected traffic such as "
                "'tcp 5432 to 10.0.0.0/8' [invalid-value]"
            ],
        ),
        (
            "environments: {reference: prod, mayDifer: []}",
            [
                "fsm-stack.yaml:1:33 environments.mayDifer: error: expected a setting of "
                "environments, got 'mayDifer'; did you mean 'mayDiffer'? [unknown-key] Fix: Write "
                "mayDiffer."
            ],
        ),
        (
            "contracts: []\nenvironments: {mayDiffer: []}",
            [
                "fsm-stack.yaml:2:15 environments.reference: error: expected "
                "environments.reference, got nothing [missing-key]"
            ],
        ),
        (
            "contracts: []\ncontracts: []",
            [
                "fsm-stack.yaml:2:1 contracts: error: expected each key once, got 'contracts' "
                "again; it is first on line 1 [duplicate-key]"
            ],
        ),
        (
            "contracts:\n  - {traffic: tcp 1, verdict: never, owner: o, reason: 2026-01-01}",
            [
                "fsm-stack.yaml:2:56 contracts[0].reason: error: expected a scalar that every YAML "
                'reader sees alike, got 2026-01-01: a date [ambiguous-scalar] Fix: Quote it: "2026-01-01".'
            ],
        ),
    ],
)
def test_a_shared_file_that_is_wrong_is_told_whole(text: str, told: list[str]) -> None:
    with pytest.raises(FindingsError) as caught:
        load_policy(text, file="fsm-stack.yaml")
    assert [item.as_text() for item in caught.value.findings] == told
