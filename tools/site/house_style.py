"""Prints where pages leave the house style, as far as it can be counted: ``python tools/site/house_style.py``.

Exit code 1: there is a finding. Prose counts: blocks of code, what stands in backticks and tables do not, but for the number
of columns. Boards are drawn by the harness and not looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
WORDS: Final = 25
COLUMNS: Final = 7
ABOUT_THE_CODE: Final = ("architecture.md", "project/contributing.md")
"""Pages that say where things lie in the repository."""
NO_VERBS: Final = (
    "A",
    "An",
    "Any",
    "Each",
    "For",
    "If",
    "It",
    "On",
    "The",
    "These",
    "This",
    "To",
    "What",
    "Where",
    "With",
)
"""Words that begin no sentence which says what the reader can do."""
WORDING: Final = {
    "history": r"\bat first\b|\b(was|were) busy\b|\bbusy (machine|thread)|\blast session\b|when this was written|\bformerly\b"
    r"|\bpreviously\b|\bused to be\b|\bno longer\b|\buntil now\b|\bso far\b|\bnowadays\b",
    "path of the repository": r"(?<![\w/.-])(docs|tools|tests|plugins|harness)/[\w*-]+(/|\.py|\.md|\.svg)",
    "American spelling": r"\b(colors?|behaviors?|centers?|centered|neighbors?|neighborhoods?|gray|labeled|labeling|favor|modeled"
    r"|(normal|optim|initial|recogn|regular|summar|organ|general|random|minim|maxim|visual|standard)iz(e[sd]?|ing|ation)"
    r"|analyze[sd]?)\b",
    "absolute time": r"(?<![\w.])\d[\d.,]*( to \d[\d.,]*)? ?(ms|s|seconds|minutes|hours)\b(?! of)",
    "word that is replaced": r"\banew\b|\bof the user\b|\bwithin noise\b|cannot be told apart|\bmend(s|ed)?\b|half-written"
    r"|\bsurest\b|\bas ever\b",
}

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FENCED = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n+)+")
_TABLE = re.compile(r"^\|.*\|$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )")
_SENTENCE = re.compile(r"(?<=[.!?])[)*_]*\s+(?=[^\sa-z])")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def prose(text: str) -> str:
    """A page without code, tables and addresses of links."""
    return _LINK.sub(r"\1", _TABLE.sub("", _INDENTED.sub("", _FENCED.sub("", text))))


def sentences(text: str) -> Iterator[str]:
    """Sentences of the prose of a page, without its headings."""
    for paragraph in _PARAGRAPH.split(prose(text)):
        if not paragraph.lstrip().startswith("#"):
            yield from (part for part in _SENTENCE.split(" ".join(paragraph.split())) if part)


def words(sentence: str) -> int:
    """Words of a sentence; code and a formula are a word each."""
    return len(re.findall(r"[\w’'-]*\w[\w’'-]*", re.sub(r"`[^`]*`|\$[^$]*\$", "code", sentence)))


def findings(page: str, text: str) -> Iterator[str]:
    """What a page does that the house style forbids."""
    text = _FRONT.sub("", text)
    first = next((part for part in text.split("\n\n") if part.strip() and not part.lstrip().startswith("# ")), "")
    if not re.match(r"[A-Z][a-z-]+ ", first) or first.split()[0] in NO_VERBS:
        yield f"first sentence: {first[:60]}"
    yield from (f"{words(found)} words: {found}" for found in sentences(text) if words(found) > WORDS)
    plain = prose(text)
    for rule, pattern in WORDING.items():
        paths = rule == "path of the repository"
        if not (paths and page in ABOUT_THE_CODE):
            searched = plain if paths else re.sub(r"`[^`]*`", "", plain)
            yield from (f"{rule}: {found[0]}" for found in re.finditer(pattern, searched))
    for row in _TABLE.findall(_FENCED.sub("", text)):
        if (columns := len(re.findall(r"(?<!\\)\|", row)) - 1) > COLUMNS:
            yield f"{columns} columns: {row[:60]}"


def all_findings() -> Iterator[str]:
    """Page and finding, for every page that is written by hand or committed."""
    for file in sorted(DOCS.rglob("*.md")):
        page = file.relative_to(DOCS).as_posix()
        yield from (f"{page}: {finding}" for finding in findings(page, file.read_text(encoding="utf-8")))


def main() -> int:
    """Print every finding."""
    found = list(all_findings())
    print("".join(f"{finding}\n" for finding in found), end="")
    print(f"{len(found)} findings")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
