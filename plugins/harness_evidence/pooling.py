"""Poolings: each formula written out in float64."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array, egm, unit

if TYPE_CHECKING:
    from torch import Tensor

_SHAPES = ((1, 1, 1), (4, 1, 5), (4, 5, 1), (5, 7, 10), (16, 24, 32))
Region = tuple[int, int, int, int]


def some_maps(shape: Sequence[int], fill: str = "random") -> Tensor:
    """Maps (C, H, W) of very different scales: random, ``zero``, ``constant`` or ``some zero``."""
    import torch

    rng = RNG(sum(shape))
    if fill == "zero":
        return torch.zeros(tuple(shape))
    if fill == "constant":
        return torch.full(tuple(shape), 0.7)
    values = np.maximum(rng.normal(size=shape), 0) * rng.choice([1e-3, 1, 50], size=(shape[0], 1, 1))
    if fill == "some zero":
        values[::2] = 0
    return torch.from_numpy(values.astype(np.float32))


def plain_maps(seed: int = 0, shape: Sequence[int] = (8, 10, 12)) -> Tensor:
    """Maps (C, H, W) of one scale, most cells of them empty."""
    import torch

    return torch.from_numpy(np.maximum(RNG(seed).normal(size=shape) - 0.3, 0).astype(np.float32))


def slow_gem(a: Array, p: float, lowest: float = 0.0) -> Array:
    """(C, H, W) -> (C,), in longdouble: no power overflows."""
    a = np.maximum(a.astype(np.longdouble), lowest)
    return np.asarray(((a**p).mean((1, 2)) ** (np.longdouble(1) / np.longdouble(p))), np.float64)


def slow_regions(h: int, w: int, levels: int) -> list[Region]:
    """The grid of R-MAC from the published description alone, one scalar at a time, in float32: (y, x, h, w)."""
    f = np.float32
    side = min(h, w)
    down = right = 0
    if h != w:
        best, chosen = None, 0
        for steps in (2, 3, 4, 5, 6, 7):
            b = f(f(max(h, w)) - f(side)) * (f(1) / f(steps - 1))
            miss = abs(f(f(side) ** 2 - f(side) * b) / f(f(side) ** 2) - f(0.4))
            if best is None or miss < best:
                best, chosen = miss, steps - 2
        if h < w:
            right = chosen + 1
        else:
            down = chosen + 1
    out = [(0, 0, h, w)]
    for level in range(1, levels + 1):
        wl = int(np.floor(2 * side / (level + 1)))
        if wl == 0:
            continue
        wl2 = int(np.floor(wl / 2 - 1))
        n, m = level + down, level + right
        bh = f(0) if n == 1 else f(f(h - wl) / f(n - 1))
        bw = f(0) if m == 1 else f(f(w - wl) / f(m - 1))
        for i in range(n):
            for j in range(m):
                y = int(np.floor(f(f(wl2) + f(f(i) * bh)))) - wl2
                x = int(np.floor(f(f(wl2) + f(f(j) * bw)))) - wl2
                out.append((y, x, wl, wl))
    return out


def slow_regional(a: Array, levels: int, eps: float, pool: Callable[[Array], Array]) -> Array:
    """Sum of the normalised descriptors of all regions of the grid."""
    total = np.zeros(len(a))
    for y, x, h, w in slow_regions(a.shape[1], a.shape[2], levels):
        v = pool(a[:, y : y + h, x : x + w])
        total += v / (np.sqrt((v**2).sum()) + eps)
    return total


def slow_crow(a: Array) -> Array:
    """Cross-dimensional weights of cells and channels (Kalantidis et al. 2016)."""
    s = a.sum(0)
    if s.sum() == 0:
        return np.zeros(len(a))
    s = np.sqrt(s / np.sqrt((s**2).sum()))
    q = [(channel > 0).mean() for channel in a]
    weights = np.array([np.log(sum(q) / qc) if qc > 0 else 0.0 for qc in q])
    return np.asarray(weights * np.array([(s * channel).sum() for channel in a]))


def _reflected(i: int, n: int) -> int:
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i


def slow_superglobal(maps: Any, p: float = 4.6, regional_p: float = 2.5, window: int = 5, eps: float = 1e-8) -> Array:
    """The published pooling cell by cell: regional generalised means mixed in, then a generalised mean."""
    a = np.asarray(maps, np.float64)
    _, height, width = a.shape
    half, b = window // 2, a.copy()
    if half and min(height, width) > half:
        for y in range(height):
            for x in range(width):
                rows = [_reflected(i, height) for i in range(y - half, y + half + 1)]
                columns = [_reflected(i, width) for i in range(x - half, x + half + 1)]
                around = a[:, rows][:, :, columns]
                total = ((around / (window**2) ** (1 / regional_p)) ** regional_p).sum((1, 2))
                b[:, y, x] = a[:, y, x] / 2 + total ** (1 / regional_p) / 2
    return np.asarray((np.maximum(b, eps) ** p).mean((1, 2)) ** (1 / p))


def slow_saliency(maps: Array, eps: float) -> Array:
    """Feature saliency (H, W): channels weighed by how rarely they are active (thesis 5.1-5.2)."""
    a = np.array([(m > 0).mean() for m in maps])
    total = np.zeros(maps.shape[1:])
    for c, m in enumerate(maps):
        total = total + np.log((a + eps).sum() / (a[c] + eps)) * m.astype(float)
    norm = np.sqrt((total**2).sum())
    return np.asarray(np.sqrt(total / norm) if norm else total)


def slow_pooled(maps: Array, regions: Sequence[Region], shares: Any) -> Array:
    """Sum of the normalised generalised means of regions, each times its share."""
    total = np.zeros(len(maps))
    for (y, x, h, w), share in zip(regions, shares, strict=True):
        row = slow_gem(maps[:, y : y + h, x : x + w], 3.0)
        total += share * row / (np.linalg.norm(row) or 1)
    return total


def slow_whitened_rmac(images: Sequence[Array]) -> Array:
    """Regions of all images give mean and covariance; each region is whitened and normalised, then they are added."""
    regions = [
        [unit(a[:, y : y + h, x : x + w].max((1, 2))) for y, x, h, w in slow_regions(a.shape[1], a.shape[2], 3)]
        for a in images
    ]
    rows = np.array([row for image in regions for row in image])
    mean = rows.mean(0)
    variances, directions = np.linalg.eigh(np.cov(rows.T, bias=True))
    projection = (directions / np.sqrt(variances)).T
    # Signs and order of the directions are arbitrary: similarities are compared.
    return np.array([sum(unit(projection @ (row - mean)) for row in image) for image in regions])


def _cases(method: Any, slow: Callable[[Array], Array], what: str, tolerance: float = 1e-5) -> Iterator[Comparison]:
    for shape in _SHAPES:
        for fill in ("random", "some zero", "zero", "constant"):
            maps = some_maps(shape, fill)
            expected = slow(maps.numpy().astype(np.float64))
            case = f"{what}, {fill} maps of {' x '.join(map(str, shape))}"
            yield Comparison(case, method.pool(maps).numpy(), expected, tolerance)


def spoc(create: Create) -> Iterator[Comparison]:
    """Means of the cells."""
    yield from _cases(create(), lambda a: a.mean((1, 2)), "defaults")


def mac(create: Create) -> Iterator[Comparison]:
    """Maxima of the cells."""
    yield from _cases(create(), lambda a: a.max((1, 2)), "defaults")


def gem(create: Create) -> Iterator[Comparison]:
    """Generalised means in extended precision."""
    for p in (1.0, 3.0, 40.0):
        yield from _cases(create(p=p), partial(slow_gem, p=p), f"p = {p:g}")
    released = create(preset="released-code")
    yield from _cases(released, lambda a: slow_gem(a, 3.0, 1e-6), "released code")


def learned_gem(create: Create) -> Iterator[Comparison]:
    """Generalised means with the exponent that the file of the network has."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.pth")
        torch.save({"state_dict": {"pool.p": torch.tensor([2.5])}, "meta": {"architecture": "vgg16"}}, path)
        method = create(weights=str(path))
        for fill in ("random", "some zero"):
            maps = some_maps((5, 7, 10), fill)
            expected = slow_gem(maps.numpy(), 2.5)
            yield Comparison(f"p = 2.5, {fill} maps", method.pool(maps).numpy(), expected, 1e-5)


def rmac(create: Create) -> Iterator[Comparison]:
    """Maxima of the regions of a grid that is written anew from its description."""
    for levels in (3, 5):
        slow = lambda a, n=levels: slow_regional(a, n, 1e-6, lambda part: part.max((1, 2)))  # noqa: E731
        yield from _cases(create(levels=levels), slow, f"{levels} levels")
    images = [some_maps((4, 7, 5 + i)) for i in range(12)]
    images = [image / image.max() for image in images]
    fitted = create(whiten=True).fit(iter(images))
    rows = np.stack([fitted.pool(image).numpy() for image in images])
    slow_rows = slow_whitened_rmac([image.numpy().astype(np.float64) for image in images])
    yield Comparison("whitened regions, similarities", rows @ rows.T, slow_rows @ slow_rows.T, 1e-4)


def rgem(create: Create) -> Iterator[Comparison]:
    """Generalised means of the regions of a grid that is written anew from its description."""
    slow = lambda a: slow_regional(a, 3, 1e-6, lambda part: slow_gem(part, 3.0))  # noqa: E731
    yield from _cases(create(), slow, "defaults")
    released = lambda a: slow_regional(a, 2, 1e-6, lambda part: slow_gem(part, 1.5, 1e-6))  # noqa: E731
    yield from _cases(create(p=1.5, levels=2, preset="released-code"), released, "released code, p = 1.5")


def superglobal(create: Create) -> Iterator[Comparison]:
    """The published steps cell by cell."""
    import torch

    for seed in range(6):
        rng = RNG(seed)
        shape = (3, int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        maps = np.maximum(rng.normal(size=shape) * rng.choice([1e-2, 1, 30]), 0).astype(np.float32)
        chosen: dict[str, Any] = {
            "p": [1.0, 4.6][seed % 2],
            "regional_p": [1.0, 2.5, 3.0][seed % 3],
            "window": [1, 3, 5][seed % 3],
        }
        pooled = create(**chosen).pool(torch.from_numpy(maps)).numpy()
        yield Comparison(f"seed {seed}", pooled, slow_superglobal(maps, **chosen), 2e-5)


def crow(create: Create) -> Iterator[Comparison]:
    """Weights of cells and channels, one channel at a time."""
    yield from _cases(create(), slow_crow, "defaults")


def fs_egm(create: Create) -> Iterator[Comparison]:
    """Saliency, mixture and means of regions, each by loops."""
    for preset in ("thesis", "recommended"):
        method = create(preset=preset)
        for seed in range(2):
            yield from _by_regions(method, method, plain_maps(seed), f"{preset}, seed {seed}")
    yield from _mixtures(create())


def os_egm(create: Create) -> Iterator[Comparison]:
    """Object saliency, mixture and means of regions, each by loops; the graph's centrality is taken as it is."""
    from harness_pooling.saliency import patches

    images = [plain_maps(seed) for seed in range(12)]
    fitted = create(dim=4, k=5, neighbours=3, threshold=0.0).fit(iter(images))
    descriptors, worth = fitted.index.descriptors.astype(float), fitted.index.worth
    salient = fitted.saliency(images[0]).numpy()
    own = slow_saliency(images[0].numpy(), 1e-6) ** 3
    rows, places, expected = patches(images[0], 5, float("inf")), [(0, 0), (4, 7), (9, 11), (2, 3)], []
    for y, x in places:
        similarities = descriptors @ fitted.whitening.apply(rows[:, y, x].numpy()[None])[0]
        nearest = np.argsort(-similarities)[:3]
        expected.append(own[y, x] * (np.maximum(similarities[nearest], 0) * worth[nearest]).sum())
    yield Comparison("saliency of some cells", [salient[place] for place in places], expected, 1e-3)
    yield from _by_regions(fitted, fitted.parameters, images[0], "sum over regions")


def _by_regions(method: Any, detection: Any, maps: Tensor, case: str) -> Iterator[Comparison]:
    regions, weights = detection.weighed(method.saliency(maps).numpy())
    shares = weights if detection.preset == "recommended" else np.ones(len(regions))
    expected = slow_pooled(maps.numpy(), regions, shares)
    yield Comparison(case, method.pool(maps).numpy(), expected, 1e-5)


def _mixtures(method: Any) -> Iterator[Comparison]:
    """The saliency of the maps and the mixture on it."""
    maps = plain_maps(3)
    yield Comparison("saliency", method.saliency(maps).numpy(), slow_saliency(maps.numpy(), 1e-6), 1e-5)
    rng = RNG(2)
    samples = rng.uniform(0.01, 1, (9, 11)) * (rng.random((9, 11)) < 0.7)
    weighted, about_new = method.weight_samples, method.variance_about == "new"
    slow = egm.slow_mixture(samples, 2.5, method.overlap, method.iterations, weighted, about_new)
    fast = method.mixture(samples)
    for name, values, part in zip(fast._fields, fast, zip(*slow, strict=True), strict=True):
        yield Comparison(f"mixture, {name}", values, np.array(part), 1e-8)
