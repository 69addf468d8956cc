"""What all pictures of boards share: colours and marks, settings of matplotlib, legends, the same bytes each time.

matplotlib is imported when a picture is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.core.errors import UnknownName
from harness.core.text import blanked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito: distinguishable with every kind of colour blindness; marks and lines differ too, for print.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
MARKS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: Final = ("-", "--", ":", "-.")
PLAIN: Final = "#BBBBBB"
MOST_NAMES: Final = 12
"""Methods that get a colour and a name, best first: nobody can tell more apart, and each name takes time to draw."""
IMAGES: Final = ("svg", "png", "pdf")
LONGEST: Final = 60
_UNDATED: Final[Mapping[str, Mapping[str, None]]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_RC: Final[Mapping[str, Any]] = {
    "svg.hashsalt": "harness",
    "svg.fonttype": "path",
    # Letters that stay text, which printers and publishers ask for.
    "pdf.fonttype": 42,
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    # A name that a plugin chose must not be read as a formula.
    "text.parse_math": False,
    "text.usetex": False,
}


def picture(draw: Callable[[Figure], None], size: tuple[float, float], image: str = "svg") -> bytes:
    """What ``draw`` puts on a figure of ``size`` inches, as SVG, PNG or PDF; the user's settings do not count.

    Raises:
        UnknownName: no such kind of image.
    """
    if image not in IMAGES:
        raise UnknownName(f'unknown kind of image "{image}"', fix=f"one of: {', '.join(IMAGES)}")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = dict(_RC)  # the stub names every key; ours are checked by matplotlib itself
        mpl.rcParams.update(settings)
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format=image, dpi=200, metadata=_UNDATED[image])
    return out.getvalue()


def file_name(dataset: str) -> str:
    """A safe name for the pictures of a board."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", dataset)[:80].lstrip(".") or "board"


def file_names(datasets: Sequence[str], what: str) -> list[str]:
    """Names ``dataset-what``, those numbered that would be equal."""
    found: list[str] = []
    for dataset in datasets:
        name = f"{file_name(dataset)}-{what}"
        found.append(
            next(free for n in range(len(found) + 1) if (free := f"{name}-{n + 1}" if n else name) not in found)
        )
    return found


def plain(text: str, longest: int = LONGEST) -> str:
    """A name as pictures show it: one line, not too long."""
    text = blanked(text)
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-longest // 2 :]}"


def plain_names(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names as pictures show them, those numbered that would look alike."""
    shown = [plain(name, longest) for name in names]
    alike: dict[str, list[str]] = {}
    for name, text in zip(names, shown, strict=True):
        alike[text] = list(dict.fromkeys([*alike.get(text, ()), name]))
    return [
        text if len(alike[text]) == 1 else f"{text} ({alike[text].index(name) + 1})"
        for name, text in zip(names, shown, strict=True)
    ]


def legend(figure: Figure, entries: Mapping[str, Any]) -> None:
    """Names and what was drawn for them, below the axes in as many columns as fit."""
    names = plain_names(list(entries))
    columns = max(1, min(4, int(16 * figure.get_figwidth()) // (max(map(len, names), default=1) + 6)))
    # Given as lists: matplotlib would leave out names that begin with a low line.
    figure.legend(list(entries.values()), names, loc="outside lower center", ncols=columns, fontsize=7)


def mark(position: int) -> dict[str, Any]:
    """Colour and mark of a method by its position; 64 differ."""
    return {
        "color": COLOURS[position % len(COLOURS)],
        "marker": MARKS[(position + position // len(COLOURS)) % len(MARKS)],
    }


def written_out(axes: Any, values: Sequence[float]) -> None:
    """A logarithmic axis of x with plain numbers where the values span more than a factor of ten."""
    if values and min(values) > 0 and max(values) > 10 * min(values):
        from matplotlib.ticker import LogLocator

        axes.set_xscale("log")
        narrow = max(values) < 100 * min(values)
        # Powers of ten alone would leave a narrow axis with one number.
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        # matplotlib writes powers as formulas, which are not parsed here.
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.tick_params(axis="x", labelrotation=0 if max(values) < 1e4 * min(values) else 45)
