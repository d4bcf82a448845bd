"""The guard before a real API server: what it refuses, and that it says what the checks say."""

from __future__ import annotations

import copy
import random
import re
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic_core import PydanticCustomError

from fsm_stack.cli.main import cli
from fsm_stack.findings.finding import Severity
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.lists import LISTS
from fsm_stack.manifests.guard.cel import CIDR_SINCE
from fsm_stack.manifests.guard.policies import BINDING, POLICY, guard
from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.manifests.mesh_config import mesh_config_crd
from fsm_stack.project.workload_files import context_of
from fsm_stack.review.contracts import contracts_of, prover_of
from fsm_stack.settings.checks import check_settings
from fsm_stack.settings.models.values import parse_cidr, parse_interface, parse_port
from fsm_stack.systems import FSM
from fsm_stack.workloads.lint import Subject, lint
from fsm_stack.workloads.preview import preview
from tests.given import ID, IMAGES, container, namespace, pod
from tests.manifests.stacks import settings_of
from tests.review.sides import side

from .apiserver import (
    KUBERNETES_VERSION,
    NEWEST_VERSION,
    OLDEST_VERSION,
    NotInstalledError,
    serve,
)
from .client import Api, ApiError, eventually
from .conftest import or_skip
from .test_verify import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.workloads.preview import Preview

pytestmark = pytest.mark.cluster

TODAY = date(2026, 7, 1)
CLUSTER = {
    "podRanges": ["10.244.0.0/16"],
    "serviceRanges": ["10.96.0.0/12"],
    "apiServer": {"address": "10.96.0.1"},
}
PROFILES = {
    "redis-client": {
        "outboundPortExclusionList": [6379],
        "outboundIPRangeExclusionList": ["192.0.2.0/24"],
    }
}
ALLOW = [{"namespace": "shop", "outboundPortExclusionList": [5432]}]


def stack(name: str, action: str, version: str = "1.34") -> StackSettings:
    """A mesh of its own on the one server: its policies look at nothing of another's."""
    return settings_of(
        {
            "mesh": {"name": name, "namespace": f"{name}-system"},
            "cluster": CLUSTER | {"kubernetesVersion": version},
            "annotationProfiles": PROFILES,
            "guard": {
                "meshConfig": action,
                "pods": action,
                "bypasses": action,
                "allow": ALLOW,
            },
        }
    )


DENIES = stack("denies", "deny")
WARNS = {"1.34": stack("warns", "warn"), "1.30": stack("old", "warn", "1.30")}
MESHES = (DENIES, *WARNS.values())


# The first release whose policies may call `cidr()`; CI builds the others.
CIDR_VERSION = "v1.31.14"
VERSIONS = tuple(dict.fromkeys((KUBERNETES_VERSION, NEWEST_VERSION, CIDR_VERSION, OLDEST_VERSION)))
SINCE_CIDR = [one for one in VERSIONS if one != OLDEST_VERSION]


@pytest.fixture(scope="module", params=VERSIONS)
def guarded(request: pytest.FixtureRequest) -> Iterator[Api]:
    """An API server with the policies of three meshes, and a CRD that limits nothing.

    On one that cannot call `cidr()` all three are declared for its release.
    """
    version, usual = request.param, request.param == KUBERNETES_VERSION
    with tempfile.TemporaryDirectory(prefix="fsm-stack-") as home, ExitStack() as stack:
        if version == CIDR_VERSION:
            stack.enter_context(skipped_where_absent())
        else:
            stack.enter_context(or_skip())
        api = stack.enter_context(serve(Path(home), controllers=usual, version=version))
        api.apply(without_limits())
        for settings in MESHES:
            for name in (settings.namespace, place_of(settings)):
                api.apply(namespace_object(name, settings))
            for manifest in guard_on(api, settings):
                api.apply(dict(manifest.object))
        for settings in MESHES:
            eventually(
                f"the policies of {settings.mesh_name} are in force",
                lambda settings=settings: in_force(api, settings),  # type: ignore[misc]  # bound
                seconds=60,
            )
        yield api


@contextmanager
def skipped_where_absent() -> Iterator[None]:
    """A version that is tried where somebody has built it."""
    try:
        yield
    except NotInstalledError as error:
        pytest.skip(str(error))


def guard_on(api: Api, settings: StackSettings) -> tuple[Manifest, ...]:
    """A mesh's policies, declared for 1.30 where the server takes no others."""
    if api_takes(api, settings):
        return guard(settings)
    cluster = settings.cluster.model_copy(update={"kubernetes_version": "1.30"})
    return guard(settings.model_copy(update={"cluster": cluster}))


def api_takes(api: Api, settings: StackSettings) -> bool:
    """Whether the server knows what the policies for a declared release may call."""
    minor = int(api.request("GET", "/version")["minor"])
    return minor >= CIDR_SINCE or settings.cluster.kubernetes_minor < CIDR_SINCE


@pytest.fixture
def dialects(guarded: Api) -> list[StackSettings]:
    """The meshes that warn, each in a dialect of its own that the server takes."""
    return [settings for settings in WARNS.values() if api_takes(guarded, settings)]


def without_limits() -> dict[str, Any]:
    """The CRD as somebody might leave it: whatever is in a MeshConfig is taken."""
    crd = mesh_config_crd()
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = anything
    return crd


def place_of(settings: StackSettings) -> str:
    """The namespace of a mesh's pods; that of the mesh which denies is in allow."""
    return "shop" if settings is DENIES else f"{settings.mesh_name}-shop"


def namespace_object(name: str, settings: StackSettings) -> dict[str, Any]:
    labels = {FSM.monitored_by_label: settings.mesh_name}
    if name == settings.namespace:
        labels = {"name": name}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def in_force(api: Api, settings: StackSettings) -> bool:
    """Whether every policy answers: a new one is compiled a moment after it is stored."""
    traffic = {"outboundPortExclusionList": [0], "outboundIPRangeExclusionList": ["1.2.3.4/8"]}
    item = final(seen(settings, {"outboundPortExclusionList": [70000]}, {PORTS: "1"}))
    if settings.guard.pods == "deny":
        registered = final(seen(settings, {}, {PORTS: "1"}))
        wrong = (mesh_config_of(settings, traffic), item, registered)
        return all(refused(api, one) for one in wrong)
    return said_of_mesh(api, settings, traffic) == {
        ("invalid-port", Severity.ERROR),
        ("host-bits", Severity.WARNING),
    } and said_of_pod(api, settings, item) == {
        ("invalid-port", "pods"),
        ("bypass-unregistered", "bypasses"),
    }


def refused(api: Api, item: dict[str, Any]) -> bool:
    try:
        api.create(item, dry_run=True)
    except ApiError as error:
        return "ValidatingAdmissionPolicy" in str(error)
    return False


def mesh_config_of(settings: StackSettings, traffic: dict[str, Any]) -> dict[str, Any]:
    item = copy.deepcopy(dict(mesh_config(settings).object))
    item["spec"]["traffic"] |= traffic
    return item


SAID = re.compile(r"ValidatingAdmissionPolicy '([a-z0-9-]+)'.*\[([a-z0-9-]+)\]\"$", re.DOTALL)


def said(api: Api, item: dict[str, Any]) -> set[tuple[str, str]]:
    """The policies that warn of an object, each with a finding's id."""
    api.warnings.clear()
    api.create(item, dry_run=True)
    found = [SAID.search(text) for text in api.warnings if "ValidatingAdmissionPolicy" in text]
    assert all(found), api.warnings
    return {(match[1], match[2]) for match in found if match}


def said_of_mesh(
    api: Api, settings: StackSettings, traffic: dict[str, Any]
) -> set[tuple[str, Severity]]:
    return {
        (rule_id, Severity.WARNING if policy.endswith("-warnings") else Severity.ERROR)
        for policy, rule_id in said(api, mesh_config_of(settings, traffic))
    }


def said_of_pod(api: Api, settings: StackSettings, item: dict[str, Any]) -> set[tuple[str, str]]:
    prefix = f"{settings.mesh_name}-guard-"
    return {(rule_id, policy.removeprefix(prefix)) for policy, rule_id in said(api, item)}


# What the lists are made of: values that some layer takes, and that mean something else there.
GOOD: dict[str, tuple[Any, ...]] = {
    "ports": (1, 80, 443, 6379, 15000, 65535, 8080, 9000, 9000.0, 65535.0),
    "ranges": (
        "10.0.0.0/8", "10.244.0.0/16", "10.244.1.0/24", "10.244.1.1/32", "10.96.0.1/32",
        "10.96.0.0/16", "10.96.0.0/11", "1.1.1.1/32", "2.2.2.2/24", "0.0.0.0/0", "0.0.0.0/1",
        "128.0.0.0/1", "1.2.3.4/1", "10.200.0.0/7", "172.16.0.0/12", "255.255.255.255/32",
        "192.0.2.1/31",
    ),
    "interfaces": (
        "net1", "veth+", "eth0", "e+", "eth+", "eth0+", "+", "eth0.100", "a@b", "x:1", "a-b", "_",
        "fifteencharslng",
    ),
}  # fmt: skip
BAD: dict[str, tuple[Any, ...]] = {
    "ports": (0, -1, 65536, 70000, 2**31, 2**62, -(2**62), "80", "x", "", True, 80.5, 0.0, 65536.0,
              1e300),
    "ranges": (
        "", "foo", "10.0.0.0", "10.0.0.0/33", "010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/8 ",
        " 10.0.0.0/8", "999.1.1.1/99", "fd00::/8", "FD00::1/128", "::/0", "::ffff:10.0.0.0/104",
        "foo; rm -rf / 10.0.0.0/8", "\uff11\uff10.0.0.0/8", "10.0.0.0/8\uff0c", "fe80::1%eth0/64",
        "a:b", ":", "a:b/x\ny", "10.0.0.0/255.0.0.0", "10.0.0.0/8\n", "10.0.0.0/-1", "1.2.3/8",
        "x" * 300, "'", 7,
    ),
    "interfaces": (
        "", "sixteencharslong", "$(id -u)", "a b", "-x", ".", "..", "..+", ".+", "\u00e9", "a+b",
        "a\tb", "net1\n", "++", "a/b", "'", "\\", "-+", 7,
    ),
}  # fmt: skip
PARSE = {"ports": parse_port, "ranges": parse_cidr, "interfaces": parse_interface}
GUARDED = {
    "too-many-ports", "invalid-port", "invalid-cidr", "ipv6-cidr", "not-ascii", "host-bits",
    "excludes-everything", "excludes-mesh-traffic", "invalid-interface",
}  # fmt: skip


def traffic_of(chance: random.Random) -> dict[str, Any]:
    """Lists of a MeshConfig: some good, some with a bad entry, some too long."""
    made = {}
    for listed in LISTS:
        kind = chance.random()
        values = [chance.choice(GOOD[listed.holds]) for _ in range(chance.randrange(5))]
        if kind < 0.3:
            values.insert(chance.randrange(len(values) + 1), chance.choice(BAD[listed.holds]))
        elif listed.holds == "ports" and kind < 0.5:
            values = chance.choices(range(1, 40), k=chance.randrange(12, 40))
        made[listed.key] = values
    if chance.random() < 0.1:
        made["outboundIPRangeExclusionList"] = [f"{start}.0.0.0/4" for start in range(0, 256, 16)]
    return made


def judged(settings: StackSettings, traffic: dict[str, Any]) -> set[tuple[str, Severity]]:
    """The findings of the settings' own parsers and checks, on what of the lists is valid."""
    found: set[tuple[str, Severity]] = set()
    valid: dict[str, list[Any]] = {}
    for listed in LISTS:
        valid[listed.key] = []
        for value in traffic[listed.key]:
            try:
                valid[listed.key].append(PARSE[listed.holds](value))
            except PydanticCustomError as error:
                found.add((error.type, Severity.ERROR))
    base = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    known = settings_of(base | {"traffic": valid, "annotationProfiles": {}})
    for path, item in check_settings(known, TODAY):
        alone = item.id != "excludes-mesh-traffic" or isinstance(path[-1], int)
        if item.id in GUARDED and path[0] == "traffic" and alone:
            worse = Severity.ERROR if item.severity is Severity.ERROR else Severity.WARNING
            found.add((item.id, worse))
    return found


def test_policies_say_of_a_mesh_config_what_the_checks_say(
    guarded: Api, dialects: list[StackSettings]
) -> None:
    """Else a stack that passes here is refused there, or the other way round."""
    chance = random.Random(2026)  # noqa: S311  # the same every time
    counts = dict.fromkeys(GUARDED, 0)
    for _ in range(150):
        traffic = traffic_of(chance)
        for settings in dialects:
            expected = judged(settings, traffic)
            assert said_of_mesh(guarded, settings, traffic) == expected, traffic
        for rule_id, _severity in expected:
            counts[rule_id] += 1
    assert min(counts.values()) > 5, counts


@pytest.mark.parametrize("listed", LISTS, ids=lambda one: one.field)
def test_policies_judge_every_single_value_as_the_parsers_do(
    guarded: Api, dialects: list[StackSettings], listed: Any
) -> None:
    empty: dict[str, list[Any]] = {one.key: [] for one in LISTS}
    for value in (*GOOD[listed.holds], *BAD[listed.holds]):
        traffic = empty | {listed.key: [value]}
        for settings in dialects:
            assert said_of_mesh(guarded, settings, traffic) == judged(settings, traffic), value


NO_PORT = {"outboundPortExclusionList": [0]}
AGREED = ("tcp 5432 to 10.0.0.0/8", "tcp 443 to any", "inbound tcp 8080", "tcp to services",
          "tcp 8000-9000 to 192.0.2.1,pods")  # fmt: skip
MET: dict[str, tuple[Any, ...]] = {
    "outboundPortExclusionList": (443, 5432, 6379, 8000, 9000, 9001),
    "inboundPortExclusionList": (8080, 8081, 443),
    "outboundIPRangeExclusionList": (
        "10.1.0.0/16", "192.0.2.1/32", "192.0.2.0/24", "203.0.113.0/24", "10.96.0.1/32",
        "127.0.0.0/16", "172.16.0.0/12",
    ),
    "outboundIPRangeInclusionList": ("10.0.0.0/8", "192.0.2.0/24", "10.96.0.0/12", "0.0.0.0/0"),
    "networkInterfaceExclusionList": ("net1", "lo", "eth0"),
}  # fmt: skip


def test_policies_refuse_only_what_breaks_a_contract(
    guarded: Api, dialects: list[StackSettings]
) -> None:
    """What breaks one without an inclusion, they refuse all; inclusions may add up."""
    chance = random.Random(443)  # noqa: S311  # the same every time
    refused, kept = 0, 0
    for agreed, dialect in product(AGREED, dialects):
        version = dialect.cluster.kubernetes_version
        name = f"c{AGREED.index(agreed)}-{version.replace('.', '-')}"
        one = {"traffic": agreed, "verdict": "always", "reason": "a test", "owner": "the suite"}
        base = {
            "mesh": {"name": name, "namespace": f"{name}-system"},
            "cluster": CLUSTER | {"kubernetesVersion": version},
            "guard": {"meshConfig": "warn"},
            "contracts": [one],
        }
        settings = settings_of(base)
        guarded.apply(namespace_object(settings.namespace, settings))
        for manifest in guard(settings):
            guarded.apply(dict(manifest.object))
        eventually(
            f"the policies for {agreed} are in force",
            lambda settings=settings: bool(said_of_mesh(guarded, settings, NO_PORT)),  # type: ignore[misc]  # bound
            seconds=60,
        )
        for _ in range(25):
            traffic = {
                key: chance.sample(values, chance.choice((0, 0, 0, 1, 2)))
                for key, values in MET.items()
            }
            told = {rule_id for rule_id, _ in said_of_mesh(guarded, settings, traffic)}
            broken = is_broken({"cluster": CLUSTER, "contracts": [one], "traffic": traffic})
            says = "contract-broken" in told
            if not traffic["outboundIPRangeInclusionList"]:
                assert says == broken, (agreed, traffic)
            assert broken or not says, (agreed, traffic)
            refused, kept = refused + says, kept + (not broken)
    assert min(refused, kept) > 20, (refused, kept)


def is_broken(sections: dict[str, Any]) -> bool:
    known = side(**sections)
    return bool(prover_of(known).broken(contracts_of(known)))


SIXTEEN = list(range(7000, 7016))
SENTENCE = "expected at most 15 ports, got 16 [too-many-ports]"


def test_a_patch_with_sixteen_ports_is_refused_with_our_sentence(guarded: Api) -> None:
    """H1: FSM's own CRD takes it, and no new pod of the mesh starts."""
    live = guarded.apply(mesh_config_of(DENIES, {}))
    with pytest.raises(ApiError) as told:
        guarded.patch(live, {"spec": {"traffic": {"outboundPortExclusionList": SIXTEEN}}})
    assert (told.value.code, told.value.reason) == (422, "Invalid")
    assert told.value.message == (
        'meshconfigs.config.flomesh.io "fsm-mesh-config" is forbidden: ValidatingAdmissionPolicy '
        "'denies-guard-mesh-config' with binding 'denies-guard-mesh-config' denied request: "
        f"spec.traffic.outboundPortExclusionList: {SENTENCE}"
    )
    fifteen = {"spec": {"traffic": {"outboundPortExclusionList": [*SIXTEEN[1:], SIXTEEN[1]]}}}
    guarded.patch(live, fifteen)  # the injector drops repetitions
    guarded.delete(live)


SENTENCES = {
    "outboundPortExclusionList[1]: expected a port from 1 to 65535, got 70000 [invalid-port]": {
        "outboundPortExclusionList": [1, 70000]
    },
    "outboundIPRangeExclusionList[0]: expected an IPv4 CIDR such as 10.0.0.0/8, got "
    "'foo; rm -rf / 10.0.0.0/8' [invalid-cidr]": {
        "outboundIPRangeExclusionList": ["foo; rm -rf / 10.0.0.0/8"]
    },
    "outboundIPRangeInclusionList[0]: expected an IPv4 CIDR, got the IPv6 range 'fd00::/8'; only "
    "IPv4 is intercepted [ipv6-cidr]": {"outboundIPRangeInclusionList": ["fd00::/8"]},
    "networkInterfaceExclusionList[0]: expected 1 to 15 letters, digits and signs with + only at "
    "the end, got '$(id -u)' [invalid-interface]": {"networkInterfaceExclusionList": ["$(id -u)"]},
    "outboundIPRangeExclusionList: 0.0.0.0/0 excludes every address: nothing outbound is "
    "intercepted [excludes-everything]": {"outboundIPRangeExclusionList": ["0.0.0.0/0"]},
    "outboundIPRangeExclusionList[0]: 10.0.0.0/8 covers the cluster's pod range 10.244.0.0/16 "
    "[excludes-mesh-traffic]": {"outboundIPRangeExclusionList": ["10.0.0.0/8"]},
    "outboundIPRangeExclusionList[0]: expected an IPv4 CIDR such as 10.0.0.0/8, got text with "
    "control characters [invalid-cidr]": {"outboundIPRangeExclusionList": ["10.0.0.0/8\n"]},
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_refusal_says_where_what_and_its_id(guarded: Api, sentence: str) -> None:
    with pytest.raises(ApiError) as told:
        guarded.create(mesh_config_of(DENIES, SENTENCES[sentence]), dry_run=True)
    assert told.value.message.endswith(f" denied request: spec.traffic.{sentence}")


def test_a_warning_lets_the_mesh_config_pass(guarded: Api) -> None:
    """H7 is a warning of ``validate``: what passes there must not be refused here."""
    guarded.warnings.clear()
    wide = {"outboundIPRangeExclusionList": ["2.2.2.2/24"]}
    guarded.create(mesh_config_of(DENIES, wide), dry_run=True)
    assert guarded.warnings == [
        '299 - "Validation failed for ValidatingAdmissionPolicy '
        "'denies-guard-mesh-config-warnings' with binding 'denies-guard-mesh-config-warnings': "
        'spec.traffic.outboundIPRangeExclusionList[0]: 2.2.2.2/24 has host bits set [host-bits]"'
    ]


def test_the_longest_lists_cost_less_than_the_api_server_grants(guarded: Api) -> None:
    """One that costs more is refused with words about budgets; one more entry with ours."""
    ranges = [f"{10 + n // 65536}.{n // 256 % 256}.{n % 256}.77/32" for n in range(2_001)]
    lists = ("outboundIPRangeExclusionList", "outboundIPRangeInclusionList")
    for settings in (DENIES, WARNS["1.30"]):
        full = mesh_config_of(settings, dict.fromkeys(lists, ranges[:-1]))
        full["spec"]["traffic"]["networkInterfaceExclusionList"] = ["net1"] * 2_000
        guarded.warnings.clear()
        guarded.create(full, dry_run=True)
        assert guarded.warnings == []
    with pytest.raises(ApiError, match=r"expected at most 2000 entries, got 2001 \[too-large\]"):
        guarded.create(mesh_config_of(DENIES, {lists[0]: ranges}), dry_run=True)


def test_yesterdays_fault_does_not_stop_who_writes_other_sections(guarded: Api) -> None:
    """FSM's connector and gateway write into the MeshConfig at run time."""
    settings = stack("late", "deny")
    guarded.apply(namespace_object(settings.namespace, settings))
    live = guarded.apply(mesh_config_of(settings, {"outboundPortExclusionList": SIXTEEN}))
    for manifest in guard_on(guarded, settings):
        guarded.apply(dict(manifest.object))
    wrong = mesh_config_of(settings, {"inboundPortExclusionList": [0]})
    eventually("the policy is in force", lambda: refused(guarded, wrong), seconds=60)
    with pytest.raises(ApiError, match="late-guard-mesh-config"):
        guarded.patch(live, {"spec": {"traffic": {"inboundPortExclusionList": [0]}}})
    guarded.patch(live, {"spec": {"observability": {"osmLogLevel": "info"}}})
    guarded.patch(live, {"spec": {"traffic": {"outboundPortExclusionList": [6379]}}})


def test_a_writer_of_an_older_version_is_refused_behind_upstreams_crd(
    guarded: Api, upstream_crds: Path
) -> None:
    """H24: bootstrap replaces the CRD; what it serves beside v1alpha3 is guarded, too."""
    text = (upstream_crds / "config.flomesh.io_meshconfigs.yaml").read_text(encoding="utf-8")
    guarded.apply(yaml.safe_load(text), force=True)
    try:
        for version in ("v1alpha1", "v1alpha2", "v1alpha3"):
            item = mesh_config_of(DENIES, {"outboundPortExclusionList": SIXTEEN})
            item["apiVersion"] = f"config.flomesh.io/{version}"
            with pytest.raises(ApiError) as told:
                guarded.request("POST", f"/apis/{item['apiVersion']}/namespaces/"
                                f"{DENIES.namespace}/meshconfigs", body=item)  # fmt: skip
            assert told.value.message.endswith(SENTENCE), version
        chance = random.Random(7)  # noqa: S311  # the same every time
        settings = WARNS["1.34"]
        for _ in range(40):
            traffic = traffic_of(chance)
            if _typed(traffic):
                assert said_of_mesh(guarded, settings, traffic) == judged(settings, traffic)
    finally:
        guarded.apply(without_limits(), force=True)


def _typed(traffic: dict[str, Any]) -> bool:
    """Whether entries have the types of upstream's CRD."""
    return all(
        type(value) is (int if listed.holds == "ports" else str)
        for listed in LISTS
        for value in traffic[listed.key]
    )


PORTS = "flomesh.io/outbound-port-exclusion-list"
RANGES = "flomesh.io/outbound-ip-range-exclusion-list"


def mesh_of(settings: StackSettings, traffic: dict[str, Any]) -> Any:
    spec = {"traffic": traffic, "sidecar": {}}
    return mesh_view(
        FSM, spec, environment=IMAGES, name=settings.mesh_name, namespace=settings.namespace
    )


def seen(
    settings: StackSettings, traffic: dict[str, Any], annotations: dict[str, str], **spec: Any
) -> Preview:
    """What the injector makes of a pod in a mesh with these lists."""
    mesh = mesh_of(settings, traffic)
    place = namespace(place_of(settings), of=mesh)
    given = pod(annotations, **spec)
    given["metadata"]["namespace"] = place.name
    return preview(given, mesh=mesh, namespace=place, proxy_id=ID, check=False)


def final(made: Preview) -> dict[str, Any]:
    assert made.mutation is not None, made.decision
    return dict(made.pod)


def judged_pod(settings: StackSettings, made: Preview) -> set[tuple[str, str]]:
    """What the judge of the pod's rules says, and the checks of the pod that carries them."""
    assert made.interception is not None
    rules = intercept(made.interception.lists, FSM)
    found = {(one.id, "pods") for one in refusals(rules)}
    mesh = mesh_of(settings, {})
    subject = Subject.of(
        final(made),
        mesh=mesh,
        namespace=namespace(place_of(settings), of=mesh),
        ranges=context_of(settings).ranges,
    )
    ids = {one.id for one in lint(subject)}
    found |= {(rule_id, "pods") for rule_id in ids & {"reserved-uid", "injection-value"}}
    return found | {(rule_id, "bypasses") for rule_id in ids & {"bypass-unregistered"}}


# What the injector takes: of annotations also IPv6, leading zeros and ports beyond the last.
LOADED = {
    "ports": (*filter(lambda one: type(one) is int, GOOD["ports"]), 0, 65536, 70000, 2**40, -3),
    "ranges": (
        *GOOD["ranges"], "fd00::/8", "10.0.0.0/08", "::/0", "10.0.0.1", "999.1.1.1/8", "foo",
        "1.2.3.4/33", "fd00::/999",
    ),
    "interfaces": (*GOOD["interfaces"], "sixteencharslong", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", "a/b", "a%b"),
}  # fmt: skip


def test_policies_say_of_a_pod_what_the_judge_of_its_script_says(guarded: Api) -> None:
    """The script is the injector's own, of lists that nobody checked."""
    settings = WARNS["1.34"]
    chance = random.Random(1500)  # noqa: S311  # the same every time
    counts: dict[str, int] = {}
    for _ in range(150):
        traffic = {
            listed.key: [
                chance.choice(LOADED[listed.holds]) for _ in range(chance.choice((0, 0, 1, 3)))
            ]
            for listed in LISTS
        }
        if chance.random() < 0.2:
            traffic["inboundPortExclusionList"] = list(range(1, chance.randrange(13, 19)))
        annotations = {}
        if chance.random() < 0.5:
            ports = chance.choices((6379, 5432, 80, 70000), k=chance.randrange(1, 4))
            annotations[PORTS] = ", ".join(map(str, ports))
        if chance.random() < 0.4:
            annotations[RANGES] = chance.choice(("192.0.2.0/24", "10.0.0.0/8", "fd00::/8"))
        user = chance.choice((None, None, 1000, 1500))
        context = {} if user is None else {"securityContext": {"runAsUser": user}}
        own = {"containers": [container(**context)]} if chance.random() < 0.5 else context
        made = seen(settings, traffic, annotations, **own)
        expected = judged_pod(settings, made)
        assert said_of_pod(guarded, settings, final(made)) == expected, made.script
        for rule_id, _policy in expected:
            counts[rule_id] = counts.get(rule_id, 0) + 1
    assert set(counts) == {
        "too-many-ports", "invalid-port", "invalid-cidr", "ipv6-cidr", "invalid-interface",
        "reserved-uid", "bypass-unregistered",
    }  # fmt: skip
    assert min(counts.values()) > 3, counts


def test_a_pod_whose_merged_list_has_sixteen_ports_is_refused(guarded: Api) -> None:
    """Fourteen of the mesh and two of the pod: each list alone is fine, and registered."""
    mesh = {"outboundPortExclusionList": SIXTEEN[:14]}
    item = final(seen(DENIES, mesh, {PORTS: "6379,5432"}))
    with pytest.raises(ApiError) as told:
        guarded.create(item)
    assert "ValidatingAdmissionPolicy 'denies-guard-pods'" in told.value.message
    assert told.value.message.endswith(f"outbound ports of the init script: {SENTENCE}")


def test_a_pod_carries_only_what_a_profile_or_its_namespace_may(guarded: Api) -> None:
    """5432 is allowed in shop, 6379 is a profile's, 9999 is nobody's."""
    guarded.create(final(seen(DENIES, {}, {PORTS: "5432, 6379"})), dry_run=True)
    with pytest.raises(ApiError) as told:
        guarded.create(final(seen(DENIES, {}, {PORTS: "6379,9999"})), dry_run=True)
    assert told.value.message.endswith(
        f"{PORTS}: 9999 is in no profile, and namespace shop may not carry it "
        "[bypass-unregistered]"
    )


def test_a_value_that_is_no_switch_is_refused_without_the_injector(guarded: Api) -> None:
    """H16: the injector refuses it, too, where it is asked."""
    for value in ("enabeld", "", "x" * 300):
        item = pod({"flomesh.io/sidecar-injection": value})
        item["metadata"]["namespace"] = "shop"
        with pytest.raises(ApiError, match=r"expected enabled or disabled, got .*injection-value"):
            guarded.create(item, dry_run=True)
    for value in ("Enabled", "no", "FALSE"):
        item = pod({"flomesh.io/sidecar-injection": value})
        item["metadata"]["namespace"] = "shop"
        guarded.create(item, dry_run=True)


def test_a_namespace_whose_switch_is_none_is_refused(guarded: Api) -> None:
    """H16: the injector refuses every pod in it; where its keys stay, others may write it."""
    item = namespace_object("switched", DENIES)
    for name in ("sidecar-injection", "metrics"):
        item["metadata"]["annotations"] = {f"flomesh.io/{name}": "enabeld"}
        with pytest.raises(ApiError, match=rf"flomesh.io/{name}: expected enabled .*injection-v"):
            guarded.create(item, dry_run=True)
    item["metadata"]["labels"] = {"team": "shop"}
    live = guarded.apply(item)
    with pytest.raises(ApiError, match="denies-guard-namespaces"):
        guarded.patch(live, {"metadata": {"labels": {FSM.monitored_by_label: "denies"}}})
    guarded.patch(live, {"metadata": {"finalizers": ["example.com/kept"]}})


def test_a_foreign_pod_is_no_business_of_the_guard(guarded: Api) -> None:
    """Its namespace is in no mesh."""
    item = final(seen(DENIES, {"outboundPortExclusionList": SIXTEEN}, {PORTS: "9999"}))
    item["metadata"]["namespace"] = "default"
    guarded.warnings.clear()
    guarded.create(item, dry_run=True)
    assert guarded.warnings == []


@pytest.mark.parametrize("guarded", [KUBERNETES_VERSION], indirect=True)
def test_the_api_server_finds_nothing_wrong_with_the_expressions(guarded: Api) -> None:
    """Its controller checks types where it knows them: those of pods."""
    for settings in MESHES:
        for manifest in guard_on(guarded, settings):
            if manifest.kind == POLICY:
                status = eventually(
                    f"{manifest.name} is looked at",
                    lambda item=dict(manifest.object): guarded.get(item).get("status"),  # type: ignore[misc]  # bound
                    seconds=60,
                )
                assert status.get("typeChecking", {}) == {}, manifest.name


def test_applying_the_policies_again_changes_nothing(guarded: Api) -> None:
    """Else every ``pulumi up`` and every sync would be an update."""
    for manifest in guard_on(guarded, DENIES):
        before = guarded.get(dict(manifest.object))["metadata"]["resourceVersion"]
        after = guarded.apply(dict(manifest.object))["metadata"]["resourceVersion"]
        assert after == before, manifest.name
    assert {manifest.kind for manifest in guard(DENIES)} == {POLICY, BINDING}


@pytest.mark.parametrize("guarded", [OLDEST_VERSION], indirect=True)
def test_an_older_server_does_not_take_the_words_of_a_newer_one(guarded: Api) -> None:
    """Why there are two dialects: in 1.30 the whole policy is refused, not one expression."""
    settings = stack("newer", "deny")
    policy = dict(guard(settings)[0].object)
    with pytest.raises(ApiError, match=r"undeclared reference to '(isCIDR|cidr)'"):
        guarded.create(policy, dry_run=True)
    for manifest in guard_on(guarded, settings):
        guarded.create(dict(manifest.object), dry_run=True)


EXAMPLE = Path(__file__).parents[2] / "examples/guard"
OF_EXAMPLE = pytest.mark.parametrize("guarded", SINCE_CIDR, indirect=True)  # it is for 1.34


@OF_EXAMPLE
def test_the_example_for_policy_tools_says_what_the_api_server_says(guarded: Api) -> None:
    """The same file that a tool which evaluates policies without a cluster reads."""
    test = yaml.safe_load((EXAMPLE / "kyverno-test.yaml").read_text(encoding="utf-8"))
    for name in test["clusterResources"]:
        cluster = yaml.safe_load((EXAMPLE / name).read_text(encoding="utf-8"))
        for item in cluster["spec"]["resources"]:
            guarded.apply(item)
    known = {
        (item["kind"], item["metadata"]["name"]): item
        for name in test["resources"]
        for item in yaml.safe_load_all((EXAMPLE / name).read_text(encoding="utf-8"))
    }
    policies = [
        item
        for name in test["policies"]
        for item in yaml.safe_load_all((EXAMPLE / name).read_text(encoding="utf-8"))
    ]
    for item in policies:
        if item["kind"] == BINDING:  # each policy is asked, not only the first that refuses
            item["spec"]["validationActions"] = ["Warn"]
        guarded.apply(item)
    expected = {
        (one["policy"], (one["kind"], name)): one["result"]
        for one in test["results"]
        for name in one["resources"]
    }
    failing = {key for key, result in expected.items() if result == "fail"}

    def answers() -> set[tuple[str, tuple[str, str]]]:
        return {
            (policy, key)
            for key, item in known.items()
            for policy, _ in said(guarded, copy.deepcopy(item))
        }

    eventually("the example's policies are in force", lambda: len(answers()) >= 4, seconds=60)
    asked = {policy for policy, _ in expected}
    assert {pair for pair in answers() if pair[0] in asked} == failing
    assert set(known) == {key for _, key in expected}


@OF_EXAMPLE
def test_verify_sees_the_policies_and_a_binding_that_was_softened(
    guarded: Api, tmp_path: Path
) -> None:
    for name in ("Pulumi.yaml", "examples/guard/Pulumi.guarded.yaml"):
        shutil.copy(EXAMPLE.parents[1] / name, tmp_path)
    for item in yaml.safe_load_all((EXAMPLE / "policies.yaml").read_text(encoding="utf-8")):
        guarded.apply(item)

    def answer() -> Any:
        words = ["verify", "guarded", "-C", str(tmp_path), "-o", "json",
                 "--kubeconfig", str(guarded.kubeconfig)]  # fmt: skip
        known = answers(CliRunner().invoke(cli, words))
        assert known["cluster-guard-refused"]["status"] == "passed"
        return known["cluster-guard"]

    assert answer()["status"] == "passed"
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": BINDING,
        "metadata": {"name": "fsm-guard-pods"},
    }
    guarded.patch(binding, {"spec": {"validationActions": ["Audit"]}})
    softened = answer()
    assert softened["status"] == "warned"
    (finding,) = softened["findings"]
    assert finding["message"].startswith("spec.validationActions differs from what is declared")
