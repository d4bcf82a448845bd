"""Rules of other programs: read, passed over where they decide nothing, and never guessed."""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.findings.finding import Severity
from fsm_stack.iptables.judge.lint import lint
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import (
    Dropped,
    Handed,
    May,
    Packet,
    Rewritten,
    ToListener,
    Untouched,
    may_reach_sidecar,
    verdict_text,
)
from fsm_stack.iptables.read.text import RuleSyntaxError, read
from fsm_stack.iptables.rule import ForeignMatch, ForeignTarget, Jump, Return, kernel_order
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.dead import dead_rules
from fsm_stack.iptables.sets.diagram import TooComplexError, values
from fsm_stack.iptables.write import rule_text, write_restore

if TYPE_CHECKING:
    from fsm_stack.iptables.packet import Trace, Verdict

OUTBOUND = ToListener("outbound", 15001)
REDIRECTED = "-p tcp -j REDIRECT --to-port 15001"


def table(*rules: str, chains: tuple[str, ...] = ("A", "B", "C")) -> str:
    declared = "".join(f":{name} - [0:0]\n" for name in chains)
    lines = "".join(f"-A {rule}\n" for rule in rules)
    return f"iptables-restore <<EOF\n*nat\n{declared}{lines}COMMIT\nEOF\n"


def asked(*rules: str, port: int = 80, **packet: str) -> Trace:
    return trace(
        read(table(*rules)).ruleset,
        Packet(direction="outbound", destination="10.0.0.1", port=port, **packet),
    )


def named(found: Trace) -> list[str]:
    return [f"{hop.chain} {hop.number}" for hop in found.undecided]


def possible(verdict: Verdict) -> set[Verdict]:
    return {*verdict.among} if isinstance(verdict, May) else {verdict}


@pytest.mark.parametrize(
    "rule",
    [
        "-m addrtype --dst-type LOCAL -j RETURN",
        "-p tcp -m conntrack ! --ctstate NEW,RELATED -m mark --mark 0x1/0x1 -j ACCEPT",
        "-m set --match-set blocked dst,src -j RETURN",
        "-m statistic --mode random --probability 0.33333333349 -j A",
        "-p tcp --sport 39517 -j RETURN",
        "-p tcp --tcp-flags SYN,ACK SYN -j RETURN",
        "-p tcp -m multiport --sports 1,2 -j RETURN",
        "-m owner --gid-owner 5 -j RETURN",
        "-m owner --uid-owner 5 -m owner2 --x -j RETURN",
        "-p sctp -m sctp --dport 80 -j RETURN",
        "-p icmp --icmp-type 8 -j RETURN",
        '-m string --algo bm --string "a b -j c" -j RETURN',
        "-m socket -j RETURN",
        "-d $self/32 -j RETURN",
        "-p tcp -m multiport --dports $PORTS -j RETURN",
        "-m owner ! --uid-owner $USER -j RETURN",
        "-j MARK --set-xmark 0x4000/0x4000",
        '-j LOG --log-prefix "a b"',
        "-p tcp -j REDIRECT --to-ports 80-90",
        "-j REDIRECT",
        "-j DNAT --to-destination 10.0.0.1-10.0.0.9",
        "-j DNAT --to-destination 10.0.0.1 --persistent",
        "-g A",
        "-j NFQUEUE --queue-num 1",
        "-j EXTENSION --of somebody",
        "-p tcp",
        "-j $TARGET",
        '-p tcp -m comment --comment "default/web:http \\"a\\"" -j A',
    ],
)
def test_a_foreign_rule_is_kept_as_written(rule: str) -> None:
    """What is read is written again, and then means the same."""
    ruleset = read(table(f"OUTPUT {rule}", "OUTPUT -j RETURN")).ruleset
    assert len(ruleset.steps) == 2
    assert rule_text(ruleset.steps[0].rule) == rule.replace("-m multiport", "-m multiport")
    assert read(write_restore(ruleset)).ruleset == ruleset


def test_what_iptables_spells_in_several_ways_is_one_rule() -> None:
    plain, spelled = (
        read(table(f"OUTPUT {rule}")).ruleset.steps[0].rule
        for rule in ("-p tcp -j A", "-j A -p tcp -m comment --comment why")
    )
    assert plain == spelled
    assert spelled.comment == "why"


def test_a_known_part_of_a_foreign_rule_still_counts() -> None:
    (step,) = read(
        table("OUTPUT -p tcp -m mark --mark 5 ! --other 6 -d 10.0.0.0/8 -j A")
    ).ruleset.steps
    assert [type(match).__name__ for match in step.rule.matches] == [
        "Protocol", "ForeignMatch", "Destination",
    ]  # fmt: skip
    assert step.rule.foreign == ForeignMatch(text="-m mark --mark 5 ! --other 6")
    assert step.rule.target == Jump(chain="A")


def test_a_target_that_only_marks_lets_the_packet_go_on() -> None:
    targets = [
        step.rule.target
        for step in read(table("OUTPUT -j MARK --set-mark 1", "OUTPUT -j QUEUE")).ruleset.steps
    ]
    assert targets == [
        ForeignTarget(text="-j MARK --set-mark 1", goes_on=True),
        ForeignTarget(text="-j QUEUE", goes_on=False),
    ]
    found = asked("OUTPUT -j MARK --set-mark 1", f"OUTPUT {REDIRECTED}")
    assert found.verdict == OUTBOUND
    assert found.decided_by is not None
    assert found.decided_by.number == 2


def test_a_rule_that_may_match_and_changes_the_answer_is_named() -> None:
    found = asked("OUTPUT -m addrtype --dst-type LOCAL -j RETURN", f"OUTPUT {REDIRECTED}")
    assert found.verdict == May((OUTBOUND, Untouched()), ("-m addrtype --dst-type LOCAL",))
    assert verdict_text(found.verdict) == "either to the outbound listener (15001) or untouched"
    assert named(found) == ["OUTPUT 1"]
    assert found.decided_by is None
    assert found.why == "it depends on what is not decided here: -m addrtype --dst-type LOCAL"


@pytest.mark.parametrize(
    "rules",
    [
        # Both ways lead to the same.
        ("OUTPUT -m mark --mark 1 -j A", f"OUTPUT {REDIRECTED}"),
        ("OUTPUT -m mark --mark 1 -j A", f"A {REDIRECTED}", f"OUTPUT {REDIRECTED}"),
        ("OUTPUT -m mark --mark 1 -j A", "A -m mark --mark 2 -j RETURN", f"OUTPUT {REDIRECTED}"),
        ("OUTPUT -j A", "A -m mark --mark 2 -j RETURN", f"OUTPUT {REDIRECTED}"),
        # It is not met, or cannot match.
        (f"OUTPUT {REDIRECTED}", "OUTPUT -m mark --mark 1 -j RETURN"),
        ("OUTPUT -p udp -m mark --mark 1 -j RETURN", f"OUTPUT {REDIRECTED}"),
        ("OUTPUT -j A", f"A {REDIRECTED}", "OUTPUT -m mark --mark 1 -j RETURN"),
        ("OUTPUT -m mark --mark 1 -j MARK --set-mark 2", f"OUTPUT {REDIRECTED}"),
    ],
)
def test_a_rule_that_may_match_and_changes_nothing_leaves_the_answer_decided(
    rules: tuple[str, ...],
) -> None:
    found = asked(*rules)
    assert found.verdict == OUTBOUND
    assert named(found) == []
    assert found.decided_by is not None


def test_only_the_rules_that_make_the_difference_are_named() -> None:
    found = asked(
        "OUTPUT -m mark --mark 1 -j C",
        "OUTPUT -j A",
        "A -m mark --mark 2 -j B",
        "A -m mark --mark 3 -p udp -j RETURN",
        "B -m mark --mark 4 -j RETURN",
        "B -p tcp -m mark --mark 5 -j DNAT --to-destination 10.9.9.9:81",
        f"OUTPUT {REDIRECTED}",
        "OUTPUT -m mark --mark 6 -j RETURN",
    )
    marks = tuple(f"-m mark --mark {number}" for number in (2, 4, 5))
    assert found.verdict == May((Rewritten("10.9.9.9", 81), OUTBOUND), marks)
    assert named(found) == ["A 1", "B 1", "B 2"]


def test_a_target_that_nobody_here_knows_is_the_answer() -> None:
    found = asked("OUTPUT -p tcp -j NFQUEUE --queue-num 1", f"OUTPUT {REDIRECTED}")
    assert found.verdict == Handed("-j NFQUEUE --queue-num 1")
    assert verdict_text(found.verdict) == "handed to NFQUEUE --queue-num 1"


def test_what_nft_wrote_into_the_table_drops_and_no_script_of_iptables_does() -> None:
    """Seen with both back ends: the nat table is not intended for filtering."""
    dropped = ("OUTPUT -p tcp -d 10.9.0.0/16 -j DROP", f"OUTPUT {REDIRECTED}")
    dump = table(*dropped)
    for address, expected in (("10.9.0.1", Dropped()), ("10.8.0.1", OUTBOUND)):
        packet = Packet(direction="outbound", destination=address, port=80)
        assert trace(read(dump).ruleset, packet).verdict == expected
    assert verdict_text(Dropped()) == "dropped"
    (told,) = read(dump).findings
    assert read("".join(dump.splitlines(keepends=True)[1:-1])).findings == ()
    assert (told.id, told.message) == (
        "wrong-hook",
        "chain OUTPUT: -j DROP: iptables does not let table nat filter",
    )


def test_whether_an_answer_can_depend_on_a_rule_is_said_with_it() -> None:
    local = "-m addrtype --dst-type LOCAL"
    told = read(
        table(
            f"OUTPUT {local} -j A",
            "A -j B",
            "B -i docker0 -j RETURN",
            "B -j MARK --set-mark 1",
            f"OUTPUT -d 10.0.0.1/32 {local} -j C",
            "C -j B",
            "C -j ACCEPT",
            chains=("A", "B", "C"),
        )
    ).findings
    assert [item.message for item in told] == [
        f"{local} may match; no answer depends on it, since A sends nothing elsewhere: "
        f"{local} -j A",
        f"{local} may match; an answer that depends on it names it: -d 10.0.0.1/32 {local} -j C",
    ]


def test_a_rule_that_is_only_perhaps_met_asks_for_the_source_too() -> None:
    rules = ("OUTPUT -m mark --mark 1 -j A", "A -s 10.5.0.0/16 -j RETURN", f"OUTPUT {REDIRECTED}")
    assert asked(*rules, source="10.6.0.1").verdict == OUTBOUND


def test_many_ways_through_undecided_jumps_are_one_question() -> None:
    """Fifteen chains, each jumping four times to the next: a billion ways, sixty rules."""
    names = tuple(f"C{number}" for number in range(15))
    jumps = [f"{a} -m mark --mark {n} -j {b}" for a, b in pairwise(names)
             for n in range(4)]  # fmt: skip
    last = [f"C14 -p tcp -m mark --mark 9 {REDIRECTED.removeprefix('-p tcp ')}"]
    text = table("OUTPUT -j C0", *jumps, *last, chains=names)
    found = trace(read(text).ruleset, Packet(direction="outbound", destination="10.0.0.1"))
    assert possible(found.verdict) == {OUTBOUND, Untouched()}
    assert may_reach_sidecar(found.verdict)
    # The last jump of each four: before it another one leads to the same verdicts.
    assert named(found) == [*(f"C{number} 4" for number in range(14)), "C14 1"]


def test_the_work_for_undecided_rules_has_a_bound() -> None:
    rules = [f"OUTPUT -p tcp -m mark --mark {n} -j DNAT --to-destination 10.0.{n // 250}.{n % 250}:1"
             for n in range(2500)]  # fmt: skip
    with pytest.raises(TooComplexError, match="too many rules that are not decided here"):
        asked(*rules)


def test_sets_say_may_where_a_rule_makes_a_difference_and_nowhere_else() -> None:
    fates = coverage(
        read(
            table(
                "OUTPUT -p tcp -m mark --mark 2 -d 10.0.0.0/8 -j RETURN",
                "OUTPUT -m mark --mark 1 -j A",
                f"OUTPUT {REDIRECTED}",
            )
        ).ruleset
    )
    assert set(values(fates.outbound)) == {
        May((OUTBOUND, Untouched()), ("-m mark --mark 2",)),
        OUTBOUND,
        Untouched(),
    }
    assert values(fates.inbound) == [Untouched()]


RULES = st.sampled_from(
    [
        f"{head}{middle}{target}"
        for head, middle, target in product(
            ("-p tcp ", "-p tcp --dport 80 "),
            ("", "-m mark --mark 1 ", "-m mark --mark 2 "),
            ("-j {}", "-j RETURN", "-j ACCEPT", "-j REDIRECT --to-port 15001", "-j NFQUEUE",
             "-j DNAT --to-destination 10.9.9.9:81", "-j MARK --set-mark 1"),
        )
    ]
)  # fmt: skip


@given(st.lists(RULES, max_size=5), st.lists(RULES, max_size=5), st.lists(RULES, max_size=4))
def test_may_is_what_some_choice_of_the_undecided_rules_leads_to(
    first: list[str], second: list[str], third: list[str]
) -> None:
    """Each choice is a rule set that is decided; together they are the answer."""
    named_rules = [
        *(f"OUTPUT {rule.format('A')}" for rule in first),
        *(f"A {rule.format('B')}" for rule in second),
        *(f"B {rule.format('C')}" for rule in third),
    ]
    undecided = [
        n for n, rule in enumerate(named_rules) if "--mark " in rule and "-m mark" in rule
    ]
    if len(undecided) > 7:
        return
    told = asked(*named_rules)
    found: set[Verdict] = set()
    for choice in product((True, False), repeat=len(undecided)):
        chosen = dict(zip(undecided, choice, strict=True))
        rules = [
            rule.replace("-m mark --mark 1 ", "").replace("-m mark --mark 2 ", "")
            if chosen.get(n, True)
            else rule.replace("-p tcp", "-p udp")
            for n, rule in enumerate(named_rules)
        ]
        found.add(
            asked(
                *(rule.replace("-p udp --dport 80 -m mark", "-p udp -m mark") for rule in rules)
            ).verdict
        )
    assert possible(told.verdict) == found
    fates = coverage(read(table(*named_rules)).ruleset)
    assert found in [possible(one) for one in values(fates.outbound)]


def test_a_rule_after_one_that_may_match_is_not_dead() -> None:
    ruleset = read(
        table(
            "OUTPUT -p tcp -m mark --mark 1 -j RETURN",
            "OUTPUT -p tcp -j LOG",
            f"OUTPUT {REDIRECTED}",
            "OUTPUT -p tcp -m mark --mark 2 -j ACCEPT",
        )
    ).ruleset
    assert [dead.number for dead in dead_rules(kernel_order(ruleset))] == [4]
    assert "intercepts-nothing" not in {item.id for item in lint(ruleset)}


def test_a_chain_that_a_goto_enters_is_used() -> None:
    assert not [item for item in lint(read(table("OUTPUT -g A", chains=("A",))).ruleset)
                if item.id == "unused-chain"]  # fmt: skip


PASSED = {
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -m state --state NEW -j X\nCOMMIT\n*nat\nCOMMIT\n":
        "2 rules of table filter: passed over, only the nat table redirects; they may still drop a "
        "connection",
    "*mangle\n[1:2] -A PREROUTING -j MARK --set-mark 1\nCOMMIT\n*nat\nCOMMIT\n":
        "1 rule of table mangle: passed over, only the nat table redirects",
    "*raw\n-A OUTPUT -p tcp -j CT --notrack\nCOMMIT\n*nat\nCOMMIT\n":
        "1 rule of table raw: passed over, and line 2 may take connections away from the nat table: "
        "-A OUTPUT -p tcp -j CT --notrack",
    "*mangle\n-A PREROUTING -p tcp -j TPROXY --on-port 1\nCOMMIT\n*nat\nCOMMIT\n":
        "1 rule of table mangle: passed over, and line 2 may take connections away from the nat "
        "table: -A PREROUTING -p tcp -j TPROXY --on-port 1",
    "*nat\n:D - [0:0]\n-A POSTROUTING -j D\n-A INPUT -j SNAT --to 10.0.0.1\n"
    "-A D -p tcp --sport 5 -j MASQUERADE\nCOMMIT\n":
        "3 rules of INPUT and POSTROUTING and below: passed over, they translate the source of "
        "connections, and redirect none",
    "set -e\niptables -t nat -N X\necho done\n":
        "2 lines of shell around the rules: passed over, what they do is not followed: set -e",
    "iptables -A INPUT -j ACCEPT\niptables -w 5 -t nat -N X\n":
        "1 rule of table filter: passed over, only the nat table redirects; they may still drop a "
        "connection",
}  # fmt: skip


@pytest.mark.parametrize("text", PASSED)
def test_what_decides_no_redirection_is_passed_over_and_said(text: str) -> None:
    (item,) = read(text).findings
    assert (item.id, item.severity, item.message) == ("passed-over", Severity.INFO, PASSED[text])


def test_a_script_of_the_injector_has_nothing_to_pass_over() -> None:
    assert read(table("OUTPUT -p tcp -j A", f"A {REDIRECTED}")).findings == ()


def test_undecided_rules_are_told_once_a_kind_and_not_without_end() -> None:
    marks = [f"OUTPUT -m mark --mark {n} -j RETURN" for n in range(25) for _ in range(2)]
    found = read(table(*marks)).findings
    assert {item.id for item in found} == {"undecided-rule"}
    assert [item.message for item in found][:1] == [
        "-m mark --mark 0 may match; an answer that depends on it names it: "
        "-m mark --mark 0 -j RETURN; 2 rules have it"
    ]
    assert [item.message for item in found][20:] == ["10 more rules that nobody here decides"]


@pytest.mark.parametrize("rule", ["-m mark --mark 1 -j LOG", "-j LOG", "-j RETURN"])
def test_a_rule_that_decides_nothing_is_not_called_undecided(rule: str) -> None:
    assert read(table(f"OUTPUT {rule}")).findings == ()


def test_a_variable_is_named_once_with_its_place() -> None:
    text = table("OUTPUT -d ${self}/32 -j RETURN", "OUTPUT -s $self -d $POD_IP -j A")
    if "POD_IP" in text:
        text = text.replace(" -d $POD_IP", "")
    (item, *_) = [item for item in read(text).findings if item.id == "unknown-variable"]
    assert item.message == "$self: its value is not in this text; 2 rules have it"
    assert (item.place.line, item.place.column) == (6, 14)


@pytest.mark.parametrize("rule", ["-o $(id) -j RETURN", "-d `id` -j RETURN", "-j A; id"])
def test_a_command_in_a_rule_is_refused(rule: str) -> None:
    """It would run as root, and nobody knows what it prints."""
    with pytest.raises(RuleSyntaxError, match="shell syntax"):
        read(table(f"OUTPUT {rule}"))


def test_a_variable_in_a_dump_is_no_variable() -> None:
    with pytest.raises(RuleSyntaxError, match="shell syntax"):
        read("*nat\n-A OUTPUT -d $self -j RETURN\nCOMMIT\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("iptables-restore <<EOF", "EOF"),
        ("if ! /sbin/iptables-restore -w 5 -n <<-'RULES'", "\tRULES\nthen exit 1\nfi"),
        ("cat << EOF | sudo iptables-legacy-restore --noflush", "EOF"),
        ("set -e\niptables-nft-restore <<END || exit 1", "END"),
        ("ip6tables-restore <<SIX\n*nat\n-A X\nCOMMIT\nSIX\niptables-restore <<EOF", "EOF"),
    ],
)
def test_a_here_document_is_found_in_a_script(before: str, after: str) -> None:
    reading = read(
        f"{before}\n*nat\n:A - [0:0]\n-A OUTPUT -j A\n-A A -j RETURN\nCOMMIT\n{after}\n"
    )
    assert reading.dialect == "restore"
    assert [step.rule.target for step in reading.ruleset.steps] == [Jump(chain="A"), Return()]
    assert {item.id for item in reading.findings} <= {"passed-over"}


def test_sets_that_depend_on_different_matches_are_not_the_same() -> None:
    """Else a comparison would say that nothing changes."""
    one, two, same = (
        coverage(
            read(table(f"OUTPUT -m mark --mark {n} -j RETURN", f"OUTPUT {REDIRECTED}")).ruleset
        )
        for n in (1, 2, 1)
    )
    assert one != two
    assert one == same


@pytest.mark.parametrize(
    "typed",
    ["$ kubectl exec web -c sidecar -- iptables-save -t nat\n",
     "root@node:~# \n\nnsenter -t 1 -n iptables-save\n", "node$ sudo iptables-save -t nat\n"],
)  # fmt: skip
def test_the_command_that_printed_a_dump_may_be_pasted_with_it(typed: str) -> None:
    dump = "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n"
    reading = read(typed.removeprefix("root@node:~# \n") + dump)
    assert (reading.dialect, reading.findings) == ("save", ())
    (step,) = reading.ruleset.steps
    assert step.rule.line == 3 + typed.removeprefix("root@node:~# \n").count("\n")


def test_a_command_before_a_script_of_commands_stays_one_that_is_passed_over() -> None:
    reading = read("kubectl get pods\niptables -t nat -A OUTPUT -p tcp -j RETURN\n")
    assert [item.id for item in reading.findings] == ["passed-over"]
