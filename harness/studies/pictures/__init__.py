"""Pictures of single images: matches, saliency, ranked results. Arrays in, bytes of a picture out; loads no torch.

matplotlib is imported when a picture is drawn. The same arrays give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

_RC: Final[Mapping[str, Any]] = {
    "svg.hashsalt": "harness",
    "svg.fonttype": "path",
    "font.size": 9,
    "text.parse_math": False,
}


def saved(draw: Callable[[Figure], None], size: tuple[float, float], format: Format) -> bytes:
    """The bytes of a figure of ``size`` inches that ``draw`` fills; they hold no date and no chance."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = dict(_RC)  # the stub names every key; ours are checked by matplotlib itself
    with mpl.rc_context(settings):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        nothing = {"Date": None, "Creator": None} if format == "svg" else {"Software": None}
        figure.savefig(out, format=format, dpi=120, metadata=nothing)
    return out.getvalue()
