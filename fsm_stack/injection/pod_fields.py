"""The field names of a Pod that each injector's client library knows.

It decodes the pod and encodes it again, so whatever it does not know is lost; a native sidecar's
``restartPolicy`` in osm-edge and OSM, for example. Source: k8s.io/api core/v1 (PodSpec, Container)
and k8s.io/apimachinery (ObjectMeta): 0.33 in FSM's go.mod, 0.26 in osm-edge's and OSM's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fsm_stack.systems import System

METADATA_FIELDS: Final = frozenset(
    """
    annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers
    generateName generation labels managedFields name namespace ownerReferences resourceVersion
    selfLink uid
    """.split()  # noqa: SIM905  # forty quoted names are harder to read
)
_SPEC: Final = frozenset(
    """
    activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy
    enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers
    hostname imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy
    priority priorityClassName readinessGates resourceClaims restartPolicy runtimeClassName
    schedulerName schedulingGates securityContext serviceAccount serviceAccountName
    setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations
    topologySpreadConstraints volumes
    """.split()  # noqa: SIM905
)
_CONTAINER: Final = frozenset(
    """
    args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports
    readinessProbe resources securityContext startupProbe stdin stdinOnce terminationMessagePath
    terminationMessagePolicy tty volumeDevices volumeMounts workingDir
    """.split()  # noqa: SIM905
)
_NEWER_SPEC: Final = frozenset({"resources"})
_NEWER_CONTAINER: Final = frozenset({"resizePolicy", "restartPolicy"})


def spec_fields(system: System) -> frozenset[str]:
    """The fields of a pod's ``spec`` that survive this system's injector."""
    return _SPEC | _NEWER_SPEC if system.newer_pod_fields else _SPEC


def container_fields(system: System) -> frozenset[str]:
    """The fields of a container that survive this system's injector."""
    return _CONTAINER | _NEWER_CONTAINER if system.newer_pod_fields else _CONTAINER
