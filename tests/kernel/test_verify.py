"""What verify says of a kernel and of a failed init container, against real ones."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from network import BACKENDS, Backend, Network
from test_hazards import REFUSED, every_way, script

from fsm_stack.iptables.read.text import read
from fsm_stack.verify.causes import cause, telling_line
from fsm_stack.verify.check import Status
from tests.verify.world import DEV, World, world

if TYPE_CHECKING:
    from judged import Dialect

pytestmark = pytest.mark.kernel
POD_IP = DEV + "  fsm-stack:sidecar: {localProxyMode: PodIP}\n"
every_backend = pytest.mark.parametrize("backend", BACKENDS)


def loaded(pod: Network, backend: Backend, mesh: World) -> None:
    """Run the pod's own script, and take what iptables-save prints then."""
    text = mesh.the("Pod")["spec"]["initContainers"][0]["args"][1]
    address = mesh.the("Pod")["status"]["podIP"]
    done = pod.load(text.replace("$POD_IP", address).replace("${POD_IP}", address), backend)
    assert done.returncode == 0, done.stderr
    mesh.live_rules = read(pod.save(backend))


@every_backend
@pytest.mark.parametrize("text", [DEV, POD_IP], ids=["Localhost", "PodIP"])
def test_what_a_script_loads_is_what_the_check_expects(
    pod: Network, backend: Backend, text: str
) -> None:
    mesh = world(text)
    loaded(pod, backend, mesh)
    outcome = mesh.outcome("pod-live-rules")
    assert [item.message for item in outcome.findings] == []
    assert outcome.status is Status.PASSED


@every_backend
def test_a_second_run_is_told_as_doubled_jumps_and_nothing_else(
    pod: Network, backend: Backend
) -> None:
    mesh = world()
    loaded(pod, backend, mesh)
    loaded(pod, backend, mesh)
    assert mesh.messages("pod-live-rules") == [
        "PREROUTING jumps to FSM_PROXY_INBOUND twice",
        "OUTPUT jumps to FSM_PROXY_OUTBOUND twice",
    ]


@every_backend
def test_a_flushed_kernel_lacks_every_rule(pod: Network, backend: Backend) -> None:
    mesh = world()
    loaded(pod, backend, mesh)
    pod.flush()
    mesh.live_rules = read(pod.save(backend) or "*nat\nCOMMIT\n")
    assert all("lacks a rule" in one for one in mesh.messages("pod-live-rules"))
    assert mesh.outcome("pod-live-rules").status is Status.FAILED


@every_backend
def test_a_rule_that_somebody_added_is_seen(pod: Network, backend: Backend) -> None:
    mesh = world()
    loaded(pod, backend, mesh)
    added = "iptables -t nat -I FSM_PROXY_OUTBOUND -p tcp -d 203.0.113.0/24 -j RETURN"
    assert pod.load(added, backend).returncode == 0
    mesh.live_rules = read(pod.save(backend))
    (item,) = mesh.outcome("pod-live-rules").findings
    assert item.message == "the kernel has a rule in FSM_PROXY_OUTBOUND that the script has not"


@every_way
@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_of_the_kernel_has_a_known_cause(
    pod: Network, name: str, backend: Backend, dialect: Dialect
) -> None:
    """And the evidence is the line that says so, not the advice that iptables prints last."""
    lists, message, _ = REFUSED[name]
    printed = pod.load(script(lists, dialect), backend).stderr
    known = cause(printed)
    assert known is not None, printed
    assert message in telling_line(printed, known)


@every_way
@pytest.mark.usefixtures("pod_network")
def test_a_container_without_net_admin_has_a_known_cause(
    backend: Backend, dialect: Dialect
) -> None:
    """As under a pod security that drops the capability, though the user is root."""
    known = {"nft": "iptables-nft", "legacy": "iptables-legacy"}[backend]
    text = {"restore": f"printf '*nat\\nCOMMIT\\n' | {known}-restore --noflush",
            "commands": f"{known} -t nat -N X"}[dialect]  # fmt: skip
    done = subprocess.run(
        ["unshare", "-n", "setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin",
         "sh", "-c", text], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert cause(done.stderr) is not None, done.stderr
