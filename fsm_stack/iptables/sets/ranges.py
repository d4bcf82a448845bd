"""IPv4 ranges and interface names as half-open intervals of an ordered axis.

Addresses are whole numbers below 2**32. Interface names are ordered as strings, so that an exact
name is the interval up to its next longer string and ``veth+`` everything that starts so.

The smallest cover of given addresses is exact: of all ways to hold them in at most so many CIDRs,
each inside of what may be covered, the one with the fewest addresses, then with the fewest CIDRs.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


Interval = tuple[Any, Any]

IPV4_END: Final = 1 << 32
_OCTETS: Final = 4
_OCTET_MAX: Final = 255
_PREFIX_MAX: Final = 32
_HEX_AND_DOTS: Final = frozenset("0123456789abcdefABCDEF:.")
_DIGITS: Final = frozenset("0123456789")

# name -> number. Source: IANA protocol numbers; the names that iptables prints.
PROTOCOLS: Final = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "sctp": 132,
    "udplite": 136,
}
Span = tuple[int, int]


def plain_number(text: str) -> int | None:
    """A decimal number without sign, blanks or leading zeros; None for anything else.

    iptables reads ``010`` as octal 8 where Go reads 10, so that a leading zero has no one meaning.
    """
    if not text or not _DIGITS.issuperset(text) or len(text) > len(str(IPV4_END)):
        return None
    return None if text[0] == "0" and text != "0" else int(text)


def address_number(text: str) -> int | None:
    """The IPv4 address as a number; None when it is not four plain octets."""
    parts = text.split(".")
    if len(parts) != _OCTETS:
        return None
    number = 0
    for part in parts:
        octet = plain_number(part)
        if octet is None or octet > _OCTET_MAX:
            return None
        number = number << 8 | octet
    return number


def on_the_wire(address: str) -> str:
    """The address in the packets of a connection to it.

    ``::ffff:10.1.2.3`` is how an IPv6 socket names 10.1.2.3: its packets are IPv4, and the IPv4
    table sees them. A connection to no address goes to the host itself (Linux, ip(7)).
    """
    if ":" in address:
        from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415  # IPv4 needs it not

        try:
            parsed = IPv6Address(address)
        except AddressValueError:
            return address
        mapped = parsed.ipv4_mapped
        address = str(mapped) if mapped else address if int(parsed) else "::1"
    return "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104  # not bound to


def dotted(number: int) -> str:
    """The address as text."""
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def ipv4_range(text: str) -> tuple[int, int] | None:
    """The addresses of an IPv4 CIDR or single address, half open, host bits cleared.

    An IPv6 address with ``/0`` counts as every IPv4 address: iptables ignores what stands before a
    zero length (seen with 1.8.9, both back ends).

    Returns:
        First address and one past the last; None when the text is neither.
    """
    address, slash, length = text.partition("/")
    bits = plain_number(length) if slash else _PREFIX_MAX
    number = 0 if bits == 0 and ":" in address and looks_like_ipv6(text) else None
    number = address_number(address) if number is None else number
    if number is None or bits is None or bits > _PREFIX_MAX:
        return None
    size = 1 << (_PREFIX_MAX - bits)
    start = number & ~(size - 1)
    return (start, start + size)


def ipv4_ranges(texts: Iterable[str]) -> list[tuple[int, int]]:
    """The ranges of those texts that are some, in their order."""
    return [bounds for text in texts if (bounds := ipv4_range(text))]


def has_host_bits(text: str) -> bool:
    """Whether an IPv4 CIDR names an address inside its range instead of the range."""
    bounds, address = ipv4_range(text), address_number(text.partition("/")[0])
    return bounds is not None and address is not None and address != bounds[0]


def canonical(text: str) -> str | None:
    """The CIDR with host bits cleared and its length written; None when it is no IPv4 range."""
    bounds = ipv4_range(text)
    return None if bounds is None else cidr_text(*bounds)


def cidr_text(start: int, end: int) -> str:
    """The CIDR of an aligned interval whose size is a power of two."""
    return f"{dotted(start)}/{_PREFIX_MAX - (end - start).bit_length() + 1}"


def cidrs(start: int, end: int) -> list[str]:
    """The fewest CIDRs that cover exactly this interval, in order."""
    found = []
    while start < end:
        size = start & -start or IPV4_END
        while start + size > end:
            size >>= 1
        found.append(cidr_text(start, start + size))
        start += size
    return found


def looks_like_ipv6(text: str) -> bool:
    """Whether the text is written as an IPv6 address or range, well formed or not."""
    address, slash, length = text.partition("/")
    written = ":" in address and _HEX_AND_DOTS.issuperset(address)
    return written and (not slash or plain_number(length) is not None)


def merged(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, disjoint, not touching: the same numbers in the fewest intervals."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def interface_matches(pattern: str, name: str) -> bool:
    """Whether the kernel's interface match takes this name; ``+`` counts only at the end."""
    if pattern.endswith("+"):
        return name.startswith(pattern[:-1])
    return name == pattern


def interface_interval(pattern: str) -> tuple[str, str | None]:
    """The names a pattern takes, as a half-open interval; None: no upper end."""
    if not pattern.endswith("+"):
        return (pattern, f"{pattern}\0")
    prefix = pattern[:-1]
    return (prefix, prefix_end(prefix))


def prefix_end(prefix: str) -> str | None:
    """The first string after all that start with the prefix; None when there is none."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else None


def complement(intervals: Sequence[Interval], first: Any, end: Any) -> list[Interval]:  # noqa: ANN401  # any axis
    """What sorted, disjoint intervals leave of an axis; None: no upper end."""
    gaps: list[Interval] = []
    at = first
    for start, stop in intervals:
        if at != start:
            gaps.append((at, start))
        at = stop
        if stop is None:
            return gaps
    return [*gaps, (at, end)] if at != end else gaps


def intersection(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """What two lists of sorted, disjoint intervals share."""
    shared: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        (start, stop), (other_start, other_stop) = left[i], right[j]
        left_ends_first = other_stop is None or (stop is not None and stop <= other_stop)
        low = max(start, other_start)
        high = stop if left_ends_first else other_stop
        if high is None or low < high:
            shared.append((low, high))
        if left_ends_first:
            i += 1
        else:
            j += 1
    return shared


@dataclass(frozen=True, slots=True)
class _Part:
    """Some neighbouring blocks: what covering them costs with one CIDR, two, ...

    Attributes:
        hull: the narrowest CIDR around them.
        costs: addresses, by the number of CIDRs less one; infinite: not allowed.
        lefts: of how many CIDRs the left half gets.
        halves: the two halves; empty: it is one block.
    """

    hull: Span
    costs: tuple[float, ...]
    lefts: tuple[int, ...]
    halves: tuple[_Part, ...]


def smallest(wanted: Sequence[Span], allowed: Sequence[Span], most: int) -> list[Span] | None:
    """The smallest cover; None: there is none with so few CIDRs.

    Cost: proportional to the number of blocks and to ``most``.

    Args:
        wanted: addresses that have to be covered.
        allowed: addresses that may be covered, the wanted ones among them.
        most: how many CIDRs there may be.
    """
    blocks = [
        bounds
        for start, end in merged(intersection(merged([*wanted]), merged([*allowed])))
        for text in cidrs(start, end)
        if (bounds := ipv4_range(text))
    ]
    if not blocks:
        return []
    whole = _part(blocks, 0, len(blocks), merged([*allowed]), max(most, 1))
    best = min(whole.costs)
    if best == float("inf") or most < 1:
        return None
    return _chosen(whole, whole.costs.index(best) + 1)


def _part(blocks: list[Span], low: int, high: int, allowed: list[Span], most: int) -> _Part:
    start, end = blocks[low][0], blocks[high - 1][1]
    size = 1 << (start ^ (end - 1)).bit_length()
    hull = (start & -size, (start & -size) + size)
    alone = float(size) if intersection([hull], allowed) == [hull] else float("inf")
    if high - low == 1:
        return _Part(hull, (float(end - start),), (0,), ())
    middle = bisect_left(blocks, (hull[0] + size // 2, 0), low, high)
    left = _part(blocks, low, middle, allowed, most)
    right = _part(blocks, middle, high, allowed, most)
    costs, lefts = [alone], [0]
    for count in range(2, min(most, len(left.costs) + len(right.costs)) + 1):
        first = max(1, count - len(right.costs))
        last = min(count - 1, len(left.costs))
        cost, chosen = min(
            (left.costs[at - 1] + right.costs[count - at - 1], at) for at in range(first, last + 1)
        )
        costs.append(cost)
        lefts.append(chosen)
    return _Part(hull, tuple(costs), tuple(lefts), (left, right))


def _chosen(part: _Part, count: int) -> list[Span]:
    at = part.lefts[count - 1]
    if not at:
        return [part.hull]
    left, right = part.halves
    return _chosen(left, at) + _chosen(right, count - at)


def inside(cidr: str, address: str) -> bool:
    """Whether an IPv4 address is in a range; no when one of the two is none."""
    bounds, number = ipv4_range(cidr), address_number(address)
    return bounds is not None and number is not None and bounds[0] <= number < bounds[1]
