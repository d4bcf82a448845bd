"""Lists to script text in one go: for many policies, and for one question in a hurry.

The text equals ``write_restore(intercept(lists, system))``, whose template is what gets rendered;
a law of the tests, and every recorded script is compared with both. The lines come from the same
step functions: each is written once a system, with a mark where the value goes. No template
engine takes part: its import alone takes longer than to answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from fsm_stack.iptables import generate
from fsm_stack.iptables.rule_text import step_line
from fsm_stack.lists import POD_IP_MODE, InterceptLists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.iptables.rule import Step
    from fsm_stack.systems import System

_MARK = "\0"
_MARK_PORT = 65536
_NOTHING = InterceptLists()


def script(lists: InterceptLists, system: System) -> str:
    """The injector's script for these lists, byte for byte.

    Args:
        lists: the generator's own arguments; nonsense in them is kept.
        system: whose injector.
    """
    lines = _lines(system)
    parts: list[list[str]] = [lines.head, lines.inbound_static]
    interfaces = lists.interfaces
    if interfaces:
        parts.append(lines.inbound_interface.each(interfaces))
    if lists.inbound_ports:
        parts.append([lines.inbound_ports.of_ports(lists.inbound_ports)])
    parts.append(lines.outbound_static)
    if lists.dns_proxy:
        parts.append(lines.dns_proxy)
    if lists.local_proxy_mode == POD_IP_MODE:
        parts.append(lines.pod_ip_mode)
    if interfaces:
        parts.append(lines.outbound_interface.each(interfaces))
    if lists.excluded_ranges:
        parts.append(lines.exclusion.each(lists.excluded_ranges))
    if lists.outbound_ports:
        parts.append([lines.outbound_ports.of_ports(lists.outbound_ports)])
    if lists.included_ranges:
        parts.append(lines.inclusion.each(lists.included_ranges))
        parts.append(lines.only_included)
    else:
        parts.append(lines.everything)
    parts.append(lines.tail)
    return "\n".join(chain.from_iterable(parts))


@dataclass(frozen=True, slots=True)
class _Shape:
    """A line with a gap for one value."""

    before: str
    after: str

    def each(self, values: tuple[str, ...]) -> list[str]:
        before, after = self.before, self.after
        return [f"{before}{value}{after}" for value in values]

    def of_ports(self, ports: tuple[int, ...]) -> str:
        return f"{self.before}{','.join(map(str, ports))}{self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    head: list[str]
    inbound_static: list[str]
    inbound_interface: _Shape
    inbound_ports: _Shape
    outbound_static: list[str]
    dns_proxy: list[str]
    pod_ip_mode: list[str]
    outbound_interface: _Shape
    exclusion: _Shape
    outbound_ports: _Shape
    inclusion: _Shape
    only_included: list[str]
    everything: list[str]
    tail: list[str]


@cache
def _lines(system: System) -> _Lines:
    def written(
        section: Callable[[InterceptLists, System], Iterator[Step]], lists: InterceptLists
    ) -> list[str]:
        return [step_line(step) for step in section(lists, system)]

    chains = system.chains
    marked = replace(
        _NOTHING,
        local_proxy_mode=POD_IP_MODE,
        dns_proxy=True,
        included_ranges=(_MARK,),
        outbound_ports=(_MARK_PORT,),
        inbound_ports=(_MARK_PORT,),
    )
    return _Lines(
        head=[
            "iptables-restore --noflush <<EOF",
            f"# {system.script_comment}",
            "*nat",
            *(f":{name} - [0:0]" for name in chains.all()),
        ],
        inbound_static=written(generate.inbound_static, _NOTHING),
        inbound_interface=_shape(generate.inbound_interface(_MARK, chains)),
        inbound_ports=_shape(*generate.inbound_ports(marked, system), mark=str(_MARK_PORT)),
        outbound_static=written(generate.outbound_static, _NOTHING),
        dns_proxy=written(generate.dns_proxy, marked),
        pod_ip_mode=written(generate.pod_ip_mode, marked),
        outbound_interface=_shape(generate.outbound_interface(_MARK, chains)),
        exclusion=_shape(generate.outbound_exclusion(_MARK, chains)),
        outbound_ports=_shape(*generate.outbound_ports(marked, system), mark=str(_MARK_PORT)),
        inclusion=_shape(generate.outbound_inclusion(_MARK, chains)),
        only_included=written(generate.outbound_decision, marked)[1:],
        everything=written(generate.outbound_decision, _NOTHING),
        tail=["COMMIT", "EOF", ""],
    )


def _shape(step: Step, *, mark: str = _MARK) -> _Shape:
    before, _, after = step_line(step).partition(mark)
    return _Shape(before=before, after=after)
