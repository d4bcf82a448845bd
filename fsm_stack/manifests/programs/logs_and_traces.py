"""Fluent Bit beside the controller, and Jaeger.

Source: flomesh-io/fsm charts/fsm/templates fluentbit-configmap.yaml, fsm-deployment.yaml and
jaeger-*.yaml; Fluent Bit's documentation of its classic configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.manifest import (
    CONTROLLER,
    Manifest,
    metadata,
)
from fsm_stack.manifests.pods import (
    as_no_one,
    platform_affinity,
    scheduling,
    security_context,
)
from fsm_stack.manifests.programs.beside import (
    fixed_resources,
    observing,
    other_image,
    other_program,
    without_rights,
)
from fsm_stack.settings.models.components import image_reference

if TYPE_CHECKING:
    from fsm_stack.settings.models.programs import Azure, FluentBit
    from fsm_stack.settings.models.stack import StackSettings

_JAEGER: Final = "fsm-jaeger"
# Its Service and account lack the prefix: sidecars look for the collector under this name.
_JAEGER_SERVICE: Final = "jaeger"
_ZIPKIN_PORT: Final = 9411

_CONFIG: Final = "fluentbit-configmap"
_KEY_VARIABLE: Final = "AZURE_SHARED_KEY"
_POD_VARIABLE: Final = "CONTROLLER_POD_NAME"
_AZURE: Final = "azure"

# Volume -> folder of the node. Container logs are links into the other two.
_LOGS: Final = {
    "var-log-containers": "/var/log/containers",
    "var-log-pods": "/var/log/pods",
    "var-lib-containers": "/var/lib/docker/containers",
}
# How the container runtime writes a line.
_CRI_LINE: Final = r"^(?<time>[^ ]+) (?<stream>stdout|stderr) (?<logtag>[^ ]*) (?<message>.*)$"


def _conf(*sections: tuple[str, dict[str, str]]) -> str:
    """Fluent Bit's classic form."""
    return "".join(
        f"[{name}]\n" + "".join(f"    {key} {value}\n" for key, value in entries.items())
        for name, entries in sections
    )


def _azure(wanted: FluentBit) -> Azure | None:
    """Where the output goes, if it goes to Azure."""
    if wanted.output_plugin.lower() != _AZURE:
        return None
    if wanted.azure is None:
        raise InputError("components.fluentBit.azure: expected workspaceId and keySecret")
    return wanted.azure


def _output(wanted: FluentBit) -> dict[str, str]:
    output = {"Name": wanted.output_plugin, "Match": "*"}
    azure = _azure(wanted)
    if azure is not None:
        # The key is in the container's environment: a ConfigMap is no place for it.
        output |= {"Customer_ID": azure.workspace_id, "Shared_Key": f"${{{_KEY_VARIABLE}}}"}
    return output


def fluent_bit_config(settings: StackSettings) -> tuple[Manifest, ...]:
    """Fluent Bit's configuration, where the stack runs it."""
    wanted = settings.components.fluent_bit
    if not wanted.enabled:
        return ()
    log = f"/var/log/containers/{CONTROLLER}-*_{settings.namespace}_{CONTROLLER}-*.log"
    service = {
        "Flush": "5",
        "Daemon": "off",
        "Log_Level": "info",
        "Parsers_File": "parser.conf",
    }
    source = {
        "Name": "tail",
        "Tag": "kube.*",
        "Path": log,
        "Parser": "cri",
        "Read_from_Head": "on",
    }
    named = {
        "Name": "modify",
        "Match": "kube.*",
        "Add": f"controller_pod_name ${{{_POD_VARIABLE}}}",
    }
    parser = {
        "Name": "cri",
        "Format": "regex",
        "Regex": _CRI_LINE,
        "Time_Key": "time",
        "Time_Format": "%Y-%m-%dT%H:%M:%S.%L%z",
    }
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(settings, _CONFIG),
        "data": {
            "fluent-bit.conf": _conf(
                ("SERVICE", service),
                ("INPUT", source),
                ("FILTER", named),
                ("OUTPUT", _output(wanted)),
            ),
            "parser.conf": _conf(("PARSER", parser)),
        },
    }
    return observing([config_map], [])


def _secret(variable: str, name: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def fluent_bit_containers(settings: StackSettings) -> list[dict[str, Any]]:
    """The container beside the controller's own, where the stack runs Fluent Bit."""
    wanted = settings.components.fluent_bit
    if not wanted.enabled:
        return []
    env = [
        {
            "name": _POD_VARIABLE,
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
        }
    ]
    if wanted.proxy_secret is not None:
        env += [_secret(key, wanted.proxy_secret, key) for key in ("HTTP_PROXY", "HTTPS_PROXY")]
    azure = _azure(wanted)
    if azure is not None:
        env.append(_secret(_KEY_VARIABLE, azure.key_secret.name, azure.key_secret.key))
    mounts = [{"name": "config", "mountPath": "/fluent-bit/etc", "readOnly": True}]
    mounts += [
        {"name": name, "mountPath": folder, "readOnly": True} for name, folder in _LOGS.items()
    ]
    container = {
        "name": wanted.name,
        "image": image_reference(settings.images, settings.fsm_version, "fluent_bit"),
        "imagePullPolicy": wanted.pull_policy,
        "env": env,
        # The node's logs belong to root.
        **security_context(settings, {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}}),
        "volumeMounts": mounts,
    }
    return [container]


def fluent_bit_volumes(settings: StackSettings) -> list[dict[str, Any]]:
    """The volumes of the controller's pod that Fluent Bit needs."""
    if not settings.components.fluent_bit.enabled:
        return []
    logs = [{"name": name, "hostPath": {"path": folder}} for name, folder in _LOGS.items()]
    return [{"name": "config", "configMap": {"name": _CONFIG}}, *logs]


def jaeger_port(settings: StackSettings) -> int:
    """Where Jaeger takes spans in Zipkin's form."""
    own = settings.components.jaeger.port
    return own or settings.observability.tracing.port or _ZIPKIN_PORT


def jaeger(settings: StackSettings) -> tuple[Manifest, ...]:
    """Jaeger, where the stack runs it."""
    wanted = settings.components.jaeger
    if not wanted.enabled:
        return ()
    port = jaeger_port(settings)
    container = {
        "name": "jaeger",
        **other_image(settings, "jaeger"),
        "args": [f"--collector.zipkin.host-port={port}"],
        "ports": [{"containerPort": port}],
        "resources": fixed_resources("500m", "512M", "100m", "256M"),
    }
    pod = {
        **as_no_one(settings),
        "serviceAccountName": _JAEGER_SERVICE,
        "containers": [container],
        **scheduling(wanted, platform_affinity("amd64", "arm64", "ppc64le", "s390x"), []),
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(settings, _JAEGER_SERVICE, app=_JAEGER),
        "spec": {
            "type": "ClusterIP",
            "ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": {"app": _JAEGER},
        },
    }
    about = metadata(settings, _JAEGER, app=_JAEGER)
    return observing(
        [*without_rights(settings, _JAEGER, _JAEGER_SERVICE), service],
        [other_program(settings, about, _JAEGER, pod)],
    )
