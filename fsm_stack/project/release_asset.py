"""The release asset: the Pipy scripts of an FSM release, taken from its chart archive by digest.

``releases/<version>/`` holds ``scripts.tar.gz``, to the letter the chart's
``components/scripts.tar.gz``, and ``asset.json`` with the digests of both. The first archive of a
version is recorded there; another one with the same version is refused ever after.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.manifest import ReleaseAsset, assets_missing, wants_asset
from fsm_stack.project.files import read_file, require_inside, write_file
from fsm_stack.settings.models.components import PIPY_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings

CHART_NAME: Final = "fsm"
CHART_FILE: Final = "fsm/Chart.yaml"
SCRIPTS_MEMBER: Final = "fsm/components/scripts.tar.gz"
SCRIPTS_FILE: Final = "scripts.tar.gz"
RECORD_FILE: Final = "asset.json"

# The scripts go into a ConfigMap. Source: k8s.io/api core/v1, MaxSecretSize, used for both.
SCRIPTS_MAX: Final = 1024 * 1024
CHART_FILE_MAX: Final = 64 * 1024
RECORD_MAX: Final = 64 * 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILE_NAME: Final = re.compile(r"fsm-(\d+\.\d+\.\d+)\.tgz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``asset.json``: what was taken from where.

    Attributes:
        version: the FSM release.
        chart_sha256: of the chart archive, 64 hex digits.
        chart_size: of the chart archive, in bytes.
        scripts_sha256: of ``scripts.tar.gz``.
        scripts_size: of ``scripts.tar.gz``, in bytes.
    """

    version: str
    chart_sha256: str
    chart_size: int
    scripts_sha256: str
    scripts_size: int

    def as_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "version": self.version,
            "chartSha256": self.chart_sha256,
            "chartSize": self.chart_size,
            "scriptsSha256": self.scripts_sha256,
            "scriptsSize": self.scripts_size,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendored:
    """What :func:`vendor` did.

    Attributes:
        record: what is recorded now.
        directory: where, relative to the project.
        first: whether this archive is the first one of its version.
        given: whether the user gave the archive's digest.
    """

    record: Record
    directory: str
    first: bool
    given: bool


def vendor(
    project: Path,
    archive: Path,
    *,
    sha256: str | None = None,
    version: str | None = None,
    shown: str | None = None,
) -> Vendored:
    """Take the scripts out of a chart archive.

    Args:
        project: the project's directory.
        archive: ``fsm-<version>.tgz``.
        sha256: the archive's digest, if the user knows it.
        version: the release that the archive must be; what its ``Chart.yaml`` says if absent.
        shown: the archive as messages name it.

    Raises:
        InputError: when the archive is not the one, or not safe to read.
        FileError: when something cannot be read or written.
    """
    from fsm_stack.project.chart_archive import ARCHIVE_MAX  # noqa: PLC0415  # tarfile: 10 ms

    shown = shown or str(archive)
    content = read_file(archive, limit=ARCHIVE_MAX, shown=shown)
    if content is None:
        raise InputError(f"{shown}: no such file")
    return vendor_content(project, content, sha256=sha256, version=version, shown=shown)


def vendor_content(
    project: Path,
    content: bytes,
    *,
    shown: str,
    sha256: str | None = None,
    version: str | None = None,
) -> Vendored:
    """The same for an archive that was read already; ``shown`` is its name or address."""
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None:
        _compare_digest(digest, _digest(sha256), f"{shown}: --sha256")
    named, scripts = _chart(content, shown)
    match = _FILE_NAME.fullmatch(shown.rpartition("/")[2])
    expected = version or (match.group(1) if match else named)
    if named != expected:
        raise InputError(f"{shown}: Chart.yaml: expected version {expected}, found {named}")
    if named not in PIPY_VERSIONS:
        known = ", ".join(PIPY_VERSIONS)
        raise InputError(f"{shown}: Chart.yaml: expected a version of {known}, found {named}")
    directory = project / "releases" / named
    require_inside(directory, project, shown=f"releases/{named}")
    before = _record(directory)
    if before is not None:
        _compare_digest(digest, before.chart_sha256, f"{shown}: {RECORD_FILE} of {named}")
    record = Record(
        version=named,
        chart_sha256=digest,
        chart_size=len(content),
        scripts_sha256=hashlib.sha256(scripts).hexdigest(),
        scripts_size=len(scripts),
    )
    # The record first: alone it means "not vendored"; scripts alone would be of unknown origin.
    text = f"{json.dumps(record.as_json(), indent=2)}\n"
    folder = f"releases/{named}"
    write_file(directory / RECORD_FILE, text.encode(), shown=f"{folder}/{RECORD_FILE}")
    write_file(directory / SCRIPTS_FILE, scripts, shown=f"{folder}/{SCRIPTS_FILE}")
    return Vendored(
        record=record,
        directory=folder,
        first=before is None,
        given=sha256 is not None,
    )


def load_asset(project: Path, version: str) -> ReleaseAsset | None:
    """The vendored scripts of a release, their digest verified; None when they are not vendored.

    Raises:
        InputError: when the scripts have no record, or not the recorded digest.
        FileError: when they cannot be read.
    """
    directory = project / "releases" / version
    shown = f"releases/{version}/{SCRIPTS_FILE}"
    for name in (SCRIPTS_FILE, RECORD_FILE):
        require_inside(directory / name, project, shown=f"releases/{version}/{name}")
    scripts = read_file(directory / SCRIPTS_FILE, limit=SCRIPTS_MAX, shown=shown)
    if scripts is None:
        return None
    record = _record(directory)
    mend = f"restore it from Git, or run: fsm-stack vendor --version {version}"
    if record is None:
        raise InputError(f"{shown}: expected {RECORD_FILE} beside it, found none; {mend}")
    digest = hashlib.sha256(scripts).hexdigest()
    if digest != record.scripts_sha256:
        raise InputError(
            f"{shown}: expected SHA-256 {record.scripts_sha256}, as {RECORD_FILE} records, "
            f"found {digest}; {mend}"
        )
    return ReleaseAsset(version=version, sha256=digest, scripts=scripts)


def missing_assets(project: Path, settings: StackSettings) -> tuple[Finding, ...]:
    """``assets-missing`` where a stack wants vendored scripts that are not here, else nothing.

    Raises:
        InputError: when there are scripts that cannot be used.
        FileError: when they cannot be read.
    """
    if not wants_asset(settings) or load_asset(project, settings.fsm_version) is not None:
        return ()
    return (assets_missing(settings),)


def _chart(content: bytes, shown: str) -> tuple[str, bytes]:
    """The chart's version and its scripts."""
    from fsm_stack.project.chart_archive import members  # noqa: PLC0415  # tarfile: 10 ms

    files = members(content, shown=shown)
    version = _version(_member(files, CHART_FILE, CHART_FILE_MAX, shown), shown)
    return version, _member(files, SCRIPTS_MEMBER, SCRIPTS_MAX, shown)


def _member(files: dict[str, bytes], name: str, limit: int, shown: str) -> bytes:
    content = files.get(name)
    if content is None:
        raise InputError(f"{shown}: expected a file {name} in it, found none")
    if not 0 < len(content) <= limit:
        raise InputError(f"{shown}: {name}: expected 1 to {limit} bytes, found {len(content)}")
    return content


def _version(chart: bytes, shown: str) -> str:
    # Loading a vendored asset needs none.
    from fsm_stack.yaml.decode import DecodeError, decode_yaml  # noqa: PLC0415

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


def _digest(text: str) -> str:
    digest = text.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(digest):
        raise InputError(f"--sha256: expected 64 hex digits, got {text!r}")
    return digest


def _compare_digest(found: str, expected: str, place: str) -> None:
    if found != expected:
        raise InputError(f"{place}: expected SHA-256 {expected}, found {found}")


def _record(directory: Path) -> Record | None:
    shown = f"releases/{directory.name}/{RECORD_FILE}"
    content = read_file(directory / RECORD_FILE, limit=RECORD_MAX, shown=shown)
    if content is None:
        return None
    try:
        plain = json.loads(content)
        record = Record(
            version=plain["version"],
            chart_sha256=plain["chartSha256"],
            chart_size=plain["chartSize"],
            scripts_sha256=plain["scriptsSha256"],
            scripts_size=plain["scriptsSize"],
        )
        digests = (record.chart_sha256, record.scripts_sha256)
        if record.version != directory.name or not all(map(_SHA256.fullmatch, digests)):
            raise ValueError("another version, or no digest")  # noqa: TRY301  # one message below
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{shown}: expected what fsm-stack vendor writes; restore it from Git"
        ) from error
    return record
