"""The browser's walk is the walk: every rule tried, every verdict and reason, on many packets.

The page runs in a browser; its walk is plain JavaScript without a document, so Node runs it here.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.judge.walk_data import FACTS, walk_data
from fsm_stack.iptables.packet import Packet, Pod, Rewritten, ToListener, Trace, verdict_text
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.read.tokens import RuleSyntaxError
from fsm_stack.iptables.sets.ranges import dotted, on_the_wire
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import SYSTEMS
from fsm_stack.templating import text
from tests.scripting import in_browser, in_node

DOCUMENTS = Path(__file__).parent / "documents"
# Reads cases from standard input, writes the answers: the page's walk, and nothing else of it.
DRIVER = """
const {facts, scripts, traces, addresses, sources} = JSON.parse(
  require("fs").readFileSync(0, "utf8")
);
const answers = sources.map((source) => {
  const walk = new Function(`${source}; return makeWalk;`)()(facts);
  const ways = traces.map(({script, packet, pod, resolvesTo}) => {
    try {
      return walk.trace(scripts[script], packet, pod, resolvesTo).passes.map((pass) => ({
        title: pass.title, packet: pass.packet, why: pass.why,
        text: walk.verdictText(pass.verdict), verdict: pass.verdict,
        decided: pass.decidedBy && [pass.decidedBy.chain, pass.decidedBy.number],
        hops: pass.hops.map((hop) => [hop.chain, hop.number, hop.failed]),
      }));
    } catch (error) {
      return {error: error.message};
    }
  });
  return {ways, wire: addresses.map(walk.onTheWire)};
});
const [first, ...others] = answers;
const told = JSON.stringify(first.ways);
const differ = others.map(({ways}) => JSON.stringify(ways) !== told);
process.stdout.write(JSON.stringify({...first, differ}));
"""


def run(cases: dict[str, Any], *mutants: str) -> dict[str, Any]:
    """The answers of the page's walk, and whether each mutant of it answers otherwise."""
    asked = json.dumps({**cases, "sources": [text("review/walk.js"), *mutants]})
    answers: dict[str, Any] = json.loads(in_node(DRIVER, asked))
    return answers


def plain(found: Trace) -> list[dict[str, Any]]:
    return [
        {
            "title": one.title,
            "packet": asdict(one.packet),
            "why": one.why,
            "text": verdict_text(one.verdict),
            "verdict": _verdict(one.verdict),
            "decided": one.decided_by and [one.decided_by.chain, one.decided_by.number],
            "hops": [
                [
                    hop.chain,
                    hop.number,
                    -1 if hop.failed is None else list(map(id, hop.rule.matches)).index(id(hop.failed)),
                ]
                for hop in one.hops
            ],
        }
        for one in found.passes
    ]  # fmt: skip


def _verdict(verdict: object) -> dict[str, Any]:
    if isinstance(verdict, ToListener):
        return {"kind": "listener", "listener": verdict.listener, "port": verdict.port}
    if isinstance(verdict, Rewritten):
        return {"kind": "rewritten", "address": verdict.address, "port": verdict.port}
    return {"kind": "untouched"}


OCTETS = (0, 1, 2, 3, 10, 96, 127, 128, 255)
NAMES = ("lo", "eth0", "eth1", "net1", "veth7", "", "v")
PATTERNS = ("eth1", "net1", "veth+", "eth+", "+", "e+h")
PORTS = (0, 1, 53, 80, 443, 6379, 8081, 15000, 15001, 15003, 15010, 15904, 65535)
ODD = ("", "x", "1.2.3", "01.2.3.4", "256.1.1.1", "fd00::1", "::1", "10.0.0.1/8", "fd00::/x")
ADDRESSES = (
    "::ffff:10.1.2.3", "::ffff:a01:203", "0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::1", "fd00::1",  # noqa: S104
    "::ffff:0.0.0.0", "1::2::3", "g::", ":", "::ffff:1.2.3", "::1.2.3.4", "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "12345::", "::ffff:1.2.3.4:5", "::1.2.3.4:5",
    "::ffff:10.1.2.03", "::FFFF:10.1.2.3", "1.2.3.4::", ":1::", "1:::2",
)  # fmt: skip
FOREIGN = """\
-N A
-N B
-N C
-A PREROUTING -s 10.0.0.0/8 -p tcp -j A
-A PREROUTING ! -s 10.0.0.0/8 -j ACCEPT
-A OUTPUT -p udp --dport 53 -j DNAT --to-destination 127.0.0.1:5353
-A OUTPUT -p udp --dport 443 -j REDIRECT --to-ports 15001
-A OUTPUT -p all -d 10.96.0.0/16 -j ACCEPT
-A OUTPUT ! -o lo -j A
-A OUTPUT -p tcp -j C
-A OUTPUT -s 10.1.0.0/16 -p tcp -j REDIRECT --to-ports 9999
-A A -p tcp ! --dport 80:443 -j B
-A A -p tcp -j B
-A C -m owner ! --uid-owner 1000-1999 -p tcp -j DNAT --to-destination 10.0.0.1
-A A -i eth+ -j RETURN
-A A -p tcp -j REDIRECT --to-ports 15001
-A B ! -d 10.0.0.0/8 -j RETURN
-A B -p tcp -m multiport --dports 80,100:200,6379 -j REDIRECT --to-ports 15003
"""


def address(chance: random.Random) -> str:
    if chance.random() < 0.7:
        return ".".join(str(chance.choice(OCTETS)) for _ in range(4))
    return dotted(chance.getrandbits(32))


def scripts(chance: random.Random) -> list[Any]:
    """Rule sets of every system with random lists, of old documents, and one of nobody."""
    found = [read(FOREIGN).ruleset]
    for path in sorted(DOCUMENTS.glob("*")):
        try:
            ruleset = read(path.read_text(encoding="utf-8")).ruleset
            walk_data(ruleset)
        except (InputError, NotLoadableError, RuleSyntaxError):
            continue
        found.append(ruleset)
    while len(found) < 60:
        ranges = [f"{address(chance)}/{chance.randint(0, 32)}" for _ in range(8)]
        ports = [chance.choice((*PORTS[1:], chance.randint(1, 65535))) for _ in range(8)]
        lists = InterceptLists(
            local_proxy_mode=chance.choice(("Localhost", "PodIP")),
            interfaces=tuple(chance.sample(PATTERNS, chance.randint(0, 2))),
            excluded_ranges=tuple(ranges[: chance.randint(0, 4)]),
            included_ranges=tuple(ranges[4 : 4 + chance.choice((0, 0, 1, 4))]),
            outbound_ports=tuple(ports[: chance.randint(0, 4)]),
            inbound_ports=tuple(ports[4 : 4 + chance.randint(0, 4)]),
            dns_proxy=chance.random() < 0.5,
        )
        found.append(intercept(lists, chance.choice(list(SYSTEMS.values()))))
    return found


def packet(chance: random.Random) -> Packet:
    odd = chance.random() < 0.05
    return Packet(
        direction=chance.choice(("outbound", "outbound", "inbound")),
        destination=chance.choice(ODD) if odd else address(chance),
        port=chance.choice((*PORTS, chance.randint(0, 65535), 65536 if odd else 8080)),
        protocol=chance.choice(("tcp", "tcp", "tcp", "tcp", "udp", "icmp", "sctp")),
        source=chance.choice(("", address(chance), address(chance), "fd00::2")),
        interface=chance.choice(NAMES),
        uid=chance.choice((0, 1000, 1499, 1500, 1501, -1 if odd else 0)),
    )


class Sample:
    """Packets through rule sets, with the answers of the walk in Python."""

    def __init__(self, packets: int) -> None:
        chance = random.Random(20261128)  # noqa: S311  # to vary cases, not to keep a secret
        rulesets = scripts(chance)
        traces: list[dict[str, Any]] = []
        self.expected: list[Any] = []
        for _ in range(packets):
            number, one = chance.randrange(len(rulesets)), packet(chance)
            number = 0 if chance.random() < 0.2 else number  # the rules that no injector writes
            pod = Pod(address=chance.choice(("", "10.1.2.3", one.destination)))
            resolves_to = chance.choice(("", "", pod.address, "10.2.3.4"))
            asked = {"packet": asdict(one), "pod": asdict(pod), "resolvesTo": resolves_to}
            traces.append({"script": number, **asked})
            try:
                found = trace(rulesets[number], one, pod=pod, resolves_to=resolves_to)
                self.expected.append(plain(found))
            except InputError as error:
                self.expected.append({"error": str(error)})
        self.addresses = [*(address(chance) for _ in range(200)), *ADDRESSES]
        self.cases = {
            "facts": FACTS,
            "scripts": [walk_data(one) for one in rulesets],
            "traces": traces,
            "addresses": self.addresses,
        }


def test_the_browsers_walk_is_the_walk() -> None:
    """Each rule tried, which match failed, verdict, reason, what follows; or the same error."""
    sample = Sample(8_000)
    found = run(sample.cases)
    for asked, answer, right in zip(
        sample.cases["traces"], found["ways"], sample.expected, strict=True
    ):
        assert answer == right, asked
    assert found["wire"] == [on_the_wire(one) for one in sample.addresses]
    walked = [one for one in sample.expected if isinstance(one, list)]
    assert len(walked) > 7_000
    assert {one[0]["verdict"]["kind"] for one in walked} == {"listener", "rewritten", "untouched"}
    assert max(map(len, walked)) >= 3


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        (
            "-A OUTPUT -p tcp -m mark --mark 1 -j RETURN",
            "it depends on what is not decided here: -m mark --mark 1",
        ),
        ("-A OUTPUT -p tcp -j NFQUEUE", "what -j NFQUEUE does is not known here"),
        ("-A OUTPUT -p udp -m mark --mark 1 -j RETURN\n-A OUTPUT -j LOG", None),
    ],
)
def test_a_browser_answers_only_what_is_decided(rules: str, answer: str | None) -> None:
    ruleset = read(f"{rules}\n-A OUTPUT -p tcp -j REDIRECT --to-port 15001").ruleset
    one = Packet(direction="outbound", destination="10.0.0.1", port=80, uid=1000)
    asked = {"packet": asdict(one), "pod": asdict(Pod()), "resolvesTo": "", "script": 0}
    cases = {"facts": FACTS, "scripts": [walk_data(ruleset)], "traces": [asked], "addresses": []}
    (found,) = run(cases)["ways"]
    if answer is None:
        assert found == plain(trace(ruleset, one))
    else:
        assert found == {"error": answer}


MUTANTS = (
    ("<= last)", "< last)"),
    ("last = inner || last;", ""),
    ("returned.set(name, last)", "0"),
    ("pod.address || verdict", "verdict"),
    ("match.number === 0 ||", ""),
    ("match.negated", "false"),
    ("last.packet;", "{...last.packet, protocol: 'tcp'};"),
    ("owns(pod, to) ? LOOPBACK", "false ? LOOPBACK"),
    ("packet.direction === match.kind", "true"),
    ('pattern.endsWith("+")', "false"),
    ("resolvesTo || packet.destination", "packet.destination"),
)


def test_a_walk_that_differs_by_one_line_is_noticed() -> None:
    """Else the sample would prove nothing of that line."""
    walk = text("review/walk.js")
    assert [walk.count(line) for line, _ in MUTANTS] == [1] * len(MUTANTS)
    mutants = [walk.replace(line, other) for line, other in MUTANTS]
    found = run(Sample(2_000).cases, *mutants)
    unnoticed = [
        line for (line, _), seen in zip(MUTANTS, found["differ"], strict=True) if not seen
    ]
    assert unnoticed == []


IN_BROWSER = """<!doctype html><pre id="out"></pre><script type="application/json" id="in">%s</script>
<script>%s
const {facts, scripts, traces, expected} = JSON.parse(document.getElementById("in").textContent);
const walk = makeWalk(facts);
const same = (one, two) => one === two || (
  one !== null && two !== null && typeof one === "object" && typeof two === "object" &&
  Object.keys(one).length === Object.keys(two).length &&
  Object.keys(one).every((key) => same(one[key], two[key]))
);
const answer = ({script, packet, pod, resolvesTo}) => {
  try {
    return walk.trace(scripts[script], packet, pod, resolvesTo).passes.map((pass) => ({
      title: pass.title, packet: pass.packet, why: pass.why,
      text: walk.verdictText(pass.verdict), verdict: pass.verdict,
      decided: pass.decidedBy && [pass.decidedBy.chain, pass.decidedBy.number],
      hops: pass.hops.map((hop) => [hop.chain, hop.number, hop.failed]),
    }));
  } catch (error) {
    return {error: error.message};
  }
};
const equal = traces.filter((asked, index) => same(answer(asked), expected[index])).length;
document.getElementById("out").textContent = `${equal} of ${traces.length} are the same`;
</script>"""


def test_a_browser_walks_as_node_does(tmp_path: Path) -> None:
    sample = Sample(3_000)
    data = json.dumps({**sample.cases, "expected": sample.expected}).replace("<", "\\u003c")
    file = tmp_path / "walk.html"
    file.write_text(IN_BROWSER % (data, text("review/walk.js")), encoding="utf-8")
    assert "3000 of 3000 are the same" in in_browser(file)
