"""Every built-in method keeps the rules of its kind: all that the registry knows, no list kept by hand."""

from __future__ import annotations

import pytest

from harness.conformance.subject import find
from harness.conformance.suite import check_one
from harness.plugin_api import KINDS

BUILT_IN = find("vision-evaluation-harness")


@pytest.mark.parametrize("subject", BUILT_IN, ids=lambda subject: subject.label)
def test_keeps_the_rules_of_its_kind(subject):
    report = check_one(subject, cost=False)
    assert not report.failed, report.failed
    assert not [result for result in report.results if result.status == "unneeded"]


@pytest.mark.parametrize("target", ["learning:pretrain+semi", "acquisition:random+coreset"])
def test_methods_put_together_keep_them_too(target):
    (subject,) = find(target)
    report = check_one(subject, cost=False)
    assert not report.failed, report.failed


def test_each_kind_is_there():
    assert {subject.entry.kind for subject in BUILT_IN} == set(KINDS)


WITHOUT_EXAMPLE = [subject for subject in BUILT_IN if subject.entry.kind == "dataset" and not subject.entry.check]


@pytest.mark.realdata
@pytest.mark.parametrize("subject", WITHOUT_EXAMPLE, ids=lambda subject: subject.label)
def test_datasets_that_bring_no_example_are_tried_on_real_data(subject, realdata, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(realdata))
    report = check_one(subject, cost=False)
    if any("answers none" in result.text for result in report.results):
        pytest.skip(next(result.text for result in report.results if result.text))
    assert not report.failed, report.failed
