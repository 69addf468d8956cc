"""The order in which a dataset lists its images changes no score of any built-in pipeline."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.plugin_api import RetrievalSet
from harness.registry import load_registry
from harness.registry.parameters import describe
from harness.retrieval.pipeline import RetrievalMethods, run_retrieval
from harness.retrieval.protocol import RetrievalProtocol

N = 14
ORDERS = [list(range(N))[::-1], np.random.default_rng(0).permutation(N).tolist()]


class Colours:
    """Colours and their differences, averaged over squares of 4 pixels."""

    stride = 4

    def maps(self, image):
        maps = torch.nn.functional.avg_pool2d(image[None], 4, ceil_mode=True)[0]
        return torch.relu(torch.cat([maps, maps - maps.roll(1, 0), maps.roll(1, 0) - maps]))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Fourteen images of three colours: two exact duplicates with different labels, two blank ones, queries."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(3)

    def draw(name, colour, noise=25):
        pixels = rng.integers(90, 90 + noise, (32, 40, 3), dtype=np.uint8)
        pixels[6:26, 8:30] = np.clip(np.array(colour) + rng.integers(0, noise, (20, 22, 3)), 0, 255)
        Image.fromarray(pixels).save(folder / name)
        return folder / name

    colours = [(220, 30, 30), (40, 190, 60), (40, 60, 210)]
    images = [draw(f"{i:02}.png", colours[i % 3]) for i in range(N - 4)]
    for name, source in (("copy0.png", images[0]), ("copy1.png", images[4])):
        shutil.copy(source, folder / name)
    for name, level in (("blank0.png", 0), ("blank1.png", 0)):
        Image.fromarray(np.full((32, 40, 3), level, np.uint8)).save(folder / name)
    images += [folder / name for name in ("copy0.png", "copy1.png", "blank0.png", "blank1.png")]
    queries = [draw(f"q{i}.png", colour) for i, colour in enumerate(colours)]
    truth = [
        {"easy": [0, 3], "hard": [6, N - 1], "junk": [9]},  # neither the copy of 0 nor the other blank image
        {"easy": [1, N - 3], "hard": [7], "junk": [N - 2]},
        {"easy": [2], "hard": [5, 8], "junk": []},
    ]
    pairs = np.array([[0, 3], [0, 6], [3, 6], [1, 4], [1, 7], [2, 5], [5, 8], [4, N - 3]])
    return RetrievalSet("files", images, queries, [None] * 3, truth, pairs)


def reordered(dataset, order):
    """The same images in another order."""
    place = np.argsort(order)
    truth = [{level: [int(place[i]) for i in ids] for level, ids in query.items()} for query in dataset.ground_truth]
    images = [dataset.images[i] for i in order]
    return dataclasses.replace(
        dataset, images=images, ground_truth=truth, pairs=place[dataset.pairs] if dataset.pairs is not None else None
    )


def scores(dataset, pooling, depth=0, **methods):
    result = run_retrieval(
        dataset,
        RetrievalMethods(Colours(), pooling, **methods),
        RetrievalProtocol(image_size=64, depth=depth),
        keys={"dataset": {"fingerprint": "f"}, "backbone": {"name": "colours"}, "pooling": {"name": "some"}},
        cache=Cache(None),
        progress=SilentProgress(),
    )
    return {setup: (each.ap.tolist(), each.precision.tolist()) for setup, each in result.scores.items()}


def own(kind):
    """Names of the methods of a kind that need no file."""
    return [name for name in REGISTRY.names(kind) if not any(p.default is None for p in describe(load(kind, name)))]


def load(kind, name):
    return REGISTRY.entry(kind, name).load()


REGISTRY = load_registry()
PIPELINES = [
    *({"pooling": name} for name in own("pooling")),
    *({"pooling": "gem", "whitening": name} for name in own("whitening")),
    *({"pooling": "gem", "reranking": name, "top": top} for name in own("reranking") for top in (3, 100)),
    *({"pooling": "rmac", "expansion": name} for name in own("expansion")),
    {"pooling": "gem", "whitening": "pca", "reranking": "dsm", "expansion": "diffusion", "top": 3},
    {"pooling": "spoc", "reranking": "r-match", "expansion": "aqe", "top": 2},
]
SMALL = {
    ("expansion", "dba"): {"k": 2},
    ("expansion", "aqe"): {"k": 2},
    ("expansion", "alphaqe"): {"k": 2},
    ("expansion", "diffusion"): {"k": 3, "kq": 1},
    ("expansion", "regional-diffusion"): {"k": 3, "kq": 2},
    ("expansion", "aqe-decay"): {"k": 2},
    ("expansion", "dba-decay"): {"k": 2},
    ("expansion", "dqe"): {"k": 2, "m": 2},
    ("expansion", "k-reciprocal"): {"k1": 3, "k2": 2},
    ("expansion", "rocchio"): {"k": 2, "m": 2},
    ("expansion", "superglobal"): {"top": 5, "k": 2},
    ("whitening", "pca"): {"dim": 4, "shrink": 0.1},
    ("whitening", "supervised"): {"dim": 4, "shrink": 0.1},
    ("reranking", "asmk"): {"words": 8, "dim": 4},
    ("reranking", "dsm"): {"overlap": 1.0},
}
"""Few neighbours and small tops, so that cuts fall between duplicates."""


def methods(pipeline):
    kinds = {kind: name for kind, name in pipeline.items() if kind != "top"}
    made = {kind: load(kind, name)(**SMALL.get((kind, name), {})) for kind, name in kinds.items()}
    if "reranking" in made:
        made["reranking"] = dataclasses.replace(made["reranking"], top=pipeline["top"])
    return made


@pytest.mark.parametrize(
    ("pipeline", "depth"),
    [(pipeline, depth) for pipeline in PIPELINES for depth in ((0, 5) if "expansion" in pipeline else (0,))],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_the_order_of_files_changes_no_score(dataset, pipeline, depth):
    first = scores(dataset, **methods(pipeline), depth=depth)
    for order in ORDERS:
        assert scores(reordered(dataset, order), **methods(pipeline), depth=depth) == first


COPIES = np.arange(N)
COPIES[[0, N - 4]], COPIES[[4, N - 3]] = [N - 4, 0], [N - 3, 4]  # identical images in each other's place


@pytest.mark.parametrize(
    "pipeline",
    [
        {"pooling": "gem"},
        {"pooling": "gem", "reranking": "r-match", "top": 100},
        {"pooling": "rmac", "expansion": "diffusion"},
        {"pooling": "rmac", "reranking": "r-match", "expansion": "aqe", "top": 2},
    ],
    ids=lambda value: "-".join(map(str, value.values())),
)
@pytest.mark.parametrize("distractors", [0, 2])
def test_a_cut_between_identical_images_leaves_neither_to_chance(dataset, pipeline, distractors):
    """Whatever the depth; one of two identical images is relevant, the other is not."""
    images = set(range(N - 2))
    truth = [{level: [i for i in ids if i in images] for level, ids in each.items()} for each in dataset.ground_truth]
    some = dataclasses.replace(dataset, ground_truth=truth, distractors=distractors, pairs=None)
    for depth in (1, 2, 3, 5):
        first = scores(some, **methods(pipeline), depth=depth)
        assert scores(reordered(some, COPIES), **methods(pipeline), depth=depth) == first, depth


class Strongest:
    """Which channel is strongest, and nothing else: many different images are equally far from a query."""

    def pool(self, maps):
        return torch.nn.functional.one_hot(maps.mean((1, 2)).argmax(), len(maps)).float()


@pytest.mark.parametrize("kinds", [{}, {"reranking": "r-match", "top": 3}, {"expansion": "aqe"}], ids=str)
def test_the_order_of_distractors_changes_no_score(dataset, kinds):
    truth = [{"easy": [0, 3], "hard": [1, 4], "junk": [2]}] * 3
    some = dataclasses.replace(dataset, ground_truth=truth, distractors=N - 5, pairs=None)

    def found(images):
        return scores(dataclasses.replace(some, images=images), **{**methods(kinds), "pooling": Strongest()}, depth=6)

    first = found(some.images)
    for tail in (range(N - 1, 4, -1), [9, 5, 13, 7, 11, 6, 12, 8, 10]):
        assert found([some.images[i] for i in (*range(5), *tail)]) == first


@pytest.mark.parametrize("distractors", [0, N - 5])
def test_a_tie_that_depth_cuts_is_a_mean_after_reranking_too(dataset, distractors):
    """A re-ranker that looks at no image changes no score."""
    truth = [{"easy": [0, 3], "hard": [1, 4], "junk": [2]}] * 3
    some = dataclasses.replace(dataset, ground_truth=truth, distractors=distractors, pairs=None)
    for depth in (1, 3, 6):
        reranking = dataclasses.replace(load("reranking", "r-match")(), top=0)
        assert scores(some, Strongest(), depth, reranking=reranking) == scores(some, Strongest(), depth)


@pytest.mark.parametrize("name", ["aqe", "dba", "diffusion"])
def test_an_image_gains_nothing_by_standing_before_the_distractors_that_it_is_tied_with(dataset, name):
    """What a cut leaves of their tie is the images: a shorter ranking would score higher than a longer one."""
    truth = [{"easy": [0, 3], "hard": [1, 4], "junk": [2]}] * 3
    some = dataclasses.replace(dataset, ground_truth=truth, distractors=N - 5, pairs=None)
    expansion = methods({"expansion": name})["expansion"]
    whole = scores(some, Strongest(), expansion=expansion)
    for depth in range(2, N):
        cut = scores(some, Strongest(), depth, expansion=expansion)
        for setup, (ap, _) in cut.items():
            assert np.all(np.array(ap) <= np.array(whole[setup][0]) + 1e-12), (depth, setup)


@pytest.fixture(scope="module")
def in_order(dataset):
    pipelines = ({"pooling": "gem", "expansion": "diffusion"}, {"pooling": "spoc", "expansion": "dba"})
    return [(pipeline, scores(dataset, **methods(pipeline))) for pipeline in pipelines]


@settings(max_examples=15)
@given(order=st.permutations(range(N)))
def test_no_order_changes_a_score(dataset, in_order, order):
    for pipeline, expected in in_order:
        assert scores(reordered(dataset, order), **methods(pipeline)) == expected


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_dba_on_three_images_makes_them_equal_and_so_tied(dataset, order):
    """All three descriptors become the sum of all: what rounding leaves between them must not rank them."""
    truth = [{"easy": [0], "hard": [1], "junk": []}] * 3
    three = dataclasses.replace(dataset, images=dataset.images[:3], ground_truth=truth, pairs=np.array([[0, 1]]))
    found = scores(
        reordered(three, order), load("pooling", "gem")(), expansion=load("expansion", "dba")(preset="thesis")
    )
    # One relevant image of three in a tie: (1 + 1/4 + 1/6) / 3.
    assert found["hard"][0] == pytest.approx([(1 + 1 / 4) / 2] * 3)
    assert found["medium"][0] == pytest.approx([found["medium"][0][0]] * 3)
