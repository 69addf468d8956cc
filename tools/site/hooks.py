"""What MkDocs calls while it builds the site: adds the pages that are made here."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import board_pages
import catalogue_page
import command_page
import method_pages
import notebook_page
import reference_pages
import sources
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
_SEARCH = '<div class="md-search" data-md-component="search" role="dialog"'
"""The dialog of the theme, which has no name for those who hear the page."""
MOVED = {
    "how-to/thesis.html": "thesis.html",
    "measurements.html": "studies/index.html",
    "regional-matching.html": "studies/descriptors.html",
    "reference/commands.html": "reference/commands/index.html",
}
"""Where pages stood before, and where they are: old links and bookmarks go on working."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the sections of the navigation whose pages are made here."""
    made = {
        "Methods": method_pages.navigation(),
        "Leaderboards": board_pages.navigation(ROOT / "leaderboards"),
        "Commands": command_page.navigation(),
    }
    _fill(config.nav or [], made)
    for section in config.nav or []:
        if isinstance(section, dict) and "How to" in section:
            section["How to"] += _unlisted(str(config.nav))
    config.copyright = f"vision-evaluation-harness {version('vision-evaluation-harness')}, state of {_last_change()}"
    return config


def _fill(entries: list[Any], made: dict[str, Any]) -> None:
    """Replace the sections of these titles, at any depth."""
    for entry in entries:
        if isinstance(entry, dict):
            for title, inside in entry.items():
                entry[title] = made.get(title, inside)
                if title not in made and isinstance(inside, list):
                    _fill(inside, made)


def _last_change() -> str:
    """Day of the last commit: the same state gives the same pages."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%cs %h"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown date"


def _unlisted(listed: str) -> list[str]:
    """Pages of the folder of the documentation that the navigation does not name yet: none is forgotten."""
    pages = (page.name for page in sorted((ROOT / "docs").glob("*.md")))
    return [page for page in pages if f"'{page}'" not in listed]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here, and their pictures."""
    pages: dict[str, str | bytes] = {
        "reference/datasets.md": catalogue_page.text(),
        "project/performance.md": _performance(),
    }
    pages |= command_page.pages()
    pages |= reference_pages.pages()
    pages |= board_pages.pages(ROOT / "leaderboards")
    pages |= method_pages.pages(ROOT)
    pages |= notebook_page.pages(ROOT / "docs")
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def _performance() -> str:
    """What ``make bench`` wrote."""
    written = ROOT / "leaderboards" / "performance" / "README.md"
    if written.is_file():
        return written.read_text(encoding="utf-8")
    return "# Performance\n\n`make bench` measures the harness beside its peers. Nothing of it is committed yet.\n"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Files lie beside the folder of the documentation, and the pages that are made from them inside it."""
    return sources.linked(markdown, page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Leave a page that leads on where pages stood before."""
    for old, new in MOVED.items():
        file = Path(config.site_dir, old)
        file.parent.mkdir(parents=True, exist_ok=True)
        target = "../" * old.count("/") + new
        head = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={target}"><title>Moved</title>'
        file.write_text(
            f'<!doctype html>{head}<p>This page is <a href="{target}">here</a> now.</p>\n', encoding="utf-8"
        )


def on_post_page(output: str, **_: Any) -> str:
    """Name what the theme leaves without a name."""
    return output.replace(_SEARCH, f'{_SEARCH} aria-label="Search"', 1)
