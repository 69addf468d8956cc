"""Where files lie on a machine, and the name of its user: left out of what others read."""

from __future__ import annotations

import getpass
import re
from functools import cache
from pathlib import Path
from typing import Final

_NAME: Final = r"[^\s/\\'\",;:()<>=|]+"
_PLACES: Final = re.compile(rf"(?<![\w./~-])~?/(?:{_NAME}/)*(?=[\w.])|(?<!\w)[A-Za-z]:[\\/](?:{_NAME}[\\/])*(?=[\w.])")
"""Of an absolute path all but its last name; of a web address nothing."""


def without_places(text: str) -> str:
    """A text in which the last name is left of each absolute path, and ``user`` of the user's name in other paths."""
    home, user = me()
    text = _PLACES.sub("", text.replace("file:///", "/").replace(f"{home}/", "~/"))
    return re.sub(rf"(?<![\w.-]){re.escape(user)}(?=[/\\])|(?<=[/\\]){re.escape(user)}(?![\w-])", "user", text)


def place_in(text: str) -> str:
    """The first absolute path in a text, or the home folder; empty where there is none."""
    found = next((match for match in _PLACES.finditer(text)), None)
    return text[found.start() : found.end() + 20].split()[0] if found else ""


@cache
def me() -> tuple[str, str]:
    """The home folder and the name of whoever runs this."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, in a container
        user = ""
    home = str(Path.home()) if Path.home() != Path("/") else "/nobody"
    return home, user or Path(home).name
