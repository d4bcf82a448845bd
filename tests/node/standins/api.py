"""The API server, as a program in a pod asks it: with its service account's token."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

Json = dict[str, Any]
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NOT_FOUND, FORBIDDEN, CONFLICT = 404, 403, 409


class RefusedError(Exception):
    """The server's refusal, in its words."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


def request(
    method: str, path: str, body: Json | None = None, *, query: dict[str, str] | None = None
) -> Json:
    """One request and its decoded answer.

    Raises:
        RefusedError: for any answer but success.
    """
    connection, response = _send(method, path, body, query or {})
    try:
        text = response.read()
    finally:
        connection.close()
    answer: Json = json.loads(text) if text.startswith(b"{") else {"message": text.decode()}
    if response.status >= http.client.BAD_REQUEST:
        raise RefusedError(response.status, answer.get("message", ""))
    return answer


def follow(path: str, *, since: str) -> None:
    """Begin to watch a list; what comes is nobody's business, that it may is.

    Raises:
        RefusedError: the watch is not allowed.
    """
    query = {"watch": "true", "resourceVersion": since, "timeoutSeconds": "1"}
    connection, response = _send("GET", path, None, query)
    try:
        if response.status >= http.client.BAD_REQUEST:
            raise RefusedError(response.status, json.loads(response.read()).get("message", ""))
    finally:
        connection.close()


def _send(
    method: str, path: str, body: Json | None, query: dict[str, str]
) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    connection = http.client.HTTPSConnection(host, int(port), timeout=20, context=context)
    token = (ACCOUNT / "token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    target = f"{path}?{urlencode(query)}" if query else path
    content = None if body is None else json.dumps(body)
    connection.request(method, target, body=content, headers=headers)
    return connection, connection.getresponse()


def create(path: str, body: Json) -> bool:
    """Create an object; False where it is there."""
    try:
        request("POST", path, body)
    except RefusedError as error:
        if error.code == CONFLICT:
            return False
        raise
    return True


def get(path: str) -> Json | None:
    """An object, or None where there is none."""
    try:
        return request("GET", path)
    except RefusedError as error:
        if error.code == NOT_FOUND:
            return None
        raise
