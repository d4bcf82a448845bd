"""The documentation's site: built strictly, complete, and fetching nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.cli.main import ENTRIES, cli
from fsm_stack.findings.catalogue import all_rules
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.verify.every import CHECKS
from tests.pages import ROOT, pages
from tests.scripting import browsed

if TYPE_CHECKING:
    from types import ModuleType

FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"),
           ("link", "href"), ("object", "data"), ("form", "action")}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make site` does it: a link that leads nowhere ends the build."""
    folder = tmp_path_factory.mktemp("site") / "site"
    program = Path(sys.executable).parent / "mkdocs"
    done = subprocess.run(
        [program, "build", "--strict", "--quiet", "--site-dir", folder], cwd=ROOT, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


class _Asked(HTMLParser):
    """What a browser fetches of a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.policy = ""
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.found += [value or "" for name, value in attrs if (tag, name) in FETCHED]
        if tag == "a":
            self.links.append(known.get("href") or "")
        if name := known.get("id"):
            self.ids.add(name)
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known["content"] or ""


def read(page: Path) -> _Asked:
    parser = _Asked()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    found = sorted(site.rglob("*.html"))
    assert len(found) > 20
    for page in found:
        asked = read(page)
        foreign = [one for one in asked.found if re.match(r"(?:[a-z]+:)?//", one)]
        assert foreign == [], page
        assert asked.policy.startswith("default-src 'self'"), page
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)|@import", text) == [], sheet


def test_a_browser_complains_of_nothing(site: Path, tmp_path: Path) -> None:
    """Of no script, no style and no request that the page's policy or the network refuses."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, _format: str, *args: object) -> None:
            asked.append(str(args[0]).split()[1])

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        text = browsed(f"http://127.0.0.1:{server.server_port}/start.html", tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert "md-nav__link--active" in text
    assert "/site.css" in asked
    assert any(path.startswith("/assets/javascripts/bundle.") for path in asked)


def test_every_link_leads_to_a_file_of_the_site(site: Path) -> None:
    """MkDocs does not look at links to folders."""
    for page in site.rglob("*.html"):
        if page.name != "404.html":  # whose links are the server's
            for link in read(page).links:
                name = link.partition("#")[0].partition("?")[0]
                if name and not re.match(r"[a-z]+:", name):
                    target = page.parent / name
                    target = target / "index.html" if target.is_dir() else target
                    assert target.is_file(), f"{page}: {link}"


def test_every_page_of_docs_is_a_page_of_the_site(site: Path) -> None:
    for page in pages():
        if page.startswith("docs/"):
            name = page.removeprefix("docs/").removesuffix(".md")
            if name.endswith("README"):
                name = name.removesuffix("README") + "index"
            assert (site / f"{name}.html").is_file(), page


def test_the_reference_has_every_finding_check_verb_and_option(site: Path) -> None:
    assert all_rules().keys() - read(site / "reference/findings.html").ids == set()
    checks = (site / "reference/checks.html").read_text(encoding="utf-8")
    assert {check.id for check in CHECKS if f"<code>{check.id}</code>" not in checks} == set()
    commands = site / "reference/commands.html"
    text = commands.read_text(encoding="utf-8")
    assert ENTRIES.keys() - read(commands).ids == set()
    for name in ENTRIES:
        command = cli.get_command(None, name)  # type: ignore[arg-type]  # the group needs none
        assert command is not None
        for one in (command, *getattr(command, "commands", {}).values()):
            options = {
                long for option in one.params for long in option.opts if long.startswith("--")
            }
            assert {long for long in options if long not in text} == set(), name


def test_the_reference_has_every_setting(site: Path) -> None:
    """Counted from the models: each field of each of them, wherever it is reached from."""
    page = site / "reference/settings.html"
    known = StackSettings.model_json_schema(by_alias=True)
    assert {name.lower() for name in known["properties"]} - read(page).ids == set()
    entries = {"PortEntry", "CidrEntry", "InterfaceEntry"}  # told once, at the top
    fields = {
        name
        for model, one in known["$defs"].items()
        if model not in entries
        for name in one.get("properties", {})
    }
    keys = re.findall(r"<code>([^<]+)</code>", page.read_text(encoding="utf-8"))
    shown = {part for key in keys for part in re.split(r"[.\[\]]+", key)}
    assert fields - shown == set()


def test_search_finds_what_a_reader_looks_for(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    places = {one["location"] for one in index["docs"]}
    assert "reference/findings.html#too-many-ports" in places
    assert "reference/settings.html#traffic" in places
    assert not any(place.startswith("project/examples/") for place in places)


def test_what_tests_are_told_is_not_on_the_site(site: Path) -> None:
    assert "not run:" not in (site / "start.html").read_text(encoding="utf-8")


def test_an_option_in_a_line_is_never_broken(site: Path) -> None:
    """Behind a hyphen a browser breaks: ``--`` at the end of a line is no option."""
    page = (site / "for/on-call.html").read_text(encoding="utf-8")
    assert '--why 10.0.0.8:6379 <span class="option">--redirected</span></code>' in page.replace(
        '<span class="option">--why</span>', "--why"
    )
    assert '<span class="option">' not in page.partition("<pre>")[2].partition("</pre>")[0]


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hook", ROOT / "tools/site/hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_page_that_no_section_names_is_not_lost() -> None:
    made: list[dict[str, Any]] = hook()._navigation(
        ["verify.md", "strange.md", "gitops/two.md", "gitops/one.md", "project/CONTRIBUTING.md"]
    )
    assert made == [
        {"Roll out": ["gitops/two.md", "gitops/one.md"]},
        {"A running mesh": ["verify.md"]},
        {"More": ["strange.md"]},
        {"Project": ["project/CONTRIBUTING.md"]},
    ]
