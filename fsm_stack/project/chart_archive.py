"""A Helm chart archive, read as what it is: a file from the internet.

Nothing is extracted. The archive is decompressed into memory within bounds, every member is
looked at, and a link, a device, a second member of the same name, or a path that leaves the
archive's folder makes the whole archive unusable, wherever it stands.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.release import egress_script_file
from fsm_stack.well_known import CONFIG_MAP_MAX
from fsm_stack.yaml.decode import DecodeError, decode_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

# The chart of FSM 1.5.1 has about 300 kB; a chart with all its dependencies some MB.
ARCHIVE_MAX: Final = 16 * 1024 * 1024
UNPACKED_MAX: Final = 64 * 1024 * 1024
MEMBER_MAX: Final = 16 * 1024 * 1024
MEMBERS_MAX: Final = 5000
_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's window size for a gzip header and trailer

# What a malformed header makes tarfile raise; RecursionError from a chain of extended headers.
_MALFORMED: Final = (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError)


def members(content: bytes, *, shown: str) -> dict[str, bytes]:
    """Every regular file of a chart archive, by its path.

    Args:
        content: the archive, ``.tgz``.
        shown: the archive as messages name it.

    Raises:
        InputError: for anything but a well-formed archive of files and directories within bounds.
    """
    unpacked = _unpacked(content, shown)
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in _walked(archive, len(unpacked), shown):
                _check(member, seen, shown)
                if not member.isdir():
                    start = member.offset_data
                    files[member.name] = unpacked[start : start + member.size]
            rest = unpacked[archive.offset :]
    except _MALFORMED as error:
        raise InputError(f"{shown}: not a tar archive: {error}") from error
    if rest.strip(b"\0"):
        raise InputError(f"{shown}: damaged: a member's header is unreadable")
    return files


def _unpacked(content: bytes, shown: str) -> bytes:
    if len(content) > ARCHIVE_MAX:
        raise InputError(f"{shown}: expected an archive of at most {ARCHIVE_MAX} bytes")
    stream = zlib.decompressobj(_GZIP)
    try:
        unpacked = stream.decompress(content, UNPACKED_MAX + 1)
    except zlib.error as error:
        raise InputError(f"{shown}: expected a gzip-compressed tar archive: {error}") from error
    if len(unpacked) > UNPACKED_MAX:
        raise InputError(f"{shown}: unpacks to more than {UNPACKED_MAX} bytes")
    if not stream.eof:
        raise InputError(f"{shown}: truncated")
    if stream.unused_data:
        raise InputError(f"{shown}: {len(stream.unused_data)} bytes behind the archive's end")
    return unpacked


def _walked(archive: tarfile.TarFile, size: int, shown: str) -> Iterator[tarfile.TarInfo]:
    """The members in order; each must lie behind the one before, and inside the archive."""
    end = 0
    for count, member in enumerate(iter(archive.next, None), start=1):
        if count > MEMBERS_MAX:
            raise InputError(f"{shown}: more than {MEMBERS_MAX} members")
        start, end = end, member.offset_data + member.size
        if member.size < 0 or member.offset_data < start or end > size:
            raise InputError(f"{shown}: {member.name!r}: its header points outside of the archive")
        yield member


def _check(member: tarfile.TarInfo, seen: set[str], shown: str) -> None:
    name = member.name
    place = f"{shown}: {name!r}"
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\\" in name or not name.isprintable():
        raise InputError(f"{place}: expected a path inside of the archive's folder")
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}:
        raise InputError(f"{place}: expected a file or a directory, found {_kind(member)}")
    if member.sparse is not None:
        raise InputError(f"{place}: expected a file or a directory, found a sparse file")
    if name in seen:
        raise InputError(f"{place}: is in the archive twice")
    seen.add(name)
    if member.size > MEMBER_MAX:
        raise InputError(f"{place}: expected at most {MEMBER_MAX} bytes, found {member.size}")


def _kind(member: tarfile.TarInfo) -> str:
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a named pipe",
        tarfile.GNUTYPE_SPARSE: "a sparse file",
    }
    return kinds.get(member.type, f"a member of type {member.type!r}")


CHART_NAME: Final = "fsm"
CHART_FILE: Final = "fsm/Chart.yaml"
SCRIPTS_MEMBER: Final = "fsm/components/scripts.tar.gz"
DASHBOARDS_MEMBERS: Final = "fsm/grafana/pipy/dashboards/"
DASHBOARDS_FOLDER: Final = "grafana"
EGRESS_MEMBER: Final = "fsm/templates/egress-gateway-configmap.yaml"
CHART_FILE_MAX: Final = 64 * 1024
TEXT_MAX: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What stacks take out of a chart archive.

    Attributes:
        version: the chart's, which is the release's.
        scripts: ``scripts.tar.gz``.
        texts: dashboards and the egress gateway's scripts, by their names in ``releases/``.
    """

    version: str
    scripts: bytes
    texts: dict[str, str]


def chart_contents(content: bytes, shown: str) -> Chart:
    """What stacks take out of a chart archive.

    An archive without those is a release that has no such programs: what is wanted and absent is
    said of the stack that wants it.

    Raises:
        InputError: it is not FSM's chart, or damaged.
    """
    files = members(content, shown=shown)
    version = _version(_member(files, CHART_FILE, CHART_FILE_MAX, shown), shown)
    texts = {
        f"{DASHBOARDS_FOLDER}/{name.rpartition('/')[2]}": _text(content, name, shown)
        for name, content in files.items()
        if name.startswith(DASHBOARDS_MEMBERS) and name.endswith(".json")
    }
    template = files.get(EGRESS_MEMBER)
    if template is not None:
        texts |= _egress_scripts(_text(template, EGRESS_MEMBER, shown), shown)
    scripts = _member(files, SCRIPTS_MEMBER, CONFIG_MAP_MAX, shown)
    return Chart(version=version, scripts=scripts, texts=texts)


def _text(content: bytes, name: str, shown: str) -> str:
    if len(content) > TEXT_MAX:
        raise InputError(
            f"{shown}: {name}: expected at most {TEXT_MAX} bytes, found {len(content)}"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{shown}: {name}: not UTF-8: {error}") from error


# Inside the egress gateway's template: the text of its ConfigMap's one key, by mode.
_MODE: Final = re.compile(
    r'^\{\{-? if eq \.Values\.fsm\.egressGateway\.mode "(?P<mode>[a-z0-9]+)" \}\}\n'
    r"(?P<script>.*?)^\{\{-? end \}\}$",
    re.DOTALL | re.MULTILINE,
)


def _egress_scripts(template: str, shown: str) -> dict[str, str]:
    """The egress gateway's script of each mode, out of the template that holds them."""
    scripts = {
        egress_script_file(match["mode"]): f"{dedent(match['script']).rstrip()}\n"
        for match in _MODE.finditer(template)
    }
    if not scripts:
        raise InputError(f"{shown}: {EGRESS_MEMBER}: expected a script for each mode, found none")
    return scripts


def _member(files: dict[str, bytes], name: str, limit: int, shown: str) -> bytes:
    content = files.get(name)
    if content is None:
        raise InputError(f"{shown}: expected a file {name} in it, found none")
    if not 0 < len(content) <= limit:
        raise InputError(f"{shown}: {name}: expected 1 to {limit} bytes, found {len(content)}")
    return content


def _version(chart: bytes, shown: str) -> str:
    try:
        document = decode_yaml(chart.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{shown}: Chart.yaml: not YAML: {error}") from error
    except DecodeError as error:
        place = f"Chart.yaml:{error.line + 1}"
        raise InputError(f"{shown}: {place}: not YAML: {error.problem}") from error
    chart_is = document if isinstance(document, dict) else {}
    if chart_is.get("name") != CHART_NAME:
        found = chart_is.get("name")
        raise InputError(f"{shown}: Chart.yaml: expected name {CHART_NAME}, found {found!r}")
    version = chart_is.get("version")
    if not isinstance(version, str):
        raise InputError(f"{shown}: Chart.yaml: expected a version, found {version!r}")
    return version
