"""Git is read and never written; what is missing is a clear message."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.packet import Packet
from fsm_stack.project.blame import blame
from fsm_stack.project.git import Repository, repository
from fsm_stack.project.sides import Sides
from fsm_stack.review.blame import Question, since
from tests.review.sides import TODAY, text, traffic

if TYPE_CHECKING:
    from pathlib import Path

OPEN = text(**traffic(outboundPortExclusionList=[443]))
SHUT = text()
PACKET = Packet(direction="outbound", destination="10.0.0.8", port=443, uid=1000)
FILE = "Pulumi.dev.yaml"


class Work:
    """A repository that a test commits to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.com")
        (directory / "Pulumi.yaml").write_text("name: fsm-stack\n")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.directory, check=True, capture_output=True, text=True,
            env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, content: str | None, message: str = "Change", file: str = FILE) -> str:
        path = self.directory / file
        if content is None:
            path.unlink()
        else:
            path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> Repository:
        return repository(self.directory)

    def blamed(self) -> tuple[str | None, str | None, str]:
        """The commit, the merge and the request."""
        found = blame(self.repository, FILE, Question(PACKET, "mesh", TODAY))
        return (
            found.revision and found.revision.commit,
            found.merge and found.merge.commit,
            found.request,
        )


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_a_file_is_read_as_it_was(work: Work) -> None:
    first = work.commit(SHUT)
    work.commit(OPEN)
    assert work.repository.read(first, FILE) == SHUT.encode()
    assert work.repository.read(first, "Pulumi.prod.yaml") is None
    assert work.repository.read(first, ".") is None


def test_a_link_is_followed_and_not_out_of_the_commit(work: Work) -> None:
    (work.directory / "shared.yaml").write_text(OPEN)
    (work.directory / FILE).symlink_to("shared.yaml")
    (work.directory / "out.yaml").symlink_to("/etc/hostname")
    (work.directory / "lost.yaml").symlink_to("nowhere.yaml")
    commit = work.commit("x", file="other")
    found = [work.repository.read(commit, name) for name in (FILE, "out.yaml", "lost.yaml")]
    assert found == [OPEN.encode(), None, None]


def test_a_project_below_the_root_has_its_own_paths(work: Work) -> None:
    inner = work.directory / "mesh"
    inner.mkdir()
    commit = work.commit(SHUT, file=f"mesh/{FILE}")
    assert repository(inner).read(commit, FILE) == SHUT.encode()


def test_the_work_tree_the_index_and_the_references_stay_as_they_are(work: Work) -> None:
    work.commit(SHUT)
    work.commit(OPEN)
    (work.directory / FILE).write_text("dirty")
    (work.directory / "new").write_text("untracked")
    before = (work.git("status", "--porcelain"), work.git("for-each-ref"), work.git("stash", "list"),
              (work.directory / ".git" / "index").read_bytes())  # fmt: skip
    sides = Sides(start=work.directory, today=TODAY)
    sides.at("dev", "HEAD~1")
    work.blamed()
    after = (work.git("status", "--porcelain"), work.git("for-each-ref"), work.git("stash", "list"),
             (work.directory / ".git" / "index").read_bytes())  # fmt: skip
    assert before == after


@pytest.mark.parametrize("word", ["-x", "--output=/tmp/x", "", "a\nb", "main\x00"])
def test_a_word_that_could_be_an_option_is_no_revision(work: Work, word: str) -> None:
    work.commit(SHUT)
    with pytest.raises(InputError, match="expected a Git revision"):
        work.repository.commit(word)


def test_a_missing_revision_says_how_branches_of_a_remote_are_named(work: Work) -> None:
    work.commit(SHUT)
    with pytest.raises(InputError) as error:
        work.repository.commit("main2")
    assert str(error.value) == (
        "'main2': no such revision here; a branch of a remote is named with it, such as origin/main"
    )


def test_a_shallow_clone_says_how_to_get_the_rest(work: Work, tmp_path: Path) -> None:
    first = work.commit(SHUT)
    work.commit(OPEN, "Open")
    clone = tmp_path / "clone"
    work.git("clone", "-q", "--depth=1", f"file://{work.directory}", str(clone))
    with pytest.raises(InputError) as error:
        repository(clone).commit(first)
    assert str(error.value) == (
        f"'{first}': no such revision here; the clone is shallow: get the rest with "
        "`git fetch --unshallow` (actions/checkout: fetch-depth: 0)"
    )
    found = blame(repository(clone), FILE, Question(PACKET, "mesh", TODAY))
    assert found.shallow
    assert found.revision is None


def test_a_folder_that_looks_like_a_repository_is_none(work: Work) -> None:
    """A request could bring a history of its own in a project's folder, and what Git runs."""
    folder = work.directory / "stacks"
    folder.mkdir()
    work.git("init", "-q", "--bare", str(folder))
    with pytest.raises(InputError, match="expected a Git repository: cannot use bare repository"):
        repository(folder)


def test_no_repository_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a Git repository"):
        repository(tmp_path)


def test_no_git_is_a_message(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.commit(SHUT)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no such program; expected Git"):
        repository(work.directory)


def test_a_renamed_stack_file_is_found_under_its_old_name(work: Work) -> None:
    work.commit(SHUT, file="Pulumi.development.yaml")
    work.git("mv", "Pulumi.development.yaml", FILE)
    work.git("commit", "-qm", "Rename")
    side, _ = Sides(start=work.directory, today=TODAY).at("dev", "HEAD~1")
    assert side.name.file == "Pulumi.development.yaml"


def test_a_stack_that_was_not_there_is_a_message(work: Work) -> None:
    work.commit("x", file="other")
    work.commit(SHUT)
    with pytest.raises(
        InputError, match=r"Pulumi\.dev\.yaml at HEAD~1: no such file; the stack is new"
    ):
        Sides(start=work.directory, today=TODAY).at("dev", "HEAD~1")


def test_a_side_that_does_not_validate_says_which_and_why(work: Work) -> None:
    work.commit(text(**traffic(outboundPortExclusionList=[70000])))
    work.commit(SHUT)
    with pytest.raises(InputError) as error:
        Sides(start=work.directory, today=TODAY).at("dev", "HEAD~1")
    assert str(error.value).startswith("dev at HEAD~1 (")
    assert "its settings do not validate: Pulumi.dev.yaml:" in str(error.value)
    assert "got 70000 [invalid-port]" in str(error.value)


def test_trailers_of_the_commits_since_a_revision(work: Work) -> None:
    first = work.commit(SHUT)
    work.commit(OPEN, "Open\n\nTraffic-Change: bypass tcp 443\nTraffic-Change: bypass tcp 80")
    work.commit(OPEN, "Other\n\nReviewed-by: Bo")
    values = [value for _, value in work.repository.trailers(first, "Traffic-Change")]
    assert values == ["bypass tcp 443", "bypass tcp 80"]


class TestBlame:
    def test_the_commit_that_opened_it_is_named_with_its_request(self, work: Work) -> None:
        work.commit(SHUT)
        opened = work.commit(OPEN, "Exclude 443 (#77)")
        work.commit(OPEN + "# note\n", "Say why (#78)")
        assert work.blamed() == (opened, None, "77")

    def test_of_a_merge_the_commit_inside_and_the_number_of_its_request(self, work: Work) -> None:
        work.commit(SHUT)
        work.git("checkout", "-qb", "open")
        opened = work.commit(OPEN, "Exclude 443")
        work.commit(OPEN + "# note\n", "Say why")
        work.git("checkout", "-q", "main")
        work.commit("x", "Elsewhere", file="other")
        work.git("merge", "-q", "--no-ff", "-m", "Merge pull request #12 from ada/open", "open")
        merge = work.git("rev-parse", "HEAD")
        work.commit("y", "Elsewhere", file="other")
        assert work.blamed() == (opened, merge, "12")

    def test_gitlab_names_the_request_in_the_body(self, work: Work) -> None:
        work.commit(SHUT)
        work.git("checkout", "-qb", "open")
        opened = work.commit(OPEN)
        work.git("checkout", "-q", "main")
        body = "Merge branch 'open' into 'main'\n\nOpen\n\nSee merge request group/mesh!34"
        work.git("merge", "-q", "--no-ff", "-m", body, "open")
        assert work.blamed() == (opened, work.git("rev-parse", "HEAD"), "34")

    def test_a_merge_that_itself_changed_it_is_named_alone(self, work: Work) -> None:
        """Resolved by hand to what neither side had."""
        work.commit(SHUT)
        work.git("checkout", "-qb", "other")
        work.commit(SHUT + "# note\n")
        work.git("checkout", "-q", "main")
        work.git("merge", "-q", "--no-ff", "--no-commit", "other")
        (work.directory / FILE).write_text(OPEN)
        work.git("add", "-A")
        work.git("commit", "-qm", "Merge")
        assert work.blamed() == (work.git("rev-parse", "HEAD"), None, "")

    def test_a_rename_is_followed(self, work: Work) -> None:
        work.commit(SHUT, file="Pulumi.development.yaml")
        opened = work.commit(OPEN, "Open", file="Pulumi.development.yaml")
        work.git("mv", "Pulumi.development.yaml", FILE)
        work.git("commit", "-qm", "Rename")
        assert work.blamed() == (opened, None, "")

    def test_a_name_that_was_given_back_is_followed_to_the_end(self, work: Work) -> None:
        work.commit(SHUT)
        opened = work.commit(OPEN, "Open")
        work.git("mv", FILE, "Pulumi.development.yaml")
        work.git("commit", "-qm", "Rename")
        work.git("mv", "Pulumi.development.yaml", FILE)
        work.git("commit", "-qm", "Rename back")
        assert work.blamed() == (opened, None, "")

    def test_a_name_that_another_stack_had_is_none_of_its_history(self, work: Work) -> None:
        work.commit(OPEN)
        work.commit(None, "Remove")
        work.commit(SHUT, file="Pulumi.test.yaml")
        opened = work.commit(OPEN, "Open", file="Pulumi.test.yaml")
        work.git("mv", "Pulumi.test.yaml", FILE)
        work.git("commit", "-qm", "Rename")
        assert work.blamed() == (opened, None, "")

    def test_of_branches_merged_into_a_branch_the_commit_and_the_last_merge(
        self, work: Work
    ) -> None:
        work.commit(SHUT)
        work.git("checkout", "-qb", "feature")
        work.git("checkout", "-qb", "part")
        opened = work.commit(OPEN, "Open")
        work.git("checkout", "-q", "feature")
        work.commit("x", "Elsewhere", file="other")
        work.git("merge", "-q", "--no-ff", "-m", "Merge part", "part")
        work.git("checkout", "-q", "main")
        body = "Merge pull request #42 from ada/feature"
        work.git("merge", "-q", "--no-ff", "-m", body, "feature")
        assert work.blamed() == (opened, work.git("rev-parse", "HEAD"), "42")

    def test_of_a_merge_of_many_branches_the_commit_of_the_one_that_did_it(
        self, work: Work
    ) -> None:
        work.commit(SHUT)
        work.git("checkout", "-qb", "one")
        work.commit("x", "Elsewhere", file="other")
        work.git("checkout", "-q", "main")
        work.git("checkout", "-qb", "two")
        opened = work.commit(OPEN, "Open")
        work.git("checkout", "-q", "main")
        work.commit("y", "Elsewhere", file="third")
        work.git("merge", "-q", "-m", "Merge both", "one", "two")
        assert work.blamed() == (opened, work.git("rev-parse", "HEAD"), "")

    def test_a_branch_that_kept_what_its_target_took_back_did_not_open_it(
        self, work: Work
    ) -> None:
        """The merge did: it was resolved so."""
        work.commit(OPEN)
        work.git("checkout", "-qb", "kept")
        work.commit(OPEN + "# note\n", "Say why")
        work.git("checkout", "-q", "main")
        work.commit(SHUT, "Shut")
        work.git("merge", "-q", "--no-commit", "-s", "ours", "kept")
        work.git("checkout", "kept", "--", FILE)
        work.git("commit", "-qm", "Merge")
        assert work.blamed() == (work.git("rev-parse", "HEAD"), None, "")

    def test_a_message_and_an_author_are_text_whatever_they_hold(self, work: Work) -> None:
        work.commit(SHUT)
        work.git("config", "user.name", "Ada\x1f\x1e\x1b[31m")
        opened = work.commit(OPEN, "Open \x1e\x1f\x1ex\n\nTraffic-Change: bypass \x1ea\x1ftcp 80")
        assert work.blamed() == (opened, None, "")
        assert len(work.repository.trailers(f"{opened}~1", "Traffic-Change")) == 1

    def test_a_stack_that_was_away_begins_anew(self, work: Work) -> None:
        work.commit(OPEN)
        work.commit(None, "Remove")
        back = work.commit(OPEN, "Bring back")
        assert work.blamed()[0] == back

    def test_it_was_so_from_the_first_commit_on(self, work: Work) -> None:
        work.commit(OPEN)
        work.commit(OPEN + "# note\n")
        assert work.blamed() == (None, None, "")

    def test_a_file_without_a_history_is_a_message(self, work: Work) -> None:
        work.commit("x", file="other")
        with pytest.raises(InputError, match="expected a file that is committed"):
            work.blamed()

    def test_a_long_history_gives_what_asking_every_revision_gives(self, work: Work) -> None:
        """Brute force over a synthetic history with revisions that do not validate."""
        texts = [
            OPEN if index % 7 in (2, 3) else SHUT if index % 5 else "config: ["
            for index in range(24)
        ]
        texts[-1] = SHUT
        commits = [
            work.commit(one + f"# {index}\n", f"c{index}") for index, one in enumerate(texts)
        ]
        found = since(Question(PACKET, "mesh", TODAY), texts[::-1])
        assert found.changed is not None
        assert work.blamed()[0] == commits[::-1][found.changed]
