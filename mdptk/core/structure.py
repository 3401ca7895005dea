r"""How a model hangs together: end components, recurrent classes, and what a gain can depend on.

Only which transitions are possible counts here, not how probable they are. A *choice* is one row of a pattern `P` of
shape (K, S), taken in state ``owner[k]``; owners ascend. An *end component* is a set of states with a set of choices
that lead from everywhere in it to everywhere in it and never out: where a policy can stay for ever. With probability
one a run of any policy ends in one, so the maximal ones carry every long-run question; see
De Alfaro [dealfaro1997formal].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from mdptk.core.models import Array, is_sparse

POLICIES = 10_000  # policies that `classify` looks at one by one before it says that it does not know
REMOVALS = 20  # states whose removal it tries


@dataclass(frozen=True, eq=False)
class Structure:
    """What `classify` finds.

    Attributes
    ----------
    component
        Shape (S,): the number of the maximal end component of each state, -1 for a state that is transient under every
        policy.
    communicating
        Whether every state can be reached from every other one, by some policy. Then the optimal gain is one number.
    weakly_communicating
        The same, but for states that are transient under every policy. The optimal gain is still one number.
    unichain
        Whether every deterministic policy has one recurrent class, so that every policy's gain is one number. None if
        that was not decided: it is NP-hard [tsitsiklis2007hardness]. It is decided wherever there are two components,
        or a state that no policy avoids for ever, or few policies.
    """

    component: Array
    communicating: bool
    weakly_communicating: bool
    unichain: bool | None

    @property
    def kind(self) -> str:
        """The narrowest of communicating, weakly communicating and multichain."""
        if self.communicating:
            return "communicating"
        return "weakly communicating" if self.weakly_communicating else "multichain"

    @property
    def components(self) -> int:
        """Number of maximal end components."""
        return int(self.component.max()) + 1

    @property
    def transient(self) -> Array:
        """The states that are transient under every policy."""
        return np.flatnonzero(self.component < 0)

    def __repr__(self) -> str:
        return (
            f"Structure({self.kind}, unichain={self.unichain}, components={self.components}, "
            f"transient={len(self.transient)} of {len(self.component)} states)"
        )


def classify(problem: Any) -> Structure:
    """Where policies can stay for ever, and what the optimal gain can therefore depend on.

    Parameters
    ----------
    problem
        One model with ``P[s, a, s']``, dense or sparse, of millions of transitions if need be: the time is that of a
        few passes over the transitions per layer of transient states. Probabilities above zero count, however small.

    Examples
    --------
    >>> from mdptk.core.models import AverageRewardMDP
    >>> classify(AverageRewardMDP(P=[[[0, 1]], [[1, 0]]], r=[[0], [1]]))
    Structure(communicating, unichain=True, components=1, transient=0 of 2 states)
    >>> classify(AverageRewardMDP(P=[[[1, 0], [0, 1]], [[0, 1], [0, 1]]], r=[[0, 0], [1, 1]]))
    Structure(multichain, unichain=False, components=2, transient=0 of 2 states)
    """
    P, owner = pattern(problem)
    component, _ = end_components(P, owner)
    single = bool(component.max() == 0)
    unichain = _unichain(P, owner, problem.A) if single else False
    return Structure(component, single and bool((component == 0).all()), single, unichain)


def diameter(problem: Any) -> float:
    r"""The longest of the shortest ways, :math:`\max_{s \ne t} \min_\pi \mathbb{E}^\pi_s[\text{steps to } t]`.

    Infinite unless the model is communicating; 0 with one state. By policy iteration for each target, in float64. The
    definition is that of Jaksch, Ortner and Auer [jaksch2010near].

    Examples
    --------
    >>> from mdptk.core.models import AverageRewardMDP
    >>> diameter(AverageRewardMDP(P=[[[0.75, 0.25]], [[0.5, 0.5]]], r=[[0], [1]]))
    4.0
    """
    if not classify(problem).communicating:
        return float("inf")
    S, A = problem.S, problem.A
    P, owner = pattern(problem)
    rows = P.toarray().reshape(S, A, S)
    rows = rows / rows.sum(-1, keepdims=True)
    longest, s, h = 0.0, np.arange(S), np.zeros(S)
    for t in range(S):
        other = s[s != t]
        choice = toward(P, owner, s == t)[0] % A
        better = np.ones(1)
        while better.any():
            h = np.zeros(S)
            h[other] = np.linalg.solve(np.eye(S - 1) - rows[other, choice[other]][:, other], np.ones(S - 1))
            q = 1 + rows @ h
            better = q.min(-1)[other] < h[other] * (1 - 1e-12)
            choice[other[better]] = q.argmin(-1)[other[better]]
        longest = max(longest, h.max(initial=0.0))
    return float(longest)


def recurrent_classes(problem: Any, pi: Array) -> Array:
    """The number of the recurrent class of each state under the policy ``pi[s, a]``, -1 for transient states."""
    P, owner = pattern(problem)
    return closed_classes(_union(P[np.flatnonzero(pi.ravel() > 0)], owner[pi.ravel() > 0]))


def pattern(problem: Any) -> tuple[Any, Array]:
    """The possible transitions as CSR of shape (S * A, S), values kept, and the state of each row."""
    import scipy.sparse as sp

    S, A = problem.S, problem.A
    P = problem.P if is_sparse(problem.P) else sp.csr_array(problem.P.reshape(S * A, S))
    if not P.data.all():
        P = P.copy()
        P.eliminate_zeros()
    return P, np.repeat(np.arange(S), A)


def end_components(P: Any, owner: Array, usable: Array | None = None) -> tuple[Array, Array]:
    """The maximal end components that use the choices ``usable[k]`` only, all if None.

    Returns the number of each state's component, -1 for states in none, and for each choice whether it belongs to one.
    """
    S = P.shape[1]
    alive = np.ones(len(owner), dtype=bool) if usable is None else usable.copy()
    starts, into = P.indptr[:-1], None
    while True:
        kept = np.flatnonzero(alive)
        label = _strong(_union(P[kept] if len(kept) < len(owner) else P, owner[kept]))
        out = label[P.indices] != np.repeat(label[owner], np.diff(P.indptr))
        leaving = np.flatnonzero(alive & np.logical_or.reduceat(out, starts))
        if not len(leaving):
            break
        into = P.tocsc() if into is None else into  # choices by the states that they may lead to
        _peel(into, owner, alive, leaving, S)
    here = np.zeros(S, dtype=bool)
    here[owner[alive]] = True
    component = np.full(S, -1)
    component[here] = np.unique(label[here], return_inverse=True)[1]
    return component, alive


def _peel(into: Any, owner: Array, alive: Array, leaving: Array, S: int) -> None:
    """Take `leaving` from the choices `alive`, and all choices that may lead to a state that is left without one."""
    left = np.bincount(owner[alive], minlength=S)
    while len(leaving):
        alive[leaving] = False
        states, lost = np.unique(owner[leaving], return_counts=True)
        left[states] -= lost
        empty = states[left[states] == 0]
        leaving = np.unique(into.indices[_ranges(into.indptr[empty], into.indptr[empty + 1])])
        leaving = leaving[alive[leaving]]


def _ranges(begin: Array, end: Array) -> Array:
    """The integers from ``begin[i]`` to ``end[i]``, all in one array."""
    length = end - begin
    return np.arange(length.sum()) + np.repeat(begin - (np.cumsum(length) - length), length)


def _union(P: Any, owner: Array) -> Any:
    """The graph of all choices together: (S, S), one row per state."""
    import scipy.sparse as sp

    S = P.shape[1]
    ends = np.searchsorted(owner, np.arange(S + 1))
    graph = sp.csr_array((P.data, P.indices, P.indptr[ends]), shape=(S, S), copy=True)
    graph.sum_duplicates()  # scipy finds wrong strong components where a transition is listed twice
    return graph


def _strong(graph: Any) -> Array:
    from scipy.sparse.csgraph import connected_components

    return connected_components(graph, directed=True, connection="strong")[1]


def closed_classes(graph: Any) -> Array:
    """The number of the recurrent class of each state of a chain, a CSR matrix (S, S); -1 for transient states."""
    label = _strong(graph)
    source = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    is_open = np.zeros(label.max() + 1, dtype=bool)
    is_open[label[source][label[source] != label[graph.indices]]] = True
    number = np.where(is_open, -1, np.cumsum(~is_open) - 1)
    return number[label]


def toward(P: Any, owner: Array, goal: Array, usable: Array | None = None) -> tuple[Array, Array]:
    """A choice for each state that shortens the way to the states ``goal[s]`` (a mask) with positive probability.

    Returns -1 at the goal and where no way leads to it, and the mask of the states from which one does.
    """
    import scipy.sparse as sp
    from scipy.sparse.csgraph import breadth_first_order

    S = P.shape[1]
    k = np.repeat(np.arange(len(owner)), np.diff(P.indptr))
    s, t = owner[k], P.indices
    if usable is not None:
        k, s, t = k[usable[k]], s[usable[k]], t[usable[k]]
    goals = np.flatnonzero(goal)
    back = (np.append(t, np.full(len(goals), S)), np.append(s, goals))  # from one more node, S, which leads to the goal
    graph = sp.csr_array((np.ones(len(back[0])), back), shape=(S + 1, S + 1))
    _, next_one = breadth_first_order(graph, S, return_predecessors=True)
    choice = np.full(S, -1)
    shorter = np.flatnonzero((next_one[s] == t) & ~goal[s])[::-1]  # the first of several
    choice[s[shorter]] = k[shorter]
    return choice, goal | (choice >= 0)


def surely(P: Any, owner: Array, goal: Array) -> tuple[Array, Array]:
    """The states from which some policy reaches ``goal[s]`` (a mask) with probability one, and its choices.

    Outside these states, and at the goal, the choice is -1.
    """
    inside = np.ones(P.shape[1], dtype=bool)
    while True:
        stays = inside[owner] & np.logical_and.reduceat(inside[P.indices], P.indptr[:-1])
        choice, reach = toward(P, owner, goal, stays)
        if (reach == inside).all():
            return inside, choice
        inside = reach


def _unichain(P: Any, owner: Array, A: int) -> bool | None:
    """Whether no policy has two recurrent classes, that is, no two end components are disjoint."""
    S = P.shape[1]
    found = [_a_class(P, owner, None)]
    candidates = found[0]  # for a state that is in all end components
    for _ in range(REMOVALS):
        if not candidates.any():
            break
        state = int(candidates.argmax())
        without = (owner != state) & ~np.logical_or.reduceat(P.indices == state, P.indptr[:-1])
        component, inside = end_components(P, owner, without)
        if component.max() < 0:
            return True
        found.append(_a_class(P, owner, inside))
        if component.max() > 0 or any(not (c & found[-1]).any() for c in found):
            return False
        candidates = candidates & found[-1]
    if S * np.log(A) <= np.log(POLICIES):
        rows = (np.arange(S) * A + np.array(a) for a in product(range(A), repeat=S))
        return all(closed_classes(_union(P[row], owner[row])).max() == 0 for row in rows)
    return None


def _a_class(P: Any, owner: Array, usable: Array | None) -> Array:
    """The states, as a mask, of the smallest recurrent class of some deterministic policy on end components."""
    component, inside = end_components(P, owner, usable)
    rows = np.flatnonzero(inside)
    states, first = np.unique(owner[rows], return_index=True)
    number = closed_classes(_union(P[rows[first]], states))
    names, sizes = np.unique(number[(number >= 0) & (component >= 0)], return_counts=True)
    return (number == names[sizes.argmin()]) & (component >= 0)
