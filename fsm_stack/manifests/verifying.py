"""``fsm-stack verify`` inside the cluster: its account, its rights, and the CronJob.

The rights are those of anyone who verifies: docs/verify.md prints them, tests give an account
these and no others and let it answer every check.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import Manifest, Part, Wave, common_labels, metadata
from fsm_stack.manifests.pods import resources, security_context
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings

APP: Final = "fsm-stack-verify"
_RBAC: Final = "rbac.authorization.k8s.io"
_SECONDS_MAX: Final = 600  # of one run: a mesh of thousands of pods is read in seconds
_NOBODY: Final = 65532  # the user of the image


def _rule(groups: str, kinds: str, verbs: str, **more: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": kinds.split(),
        **more,
        "verbs": verbs.split(),
    }


# Every request of `verify` is a GET: of an object, a list or a log.
RULES: Final = (
    _rule("core", "namespaces pods services resourcequotas limitranges", "get list"),
    _rule("core", "events", "list"),
    _rule("core", "pods/log", "get"),
    _rule("core", "configmaps", "get", resourceNames=[CONFIG_MAP_NAME]),
    _rule("core", "serviceaccounts", "get list"),
    _rule(_RBAC, "clusterroles clusterrolebindings roles rolebindings", "get list"),
    _rule("apps", "deployments statefulsets daemonsets", "get list"),
    _rule("discovery.k8s.io", "endpointslices", "list"),
    _rule("networking.k8s.io", "ingressclasses", "list"),
    _rule(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations validatingwebhookconfigurations",
        "list",
    ),
    _rule(
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies validatingadmissionpolicybindings",
        "list",
    ),
    _rule(
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicies mutatingadmissionpolicybindings",
        "list",
    ),
    _rule("config.flomesh.io config.openservicemesh.io", "meshconfigs", "list"),
)


def verify_job(settings: StackSettings) -> tuple[Manifest, ...]:
    """The CronJob with its account and rights; nothing where no schedule is set."""
    if settings.verify.schedule is None:
        return ()
    name = _name(settings)
    about = metadata(settings, name, app=APP)
    wide = metadata(settings, name, app=APP, namespaced=False)
    account = {"kind": "ServiceAccount", "name": name, "namespace": settings.namespace}
    foundation = (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": wide,
            "rules": deepcopy(list(RULES)),
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": wide,
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [account],
        },
    )
    return (
        *(
            Manifest(object=item, part=Part.CONTROL_PLANE, wave=Wave.FOUNDATION)
            for item in foundation
        ),
        Manifest(object=_cron_job(settings), part=Part.CONTROL_PLANE, wave=Wave.CONTROL_PLANE),
    )


def _name(settings: StackSettings) -> str:
    """``fsm-stack-verify`` where nothing else is said: a cluster's meshes have one role each."""
    return f"{settings.mesh.release_name}-stack-verify"


def _cron_job(settings: StackSettings) -> dict[str, Any]:
    job = {
        "activeDeadlineSeconds": _SECONDS_MAX,
        "backoffLimit": 0,  # what was found once would be found again
        "template": _template(settings),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(settings, _name(settings), app=APP),
        "spec": {
            "schedule": settings.verify.schedule,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": job},
        },
    }


def _template(settings: StackSettings) -> dict[str, Any]:
    """The pod: what the pod security level ``restricted`` asks for, and more."""
    port = settings.verify.metrics_port
    scraped = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/metrics",
    }
    secrets = [{"name": secret.name} for secret in settings.images.pull_secrets]
    spec = {
        "serviceAccountName": _name(settings),
        "restartPolicy": "Never",
        **security_context(
            settings,
            {"runAsUser": _NOBODY, "runAsGroup": _NOBODY},
            runAsNonRoot=True,
            seccompProfile={"type": "RuntimeDefault"},
        ),
        **({"imagePullSecrets": secrets} if secrets else {}),
        "containers": [_container(settings)],
    }
    return {
        "metadata": {
            "labels": {**common_labels(settings), "app": APP},
            **({"annotations": scraped} if port else {}),
        },
        "spec": spec,
    }


def _container(settings: StackSettings) -> dict[str, Any]:
    """The command compares the mesh with its own MeshConfig: no stack file is in the pod."""
    job = settings.verify
    listen = ["--listen", f":{job.metrics_port}"] if job.metrics_port else []
    ports = [{"name": "metrics", "containerPort": job.metrics_port}] if job.metrics_port else []
    return {
        "name": "verify",
        "image": job.image,
        "imagePullPolicy": settings.images.pull_policy,
        "args": [
            "verify",
            *("--system", settings.system),
            *("--fail-on", job.fail_on),
            *listen,
        ],
        **({"ports": ports} if ports else {}),
        "resources": resources(job.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
