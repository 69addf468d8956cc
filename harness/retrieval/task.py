"""The stages of one run of the retrieval task: describe, search, re-rank, expand, evaluate.

Whatever is learnt here (a pooling, a whitening, the graph of an expansion) is learnt from the database alone.
Loads torch and numba: import it where a run is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.core.cost import Cost
from harness.core.devices import computing
from harness.core.errors import InvalidInput
from harness.core.threads import reproducible
from harness.metrics.protocols import Evaluation
from harness.metrics.ranking import SETUPS, Scores, evaluate
from harness.plugin_api import (
    ExpandsRegions,
    HasRank,
    HasReport,
    Ranking,
)
from harness.retrieval.cut_ties import Row, with_whole_ties
from harness.retrieval.evaluations import evaluations
from harness.retrieval.fit_expansion import fit_to_descriptors, fit_to_regions
from harness.retrieval.health import descriptor_health, pair_statistics, tied_relevant
from harness.retrieval.inputs import RunInputs
from harness.retrieval.leave_one_out import LeaveOneOut
from harness.retrieval.reranking import BoundReranker, bind_reranker, pair_scores
from harness.retrieval.result import RetrievalResult
from harness.retrieval.search_pipeline import LabelRanks, SearchPipeline
from harness.retrieval.searching import Searching
from harness.retrieval.shortlist import shortlisted
from harness.retrieval.untouched import untouched
from harness.retrieval.whitened import whiten

_TIMED_QUERIES: Final = 20
P = ParamSpec("P")
T = TypeVar("T")


def _computing(
    stage: Callable[Concatenate[RetrievalTask, P], T],
) -> Callable[Concatenate[RetrievalTask, P], T]:
    """The stage with one thread an operation, on the device of the protocol and as precise as it says."""

    @wraps(stage)
    def within(task: RetrievalTask, /, *args: P.args, **options: P.kwargs) -> T:
        with reproducible(), computing(task.protocol.device, task.protocol.numerics):
            return stage(task, *args, **options)

    return within


@dataclass(frozen=True)
class RetrievalTask(RunInputs):
    """The stages of one run, in their order: ``describe``, ``search``, ``rerank``, ``expand``.

    They number the images of the database by the order of their content (``retrieval.canonical``); ``run`` and
    ``scored_pairs`` give the ids of the dataset.

    Attributes:
        keep: images of each ranking that the result has; None: all.
        searching: where the search is done.
        health: what is recorded of the descriptors so far.

    Raises:
        InvalidInput: no images or no queries, or data that a method cannot use.
        DataMissing: an image does not exist.
        DataDamaged: an image cannot be read.
        ContractError: a method returned something that its protocol does not allow.
    """

    keep: int | None = None
    searching: Searching = Searching()
    health: dict[str, Any] = field(default_factory=dict)

    @_computing
    def run(self) -> RetrievalResult:
        """All stages, then the scores."""
        pipeline = self.describe()
        try:
            return self._result(pipeline)
        finally:
            pipeline.close()

    def _result(self, pipeline: SearchPipeline) -> RetrievalResult:
        ranking, label_ranks = self.search(pipeline)
        if self.protocol.shortlist == "delg" and self.methods.reranking is not None:
            ranking, scores = self._by_setup(pipeline, ranking)
        else:
            ranking, scores = self._answered(pipeline, ranking, label_ranks)
        return RetrievalResult(
            scores=scores,
            evaluations=self._evaluations(ranking),
            ranks=self.data.canonical.original(ranking.indices[:, : self.keep]),
            query_seconds=pipeline.seconds(min(len(pipeline.queries), _TIMED_QUERIES)),
            costs=self.costs,
            bytes_per_image=pipeline.bytes_per_image,
            n_database=pipeline.size,
            n_queries=len(pipeline.queries),
            dimension=pipeline.database.shape[1],
            notes=self.notes,
            health={**self.health, "tied_relevant": tied_relevant(scores)},
        )

    def _answered(
        self, pipeline: SearchPipeline, ranking: Ranking, label_ranks: list[LabelRanks]
    ) -> tuple[Ranking, Mapping[str, Scores]]:
        """What was searched re-ranked, expanded and evaluated."""
        ranking = self.expand(pipeline, self.rerank(pipeline, ranking))
        label_ranks, depth = self._label_ranks(pipeline, ranking, label_ranks)
        ranking = self.data.canonical.with_ties(ranking)
        return ranking, evaluate(
            ranking.indices,
            self.data.truth,
            ks=self.protocol.ks,
            scores=ranking.tied,
            n_database=pipeline.size,
            label_ranks=label_ranks,
            depth=depth,
        )

    def _by_setup(self, pipeline: SearchPipeline, ranking: Ranking) -> tuple[Ranking, Mapping[str, Scores]]:
        """Each setup answered from its own shortlist; the ranking, costs and notes are those of medium."""
        if pipeline.cut or self.protocol.depth:
            raise InvalidInput(
                "shortlist: delg needs rankings of the whole database", fix="depth: 0, and no distractors"
            )
        answers = {
            setup: self._answered(pipeline, shortlisted(ranking, self.data.truth, setup), [])
            for setup in ("easy", "hard", "medium")
        }
        pipeline.reranker = self._bound(pipeline, ranking)  # the seconds of queries are those of a plain search
        return answers["medium"][0], {setup: answers[setup][1][setup] for setup in SETUPS}

    @_computing
    def scored_pairs(self) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float32]]]:
        """Of every query the ids of the images that are re-ranked, best first before that, and the re-ranker's scores.

        Raises:
            InvalidInput: the run re-ranks nothing.
        """
        pipeline = self.describe()
        ranking = self.search(pipeline)[0]
        lists = pipeline.without_own(ranking)
        scores = self._pair_scores(self._bound(pipeline, ranking), lists)[0]
        ids = [self.data.canonical.original(row[: len(of_query)]) for row, of_query in zip(lists, scores, strict=True)]
        return ids, scores

    @_computing
    def describe(self) -> SearchPipeline:
        """Descriptors of both roles, whitened and ready to be searched."""
        names, fitted = self.names, None
        described = self.described()
        self.costs.update(described.costs)
        if described.report:
            self.notes["pooling"] = dict(described.report)
        empty = sum(int((~rows.any(axis=1)).sum()) for rows in (described.database, described.queries))
        if empty:  # such images rank by chance
            self.notes["empty_descriptors"] = empty
        if self.methods.whitening is not None:
            learnt_on, rows = self.learnt_from()
            with self.stage("whiten"):
                described, fitted = whiten(
                    described, self.methods.whitening, names["whitening"], learnt_on, self.keys, self.cache, rows
                )
            if isinstance(fitted, HasRank):
                self.notes["whitening_rank"] = fitted.rank
            if isinstance(fitted, HasReport):
                self.notes["whitening"] = dict(fitted.report)
            if self.learning is not None:
                self.notes["whitening_learnt_on"] = self.learning.dataset.name
        arrays = described.distractors.arrays
        self.health.update(descriptor_health(described.database, self.data.canonical.duplicates, empty))
        if (missing := self.notes.get("whitening", {}).get("missing")) and fitted is not None:
            self.health["whitening"] = {"rank": self.notes["whitening_rank"], "missing": missing}
        if self.data.own:
            self.notes["queries_in_database"] = {"queries": len(self.data.own), "left_out": self.data.leaves_out}
        out = LeaveOneOut(self.data.own if self.data.leaves_out else {})
        pipeline = SearchPipeline(
            described.queries,
            described.database,
            self.protocol.depth,
            names,
            arrays,
            whitening=fitted,
            leave_one_out=out,
            searcher=self.searching.exact,
        )
        return pipeline if self.protocol.search == "exact" else self._approximated(pipeline)

    def _approximated(self, pipeline: SearchPipeline) -> SearchPipeline:
        """The same with an approximate search, whose recall is measured."""
        search, arrays = self.searching.approximate(self.protocol.probes), [pipeline.database, *pipeline.distractors]
        with self.stage("build index"):
            search.build(arrays)
        with self.stage("measure recall"):
            search.measure(pipeline.queries, arrays)
        self.notes["search"] = search.report
        return replace(pipeline, searcher=search, alone=search.alone, approximate=True)

    @_computing
    def describe_part(self, part: tuple[int, int]) -> None:
        """Store the descriptors of one part of the database in the cache: ``describe`` then finds them.

        Args:
            part: its number from 0, and how many there are.
        """
        if self.methods.descriptors is None:
            pooling, name = self.named_pooling
            self.extraction.describe_part(pooling, name, self.keys, self.cache, part)

    @_computing
    def search(self, pipeline: SearchPipeline) -> tuple[Ranking, list[LabelRanks]]:
        """The ranking of all queries, and ranks of the images that the ground truth names, where they will count.

        They do where rankings are cut to fit, as among distractors, and where one that no expansion changes is cut at
        depth: below the cut nothing else tells them.
        """
        counted = self.methods.expansion is None and 0 < self.protocol.depth < pipeline.size
        with self.stage("search"):
            if (pipeline.cut or counted) and not pipeline.approximate:
                return pipeline.search_labelled(self.data.labelled)
            return pipeline.search(slice(None)), []

    @_computing
    def rerank(self, pipeline: SearchPipeline, ranking: Ranking) -> Ranking:
        """The ranking with its top reordered; ``pipeline`` gets the re-ranker with the features of the images."""
        if self.methods.reranking is None:
            return ranking
        pipeline.reranker = reranker = self._bound(pipeline, ranking)
        with untouched(pipeline.names["reranking"], ranking.indices, ranking.scores):
            lists = pipeline.without_own(ranking)
            scores, cost = self._pair_scores(reranker, lists)
            self.health["verification"] = pair_statistics(lists, scores, self.data.truth)
            with self.stage("rerank"):
                ranking = pipeline.rerank(range(len(lists)), ranking, scores)
        self.costs["rerank"] += cost
        return ranking

    def _bound(self, pipeline: SearchPipeline, ranking: Ranking) -> BoundReranker:
        """The re-ranker with the features of the images that it will compare."""
        if self.methods.reranking is None:
            raise InvalidInput("there is no re-ranker", fix="a run with reranking")
        name, first = pipeline.names["reranking"], self.data.canonical.first
        reranker, self.costs["describe for re-ranking"] = bind_reranker(
            self.methods.reranking, name, self.extraction, ranking, first, self.keys, self.cache
        )
        if isinstance(reranker.learnt, HasReport):
            self.notes["reranking_learnt"] = dict(reranker.learnt.report)
        return reranker

    def _pair_scores(
        self, reranker: BoundReranker, lists: Sequence[NDArray[np.int64]]
    ) -> tuple[list[NDArray[np.float32]], Cost]:
        """What the re-ranker scores of the top of each of the rankings, one a query, and what that cost."""
        return pair_scores(reranker, self.extraction, lists, self.keys, self.cache)

    @_computing
    def expand(self, pipeline: SearchPipeline, ranking: Ranking) -> Ranking:
        """The ranking after query expansion; ``pipeline`` gets the expansion fitted on the database."""
        if self.methods.expansion is None:
            return ranking
        given = pipeline.database, pipeline.queries, ranking.indices, ranking.scores
        with untouched(pipeline.names["expansion"], *given):
            if isinstance(self.methods.expansion, ExpandsRegions):
                regions = [self.regions(role, pipeline.whitening) for role in ("database", "query")]
                with self.stage("fit expansion"):
                    fit_to_regions(self.methods.expansion, pipeline, *regions)
            else:
                with self.stage("fit expansion"):
                    fit_to_descriptors(self.methods.expansion, pipeline, self.cache)
            with self.stage("expand"):
                ranking = pipeline.expand(slice(None), ranking)
        if isinstance(pipeline.expansion, HasReport) and pipeline.expansion.report:
            self.notes["expansion"] = dict(pipeline.expansion.report)
        return ranking

    def _evaluations(self, ranking: Ranking) -> list[Evaluation]:
        """The ranking under the protocols that ``evaluation`` names, in the ids of the dataset as it was loaded."""
        if not self.protocol.evaluation:
            return []
        return evaluations(self.protocol, self.dataset, self.data.canonical.original(ranking.indices), ranking.scores)

    def _label_ranks(
        self, pipeline: SearchPipeline, ranking: Ranking, searched: list[LabelRanks]
    ) -> tuple[list[LabelRanks], int | None]:
        """Ranks of the labelled images where the final ranking is cut, and the rank from which on they are missed."""
        depth = ranking.indices.shape[1]
        if depth == pipeline.size:
            return [], None
        if searched and self.methods.expansion is None:
            ranks = pipeline.reranked_ranks(ranking, searched)
            return ranks, None if pipeline.cut else depth
        # What an expansion would rank below the cut is not known: positives there count as missed.
        if pipeline.approximate:  # nor what an approximate search did not list
            listed: Iterable[Row] = zip(ranking.indices, ranking.tied, strict=True)
        else:
            listed = with_whole_ties(pipeline, ranking, self.data.labelled)
        return list(self.data.canonical.listed_ranks(listed, self.data.labelled)), depth
