"""Addresses and ports on the command line."""

from __future__ import annotations

from typing import Final

import click

PORT_MAX: Final = 65535


class Address(click.ParamType[str]):
    """An IPv4 or IPv6 address; brackets around it are taken off."""

    name = "ip"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was written, once it is known to be one."""
        from fsm_stack.iptables.ranges import address_number

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
        from fsm_stack.iptables.ranges import plain_number

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
