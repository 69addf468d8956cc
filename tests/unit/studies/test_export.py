"""Names of images and queries in the lines of TREC files."""

from __future__ import annotations

import pytest

from harness.studies.export import _words


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"]),
        (["a.jpg", "b c.jpg"], ["0", "1"]),
        (["a.jpg", ""], ["0", "1"]),
        (["a.jpg", "a.jpg"], ["0", "1"]),  # two boxes of one image are two queries
    ],
)
def test_names_are_words_of_their_own_or_numbers(names, words):
    assert list(_words(names)) == words
