"""Chart archives of the release asset's shape, byte for byte the same for the same members."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = b"the scripts of a release"
CHART = b"apiVersion: v2\nname: fsm\nversion: 1.5.1\nappVersion: v1.5.1\n"
GOOD = {
    "fsm/Chart.yaml": CHART,
    "fsm/values.yaml": b"fsm: {}\n",
    "fsm/components/scripts.tar.gz": SCRIPTS,
}


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    for key, value in fields.items():
        setattr(about, key, value)
    return about, content


def pack(*extra: tuple[tarfile.TarInfo, bytes], files: dict[str, bytes] | None = None) -> bytes:
    """An archive of the files, those of a good one if absent, and of the extra members."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for about, content in (
            *(
                member(name, content)
                for name, content in (GOOD if files is None else files).items()
            ),
            *extra,
        ):
            archive.addfile(about, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def written_archive(folder: Path) -> Path:
    """A good archive of FSM 1.5.1 in a folder, under the name that upstream publishes it by."""
    path = folder / "fsm-1.5.1.tgz"
    path.write_bytes(pack())
    return path
