"""``fsm-stack trace``: what happens to one connection, and by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.endpoint import Address, Endpoint
from fsm_stack.cli.rules_options import chosen, draw, source_options, svg_option
from fsm_stack.cli.verb import Verb, emit, output_option

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.iptables.packet import Packet

UID_MAX: Final = (1 << 32) - 2  # 4294967295 stands for "no user"
APPLICATION_UID: Final = 1000
PROTOCOLS: Final = ("tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "udplite", "igmp", "gre",
                    "esp", "ah")  # fmt: skip


@click.command(cls=Verb, short_help="Say what happens to one connection, and by which rule.")
@source_options
@click.option("--to", "to", type=Endpoint(), required=True, metavar="ADDRESS:PORT",
              help="Where it goes, as iptables sees it; an IPv6 address in brackets.")  # fmt: skip
@click.option("--from", "source", type=Address(), help="Where it comes from.")
@click.option("--uid", type=click.IntRange(0, UID_MAX),
              help="The user of the process that connects; 1500 is the sidecar.  "
              f"[default: {APPLICATION_UID}]")  # fmt: skip
@click.option("--inbound", is_flag=True, help="It enters the pod; otherwise the pod makes it.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="tcp", show_default=True,
              help="Its protocol.")  # fmt: skip
@click.option("--interface", default="", metavar="NAME",
              help="It leaves or enters through this one.  [default: lo for the pod's own "
              "addresses, else eth0]")  # fmt: skip
@click.option("--pod-ip", type=Address(), help="The pod's own address.")
@click.option("--resolves-to", type=Address(),
              help="Where the sidecar connects to for it: a service's endpoint.")  # fmt: skip
@click.option("--all-rules", is_flag=True, help="Show the rules that did not apply, too.")
@svg_option
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
    from fsm_stack.cli.trace_report import TraceReport
    from fsm_stack.iptables.packet import Pod
    from fsm_stack.iptables.simulate import trace as walk

    packet = _packet(to, options)
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


def _packet(to: tuple[str, int | None], options: dict[str, Any]) -> Packet:
    """The packet that the options describe; they are taken out."""
    from fsm_stack.iptables.loadable import match_refusals
    from fsm_stack.iptables.packet import WITH_PORTS
    from fsm_stack.iptables.packet import Packet as Value
    from fsm_stack.iptables.ranges import on_the_wire
    from fsm_stack.iptables.rule import OutInterface

    address, port = to
    source, protocol = options.pop("source") or "", options.pop("protocol")
    interface, inbound, uid = (options.pop(key) for key in ("interface", "inbound", "uid"))
    if port is None and protocol in WITH_PORTS:
        raise click.UsageError(f"--to {address}: expected ADDRESS:PORT, {protocol} has ports")
    if port is not None and protocol not in WITH_PORTS:
        raise click.UsageError(f"--to: expected an address alone, {protocol} has no ports")
    if inbound and uid is not None:
        raise click.UsageError("--uid: expected a connection that the pod makes, others have none")
    if inbound and interface == "lo":
        raise click.UsageError("--interface lo: expected a connection that the pod makes; rules "
                               "see it as it leaves, and not again as it enters")  # fmt: skip
    address, source = on_the_wire(address), on_the_wire(source)
    if source and (":" in source) != (":" in address):
        raise click.UsageError("--from and --to: expected two addresses of one IP version")
    for _, message, _ in match_refusals(OutInterface(name=interface)) if interface else ():
        raise click.UsageError(f"--interface: {message}")
    return Value(
        direction="inbound" if inbound else "outbound",
        destination=address,
        port=port or 0,
        protocol=protocol,
        source=source,
        interface=interface,
        uid=0 if inbound else APPLICATION_UID if uid is None else uid,
    )
