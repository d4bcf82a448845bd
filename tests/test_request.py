"""The jobs of a pull request, run as the runners run them, on a request that means harm."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from fsm_stack.review.reports.report import MARKDOWN_MAX, MARKER
from tests.review.test_report import outside_of_code

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
HOSTILE = (
    "::set-env name=A::b ##[add-mask]x @team #7 ![x](https://evil.example/x.png) "
    "[a](javascript:1) <img src=x> </details> $(touch pwned) `touch pwned`"
)
BRANCH = "$(touch${IFS}pwned);`touch${IFS}pwned`"
JOINER = "\u2060"
MAIN = "from fsm_stack.cli.main import main; main()"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Request:
    """A clone of a project of this repository's stacks, on a hostile branch."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.head = directory, directory / "head"
        self.head.mkdir()
        self.git("init", "-q", "-b", "main")
        for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "fsm-stack.yaml"):
            shutil.copy(ROOT / name, self.head)
        agreed = yaml.safe_load((self.head / "fsm-stack.yaml").read_text())
        (self.head / "fsm-stack.yaml").write_text(
            yaml.safe_dump({"contracts": agreed["contracts"]})
        )
        self.base = self.commit("Begin")
        self.git("checkout", "-q", "-b", BRANCH)
        program = directory / "temp/fsm-stack/bin/fsm-stack"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -c "{MAIN}" "$@"\n')
        program.chmod(0o755)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words],
            cwd=self.head, check=True, capture_output=True, text=True,
            env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, message: str = "Change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def exclude_443(self, reason: str = "") -> None:
        entry = json.dumps({"value": 443, "reason": reason, "owner": reason}) if reason else "443"
        path = self.head / "Pulumi.dev.yaml"
        path.write_text(path.read_text().replace("[6379, 7070]", f"[6379, 7070, {entry}]"))

    def reviewed(
        self, base: str | None = None, project: str = "head"
    ) -> subprocess.CompletedProcess[str]:
        """The action's step, with what the workflow gives it."""
        steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
        values = {
            "TOOL": str(ROOT), "PROJECT": project, "REPORT": "review", "FAIL_ON": "medium",
            "BASE": self.base if base is None else base,
            "RUNNER_TEMP": str(self.directory / "temp"), "GITHUB_HEAD_REF": BRANCH,
            "GITHUB_STEP_SUMMARY": str(self.directory / "summary.md"), "PYTHONPATH": str(ROOT),
            "PROGRAM": "",
            "PATH": os.environ["PATH"], "NO_COLOR": "1",
        }  # fmt: skip
        assert set(steps[1]["env"]) <= set(values)
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[1]["run"]],
            cwd=self.directory, env=values, capture_output=True, text=True, check=False,
        )  # fmt: skip

    @property
    def comment(self) -> str:
        return (self.directory / "review/comment.md").read_text(encoding="utf-8")

    def nothing_ran(self) -> bool:
        return not [path for path in self.directory.rglob("pwned") if path.exists()]


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    return Request(tmp_path)


def test_a_hostile_request_is_stopped_and_does_nothing_else(request_: Request) -> None:
    """Branch, names of files, text of settings, subject of the commit: all of it stays text."""
    request_.exclude_443(HOSTILE)
    (request_.head / "Pulumi.$(touch pwned).yaml").write_text("config: {}\n")
    (request_.head / "Pulumi.::error::x.yaml").write_text("config: {}\n")
    (request_.head / "Pulumi.-rf.yaml").write_text("config: {fsm-stack:trafic: {}}\n")
    (request_.head / "fsm_stack").mkdir()
    (request_.head / "fsm_stack/__init__.py").write_text("open('pwned', 'w')\n")
    (request_.head / "sitecustomize.py").write_text("open('pwned', 'w')\n")
    (request_.head / ".gitattributes").write_text("* diff=evil filter=evil\n")
    request_.commit(HOSTILE)
    done = request_.reviewed()
    assert done.returncode == 2, done.stderr  # two of its stack files do not validate
    assert request_.nothing_ran()
    log = done.stdout + done.stderr
    assert f"dev at {request_.base[:12]} -> dev" in log
    assert "TCP 443 to any address leaves the mesh" in log
    assert "::" not in log
    assert "##[" not in log
    comment = request_.comment
    assert comment.splitlines()[0] == MARKER
    assert comment.splitlines()[1].startswith("### Stopped: ")
    assert "- `-rf` **stops**: is new: " in comment
    assert not re.search(
        rf"@(?!{JOINER})|!\[|\]\(|<img|(?<!{JOINER})://", outside_of_code(comment)
    )
    assert (request_.directory / "summary.md").read_text(encoding="utf-8") == comment


def test_a_request_without_a_change_passes_and_says_so(request_: Request) -> None:
    (request_.head / "README.md").write_text("x\n")
    request_.commit()
    done = request_.reviewed()
    assert (done.returncode, done.stderr) == (0, "")
    assert request_.comment.splitlines()[1:] == [
        "### Passed: No stack changes",
        "",
        "- `dev`: its file is unchanged",
        "- `prod`: its file is unchanged",
    ]


def test_what_the_target_did_meanwhile_is_no_part_of_the_request(request_: Request) -> None:
    (request_.head / "README.md").write_text("x\n")
    request_.commit()
    request_.git("checkout", "-q", "main")
    request_.exclude_443()
    moved = request_.commit()
    request_.git("checkout", "-q", BRANCH)
    assert request_.reviewed(moved).returncode == 0


def test_a_project_that_is_new_is_not_stopped_by_its_own_file(request_: Request) -> None:
    base = request_.base
    request_.git("rm", "-q", "-r", "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml")
    empty = request_.commit()
    request_.git("checkout", "-q", base, "--", ".")
    request_.commit()
    assert request_.reviewed(empty).returncode == 0
    assert "Pulumi&#46;yaml" not in request_.comment
    assert "Pulumi.yaml" not in request_.comment


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "config:\n",
            "config:\n  fsm-stack:sidecar: {value: {localProxyMode: PodIP}}\n",
            "cannot be compared: dev: its settings do not validate: Pulumi.yaml:",
        ),
        ("default: {}", "default: {localProxyMode: PodIP}", "project-setting"),
        ("config:\n", "stackConfigDir: other\nconfig:\n", "changes stackConfigDir"),
        ("config:\n", "config: [\n", "cannot be read"),
    ],
)
def test_what_the_project_s_file_gives_every_stack_is_not_unchanged(
    request_: Request, old: str, new: str, said: str
) -> None:
    """The engine takes it where a stack says nothing, and no stack file shows it."""
    path = request_.head / "Pulumi.yaml"
    path.write_text(path.read_text().replace("default: {}", "default: {} # none"))
    request_.commit()
    assert request_.reviewed().returncode == 0
    path.write_text(path.read_text().replace(old, new, 1))
    request_.commit()
    assert request_.reviewed().returncode in (1, 2)
    assert said in request_.comment.replace("&#58;", ":")


def test_a_contract_that_a_request_takes_away_binds_it_still(request_: Request) -> None:
    """Else whoever breaks a contract would delete it in the same pull request."""
    (request_.head / "fsm-stack.yaml").unlink()
    path = request_.head / "Pulumi.dev.yaml"
    path.write_text(path.read_text().replace("[6379, 7070]", "[6379, 7070, 5432]"))
    request_.commit()
    assert request_.reviewed().returncode == 1
    comment = request_.comment
    assert comment.splitlines()[1].startswith(
        "### Stopped: dev: Breaks the contract tcp 5432,3306"
    )
    assert "**Contracts of every stack that go**" in comment
    assert "- `inbound tcp 8080,8443 over eth0: always`" in comment


@pytest.mark.parametrize("base", ["--output=pwned", "-h", "", "$(touch pwned)", COMMIT])
def test_a_base_that_is_no_commit_here_is_refused(request_: Request, base: str) -> None:
    done = request_.reviewed(base)
    assert done.returncode == 2
    assert done.stderr.startswith("tools/review: ")
    assert "commit" in done.stderr
    assert request_.nothing_ran()
    # else a comment of an older state, which passed, would stay
    assert request_.comment.startswith(f"{MARKER}\n### Stopped: the change could not be reviewed")


def test_a_report_is_not_led_elsewhere_by_a_link(request_: Request) -> None:
    (request_.directory / "review").symlink_to(request_.directory / "head")
    done = request_.reviewed()
    assert done.returncode == 2
    assert done.stderr == "tools/review: expected a folder for the report, not a link\n"


def test_a_repository_that_a_request_brings_is_not_asked(request_: Request) -> None:
    """In a project's folder it could say that nothing changed, and name programs for Git to run."""
    folder = request_.head / "mesh"
    folder.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "fsm-stack.yaml"):
        request_.git("mv", name, f"mesh/{name}")
    base = request_.commit("Move")
    path = folder / "Pulumi.dev.yaml"
    path.write_text(path.read_text().replace("[6379, 7070]", "[6379, 7070, 443]"))
    request_.git("add", "-A")
    tree = request_.git("write-tree", "--prefix=mesh")
    lie = request_.git("commit-tree", "-m", "It was so", tree)
    request_.git("replace", "--graft", base, lie)
    shutil.copytree(request_.head / ".git/objects", folder / "objects")
    shutil.copytree(request_.head / ".git/refs/replace", folder / "refs/replace")
    request_.git("replace", "-d", base)
    (folder / "HEAD").write_text(f"{lie}\n")
    (folder / "config").write_text("[core]\nbare = true\nfsmonitor = touch pwned\n")
    request_.commit()
    done = request_.reviewed(base, "head/mesh")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tools/review: the base has no commit in common")
    assert request_.nothing_ran()


def test_a_trailer_that_is_none_is_said_in_the_comment(request_: Request) -> None:
    request_.exclude_443()
    request_.commit("X\n\nTraffic-Change: please")
    done = request_.reviewed()
    assert done.returncode == 2
    assert "expected 'bypass TRAFFIC'" in done.stdout
    assert request_.comment.startswith(f"{MARKER}\n### Stopped: the change could not be reviewed")


def test_the_comment_fits_however_many_stacks_change(request_: Request) -> None:
    text = (request_.head / "Pulumi.dev.yaml").read_text()
    for number in range(12):
        (request_.head / f"Pulumi.dev{number}.yaml").write_text(text)
    request_.base = request_.commit()
    for path in request_.head.glob("Pulumi.dev*.yaml"):
        path.write_text(text.replace("[6379, 7070]", "[6379, 7070, 443]"))
    request_.commit()
    assert request_.reviewed().returncode == 1
    assert len(request_.comment) <= MARKDOWN_MAX
    assert request_.comment.count("**stops**") == 13
    assert request_.comment.count("<details><summary>dev") == 13


def test_gitlab_runs_the_same_on_a_tool_that_is_pinned() -> None:
    text = (ROOT / "docs/ci/gitlab-ci.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["review"]
    assert job["variables"] == {"GIT_DEPTH": "0", "GIT_SUBMODULE_STRATEGY": "none"}
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    assert job["artifacts"]["paths"] == ["review/"]
    script = "\n".join(job["script"])
    # Texts of a merge request: a title, a branch, a message, whatever variable names them.
    assert set(re.findall(r"\$\{?(CI_\w+)", script)) == {
        "CI_PROJECT_DIR", "CI_MERGE_REQUEST_DIFF_BASE_SHA"
    }  # fmt: skip
    assert not re.findall(r"TOKEN|PASSWORD", text)
    for commit in ("", "main", "--help", "v1; touch pwned"):
        done = subprocess.run(
            ["bash", "-c", job["script"][0]],
            env={"PATH": os.environ["PATH"], "FSM_STACK_COMMIT": commit, "FSM_STACK_SOURCE": "x"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == "FSM_STACK_COMMIT: expected the full id of a commit\n"


def test_gitlab_runs_the_image_on_the_same_data() -> None:
    """What differs is where the tool comes from."""
    jobs = [
        yaml.safe_load((ROOT / "docs/ci" / name).read_text(encoding="utf-8"))["review"]
        for name in ("gitlab-ci.yml", "gitlab-ci-image.yml")
    ]
    for key in ("rules", "variables", "artifacts"):
        assert jobs[0][key] == jobs[1][key]
    tool, image = (job["script"][-1].split() for job in jobs)
    assert image[:2] == ["fsm-stack-review", "fsm-stack"]
    assert tool[2:] == image[2:]
    assert jobs[1]["image"] == {"name": "$FSM_STACK_IMAGE", "entrypoint": [""]}


def action(number: int, **values: str) -> list[str]:
    """What a step of the action runs: the words of each program, with stand-ins for all of them."""
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    given = {key: values.get(key, "") for key in steps[number]["env"]} | {"RUNNER_TEMP": "/temp"}
    script = steps[number]["run"]
    for program in ('"$RUNNER_TEMP/fsm-stack/bin/python"', '"$TOOL/tools/review"', "python3"):
        script = script.replace(program, f"echo {program}")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_the_action_installs_its_revision_a_wheel_or_nothing() -> None:
    _, locked, own = action(0, TOOL="/tool")
    assert locked.endswith("--require-hashes -r /tool/requirements-base.txt")
    assert own.endswith("--no-deps --no-build-isolation /tool")
    assert action(0, TOOL="/tool", WHEEL="a.whl")[-1].endswith("--no-build-isolation a.whl")
    assert action(0, TOOL="/tool", PROGRAM="fsm-stack") == []


def test_the_action_reviews_with_the_program_that_is_there() -> None:
    (own,) = action(1, TOOL="/tool", PROJECT="head", BASE="b", REPORT="r", FAIL_ON="low")
    assert own == "/tool/tools/review /temp/fsm-stack/bin/fsm-stack head b r low"
    (there,) = action(
        1, TOOL="/tool", PROGRAM="fsm-stack", PROJECT="head", BASE="b", REPORT="r", FAIL_ON="low"
    )
    assert there == "/tool/tools/review fsm-stack head b r low"


@dataclass
class Api:
    """As much of GitHub's API as the comment needs."""

    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, body: Any) -> Any:
        parts = urlsplit(path)
        words, query = parts.path.split("/")[4:], parse_qs(parts.query)
        if method == "PATCH":
            (one,) = [one for one in self.comments if one["id"] == int(words[2])]
            one["body"] = body["body"]
            return one
        if method == "POST":
            self.comments.append(said(len(self.comments) + 1, body["body"]))
            return self.comments[-1]
        if words[0] == "issues":
            start = (int(query["page"][0]) - 1) * int(query["per_page"][0])
            return self.comments[start : start + int(query["per_page"][0])]
        if len(words) == 2:
            return next(one for one in self.pulls if one["number"] == int(words[1]))
        head = query["head"][0]
        return [one for one in self.pulls if one["head"]["label"] == head]


def said(number: int, body: str, login: str = "github-actions[bot]", kind: str = "Bot") -> Any:
    return {"id": number, "body": body, "user": {"login": login, "type": kind}}


def pull(number: int = 7, **changes: Any) -> dict[str, Any]:
    return {
        "number": number, "state": "open", "head": {"sha": COMMIT, "label": f"eve:{BRANCH}"},
        "base": {"repo": {"full_name": "own/mesh"}},
    } | changes  # fmt: skip


@pytest.fixture
def api() -> Iterator[Api]:
    known = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            assert self.headers["Authorization"] == "Bearer secret"
            known.asked.append(f"{self.command} {self.path}")
            answer = json.dumps(known.answer(self.command, self.path, body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PATCH = do_GET  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def posted(api: Api, directory: Path, text: str, **run: Any) -> subprocess.CompletedProcess[str]:
    """The last step of the workflow, started by an event of a fork unless said otherwise."""
    event = {
        "head_sha": COMMIT, "head_branch": BRANCH, "pull_requests": [],
        "head_repository": {"owner": {"login": "eve"}},
    } | run  # fmt: skip
    (directory / "event.json").write_text(json.dumps({"workflow_run": event}))
    (directory / "comment.md").write_text(text, encoding="utf-8")
    workflow = yaml.safe_load((ROOT / ".github/workflows/review-comment.yaml").read_text())
    (job,) = workflow["jobs"].values()
    command = job["steps"][-1]["run"].replace("base/", f"{ROOT}/")
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command.replace("$RUNNER_TEMP/review/", "")],
        cwd=directory, capture_output=True, text=True, check=False,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_EVENT_PATH": "event.json", "GITHUB_API_URL": api.url,
            "GITHUB_REPOSITORY": "own/mesh", "GITHUB_TOKEN": "secret",
        },
    )  # fmt: skip


def test_the_comment_is_written_once_and_then_replaced(api: Api, tmp_path: Path) -> None:
    """It is found by author and marker: others may write the marker, too."""
    api.pulls = [pull(), pull(8, head={"sha": COMMIT[::-1], "label": f"eve:{BRANCH}"})]
    api.comments = [said(n, f"{MARKER}\nmine", "eve", "User") for n in range(1, 151)]
    first = posted(api, tmp_path, f"{MARKER}\n### Stopped: x\n")
    assert (first.returncode, first.stdout) == (0, "#7: comment written\n"), first.stderr
    second = posted(api, tmp_path, f"{MARKER}\n### Passed: y\n")
    assert (second.returncode, second.stdout) == (0, "#7: comment replaced\n")
    assert len(api.comments) == 151
    assert api.comments[-1]["body"] == f"{MARKER}\n### Passed: y\n\n\nReview of {COMMIT}\n"
    assert {one["body"] for one in api.comments[:-1]} == {f"{MARKER}\nmine"}
    assert "head=eve%3A%24%28touch%24%7BIFS%7Dpwned%29%3B%60touch" in api.asked[0]


def test_the_number_is_the_events_and_not_the_reports(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull(9)]
    done = posted(api, tmp_path, f"{MARKER}\n#7\n", pull_requests=[{"number": 9}])
    assert done.stdout == "#9: comment written\n"
    assert api.asked[0] == "GET /repos/own/mesh/pulls/9"


@pytest.mark.parametrize(
    ("pulls", "run", "message"),
    [
        ([], {}, "expected one open pull request with this commit as head, got none"),
        ([pull(), pull(8)], {}, "expected one open pull request with this commit as head, got #7, #8"),
        ([pull(state="closed")], {}, "expected one open pull request with this commit as head, got none"),
        ([pull(head={"sha": "f" * 40, "label": f"eve:{BRANCH}"})], {}, "expected one open pull request with this commit as head, got none"),
        ([pull(base={"repo": {"full_name": "eve/mesh"}})], {}, "expected one open pull request with this commit as head, got none"),
        ([pull()], {"head_branch": "-rf"}, "the event: expected a branch that does not begin with '-'"),
        ([pull()], {"head_repository": None}, "the event: expected the repository of the branch, it is gone"),
        ([pull()], {"head_sha": "main"}, "the event: expected the full id of a commit"),
    ],
)  # fmt: skip
def test_nothing_is_posted_where_the_request_is_not_sure(
    api: Api, tmp_path: Path, pulls: list[Any], run: dict[str, Any], message: str
) -> None:
    api.pulls = pulls
    done = posted(api, tmp_path, f"{MARKER}\nx\n", **run)
    assert (done.returncode, done.stderr) == (1, f"comment.py: {message}\n")
    assert api.comments == []


def test_a_text_that_is_no_report_is_not_posted(api: Api, tmp_path: Path) -> None:
    api.pulls = [pull()]
    done = posted(api, tmp_path, f"hello\n{MARKER}\n")
    assert done.returncode == 1
    assert done.stderr == f"comment.py: the report: expected {MARKER} in its first line\n"
    assert api.comments == []


def test_a_report_of_a_hostile_job_is_posted_as_text_alone(api: Api, tmp_path: Path) -> None:
    """The job that wrote it ran a workflow that the pull request may have changed."""
    api.pulls = [pull()]
    text = (
        f"{MARKER}\n{HOSTILE} &#64;team &commat;team &#x40;team owner/x#12 &#35;12 www.evil.example "
        "&#119;ww.evil.example https&#58;//evil.example <https://evil.example> [a]: //evil "
        f"<!-- x --> <DETAILS> a\x1b[31m\u202eb\n<details><summary>kept</summary>\n{'x' * 70_000}"
    )
    assert posted(api, tmp_path, text).returncode == 0
    body = api.comments[0]["body"]
    assert len(body) < 65_536
    assert not re.search(
        rf"@(?!{JOINER})|&(#64|commat|#x40|#35|#119|#58);(?!{JOINER})|(?<!&)#\d|!\[|\]\(|\]:|://"
        r"|www\.|\x1b|\u202e",
        body,
    )
    tags = re.findall(r"<[^>\n]{0,30}>?", body)
    kept = {MARKER, "<details>", "</details>", "<summary>", "</summary>"}
    assert [tag for tag in tags if tag not in kept and not tag.startswith(f"<{JOINER}")] == []


def test_our_own_report_is_posted_as_it_is(api: Api, tmp_path: Path) -> None:
    """Else what readers see would not be what was tested; a joiner is not seen."""
    api.pulls = [pull()]
    golden = ROOT / "tests/golden/review/port-443"
    (report,) = golden.glob("*.md")
    text = report.read_text(encoding="utf-8")
    assert posted(api, tmp_path, text).returncode == 0
    body = api.comments[0]["body"].replace(JOINER, "")
    assert body == f"{text}\n\nReview of {COMMIT}\n".replace(JOINER, "")
