"""Pictures of single images: matches, saliency, ranked results. Arrays in, bytes of a picture out; loads no torch.

matplotlib is imported when a picture is drawn. The same arrays give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg", "pdf"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_UNDATED: Final[Mapping[Format, Mapping[str, None]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_RC: Final[Mapping[str, Any]] = {
    "svg.hashsalt": "harness",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
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
        figure.savefig(out, format=format, dpi=120, metadata=_UNDATED[format])
    return out.getvalue()
