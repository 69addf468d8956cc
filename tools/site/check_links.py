"""Finds links of the built site that lead nowhere: ``python tools/site/check_links.py site``.

Looks at every page: the file that a link names, and the place in it. Addresses elsewhere are not asked for. Exit code 1:
some link is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places that links can name."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to and how it is called."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value or name == "name" and tag == "a" and value:
                self.places.add(value)


def broken(site: Path) -> Iterator[tuple[str, str]]:
    """Page and link of everything that leads nowhere."""
    site = site.resolve()
    pages = {file: Page(file) for file in sorted(site.rglob("*.html"))}
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            start = site if parts.path.startswith("/") or file.name == "404.html" else file.parent
            target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else file
            if target.is_dir():
                target /= "index.html"
            place = unquote(parts.fragment)
            if not target.is_file() or (place and target in pages and place not in pages[target].places):
                yield file.relative_to(site).as_posix(), link


def main(arguments: Sequence[str]) -> int:
    """Print what is broken."""
    found = list(broken(Path(arguments[0])))
    print("".join(f"{page}: {link}\n" for page, link in found), end="")
    print(f"{len(found)} broken links")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
