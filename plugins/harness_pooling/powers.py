"""Means of whole powers, compiled: activations are lifted, raised, added up and rooted in one pass over the maps.

A result is made of additions, multiplications and divisions in float64 alone, in an order that depends on nothing but
the number of cells: every processor gives the same bits, whatever the width of its vectors, the number of threads, and
where a map stands. Loads numba: import it where work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Scalar = Any
"""A number of numpy's: compiled code is strict about their types, numpy's static types are not theirs."""

_FIRST: Final = ir.Constant(ir.IntType(32), 0)
_LANES: Final = 16
"""Sums that grow side by side: as wide as the vectors of processors, or wider."""
_STEPS: Final = 4
"""Of Newton's method: from the first guess, which is within 4%, to the precision of float64."""
_CENTRE: Final = 4606988646744178688
"""Bits of 1 in float64, less 0.043 of an exponent: bits are nearly a logarithm, and this halves its largest error."""

_inlined: Callable[[Callable[..., Any]], Any] = intrinsic
"""The compiler gives the types of the arguments to a function, and puts the code that it returns in its place."""


@njit(nogil=True, cache=True, error_model="numpy")
def power_means(maps: Floats, p: int, lowest: float, out: Floats) -> None:
    """Generalised means of maps (n, cells), contiguous, -> (n,).

    The power p is 1 to 6: no power of a float32 number leaves the range of float64.

    Sum j of 16 adds up the powers of cells j, j + 16, j + 32 and so on. Sums 8 to 15 are added to sums 0 to 7, of these
    4 to 7 to 0 to 3, and so on. Cells after the last multiple of 16 come last, one by one.
    """
    (count, size), low = maps.shape, np.float64(np.float32(lowest))
    cells, means = maps.reshape(maps.size), np.empty(count)
    for i in range(count):
        means[i] = _sum(cells, i * size, size, p, low) / size
    _root(means, p, out)


@njit(nogil=True, cache=True, error_model="numpy")
def region_power_means(maps: Floats, regions: NDArray[np.int64], p: int, lowest: float, out: Floats) -> None:
    """``power_means`` of the cells, row by row, of regions (R, 4) that lie in maps (n, C, H, W) -> (n, R, C)."""
    (images, channels, height, width), low = maps.shape, np.float64(np.float32(lowest))
    cells, means = np.empty(height * width, np.float32), np.empty(out.shape)
    for image in range(images):
        for channel in range(channels):
            for region in range(len(regions)):
                y, x, h, w = regions[region]
                for row in range(h):
                    for column in range(w):
                        cells[row * w + column] = maps[image, channel, y + row, x + column]
                means[image, region, channel] = _sum(cells, 0, h * w, p, low) / (h * w)
    _root(means.reshape(means.size), p, out.reshape(out.size))


@njit(nogil=True, cache=True)
def _sum(cells: Floats, first: int, count: int, p: int, low: Scalar) -> Scalar:
    """The sum of the powers of some numbers."""
    vectors = count // _LANES
    # The usual exponent as a constant: its multiplications need no loop.
    total = _sum_of_vectors(cells, first, vectors, 3, low) if p == 3 else _sum_of_vectors(cells, first, vectors, p, low)
    for k in range(first + vectors * _LANES, first + count):
        value = np.float64(cells[k])
        value = low if value < low else value
        power = value
        for _ in range(1, p):
            power *= value
        total += power
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _root(values: Doubles, p: int, out: Floats) -> None:
    """The root of each number, by Newton's method. Of infinity as of NaN there is none."""
    share, bits = 1.0 / p, values.view(np.int64)
    guesses, powers = np.empty(len(values), np.int64), np.empty(len(values))
    roots = guesses.view(np.float64)
    for i in range(len(values)):
        guesses[i] = _CENTRE + np.int64((bits[i] - _CENTRE) * share)
    for _ in range(_STEPS):
        powers[:] = 1
        for _ in range(1, p):
            for i in range(len(values)):
                powers[i] *= roots[i]
        for i in range(len(values)):
            roots[i] -= (roots[i] - values[i] / powers[i]) * share
    for i in range(len(values)):
        out[i] = roots[i] if 0 < values[i] < np.inf else values[i] - values[i]


@_inlined
def _sum_of_vectors(_context: Any, cells: Any, _first: Any, _vectors: Any, _p: Any, _low: Any) -> Any:
    """The sum of the powers of the cells in ``_vectors`` vectors of ``_LANES``, added up vector by vector.

    numba would add up cell by cell, or in an order that depends on the processor.
    """
    wide = ir.VectorType(ir.DoubleType(), _LANES)
    narrow = ir.VectorType(ir.FloatType(), _LANES).as_pointer()

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, vectors, p, low = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        lows = _lanes(builder, builder.insert_element(ir.Constant(wide, ir.Undefined), low, _FIRST), [0] * _LANES)
        total, power = (cgutils.alloca_once(builder, wide) for _ in range(2))  # type: ignore[no-untyped-call]
        builder.store(ir.Constant(wide, [0.0] * _LANES), total)
        with cgutils.for_range(builder, vectors) as loop:
            at = builder.add(first, builder.mul(loop.index, ir.Constant(loop.index.type, _LANES)))
            value = builder.load(builder.bitcast(builder.gep(data, [at]), narrow))
            value.align = 4
            value = builder.fpext(value, wide)
            value = builder.select(builder.fcmp_ordered("<", value, lows), lows, value)
            builder.store(value, power)
            with cgutils.for_range(builder, builder.sub(p, ir.Constant(p.type, 1))):
                builder.store(builder.fmul(builder.load(power), value), power)
            builder.store(builder.fadd(builder.load(total), builder.load(power)), total)
        sums, width = builder.load(total), _LANES
        while width > 1:
            width //= 2
            sums = builder.fadd(*(_lanes(builder, sums, range(start, start + width)) for start in (0, width)))
        return builder.extract_element(sums, _FIRST)

    return types.float64(cells, types.int64, types.int64, types.int64, types.float64), code


def _lanes(builder: Any, vector: Any, numbers: Sequence[int]) -> Any:
    """A vector of some lanes of another."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)
