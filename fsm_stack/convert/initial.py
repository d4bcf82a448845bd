"""A first stack file: of what a cluster says of itself, of answers, or of nothing yet."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError, collapse_addresses
from typing import TYPE_CHECKING, Final

from fsm_stack.__about__ import __version__
from fsm_stack.convert.chart.helm import DEFAULT_VERSION
from fsm_stack.convert.result import Converted, Draft, at, stack_text
from fsm_stack.settings.models.control_plane import CURRENT_KUBERNETES
from fsm_stack.settings.models.policy import POLICIES_SINCE
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a project's name has not. Source: pulumi sdk/go/common/tokens, ValidateProjectName.
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_NAME_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What identifies a cluster, as far as it is known; each value with where it was read.

    Attributes:
        context: of the kubeconfig.
        uid: of namespace kube-system.
        kubernetes_version: ``1.34``.
        openshift: whether it serves OpenShift's security API.
        pod_ranges: IPv4 ranges.
        service_ranges: IPv4 ranges.
        api_server: address and port, as pods see it.
        sources: of each of these, by its setting's path.
        unknown: what could not be read, and why.
    """

    context: str = ""
    uid: str = ""
    kubernetes_version: str = ""
    openshift: bool = False
    pod_ranges: tuple[str, ...] = ()
    service_ranges: tuple[str, ...] = ()
    api_server: tuple[str, int] | None = None
    sources: dict[str, str] | None = None
    unknown: tuple[str, ...] = ()


def first_stack(
    facts: Facts,
    *,
    found: Converted | None = None,
    enrolled: Iterable[str] = (),
    create: bool = False,
) -> Converted:
    """A small, valid stack.

    Args:
        facts: about the cluster.
        found: a mesh that is there already, converted.
        enrolled: more namespaces whose pods join the mesh.
        create: whether these are made where they are absent.
    """
    base = found or Converted(settings={"fsmVersion": DEFAULT_VERSION})
    draft = Draft(
        settings={"fsmVersion": base.settings["fsmVersion"]},
        findings=list(base.findings),
        lines=list(base.lines),
    )
    sources = facts.sources or {}
    values = {
        "context": facts.context,
        "uid": facts.uid,
        "kubernetesVersion": facts.kubernetes_version or CURRENT_KUBERNETES,
        "openshift": facts.openshift,
        "podRanges": list(facts.pod_ranges),
        "serviceRanges": list(facts.service_ranges),
    }
    for name, value in values.items():
        if value:
            path = f"cluster.{name}"
            draft.set(path, value, sources.get(path, ""))
    if facts.api_server is not None:
        address, port = facts.api_server
        server = {"address": address} | ({"port": port} if port != 443 else {})  # noqa: PLR2004  # HTTPS
        draft.set("cluster.apiServer", server, sources.get("cluster.apiServer", ""))
    for key, one in base.settings.items():
        draft.settings.setdefault(key, one)
    there = draft.settings.get("enrolledNamespaces", [])
    names = {one["name"] for one in there}
    more = [
        {"name": name} | ({"create": True} if create else {})
        for name in dict.fromkeys(enrolled)
        if name not in names
    ]
    if there or more:
        draft.settings["enrolledNamespaces"] = [*there, *more]
    if _minor(str(values["kubernetesVersion"])) >= POLICIES_SINCE:
        for name, action in _GUARD.items():
            draft.set(f"guard.{name}", action)
    return replace(draft.done(base.title))


def _minor(version: str) -> int:
    """The N of Kubernetes 1.N; 0 of anything else, which validation refuses."""
    parts = version.split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


# What a new stack has: a MeshConfig that breaks pods is refused, a pod is only warned of.
_GUARD: Final = {"meshConfig": "deny", "pods": "warn", "bypasses": "warn"}


# The namespace of the workloads that a mesh is tried with.
DEMO: Final = "demo"

_ABOUT: Final = (
    "A stack of the FSM service mesh. Every setting: the schema above in an editor, or fsm-stack",
    "schema. Check it with fsm-stack validate, look at it with fsm-stack render.",
)
_TRAFFIC: Final = """\
  # What bypasses the sidecars of every pod.
  # fsm-stack:traffic:
  #   outboundPortExclusionList:
  #     - {value: 6379, reason: Redis speaks its own TLS, owner: data-team}
"""
_GUARDED: Final = """\
  # The checks of the lists, in the cluster too, whoever writes there.
"""
_ENROLLED: Final = """\
  # Namespaces whose new pods join the mesh.
  # fsm-stack:enrolledNamespaces:
  #   - {name: shop}
"""


def first_text(result: Converted, facts: Facts) -> str:
    """The stack file, with what may be added as comments."""
    head = [*_ABOUT]
    if result.title:
        head.append(f"The mesh that is there: {result.title}.")
    head += [f"Not known: {reason}" for reason in facts.unknown]
    text = stack_text(result.settings, result.lines, head)
    if at(result.settings, "guard") is not None:
        text = text.replace("  fsm-stack:guard:\n", f"{_GUARDED}  fsm-stack:guard:\n")
    if at(result.settings, "traffic") is None:
        text += _TRAFFIC
    if at(result.settings, "enrolledNamespaces") is None:
        text += _ENROLLED
    return text


def collapsed(ranges: Iterable[object]) -> tuple[str, ...]:
    """The smallest list of IPv4 ranges that holds exactly these; what is none is left out."""
    networks = []
    for one in ranges:
        try:
            networks.append(IPv4Network(str(one), strict=False))
        except (AddressValueError, NetmaskValueError, ValueError):
            continue
    return tuple(str(one) for one in collapse_addresses(networks))


# A new project's files, and their templates below ``project/``.
_PROJECT_FILES: Final = {
    "Pulumi.yaml": "Pulumi.yaml.j2",
    "__main__.py": "__main__.py.j2",
    "requirements.txt": "requirements.txt.j2",
    ".gitignore": "gitignore.j2",
    ".github/workflows/mesh.yaml": "github.yaml.j2",
    ".gitlab-ci.yml": "gitlab.yml.j2",
}


def project_files(folder: str) -> dict[str, str]:
    """A new project around its first stack file: the program, what it needs, and what CI runs.

    Args:
        folder: the folder's name, which the project gets as far as the engine takes it.

    Returns:
        Each file's path and text.
    """
    name = _NO_NAME.sub("-", folder).strip("-.")[:_NAME_MAX] or "mesh"
    return {
        path: render(f"project/{template}", project=name, version=__version__)
        for path, template in _PROJECT_FILES.items()
    }


def demo_files() -> dict[str, str]:
    """The workloads that a mesh is tried with: path and text."""
    return {f"{DEMO}.yaml": render("project/demo.yaml")}
