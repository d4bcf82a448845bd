"""The sidecar's postStart: the application waits until the sidecar takes connections."""

from __future__ import annotations

import sys
import time

from standins.sidecar import TAKING, connected

PATIENCE_SECONDS = 60


def main() -> None:
    """End when both listeners accept."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if all(connected(port)[0] == 200 for port in TAKING):  # HTTP's OK
            return
        time.sleep(0.1)
    sys.exit("the sidecar does not listen")
