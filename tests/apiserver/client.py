"""A small Kubernetes client for tests, from the standard library alone.

It speaks the API server's own JSON, so a test sees what the server says and not what a library
makes of it. Every write is strict: a field that the server does not know is an error.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
Manifest = dict[str, Any]

REQUEST_SECONDS = 30
BUSY_SECONDS = 10
DISCOVERY_SECONDS = 20  # a new CRD is established, then listed: within a second on a free machine


class ApiError(Exception):
    """The server's refusal: `code` 409, `reason` "Conflict", `message` and `causes` in its words.

    Each cause is the server's own: a dict with `field`, `reason` and `message`.
    """

    def __init__(self, status: Manifest, *, doing: str) -> None:
        self.code: int = status.get("code", 0)
        self.reason: str = status.get("reason", "")
        self.message: str = status.get("message", "")
        self.causes: tuple[Manifest, ...] = tuple((status.get("details") or {}).get("causes", ()))
        super().__init__(f"{doing}: {self.code} {self.reason}: {self.message}")


def eventually(what: str, probe: Callable[[], T | None], *, seconds: float) -> T:
    """The first answer of `probe` that is not None or False; TimeoutError after `seconds`.

    Controllers of the server work behind its answers: policies, CRDs and namespaces need a wait.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Where a kind lives: `/apis/apps/v1`, `deployments`, in namespaces or not."""

    root: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The collection's path, or with a name the object's."""
        parts = [self.root]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


@dataclass(kw_only=True)
class Api:
    """One API server, as its administrator.

    A parameter `which` is a manifest of which only apiVersion, kind, metadata.name and
    metadata.namespace count (namespace `default` when absent). So the manifest that was applied
    also names the live object. Every answer is a decoded manifest; a refusal is an `ApiError`.
    """

    host: str = "127.0.0.1"
    port: int
    token: str = field(repr=False)
    ca_file: Path
    kubeconfig: Path
    """A file for other clients, such as the Pulumi engine: `KUBECONFIG=...`."""
    warnings: list[str] = field(default_factory=list)
    """The Warning headers of all answers so far: deprecated versions, doubtful values."""
    _resources: dict[tuple[str, str], Resource] = field(default_factory=dict, repr=False)

    def get(self, which: Manifest) -> Manifest:
        """The live object; `ApiError` with code 404 when there is none."""
        return self.request("GET", self.path(which))

    def exists(self, which: Manifest) -> bool:
        """Whether the live object is there."""
        try:
            self.get(which)
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return False
            raise
        return True

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """POST: fails as AlreadyExists where `apply` updates; knows `generateName`."""
        query = {"fieldValidation": "Strict", "fieldManager": "test"} | _dry(run=dry_run)
        path = self._resource(manifest).path(_namespace(manifest))
        return self.request("POST", path, body=manifest, query=query)

    def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = "test",
        force: bool = False,
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply as field manager `manager`; a foreign field is a 409 unless forced.

        A CustomResourceDefinition is waited for until its kind can be used.
        """
        query = {"fieldValidation": "Strict", "fieldManager": manager} | _dry(run=dry_run)
        applied = self.request(
            "PATCH",
            self.path(manifest),
            body=manifest,
            query=query | {"force": str(force).lower()},
            content_type="application/apply-patch+yaml",  # JSON is YAML
        )
        if manifest["kind"] == "CustomResourceDefinition" and not dry_run:
            return self._established(applied)
        return applied

    def patch(self, which: Manifest, change: Manifest, *, subresource: str = "") -> Manifest:
        """A JSON merge patch; `subresource="status"` plays the kubelet or a controller."""
        return self.request(
            "PATCH",
            self.path(which) + (f"/{subresource}" if subresource else ""),
            body=change,
            query={"fieldValidation": "Strict", "fieldManager": "test"},
            content_type="application/merge-patch+json",
        )

    def delete(self, which: Manifest) -> None:
        """Ask for the deletion. Namespaces and owners finish it only where controllers run."""
        self.request("DELETE", self.path(which), query={"propagationPolicy": "Background"})

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: str = ""
    ) -> tuple[Manifest, ...]:
        """All objects of a kind, in one namespace or in all, by a label selector or all."""
        resource = self._resource({"apiVersion": api_version, "kind": kind})
        query = {"labelSelector": labels} if labels else {}
        found = self.request("GET", resource.path(namespace), query=query)
        # The server leaves out of each item what the list says once.
        return tuple({"apiVersion": api_version, "kind": kind} | item for item in found["items"])

    def path(self, which: Manifest) -> str:
        """The URL path of an object, for `request`."""
        return self._resource(which).path(_namespace(which), which["metadata"]["name"])

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Manifest | None = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """One request, for what has no method here; `{"text": ...}` where it is no JSON.

        "Too many requests" is asked again, as other clients do: the server says it while it sets
        up the storage of a new CRD's objects.
        """
        if query:
            path = f"{path}?{urlencode(query)}"
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            code, answer = self._send(method, path, body, content_type)
            if code < http.client.BAD_REQUEST:
                return answer
            if code != http.client.TOO_MANY_REQUESTS or time.monotonic() > deadline:
                raise ApiError({"code": code} | answer, doing=f"{method} {path}")
            time.sleep(0.1)

    def _send(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Manifest]:
        connection = http.client.HTTPSConnection(
            self.host,
            self.port,
            timeout=REQUEST_SECONDS,
            context=ssl.create_default_context(cafile=str(self.ca_file)),
        )
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
            )
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        self.warnings += response.headers.get_all("Warning", [])
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else {"text": text, "message": text}

    def _resource(self, which: Manifest) -> Resource:
        version, kind = which["apiVersion"], which["kind"]
        if (version, kind) not in self._resources:
            # A CRD that another client created is listed a moment after it is established.
            self._resources[version, kind] = eventually(
                f"the server lists the kind {kind} of {version}",
                lambda: self._discover(version, kind),
                seconds=DISCOVERY_SECONDS,
            )
        return self._resources[version, kind]

    def _discover(self, version: str, kind: str) -> Resource | None:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            listed = self.request("GET", root)["resources"]
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise
        for one in listed:
            if one["kind"] == kind and "/" not in one["name"]:  # pods/status is of kind Pod, too
                return Resource(root=root, plural=one["name"], namespaced=one["namespaced"])
        return None

    def _established(self, crd: Manifest) -> Manifest:
        """The CRD once its served versions can be used."""

        def established() -> Manifest | None:
            live = self.get(crd)
            # The conditions are null until the server has looked at the CRD.
            conditions = live.get("status", {}).get("conditions") or ()
            states = {one["type"]: one["status"] for one in conditions}
            return live if states.get("Established") == "True" else None

        live = eventually(
            f"the CRD {crd['metadata']['name']} is established",
            established,
            seconds=DISCOVERY_SECONDS,
        )
        group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
        for version in crd["spec"]["versions"]:
            if version["served"]:
                self._resource({"apiVersion": f"{group}/{version['name']}", "kind": kind})
        return live


def _namespace(manifest: Manifest) -> str:
    namespace: str = manifest.get("metadata", {}).get("namespace", "default")
    return namespace


def _dry(*, run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if run else {}
