from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_stack.errors import FsmStackError, InputError
from fsm_stack.project import chart_archive, release_asset
from fsm_stack.project.chart_archive import members
from fsm_stack.project.release_asset import load_asset, missing_assets, vendor
from tests.archives import CHART, GOOD, MORE, SCRIPTS, member, pack, written_archive
from tests.manifests.stacks import settings_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return written_archive(tmp_path)


def refusal(tmp_path: Path, content: bytes, **arguments: Any) -> str:
    """The whole message about an archive that is refused; nothing is left behind."""
    path = tmp_path / "fsm-1.5.1.tgz"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        vendor(tmp_path, path, shown="fsm-1.5.1.tgz", **arguments)
    assert not (tmp_path / "releases").exists()
    return str(caught.value)


def test_the_scripts_are_taken_with_their_digests(tmp_path: Path, archive: Path) -> None:
    done = vendor(tmp_path, archive)
    assert (done.directory, done.first, done.given) == ("releases/1.5.1", True, False)
    folder = tmp_path / "releases" / "1.5.1"
    assert sorted(path.name for path in folder.iterdir()) == ["asset.json", "scripts.tar.gz"]
    assert (folder / "scripts.tar.gz").read_bytes() == SCRIPTS
    assert json.loads((folder / "asset.json").read_text()) == {
        "version": "1.5.1",
        "chartSha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "chartSize": len(archive.read_bytes()),
        "scriptsSha256": hashlib.sha256(SCRIPTS).hexdigest(),
        "scriptsSize": 24,
        "files": {},
    }
    asset = load_asset(tmp_path, "1.5.1")
    assert asset is not None
    assert (asset.version, asset.scripts) == ("1.5.1", SCRIPTS)


def test_the_first_archive_of_a_version_is_the_only_one_ever_after(
    tmp_path: Path, archive: Path
) -> None:
    """A release does not change; an archive that differs is another one, or an attack."""
    first = vendor(tmp_path, archive)
    again = vendor(tmp_path, archive)
    assert (again.first, again.record) == (False, first.record)
    other = pack(files=GOOD | {"fsm/components/scripts.tar.gz": b"evil"})
    archive.write_bytes(other)
    with pytest.raises(InputError) as caught:
        vendor(tmp_path, archive, shown="fsm-1.5.1.tgz")
    assert str(caught.value) == (
        "fsm-1.5.1.tgz: asset.json of 1.5.1: expected SHA-256 "
        f"{first.record.chart_sha256}, found {hashlib.sha256(other).hexdigest()}"
    )
    asset = load_asset(tmp_path, "1.5.1")
    assert asset is not None
    assert asset.scripts == SCRIPTS


def test_a_record_without_scripts_still_binds(tmp_path: Path, archive: Path) -> None:
    """A project may commit the digests and not the 30 kB."""
    vendor(tmp_path, archive)
    (tmp_path / "releases/1.5.1/scripts.tar.gz").unlink()
    assert load_asset(tmp_path, "1.5.1") is None
    good = archive.read_bytes()
    archive.write_bytes(pack(files=GOOD | {"fsm/more": b"x"}))
    with pytest.raises(InputError, match=r"asset\.json of 1\.5\.1: expected SHA-256"):
        vendor(tmp_path, archive)
    archive.write_bytes(good)
    vendor(tmp_path, archive)
    assert load_asset(tmp_path, "1.5.1") is not None


def test_a_given_digest_is_compared_before_the_archive_is_opened(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"no archive").hexdigest()
    assert refusal(tmp_path, b"no archive", sha256="0" * 64) == (
        f"fsm-1.5.1.tgz: --sha256: expected SHA-256 {'0' * 64}, found {digest}"
    )
    assert refusal(tmp_path, b"no archive", sha256="abc") == (
        "--sha256: expected 64 hex digits, got 'abc'"
    )


def test_a_given_digest_may_be_written_as_registries_write_it(
    tmp_path: Path, archive: Path
) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert vendor(tmp_path, archive, sha256=f"sha256:{digest.upper()}").given is True


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "expected a file fsm/Chart.yaml in it, found none"),
        (
            {"fsm/Chart.yaml": CHART},
            "expected a file fsm/components/scripts.tar.gz in it, found none",
        ),
        (GOOD | {"fsm/Chart.yaml": b"- 1"}, "Chart.yaml: expected name fsm, found None"),
        (
            GOOD | {"fsm/Chart.yaml": b"name: osm\nversion: 1.5.1"},
            "Chart.yaml: expected name fsm, found 'osm'",
        ),
        (
            GOOD | {"fsm/Chart.yaml": b"name: fsm\nversion: 1.6"},
            "Chart.yaml: expected a version, found 1.6",
        ),
        (
            GOOD | {"fsm/Chart.yaml": b"name: fsm\nversion: 1.6.0"},
            "Chart.yaml: expected version 1.5.1, found 1.6.0",
        ),
        (
            GOOD | {"fsm/Chart.yaml": b"x" * 65537},
            "fsm/Chart.yaml: expected 1 to 65536 bytes, found 65537",
        ),
        (
            GOOD | {"fsm/components/scripts.tar.gz": b""},
            "fsm/components/scripts.tar.gz: expected 1 to 1048576 bytes, found 0",
        ),
        (
            GOOD | {"fsm/components/scripts.tar.gz": b"\0" * 1048577},
            "fsm/components/scripts.tar.gz: expected 1 to 1048576 bytes, found 1048577",
        ),
    ],
)
def test_an_archive_that_is_not_the_release_is_refused(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    assert refusal(tmp_path, pack(files=files)) == f"fsm-1.5.1.tgz: {message}"


def test_a_chart_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    content = pack(files=GOOD | {"fsm/Chart.yaml": b"a: [" * 3000})
    assert refusal(tmp_path, content).startswith("fsm-1.5.1.tgz: Chart.yaml:1: not YAML: ")


def test_the_version_that_the_user_names_counts_most(tmp_path: Path) -> None:
    chart = GOOD | {"fsm/Chart.yaml": b"name: fsm\nversion: 1.6.0"}
    archive = tmp_path / "download"
    archive.write_bytes(pack(files=chart))
    with pytest.raises(InputError) as caught:
        vendor(tmp_path, archive, version="1.5.1", shown="download")
    assert str(caught.value) == "download: Chart.yaml: expected version 1.5.1, found 1.6.0"
    assert vendor(tmp_path, archive).record.version == "1.6.0"


def test_a_version_that_no_stack_can_name_is_refused(tmp_path: Path) -> None:
    chart = GOOD | {"fsm/Chart.yaml": b"name: fsm\nversion: ../../x"}
    archive = tmp_path / "download"
    archive.write_bytes(pack(files=chart))
    with pytest.raises(InputError) as caught:
        vendor(tmp_path, archive, shown="download")
    assert str(caught.value) == (
        "download: Chart.yaml: expected a version of 1.5.1, 1.6.0, found ../../x"
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("fsm/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a symbolic link"),
        (member("fsm/x", type=tarfile.LNKTYPE, linkname="fsm/Chart.yaml"), "a hard link"),
        (member("fsm/x", type=tarfile.CHRTYPE), "a device"),
        (member("fsm/x", type=tarfile.BLKTYPE), "a device"),
        (member("fsm/x", type=tarfile.FIFOTYPE), "a named pipe"),
        (member("fsm/x", type=b"Z"), "a member of type b'Z'"),
        (member("fsm/x", type=tarfile.CONTTYPE), "a member of type b'7'"),
    ],
)
def test_only_files_and_directories_are_read(
    tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], message: str
) -> None:
    """A link could make the one member that we read another file of this machine."""
    assert refusal(tmp_path, pack(bad)) == (
        f"fsm-1.5.1.tgz: 'fsm/x': expected a file or a directory, found {message}"
    )


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "fsm/../../x", "../x", "./fsm/x", "fsm//x", "fsm\\x", "fsm/\x1b[2J"]
)
def test_a_path_that_leaves_the_chart_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, pack(member(name, b"x"))) == (
        f"fsm-1.5.1.tgz: {name!r}: expected a path inside of the archive's folder"
    )


def test_a_second_member_of_the_same_name_is_refused(tmp_path: Path) -> None:
    """Two readers would take two different ones."""
    assert refusal(tmp_path, pack(member("fsm/components/scripts.tar.gz", b"evil"))) == (
        "fsm-1.5.1.tgz: 'fsm/components/scripts.tar.gz': is in the archive twice"
    )


def test_a_directory_of_the_chart_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "fsm-1.5.1.tgz"
    path.write_bytes(pack(member("fsm/templates", type=tarfile.DIRTYPE)))
    assert vendor(tmp_path, path).first


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """64 MB of zeros are 64 kB of archive."""
    bomb = gzip.compress(b"\0" * (chart_archive.UNPACKED_MAX + 1), compresslevel=9)
    assert refusal(tmp_path, bomb) == "fsm-1.5.1.tgz: unpacks to more than 67108864 bytes"


def test_bounds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_archive, "MEMBERS_MAX", 2)
    assert refusal(tmp_path, pack()) == "fsm-1.5.1.tgz: more than 2 members"
    monkeypatch.undo()
    monkeypatch.setattr(chart_archive, "MEMBER_MAX", 23)
    assert refusal(tmp_path, pack()) == (
        "fsm-1.5.1.tgz: 'fsm/Chart.yaml': expected at most 23 bytes, found 59"
    )
    monkeypatch.undo()
    monkeypatch.setattr(chart_archive, "ARCHIVE_MAX", 99)
    assert refusal(tmp_path, pack()) == "fsm-1.5.1.tgz: expected at most 99 bytes"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"PK\3\4", "expected a gzip-compressed tar archive: "),
        (pack()[:-9], "truncated"),
        (pack() + b"more", "4 bytes behind the archive's end"),
        (pack() + pack(), f"{len(pack())} bytes behind the archive's end"),
        (pack()[:-8] + b"\0" * 8, "expected a gzip-compressed tar archive: "),
        (gzip.compress(b"no tar" * 200, mtime=0), "not a tar archive: "),
        (gzip.compress(b"", mtime=0), "not a tar archive: "),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    assert refusal(tmp_path, content).startswith(f"fsm-1.5.1.tgz: {message}")


def test_a_header_that_tarfile_would_take_for_the_end_is_refused(tmp_path: Path) -> None:
    """Members behind it are invisible to one reader and visible to the next."""
    plain = bytearray(gzip.decompress(pack()))
    plain[1024 + 148] ^= 1  # a checksum of the second member
    assert refusal(tmp_path, gzip.compress(bytes(plain))) == (
        "fsm-1.5.1.tgz: damaged: a member's header is unreadable"
    )


def test_a_member_that_is_longer_than_the_archive_is_refused(tmp_path: Path) -> None:
    plain = gzip.decompress(pack())
    end = plain.index(SCRIPTS)
    assert "fsm-1.5.1.tgz" in refusal(tmp_path, gzip.compress(plain[: end + 3]))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_mutation_of_an_archive_gets_past_or_hangs(data: st.DataObject) -> None:
    """Either the members are what a tar says, or the archive is refused: never a traceback."""
    plain = bytearray(gzip.decompress(pack()))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, 2600))
        plain[place] = data.draw(st.sampled_from([0, 0x20, 0x2D, 0x30, 0x37, 0x80, 0xFF]))
    if data.draw(st.booleans()):
        for start in (0, 1024, 2048):  # so that the change gets past the header's checksum
            header = (
                bytes(plain[start : start + 148])
                + b" " * 8
                + bytes(plain[start + 156 : start + 512])
            )
            plain[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    try:
        found = members(gzip.compress(bytes(plain), compresslevel=1), shown="x")
    except InputError:
        return
    assert all(name and ".." not in name.split("/") for name in found)


def test_scripts_that_were_changed_afterwards_are_refused(tmp_path: Path, archive: Path) -> None:
    vendor(tmp_path, archive)
    path = tmp_path / "releases/1.5.1/scripts.tar.gz"
    path.write_bytes(b"evil")
    with pytest.raises(InputError) as caught:
        load_asset(tmp_path, "1.5.1")
    assert str(caught.value) == (
        "releases/1.5.1/scripts.tar.gz: expected SHA-256 "
        f"{hashlib.sha256(SCRIPTS).hexdigest()}, as asset.json records, "
        f"found {hashlib.sha256(b'evil').hexdigest()}; "
        "restore it from Git, or run: fsm-stack vendor --version 1.5.1"
    )


def test_scripts_without_a_record_are_of_unknown_origin(tmp_path: Path, archive: Path) -> None:
    vendor(tmp_path, archive)
    (tmp_path / "releases/1.5.1/asset.json").unlink()
    with pytest.raises(InputError) as caught:
        load_asset(tmp_path, "1.5.1")
    assert str(caught.value) == (
        "releases/1.5.1/scripts.tar.gz: expected asset.json beside it, found none; "
        "restore it from Git, or run: fsm-stack vendor --version 1.5.1"
    )


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"version": "1.6.0"}', "[" * 60000, '{"version": 1}', "\xff"],
)
def test_a_record_that_we_did_not_write_is_refused(
    tmp_path: Path, archive: Path, text: str
) -> None:
    vendor(tmp_path, archive)
    (tmp_path / "releases/1.5.1/asset.json").write_text(text, encoding="latin-1")
    for read in (lambda: load_asset(tmp_path, "1.5.1"), lambda: vendor(tmp_path, archive)):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value) == (
            "releases/1.5.1/asset.json: expected what fsm-stack vendor writes; restore it from Git"
        )


def test_a_record_of_another_version_is_refused(tmp_path: Path, archive: Path) -> None:
    vendor(tmp_path, archive)
    (tmp_path / "releases/1.5.1").rename(tmp_path / "releases/1.6.0")
    with pytest.raises(InputError, match=r"^releases/1\.6\.0/asset\.json: expected what"):
        load_asset(tmp_path, "1.6.0")


def test_nothing_vendored_is_nothing_loaded(tmp_path: Path) -> None:
    assert load_asset(tmp_path, "1.5.1") is None


def test_a_missing_archive_and_one_that_is_a_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(FsmStackError) as missing:
        vendor(tmp_path, tmp_path / "no.tgz", shown="no.tgz")
    assert str(missing.value) == "no.tgz: no such file"
    with pytest.raises(FsmStackError) as directory:
        vendor(tmp_path, tmp_path, shown="dir")
    assert str(directory.value) == "cannot read dir: Is a directory"


def test_a_failed_write_leaves_no_scripts_of_unknown_origin(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is written first: alone it means "not vendored", and binds already."""
    write = release_asset.write_file

    def second_fails(path: Path, content: bytes, **more: Any) -> None:
        if path.name == "scripts.tar.gz":
            raise FsmStackError("no space")
        write(path, content, **more)

    monkeypatch.setattr(release_asset, "write_file", second_fails)
    with pytest.raises(FsmStackError):
        vendor(tmp_path, archive)
    assert load_asset(tmp_path, "1.5.1") is None
    monkeypatch.undo()
    vendor(tmp_path, archive)
    assert load_asset(tmp_path, "1.5.1") is not None


def test_a_sparse_file_is_no_file_of_a_chart() -> None:
    """Its size says less than it unpacks to."""
    tar = io.BytesIO()
    about, content = member("fsm/x", b"x")
    about.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99"}
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as packed:
        packed.addfile(about, io.BytesIO(content))
    with pytest.raises(InputError) as caught:
        members(gzip.compress(tar.getvalue()), shown="x")
    assert str(caught.value) == "x: 'fsm/x': expected a file or a directory, found a sparse file"


def test_an_archive_that_is_too_large_is_not_even_unpacked() -> None:
    with pytest.raises(InputError) as caught:
        members(b"\0" * (chart_archive.ARCHIVE_MAX + 1), shown="x")
    assert str(caught.value) == "x: expected an archive of at most 16777216 bytes"


def test_dashboards_and_the_egress_gateways_scripts_are_taken_as_they_are(tmp_path: Path) -> None:
    """The script of a mode stands inside a template: its places stay, for the stack's ports."""
    path = tmp_path / "fsm-1.5.1.tgz"
    path.write_bytes(pack(files=GOOD | MORE))
    done = vendor(tmp_path, path)
    names = ("grafana/fsm-control-plane.json", "egress-gateway/sock5.js")
    asset = load_asset(tmp_path, "1.5.1", texts=(*names, "grafana/absent.json"))
    assert asset is not None
    assert dict(asset.texts) == {
        "grafana/fsm-control-plane.json": '{"of": "${DS_PROMETHEUS}"}\n',
        "egress-gateway/sock5.js": (
            "pipy().listen({{ .Values.fsm.egressGateway.port }})\n  .acceptSOCKS()\n"
        ),
    }
    folder = tmp_path / "releases" / "1.5.1"
    assert (folder / "egress-gateway" / "http2tunnel.js").read_text() == (
        "pipy().listen({{ .Values.fsm.egressGateway.port }})\n\n"
        "  .metrics('127.0.0.1:{{ .Values.fsm.egressGateway.adminPort }}')\n"
    )
    assert sorted(done.record.texts)[:3] == [
        "egress-gateway/http2tunnel.js",
        "egress-gateway/sock5.js",
        "grafana/fsm-control-plane.json",
    ]
    assert len(done.record.texts) == 2 + 7


def test_a_dashboard_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fsm-1.5.1.tgz"
    path.write_bytes(pack(files=GOOD | MORE))
    record = vendor(tmp_path, path).record
    name = "grafana/fsm-control-plane.json"
    (tmp_path / "releases" / "1.5.1" / name).write_text("{}")
    assert load_asset(tmp_path, "1.5.1") is not None
    with pytest.raises(InputError) as caught:
        load_asset(tmp_path, "1.5.1", texts=(name,))
    assert str(caught.value) == (
        f"releases/1.5.1/{name}: expected SHA-256 {record.texts[name]}, as asset.json records, "
        f"found {hashlib.sha256(b'{}').hexdigest()}; restore it from Git, or run: "
        "fsm-stack vendor --version 1.5.1"
    )


def test_a_template_of_another_form_is_refused(tmp_path: Path) -> None:
    """Else a stack with an egress gateway would lack its script, and nobody would know why."""
    template = {"fsm/templates/egress-gateway-configmap.yaml": b"kind: ConfigMap\n"}
    assert refusal(tmp_path, pack(files=GOOD | template)) == (
        "fsm-1.5.1.tgz: fsm/templates/egress-gateway-configmap.yaml: expected a script for each "
        "mode, found none"
    )


def test_a_dashboard_that_is_no_text_is_refused(tmp_path: Path) -> None:
    dashboard = {"fsm/grafana/pipy/dashboards/a.json": b"\xff"}
    message = refusal(tmp_path, pack(files=GOOD | dashboard))
    assert message.startswith("fsm-1.5.1.tgz: fsm/grafana/pipy/dashboards/a.json: not UTF-8: ")
    dashboard = {"fsm/grafana/pipy/dashboards/a.json": b" " * (256 * 1024 + 1)}
    assert refusal(tmp_path, pack(files=GOOD | dashboard)) == (
        "fsm-1.5.1.tgz: fsm/grafana/pipy/dashboards/a.json: expected at most 262144 bytes, found "
        "262145"
    )


def test_what_is_wanted_and_not_vendored_is_named(tmp_path: Path) -> None:
    """Scripts that were vendored before a stack wanted more; vendoring again mends it."""
    path = written_archive(tmp_path)
    vendor(tmp_path, path)
    wanting = settings_of({"egressGateway": {"enabled": True}})
    [found] = missing_assets(tmp_path, wanting)
    assert (found.id, found.message) == (
        "assets-missing",
        "egress-gateway/http2tunnel.js of FSM 1.5.1 is not vendored; expected "
        "releases/1.5.1/egress-gateway/http2tunnel.js",
    )
    assert missing_assets(tmp_path, settings_of({})) == ()
