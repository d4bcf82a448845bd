"""The page of a review: closed against everything outside, and right about any connection."""

from __future__ import annotations

import json
import random
import re
import shutil
from base64 import b64encode
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Packet, verdict_text
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.project.sides import Sides
from fsm_stack.review.compare import Comparison
from fsm_stack.review.model import SideName
from fsm_stack.review.reports.page import change_svg, html_page
from fsm_stack.review.side import of_script
from tests.scripting import in_browser, in_node

if TYPE_CHECKING:
    from click.testing import Result

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 28)
PROD = (ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8")
REDIS = "- {value: 6379, reason: managed Redis speaks its own TLS, owner: data-team}"
HOSTILE = "</script><img src=x onerror=alert(1)>{{ 7*7 }}'\\\"--><svg/onload=alert(2)>&amp;\u202e"


def both(changed: str, title: str = "prod, changed") -> Comparison:
    sides = Sides(start=ROOT, today=TODAY)
    after = sides.settings(changed, SideName(title=title, kind="stack", file="Pulumi.prod.yaml"))
    return Comparison(sides.word("prod"), after)


def with_443(reason: str = "partners", owner: str = "web-team") -> str:
    entry = json.dumps({"value": 443, "reason": reason, "owner": owner, "until": "2027-01-31"})
    changed = PROD.replace(REDIS, f"- {entry}")
    assert changed != PROD
    return changed


def page(compared: Comparison) -> str:
    return html_page(compared, compared.review())


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self._raw = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._raw = self._raw and tag not in ("script", "style")

    def handle_data(self, data: str) -> None:
        if self._raw:
            self.inside.append((self.found[-1][0], data))
        else:
            self.shown.append(data)


def test_the_page_fetches_nothing_and_runs_only_its_own_script() -> None:
    """It is opened from an artifact or a mail: what it may do is what its policy allows."""
    source = page(both(with_443()))
    elements = Elements(source)
    policies = [a["content"] for t, a in elements.found if a.get("http-equiv")]
    digests = {
        kind: b64encode(sha256(text.encode()).digest()).decode()
        for kind, text in elements.inside
        if not text.startswith("{")
    }
    assert policies == [
        f"default-src 'none'; script-src 'sha256-{digests['script']}'; "
        f"style-src 'sha256-{digests['style']}'; base-uri 'none'; form-action 'none'"
    ]
    assert len([1 for kind, _ in elements.inside if kind == "style"]) == 1
    for tag, attributes in elements.found:
        assert tag not in {"iframe", "object", "embed", "link", "base", "img", "image", "use"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"style", "src", "srcset", "action", "formaction", "data"}
            if name == "href":
                assert (value or "").startswith("#")
    outside = re.sub(r'xmlns="[^"]*"', "", source)
    assert "http://" not in outside
    assert "https://" not in outside
    assert "@import" not in outside
    assert "url(" not in outside


def test_what_a_pull_request_says_is_text_on_the_page() -> None:
    """A stack file of a fork is anybody's; the page is opened by who may merge."""
    hostile = page(both(with_443(reason=HOSTILE, owner=HOSTILE), title=HOSTILE))
    plain = page(both(with_443()))
    kinds = [tag for tag, _ in Elements(plain).found]
    assert [tag for tag, _ in Elements(hostile).found if tag not in ("text", "rect", "path")] == [
        tag for tag in kinds if tag not in ("text", "rect", "path")
    ]
    shown = "".join(Elements(hostile).shown)
    assert "onerror=alert(1)" in shown
    assert "{{ 7*7 }}" in shown
    assert "\u202e" not in hostile
    assert hostile.count("</script>") == plain.count("</script>") == 2


def test_the_page_says_the_verdict_the_entries_and_what_they_are_for() -> None:
    shown = "".join(Elements(page(both(with_443()))).shown)
    assert "TCP 443 to any address leaves the mesh on every pod" in shown
    assert '"partners"; web-team; until 2027-01-31' in shown
    assert "What changes: pods without a profile" in shown
    assert "Before: pods of profile batch" in shown


def test_the_same_review_is_the_same_page() -> None:
    assert page(both(with_443())) == page(both(with_443()))


def test_an_unchanged_stack_says_that_nothing_changes() -> None:
    source = page(both(PROD))
    assert "No connection changes lanes." in source
    assert "Nothing changes" in source
    assert "<h2>Traffic that changes" not in source


def test_without_scripts_there_is_nothing_to_draw_or_to_ask() -> None:
    """A cluster whose nodes redirect has no init container: the page says so."""
    stack = Sides(start=ROOT, today=TODAY).word("prod")
    without = replace(stack, scripts={}, no_scripts="pods get no init container")
    source = page(Comparison(stack, without))
    assert "pods get no init container" in "".join(Elements(source).shown)
    assert "<svg" not in source
    data = json.loads(next(t for _, t in Elements(source).inside if t.startswith("{")))
    assert (data["scopes"], data["scripts"]) == ([], [])


def test_a_script_that_does_not_load_is_said_where_it_would_be_drawn() -> None:
    good = "-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -j REDIRECT --to-ports 15001\n"
    ports = ",".join(map(str, range(1, 17)))
    bad = f"{good}-A X -p tcp -m multiport --dports {ports} -j RETURN\n"
    compared = Comparison(
        of_script(good, SideName(title="old", kind="script")),
        of_script(bad, SideName(title="new", kind="script")),
    )
    shown = "".join(Elements(page(compared)).shown)
    assert "Not drawn: iptables refuses " in shown
    data = json.loads(next(t for k, t in Elements(page(compared)).inside if t.startswith("{")))
    assert ["why" in script for script in data["scripts"]] == [False, True]
    with pytest.raises(InputError, match="pods without a profile: iptables refuses"):
        change_svg(compared, compared.review())


def test_the_change_alone_is_a_picture_of_its_own() -> None:
    compared = both(with_443())
    svg = ET.fromstring(change_svg(compared, compared.review(), "batch"))  # noqa: S314  # made by us
    assert svg.attrib["aria-label"] == "prod → prod, changed: pods of profile batch"
    said = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert "leaves the mesh" in said
    with pytest.raises(InputError, match="'nobody': expected a profile that both sides have"):
        change_svg(compared, compared.review(), "nobody")


def test_the_picture_of_the_docs_is_of_the_committed_environment() -> None:
    """docs/review.md shows port 443 added to dev."""
    sides = Sides(start=ROOT, today=TODAY)
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    changed = text.replace("ortExclusionList: [6379, 7070]", "ortExclusionList: [6379, 7070, 443]")
    after = sides.settings(changed, SideName(title="dev", kind="stack", file="Pulumi.dev.yaml"))
    before = replace(sides.word("dev"), name=SideName(title="dev at main", kind="stack"))
    compared = Comparison(before, after)
    shown = (ROOT / "docs" / "pictures" / "change-dev.svg").read_text(encoding="utf-8")
    assert shown == change_svg(compared, compared.review())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def diff(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["diff", "-C", str(project), *arguments])


def test_diff_writes_the_page_and_draws_the_change(project: Path) -> None:
    file = project / "change.svg"
    result = diff(project, "dev", "prod", "-o", "html", "--svg", str(file))
    assert result.exit_code == 1
    assert result.stdout.startswith("<!doctype html>\n")
    assert result.stdout.endswith("</html>\n")
    assert 'aria-label="dev → prod: pods without a profile"' in file.read_text(encoding="utf-8")


def test_a_change_without_effect_is_drawn_and_passes(project: Path) -> None:
    file = project / "change.svg"
    result = diff(
        project, "dev", str(project / "Pulumi.dev.yaml"), "-o", "html", "--svg", str(file)
    )
    assert result.exit_code == 0
    assert "No connection changes lanes." in file.read_text(encoding="utf-8")


ASK = """
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const data = JSON.parse(asked.data);
const walk = new Function(`${asked.script}; return makeWalk;`)()(data.facts);
process.stdout.write(JSON.stringify(asked.packets.map((packet) => data.scopes.map(({sides}) =>
  sides.map((side) => {
    const {passes} = walk.trace(data.scripts[side].chains, packet, {address: "", interface: "eth0"}, "");
    return passes.map((pass) => [pass.title, walk.verdictText(pass.verdict), pass.why]);
  })))));
"""


def test_the_page_itself_answers_as_trace_does() -> None:
    """Out of the page: its own script over its own data, all scopes, both sides."""
    compared = both(with_443())
    inside = Elements(page(compared)).inside
    data = next(text for kind, text in inside if text.startswith("{"))
    script = next(text for kind, text in inside if kind == "script" and text != data)
    chance = random.Random(14)  # noqa: S311  # to vary cases, not to keep a secret
    named = ("203.0.113.9", "169.254.169.254", "10.128.0.1", "172.30.0.1", "127.0.0.1", "fd00::1")
    packets = [
        Packet(
            direction=chance.choice(("outbound", "inbound")),
            destination=chance.choice((*named, dotted(chance.getrandbits(32)))),
            port=chance.choice((443, 6379, 6380, 9092, 9091, 15001, 15010, 80)),
            uid=chance.choice((0, 1000, 1500)),
        )
        for _ in range(500)
    ]
    fields = ("direction", "destination", "port", "protocol", "source", "interface", "uid")
    asked = {
        "data": data,
        "script": script,
        "packets": [{name: getattr(one, name) for name in fields} for one in packets],
    }
    answers = json.loads(in_node(ASK, json.dumps(asked)))
    expected = [[[_passes(side, scope, one) for side, scope in (pair.before, pair.after)]
                 for pair in compared.pairs] for one in packets]  # fmt: skip
    assert answers == expected
    assert sum(one[0][0] != one[0][1] for one in expected) > 10


def _passes(side: Any, scope: str, packet: Packet) -> list[list[str]]:
    found = trace(side.reading(scope).ruleset, packet)
    return [[one.title, verdict_text(one.verdict), one.why] for one in found.passes]


@pytest.mark.parametrize(
    ("fragment", "answer", "cards"),
    [
        (
            "",  # asks about the riskiest change
            "It leaves the mesh: no mTLS, no policy",
            ["to the outbound listener (15001)", "untouched"],
        ),
        (
            "#address=172.30.0.1&port=443",
            "It leaves the mesh: no mTLS, no policy",
            ["to the outbound listener (15001)", "untouched"],
        ),
        (
            "#address=10.128.0.9&port=6379&scope=1",
            "It goes through the sidecar from now on",
            ["untouched", "to the outbound listener (15001)"],
        ),
        (
            "#address=10.128.0.9&port=9091&direction=inbound",
            "Nothing changes for it: untouched",
            ["untouched", "untouched"],
        ),
        ("#address=nowhere&port=1", "destination 'nowhere': expected an IPv4 or IPv6 address", []),
        ("#address=10.0.0.1&port=99999", "port 99999: expected 0 to 65535", []),
        ("#address=10.0.0.1&port=x", "port 'x': expected a number", []),
    ],
)
def test_the_field_answers_in_a_browser(
    tmp_path: Path, fragment: str, answer: str, cards: list[str]
) -> None:
    """With the page's policy in force: nothing of its own is refused by it."""
    file = tmp_path / "review.html"
    file.write_text(page(both(with_443())), encoding="utf-8")
    document = in_browser(file, fragment)
    found = re.search(r'<p id="answer"[^>]*>([^<]*)</p>', document)
    assert found is not None
    assert found[1] == answer
    assert re.findall(r'<p class="verdict">([^<]*)</p>', document) == cards


def test_hostile_text_runs_nothing_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "review.html"
    hostile = with_443(reason=HOSTILE, owner=HOSTILE)
    file.write_text(page(both(hostile, title=HOSTILE)), encoding="utf-8")
    document = in_browser(file, "#address=172.30.0.1&port=443")
    assert "<img" not in document
    assert "It leaves the mesh" in document
