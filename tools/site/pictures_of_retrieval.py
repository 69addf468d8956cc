"""Pictures of backbones, poolings, whitenings, re-rankers, query expansions and datasets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from harness.plugin_api import RetrievalSet

_FRAMES = {"positive": "#009E73", "negative": "#D55E00", "junk": "#999999"}
_SHOWN = 8
_BLOCK = 2


@cache
def _collection(folder: Path) -> RetrievalSet:
    from harness.plugin_api import DataFolders
    from harness_dataset.synthetic_instances import SyntheticInstances

    found = SyntheticInstances(objects=8, images=120, queries=16, size=192).load(DataFolders(folder, folder))
    return found


@cache
def _image(path: Path) -> NDArray[np.uint8]:
    from harness.retrieval.images import read_image

    return read_image(path, 192)


def _tensor(path: Path) -> Tensor:
    import torch

    return torch.from_numpy(_image(path).copy()).permute(2, 0, 1).float() / 255


@cache
def _maps(folder: Path) -> list[Tensor]:
    """Maps of the database by the embedded backbone."""
    from harness_backbone.tiny import Tiny

    return [Tiny().maps(_tensor(path)) for path in _collection(folder).images]


def maps(name: str, method: type, folder: Path) -> tuple[Figure, str]:
    """An image, the sum of its maps, and the strongest of them."""
    weights = {} if name == "tiny" else {"weights": "none"}
    path = _collection(folder).images[0]
    found = method(**weights).maps(_tensor(path))
    strongest = found.mean((1, 2)).argsort(descending=True)[:4].tolist()
    figure = Figure(figsize=(7.2, 1.5), layout="constrained")
    panels = [("image", _image(path)), ("sum", found.sum(0))] + [(f"map {i}", found[i]) for i in strongest]
    for axes, (title, panel) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        axes.imshow(np.asarray(panel), cmap="magma")
        axes.set_title(title)
        axes.axis("off")
    random = " Weights are random here: pretrained ones are a download." if weights else ""
    return figure, f"The sum of the {len(found)} maps of an image, and the four that are most active.{random}"


def influence(name: str, method: type, folder: Path) -> tuple[Figure, str]:
    """Where a descriptor comes from: how far it turns when a part of the maps is blanked."""
    import torch

    pooling = method()
    if hasattr(pooling, "fit"):
        pooling = pooling.fit(iter(_maps(folder)))
    figure = Figure(figsize=(5.6, 3.1), layout="constrained")
    rows = figure.subplots(2, 4)
    for column, number in enumerate((0, 3, 7, 12)):
        found = _maps(folder)[number]
        whole = _unit(pooling.pool(found))
        height, width = found.shape[1:]
        turned = np.zeros((-(-height // _BLOCK), -(-width // _BLOCK)))
        with torch.no_grad():
            for (y, x), _ in np.ndenumerate(turned):
                part = found.clone()
                part[:, y * _BLOCK : (y + 1) * _BLOCK, x * _BLOCK : (x + 1) * _BLOCK] = 0
                turned[y, x] = 1 - whole @ _unit(pooling.pool(part))
        rows[0, column].imshow(_image(_collection(folder).images[number]))
        rows[1, column].imshow(np.sqrt(np.maximum(turned, 0)), cmap="magma")
    for axes in rows.flat:
        axes.axis("off")
    caption = (
        f"Above four images, below where their descriptors come from: bright is where blanking {_BLOCK} x {_BLOCK} cells "
        "of all maps of the backbone `tiny` turns the descriptor most."
    )
    return figure, caption


def _unit(vector: Any) -> NDArray[np.float64]:
    values = np.asarray(vector, np.float64)
    return values / max(float(np.linalg.norm(values)), 1e-12)


def similarities(name: str, method: type, folder: Path) -> tuple[Figure, str]:
    """Similarities of pairs that show one object and of other pairs, before and after."""
    from harness_pooling.gem import GeM

    data = _collection(folder)
    pairs = np.asarray(data.pairs)
    rows = np.array([_unit(GeM().pool(found)) for found in _maps(folder)], np.float32)
    learnt, pairs = pairs[::2], pairs[1::2]
    whitened = method(shrink=0.2, dim=64).fit(rows, learnt).apply(rows)
    rng = np.random.default_rng(0)
    others = rng.integers(0, len(rows), (2000, 2))
    others = others[others[:, 0] != others[:, 1]]
    figure = Figure(figsize=(7.2, 2.2), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    for axes, table, title in ((first, rows, "before"), (second, whitened, "after")):
        for part, colour, label in ((others, "#999999", "other pairs"), (pairs, "#0072B2", "pairs of one object")):
            values = (table[part[:, 0]] * table[part[:, 1]]).sum(axis=1)
            axes.hist(values, bins=np.linspace(-0.6, 1, 41), density=True, color=colour, alpha=0.6, label=label)
        axes.set_title(f"similarities {title}")
        axes.set_yticks([])
    first.legend(frameon=False)
    for table, title in ((rows, "before"), (whitened, "after")):
        variances = np.linalg.eigvalsh(np.cov(table.T))[::-1]
        third.semilogy(np.maximum(variances[:64], 1e-9), label=title)
    third.set_title("variance of principal directions")
    third.legend(frameon=False)
    return figure, (
        "GeM descriptors of 120 images, whitened with `shrink: 0.2, dim: 64`: so few images say little of 128 dimensions. "
        "Half of the pairs are learnt from where pairs are, the other half is shown."
    )


_FEW: dict[str, dict[str, Any]] = {"diffusion": {"k": 10}, "dsm": {"overlap": 1.0, "top": 10}, "asmk": {"words": 256}}
"""Parameters that suit so few images."""


def answers(kind: str, name: str, method: type, folder: Path) -> tuple[Figure, str]:
    """The first answers to the query that a re-ranker or an expansion changes most."""
    pooling = "rmac" if hasattr(method, "fit_regions") else "gem"
    few = _FEW.get(name, {})
    before, after = _ranked(folder, pooling), _ranked(folder, pooling, kind, name, method(**few))
    data = _collection(folder)
    changes = np.abs(np.nan_to_num(after[1] - before[1]))
    query = int(changes.argmax())
    figure = Figure(figsize=(7.2, 2.1), layout="constrained")
    cells = figure.subplots(2, _SHOWN + 1)
    for row, title, (ranks, ap) in ((0, "before", before), (1, name, after)):
        cells[row, 0].imshow(_crop(_image(data.queries[query]), data.boxes[query], data.queries[query]))
        cells[row, 0].set_title(f"{title}\nAP {100 * ap[query]:.0f}")
        for axes, image in zip(cells[row, 1:], ranks[query], strict=False):
            axes.imshow(_image(data.images[image]))
            for spine in axes.spines.values():
                spine.set(color=_FRAMES[_answer(data.ground_truth[query], image)], linewidth=2.5)
    for axes in cells.flat:
        axes.set(xticks=[], yticks=[])
    used = f" with `{few}`".replace("'", "") if few else ""
    caption = (
        f"A query and its first {_SHOWN} answers among 120 images, by {pooling} before and by `{name}`{used} after: the query "
        "whose average precision (Medium) changes most. Green is right, red wrong, grey junk."
    )
    return figure, caption


def _ranked(folder: Path, pooling: str, kind: str = "", name: str = "", method: Any = None) -> tuple[Any, Any]:
    from harness.cache import Cache
    from harness.core.progress import SilentProgress
    from harness.registry.source import source_digest
    from harness.retrieval.pipeline import RetrievalMethods, RetrievalProtocol, run_retrieval
    from harness_backbone.tiny import Tiny
    from harness_pooling.gem import GeM
    from harness_pooling.rmac import RMAC

    methods = RetrievalMethods(Tiny(), RMAC() if pooling == "rmac" else GeM(), **({kind: method} if kind else {}))
    keys: dict[str, Any] = {"dataset": "pictures", "backbone": "tiny", "pooling": pooling}
    if kind:
        keys[kind] = {"name": name, "parameters": vars(method), "digest": source_digest(type(method).__module__)}
    cache_folder = Cache(folder / "arrays")
    protocol = RetrievalProtocol(image_size=192)
    found = run_retrieval(
        _collection(folder), methods, protocol, keys=keys, cache=cache_folder, progress=SilentProgress()
    )
    return found.ranks, found.scores["medium"].ap


def _answer(truth: Any, image: int) -> str:
    if image in truth["junk"]:
        return "junk"
    return "positive" if image in truth["easy"] or image in truth["hard"] else "negative"


def _crop(image: NDArray[np.uint8], box: Any, path: Path) -> NDArray[np.uint8]:
    if box is None:
        return image
    x0, y0, x1, y1 = (round(value) for value in box)
    return image[y0:y1, x0:x1]


def samples(name: str, method: type, folder: Path) -> tuple[Figure, str] | None:
    """Images of the embedded datasets."""
    from harness.plugin_api import DataFolders

    if name not in ("digits", "synthetic-instances"):
        return None  # its images are the user's, or a download
    if name == "digits":
        data = method().load(DataFolders(folder, folder))
        images: Iterator[Any] = (255 - image[0] for image in data.train_images[:40])
        shape, caption = (4, 10), "Forty digits of the pool."
    else:
        images = (_image(path) for path in _collection(folder).images[:16])
        shape, caption = (2, 8), "Sixteen images of a database; some show an object that a query asks for."
    figure = Figure(figsize=(6.4, 6.4 * shape[0] / shape[1]), layout="constrained")
    for axes, image in zip(figure.subplots(*shape).flat, images, strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.axis("off")
    return figure, caption
