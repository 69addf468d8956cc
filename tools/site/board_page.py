"""The page of a committed leaderboard: what ``harness page`` shows of it, quality and cost in two tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from harness.boards.stored import read_boards
from harness.core.errors import HarnessError
from harness.runs.targets import find_results
from harness.site.render import macro
from harness.site.view import BoardView, RowView, board_views

_PICTURE = re.compile(r"^!\[[^]]*\]\([^)]+\.svg\)$", re.MULTILINE)
_GENERATED = re.compile(r"^<!--.*?-->\n*", re.DOTALL)
_WIDE = "---\nhide: [toc]\n---\n\n"
"""Without the list of headings a table has the whole width."""
_UNMEASURED = (
    "Nothing of it is measured yet; the numbers are the published ones ([how to measure them](../../thesis.md)).\n"
)


def text(folder: Path) -> str:
    """The page of a board: from its ``results.json``; without one nothing is measured, and its table is shown."""
    readme = _GENERATED.sub("", (folder / "README.md").read_text(encoding="utf-8"))
    stored = folder / "results.json"
    if stored.is_file():
        try:
            results = find_results(stored)
            views = board_views(read_boards(results), pictures=False)
        except HarnessError:  # of an older version: its table is shown as it stands
            return _WIDE + readme
        return "\n".join(_measured(folder, results.title, results.description, views, readme))
    first, _, rest = readme.partition("\n## ")
    return f"{_WIDE}{first.rstrip()}\n\n{_UNMEASURED}\n## {rest}"


def _measured(folder: Path, title: str, description: str, views: Sequence[BoardView], readme: str) -> Iterator[str]:
    yield _WIDE + f"# {title or folder.name}\n\n{description}\n"
    yield "[How to read a board](../../leaderboards.md).\n"
    for view in views:
        yield f"## {_plain(view.title)}\n"
        yield from (f"**{_plain(warning)}**\n" for warning in view.warnings)
        common = " · ".join(f"{kind} {name}" for kind, name in view.common)
        yield f"{f'All rows: {_plain(common)}. ' if common else ''}{_plain(view.parameters)}\n"
        yield "### Quality\n"
        yield from _table(view, ("rank", "quality", "interval"), most=6)
        if view.costs:
            yield "### Cost\n"
            yield from _table(view, ("rank", "cost"), most=7)
        yield from (f"- {_plain(row.name)}: {_plain('; '.join(row.notes))}" for row in view.rows if row.notes)
        yield '\n<div class="quiet">'
        yield from (f"<p>{escape(sentence)}</p>" for sentence in view.footer)
        yield "</div>\n"
    yield from (f"{picture}\n" for picture in _PICTURE.findall(readme))
    yield "## Measure it again\n\nThis is its spec:\n"
    yield f'```yaml title="{folder.name}.yaml"\n{(folder / "spec.yaml").read_text(encoding="utf-8").strip()}\n```\n'
    yield f"    harness run {folder.name}.yaml\n    harness leaderboard {folder.name}.yaml"


def _table(view: BoardView, groups: Sequence[str], most: int) -> Iterator[str]:
    """The columns of some groups, behind the name of the row; all columns of quality beyond ``most`` are left out."""
    places = [place for place, heading in enumerate(view.headings) if heading.group in groups][: most + 1]
    names = [heading.title for place, heading in enumerate(view.headings) if heading.group == "method"]
    yield '<div class="board">'
    yield '<p class="tools" hidden><label>Filter <input type="search" placeholder="words that a row holds"></label> '
    yield f"<output>{len(view.rows)} rows</output></p>"
    yield '<div class="scroll" tabindex="0"><table class="measures"><thead><tr>'
    for place in places:
        heading = view.headings[place]
        yield f'<th scope="col" class="{heading.group}" data-first="{heading.first}">{escape(heading.title)}</th>'
        if heading.group == "rank":
            yield f'<th scope="col" class="method" data-first="ascending">{escape(" · ".join(names) or "method")}</th>'
    yield "</tr></thead><tbody>"
    for row in view.rows:
        yield "<tr>" + "".join(_cells(view, row, places)) + "</tr>"
    yield "</tbody></table></div></div>\n"


def _cells(view: BoardView, row: RowView, places: Sequence[int]) -> Iterator[str]:
    for place in places:
        group = view.headings[place].group
        picture = macro("whisker", row.whisker) if group == "interval" and row.whisker else ""
        yield f'<td class="{group}">{macro("cell", row.cells[place], row)}{picture}</td>'
        if group == "rank":
            yield f'<th scope="row" class="method">{escape(row.name)}</th>'


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)
