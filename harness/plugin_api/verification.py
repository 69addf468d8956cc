"""How the inliers of a geometric re-ranker reorder a ranking: options that such methods inherit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from annotated_types import Ge, Gt, Interval

if TYPE_CHECKING:
    from harness.plugin_api.arrays import Floats

Order = Literal["inliers", "product", "mix"]

ORDERING: Final[Mapping[str, Any]] = MappingProxyType({"ordering": True})
"""Metadata of a re-ranker's field that only says how scores order a ranking: neither what ``describe`` returns nor what
``score`` returns depends on it, so that both are computed once for all its values."""

_OPTION: Final = {**ORDERING, "later": True}
"""The options are no part of the identity of a run at their defaults: re-rankers had results before they had them."""


class OrderDefaults(NamedTuple):
    """What ``auto`` stands for in ``Verification``."""

    order_by: Order = "inliers"
    min_inliers: int = 0


@dataclass(frozen=True)
class Verification:
    """Options of a re-ranker whose ``score`` counts inliers: what the top of the ranking is ordered by.

    A method inherits them beside its own fields; ``order_defaults`` says what its ``auto`` stands for.

    Formula:
        m = n where n >= min_inliers, else 0
        inliers: m; product: max(g, 0) m; mix: mix_weight g + (1 - mix_weight) m / (m + mix_scale)
        n the inliers, g the similarity of the ranking before

    Attributes:
        order_by: ``inliers`` n; ``product``, n times the similarity g of the ranking before, 0 where that is negative;
            ``mix``, mix_weight g + (1 - mix_weight) n / (n + mix_scale); ``auto``, as the method or its preset says.
            Equal values keep the order before.
        min_inliers: fewer count as none, in the order and as a weight for an expansion; ``auto``: as the method says.
        mix_weight: share of the similarity in ``mix``.
        mix_scale: inliers that make half of their part of ``mix``.
    """

    order_by: Literal["auto", "inliers", "product", "mix"] = field(default="auto", metadata=_OPTION)
    min_inliers: Annotated[int, Ge(0)] | Literal["auto"] = field(default="auto", metadata=_OPTION)
    mix_weight: Annotated[float, Interval(ge=0, le=1)] = field(default=0.5, metadata=_OPTION)
    mix_scale: Annotated[float, Gt(0)] = field(default=30.0, metadata=_OPTION)

    @property
    def order_defaults(self) -> OrderDefaults:
        """What ``auto`` stands for: here the plain inliers."""
        return OrderDefaults()

    def verified(self, scores: Floats) -> Floats:
        """Inliers (k,) float32, those below the least number as 0."""
        least = self.order_defaults.min_inliers if self.min_inliers == "auto" else self.min_inliers
        return scores * (scores >= least)

    def order(self, similarities: Floats, scores: Floats) -> Floats:
        """What the top is ordered by, (k,) float32, from its similarities and what ``score`` returned, (k,) each."""
        by = self.order_defaults.order_by if self.order_by == "auto" else self.order_by
        inliers = self.verified(scores)
        if by == "product":
            return similarities.clip(min=0) * inliers
        if by == "mix":
            share = inliers / (inliers + self.mix_scale)
            return (self.mix_weight * similarities + (1 - self.mix_weight) * share).astype(inliers.dtype)
        return inliers
