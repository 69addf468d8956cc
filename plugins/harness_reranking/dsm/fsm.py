"""Fast spatial matching of two sets of local features, compiled (specification 1.12-1.13).

A feature is a position and a lower triangular shape [[a, 0], [b, c]] that maps the unit circle to its ellipse. A
transform is six numbers (xx, xy, yx, yy, x, y): query position -> database position. Verification is in float32 and
local optimisation in float64, as in the released code.

Imports numba, which is slow: import this module where work is done.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

_ONE, _TWO = np.float32(1), np.float32(2)
_COSINE, _SINE = np.float32(0.70709), np.float32(0.70712)  # released code: 45 degrees
_LEAST: Final = np.float32(3)  # released code: a hypothesis needs a score above it, so three inliers
OPTIMISED: Final = 5  # released code: hypotheses that are optimised at most
_ROUNDS: Final = 2  # released code: rounds of optimisation
_WIDER: Final = np.float32(4)  # released code: factor on the threshold where inliers are gathered first
_PRIOR_ABOVE: Final = 11  # released code: inliers above which the shapes count as well
_PRIOR_SCALE: Final = 50.0  # released code


@njit(cache=True)
def tentatives(query: Ints, database: Ints) -> tuple[Ints, Ints]:
    """All pairs (i, j) of equal channel, by i, then j."""
    channels = 0
    for channel in query:
        channels = max(channels, channel + 1)
    first, following = np.full(channels, -1, np.int64), np.full(len(database), -1, np.int64)
    counts = np.zeros(channels, np.int64)
    for j in range(len(database) - 1, -1, -1):
        channel = database[j]
        if channel < channels:
            following[j], first[channel] = first[channel], j
            counts[channel] += 1
    total = 0
    for channel in query:
        total += counts[channel]
    left, right = np.empty(total, np.int64), np.empty(total, np.int64)
    k = 0
    for i in range(len(query)):
        j = first[query[i]]
        while j >= 0:
            left[k], right[k] = i, j
            k, j = k + 1, following[j]
    return left, right


@njit(cache=True, error_model="numpy")
def match(
    query: Singles, database: Singles, left: Ints, right: Ints, threshold: float, max_ratio: float, prior: float
) -> tuple[Ints, Singles]:
    """The transform with the best score and the tentatives that agree with it.

    Args:
        query: (n, 5) float32: x, y, a, b, c.
        database: (m, 5) float32.
        left: (t,) int64 features of the query, ascending.
        right: (t,) int64 features of the database.
        threshold: the symmetric transfer error, squared, must be below it.
        max_ratio: a match's determinant may differ from the transform's by at most this factor.
        prior: weight of the inliers' shapes where a transform is optimised on more than eleven.

    Returns:
        Positions of the inliers among the tentatives, ascending, and the transform (6,) float32; no position and the
        identity where no hypothesis has three inliers.
    """
    limit, ratio = np.float32(threshold), np.float32(max_ratio)
    points = tentative_points(query, database, left, right)
    transforms = hypotheses(query, database, left, right)
    errors, taken = np.empty(len(left), np.float32), np.full(len(database), -1, np.int64)
    inliers = np.empty(len(left), np.int64)
    scores = np.zeros(len(left), np.float32)
    waiting = 0
    for t in range(len(left)):
        if transfer_errors(transforms[t], points, limit, ratio, errors) >= 3:
            count, scores[t] = _one_to_one(transforms[t], transforms, left, right, errors, taken, inliers)
            waiting += 1 if scores[t] > _LEAST else 0
    best, score = np.array([1, 0, 0, 1, 0, 0], np.float32), _LEAST
    tried = 0
    while tried < min(OPTIMISED, waiting):  # what waits shrinks while the bound is compared: as released
        t = int(np.argmax(scores))
        previous, scores[t] = scores[t], 0
        tried, waiting = tried + 1, waiting - 1
        if previous > score:
            best, score = transforms[t].copy(), previous
        transfer_errors(transforms[t], points, limit * _WIDER, ratio, errors)
        count, _ = _one_to_one(transforms[t], transforms, left, right, errors, taken, inliers)
        for _round in range(_ROUNDS):
            _optimise(transforms[t], transforms, points, inliers[:count], prior)  # in place: also this tentative's "up"
            transfer_errors(transforms[t], points, limit, ratio, errors)
            count, reached = _one_to_one(transforms[t], transforms, left, right, errors, taken, inliers)
            if reached < previous:
                break
            previous = reached
            if reached > score:
                best, score = transforms[t].copy(), reached
    if tried == 0:
        return inliers[:0], best
    transfer_errors(best, points, limit, ratio, errors)
    count, _ = _one_to_one(best, transforms, left, right, errors, taken, inliers)
    return inliers[:count].copy(), best


@njit(cache=True, error_model="numpy")
def tentative_points(query: Singles, database: Singles, left: Ints, right: Ints) -> Singles:
    """(6, t): x and y in the query, x and y in the database, determinant of either shape."""
    points = np.empty((6, len(left)), np.float32)
    for t in range(len(left)):
        p, q = query[left[t]], database[right[t]]
        points[0, t], points[1, t], points[2, t], points[3, t] = p[0], p[1], q[0], q[1]
        points[4, t], points[5, t] = p[2] * p[4], q[2] * q[4]
    return points


@njit(cache=True, error_model="numpy")
def hypotheses(query: Singles, database: Singles, left: Ints, right: Ints) -> Singles:
    """(t, 6): the transform that each tentative implies."""
    transforms = np.empty((len(left), 6), np.float32)
    for t in range(len(left)):
        p, q, row = query[left[t]], database[right[t]], transforms[t]
        a, c = _ONE / p[2], _ONE / p[4]
        b = -p[3] * a * c
        row[0], row[1] = q[2] * a, np.float32(0)
        row[2], row[3] = q[3] * a + q[4] * b, q[4] * c
        row[4] = q[0] - row[0] * p[0]
        row[5] = q[1] - (row[2] * p[0] + row[3] * p[1])
    return transforms


@njit(cache=True, error_model="numpy")
def transfer_errors(
    transform: Singles, points: Singles, threshold: np.float32, ratio: np.float32, errors: Singles
) -> np.int32:
    """Squared symmetric transfer error of every tentative, infinite where it is no candidate; number of candidates."""
    xx, xy, yx, yy, x, y = transform
    determinant = xx * yy - xy * yx
    ixx, ixy, iyx, iyy = yy / determinant, -xy / determinant, -yx / determinant, xx / determinant
    ix, iy = -(ixx * x + ixy * y), -(iyx * x + iyy * y)
    low, infinite = _ONE / ratio, np.float32(np.inf)
    px, py, qx, qy, p_area, q_area = points[0], points[1], points[2], points[3], points[4], points[5]
    count = np.int32(0)
    for t in range(len(errors)):
        forward_x = qx[t] - (xx * px[t] + xy * py[t] + x)
        forward_y = qy[t] - (yx * px[t] + yy * py[t] + y)
        backward_x = px[t] - (ixx * qx[t] + ixy * qy[t] + ix)
        backward_y = py[t] - (iyx * qx[t] + iyy * qy[t] + iy)
        error = (forward_x * forward_x + forward_y * forward_y) + (backward_x * backward_x + backward_y * backward_y)
        area = q_area[t] / (p_area[t] * determinant)
        candidate = (area >= low) & (area <= ratio) & (error < threshold)
        errors[t] = error if candidate else infinite
        count += np.int32(candidate)
    return count


@njit(cache=True, error_model="numpy")
def _one_to_one(
    transform: Singles, transforms: Singles, left: Ints, right: Ints, errors: Singles, taken: Ints, inliers: Ints
) -> tuple[int, np.float32]:
    """Greedy by query feature: the free database feature of least error whose orientation agrees. Count and score.

    ``taken`` holds -1 between calls.
    """
    count, total, t = 0, np.float32(0), 0
    while t < len(left):
        feature, best = left[t], -1
        while t < len(left) and left[t] == feature:
            if (
                errors[t] < np.inf
                and (best < 0 or errors[t] < errors[best])
                and taken[right[t]] < 0
                and _upright(transform, transforms[t])
            ):
                best = t
            t += 1
        if best >= 0:
            taken[right[best]] = best
            inliers[count] = best
            count, total = count + 1, total + errors[best]
    for k in range(count):
        taken[right[inliers[k]]] = -1
    return count, np.float32(count) + _ONE / (_TWO + total)


@njit(cache=True, error_model="numpy")
def _upright(transform: Singles, own: Singles) -> bool:
    """The image of "up" under the transform is within 45 degrees of that under the tentative's own hypothesis."""
    x, y = transform[1], transform[3]
    left = (_COSINE * x - _SINE * y) * own[1] + (_SINE * x + _COSINE * y) * own[3]
    right = (_COSINE * x + _SINE * y) * own[1] + (-_SINE * x + _COSINE * y) * own[3]
    return bool(left >= 0 and right >= 0)


@njit(cache=True, error_model="numpy")
def _optimise(transform: Singles, transforms: Singles, points: Singles, inliers: Ints, prior: float) -> None:
    """Affine least squares on the inliers, float64, written into ``transform``; unchanged where it is not defined.

    Above 11 inliers their own hypotheses count as a prior on the linear part, with this weight.
    """
    n = len(inliers)
    if n < 3:
        return
    px = py = qx = qy = 0.0
    for t in inliers:
        px, py, qx, qy = px + points[0, t], py + points[1, t], qx + points[2, t], qy + points[3, t]
    px, py, qx, qy = px / n, py / n, qx / n, qy / n
    sxx = sxy = syy = rxx = rxy = ryx = ryy = lxx = lxy = lyx = lyy = 0.0
    for t in inliers:
        dx, dy, ex, ey = points[0, t] - px, points[1, t] - py, points[2, t] - qx, points[3, t] - qy
        sxx, sxy, syy = sxx + dx * dx, sxy + dx * dy, syy + dy * dy
        rxx, rxy, ryx, ryy = rxx + ex * dx, rxy + ex * dy, ryx + ey * dx, ryy + ey * dy
        own = transforms[t]
        lxx, lxy, lyx, lyy = lxx + own[0], lxy + own[1], lyx + own[2], lyy + own[3]
    weight = prior if n > _PRIOR_ABOVE else 0.0
    data, own_weight = weight + 1, _PRIOR_SCALE * weight
    sxx, sxy, syy = data * sxx + own_weight * n, data * sxy, data * syy + own_weight * n
    rxx, rxy, ryx, ryy = (
        data * rxx + own_weight * lxx,
        data * rxy + own_weight * lxy,
        data * ryx + own_weight * lyx,
        data * ryy + own_weight * lyy,
    )
    determinant = sxx * syy - sxy * sxy
    if determinant == 0:
        return
    xx, xy = (rxx * syy - rxy * sxy) / determinant, (rxy * sxx - rxx * sxy) / determinant
    yx, yy = (ryx * syy - ryy * sxy) / determinant, (ryy * sxx - ryx * sxy) / determinant
    transform[0], transform[1], transform[2], transform[3] = xx, xy, yx, yy
    transform[4], transform[5] = qx - (xx * px + xy * py), qy - (yx * px + yy * py)
