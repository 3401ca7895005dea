"""Models from lists of transitions and from functions, without a Python loop over states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import MDP, Array

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


def from_triplets(
    s: ArrayLike, a: ArrayLike, t: ArrayLike, p: ArrayLike, r: ArrayLike, gamma: float,
    *, S: int | None = None, A: int | None = None, rho: ArrayLike | None = None,
) -> MDP:  # fmt: skip
    """A sparse model from transitions ``s[i], a[i] -> t[i]`` with probability ``p[i]``, in any order.

    A transition that occurs more than once has the sum of its probabilities. At its peak this takes about 2.2 times the
    memory of the CSR arrays, besides its arguments.

    Parameters
    ----------
    s, a, t
        States, actions and next states, integers, shape (n,).
    p
        Probabilities, shape (n,).
    r
        Rewards ``r[s, a]``, shape (S, A); or one reward per transition, shape (n,), of which the model keeps the
        expectation ``r(s, a) = sum(p[i] * r[i])``.
    gamma
        Discount in [0, 1).
    S, A
        Numbers of states and actions; those that occur if None.
    rho
        Distribution of the first state, uniform if None.

    Raises
    ------
    InvalidModel
        Naming the first transition that is out of range, or the first ``(s, a)`` whose probabilities do not sum to one
        within 1e-9; every state needs every action.

    Examples
    --------
    >>> mdp = MDP.from_triplets(s=[0, 0, 1], a=[0, 0, 0], t=[0, 1, 1], p=[0.5, 0.5, 1.0], r=[[1.0], [0.0]], gamma=0.5)
    >>> mdp
    MDP(S=2, A=1, gamma=0.5, sparse, nnz=3)
    """
    s, a, t = (_indices(x, name) for x, name in ((s, "s"), (a, "a"), (t, "t")))
    p, r = np.asarray(p, dtype=np.float64), np.asarray(r, dtype=np.float64)
    if not s.shape == a.shape == t.shape == p.shape or not s.size:
        raise InvalidModel(f"s, a, t and p have shapes {s.shape}, {a.shape}, {t.shape}, {p.shape}: expected one (n,)")
    S = int(max(s.max(), t.max())) + 1 if S is None else S
    A = int(a.max()) + 1 if A is None else A
    for x, name, n in ((s, "s", S), (a, "a", A), (t, "t", S)):
        _in_range(x, name, n)
    row = s.astype(np.int32 if S * A < 2**31 else np.int64)
    row *= A
    row += a.astype(row.dtype, copy=False)
    if r.shape == s.shape and r.shape != (S, A):
        r = np.bincount(row, weights=p * r, minlength=S * A).reshape(S, A)
    return MDP(_csr(row, t, p, (S * A, S)), r, gamma, rho)


def _indices(x: ArrayLike, name: str) -> Array:
    x = np.asarray(x)
    if x.ndim != 1 or not np.issubdtype(x.dtype, np.integer):
        raise InvalidModel(f"{name} has shape {x.shape} and type {x.dtype}: expected integers of shape (n,)")
    return x


def _in_range(x: Array, name: str, n: int) -> None:
    bad = (x < 0) | (x >= n)
    if bad.any():
        i = int(bad.argmax())
        raise InvalidModel(f"{name}[{i}] = {x[i]} is not in 0, ..., {n - 1}")


def _csr(row: Array, column: Array, p: Array, shape: tuple[int, int]) -> Any:
    """CSR of which nobody else holds the arrays."""
    import scipy.sparse as sp

    column = column.astype(row.dtype, copy=False)
    P = sp.coo_array((p, (row, column)), shape=shape).tocsr()  # sorts by counting, sums duplicates
    P.sum_duplicates()
    return _given(P)


def _given(P: Any) -> Any:
    """The arrays of `P` for a model to keep."""
    P.has_canonical_format  # noqa: B018 - looked up once, while it may be stored
    for x in (P.data, P.indices, P.indptr):
        x.setflags(write=False)
        if isinstance(x.base, np.ndarray):
            x.base.setflags(write=False)
    return P


def from_function(
    f: Callable[[Array], tuple[Any, ...]], S: int, A: int, gamma: float,
    *, block: int = 2**14, rho: ArrayLike | None = None,
) -> MDP:  # fmt: skip
    """A sparse model from a function that is asked for the transitions of many states at once.

    Parameters
    ----------
    f
        ``f(states)``, with an array of at most `block` consecutive states, returns ``s, a, t, p, r``: their transitions
        as in `from_triplets`, and the rewards, either ``r`` of shape ``(len(states), A)`` or one per transition.
    S, A
        Numbers of states and actions.
    gamma
        Discount in [0, 1).
    block
        How many states at a time. The model is put together block by block, so that only a block of transitions is
        held besides it; at the peak there are two copies of it.
    rho
        Distribution of the first state, uniform if None.

    Raises
    ------
    InvalidModel
        If `f` returns a transition that is out of range, or of a state that it was not asked for, or probabilities
        that do not sum to one.

    Examples
    --------
    A line of five states, on which both actions stop at the ends:

    >>> def line(s):
    ...     t = np.stack([np.maximum(s - 1, 0), np.minimum(s + 1, 4)], 1)
    ...     a = np.tile([0, 1], len(s))
    ...     return np.repeat(s, 2), a, t.ravel(), np.ones(2 * len(s)), np.stack([0.0 * s, s == 4], 1)
    >>> MDP.from_function(line, S=5, A=2, gamma=0.9)
    MDP(S=5, A=2, gamma=0.9, sparse, nnz=10)
    """
    import scipy.sparse as sp

    if S < 1 or A < 1 or block < 1:
        raise InvalidModel(f"S = {S}, A = {A}, block = {block}: all must be positive")
    parts, r = [], np.empty((S, A))
    for first in range(0, S, block):
        states = np.arange(first, min(S, first + block))
        s, a, t, p, reward = f(states)
        s, a, t = (_indices(x, name) for x, name in ((s, "s"), (a, "a"), (t, "t")))
        p, reward = np.asarray(p, dtype=np.float64), np.asarray(reward, dtype=np.float64)
        if not s.shape == a.shape == t.shape == p.shape:
            raise InvalidModel(f"f returned s, a, t and p of shapes {s.shape}, {a.shape}, {t.shape}, {p.shape}")
        if ((s < first) | (s > states[-1])).any():
            raise InvalidModel(
                f"f was asked for states {first} to {states[-1]} and returned s from {s.min()} to {s.max()}"
            )
        _in_range(a, "a", A)
        _in_range(t, "t", S)
        row = (s - first) * A + a
        if reward.shape == s.shape and reward.shape != (len(states), A):
            reward = np.bincount(row, weights=p * reward, minlength=len(states) * A).reshape(-1, A)
        if reward.shape != (len(states), A):
            raise InvalidModel(f"f returned rewards of shape {reward.shape}, expected {(len(states), A)} or {s.shape}")
        r[states] = reward
        parts.append(_csr(row, t, p, (len(states) * A, S)))
    n, small = sum(x.nnz for x in parts), np.int32
    if max(n, S * A) >= 2**31:
        small = np.int64
    data, indices, indptr = np.empty(n), np.empty(n, small), np.zeros(S * A + 1, small)
    at, k = 0, 1
    for x in parts:
        data[at : at + x.nnz], indices[at : at + x.nnz] = x.data, x.indices
        indptr[k : k + x.shape[0]] = x.indptr[1:].astype(small) + small(at)
        at, k = at + x.nnz, k + x.shape[0]
    parts.clear()
    P = sp.csr_array((data, indices, indptr), shape=(S * A, S))
    del data, indices, indptr
    return MDP(_given(P), r, gamma, rho)
