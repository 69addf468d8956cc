"""Tables as CSV for spreadsheets; data as JSON for programs. Numbers are unrounded."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Final

from harness.boards.render.table import Table
from harness.core.text import blanked

_NUMBERS: Final = re.compile(r"\[\n\s*(-?\d[-+.\de]*(?:,\n\s*-?\d[-+.\de]*)*)\n\s*\]")


def csv_text(table: Table) -> str:
    """A line a row; no title, no footer."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.title for column in table.columns])
    for row in table.rows:
        writer.writerow([no_formula(cell.text) if cell.number is None else cell.number for cell in row])
    return out.getvalue()


def no_formula(text: str) -> str:
    """Spreadsheets run cells that begin like a formula, some after blanks; lines stay whole."""
    text = blanked(text)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") and text.strip() else text


def json_text(content: Any) -> str:
    """JSON in which a list of numbers is one line, so that a changed row is a changed line in a diff."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    # These letters stand in strings only; a page that embeds the text then cannot be left by it.
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text + "\n"
