"""Text from outside is made printable in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.text import is_printable, printable, sentence

ANY = st.text(st.characters(codec=None, categories=None, exclude_categories=()), max_size=60)


class Nameless:
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café 図 🙂", "café 図 🙂"),
        ("half \udc80 a pair", "half \\udc80 a pair"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("abc\u202ecba", "abc\\u202ecba"),
        (7, "7"),
        (Nameless(), "<Nameless without text: ZeroDivisionError>"),
    ],
)
def test_what_cannot_be_shown_is_escaped(text, shown):
    assert printable(text, 100) == shown


def test_what_is_kept_and_what_is_cut():
    assert printable("a\nb\x00", 10, keep="\n") == "a\nb\\x00"
    assert printable("x" * 11, 10) == "x" * 7 + "..."
    assert sentence(" two\r\n lines\u2028and\x85more ") == "two lines\\u2028and\\x85more"


@given(ANY)
def test_any_text_becomes_one_that_files_and_terminals_take(text):
    shown = sentence(text, 50)
    assert len(shown) <= 50
    assert is_printable(shown)
    shown.encode()
    assert sentence(shown, 50) == shown
