"""The denoiser as compiled loops over molecules side by side, without gradients.

The same function as `denoiser.Denoiser`. Pairs are taken by turns: at turn s atom i hears atom i + s of its molecule,
counted round. With molecules innermost, and what is heard laid out twice over, all that a turn does runs along one
line of memory; nothing of [pairs, messages] leaves the cache. `lanes` converts.
Shapes: L molecules, N atoms, p = N·L, W state, M message, K features of a pair, all three padded by zeros to whole
`lanes.BLOCK`s. What ends in 2 holds its p numbers twice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp, silu

_ZERO, _ONE = np.float32(0), np.float32(1)


class Weights(NamedTuple):
    """A denoiser's, of all R rounds; the updates of states are of all but the last.

    Attributes:
        target, source: [R, M, W]; `target_bias` [R, M].
        pair: [R, M, K], on kinds of edges but the first, Gaussians and the squared distance now, in that order.
        message: [R, M, M]; `message_bias` and `move` [R, M].
        mix_state, mix_heard, update: [R − 1, W, W], [R − 1, W, M], [R − 1, W, W], and biases [R − 1, W].
        centres: of the Gaussians, in units of the noise; `sharpness` is one over their width.
        nothing: least exponent of a Gaussian.
        near: added to squared distances.
    """

    target: np.ndarray
    target_bias: np.ndarray
    source: np.ndarray
    pair: np.ndarray
    message: np.ndarray
    message_bias: np.ndarray
    move: np.ndarray
    mix_state: np.ndarray
    mix_heard: np.ndarray
    mix_bias: np.ndarray
    update: np.ndarray
    update_bias: np.ndarray
    centres: np.ndarray
    sharpness: np.float32
    nothing: np.float32
    near: np.float32


class Molecules(NamedTuple):
    """Molecules side by side.

    Attributes:
        lanes: L.
        states: [W, p], of atoms, before a time is added.
        real: [p], 1 where an atom is.
        pairs: [N − 1, p], 1 where both atoms of a pair are, by turns.
        seen: [N − 1, K, p], features of pairs, of which the kinds of edges are filled in.
        kinds: how many of the K those are.
    """

    lanes: int
    states: np.ndarray
    real: np.ndarray
    pairs: np.ndarray
    seen: np.ndarray
    kinds: int


class Room(NamedTuple):
    """Memory that a pass writes to: [W, p] of states, [M, p] of messages, [3, p] of places; `pull` [p]."""

    states: np.ndarray
    mixed: np.ndarray
    target: np.ndarray
    source: np.ndarray
    source2: np.ndarray
    heard: np.ndarray
    first: np.ndarray
    message: np.ndarray
    pull: np.ndarray
    noise: np.ndarray
    here2: np.ndarray


@compiled
def add_product(weight: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out += weight @ x, by blocks of 4 × 4 weights: as many sums as the registers hold."""
    for m in range(0, weight.shape[0], 4):
        for k in range(0, weight.shape[1], 4):
            a0, a1, a2, a3 = weight[m, k], weight[m, k + 1], weight[m, k + 2], weight[m, k + 3]
            b0, b1, b2, b3 = weight[m + 1, k], weight[m + 1, k + 1], weight[m + 1, k + 2], weight[m + 1, k + 3]
            c0, c1, c2, c3 = weight[m + 2, k], weight[m + 2, k + 1], weight[m + 2, k + 2], weight[m + 2, k + 3]
            d0, d1, d2, d3 = weight[m + 3, k], weight[m + 3, k + 1], weight[m + 3, k + 2], weight[m + 3, k + 3]
            for p in range(out.shape[1]):
                x0, x1, x2, x3 = x[k, p], x[k + 1, p], x[k + 2, p], x[k + 3, p]
                out[m, p] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                out[m + 1, p] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                out[m + 2, p] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                out[m + 3, p] += d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3


@compiled
def set_rows(out: np.ndarray, bias: np.ndarray) -> None:
    """Every column of `out` becomes `bias`."""
    for m in range(out.shape[0]):
        for p in range(out.shape[1]):
            out[m, p] = bias[m]


@compiled
def activate(x: np.ndarray) -> None:
    """silu in place."""
    for m in range(x.shape[0]):
        for p in range(x.shape[1]):
            x[m, p] = silu(x[m, p])


@compiled
def repeat(x: np.ndarray, x2: np.ndarray) -> None:
    """Each row, twice over."""
    points = x.shape[1]
    for m in range(x.shape[0]):
        front, back = x2[m, :points], x2[m, points:]
        for p in range(points):
            front[p] = x[m, p]
            back[p] = x[m, p]


@compiled
def repeat_sum(x: np.ndarray, y: np.ndarray, x2: np.ndarray) -> None:
    """Each row of x + y, twice over."""
    points = x.shape[1]
    for m in range(x.shape[0]):
        front, back = x2[m, :points], x2[m, points:]
        for p in range(points):
            front[p] = x[m, p] + y[m, p]
            back[p] = x[m, p] + y[m, p]


@compiled
def distances(places2: np.ndarray, lanes: int, seen: np.ndarray) -> None:
    """Squared distances of all pairs into the last row of `seen`."""
    for turn in range(seen.shape[0]):
        d2 = seen[turn, seen.shape[1] - 1]
        start = (turn + 1) * lanes
        x, y, z = places2
        far_x, far_y, far_z = x[start:], y[start:], z[start:]
        for p in range(len(d2)):
            a, b, c = x[p] - far_x[p], y[p] - far_y[p], z[p] - far_z[p]
            d2[p] = a * a + b * b + c * c


@compiled
def gaussians(weights: Weights, kinds: int, seen: np.ndarray) -> None:
    """Of the distances that `seen` holds, into its rows behind the kinds of edges."""
    for turn in range(seen.shape[0]):
        d2 = seen[turn, seen.shape[1] - 1]
        for number in range(len(weights.centres)):
            middle, row = weights.centres[number], seen[turn, kinds + number]
            for p in range(len(d2)):
                far = (np.sqrt(d2[p] + weights.near) - middle) * weights.sharpness
                row[p] = exp(max(-far * far, weights.nothing))


@compiled
def join_ends(target: np.ndarray, source2: np.ndarray, start: int, first: np.ndarray) -> None:
    """What an atom and the one that it hears send to their message's first map."""
    for m in range(first.shape[0]):
        source, here, out = source2[m, start:], target[m], first[m]
        for p in range(len(out)):
            out[p] = here[p] + source[p]


@compiled
def read(move: np.ndarray, pairs: np.ndarray, room: Room) -> None:
    """silu of messages: their products with `move`, and their sum over real pairs on top of what was heard."""
    message, pull, heard = room.message, room.pull, room.heard
    pull[:] = _ZERO
    for m in range(0, message.shape[0], 2):
        here, next_ = move[m], move[m + 1]
        for p in range(len(pull)):
            a, b = silu(message[m, p]), silu(message[m + 1, p])
            pull[p] += here * a + next_ * b
            heard[m, p] += a * pairs[p]
            heard[m + 1, p] += b * pairs[p]


@compiled
def move_atoms(near: np.float32, d2: np.ndarray, pairs: np.ndarray, start: int, room: Room) -> None:
    """Adds pull_ij (x_i − x_j) / (1 + d_ij) of real pairs to how far atoms have moved."""
    pull = room.pull
    for p in range(len(pull)):
        pull[p] *= pairs[p] / (_ONE + np.sqrt(d2[p] + near))
    for axis in range(3):
        x, far, moved = room.here2[axis], room.here2[axis, start:], room.noise[axis]
        for p in range(len(pull)):
            moved[p] += pull[p] * (x[p] - far[p])


@compiled
def update_states(weights: Weights, number: int, room: Room) -> None:
    """h + update(silu(mix(h, heard)))."""
    set_rows(room.mixed, weights.mix_bias[number])
    add_product(weights.mix_state[number], room.states, room.mixed)
    add_product(weights.mix_heard[number], room.heard, room.mixed)
    activate(room.mixed)
    for m in range(room.states.shape[0]):
        for p in range(room.states.shape[1]):
            room.states[m, p] += weights.update_bias[number, m]
    add_product(weights.update[number], room.mixed, room.states)


@compiled
def centre(x: np.ndarray, real: np.ndarray, lanes: int) -> None:
    """Each molecule's centroid to 0, and padding to 0; x is [3, p]."""
    for axis in range(3):
        for lane in range(lanes):
            total, atoms = _ZERO, _ZERO
            for p in range(lane, len(real), lanes):
                total += x[axis, p] * real[p]
                atoms += real[p]
            for p in range(lane, len(real), lanes):
                x[axis, p] = (x[axis, p] - total / max(atoms, _ONE)) * real[p]


@compiled
def predict(weights: Weights, molecules: Molecules, room: Room, x: np.ndarray) -> None:
    """The noise in x [3, p], of atoms whose states `room` holds, into the room's `noise`."""
    rounds, seen = len(weights.target), molecules.seen
    repeat(x, room.here2)
    distances(room.here2, molecules.lanes, seen)
    gaussians(weights, molecules.kinds, seen)
    room.noise[:] = _ZERO
    for number in range(rounds):
        if number:
            repeat_sum(x, room.noise, room.here2)
            distances(room.here2, molecules.lanes, seen)
        set_rows(room.target, weights.target_bias[number])
        add_product(weights.target[number], room.states, room.target)
        room.source[:] = _ZERO
        add_product(weights.source[number], room.states, room.source)
        repeat(room.source, room.source2)
        room.heard[:] = _ZERO
        for turn in range(seen.shape[0]):
            start = (turn + 1) * molecules.lanes
            join_ends(room.target, room.source2, start, room.first)
            add_product(weights.pair[number], seen[turn], room.first)
            activate(room.first)
            set_rows(room.message, weights.message_bias[number])
            add_product(weights.message[number], room.first, room.message)
            read(weights.move[number], molecules.pairs[turn], room)
            move_atoms(weights.near, seen[turn, seen.shape[1] - 1], molecules.pairs[turn], start, room)
        if number + 1 < rounds:
            update_states(weights, number, room)
    centre(room.noise, molecules.real, molecules.lanes)
