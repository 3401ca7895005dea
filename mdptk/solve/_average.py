r"""Average reward, of any structure: what the best gain of each end component is, and how to get to them.

With probability one a run ends in an end component, and the average reward does not depend on what came before. So

1. each maximal end component has one best gain, which `_end_components` brackets;
2. merged to one state in which one may stop and get that gain, they make a problem of total reward without end
   components, which `_stopping` brackets: :math:`g^*(s)`, the best expected gain of where a run ends.

The policy stays where stopping is best. Elsewhere in a component it leads to the state where it leaves.
Sources: De Alfaro [dealfaro1997formal]; Ashok et al. [ashok2017value]; chapter 9 of Puterman [puterman1994markov].
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.structure import end_components, pattern, toward
from mdptk.solve import _end_components as staying
from mdptk.solve._choices import Choices
from mdptk.solve._linear_program import highs
from mdptk.solve._stopping import Stopping, by_interval_iteration, by_policy_iteration
from mdptk.solve.certificates import Bracket

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import Array, AverageRewardMDP
    from mdptk.solve._stopping import Stopped

SWEEPS_OF_BIAS, WORK_OF_BIAS = 20_000, 10**9  # and transitions in all: seconds


def relative_value_iteration(problem: AverageRewardMDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal gain of each state that are `tol` apart, and the number of sweeps."""
    return _solve(problem, tol, staying.relative_value_iteration, by_interval_iteration)


def policy_iteration(problem: AverageRewardMDP, tol: float, guess: Array | None = None) -> tuple[Bracket, int]:
    """The same, and the number of linear solves; `guess` is one of the bias."""

    def stay(x: Choices, component: Array, tol: float, states: Array) -> staying.Staying:
        return staying.policy_iteration(x, component, tol, None if guess is None else guess[states])

    return _solve(problem, tol, stay, by_policy_iteration)


def linear_program(problem: AverageRewardMDP, tol: float) -> tuple[Bracket, int]:
    r"""The same, from the primal LP over gain and bias, and the number of steps.

    .. math::

        \min_{g, h} \sum_s g(s) \;\text{ s.t. }\; g \ge P_a g, \quad g + h \ge r_a + P_a h \;\text{ for all } a.

    Its bias is a guess, from which policy iteration goes on. See section 9.3 of Puterman [puterman1994markov].
    """
    import scipy.sparse as sp

    stay, step, scale = _flows(problem)
    S = problem.S
    A_ub = -sp.block_array([[step, None], [stay, step]]).tocsr()
    b_ub = -np.append(np.zeros(len(problem.r.ravel())), problem.r.ravel() / scale)
    answer = highs(np.repeat([1.0, 0.0], S), A_ub=A_ub, b_ub=b_ub, bounds=(None, None))
    b, more = policy_iteration(problem, tol, answer.x[S:] * scale)
    return b, answer.nit + more


def dual_linear_program(problem: AverageRewardMDP, tol: float) -> tuple[Bracket, int]:
    r"""The same, from the dual LP over how often (`x`) and how often on the way (`y`) an action is taken.

    .. math::

        \max_{x, y \ge 0} \sum_{s,a} r(s,a)\, x(s,a) \;\text{ s.t. }\;
        \sum_a x(t,a) = \sum_{s,a} P(t|s,a)\, x(s,a), \quad
        \sum_a x(t,a) + \sum_a y(t,a) - \sum_{s,a} P(t|s,a)\, y(s,a) = 1.
    """
    import scipy.sparse as sp

    stay, step, scale = _flows(problem)
    S, K = problem.S, problem.S * problem.A
    A_eq = sp.block_array([[step.T, None], [stay.T, step.T]]).tocsr()
    cost = -np.append(problem.r.ravel() / scale, np.zeros(K))
    answer = highs(cost, A_eq=A_eq, b_eq=np.repeat([0.0, 1.0], S), bounds=(0, None))
    b, more = policy_iteration(problem, tol, -answer.eqlin.marginals[:S] * scale)
    return b, answer.nit + more


def _flows(problem: AverageRewardMDP) -> tuple[Any, Any, float]:
    """CSR of shape (S * A, S): the state of each choice, the same minus where it leads, and the size of the rewards."""
    import scipy.sparse as sp

    P, owner = pattern(problem)
    K = len(owner)
    P = sp.diags_array(1 / (P @ np.ones(problem.S))) @ P
    stay = sp.csr_array((np.ones(K), owner, np.arange(K + 1)), shape=(K, problem.S))
    return stay, (stay - P).tocsr(), float(abs(problem.r).max()) or 1.0


def whole(problem: Any) -> Choices:
    """All choices of a model: one per action."""
    P, owner = pattern(problem)
    return Choices(P, problem.r.ravel(), owner, np.arange(problem.S), problem.S)


def merge(x: Choices, component: Array, inside: Array) -> tuple[Choices, Array, Array]:
    """Each component one state, and the choices that are left, in the order of their states.

    Returns these choices, which row of `x` each one is, and the state that each old state is part of.
    """
    (alone,) = np.nonzero(component < 0)
    C = int(component.max()) + 1
    part = component.copy()
    part[alone] = C + np.arange(len(alone))
    (rows,) = np.nonzero(~inside)
    rows = rows[np.argsort(part[x.owner[rows]], kind="stable")]
    return Choices(x.P[rows], x.r[rows], part[x.owner[rows]], part[x.label], C + len(alone)), rows, part


def unmerge(x: Choices, inside: Array, part: Array, rows: Array, choice: Array, stay: Array) -> Array:
    """A choice of each old state: `stay` where the merged one stops, and otherwise whatever leads to its `choice`."""
    row = np.where(choice >= 0, rows[choice], -1) if len(rows) else choice
    exits = np.zeros(x.n, dtype=bool)
    exits[x.owner[row[row >= 0]]] = True
    lead, _ = toward(x.P, x.owner, exits, inside)
    stops = choice[part] < 0
    return np.where(stops, stay, np.where(exits, row[part], lead))


def _solve(
    problem: AverageRewardMDP, tol: float, stay: Callable[..., staying.Staying], travel: Callable[..., Stopped]
) -> tuple[Bracket, int]:
    x = whole(problem)
    component, inside = end_components(x.P, x.owner)
    among, label, states = staying.restrict(x, inside, component)
    more = () if stay is staying.relative_value_iteration else (states,)
    gains = stay(among, label, tol if inside.all() else tol / 2, *more)
    merged, rows, part = merge(x, component, inside)
    merged = replace(merged, r=np.zeros_like(merged.r))  # what is earned on the way does not count
    low, high = np.full(merged.n, -np.inf), np.full(merged.n, -np.inf)
    low[: len(gains.lower)], high[: len(gains.upper)] = gains.lower, gains.upper
    if not gains.width <= tol:
        raise NotConverged(
            f"bounds {gains.width:.3g} apart after {gains.iterations} iterations, tol = {tol:.3g}", gains.width
        )
    p = Stopping(merged, low, high, lambda mask: np.flatnonzero(mask[part]))
    end = travel(p, tol, p.stops()[1])
    kept = np.full(x.n, -1)
    kept[states] = np.flatnonzero(inside)[gains.choice]
    actions = unmerge(x, inside, part, rows, end.choice, kept) % problem.A
    zeros = np.zeros(problem.S)
    return Bracket(end.lower[part], end.upper[part], actions, zeros, 0.0), gains.iterations + end.iterations


def bias(problem: AverageRewardMDP, actions: Array) -> Array | None:
    """The bias of a policy, in float64; None where a chain is too close to falling apart, or mixes too slowly."""
    x, choice = whole(problem), np.arange(problem.S) * problem.A + actions
    if problem.S > staying.ELIMINATED:
        return _bias_by_sweeps(x, choice)
    try:
        h = staying.bias(x, choice)
    except NotConverged:
        return None
    return h if np.isfinite(h).all() else None


def _bias_by_sweeps(x: Choices, choice: Array) -> Array | None:
    r""":math:`h = \frac12 \sum_t L^t (r - g)` with :math:`L = \frac12(I + P)`, which has no periodic class.

    The gain comes first, as the limit of :math:`L^t r`; both sums go on until float64 sees no more change.
    """
    P, r = x.chain(choice), x.r[choice]
    sweeps = min(SWEEPS_OF_BIAS, WORK_OF_BIAS // P.nnz)
    digits, g = 4 * np.finfo(np.float64).eps * (float(abs(r).max()) or 1.0), r
    for _ in range(sweeps):
        g, before = (g + P @ g) / 2, g
        if abs(g - before).max() <= digits:
            break
    term, h = r - g, np.zeros(x.n)
    for _ in range(sweeps):
        h, term = h + term / 2, (term + P @ term) / 2
        if abs(term).max() <= digits:
            break
    left = abs(r + P @ h - g - h).max()
    return h if left <= 1e-9 * (float(abs(r).max()) or 1.0) else None
