"""What the verbs about traffic share: which rules and which packet are meant, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from fsm_stack.cli.verb import ProfileName, StackName, project_option
from fsm_stack.well_known import PORT_MAX, UID_MAX

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fsm_stack.iptables.packet import Packet, Trace
    from fsm_stack.project.rules_source import RulesSource

    _Function = TypeVar("_Function", bound=Callable[..., Any])

APPLICATION_UID: Final = 1000
PROTOCOLS: Final = ("tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "udplite", "igmp", "gre",
                    "esp", "ah")  # fmt: skip


class Address(click.ParamType[str]):
    """An IPv4 or IPv6 address; brackets around it are taken off."""

    name = "ip"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was written, once it is known to be one."""
        from fsm_stack.iptables.sets.ranges import address_number

        address = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        if address_number(address) is None and not _is_ipv6(address):
            hint = "; rules match addresses, so look the name up first" if _is_name(value) else ""
            self.fail(f"{value!r}: expected an IPv4 or IPv6 address{hint}", param, ctx)
        return address


class Endpoint(click.ParamType[tuple[str, int | None]]):
    """``ADDRESS:PORT``, ``[IPV6]:PORT``, or an address alone."""

    name = "address:port"

    def convert(
        self,
        value: str | tuple[str, int | None],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int | None]:
        """The address and the port; None without one."""
        from fsm_stack.iptables.sets.ranges import plain_number

        if isinstance(value, tuple):
            return value
        if value.startswith("[") and "]" in value:
            address, _, rest = value[1:].partition("]")
        elif value.count(":") > 1:
            address, rest = value, ""
        else:
            address, colon, port = value.partition(":")
            rest = colon + port
        Address().convert(address, param, ctx)
        if not rest:
            return (address, None)
        number = plain_number(rest[1:]) if rest[0] == ":" else None
        if number is None or number > PORT_MAX:
            self.fail(f"{value!r}: expected a port from 0 to {PORT_MAX}", param, ctx)
        return (address, number)


def _is_name(text: str) -> bool:
    """Whether it looks like a host's name: letters, and nothing that a name cannot have."""
    plain = text.replace(".", "").replace("-", "")
    return plain.isascii() and plain.isalnum() and not plain.isdigit()


def _is_ipv6(text: str) -> bool:
    if ":" not in text:
        return False
    from ipaddress import AddressValueError, IPv6Address

    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text


SYSTEM_NAMES = ("fsm", "osm-edge", "osm")


def profile_option(function: _Function) -> _Function:
    """``--profile``."""
    return click.option(
        "--profile",
        type=ProfileName(),
        metavar="NAME",
        help="Of pods that carry this annotation profile.  [default: pods without annotations]",
    )(function)


def system_option(function: _Function) -> _Function:
    """``--system``."""
    return click.option(
        "--system",
        type=click.Choice(SYSTEM_NAMES),
        help="Whose rules the script has to be; names the init container in a description.",
    )(function)


def source_options(function: _Function) -> _Function:
    """``[STACK]``, ``--profile``, ``--script``, ``--system`` and ``-C``: see :func:`chosen`."""
    function = project_option(function)
    function = system_option(function)
    function = click.option(
        "--script",
        metavar="FILE|-",
        type=click.Path(allow_dash=True),
        help="Ask about a script instead of a stack: an init container's, iptables-save, "
        "iptables -S, or kubectl describe pod.",
    )(function)
    function = profile_option(function)
    return click.argument("stack", type=StackName(), required=False, metavar="[STACK]")(function)


def svg_option(help_text: str) -> Callable[[_Function], _Function]:
    """``--svg``."""
    return click.option(
        "--svg",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=help_text,
    )


def chosen(
    stack: str | None,
    *,
    profile: str | None,
    script: str | None,
    system: str | None,
    project_dir: Path,
) -> RulesSource:
    """The rules that the options mean.

    Raises:
        click.UsageError: neither or both of a stack and a script, or options of the other one.
        FsmStackError: there are no such rules, or they cannot be read.
    """
    from fsm_stack.project.rules_source import of_script, of_stack

    if (stack is None) == (script is None):
        raise click.UsageError("expected either a STACK or --script FILE")
    if script is not None:
        if profile is not None:
            raise click.UsageError("--profile: expected a STACK, a script has no profiles")
        return of_script(script, system)
    if system is not None:
        raise click.UsageError("--system: expected --script, a stack knows its system")
    return of_stack(project_dir, str(stack), profile)


def draw(source: RulesSource, file: Path, *, title: str, trace: Trace | None = None) -> None:
    """Write a picture of the chains, and of a connection's way through them."""
    from fsm_stack.iptables.picture.chains import chains_svg
    from fsm_stack.project.files import write_file

    write_file(file, chains_svg(source.loadable(), title=title, trace=trace).encode())


def packet_options(function: _Function) -> _Function:
    """``--to`` and what else says which connection is meant; :func:`packet_of` reads them."""
    for option in (
        click.option("--interface", default="", metavar="NAME",
                     help="It leaves or enters through this one.  [default: lo for the pod's own "
                     "addresses, else eth0]"),
        click.option("--protocol", type=click.Choice(PROTOCOLS), default="tcp",
                     show_default=True, help="Its protocol."),
        click.option("--inbound", is_flag=True,
                     help="It enters the pod; otherwise the pod makes it."),
        click.option("--uid", type=click.IntRange(0, UID_MAX),
                     help="The user of the process that connects; 1500 is the sidecar.  "
                     f"[default: {APPLICATION_UID}]"),
        click.option("--from", "source", type=Address(), help="Where it comes from."),
        click.option("--to", "to", type=Endpoint(), required=True, metavar="ADDRESS:PORT",
                     help="Where it goes, as iptables sees it; an IPv6 address in brackets."),
    ):  # fmt: skip
        function = option(function)
    return function


def packet_of(to: tuple[str, int | None], options: dict[str, Any]) -> Packet:
    """The packet that the options describe; they are taken out."""
    from fsm_stack.iptables.judge.loadable import match_refusals
    from fsm_stack.iptables.packet import WITH_PORTS
    from fsm_stack.iptables.packet import Packet as Value
    from fsm_stack.iptables.rule import OutInterface
    from fsm_stack.iptables.sets.ranges import on_the_wire

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
