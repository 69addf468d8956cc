"""LaTeX to MathML when the site is built: browsers show it without a script or a font."""

from __future__ import annotations

import re
from collections.abc import Sequence

from latex2mathml.converter import convert

_INLINE = re.compile(r"\$([^$]+)\$")


def display(lines: Sequence[str]) -> str:
    """Formulas one below the other, each in a box that scrolls where the page is narrow.

    Raises:
        ValueError: LaTeX that the converter does not know.
    """
    boxes = (f'<div class="formula">{_mathml(line, "block")}</div>' for line in lines)
    return "\n".join(boxes)


def inline(text: str) -> str:
    """Text whose ``$...$`` is LaTeX."""
    return _INLINE.sub(lambda found: _mathml(found[1], "inline"), text)


def _mathml(latex: str, display: str) -> str:
    mathml = convert(latex, display=display)
    if "\\" in mathml:
        raise ValueError(f"not converted as a whole: {latex}")
    return mathml
