#!/usr/bin/env python3
"""Posts a review as the one comment of its pull request: tools/comment.py REPORT.

For a workflow that another one's end starts. Number and commit are taken from the event and
confirmed by the API. The report was written by a job that a pull request has in its hands: its
text is hostile until it is made inert here. Needs Python alone, of any release since 3.9.

Environment: GITHUB_EVENT_PATH, GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN.
"""

from __future__ import annotations

import html
import json
import os
import re
import string
import sys
import unicodedata
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

MARKER = "<!-- fsm-stack-review -->"
AUTHOR = "github-actions[bot]"  # whose comments a workflow's own token makes
LENGTH_MAX = 60_000  # GitHub takes 65,536 characters, and joiners are added
BYTES_MAX = 1 << 20
PAGES_MAX = 50
PAGE = 100
SECONDS_MAX = 30
JOINER = "\u2060"  # not seen; what it parts is no link, mention, picture or tag

# What folds a report; every other tag, comment and address in angle brackets stays text.
_TAG = re.compile(r"<(?!/?(?:details|summary)>)")
_ACTIVE = re.compile(
    r"!(?=\[)"  # a picture
    r"|\](?=[(\[:])"  # a link, or the definition of one
    rf"|@(?!{JOINER})|(?<!&)#(?=\d)"  # a mention; the number of an issue
    r"|:(?=//)|(?<=www)(?=\.)",  # an address that becomes a link by itself
    re.IGNORECASE,
)
_ENTITY = re.compile(rf"&(?:#\d{{1,8}}|#[xX][0-9a-fA-F]{{1,8}}|[A-Za-z0-9]{{1,40}});(?!{JOINER})")
_ACTIVE_LETTERS = frozenset(string.ascii_letters + string.digits + "@#!:/.<")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class RefusedError(Exception):
    """Nothing is posted; the message says why."""


def inert(text: str) -> str:
    """Markdown in which nothing mentions, links, loads or runs, whoever wrote it.

    Args:
        text: the report; its first line has to be the marker.

    Raises:
        RefusedError: it is no report.
    """
    head, _, rest = text.partition("\n")
    if head.strip() != MARKER:
        raise RefusedError(f"the report: expected {MARKER} in its first line")
    shown = "".join(letter for letter in rest if letter in f"\n{JOINER}" or _is_seen(letter))
    shown = _TAG.sub(f"<{JOINER}", shown)
    shown = _ACTIVE.sub(lambda match: f"{match[0]}{JOINER}", shown)
    shown = _ENTITY.sub(_parted, shown)
    if len(shown) > LENGTH_MAX:
        shown = f"{shown[:LENGTH_MAX]}\n\n(cut: the report of the run has all of it)"
    return f"{MARKER}\n{shown}"


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _parted(match: re.Match[str]) -> str:
    """A letter that is written as its number does what the letter does."""
    return f"{match[0]}{JOINER}" if html.unescape(match[0]) in _ACTIVE_LETTERS else match[0]


def call(path: str, body: object = None, method: str = "GET") -> object:
    """An answer of the API for this repository."""
    root = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    request = Request(  # noqa: S310  # the runner's own API
        f"{root}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urlopen(request, timeout=SECONDS_MAX) as answer:  # noqa: S310  # the same
        return json.load(answer)


def pages(path: str) -> list[dict]:
    """Every item of a list."""
    found: list[dict] = []
    for page in range(1, PAGES_MAX + 1):
        joint = "&" if "?" in path else "?"
        part = call(f"{path}{joint}per_page={PAGE}&page={page}")
        found += part
        if len(part) < PAGE:
            break
    return found


def number_of(run: dict) -> int:
    """The pull request that a run was for: open, of this repository, its head still this commit.

    Raises:
        RefusedError: there is none, or more than one.
    """
    commit, branch = str(run["head_sha"]), str(run["head_branch"])
    if not _COMMIT.fullmatch(commit):
        raise RefusedError("the event: expected the full id of a commit")
    if branch.startswith("-"):
        raise RefusedError("the event: expected a branch that does not begin with '-'")
    known = [int(one["number"]) for one in run["pull_requests"]]
    if not known:  # the event names none of a fork
        owner = run["head_repository"]["owner"]["login"]
        head = quote(f"{owner}:{branch}", safe="")
        known = [int(one["number"]) for one in pages(f"pulls?state=open&head={head}")]
    found = []
    for number in sorted(set(known)):
        pull = call(f"pulls/{number}")
        here = pull["base"]["repo"]["full_name"] == os.environ["GITHUB_REPOSITORY"]
        if here and pull["state"] == "open" and pull["head"]["sha"] == commit:
            found.append(number)
    if len(found) != 1:
        told = ", ".join(f"#{one}" for one in found) or "none"
        raise RefusedError(f"expected one open pull request with this commit as head, got {told}")
    return found[0]


def post(number: int, body: str) -> str:
    """Write the comment, or replace our older one; what was done."""
    for one in pages(f"issues/{number}/comments"):
        user = one["user"] or {}
        ours = user.get("login") == AUTHOR and user.get("type") == "Bot"
        if ours and str(one["body"]).startswith(MARKER):
            call(f"issues/comments/{int(one['id'])}", {"body": body}, "PATCH")
            return "replaced"
    call(f"issues/{number}/comments", {"body": body}, "POST")
    return "written"


def main(words: list[str]) -> int:
    """Post the report that the command line names."""
    if len(words) != 1:
        sys.stderr.write("comment.py: expected REPORT\n")
        return 2
    report = Path(words[0])
    try:
        if report.is_symlink() or not report.is_file():
            raise RefusedError("the report: expected a regular file")  # noqa: TRY301  # told below
        with report.open("rb") as stream:
            text = stream.read(BYTES_MAX).decode(errors="replace")
        run = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))["workflow_run"]
        number = number_of(run)
        body = f"{inert(text)}\n\nReview of {run['head_sha']}\n"
        sys.stdout.write(f"#{number}: comment {post(number, body)}\n")
    except RefusedError as error:
        sys.stderr.write(f"comment.py: {error}\n")
        return 1
    except URLError as error:
        sys.stderr.write(f"comment.py: the API: {error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
