"""Notebooks as pages: their text, their code, and what their cells showed when they were last executed.

mkdocs-jupyter 0.26 was tried: 670 kB of styles and scripts a page, one of them from a network.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

_SCROLLS: Final = '<div class="md-typeset__scrollwrap" role="region" tabindex="0" aria-label="Table">'
"""Around the tables of pandas; boards of the harness bring a box of their own."""


def pages(folder: Path) -> dict[str, str | bytes]:
    """Pages and pictures of all notebooks below ``docs/``, by their paths in it."""
    made: dict[str, str | bytes] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        pictures: dict[str, bytes] = {}
        cells = json.loads(path.read_text())["cells"]
        parts = [_cell(cell, f"{stem}-{number}.png", pictures) for number, cell in enumerate(cells)]
        link = f"[The notebook itself]({path.name}) opens in Jupyter.\n"
        made |= {f"{stem}.md": "\n\n".join([*parts, link]), **pictures}
    return made


def _cell(cell: dict[str, Any], picture: str, pictures: dict[str, bytes]) -> str:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return text
    shown = [_output(output["data"], picture, pictures) for output in cell["outputs"] if "data" in output]
    return "\n\n".join([f"```python\n{text}\n```", *shown])


def _output(data: dict[str, Any], picture: str, pictures: dict[str, bytes]) -> str:
    if "image/png" in data:
        pictures[picture] = base64.b64decode("".join(data["image/png"]))
        return f"![what the cell above draws]({Path(picture).name})"
    if "text/html" in data:
        lines = "".join(data["text/html"]).splitlines()
        html = "\n".join(line.strip() for line in lines if line.strip())  # a blank line would end the HTML
        return f"{_SCROLLS}\n{html}\n</div>" if 'class="dataframe"' in html else html
    text = "".join(data["text/plain"])
    return f"```text\n{text}\n```"
