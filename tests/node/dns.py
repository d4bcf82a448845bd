"""A name server for the node's pods: addresses of Services, and nothing else.

It answers `NAME.NAMESPACE.svc.cluster.local` with the cluster IP, from the API server's list of
Services, which it reads each second. Every other name does not exist.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.request
from pathlib import Path

HEADER = struct.Struct(">HHHHHH")
ANSWERED, NO_SUCH_NAME = 0x8580, 0x8583
TYPE_A, CLASS_IN, SECONDS = 1, 1, 5


def question(packet: bytes) -> tuple[str, int, int]:
    """The name and type that are asked for, and where the question ends."""
    labels, place = [], HEADER.size
    while length := packet[place]:
        labels.append(packet[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    (kind,) = struct.unpack_from(">H", packet, place + 1)
    return ".".join(labels).lower(), kind, place + 5


def answer(packet: bytes, known: dict[str, str]) -> bytes:
    """The reply to one request."""
    number = struct.unpack_from(">H", packet)[0]
    name, kind, end = question(packet)
    asked = packet[HEADER.size : end]
    address = known.get(name)
    if address is None:
        return HEADER.pack(number, NO_SUCH_NAME, 1, 0, 0, 0) + asked
    if kind != TYPE_A:
        return HEADER.pack(number, ANSWERED, 1, 0, 0, 0) + asked
    record = struct.pack(">HHHIH", 0xC00C, TYPE_A, CLASS_IN, SECONDS, 4)
    found = record + socket.inet_aton(address)
    return HEADER.pack(number, ANSWERED, 1, 1, 0, 0) + asked + found


def follow(kubeconfig: Path, known: dict[str, str]) -> None:
    """Keep `known` like the API server's Services."""
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    request = urllib.request.Request(  # noqa: S310  # https, from the suite's own file
        f"{cluster['server']}/api/v1/services",
        headers={"Authorization": f"Bearer {user['token']}"},
    )
    while True:
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(request, context=context, timeout=5) as reply:  # noqa: S310
                items = json.load(reply)["items"]
            found = {}
            for item in items:
                name = f"{item['metadata']['name']}.{item['metadata']['namespace']}"
                address = item["spec"].get("clusterIP", "")
                if address[:1].isdigit():
                    found[f"{name}.svc.cluster.local"] = address
            known.update(found)
            for gone in known.keys() - found.keys():
                del known[gone]
        time.sleep(1)


def main() -> None:
    """Answer until killed."""
    known: dict[str, str] = {}
    arguments = (Path(sys.argv[2]), known)
    threading.Thread(target=follow, args=arguments, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 53))
        while True:
            packet, sender = server.recvfrom(1500)
            try:
                server.sendto(answer(packet, known), sender)
            except (IndexError, struct.error, OSError):
                continue  # no question, or nobody who waits for the answer


if __name__ == "__main__":
    main()
