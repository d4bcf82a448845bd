from __future__ import annotations

import json
from time import process_time

import pytest

from fsm_stack.credentials import without_user
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import sarif
from fsm_stack.settings.stack_file import from_engine, load_text, project_settings
from tests.recordings import ROOT

from .loading import TODAY, found, said, settings

WRONG = """\
config:
  fsm-stack:traffic:
    outboundPortExclusionList: [6379, 70000]
    outboundIPRangExclusionList: [1.1.1.1/32]
    enableEgress: "no"
  fsm-stack:trafic: {}
  fsm-stak:images: {}
  kubernetes:context: kind
extra: 1
"""


def test_all_problems_of_a_file_are_told_together_with_their_places() -> None:
    assert [line for line in said(WRONG) if "excludes-mesh-port" not in line] == [
        "Pulumi.t.yaml:3:39 traffic.outboundPortExclusionList[1]: error: "
        "expected a port from 1 to 65535, got 70000 [invalid-port]",
        "Pulumi.t.yaml:4:5 traffic.outboundIPRangExclusionList: error: expected a setting of "
        "traffic, got 'outboundIPRangExclusionList'; did you mean 'outboundIPRangeExclusionList'? "
        "[unknown-key] Fix: Write outboundIPRangeExclusionList.",
        "Pulumi.t.yaml:5:19 traffic.enableEgress: error: expected true or false, got text 'no' "
        "[wrong-type]",
        "Pulumi.t.yaml:6:3 trafic: error: expected a setting of a stack, got 'trafic'; "
        "did you mean 'traffic'? [unknown-key] Fix: Write traffic.",
        "Pulumi.t.yaml:7:3 images: error: expected the project 'fsm-stack' before the colon, "
        "got 'fsm-stak' [unknown-key] Fix: Write fsm-stack:images.",
        "Pulumi.t.yaml:9:1 extra: error: expected a key of a Pulumi stack file, got 'extra' "
        "[unknown-key]",
    ]


def test_checks_run_on_what_is_valid_beside_what_is_not() -> None:
    """A wrong key must not hide the sixteenth port until the next run."""
    ports = list(range(1, 17))
    data = {"traffic": {"outboundPortExclusionList": ports, "wrong": 1}}
    assert [item[0] for item in found(data)] == ["too-many-ports", "unknown-key"]


def test_settings_with_errors_are_not_handed_out() -> None:
    loaded = load_text(WRONG, file="f", today=TODAY)
    assert loaded.settings is None
    with pytest.raises(FindingsError) as caught:
        loaded.require()
    assert caught.value.findings == loaded.findings


def test_an_error_is_told_beside_a_warning_of_the_same_place() -> None:
    """Two checks may speak of one value; neither hides the other."""
    data = {"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1/8", "10.0.0.1/8"]}}
    second = [item[0] for item in found(data) if item[1].endswith("[1]")]
    assert second[:1] == ["duplicate-entry"]
    assert "host-bits" in second


def test_places_behind_an_unusable_item_are_still_the_files() -> None:
    """Checks run on the list without the item; they speak of the list with it."""
    data = {"traffic": {"outboundPortExclusionList": [70000, "x", 6379, 6379]}}
    assert [item[:2] for item in found(data)] == [
        ("invalid-port", "traffic.outboundPortExclusionList[0]"),
        ("invalid-port", "traffic.outboundPortExclusionList[1]"),
        ("duplicate-entry", "traffic.outboundPortExclusionList[3]"),
    ]


@pytest.mark.parametrize("project", ["fsm", "fsm_stack", "fsmstack", "mesh"])
def test_a_setting_under_another_project_is_refused(project: str) -> None:
    """The engine would hand it to nobody, and the mesh would come up without it."""
    text = f"config:\n  {project}:traffic: {{enableEgress: false}}\n"
    expected = [
        "Pulumi.t.yaml:2:3 traffic: error: expected the project 'fsm-stack' before the colon, "
        f"got {project!r} [unknown-key] Fix: Write fsm-stack:traffic."
    ]
    assert said(text) == expected
    engine = {f"{project}:traffic": "{}"}
    loaded = from_engine(engine, today=TODAY, text=text, file="Pulumi.t.yaml")
    assert [item.as_text() for item in loaded.findings] == expected


def test_config_of_providers_is_left_alone() -> None:
    text = "config:\n  kubernetes:cluster: a\n  aws:region: b\n  vault:namespace: c\n"
    assert said(f"{text}  fsm-stack:mesh: {{name: x}}\n") == []


def test_a_missing_key_is_told_at_its_parent() -> None:
    text = "config:\n  fsm-stack:cluster:\n    apiServer: {port: 443}\n"
    assert said(text) == [
        "Pulumi.t.yaml:3:16 cluster.apiServer.address: error: "
        "expected cluster.apiServer.address, got nothing [missing-key]"
    ]


def test_a_fix_quotes_a_number_as_it_is_written() -> None:
    """The value of 0123 is 83, and 1.10's is 1.1: other names than the author's."""
    text = (
        "config:\n  fsm-stack:clusterSet:\n    name: 0123\n    zone: 1.10\n"
        "  fsm-stack:images: {tag: 1.50}\n  fsm-stack:mesh: {namespace: 2020}\n"
        "  fsm-stack:accept: 0x10\n  fsm-stack:certificate: {serviceCertValidityDuration: 010}\n"
    )
    found = load_text(text, file="f", today=TODAY).findings
    assert [(item.message.rpartition("got ")[2], item.fix) for item in found] == [
        ("a whole number 0123", 'Quote it: "0123".'),
        ("a number 1.10", 'Quote it: "1.10".'),
        ("a number 1.50", 'Quote it: "1.50".'),
        ("a whole number 2020", 'Quote it: "2020".'),
        ("a whole number 0x10", "Write a list: [0x10]."),
        ("010", "Write 010s."),
    ]
    mended = text.replace("0123", '"0123"').replace("1.10", '"1.10"').replace("1.50", '"1.50"')
    mended = mended.replace("2020", '"2020"').replace("0x10", "[]").replace("010", "010s")
    assert load_text(mended, file="f", today=TODAY).findings == ()


def test_of_a_number_from_the_engine_nobody_knows_how_it_was_written() -> None:
    """It hands over 83: quoting that would name another cluster."""
    (item,) = from_engine({"fsm-stack:clusterSet": '{"name":83}'}, today=TODAY).findings
    assert item.fix == "Quote it, as it is written there."


QUOTE = 'Quote it: "{}".'
SCALARS = [
    (
        "yes",
        '"yes" to the Pulumi CLI and true to YAML 1.1 readers',
        'Quote it if it is text: "yes"; else write true.',
    ),
    (
        "0o17",
        '15 to the Pulumi CLI and "0o17" to YAML 1.1 readers',
        'Quote it if it is text: "0o17"; else write 15.',
    ),
    (
        "1e3",
        '1000 to the Pulumi CLI and "1e3" to YAML 1.1 readers',
        'Quote it if it is text: "1e3"; else write 1000.',
    ),
    (
        "08",
        '8 to the Pulumi CLI and "08" to YAML 1.1 readers',
        'Quote it if it is text: "08"; else write 8.',
    ),
    ("1:30", '"1:30" to the Pulumi CLI and a base-60 number to YAML 1.1 readers', QUOTE),
    ("0x_", '"0x_" to the Pulumi CLI and a number without digits to YAML 1.1 readers', QUOTE),
    ("2026-12-31", "a date", QUOTE),
    (".inf", "a float that is not finite", QUOTE),
    ("9" * 5000, "a number too large to be exact", QUOTE),
]


@pytest.mark.parametrize(
    ("text", "readings", "fix"), SCALARS, ids=[row[0][:12] for row in SCALARS]
)
def test_a_scalar_that_readers_see_differently_is_refused(
    text: str, readings: str, fix: str
) -> None:
    """The engine and this tool must never deploy two meshes from one file."""
    assert said(f"config:\n  fsm-stack:mesh:\n    name: {text}\n") == [
        "Pulumi.t.yaml:3:11 mesh.name: error: expected a scalar that every YAML reader sees alike, "
        f"got {text}: {readings} [ambiguous-scalar] Fix: {fix.format(text)}"
    ]


@pytest.mark.parametrize(
    "text",
    ["!!int '8080'", "!!str 8080", "!!bool 'true'", "!!bool 5", "!!null 5", "!!value 5",
     "!!float 5"],
)  # fmt: skip
def test_a_scalar_with_a_tag_is_refused(text: str) -> None:
    """Some readers honour tags, some do not."""
    tag = text.partition(" ")[0]
    assert said(f"config:\n  fsm-stack:mesh:\n    name: {text}\n") == [
        f"Pulumi.t.yaml:3:11 mesh.name: error: expected no YAML tag, got {tag} [ambiguous-scalar]"
    ]


def test_a_key_twice_is_refused() -> None:
    assert said("config:\n  fsm-stack:mesh: {name: a, name: b}\n") == [
        "Pulumi.t.yaml:2:29 mesh.name: error: expected each key once, got 'name' again; "
        "it is first on line 2 [duplicate-key]"
    ]


def test_a_secret_is_refused_wherever_it_stands() -> None:
    text = (
        "config:\n  fsm-stack:mesh: {secure: AAAB}\n"
        "  fsm-stack:images:\n    registry: {secure: AAAB}\n  other:token: {secure: AAAB}\n"
    )
    assert [line.partition(": ")[0] for line in said(text) if "secret-value" in line] == [
        "Pulumi.t.yaml:2:19 mesh",
        "Pulumi.t.yaml:4:15 images.registry",
    ]


def test_an_environment_cannot_be_read_offline() -> None:
    assert said("environment: [prod]\n") == [
        "Pulumi.t.yaml:1:1 environment: error: "
        "expected every setting in this file; only the engine reads environments [esc-environment]"
    ]


def test_what_the_engine_writes_into_a_stack_file_is_left_alone() -> None:
    text = "encryptionsalt: v1:abc\nsecretsprovider: passphrase\nencryptedkey: x\n"
    assert said(f"{text}config:\n  fsm-stack:mesh: {{name: x}}\n") == []


@pytest.mark.parametrize("key", ["encryptionsalt", "secretsprovider", "encryptedkey"])
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("5", "a whole number"),
        ("[a]", "a list"),
        ("{a: b}", "a mapping"),
        ("true", "true or false"),
    ],
)
def test_the_engines_keys_have_their_types(key: str, value: str, found: str) -> None:
    """The engine stops at them, before it reads anything; what is in them is told to nobody."""
    text = f"{key}: {value}\nconfig:\n  fsm-stack:mesh: {{name: x}}\n"
    assert said(text) == [
        f"Pulumi.t.yaml:1:1 {key}: error: expected text, got {found} [wrong-type]"
    ]


NOTHING = [
    "",
    "config: {}\n",
    "config:\n  kubernetes:context: a\n",
    "encryptionsalt: v1:abc\nconfig:\n  fsm-stack:traffic: {}\n  fsm-stack:system: fsm\n",
]


@pytest.mark.parametrize("text", NOTHING)
def test_a_file_without_settings_is_an_error(text: str) -> None:
    """The settings are elsewhere, and a mesh of defaults would replace the one that runs."""
    (line,) = said(text)
    assert line.partition(": ")[2] == (
        "error: expected settings, fsm-stack:…, found none [no-settings]"
    )


def test_one_setting_is_enough() -> None:
    loaded = load_text("config:\n  fsm-stack:mesh: {name: fsm}\n", file="f", today=TODAY)
    assert loaded.require() == settings({"mesh": {"name": "fsm"}})


BROKEN = [
    ("config: [", "f:2:1: expected one YAML document: did not find expected node content"),
    ("a: 1\n---\nb: 2\n", "f:2:1: expected one YAML document: but found another document"),
    ("- 1\n", "f: expected a mapping with the key config, got a list"),
    ("config: false\n", "f: expected a mapping at config, got true or false"),
    ("config: 1\n", "f: expected a mapping at config, got a whole number"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_text_that_is_no_stack_file_says_where(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_text(text, file="f", today=TODAY)
    assert str(caught.value) == message


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InputError, match="expected at most 50000 values, aliases expanded"):
        load_text("\n".join(lines), file="f", today=TODAY)


def test_deep_nesting_is_refused() -> None:
    for text in ("[" * 100 + "]" * 100, "[" * 200_000, "{a: " * 200_000, "- " * 200_000):
        with pytest.raises(InputError, match="f:2: expected at most 40 levels of nesting"):
            load_text(f"config:\n {text}", file="f", today=TODAY)


def test_deep_json_of_the_engine_is_text() -> None:
    """Its reader gives up on it; validation then says what was expected."""
    loaded = from_engine({"fsm-stack:traffic": "[" * 200_000}, today=TODAY)
    assert [(item.id, item.place.path) for item in loaded.findings] == [("wrong-type", "traffic")]


FILE = """\
config:
  fsm-stack:fsmVersion: "1.6.0"
  fsm-stack:traffic:
    outboundPortExclusionList: [6379, {value: 7070, reason: batch}]
    enableEgress: false
  fsm-stack:enrolledNamespaces:
    - name: shop
"""
ENGINE = {
    "fsm-stack:fsmVersion": "1.6.0",
    "fsm-stack:traffic": '{"enableEgress":false,"outboundPortExclusionList":'
    '[6379.0,{"reason":"batch","value":7070.0}]}',
    "fsm-stack:enrolledNamespaces": '[{"name":"shop"}]',
    "kubernetes:context": "kind",
}


def test_the_engine_and_the_file_give_the_same_settings() -> None:
    of_file = load_text(FILE, file="f", today=TODAY).require()
    of_engine = from_engine(ENGINE, today=TODAY).require()
    assert of_engine == of_file


def test_the_engines_empty_defaults_are_the_models_defaults() -> None:
    """Pulumi.yaml gives every key an empty default, so that a stack may leave it out."""
    config = {"fsm-stack:traffic": "{}", "fsm-stack:accept": "[]", "fsm-stack:system": "fsm"}
    loaded = from_engine(config | {"fsm-stack:mesh": '{"name":"fsm"}'}, today=TODAY)
    assert loaded.require() == settings({"mesh": {"name": "fsm"}})


@pytest.mark.parametrize("config", [{}, {"fsm-stack:traffic": "{}", "fsm-stack:system": "fsm"}])
def test_an_engine_without_settings_is_an_error(config: dict[str, str]) -> None:
    """A program of the Automation API has its own stack's config, and no file fills the gap."""
    text = "config:\n  fsm-stack:mesh: {name: x}\n"
    (item,) = from_engine(config, today=TODAY, text=text).findings
    assert item.id == "no-settings"


def test_problems_under_the_engine_have_the_files_places() -> None:
    text = "config:\n  fsm-stack:traffic:\n    outboundPortExclusionList: [70000]\n"
    config = {"fsm-stack:traffic": '{"outboundPortExclusionList":[70000]}'}
    loaded = from_engine(config, today=TODAY, text=text, file="Pulumi.t.yaml")
    assert [item.as_text() for item in loaded.findings] == said(text)


def test_a_secret_of_the_engine_is_refused() -> None:
    loaded = from_engine({"fsm-stack:images": "{}"}, today=TODAY, secret_keys={"fsm-stack:images"})
    assert [(item.id, item.place.path) for item in loaded.findings] == [("secret-value", "images")]


def test_a_secret_of_the_engine_is_told_where_the_file_has_it() -> None:
    """The engine hands a whole section over as secret for one value in it."""
    text = (
        "config:\n  fsm-stack:observability:\n    tracing:\n      port: 9411\n"
        "      address: {secure: v1:x}\n"
    )
    loaded = from_engine(
        {"fsm-stack:observability": '{"tracing":{"port":9411,"address":"tracing.example"}}'},
        today=TODAY,
        secret_keys={"fsm-stack:observability"},
        text=text,
        file="f",
    )
    assert [str(item.place) for item in loaded.findings] == [
        "f:5:16 observability.tracing.address"
    ]


def test_a_secret_in_a_list_is_told_where_the_file_has_it() -> None:
    text = "config:\n  fsm-stack:images:\n    pullSecrets: [{name: a}, {name: {secure: v1:x}}]\n"
    loaded = from_engine(
        {"fsm-stack:images": '{"pullSecrets":[{"name":"a"},{"name":"b"}]}'},
        today=TODAY,
        secret_keys={"fsm-stack:images"},
        text=text,
        file="f",
    )
    assert [str(item.place) for item in loaded.findings] == ["f:3:37 images.pullSecrets[1].name"]


def test_a_loaded_stack_says_where_its_file_sets_what() -> None:
    """Reports of other commands stand at the line that somebody has to change."""
    text = "config:\n  fsm-stack:traffic:\n    outboundPortExclusionList: [6379]\n"
    place = load_text(text, file="f", today=TODAY).place
    assert [
        str(place(path))
        for path in (
            ("traffic", "outboundPortExclusionList", 0),
            ("traffic", "outboundPortExclusionList", 1),
            ("mesh", "name"),
            (),
        )
    ] == [
        "f:3:33 traffic.outboundPortExclusionList[0]",
        "f traffic.outboundPortExclusionList[1]",
        "f mesh.name",
        "f",
    ]


BARE = (
    "Pulumi.t.yaml:2:3 mesh: error: expected a key with its project in front, got 'mesh' "
    "[unknown-key] Fix: Write fsm-stack:mesh."
)


def test_a_key_without_its_project_is_refused_and_looked_at() -> None:
    """The schema refuses it, and so do other readers of stack files; it hides nothing else."""
    assert said("config:\n  mesh: {name: x, trustDomain: X}\n") == [
        BARE,
        "Pulumi.t.yaml:2:32 mesh.trustDomain: error: expected lower-case letters, digits, '-' and "
        "'.', with a letter or digit at both ends, got 'X' [invalid-value]",
    ]


def test_a_key_with_and_without_its_project_is_there_twice() -> None:
    assert said("config:\n  mesh: {name: x}\n  fsm-stack:mesh: {name: y}\n") == [
        BARE,
        "Pulumi.t.yaml:3:3 fsm-stack:mesh: error: expected each key once, "
        "got 'fsm-stack:mesh' beside 'mesh' [duplicate-key]",
    ]


def test_an_object_as_json_text_is_that_object() -> None:
    """So ``pulumi config set`` without ``--path`` writes it, and the engine hands it over."""
    loaded = load_text('config:\n  fsm-stack:mesh: \'{"name": "x"}\'\n', file="f", today=TODAY)
    assert loaded.require().mesh.name == "x"


def test_text_of_a_file_does_not_reach_the_terminal_raw() -> None:
    """A pull request's file may be anyone's; an escape sequence could hide the finding."""
    (line,) = said('config:\n  fsm-stack:mesh:\n    "na\\e[2Jme\\u202e": x\n')
    assert line.isprintable()
    assert "na\\x1b[2Jme\\u202e" in line


def test_a_secret_that_is_refused_is_told_to_nobody() -> None:
    text = (
        "config:\n  fsm-stack:observability:\n    remoteLogging:\n"
        "      authorization: 'Basic dG9wc2VjcmV0'\n"
    )
    loaded = load_text(text, file="Pulumi.t.yaml", today=TODAY)
    assert [item.id for item in loaded.findings] == ["secret-value"]
    assert "dG9wc2VjcmV0" not in repr(loaded)
    assert "dG9wc2VjcmV0" not in json.dumps(sarif(loaded.findings))


@pytest.mark.parametrize("kind", ["values", "keys", "scalars"])
def test_of_very_many_problems_the_first_hundred_are_told(kind: str) -> None:
    """Time is about linear: 32,000 bad ports took half a minute, as many unknown keys two."""
    count = 8000
    body = {
        "values": "    outboundPortExclusionList:\n" + '    - "x"\n' * count,
        "keys": "    outboundPortExclusionList: []\n"
        + "".join(f"    no{n}: 1\n" for n in range(count)),
        "scalars": "    outboundPortExclusionList:\n" + "    - 0x_\n" * count,
    }[kind]
    started = process_time()
    found = load_text(
        f"config:\n  fsm-stack:traffic:\n{body}", file="Pulumi.t.yaml", today=TODAY
    ).findings
    assert process_time() - started < 5  # seconds; less than half a one on the machine it is from
    *told, last = [item for item in found if item.id != "no-settings"]
    assert [item.place.line for item in told] == list(range(4, 104))
    assert (last.id, last.message, last.place.line, last.value) == (
        "more-problems",
        f"{count - 100} more problems from here on, which are not told",
        104,
        f"{count - 100}",
    )


def test_a_password_in_an_address_is_told_to_nobody() -> None:
    text = (
        "config:\n  fsm-stack:images: {registry: 'me:hunter2@registry.example.com/x'}\n"
        "  fsm-stack:certificateProvider: {kind: vault, vault: {host: 'me:hunter2@vault', "
        "tokenSecret: {name: a, key: b}}}\n"
    )
    loaded = load_text(text, file="Pulumi.t.yaml", today=TODAY)
    assert {item.place.path for item in loaded.findings} >= {
        "images.registry", "certificateProvider.vault.host"
    }  # fmt: skip
    assert "hunter2" not in repr(loaded.findings)


def test_a_digest_is_no_password() -> None:
    text = f"team/app:1.2@sha256:{'a' * 64}"
    assert without_user(f"https://me:pw@host/{text}") == f"https://host/{text}"


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ("traffic: {type: object, default: {outboundPortExclusionList: [443]}}",
         ["config.traffic.default"]),
        ("fsm-stack:traffic: {value: {outboundPortExclusionList: [443]}}",
         ["config.fsm-stack:traffic.value"]),
        ("fsm-stack:fsmVersion: 1.6.0", ["config.fsm-stack:fsmVersion"]),
        ("fsmVersion: {type: string, default: 1.6.0}", ["config.fsmVersion.default"]),
        ("mesh: {name: blue}", ["config.mesh"]),
        ("traffic: {type: object, description: lists, default: {}}", []),
        ('fsmVersion: {type: string, default: "1.5.1"}', []),
        ("aws:region: eu-central-1", []),
        ("other:traffic: {value: {outboundPortExclusionList: [443]}}", []),
    ],
)  # fmt: skip
def test_a_project_file_gives_no_stack_a_setting(config: str, paths: list[str]) -> None:
    """The engine would take it, and nothing that reviews a stack would know."""
    text = f"name: fsm-stack\nconfig:\n  {config}\n"
    found = project_settings(text, file="Pulumi.yaml")
    assert [one.place.path for one in found] == paths
    assert all(one.place.line == 3 for one in found)
    assert {one.as_text(severity=False).partition(" ")[2] for one in found} <= {
        f"{path}: expected settings in Pulumi.<stack>.yaml only [project-setting]"
        for path in paths
    }


def test_the_project_file_of_this_repository_gives_no_setting() -> None:
    text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
    assert project_settings(text, file="Pulumi.yaml") == ()
    named = text.replace("name: fsm-stack", "name: mesh")
    opened = named.replace("default: {}", "default: {a: 1}")
    assert project_settings(opened, file="Pulumi.yaml") == ()  # keys of another project
