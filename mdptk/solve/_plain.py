"""The parallel kernels of `_kernels` on numpy and scipy: the same arguments, the same results up to rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mdptk.core.models import Array


def _times(indptr: Array, indices: Array, data: Array, v: Array) -> Any:
    import scipy.sparse as sp

    signed = [x.view(np.int32 if x.itemsize == 4 else np.int64) for x in (indices, indptr)]
    return sp.csr_array((data, *signed), shape=(len(indptr) - 1, len(v))) @ v


def best(r: Array) -> tuple[Array, Array]:
    """The largest of ``r[s, a]`` of each state, and the first action that has it."""
    return r.max(1), r.argmax(1)


def ceilings(r: Array, unit: float) -> Array:
    """Float32 numbers that are at least ``r / unit``."""
    return above(r / unit)


def ball(indptr: Array, indices: Array, A: int, s: int, radius: int, most: int) -> int:
    """The number of states within `radius` transitions of `s`, counted up to `most`."""
    seen = np.zeros((len(indptr) - 1) // A, bool)
    seen[s], last, size = True, np.array([s]), 1
    for _ in range(radius):
        first = indptr[last * A].astype(np.int64)
        near = np.unique(indices[_ranges(first, indptr[(last + 1) * A].astype(np.int64) - first)]).astype(np.int64)
        last = near[~seen[near]]
        seen[last] = True
        size += len(last)
        if size >= most:
            return most
    return size


def one_way(indptr: Array, indices: Array, A: int) -> bool:
    """Whether transitions lead to no lower state, or to no higher one."""
    t, s = indices.astype(np.int64), np.repeat(np.arange((len(indptr) - 1) // A), np.diff(indptr[::A].astype(np.int64)))
    return bool((t >= s).all() or (t <= s).all())


def copy_rows(
    indptr: Array, indices: Array, data: Array, A: int, actions: Array, compact: tuple[Array, ...]
) -> None:  # fmt: skip
    """All rows of a policy to the compact ``P_pi``."""
    _copy(indptr, indices, data, A, np.arange(len(actions)), actions, compact)


def _copy(
    indptr: Array, indices: Array, data: Array, A: int, states: Array, actions: Array, compact: tuple[Array, ...]
) -> None:  # fmt: skip
    start, columns, weights, light = compact
    first, room = start[states].astype(np.int64), np.diff(start.astype(np.int64))[states]
    at = _ranges(first, room)
    weights[at] = light[at] = 0
    k = states * A + actions[states]
    n = np.diff(indptr.astype(np.int64))[k]
    old, to = _ranges(indptr[k].astype(np.int64), n), _ranges(first, n)
    columns[to], weights[to], light[to] = indices[old], data[old], data[old]


def _ranges(first: Array, n: Array) -> Array:
    """``first[0], first[0] + 1, ..., first[0] + n[0] - 1, first[1], ...``."""
    return np.arange(n.sum()) + np.repeat(first - (np.cumsum(n) - n), n)


def backup(
    indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, w: Array, actions: Array,
    upper: Array, unit: float, rise: float, noise: float, compact: tuple[Array, ...], ahead: int,
) -> tuple[float, float, int]:  # fmt: skip
    """A greedy backup that looks at all actions; ties go to the action held."""
    S, A = r.shape
    q = r + gamma * _times(indptr, indices, data, v).reshape(S, A)
    upper[:] = above((q + noise - rise) / unit)
    w[:] = q.max(1)
    better = q[np.arange(S), actions] < w
    actions[better] = q[better].argmax(1)
    _copy(indptr, indices, data, A, np.flatnonzero(better), actions, compact)
    return float((w - v).min()), float((w - v).max()), S * A


def above(x: Array) -> Array:
    """Float32 numbers that are at least `x`, for `x` far from overflow."""
    return (x + (1.2e-7 * abs(x) + 1e-44)).astype(np.float32)


def full_backup(
    indptr: Array, indices: Array, data: Array, r: Array, gamma: float, v: Array, w: Array, actions: Array, ahead: int
) -> None:
    """A greedy backup that only writes `w` and the first best `actions`."""
    q = r + gamma * _times(indptr, indices, data, v).reshape(r.shape)
    w[:], actions[:] = q.max(1), q.argmax(1)


def residual(v: Array, w: Array, middle: float, span: float, x: Array) -> None:
    """Write ``(w - v - middle) / span`` to the float32 `x`."""
    x[:] = (w - v - middle) / span


def sweep(compact: tuple[Array, ...], gamma: float, res: Array, x: Array, y: Array, ahead: int) -> tuple[float, float]:
    """One sweep in float32 under the policy."""
    start, columns, _, light = compact
    n = int(start[-1])
    y[:] = res + np.float32(gamma) * _times(start, columns[:n], light[:n], x)
    return float((y - x).min()), float((y - x).max())


def correct(v: Array, x: Array, span: float, constant: float) -> tuple[float, float]:
    """Add ``span * x + constant`` to `v`; returns the largest change as it came out, and the largest ``abs(v)``."""
    z = v + (span * x.astype(np.float64) + constant)
    most = (z - v).max()
    v[:] = z
    return float(most), float(abs(z).max())
