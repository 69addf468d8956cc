"""Pages that are made here, by the file that each is made from.

A page of ``docs`` links to that file: where the sources are read, on a forge or in an editor, the link leads there. In
the site it leads to the page.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import cache

import method_pages

_LINK = re.compile(r"\]\(((?:\.\./)[^)\s#]+)(#[^)\s]*)?\)")
_PAGES: Mapping[str, str] = {
    "datasets.yaml": "reference/datasets.md",
    "harness/cli": "reference/commands/index.md",
    "harness/conformance/rules": "reference/rules.md",
    "harness/plugin_api/optional.py": "reference/hooks.md",
    "harness/runs/spec.py": "reference/spec.md",
    "leaderboards": "leaderboards/index.md",
    "leaderboards/performance/README.md": "project/performance.md",
    "plugins": "methods/index.md",
}
"""Of the page of a method see ``_methods``; boards have the same place in the site."""
_BOARDS = "leaderboards/"


@cache
def _methods() -> Mapping[tuple[str, str], str]:
    """Module and name of each built-in method -> its page; by the module alone where it holds one method."""
    pages: dict[tuple[str, str], str] = {}
    several: set[str] = set()
    for entry in method_pages.entries():
        module = str(entry.target).partition(":")[0] if isinstance(entry.target, str) else entry.target.__module__
        file, page = f"plugins/{module.replace('.', '/')}.py", f"methods/{entry.kind}/{entry.name}.md"
        several |= {file} if (file, "") in pages else set()
        pages |= {(file, ""): page, (file, f"#{entry.name}"): page}
    return {key: page for key, page in pages.items() if key[1] or key[0] not in several}


def page_of(file: str, place: str = "") -> str | None:
    """The page that is made from a file of the repository, with the place in it; None where none is.

    Args:
        file: path in the repository.
        place: ``#margin`` after the file of several methods chooses one; after any other it is a place in the page.
    """
    methods = _methods()
    if (file, place) in methods:
        return methods[file, place]
    page = methods.get((file, "")) or _PAGES.get(file) or (file if file.startswith(_BOARDS) else None)
    return page and page + place


def linked(markdown: str, page: str) -> str:
    """A page of ``docs`` as the site has it: what leads out of that folder leads to the page made from it.

    Args:
        markdown: text of the page.
        page: its path in ``docs``.
    """
    folder = posixpath.dirname(page)

    def link(match: re.Match[str]) -> str:
        file = posixpath.normpath(posixpath.join("docs", folder, match[1]))
        target = None if file.startswith(("docs/", "..")) else page_of(file, match[2] or "")
        return f"]({posixpath.relpath(target, folder or '.')})" if target else match[0]

    return _LINK.sub(link, markdown)
