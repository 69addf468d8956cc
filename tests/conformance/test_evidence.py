"""``harness verify``: methods beside their references, whoever offers them."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.cli import main
from harness.conformance.evidence import summary, verify
from harness.core.errors import BROKEN_PLUGIN, SpecError, UnknownName
from harness.metrics.protocols import evaluate_protocol, parse_name
from harness.plugin_api import Comparison
from harness.registry import load_registry

PLUGIN = """
from dataclasses import dataclass
from harness import hookimpl
from harness.metrics.protocols import evaluate_protocol, parse_name
from harness.plugin_api import Comparison

@dataclass(frozen=True)
class Mean:
    '''Mean of each map.'''
    factor: float = 1.0
    def pool(self, maps):
        return self.factor * maps.mean((-2, -1))

def means(create):
    '''Means by numpy.

    More lines are for readers.'''
    import torch
    maps = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    for factor in (1.0, 2.0):
        expected = FACTOR * maps.numpy().mean((1, 2))
        yield Comparison(f"factor {factor:g}", create(factor=factor).pool(maps), expected, 1e-5)

def fails(create):
    '''Cannot be computed.'''
    raise ValueError("no\\nway \\x1b[31m")
    yield

def empty(create):
    '''Compares nothing.'''
    return iter(())

@hookimpl
def harness_register(registry):
    registry.pooling("my-mean", Mean, evidence=means)
    registry.pooling("my-fails", Mean, evidence=fails)
    registry.pooling("my-empty", Mean, evidence=empty)
    registry.pooling("my-plain", Mean)
    registry.pooling("my-missing", Mean, evidence="no_such_module:nothing")
"""


@pytest.fixture
def plugin(tmp_path):
    def write(factor="factor"):
        path = tmp_path / "mine.py"
        path.write_text(PLUGIN.replace("FACTOR", factor))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("computed", "expected", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([1.0], [1.0, 2.0], np.inf),
        ([3, 1], [3, 1], 0),
        ([3, 1], [3, 2], np.inf),
        ([np.nan, 1.0], [np.nan, 1.0], 0),
        ([np.nan, 1.0], [0.0, 1.0], np.nan),
        ([-np.inf, 1.0], [np.inf, 1.0], np.inf),
        ([1e-9], [0.0], np.inf),
        ([], [], 0),
    ],
)
def test_the_difference_is_a_share_of_the_largest_value(computed, expected, difference):
    found = Comparison("case", computed, expected, tolerance=0.6)
    np.testing.assert_equal(found.difference, difference)
    assert found.holds == (difference <= 0.6)


def test_a_plugin_offers_its_own_evidence(plugin):
    found = {verdict.method: verdict for verdict in verify(plugin(), workers=1)}
    mean = found["pooling:my-mean"]
    assert (mean.status, mean.cases, mean.reference) == ("equal", 2, "Means by numpy.")
    assert mean.difference < 1e-5
    assert found["pooling:my-plain"].line == "no reference: checked by rules only"
    assert "ValueError: no way" in found["pooling:my-fails"].line
    assert "\x1b" not in found["pooling:my-fails"].line
    assert "has no case" in found["pooling:my-empty"].line
    assert "no_such_module" in found["pooling:my-missing"].line
    assert [name for name, verdict in found.items() if not verdict.holds] == [
        "pooling:my-empty",
        "pooling:my-fails",
        "pooling:my-missing",
    ]


def test_a_difference_is_told_and_ends_with_another_code(plugin, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["harness", "verify", plugin("3 * factor"), "--json", "--workers", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == BROKEN_PLUGIN
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["pooling:my-mean"]["status"] == "different"
    assert rows["pooling:my-mean"]["line"] == "differs from its reference by 0.7: factor 1"


def test_one_method_by_name_or_by_kind_and_name():
    (by_name,) = verify("mac", workers=1)
    (by_both,) = verify("pooling:mac", workers=1)
    assert by_name == by_both
    assert by_name.line == "equals its reference exactly in 20 cases"
    with pytest.raises(SpecError, match="several methods"):
        verify("superglobal")
    with pytest.raises(UnknownName, match='unknown pooling "gm"'):
        verify("gm", kind="pooling")
    with pytest.raises(UnknownName, match='unknown kind "pool"'):
        verify(kind="pool")


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ("gemm", None, 'did you mean "gem"?'),
        ("trec-mp", None, 'did you mean "trec-map"?'),
        ("zzz", "protocol", "fix: harness evaluate --list lists all"),
        ("zzz", "metric", "metrics: retrieval, accuracy"),
    ],
)
def test_a_name_that_is_not_there_has_a_remedy(target, kind, words):
    with pytest.raises(UnknownName) as caught:
        verify(target, kind=kind)
    assert words in str(caught.value)
    assert "--all" not in str(caught.value)


def test_protocols_and_metrics_are_compared_too():
    (protocol,) = verify("gldv2-gap", workers=1)
    assert (protocol.method, protocol.status) == ("protocol:gldv2-gap", "equal")
    found = {verdict.method: verdict for verdict in verify(kind="metric", workers=1)}
    assert set(found) == {f"metric:{name}" for name in ("retrieval", "accuracy", "area-under-curve", "labels-needed")}
    assert all(verdict.status == "equal" for verdict in found.values())
    assert summary([protocol, *found.values()]) == "5 protocols and metrics: 5 equal their reference"
    with pytest.raises(UnknownName, match='did you mean "gldv2-gap"'):
        verify("gldv2-gab", kind="protocol")


def test_figures_that_others_print_are_compared_and_named():
    (protocol,) = verify("gldv2-map", workers=1)
    assert protocol.reference.endswith("; figures printed by tensorflow/models.")
    from harness_evidence.published import PUBLISHED

    assert sum(len(one.figures) for one in PUBLISHED) >= 20
    assert all("(" in one.source for one in PUBLISHED)  # each says its licence


def test_a_protocol_that_counts_otherwise_is_found():
    from harness_evidence.protocols import protocol

    def other(name, *rankings, **given):
        return [
            replace(one, name=parse_name(name))
            for one in evaluate_protocol(name.replace("map", "p"), *rankings, **given)
        ]

    assert not all(one.holds for one in protocol("gldv2-map")(other))


def built_in():
    registry = load_registry(built_in_only=True)
    from harness.plugin_api import KINDS

    return [registry.entry(kind, name) for kind in KINDS for name in registry.names(kind)]


def test_every_reference_that_is_named_exists_and_says_what_it_is():
    for entry in built_in():
        if entry.evidence is not None:
            module, _, name = entry.evidence.partition(":")
            function = getattr(importlib.import_module(module), name)
            assert name == entry.name.replace("-", "_")
            assert function.__doc__.partition("\n")[0].endswith(".")


def test_only_datasets_have_no_reference():
    """They compute nothing that a formula says."""
    without = {entry.kind for entry in built_in() if entry.evidence is None}
    assert without == {"dataset"}


def test_a_dataset_has_nothing_to_compute_and_a_library_that_is_not_there_is_said(plugin, monkeypatch):
    (digits,) = verify("dataset:digits", workers=1)
    assert digits.line.startswith("nothing to compute: it reads data")
    path = Path(plugin())
    path.write_text(path.read_text().replace("raise ValueError(", "raise harness.core.errors.DataMissing("))
    path.write_text("import harness.core.errors\n" + path.read_text())
    found = {verdict.method: verdict for verdict in verify(str(path), workers=1)}
    assert found["pooling:my-fails"].line.startswith("not compared: no way")
    assert found["pooling:my-fails"].holds


def test_the_stored_evidence_of_the_pages_is_fresh(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "tools" / "site")
    stored = importlib.import_module("method_evidence")
    content = json.loads(stored.STORED.read_text())
    labels = {f"{entry.kind}:{entry.name}" for entry in built_in() if entry.evidence is not None}
    assert (content["digests"], set(content["methods"])) == (stored.digests(), labels), "run `make evidence`"
    (entry,) = (entry for entry in built_in() if (entry.kind, entry.name) == ("pooling", "gem"))
    (line,) = stored.lines(entry)
    assert line.startswith("Evidence: equals its reference to")
    assert "generalised means in extended precision" in line
    (digits,) = (entry for entry in built_in() if (entry.kind, entry.name) == ("dataset", "digits"))
    assert list(stored.lines(digits))[0].startswith("Evidence: nothing to compute: it reads data")


@pytest.mark.slow
def test_all_built_in_methods_equal_their_references():
    verdicts = verify(workers=2)
    assert [verdict.line for verdict in verdicts if not verdict.holds] == []
    assert sum(verdict.status == "equal" for verdict in verdicts) > 160
