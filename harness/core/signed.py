"""JSON files that carry a checksum of their own bytes, so that any damage to them is seen.

The checksum comes first; it is the SHA-256 of all that follows it, with the opening brace put back::

    {"checksum": "<64 hex>",
     "id": ...
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

_START: Final = b'{"checksum": "'
_END: Final = b'",\n'
_BODY: Final = len(_START) + 64 + len(_END)


def signed(content: Mapping[str, Any]) -> bytes:
    """JSON text of ``content`` (not empty; no NaN) that begins with its checksum."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    body = text.encode().removeprefix(b"{\n") + b"\n"
    return _START + _checksum(body) + _END + body


def unsigned(text: bytes) -> dict[str, Any]:
    """The content of a signed text.

    Raises:
        ValueError: the text is not signed, not what was signed, or not JSON.
    """
    content: dict[str, Any] = json.loads(verified(text))
    return content


def verified(text: bytes) -> bytes:
    """The JSON text that was signed. Raises ``ValueError`` for a text that is not signed or not what was signed."""
    if not is_signed(text):
        raise ValueError("it carries no checksum")
    if _checksum(text[_BODY:]) != text[len(_START) : len(_START) + 64]:
        raise ValueError("its checksum differs")
    return b"{\n" + text[_BODY:]


def is_signed(text: bytes) -> bool:
    """Whether a text has the form of a signed one; its checksum may still differ."""
    return text.startswith(_START) and text[_BODY - len(_END) : _BODY] == _END


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(b"{" + body).hexdigest().encode()
