"""Sixteen numbers at a time: what loops that decode text are made of, and numba does not offer.

Numbers are stored in single precision, or as the upper half of it (bfloat16; to numpy, unsigned integers of 16 bits),
and are single in every sum. Sixteen of them fill one register of AVX-512, and two of AVX2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp

LANES = 16
"""Numbers that are taken at a time."""

UNROLLED = 4
"""Rows of lanes that are summed beside each other, so that no sum waits for the one before."""

WORD, HALF, REAL = ir.IntType(32), ir.IntType(16), ir.FloatType()
WORDS, HALVES, REALS = (ir.VectorType(kind, LANES) for kind in (WORD, HALF, REAL))
Made = tuple[Any, Callable[..., Any]]
"""A signature, and what writes the instructions."""


def _wide(_: Any, stored: Any) -> Made:
    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _widened(builder, given[0], WORD, REAL) if stored == types.uint16 else given[0]

    return types.float32(stored), write


def _narrow(_: Any, number: Any, like: Any) -> Made:
    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        if like != types.uint16:
            return given[0]
        bits = builder.bitcast(given[0], WORD)
        odd = builder.and_(builder.lshr(bits, WORD(16)), WORD(1))
        rounded = builder.add(builder.add(bits, odd), WORD(0x7FFF))
        return builder.trunc(builder.lshr(rounded, WORD(16)), HALF)

    return (types.uint16 if like == types.uint16 else types.float32)(types.float32, like), write


def _ordered(_: Any, number: Any) -> Made:
    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _flipped(builder, builder.bitcast(given[0], WORD))

    return types.int32(types.float32), write


def _unordered(_: Any, integer: Any) -> Made:
    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bitcast(_flipped(builder, given[0]), REAL)

    return types.float32(types.int32), write


def _flipped(builder: Any, bits: Any) -> Any:
    """All but the sign turned over where there is one, there and back."""
    return builder.xor(bits, builder.and_(builder.ashr(bits, WORD(31)), WORD(0x7FFFFFFF)))


def _weigh(_: Any, weights: Any, first: Any, held: Any, start: Any, rows: Any, ahead: Any, sums: Any, at: Any) -> Made:
    place = types.intp
    return types.void(weights, place, held, place, place, place, sums, place), _write_weigh


def _write_weigh(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    """A loop over rows with `UNROLLED` running sums of lanes, which starts to load what lies `ahead`."""
    rows, ahead, kinds = given[4], given[5], signature.args
    of = {n: context.make_array(kinds[n])(context, builder, given[n]).data for n in (0, 2, 6)}
    weight, row, total = (builder.gep(of[n], [given[n + 1]]) for n in of)
    total = builder.bitcast(total, REALS.as_pointer())
    before, loop, after = builder.basic_block, builder.append_basic_block(), builder.append_basic_block()
    begun = [builder.load(total, align=4), *[REALS([0.0] * LANES)] * (UNROLLED - 1)]
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(rows.type)
    running = [builder.phi(REALS) for _ in begun]
    later = []
    for number, sum_ in enumerate(running):
        here = builder.add(step, rows.type(number))
        place = builder.gep(row, [builder.mul(here, rows.type(LANES))])
        if kinds[2].dtype != types.uint16 or number % 2 == 0:  # a line of cache holds two rows of halves
            _prefetch(builder, builder.gep(place, [ahead]))
        scaled = builder.fmul(
            _splat(builder, builder.load(builder.gep(weight, [here]))), _row(builder, kinds[2], place)
        )
        later.append(builder.fadd(sum_, scaled, flags=["contract"]))
        scaled.flags.append("contract")
    following = builder.add(step, rows.type(UNROLLED))
    for phi, old, new in [(step, rows.type(0), following), *zip(running, begun, later, strict=True)]:
        phi.add_incoming(old, before)
        phi.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, rows), loop, after)
    builder.position_at_end(after)
    pairs = [builder.fadd(later[number], later[number + 1]) for number in range(0, UNROLLED, 2)]
    builder.store(builder.fadd(*pairs), total, align=4)
    return context.get_dummy_value()


def _row(builder: Any, kind: Any, place: Any) -> Any:
    """Sixteen numbers at a place in memory."""
    if kind.dtype != types.uint16:
        return builder.load(builder.bitcast(place, REALS.as_pointer()), align=4)
    return _widened(builder, builder.load(builder.bitcast(place, HALVES.as_pointer()), align=2), WORDS, REALS)


def _widened(builder: Any, halves: Any, words: Any, reals: Any) -> Any:
    """Single precision of one half or of many."""
    shift = words(16) if words is WORD else words([16] * LANES)
    return builder.bitcast(builder.shl(builder.zext(halves, words), shift), reals)


def _splat(builder: Any, number: Any) -> Any:
    """One number in every lane."""
    nothing = REALS(ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(nothing, number, WORD(0)), nothing, WORDS([0] * LANES))


def _prefetch(builder: Any, place: Any) -> None:
    """Ask for a line of memory, in the second cache; a place beyond what is held does no harm."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, WORD, WORD, WORD])
    asked = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(asked, [builder.bitcast(place, pointer), WORD(0), WORD(2), WORD(1)])


wide: Any = intrinsic(_wide)
"""wide(stored): a stored number in single precision."""

narrow: Any = intrinsic(_narrow)
"""narrow(number, like): a number as `like` is stored, rounded to the nearest, ties to even."""

ordered: Any = intrinsic(_ordered)
"""ordered(number): an integer in the order of numbers, above all of which, or below, is what is no number.

A loop finds the largest of integers with vector instructions; of floats it may not, for the sake of what is no number.
"""

unordered: Any = intrinsic(_unordered)
"""unordered(integer): the number again."""

weigh: Any = intrinsic(_weigh)
"""weigh(weights, first, held, start, rows, ahead, sums, at): sums[at : at + LANES] += Σ weights[first + i] · row i.

Rows of `LANES` numbers, a multiple of `UNROLLED` of them, lie one after the other in `held` from `start` on. What lies
`ahead` of a row in memory is loaded into the cache meanwhile.
"""

ONE, ZERO = np.float32(1), np.float32(0)


@compiled
def exponents(row: np.ndarray, count: int, scale: Any) -> Any:
    """The first `count` numbers become exp(scale · (number − the largest)), in place; returns their sum."""
    top = ordered(row[0])
    for i in range(count):
        top = max(top, ordered(row[i]))
    largest = unordered(top)
    total = ZERO
    for i in range(count):
        share = exp((row[i] - largest) * scale)
        row[i] = share
        total += share
    return total
