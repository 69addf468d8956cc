"""The explainer: numbers drawn from protocols are traced back to them, and each test of printed numbers by itself."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from harness.core.errors import BadParameter
from harness.metrics.protocols import evaluate_names, evaluate_protocol, judged
from harness.search import top_k, unit_rows
from harness.studies.explain import Explainer, explain, explanation_data, explanation_text
from harness.studies.explain.claims import parse_claims
from harness.studies.explain.explanation import facts_of
from harness.studies.explain.hypotheses import tie_bracket
from harness.studies.explain.matching import Reading, _measuring, candidates, nearest
from harness.studies.explain.tells import Facts, findings

MEASURES = ("mAP", "mP", "mR", "P", "R", "MAP@R", "R-precision", "µAP")


def simulated(seed, queries=16, size=250):
    """Rankings of whole lists with distinct scores, some of them negative; two queries without an easy positive."""
    rng = np.random.default_rng(seed)
    rows, scores, truth = [], [], []
    for query in range(queries):
        ids = rng.permutation(size)
        easy, hard, junk = (rng.integers(low, high) for low, high in ((4, 30), (4, 40), (5, 40)))
        labels = {
            "easy": ids[:easy] if query > 1 else ids[:0],
            "hard": ids[easy : easy + hard],
            "junk": ids[easy + hard : easy + hard + junk],
        }
        values = rng.normal(0, 1, size)
        for label, mean in (("easy", 2.2), ("hard", 1.2), ("junk", 1.5)):
            values[labels[label]] += mean * rng.uniform(0.5, 1.8)
        order = np.argsort(-values)
        rows.append(order)
        scores.append(np.tanh(values[order] / 6))
        truth.append({label: members.tolist() for label, members in labels.items()})
    return judged(rows, truth, scores=scores, n_database=size)


@pytest.fixture(scope="module")
def given():
    return simulated(0)


@pytest.fixture(scope="module")
def explainer(given):
    return Explainer(given)


@pytest.fixture(scope="module")
def found(explainer):
    return explainer._usual


def shares(given, found, n, seed, decimals=2, setups=("medium", "hard")):
    """Of n rows drawn from protocols, with noise of half a unit: how often the class is named, and alone."""
    rng = np.random.default_rng(seed)
    plain = [h for h in found if not h.condition.text and set(setups) <= h.values.keys()]
    plain = [h for h in plain if h.definition.symbol in MEASURES]
    families = sorted({h.definition.family for h in plain})
    facts, named, alone, protocols = facts_of(given), 0, 0, set()
    for number in range(n):
        members = [h for h in plain if h.definition.family == families[number % len(families)]]
        drawn = members[rng.integers(len(members))]
        protocols.add(drawn.metric.protocol)
        noise = rng.uniform(-0.5, 0.5, len(setups)) * 10.0**-decimals
        shown = [max(0.0, 100 * drawn.values[s] + e) for s, e in zip(setups, noise, strict=True)]
        claims = parse_claims([f"{s}={v:.{decimals}f}%" for s, v in zip(setups, shown, strict=True)])
        told = findings(claims, facts)
        kept = [
            c
            for c in candidates(claims, found, 0.5)
            if not any(f.excludes(r.hypothesis.metric) for f in told for r in c.readings)
        ]
        right = [c for c in kept if str(drawn) in c.members]
        named, alone = named + bool(right), alone + (len(kept) == 1 and bool(right))
    assert len(protocols) >= 12
    return named / n, alone / n


def test_numbers_are_traced_back(given, found):
    named, alone = shares(given, found, 40, 0)
    assert named >= 0.95
    assert alone >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_numbers_are_traced_back(seed):
    other = simulated(seed + 1, queries=70, size=2000)
    hypotheses_ = Explainer(other)._usual
    for setups in (("medium", "hard"), ("easy", "medium", "hard")):
        named, alone = shares(other, hypotheses_, 200, seed, setups=setups)
        assert named >= 0.95
        assert alone >= 0.8


@pytest.mark.slow
@pytest.mark.realdata
def test_two_hundred_numbers_of_real_descriptors_are_traced_back(realdata):
    from PIL import Image

    folder = realdata / "retrieval" / "rparis_subset"
    content = json.loads((folder / "gnd.json").read_text())
    ids = {name: i for i, name in enumerate(content["imlist"])}

    def described(name, box=None):
        image = Image.open(folder / "images" / name).convert("RGB")
        small = (image.crop(tuple(box)) if box else image).resize((12, 12))
        pixels = np.asarray(small, np.float32).reshape(-1)
        return pixels - pixels.mean()

    database = np.stack([described(name) for name in content["imlist"]])
    queries = np.stack([described(q["image"], q.get("box")) for q in content["queries"]])
    truth = [
        {label: [ids.get(i, i) for i in q.get(label, [])] for label in ("easy", "hard", "junk")}
        for q in content["queries"]
    ]
    best = top_k(unit_rows(queries), unit_rows(database))
    real = judged(best.indices, truth, scores=best.scores, n_database=len(database))
    named, alone = shares(real, Explainer(real)._usual, 200, 7)
    assert named >= 0.95
    assert alone >= 0.8


def test_numbers_from_no_protocol_are_said_to_be_from_none(explainer):
    rng = np.random.default_rng(3)
    exact = [explainer.explain([f"{v:.2f}" for v in rng.uniform(5, 95, 3)]).explained for _ in range(5)]
    assert sum(exact) == 0
    none = explainer.explain(["99.31", "3.17"])
    assert not none.explained
    assert explanation_text(none).startswith("Not from these rankings under any known protocol. The nearest is:")
    assert explanation_data(none)["nearest"] is not None


def numbers(given, name, digits=2):
    """What a protocol gives, as printed."""
    return [f"{100 * e.mean:.{digits}f}" for e in evaluate(given, name)]


def evaluate(given, name):
    from harness.metrics.protocols import evaluate_names

    return evaluate_names(given, name)


def test_a_row_names_the_class_and_where_it_was_read(given, explainer):
    _, medium, hard = numbers(given, "revisited")
    explained = explainer.explain([medium, hard])
    assert explained.candidates[0].members[0] == "mAP(revisited)"
    assert {"mAP(dirtorch)", "mAP(ames)", "mAP"} <= set(explained.candidates[0].members)
    text = explanation_text(explained)
    assert "within rounding" in text
    assert "definition: filipradenovic/revisitop, python/evaluate.py" in text
    data = explanation_data(explained)
    assert data["explained"]
    assert data["candidates"][0]["numbers"][1]["setup"] == "hard"


def test_a_row_of_several_metrics_is_one_family(given, explainer):
    values = {e.name.key: f"{100 * e.mean:.2f}" for n in ("revisited", "revisited-mp") for e in evaluate(given, n)}
    row = [f"mAP medium={values['revisited_medium']}", f"mP@10 medium={values['revisited-mp@10_medium']}"]
    explained = explainer.explain([*row, f"mP@10 hard={values['revisited-mp@10_hard']}"])
    assert any("mAP(revisited) + mP@10(revisited)" in member for member in explained.candidates[0].members)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("junk and the images of other set-ups are negatives", "mAP(revisited)"),
        ("lists cut at 100", "mAP(revisited)"),
        ("the query is in the database, a positive", "mAP(revisited)"),
        ("the query is in the database, a negative", "mAP(revisited)"),
        ("queries without a positive count 0", "mAP(revisited)"),
    ],
)
def test_common_mistakes_are_named(explainer, found, condition, words):
    drawn = next(h for h in found if str(h) == f"{words}, {condition}")
    row = [f"{setup}={100 * value:.2f}" for setup, value in drawn.values.items()]
    explained = explainer.explain(row)
    assert any(f"{words}, {condition}" in candidate.members for candidate in explained.candidates)


def test_queries_that_are_not_cropped(given, explainer):
    other = simulated(9)
    row = [f"{s}={v}" for s, v in zip(("easy", "medium", "hard"), numbers(other, "revisited"), strict=True)]
    assert not explainer.explain(row).explained
    explained = explain(row, given, uncropped=other)
    assert "mAP(revisited), queries are not cropped" in explained.candidates[0].members


def test_old_average_precision_fractions_and_other_software(given, explainer):
    _, medium, hard = numbers(given, "pml-map")
    assert "mAP(pml)" in explainer.explain([medium, hard]).candidates[0].members  # the finite sum
    fraction = [f"{e.mean:.5f}" for e in evaluate(given, "revisited")][1:]
    assert explainer.explain(fraction).candidates[0].members[0] == "mAP(revisited)"
    near = explainer.explain([f"{float(medium) + 0.2:.2f}", f"{float(hard) + 0.2:.2f}"])
    assert not near.candidates or not near.candidates[0].exact
    assert explainer.explain([f"{float(medium) + 9:.2f}"], tolerance=100).explained


def test_what_would_tell_candidates_apart(given, explainer):
    """Of queries without an easy positive Medium says nothing."""
    medium = numbers(given, "revisited")[1]
    (first, *_) = explainer.explain([f"medium={medium}"]).candidates
    assert {"mAP(revisited)", "mAP(iscen)"} <= set(first.members)
    easy = numbers(given, "revisited")[0]
    kept = explainer.explain([f"easy={easy}", f"medium={medium}"]).candidates
    assert "mAP(iscen)" not in kept[0].members
    loose = explainer.explain([f"{float(medium):.0f}"])
    assert len(loose.candidates) > 1
    assert "tell them apart" in explanation_text(loose)


def test_the_query_itself_in_the_database():
    rng = np.random.default_rng(0)
    x = unit_rows(rng.normal(size=(60, 8)) + 2 * np.eye(8)[np.arange(60) % 6])
    truth = [{"easy": [j for j in range(60) if j % 6 == i % 6 and j != i], "junk": [i]} for i in range(60)]
    best = top_k(x, x)
    mine = judged(best.indices, truth, scores=best.scores, own=range(60))
    (value,) = evaluate(mine, "map")
    left = next(h for h in Explainer(mine)._usual if str(h) == "mAP, the query itself counts as a positive")
    assert left.values[""] > value.mean
    explained = explain([f"{100 * left.values['']:.2f}"], mine)
    assert any("the query itself counts" in member for c in explained.candidates for member in c.members)


TOTALS = {"easy": np.array([0, 0, *[50] * 68]), "medium": np.array([90] * 70), "hard": np.array([40] * 70)}


def told(row, totals=TOTALS, **facts):
    return {(f.test, f.verdict, f.about) for f in findings(parse_claims(row), Facts(totals, **facts))}


@pytest.mark.parametrize(
    ("row", "facts", "expected"),
    [
        (["P@1 easy=97.06"], {}, ("denominator", "implied", "queries without a positive are left out")),
        (["P@1 easy=94.29"], {}, ("denominator", "implied", "queries without a positive count 0")),
        (["P@1=98.18"], {"totals": {}}, ("denominator", "possible", "old Oxford or Paris")),
        (["mP@10 medium=84.65"], {}, ("multiples", "excluded", "precision that divides by 10")),
        (["mAP medium=64.67"], {}, ("ceiling", "excluded", "map_cut_5")),
        (
            ["mAP easy=6.1", "mAP medium=4.1", "mAP hard=8.2", "P@1 medium=91.43"],
            {},
            ("ceiling", "implied", "map_cut_5"),
        ),
        (["N-S=3.42"], {}, ("ceiling", "implied", "ukbench")),
        (["oracle=640.1"], {}, ("ceiling", "implied", "ilias-oracle on lists shorter than k")),
        (
            ["P@1 medium=97.14", "P@1 hard=4.29"],
            {},
            ("order of set-ups", "implied", "junk and the images of other set-ups are negatives"),
        ),
        (
            ["mAP medium=2.5", "mAP hard=4.9"],
            {},
            ("order of set-ups", "implied", "map_cut_k, or divided by at most k"),
        ),
        (
            ["mAP easy=50.1", "mAP medium=60.2"],
            {},
            ("order of set-ups", "possible", "lists that are cut, or a number of another row"),
        ),
        (
            ["mAP@10 medium=81.2", "mAP@100 medium=70.3", "mAP medium=61.0"],
            {},
            ("order of cuts", "implied", "divided by the positives found, or by at most k"),
        ),
        (
            ["mAP medium=66.10"],
            {"official": {"medium": (0.6467, 0.6489)}},
            ("trapezoid and sum", "excluded", "the trapezoid rule on this ranking"),
        ),
        (
            ["mP@1 medium=90.00", "P@1 medium=91.43"],
            {},
            ("names of one number", "excluded", "one protocol for the whole row"),
        ),
        (
            ["recall@10 medium=95.71", "mP@10 medium=84.67"],
            {},
            ("names of one number", "implied", "recall@k is 1 where any is found"),
        ),
        (["0.36305"], {}, ("format", "possible", "mteb")),
        (["0.647123"], {}, ("format", "possible", "dirtorch")),
        (["91.4"], {}, ("format", "possible", "VPR")),
        (
            ["P@1=100.00", "mAP=91.30"],
            {"official": {"easy": (0.8481, 0.85)}},
            ("old protocol", "implied", "oxford: the query is in the database"),
        ),
        (
            ["mAP medium=64.70"],
            {"ties": {"medium": (0.6420, 0.6510)}},
            ("order of ties", "possible", "revisited with another order of equal scores"),
        ),
        (["GAP=36.1", "ACC=30.2"], {}, ("order of GAP", "excluded", "these names of the numbers")),
        (["5.1"], {"version": "1.14.15"}, ("version", "implied", "mteb multichoice")),
        (["5.1"], {"version": "2.13.1"}, ("version", "excluded", "mteb multichoice")),
    ],
)
def test_what_printed_numbers_say(row, facts, expected):
    assert expected in told(row, **facts)


@pytest.mark.parametrize(
    ("row", "facts", "test"),
    [
        (["P@1 medium=97.14"], {}, "denominator"),
        (["mP@10 medium=84.57"], {}, "multiples"),  # 592 of 700
        (["mAP medium=4.1", "mAP hard=2.2"], {}, "order of set-ups"),
        (["mAP@10 medium=41.2", "mAP@100 medium=50.3"], {}, "order of cuts"),
        (["mAP medium=64.80"], {"official": {"medium": (0.6467, 0.6489)}}, "trapezoid and sum"),
        (["mP@1 medium=91.43", "P@1 medium=91.43"], {}, "names of one number"),
        (["P@1=100.00", "mAP=86.30"], {"official": {"easy": (0.8481, 0.85)}}, "old protocol"),
        (["mAP medium=66.70"], {"ties": {"medium": (0.6420, 0.6510)}}, "order of ties"),
        (["GAP=26.1", "ACC=30.2"], {}, "order of GAP"),
        (["5.1"], {}, "version"),
    ],
)
def test_what_printed_numbers_do_not_say(row, facts, test):
    assert test not in {name for name, *_ in told(row, **facts)}


def test_a_test_excludes_a_protocol(explainer, found):
    drawn = next(h for h in found if str(h) == "mAP@5(mteb multichoice)")
    row = [f"mAP {s}={100 * v:.2f}%" for s, v in drawn.values.items()]
    assert explainer.explain(row).candidates
    by_version = explainer.explain(row, version="2.13.1")
    assert all("mteb multichoice" not in c.readings[0].hypothesis.definition.family for c in by_version.candidates)


def test_the_bracket_of_ties():
    tied = judged([[0, 1, 2]], [{"easy": [1]}], scores=[[0.5, 0.5, 0.1]])
    (metric,) = [e.name for e in evaluate(tied, "revisited")]
    assert tie_bracket(tied, metric) == (0.25, 1.0)
    assert tie_bracket(judged([[0, 1, 2]], [{"easy": [1]}]), metric) == (0.25, 0.25)
    assert evaluate_protocol("revisited", [[0, 1]], [{"easy": [1]}])[0].mean == 0.25


@pytest.mark.parametrize(
    ("numbers_", "words"),
    [
        (["abc"], '"abc" is not a number'),
        (["a b c=1"], '"a b c" is not a metric and a set-up'),
        (["easy hard=1"], "not a metric and a set-up"),
        ([], "no number to explain"),
        (["-3"], "not a number"),
    ],
)
def test_what_is_no_number(numbers_, words):
    with pytest.raises(BadParameter) as caught:
        explain(numbers_)
    assert words in str(caught.value)


def test_printed_numbers_alone():
    alone = explain(["97.06"])
    assert not alone.candidates
    assert "revisitop" in explanation_text(alone)
    assert explanation_text(explain(["97"])) == "The printed numbers alone say nothing.\n"


def test_numbers_of_one_metric_are_in_the_order_of_set_ups(given, explainer):
    means = [entry.mean for entry in evaluate_names(given, "revisited")]
    first = explainer.explain([f"{100 * mean:.4f}" for mean in means]).candidates[0]
    assert [reading.setup for reading in first.readings] == ["easy", "medium", "hard"]
    two = explainer.explain([f"{100 * mean:.4f}" for mean in (means[0], means[2])]).candidates[0]
    assert [reading.setup for reading in two.readings] == ["easy", "hard"]


def test_a_long_row_without_names_is_of_no_protocol(explainer):
    assert not explainer.explain(["50.00"] * 40).candidates  # tried one by one, 3^40 ways to read it


def read_one_by_one(claims, found):
    """Every way to read a row: all hypotheses of a family for all numbers, and all orders of set-ups."""
    for percent in (True, False):
        for condition in dict.fromkeys(h.condition.text for h in found):
            for family in dict.fromkeys(h.definition.family for h in found if h.condition.text == condition):
                own = [h for h in found if (h.definition.family, h.condition.text) == (family, condition)]
                plain = [h for h in found if (h.definition.family, h.condition.text) == (family, "")]
                members = own + [h for h in plain if h.metric not in {o.metric for o in own}]
                options = [
                    [
                        Reading(c, h, s, 100 * v if percent else v, percent)
                        for h in (_measuring(c, members) if c.symbol else own)
                        if (h.definition.symbol == "N-S") <= (not percent) and (not c.percent or percent)
                        for s, v in h.values.items()
                        if c.setup in ("", s)
                    ]
                    for c in claims
                ]
                for row in itertools.product(*options):
                    silent = [
                        (id(r.hypothesis), ["easy", "medium", "hard"].index(r.setup)) for r in row if not r.claim.setup
                    ]
                    ordered = all(a[0] != b[0] or a[1] < b[1] for a, b in itertools.combinations(silent, 2))
                    if ordered and len({id(r.hypothesis) for r in row if not r.claim.symbol}) < 2:
                        yield row


@pytest.mark.parametrize(
    "row",
    [
        ["medium={map_medium}", "hard={map_hard}"],
        ["mAP={map_easy}", "mAP={map_hard}", "mP@5={mp@5_medium}"],
        ["mAP={map_hard}", "mAP={map_easy}"],
        ["{map_medium}", "mP@10 hard={mp@10_hard}"],
        ["mAP=31.1", "R@10=88"],
    ],
)
def test_pruned_rows_are_those_read_one_by_one(given, found, row):
    values = {e.name.key: f"{100 * e.mean:.1f}" for n in ("map", "mp") for e in evaluate(given, n)}
    claims = parse_claims([text.format_map(values) for text in row])
    some = [h for h in found if h.definition.family in ("", "revisited", "trec") and not h.metric.k > 10]
    rows = list(read_one_by_one(claims, some))
    distances = [max(reading.distance for reading in r) for r in rows]
    fits = {tuple(map(str, r)) for r in rows if all(reading.exact for reading in r)}
    fits = fits or {tuple(map(str, r)) for r, d in zip(rows, distances, strict=True) if d <= 0.5}
    kept = candidates(claims, some, 0.5)
    assert {tuple(map(str, c.readings)) for c in kept} <= fits
    assert sum(len(c.members) for c in kept) == len({" + ".join(dict.fromkeys(r)) for r in names_of(rows, fits)})
    assert nearest(claims, some).distance == pytest.approx(min(distances))


def names_of(rows, fits):
    return [[str(reading.hypothesis) for reading in r] for r in rows if tuple(map(str, r)) in fits]


def test_a_long_row_of_named_numbers_is_read_number_by_number(given, explainer):
    """Four formulas and three set-ups for each of 18 numbers: all together they cannot be looked at."""
    names = ("mAP", "mP", "P", "recall", "MRR", "nDCG")
    rng = np.random.default_rng(1)
    row = [f"{name}={value:.2f}" for name in names for value in rng.uniform(5, 95, 3)]
    explained = explainer.explain(row)
    assert not explained.explained
    assert explained.nearest is None or len(explained.nearest.readings) == 18
