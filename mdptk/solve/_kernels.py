r"""Loops over a CSR kernel, compiled by numba where it is installed (extra ``fast``), slow but right where it is not.

All arrays are float64 or indices. Indices come as unsigned integers: signed ones would be tested for being negative
at every access, which costs up to twice the time. Row ``s * A + a`` of ``P`` is ``indptr[s * A + a]`` to the next.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import numba
except ImportError:  # pragma: no cover - the environment of the tests has numba
    numba = None

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import Array

BLOCK = 1024  # states of which all held actions are looked at before the others
PIECES, LEAST = 4, 4096  # of the states for each thread, and how many states are worth a thread


def _jit(function: Callable[..., Any]) -> Any:
    """`function` compiled, and kept on disk for the next process where there is a place to write."""
    function = unwrap(function)  # from the type checks of the tests
    if numba is None:
        return function
    try:
        return numba.njit(function, cache=True, nogil=True)
    except RuntimeError:  # nowhere to write
        return numba.njit(function, nogil=True)


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "mdptk")


def spread(kernel: Callable[..., Any], n: int, *args: Any) -> list[Any]:
    """``kernel(first, last, *args)`` for pieces of ``range(n)``, on as many threads as numba is given; all results.

    Whoever is free takes the next piece, and nobody waits for a thread that has not begun. OpenMP, which numba's own
    loops use, waits at the end of every loop for the slowest thread: 8 ms where a processor is busy with other work.
    """
    others = numba.get_num_threads() - 1 if numba is not None else 0
    if not others or n <= LEAST:
        return [kernel(0, n, *args)]
    size = max(LEAST, -(-n // (PIECES * (others + 1))))
    starts = iter(range(0, n, size))  # whose next is atomic

    def work() -> list[Any]:
        return [kernel(first, min(n, first + size), *args) for first in starts]

    helpers = [_threads(others).submit(work) for _ in range(others)]
    results = work()
    for helper in helpers:
        if not helper.cancel():
            results += helper.result()
    return results


def _extremes(results: list[Any]) -> tuple[Any, Any]:
    return min(x[0] for x in results), max(x[1] for x in results)


def _nothing(x: Array, i: Any) -> None:
    """What prefetching comes to without numba."""


prefetch: Any = _nothing
if numba is not None:
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    def _prefetch(typing: Any, x: Any, i: Any) -> Any:
        """Ask the processor for ``x[i]`` ahead of its use: gathers from far memory overlap, up to four times faster."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            from llvmlite import ir

            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            array = context.make_array(signature.args[0])(context, builder, args[0])
            at = builder.bitcast(builder.gep(array.data, [args[1]]), byte)
            builder.call(function, [at, number(0), number(3), number(1)])  # to read, keep near, data
            return context.get_dummy_value()

        return types.void(x, i), code

    prefetch = intrinsic(unwrap(_prefetch))


@_jit
def dot(indices: Array, data: Array, v: Array, begin: Any, end: Any) -> Any:
    """``sum(data[i] * v[indices[i]])`` from `begin` to `end`: rows overlap, so one accumulator will do."""
    x = 0.0
    for i in range(begin, end):
        x += data[i] * v[indices[i]]
    return x


@_jit
def row(indptr: Array, indices: Array, data: Array, v: Array, k: Any) -> Any:
    """``(P v)`` of row `k`."""
    return dot(indices, data, v, np.uint64(indptr[k]), np.uint64(indptr[k + 1]))


@_jit
def copy_row(indptr: Array, indices: Array, data: Array, k: Any, s: Any, compact: tuple[Array, ...]) -> None:
    """Row `k` of ``P`` to the room of state `s` in the compact ``P_pi``, with zeros after its end."""
    start, columns, weights, light = compact
    begin, n, to = np.uint64(indptr[k]), np.uint64(indptr[k + 1] - indptr[k]), np.uint64(start[s])
    for i in range(n):
        columns[to + i], weights[to + i] = indices[begin + i], data[begin + i]
        light[to + i] = np.float32(data[begin + i])
    for i in range(to + n, np.uint64(start[s + 1])):
        weights[i], light[i] = 0.0, np.float32(0)


@_jit
def _best(first: int, last: int, r: Array, v: Array, actions: Array) -> None:
    for s in range(first, last):
        v[s], actions[s] = r[s, 0], 0
        for a in range(1, r.shape[1]):
            if r[s, a] > v[s]:
                v[s], actions[s] = r[s, a], a


def best(r: Array) -> tuple[Array, Array]:
    """The largest of ``r[s, a]`` of each state, and the first action that has it."""
    v, actions = np.empty(len(r)), np.empty(len(r), np.int64)
    spread(_best, len(r), r, v, actions)
    return v, actions


@_jit
def above(x: float) -> Any:
    """A float32 that is at least `x`, for `x` far from overflow."""
    return np.float32(x + (1.2e-7 * abs(x) + 1e-44))


@_jit
def _ceilings(first: int, last: int, r: Array, unit: float, upper: Array) -> None:
    for s in range(first, last):
        for a in range(r.shape[1]):
            upper[s, a] = above(r[s, a] / unit)


def ceilings(r: Array, unit: float) -> Array:
    """Float32 numbers that are at least ``r / unit``."""
    upper = np.empty(r.shape, np.float32)
    spread(_ceilings, len(r), r, unit, upper)
    return upper


@_jit
def _copy_rows(
    first: int, last: int, indptr: Array, indices: Array, data: Array, A: int, actions: Array,
    compact: tuple[Array, ...],
) -> None:  # fmt: skip
    end = np.uint64(len(data) - 1)
    for s in range(first, last):
        soon = min(s + 16, last - 1)
        at = np.uint64(indptr[soon * A + actions[soon]])
        prefetch(indices, at)
        prefetch(data, at)
        prefetch(data, min(at + np.uint64(8), end))
        copy_row(indptr, indices, data, s * A + actions[s], s, compact)


def copy_rows(
    indptr: Array, indices: Array, data: Array, A: int, actions: Array, compact: tuple[Array, ...]
) -> None:  # fmt: skip
    """All rows of a policy to the compact ``P_pi``."""
    spread(_copy_rows, len(actions), indptr, indices, data, A, actions, compact)


@_jit
def _backup(
    start_at: int, stop_at: int, indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array,
    w: Array, actions: Array, upper: Array, unit: float, rise: float, noise: float, compact: tuple[Array, ...],
    ahead: int,
) -> tuple[float, float, int]:  # fmt: skip
    A = r.shape[1]
    start, columns, weights, _ = compact
    low, high, read = np.inf, -np.inf, 0
    todo, before = np.empty(BLOCK * A, np.int64), np.empty(BLOCK, np.int64)
    for first in range(start_at, stop_at, BLOCK):
        last = min(stop_at, first + BLOCK)
        size = 0
        for s in range(first, last):
            begin, end = np.uint64(start[s]), np.uint64(start[s + 1])
            if ahead:
                for i in range(begin, end):
                    prefetch(v, columns[i + np.uint64(ahead)])
            held = actions[s]
            before[s - first] = held
            w[s] = r[s, held] + gamma * dot(columns, weights, v, begin, end)
            for a in range(A):
                if a == held:
                    upper[s, a] = above((w[s] + noise - rise) / unit)
                elif upper[s, a] * unit + rise > w[s]:
                    todo[size] = s * A + a
                    size += 1
        for i in range(size):
            k = todo[min(i + 8, size - 1)]
            begin = np.uint64(indptr[k])
            prefetch(indices, begin)
            prefetch(data, begin)
            prefetch(data, min(begin + np.uint64(8), np.uint64(len(data) - 1)))
            if ahead:
                k = todo[min(i + 3, size - 1)]
                for j in range(np.uint64(indptr[k]), np.uint64(indptr[k + 1])):
                    prefetch(v, indices[j])
            k = todo[i]
            s, a = k // A, k % A
            q = r[s, a] + gamma * row(indptr, indices, data, v, k)
            upper[s, a] = above((q + noise - rise) / unit)
            if q > w[s]:
                w[s], actions[s] = q, a
        read += size
        for s in range(first, last):
            low, high = min(low, w[s] - v[s]), max(high, w[s] - v[s])
            if actions[s] != before[s - first]:
                copy_row(indptr, indices, data, s * A + actions[s], s, compact)
    return low, high, read


def backup(
    indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, w: Array, actions: Array,
    upper: Array, unit: float, rise: float, noise: float, compact: tuple[Array, ...], ahead: int,
) -> tuple[float, float, int]:  # fmt: skip
    r"""Greedy backup, :math:`w(s) = \max_a r(s,a) + \gamma \sum_{s'} P(s'|s,a)\, v(s')`, of few rows of ``P``.

    First the actions held, whose rows are in the compact ``P_pi``; then those that may be better: ``unit * upper[s, a]
    + rise`` is above the exact value of an action, with `noise` for the rounding of one that is stored now. Writes `w`,
    the better `actions`, and their rows to the compact ``P_pi``: `columns`, float64 and float32 weights from
    ``start[s]`` to ``start[s + 1]``. Returns the extremes of ``w - v`` and how many rows of ``P`` were read.
    """
    results = spread(
        _backup, len(v), indptr, indices, data, r, gamma, v, w, actions, upper, unit, rise, noise, compact, ahead
    )
    return *_extremes(results), sum(x[2] for x in results)


@_jit
def _full_backup(
    first: int, last: int, indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, w: Array,
    actions: Array, ahead: int,
) -> None:  # fmt: skip
    A, i = r.shape[1], np.uint64(indptr[first * r.shape[1]])
    last_entry = np.uint64(len(indices) - 1)
    for s in range(first, last):
        best, choice = -np.inf, 0
        for a in range(A):
            x, end = 0.0, np.uint64(indptr[s * A + a + 1])
            if ahead:
                for j in range(i, end):
                    prefetch(v, indices[min(j + np.uint64(ahead), last_entry)])
                    x += data[j] * v[indices[j]]
            else:
                x = dot(indices, data, v, i, end)
            i, q = end, r[s, a] + gamma * x
            if q > best:
                best, choice = q, a
        w[s], actions[s] = best, choice


def full_backup(
    indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, w: Array, actions: Array, ahead: int
) -> None:
    r"""Write :math:`\max_a r(s,a) + \gamma \sum_{s'} P(s'|s,a)\, v(s')` to `w`, and the first best `actions`."""
    spread(_full_backup, len(v), indptr, indices, data, r, gamma, v, w, actions, ahead)


@_jit
def _action_values(
    first: int, last: int, indptr: Array, indices: Array, data: Array, v: Array, r: Array, total: Array, q: Array
) -> None:
    for k in range(first, last):
        q[k] = r[k] + row(indptr, indices, data, v, k) / total[k]


def action_values(indptr: Array, indices: Array, data: Array, v: Array, r: Array, total: Array) -> Array:
    """``r + (P v) / total`` for every row of ``P``."""
    q = np.empty(len(r))
    spread(_action_values, len(r), indptr, indices, data, v, r, total, q)
    return q


@_jit
def _residual(first: int, last: int, v: Array, w: Array, middle: float, span: float, x: Array) -> None:
    for s in range(first, last):
        x[s] = np.float32((w[s] - v[s] - middle) / span)


def residual(v: Array, w: Array, middle: float, span: float, x: Array) -> None:
    """Write ``(w - v - middle) / span`` to the float32 `x`."""
    spread(_residual, len(v), v, w, middle, span, x)


@_jit
def _sweep(
    first: int, last: int, compact: tuple[Array, ...], gamma: float, res: Array, x: Array, y: Array, ahead: int
) -> Any:
    start, columns, _, light = compact
    low, high = np.float32(np.inf), np.float32(-np.inf)
    factor = np.float32(gamma)
    for s in range(first, last):
        begin, end = np.uint64(start[s]), np.uint64(start[s + 1])
        if ahead:
            for i in range(begin, end):
                prefetch(x, columns[i + np.uint64(ahead)])
        z = res[s] + factor * dot32(columns, light, x, begin, end)
        y[s] = z
        low, high = min(low, z - x[s]), max(high, z - x[s])
    return low, high


def sweep(compact: tuple[Array, ...], gamma: float, res: Array, x: Array, y: Array, ahead: int) -> Any:
    r"""One sweep in float32 under the policy, :math:`y = \text{res} + \gamma P_\pi x`; the extremes of ``y - x``."""
    return _extremes(spread(_sweep, len(x), compact, gamma, res, x, y, ahead))


@_jit
def dot32(indices: Array, data: Array, v: Array, begin: Any, end: Any) -> Any:
    """`dot` in float32."""
    x = np.float32(0)
    for i in range(begin, end):
        x += data[i] * v[indices[i]]
    return x


@_jit
def _correct(first: int, last: int, v: Array, x: Array, span: float, constant: float) -> tuple[float, float]:
    most, size = -np.inf, 0.0
    for s in range(first, last):
        z = v[s] + (span * x[s] + constant)
        most, size = max(most, z - v[s]), max(size, abs(z))
        v[s] = z
    return most, size


def correct(v: Array, x: Array, span: float, constant: float) -> tuple[float, float]:
    """Add ``span * x + constant`` to `v`; returns the largest change as it came out, and the largest ``abs(v)``."""
    results = spread(_correct, len(v), v, x, span, constant)
    return max(x[0] for x in results), max(x[1] for x in results)


@_jit
def update(indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, s: Any) -> float:
    r"""Gauss-Seidel, :math:`\max_a (r(s,a) + \gamma\sum_{s'\ne s} P(s'|s,a)\, v(s')) / (1 - \gamma P(s|s,a))`."""
    A = r.shape[1]
    best = -np.inf
    for a in range(A):
        x, stay = 0.0, 0.0
        for j in range(np.uint64(indptr[s * A + a]), np.uint64(indptr[s * A + a + 1])):
            if indices[j] == s:
                stay += data[j]
            else:
                x += data[j] * v[indices[j]]
        q = r[s, a] + gamma * x
        if stay > 0:
            q /= 1 - gamma * stay
        best = max(best, q)
    return best


@_jit
def relax_parts(
    indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, order: Array, ends: Array,
    theta: float, most: int,
) -> int:  # fmt: skip
    """Gauss-Seidel on one part of `order` after the other, each until no value in it changes by more than `theta`.

    A part of one state takes one update. Returns the number of updates.
    """
    begin, work = 0, 0
    for end in ends:
        for _ in range(most):
            change = 0.0
            for k in range(begin, end):
                s = order[k]
                x = update(indptr, indices, data, r, gamma, v, s)
                change = max(change, abs(x - v[s]))
                v[s] = x
            work += end - begin
            if end - begin == 1 or not change > theta:
                break
        begin = end
    return work


@_jit
def relax(
    indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, order: Array,
    window: int, theta: float, part: float, most: int, held: int,
) -> int:  # fmt: skip
    r"""Gauss-Seidel in a sliding window: states in `order`, in place, until no value in the window changes by much.

    Much is `theta`, or `part` of what the first sweep of the window changed. The window moves by half its length, so
    that every state is also seen with those that come after it. Its rows are copied side by side, in `order`, divided
    by what does not stay, and with the states outside, which do not change, as one number. After a sweep with a maximum
    come up to `held` under the actions that it found. Returns the number of updates.
    """
    S, A = r.shape
    half, last = max(1, window // 2), np.uint64(len(data) - 1)
    place = np.empty(S, np.uint32)
    for k in range(S):
        place[order[k]] = k
    room = 0
    for begin in range(0, S - window + half, half):
        size = 0
        for k in range(begin, min(begin + window, S)):
            s = np.int64(order[k])
            size += np.int64(indptr[(s + 1) * A]) - np.int64(indptr[s * A])
        room = max(room, size)
    x, actions = np.empty(window), np.zeros(window, np.int64)
    base, ends = np.empty(window * A), np.zeros(window * A + 1, np.uint64)
    columns, weights = np.empty(room, np.uint32), np.empty(room)
    work = 0
    for begin in range(0, S - window + half, half):
        n, end = min(begin + window, S) - begin, np.uint64(0)
        for k in range(n):
            at = np.uint64(indptr[np.int64(order[min(begin + k + 8, S - 1)]) * A])
            prefetch(indices, at)
            prefetch(data, at)
            prefetch(data, min(at + np.uint64(8), last))
            s = np.int64(order[begin + k])
            x[k] = v[s]
            for a in range(A):
                c, stay, first = r[s, a], 0.0, end
                for j in range(np.uint64(indptr[s * A + a]), np.uint64(indptr[s * A + a + 1])):
                    t = indices[j]
                    inside = np.uint64(place[t]) - np.uint64(begin)
                    if np.int64(t) == s:
                        stay += data[j]
                    elif inside < np.uint64(n):
                        columns[end], weights[end] = inside, gamma * data[j]
                        end += np.uint64(1)
                    else:
                        c += gamma * data[j] * v[t]
                if stay > 0:
                    c /= 1 - gamma * stay
                    for j in range(first, end):
                        weights[j] /= 1 - gamma * stay
                base[k * A + a], ends[k * A + a + 1] = c, end
        enough = theta
        for i in range(most):
            change = 0.0
            for k in range(n):
                best, action = -np.inf, 0
                for a in range(A):
                    q = base[k * A + a]
                    for j in range(ends[k * A + a], ends[k * A + a + 1]):
                        q += weights[j] * x[columns[j]]
                    if q > best:
                        best, action = q, a
                change = max(change, abs(best - x[k]))
                x[k], actions[k] = best, k * A + action
            work += n
            if i == 0:
                enough = max(theta, part * change)
            if not change > enough:
                break
            for _ in range(held):
                change = 0.0
                for k in range(n):
                    choice = actions[k]
                    q = base[choice]
                    for j in range(ends[choice], ends[choice + 1]):
                        q += weights[j] * x[columns[j]]
                    change = max(change, abs(q - x[k]))
                    x[k] = q
                work += n
                if not change > enough:
                    break
        for k in range(n):
            v[order[begin + k]] = x[k]
    return work


@_jit
def breadth_first(indptr: Array, indices: Array, A: int, seeds: Array) -> Array:
    """States by their distance to `seeds` along transitions; before them those that never get there.

    The latter depend on none of the former, so the whole is an order in which values travel.
    """
    S = (len(indptr) - 1) // A
    into = np.zeros(S + 1, indptr.dtype)
    for i in range(len(indices)):
        into[indices[i] + np.uint64(1)] += 1
    for s in range(S):
        into[s + 1] += into[s]
    before = np.empty(len(indices), indices.dtype)  # predecessors of s: from into[s - 1] to into[s] in the end
    for s in range(S):
        for i in range(np.uint64(indptr[s * A]), np.uint64(indptr[(s + 1) * A])):
            t = indices[i]
            before[into[t]] = s
            into[t] += 1
    seen = np.zeros(S, np.bool_)
    queue = np.empty(S, np.uint32)
    size = 0
    for s in seeds:
        seen[s], queue[size] = True, s
        size += 1
    done = 0
    while done < size:
        s = queue[done]
        done += 1
        for i in range(np.uint64(into[s - 1] if s > 0 else 0), np.uint64(into[s])):
            t = before[i]
            if not seen[t]:
                seen[t], queue[size] = True, t
                size += 1
    order = np.empty(S, np.uint32)
    first = S - size
    order[first:] = queue[:size]
    k = 0
    for s in range(S):
        if not seen[s]:
            order[k] = s
            k += 1
    return order


@_jit
def one_way(indptr: Array, indices: Array, A: int) -> bool:
    """Whether transitions lead to no lower state, or to no higher one: looked at up to the first that does both."""
    up, down = False, False
    for s in range((len(indptr) - 1) // A):
        for i in range(np.uint64(indptr[s * A]), np.uint64(indptr[(s + 1) * A])):
            t = np.int64(indices[i])
            up, down = up or t > s, down or t < s
        if up and down:
            return False
    return True


@_jit
def ball(indptr: Array, indices: Array, A: int, s: int, radius: int, most: int) -> int:
    """The number of states within `radius` transitions of `s`, counted up to `most`."""
    S = (len(indptr) - 1) // A
    seen = np.zeros(S, np.bool_)
    queue = np.empty(min(S, most), np.uint32)
    seen[s], queue[0], size, done = True, s, 1, 0
    for _ in range(radius):
        stop = size
        while done < stop:
            s = queue[done]
            done += 1
            for i in range(np.uint64(indptr[s * A]), np.uint64(indptr[(s + 1) * A])):
                t = indices[i]
                if not seen[t]:
                    if size == len(queue):
                        return size
                    seen[t], queue[size] = True, t
                    size += 1
    return size
