"""The release asset: scripts and dashboards of an FSM release, from its chart archive by digest.

``releases/<version>/`` holds ``scripts.tar.gz``, to the letter the chart's
``components/scripts.tar.gz``; ``grafana/`` with its dashboards; ``egress-gateway/`` with the
script of each mode, which the chart keeps inside a template; and ``asset.json`` with the digests
of all. The first archive of a version is recorded there; another one with the same version is
refused ever after.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.release import (
    SCRIPTS_KEY,
    ReleaseAsset,
    assets_missing,
    wanted_texts,
    wants_asset,
)
from fsm_stack.project.files import read_file, require_inside, write_file
from fsm_stack.settings.models.components import PIPY_VERSIONS
from fsm_stack.well_known import CONFIG_MAP_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings

SCRIPTS_FILE: Final = SCRIPTS_KEY
RECORD_FILE: Final = "asset.json"

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
        texts: SHA-256 of each other file, by its name.
    """

    version: str
    chart_sha256: str
    chart_size: int
    scripts_sha256: str
    scripts_size: int
    texts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "version": self.version,
            "chartSha256": self.chart_sha256,
            "chartSize": self.chart_size,
            "scriptsSha256": self.scripts_sha256,
            "scriptsSize": self.scripts_size,
            "files": dict(sorted(self.texts.items())),
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
    # tarfile takes 10 ms, and loading what is vendored needs none.
    from fsm_stack.project.chart_archive import chart_contents  # noqa: PLC0415

    chart = chart_contents(content, shown)
    named, scripts, texts = chart.version, chart.scripts, chart.texts
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
        texts={name: _sha256(text) for name, text in texts.items()},
    )
    # The record first: alone it means "not vendored"; scripts alone would be of unknown origin.
    text = f"{json.dumps(record.as_json(), indent=2)}\n"
    folder = f"releases/{named}"
    write_file(directory / RECORD_FILE, text.encode(), shown=f"{folder}/{RECORD_FILE}")
    write_file(directory / SCRIPTS_FILE, scripts, shown=f"{folder}/{SCRIPTS_FILE}")
    for name, text in texts.items():
        write_file(directory / name, text.encode(), shown=f"{folder}/{name}")
    return Vendored(
        record=record,
        directory=folder,
        first=before is None,
        given=sha256 is not None,
    )


def asset_of(project: Path, settings: StackSettings) -> ReleaseAsset | None:
    """What a stack takes from its release; None where it takes nothing, or nothing is vendored.

    Raises:
        InputError: when what is vendored has no record, or not the recorded digest.
        FileError: when it cannot be read.
    """
    if not wants_asset(settings):
        return None
    return load_asset(project, settings.fsm_version, texts=wanted_texts(settings))


def load_asset(project: Path, version: str, *, texts: Iterable[str] = ()) -> ReleaseAsset | None:
    """The vendored scripts of a release, their digest verified; None when they are not vendored.

    Of ``texts``, names of other files, those that are vendored come with them.

    Raises:
        InputError: when the scripts have no record, or not the recorded digest.
        FileError: when they cannot be read.
    """
    directory = project / "releases" / version
    shown = f"releases/{version}/{SCRIPTS_FILE}"
    wanted = tuple(texts)
    for name in (SCRIPTS_FILE, RECORD_FILE, *wanted):
        require_inside(directory / name, project, shown=f"releases/{version}/{name}")
    scripts = read_file(directory / SCRIPTS_FILE, limit=CONFIG_MAP_MAX, shown=shown)
    if scripts is None:
        return None
    record = _record(directory)
    mend = f"restore it from Git, or run: fsm-stack vendor --version {version}"
    if record is None:
        raise InputError(f"{shown}: expected {RECORD_FILE} beside it, found none; {mend}")
    digest = hashlib.sha256(scripts).hexdigest()
    _as_recorded(digest, record.scripts_sha256, shown, mend)
    found: dict[str, str] = {}
    for name in wanted:
        where = f"releases/{version}/{name}"
        content = read_file(directory / name, limit=CONFIG_MAP_MAX, shown=where)
        if content is not None:
            own = hashlib.sha256(content).hexdigest()
            _as_recorded(own, record.texts.get(name, "none"), where, mend)
            found[name] = content.decode()
    return ReleaseAsset(version=version, sha256=digest, scripts=scripts, texts=found)


def _as_recorded(found: str, recorded: str, shown: str, mend: str) -> None:
    if found != recorded:
        raise InputError(
            f"{shown}: expected SHA-256 {recorded}, as {RECORD_FILE} records, "
            f"found {found}; {mend}"
        )


def missing_assets(project: Path, settings: StackSettings) -> tuple[Finding, ...]:
    """``assets-missing`` where a stack wants vendored files that are not here, else nothing.

    Raises:
        InputError: when there are scripts that cannot be used.
        FileError: when they cannot be read.
    """
    if not wants_asset(settings):
        return ()
    asset = asset_of(project, settings)
    if asset is None:
        return (assets_missing(settings),)
    missing = (name for name in wanted_texts(settings) if name not in asset.texts)
    return tuple(assets_missing(settings, name) for name in missing)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
            texts=dict(plain.get("files", {})),
        )
        digests = (record.chart_sha256, record.scripts_sha256, *record.texts.values())
        if record.version != directory.name or not all(map(_SHA256.fullmatch, digests)):
            raise ValueError("another version, or no digest")  # noqa: TRY301  # one message below
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{shown}: expected what fsm-stack vendor writes; restore it from Git"
        ) from error
    return record
