"""Local features from feature maps: stable regions of every channel, as ellipses (thesis 4.3.3-4.3.4)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Gt, Interval

from harness.core.errors import InvalidInput
from harness_reranking.dsm.features import Features, join

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Role

    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Doubles = NDArray[np.float64]

_STEPS = 255  # of 8 bits
_DELTA_CAP = 12  # released code, fit_localfeatures.m:104
_BINS = 1000  # released code, fit_localfeatures.m:100
_CHANNEL_CAP = 36  # released code, test_dsm.m:130
_MIN_AREA, _MAX_AREA = 0.001, 0.75  # released code, cmp_mser_regions.m:29, and VLFeat's default


@dataclass(frozen=True)
class Detection:
    """How features are found; thesis and released code differ as follows.

    Thesis: bright regions only; the strength and the box for suppression are those of the region; a channel with more
    regions than its limit is left out; the step is the quantile of all activations of the image.
    Released code: dark regions too; strength and box are those of the drawn ellipse; a channel with more than 36
    regions is left out, else its strongest are kept; the step is that of each scale, at most 12.
    Recommended: as the released code, but bright regions only.

    Attributes:
        preset: see above.
        detector: ``vlfeat`` (its definition) or ``opencv`` (other regions, for comparison; always bright ones only).
        diversity: least relative difference in area to the next stable region around.
        variation: largest relative growth over one step.
        step_share: share of the nonzero activations below one step.
        overlap: largest intersection over union of two features of a database image.
        query_limit: features of one channel of a query.
        database_limit: features of one channel of a database image.
        max_features: features of one image over all scales.
        gain: factor from activations to 255 steps; None: so that ``gain_share`` of the image's nonzero activations at
            its first scale are at most 255.
        gain_share: see ``gain``.
    """

    preset: Literal["recommended", "thesis", "released-code"] = "recommended"
    detector: Literal["vlfeat", "opencv"] = "vlfeat"
    diversity: Annotated[float, Interval(ge=0, le=1)] = 0.7  # Simeoni et al. 2019 (thesis), §4.4.1
    variation: Annotated[float, Gt(0)] = 0.5  # Simeoni et al. 2019 (thesis), §4.4.1
    step_share: Annotated[float, Interval(gt=0, lt=1)] = 0.6  # Simeoni et al. 2019 (thesis), §4.4.1
    overlap: Annotated[float, Interval(ge=0, le=1)] = 0.2  # Simeoni et al. 2019 (thesis), §4.4.1
    query_limit: Annotated[int, Gt(0)] = 20  # Simeoni et al. 2019 (thesis), §4.4.1
    database_limit: Annotated[int, Gt(0)] = 10  # Simeoni et al. 2019 (thesis), §4.4.1
    max_features: Annotated[int, Gt(0)] = 512  # Simeoni et al. 2019 (thesis), §4.4.1: 2048 on ResNet
    gain: Annotated[float, Gt(0)] | None = None
    gain_share: Annotated[float, Interval(gt=0, le=1)] = 0.999


def detect(maps: Sequence[Singles], role: Role, parameters: Detection) -> Features:
    """Features of one image.

    Args:
        maps: one (C, H, W) float32 array per scale, finite; what is not positive counts as zero.
        role: suppression applies to ``database`` images only, and the limit per channel differs.
        parameters: limits and thresholds.

    Returns:
        Features by scale; none is a valid result.

    Raises:
        InvalidInput: no scale, a wrong shape, or values that are not finite.
    """
    scales = [_checked(array) for array in maps]
    if not scales:
        raise InvalidInput("no feature map to detect in", fix="maps (C, H, W), one per scale")
    gain = data_gain(scales[0], parameters.gain_share) if parameters.gain is None else parameters.gain
    steps = _steps(scales, gain, parameters)
    features = join([_detect_scale(k, scales[k], steps[k], gain, role, parameters) for k in range(len(scales))])
    if len(features) <= parameters.max_features:
        return features
    chosen = np.argsort(-features.strengths, kind="stable")[: parameters.max_features]
    return features.take(chosen[np.argsort(features.scales[chosen], kind="stable")])


def data_gain(values: Singles, share: float) -> float:
    """The factor that puts ``share`` of the positive ``values`` at or below 255; 1 where none is positive."""
    positive = values[values > 0]
    if not len(positive):
        return 1.0
    highest = float(np.quantile(positive, share))
    return _STEPS / highest


def _checked(values: Singles) -> Singles:
    if values.ndim != 3 or values.dtype != np.float32 or 0 in values.shape:
        raise InvalidInput(
            f"feature maps of shape {values.shape} and type {values.dtype}",
            fix="(C, H, W) float32 with C, H, W >= 1",
        )
    if not np.isfinite(values).all():
        raise InvalidInput("feature maps hold values that are not finite", fix="maps of finite activations")
    return np.ascontiguousarray(np.maximum(values, 0))


def _steps(scales: Sequence[Singles], gain: float, parameters: Detection) -> list[int | None]:
    """The step of every scale in quantised units; None where it is not defined."""
    if parameters.preset != "thesis":
        return [
            histogram_step(values[values > 0].astype(np.float64) * gain, parameters.step_share) for values in scales
        ]
    positive = np.concatenate([values[values > 0] for values in scales])
    step = max(round(float(np.quantile(positive, parameters.step_share)) * gain), 1) if len(positive) else None
    return [step] * len(scales)


def histogram_step(activations: Doubles, share: float) -> int | None:
    """Centre of the last of 1000 bins below which lies less than ``share``, rounded, at most 12."""
    if not len(activations):
        return None
    low, high = float(activations.min()), float(activations.max())
    if low == high:
        return min(int(high + 0.5), _DELTA_CAP)
    bins = np.minimum(((activations - low) * (_BINS / (high - low))).astype(np.int64), _BINS - 1)
    below = np.flatnonzero(np.cumsum(np.bincount(bins, minlength=_BINS)) / len(activations) < share)
    if not len(below):
        return None
    centre = low + (below[-1] + 0.5) * (high - low) / _BINS
    return min(int(centre + 0.5), _DELTA_CAP)


def _detect_scale(
    scale: int, values: Singles, step: int | None, gain: float, role: Role, parameters: Detection
) -> Features:
    from harness_reranking.dsm import mser, select

    drawn = parameters.preset != "thesis"
    limit = parameters.query_limit if role == "query" else parameters.database_limit
    integers, numbers = _regions(values, step, gain, _CHANNEL_CAP if drawn else limit, parameters)
    channels, strengths = integers[:, mser.CHANNEL], numbers[:, mser.PEAK].astype(np.float32)
    boxes = integers[:, mser.LEFT :].astype(np.float64) + np.array([0, 0, 1, 1])
    chosen = np.arange(len(channels))
    if drawn:
        ellipses, strengths = select.ellipse_support(values, channels, numbers[:, : mser.PEAK])
        boxes, chosen = ellipses.astype(np.float64), np.flatnonzero(strengths > 0)
    if role == "database":
        chosen = chosen[select.suppress(boxes[chosen], strengths[chosen], parameters.overlap)]
    chosen = chosen[select.strongest_per_channel(channels[chosen], strengths[chosen], limit)]
    return Features(
        channels=channels[chosen].astype(np.int32),
        scales=np.full(len(chosen), scale, np.uint8),
        positions=numbers[chosen, : mser.COV_XX].astype(np.float32),
        covariances=numbers[chosen, mser.COV_XX : mser.PEAK].astype(np.float32),
        strengths=strengths[chosen],
        seeds=integers[chosen, mser.SEED].astype(np.int32),
        sizes=np.array([values.shape[1:]], np.int32),
        gain=gain,
    )


def _regions(values: Singles, step: int | None, gain: float, limit: int, parameters: Detection) -> tuple[Ints, Doubles]:
    from harness_reranking.dsm import mser

    if step is None:
        return np.empty((0, 7), np.int64), np.empty((0, 6))
    quantised = mser.quantise(values, gain)
    if not quantised.any():
        warnings.warn(
            f"the largest activation {values.max():.3g} times the gain {gain:.3g} quantises to nothing: no features; "
            "leave the gain to the data or raise it",
            stacklevel=2,
        )
    if parameters.detector == "opencv":
        from harness_reranking.dsm import opencv_mser

        return opencv_mser.stable_regions(quantised, values, step, parameters.variation, parameters.diversity, limit)
    return mser.stable_regions(
        quantised,
        values,
        step,
        parameters.variation,
        parameters.diversity,
        _MIN_AREA,
        _MAX_AREA,
        parameters.preset == "released-code",
        limit,
    )
