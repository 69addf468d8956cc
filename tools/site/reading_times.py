"""Prints the reading time of each page beside the limit of its kind: ``python tools/site/reading_times.py``.

Exit code 1: some page is longer. Prose counts, at 230 words a minute; blocks of code, tables and the generated pages, which
are looked things up in, do not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
WORDS_A_MINUTE = 230
LIMITS = {"tutorials": 5, "how-to": 3, "explanation": 6}
LOOKED_UP = ("acquisitions", "claims")
"""A section for each method or claim: nobody reads them from the beginning to the end."""
HOW_TO = ("datasets", "own-dataset", "embedding-mode", "scale", "page", "reporters", "regression-gate", "conformance")
HOW_TO += ("protocol-version", "thesis", "agreement")
_NOT_PROSE = re.compile(r"^```.*?^```|^\|.*?$|^ {4,}.*?$|<!--.*?-->|\A---\n.*?\n---\n", re.MULTILINE | re.DOTALL)


def minutes(text: str) -> float:
    """Time to read the prose of a page."""
    return len(re.findall(r"[\w’'-]+", re.sub(r"\]\([^)]*\)", "]", _NOT_PROSE.sub("", text)))) / WORDS_A_MINUTE


def limit(page: Path) -> int | None:
    """Minutes that a page may take; None for a reference."""
    folder = page.parent.name
    if page.stem in LOOKED_UP:
        return None
    if folder in LIMITS:
        return LIMITS[folder]
    if folder == "docs":
        return LIMITS["how-to"] if page.stem in HOW_TO else LIMITS["explanation"]
    return LIMITS["how-to"] if folder == "start" else None


def rows() -> Iterator[tuple[str, float, int]]:
    """Page, minutes and limit, the longest first."""
    found = [(page, minutes(page.read_text(encoding="utf-8")), limit(page)) for page in sorted(DOCS.rglob("*.md"))]
    for page, time, most in sorted(found, key=lambda row: -row[1]):
        if most is not None:
            yield page.relative_to(DOCS).as_posix(), time, most


def main() -> int:
    """Print the table."""
    longer = 0
    for page, time, most in rows():
        longer += time > most
        print(f"{time:5.1f} of {most} min  {page}{'  TOO LONG' if time > most else ''}")
    print(f"{longer} pages are too long")
    return int(longer > 0)


if __name__ == "__main__":
    sys.exit(main())
