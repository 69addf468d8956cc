"""Re-ranking by a transformer that sees a global and the local features of two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt

from harness.core.errors import InvalidInput
from harness.data.checkpoint import checked_sum, network_of
from harness_backbone.user_module import code_of, function_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Role
    from harness_rrt.network import Network

    Floats = NDArray[np.float32]

_PAIRS = 8
"""Images compared with a query at once."""
_FORM = "a state dict with the names on the page of the package"
_FUNCTION = (
    "a function: image (H, W, 3) uint8 RGB -> global feature (D,), local features (m, d), "
    "numbers of their scales (m,), scores (m,)"
)


@dataclass(frozen=True)
class TwoKinds:
    """What is stored of an image.

    Attributes:
        whole: (D,) float32 its global feature.
        local: (m, d) float32 local features, those with the largest scores first.
        scales: (m,) int64 the numbers of their scales.
    """

    whole: Floats
    local: Floats
    scales: NDArray[np.int64]


@dataclass(frozen=True)
class RRT:
    """A transformer compares a global and the local features of two images (Tan et al. 2021).

    The features come from a function of yours. Time O(t^2 d + t d h) a pair and layer, of t = q + m + 4 tokens, at most
    1,004, and h hidden units. Embeddings of positions are not part of the network.

    Formula:
        score = w . x_cls + b, x = encoder([cls, g, l_1 ..., sep, g', l'_1 ...])
        g = A global + a + segment, l_i = local_i + scale_i + segment

    Attributes:
        weights: the path of a state dict of the network, of any size.
        extractor: ``package.module:function``, importable: image (H, W, 3) uint8 RGB to the global feature (D,), local
            features (m, d), the numbers of their scales (m,), from 0, and scores (m,), by which the best are kept.
        checksum: SHA-256 of the file of weights; filled in from the file where it is not given.
        code: SHA-256 of the file of the function; filled in likewise.
        top: number of images that are re-ranked.
        local_features: of an image, at most.
        heads: of each attention; the file does not say.
    """

    weights: Path
    extractor: str = field(kw_only=True)
    checksum: str = ""
    code: str = ""
    top: Annotated[int, Gt(0)] = 100  # Tan et al. 2021, released code
    local_features: Annotated[int, Gt(0)] = 500  # Tan et al. 2021, released code
    heads: Annotated[int, Gt(0)] = 4  # Tan et al. 2021

    def __post_init__(self) -> None:
        object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))
        object.__setattr__(self, "code", self.code or code_of(self.extractor, "extractor", _FUNCTION))

    def describe(self, maps: Sequence[Tensor], role: Role) -> TwoKinds:
        """Always raises ``InvalidInput``: see ``describe_image``."""
        raise InvalidInput("rrt cannot describe feature maps", fix="describe_image(image, role)")

    def describe_image(self, image: NDArray[np.uint8], role: Role) -> TwoKinds:
        """The features of an image (H, W, 3) uint8 RGB; queries and database images alike.

        Raises:
            InvalidInput: the function is not as described, or its features do not fit the network.
            DataMissing: there is no file of weights.
            DataDamaged: it does not hold what it should, or the function's file has changed since the run was planned.
        """
        function = function_of(self.extractor, self.code, "extractor", _FUNCTION)
        whole, local, scales, scores = self._fitting(function(np.array(image)))
        best = np.argsort(-scores, kind="stable")[: self.local_features]
        return TwoKinds(whole, local[best], scales[best])

    def score(self, query: TwoKinds, candidates: Sequence[TwoKinds]) -> Floats:
        """(len(candidates),) float32 logits.

        Raises:
            DataMissing: there is no file of weights.
            DataDamaged: it does not hold what it should.
        """
        import torch
        from torch.nn.utils.rnn import pad_sequence

        network = self._network
        logits = np.empty(len(candidates), np.float32)
        with torch.inference_mode():
            first = _tokens(network, query, 0)
            for start in range(0, len(candidates), _PAIRS):
                some = [torch.cat([first, _tokens(network, one, 1)]) for one in candidates[start : start + _PAIRS]]
                sequences = pad_sequence(some, batch_first=True)
                padding = torch.arange(sequences.shape[1]) >= torch.tensor([len(tokens) for tokens in some])[:, None]
                logits[start : start + _PAIRS] = network(sequences, padding)
        return logits

    def verified(self, scores: Floats) -> Floats:
        """How surely each pair matches, (k,) float32; 0 where it rather does not."""
        from scipy.special import expit

        return np.asarray(expit(scores) * (scores > 0), np.float32)

    def order(self, similarities: Floats, scores: Floats) -> Floats:
        """The logits (k,) alone order the top, as published."""
        return scores

    def pack(self, features: TwoKinds) -> Mapping[str, NDArray[Any]]:
        """What is stored of an image as arrays."""
        return {"whole": features.whole, "local": features.local, "scales": features.scales}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> TwoKinds:
        """The inverse of ``pack``."""
        return TwoKinds(arrays["whole"], arrays["local"], arrays["scales"])

    @property
    def _network(self) -> Network:
        return _network(self.weights, self.checksum, self.heads)

    def _fitting(self, found: Any) -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
        """What the function returned, as arrays that the network takes."""
        try:
            whole, local, scores = (np.asarray(found[part], np.float32) for part in (0, 1, 3))
            scales = np.asarray(found[2])
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise InvalidInput(
                f"extractor {self.extractor} does not return four arrays: {error}", fix=_FUNCTION
            ) from error
        m = len(scores) if scores.ndim == 1 else -1
        dimension, width = self._network.remap.weight.shape
        local = local.reshape(0, dimension) if m == 0 and local.size == 0 else local
        if whole.shape != (width,) or local.shape != (m, dimension) or scales.shape != (m,):
            shapes = ", ".join(str(part.shape) for part in (whole, local, scales, scores))
            raise InvalidInput(
                f"extractor {self.extractor} returned arrays of shapes {shapes}; the network takes a global feature of "
                f"{width} dimensions and local ones of {dimension}",
                fix="the features that the checkpoint was trained on",
            )
        if not all(np.isfinite(part).all() for part in (whole, local, scores)):
            raise InvalidInput(f"extractor {self.extractor} returned numbers that are not finite", fix=_FUNCTION)
        known = len(self._network.scales)
        if not np.isin(scales, np.arange(known)).all():
            raise InvalidInput(
                f"extractor {self.extractor} returned scales that are no numbers from 0 to {known - 1}", fix=_FUNCTION
            )
        return whole, local, scales.astype(np.int64), scores


def _tokens(network: Network, features: TwoKinds, image: int) -> Tensor:
    from torch import from_numpy

    whole, local, scales = from_numpy(features.whole), from_numpy(features.local), from_numpy(features.scales)
    return network.tokens(whole, local, scales, image)


@lru_cache(maxsize=2)
def _network(weights: Path, checksum: str, heads: int) -> Network:
    from harness_rrt.network import Network

    return network_of(weights, checksum, lambda state: Network.shaped(state, heads), what="network of RRT", fix=_FORM)
