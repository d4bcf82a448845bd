"""Carry connections of a listener that was opened in one network namespace into another.

A socket stays in the namespace in which it was made. So the suite opens the listener, this program
inherits it, and what it connects to is where it runs.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from standins.relaying import relay


def main() -> None:
    """Accept until killed."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    address = (sys.argv[2], int(sys.argv[3]))
    while True:
        client, _ = listener.accept()
        threading.Thread(target=relay, args=(client, address), daemon=True).start()


if __name__ == "__main__":
    main()
