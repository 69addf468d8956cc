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

FAMILIES = ("trec", "ir-measures", "mteb-multichoice", "mteb-retrieval", "mteb-self")
SETUPS = {
    "": ("easy hard", "junk"),
    "easy": ("easy", "junk hard"),
    "medium": ("easy hard", "junk"),
    "hard": ("hard", "junk easy"),
}
NO_JUNK = {"instre", "copydays", "ukbench", "gldv2-map", "ilias-map", "ilias-oracle", "vpr-recall", "hpatches-ap"}
NO_JUNK |= {"met-acc", "gldv2-top", "gldv2-p"}
DROPPED = {"recall-dropped", "uned-r", "uned-mmp", "uned-map"}
ZERO = {"recall", "recall-dropped", "iscen", "iscen-junk-ok", "torchmetrics-map", "vpr-recall"}
LEFT = {"ilias-map", "ilias-oracle", "torchmetrics-map"}


class Query:
    """A query whose list holds images and their scores, and the ids that are positive."""

    def __init__(self, row, scores, positive):
        self.row, self.scores, self.positive = row, scores, positive

    @property
    def flags(self):
        return [image in self.positive for image in self.row]

    def only(self, keep):
        kept = [(i, s) for i, s in zip(self.row, self.scores, strict=True) if keep(i)]
        return Query([i for i, _ in kept], [s for _, s in kept], self.positive)

    def first(self, k):
        return Query(self.row[:k], self.scores[:k], self.positive)


def trapezoid(flags, divisor):
    area, hits = 0.0, 0
    for rank, flag in enumerate(flags):
        if flag:
            before = 1.0 if rank == 0 else hits / rank
            hits += 1
            area += (before + hits / (rank + 1)) / 2
    return area / divisor if divisor else 0.0


def rectangles(flags, divisor):
    area, hits = 0.0, 0
    for rank, flag in enumerate(flags):
        if flag:
            hits += 1
            area += hits / (rank + 1)
    return area / divisor if divisor else 0.0


def groups(query, divisor):
    """scikit-learn's: a step of recall at each distinct score times the precision there."""
    area, seen, hits = 0.0, 0, 0
    for score in sorted(set(query.scores), reverse=True):
        members = [flag for flag, value in zip(query.flags, query.scores, strict=True) if value == score]
        seen, hits = seen + len(members), hits + sum(members)
        area += sum(members) * hits / seen
    return area / divisor if divisor else 0.0


def interpolated(flags, total, points):
    precisions = (
        [(sum(flags[: r + 1]) / total, sum(flags[: r + 1]) / (r + 1)) for r in range(len(flags))] if total else []
    )
    return sum(max((p for recall, p in precisions if ok(recall)), default=0.0) for ok in points) / len(points)


def in_trec_order(query, names):
    pairs = sorted(zip(query.row, query.scores, strict=True), key=lambda pair: names(pair[0]), reverse=True)
    pairs = sorted(pairs, key=lambda pair: -np.float32(pair[1]))
    return Query([i for i, _ in pairs], [float(np.float32(s)) for _, s in pairs], query.positive)


def reference(name, row, scores, labels, own, size):
    """The value of one query, None where it is left out. ``scores`` are falling numbers, distinct if there are none."""
    protocol, k = name.protocol, name.k
    wanted, left_out = SETUPS[name.setup]
    positive = {i for label in wanted.split() for i in labels[label]}
    removed = {i for label in left_out.split() for i in labels[label]}
    if protocol == "vissl-revisited":
        positive, removed = ({i for i in ids if i < len(row)} for ids in (positive, removed))
    if protocol == "iscen-junk-ok":
        positive, removed = positive | set(labels["junk"]), removed - set(labels["junk"])
    itself = set() if own is None else {own}
    if protocol == "vissl-revisited":
        itself = {i for i in itself if i < len(row)}
    trec = protocol.startswith(("trec-", "ir-measures-", "mteb-"))
    whole = protocol.startswith(("trec-", "ir-measures-", "mteb-retrieval", "mteb-self"))
    if protocol in NO_JUNK | DROPPED or whole:
        removed = set()
    if protocol in DROPPED | {"oxford", "ukbench", "dirtorch-top"} or protocol.startswith("mteb-self"):
        positive, removed = positive | itself, removed - itself
    elif whole:
        positive, removed = positive - itself, removed - itself
    else:
        positive, removed = positive - itself, removed | itself
    total = len(positive)
    if protocol in DROPPED:
        total -= len(itself)
    query = Query(list(row), list(scores), positive)
    if (protocol in DROPPED or protocol.startswith("mteb-self")) and own is not None:
        query = query.only(lambda image: image != row[0])
    if trec:
        query = in_trec_order(query, str)
    query = query.only(lambda image: image not in removed)
    if protocol.startswith("mteb-"):
        query = query.first(1000)
    if not row and (protocol in LEFT or protocol.startswith("trec-")):
        return None
    if total <= 0 and not (protocol in ZERO or trec):
        return None
    return value(protocol, k, query, total, len(row))


def value(protocol, k, query, total, length):
    flags, protocol = query.flags, protocol.replace("pml-avg-", "pml-")
    for family in FAMILIES:
        if protocol.startswith(f"{family}-"):
            return trec(protocol.removeprefix(f"{family}-"), k, flags, total)
    last = max((r + 1 for r, flag in enumerate(flags) if flag), default=0)
    small, top = min(total, k), sum(flags[:k])
    found = sum(flags)
    cuts = {"revisited-mp": min(k, last), "mp": min(k, last) if found == total else k}
    if protocol in cuts:
        return sum(flags[: cuts[protocol]]) / cuts[protocol] if cuts[protocol] else 0.0
    if protocol == "torchmetrics-map":
        flags = [flag and score > 0 for flag, score in zip(query.flags, query.scores, strict=True)][:k]
        return rectangles(flags, sum(flags))
    return {
        **dict.fromkeys(
            ("map", "revisited", "oxford", "vissl-revisited", "iscen", "iscen-junk-ok", "instre", "holidays",
             "hpatches-ap"),
            lambda: trapezoid(flags, total),
        ),
        "map-cut": lambda: rectangles(flags[:k], small),
        "gldv2-map": lambda: rectangles(flags[:k], small),
        **dict.fromkeys(
            ("recall", "recall-dropped", "vpr-recall", "uned-r", "met-acc", "gldv2-top", "dirtorch-top"),
            lambda: float(top > 0),
        ),
        "delf-revisited": lambda: trapezoid(flags, found),
        "dirtorch": lambda: trapezoid(flags, found),
        "delf-recall": lambda: top / found if found else 0.0,
        "ames-revisited": lambda: trapezoid(flags, min(total, length)),
        "copydays": lambda: trapezoid(flags[:k], total),
        "ukbench": lambda: float(top),
        "ilias-map": lambda: groups(query.first(k), small),
        "ilias-oracle": lambda: top / total,
        "uned-mmp": lambda: sum(flags[:small]) / small,
        "uned-map": lambda: rectangles(flags[:small], small),
        "dirtorch-labels": lambda: groups(query, total),
        "sklearn-ap": lambda: groups(query, total),
        "pml-precision": lambda: top / k,
        "gldv2-p": lambda: top / k,
        "pml-r-precision": lambda: sum(flags[:total]) / total,
        "pml-map-r": lambda: rectangles(flags[:total], total),
        "pml-map": lambda: rectangles(flags, total),
        "dirtorch-quantised": lambda: interpolated(
            flags, total, [lambda recall, t=t: round(recall * total) * 100 > t * total for t in range(100)]
        ),
        "voc-11pt": lambda: interpolated(
            flags, total, [lambda recall, t=t: round(recall * total) * 10 >= t * total for t in range(11)]
        ),
        "voc-ap": lambda: sum(
            max(sum(flags[: later + 1]) / (later + 1) for later in range(r, len(flags)))
            for r, flag in enumerate(flags)
            if flag
        )
        / total,
    }[protocol]()  # fmt: skip


def trec(measure, k, flags, total):
    top = sum(flags[:k])
    first = next((r for r, flag in enumerate(flags[:k]) if flag), None)
    return {
        "map": lambda: rectangles(flags, total),
        "map-cut": lambda: rectangles(flags[:k], total),
        "p": lambda: top / k,
        "recall": lambda: top / total if total else 0.0,
        "success": lambda: float(top > 0),
        "ndcg": lambda: (
            math.fsum(1 / math.log2(r + 2) for r, flag in enumerate(flags[:k]) if flag)
            / math.fsum(1 / math.log2(r + 2) for r in range(min(k, total)))
            if total
            else 0.0
        ),
        "mrr": lambda: 0.0 if first is None else 1 / (first + 1),
        "rprec": lambda: sum(flags[:total]) / total if total else 0.0,
    }[measure]()


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


def class_means(values, truth, own):
    classes = {}
    for number, labels, itself in zip(values, truth, own, strict=True):
        members = frozenset([*labels["easy"], *labels["hard"], *([] if itself is None else [itself])])
        if number is not None:
            classes.setdefault(members, []).append(number)
    return {members: math.fsum(numbers) / len(numbers) for members, numbers in classes.items()}


def check(group, case, with_scores):
    rows, scores, truth, own, n = case
    prepared = judged(rows, truth, scores=scores if with_scores else None, n_database=n, own=own)
    falling = scores if with_scores else [[1.0 / (r + 1) for r in range(len(row))] for row in rows]
    for name in GROUPS[group]:
        for setup in prepared.setups:
            metric = MetricName(name.protocol, name.k, setup)
            expected = [
                reference(metric, row, values, labels, itself, n)
                for row, values, labels, itself in zip(rows, falling, truth, own, strict=True)
            ]
            found = evaluate_name(prepared, metric)
            wanted = [math.nan if v is None else v for v in expected]
            np.testing.assert_allclose(found.values, wanted, rtol=1e-12, atol=1e-15, err_msg=str(metric))
            counted = [v for v in expected if v is not None]
            means = counted
            if name.protocol.startswith("pml-avg"):
                means = list(class_means(expected, truth, own).values())
            mean = math.fsum(means) / len(means) if means else math.nan
            np.testing.assert_allclose(found.mean, mean, rtol=1e-12, atol=1e-15)
            assert found.counted == len(counted)


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_one_list_over_all_queries_read_aloud(case):
    rows, scores, truth, _, n = case
    for setup in judged(rows, truth, n_database=n).setups:
        wanted = SETUPS[setup][0].split()
        positives = [{i for label in wanted for i in labels[label]} for labels in truth]
        pairs = sorted(
            (-score, image in positives[q], q)
            for q, (row, values) in enumerate(zip(rows, scores, strict=True))
            for image, score in zip(row, values, strict=True)
        )
        total = sum(map(len, positives))
        first = sorted((-v[0], q, r[0] in positives[q]) for q, (r, v) in enumerate(zip(rows, scores, strict=True)) if r)
        known = sum(bool(p) for p in positives)
        curve = [(sum(f for _, f, _ in pairs[: i + 1]), i + 1) for i in range(len(pairs))]
        reached = [hits / total for hits, seen in curve if total and 10 * hits >= 9 * seen]
        expected = {
            "isc-muap": rectangles([flag for _, flag, _ in pairs], total) if total else math.nan,
            "isc-recall-p90": max(reached, default=math.nan),
            "gldv2-gap": rectangles([flag for *_, flag in first], known) if known else math.nan,
            "met-gap": rectangles([flag for *_, flag in first], known) if known else math.nan,
            "met-gap-nodis": rectangles([f for _, q, f in first if positives[q]], known) if known else math.nan,
        }
        for k in (1, 3):
            reached = sum(
                sum(other >= score for other in values) <= k
                for row, values, mine in zip(rows, scores, positives, strict=True)
                for image, score in zip(row, values, strict=True)
                if image in mine
            )
            expected[f"isc-recall@{k}"] = reached / total if total else math.nan
        for protocol, number in expected.items():
            name = f"{protocol}_{setup}" if setup else protocol
            (found,) = evaluate_protocol(name, rows, truth, scores=scores, n_database=n)
            np.testing.assert_allclose(found.mean, number, rtol=1e-12, err_msg=protocol)
            assert found.values is None


def one(name, rankings, truth, **also):
    (found,) = evaluate_protocol(name, rankings, truth, **also)
    return found.mean


@pytest.mark.parametrize(
    ("name", "row", "truth", "also", "expected"),
    [
        # retrieval.md: positives at ranks 2 and 5 of 5.
        ("map", [0, 1, 2, 3, 4], {"easy": [1, 4]}, {}, 0.2875),
        ("trec-map", [0, 1, 2, 3, 4], {"easy": [1, 4]}, {}, 0.45),
        ("sklearn-ap", [0, 1, 2, 3, 4], {"easy": [1, 4]}, {}, 0.45),
        # One positive at rank r >= 1: the trapezoid is half the finite sum.
        ("holidays", [9, 0, 1], {"easy": [1]}, {"own": [9]}, 0.25),
        ("trec-map", [0, 1], {"easy": [1]}, {}, 0.5),
        # A list shorter than the number of positives: lost, forgiven, capped.
        ("revisited", [0], {"easy": range(300)}, {}, 1 / 300),
        ("delf-revisited", [0], {"easy": range(300)}, {}, 1.0),
        ("ames-revisited", [0], {"easy": range(300)}, {}, 1.0),
        ("vissl-revisited", [0], {"easy": range(300)}, {}, 1.0),  # ids are compared with ranks
        ("trec-map@5", range(10), {"easy": range(10)}, {}, 0.5),  # the ceiling of map_cut_k
        ("gldv2-map@5", range(10), {"easy": range(10)}, {}, 1.0),
        ("torchmetrics-map@10", [0, 1, 2], {"easy": [0, 9]}, {}, 1.0),  # a hit at rank 1, whatever was missed
        ("torchmetrics-map@10", [0, 1], {"easy": [0, 1]}, {"scores": [[0.5, -0.1]]}, 1.0),  # negative: no positive
        ("trec-p@10", [0, 1], {"easy": [0, 1]}, {}, 0.2),  # divided by k although two are listed
        ("revisited-mp@10", [0, 1], {"easy": [0, 1]}, {}, 1.0),
        ("revisited-mp@10", [0, 1], {"easy": [0, 5]}, {}, 1.0),  # the last positive that is reached
        ("mp@10", [0, 1], {"easy": [0, 5]}, {}, 0.1),
        ("ilias-oracle@1k", range(20), {"easy": [0, 1, 90, 91]}, {}, 0.5),  # not 25
        ("recall@2", [0, 1], {"easy": [1, 7]}, {}, 1.0),  # any, not the share
        ("trec-recall@2", [0, 1], {"easy": [1, 7]}, {}, 0.5),
        ("recall@5", [0, 1], {}, {}, 0.0),  # a class of one image is a miss
        ("ukbench", [3, 0, 1, 2], {"easy": [0, 1, 2]}, {"own": [3]}, 4.0),
        ("ukbench", [3, 7, 8, 9], {"easy": [0, 1, 2]}, {"own": [3]}, 1.0),
        ("oxford", [3, 7, 8, 9], {"easy": [0], "junk": [7]}, {"own": [3]}, 0.5),  # 1 / m with m = 2
        ("pml-map-r", [0, 1, 2, 3], {"easy": [0, 3]}, {}, 0.5),  # nothing beyond R
        ("pml-r-precision", [0, 1, 2, 3], {"easy": [0, 3]}, {}, 0.5),
        ("copydays@2", [0, 1, 2], {"easy": [0, 2]}, {}, 0.5),
        ("uned-mmp", [4, 0, 1], {"easy": [0]}, {"own": [4]}, 1.0),
        ("uned-mmp", [0, 4, 1], {"easy": [0]}, {"own": [4]}, 1.0),  # the copy was dropped instead of the query
        # trec_eval: "9" before "10", and 1 and 1 + 1e-10 tie.
        ("trec-map", [10, 9], {"easy": [9]}, {"scores": [[1 + 1e-10, 1.0]]}, 1.0),
        ("trec-map", [10, 9], {"easy": [9]}, {"scores": [[1 + 1e-3, 1.0]]}, 0.5),
        ("trec-map", [0, 1], {"easy": [1]}, {"scores": [[1.0, 1.0]], "names": ["z", "a"]}, 0.5),
        ("mteb-self-map@5", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),  # no query in it: nothing is dropped
        ("mteb-self-map@5", [2, 0, 1], {"easy": [1]}, {"scores": [[1.0] * 3], "own": [2]}, 0.5),
        ("isc-muap", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),  # wrong pairs first among equals
        ("sklearn-ap", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),
        ("ilias-map", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),
        ("isc-recall@1", [0, 1], {"easy": [0]}, {"scores": [[1.0, 0.5]]}, 1.0),
        ("isc-recall@1", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.0),  # a tie counts against the right one
        ("isc-recall@1", [0, 1], {"easy": [0, 2]}, {"scores": [[1.0, 0.5]]}, 0.5),  # of the pairs that there are
        ("gldv2-p@5", [0, 1], {"easy": [0, 1]}, {}, 0.4),
        ("dirtorch-top@1", [3, 7], {"easy": [0]}, {"own": [3]}, 1.0),  # finds itself
    ],
)  # fmt: skip
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
