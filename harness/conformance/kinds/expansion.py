"""Query expansions: a database, queries, and the ranking that an exact search gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind
from harness.conformance.kinds.whitening import some_descriptors
from harness.conformance.rule import Violation
from harness.plugin_api import Ranking


class ExpansionKind(Kind):
    """Tried on databases of L2-normalised descriptors; ``fit`` is called before there are queries."""

    name = "expansion"
    baseline = "aqe"

    def cases(self, method: Any) -> Sequence[Case]:
        """From a database of one image to one of 240."""
        small, empty, alike = "small-inputs", "empty-inputs", "constant-inputs"
        return (
            Case("a database of one image", lambda: inputs_of(1, 1), small),
            Case("two images", lambda: inputs_of(2, 1), small),
            Case("a plain database", lambda: inputs_of(12, 2)),
            Case("an empty ranking", lambda: inputs_of(12, 2, depth=0), empty, may_refuse=True),
            Case("a query without descriptor", lambda: inputs_of(12, 2, zero_query=True), empty),
            Case("images without descriptor", lambda: inputs_of(12, 2, change="some zero"), empty),
            Case("a database without any descriptor", lambda: inputs_of(12, 2, change="zero"), empty),
            Case("all images alike", lambda: inputs_of(12, 2, change="alike"), alike),
            Case("duplicates", lambda: inputs_of(12, 2, change="duplicates"), alike),
            Case("a ranking of the first five", lambda: inputs_of(12, 2, depth=5)),
            Case("a verified ranking", lambda: inputs_of(24, 3, verified=True)),
            Case("a larger database", lambda: inputs_of(120, 5, d=16)),
        )

    def standard(self, method: Any) -> Case:
        """20 queries to 2,000 images of 64 dimensions."""
        return Case("20 queries, database 2000 x 64", lambda: inputs_of(2000, 20, d=64))

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """The expansion bound to the database."""
        return method.fit(inputs["database"])

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The new ranking."""
        return fitted.expand(inputs["queries"], inputs["ranking"])

    def returns(self, inputs: Inputs, answer: Any) -> None:
        """A ranking of two arrays."""
        if not isinstance(answer, Ranking):
            raise Violation(f"expand returned {type(answer).__name__}", right="a harness.plugin_api.Ranking")
        checks.require_array(answer.indices, "indices")
        checks.require_array(answer.scores, "scores")

    def dtype(self, inputs: Inputs, answer: Any) -> None:
        """Indices int64, scores float32."""
        checks.require_dtype(answer.indices, "int64", "indices")
        checks.require_dtype(answer.scores, "float32", "scores")

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """One row a query, indices and scores alike; how long they are is for the rule ``ranking-length``."""
        if answer.indices.ndim != 2 or len(answer.indices) != len(inputs["queries"]):
            shape = answer.indices.shape
            raise Violation(f"indices have shape {shape}", right=f"({len(inputs['queries'])}, k): a row a query")
        if answer.scores.shape != answer.indices.shape:
            raise Violation(f"scores have shape {answer.scores.shape}", right=f"{answer.indices.shape}, as indices")


def inputs_of(
    n: int,
    q: int,
    d: int = 8,
    depth: int | None = None,
    *,
    change: str = "",
    zero_query: bool = False,
    verified: bool = False,
) -> Inputs:
    """A database (n, d), queries (q, d), and their exact ranking of ``depth`` images (all by default)."""
    database, queries = some_descriptors(n, d), some_descriptors(q, d, seed=1)
    if change == "zero":
        database[:] = 0
    elif change == "some zero":
        database[::3] = 0
    elif change == "alike":
        database[:] = database[0]
    elif change == "duplicates":
        database[:] = database[np.arange(n) % 5]
    if zero_query and q:
        queries[-1] = 0
    return {"database": database, "queries": queries, "ranking": ranked(queries, database, depth, verified)}


def ranked(
    queries: NDArray[np.float32], database: NDArray[np.float32], depth: int | None = None, verified: bool = False
) -> Ranking:
    """The exact ranking, equal scores by the lowest id; with ``verified`` weights of every third image."""
    similarities = queries.astype(np.float64) @ database.T.astype(np.float64)
    indices = np.argsort(-similarities, axis=1, kind="stable")[:, :depth].astype(np.int64)
    scores = np.take_along_axis(similarities, indices, axis=1).astype(np.float32)
    weights = np.where(np.arange(indices.shape[1]) % 3 == 0, 9, 0).astype(np.float32)
    return Ranking(indices, scores, np.broadcast_to(weights, indices.shape).copy() if verified else None)
