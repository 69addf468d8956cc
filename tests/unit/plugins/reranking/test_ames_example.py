"""The adapter of AMES in ``tests/examples``: its network against loops in float64, its files, its order."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from attentions import EXAMPLES, attended, broken_rules, example, layer_norm, unit

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.plugin_api import Packs, TakesSignedMaps, UsesSimilarity
from harness.retrieval.reranking import BoundReranker

RNG = np.random.default_rng


@pytest.fixture
def ames():
    with example("harness_ames", "ames", "network") as modules:
        yield modules


@pytest.fixture
def adapter(ames, tmp_path):
    def create(features=6, bits=0, **parameters):
        path = tmp_path / f"{features}-{bits}.pt"
        torch.save(ames[1].random_state(features, bits=bits), path)
        return ames[0].AMES(path, **parameters)

    return create


def slow_logit(query, image, state):
    """One pair without padding, in float64."""
    state = {name: value.double().numpy() for name, value in state.items()}
    sides = []
    for number, x in enumerate((query, image)):
        x, place = unit(x.astype(np.float64)), 0
        if "remap_local.0.W" in state:
            x, place = np.sign(x @ state["remap_local.0.W"]), 1
        x = x @ state[f"remap_local.{place}.weight"].T + state[f"remap_local.{place}.bias"]
        x = layer_norm(x, state, f"remap_local.{place + 1}")
        sides.append(x.astype(np.float16).astype(np.float64) if number and not place else x)
    x = np.vstack([state["mtc_token"], *sides])
    side = [0] + [1] * len(query) + [2] * len(image)
    for n in range(sum(name.endswith("linear1.weight") for name in state)):
        at = f"decoder.layers.{n}"
        within = attended(x, state, f"{at}.self_attn", lambda i, j: 0 in (side[i], side[j]) or side[i] == side[j])
        x = layer_norm(x + within, state, f"{at}.norm1")
        between = attended(x, state, f"{at}.cross_attn", lambda i, j: 0 in (side[i], side[j]) or side[i] != side[j])
        x = layer_norm(x + between, state, f"{at}.norm2")
        hidden = np.maximum(x @ state[f"{at}.linear1.weight"].T + state[f"{at}.linear1.bias"], 0)
        x = layer_norm(x + hidden @ state[f"{at}.linear2.weight"].T + state[f"{at}.linear2.bias"], state, f"{at}.norm3")
    return float(x[0] @ state["classifier.weight"][0] + state["classifier.bias"][0])


@pytest.mark.parametrize("bits", [0, 12])
@pytest.mark.parametrize("cases", [1, pytest.param(200, marks=pytest.mark.slow)])
def test_logits_equal_loops_and_padding_changes_nothing(adapter, ames, bits, cases):
    """To 2e-3: half precision of the images rounds otherwise where a value lies between two."""
    method, state = adapter(bits=bits), ames[1].random_state(6, bits=bits)
    for seed in range(cases):
        rng = RNG(seed)
        query, *images = (rng.normal(size=(n, 6)).astype(np.float16) for n in rng.integers(1, 6, 4))
        found = method.score(query, images)
        np.testing.assert_allclose(found, [slow_logit(query, image, state) for image in images], atol=2e-3)
        np.testing.assert_allclose(found, [method.score(query, [image])[0] for image in images], atol=2e-3)


def test_features_are_the_heaviest_cells_of_all_scales(adapter):
    maps = [torch.from_numpy(RNG(n).normal(size=(6, 3, 2 + n)).astype(np.float32)) for n in range(2)]
    cells = np.concatenate([scale.numpy().reshape(6, -1).T for scale in maps])
    best = np.argsort(-np.linalg.norm(cells, axis=1), kind="stable")
    method = adapter(image_features=4, query_features=9)
    for role, m in (("database", 4), ("query", 9)):
        np.testing.assert_allclose(method.describe(maps, role), unit(cells[best[:m]]), atol=1e-3)
    packed = method.pack(method.describe(maps, "query"))
    np.testing.assert_array_equal(method.unpack(packed), method.describe(maps, "query"))


def test_a_detector_weighs_and_changes_the_cells(adapter, ames, tmp_path):
    state = {name: torch.randn(value.shape) / 2 for name, value in ames[1].Detector(6).state_dict().items()}
    state["bn.running_var"], state["bn.num_batches_tracked"] = torch.rand(6) + 0.5, torch.tensor(1)
    torch.save(state, tmp_path / "detector.pt")
    maps = torch.from_numpy(RNG(0).normal(size=(6, 3, 4)).astype(np.float32))
    found = adapter(detector=tmp_path / "detector.pt", image_features=5).describe([maps], "database")
    s = {name: value.double().numpy() for name, value in state.items()}
    cells = maps.double().numpy().reshape(6, -1).T @ s["conv1.weight"][:, :, 0, 0].T + s["conv1.bias"]
    cells = (cells - s["bn.running_mean"]) / np.sqrt(s["bn.running_var"] + 1e-5) * s["bn.weight"] + s["bn.bias"]
    weights = np.maximum(cells, 0) @ s["conv2.weight"][0, :, 0, 0] + s["conv2.bias"][0]  # softplus keeps the order
    np.testing.assert_allclose(found, unit(cells[np.argsort(-weights, kind="stable")[:5]]), atol=1e-3)


def test_the_order_mixes_and_scores_are_computed_once_for_all_mixtures(adapter):
    method = adapter(mix_weight=0.25, temperature=0.5)
    similarities, logits = np.array([0.9, 0.1, 0.5], np.float32), np.array([-4.0, 3.0, 0.0], np.float32)
    expected = 0.25 * similarities + 0.75 / (1 + np.exp(-0.5 * logits))
    np.testing.assert_allclose(method.order(similarities, logits), expected, rtol=1e-6)
    np.testing.assert_allclose(method.verified(logits), [0, 1 / (1 + np.exp(-1.5)), 0], rtol=1e-6)
    assert replace(method, mix_weight=1.0).order(similarities, logits).tolist() == similarities.tolist()
    assert isinstance(method, UsesSimilarity)
    assert isinstance(method, Packs)
    assert isinstance(method, TakesSignedMaps)
    assert {one.name for one in fields(method) if one.metadata.get("ordering")} == {"mix_weight", "temperature"}


def test_it_reorders_a_ranking(adapter):
    from harness.plugin_api import Ranking

    rng, method = RNG(0), adapter(top=3)
    queries, database = ({i: rng.normal(size=(4, 6)).astype(np.float16) for i in range(n)} for n in (1, 5))
    bound = BoundReranker(method, "ames", queries, database, np.arange(5))
    ranking = Ranking(np.array([[3, 1, 0, 2, 4]]), np.linspace(0.9, 0.5, 5, dtype=np.float32)[None])
    scores = bound.scores(range(1), ranking.indices)
    found = bound.rerank(ranking, scores)
    order = np.argsort(-method.order(ranking.scores[0][:3], scores[0]), kind="stable")
    assert found.indices[0].tolist() == [*ranking.indices[0][:3][order], 2, 4]


def test_bad_files_and_maps_are_named(adapter, ames, tmp_path):
    with pytest.raises(DataMissing, match="cannot be read"):
        ames[0].AMES(tmp_path / "nothing.pt")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(DataDamaged, match="are no network of AMES"):
        ames[0].AMES(tmp_path / "other.pt").score(np.zeros((1, 6), np.float16), [np.zeros((1, 6), np.float16)])
    torch.save({"weights": EXAMPLES}, tmp_path / "code.pt")  # a file that would run code
    with pytest.raises(DataDamaged, match="are refused"):
        ames[0].AMES(tmp_path / "code.pt").score(np.zeros((1, 6), np.float16), [np.zeros((1, 6), np.float16)])
    flat = {name: value.flatten() for name, value in ames[1].random_state(6).items()}
    torch.save(flat, tmp_path / "flat.pt")
    with pytest.raises(DataDamaged, match="are no network of AMES"):
        ames[0].AMES(tmp_path / "flat.pt").score(np.zeros((1, 6), np.float16), [np.zeros((1, 6), np.float16)])
    with pytest.raises(InvalidInput, match="features of 6 dimensions, the maps have 7"):
        adapter().score(np.zeros((1, 7), np.float16), [np.zeros((1, 7), np.float16)])


@pytest.mark.slow
def test_it_keeps_the_rules_of_re_rankers(ames):
    assert not broken_rules("harness_ames")
