"""The handler's answer where its order matters: which refusal wins, and what it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.injector.decision import admit
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.injector.profile import Refusal
from fsm_stack.systems import FSM
from tests.given import ID, IMAGES, container, mesh, namespace, pod

if TYPE_CHECKING:
    from fsm_stack.injector.pod import Mutation

PORTS = "outbound-port-exclusion-list"


def refusal_of(name: str, given: dict[str, Any], **options: Any) -> Refusal:
    known = mesh(name, **options.pop("mesh", {}))
    place = options.pop("namespace", None) or namespace(of=known)
    with pytest.raises(Refusal) as caught:
        admit(given, mesh=known, namespace=place, proxy_id=ID, **options)
    return caught.value


@pytest.mark.parametrize(
    ("name", "prefix"), [("fsm", "flomesh.io"), ("osm", "openservicemesh.io")]
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_refused_list_leaves_a_secret_behind_but_not_in_a_dry_run(
    name: str,
    prefix: str,
    dry_run: bool,  # noqa: FBT001
) -> None:
    """The list is read after the Secret is made, which a dry run does not do."""
    refusal = refusal_of(name, pod({f"{prefix}/{PORTS}": "x"}), dry_run=dry_run)
    assert (refusal.rule_id, refusal.secret_left) == ("invalid-port", not dry_run)


@pytest.mark.parametrize(
    ("name", "rule_id"), [("fsm", "injection-value"), ("osm", "bootstrap-volume")]
)
def test_the_old_secret_and_the_metrics_annotation_are_read_in_each_systems_order(
    name: str, rule_id: str
) -> None:
    known = mesh(name)
    volume = {"name": known.profile.bootstrap_volume, "secret": {"secretName": "gone"}}
    refusal = refusal_of(
        name,
        pod(volumes=[volume]),
        namespace=namespace(of=known, metrics="bogus"),
        secrets={},
    )
    assert (refusal.rule_id, refusal.secret_left) == (rule_id, False)


@pytest.mark.parametrize("given", [pod(), pod(hostNetwork=True)])
def test_an_injector_that_does_not_start_refuses_every_pod_that_it_is_asked_about(
    given: dict[str, Any],
) -> None:
    """The webhook fails closed, so nothing is decided any more."""
    refusal = refusal_of("osm-edge", given, mesh={"sidecar": {"sidecarClass": "Envoy"}})
    assert refusal.rule_id == "unknown-sidecar-class"


def admitted(name: str, given: dict[str, Any], **options: Any) -> Mutation:
    known = mesh(name, **options)
    _, mutation = admit(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert mutation is not None
    return mutation


def test_osm_forgets_the_probes_of_the_first_of_two_containers_with_one_name() -> None:
    """Its summary is kept by name; Kubernetes refuses such a pod, but only afterwards."""
    get = {"httpGet": {"port": 8080}}
    twins = [container(livenessProbe=get), container(readinessProbe=get)]
    assert admitted("osm", pod(containers=twins)).probes.kinds[0] is None
    assert admitted("fsm", pod(containers=twins)).probes.kinds[0] is not None


def test_an_empty_pull_policy_is_left_out() -> None:
    """Go leaves empty texts out; the API server fills in its default."""
    known = mesh_view(FSM, {}, environment=IMAGES, pull_policy="")
    _, mutation = admit(
        pod(containers=[container(livenessProbe={"tcpSocket": {"port": 1}})]),
        mesh=known,
        namespace=namespace(),
        proxy_id=ID,
    )
    assert mutation is not None
    spec = mutation.plain()["spec"]
    assert "imagePullPolicy" not in spec["initContainers"][0]
    assert ["imagePullPolicy" in item for item in spec["containers"]] == [False, False, True]
