"""The account of the control plane, what it may do, and its roles and bindings.

Source: flomesh-io/fsm charts/fsm/templates fsm-rbac.yaml, fsm-mesh-config-role.yaml and
leader-election-role.yaml at 1.6.0 (the same at 1.5.1). The parity test compares the meaning; that
the rules suffice was seen on a running cluster (tests/apiserver/test_roles.py).
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import Manifest, Part, Wave, metadata

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings

# What a reader may do.
READ: Final = ("get", "list", "watch")
_ALL: Final = (*READ, "create", "update", "patch", "delete")
_STATUS: Final = ("get", "patch", "update")

Rule = dict[str, Any]


def _rule(groups: tuple[str, ...], resources: tuple[str, ...], verbs: tuple[str, ...]) -> Rule:
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}


def on(group: str, resources: str, verbs: tuple[str, ...]) -> Rule:
    """One rule on one API group; the resources are separated by blanks."""
    return _rule((group,), tuple(resources.split()), verbs)


def _managed(group: str, resources: str) -> tuple[Rule, ...]:
    """A controller's rights on its own kinds: everything, their finalizers and their status."""
    names = resources.split()
    return (
        on(group, resources, _ALL),
        on(group, " ".join(f"{name}/finalizers" for name in names), ("update",)),
        on(group, " ".join(f"{name}/status" for name in names), _STATUS),
    )


# Kubernetes' own kinds.
_KUBERNETES: Final = (
    on("apps", "daemonsets deployments replicasets statefulsets", _ALL),
    on("networking.k8s.io", "ingressclasses", READ),
    on("networking.k8s.io", "ingresses", _ALL),
    on("batch", "jobs", READ),
    on("", "namespaces", _ALL),
    on("", "endpoints pods services secrets configmaps volumes serviceaccounts", _ALL),
    on("", "services/status", (*READ, "create", "update", "patch")),
    on("", "nodes", READ),
    on("policy", "poddisruptionbudgets", _ALL),
    on("autoscaling", "horizontalpodautoscalers", _ALL),
    on("", "pods pods/log pods/portforward", ("get", "list", "create")),
    on("", "services endpoints", ("create", "update", "delete")),
    on("", "events", (*READ, "create", "patch", "update")),
    on("", "secrets", ("create", "update", "delete", "patch")),
    on("", "configmaps", ("create", "update")),
    on(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations validatingwebhookconfigurations",
        _ALL,
    ),
    on("apiextensions.k8s.io", "customresourcedefinitions", _ALL),
    on("rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings", _ALL),
    on("cert-manager.io", "certificaterequests", (*READ, "create", "delete")),
)

# FSM's own kinds, and those of the Service Mesh Interface.
_MESH: Final = (
    on("config.flomesh.io", "meshconfigs meshrootcertificates", _ALL),
    on("config.flomesh.io", "meshrootcertificates/status", ("update",)),
    on("split.smi-spec.io", "trafficsplits", READ),
    on("access.smi-spec.io", "traffictargets", READ),
    on("specs.smi-spec.io", "httproutegroups tcproutes", READ),
    on(
        "policy.flomesh.io",
        "egresses egressgateways ingressbackends accesscontrols accesscerts isolations retries "
        "upstreamtrafficsettings trafficwarmups",
        READ,
    ),
    on(
        "policy.flomesh.io",
        # `trafficwarmup` is upstream's spelling here; the kind's plural is trafficwarmups.
        "ingressbackends/status accesscontrols/status accesscerts/status "
        "upstreamtrafficsettings/status trafficwarmup/status",
        ("update",),
    ),
    on("plugin.flomesh.io", "plugins pluginchains pluginconfigs", READ),
    on(
        "plugin.flomesh.io",
        "plugins/status pluginchains/status pluginconfigs/status",
        ("update",),
    ),
    on("machine.flomesh.io", "virtualmachines", (*READ, "update")),
    on("machine.flomesh.io", "virtualmachines/status", ("update",)),
    on(
        "connector.flomesh.io",
        "consulconnectors eurekaconnectors nacosconnectors zookeeperconnectors machineconnectors "
        "gatewayconnectors",
        (*READ, "update"),
    ),
    on(
        "connector.flomesh.io",
        "consulconnectors/status eurekaconnectors/status nacosconnectors/status "
        "zookeeperconnectors/status machineconnectors/status gatewayconnectors/status",
        _STATUS,
    ),
    on("xnetwork.flomesh.io", "accesscontrols eipadvertisements", READ),
    on("xnetwork.flomesh.io", "eipadvertisements/status", _STATUS),
    *_managed(
        "multicluster.flomesh.io", "clusters serviceimports serviceexports globaltrafficpolicies"
    ),
    *_managed("networking.flomesh.io", "namespacedingresses"),
)

# The Gateway API, FSM's extensions of it, and its policy attachments.
_GATEWAY: Final = (
    *_managed(
        "gateway.networking.k8s.io",
        "gatewayclasses gateways httproutes grpcroutes referencegrants tcproutes tlsroutes "
        "udproutes backendtlspolicies",
    ),
    *_managed(
        "extension.gateway.flomesh.io",
        "filters filterdefinitions listenerfilters circuitbreakers faultinjections ratelimits "
        "httplogs metrics zipkins filterconfigs proxytags iprestrictions externalratelimits "
        "concurrencylimits requestterminations dnsmodifiers",
    ),
    *_managed(
        "gateway.flomesh.io",
        "healthcheckpolicies retrypolicies backendlbpolicies routerulefilterpolicies",
    ),
)

# Without it neither controller nor injector becomes ready where the API server serves them:
# their informers wait for EndpointSlices before anything else.
_ENDPOINT_SLICES: Final = on(
    "discovery.k8s.io", "endpointslices", (*READ, "create", "update", "patch")
)


# OpenShift's constraint that lets Fluent Bit read the node's logs.
_HOST_ACCESS: Final = {
    **on("security.openshift.io", "securitycontextconstraints", ("use",)),
    "resourceNames": ["hostaccess"],
}


def control_plane_rules(*, endpoint_slices: bool, host_access: bool = False) -> tuple[Rule, ...]:
    """What the control plane's account may do.

    Args:
        endpoint_slices: whether the cluster serves ``discovery.k8s.io/v1``; FSM's programs ask
            for EndpointSlices exactly then.
        host_access: whether the controller's pod may use OpenShift's ``hostaccess``.
    """
    by_version = (_ENDPOINT_SLICES,) if endpoint_slices else ()
    constraint = (_HOST_ACCESS,) if host_access else ()
    return (*_KUBERNETES, *by_version, *_MESH, *_GATEWAY, *constraint)


LEADER_ELECTION_RULES: Final = (
    _rule(("", "coordination.k8s.io"), ("configmaps", "leases"), _ALL),
    on("", "events", ("create", "patch")),
)

MESH_CONFIG_RULES: Final = (on("config.flomesh.io", "meshconfigs meshrootcertificates", READ),)


_API: Final = "rbac.authorization.k8s.io"


def wide_name(settings: StackSettings, name: str) -> str:
    """What the chart calls a cluster-wide object, or a name of a second mesh's own."""
    if not settings.beside_another:
        return name
    return f"{settings.mesh.release_name}-{name.removeprefix('fsm-')}"


def account(settings: StackSettings, name: str) -> dict[str, Any]:
    """A ServiceAccount of the control plane's namespace."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(settings, name)}


def role(settings: StackSettings, kind: str, name: str, rules: tuple[Rule, ...]) -> dict[str, Any]:
    """A Role or ClusterRole; without rules it allows nothing."""
    return {
        "apiVersion": f"{_API}/v1",
        "kind": kind,
        "metadata": metadata(settings, name, namespaced=kind == "Role"),
        **({"rules": deepcopy(list(rules))} if rules else {}),
    }


def cluster_binding(
    settings: StackSettings, name: str, role: str, *, account_name: str = ""
) -> dict[str, Any]:
    """What binds a cluster role to an account of the control plane's namespace."""
    return {
        "apiVersion": f"{_API}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(settings, name, namespaced=False),
        "roleRef": {"apiGroup": _API, "kind": "ClusterRole", "name": role},
        "subjects": [
            {
                "kind": "ServiceAccount",
                "name": account_name or settings.mesh.release_name,
                "namespace": settings.namespace,
            }
        ],
    }


def rbac(settings: StackSettings) -> tuple[Manifest, ...]:
    """The ServiceAccount, its cluster role and binding, leader election, and the mesh config role.

    The chart binds ``fsm-mesh-config-role`` to nobody. The controller binds it to the accounts of
    gateways that it makes, and people may.

    Source: flomesh-io/fsm charts/fsm/templates fsm-rbac.yaml, leader-election-*.yaml,
    fsm-mesh-config-role.yaml.
    """
    cluster = settings.cluster
    rules = control_plane_rules(
        endpoint_slices=cluster.serves_endpoint_slices,
        host_access=cluster.openshift and settings.components.fluent_bit.enabled,
    )
    release = settings.mesh.release_name
    election = f"{release}-leader-election-role"  # the chart has its own release's name in it
    objects: tuple[dict[str, Any], ...] = (
        account(settings, release),
        role(settings, "ClusterRole", release, rules),
        cluster_binding(settings, release, release),
        role(settings, "ClusterRole", election, LEADER_ELECTION_RULES),
        cluster_binding(settings, f"{election}binding", election),
        role(settings, "Role", "fsm-mesh-config-role", MESH_CONFIG_RULES),
    )
    return tuple(
        Manifest(object=item, part=Part.CONTROL_PLANE, wave=Wave.FOUNDATION) for item in objects
    )
