r"""What modified policy iteration needs of a model: greedy backups, and sweeps under the greedy policy.

Both are made to read little of ``P``, which is what takes the time.

1. An action is looked at only if it may be better than the best one known. After :math:`v \to v'` its value rises by
   at most :math:`\gamma \max(v' - v)`, so an action whose value was lower by more stays untouched: action elimination
   of MacQueen [macqueen1967test], undone as `v` moves. Every greedy backup is exact all the same.
2. A sweep under a policy touches one row per state. The rows of the greedy policy are kept side by side in a compact
   ``P_pi``, copied while the backup has them in hand and only where the action is new.
3. Sweeps run in float32: they compute the correction :math:`(I - \gamma P_\pi)^{-1}(Tv - v)`, without its constant
   part, and the backup of the corrected `v` is float64 again. That is iterative refinement, as in chapter 12 of Higham
   [higham2002accuracy]: what float32 cannot see is seen by the next backup.

Large sparse models run on the compiled kernels of `_kernels` where numba is installed, others on `_plain`, and dense
ones on BLAS.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from mdptk.core.models import ROW_SUM_TOLERANCE, is_sparse
from mdptk.solve import _plain
from mdptk.solve.certificates import successors

if TYPE_CHECKING:
    from mdptk.core.models import MDP, Array

COMPILED_FROM = 100_000  # transitions; below, importing numba takes longer than solving
LENGTHY = 1000  # states; as many linear solves, one for each, would take longer than importing numba
AHEAD, NEAR = 32, 2**18  # entries that a gather is asked for ahead of its use; states whose values a cache holds
SOME = 1000  # rows that are looked at
CHUNK = 2**16  # entries of dense rows that are copied at a time: they stay in the cache
EPS = np.finfo(np.float64).eps


@runtime_checkable
class Backups(Protocol):
    """Greedy backups and sweeps from the current `v`."""

    v: Array  # (S,)
    w: Array  # (S,): Tv, once a backup was made
    actions: Array  # (S,): the greedy policy
    ceiling: Ceiling

    def backup(self) -> tuple[float, float]:
        """Compute ``w = Tv`` and the greedy policy; the extremes of ``w - v``."""
        ...

    def sweeps(self, middle: float, span: float, flat: float, most: int) -> tuple[float, float]:
        r"""Correct `v` by :math:`\sum_{k \le m} (\gamma P_\pi)^k (w - v)`, and what the constants go on to sum to.

        Stops when the residual, which is `span` wide and has its middle at `middle`, is `flat` times as wide, and
        after `most` sweeps.
        """
        ...


class Ceiling:
    r"""Upper bounds on ``q(s, a)`` as ``unit * upper[s, a] + rise``, which hold for the exact value at the current `v`.

    With :math:`\sum_{s'} P(s'|s,a) \in [1 - \epsilon, 1 + \epsilon]`, :math:`\gamma P (v' - v)` is at most
    :math:`\gamma (1 \pm \epsilon) \max(v' - v)`.
    """

    def __init__(self, mdp: MDP, v: Array, kernels: Any = _plain) -> None:
        n = successors(mdp.P)
        self.gamma, self.epsilon = mdp.gamma, ROW_SUM_TOLERANCE + (n + 8) * EPS
        self.r = float(max(mdp.r.max(), -mdp.r.min()))
        self.size = float(max(v.max(), -v.min()))
        self.unit = float(2.0 ** np.ceil(np.log2(max(self.r, self.size) or 1.0)))
        self.upper = kernels.ceilings(mdp.r, self.unit)
        self.rise, self.u = 0.0, (n + 8) * EPS
        self.move(v.max(), self.size)

    @property
    def noise(self) -> float:
        """How far a computed ``q`` can be from the exact one, and `rise` from what it should be."""
        return self.u * (self.r + self.size + abs(self.rise)) + float(np.finfo(float).tiny)

    def move(self, most: float, size: float) -> None:
        """`v` has become larger by at most `most`, and its largest absolute value is now `size`."""
        factor = 1 + self.epsilon if most > 0 else 1 - self.epsilon
        self.rise, self.size = self.rise + self.gamma * factor * float(most), float(size)


def backed_up_zero(best: Array, gamma: float) -> Array:
    """What a backup of zero leads to, once centred: `best` is ``max_a r``, so it is for free."""
    return best + gamma / (1 - gamma) * (best.min() + best.max()) / 2


def backups(mdp: MDP, v: Array | None = None) -> Backups:
    """The fastest `Backups` for a model, from `v`; if None from `backed_up_zero`."""
    kernels = import_module("mdptk.solve._kernels") if compiled(mdp) else _plain
    first, actions = kernels.best(mdp.r)
    if v is None:
        v = backed_up_zero(first, mdp.gamma)
    return Sparse(mdp, v, actions, kernels) if mdp.sparse else Dense(mdp, v, actions)


def compiled(mdp: Any) -> bool:
    """Whether the compiled kernels serve this model, or choices."""
    return is_sparse(mdp.P) and mdp.P.nnz >= COMPILED_FROM and find_spec("numba") is not None


def compilable(mdp: Any) -> bool:
    """Whether kernels are worth compiling for this model, if they save it from policies that change state by state."""
    return compiled(mdp) or (is_sparse(mdp.P) and mdp.S > LENGTHY and find_spec("numba") is not None)


def unsigned(x: Array) -> Array:
    """Indices without their sign, not copied."""
    return x.view(np.uint32 if x.itemsize == 4 else np.uint64)


def csr(mdp: Any) -> tuple[Array, Array, Array]:
    """``indptr, indices, data`` of a sparse model, the indices unsigned; nothing is copied."""
    return unsigned(mdp.P.indptr), unsigned(mdp.P.indices), mdp.P.data


def ahead(mdp: Any) -> int:
    """How many entries ahead of its use a value is asked for: costly where it is in the cache anyhow.

    That is where there are few states, or successors lie near: looked at for some rows.
    """
    if mdp.S <= NEAR:
        return 0
    rows = np.linspace(0, len(mdp.P.indptr) - 2, SOME).astype(np.int64)
    jumps = abs(mdp.P.indices[mdp.P.indptr[rows]].astype(np.int64) - rows // mdp.A)
    return AHEAD if np.median(jumps) > NEAR / 8 else 0


class Sparse:
    """On the kernels of `_kernels` or `_plain`. Takes up to ``4 / 3 A`` of the memory of `P` if rows are alike."""

    def __init__(self, mdp: MDP, v: Array, actions: Array, kernels: Any) -> None:
        S, A = mdp.S, mdp.A
        self.mdp, self.kernels, self.csr = mdp, kernels, csr(mdp)
        self.v, self.w, self.actions, self.ceiling = v, np.empty(S), actions, Ceiling(mdp, v, kernels)
        start = np.zeros(S + 1, np.int64)  # no row of a state is longer than the room that it gets
        np.cumsum(np.diff(mdp.P.indptr).reshape(S, A).max(1), out=start[1:])
        size = int(start[-1])
        columns = np.zeros(size + AHEAD, self.csr[1].dtype)  # looked at before they are reached
        self.compact = start.astype(self.csr[0].dtype), columns, np.empty(size), np.empty(size, np.float32)
        self.ahead = ahead(mdp)
        self.x = [np.empty(S, np.float32) for _ in range(3)]
        kernels.copy_rows(*self.csr, A, actions, self.compact)

    def backup(self) -> tuple[float, float]:
        c = self.ceiling
        low, high, _ = self.kernels.backup(
            *self.csr, self.mdp.r, self.mdp.gamma, self.v, self.w, self.actions,
            c.upper, c.unit, c.rise, c.noise, self.compact, self.ahead,
        )  # fmt: skip
        return low, high

    def sweeps(self, middle: float, span: float, flat: float, most: int) -> tuple[float, float]:
        gamma, (res, x, y) = self.mdp.gamma, self.x
        self.kernels.residual(self.v, self.w, middle, span, res)
        x[:] = res
        low, high, k = -0.5, 0.5, 0
        while high - low > flat and k < most:
            low, high = self.kernels.sweep(self.compact, gamma, res, x, y, self.ahead)
            x, y, k = y, x, k + 1
        constant = middle / (1 - gamma) + gamma / (1 - gamma) * (float(low) + float(high)) / 2 * span
        self.ceiling.move(*self.kernels.correct(self.v, x, span, constant))
        return low, high


class Dense:
    """On BLAS. Takes ``1 / 2 A`` of the memory of `P`."""

    def __init__(self, mdp: MDP, v: Array, actions: Array) -> None:
        self.mdp, self.rows = mdp, mdp.P.reshape(-1, mdp.S)
        self.v, self.w, self.actions, self.ceiling = v, np.empty(mdp.S), actions, Ceiling(mdp, v)
        self.P = np.empty((mdp.S, mdp.S), np.float32)
        self.copied = np.full(mdp.S, -1)

    def backup(self) -> tuple[float, float]:
        mdp, c = self.mdp, self.ceiling
        s = np.arange(mdp.S)
        held = s * mdp.A + self.actions
        q = np.full((mdp.S, mdp.A), -np.inf)
        q.flat[held] = best = self._q(held)
        looked = np.flatnonzero(c.upper * c.unit + c.rise > best[:, None])
        looked = looked[q.flat[looked] == -np.inf]
        q.flat[looked] = self._q(looked)
        looked = np.concatenate([held, looked])
        upper = (q.flat[looked] + c.noise - c.rise) / c.unit
        c.upper.flat[looked] = (upper + (1.2e-7 * abs(upper) + 1e-44)).astype(np.float32)
        self.w[:] = q.max(1)
        self.actions = np.where(best == self.w, self.actions, q.argmax(1))
        residual = self.w - self.v
        return residual.min(), residual.max()

    def _q(self, rows: Array) -> Array:
        value, step = np.empty(len(rows)), max(1, CHUNK // self.mdp.S)
        for i in range(0, len(rows), step):
            value[i : i + step] = self.rows[rows[i : i + step]] @ self.v
        return self.mdp.r.flat[rows] + self.mdp.gamma * value

    def sweeps(self, middle: float, span: float, flat: float, most: int) -> tuple[float, float]:
        gamma = self.mdp.gamma
        (new,) = np.nonzero(self.actions != self.copied)
        self.P[new] = self.mdp.P[new, self.actions[new]]
        self.copied[new] = self.actions[new]
        x = res = ((self.w - self.v - middle) / span).astype(np.float32)
        low, high, k = -0.5, 0.5, 0
        while high - low > flat and k < most:
            y = res + np.float32(gamma) * (self.P @ x)
            low, high = float((y - x).min()), float((y - x).max())
            x, k = y, k + 1
        constant = middle / (1 - gamma) + gamma / (1 - gamma) * (low + high) / 2 * span
        v = self.v + (span * x.astype(np.float64) + constant)
        change, self.v = v - self.v, v
        self.ceiling.move(change.max(), abs(v).max())
        return low, high
