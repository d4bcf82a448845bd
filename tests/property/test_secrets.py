"""A secret is planted in every field of every input; no output may hold it.

What is planted is what people have there: an encrypted value, a password in a URL, a token in a
header, an environment or a Secret. The outputs are text, JSON, SARIF, rendered files, tracebacks.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import sys
import tarfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.cli import main as command_line
from fsm_stack.cli.main import cli
from fsm_stack.findings.finding import sarif
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import from_engine, load_text
from fsm_stack.yaml.decode import decode_json, decode_yaml
from fsm_stack.yaml.write import dump
from tests.archives import CHART, GOOD, member, pack
from tests.settings.loading import TODAY

from .test_settings import PATHS, put
from .trees import at, changed, places, renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
MESH = ROOT / "docs" / "examples" / "mesh.jsonl"
SECRET = "hunter2S3cr3tQx"  # noqa: S105  # it must appear nowhere  # noqa: S105  # it is nobody's
ENCODED = base64.b64encode(SECRET.encode()).decode()
URL = f"https://me:{SECRET}@h.example.com/x"
BARE = f"me:{SECRET}@h.example.com"
ASSET = ReleaseAsset(version="1.5.1", sha256="0" * 64, scripts=b"stands for the release's own")


def tells(text: str) -> bool:
    return SECRET in text or ENCODED in text


def told(*words: str, start: str = "") -> str:
    """All that a run of the command line prints."""
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, list(words), input=start or None)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in {0, 1, 2, 3}, result.output
    return result.output + (result.stderr or "")


# Stack files.

OF_STACK = [
    pytest.param({"secure": SECRET}, id="encrypted"),
    pytest.param(URL, id="url"),
    pytest.param(f"see {URL}, or ask", id="text"),
    pytest.param([URL], id="list"),
    pytest.param({URL: URL}, id="mapping"),
]


def everything_told(text: str) -> str:
    """A stack's findings in every form, and every file that it is rendered to."""
    loaded = load_text(text, file="Pulumi.x.yaml", today=TODAY)
    found = (*loaded.findings, *loaded.accepted)
    said = [
        *(item.as_text() for item in found),
        json.dumps([item.as_json() for item in found]),
        json.dumps(sarif(found)),
    ]
    if loaded.settings is not None:
        known = redirection(loaded.settings)
        said += [dump(item.object) for item in bundle(loaded.settings, known, asset=ASSET)]
        said += [f"{path}\n{content}" for path, content in known.files().items()]
    return "\n".join(said)


@pytest.mark.parametrize("planted", OF_STACK)
def test_no_field_of_a_stack_file_leaks(planted: Any) -> None:
    leaks = []
    for path in PATHS:
        config = {f"fsm-stack:{key}": value for key, value in put(path, planted).items()}
        if tells(everything_told(yaml.safe_dump({"config": config}))):
            leaks.append(path)
    assert leaks == []


def test_no_key_of_a_stack_file_leaks() -> None:
    leaks = []
    for path in {path[:-1] for path in PATHS}:
        config = put((*path, URL), "x")
        named = {key if key == URL else f"fsm-stack:{key}": item for key, item in config.items()}
        if tells(everything_told(yaml.safe_dump({"config": named}))):
            leaks.append(path)
    assert leaks == []


@pytest.mark.parametrize("path", [("observability", "remoteLogging", "authorization")], ids=str)
@pytest.mark.parametrize("value", [SECRET, [SECRET], {"a": SECRET}, f"Basic {ENCODED}"])
def test_a_setting_that_is_a_secret_is_never_quoted(path: tuple[str, ...], value: Any) -> None:
    config = {f"fsm-stack:{key}": item for key, item in put(path, value).items()}
    assert not tells(everything_told(yaml.safe_dump({"config": config})))


def test_secrets_of_the_engine_are_not_quoted() -> None:
    for key in {str(path[0]) for path in PATHS}:
        name = f"fsm-stack:{key}"
        loaded = from_engine({name: SECRET}, today=TODAY, secret_keys={name})
        assert loaded.findings
        assert not any(tells(json.dumps(item.as_json())) for item in loaded.findings)


def said_of(decode: Callable[[str], Any], text: str) -> str:
    """What an error of decoding says; nothing where there is none."""
    try:
        decode(text)
    except Exception as error:  # noqa: BLE001  # its text is what is asked
        return str(error)
    return ""


# Text that is damaged: the parser's words must not quote what it stumbled over.

DAMAGED = [
    "password: *{}",
    "password: &{} *x",
    "password: !{} x",
    "password: !h!{} x",
    "password: !!binary {}",
    "password: !!int {}",
    "password: !!set {{{}: }}",
    "password: '{}",
    'password: "{}',
    'password: "{}\\q"',
    "password: {}: {}",
    "password: |{}",
    "password: @{}",
    "password: %{}",
    "password: [{}",
    "password: {{{}",
    "- {}\npassword: {}",
    "%{} x\n---\n",
    "? [{}]\n: x",
    "password: {}\npassword: {}",
    "{}",
    '{{"password": "{}"',
    '{{"password": {}}}',
    '[{{"password": "{}"}}]',
    '["{}"]',
]


def refusal(decode: Callable[[str], object], text: str) -> str:
    """What a decoder says of a text that it does not take."""
    try:
        decode(text)
    except Exception as error:  # noqa: BLE001  # its text is what is asked
        return str(error)
    return ""


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_text_is_told_without_what_is_in_it(text: str, tmp_path: Path) -> None:
    damaged = text.replace("{{", "\x00").replace("}}", "\x01").replace("{}", SECRET)
    damaged = damaged.replace("\x00", "{").replace("\x01", "}")
    for decode in (decode_yaml, decode_json):
        assert not tells(refusal(decode, damaged)), decode
    for name in ("x.yaml", "x.json", "Pulumi.x.yaml"):
        (tmp_path / name).write_text(f"config:\n  a: b\n{damaged}" if "P" in name else damaged)
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects/x.yaml").write_text("kind: Secret\nmetadata: {}\n" + damaged)
    (tmp_path / "list.json").write_text('{"kind": "List", "items": [' + damaged)
    file, project = str(tmp_path / "x.yaml"), str(tmp_path)
    for words in (
        ("lint", "dev", "-C", project, "-f", file),
        ("lint", "dev", "-C", project, "-f", str(tmp_path / "x.json"), "-o", "sarif"),
        ("inject", "dev", "-C", project, "-f", file, "--explain"),
        ("verify", "--from", file),
        ("verify", "--from", str(tmp_path / "list.json")),
        ("verify", "--against", str(tmp_path / "objects"), "--from", str(MESH)),
        ("verify", "--kubeconfig", file),
        ("validate", "-C", project, "x"),
    ):
        assert not tells(told(*words)), words


# Workloads.

WORKLOAD: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "demo", "annotations": {"flomesh.io/x": "y"}},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {
                "labels": {"app": "web"},
                "annotations": {
                    "flomesh.io/sidecar-injection": "enabled",
                    "flomesh.io/outbound-port-exclusion-list": "6379",
                    "flomesh.io/outbound-ip-range-exclusion-list": "10.0.0.0/8",
                    "flomesh.io/sidecar-resource-limits-cpu": "1",
                    "prometheus.io/port": "80",
                    "sidecar.istio.io/inject": "true",
                },
            },
            "spec": {
                "serviceAccountName": "web",
                "initContainers": [{"name": "i", "image": "i:1", "args": ["x"]}],
                "containers": [
                    {
                        "name": "c",
                        "image": "example.com/c:1",
                        "command": ["run"],
                        "args": ["x"],
                        "env": [{"name": "PASSWORD", "value": "x"}],
                        "ports": [{"name": "http", "containerPort": 80}],
                        "livenessProbe": {
                            "httpGet": {
                                "path": "/x",
                                "port": 80,
                                "host": "h",
                                "scheme": "HTTP",
                                "httpHeaders": [{"name": "Authorization", "value": "x"}],
                            }
                        },
                        "readinessProbe": {"exec": {"command": ["x"]}},
                    }
                ],
                "volumes": [{"name": "v", "hostPath": {"path": "/x"}}],
            },
        },
    },
}
KEPT_SECRET: Json = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "demo"},
    "data": {"password": "x"},
    "stringData": {"password": "x"},
}
CREDENTIALS = {"env", "args", "command", "httpHeaders", "data", "stringData"}


def _planted(whole: Json) -> Iterator[tuple[str, Json]]:
    """The document with a secret at each place; what may hold a plain one gets that as well."""
    for path in places(whole):
        yield f"{path}", changed(whole, path, URL)
        yield f"{path} list", changed(whole, path, [URL])
        yield f"{path} key", renamed(whole, path, URL)
        if CREDENTIALS & set(path):
            yield f"{path} plain", changed(whole, path, SECRET)
            yield f"{path} number", changed(whole, path, [{"value": SECRET}])


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_no_field_of_a_workload_leaks_through_lint(form: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  fsm-stack:mesh: {name: fsm}\n")
    file = tmp_path / "x.yaml"
    leaks = []
    for whole in (WORKLOAD, KEPT_SECRET):
        for name, document in _planted(whole):
            file.write_text(yaml.safe_dump(document))
            if tells(told("lint", "dev", "-C", str(tmp_path), "-f", str(file), "-o", form)):
                leaks.append(name)
    assert leaks == []


# Snapshots, live or saved, and rendered objects.

LINES = [json.loads(line) for line in MESH.read_text(encoding="utf-8").splitlines()]
SNAPSHOT_PLACES = [(number, path) for number, one in enumerate(LINES) for path in places(one)]
MORE = {
    "MeshConfig": [
        ("spec", "observability", "remoteLogging", "authorization"),
        ("spec", "flb", "password"),
        ("spec", "certificate", "token"),
    ],
    "Pod": [("spec", "containers", 0, "env", 0, "value")],
    "PodLog": [("log",)],
}


@given(st.sampled_from(SNAPSHOT_PLACES), st.sampled_from(["text", "json", "sarif"]))
def test_no_field_of_a_snapshot_leaks_a_url(place: tuple[int, Any], form: str) -> None:
    number, path = place
    lines = [*LINES]
    lines[number] = changed(lines[number], path, URL)
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    with _file("mesh.jsonl", text) as file:
        assert not tells(told("verify", "--from", file, "--all", "-o", form))


def _with(kind: str, path: tuple[str | int, ...], value: Any) -> str:
    """The snapshot with a value in every object of a kind."""

    def one(item: Json) -> Json:
        if item.get("kind") != kind:
            return item
        whole = json.loads(json.dumps(item))
        current: Any = whole
        for step, following in itertools.pairwise(path):
            fresh: Any = [{}] if isinstance(following, int) else {}
            current = current[step] if isinstance(step, int) else current.setdefault(step, fresh)
        current[path[-1]] = value
        return whole

    return "".join(f"{json.dumps(one(line))}\n" for line in LINES)


# A log line that is nothing but a random word says nothing of what it holds: it is shown.
TOLD_TO_VERIFY = [
    (kind, path, value)
    for kind, paths in MORE.items()
    for path in paths
    for value in (SECRET, f"Bearer {SECRET}", f"password={SECRET}")
    if (kind, value) != ("PodLog", SECRET)
]


@pytest.mark.parametrize(("kind", "path", "value"), TOLD_TO_VERIFY)
def test_a_credential_of_a_cluster_is_not_told(kind: str, path: Any, value: str) -> None:
    with _file("mesh.jsonl", _with(kind, path, value)) as file:
        for form in ("text", "json", "sarif"):
            assert not tells(told("verify", "--from", file, "--all", "-o", form))
        assert not tells(told("restart-list", "--from", file, "-o", "json"))


class _file:  # noqa: N801  # used as a function
    """A temporary file: hypothesis' examples have no fixture of their own."""

    def __init__(self, name: str, content: str | bytes) -> None:
        import tempfile  # noqa: PLC0415

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / name
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)

    def __enter__(self) -> str:
        return str(self.path)

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


# Kubeconfig files, and servers.

KUBECONFIG: Json = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "x",
    "clusters": [
        {
            "name": "c",
            "cluster": {
                "server": "https://127.0.0.1:1",
                "proxy-url": "http://127.0.0.1:1",
                "certificate-authority-data": "x",
                "tls-server-name": "x",
            },
        }
    ],
    "users": [
        {
            "name": "u",
            "user": {
                "token": "x",
                "username": "x",
                "password": "x",
                "client-key-data": "x",
                "client-certificate-data": "x",
                "tokenFile": "x",
                "as": "x",
                "auth-provider": {
                    "name": "oidc",
                    "config": {"id-token": "x", "client-secret": "x"},
                },
            },
        }
    ],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
}
PROXIES = [
    f"http://me:{SECRET}@proxy:bad",
    f"ftp://me:{SECRET}@proxy:1",
    f"socks5://me:{SECRET}@127.0.0.1:1",
    f"http://me:{SECRET}@127.0.0.1:1",
    f"https://me:{SECRET}@127.0.0.1:1",
    f"me:{SECRET}@127.0.0.1:1",
    f"http://me:{SECRET}@[::bad",
]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between attempts."""
    from fsm_stack.cluster import api  # noqa: PLC0415

    monkeypatch.setattr(api.Cluster.content, "__kwdefaults__", {"attempts": 1})


@pytest.mark.usefixtures("at_once")
def test_no_field_of_a_kubeconfig_leaks(tmp_path: Path) -> None:
    file = tmp_path / "config"
    leaks = []
    for path in places(KUBECONFIG):
        secret = "user" in path or "users" in path
        for value in (URL, [URL], {URL: URL}, *([SECRET, [SECRET], {"a": SECRET}] * secret)):
            file.write_text(yaml.safe_dump(changed(KUBECONFIG, path, value)))
            if tells(told("verify", "--kubeconfig", str(file))):
                leaks.append((path, value))
    assert leaks == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxys_password_is_not_told(proxy: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    place = ("clusters", 0, "cluster", "proxy-url")
    whole = changed(KUBECONFIG, place, proxy)
    whole["users"][0]["user"] = {"token": "x"}
    del whole["clusters"][0]["cluster"]["certificate-authority-data"]
    file.write_text(yaml.safe_dump(whole))
    said = told("verify", "--kubeconfig", str(file))
    assert said
    assert not tells(said)


LOGINS = [
    f"import sys; sys.exit('cannot use token: {SECRET}')",
    f"import sys; sys.exit('Authorization: Bearer {SECRET}')",
    f"import sys; sys.exit('https://me:{SECRET}@login.example.com failed')",
    f'print(\'{{"token": "{SECRET}"\')',
    f"print('token {SECRET}')",
]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("program", LOGINS)
def test_what_a_login_program_says_is_told_without_its_token(program: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", program],
        }
    }
    whole = changed(KUBECONFIG, ("users", 0, "user"), user)
    del whole["clusters"][0]["cluster"]["proxy-url"]
    file.write_text(yaml.safe_dump(whole))
    said = told("verify", "--kubeconfig", str(file))
    assert said
    assert not tells(said)


def echo(code: int, body: Callable[[str], str]) -> type[BaseHTTPRequestHandler]:
    """A server that answers with the credentials that it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = body(self.headers.get("Authorization", "")).encode()
            self.send_response(code, self.headers.get("Authorization", ""))
            self.send_header("X-Echo", self.headers.get("Authorization", ""))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


ECHOES: list[tuple[str, Callable[[str], str]]] = [
    ("header", lambda known: json.dumps({"message": f"bad header Authorization: {known}"})),
    ("value", lambda known: json.dumps({"message": known})),
    ("token", lambda known: json.dumps({"message": f"no such token <{known.split()[-1]}>"})),
    ("list", lambda known: json.dumps({"items": [{"metadata": {"name": known.split()[-1]}}]})),
    ("html", lambda known: f"<html>{known}</html>"),
    ("object", lambda known: json.dumps({"metadata": {"uid": known, "name": known}})),
]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("user", [{"token": SECRET}, {"username": "me", "password": SECRET}])
def test_a_header_that_the_server_echoes_is_not_told(user: Json, tmp_path: Path) -> None:
    basic = base64.b64encode(f"me:{SECRET}".encode()).decode()
    leaks = []
    for code in (200, 400, 401, 403, 404, 410, 429, 500, 503):
        for name, body in ECHOES:
            saved = tmp_path / f"{code}-{name}"
            with served(echo(code, body)) as address:
                file = str(_kubeconfig(tmp_path / "config", address, user))
                said = told("verify", "--kubeconfig", file, "--all")
                said += told("verify", "--kubeconfig", file, "-o", "json")
                said += told("snapshot", str(saved), "--kubeconfig", file)
            said += saved.read_text(encoding="utf-8") if saved.exists() else ""
            if tells(said) or basic in said:
                leaks.append((code, name))
    assert leaks == []


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on loopback, and its address."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _kubeconfig(file: Path, address: str, user: Json) -> Path:
    whole = changed(KUBECONFIG, ("users", 0, "user"), user)
    whole["clusters"][0]["cluster"] = {"server": address}
    file.write_text(yaml.safe_dump(whole))
    return file


# Release archives.


def archives() -> Iterator[bytes]:
    chart = yaml.safe_load(CHART)
    for path in places(chart):
        for value in (URL, [URL], {"a": URL}):
            content = yaml.safe_dump(changed(chart, path, value)).encode()
            yield pack(files={**GOOD, "fsm/Chart.yaml": content})
    for text in DAMAGED:
        yield pack(files={**GOOD, "fsm/Chart.yaml": text.replace("{}", SECRET).encode()})
    yield pack(member(f"../{URL}", b"x"))
    yield pack(member("fsm/x", b"", type=tarfile.SYMTYPE, linkname=URL))


def test_no_part_of_a_release_archive_leaks(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    for number, content in enumerate(archives()):
        file = tmp_path / f"{number}.tgz"
        file.write_bytes(content)
        assert not tells(told("vendor", "-C", str(tmp_path), str(file))), number


# Rules, descriptions, texts to explain.


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"Get {URL}: x509: certificate signed by unknown authority",
        f"failed calling webhook, token={SECRET}: context deadline exceeded",
        f'{{"password": "{SECRET}", "level": "error", "message": "x"}}',
    ],
)
def test_a_text_to_explain_is_told_without_its_credentials(text: str) -> None:
    assert not tells(told("explain", "-", start=text))
    assert not tells(told("explain", "-", "-o", "json", start=text))


# The command line itself.


def options() -> Iterator[tuple[str, ...]]:
    for entry in command_line.ENTRIES:
        command = cli.get_command(None, entry)  # type: ignore[arg-type]  # it asks nothing of it
        assert command is not None
        for option in command.params:
            if option.opts[0].startswith("-") and not getattr(option, "is_flag", False):
                yield entry, option.opts[0], URL
                yield entry, option.opts[0], BARE
        yield entry, URL
        yield entry, f"--{URL}"
        yield entry, f"--x={URL}"
    yield (URL,)
    yield (f"--{URL}",)


def test_no_word_of_the_command_line_is_told_with_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [words for words in options() if tells(told(*words))] == []


# Defects of ours.


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), KeyError(SECRET), RuntimeError({"password": SECRET})]
)
def test_a_traceback_names_the_place_and_quotes_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        try:
            raise error  # noqa: TRY301  # a chain is what is asked about
        except Exception as inner:
            raise ExceptionGroup("several", [inner, ValueError(SECRET)]) from inner

    monkeypatch.setattr(cli, "main", fail)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with pytest.raises(SystemExit) as caught:
        command_line.main()
    assert caught.value.code == 3
    assert "this is a defect of fsm-stack" in said.getvalue()
    assert f"{Path(__file__).name}" in said.getvalue()
    assert type(error).__name__ in said.getvalue()
    assert not tells(said.getvalue())


def test_places_are_found_and_changed() -> None:
    """Else nothing would be planted."""
    whole = {"a": [{"b": 1}]}
    assert list(places(whole)) == [("a",), ("a", 0), ("a", 0, "b")]
    assert at(changed(whole, ("a", 0, "b"), 2), ("a", 0, "b")) == 2
    assert renamed(whole, ("a",), "c") == {"c": [{"b": 1}]}
    assert len(PATHS) > 100
    assert len(SNAPSHOT_PLACES) > 1000
