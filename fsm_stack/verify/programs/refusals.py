"""Why the API server refuses pods, told by its words: a quota, pod security, a webhook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
# The strictest level that the programs of a control plane live with. An init container that loads
# rules needs NET_ADMIN, which baseline refuses.
_LEVEL, _LEVEL_OF_MESH = "baseline", "privileged"
_NAME: Final = re.compile(r"[\w./:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRefusal:
    """Why a pod is not made.

    Attributes:
        means: what refuses it.
        first: what to do, without the end of the sentence; empty: to apply what is declared.
        subject: what refuses it, by its name; empty: it has none.
        answers: a webhook said no; False where it does not answer.
        known: the words are known.
        network: the API server does not reach a server that may well run.
    """

    means: str
    first: str = ""
    subject: str = ""
    answers: bool = True
    known: bool = True
    network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of refusal.

    Attributes:
        says: the API server's words; its groups name what refuses.
        means: what they mean; ``{it}`` is that name, ``{place}`` the namespace.
        first: what to do.
        nameless: the name where the words have none.
        answers: a webhook said no; False where it does not answer.
        network: the API server does not reach a server that may well run.
    """

    says: re.Pattern[str]
    means: str
    first: str = ""
    nameless: str = ""
    answers: bool = True
    network: bool = False


# Source: Kubernetes, plugin/pkg/admission/resourcequota, policy/podsecurity, limitranger,
# serviceaccount and priority, and apiserver's admission/plugin/webhook.
_KINDS: Final = (
    _Kind(
        says=re.compile(r"failed quota: ([\w.-]+): must specify "),
        means="ResourceQuota {it} of namespace {place} asks for requests and limits of every "
        "container, and the mesh's have none",
        first="Set sidecar.resources and sidecar.initResources, or make a LimitRange with "
        "defaults in namespace {place}",
    ),
    _Kind(
        says=re.compile(
            r"exceeded quota: ([\w.-]+)|failed quota: ([\w.-]+)|insufficient quota to match"
        ),
        means="ResourceQuota {it} of namespace {place} leaves no room for its pods",
        first="Raise ResourceQuota {it} in namespace {place}, or lower the pods' requests",
        nameless="for its priority class",
    ),
    _Kind(
        says=re.compile(r'violates PodSecurity "([^"]+)"'),
        means="pod security {it} of namespace {place} refuses its pods",
        first=f"kubectl label namespace {{place}} {_ENFORCE}={{level}} --overwrite",
    ),
    _Kind(
        says=re.compile(r'service ?accounts? "([\w.-]+)" not found'),
        means="service account {it} is not there",
    ),
    _Kind(
        says=re.compile(r"no PriorityClass with name ([\w.-]+)"),
        means="the cluster has no priority class {it}",
        first="Make priority class {it}, or name another one in priorityClassName",
    ),
    _Kind(
        says=re.compile(
            r'failed calling webhook "([^"]+)".*'
            r"(?:context deadline exceeded|i/o timeout|Client\.Timeout|no route to host)"
        ),
        means="the API server does not reach webhook {it} in time, and without it no pod is made",
        first="Let the API server connect to port 9090 of the injector's pods: a firewall rule "
        "from the control plane to the nodes, or a NetworkPolicy",
        answers=False,
        network=True,
    ),
    _Kind(
        says=re.compile(r'failed calling webhook "([^"]+)".*no such host'),
        means="the API server cannot resolve the Service of webhook {it}, and without it no pod "
        "is made",
        first="Let the API server reach Services of the cluster: its egress (konnectivity) or DNS",
        answers=False,
        network=True,
    ),
    _Kind(
        says=re.compile(r'failed calling webhook "([^"]+)".*x509: '),
        means="the API server does not trust the certificate of webhook {it}",
        first="Restart the injector, which writes its authority when it starts",
        answers=False,
    ),
    _Kind(
        says=re.compile(r'failed calling webhook "([^"]+)".*no endpoints available'),
        means="no ready pod stands behind webhook {it}, and without it no pod is made",
        first="Let the injector run: its Deployment, its pods' events and logs",
        answers=False,
    ),
    _Kind(
        says=re.compile(r'failed calling webhook "([^"]+)".*connection refused'),
        means="nothing listens where webhook {it} should, and without it no pod is made",
        first="Let the injector run: its Deployment, its pods' events and logs",
        answers=False,
    ),
    _Kind(
        says=re.compile(r'failed calling webhook "([^"]+)"'),
        means="webhook {it} does not answer, and without it no pod is made",
        first="Let the server of webhook {it} run",
        answers=False,
    ),
    _Kind(
        says=re.compile(r'admission webhook "([^"]+)" denied.*(?:GKE Warden|autogke)'),
        means="GKE Autopilot refuses what the init container needs: webhook {it}",
        first="Let the cluster admit NET_ADMIN: gcloud container clusters update CLUSTER "
        "--workload-policies=allow-net-admin",
    ),
    _Kind(
        says=re.compile(r'admission webhook "([^"]+)" denied'),
        means="webhook {it} refuses its pods",
        first="Change what webhook {it} complains about",
    ),
    _Kind(
        says=re.compile(
            r"(?:maximum|minimum) (?:cpu|memory) usage|must specify (?:limit|request)"
        ),
        means="a LimitRange of namespace {place} refuses its pods",
        first="Change the LimitRange in namespace {place}, or the pods' resources",
    ),
)


def pod_refusal(message: str, namespace: str, *, of_mesh: bool = False) -> PodRefusal:
    """What a controller was told when it made a pod.

    Args:
        message: the API server's words.
        namespace: of the pod.
        of_mesh: the pod is to get a sidecar, and an init container that loads rules.
    """
    for kind in _KINDS:
        if (found := kind.says.search(message)) is None:
            continue
        name = next((one for one in found.groups() if one), kind.nameless)
        words = {
            "it": name if _NAME.fullmatch(name) else kind.nameless or repr(name),
            "place": namespace,
            "level": _LEVEL_OF_MESH if of_mesh else _LEVEL,
        }
        return PodRefusal(
            means=kind.means.format_map(words),
            first=kind.first.format_map(words),
            subject=name,
            answers=kind.answers,
            network=kind.network,
        )
    return PodRefusal(means="the API server refuses its pods", known=False)
