"""The image of the command, read as text: who runs it, what is in it."""

from __future__ import annotations

from fnmatch import fnmatch

import yaml

from fsm_stack.manifests.verifying import APP

from .containerfile import ROOT, copied, exec_form, stages
from .manifests.stacks import named

FINAL = ("command", "review")


def test_the_command_is_built_where_no_stage_is_named() -> None:
    """The smaller of the two, which the CronJob runs."""
    assert list(stages()) == ["build", "base", "review", "command"]
    assert [word for word, _ in stages()["command"].steps] == ["USER", "ENTRYPOINT", "CMD"]


def test_it_runs_as_nobody_and_starts_no_shell() -> None:
    for name in FINAL:
        stage = stages()[name]
        assert stage.base == "base"
        assert stage.all("USER") == ["65532:65532"]
        assert exec_form(stage.all("ENTRYPOINT")[0]) == ["fsm-stack"]
        words = [word for word, _ in stage.steps]
        assert "RUN" not in words[words.index("USER") :]


def test_the_user_of_the_image_is_the_cronjobs() -> None:
    data = {"verify": {"schedule": "@hourly", "image": "fsm-stack:0.1.0"}}
    pod = named(data, "CronJob", APP).object["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert [stages()[name].all("USER") for name in FINAL] == [[user], [user]]


def test_libraries_are_the_locks_by_their_hashes() -> None:
    installs = [text for text in stages()["build"].all("RUN") if " pip install " in text]

    lock, own = installs
    assert "--require-hashes -r /src/requirements-image.txt" in lock
    assert "--no-deps --no-build-isolation /src" in own
    assert not [word for stage in stages().values() for word, _ in stage.steps if word == "ADD"]


def test_nothing_of_the_checkout_is_in_it_that_it_does_not_need() -> None:
    """A stack's files, history and environments stay outside, whatever lies there."""
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    taken = [
        source
        for stage in stages().values()
        for text in stage.all("COPY")
        for source in copied(text)[0]
    ]

    assert "*" in ignored
    assert sorted(taken) == sorted(allowed)
    assert all((ROOT / source).exists() for source in taken)
    assert not any(fnmatch(source, "Pulumi*") for source in taken)
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8") == "\n".join([*ignored, ""])


def test_the_image_for_reviews_has_what_gitlab_calls() -> None:
    job = yaml.safe_load((ROOT / "docs/ci/gitlab-ci-image.yml").read_text(encoding="utf-8"))
    program = job["review"]["script"][-1].split()[0]

    (target,) = [copied(text)[1] for text in stages()["review"].all("COPY")]
    assert target == f"/usr/local/bin/{program}"
    assert any(" git " in f"{text} " for text in stages()["review"].all("RUN"))
