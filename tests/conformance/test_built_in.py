"""Every built-in method keeps the rules of its kind: all that the registry knows, no list kept by hand."""

from __future__ import annotations

import pytest

from harness.conformance.suite import check_one
from harness.conformance.under_test import find
from harness.plugin_api import KINDS

BUILT_IN = find("vision-evaluation-harness")
HEAVY = frozenset(
    {
        "efficientnet-lite0",
        "vgg16",
        "resnet50",
        "resnet101",
        "timm",
        "cnn13",
        "semi",
        "badge",
        "dal",
        "os-egm",
        "batch-bald",
        "activeft",
        "bait",
        "jlp",
    }
)
"""Those whose checks take longest; `make test-all` does them."""


def _marked(tested):
    slow = [pytest.mark.slow] if tested.entry.name in HEAVY else []
    return pytest.param(tested, marks=slow, id=tested.label)


@pytest.mark.parametrize("tested", [_marked(tested) for tested in BUILT_IN])
def test_keeps_the_rules_of_its_kind(tested):
    report = check_one(tested, cost=False)
    assert not report.failed, report.failed
    assert not [result for result in report.results if result.status == "unneeded"]


@pytest.mark.parametrize(
    "target", [pytest.param("learning:pretrain+semi", marks=pytest.mark.slow), "acquisition:random+coreset"]
)
def test_methods_put_together_keep_them_too(target):
    (tested,) = find(target)
    report = check_one(tested, cost=False)
    assert not report.failed, report.failed


def test_each_kind_is_there():
    assert {tested.entry.kind for tested in BUILT_IN} == set(KINDS)


WITHOUT_EXAMPLE = [tested for tested in BUILT_IN if tested.entry.kind == "dataset" and not tested.entry.check]


@pytest.mark.realdata
@pytest.mark.parametrize("tested", WITHOUT_EXAMPLE, ids=lambda tested: tested.label)
def test_datasets_that_bring_no_example_are_tried_on_real_data(tested, realdata, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(realdata))
    report = check_one(tested, cost=False)
    if any("answers none" in result.text for result in report.results):
        pytest.skip(next(result.text for result in report.results if result.text))
    assert not report.failed, report.failed
