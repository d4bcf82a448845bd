"""What was given, told apart and put together: files, releases, commands, namespaces."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_stack.convert.chart.commands import commands, merge_patch, read_command
from fsm_stack.convert.chart.export import (
    helm_values,
    install_command,
    merge_patch_of,
    patch_command,
)
from fsm_stack.convert.chart.release import read_release
from fsm_stack.convert.result import leaves, stack_text
from fsm_stack.convert.sources import Options, Sources, converted
from fsm_stack.errors import FindingsError, FsmStackError, InputError
from fsm_stack.manifests.services import injector_webhook
from fsm_stack.settings.stack_file import load_text
from tests.settings.loading import TODAY
from tests.settings.loading import settings as loaded

from .test_mesh_config import json_values, live

if TYPE_CHECKING:
    from fsm_stack.convert.result import Converted

# The guide's commands, list by list: during the install, and afterwards. Two do not run as they
# are printed.
DOCUMENTS = {
    "outboundIPRangeExclusionList": (
        'fsm install --set=fsm.outboundIPRangeExclusionList="{1.1.1.1/32,2.2.2.2/24}"',
        "kubectl patch meshconfig fsm-mesh-config -n fsm-system -p "
        '\'{"spec":{"traffic":{"outboundIPRangeExclusionList":["1.1.1.1/32", "2.2.2.2/24"]}}}\''
        "  --type=merge",
        ["1.1.1.1/32", "2.2.2.2/24"],
        False,
    ),
    "outboundIPRangeInclusionList": (
        'fsm install --set=fsm.outboundIPRangeInclusionList="[1.1.1.1/32,2.2.2.2/24]"',
        "kubectl patch meshconfig fsm-mesh-config -n fsm-system -p "
        '\'{"spec":{"traffic":{"outboundIPRangeInclusionList":["1.1.1.1/32", "2.2.2.2/24"]}}}\''
        "  --type=merge",
        ["1.1.1.1/32", "2.2.2.2/24"],
        True,
    ),
    "outboundPortExclusionList": (
        'fsm install --set=fsm.outboundPortExclusionList="{6379,7070}"',
        "kubectl patch meshconfig fsm-mesh-config -n fsm-system -p "
        '\'{"spec":{"traffic":{"outboundPortExclusionList":[6379, 7070]}}}\'  --type=merge',
        [6379, 7070],
        False,
    ),
    "inboundPortExclusionList": (
        'fsm install --set=fsm.inboundPortExclusionList="[6379,7070]"',
        "kubectl patch meshconfig fsm-mesh-config -n fsm-system -p "
        '\'{"spec":{"traffic":{"inboundPortExclusionList":[6379, 7070]}}}\'  --type=merge',
        [6379, 7070],
        True,
    ),
}


def of(*texts: str, **options: Any) -> Converted:
    sources = Sources()
    for number, text in enumerate(texts):
        sources.add_text(text, name=f"file{number}")
    return converted(sources, Options(today=TODAY, **options))


@pytest.mark.requirement("C12", "C13", "C14")
@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_documents_three_forms_mean_one_mesh(name: str) -> None:
    """Install command, patch and stack file; the two lists in brackets are understood, and told."""
    install, patch, entries, mistaken = DOCUMENTS[name]
    stack = {"fsmVersion": "1.5.1", "traffic": {name: entries}}
    installed, patched = of(install), of(patch)
    assert installed.settings == stack
    assert patched.settings == stack
    assert [one.id for one in installed.findings] == ["set-list-in-brackets"] * mistaken
    # And back: what export prints is read as the same again.
    settings = loaded(stack)
    for text in (install_command(settings, helm_values(settings)), patch_command(settings)):
        assert of(text).settings == stack
        assert of(text).findings == ()


@pytest.mark.requirement("C15")
def test_a_patch_is_json_keeps_its_siblings_and_shows_whole_lists() -> None:
    """A merge patch replaces a list; every other key of the MeshConfig stays as it is."""
    settings = loaded({"traffic": {"outboundPortExclusionList": [6379, 7070]}})
    text = patch_command(settings)
    body = read_command(text).patch
    assert body == merge_patch_of(settings)
    assert body["spec"]["traffic"]["outboundPortExclusionList"] == [6379, 7070]
    before = live({"traffic": {"outboundPortExclusionList": [1], "enableEgress": False}})
    after = merge_patch(before, body)
    assert after["spec"]["traffic"]["outboundPortExclusionList"] == [6379, 7070]
    changed = {p for p, v in leaves(after["spec"]) if v != dict(leaves(before["spec"]))[p]}
    assert changed == {"traffic.outboundPortExclusionList"}
    assert after["spec"].keys() == before["spec"].keys()


@pytest.mark.requirement("C12")
def test_the_whole_of_a_stack_goes_through_the_install_command() -> None:
    stack = {
        "fsmVersion": "1.5.1",
        "mesh": {"name": "blue", "namespace": "mesh-control", "enforceSingleMesh": False},
        "images": {"registry": "r.example.com/a", "pullSecrets": [{"name": "pull"}]},
        "components": {"controller": {"nodeSelector": {"example.com/pool": "true"}}},
        "sidecar": {"localDNSProxy": {"enable": True, "db": [{"dn": "a.b", "ips": []}]}},
    }
    settings = loaded(stack)
    text = install_command(settings, helm_values(settings))
    assert text.startswith("helm install fsm fsm \\\n  --repo https://flomesh-io.github.io/fsm")
    assert loaded(of(text).settings) == settings


def test_fsm_install_counts_its_own_options_over_set() -> None:
    """``--mesh-name`` is written after ``--set``, given or not."""
    result = of("fsm install --mesh-name blue --set fsm.meshName=red --fsm-namespace x")
    assert result.settings["mesh"] == {"name": "blue", "namespace": "x"}
    assert [one.message for one in result.findings] == [
        "the program's own option counts: meshName is 'blue', not 'red'"
    ]
    plain = of("fsm install --set fsm.meshName=red")
    assert "mesh" not in plain.settings
    assert [one.id for one in plain.findings] == ["helm-value-ignored"]


PATCH = """kubectl patch meshconfig {} --type=merge -p '{}'"""
PORTS = '{"spec":{"traffic":{"outboundPortExclusionList":[6379]}}}'


@pytest.mark.parametrize(
    "command",
    [
        "fsm install --set fsm.flb.password=hunter2 --set=fsm.vault.token=hunter2",
        "fsm install --set fsm.flb.password=hunter2,fsm.inboundPortExclusionList=[1,2]",
        "fsm upgrade --set fsm.flb.password=hunter2",
        "fsm install --set 'fsm.flb.password=hunter2",
        "fsm install --set fsm.flb.passwrod=hunter2",
        "fsm install --set fsm.flb.password.a=hunter2",
        "kubectl patch meshconfig fsm-mesh-config --type=merge -p "
        '\'{"spec":{"observability":{"remoteLogging":{"authorization":"hunter2"}}}}\'',
        "PASSWORD=hunter2 fsm install",
    ],
)
def test_a_secret_that_was_typed_is_in_no_file_and_no_report(command: str) -> None:
    """The stack file names what it was made of, and is committed."""
    try:
        result = of(command)
    except FindingsError as error:
        told = json.dumps([one.as_json() for one in error.findings]) + str(error)
    except InputError as error:
        told = str(error)
    else:
        told = stack_text(result.settings, result.lines, [result.title])
        told += json.dumps([one.as_json() for one in result.findings])
    assert told
    assert "hunter2" not in told


def test_a_patch_says_the_meshs_namespace() -> None:
    result = of(PATCH.format("fsm-mesh-config -n blue", PORTS))
    assert result.settings["mesh"] == {"namespace": "blue"}
    with pytest.raises(InputError, match="patches of blue, red: expected those of one MeshConfig"):
        of("\n".join(PATCH.format(f"fsm-mesh-config -n {one}", PORTS) for one in ("red", "blue")))
    with pytest.raises(InputError, match="the patch is for fsm-mesh-config in blue"):
        of(PATCH.format("fsm-mesh-config -n blue", PORTS), json.dumps(live()))


def test_what_a_patch_says_of_no_setting_is_told() -> None:
    result = of(PATCH.format("fsm-mesh-config", '{"metadata":{"labels":{"a":"b"}},"spec":{}}'))
    assert [(one.id, one.place.path) for one in result.findings] == [
        ("install-option-ignored", "--patch metadata.labels.a")
    ]


def test_a_patch_of_osms_mesh_config_is_of_osm() -> None:
    body = '{"spec":{"traffic":{"outboundPortExclusionList":[6379]},"sidecar":{"envoyImage":"x"}}}'
    patch = PATCH.format("osm-mesh-config -n osm-system", body)
    result = of(patch)
    assert result.settings["traffic"] == {"outboundPortExclusionList": [6379]}
    assert "setting-lost" in [one.id for one in result.findings]
    mesh = {
        "apiVersion": "config.openservicemesh.io/v1alpha2",
        "kind": "MeshConfig",
        "metadata": {"name": "osm-mesh-config", "namespace": "osm-system"},
        "spec": {"traffic": {"outboundPortExclusionList": [1], "enableEgress": False}},
    }
    assert of(patch, json.dumps(mesh)).settings["traffic"] == {
        "outboundPortExclusionList": [6379],
        "enableEgress": False,
    }


def test_commands_are_read_as_they_stand_in_a_page() -> None:
    page = """
    # install, then patch
    $ helm upgrade --install fsm fsm --version v1.6.0 -n mesh \\
        --set fsm.enableEgress=false --wait --timeout 5m
    $ kubectl patch meshconfig fsm-mesh-config -n mesh --type merge \\
        -p '{"spec":{"traffic":{"enableEgress":true}}}'
    """
    found = commands(page, name="page")
    assert [(one.namespace, one.version) for one in found] == [("mesh", "1.6.0"), ("mesh", "")]
    result = of(page)
    assert result.settings == {"fsmVersion": "1.6.0", "mesh": {"namespace": "mesh"}}
    assert [one.id for one in result.findings].count("install-option-ignored") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("helm list", "page:1: expected helm install, got 'helm list'"),
        ("fsm install --set", "page:1: --set: expected a value"),
        (
            "fsm install --set fsm.a=“1”",
            "page:1: expected ASCII, got U+201C LEFT DOUBLE QUOTATION MARK at position 25; "
            "retype it",
        ),
        (
            "kubectl patch meshconfig m -p '{}'",
            "page:1: --type: expected merge, got 'strategic': a MeshConfig takes no other kind",
        ),
        (
            "kubectl patch meshconfig m --type=merge -p '[1'",
            "page:1: --patch: expected JSON: Expecting ',' delimiter: line 1 column 3 (char 2)",
        ),
        ("kubectl get pods", "page:1: expected kubectl patch meshconfig, got 'kubectl get pods'"),
        (
            "fsm install --enforce-single-mesh=maybe",
            "page:1: --enforce-single-mesh: expected true or false, got 'maybe'",
        ),
        (
            "fsm install --set-file a=b",
            "page:1: --set-file: expected --set, --set-string or --set-json",
        ),
        (
            "fsm install 'x",
            "page:1: not read as a shell would: No closing quotation: fsm install 'x",
        ),
        (
            "ls -l",
            "page:1: expected fsm install, osm install, helm install, helm upgrade or kubectl "
            "patch meshconfig, got 'ls'",
        ),
    ],
)
def test_a_command_that_cannot_be_read_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        commands(text, name="page")
    assert str(caught.value) == message


def release(values: dict[str, Any], *, revision: int = 1, status: str = "deployed",
            chart: str = "fsm", version: str = "1.5.1", kind: str = "Secret") -> dict[str, Any]:  # fmt: skip
    """A release as Helm stores it."""
    content = {
        "name": "fsm",
        "namespace": "fsm-system",
        "version": revision,
        "info": {"status": status},
        "chart": {"metadata": {"name": chart, "version": version}, "values": {}},
        "config": values,
        "manifest": "---\nkind: Service\n",
    }
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    data = base64.b64encode(packed) if kind == "Secret" else packed
    return {
        "apiVersion": "v1",
        "kind": kind,
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.fsm.v{revision}",
            "namespace": "fsm-system",
            "labels": {"owner": "helm", "name": "fsm", "status": status},
        },
        "data": {"release": data.decode()},
    }


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_a_release_gives_its_values_version_and_namespace(kind: str) -> None:
    item = release({"fsm": {"outboundPortExclusionList": [6379]}}, version="1.6.0", kind=kind)
    item["data"] = dict(item["data"])
    assert read_release(item, name="s").version == "1.6.0"
    assert of(yaml.safe_dump(item)).settings == {
        "fsmVersion": "1.6.0",
        "traffic": {"outboundPortExclusionList": [6379]},
    }


@pytest.mark.parametrize(
    "text",
    [
        "helm install fsm fsm --version 1.4.11 --set fsm.enableEgress=false",
        yaml.safe_dump(release({"fsm": {"enableEgress": False}}, version="1.4.11")),
    ],
)
def test_a_release_that_is_not_known_is_not_taken_for_another(text: str) -> None:
    """A stack of 1.5.1 would be an upgrade that nobody asked for."""
    with pytest.raises(InputError) as caught:
        of(text)
    assert str(caught.value).endswith(
        ": chart version: expected one of 1.5.1, 1.6.0, got '1.4.11'; name the release that it is "
        "closest to with --chart-version"
    )
    assert of(text, chart_version="1.5.1").settings == {
        "fsmVersion": "1.5.1",
        "traffic": {"enableEgress": False},
    }
    assert of(text, yaml.safe_dump(live({}))).settings["fsmVersion"] == "1.5.1"


def test_of_a_releases_revisions_the_deployed_one_counts() -> None:
    items = [
        release({"fsm": {"meshName": "one"}}, status="superseded"),
        release({"fsm": {"meshName": "two"}}, revision=2),
        release({"fsm": {"meshName": "three"}}, revision=3, status="failed"),
    ]
    whole = {"apiVersion": "v1", "kind": "List", "items": items}
    result = of(json.dumps(whole))
    assert result.settings["mesh"] == {"name": "two"}
    assert str(result.lines[-1]) == "release fsm, revision 3 (failed): revision 2 is deployed"


def test_values_that_later_ones_overrule_are_told() -> None:
    ports = {"fsm": {"outboundPortExclusionList": [1], "inboundPortExclusionList": [2]}}
    later = {"fsm": {"outboundPortExclusionList": [3]}}
    result = of(yaml.safe_dump(ports), yaml.safe_dump(later))
    assert result.settings["traffic"] == {
        "outboundPortExclusionList": [3],
        "inboundPortExclusionList": [2],
    }
    told = [str(line) for line in result.lines if "counts" in line.why]
    assert told == ["fsm.outboundPortExclusionList: file1 says otherwise, and counts"]


def test_a_list_that_a_later_patch_or_option_replaces_is_told() -> None:
    """A merge patch replaces a whole list, and so does ``--set``."""
    later = PORTS.replace("6379", "80")
    result = of("\n".join(PATCH.format("fsm-mesh-config", one) for one in (PORTS, later)))
    assert result.settings["traffic"] == {"outboundPortExclusionList": [80]}
    assert str(result.lines[0]) == (
        "spec.traffic.outboundPortExclusionList: kubectl patch meshconfig fsm-mesh-config says "
        "otherwise, and counts"
    )
    ports = "--set fsm.outboundPortExclusionList={{{}}}"
    result = of(f"fsm install {ports.format(1)} {ports.format(2)}")
    assert result.settings["traffic"] == {"outboundPortExclusionList": [2]}
    assert [(one.id, one.place.path) for one in result.findings] == [
        ("helm-value-ignored", "fsm.outboundPortExclusionList")
    ]


def test_a_namespace_of_osm_is_told_how_it_moves() -> None:
    labels = {"openservicemesh.io/monitored-by": "osm"}
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": labels}}
    assert str(of(json.dumps(live()), json.dumps(item)).lines[-1]) == (
        "Namespace a: not in mesh fsm; it is in mesh osm of OSM: convert -f rewrites its labels"
    )


def test_a_release_that_was_uninstalled_is_said_to_be() -> None:
    item = release({"fsm": {"meshName": "one"}}, status="uninstalled")
    assert str(of(json.dumps(item)).lines[-1]) == (
        "release fsm, revision 1: its status is uninstalled: none is deployed"
    )


@pytest.mark.parametrize(
    ("given_as", "source"),
    [
        (json.dumps(release({}, version="1.4.0")), "release fsm"),
        ("helm install fsm fsm/fsm --version 1.4.0", "helm install fsm fsm/fsm"),
    ],
)
def test_a_chart_that_is_not_known_is_no_other_chart(given_as: str, source: str) -> None:
    """Else the stack would upgrade what it was made of."""
    with pytest.raises(InputError) as caught:
        of(given_as)
    assert str(caught.value) == (
        f"{source}: chart version: expected one of 1.5.1, 1.6.0, got '1.4.0'; name the release "
        "that it is closest to with --chart-version"
    )
    assert of(given_as, chart_version="1.5.1").settings["fsmVersion"] == "1.5.1"


@pytest.mark.parametrize("data", ["", "%%%", "aGVsbG8=", base64.b64encode(b"H4sI").decode()])
def test_a_damaged_release_is_refused(data: str) -> None:
    item = release({}) | {"data": {"release": data}}
    with pytest.raises(InputError, match=r"s: data\.release: "):
        read_release(item, name="s")


def test_the_mesh_config_counts_over_the_release_and_namespaces_are_enrolled() -> None:
    """A mesh installed with values, its lists patched by hand: what runs becomes the stack."""
    item = live({"traffic": {"outboundPortExclusionList": [6379, 7070]}})
    namespaces = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {"flomesh.io/monitored-by": mesh},
                "annotations": notes,
            },
        }
        for name, mesh, notes in (
            ("shop", "fsm", {"flomesh.io/sidecar-injection": "enabled"}),
            ("cart", "fsm", {"flomesh.io/metrics": "enabled"}),
            ("off", "fsm", {"flomesh.io/sidecar-injection": "disabled"}),
            ("other", "blue", {}),
        )
    ]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    given_ = [item, release({"fsm": {"outboundPortExclusionList": [80]}}), *namespaces, service]
    result = of("---\n".join(yaml.safe_dump(one) for one in given_))
    assert result.settings["traffic"] == {"outboundPortExclusionList": [6379, 7070]}
    assert result.settings["enrolledNamespaces"] == [
        {"name": "cart", "sidecarInjection": None, "metrics": True},
        {"name": "off", "sidecarInjection": False},
        {"name": "shop"},
    ]
    assert [one.id for one in result.findings] == ["values-overruled"]
    assert {line.source: line.why for line in result.lines if line.why}["Service/web"] == (
        "it says nothing about settings"
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            [],
            "nothing to convert: expected a MeshConfig, Helm values, a release of Helm's, or install commands",
        ),
        (["[1, 2]"], "file0: expected a MeshConfig, Helm values or a release, got list"),
        (
            ["a: 1\nb: 2"],
            "file0: expected a Kubernetes object, or Helm values with one of clusterSet, contour, "
            "fsm, osm, smi; got a, b",
        ),
        (["fsm: {"], "file0:2: expected YAML or JSON: did not find expected node content"),
        (
            ["fsm install", "helm upgrade fsm fsm"],
            "2 install commands: expected one, the mesh's last",
        ),
        (["fsm install -f a.yaml"], "the command reads a.yaml: give it as FILE, too"),
        (
            [json.dumps(release({}, chart="nginx"))],
            "nothing to convert: expected a MeshConfig, Helm values, a release of Helm's, or install commands",
        ),
    ],
)
def test_what_cannot_be_put_together_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        of(*texts)
    assert str(caught.value) == message


def test_the_stack_file_says_where_each_value_came_from() -> None:
    result = of("fsm:\n  meshName: blue\n  sidecar: {image: {tag: '2.0'}}\n  inboundPortExclusionList: [1, 2]\n"
                "  pluginChains: {outbound-tcp: []}\n")  # fmt: skip
    text = stack_text(result.settings, result.lines, ["Converted."])
    assert text == (
        "# yaml-language-server: $schema=./schemas/stack.schema.json\n"
        "# Converted.\n"
        "config:\n"
        '  fsm-stack:fsmVersion: "1.5.1"\n'
        "  fsm-stack:mesh:\n"
        "    name: blue  # fsm.meshName\n"
        "  fsm-stack:images:\n"
        "    pipy:\n"
        '      tag: "2.0"  # fsm.sidecar.image.tag\n'
        "  fsm-stack:traffic:\n"
        "    inboundPortExclusionList: [1, 2]  # fsm.inboundPortExclusionList\n"
        "  fsm-stack:pluginChains:\n"
        "    outbound-tcp: []  # fsm.pluginChains.outbound-tcp\n"
    )
    assert load_text(text, file="x", today=TODAY).require() == loaded(result.settings)


values_trees = st.dictionaries(
    st.sampled_from(["fsm", "smi", "clusterSet", "osm"]),
    st.dictionaries(
        st.sampled_from(
            ["meshName", "sidecar", "image", "injector", "outboundPortExclusionList", "vault",
             "tracing", "flb", "osmController", "envoyLogLevel", "enableEgress", "zzz", "name"]
        ),
        json_values,
        max_size=4,
    ),
    max_size=3,
)  # fmt: skip


@settings(max_examples=60)
@given(values_trees)
def test_any_values_are_converted_without_loss_or_refused(values: dict[str, Any]) -> None:
    """Every value is in the report, or is an error; what is written is read back as it was meant."""
    sources = Sources()
    try:
        sources.add(values, name="values")
        result = converted(sources, Options(today=TODAY))
    except FsmStackError:
        return
    told = {line.source for line in result.lines}
    for path, value in leaves(values):
        if value != {}:
            assert any(path == one or path.startswith(f"{one}.") for one in told), path
    text = stack_text(result.settings, result.lines)
    assert load_text(text, file="x", today=TODAY).settings == (
        load_text(stack_text(result.settings), file="x", today=TODAY).settings
    )


@settings(max_examples=60)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_release_is_read_or_refused(content: bytes) -> None:
    for packed in (content, base64.b64encode(gzip.compress(content))):
        item = release({}) | {"data": {"release": base64.b64encode(packed).decode()}}
        try:
            read_release(item, name="s")
        except InputError:
            continue


@settings(max_examples=60)
@given(st.text(max_size=80) | json_values.map(yaml.safe_dump))
def test_any_file_is_read_or_refused(text: str) -> None:
    sources = Sources()
    try:
        sources.add_text(text, name="file")
        converted(sources, Options(today=TODAY))
    except FsmStackError:
        return


def test_the_injectors_webhook_tells_the_meshs_name() -> None:
    """Where nothing else does: a MeshConfig has none."""
    stack = loaded({"mesh": {"name": "blue"}})
    hook = json.loads(json.dumps(injector_webhook(stack)))
    both = {"apiVersion": "v1", "kind": "List", "items": [live(), hook]}
    assert of(json.dumps(both)).settings["mesh"] == {"name": "blue"}
    assert of(json.dumps(both), mesh_name="red").settings["mesh"] == {"name": "red"}


def test_other_releases_of_the_namespace_say_nothing() -> None:
    items = [release({}, chart="nginx"), release({"fsm": {"meshName": "blue"}})]
    whole = {"apiVersion": "v1", "kind": "List", "items": items}
    result = of(json.dumps(whole))
    assert result.settings["mesh"] == {"name": "blue"}
    assert str(result.lines[-1]) == "release fsm of chart nginx: it says nothing about settings"
