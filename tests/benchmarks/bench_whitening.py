"""The default whitening against none on photographs, from few images to many and from few dimensions to many.

``HARNESS_CACHE=FOLDER pytest -m slow tests/benchmarks/bench_whitening.py`` prints the table of docs/representation.md.
The photographs are drawn from another seed than those of the board.

Descriptors are GeM of EfficientNet-Lite0: 672 dimensions (stage 16) and 1280 (stage 32). 128 are a random projection of
the 672; 2048 are both side by side and a random projection of 96 dimensions.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.data.folders import data_folders
from harness.metrics.ranking import evaluate
from harness.metrics.verdicts.flips import query_groups
from harness.retrieval.extraction import NamedBackbone
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.representation import Extraction
from harness.search import top_k, unit_rows
from harness_whitening.pca import PCA

IMAGES = (100, 200, 500, 1000, 2000)
DIMENSIONS = (128, 672, 1280, 2048)
SEED = 9


def described():
    """Dimension -> descriptors of 2,000 images and of the queries; and the ground truth."""
    from harness_backbone.efficientnet_lite0 import EfficientNetLite0
    from harness_dataset.photographs import Photographs
    from harness_pooling.gem import GeM

    folders, method = data_folders(None, None), Photographs(images=max(IMAGES), seed=SEED)
    dataset = method.load(folders)
    both = []
    for stage in (16, 32):
        backbone = NamedBackbone(EfficientNetLite0(stage=stage), "efficientnet-lite0")
        extraction = Extraction(dataset, RetrievalProtocol(image_size=320), backbone, SilentProgress())
        keys = {
            "dataset": {"fingerprint": method.fingerprint(folders)},
            "backbone": {"name": "efficientnet-lite0", "stage": stage},
            "pooling": {"name": "gem"},
        }
        found = extraction.descriptors(GeM(), "gem", keys, Cache(folders.cache / "arrays"))
        both.append((found.database, found.queries))
    rng = np.random.default_rng(0)
    few, more = (rng.normal(size=(672, d)).astype(np.float32) for d in (128, 96))
    table = {672: both[0], 1280: both[1], 128: tuple(unit_rows(rows @ few) for rows in both[0])}
    table[2048] = tuple(
        unit_rows(np.hstack([a, b, unit_rows(a @ more)])) for a, b in zip(both[0], both[1], strict=True)
    )
    return table, dataset.ground_truth


def average_precision(database, queries, truth):
    """(q,) mAP Medium of each query; NaN without a positive."""
    best = top_k(queries, database, None)
    return evaluate(best.indices, truth, ks=(1,), n_database=len(database))["medium"].ap


def difference(before, after, truth):
    """Mean difference in points and half of its 95% interval, over groups of queries that show one object."""
    kept = ~np.isnan(before)
    gain, groups = 100 * (after - before)[kept], np.array(query_groups(truth))[kept]
    _, place = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(place, gain), np.bincount(place)
    drawn = np.random.default_rng(0).integers(len(sums), size=(4000, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return gain.mean(), (high - low) / 2


@pytest.mark.slow
def test_whitening_is_never_worse_by_more_than_its_interval(capsys):
    table, truth = described()
    lines, worst = [], []
    for n in IMAGES:
        here = [{k: [i for i in ids if i < n] for k, ids in labels.items()} for labels in truth]
        cells = []
        for d in DIMENSIONS:
            database, queries = table[d][0][:n], table[d][1]
            whitening = PCA().fit(database)
            before = average_precision(database, queries, here)
            after = average_precision(whitening.apply(database), whitening.apply(queries), here)
            gain, half = difference(before, after, truth)
            cells.append(f"{100 * np.nanmean(before):.1f} {gain:+.1f} ± {half:.1f}")
            worst.append(gain + half)
        lines.append(f"| {n} | " + " | ".join(cells) + " |")
    with capsys.disabled():
        print("\n| images | " + " | ".join(map(str, DIMENSIONS)) + " |\n" + "\n".join(lines))
    assert min(worst) >= 0
