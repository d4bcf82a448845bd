"""inject, lint and annotate, as a user types them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PORTS = "flomesh.io/outbound-port-exclusion-list"
STACK = """\
config:
  fsm-stack:enrolledNamespaces:
    - {name: shop}
  fsm-stack:annotationProfiles:
    redis: {outboundPortExclusionList: [6379]}
"""
WEB = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations:
    {PORTS}: "7070"
spec:
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
      - name: web
        image: example.com/web:1  # the shop's
        ports: [{{name: http, containerPort: 8080}}]
        readinessProbe: {{tcpSocket: {{port: http}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
"""
PASSED = "note: passed over, no pod template: 1 Service\n2 objects, 1 workload, 1 passed over\n"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    (tmp_path / "Pulumi.edge.yaml").write_text("config: {fsm-stack:system: osm-edge}\n")
    (tmp_path / "Pulumi.osm.yaml").write_text("config: {fsm-stack:system: osm}\n")
    path = tmp_path / "web.yaml"
    path.write_text(WEB)
    return path


@pytest.fixture
def run(web: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(web.parent)

    def started(*words: str, stdin: str | None = None) -> Result:
        result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, words, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return started


def test_a_misplaced_annotation_is_an_error_with_the_corrected_manifest(
    run: Callable[..., Result],
) -> None:
    result = run("lint", "dev", "-f", "web.yaml")
    assert result.exit_code == 1
    assert (
        result.stdout
        == f"""\
web.yaml:7:5 Deployment/shop/web metadata.annotations.{PORTS}: error: annotation {PORTS} stands on the Deployment, \
where nobody reads it [annotation-misplaced] Fix: Move it to spec.template.metadata.annotations.
--- a/web.yaml
+++ b/web.yaml
@@ -3,12 +3,12 @@
 metadata:
   name: web
   namespace: shop
-  annotations:
-    {PORTS}: "7070"
 spec:
   template:
     metadata:
       labels: {{app: web}}
+      annotations:
+        {PORTS}: "7070"
     spec:
       containers:
       - name: web
"""
    )


def test_lint_speaks_json_and_sarif(run: Callable[..., Result]) -> None:
    plain = json.loads(run("lint", "dev", "-f", "web.yaml", "-o", "json").stdout)
    assert [item["id"] for item in plain["findings"]] == ["annotation-misplaced"]
    (diff,) = plain["corrections"]
    assert diff.startswith("--- a/web.yaml\n+++ b/web.yaml\n@@ ")
    report = json.loads(run("lint", "dev", "-f", "web.yaml", "-o", "sarif").stdout)
    (only,) = report["runs"][0]["results"]
    assert (only["ruleId"], only["level"]) == ("annotation-misplaced", "error")
    assert only["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "web.yaml"},
        "region": {"startLine": 7, "startColumn": 5},
    }
    assert plain["findings"][0]["object"] == {
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
    }
    assert only["locations"][0]["logicalLocations"] == [
        {"name": "web", "fullyQualifiedName": "Deployment/shop/web", "kind": "resource"},
        {"fullyQualifiedName": f"metadata.annotations.{PORTS}"},
    ]


def test_a_clean_workload_leaves_nothing_to_say(run: Callable[..., Result]) -> None:
    clean = WEB.replace(
        "namespace: shop\n  annotations:\n    " + f'{PORTS}: "7070"', "namespace: shop"
    )
    result = run("lint", "dev", "-f", "-", stdin=clean)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "note: passed over, no pod template: 1 Service\n2 objects, 0 findings, 1 passed over\n"
    )


def test_inject_prints_the_manifest_as_it_will_run(run: Callable[..., Result]) -> None:
    result = run("inject", "dev", "-f", "web.yaml")
    assert result.exit_code == 0
    assert result.stdout == run("inject", "dev", "-f", "web.yaml").stdout
    assert result.stdout.endswith("---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n")
    assert "name: fsm-init" in result.stdout


def test_the_diff_shows_only_what_the_injector_changes(run: Callable[..., Result]) -> None:
    lines = run("inject", "dev", "-f", "web.yaml", "--diff").stdout.splitlines()
    removed = [line for line in lines if line.startswith("-") and not line.startswith("---")]
    assert removed == ["-          tcpSocket:", "-            port: http"]
    assert "+        fsm-proxy-uuid: " in "\n".join(lines)


@pytest.mark.requirement("C23")
@pytest.mark.parametrize(("stack", "count"), [("dev", 3), ("edge", 3), ("osm", 3)])
def test_the_explanation_has_decision_count_and_rules(
    run: Callable[..., Result], stack: str, count: int
) -> None:
    text = run("inject", stack, "-f", "web.yaml", "--explain").stdout
    assert text.startswith("Deployment shop/web\n  the pod has a network namespace of its own\n")
    assert "  -> inject: namespace shop asks for it, and the pod does not object\n" in text
    assert f"  READY when all is well: {count}/{count}\n" in text
    assert "--uid-owner 1500 -j RETURN" in text
    plain = json.loads(run("inject", stack, "-f", "web.yaml", "--explain", "-o", "json").stdout)
    assert plain["workloads"][0]["expectedReady"] == count


def test_a_refused_pod_is_exit_code_1(run: Callable[..., Result]) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "namespace": "shop", "annotations": {PORTS: "x"}},
        "spec": {"containers": [{"name": "x"}]},
    }
    result = run("inject", "dev", "-f", "-", stdin=json.dumps(pod))
    assert (result.exit_code, result.stdout) == (1, json.dumps(pod))
    assert result.stderr.startswith("# Pod shop/x: refused\n")


def test_the_real_namespace_counts(run: Callable[..., Result], web: Path) -> None:
    manifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    (web.parent / "namespace.yaml").write_text(manifest)
    result = run(
        "inject", "dev", "-f", "web.yaml", "--namespace-file", "namespace.yaml", "--explain"
    )
    assert "label flomesh.io/monitored-by is absent, the mesh is 'fsm'" in result.stdout


def test_lint_leaves_a_mesh_config_to_verify(run: Callable[..., Result], web: Path) -> None:
    """No finding would mean that its lists load."""
    text = "apiVersion: config.flomesh.io/v1alpha3\nkind: MeshConfig\nmetadata: {name: a}\n"
    (web.parent / "mesh.yaml").write_text(text)
    result = run("lint", "dev", "-f", "mesh.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(
        "fsm-stack: error: a MeshConfig alone: expected workloads; fsm-stack verify --from FILE "
        "checks it\n"
    )
    beside = run("lint", "dev", "-f", "mesh.yaml", "-f", "web.yaml")
    assert (beside.exit_code, "MeshConfig alone" in beside.stderr) == (1, False)
    assert run("inject", "dev", "-f", "mesh.yaml").stdout == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: Pod\nspec: {a: 1\nx: y\n",
            "no-namespace.yaml:3: expected YAML or JSON: did not find expected ',' or '}'",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
            "--namespace-file no-namespace.yaml: expected Namespace, ResourceQuota, LimitRange "
            "in it, found none",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["lint", "inject"])
def test_a_file_of_namespaces_is_read_whatever_is_in_it(
    run: Callable[..., Result], web: Path, verb: str, text: str, message: str
) -> None:
    """Else a wrong file leaves the namespace assumed, and nobody is told."""
    (web.parent / "no-namespace.yaml").write_text(text)
    result = run(verb, "dev", "-f", "web.yaml", "--namespace-file", "no-namespace.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"fsm-stack: error: {message}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lint", "dev", "-f", "no.yaml"), "no.yaml: cannot read it: No such file or directory"),
        (
            ("lint", "prod", "-f", "web.yaml"),
            "'prod': no such stack; expected one of dev, edge, osm",
        ),
        (("annotate", "dev", "x"), "profile 'x': expected one of the stack's profiles: redis"),
        (("lint", "dev", "-f", "-", "-f", "-"), "-f -: standard input can be read only once"),
    ],
)
def test_bad_input_is_exit_code_2(
    run: Callable[..., Result], words: tuple[str, ...], message: str
) -> None:
    result = run(*words)
    assert (result.exit_code, result.stderr) == (2, f"fsm-stack: error: {message}\n")


def test_annotate_prints_a_profile_or_patches_a_manifest(
    run: Callable[..., Result],
) -> None:
    assert run("annotate", "dev", "redis").stdout == f'{PORTS}: "6379"\n'
    assert json.loads(run("annotate", "dev", "redis", "-o", "json").stdout) == {PORTS: "6379"}
    patched = run("annotate", "dev", "redis", "-f", "web.yaml").stdout
    assert "image: example.com/web:1  # the shop's" in patched
    assert f'      labels: {{app: web}}\n      annotations:\n        {PORTS}: "6379"\n' in patched
    assert patched.endswith("---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n")


def test_annotate_writes_given_settings_too(run: Callable[..., Result]) -> None:
    words = ("annotate", "dev", "--outbound-port", "6379", "--outbound-port", "7070")
    assert run(*words).stdout == f'{PORTS}: "6379,7070"\n'
    more = run("annotate", "dev", "redis", "--no-inject", "--limit", "cpu=0.1", "-o", "json")
    assert json.loads(more.stdout) == {
        PORTS: "6379",
        "flomesh.io/sidecar-injection": "disabled",
        "flomesh.io/sidecar-resource-limits-cpu": "100m",
    }


def test_a_profile_and_an_option_of_one_list_count_together(run: Callable[..., Result]) -> None:
    """The option in the profile's place would take Redis back without a word."""
    words = ("annotate", "dev", "redis", "--outbound-port", "7070", "--outbound-port", "6379")
    assert run(*words).stdout == f'{PORTS}: "6379,7070"\n'


OTHERS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {team: shop}}
spec:
  template:
    metadata:
      labels: {app: web}
      annotations:
        flomesh.io/outbound-port-exclusion-list: "7071"
    spec: {containers: [{name: c}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec: {template: {spec: {hostNetwork: true, containers: [{name: c}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: shop, annotations: {flomesh.io/sidecar-injection: disabled}}
spec: {containers: [{name: c}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: api}
spec: {template: {metadata: {labels: {app: api, tier: db}}, spec: {containers: [{name: c}]}}}
"""


def test_annotate_replaces_another_value_only_when_asked(run: Callable[..., Result]) -> None:
    """Whoever wrote 7071 meant it: a file of annotations that is half theirs is nobody's."""
    words = ("annotate", "dev", "redis", "-f", "-")
    refused = run(*words, stdin=OTHERS)
    assert (refused.exit_code, refused.stdout, refused.stderr) == (
        2,
        "",
        f"fsm-stack: error: <stdin>:9: Deployment/shop/web: annotation {PORTS} is '7071' already, "
        "expected '6379' or none\n--overwrite replaces what is there\n",
    )
    assert '"6379"' in run(*words, "--overwrite", stdin=OTHERS).stdout
    same = OTHERS.replace("7071", "6379")
    assert run(*words, stdin=same).stdout.count('"6379"') == 2


def test_annotate_leaves_what_gets_no_sidecar_alone_and_says_so(
    run: Callable[..., Result],
) -> None:
    result = run("annotate", "dev", "redis", "-f", "-", "--overwrite", stdin=OTHERS)
    assert result.stdout.count(PORTS) == 2
    assert result.stderr == (
        "note: left alone, DaemonSet shop/agent: hostNetwork: the pod shares the node's network "
        "namespace\n"
        "note: left alone, Pod shop/old: the pod declines it\n"
        "note: namespace default is not in the input: assumed to be enrolled, although the stack "
        "enrols shop only\n"
        "4 objects, 4 workloads, 0 passed over, 2 annotated\n"
    )
    asked = run("annotate", "dev", "--inject", "-f", "-", "--overwrite", stdin=OTHERS)
    assert "4 workloads, 0 passed over, 3 annotated" in asked.stderr
    declined = run("annotate", "dev", "--no-inject", "-f", "-", stdin=OTHERS)
    assert "0 passed over, 4 annotated" in declined.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--only", "StatefulSet/api"), ["api"]),
        (("--only", "statefulset/default/api", "--only", "deployment/web"), ["web", "api"]),
        (("-l", "app=api"), ["api"]),
        (("-l", "app in (api, web),!tier"), ["web"]),
        (("-l", "team==shop,tier notin (db)"), ["web"]),
        (("-l", "app,app!=web"), ["api"]),
    ],
)
def test_annotate_writes_to_the_workloads_that_are_meant(
    run: Callable[..., Result], words: tuple[str, ...], names: list[str]
) -> None:
    """Labels are the object's and its pods'."""
    result = run("annotate", "dev", "redis", "-f", "-", "--overwrite", *words, stdin=OTHERS)
    parts = [part for part in result.stdout.split("---\n") if '"6379"' in part]
    assert [name for name in ("web", "api") for part in parts if f"name: {name}" in part] == names
    assert f"{len(names)} annotated" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "Deployment/no"), "--only Deployment/no: no such workload in the input"),
        (("--only", "web"), "'web': expected KIND/NAME or KIND/NAMESPACE/NAME"),
        (("-l", "app=no"), "--selector: no workload in the input has such labels"),
        (
            ("-l", "app=(x"),
            "'app=(x': expected a label selector such as app=web,tier!=db, got 'app=(x'",
        ),
    ],
)
def test_annotate_refuses_a_choice_of_nothing(
    run: Callable[..., Result], words: tuple[str, ...], message: str
) -> None:
    result = run("annotate", "dev", "redis", "-f", "-", *words, stdin=OTHERS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"fsm-stack: error: {message}\n"


def test_annotate_names_options_as_they_are_written(run: Callable[..., Result]) -> None:
    words = (
        "--outbound-port",
        "0",
        "--sidecar-image",
        " ",
        "--limit",
        "cpu=a",
        "--request",
        "x=1",
    )
    lines = run("annotate", "dev", *words).stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "--outbound-port",
        "--sidecar-image",
        "--limit cpu",
        "--request x",
    ]


def test_annotate_checks_ranges_as_lint_does(run: Callable[..., Result], web: Path) -> None:
    """The cluster's own services would leave the mesh with the annotation."""
    (web.parent / "Pulumi.own.yaml").write_text(
        "config:\n  fsm-stack:cluster: {serviceRanges: [10.96.0.0/16]}\n"
    )
    result = run("annotate", "own", "--exclude-range", "10.0.0.0/8")
    assert result.exit_code == 1
    assert result.stdout.startswith("--exclude-range: error: ")
    assert "covers the cluster's service range 10.96.0.0/16" in result.stdout
    part = run("annotate", "own", "--exclude-range", "10.96.1.0/24")
    assert part.exit_code == 0
    assert part.stderr.startswith("--exclude-range: warning: ")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--outbound-port", "70000"), 1, "expected a port from 1 to 65535, got 70000"),
        (("--exclude-range", "0.0.0.0/0"), 1, "nothing outbound is intercepted"),
        (("--limit", "cpu"), 2, "'cpu': expected a resource and its amount, such as cpu=100m"),
        ((), 2, "annotate: expected a PROFILE or a setting; --help lists them"),
    ],
)
def test_annotate_writes_nothing_that_would_break_pods(
    run: Callable[..., Result], words: tuple[str, ...], code: int, message: str
) -> None:
    result = run("annotate", "dev", *words)
    assert (result.exit_code, message in result.output) == (code, True)


def test_annotate_keeps_json_json(run: Callable[..., Result]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}
    items = {"apiVersion": "v1", "kind": "List", "items": [pod, {"kind": "ConfigMap"}]}
    patched = json.loads(
        run("annotate", "dev", "redis", "-f", "-", stdin=json.dumps(items)).stdout
    )
    assert patched["items"][0]["metadata"]["annotations"] == {PORTS: "6379"}
    assert patched["items"][1] == {"kind": "ConfigMap"}


def test_inject_gives_everything_as_json(run: Callable[..., Result]) -> None:
    (only,) = json.loads(run("inject", "dev", "-f", "web.yaml", "-o", "json").stdout)["workloads"]
    spec = only["manifest"]["spec"]["template"]["spec"]
    assert spec["initContainers"][0]["args"][1] == only["script"]
    assert (only["outcome"], only["expectedReady"]) == ("inject", 3)
    assert [item["id"] for item in only["findings"]] == ["annotation-misplaced"]


@pytest.mark.parametrize(
    "words",
    [
        ("lint",),
        ("inject", "--explain"),
        ("inject", "--diff"),
        ("inject",),
        ("annotate", "--hold"),
    ],
)
def test_an_input_without_workloads_is_said(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    """A clean result of the wrong file looks like one of the right."""
    verb, *options = words
    result = run(verb, "dev", "-f", "-", *options, stdin="kind: Service\napiVersion: v1\n")
    count = "0 findings" if verb == "lint" else "0 workloads"
    end = ", 0 annotated" if verb == "annotate" else ""
    assert (result.exit_code, result.stderr) == (
        0,
        "note: passed over, no pod template: 1 Service\n"
        "note: no workload in the input\n"
        f"1 object, {count}, 1 passed over{end}\n",
    )


def four_columns(text: str) -> str:
    """Indented by four; what follows a dash stands two columns to its right."""
    wide = re.sub(r"^ +(?=\S)", lambda match: match[0] * 2, text, flags=re.MULTILINE)
    return wide.replace(" " * 16, " " * 14)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text.replace("\n", "\r\n"), 7),
        (lambda text: f"\ufeff{text}", 7),
        (lambda text: text.rstrip("\n"), 7),
        (lambda text: f"# a comment\n---\n{text}", 9),
        (four_columns, 7),
    ],
    ids=["CRLF", "byte order mark", "no last line end", "behind another document", "four columns"],
)
def test_the_correction_is_a_patch_that_keeps_the_files_form(
    run: Callable[..., Result], change: Callable[[str], str], line: int
) -> None:
    text = change(WEB.partition("---\n")[0])
    result = run("lint", "dev", "-f", "-", stdin=text)
    changed = [row for row in result.stdout.splitlines() if row.startswith(("-", "+"))]
    assert f"<stdin>:{line}:" in result.stdout
    assert f"@@ -{line - 4}," in result.stdout  # three lines above the annotations' own key
    assert [row.strip("+-\r ") for row in changed[2:]] == [
        "annotations:",
        f'{PORTS}: "7070"',
        "annotations:",
        f'{PORTS}: "7070"',
    ]


def test_the_correction_of_a_documents_last_line_is_no_end_of_the_file(
    run: Callable[..., Result],
) -> None:
    """Else git apply looks for it there, and refuses."""
    spec = "spec: {template: {metadata: {labels: {}}, spec: {containers: [{name: c}]}}}\n"
    text = f"--- # the shop\n{WEB.partition('spec:')[0]}{spec}"
    result = run("lint", "dev", "-f", "-", stdin=text + "--- # more\nkind: Service\n")
    assert (
        result.stdout.partition("+++ b/<stdin>\n")[2]
        == f"""\
@@ -4,7 +4,5 @@
 metadata:
   name: web
   namespace: shop
-  annotations:
-    {PORTS}: "7070"
-{spec}+{spec.replace("{}}, spec", "{}, annotations: {" + PORTS + ': "7070"}}, spec')} --- # more
"""
    )


def test_a_marker_line_with_a_comment_is_part_of_the_correction(
    run: Callable[..., Result],
) -> None:
    meta = f'metadata: {{name: web, annotations: {{{PORTS}: "7070"}}}}\n'
    text = f"--- # the shop\n{meta}{WEB.partition('---')[0]}".replace(
        WEB[WEB.index("metadata:") : WEB.index("spec:")], ""
    )
    result = run("lint", "dev", "-f", "-", stdin=text)
    assert "@@\n --- # the shop\n-metadata: " in result.stdout


def test_a_moved_value_is_text_for_kubernetes_too(run: Callable[..., Result]) -> None:
    """Its YAML reads a bare no as a boolean, and 0123 as 83: what was written is quoted."""
    for key, bare in (
        ("flomesh.io/sidecar-injection", "no"),
        (PORTS, "0123"),
        ("flomesh.io/sidecar-resource-limits-cpu", "1.50"),
    ):
        text = WEB.replace(f'{PORTS}: "7070"', f"{key}: {bare}")
        found = run("lint", "dev", "-f", "-", stdin=text).stdout
        assert f'+        {key}: "{bare}"\n' in found
        assert (
            f'expected text, got {bare} [annotation-not-text] Fix: Write {key}: "{bare}".' in found
        )
        mended = run("lint", "dev", "-f", "-", stdin=WEB.replace('"7070"', f'"{bare}"'))
        assert "annotation-not-text" not in mended.stdout
    switched = WEB.replace(f'{PORTS}: "7070"', "flomesh.io/sidecar-injection: on")
    found = run("lint", "dev", "-f", "-", stdin=switched).stdout
    assert '+        flomesh.io/sidecar-injection: "true"\n' in found


def test_two_json_values_are_two_documents(run: Callable[..., Result]) -> None:
    """As two calls of kubectl print them, one after the other."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": []},
    }
    for indent in (None, 2):
        text = json.dumps(pod, indent=indent) + "\n"
        result = run("inject", "dev", "-f", "-", "-o", "json", stdin=text + text)
        assert len(json.loads(result.stdout)["workloads"]) == 2


def test_a_namespaces_annotations_are_linted_too(run: Callable[..., Result]) -> None:
    """Lists count on pods only, and a bogus switch refuses every pod of the namespace."""
    text = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations:
    {PORTS}: "80"
    flomesh.io/metrics: maybe
    flomesh.io/sidecar-injecton: enabled
    flomesh.io/somebody-elses: x
    flomesh.io/sidecar-injection: yes
    openservicemesh.io/sidecar-injection: enabled
    openservicemesh.io/somebody-elses: x
  labels: {{flomesh.io/monitored-by: fsm}}
"""
    result = run("lint", "dev", "-f", "-", stdin=text)
    assert '+    flomesh.io/sidecar-injection: "yes"\n' in result.stdout
    findings = result.stdout.partition("--- a/")[0]
    found = [line.split(" ", 2) for line in findings.splitlines()]
    assert result.exit_code == 1
    assert [(place, line[line.rindex("[") :].split()[0]) for place, _, line in found] == [
        ("<stdin>:6:5", "[annotation-not-read]"),
        ("<stdin>:7:5", "[injection-value]"),
        ("<stdin>:8:5", "[annotation-unknown]"),
        ("<stdin>:10:5", "[annotation-not-text]"),
        ("<stdin>:11:5", "[annotation-other-mesh]"),
    ]
    theirs = text.replace("flomesh.io/monitored-by: fsm", "openservicemesh.io/monitored-by: osm")
    assert "annotation-other-mesh" not in run("lint", "dev", "-f", "-", stdin=theirs).stdout


def test_inject_says_which_namespaces_it_assumes(run: Callable[..., Result]) -> None:
    assert run("inject", "dev", "-f", "web.yaml").stderr == PASSED
    result = run(
        "inject", "dev", "-f", "-", stdin=WEB.replace("namespace: shop", "namespace: bank")
    )
    assert (result.exit_code, result.stderr) == (
        0,
        "note: namespace bank is not in the input: assumed to be enrolled, although the stack "
        f"enrols shop only\n{PASSED}",
    )
    anyway = WEB.replace("namespace: shop", "namespace: kube-system")
    assert run("inject", "dev", "-f", "-", stdin=anyway).stderr == PASSED


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_annotate_says_what_is_no_object(run: Callable[..., Result], form: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "annotations": "none"}}
    text = json.dumps(pod) if form == "json" else dump(pod)
    result = run("annotate", "dev", "redis", "-f", "-", stdin=text)
    assert (result.exit_code, result.stderr) == (
        2,
        "fsm-stack: error: <stdin>:1: Pod x: metadata.annotations: expected an object, got a str\n",
    )


@pytest.mark.parametrize(
    "words",
    [
        ("inject", "dev", "-f", "web.yaml", "--diff", "--explain"),
        ("inject", "dev", "-f", "web.yaml", "--diff", "-o", "json"),
        ("annotate", "dev", "redis-client", "-f", "web.yaml", "-o", "json"),
        ("annotate", "dev", "redis", "--overwrite"),
        ("annotate", "dev", "redis", "--only", "Pod/x"),
        ("annotate", "dev", "redis", "-l", "app=web"),
        ("annotate", "dev", "redis", "--namespace-file", "web.yaml"),
    ],
)
def test_an_option_that_would_count_for_nothing_is_refused(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: --" in result.stderr
