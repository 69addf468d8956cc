"""Comparison of 64 numbers at once, which numba has no words for: a bit says of each whether it reaches its bound.

Loops that compare and branch number by number cost ten times as much where few numbers reach it. Vector instructions of
the processor, whichever it has, make the bits. Loads numba: import it where work is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 64
"""Numbers compared at once: the bits of a word."""
_inlined: Callable[[Callable[..., Any]], Any] = intrinsic
"""The compiler gives the types of the arguments to a function, and puts the code that it returns in its place."""


@_inlined
def reaching(_context: Any, values: Any, at: Any, bounds: Any, first: Any) -> Any:
    """Bit j of the result: ``not values[at + j] < bounds[first + j]``, which NaN is.

    Args:
        values: float32, contiguous, at least ``at + WIDTH`` long (not checked).
        at: where the numbers begin.
        bounds: float32, contiguous, at least ``first + WIDTH`` long (not checked).
        first: where the bounds begin.
    """
    vector = ir.VectorType(ir.FloatType(), WIDTH)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def load(array: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            loaded = builder.load(builder.bitcast(builder.gep(data, [arguments[array + 1]]), vector.as_pointer()))
            loaded.align = 4
            return loaded

        return builder.bitcast(builder.fcmp_unordered(">=", load(0), load(2)), ir.IntType(WIDTH))

    return types.uint64(values, types.int64, bounds, types.int64), code


@_inlined
def lowest(_context: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set; undefined where none is."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code
