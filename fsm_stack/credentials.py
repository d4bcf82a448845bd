"""What nobody may read in our output: passwords and tokens, wherever people leave them.

People save and paste what we print. Text that a user wrote loses the user information of its URLs;
text that a program or a server wrote loses everything that looks like a credential.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
# The @ of a digest follows a tag, not a password.
_USER: Final = re.compile(r"[^\s/@'\":]+:[^\s/@'\"]*@(?!sha256:)")
_URL_USER: Final = re.compile(r"://[^/\s@]+@")
# A JSON log escapes the quotes of a message that is an error of the API server.
_QUOTE: Final = r'\\*"'
# A token, whatever it is called, and what stands behind a credential's name.
_JWT: Final = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]+)*")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+")
_NAMED: Final = re.compile(
    rf"(?i)\b([\w.-]*(?:password|passwd|secret|token|credential|authorization|api[-_]?key))"
    rf"({_QUOTE})?(\s*[:=]\s*)({_QUOTE})?[^\s\"\\,;}}]+"
)
_PEM: Final = re.compile(r"-----BEGIN .*")


def without_user(text: str) -> str:
    """Text without the user and password of the URLs in it."""
    return _USER.sub("", text) if "@" in text else text


def holds_user(text: str) -> bool:
    """Whether a URL in a text has a user or a password."""
    return "@" in text and _URL_USER.search(text) is not None


def without_credentials(line: str) -> str:
    """A line of a program or a server whose tokens and passwords are hidden."""
    line = _PEM.sub(HIDDEN, line)
    line = _JWT.sub(HIDDEN, line)
    line = _BEARER.sub(rf"\1 {HIDDEN}", line)
    line = _URL_USER.sub(f"://{HIDDEN}@", line)
    return _NAMED.sub(rf"\1\2\3\4{HIDDEN}", line)
