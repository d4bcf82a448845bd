"""One root file system under every image name that the node's pods ask for.

No registry is asked: busybox, the machine's own iptables and Python, this package and the
stand-ins become one image of two layers. The lower one changes only with the machine's programs,
and is kept in the cache.

`FSM_STACK_FSM_IMAGES` names a folder of image archives, as `docker save` writes them, which take
the stand-ins' place: with FSM's own programs in it the same suite judges those.
"""

from __future__ import annotations

import hashlib
import io
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, find_spec, source_hash
from pathlib import Path
from typing import TYPE_CHECKING

from .machine import HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAUSE = "docker.io/test/pause:1"
APP = "docker.io/test/app:1"
ROOT = HERE.parent.parent
PYTHON = "opt/python"
# What fsm_stack.injector and fsm_stack.workloads need beside the standard library.
PACKAGES = ("pydantic_core", "typing_extensions")
# Parts of the standard library that no program here needs; site-packages are added by name.
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo",
            "ensurepip", "lib2to3", "__pycache__"}  # fmt: skip
IPTABLES = ("iptables", "iptables-restore", "iptables-save", "ip6tables", "ip6tables-restore",
            "ip6tables-save")  # fmt: skip
STANDARD = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
SEARCH_PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where each stand-in is found by the commands of the real images.
PROGRAMS = {
    "fsm-bootstrap": "bootstrap",
    "fsm-controller": "controller",
    "fsm-injector": "injector",
    "osm-injector": "injector",
    "fsm-healthcheck": "healthcheck",
    "osm-healthcheck": "healthcheck",
    "usr/local/bin/pipy": "pipy",
    "usr/local/bin/envoy": "envoy",
    "usr/local/bin/wait-pipy": "wait_pipy",
    "usr/local/bin/gkill": "gkill",
    "usr/local/bin/curl": "curl",
    "usr/local/bin/app": "app",
}
OPENSSL = "usr/bin/openssl"  # the authority's certificates


Member = tuple[str, Path | None, str]
"""A name in the image, a file of the machine; or None, and a link's target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What containerd imports.

    Attributes:
        archives: in this order: a later one wins a name.
        pinned: names with a digest, which an archive cannot carry.
    """

    archives: tuple[Path, ...]
    pinned: tuple[str, ...]


def images(names: Iterable[str], *, home: Path) -> Images:
    """The suite's image under these names, written below `home`, and the ones that replace it."""
    archive = home / "images.tar"
    known = {full_name(name) for name in names} | {PAUSE, APP}
    pinned = {name for name in known if "@" in name}
    _write(archive, sorted(known - pinned), [_base(), _top()])
    own = os.environ.get("FSM_STACK_FSM_IMAGES")
    given = sorted(Path(own).glob("*.tar")) if own else []
    assert given or not own, f"FSM_STACK_FSM_IMAGES: expected *.tar in {own}, found none"
    return Images(archives=(archive, *given), pinned=tuple(sorted(pinned)))


def full_name(name: str) -> str:
    """An image's name as containerd keeps it: Docker's registry is not left out."""
    first, slash, _ = name.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    whole, at, digest = name.partition("@")
    if at:  # a digest makes the tag a comment
        whole = f"{whole.rpartition(':')[0]}@{digest}"
    return whole if named else f"docker.io/{whole}"


def _write(archive: Path, names: list[str], layers: list[bytes]) -> None:
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "os": "linux",
            "config": {
                "Env": [f"PATH={SEARCH_PATH}", f"PYTHONPATH=/{PYTHON}/site:/srv"],
                "Cmd": ["sleep", "2147483647"],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in digests]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    files = [f"{one}/layer.tar" for one in digests]
    manifest = [{"Config": config_name, "RepoTags": names, "Layers": files}]
    with tarfile.open(archive, "w") as tar:
        for name, content in zip(files, layers, strict=True):
            _add(tar, name, content)
        _add(tar, config_name, config)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def _top() -> bytes:
    """This package and the stand-ins."""
    members: list[Member] = []
    for folder in (ROOT / "fsm_stack", ROOT / "templates", HERE / "standins"):
        members += [(f"srv/{place}", file, "") for place, file in _files(folder, folder.name)]
    return _layer("top", members)


def _base() -> bytes:
    """The machine's programs."""
    return _layer("base", list(_base_members()))


def _layer(name: str, members: list[Member]) -> bytes:
    """A layer of these members, from the cache where none of them has changed."""
    known = hashlib.sha256(Path(__file__).read_bytes())
    for place, path, link in members:
        about = path.stat() if path is not None else None
        known.update(f"{place} {link} {about and (about.st_size, about.st_mtime_ns)}\n".encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fsm-stack/node"
    kept = cache / f"{name}-{known.hexdigest()[:32]}.tar"
    if kept.exists():
        return kept.read_bytes()
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{name}-*.tar"):
        old.unlink(missing_ok=True)
    half = cache / f".{name}.{os.getpid()}"
    with tarfile.open(half, "w") as tar:
        for place, path, link in members:
            if path is None:
                member = tarfile.TarInfo(place)
                member.type, member.linkname = tarfile.SYMTYPE, link
                tar.addfile(member)
                continue
            _add(tar, place, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)
            if path.suffix == ".py" and (compiled := _compiled(path, place)) is not None:
                _add(tar, str(cache_from_source(place)), compiled)
        if name == "base":
            _add_system(tar)
        else:
            for place, module in PROGRAMS.items():
                text = f"#!/{PYTHON}/bin/python3\nfrom standins.{module} import main\n\nmain()\n"
                _add(tar, place, text.encode(), 0o755)
    half.rename(kept)
    return kept.read_bytes()


def _add_system(tar: tarfile.TarFile) -> None:
    """Folders that programs expect, and names of the users that they run as."""
    for name in ("tmp", "repo", "proc", "sys", "dev", "etc"):
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(member)
    users = "root:x:0:0:root:/:/bin/sh\nsidecar:x:1500:1500::/:/bin/sh\n"
    _add(tar, "etc/passwd", users.encode())


def _compiled(path: Path, place: str) -> bytes | None:
    """A module's byte code, never checked against its source: a pod starts in half the time."""
    loader = SourceFileLoader(path.stem, str(path))
    source = path.read_bytes()
    try:
        code = loader.source_to_code(source, f"/{place}")
    except (SyntaxError, ValueError):  # some of the standard library's are meant to be broken
        return None
    unchecked = (1).to_bytes(4, "little")
    return MAGIC_NUMBER + unchecked + source_hash(source) + marshal.dumps(code)


def _base_members() -> Iterator[Member]:
    """Programs, the libraries that they are linked with, Python."""
    seen: set[str] = set()
    binaries: list[Path] = []
    busybox = _program("busybox")
    yield "bin/busybox", busybox, ""
    for applet in _output(str(busybox), "--list").split():
        if applet != "busybox":
            yield f"bin/{applet}", None, "busybox"
    multi = _program("iptables-nft").resolve()
    binaries.append(multi)
    yield f"usr/sbin/{multi.name}", multi, ""
    for name in IPTABLES:
        yield f"usr/sbin/{name}", None, multi.name
    extensions = next(one for one in Path("/usr/lib").glob("**/xtables") if one.is_dir())
    for file in sorted(extensions.glob("*.so")):
        yield str(file).lstrip("/"), file, ""
    openssl = _program("openssl")
    binaries.append(openssl)
    yield OPENSSL, openssl, ""
    python = Path(sys.executable).resolve()
    binaries.append(python)
    yield f"{PYTHON}/bin/python3", python, ""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for root, target in _python_folders(version):
        for place, file in _files(root, target):
            if file.suffix == ".so":
                binaries.append(file)
            yield place, file, ""
    for library in _libraries(binaries):
        place = str(library) if str(library).startswith(STANDARD) else f"/usr/lib/{library.name}"
        if place not in seen:
            seen.add(place)
            yield place.lstrip("/"), library, ""


def _python_folders(version: str) -> Iterator[tuple[Path, str]]:
    yield Path(sysconfig.get_path("stdlib")), f"{PYTHON}/lib/{version}"
    for name in PACKAGES:
        spec = find_spec(name)
        assert spec is not None, f"{name} is not installed"
        origin = Path(str(spec.origin))
        if origin.name == "__init__.py":
            yield origin.parent, f"{PYTHON}/site/{name}"
        else:
            yield origin, f"{PYTHON}/site/{origin.name}"


def _files(root: Path, place: str) -> Iterator[tuple[str, Path]]:
    """Each file of a folder with its place in the image; or the one file."""
    if root.is_file():
        yield place, root
        return
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in LEFT_OUT)
        for name in sorted(files):
            file = Path(folder) / name
            yield f"{place}/{file.relative_to(root)}", file


def _libraries(binaries: list[Path]) -> Iterator[Path]:
    """The shared libraries that programs and extensions are linked with."""
    listed = _output("ldd", *map(str, binaries))
    for line in sorted(set(listed.splitlines())):
        if found := re.search(r"(?:=> )?(/\S+) \(0x", line):
            yield Path(found[1])


def _program(name: str) -> Path:
    found = shutil.which(name)
    assert found is not None, name
    return Path(found)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
