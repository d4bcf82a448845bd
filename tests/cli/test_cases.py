"""Situations that users reported and inputs of attackers, which lie beside the checkout.

Each file there has its right answer here, as a command line: what it has to say, and what it must
not. A file that no row reads is an error, since nobody would notice a wrong answer to it.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from tests.recordings import ROOT, recordings

if TYPE_CHECKING:
    from pathlib import Path

CASES: Final = recordings("FSM_STACK_CASES", "cases")
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"no cases in {CASES}: set FSM_STACK_CASES to their folder"
)
SECONDS: Final = 20  # for one command, however busy the machine; each takes less than one
FOUND, BAD = 1, 2


@dataclass(frozen=True, slots=True)
class Row:
    """One command about one file.

    Attributes:
        words: the command; ``@`` is the file. Of a stack file: ``validate``.
        code: its exit code.
        said: what the output has, each somewhere.
        unsaid: what it has nowhere.
        first: what the output begins with.
    """

    words: str
    code: int
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    first: str = ""


def lint(code: int, *said: str, unsaid: tuple[str, ...] = ()) -> Row:
    return Row("lint dev -f @", code, said, unsaid)


def explained(code: int, *said: str, unsaid: tuple[str, ...] = ()) -> Row:
    return Row("inject dev -f @ --explain", code, said, unsaid)


def annotate(code: int, *said: str, unsaid: tuple[str, ...] = ()) -> Row:
    return Row("annotate dev operator -f @", code, said, unsaid)


def read(code: int, *said: str, unsaid: tuple[str, ...] = ()) -> Row:
    return Row("read @", code, said, unsaid)


def trace(to: str, first: str, *said: str, more: str = "") -> Row:
    return Row(f"trace --script @ --to {to}{more}", 0, said, first=first)


def verify(first: str, *said: str, unsaid: tuple[str, ...] = ()) -> Row:
    return Row("verify --from @", FOUND, said, unsaid, first)


def refused(*said: str) -> tuple[Row, ...]:
    """Every reader of manifests ends with 2 and the place."""
    return tuple(
        Row(words, BAD, said, ("Traceback",))
        for words in ("lint dev -f @", "inject dev -f @", "annotate dev operator -f @",
                      "verify --from @")
    )  # fmt: skip


def stopped(reason: str) -> tuple[Row, ...]:
    """Who restarts now gets no pods: said first of all, with what to mend, and nobody is listed."""
    first = "# every pod that restarts now will not start: spec.traffic."
    return (
        verify(f"1 problem: {first.removeprefix('# ')}{reason}", "run, in order:",
               "  kubectl --context dev patch meshconfig fsm-mesh-config -n fsm-system"),
        Row("restart-list --from @", FOUND,
            (f"{first}{reason}", "# first: kubectl patch meshconfig", "# not to be restarted: 2",
             "0 pods of 0 owners can be restarted now"), ("\nkubectl rollout restart",)),
    )  # fmt: skip


OUTBOUND = "to the outbound listener (15001)"
THROUGH = (trace("10.1.2.3:80", OUTBOUND), trace("10.1.2.3:6379", "untouched"))
NOT_READ = (
    "Chain",
    "run iptables-save -t nat, or iptables -t nat -S, in the pod's network namespace",
)
MACHINE = (
    read(0, "the health-check helper's port 15904", "inboundPortExclusionList: 22",
         "$self: its value is not in this text",
         "-d $self/32 may match; an answer that depends on it names it"),
    trace("10.1.2.3:80", OUTBOUND),
    trace("10.1.2.3:22", "untouched", more=" --inbound"),
)  # fmt: skip
UNREACHED = "the API server does not reach webhook fsm-inject.k8s.io in time, and without it"
RENDER = "is not rendered: render the template first"
ENVOY = "error: spec.serviceAccountName"


def of_log(cause: str, remedy: str) -> tuple[Row, ...]:
    """The init container's log: the cause, the line, the remedy, and that in the order too."""
    return (
        verify("2 problems: the init container has not loaded the rules (pod demo/mail-6c9f7b-q7t)",
               cause, remedy, "run, in order:\n  # pod demo/mail-6c9f7b-q7t: ",
               unsaid=("kubectl logs",)),
    )  # fmt: skip


def of_owner(cause: str, remedy: str) -> tuple[Row, ...]:
    """What the API server says to an owner whose pods it does not make."""
    return (
        verify("1 problem: an owner lacks pods, or the injector refuses its next ones",
               cause, remedy, "run, in order:", "rollout restart deployment/web -n demo"),
    )  # fmt: skip


ROWS: Final[dict[str, tuple[Row, ...]]] = {
    "01-vm-sidecar.sh": (
        *MACHINE,
        read(0, "1 rule of table filter: passed over", "7 lines of shell around the rules"),
    ),
    "01b-heredoc.sh": (*MACHINE, read(0, "1 rule of table filter: passed over")),
    "01c.sh": MACHINE,
    "01d.sh": (read(0, unsaid=("may match",)), trace("10.1.2.3:80", OUTBOUND)),
    "02-iptables-save-docker.txt": (
        read(0, "3 rules of POSTROUTING and below: passed over, they translate the source",
             "outboundPortExclusionList: 6379, 7070"),
        *THROUGH,
        trace("127.0.0.11:53", "rewritten to 127.0.0.11:39517"),
    ),
    "02b-no-postrouting.txt": (read(0, unsaid=("passed over",)), *THROUGH),
    "12-dind-iptables-save.txt": (
        read(0, "1 rule of POSTROUTING and below: passed over, they translate the source",
             "-m addrtype --dst-type LOCAL may match; no answer depends on it, since DOCKER sends "
             "nothing elsewhere"),
        trace("10.1.2.3:80", OUTBOUND,
              "may: -m addrtype --dst-type LOCAL; the answer is the same either way"),
        trace("10.1.2.3:6379", "untouched"),
        trace("10.1.2.3:80", "to the inbound listener (15003)", more=" --inbound"),
    ),
    "13-1.txt": (read(BAD, "iptables -L, which does not show the rules in full", *NOT_READ),),
    "13-2.txt": (read(BAD, "iptables -L, which does not show the rules in full", *NOT_READ),),
    "13-3.txt": (read(0, "output of iptables -S"), *THROUGH),
    "13-4.txt": (read(0, "output of iptables-save"), *THROUGH),
    "13-5.txt": (read(BAD, "nft list, which writes the rules in nft's own language", *NOT_READ[1:]),),
    "31.txt": (
        read(0, "OUTPUT jumps to FSM_PROXY_OUTBOUND twice [doubled-jump]", "[other-backend]"),
        *THROUGH,
        Row("verify --from @", BAD, ("fsm-stack read FILE reads rules",)),
    ),
    "32-neg-iface.txt": (
        read(0, "is never reached: taken by ! -o eth0 -j RETURN"),
        *THROUGH,
        trace("10.1.2.3:80", "untouched", more=" --interface eth1"),
    ),
    "34-pod.json": (
        read(0, "(Pod demo/web-7f9c5d-x2x, fsm-init): a script for iptables-restore"), *THROUGH,
    ),
    "03-label-not-annotation.yaml": (
        lint(FOUND, "Namespace/orders metadata.labels.flomesh.io/sidecar-injection: error",
             "template.metadata.labels.flomesh.io/outbound-port-exclusion-list: error",
             "reads it among the annotations only [annotation-as-label] Fix: Move it to"),
        verify("2 problems: an annotation of the mesh's stands among the labels (namespace orders)",
               "Deployment orders/cart: label flomesh.io/outbound-port-exclusion-list",
               "kubectl annotate namespace orders flomesh.io/sidecar-injection=enabled",
               "kubectl label namespace orders flomesh.io/sidecar-injection-",
               "kubectl edit deployment/cart -n orders", unsaid=("no problem found",)),
    ),
    "03c-ns-annotation.yaml": (
        lint(FOUND, "annotation flomesh.io/monitored-by: the webhook asks for the label"),
        verify("1 problem:", "the webhook asks for the label of this name",
               "kubectl label namespace httpbin flomesh.io/monitored-by=fsm"),
    ),
    "03v.json": (
        verify("2 problems: a namespace is not in the mesh (namespace httpbin); an annotation of "
               "the mesh's stands among the labels (pod orders/cart-1)",
               "kubectl label namespace httpbin flomesh.io/monitored-by=fsm --overwrite",
               "kubectl annotate namespace httpbin flomesh.io/sidecar-injection=enabled"),
    ),
    "04-rollout.yaml": (
        lint(FOUND, "stands on the Rollout, where nobody reads it", "got 70000",
             "port 15001 is reserved", "1 Rollout: the pod template is at spec.template",
             "1 object, 3 findings, 0 passed over"),
        explained(0, "Rollout demo/cart", "-> inject: "),
        annotate(0, 'flomesh.io/outbound-ip-range-exclusion-list: "10.96.0.1/32"', "1 annotated"),
        Row("verify --from @", BAD, ("Rollout demo/cart: no check reads it",)),
    ),
    "04b-mixed.yaml": (
        lint(FOUND, "Rollout/demo/cart metadata.annotations", "Deployment/shop/web metadata.annot"),
        annotate(0, "2 objects, 2 workloads, 0 passed over, 2 annotated"),
    ),
    "07-pod-security.yaml": (
        lint(FOUND, "Deployment/vault-apps/cart namespace vault-apps", "refuses fsm-init",
             "no pod is created [pod-security]"),
        explained(0, "no pod is created [pod-security]"),
        Row("verify --from @", 3, first="nothing of a cluster was looked at: the files hold manif"),
    ),
    "08-job.yaml": (
        lint(0, "Job/demo/migrate", "CronJob/demo/nightly", "[never-completes] Fix: Write flomesh.io"),
        explained(0, "READY when all is well: 2/2", "the pod never completes"),
    ),
    "09-stale-prefix-namespace.yaml": (
        lint(FOUND, "label openservicemesh.io/monitored-by: this mesh is FSM",
             "annotation openservicemesh.io/sidecar-injection: this mesh is FSM",
             "annotation openservicemesh.io/outbound-port-exclusion-list: this mesh is FSM",
             "Fix: Write flomesh.io/outbound-port-exclusion-list."),
    ),
    "09v-after-fix.json": (
        verify("2 problems: an annotation of another mesh system (namespace httpbin); an "
               "annotation of the mesh's stands among the labels (pod orders/cart-1)",
               "; 0 of 2 pods fine"),
    ),
    "15-placeholders.yaml": (
        lint(BAD, "$DEMO_NAMESPACE is not rendered: render it first", "render it first\n",
             unsaid=("not-injected",)),
        explained(BAD, "-> unknown: render it first", unsaid=("READY", "is absent")),
        annotate(BAD, "$DEMO_NAMESPACE is not rendered", unsaid=("is absent",)),
    ),
    "16-port-ranges.yaml": (
        lint(FOUND, "A list holds single ports", "got '1-2999' at position 1",
             "flomesh.io/outbound-ip-range-exclusion-list",
             'write flomesh.io/inbound-port-exclusion-list: "9100,9101,'),
    ),
    "17-typo-and-foreign.yaml": (
        lint(FOUND, "did you mean flomesh.io/outbound-port-exclusion-list?", "is Istio's and has no",
             "is Linkerd's and has no effect", "is Kuma's and has no effect in this mesh",
             "here it is the annotation flomesh.io/sidecar-injection", "1 object, 8 findings"),
    ),
    "19-dind.yaml": (
        lint(0, "taken for inbound [docker-in-docker] Fix: Exclude docker0"),
        explained(0, "[docker-in-docker]"),
    ),
    "20-unrendered-chart.yaml": (
        lint(BAD, RENDER), explained(BAD, RENDER), annotate(BAD, RENDER),
    ),
    "20b-unrendered.yaml": (lint(BAD, RENDER), explained(BAD, RENDER), annotate(BAD, RENDER)),
    "21-vault-pod.json": (
        verify("1 problem: an init container runs behind the mesh's (pod demo/node-7b9-x1)",
               "init container vault-agent-init, number 2, runs after fsm-init", "Let it run first",
               "flomesh.io/outbound-port-exclusion-list", "run it as user 1500",
               "flomesh.io/hold-application-until-proxy-starts"),
    ),
    "22-meshconfig-lists-misplaced.yaml": (
        verify("1 problem: the MeshConfig's lists do not load or redirect, or stand where nobody",
               "it belongs to spec.traffic.outboundPortExclusionList",
               "it belongs to spec.traffic.outboundIPRangeExclusionList"),
        Row("lint dev -f @", BAD, ("fsm-stack verify --from FILE checks it",)),
    ),
    "22b.yaml": (
        verify("1 problem: the MeshConfig's lists do not load or redirect, or stand where nobody",
               "it belongs to spec.traffic.outboundPortExclusionList"),
    ),
    "22c.jsonl": (
        verify("3 problems: the MeshConfig's lists do not load or redirect, or stand where nobody",
               "spec.traffic.outboundPortsExclusionList: it belongs to",
               "# pod demo/mail-6c9f7b-q7t: Load iptable_nat"),
    ),
    "23-16ports.jsonl": stopped("outboundPortExclusionList: expected at most 15 ports, got 16"),
    "23-all.jsonl": (
        verify("1 problem: outbound exclusions cover every address", "0.0.0.0/0 excludes every"),
        Row("restart-list --from @", FOUND, ("none of its outbound connections would be redirected",
            "# first: kubectl patch meshconfig"), ("\nkubectl rollout restart",)),
    ),
    "23-ipv6.jsonl": stopped(
        "outboundIPRangeExclusionList[2]: expected an IPv4 CIDR, got the IPv6 range 'fd00::/8'"
    ),
    "23-port70000.jsonl": stopped(
        "outboundPortExclusionList[2]: expected a port from 1 to 65535, got 70000"
    ),
    "23-meshconfig-hazards.yaml": (
        verify("2 problems: every pod that restarts now will not start: spec.traffic."
               "inboundPortExclusionList[0]: expected a port from 1 to 65535, got 70000; and 3 more",
               "  # spec.traffic.networkInterfaceExclusionList[0]: A wildcard matches a prefix",
               "  # spec.traffic.outboundIPRangeExclusionList[0]: Remove it",
               "  # spec.traffic.outboundPortExclusionList: Exclude the servers' addresses",
               "[excludes-everything]", unsaid=("65535; A wildcard",)),
        Row("restart-list --from @", FOUND, ("# then: spec.traffic.",)),
    ),
    "23-next.sh": (
        read(FOUND, "multiport: expected at most 15 ports, got 16 [too-many-ports]"),
        Row("trace --script @ --to 10.0.0.1:80", FOUND, ("[too-many-ports]",)),
    ),
    "25-prometheus.yaml": (
        lint(0, "the injector writes '15010' over '7000': the application's own metrics are",
             "prometheus.io/path"),
        explained(0, "[annotation-overwritten]"),
    ),
    "27-describe-old.txt": (
        verify("2 problems: the init container has not loaded the rules (pod edge-ns/gate-75ctr)",
               "kubectl logs gate-75ctr -c osm-init -n edge-ns", "of OSM's early releases",
               unsaid=("doubled",)),
    ),
    "33-init-log.txt": (
        verify("1 problem: the node's kernel has no nat table for this iptables back end",
               "(legacy): iptables-restore: unable to initialize table 'nat'", "Load iptable_nat",
               unsaid=("kubectl logs",)),
        Row("explain @", 0, ("unable to initialize table 'nat'", "fix:  Load iptable_nat"),
            first="cause: the node's kernel has no nat table"),
    ),
    "35-describe-rs.txt": (
        verify(f"1 problem: {UNREACHED}", "dial tcp 10.3.146.3:9090: i/o timeout\n", "port 9090",
               unsaid=("pod demo/web",)),
        Row("explain @", 0, ("port 9090",), first=f"cause: {UNREACHED}"),
    ),
    "36-events.txt": (
        verify(f"1 problem: {UNREACHED}", '?timeout=20s": context deadline exceeded\n', "port 9090"),
        Row("explain @", 0, ("port 9090",), first=f"cause: {UNREACHED}"),
    ),
    "38-job-pod.json": (
        verify("1 problem: the application ended with exit code 0, and the sidecar keeps the pod: "
               "Job migrate never completes", "flomesh.io/sidecar-injection: disabled",
               unsaid=("is not ready",)),
    ),
    "40-probe-host.yaml": (
        lint(FOUND, "the liveness probe asks localhost", "readiness probe's scheme is 'http'"),
    ),
    "41-pulumi-numbers.yaml": (
        Row("validate", FOUND, ('Quote it: "2020".', 'Quote it: "0123".', 'Quote it: "1.10".',
                                'Quote it if it is text: "1e3"; else write 1000.'), ('"1.1"', '"123"', '"83"')),
        Row("verify --from @", BAD, ("fsm-stack validate STACK reads stack files",)),
    ),
    "14-aks/mesh.json": (
        Row("verify aks --from @", FOUND,
            ("outboundIPRangeExclusionList has 20.43.1.9/32, which is not declared",
             "names of 2021, of OSM's early releases"), ("live nothing", "one command a rule")),
    ),
    "14-aks/Pulumi.aks.yaml": (
        Row("validate", FOUND, ("mesh.createNamespace: error: expected false", ": 1 error, 1 info")),
    ),
    "logs/10-a-iotimeout.jsonl": of_owner(UNREACHED, "port 9090 of the injector's pods"),
    "logs/10-c-refused.jsonl": of_owner(
        "nothing listens where webhook fsm-inject.k8s.io should", "deployment/fsm-injector"
    ),
    "logs/10-d-noendp.jsonl": of_owner(
        "no ready pod stands behind webhook fsm-inject.k8s.io", "deployment/fsm-injector"
    ),
    "logs/10-f-psa.jsonl": of_owner(
        "pod security restricted:latest of namespace demo", "enforce=privileged"
    ),
    "logs/10-g-quota.jsonl": of_owner(
        "asks for requests and limits of every container", "Set sidecar.resources"
    ),
    "logs/10-h-egress.jsonl": of_owner("cannot resolve the Service of webhook", "konnectivity"),
    "logs/10-i-autopilot.jsonl": of_owner(
        "GKE Autopilot refuses what the init container needs", "workload-policies=allow-net-admin"
    ),
    "logs/11-a-owner-ext.jsonl": of_log("no module for iptables' owner", "Load xt_owner on"),
    "logs/11-b-redirect-ext.jsonl": of_log("no module for iptables' REDIRECT", "Load xt_REDIRECT"),
    "logs/11-c-no-chain.jsonl": of_log("no module for a match or target", "Load xt_owner, xt_multip"),
    "logs/11-d-genid.jsonl": of_log("has no nf_tables, or not the one", "legacy back end"),
    "logs/11-e-genid-perm.jsonl": of_log("lost the capability NET_ADMIN", "admit NET_ADMIN"),
    "logs/11-f-legacy-line.jsonl": of_log("refuses what ends at line 22", "Load xt_owner"),
    "logs/11-g-exec-format.jsonl": of_log("made for another processor", "kubernetes.io/arch"),
    "logs/11-h-incompatible.jsonl": of_log("wrote rules of nft's own", "legacy back end"),
    "logs/11-i-who.jsonl": of_log("no nat table for this iptables back end", "Load iptable_nat"),
    "logs/11-j-not-found.jsonl": of_log("image has no iptables", "init image of the release"),
    "logs/11-k-chain-exists.jsonl": of_log("ran before in this network namespace", "Delete the pod"),
    "logs/11-l-proto.jsonl": of_log("no nat table for this iptables back end", "Load iptable_nat"),
    "attack/00-secret-in-json.Pulumi.x.yaml": tuple(
        Row(f"validate{form}", FOUND, ("[secret-value]",) if not form else (),
            ("dG9wc2VjcmV0", "topsecret"))
        for form in ("", " -o json", " -o sarif")
    ),
    "attack/01-mergebomb.yaml": refused("its merge keys repeat too much"),
    "attack/02-dag15.sh": (trace("10.0.0.1:80", "untouched"), read(FOUND, "[duplicate-rule]")),
    "attack/03-g50.sh": (read(0, "rules: 102"), trace("11.0.3.1:80", OUTBOUND)),
    "attack/03-g100.sh": (read(0, "rules: 202"), trace("11.0.3.1:80", OUTBOUND)),
    "attack/04-bin.yaml": refused(":3: expected what JSON can say, got !!binary"),
    "attack/04-dupjson.json": refused("expected each key once, got 'annotations' again"),
    "attack/04-emoji.yaml": (
        lint(FOUND, "04-emoji.yaml:4:8 Pod/default/x spec.serviceAccountName: error",
             "[refused-name]"),
        explained(0, "[refused-name]"),
        Row("inject dev -f @", 0, ('serviceAccountName: "\U0001f600"',)),
    ),
    "attack/04-inf.yaml": refused(":6: expected what JSON can say, got !!float .inf"),
    "attack/04-keys.yaml": refused(":3: expected YAML or JSON: a key is no text"),
    "attack/04-nan.yaml": refused(":6: expected what JSON can say, got !!float .nan"),
    "attack/05-chain-accept.sh": (read(FOUND, "chain ACCEPT: it is the name of a target"),),
    "attack/05-depth16.sh": (
        read(FOUND, "the nft back end takes at most 15, the legacy one any number [jump-depth]"),
    ),
    "attack/05-hook.sh": (
        read(FOUND, "no packet that enters FSM_A matches it", unsaid=("[wrong-hook]",)),
        trace("10.0.0.1:80", OUTBOUND),
    ),
    "attack/05-loop.sh": (read(0, unsaid=("[jump-loop]",)), trace("10.0.0.1:80", "untouched")),
    "attack/05-redir0.sh": (read(0, unsaid=("[invalid-port]",)),),
    "attack/06-wrong-acceptance.Pulumi.x.yaml": (
        Row("validate", FOUND, (
            "repoServer.ipaddr: error: expected a host name or address, without protocol and port",
            "tracing.address: error: expected a host name", "tolerations[0].value: error",
            "nodeSelector.a..b/c: error", "limits.example.com/gpu: error",
            "matchExpressions[0].values: error", "matchExpressions[0].key: error",
        )),
    ),
    "attack/07-against-bin.yaml": (Row("diff dev --against @", BAD, (":1:1:",)),),
    "attack/07-against-date.yaml": (Row("diff dev --against @", BAD, (":1:1:",)),),
    "attack/07-against-deep.yaml": (
        Row("diff dev --against @", BAD, (":1:1:",)), Row("verify --from @", BAD),
    ),
    "attack/07-against-namelist.yaml": (
        Row("diff dev --against @", BAD, ("spec: expected an object, got nothing",)),
    ),
    "attack/07-against-spec.yaml": (
        Row("diff dev --against @", BAD, ("spec: expected an object, got a whole number",)),
    ),
    "attack/07-against-traffic.yaml": (
        Row("diff dev --against @", BAD,
            ("spec.traffic.outboundPortExclusionList: expected a list, got a whole number",)),
    ),
    "attack/08-quadratic.Pulumi.x.yaml": (
        Row("validate", FOUND, ("outboundPortExclusionList[99]: error", "more"),
            ("outboundPortExclusionList[101]: error",)),
    ),
}  # fmt: skip
ASKED: Final = [(name, row) for name, rows in ROWS.items() for row in rows]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The environment dev, and the stack file that is asked about."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(CASES / "14-aks" / "Pulumi.aks.yaml", tmp_path)
    return tmp_path


def run(project: Path, name: str, row: Row) -> tuple[int, str]:
    words = [str(CASES / name) if word == "@" else word for word in row.words.split()]
    if words[0] == "validate":
        shutil.copy(CASES / name, project / "Pulumi.asked.yaml")
        words.insert(1, "asked")
    if words[0] in {"lint", "inject", "annotate", "validate", "diff"} or "aks" in words:
        words += ["-C", str(project)]
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, words)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("name", "row"), ASKED, ids=[f"{n}-{name}-{row.words}" for n, (name, row) in enumerate(ASKED)]
)
def test_a_reported_situation_has_its_right_answer(project: Path, name: str, row: Row) -> None:
    started = time.monotonic()
    code, output = run(project, name, row)
    assert time.monotonic() - started < SECONDS
    assert code == row.code, output
    assert output.startswith(row.first), output
    assert [text for text in row.said if text not in output] == [], output
    assert [text for text in row.unsaid if text in output] == [], output


def test_every_file_is_read_by_a_row() -> None:
    """One that nobody asks about has no right answer, and none would be missed."""
    files = {
        str(path.relative_to(CASES)) for path in CASES.rglob("*")
        if path.is_file() and path.name != "README.md"
    }  # fmt: skip
    assert files == ROWS.keys()


def test_a_log_of_the_old_script_makes_its_cause_known(project: Path, tmp_path: Path) -> None:
    """Given with the description, or alone: nobody is asked for what was just read."""
    log = tmp_path / "log.txt"
    log.write_text("iptables: Chain already exists.\n")
    words = ["verify", "--from", str(CASES / "27-describe-old.txt"), "--from", str(log)]
    said = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, words).output
    assert "the script ran before in this network namespace" in said
    assert "Delete the pod, so that it gets a network namespace of its own" in said
    assert "kubectl logs" not in said
    assert project.is_dir()


def test_what_an_answer_says_is_data_too(project: Path) -> None:
    """Every problem of the first line is in JSON, with the commands' objects."""
    row = Row("verify --from @ -o json", FOUND)
    code, output = run(project, "23-meshconfig-hazards.yaml", row)
    found = json.loads(output)
    stops = next(one for one in found["checks"] if one["id"] == "next-pod")
    assert (code, len(stops["findings"])) == (FOUND, 4)
