"""The kernel's answer beside the simulator's, and a disagreement as a case that can be kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, assert_never

from network import POD_IP, Arrival, Backend, interface_to

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import (
    Dropped,
    Handed,
    May,
    Packet,
    Pod,
    Rewritten,
    ToListener,
    Untouched,
)
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.write import write_commands, write_restore
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import system

if TYPE_CHECKING:
    from network import Network

    from fsm_stack.iptables.packet import Decided

Dialect = Literal["restore", "commands"]
DIALECTS: tuple[Dialect, ...] = ("restore", "commands")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy, how it is loaded, and connections to try."""

    system: str
    backend: Backend
    dialect: Dialect
    lists: InterceptLists
    packets: tuple[Packet, ...]

    def kept(self) -> str:
        """One line for cases.jsonl."""
        return json.dumps(asdict(self), sort_keys=True)


def case_of(line: str) -> Case:
    """A kept case."""
    value: dict[str, Any] = json.loads(line)
    lists = {
        name: tuple(part) if isinstance(part, list) else part
        for name, part in value["lists"].items()
    }
    return Case(
        system=value["system"],
        backend=value["backend"],
        dialect=value["dialect"],
        lists=InterceptLists(**lists),
        packets=tuple(Packet(**packet) for packet in value["packets"]),
    )


def text_of(case: Case) -> str:
    """The script of the case."""
    ruleset = intercept(case.lists, system(case.system))
    return write_restore(ruleset) if case.dialect == "restore" else write_commands(ruleset)


def expected(packet: Packet, text: str) -> Arrival:
    """Where the simulator says the connection ends; it reads the script's text."""
    (arrival,) = possible(packet, text)
    return arrival


def possible(packet: Packet, text: str) -> list[Arrival]:
    """Every place where it may end: one, unless a rule decides that is not decided here."""
    verdict = trace(read(text).ruleset, packet, pod=Pod(address=POD_IP)).verdict
    among = verdict.among if isinstance(verdict, May) else (verdict,)
    return [arrival(packet, one) for one in among]


def arrival(packet: Packet, verdict: Decided) -> Arrival:
    """Where a connection with this verdict ends."""
    outbound = packet.direction == "outbound"
    match verdict:
        case Untouched():
            local = not outbound or interface_to(packet.destination) == "lo"
            where = "pod" if local else "world"
            return Arrival(where=where, address=packet.destination, port=packet.port)
        case ToListener():
            address = "127.0.0.1" if outbound else packet.destination
            return Arrival(where="pod", address=address, port=verdict.port)
        case Rewritten():
            address = verdict.address or packet.destination
            where = "pod" if interface_to(address) == "lo" else "world"
            return Arrival(where=where, address=address, port=verdict.port or packet.port)
        case Dropped():
            raise AssertionError(f"{packet}: iptables lets no rule drop in table nat")
        case Handed():
            raise AssertionError(f"{packet}: what {verdict.to} does is not known")
        case _:
            assert_never(verdict)


def judge(case: Case, pod: Network) -> int:
    """Load the case's script and compare every connection.

    Returns:
        How many connections were made.
    """
    pod.flush()
    text = text_of(case)
    loaded = pod.load(text, case.backend)
    assert loaded.returncode == 0, f"{loaded.stderr}\nkeep this case:\n{case.kept()}"
    for packet, arrived in zip(case.packets, pod.connect(case.packets), strict=True):
        told = expected(packet, text)
        assert arrived == told, (
            f"{packet}: the kernel has {arrived}, the simulator {told}\n"
            f"keep this case:\n{replace(case, packets=(packet,)).kept()}"
        )
    return len(case.packets)
