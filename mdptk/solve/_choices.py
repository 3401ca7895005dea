r"""Rows of choices: what average and total reward are solved on, with rounding accounted for.

A state may have any number of choices, also none; several states of a model may be merged to one, by `label`. The rows
themselves are those of the model, untouched, and every product is divided by the sum of its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.structure import closed_classes
from mdptk.solve._sparse import compiled, csr
from mdptk.solve.certificates import TINY, WIDE, U, row_sums, successors

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import Array

SINGULAR = "some states are left so rarely that in float64 they are not left at all"
DENSE_SOLVE = 500  # states up to which a dense linear solve takes milliseconds


@dataclass(frozen=True, eq=False)
class Choices:
    """Choice k is taken in state ``owner[k]``, which ascends, earns ``r[k]`` and leads to column j with ``P[k, j]``."""

    P: Any  # CSR, (K, columns)
    r: Array  # (K,)
    owner: Array  # (K,)
    label: Array  # (columns,): the state that a column is part of
    n: int  # states

    @cached_property
    def total(self) -> Array:
        """Row sums of `P` in the widest float."""
        return row_sums(self.P)

    @cached_property
    def total64(self) -> Array:
        """Row sums of `P`."""
        return self.total.astype(np.float64)

    @property
    def pattern(self) -> Any:
        """Where the choices lead among the states, CSR of shape (K, n); entries may be listed twice."""
        import scipy.sparse as sp

        return sp.csr_array((self.P.data, self.label[self.P.indices], self.P.indptr), shape=(len(self.owner), self.n))

    @cached_property
    def _groups(self) -> tuple[Array, Array]:
        return np.unique(self.owner, return_index=True)

    def q(self, v: Array) -> Array:
        """``r + P v`` per choice, in the precision of `v`, shape (n,)."""
        if v.dtype == WIDE or not self._compiled:
            return self.r + (self.P @ v[self.label]) / (self.total if v.dtype == WIDE else self.total64)
        from mdptk.solve._kernels import action_values

        return action_values(*csr(self), v[self.label], self.r, self.total64)

    @cached_property
    def _compiled(self) -> bool:
        return compiled(self)

    def noise(self, v: Array) -> Array:
        """How far an entry of a computed ``q(v)``, with `v` in the widest float, can be off: product, sum, quotient."""
        return 3 * (successors(self.P) + 6) * U * (abs(self.r) + self.P @ abs(v)[self.label]) + TINY

    def best(self, q: Array, otherwise: Array) -> Array:
        """The largest `q` of each state, but at least `otherwise`, shape (n,)."""
        states, first = self._groups
        best = otherwise.astype(q.dtype)
        if len(states):
            best[states] = np.maximum(best[states], np.maximum.reduceat(q, first))
        return best

    def argbest(self, q: Array) -> Array:
        """The first best choice of each state; -1 without choices."""
        best = self.best(q, np.full(self.n, -np.inf))
        (k,) = np.nonzero(q == best[self.owner])
        choice = np.full(self.n, -1)
        choice[self.owner[k[::-1]]] = k[::-1]
        return choice

    def chain(self, choice: Array) -> Any:
        """Transitions (n, n) under one choice per state, CSR; rows of states with choice -1 are empty."""
        import scipy.sparse as sp

        (s,) = np.nonzero(choice >= 0)
        rows = self.P[choice[s]]
        length = np.zeros(self.n, dtype=rows.indptr.dtype)
        length[s] = np.diff(rows.indptr)
        data = rows.data / np.repeat(self.total64[choice[s]], np.diff(rows.indptr))
        indptr = np.append(0, np.cumsum(length)).astype(rows.indptr.dtype)
        merged = sp.csr_array((data, self.label[rows.indices], indptr), shape=(self.n, self.n))
        merged.sum_duplicates()
        return merged

    def trapped(self, choice: Array) -> Array:
        """The states of recurrent classes in which everybody has a choice, as numbers of classes; -1 elsewhere."""
        number = closed_classes(self.chain(choice))
        number[(number >= 0) & (choice < 0)] = -1
        return number


def inverse(M: Any) -> Callable[..., Array]:
    """A function ``solve(b, transposed=False)`` for the CSR matrix `M`, dense where small; NotConverged if singular."""
    if M.shape[0] <= DENSE_SOLVE:
        from scipy.linalg import get_lapack_funcs

        factor, solve = get_lapack_funcs(("getrf", "getrs"), (M.data,))
        lu, pivots, info = factor(M.toarray())
        if info:
            raise NotConverged(SINGULAR, float("inf"))
        return lambda b, transposed=False: solve(lu, pivots, b, trans=int(transposed))[0]
    from scipy.sparse.linalg import splu

    try:
        lu = splu(M.tocsc())
    except RuntimeError as error:
        raise NotConverged(f"{SINGULAR} ({error})", float("inf")) from None
    return lambda b, transposed=False: lu.solve(b, trans="T" if transposed else "N")
