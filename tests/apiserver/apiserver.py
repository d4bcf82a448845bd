"""A real kube-apiserver with its etcd, for one test session.

No kubelet runs, so pods stay pending unless a test writes their status. Controllers run on
request only: most tests ask what the server stores and refuses, and foreign writers blur that.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fsm_stack.manifests.canary import BETA, BETA_SINCE, STABLE_SINCE

from .client import Api, ApiError, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

TOOLS = Path(__file__).parents[2] / "tools"
READY_SECONDS = 90  # 3 s on a free machine of two cores
STOP_SECONDS = 15
LOG_TAIL = 30
LOOPBACK = "127.0.0.1"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVER_PORT = 6443  # of a server on a machine of its own
HOST_KUBECONFIG = "host.kubeconfig"  # for the programs on that machine


def _required(folder: str, module: str) -> str:
    """The version that a module of `tools` asks for: what `tools/build` builds."""
    text = (TOOLS / folder / "go.mod").read_text(encoding="utf-8")
    match = re.search(rf"(?:^|\s){re.escape(module)} (v\S+)", text)
    assert match, f"tools/{folder}/go.mod: expected {module}"
    return match.group(1)


KUBERNETES_VERSION = os.environ.get("FSM_STACK_KUBE_VERSION") or _required(
    "kube", "k8s.io/kubernetes"
)
# The newest one that is known to build: what is served from a later version on is tried there.
NEWEST_VERSION = "v1.37.2"
# The oldest one that the guard is for, whose policies are written in words of their own.
OLDEST_VERSION = "v1.30.14"
# In a beta version, the policies of canaries are served where somebody asks for them.
BETA_POLICIES = {
    "feature_gates": "MutatingAdmissionPolicy=true",
    "runtime_config": f"{BETA}=true",
}
PULUMI_VERSION = _required("pulumi", "github.com/pulumi/pulumi/pkg/v3")
FLUX_VERSION = _required("flux", "github.com/fluxcd/kustomize-controller")


class NotInstalledError(Exception):
    """A program that the suite starts is not on this machine."""


class ServerError(Exception):
    """A program ended or did not become ready; the message ends with its log's last lines."""


def find(program: str, *, target: str = "test-cluster", version: str = KUBERNETES_VERSION) -> Path:
    """Where a program is, by envtest's convention: KUBEBUILDER_ASSETS, PATH, then our own build.

    Args:
        program: its name.
        target: the suite that builds it, for the message.
        version: of Kubernetes; another one than the usual is taken from our own build only.

    Raises:
        NotInstalledError: it is in none of them.
    """
    usual = version == KUBERNETES_VERSION
    others = (os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH")) if usual else ()
    for place in filter(None, (*others, *map(str, built(version)))):
        if found := shutil.which(program, path=place):
            return Path(found)
    if usual:
        raise NotInstalledError(f"{program} is not on this machine: `make {target}` builds it")
    raise NotInstalledError(
        f"{program} {version} is not on this machine: `FSM_STACK_KUBE_VERSION={version} "
        "tools/build cluster` builds it"
    )


def built(version: str = KUBERNETES_VERSION) -> tuple[Path, Path, Path]:
    """Where `tools/build` leaves the programs of Kubernetes, of the engine, of GitOps."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fsm-stack"
    asked = os.environ.get("FSM_STACK_KUBE_ASSETS") if version == KUBERNETES_VERSION else None
    kube = asked or cache / "kube" / version
    pulumi = os.environ.get("FSM_STACK_PULUMI_ASSETS") or cache / "pulumi" / PULUMI_VERSION
    gitops = os.environ.get("FSM_STACK_GITOPS_ASSETS") or cache / "gitops" / FLUX_VERSION
    return Path(kube), Path(pulumi), Path(gitops)


def with_policies(version: str = KUBERNETES_VERSION) -> dict[str, str]:
    """The flags with which a server of this version serves the policies of canaries, if it can."""
    minor = int(version.split(".")[1])
    return BETA_POLICIES if BETA_SINCE <= minor < STABLE_SINCE else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine of its own, on which pods will run.

    The server then listens on all its addresses, admits service accounts, and has an endpoint.

    Attributes:
        address: what pods reach the server at.
        prefix: what makes a command run there; its files are the suite's own.
        reachable: a port on the suite's loopback interface that leads to a port there.
    """

    address: str
    prefix: tuple[str, ...]
    reachable: Callable[[int], AbstractContextManager[int]]


@contextmanager
def serve(
    home: Path,
    *,
    controllers: bool = False,
    host: Host | None = None,
    version: str = KUBERNETES_VERSION,
    more: Mapping[str, str] | None = None,
) -> Iterator[Api]:
    """Run the server until the block ends, with all its files below `home`.

    Args:
        home: an empty directory of the caller's; its logs are `home/<program>.log`.
        controllers: run kube-controller-manager, too: namespaces end, owners' dependents go,
            Deployments make pods, each namespace gets its ServiceAccount.
        host: the machine on which they run; this one if absent, on its loopback interface.
        version: of Kubernetes.
        more: flags of the API server beside the usual ones, underscores for hyphens.

    Raises:
        NotInstalledError: a program is missing; nothing was started.
        ServerError: a program ended, or was not ready in time.
    """
    etcd, apiserver = find("etcd", version=version), find("kube-apiserver", version=version)
    controller_manager = find("kube-controller-manager", version=version) if controllers else None
    etcd_port, port = _free_ports(2)
    if host is not None:
        port = API_SERVER_PORT
    token = secrets.token_urlsafe(32)
    ca_file = home / "certs/apiserver.crt"  # the server makes it: its certificate, then its CA's
    signing_key = home / "service-accounts.pem"
    _private(home / "tokens.csv", f"{token},admin,admin,system:masters\n")
    _private(signing_key, _p256_key())

    with ExitStack() as stack:

        def run(binary: Path, **flags: str) -> Program:
            prefix = () if host is None else host.prefix
            return stack.enter_context(Program.running(binary, home, flags, prefix=prefix))

        programs = [run(etcd, **_etcd_flags(home, etcd_port))]
        flags = _apiserver_flags(home, etcd_port, port, signing_key)
        flags |= {} if host is None else _host_flags(host)
        programs.append(run(apiserver, **flags | dict(more or {})))
        _wait(programs, "the API server's certificate is written", ca_file.exists)
        if host is None:
            own = LOOPBACK, port
        else:  # the certificate is for its address there, and for this name
            own = "localhost", stack.enter_context(host.reachable(port))
        api = Api(
            host=own[0], port=own[1], token=token, ca_file=ca_file, kubeconfig=home / "kubeconfig"
        )
        _wait(programs, "the API server is ready", lambda: _is_ready(api))
        _private(api.kubeconfig, json.dumps(_kubeconfig(api, *own)))
        kubeconfig = api.kubeconfig
        if host is not None:
            kubeconfig = home / HOST_KUBECONFIG
            _private(kubeconfig, json.dumps(_kubeconfig(api, host.address, port)))
        if controller_manager is not None:
            flags = _controller_flags(api, kubeconfig, signing_key)
            programs.append(run(controller_manager, **flags))
            account = _default("ServiceAccount", "default")
            _wait(programs, "a ServiceAccount is made", lambda: api.exists(account))
        yield api


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    @contextmanager
    def running(
        cls, binary: Path, home: Path, flags: dict[str, str], *, prefix: tuple[str, ...] = ()
    ) -> Iterator[Program]:
        """Start it, and end it with the block, by its own process id.

        Args:
            binary: what is started.
            home: its folder, for the log, too.
            flags: its flags, underscores for hyphens.
            prefix: a command that runs it elsewhere; whoever made that place ends it there.
        """
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
        with cls.started(binary.name, (*prefix, str(binary), *arguments), home) as program:
            yield program

    @classmethod
    @contextmanager
    def started(cls, name: str, command: Sequence[str], home: Path) -> Iterator[Program]:
        """Start any command, and end it with the block."""
        log = home / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=home,
                # etcd reads every ETCD_ variable as a flag.
                env={"HOME": str(home), "PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield cls(name=name, process=process, log=log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log_tail(self) -> str:
        """The log's last lines, for an error."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL:]
        return "\n".join([f"--- the end of {self.name}'s log:", *lines])


def _etcd_flags(home: Path, port: int) -> dict[str, str]:
    return {
        "data_dir": str(home / "etcd"),
        "listen_client_urls": f"http://{LOOPBACK}:{port}",
        "advertise_client_urls": f"http://{LOOPBACK}:{port}",
        "listen_peer_urls": f"http://{LOOPBACK}:0",  # there are no peers
        "unsafe_no_fsync": "true",  # the data does not outlive the session
    }


def _apiserver_flags(home: Path, etcd_port: int, port: int, key: Path) -> dict[str, str]:
    return {
        "etcd_servers": f"http://{LOOPBACK}:{etcd_port}",
        "bind_address": LOOPBACK,
        "advertise_address": LOOPBACK,
        "secure_port": str(port),
        "cert_dir": str(home / "certs"),
        "token_auth_file": str(home / "tokens.csv"),
        "authorization_mode": "RBAC",
        "service_account_issuer": "https://kubernetes.default.svc",
        "service_account_key_file": str(key),
        "service_account_signing_key_file": str(key),
        "service_cluster_ip_range": SERVICE_RANGE,
        "allow_privileged": "true",  # the mesh may ask for a privileged init container
        # It refuses pods until a controller has made their namespace's ServiceAccount.
        "disable_admission_plugins": "ServiceAccount",
        # The Service `kubernetes` cannot have an endpoint on the loopback interface.
        "endpoint_reconciler_type": "none",
    }


def _host_flags(host: Host) -> dict[str, str]:
    """What is different where pods run: they reach the server, and it reaches the kubelet."""
    return {
        "bind_address": "0.0.0.0",  # noqa: S104  # of a network of its own
        "advertise_address": host.address,
        "disable_admission_plugins": "",
        "endpoint_reconciler_type": "lease",
        "kubelet_preferred_address_types": "InternalIP",
    }


def _controller_flags(api: Api, kubeconfig: Path, key: Path) -> dict[str, str]:
    return {
        "kubeconfig": str(kubeconfig),
        "service_account_private_key_file": str(key),
        "root_ca_file": str(api.ca_file),
        "leader_elect": "false",
        "secure_port": "0",  # it serves nothing
    }


def _wait(programs: list[Program], what: str, probe: Callable[[], bool]) -> None:
    """Wait for the newest program, and fail at once when any of them ends."""

    def ready() -> bool:
        for program in programs:
            if (code := program.process.poll()) is not None:
                ended = f"{program.name} ended with code {code} before {what}"
                raise ServerError(f"{ended}\n{program.log_tail()}")
        return probe()

    try:
        eventually(what, ready, seconds=READY_SECONDS)
    except TimeoutError as error:
        raise ServerError(f"{error}\n{programs[-1].log_tail()}") from error


def _is_ready(api: Api) -> bool:
    try:
        api.request("GET", "/readyz")
        # The server makes its own namespaces a moment after it calls itself ready.
        return all(api.exists(_default("Namespace", name)) for name in ("default", "kube-system"))
    except (OSError, ApiError):
        return False


def _default(kind: str, name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; held together, so that no two are the same."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in held]


def _p256_key() -> str:
    """A private key for service account tokens, in the PEM form of RFC 5915.

    The standard library makes no keys. In this form a P-256 key is a random number below the
    curve's order, between two constants; a first byte of zero keeps it below.
    """
    number = bytes(1) + secrets.token_bytes(31)
    der = bytes.fromhex("30310201010420") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n"


def _kubeconfig(api: Api, host: str, port: int) -> dict[str, object]:
    authority = base64.b64encode(api.ca_file.read_bytes()).decode()
    server = {
        "server": f"https://{host}:{port}",
        "certificate-authority-data": authority,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": api.token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
