"""Prints where pages leave the house style, as far as it can be counted: ``python tools/site/house_style.py``.

Exit code 1: there is a finding. What counts is prose: neither blocks of code, nor tables (but for their number of columns),
nor what stands in backticks. Boards are drawn by the harness and not looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SITE: Final = Path(__file__).parent
DOCS: Final = SITE.parents[1] / "docs"
WORDS: Final = 25
COLUMNS: Final = 7
ABOUT_THE_CODE: Final = ("architecture.md", "project/contributing.md")
"""Pages that say where things lie in the repository."""

_BLOCKS = re.compile(r"\A---\n.*?\n---\n|^(?P<fence>`{3,}).*?^(?P=fence)$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n+)+")
_TABLE = re.compile(r"^\|.*\|$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=:   )")
_SENTENCE = re.compile(r"(?<=[.!?])[)*_]*\s+(?=[^\sa-z])|(?<=:)\s*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")

PATTERNS: Final = {
    "history": r"\bat first\b|\b(was|were|is|stays?) busy\b|\bbusy (machine|thread)|\blast session\b|when this was written"
    r"|\bformerly\b|\bpreviously\b|\bused to be\b|\bno longer\b|\buntil now\b|\bso far\b|\bnowadays\b",
    "path of the repository": r"(?<![\w/.-])(docs|tools|tests|plugins|harness)/[\w*-]+(/|\.py|\.md|\.svg)",
    "American spelling": r"\b(colou?rize|colors?|behaviors?|centers?|centered|neighbors?|neighborhoods?|gray|labeled|labeling"
    r"|(normal|optim|initial|recogn|regular|summar|organ|general|random|minim|maxim|visual|standard|vector)iz(e[sd]?|ing|ation)"
    r"|favor(ite)?|modeled|canceled|analyze[sd]?)\b",
    "absolute time": r"(?<![\w.])\d[\d.,]*( to \d[\d.,]*)? ?(ms|s|seconds|minutes|hours)\b(?! of)",
    "word that language.md replaces": r"\banew\b|\bof the user\b|\bwithin noise\b|cannot be told apart|\bmend(s|ed)?\b"
    r"|half-written|\bright answers\b|\bsurest\b|\bas ever\b",
}


def prose(text: str) -> str:
    """A page without code, tables and addresses of links."""
    text = _TABLE.sub("", _INDENTED.sub("", _BLOCKS.sub("", text)))
    return _LINK.sub(r"\1", text)


def sentences(text: str) -> Iterator[str]:
    """Sentences of the prose of a page, without its headings."""
    for paragraph in _PARAGRAPH.split(prose(text)):
        if not paragraph.lstrip().startswith("#"):
            yield from (part for part in _SENTENCE.split(" ".join(paragraph.split())) if part)


def words(sentence: str) -> int:
    """Words of a sentence; code and a formula are a word each."""
    plain = re.sub(r"`[^`]*`|\$[^$]*\$", "code", sentence)
    return len(re.findall(r"[\w’'-]*\w[\w’'-]*", plain))


def findings(page: str, text: str) -> Iterator[str]:
    """What a page does that the house style forbids."""
    for sentence in sentences(text):
        if words(sentence) > WORDS:
            yield f"{words(sentence)} words: {sentence}"
    plain = prose(text)
    for rule, pattern in PATTERNS.items():
        if rule == "path of the repository" and page in ABOUT_THE_CODE:
            continue
        searched = plain if rule == "path of the repository" else re.sub(r"`[^`]*`", "", plain)
        yield from (f"{rule}: {found[0]}" for found in re.finditer(pattern, searched))
    for row in _TABLE.findall(_BLOCKS.sub("", text)):
        if (columns := len(re.findall(r"(?<!\\)\|", row)) - 1) > COLUMNS:
            yield f"{columns} columns: {row[:60]}"


def main() -> int:
    """Print every finding."""
    found = 0
    for file in sorted(DOCS.rglob("*.md")):
        page = file.relative_to(DOCS).as_posix()
        for finding in findings(page, file.read_text(encoding="utf-8")):
            found += 1
            print(f"{page}: {finding}")
    print(f"{found} findings")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
