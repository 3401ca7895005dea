r"""Topological value iteration: strongly connected components one after the other, those that others need first.

A component is a set of states that can reach one another. Values flow against the transitions and never back into a
component that was left, so each is solved once, by Gauss-Seidel on its own, with the final values of those after it. A
model without cycles takes one look at each state, whatever the discount; one that is a single component gains nothing.

Source: Dai et al. [dai2011topological].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.solve import _plain
from mdptk.solve._gauss_seidel import as_sparse, passes
from mdptk.solve._sparse import compilable, compiled, csr

if TYPE_CHECKING:
    from mdptk.core.models import MDP, Array
    from mdptk.solve.certificates import Bracket

MOST = 100_000  # sweeps of a component


def topological(mdp: MDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of passes over the states."""
    from mdptk.solve._kernels import relax_parts

    mdp = as_sparse(mdp)
    order, ends = components(mdp)
    theta = (1 - mdp.gamma) * tol / 8
    return passes(mdp, tol, lambda v: relax_parts(*csr(mdp), mdp.r, mdp.gamma, v, order, ends, theta, MOST))


def without_return(mdp: MDP) -> bool:
    """Whether states are numbered such that none is ever returned to; only where compiled kernels serve."""
    if not compilable(mdp):
        return False
    kernels = _plain
    if compiled(mdp):
        from mdptk.solve import _kernels as kernels

    indptr, indices, _ = csr(mdp)
    return bool(kernels.one_way(indptr, indices, mdp.A))


def components(mdp: MDP) -> tuple[Array, Array]:
    """States ordered by component, and where each ends; no transition leads to a later component."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    S, A, P = mdp.S, mdp.A, mdp.P
    edges = np.ones(P.nnz, bool), P.indices.copy(), P.indptr[::A].copy()  # all actions of a state in one row
    graph = sp.csr_array(edges, shape=(S, S))
    graph.sum_duplicates()  # with an edge twice, connected_components returns wrong labels
    count, label = connected_components(graph, directed=True, connection="strong")
    rank = _reverse_topological(label, graph, count)
    order = np.argsort(rank[label], kind="stable").astype(np.uint32)
    return order, np.cumsum(np.bincount(rank[label], minlength=count))


def _reverse_topological(label: Array, graph: Any, count: int) -> Array:
    """A rank of components such that transitions lead to a lower rank or stay.

    scipy numbers components as Pearce's algorithm finishes them, which is such a rank, but does not promise to; if that
    ever changes, depth in the graph of components is found layer by layer.
    """
    s = np.repeat(label, np.diff(graph.indptr))
    t = label[graph.indices]
    if (s >= t).all():
        return np.arange(count)
    if (s <= t).all():
        return np.arange(count)[::-1].copy()
    depth = np.zeros(count, int)
    while (behind := (s != t) & (depth[s] <= depth[t])).any():
        np.maximum.at(depth, s[behind], depth[t[behind]] + 1)
    rank = np.empty(count, int)
    rank[np.argsort(depth, kind="stable")] = np.arange(count)
    return rank
