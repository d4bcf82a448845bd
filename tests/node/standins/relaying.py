"""Carry one TCP connection to another address, both ways."""

from __future__ import annotations

import contextlib
import socket
import threading


def carry(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source ends, then end the target's other direction."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def relay(client: socket.socket, address: tuple[str, int]) -> None:
    """Until both directions have ended."""
    with client, contextlib.suppress(OSError), socket.create_connection(address) as server:
        back = threading.Thread(target=carry, args=(server, client), daemon=True)
        back.start()
        carry(client, server)
        back.join()
