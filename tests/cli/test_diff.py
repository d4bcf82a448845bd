"""``fsm-stack diff``, ``contracts`` and ``blame``, as a reviewer runs them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.project.test_git import Work

from .conftest import document

if TYPE_CHECKING:
    from click.testing import Result

    from .conftest import Run

ROOT = Path(__file__).parents[2]
STACKS = ("dev", "prod", "staging")
SENTENCE = (
    "TCP 443 to any address leaves the mesh on every pod, the cluster's own ranges included: "
    "no mTLS, no policy"
)
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: x}]}}
"""


class Reviewed(Work):
    """This repository's own environments, committed."""

    def __init__(self, directory: Path, run: Run) -> None:
        super().__init__(directory)
        for name in STACKS:
            shutil.copy(ROOT / f"Pulumi.{name}.yaml", directory)
            shutil.copytree(ROOT / "rendered" / name, directory / "rendered" / name)
        shutil.copy(ROOT / "fsm-stack.yaml", directory)
        self.commit("x", "Begin", file="README.md")
        self._run = run

    def diff(self, *words: str) -> Result:
        return self._run("diff", "-C", str(self.directory), *words)

    def change(self, old: str, new: str, stack: str = "dev") -> None:
        path = self.directory / f"Pulumi.{stack}.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def exclude_443(self) -> None:
        self.change("[6379, 7070]", "[6379, 7070, 443]")


@pytest.fixture
def work(tmp_path: Path, run: Run) -> Reviewed:
    directory = tmp_path / "work"
    directory.mkdir()
    return Reviewed(directory, run)


def test_a_branch_that_excludes_port_443_is_stopped_with_the_sentence(
    work: Reviewed, run: Run, tmp_path: Path
) -> None:
    """From a clone, as a reviewer would."""
    work.git("checkout", "-qb", "open")
    work.exclude_443()
    work.git("commit", "-qam", "Exclude 443")
    clone = tmp_path / "clone"
    work.git("clone", "-q", "-b", "open", str(work.directory), str(clone))
    done = run("diff", "-C", str(clone), "dev", "--against", "origin/main")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1] == f"high: {SENTENCE}"


def test_every_stack_is_reviewed_against_a_revision(work: Reviewed) -> None:
    """Renamed, new, gone, invalid and unchanged stacks are told beside the one that changes."""
    work.exclude_443()
    text = (work.directory / "Pulumi.dev.yaml").read_text()
    (work.directory / "Pulumi.extra.yaml").write_text(text)
    (work.directory / "Pulumi.bad.yaml").write_text("config: {fsm-stack:trafic: {}}\n")
    work.git("mv", "Pulumi.staging.yaml", "Pulumi.stage.yaml")
    work.git("rm", "-q", "Pulumi.prod.yaml")
    work.git("add", "-A")
    work.git("commit", "-qm", "Much")
    done = work.diff("--against", "HEAD~1", "-o", "json")
    assert done.exit_code == 2, "a stack that does not validate is bad input, as it is alone"
    found = document(done)
    assert {
        one["stack"]: (one["stops"], one["said"].split(":")[0]) for one in found["stacks"]
    } == {
        "bad": (True, "is new"),
        "dev": (True, SENTENCE.split(":", maxsplit=1)[0]),
        "extra": (False, "is new"),
        "prod": (True, "the stack's file is gone"),
        "stage": (False, "Nothing changes"),
    }
    assert (found["against"], found["stops"], found["contractsGone"]) == ("HEAD~1", True, [])
    results = document(work.diff("--against", "HEAD~1", "-o", "sarif"))["runs"][0]["results"]
    assert {one["ruleId"]: one["message"]["text"].split(":")[0] for one in results} == {
        "traffic-bypasses": SENTENCE.split(":", maxsplit=1)[0],
        "change-undecided": "bad",
        "change-weakens": "prod",
    }


def test_a_declared_change_may_be_of_one_stack_of_several(work: Reviewed) -> None:
    """A trailer names no stack: what prod does is not missing in dev, and covers nothing there."""
    work.change("[6379, 7070]", "[6379]")
    work.change("value: 9092", "value: 9093", stack="prod")
    work.git(
        "commit", "-qam", "X\n\nTraffic-Change: bypass tcp 9093\nTraffic-Change: mesh tcp 9092"
    )
    found = document(work.diff("--against", "HEAD~1", "-o", "json"))
    reviews = {one["stack"]: one["review"] for one in found["stacks"] if one["review"]}
    assert [one["happens"] for one in reviews["prod"]["expected"]] == [True, True]
    assert reviews["dev"]["expected"] == []
    assert found["stops"] is False


@pytest.mark.parametrize("words", [("prod",), ()])
def test_what_is_declared_for_one_stack_covers_no_other(
    work: Reviewed, words: tuple[str, ...]
) -> None:
    work.change("[6379, 7070]", "[6379, 7070, 443]")
    work.change("value: 9092", "value: 443", stack="prod")
    trailer = "Traffic-Change: bypass tcp 443 in dev"
    work.git("commit", "-qam", f"X\n\n{trailer}\nTraffic-Change: mesh tcp 9092 in prod")
    assert work.diff("dev", "--against", "HEAD~1").exit_code == 0
    done = work.diff(*words, "--against", "HEAD~1")
    assert done.exit_code == 1
    assert "declared for dev, not here: bypass tcp 443 in dev" in done.stdout
    assert "Not declared: TCP 443 to any address leaves the mesh" in done.stdout
    unknown = work.diff(*words, "--against", "HEAD~1", "--expect", "bypass tcp 443 in prd")
    assert unknown.exit_code == 2
    assert "no stack 'prd'; did you mean 'prod'?" in unknown.stdout + unknown.stderr


def test_the_report_is_a_comment_data_and_a_page_a_stack(work: Reviewed, tmp_path: Path) -> None:
    work.exclude_443()
    done = work.diff("--against", "main", "--report", str(tmp_path / "report"), "-o", "markdown")
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "comment.md", "dev.html", "review.json"
    ]  # fmt: skip
    assert (tmp_path / "report/comment.md").read_text() == done.stdout
    assert done.stdout.splitlines()[1] == f"### Stopped: dev: {SENTENCE}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "main", "-o", "html"), "--output html: expected a STACK, or --report DIR"),
        (("--against", "main", "--context", "x"), "expected no other side"),
        (("--against", "main", "--svg", "x.svg"), "--svg: expected a STACK beside --against"),
        (("dev", "--against", "main", "--report", "x"), "--report: expected --against REVISION"),
        (("--all-stacks", "--report", "x"), "--report: expected --against REVISION"),
        (("--against=-x",), "'-x': expected a Git revision"),
    ],
)
def test_what_a_review_of_every_stack_does_not_take_is_said(
    work: Reviewed, words: tuple[str, ...], said: str
) -> None:
    done = work.diff(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_a_branch_that_only_reorders_a_list_changes_nothing(work: Reviewed) -> None:
    work.change("[6379, 7070]", "[7070, 6379]")
    done = work.diff("dev", "--against", "main", "--fail-on", "low")
    assert done.exit_code == 0
    assert (
        done.stdout.splitlines()[1]
        == "nothing: Nothing changes: it is the same, written otherwise"
    )


def test_a_trailer_of_a_commit_declares_the_change(work: Reviewed) -> None:
    work.git("checkout", "-qb", "open")
    work.exclude_443()
    work.git("commit", "-qam", "Exclude 443\n\nTraffic-Change: bypass tcp 443")
    done = work.diff("dev", "--against", "main")
    assert done.exit_code == 0
    assert "What was declared happens" in done.stdout


def test_a_trailer_that_is_none_is_bad_input(work: Reviewed) -> None:
    work.git("checkout", "-qb", "open")
    work.git("commit", "-q", "--allow-empty", "-m", "X\n\nTraffic-Change: please")
    done = work.diff("dev", "--against", "main")
    assert done.exit_code == 2
    assert "expected 'bypass TRAFFIC', 'mesh TRAFFIC' or 'nothing'" in done.stderr


def test_what_declares_one_thing_and_does_another_stops(work: Reviewed) -> None:
    work.exclude_443()
    done = work.diff(
        "dev",
        "--against",
        "main",
        "--expect",
        "bypass tcp 443 to 203.0.113.0/24",
        "--fail-on",
        "high",
    )
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].startswith("high: Not declared: TCP 443 to any ")


def test_changes_that_the_work_tree_lacks_are_noted(work: Reviewed) -> None:
    """A branch that is behind: what main did meanwhile looks like its opposite."""
    base = work.git("rev-parse", "HEAD")
    work.git("checkout", "-qb", "behind")
    work.git("checkout", "-q", "main")
    work.exclude_443()
    work.git("commit", "-qam", "Exclude 443")
    work.git("checkout", "-q", "behind")
    done = work.diff("dev", "--against", "main")
    assert (
        "  main has changes of Pulumi.dev.yaml that this work tree lacks: they are told the other "
        f"way round; the change alone is --against {base[:12]}"
    ) in done.stdout.splitlines()
    assert (
        work.diff("dev", "--against", base[:12]).stdout.splitlines()[1]
        == "nothing: Nothing changes"
    )


def test_a_low_risk_passes_until_it_is_asked_for(work: Reviewed) -> None:
    work.change("[6379, 7070]", "[6379]")
    assert work.diff("dev", "--against", "main").exit_code == 0
    assert work.diff("dev", "--against", "main", "--fail-on", "low").exit_code == 1


def test_the_rendered_tree_is_a_side(work: Reviewed) -> None:
    assert (
        work.diff("dev", "--against", "rendered/dev").stdout.splitlines()[1]
        == "nothing: Nothing changes"
    )
    work.exclude_443()
    done = work.diff("dev", "--against", "rendered/dev")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, "rendered/dev -> dev")


def test_a_patch_by_hand_is_told_before_anybody_applies_it(work: Reviewed) -> None:
    patch = {"spec": {"traffic": {"outboundPortExclusionList": [6379, 7070, 443]}}}
    (work.directory / "patch.json").write_text(json.dumps(patch))
    done = work.diff("dev", "--against", "patch.json")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:2] == ["dev -> dev with patch.json", f"high: {SENTENCE}"]
    assert "spec.traffic.outboundPortExclusionList[2]: 443 (patch.json)" in done.stdout


def test_a_patch_with_a_wrong_name_is_bad_input(work: Reviewed) -> None:
    (work.directory / "p.json").write_text('{"spec": {"trafic": {}}}')
    done = work.diff("dev", "--against", "p.json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "p.json: spec.trafic: no such field of a MeshConfig; did you mean" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"spec": 5}, "spec: expected an object, got a whole number"),
        ({"metadata": {"name": ["a"]}}, "spec: expected an object, got nothing"),
        ({"spec": {"traffic": []}}, "spec.traffic: expected an object, got a list"),
        ({"spec": {"traffic": {"outboundPortExclusionList": 5}}},
         "spec.traffic.outboundPortExclusionList: expected a list, got a whole number"),
    ],
)  # fmt: skip
def test_a_mesh_config_of_wrong_types_is_bad_input(
    work: Reviewed, given: dict[str, object], said: str
) -> None:
    """Taken for an empty one, all that is declared would be told as new."""
    (work.directory / "mesh.json").write_text(json.dumps({"kind": "MeshConfig"} | given))
    done = work.diff("dev", "--against", "mesh.json")
    assert (done.exit_code, done.stderr) == (2, f"fsm-stack: error: mesh.json: {said}\n")
    (work.directory / "mesh.json").write_text(json.dumps({"kind": "MeshConfig", "spec": {}}))
    assert work.diff("dev", "--against", "mesh.json").exit_code == 1


def test_a_patch_that_takes_policy_away_stops_as_the_setting_does(work: Reviewed) -> None:
    (work.directory / "p.json").write_text(
        '{"spec": {"traffic": {"enablePermissiveTrafficPolicyMode": true}}}'
    )
    said = "medium: Services talk to each other without a policy that allows it (MeshConfig "
    done = work.diff("prod", "--against", "p.json")
    assert (done.exit_code, said in done.stdout) == (1, True), done.stdout
    assert work.diff("prod", "--against", "rendered/prod").exit_code == 0
    key = "enablePermissiveTrafficPolicyMode"
    work.change(f"{key}: false", f"{key}: true", stack="prod")
    done = work.diff("prod", "--against", "rendered/prod")
    assert (done.exit_code, said in done.stdout) == (1, True), done.stdout


def test_a_saved_mesh_config_is_what_was_before(work: Reviewed, tmp_path: Path) -> None:
    saved = work.directory / "rendered/dev/objects/2-mesh-config/meshconfig-fsm-mesh-config.yaml"
    shutil.copy(saved, work.directory / "saved.yaml")
    work.exclude_443()
    for option in ("--against", "--from"):
        path = str(work.directory / "saved.yaml") if option == "--from" else "saved.yaml"
        done = work.diff("dev", option, path)
        assert done.exit_code == 1
        assert done.stdout.splitlines()[1] == f"high: {SENTENCE}"
    assert not (tmp_path / "saved.yaml").exists()


def test_two_scripts_are_compared_without_a_project(run: Run, tmp_path: Path) -> None:
    script = (ROOT / "rendered/dev/redirection/mesh.sh").read_text()
    (tmp_path / "old.sh").write_text(script)
    (tmp_path / "new.sh").write_text(
        script.replace("--dports 6379,7070", "--dports 6379,7070,443")
    )
    done = run("diff", "-C", str(tmp_path), "old.sh", "new.sh")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1] == (
        "high: TCP 443 to any address leaves the mesh on every pod: no mTLS, no policy"
    )


def test_a_pods_script_is_compared_with_its_profiles(work: Reviewed) -> None:
    path = "rendered/dev/redirection/profiles/operator.sh"
    same = work.diff("dev", "--against", path, "--profile", "operator")
    assert same.stdout.splitlines()[1] == "nothing: Nothing changes"
    work.change("presets: [kubernetes-api]", "presets: [kubernetes-api, cloud-metadata]")
    other = work.diff("dev", "--against", path, "--profile", "operator")
    assert "medium: TCP to 169.254.169.254/32 leaves the mesh" in other.stdout
    assert work.diff("dev", "--against", path, "--fail-on", "low").exit_code == 1


def test_two_environments_are_compared(work: Reviewed) -> None:
    found = document(work.diff("dev", "prod", "-o", "json"))
    assert (found["before"]["title"], found["after"]["title"]) == ("dev", "prod")
    assert found["layers"] == ["settings", "objects", "rules", "traffic"]


def test_workloads_say_who_has_to_restart(work: Reviewed) -> None:
    work.exclude_443()
    (work.directory / "web.yaml").write_text(WEB)
    done = work.diff("dev", "--against", "main", "--workloads", str(work.directory / "web.yaml"))
    assert done.stdout.splitlines()[2] == (
        "New pods change at once, running ones at their restart: 3 pods in 1 namespace."
    )
    assert "  kubectl rollout restart deployment/web -n shop" in done.stdout.splitlines()


@pytest.mark.parametrize("head", ["# what is rolled out\n", "---\n# Source: shop/web.yaml\n\n"])
def test_workloads_may_begin_with_a_comment(work: Reviewed, run: Run, head: str) -> None:
    """Helm writes one above each object."""
    work.exclude_443()
    path = work.directory / "web.yaml"
    path.write_text(head + WEB)
    done = work.diff("dev", "--against", "main", "--workloads", str(path))
    assert done.exit_code == 1
    assert "  kubectl rollout restart deployment/web -n shop" in done.stdout.splitlines()
    words = ("contracts", "-C", str(work.directory), "prod", "--workloads", str(path))
    assert run(*words).exit_code == 0
    path.write_text("# no object: here\n")
    assert run(*words).exit_code == 2


def test_a_contract_of_all_stacks_that_goes_is_told_once(work: Reviewed) -> None:
    policy = work.directory / "fsm-stack.yaml"
    head, _, rest = policy.read_text().partition("contracts:\n")
    kept = [line for line in rest.splitlines() if not line.startswith((" ", "-"))]
    policy.write_text("\n".join([head, *kept]) + "\n")
    done = work.diff("--against", "main")
    assert done.exit_code == 1
    told, last = done.stdout.splitlines()[:-1], done.stdout.splitlines()[-1]
    assert all(line.startswith("no longer agreed on: ") for line in told)
    assert last == "dev, prod, staging: nothing else changes"
    assert "Nothing changes" not in work.diff("--against", "main", "-o", "markdown").stdout


def test_sarif_names_the_entry(work: Reviewed) -> None:
    work.exclude_443()
    found = document(work.diff("dev", "--against", "main", "-o", "sarif"))
    results = {one["ruleId"]: one for one in found["runs"][0]["results"]}
    place = results["traffic-bypasses"]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "Pulumi.dev.yaml"}, "region": {"startLine": 12}}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dev", "--against", ""), "--against: expected a Git revision or a path, got an empty word"),
        (("dev", ""), "expected a stack or a file, got an empty word"),
        (("--against", ""), "expected a Git revision"),
        (("dev",), "expected two STACKs or FILEs, or one STACK with --against"),
        (("dev", "prod", "--against", "main"), "expected two STACKs or FILEs"),
        (("dev", "--against", "-x"), "'-x': expected a Git revision"),
        (("dev", "--against", "mian"), "--against mian: no such path, and as a revision 'mian': no such "
         "revision here"),
        (("README.md", "--against", "main"), "README.md"),
        (("dve", "--against", "main"), "'dve': no such stack or file; did you mean 'dev'?"),
        (("dev", "--fsm-version", "9.9.9"), "expected '1.5.1' or '1.6.0', got '9.9.9'"),
        (("dev", "prod", "--profile", "x"), "--profile: expected --against FILE"),
        (("dev", "--against", "main", "--expect", "443"), "--expect: expected 'bypass TRAFFIC'"),
        (("dev", "--all-stacks"), "--all-stacks: expected no STACK and no other side"),
        (("--all-stacks", "-o", "markdown"), "--all-stacks: expected --output text, json or sarif"),
        (("dev", "--against", "README.md"), "README.md"),
        (("dev", "--against", "rendered"), "rendered: expected a tree that fsm-stack render wrote"),
    ],
)  # fmt: skip
def test_bad_input_says_what_was_expected(
    work: Reviewed, words: tuple[str, ...], message: str
) -> None:
    done = work.diff(*words)
    assert done.exit_code == 2
    assert message in done.stderr.replace("\n", " ")


def test_a_word_that_is_a_path_and_a_revision_is_refused(work: Reviewed) -> None:
    (work.directory / "main").mkdir()
    done = work.diff("dev", "--against", "main")
    assert done.exit_code == 2
    assert "write ./main for the path, or refs/heads/main for the branch" in done.stderr


def test_hostile_names_of_branches_and_files_stay_text(work: Reviewed) -> None:
    branch = "x;$(touch${IFS}pwned)`id`"
    work.git("branch", branch)
    work.exclude_443()
    done = work.diff("dev", "--against", branch, "-o", "markdown")
    assert done.exit_code == 1
    assert "$(touch" not in done.stdout
    assert not (work.directory / "pwned").exists()


class TestEnvironments:
    def test_these_environments_differ_in_what_is_listed_only(self, work: Reviewed) -> None:
        done = work.diff("--all-stacks")
        assert (done.exit_code, done.stdout) == (
            0,
            "every difference from prod is listed as allowed\n",
        )

    def test_a_difference_that_is_not_listed_is_a_finding_with_its_place(
        self, work: Reviewed
    ) -> None:
        work.change(
            "enableReconciler: true",
            "enableReconciler: true\n  fsm-stack:warmup: {enable: true}",
            "prod",
        )
        done = work.diff("--all-stacks", "-o", "json")
        assert done.exit_code == 1
        found = document(done)["findings"]
        assert {item["id"] for item in found} == {"environment-differs"}
        assert {item["place"]["path"] for item in found} == {"warmup.enable"}

    def test_a_reference_that_is_no_stack_is_bad_input(self, work: Reviewed) -> None:
        (work.directory / "fsm-stack.yaml").write_text("environments: {reference: prd}\n")
        done = work.diff("--all-stacks")
        assert done.exit_code == 2
        assert "fsm-stack.yaml: 'prd': no such stack; did you mean 'prod'?" in done.stderr

    def test_without_the_file_it_says_what_to_write(self, work: Reviewed) -> None:
        (work.directory / "fsm-stack.yaml").unlink()
        done = work.diff("--all-stacks")
        assert done.exit_code == 2
        assert (
            "expected fsm-stack.yaml with environments: a reference, and mayDiffer" in done.stderr
        )


def test_a_rendered_mesh_config_counts_and_not_the_script_beside_it(work: Reviewed) -> None:
    """Pods get what a controller applies; the scripts of the tree are there to be read."""
    for name in STACKS:
        same = work.diff(name, "--against", f"rendered/{name}")
        assert "the scripts beside it" not in same.stdout
    path = work.directory / "rendered/dev/objects/2-mesh-config/meshconfig-fsm-mesh-config.yaml"
    text = path.read_text()
    assert "    - 7070\n" in text
    path.write_text(text.replace("    - 7070\n", "    - 7070\n    - 443\n", 1))
    done = work.diff("dev", "--against", "rendered/dev")
    assert done.stdout.splitlines()[1] == (
        "low: TCP 443 to any address goes through the sidecar on every pod, apart from what still "
        "bypasses it"
    )
    assert "the scripts beside it are not of it" in done.stdout
    shutil.copytree(work.directory / "rendered/dev", work.directory / "rendered/hand")
    work.git("checkout", "-q", "rendered/dev")
    done = work.diff("rendered/dev", "rendered/hand")
    assert done.exit_code == 1
    assert "TCP 443 to any address leaves the mesh on pods without a profile" in done.stdout


class TestContracts:
    def test_these_stacks_keep_what_was_agreed(self, run: Run) -> None:
        done = run("contracts", "-C", str(ROOT))
        assert done.exit_code == 0
        assert done.stdout.splitlines() == [f"{name}: 2 contracts, all kept" for name in STACKS]

    def test_a_broken_one_names_the_entry_and_a_witness(self, work: Reviewed, run: Run) -> None:
        work.change("[6379, 7070]", "[6379, 7070, 5432]")
        done = run("contracts", "-C", str(work.directory), "dev")
        assert done.exit_code == 1
        assert done.stdout.splitlines()[0] == (
            "Pulumi.dev.yaml:12 traffic.outboundPortExclusionList[2]: error: tcp 5432,3306 to "
            "pods over eth0: always: TCP 5432 to any address bypasses the mesh on every pod; witness "
            "tcp 10.244.0.1:5432 over eth0, uid 1000 [contract-broken]"
        )

    @pytest.mark.parametrize("link", [True, False])
    def test_a_file_of_contracts_that_cannot_be_read_is_not_none(
        self,
        work: Reviewed,
        run: Run,
        link: bool,  # noqa: FBT001
    ) -> None:
        path = work.directory / "fsm-stack.yaml"
        path.unlink()
        path.symlink_to("lost.yaml") if link else path.mkdir()
        done = run("contracts", "-C", str(work.directory))
        assert done.exit_code == 2
        assert "fsm-stack.yaml: " in done.stderr

    def test_a_mode_without_scripts_keeps_none(self, work: Reviewed, run: Run) -> None:
        """Nothing says what is redirected: that is no contract kept, wherever it is told."""
        node = work.directory / "Pulumi.node.yaml"
        text = (work.directory / "Pulumi.dev.yaml").read_text()
        head, lists = text.split("    # Ranges and ports")
        rest = lists[lists.index("  fsm-stack:observability:") : lists.index("  fsm-stack:annot")]
        node.write_text(f"{head}    interceptionMode: NodeLevel\n{rest}")
        why = (
            "traffic.interceptionMode NodeLevel: pods get no init container, and no script says what "
            "is redirected"
        )
        done = run("contracts", "-C", str(work.directory), "node")
        assert (done.exit_code, done.stdout.splitlines()) == (
            1, [f"error: node: {why} [contract-unproved]", "node: 2 contracts, not proved"],
        )  # fmt: skip
        told = document(run("contracts", "-C", str(work.directory), "node", "-o", "json"))
        assert told["stacks"][0]["unproved"] == [why]
        assert "  contracts:  2, not proved" in run("fleet", "-C", str(work.directory)).stdout
        done = work.diff("--against", "HEAD")
        assert done.exit_code == 1
        assert f"node: is new, and no contract of it can be proved: {why}" in done.stdout
        work.git("add", "-A")
        work.git("commit", "-qm", "New")
        node.write_text(node.read_text().replace("debug", "info"))
        assert f"no contract is proved: {why}" in work.diff("node", "--against", "HEAD").stdout

    @pytest.mark.parametrize("words", [("dev",), ()])
    def test_a_request_that_takes_every_contract_away_is_held_to_them(
        self, work: Reviewed, words: tuple[str, ...]
    ) -> None:
        """The form of one stack and that of all."""
        path = work.directory / "fsm-stack.yaml"
        path.write_text("environments:" + path.read_text().partition("environments:")[2])
        done = work.diff(*words, "--against", "main")
        assert done.exit_code == 1
        gone = "tcp 5432,3306 to pods over eth0: always"
        if words:
            said = "medium: Nothing holds the mesh to this contract any more"
            assert f"{said} ({gone})" in done.stdout.splitlines()
            assert "Nothing changes" not in done.stdout
        work.change("[6379, 7070]", "[6379, 7070, 5432]")
        done = work.diff(*words, "--against", "main", "--expect", "bypass tcp 5432 to any")
        assert done.exit_code == 1
        said = (
            "Breaks the contract tcp 5432,3306 to pods over eth0: always: TCP 5432 to any address"
        )
        assert said in done.stdout

    @pytest.mark.parametrize("file", ["fsm-stack.yaml", "Pulumi.dev.yaml"])
    def test_a_new_contract_that_is_not_kept_stops(self, work: Reviewed, file: str) -> None:
        """It was so before, and nobody had agreed to the contrary."""
        one = "{traffic: tcp 6379 to pods over eth0, verdict: always, reason: r, owner: o}"
        path = work.directory / file
        if file == "fsm-stack.yaml":
            path.write_text(path.read_text().replace("contracts:\n", f"contracts:\n  - {one}\n"))
        else:
            path.write_text(f"{path.read_text()}  fsm-stack:contracts: [{one}]\n")
        said = (
            "New contract, not kept: tcp 6379 to pods over eth0: always: TCP 6379 to any address"
        )
        for words in (("dev",), ()):
            done = work.diff(*words, "--against", "main")
            assert done.exit_code == 1
            assert said in done.stdout
            assert "tcp 6379 to pods over eth0: always (new contract, not kept)" in done.stdout
        work.git("commit", "-qam", "Agree")
        work.change("[8081]", "[8081, 9]")
        done = work.diff("dev", "--against", "main", "--fail-on", "high")
        assert done.exit_code == 0
        assert "tcp 6379 to pods over eth0: always (was broken before)" in done.stdout

    def test_a_workload_can_break_one(self, work: Reviewed, run: Run) -> None:
        own = 'annotations: {flomesh.io/outbound-port-exclusion-list: "5432"}, labels:'
        (work.directory / "web.yaml").write_text(
            WEB.replace("template: {metadata: {labels:", f"template: {{metadata: {{{own}")
        )
        words = (
            "contracts",
            "-C",
            str(work.directory),
            "dev",
            "--workloads",
            str(work.directory / "web.yaml"),
        )
        found = document(run(*words, "-o", "json"))
        assert [one["scopes"] for one in found["stacks"][0]["broken"]] == [["shop/Deployment/web"]]
        assert document(run(*words, "-o", "sarif"))["runs"][0]["results"]


class TestBlame:
    def blamed(self, work: Reviewed, run: Run, *words: str) -> Result:
        return run("blame", "-C", str(work.directory), "dev", *words)

    def test_the_commit_is_told_with_who_and_which_request(self, work: Reviewed, run: Run) -> None:
        work.exclude_443()
        work.git("commit", "-qam", "Exclude 443 (#77)")
        lines = self.blamed(work, run, "--to", "10.0.0.8:443").stdout.splitlines()
        assert lines[:2] == [
            "untouched: these outbound ports are excluded",
            "  traffic.outboundPortExclusionList[2] 443",
        ]
        assert lines[2].startswith("since ")
        assert lines[2].endswith(" by Ada: Exclude 443 (#77), request 77")
        assert lines[3] == "before: to the outbound listener (15001)"

    def test_json_has_the_same(self, work: Reviewed, run: Run) -> None:
        found: dict[str, Any] = document(
            self.blamed(work, run, "--to", "1.1.1.1:80", "-o", "json")
        )
        assert found["commit"] is None
        assert found["now"]["verdict"] == "untouched"
        assert found["now"]["entries"] == ["traffic.outboundIPRangeExclusionList[0] 1.1.1.1/32"]

    def test_another_stack_is_bad_input(self, work: Reviewed, run: Run) -> None:
        done = run("blame", "-C", str(work.directory), "dve", "--to", "1.1.1.1:80")
        assert done.exit_code == 2


def shown_in(page: str, after: str) -> list[str]:
    """The block of output below a command of a page."""
    text = (ROOT / page).read_text(encoding="utf-8").split(after, 1)[1]
    return text.split("```text\n", 1)[1].split("```", 1)[0].splitlines()


@pytest.mark.parametrize(("page", "revision"), [("README.md", "HEAD"), ("docs/review.md", "main")])
def test_the_pages_show_what_is_printed(work: Reviewed, page: str, revision: str) -> None:
    work.exclude_443()
    done = work.diff("dev", "--against", revision)
    shown = shown_in(page, f"fsm-stack diff dev --against {revision}\n")
    first, *rest = done.stdout.splitlines()
    assert [re.sub(r"\([0-9a-f]{12}\)", "(…)", first), *rest][: len(shown)] == shown


def test_the_page_shows_a_blame(work: Reviewed, run: Run) -> None:
    work.exclude_443()
    work.git("commit", "-qam", "Exclude 443 (#77)")
    done = run("blame", "-C", str(work.directory), "dev", "--to", "10.0.0.8:443")
    plain = re.sub(r"since [0-9a-f]{12} of \S+", "since COMMIT of DAY", done.stdout)
    shown = "\n".join(shown_in("docs/review.md", "fsm-stack blame dev --to 10.0.0.8:443\n"))
    assert (
        plain.splitlines()
        == re.sub(r"since [0-9a-f]{12} of \S+", "since COMMIT of DAY", shown).splitlines()
    )


def test_every_risk_is_on_the_page() -> None:
    page = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
    for level in ("high", "medium", "low"):
        assert f"| {level} | " in page
