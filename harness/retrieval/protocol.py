"""The options of the retrieval task; imports nothing slow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt

from harness.core.devices import Device, Numerics, numerics_key, require_numerics
from harness.core.errors import InvalidInput, UnknownName
from harness.registry.parameters import LATER

if TYPE_CHECKING:
    from harness.metrics.protocols import MetricName


@dataclass(frozen=True)
class RetrievalProtocol:
    """How images are read, searched and scored.

    Attributes:
        image_size: longest side of an image in pixels; smaller images stay as they are.
        scales: factors at which the network sees an image; their descriptors are combined.
        scale_power: exponent of the generalised mean over scales; other than 1 only for non-negative descriptors.
            ``inf`` is the largest entry of all scales, of any descriptors (Shao et al. 2023, Scale-GeM).
        ks: ranks at which precision is measured.
        depth: length of the rankings; 0 ranks the whole database.
        evaluation: protocols by name (``harness evaluate --list``) that count besides the one of the revisited sets,
            such as ``ilias-map@1k``; several are separated by spaces, and the first ranks the board.
        shortlist: what is re-ranked: ``plain``, the top of the ranking; ``delg``, that after images which do not count
            (junk, in hard also easy ones, in easy hard ones) were moved below all others by the ground truth, for each
            setup by itself. Published rows of DELG, RRT, CVNet and AMES have it; no search can do it.
        device: where networks, searches and graphs of a run compute: ``cpu`` or ``cuda``.
        numerics: of products on it: ``fp32``; ``tf32``, of ``cuda`` only; or ``bf16``, in networks.
        search: ``exact``, or ``ivf-pq``, which looks through the inverted lists nearest to a query by codes of 64 bytes
            (Jegou et al. 2011) and scores the best exactly. It needs a depth, and what it does not list counts as
            missed; its recall is measured and recorded.
        probes: lists of each query that ``ivf-pq`` looks through, and more where they hold fewer images than ``depth``;
            0: a sixteenth of them.
    """

    image_size: Annotated[int, Ge(1)] = 1024  # Radenovic et al. 2018, §6
    scales: tuple[float, ...] = (1.0,)  # cirtorch, test.py
    scale_power: Annotated[float, Gt(0)] | Literal["inf"] = 1.0  # cirtorch, test.py:137-143
    ks: tuple[int, ...] = (1, 5, 10)  # Radenovic et al. 2018 (revisited Oxford and Paris), §2
    depth: Annotated[int, Ge(0)] = 0
    evaluation: str = field(default="", metadata=LATER)
    shortlist: Literal["plain", "delg"] = field(default="plain", metadata=LATER)
    device: Device = field(default="cpu", metadata=LATER)
    numerics: Numerics = field(default="fp32", metadata=LATER)
    search: Literal["exact", "ivf-pq"] = field(default="exact", metadata=LATER)
    probes: Annotated[int, Ge(0)] = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        _require(self.image_size >= 1, "image_size", self.image_size, "at least 1 pixel")
        _require(
            bool(self.scales) and all(0 < scale < math.inf for scale in self.scales) and _unique(self.scales),
            "scales",
            self.scales,
            "different factors above 0",
        )
        _require(0 < float(self.scale_power), "scale_power", self.scale_power, "above 0")
        _require(all(k >= 1 for k in self.ks) and _unique(self.ks), "ks", self.ks, "different ranks of at least 1")
        self.evaluations()
        require_numerics(self.device, self.numerics)
        approximate = self.search != "exact"
        _require(approximate or not self.probes, "probes", self.probes, "0, or search: ivf-pq")
        _require(self.depth >= 0, "depth", self.depth, "0 for the whole database, or a number of images")
        best_only = f"{self.search} lists the best images only: depth: 1000, or search: exact"
        _require(not approximate or self.depth > 0, "depth", self.depth, best_only)

    @property
    def numerics_key(self) -> str:
        """Part of every key of the cache: what was computed with other arithmetic is stored apart."""
        return numerics_key(self.device, self.numerics)

    @property
    def counts_own(self) -> bool:
        """Whether a published protocol counts the own images of queries, whatever the data ask for."""
        definitions = [metric.definition for metric in self.evaluations()]
        return any(d.choices.own != "removed" or d.whole is not None for d in definitions)

    def evaluations(self) -> list[MetricName]:
        """The metrics of ``evaluation``, without set-ups. Raises ``InvalidInput`` for a name that does not exist."""
        if not self.evaluation:
            return []
        from harness.metrics.protocols import expand_names

        try:
            named = [metric for name in self.evaluation.split() for metric in expand_names(name)]
        except UnknownName as error:
            raise InvalidInput(error.headline, fix=error.fix) from error
        return list(dict.fromkeys(named))


def _unique(values: tuple[float, ...]) -> bool:
    return len(set(values)) == len(values)


def _require(holds: bool, name: str, value: object, right: str) -> None:
    if not holds:
        raise InvalidInput(f"{name} = {value} is not allowed", fix=right)
