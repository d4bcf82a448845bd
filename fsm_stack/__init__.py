"""The FSM service mesh as typed, previewed, reviewed and tested stack config.

What is named here is the interface for other programs: docs/library.md. A name's module is
imported when the name is used, so that ``import fsm_stack`` needs no library and no time. What
declares resources needs ``pip install 'fsm-stack[pulumi]'``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fsm_stack.__about__ import __version__

if TYPE_CHECKING:
    from fsm_stack.errors import FindingsError, FsmStackError, InputError, MissingExtraError
    from fsm_stack.findings.finding import Finding
    from fsm_stack.project.project import load_stack
    from fsm_stack.pulumi import main, run
    from fsm_stack.pulumi.config import cluster_provider
    from fsm_stack.pulumi.stack import FsmStack, StackOutputs, outputs_of
    from fsm_stack.pulumi.transform import annotate_pods, profile_annotations
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.workloads.write import annotations_for

__all__ = [
    "Finding",
    "FindingsError",
    "FsmStack",
    "FsmStackError",
    "InputError",
    "MissingExtraError",
    "StackOutputs",
    "StackSettings",
    "__version__",
    "annotate_pods",
    "annotations_for",
    "cluster_provider",
    "load_stack",
    "main",
    "outputs_of",
    "profile_annotations",
    "run",
]

_MODULES = {
    "errors": ("FindingsError", "FsmStackError", "InputError", "MissingExtraError"),
    "findings.finding": ("Finding",),
    "project.project": ("load_stack",),
    "pulumi": ("main", "run"),
    "pulumi.config": ("cluster_provider",),
    "pulumi.stack": ("FsmStack", "StackOutputs", "outputs_of"),
    "pulumi.transform": ("annotate_pods", "profile_annotations"),
    "settings.models.stack": ("StackSettings",),
    "workloads.write": ("annotations_for",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a module's __getattr__ has any type
    """The public name, out of its module.

    Raises:
        AttributeError: there is no such name.
        MissingExtraError: its library is not installed.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
