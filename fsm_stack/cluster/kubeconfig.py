"""What kubeconfig files say beside credentials, read as kubectl does: contexts, and whom to be.

The official client's library finds the credentials. It takes the last file's current context,
where kubectl takes the first's; wants one, where ``--context`` names another; and knows no
impersonation. Source: client-go, clientcmd loader.go and client_config.go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fsm_stack.errors import InputError, did_you_mean, require_extra
from fsm_stack.yaml.decode import DecodeError, decode_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.yaml import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """All files together.

    Attributes:
        contexts: by name, each with its cluster, user and namespace.
        users: by name.
        current: the current context; empty: none is.
    """

    contexts: dict[str, Json]
    users: dict[str, Json] = field(repr=False)
    current: str

    def chosen(self, context: str | None) -> str:
        """The context to use.

        Args:
            context: that somebody named; None: the current one.

        Raises:
            InputError: there is no such context, or none is current.
        """
        known = f"; expected one of {', '.join(self.contexts)}" if self.contexts else ""
        name = context or self.current
        if not name:
            raise InputError(f"kubeconfig: no context is current: name it with --context{known}")
        if name not in self.contexts:
            hint = did_you_mean(name, self.contexts) or known
            raise InputError(f"context {name!r}: not in the kubeconfig{hint}")
        return name

    def namespace(self, context: str) -> str:
        """The namespace of names without one."""
        return str(self.contexts[context].get("namespace") or "default")

    def impersonation(self, context: str) -> Iterator[tuple[str, str]]:
        """The headers of a user who is to be another one.

        Source: Kubernetes, User impersonation; client-go transport round_trippers.go.
        """
        user = self.users.get(str(self.contexts[context].get("user"))) or {}
        if name := user.get("as"):
            yield "Impersonate-User", str(name)
        if uid := user.get("as-uid"):
            yield "Impersonate-Uid", str(uid)
        for group in user.get("as-groups") or ():
            yield "Impersonate-Group", str(group)
        for key, values in (user.get("as-user-extra") or {}).items():
            for value in values:
                yield f"Impersonate-Extra-{quote(str(key).lower(), safe='')}", str(value)


def default_files() -> str:
    """The files that are read where none is named, as ``KUBECONFIG`` separates them.

    The library asks the environment once, when it is imported: a program that sets the variable
    later would get another cluster than it named.
    """
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")


def read_kubeconfig(file: str | None) -> Kubeconfig:
    """The kubeconfig that the library reads, too.

    Args:
        file: its path; None: those of ``KUBECONFIG``, or ``~/.kube/config``.

    Raises:
        InputError: it is no YAML, or too much.
        OSError, ValueError, TypeError, KeyError, AttributeError: it is damaged.
        ConfigException: the library's, the same.
    """
    require_extra("cluster")
    from kubernetes.config import kube_config  # noqa: PLC0415  # 0.5 s, for those who ask a cluster
    from yaml import MarkedYAMLError  # noqa: PLC0415  # the library's own reader

    library: Any = kube_config  # its functions have no types
    named = file or default_files()
    for path in named.split(os.pathsep):
        _require_readable(Path(path).expanduser())
    try:
        merged = library.KubeConfigMerger(named)
    except MarkedYAMLError as error:  # the library's reader is a stricter one
        place = error.problem_mark or error.context_mark
        where = f"{place.name}:{place.line + 1}" if place else str(named)
        raise InputError(f"kubeconfig: {where}: expected YAML that every reader takes") from None
    documents = [merged.config_files[path] for path in merged.paths]
    currents = (str(document.get("current-context") or "") for document in documents)
    return Kubeconfig(
        contexts=_named(documents, "contexts", "context"),
        users=_named(documents, "users", "user"),
        current=next(filter(None, currents), ""),
    )


def _require_readable(path: Path) -> None:
    """Refuse what the library's reader would expand without end, or quote in its errors.

    Raises:
        InputError: it is no YAML that JSON can say, or too much.
    """
    if not path.is_file():
        return
    try:
        decode_yaml(path.read_text(encoding="utf-8"))
    except DecodeError as error:
        raise InputError(f"kubeconfig: {path}:{error.line + 1}: {error.problem}") from None


def _named(documents: list[Json], part: str, key: str) -> dict[str, Json]:
    """The entries of a list by their names; the first file with a name counts."""
    known: dict[str, Json] = {}
    for document in documents:
        for entry in document.get(part) or ():
            known.setdefault(str(entry["name"]), entry.get(key) or {})
    return known
