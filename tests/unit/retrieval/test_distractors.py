"""A dataset with distractors gives what the same images give in memory; they stay on disk and are described once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from harness.cache import Cache
from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.core.progress import SilentProgress
from harness.plugin_api import Ranking, RetrievalSet
from harness.retrieval import distractors, rows, search_pipeline
from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask, run_retrieval
from harness.retrieval.protocol import RetrievalProtocol
from harness_expansion.aqe import AQE
from harness_pooling.spoc import SPoC
from harness_whitening.pca import PCA

BASE, MORE, QUERIES = 12, 30, 4
KEYS = {
    "dataset": {"fingerprint": "f"},
    "backbone": {"name": "b"},
    "pooling": {"name": "p"},
    "whitening": {"name": "w"},
}


class Bars:
    """Means over four bars of each colour; counts images."""

    stride = 4

    def __init__(self):
        self.calls = 0

    def maps(self, image):
        self.calls += 1
        return torch.nn.functional.adaptive_avg_pool2d(image, (1, 4)).permute(0, 2, 1).reshape(12, 1, 1)


class Seen:
    """An expansion that keeps the database that it was bound to."""

    def fit(self, database):
        self.database = database
        return self

    def expand(self, queries, ranking):
        return Ranking(ranking.indices, ranking.scores)


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)

    def draw(name):
        pixels = np.repeat(rng.integers(0, 255, (8, 4, 3), dtype=np.uint8), 4, axis=1)
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    images = [draw(f"{i:02}.png") for i in range(BASE + MORE)]
    queries = [draw(f"q{i}.png") for i in range(QUERIES)]
    truth = [{"easy": [i], "hard": [i + 4], "junk": [i + 8]} for i in range(QUERIES)]
    return RetrievalSet("drawn", images, queries, [None] * QUERIES, truth, distractors=MORE)


def run(dataset, folder=None, backbone=None, depth=0, **methods):
    return run_retrieval(
        dataset,
        RetrievalMethods(backbone or Bars(), SPoC(), **methods),
        RetrievalProtocol(image_size=48, depth=depth),
        keys=KEYS,
        cache=Cache(folder),
        progress=SilentProgress(),
    )


def in_memory(dataset):
    return dataclasses.replace(dataset, distractors=0)


@pytest.mark.parametrize("depth", [0, 3, 20])
def test_the_scores_are_those_of_all_images_in_memory_whatever_the_depth(dataset, depth):
    cut, whole = run(dataset, depth=depth), run(in_memory(dataset))
    for setup in ("easy", "medium", "hard"):
        np.testing.assert_allclose(cut.scores[setup].ap, whole.scores[setup].ap, rtol=1e-12)
        np.testing.assert_allclose(cut.scores[setup].precision, whole.scores[setup].precision)
    # Distractors are float16: near ties may change places.
    assert (cut.ranks == whole.ranks[:, : depth or None]).mean() > 0.95
    assert cut.n_database == BASE + MORE
    assert cut.bytes_per_image == pytest.approx((BASE * 48 + MORE * 24) / (BASE + MORE))


def test_distractors_are_described_once_and_lie_on_disk(dataset, tmp_path):
    first, second = Bars(), Bars()
    before = run(dataset, tmp_path / "cache", first)
    after = run(dataset, tmp_path / "cache", second)
    assert (first.calls, second.calls) == (BASE + MORE + QUERIES, 0)
    assert after.costs["describe distractors"].cached
    np.testing.assert_array_equal(before.ranks, after.ranks)
    assert list((tmp_path / "cache" / "shards").glob("*/shards.json"))


def test_a_description_that_was_stopped_goes_on(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(distractors, "PORTION", 4)
    monkeypatch.setattr(distractors, "SHARD", 8)
    missing = dataset.images[BASE + 20]
    content = missing.read_bytes()
    missing.write_bytes(b"x" * len(content))
    with pytest.raises(DataDamaged):
        run(dataset, tmp_path / "cache")
    missing.write_bytes(content)
    again = Bars()
    result = run(dataset, tmp_path / "cache", again)
    assert again.calls == MORE - 16
    np.testing.assert_array_equal(result.ranks, run(dataset).ranks)


def test_damaged_shards_are_named_and_made_again(dataset, tmp_path):
    run(dataset, tmp_path / "cache")
    (shard,) = (tmp_path / "cache" / "shards").glob("*/00000.npy")
    shard.write_bytes(b"nothing")
    again = Bars()
    with pytest.warns(UserWarning, match="00000.npy"):
        run(dataset, tmp_path / "cache", again)
    assert again.calls == MORE


def test_a_whitening_is_learnt_from_the_database_and_applied_to_distractors(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(distractors, "PORTION", 7)
    result = run(dataset, tmp_path / "cache", whitening=PCA(dim=5, shrink=0.1))
    plain = run(in_memory(dataset), depth=0)
    backbone = Bars()
    rows = [SPoC().pool(backbone.maps(_tensor(path))).numpy() for path in (*dataset.images, *dataset.queries)]
    rows = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    fitted = PCA(dim=5, shrink=0.1).fit(rows[:BASE].astype(np.float32))
    white = fitted.apply(rows.astype(np.float32))
    scores = white[BASE + MORE :] @ white[: BASE + MORE].T
    expected = np.argsort(-scores, axis=1, kind="stable")
    assert (result.ranks == expected).mean() > 0.95  # distractors are float16
    assert not np.array_equal(result.ranks, plain.ranks)
    assert result.dimension == 5


def _sorted(rows):
    return rows[np.argsort(rows[:, 0])]


def _tensor(path):
    return torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1).float() / 255


def test_an_expansion_gets_all_rows_in_the_order_of_their_ids(dataset):
    seen = Seen()
    run(dataset, expansion=seen)
    assert seen.database.shape == (BASE + MORE, 12)
    assert seen.database.dtype == np.float32
    assert isinstance(seen.database, np.memmap)
    whole = Seen()
    run(in_memory(dataset), expansion=whole)
    # Distractors stand in the order of their list after the images, which stand in the order of their content.
    np.testing.assert_allclose(_sorted(seen.database), _sorted(whole.database), atol=1e-3)
    backbone = Bars()
    last = SPoC().pool(backbone.maps(_tensor(dataset.images[-1]))).numpy()
    np.testing.assert_allclose(seen.database[-1], last / np.linalg.norm(last), atol=1e-3)
    assert run(dataset, expansion=AQE(k=2)).n_database == BASE + MORE


def test_without_a_depth_rankings_among_distractors_are_cut(dataset, monkeypatch):
    monkeypatch.setattr(search_pipeline, "LONGEST", 6)
    assert run(dataset).ranks.shape == (QUERIES, 6)


def test_a_distractor_in_the_ground_truth_is_refused(dataset):
    truth = [{**dataset.ground_truth[0], "hard": [BASE]}, *dataset.ground_truth[1:]]
    with pytest.raises(InvalidInput, match="not in the database"):
        run(dataclasses.replace(dataset, ground_truth=truth))


def test_a_distractor_that_is_not_there_is_named(dataset):
    dataset.images[-1].unlink()
    with pytest.raises(DataMissing, match="41.png"):
        run(dataset)


@pytest.mark.parametrize("killed", [False, True])
def test_described_in_parts_in_any_order_the_descriptors_are_those_of_one_process(
    dataset, tmp_path, monkeypatch, killed
):
    monkeypatch.setattr(distractors, "SHARD", 8)
    monkeypatch.setattr(distractors, "PORTION", 4)
    monkeypatch.setattr(rows, "PORTION", 3)

    def task(folder):
        methods = RetrievalMethods(backbone=Bars(), pooling=SPoC(), whitening=PCA(dim=4))
        return RetrievalTask(dataset, methods, RetrievalProtocol(), KEYS, Cache(folder), SilentProgress())

    whole = task(tmp_path / "whole").run()
    for number in (2, 0, 1):
        part = task(tmp_path / "parts")
        if killed and number == 0:  # after its first portion
            saved = rows._append
            monkeypatch.setattr(rows, "_append", lambda *a, saved=saved: (saved(*a), (_ for _ in ()).throw(KeyError)))
            with pytest.raises(KeyError):
                part.describe_part((number, 3))
            monkeypatch.setattr(rows, "_append", saved)
        part.describe_part((number, 3))
        assert part.methods.backbone.calls <= 4 + 16  # its own images; of distractors one or two shards of eight
    joined = task(tmp_path / "parts")
    result = joined.run()
    assert joined.methods.backbone.calls == QUERIES
    assert np.array_equal(result.ranks, whole.ranks)
    assert result.scores["medium"].map == whole.scores["medium"].map
    assert result.costs["describe database"].cpu_s > 0
    assert result.costs["describe distractors"].cached
