"""The evaluation protocols of instance retrieval by name, each with exactly the choices of its published code.

Facts of each were read in the code that ``source`` names. What they differ in: what is divided by, what a truncated
list loses, what is taken out before ranks are counted, how equal scores are ordered, which queries count.
``docs/how-to/protocols.md`` says what follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.metrics.protocols import measures as m
from harness.metrics.protocols import micro
from harness.metrics.protocols.judged import Choices

if TYPE_CHECKING:
    from harness.metrics.protocols.judged import Floats, Hits, Judged


@dataclass(frozen=True)
class Protocol:
    """One protocol.

    Attributes:
        id: as specs and the command line name it, ``gldv2-map``.
        symbol: what it is called in print, ``mAP``.
        family: whose it is, in brackets after the symbol; empty for the harness's own.
        measure: hits of all queries and k -> a number a query; None for one list over all queries.
        whole: such a measure: rankings, set-up and k -> the number.
        ks: its usual ranks; empty where it has no k.
        choices: what is positive, taken out, looked at.
        trec_order: whether lists are ordered again as trec_eval does.
        empty: queries without a positive are left out of the mean, or count 0.
        unanswered: queries without a list are left out of the mean, or count 0.
        over: what the mean is over: the queries, or the means of their classes.
        ties: whether scores are looked at, if there are any.
        percent: whether it is usually printed in percent.
        digits: decimals that are usually printed.
        source: where the definition was read.
        note: what must be true of the input, and where the product differs from undefined behaviour of the source.
    """

    id: str
    symbol: str
    family: str
    measure: Callable[[Hits, int], Floats] | None
    source: str
    note: str = ""
    ks: tuple[int, ...] = ()
    choices: Choices = field(default_factory=Choices)
    whole: Callable[[Judged, str, int], float] | None = None
    trec_order: bool = False
    empty: Literal["left out", "0"] = "left out"
    unanswered: Literal["left out", "0"] = "0"
    over: Literal["queries", "classes"] = "queries"
    ties: bool = False
    percent: bool = True
    digits: int = 2

    @property
    def needs_scores(self) -> bool:
        """Whether there is no number without scores."""
        return self.whole is not None

    def shown(self, value: float) -> str:
        """A number as its source prints it."""
        return f"{100 * value:.{self.digits}f}" if self.percent else f"{value:.{self.digits}f}"


_SETUP: Final = Choices()
_NO_JUNK: Final = Choices(removes=False)
_WHOLE_CORPUS: Final = Choices(removes=False, own="negative")
_WITH_QUERY: Final = Choices(own="counts")
_FIRST_DROPPED: Final = Choices(removes=False, own="counts", drop_first=True, own_in_total=False)
_REVISITOP: Final = "filipradenovic/revisitop, python/evaluate.py"
_DELF: Final = "tensorflow/models, research/delf, revisited_op/dataset.py"
_LANDMARKS: Final = "tensorflow/models, research/delf, google_landmarks_dataset/metrics.py"
_DIRTORCH: Final = "naver/deep-image-retrieval, dirtorch/datasets/generic.py"
_VISSL: Final = "facebookresearch/vissl, utils/instance_retrieval_utils/evaluate.py"
_UNED: Final = "nikosips/Universal-Image-Embeddings, universal_embedding/knn_utils.py"
_TREC: Final = "trec_eval through pytrec_eval-terrier"
_MTEB: Final = "embeddings-benchmark/mteb, _evaluators/retrieval_metrics.py"
_PML: Final = "pytorch-metric-learning, utils/accuracy_calculator.py"
_MET: Final = "nikosips/met, code/utils/utils.py"
_ISC: Final = "facebookresearch/isc2021, isc/metrics.py"


def _trec(prefix: str, family: str, source: str, note: str, **same: Any) -> list[Protocol]:
    """The measures of trec_eval under one set of choices."""
    options: dict[str, Any] = {"percent": False, "trec_order": True, "ties": True, "empty": "0", "digits": 4, **same}
    table: tuple[tuple[str, str, Callable[[Hits, int], Floats], tuple[int, ...]], ...] = (
        ("map", "mAP", m.finite_sum, ()),
        ("map-cut", "mAP", m.finite_sum_at, (5, 10, 100, 1000)),
        ("p", "P", m.precision, (1, 5, 10)),
        ("recall", "recall", m.recall, (1, 5, 10, 100)),
        ("success", "success", m.success, (1, 5, 10)),
        ("ndcg", "nDCG", m.gain, (5, 10, 100)),
        ("mrr", "MRR", m.reciprocal_rank, (10,)),
        ("rprec", "R-precision", m.r_precision, ()),
    )
    found = [
        Protocol(f"{prefix}-{name}", symbol, family, measure, source, note, ks=ks, **options)
        for name, symbol, measure, ks in table
    ]
    if prefix.startswith("mteb"):  # only cut ones there
        found = [protocol for protocol in found if protocol.ks]
    return found


def _pml(prefix: str, family: str, over: Literal["queries", "classes"], note: str) -> list[Protocol]:
    """The measures of pytorch-metric-learning, as means over queries or over classes."""
    table: tuple[tuple[str, str, Callable[[Hits, int], Floats], tuple[int, ...], str], ...] = (
        ("precision", "P", m.precision, (1,), ""),
        ("r-precision", "R-precision", m.r_precision, (), "lists of at least R images"),
        ("map-r", "MAP@R", m.finite_sum_at_total, (), "nothing counts beyond rank R of a query with R positives"),
        ("map", "mAP", m.finite_sum, (), ""),
    )
    return [
        Protocol(
            f"{prefix}-{name}", symbol, family, measure, _PML, "; ".join(filter(None, (own, note))), ks=ks, over=over,
            percent=False, digits=4,
        )
        for name, symbol, measure, ks, own in table
    ]  # fmt: skip


_OWN: Final = (
    Protocol(
        "map", "mAP", "", m.trapezoid, "this harness",
        "the trapezoid rule over all positives, as revisited; of sets that do not tell easy from hard",
    ),
    Protocol(
        "map-cut", "mAP", "", m.finite_sum_capped, "this harness",
        "the finite sum over the first k, divided by min(positives, k), as GLDv2 and ILIAS", ks=(100, 10, 1000),
    ),
    Protocol(
        "mp", "mP", "", m.precision_to_known_last, "this harness",
        "precision at min(k, rank of the last positive), lowered only by lists that reach all positives",
        ks=(1, 5, 10),
    ),
    Protocol(
        "recall", "R", "", m.success, "uvavision/RerankingTransformer, RRT_SOP/utils/metrics.py",
        "1 where any positive is among the first k (SOP, CUB, Cars, In-shop); the query itself is taken out by its id; "
        "a query without a positive is a miss",
        ks=(1, 10, 100, 1000, 2, 4, 8, 20, 30), empty="0",
    ),
    Protocol(
        "recall-dropped", "R", "first dropped", m.success, "uvavision/RerankingTransformer, RRT_SOP/utils/metrics.py",
        "the first image of each list is dropped instead of the query: another number where images are copied or tied",
        ks=(1, 10, 100, 1000), empty="0", choices=_FIRST_DROPPED,
    ),
)  # fmt: skip

_LANDMARK_SETS: Final = (
    Protocol("revisited", "mAP", "revisited", m.trapezoid, _REVISITOP, "query images are not in the database"),
    Protocol(
        "revisited-mp", "mP", "revisited", m.precision_to_last, _REVISITOP,
        "the cut is lowered to the last positive that the list reaches, so a truncated list can score higher; where it "
        "reaches none the source fails and the value here is 0",
        ks=(1, 5, 10),
    ),
    Protocol(
        "oxford", "mAP", "oxford", m.trapezoid, "compute_ap.cpp of the Oxford Buildings page",
        "the query is in the database, is positive and is found first; the source counts in single precision",
        choices=_WITH_QUERY,
    ),
    Protocol(
        "delf-revisited", "mAP", "delf", m.trapezoid_of_found, _DELF,
        "what a truncated list does not reach is forgiven: equal to revisited on whole lists only",
    ),
    Protocol("delf-recall", "mR", "delf", m.recall_of_found, _DELF, "of the positives that the list reaches",
             ks=(1, 5, 10)),
    Protocol(
        "dirtorch", "mAP", "dirtorch", m.trapezoid_of_found, _DIRTORCH,
        "whole lists; equal scores come in undefined order in the source, here as listed", percent=False, digits=6,
    ),
    Protocol("dirtorch-quantised", "mAP", "dirtorch quantised", m.points_above, _DIRTORCH,
             "mean of the interpolated precision at 100 recalls; a loss of training", percent=False, digits=6),
    Protocol("dirtorch-labels", "mAP", "dirtorch labels", m.grouped, "naver/deep-image-retrieval, dirtorch/datasets/"
             "dataset.py", "the query is junk where the database is the query set", ties=True, percent=False, digits=6),
    Protocol("dirtorch-top", "top", "dirtorch labels", m.success, "naver/deep-image-retrieval, dirtorch/datasets/"
             "dataset.py", "the query is not taken out: top-1 is 1 where the database is the query set", ks=(1, 5, 10),
             choices=_WITH_QUERY, percent=False, digits=6),
    Protocol(
        "vissl-revisited", "mAP", "vissl", m.trapezoid, _VISSL,
        "labels of ids beyond the length of the list are dropped: harmless on whole lists, wrong on truncated ones",
        choices=replace(_SETUP, ids_below_length=True),
    ),
    Protocol(
        "ames-revisited", "mAP", "ames", m.trapezoid_of_listed, "pavelsuma/ames, src/utils/revisited.py",
        "divided by no more than the length of the list", digits=3,
    ),
    Protocol(
        "iscen", "mAP", "iscen", m.trapezoid, "ahmetius/diffusion-retrieval, compute_map.m",
        "a query without a positive counts 0", empty="0", percent=False, digits=4,
    ),
    Protocol(
        "iscen-junk-ok", "mAP", "iscen junk ok", m.trapezoid, "ahmetius/diffusion-retrieval, compute_map.m",
        "its option isJunkOk: junk is positive", empty="0", percent=False, digits=4,
        choices=Choices(junk_counts=True),
    ),
    Protocol("instre", "mAP", "instre", m.trapezoid, _VISSL, "nothing is junk; whole lists", choices=_NO_JUNK),
    Protocol("holidays", "mAP", "holidays", m.trapezoid, "holidays_map.py of the INRIA evaluation package",
             "the query is taken out where it is ranked; two sets of images exist, as published and turned upright",
             percent=False, digits=5),
    Protocol("copydays", "mAP", "copydays", m.trapezoid_at, "facebookresearch/dino, eval_copy_detection.py",
             "only the first k ranks count, k = 20; one number a distortion", ks=(20,), choices=_NO_JUNK,
             percent=False, digits=3),
    Protocol("ukbench", "N-S", "ukbench", m.right_ones, "the definition of Nistér and Stewénius 2006",
             "right images among the first four, the query among them: 0 to 4", ks=(4,),
             choices=replace(_WITH_QUERY, removes=False), percent=False, digits=2),
    Protocol("gldv2-map", "mAP", "gldv2", m.finite_sum_capped, _LANDMARKS,
             "divided by min(positives, k); queries without a positive are removed beforehand", ks=(100,),
             choices=_NO_JUNK),
    Protocol("gldv2-p", "P", "gldv2", m.precision, _LANDMARKS, "divided by k even where the list is shorter",
             ks=(1, 5, 10), choices=_NO_JUNK),
    Protocol("ilias-map", "mAP", "ilias", m.grouped_capped, "ilias-vrg/ilias, evaluation/src/dataset.py",
             "equal scores are grouped; the database size belongs to the number", ks=(1000,), choices=_NO_JUNK,
             unanswered="left out", ties=True),
    Protocol("ilias-oracle", "recall", "ilias oracle", m.recall, "ilias-vrg/ilias, evaluation/src/dataset.py",
             "the source scales lists shorter than k up by k / length; here they are not", ks=(1000,),
             choices=_NO_JUNK, unanswered="left out"),
)  # fmt: skip

_OTHER_SETS: Final = (
    Protocol("uned-r", "R", "uned", m.success, _UNED, "the first image is dropped where the query is in the database",
             ks=(1,), choices=_FIRST_DROPPED, percent=False, digits=3),
    Protocol("uned-mmp", "mMP", "uned", m.precision_small, _UNED, "precision at min(positives, k)", ks=(5,),
             choices=_FIRST_DROPPED, percent=False, digits=3),
    Protocol("uned-map", "mAP", "uned", m.finite_sum_small, _UNED, "the finite sum at min(positives, k)", ks=(5,),
             choices=_FIRST_DROPPED, percent=False, digits=3),
    *_trec("trec", "trec", _TREC, "queries without a list are left out; equal scores come by name, the last first",
           choices=_WHOLE_CORPUS, unanswered="left out"),
    *_trec("ir-measures", "ir_measures", "ir_measures", "as trec, but queries without a list count 0",
           choices=_WHOLE_CORPUS, unanswered="0"),
    *_trec("mteb-multichoice", "mteb multichoice", _MTEB, "rows of version 1: junk and the other class are taken out; "
           "only the first 1,000 are kept", choices=replace(_SETUP, depth=1000), digits=5),
    *_trec("mteb-retrieval", "mteb retrieval", _MTEB, "rows of version 2: junk and, for Hard, easy images are "
           "negatives; only the first 1,000 are kept", choices=replace(_WHOLE_CORPUS, depth=1000), digits=5),
    *_trec("mteb-self", "mteb self", _MTEB, "the best-scored image is dropped, and the query stays among the positives",
           choices=Choices(removes=False, own="counts", drop_first=True, depth=1000), digits=5),
    Protocol("torchmetrics-map", "mAP", "torchmetrics", m.finite_sum_of_found, "torchmetrics, RetrievalMAP",
             "divided by the positives within the cut; positives of score 0 or below do not count",
             ks=(10, 100, 1000), empty="0", unanswered="left out", ties=True, percent=False, digits=4),
    Protocol("sklearn-ap", "mAP", "sklearn", m.grouped, "scikit-learn, average_precision_score",
             "equal scores are grouped", ties=True, percent=False, digits=4),
    *_pml("pml", "pml", "queries", ""),
    *_pml("pml-avg", "pml avg_of_avgs", "classes", "mean over classes of the means of their queries; queries with the "
          "same positives, themselves among them, are a class"),
    Protocol("vpr-recall", "R", "vpr", m.success, "gmberton/VPR-methods-evaluation, main.py",
             "a query without a positive is a miss", ks=(1, 5, 10, 20, 100), empty="0", choices=_NO_JUNK, digits=1),
    Protocol("hpatches-ap", "mAP", "hpatches", m.trapezoid, "hpatches/hpatches-benchmark, python/utils/metrics.py",
             "", choices=_NO_JUNK, percent=False, digits=4),
    Protocol("voc-ap", "mAP", "voc", m.envelope, "the interpolated curve of PASCAL VOC 2010", ""),
    Protocol("voc-11pt", "mAP", "11 points", m.eleven_points, "the eleven points of PASCAL VOC 2007", ""),
    Protocol("isc-muap", "µAP", "isc", None, _ISC, "all pairs in one list; of equal scores the wrong ones first",
             whole=micro.pairs_in_one_list, ties=True, percent=False, digits=5),
    Protocol("isc-recall-p90", "recall at P90", "isc", None, _ISC, "the largest recall at a precision of at least 0.9",
             whole=micro.pairs_at_90, ties=True, percent=False, digits=5),
    Protocol("isc-recall", "recall", "isc", None, _ISC, "true pairs before which fewer than k images of their query "
             "stand; an image with the score of a true pair stands before it", ks=(1, 10), whole=micro.pairs_by_rank,
             ties=True, percent=False, digits=5),
    Protocol("gldv2-gap", "GAP", "gldv2", None, _LANDMARKS, "the first image of each list is the prediction of its "
             "query; other classifiers: global_average_precision", whole=micro.nearest_in_one_list, percent=False,
             digits=4),
    Protocol("met-gap", "GAP", "met", None, _MET, "the same; published numbers come from a tuned k-NN classifier",
             whole=micro.nearest_in_one_list, percent=False, digits=4),
    Protocol("met-gap-nodis", "GAP without distractors", "met", None, _MET, "queries without a positive are dropped",
             whole=micro.nearest_without_distractors, percent=False, digits=4),
    Protocol("met-acc", "ACC", "met", m.success, _MET, "of queries that have a positive", ks=(1,),
             choices=_NO_JUNK, percent=False, digits=4),
    Protocol("gldv2-top", "top", "gldv2", m.success, _LANDMARKS, "of queries that have a positive", ks=(1,),
             choices=_NO_JUNK, percent=False, digits=4),
)  # fmt: skip

PROTOCOLS: Final[Mapping[str, Protocol]] = {p.id: p for p in (*_OWN, *_LANDMARK_SETS, *_OTHER_SETS)}
"""Every protocol by its id."""
