"""Every protocol beside the same one read aloud: one query and one rank after the other, in plain Python."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput, UnknownName
from harness.metrics.protocols import (
    PROTOCOLS,
    MetricName,
    category_means,
    evaluate_name,
    evaluate_names,
    evaluate_protocol,
    expand_names,
    judged,
    micro_average_precision,
    parse_name,
)
from harness.metrics.ranking import evaluate
from harness_evidence.aloud import one_list
from harness_evidence.protocols import BY_HAND, expected_values

FAMILIES = ("trec", "ir-measures", "mteb-multichoice", "mteb-retrieval", "mteb-self")


@st.composite
def cases(draw):
    """Truncated lists of different lengths with ties; labels that may be empty, all junk, or not reached."""
    n = draw(st.integers(1, 14))
    rows, scores, truth, own = [], [], [], []
    graded = draw(st.booleans())
    for _ in range(draw(st.integers(1, 3))):
        rows.append(draw(st.permutations(range(n)))[: draw(st.integers(0, n))])
        values = draw(st.lists(st.integers(-3, 3), min_size=len(rows[-1]), max_size=len(rows[-1])))
        scores.append(sorted((float(value) for value in values), reverse=True))
        kinds = ["easy", "hard", "junk", ""] if graded else ["easy", "junk", ""]
        label = draw(st.lists(st.sampled_from(kinds), min_size=n, max_size=n))
        truth.append({name: [i for i in range(n) if label[i] == name] for name in ("easy", "hard", "junk")})
        own.append(draw(st.none() | st.integers(0, n - 1)))
    return rows, scores, truth, own, n


NAMED = [name for name in expand_names("all") if not name.definition.needs_scores]
SMALL = sorted({MetricName(name.protocol, k) for name in NAMED for k in ((1, 3, 20) if name.k else (0,))})
GROUPS = {family: [n for n in SMALL if n.protocol.startswith(f"{family}-")] for family in FAMILIES}
GROUPS["others"] = [n for n in SMALL if not n.protocol.startswith(tuple(f"{family}-" for family in FAMILIES))]


@pytest.mark.parametrize("group", GROUPS)
@settings(max_examples=12, deadline=None)
@given(case=cases(), with_scores=st.booleans())
def test_equals_the_protocol_read_aloud(group, case, with_scores):
    check(group, case, with_scores)


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
@settings(max_examples=400, deadline=None)
@given(case=cases(), with_scores=st.booleans())
def test_equals_the_protocol_read_aloud_in_many_cases(group, case, with_scores):
    check(group, case, with_scores)


def check(group, case, with_scores):
    rows, scores, truth, own, n = case
    prepared = judged(rows, truth, scores=scores if with_scores else None, n_database=n, own=own)
    for name in GROUPS[group]:
        for setup in prepared.setups:
            metric = MetricName(name.protocol, name.k, setup)
            expected, mean = expected_values(metric, case, with_scores)
            found = evaluate_name(prepared, metric)
            wanted = [math.nan if v is None else v for v in expected]
            np.testing.assert_allclose(found.values, wanted, rtol=1e-12, atol=1e-15, err_msg=str(metric))
            np.testing.assert_allclose(found.mean, mean, rtol=1e-12, atol=1e-15)
            assert found.counted == sum(v is not None for v in expected)


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_one_list_over_all_queries_read_aloud(case):
    rows, scores, truth, _, n = case
    for setup in judged(rows, truth, n_database=n).setups:
        expected = one_list(setup, rows, scores, truth)
        for protocol, number in expected.items():
            name = f"{protocol}_{setup}" if setup else protocol
            (found,) = evaluate_protocol(name, rows, truth, scores=scores, n_database=n)
            np.testing.assert_allclose(found.mean, number, rtol=1e-12, err_msg=protocol)
            assert found.values is None


def one(name, rankings, truth, **also):
    (found,) = evaluate_protocol(name, rankings, truth, **also)
    return found.mean


@pytest.mark.parametrize(("name", "row", "truth", "also", "expected"), BY_HAND)
def test_cases_by_hand(name, row, truth, also, expected):
    assert one(name, [list(row)], [truth], **also) == pytest.approx(expected, rel=1e-12)


def test_which_queries_count():
    ranks, truth = [[0, 1], [], [0, 1]], [{"easy": [0]}, {"easy": [0]}, {}]
    assert one("revisited", ranks, truth) == 0.5  # 1, 0, left out
    assert one("iscen", ranks, truth) == pytest.approx(1 / 3)
    assert one("trec-map", ranks, truth) == 0.5  # 1, unanswered, 0
    assert one("ir-measures-map", ranks, truth) == pytest.approx(1 / 3)
    assert one("ilias-map", ranks, truth) == 1.0


def test_means_of_classes_of_one_size_and_of_another():
    """Three queries of a class that is found, one of a class that is not: 3/4 of the queries, half of the classes."""
    truth = [{"easy": [j for j in range(3) if j != i]} for i in range(3)] + [{"easy": [4]}, {"easy": []}]
    rankings = [[i, *(j for j in range(5) if j != i)] for i in range(3)] + [[3, 0, 1, 2, 4], [0]]
    own = [0, 1, 2, 3, 4]
    assert one("pml-precision", rankings, truth, own=own) == 0.75
    assert one("pml-avg-precision", rankings, truth, own=own) == 0.5
    given_ = judged(rankings, truth, own=own)
    assert given_.classes.tolist() == [0, 0, 0, 1, 2]
    (found,) = evaluate_names(given_, "pml-precision")
    categories = ["toys", "toys", "toys", "toys", "art"]
    assert category_means(found, given_.classes, categories) == {
        "toys": 0.5,
        "art": pytest.approx(math.nan, nan_ok=True),
    }
    assert category_means(found, given_.classes, [None, "a", "a", "b", "b"]) == {"a": 1.0, "b": 0.0}
    with pytest.raises(InvalidInput, match="5 queries have 5 objects and 1 categories"):
        category_means(found, given_.classes, ["toys"])
    (whole,) = evaluate_protocol("isc-muap", [[0]], [{"easy": [0]}], scores=[[1.0]])
    with pytest.raises(InvalidInput, match="has no categories"):
        category_means(whole, [0], ["toys"])


def test_junk_may_be_taken_out_negative_or_positive():
    ranks, truth = [[0, 1, 2]], [{"easy": [1], "hard": [2], "junk": [0]}]
    values = {n: one(f"{n}_medium", ranks, truth) for n in ("revisited", "instre", "iscen-junk-ok")}
    assert values == {"revisited": 1.0, "instre": pytest.approx((0.25 + (0.5 + 2 / 3) / 2) / 2), "iscen-junk-ok": 1.0}
    assert one("mteb-multichoice-map@5_hard", ranks, truth) == 1.0
    assert one("mteb-retrieval-map@5_hard", ranks, truth) == pytest.approx(1 / 3)


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_protocols_that_agree_on_whole_lists_without_ties(case):
    rows, _, truth, _, n = case
    rows = [[*row, *sorted(set(range(n)) - set(row))] for row in rows]
    given_ = judged(rows, truth, n_database=n)
    no_junk = judged(rows, [{"easy": [*labels["easy"], *labels["hard"]]} for labels in truth], n_database=n)

    def mean(name, of=given_):
        return np.array([e.mean for e in evaluate_names(of, name)])

    for other in ("dirtorch", "ames-revisited", "vissl-revisited", "delf-revisited", "oxford"):
        np.testing.assert_allclose(mean("revisited"), mean(other), rtol=1e-12)
    np.testing.assert_allclose(mean("ilias-map@3"), mean("gldv2-map@3"), rtol=1e-12)
    np.testing.assert_allclose(mean("gldv2-map@1k", no_junk), mean("map@1k", no_junk), rtol=1e-12)
    np.testing.assert_allclose(mean("sklearn-ap"), mean("pml-map"), rtol=1e-12)
    np.testing.assert_allclose(mean("recall@1"), mean("mteb-multichoice-success@1"), rtol=1e-12)
    assert (np.nan_to_num(mean("revisited")) <= np.nan_to_num(mean("pml-map")) + 1e-12).all()  # trapezoid <= finite sum
    theirs = evaluate(rows, truth, n_database=n)
    names = {"": "medium"}
    for found in evaluate_names(given_, "revisited"):
        np.testing.assert_allclose(found.values, theirs[names.get(found.name.setup, found.name.setup)].ap, rtol=1e-12)
    for found in evaluate_names(given_, "mp@5"):
        setup = names.get(found.name.setup, found.name.setup)
        np.testing.assert_allclose(found.values, theirs[setup].precision[:, 1], rtol=1e-12)
    for name, column in (("map@5", "precision_sum"), ("recall@5", "success")):
        for found in evaluate_names(given_, name):
            values = getattr(theirs[names.get(found.name.setup, found.name.setup)], column)[:, 1]
            np.testing.assert_allclose(
                found.values, np.nan_to_num(values) if name == "recall@5" else values, rtol=1e-12
            )


@pytest.mark.parametrize(
    ("rows", "truth", "also", "words"),
    [
        ([[0, 1]], [{"easy": [0], "junk": [0]}], {}, "id 0 is listed in easy and junk"),
        ([[1, 1]], [{"easy": [0]}], {}, "id 1 is ranked twice"),
        ([[0, 9]], [{"easy": [0]}], {"n_database": 5}, "holds id 9, which is out of range"),
        ([[0]], [{"easy": [9]}], {"n_database": 5}, "id 9 is out of range"),
        ([[0]], [{"easy": [0]}], {"scores": [[math.nan]]}, "the score at rank 1 is NaN"),
        ([[0, 1]], [{"easy": [0]}], {"scores": [[1.0, 2.0]]}, "scores rise at rank 2"),
        ([[0, 1]], [{"easy": [0]}], {"scores": [["a", "b"]]}, "scores are <U1"),
        ([[0]], [{"easy": [0]}, {}], {}, "1 queries have a ranking, 2 a ground truth"),
        ([[0]], [{"easy": [0]}], {"own": [1, 2]}, "2 an id of their own"),
        ([[0]], [{"easy": [0]}], {"own": [7], "n_database": 5}, "its own id 7 is out of range"),
        ([[4]], [{"easy": [0]}], {"names": ["a"]}, "1 names, but 5 images"),
        ([[0]], [{"positives": [0]}], {}, 'did you mean "easy"?'),
    ],
)
def test_wrong_input_is_refused(rows, truth, also, words):
    with pytest.raises(InvalidInput) as caught:
        evaluate_protocol("map", rows, truth, **also)
    assert words in str(caught.value)


def test_what_a_protocol_asks_for():
    with pytest.raises(InvalidInput, match='"isc-muap" needs scores'):
        evaluate_protocol("isc-muap", [[0]], [{"easy": [0]}])
    with pytest.raises(InvalidInput, match='has no "hard"'):
        evaluate_protocol("mAP(revisited, hard)", [[0]], [{"easy": [0]}])
    protocols = {e.name.protocol for e in evaluate_protocol("all", [[0]], [{"easy": [0]}])}
    assert protocols == {p.id for p in PROTOCOLS.values() if not p.needs_scores}
    assert protocols < {e.name.protocol for e in evaluate_protocol("all", [[0]], [{"easy": [0]}], scores=[[1.0]])}


def test_names_are_printed_and_read_again():
    for name in expand_names("all"):
        for setup in ("", "hard"):
            metric = MetricName(name.protocol, name.k, setup)
            assert parse_name(str(metric)) == parse_name(metric.key) == metric
    printed = {
        "gldv2-map": "mAP@100(gldv2)",
        "map@100": "mAP@100",
        "R@1": "R@1",
        "recall@1": "R@1",
        "mAP(revisited, hard)": "mAP(revisited, hard)",
        "ilias-map@1k": "mAP@1000(ilias)",
        "revisited_hard": "mAP(revisited, hard)",
        "map(Revisited)": None,
        "MAP@R(pml)": "MAP@R(pml)",
        "P@10(trec, easy)": "P@10(trec, easy)",
    }
    for text, expected in printed.items():
        if expected is None:
            with pytest.raises(UnknownName):
                parse_name(text)
        else:
            assert str(parse_name(text)) == expected
    assert [n.k for n in expand_names("revisited-mp")] == [1, 5, 10]
    assert {n.protocol for n in expand_names("uned")} == {"uned-r", "uned-mmp", "uned-map"}
    for text, words in (
        ("gldv2-mpa", 'did you mean "gldv2-map"?'),
        ("revisited@3", "has no @3"),
        ("map@0", "at least 1"),
    ):
        with pytest.raises(UnknownName) as caught:
            expand_names(text)
        assert words in str(caught.value)


def test_every_protocol_says_where_it_is_from():
    for protocol in PROTOCOLS.values():
        assert protocol.source
        assert (protocol.measure is None) == protocol.needs_scores
    assert PROTOCOLS["revisited"].shown(0.12345) == "12.35"
    assert PROTOCOLS["mteb-retrieval-map-cut"].shown(0.12345678) == "0.12346"


def test_pairs_and_scores_of_one_length():
    with pytest.raises(InvalidInput, match="one length"):
        micro_average_precision([True], [1.0, 0.5], 1)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "size", "ceilings"), [("roxford5k", 4993, (44.6, 27.9, 43.0)), ("rparis6k", 6322, (12.5, 2.8, 5.4))]
)
def test_the_ceiling_of_the_published_board(realdata, name, size, ceilings):
    """map_at_5 of hundreds of positives cannot be large; ROxford Easy has two queries that count 0."""
    queries = json.loads((realdata / "retrieval" / "revisited" / f"{name}.json").read_text())["queries"]
    truth = [{label: query[label] for label in ("easy", "hard", "junk")} for query in queries]

    def perfect(label):
        other = {"easy": "hard", "hard": "easy"}[label]
        return [[*t[label], *t[other], *(set(range(size)) - set(t[label]) - set(t[other]))] for t in truth]

    for setup, label, ceiling in zip(("easy", "medium", "hard"), ("easy", "easy", "hard"), ceilings, strict=True):
        (found,) = evaluate_protocol(f"mteb-multichoice-map@5_{setup}", perfect(label), truth, n_database=size)
        assert round(100 * found.mean, 1) == ceiling
        empty = sum(not any(t[part] for part in (["easy", "hard"] if setup == "medium" else [label])) for t in truth)
        assert found.counted == 70
        assert empty == (2 if (name, setup) == ("roxford5k", "easy") else 0)
