"""The papers of a method with their BibTeX, from ``references.toml``."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.registry import Entry

_FILE = Path(__file__).with_suffix(".toml")
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030c": "v ", "\u0327": "c "}
_VENUES = ("journal", "booktitle", "school", "institution", "publisher", "howpublished")


@dataclass(frozen=True)
class Reference:
    """A paper.

    Attributes:
        key: as in BibTeX.
        type: of the BibTeX entry.
        fields: of the BibTeX entry, in order, with accents as UTF-8.
        methods: ``KIND.NAME`` of the methods that it describes.
    """

    key: str
    type: str
    fields: dict[str, str]
    methods: tuple[str, ...]

    @property
    def authors(self) -> tuple[str, ...]:
        """Family names."""
        return tuple(author.partition(",")[0] for author in self.fields["author"].split(" and "))

    @property
    def venue(self) -> str:
        """Where it appeared."""
        return next(self.fields[name] for name in _VENUES if name in self.fields)

    def text(self) -> str:
        """One line: authors, title, venue, year."""
        names = [" ".join(reversed(author.split(", "))) for author in self.fields["author"].split(" and ")]
        shown = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
        return f"{shown}. *{self.fields['title']}*. {self.venue}, {self.fields['year']}."

    def bibtex(self) -> str:
        """The entry, ASCII only; the title keeps its capitals."""
        width = max(map(len, self.fields))
        lines = [f"  {name.ljust(width)} = {_value(name, text)}" for name, text in self.fields.items()]
        return f"@{self.type}{{{self.key},\n" + ",\n".join(lines) + "\n}"


def lines(entry: Entry) -> Iterator[str]:
    """The section of a method's page."""
    own = [reference for reference in references() if f"{entry.kind}.{entry.name}" in reference.methods]
    yield "## References\n"
    if not own:
        yield "Of this project: [how to cite it](../../project/cite.md).\n"
        return
    yield from (f"- {reference.text()}" for reference in own)
    yield "\n```bibtex\n" + "\n\n".join(reference.bibtex() for reference in own) + "\n```\n"


@cache
def references() -> tuple[Reference, ...]:
    """All papers, by key."""
    written = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Reference(
            key=key,
            type=fields["type"],
            fields={name: str(value) for name, value in fields.items() if name not in ("type", "methods")},
            methods=tuple(fields["methods"]),
        )
        for key, fields in sorted(written.items())
    )


def _value(name: str, text: str) -> str:
    return text if name == "year" else f"{{{{{_ascii(text)}}}}}" if name == "title" else f"{{{_ascii(text)}}}"


def _ascii(text: str) -> str:
    """LaTeX for accented letters, which every BibTeX reads."""
    found = []
    for letter in unicodedata.normalize("NFC", text):
        base, *marks = unicodedata.normalize("NFD", letter)
        for mark in marks:
            stem = "\\i" if base == "i" else base
            base = f"{{\\{_ACCENTS[mark]}{stem}}}"
        found.append(base)
    return "".join(found)
