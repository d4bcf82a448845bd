"""curl, as the control plane's init containers call it: ask a URL until somebody answers."""

from __future__ import annotations

import sys
import time
import urllib.request

from standins.process import arguments, end_on_request, log


def main() -> None:
    """Succeed with the first answer; retries come faster than asked for, for as long."""
    end_on_request()
    given = arguments()
    url = next(word for word in sys.argv[1:] if "://" in word)
    patience = int(given["retry"]) * int(given["retry-delay"])
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(url, timeout=int(given["connect-timeout"])):  # noqa: S310
                return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"curl: {url}: {error}")
            log("info", f"{url}: {error}")
            time.sleep(0.5)
