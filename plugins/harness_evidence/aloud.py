"""Evaluation protocols read aloud: one query and one rank after the other, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

Labels = Mapping[str, Sequence[int]]
"""``easy``, ``hard``, ``junk`` -> images of one query."""

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

    def __init__(self, row: Any, scores: Any, positive: set[int]) -> None:
        self.row, self.scores, self.positive = row, scores, positive

    @property
    def flags(self) -> list[bool]:
        """Whether each image is positive."""
        return [image in self.positive for image in self.row]

    def only(self, keep: Callable[[int], bool]) -> Query:
        """Without the other images."""
        kept = [(i, s) for i, s in zip(self.row, self.scores, strict=True) if keep(i)]
        return Query([i for i, _ in kept], [s for _, s in kept], self.positive)

    def first(self, k: int) -> Query:
        """Up to rank k."""
        return Query(self.row[:k], self.scores[:k], self.positive)


def trapezoid(flags: Sequence[bool], divisor: float) -> float:
    """The area under precision and recall between one positive and the next."""
    area, hits = 0.0, 0
    for rank, flag in enumerate(flags):
        if flag:
            before = 1.0 if rank == 0 else hits / rank
            hits += 1
            area += (before + hits / (rank + 1)) / 2
    return area / divisor if divisor else 0.0


def rectangles(flags: Sequence[bool], divisor: float) -> float:
    """The sum of the precisions at positives."""
    area, hits = 0.0, 0
    for rank, flag in enumerate(flags):
        if flag:
            hits += 1
            area += hits / (rank + 1)
    return area / divisor if divisor else 0.0


def groups(query: Query, divisor: float) -> float:
    """scikit-learn's: a step of recall at each distinct score times the precision there."""
    area, seen, hits = 0.0, 0, 0
    for score in sorted(set(query.scores), reverse=True):
        members = [flag for flag, value in zip(query.flags, query.scores, strict=True) if value == score]
        seen, hits = seen + len(members), hits + sum(members)
        area += sum(members) * hits / seen
    return area / divisor if divisor else 0.0


def interpolated(flags: Sequence[bool], total: int, points: Sequence[Callable[[float], bool]]) -> float:
    """The mean over points of the largest precision at a recall that a point accepts."""
    precisions = (
        [(sum(flags[: r + 1]) / total, sum(flags[: r + 1]) / (r + 1)) for r in range(len(flags))] if total else []
    )
    return sum(max((p for recall, p in precisions if ok(recall)), default=0.0) for ok in points) / len(points)


def _above(hundredths: int, total: int, recall: float) -> bool:
    return round(recall * total) * 100 > hundredths * total


def _from(tenths: int, total: int, recall: float) -> bool:
    return round(recall * total) * 10 >= tenths * total


def in_trec_order(query: Query, names: Callable[[int], str]) -> Query:
    """By score in single precision; of equal scores the last name first."""
    pairs = sorted(zip(query.row, query.scores, strict=True), key=lambda pair: names(pair[0]), reverse=True)
    pairs = sorted(pairs, key=lambda pair: -np.float32(pair[1]))
    return Query([i for i, _ in pairs], [float(np.float32(s)) for _, s in pairs], query.positive)


def aloud(name: Any, row: Any, scores: Any, labels: Labels, own: int | None) -> float | None:
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


def value(protocol: str, k: int, query: Query, total: int, length: int) -> float:
    """What a protocol makes of a list from which all is taken out that has to be."""
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
    table: dict[str, Callable[[], float]] = {
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
            flags, total, [partial(_above, t, total) for t in range(100)]
        ),
        "voc-11pt": lambda: interpolated(
            flags, total, [partial(_from, t, total) for t in range(11)]
        ),
        "voc-ap": lambda: sum(
            max(sum(flags[: later + 1]) / (later + 1) for later in range(r, len(flags)))
            for r, flag in enumerate(flags)
            if flag
        )
        / total,
    }  # fmt: skip
    return table[protocol]()


def trec(measure: str, k: int, flags: Sequence[bool], total: int) -> float:
    """A measure of trec_eval."""
    top = sum(flags[:k])
    first = next((r for r, flag in enumerate(flags[:k]) if flag), None)
    table: dict[str, Callable[[], float]] = {
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
    }
    return table[measure]()


def class_means(values: Sequence[float | None], truth: Sequence[Labels], own: Sequence[int | None]) -> list[float]:
    """Means of the queries with the same positives, themselves among them."""
    classes = dict[frozenset[int], list[float]]()
    for number, labels, itself in zip(values, truth, own, strict=True):
        members = frozenset([*labels["easy"], *labels["hard"], *([] if itself is None else [itself])])
        if number is not None:
            classes.setdefault(members, []).append(number)
    return [math.fsum(numbers) / len(numbers) for numbers in classes.values()]


def one_list(
    setup: str,
    rows: Any,
    scores: Any,
    truth: Sequence[Labels],
    own: Sequence[int | None] = (),
    ks: Sequence[int] = (1, 3),
) -> dict[str, float]:
    """Protocols of one list over all queries -> their numbers; a query is no answer to itself."""
    wanted = SETUPS[setup][0].split()
    positives = [{i for label in wanted for i in labels[label]} for labels in truth]
    positives = [mine - {itself} for mine, itself in zip(positives, own or [None] * len(truth), strict=True)]
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
    predictions = rectangles([flag for *_, flag in first], known) if known else math.nan
    found = {
        "isc-muap": rectangles([flag for _, flag, _ in pairs], total) if total else math.nan,
        "isc-recall-p90": max(reached, default=math.nan),
        "gldv2-gap": predictions,
        "met-gap": predictions,
        "met-gap-nodis": rectangles([f for _, q, f in first if positives[q]], known) if known else math.nan,
    }
    for k in ks:
        within = sum(
            sum(other >= score for other in values) <= k
            for row, values, mine in zip(rows, scores, positives, strict=True)
            for image, score in zip(row, values, strict=True)
            if image in mine
        )
        found[f"isc-recall@{k}"] = within / total if total else math.nan
    return found
