"""The mesh's certificate authority: a Secret that whoever comes first makes, and its certificates."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from standins.api import create, get

DAYS = 3650
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


def authority(namespace: str, name: str) -> tuple[bytes, bytes]:
    """The authority's certificate and key, from its Secret, made where there is none."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    folder = Path(tempfile.mkdtemp())
    certificate, key = folder / "ca.crt", folder / "ca.key"
    subject = f"/O=Open Service Mesh/CN={namespace}"
    _openssl("req", "-x509", *_EC, "-keyout", key, "-out", certificate, "-days", DAYS,
             "-subj", subject, "-addext", "basicConstraints=critical,CA:true",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    end = (datetime.now(UTC) + timedelta(days=DAYS)).isoformat(timespec="seconds")
    made = {
        "ca.crt": certificate.read_bytes(),
        "private.key": key.read_bytes(),
        "expiration": end.encode(),
    }
    data = {key: base64.b64encode(value).decode() for key, value in made.items()}
    metadata = {"name": name, "namespace": namespace}
    create(path, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    live = get(f"{path}/{name}")
    assert live is not None
    found = {key: base64.b64decode(value) for key, value in live["data"].items()}
    return found["ca.crt"], found["private.key"]


def server_context(ca: tuple[bytes, bytes], host: str) -> ssl.SSLContext:
    """TLS for a server of this name, with a certificate of the authority's."""
    folder = Path(tempfile.mkdtemp())
    authority_crt, authority_key = folder / "ca.crt", folder / "ca.key"
    authority_crt.write_bytes(ca[0])
    authority_key.write_bytes(ca[1])
    asked, key, certificate = folder / "tls.csr", folder / "tls.key", folder / "tls.crt"
    names = folder / "names"
    names.write_text(f"subjectAltName=DNS:{host}\n")
    _openssl("req", "-new", *_EC, "-keyout", key, "-out", asked, "-subj", f"/CN={host}")
    _openssl("x509", "-req", "-in", asked, "-CA", authority_crt, "-CAkey", authority_key,
             "-CAcreateserial", "-days", DAYS, "-extfile", names, "-out", certificate)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def own_context() -> ssl.SSLContext:
    """TLS with a certificate of one's own, for a server that nobody verifies."""
    folder = Path(tempfile.mkdtemp())
    key, certificate = folder / "tls.key", folder / "tls.crt"
    _openssl("req", "-x509", *_EC, "-keyout", key, "-out", certificate, "-days", 1,
             "-subj", "/CN=app")  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _openssl(command: str, *words: object) -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "openssl.cnf").write_text("[req]\ndistinguished_name=name\n[name]\n")
    environment = {**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")}
    done = subprocess.run(
        ["openssl", command, *map(str, words)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
