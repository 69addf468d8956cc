"""Text from outside (errors, names, output of plugins) made printable: the one place that does it."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, halves of surrogate pairs, characters that are none, and separators of lines."""
_BIDIRECTIONAL: Final = frozenset(map(chr, (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""They let a text look other than it is."""


def printable(text: object, limit: int, *, keep: str = "") -> str:
    r"""A text that any file, terminal and table can hold: what cannot be shown becomes an escape, ``\x1b``.

    Args:
        text: anything; an object is asked for its text, whose error becomes the text.
        limit: characters that are left of it; the end of a longer one is cut off.
        keep: characters that stay though they are control characters: ``"\n\t"`` where lines are meant.
    """
    if not isinstance(text, str):
        try:
            text = str(text)
        except Exception as error:  # the object of a plugin may raise anything
            text = f"<{type(text).__name__} without text: {type(error).__name__}>"
    shown = text[: limit + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_shown(character, keep) for character in shown)
    return shown if len(shown) <= limit and len(text) <= limit else f"{shown[: max(limit - 3, 0)]}..."


def sentence(text: object, limit: int = 2_000) -> str:
    """A text on one line: white space of any kind becomes one blank."""
    shown = printable(text, 4 * limit, keep="\n\r\t\v\f")
    return printable(" ".join(shown.split()), limit)


def counted(number: int, thing: str) -> str:
    """``1 board``, ``2 boards``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def blanked(text: str) -> str:
    """A text on one line that is as long: a blank in place of each character that cannot be printed."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def is_printable(text: str) -> bool:
    """Whether a text is on one line and can be shown as it is."""
    plain = text.isascii() and text.isprintable()  # nearly all names, and many times as fast
    return plain or all(_shown(character, "") == character for character in text)


def _shown(character: str, keep: str) -> str:
    if character in keep:
        return character
    if unicodedata.category(character) in _UNPRINTABLE or character in _BIDIRECTIONAL:
        return character.encode("unicode_escape").decode("ascii")
    return character
