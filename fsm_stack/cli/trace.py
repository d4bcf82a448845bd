"""``fsm-stack trace``: what happens to one connection, and by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.options import (
    Address,
    chosen,
    draw,
    packet_of,
    packet_options,
    source_options,
    svg_option,
)
from fsm_stack.cli.verb import Verb, emit, finding_lines, output_option
from fsm_stack.well_known import SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fsm_stack.iptables.packet import Hop, Packet, Pass, Trace, Verdict
    from fsm_stack.project.rules_source import RulesSource
    from fsm_stack.settings.effective import Bypass
    from fsm_stack.settings.models.stack import StackSettings


class TraceReport:
    """A trace for people and for programs."""

    def __init__(self, rules: RulesSource, packet: Packet, trace: Trace) -> None:
        from fsm_stack.iptables.packet import (
            Dropped,
            May,
            ToListener,
            Untouched,
            endpoint_text,
            may_reach_sidecar,
        )

        self.rules, self.packet, self.trace = rules, packet, trace
        self.asked = f"{packet.direction} {packet.protocol} to {endpoint_text(packet)}"
        may = (
            "may go through the sidecar" if may_reach_sidecar(trace.verdict) else "may be changed"
        )
        self.told = {ToListener: "goes through the sidecar", Untouched: "bypasses the sidecar",
                     Dropped: "goes nowhere", May: may}  # fmt: skip
        self.listener, self.may = ToListener, May
        self.declared = self._declared()

    def _declared(self) -> tuple[Bypass, ...]:
        """The stack's entries behind the deciding rule, that this packet is about."""
        settings, decided = self.rules.settings, self.trace.decided_by
        if settings is None or decided is None:
            return ()
        from datetime import UTC, datetime

        from fsm_stack.redirection.origins import behind, declared

        entries = declared(settings, self.rules.profile, datetime.now(UTC).date())
        found = behind(decided.rule, entries)
        about = [item for item in found if "Port" not in item.kind or self._is_port(item.value)]
        return tuple(about)

    def _is_port(self, value: str) -> bool:
        return value == str(self.packet.port)

    def _service_range(self) -> str | None:
        settings = self.rules.settings
        return self._inside(settings.cluster.service_ranges) if settings is not None else None

    def _inside(self, ranges: Iterable[str]) -> str | None:
        """The range that holds the address of a connection that the pod makes."""
        from fsm_stack.iptables.sets.ranges import address_number, ipv4_range

        number = address_number(self.packet.destination)
        if number is None or self.packet.direction == "inbound":
            return None
        for cidr in ranges:
            bounds = ipv4_range(cidr)
            if bounds and bounds[0] <= number < bounds[1]:
                return cidr
        return None

    def _peer(self) -> str:
        """What a peer of the mesh makes of a connection that bypasses this pod's sidecar."""
        from fsm_stack.iptables.packet import Untouched

        settings, packet = self.rules.settings, self.packet
        if settings is None or packet.protocol != "tcp" or packet.uid == SIDECAR_UID:
            return ""
        if type(self.trace.verdict) is not Untouched:
            return ""
        own, api_server = self._own_range(settings), settings.cluster.api_server
        server = api_server.address if api_server is not None else ""
        if own is None or packet.destination == server:
            return ""
        return (
            f"in the cluster's own range {own}: where a pod of the mesh answers, its sidecar "
            "meets plain text instead of the mesh's TLS, unless that pod excludes its port inbound"
        )

    def _own_range(self, settings: StackSettings) -> str | None:
        cluster = settings.cluster
        return self._inside((*cluster.pod_ranges, *cluster.service_ranges))

    def _egress(self) -> str:
        """What the sidecar makes of a connection out of a mesh without egress."""
        settings, packet = self.rules.settings, self.packet
        if settings is None or settings.traffic.enable_egress or packet.direction == "inbound":
            return ""
        if packet.uid == SIDECAR_UID or type(self.trace.verdict) is not self.listener:
            return ""
        known = settings.cluster.pod_ranges and settings.cluster.service_ranges
        if not known or self._own_range(settings) is not None:
            return ""
        return "traffic.enableEgress is false: the sidecar refuses it, unless a policy allows it"

    def _address_note(self) -> str:
        """Which address the rules match, where that is not plain (H22)."""
        if cidr := self._service_range():
            return (
                f"a service address (cluster.serviceRanges {cidr}). A CNI that rewrites it at the "
                "socket, as Cilium can, shows iptables the endpoint's address instead: ask again "
                "with that one"
            )
        if self.packet.direction == "inbound":
            return "the pod's own, as the packet enters"
        return "as iptables sees it, after whatever the CNI rewrites at the socket"

    def lines(self, *, all_rules: bool) -> list[str]:
        """The verdict first, the reason, each pass."""
        verdict = self.trace.verdict
        what = self.told.get(type(verdict), "is sent elsewhere")
        color = "green" if what.startswith("goes") else "yellow"
        lines = [f"{click.style(_verdict_text(verdict), fg=color)}: {self.asked} {what}"]
        if decided := self.trace.decided_by:
            lines.append(f"  rule:    {_rule_text(decided)}")
        lines += [f"  may:     {_rule_text(hop)}" for hop in self.trace.undecided]
        lines.append(f"  why:     {self.trace.why}")
        if self.declared:
            from fsm_stack.redirection.origins import declared_text

            lines += [f"  entry:   {declared_text(item)}" for item in self.declared]
        lines += [
            *([f"  peer:    {peer}"] if (peer := self._peer()) else []),
            *([f"  egress:  {egress}"] if (egress := self._egress()) else []),
            f"  matched: {self.packet.destination}, {self._address_note()}",
            f"  rules:   {_rules_of(self.rules)}",
            *finding_lines(self.rules.findings),
        ]
        for number, one in enumerate(self.trace.passes, start=1):
            lines += ["", *_pass_lines(number, one, all_rules=all_rules)]
        if type(self.trace.passes[-1].verdict) is self.listener:
            lines += ["", "and so on: the sidecar's own connections come back to it without end"]
        return lines

    def plain(self, *, all_rules: bool) -> dict[str, Any]:
        """The same as plain values."""
        from fsm_stack.iptables.packet import WITH_PORTS

        packet, decided = self.packet, self.trace.decided_by
        return {
            "source": self.rules.as_json(),
            "packet": {
                "direction": packet.direction,
                "protocol": packet.protocol,
                "destination": packet.destination,
                "port": packet.port if packet.protocol in WITH_PORTS else None,
                "source": packet.source or None,
                "interface": self.trace.passes[0].packet.interface,
                "uid": packet.uid if packet.direction == "outbound" else None,
            },
            "throughSidecar": self._through_sidecar(),
            "verdict": _verdict_text(self.trace.verdict),
            "undecided": [_plain_hop(hop) for hop in self.trace.undecided],
            "rule": _plain_hop(decided) if decided else None,
            "why": self.trace.why,
            "entries": [
                {"path": item.path, "value": item.value, "reason": item.reason or None,
                 "owner": item.owner or None}
                for item in self.declared
            ],
            "matchedAddress": {
                "address": packet.destination,
                "serviceRange": self._service_range(),
                "note": self._address_note(),
            },
            "peer": self._peer() or None,
            "egress": self._egress() or None,
            "passes": [_plain_pass(one, all_rules=all_rules) for one in self.trace.passes],
            "findings": [item.as_json() for item in self.rules.findings],
        }  # fmt: skip

    def _through_sidecar(self) -> bool | None:
        """Whether it does; None: a rule decides it that nobody here can decide."""
        from fsm_stack.iptables.packet import may_reach_sidecar

        verdict = self.trace.verdict
        reaches = may_reach_sidecar(verdict)
        return None if reaches and isinstance(verdict, self.may) else reaches


def _rules_of(rules: RulesSource) -> str:
    family = rules.reading.generation
    broken = "" if rules.reading.loads else "; a shell refuses it: this is what it was meant to do"
    return f"{rules.name}; {family.describe() if family else 'no known injector'}{broken}"


def _verdict_text(verdict: Verdict) -> str:
    from fsm_stack.iptables.packet import verdict_text

    return verdict_text(verdict)


def _rule_text(hop: Hop) -> str:
    from fsm_stack.iptables.write import rule_text

    line = f" (line {hop.rule.line})" if hop.rule.line else ""
    return f"{hop.chain} {hop.number}{line}: {rule_text(hop.rule)}"


def _pass_lines(number: int, one: Pass, *, all_rules: bool) -> list[str]:
    from fsm_stack.iptables.write import match_text, rule_text

    packet = one.packet
    who = f", uid {packet.uid}" if packet.direction == "outbound" else ""
    head = f"{number}. {one.title} ({packet.interface}{who}): {_verdict_text(one.verdict)}"
    shown = [hop for hop in one.hops if hop.matched or hop.undecided or all_rules]
    shown += [hop for hop in one.undecided if hop not in shown]
    places = [f"{hop.chain} {hop.number}" for hop in shown]
    width = max(map(len, places), default=0)
    lines = [head]
    for hop, place in zip(shown, places, strict=True):
        mark = "=>" if hop.matched else "? " if hop.undecided else "  "
        note = hop.rule.why.text
        if unmet := hop.failed or hop.undecided:
            note = f"{'may' if hop.undecided else 'no'}: {match_text(unmet)}"
            if hop.undecided and hop not in one.undecided:
                note += "; the answer is the same either way"
        lines.append(f"   {mark} {place:{width}}  {rule_text(hop.rule)}")
        lines.append(f"      {'':{width}}    {note}")
    return lines if shown else [*lines, f"   {one.why}"]


def _plain_pass(one: Pass, *, all_rules: bool) -> dict[str, Any]:
    return {
        "title": one.title,
        "interface": one.packet.interface,
        "verdict": _verdict_text(one.verdict),
        "why": one.why,
        "rules": [
            _plain_hop(hop) for hop in one.hops if hop.matched or hop.undecided or all_rules
        ],
    }


def _plain_hop(hop: Hop) -> dict[str, Any]:
    from fsm_stack.iptables.write import match_text, rule_text

    return {
        "chain": hop.chain,
        "number": hop.number,
        "line": hop.rule.line,
        "rule": rule_text(hop.rule),
        "why": hop.rule.why.text,
        "applied": hop.matched,
        "failed": match_text(hop.failed) if hop.failed else None,
        "undecided": match_text(hop.undecided) if hop.undecided else None,
    }


@click.command(cls=Verb, short_help="Say what happens to one connection, and by which rule.")
@source_options
@packet_options
@click.option("--pod-ip", type=Address(), help="The pod's own address.")
@click.option("--resolves-to", type=Address(),
              help="Where the sidecar connects to for it: a service's endpoint.")  # fmt: skip
@click.option("--all-rules", is_flag=True, help="Show the rules that did not apply, too.")
@svg_option("Also draw its way through the chains into FILE.")
@output_option
def trace(
    stack: str | None,
    *,
    to: tuple[str, int | None],
    all_rules: bool,
    svg: Path | None,
    pod_ip: str | None,
    resolves_to: str | None,
    **options: Any,  # noqa: ANN401  # of the source and of the packet
) -> None:
    """Say what happens to one connection, and by which rule.

    The script of a STACK's pods, or any other with --script, is read and walked as the kernel
    walks it, through the sidecar and on. The first line is the verdict; then come the deciding
    rule with its reason, and each pass with the rules that applied.

    \b
    fsm-stack trace prod --to 10.130.2.3:6379
    fsm-stack trace --script init.sh --to 10.130.2.3:8080 --inbound
    """
    from fsm_stack.iptables.judge.simulate import trace as walk
    from fsm_stack.iptables.packet import Pod

    packet = packet_of(to, options)
    if resolves_to and packet.direction == "inbound":
        raise click.UsageError("--resolves-to: expected a connection that the pod makes")
    rules = chosen(stack, **options)
    found = walk(
        rules.loadable(), packet, pod=Pod(address=pod_ip or ""), resolves_to=resolves_to or ""
    )
    report = TraceReport(rules, packet, found)
    if svg is not None:
        draw(rules, svg, title=f"{rules.name}: {report.asked}", trace=found)
    emit(report.plain(all_rules=all_rules), report.lines(all_rules=all_rules))
