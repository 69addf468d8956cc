"""A picture of every method, drawn by running it on a little data; kept until the method or the drawing changes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pictures_of_learning
import pictures_of_retrieval

from harness.registry import Entry, composition
from harness.registry.parameters import describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN: dict[str, Callable[[str, type, Path], tuple[Figure, str] | None]] = {
    "acquisition": pictures_of_learning.picks,
    "learning": pictures_of_learning.schemes,
    "network": pictures_of_learning.features,
    "backbone": pictures_of_retrieval.maps,
    "pooling": pictures_of_retrieval.influence,
    "whitening": pictures_of_retrieval.similarities,
    "reranking": partial(pictures_of_retrieval.answers, "reranking"),
    "expansion": partial(pictures_of_retrieval.answers, "expansion"),
    "dataset": pictures_of_retrieval.samples,
}


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows."""

    png: bytes
    caption: str


def picture(entry: Entry, folder: Path) -> Picture | None:
    """The picture of a method, from the folder if nothing has changed; None where its data are not embedded."""
    method = entry.load()
    if any(parameter.default is None for parameter in describe(method)):
        return None
    drawing = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*pictures*.py")))
    key = hashlib.sha256(f"{entry.kind} {entry.name} {composition.source_of(method)} {drawing}".encode()).hexdigest()
    png, note = folder / f"{key[:24]}.png", folder / f"{key[:24]}.json"
    if note.is_file():
        caption = json.loads(note.read_text(encoding="utf-8"))
        return None if caption is None else Picture(png.read_bytes(), caption)
    found = _draw(entry, method, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if found is not None:
        png.write_bytes(found.png)
    note.write_text(json.dumps(found.caption if found else None), encoding="utf-8")
    return found


def reason(entry: Entry) -> str:
    """Why a method has no picture."""
    if entry.kind == "dataset":
        return "its images are yours, or a download"
    if entry.kind == "learning":
        return "it leaves the features as they are"
    return "it needs a file or records that are yours"


def _draw(entry: Entry, method: type, folder: Path) -> Picture | None:
    import matplotlib as mpl

    settings: dict[str, Any] = {"font.size": 8, "axes.titlesize": 8}
    with mpl.rc_context(settings):
        drawn = _DRAWN[entry.kind](entry.name, method, folder)
        if drawn is None:
            return None
        figure, caption = drawn
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return Picture(out.getvalue(), caption)
