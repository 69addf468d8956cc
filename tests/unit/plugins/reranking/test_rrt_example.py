"""The adapter of RRT in ``tests/examples``: its network against loops in float64, its files, its features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attentions import EXAMPLES, attended, broken_rules, example, layer_norm

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.plugin_api import DescribesImages, Packs, Ranking, UsesSimilarity
from harness.retrieval.reranking import BoundReranker

RNG = np.random.default_rng
FUNCTION = "harness_rrt.examples:features"
D, WIDTH = 8, 12


@pytest.fixture
def rrt():
    with example("harness_rrt", "rrt", "network", "examples") as modules:
        yield modules


@pytest.fixture
def adapter(rrt, tmp_path):
    def create(**parameters):
        torch.save(rrt[2].random_state(), tmp_path / "rrt.pt")
        return rrt[0].RRT(tmp_path / "rrt.pt", **{"extractor": FUNCTION, "heads": 2} | parameters)

    return create


@pytest.fixture
def returning(rrt, adapter, monkeypatch):
    """The adapter with a function that returns these arrays of every image."""

    def create(*arrays, **parameters):
        monkeypatch.setattr(rrt[2], "features", lambda image: arrays)
        return adapter(**parameters).describe_image(np.zeros((8, 8, 3), np.uint8), "query")

    return create


def features(rrt, rng, m):
    values = (rng.normal(size=shape).astype(np.float32) for shape in (WIDTH, (m, D)))
    return rrt[0].TwoKinds(*values, rng.integers(0, 7, m))


def sequence(query, image, state):
    """[cls, global, local ..., sep, global, local ...], token by token."""
    tokens = []
    for number, one in enumerate((query, image)):
        of_global, of_local = state["segments"][2 * number : 2 * number + 2]
        tokens.append(state[("cls", "sep")[number]])
        tokens.append(state["remap.weight"] @ one.whole.astype(np.float64) + state["remap.bias"] + of_global)
        for row, scale in zip(one.local.astype(np.float64), one.scales, strict=True):
            tokens.append(row + state["scales"][scale] + of_local)
    return np.array(tokens)


def slow_logit(query, image, state):
    """One pair without padding, in float64."""
    state = {name: value.double().numpy() for name, value in state.items()}
    x = sequence(query, image, state)
    for n in range(sum(name.endswith("linear1.weight") for name in state)):
        at = f"layers.{n}"
        x = layer_norm(x + attended(x, state, f"{at}.self_attn", lambda i, j: True), state, f"{at}.norm1")
        hidden = np.maximum(x @ state[f"{at}.linear1.weight"].T + state[f"{at}.linear1.bias"], 0)
        x = layer_norm(x + hidden @ state[f"{at}.linear2.weight"].T + state[f"{at}.linear2.bias"], state, f"{at}.norm2")
    return float(x[0] @ state["classifier.weight"][0] + state["classifier.bias"][0])


@pytest.mark.parametrize("cases", [3, pytest.param(200, marks=pytest.mark.slow)])
def test_logits_equal_loops_and_padding_changes_nothing(adapter, rrt, cases):
    method, state = adapter(), rrt[2].random_state()
    for seed in range(cases):
        rng = RNG(seed)
        query, *images = (features(rrt, rng, m) for m in rng.integers(0, 6, 4))
        found = method.score(query, images)
        np.testing.assert_allclose(found, [slow_logit(query, image, state) for image in images], atol=1e-4)
        np.testing.assert_allclose(found, [method.score(query, [image])[0] for image in images], atol=1e-4)


def test_the_order_of_local_features_does_not_count_and_that_of_the_images_does(adapter, rrt):
    one, other = (features(rrt, RNG(seed), 5) for seed in range(2))
    turned = rrt[0].TwoKinds(other.whole, other.local[::-1].copy(), other.scales[::-1].copy())
    method = adapter()
    found = method.score(one, [other, turned])
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert abs(found[0] - method.score(other, [one])[0]) > 1e-3


def test_a_full_sequence_has_1004_tokens(adapter, rrt, returning, monkeypatch):
    rng, lengths = RNG(0), []
    arrays = rng.normal(size=WIDTH), rng.normal(size=(700, D)), rng.integers(0, 7, 700), rng.normal(size=700)
    full = returning(*arrays)
    best = np.argsort(-arrays[3].astype(np.float32), kind="stable")[:500]
    np.testing.assert_array_equal(full.local, arrays[1].astype(np.float32)[best])
    np.testing.assert_array_equal(full.scales, arrays[2][best])
    forward = rrt[1].Network.forward
    monkeypatch.setattr(
        rrt[1].Network, "forward", lambda net, x, padding: lengths.append(x.shape[1]) or forward(net, x, padding)
    )
    adapter().score(full, [full])
    assert lengths == [1004]


def test_images_without_local_features_are_compared_by_their_global_one(rrt, returning, adapter):
    rng = RNG(0)
    for empty in (np.zeros((0, D)), np.zeros((0, 0)), np.zeros(0)):
        bare = returning(rng.normal(size=WIDTH), empty, np.zeros(0, np.int64), np.zeros(0))
        assert bare.local.shape == (0, D)
    full = features(rrt, rng, 4)
    state = rrt[2].random_state()
    found = adapter().score(bare, [bare, full])
    np.testing.assert_allclose(found, [slow_logit(bare, image, state) for image in (bare, full)], atol=1e-4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.zeros(WIDTH + 1), np.zeros((2, D)), np.zeros(2, int), np.zeros(2)), "a global feature of 12 dimensions"),
        ((np.zeros(WIDTH), np.zeros((2, D + 1)), np.zeros(2, int), np.zeros(2)), "local ones of 8"),
        ((np.zeros(WIDTH), np.zeros((2, D)), np.zeros(3, int), np.zeros(2)), "arrays of shapes"),
        ((np.zeros(WIDTH), np.zeros((2, D)), np.zeros(2, int), np.zeros((2, 1))), "arrays of shapes"),
        ((np.zeros(WIDTH), np.zeros((2, D)), np.array([0, 7]), np.zeros(2)), "no numbers from 0 to 6"),
        ((np.zeros(WIDTH), np.zeros((2, D)), np.array([0, -1]), np.zeros(2)), "no numbers from 0 to 6"),
        ((np.zeros(WIDTH), np.zeros((2, D)), np.array([0.5, 1]), np.zeros(2)), "no numbers from 0 to 6"),
        ((np.full(WIDTH, np.nan), np.zeros((2, D)), np.zeros(2, int), np.zeros(2)), "not finite"),
        ((np.zeros(WIDTH), np.zeros((2, D)), np.array([0, np.nan]), np.zeros(2)), "no numbers from 0 to 6"),
        ((np.zeros(WIDTH), np.zeros((2, D))), "does not return four arrays"),
        ((np.zeros(WIDTH), [[1], [1, 2]], np.zeros(2, int), np.zeros(2)), "does not return four arrays"),
    ],
)
def test_features_that_do_not_fit_are_named(returning, arrays, message):
    with pytest.raises(InvalidInput, match=message):
        returning(*arrays)


def test_bad_files_and_functions_are_named(adapter, rrt, tmp_path):
    with pytest.raises(DataMissing, match="cannot be read"):
        rrt[0].RRT(tmp_path / "nothing.pt", extractor=FUNCTION)
    for function in ("no_such_module:features", "features", ""):
        with pytest.raises(InvalidInput, match="cannot be found"):
            adapter(extractor=function)
    with pytest.raises(InvalidInput, match="is no function"):
        adapter(extractor="harness_rrt.examples:nothing").describe_image(np.zeros((8, 8, 3), np.uint8), "query")
    with pytest.raises(DataDamaged, match="has changed since the run was planned"):
        adapter(code="0" * 64).describe_image(np.zeros((8, 8, 3), np.uint8), "query")
    one = features(rrt, RNG(0), 2)
    state = rrt[2].random_state()
    for name, hostile in {
        "other": {"a": torch.zeros(2)},
        "flat": {key: value.flatten() for key, value in state.items()},
        "wide": state | {"classifier.weight": torch.zeros(1, D + 1)},
        "more": state | {"position.weight": torch.zeros(3)},
        "huge": state | {"layers.0.linear1.weight": torch.zeros(10**12, 0)},
    }.items():
        torch.save(hostile, tmp_path / f"{name}.pt")
        with pytest.raises(DataDamaged, match="are no network of RRT"):
            rrt[0].RRT(tmp_path / f"{name}.pt", extractor=FUNCTION, heads=2).score(one, [one])
    torch.save({"weights": EXAMPLES}, tmp_path / "code.pt")  # a file that would run code
    with pytest.raises(DataDamaged, match="are refused"):
        rrt[0].RRT(tmp_path / "code.pt", extractor=FUNCTION).score(one, [one])
    with pytest.raises(DataDamaged, match="divisible by num_heads"):
        adapter(heads=3).score(one, [one])


def test_it_reorders_a_ranking_by_logits_alone(adapter, rrt):
    rng, method = RNG(0), adapter(top=3)
    assert isinstance(method, UsesSimilarity)
    assert isinstance(method, DescribesImages)
    assert isinstance(method, Packs)
    queries, database = ({i: features(rrt, rng, 3) for i in range(n)} for n in (1, 5))
    bound = BoundReranker(method, "rrt", queries, database, np.arange(5))
    ranking = Ranking(np.array([[3, 1, 0, 2, 4]]), np.linspace(0.9, 0.5, 5, dtype=np.float32)[None])
    scores = bound.scores(range(1), ranking.indices)
    found = bound.rerank(ranking, scores)
    assert found.indices[0].tolist() == [*ranking.indices[0][:3][np.argsort(-scores[0], kind="stable")], 2, 4]
    np.testing.assert_allclose(method.verified(np.array([-2.0, 0, 2.0], np.float32)), [0, 0, 1 / (1 + np.exp(-2))])
    back = method.unpack(method.pack(database[0]))
    assert all((getattr(back, name) == getattr(database[0], name)).all() for name in ("whole", "local", "scales"))


@pytest.mark.slow
def test_it_keeps_the_rules_of_re_rankers(rrt):
    assert not broken_rules("harness_rrt")
