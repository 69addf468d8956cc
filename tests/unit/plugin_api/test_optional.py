"""Every optional hook is a named protocol that the built-in methods that have it satisfy."""

from __future__ import annotations

import pytest

from harness import plugin_api
from harness.plugin_api import KINDS, OPTIONAL_HOOKS, DescribesImages, DrawsMatches, HasInstances, Packs, PoolsQueries
from harness.registry import load_registry

HAS = [
    (PoolsQueries, "pooling", "fs-egm", True),
    (PoolsQueries, "pooling", "gem", False),
    (plugin_api.PoolsUncroppedQueries, "pooling", "fs-egm", True),
    (plugin_api.PoolsUncroppedQueries, "pooling", "gem", False),
    (plugin_api.SeesBatches, "backbone", "resnet50", True),
    (plugin_api.PoolsAnywhere, "pooling", "gem", True),
    (plugin_api.PoolsAnywhere, "pooling", "os-egm", False),
    (plugin_api.LearnsFromMaps, "pooling", "rmac", True),
    (plugin_api.MayLearn, "pooling", "rmac", True),
    (plugin_api.MayLearn, "pooling", "os-egm", False),
    (plugin_api.HasFirstPass, "pooling", "os-egm", True),
    (plugin_api.HasFirstPass, "pooling", "fs-egm", False),
    (plugin_api.ShowsDetection, "pooling", "fs-egm", True),
    (plugin_api.DetectsRegions, "pooling", "os-egm", True),
    (plugin_api.GivesRegions, "pooling", "rgem", True),
    (plugin_api.GivesRegions, "pooling", "gem", False),
    (plugin_api.ExpandsRegions, "expansion", "regional-diffusion", True),
    (plugin_api.ExpandsRegions, "expansion", "diffusion", False),
    (DescribesImages, "reranking", "sift-ransac", True),
    (DescribesImages, "reranking", "dsm", False),
    (Packs, "reranking", "dsm", True),
    (DrawsMatches, "reranking", "dsm", True),
    (DrawsMatches, "reranking", "r-match", False),
    (plugin_api.GuidesTraining, "reranking", "dsm", True),
    (plugin_api.SeesRotations, "reranking", "dsm", True),
    (plugin_api.SeesRotations, "reranking", "sift-ransac", False),
    (plugin_api.UsesSimilarity, "reranking", "dsm", True),
    (plugin_api.UsesSimilarity, "reranking", "sift-ransac", True),
    (plugin_api.UsesSimilarity, "reranking", "r-match", False),
    (plugin_api.ChangesByCycle, "acquisition", "random+coreset", True),
    (plugin_api.ChangesByCycle, "acquisition", "coreset", False),
    (plugin_api.KeepsFeatures, "network", "linear-head", True),
    (plugin_api.KeepsFeatures, "network", "small-cnn", False),
    (plugin_api.RestoresModel, "learning", "logistic", True),
    (plugin_api.RestoresModel, "learning", "pretrain+knn", True),
    (plugin_api.RestoresModel, "learning", "supervised", False),
    (HasInstances, "dataset", "revisited", True),
    (plugin_api.ListsFiles, "dataset", "image-classes", True),
    (plugin_api.ListsFiles, "dataset", "image-instances", True),
    (plugin_api.ListsFiles, "dataset", "digits", False),
    (plugin_api.KnowsLabels, "dataset", "embeddings", True),
    (plugin_api.KnowsLabels, "dataset", "usps", True),
    (plugin_api.SeesLabels, "acquisition", "balanced-random", True),
    (plugin_api.SeesLabels, "acquisition", "random", False),
    (plugin_api.AsksLabels, "acquisition", "galaxy", True),
    (plugin_api.AsksLabels, "acquisition", "balanced-random", False),
    (plugin_api.Remembers, "acquisition", "dcom", True),
    (plugin_api.Remembers, "acquisition", "probcover", False),
]


@pytest.mark.parametrize(("protocol", "kind", "name", "has"), HAS, ids=lambda value: getattr(value, "__name__", None))
def test_who_has_which_hook(protocol, kind, name, has):
    method = load_registry().entry(kind, name).load()
    assert isinstance(object.__new__(method), protocol) is has


def test_every_runtime_checkable_protocol_is_listed_with_kinds_that_exist():
    named = [getattr(plugin_api, name) for name in plugin_api.__all__]
    checkable = {one for one in named if getattr(one, "_is_runtime_protocol", False)}
    assert set(OPTIONAL_HOOKS) == checkable
    assert all(kinds and set(kinds) <= set(KINDS) for kinds in OPTIONAL_HOOKS.values())


def test_every_protocol_and_class_is_documented():
    classes = [value for value in map(vars(plugin_api).get, plugin_api.__all__) if isinstance(value, type)]
    assert [one.__name__ for one in classes if not (one.__doc__ or "").strip()] == []
