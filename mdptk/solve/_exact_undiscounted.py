r"""Average and total reward in exact arithmetic: policy iteration over the rationals, rows divided by their exact sums.

Average reward, of any structure. A policy has gain and bias, :math:`g = Pg` and :math:`g + h = r + Ph`, with
:math:`P^* h = 0`. An action is better if :math:`(P_a g, r_a + P_a h)` is larger than :math:`(g, g + h)` in
lexicographic order. These are the first terms of the discounted value as the discount goes to one, so better actions
make a better policy and nothing comes back. Where none is better the gain is optimal: theorem 9.1.2 of Puterman
[puterman1994markov].

Total reward. End components without rewards are merged and there one may stop, as in `_total`; policy iteration starts
from choices that stop. An improvement that never stops earns, on average over its class, the mean of
:math:`r + Pv - v`, which is more than nothing: then the value is infinite. At the end :math:`Tv \le v`, and every class
that never stops loses for ever, unless all its choices have :math:`r + Pv = v`: then it earns exactly nothing on
average, and the total has no limit. Each of the three is an error that says so, and here it is exact.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import NotConverged, Unbounded
from mdptk.core.structure import closed_classes, end_components, recurrent_classes
from mdptk.solve import _average
from mdptk.solve._end_components import restrict
from mdptk.solve._stopping import by_policy_iteration, named
from mdptk.solve._total import Collapsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mdptk.core.models import Array, AverageRewardMDP
    from mdptk.core.total import TotalRewardMDP
    from mdptk.solve._choices import Choices

GUESS = 1e-6  # of the rewards: how well floats look for the policy to start from


def _flint() -> Any:
    from mdptk.solve._exact_rational import flint

    return flint()


class _Rows:
    """Choices in rationals: ``P`` (K, n) with rows that sum to one, and ``r``."""

    def __init__(self, x: Choices) -> None:
        fmpq, fmpq_mat = _flint().fmpq, _flint().fmpq_mat
        self.x, self.n = x, x.n
        self.P = fmpq_mat(max(len(x.owner), 1), x.n)
        indptr, columns, data = x.P.indptr.tolist(), x.label[x.P.indices].tolist(), x.P.data.tolist()
        for k in range(len(x.owner)):
            row = [(columns[i], fmpq(*data[i].as_integer_ratio())) for i in range(indptr[k], indptr[k + 1])]
            total = sum((p for _, p in row), fmpq(0))
            for j, p in row:
                self.P[k, j] = self.P[k, j] + p / total
        self.r = [fmpq(*y.as_integer_ratio()) for y in x.r.tolist()]
        self.choices: list[list[int]] = [[] for _ in range(x.n)]
        for k, s in enumerate(x.owner.tolist()):
            self.choices[s].append(k)

    def expect(self, v: list[Any]) -> list[Any]:
        """``P v`` per choice."""
        return (self.P * _column(v)).entries()[: len(self.r)]

    def chain(self, choice: Sequence[int]) -> tuple[Any, list[Any]]:
        """``P`` (n, n) and ``r`` of one choice per state; a state that stops, -1, is left with nothing."""
        fmpq, zero = _flint().fmpq, [_flint().fmpq(0)] * self.n
        rows = [x for k in choice for x in (zero if k < 0 else [self.P[k, j] for j in range(self.n)])]
        return _flint().fmpq_mat(self.n, self.n, rows), [fmpq(0) if k < 0 else self.r[k] for k in choice]


def _column(v: list[Any]) -> Any:
    return _flint().fmpq_mat(len(v), 1, v)


def _system(P: Any, states: list[int]) -> Any:
    """``I - P`` on some states."""
    return _flint().fmpq_mat(len(states), len(states), [(s == t) - P[s, t] for s in states for t in states])


# average reward --------------------------------------------------------------------------------------------------


def gain_and_bias(P: Any, r: list[Any], number: Array) -> tuple[list[Any], list[Any]]:
    """Exact gain and bias of a chain, whose recurrent classes are ``number[s]``, -1 for transient states."""
    fmpq, n = _flint().fmpq, len(r)
    g, h = [fmpq(0)] * n, [fmpq(0)] * n
    for c in range(int(number.max()) + 1):
        states = np.flatnonzero(number == c).tolist()
        M = _system(P, states)
        for i in range(len(states)):
            M[i, 0] = 1  # the value of the first state is zero, which leaves room for the gain
        x = M.solve(_column([r[s] for s in states])).entries()
        often = M.transpose().solve(_column([fmpq(i == 0) for i in range(len(states))])).entries()
        relative = [fmpq(0), *x[1:]]
        mean = sum((p * y for p, y in zip(often, relative, strict=True)), fmpq(0))
        for s, y in zip(states, relative, strict=True):
            g[s], h[s] = x[0], y - mean
    transient = np.flatnonzero(number < 0).tolist()
    if transient:
        M = _system(P, transient)
        for known, earned in ((g, [fmpq(0)] * n), (h, r)):
            reached = (P * _column(known)).entries()
            b = [reached[s] + earned[s] - (g[s] if earned is r else 0) for s in transient]
            for s, y in zip(transient, M.solve(_column(b)).entries(), strict=True):
                known[s] = y
    return g, h


def _optimal_gain(x: Choices, choice: Array) -> tuple[list[Any], list[int], int]:
    """The optimal gain of each state, choices that have it, and the number of policies; from any choices."""
    rows, policies, held = _Rows(x), 0, choice.tolist()
    while True:
        policies += 1
        P, r = rows.chain(held)
        g, h = gain_and_bias(P, r, closed_classes(x.chain(np.array(held))))
        far, near = rows.expect(g), rows.expect(h)
        better = list(held)
        for s, choices in enumerate(rows.choices):
            best = max(choices, key=lambda k: (far[k], rows.r[k] + near[k]))
            if (far[best], rows.r[best] + near[best]) > (g[s], g[s] + h[s]):
                better[s] = best
        if better == held:
            return g, held, policies
        held = better


def average_optimum(problem: AverageRewardMDP) -> tuple[list[Any], Array, int]:
    """The optimal gain of each state, actions that have it, and the number of policies."""
    x = _average.whole(problem)
    try:
        actions = _average.policy_iteration(problem, GUESS * float(abs(problem.r).max() or 1.0))[0].actions
    except NotConverged:
        actions = problem.r.argmax(1)
    g, choice, policies = _optimal_gain(x, np.arange(problem.S) * problem.A + actions)
    return g, np.array(choice) % problem.A, policies


def average_value(problem: AverageRewardMDP, pi: Array) -> list[Any]:
    """The exact gain of each state under ``pi[s, a]``, rows divided by their sums."""
    P, r = _mixed(problem, pi)
    return gain_and_bias(P, r, recurrent_classes(problem, pi))[0]


def _mixed(problem: Any, pi: Array) -> tuple[Any, list[Any]]:
    """The chain and the rewards of a policy."""
    fmpq, rows, A = _flint().fmpq, _Rows(_average.whole(problem)), problem.A
    P, r = _flint().fmpq_mat(problem.S, problem.S), []
    for s, row in enumerate(pi.tolist()):
        weights = [fmpq(*y.as_integer_ratio()) for y in row]
        total = sum(weights, fmpq(0))
        used = [(s * A + a, y / total) for a, y in enumerate(weights) if y]
        for t in range(problem.S):
            P[s, t] = sum((y * rows.P[k, t] for k, y in used), fmpq(0))
        r.append(sum((y * rows.r[k] for k, y in used), fmpq(0)))
    return P, r


# total reward ----------------------------------------------------------------------------------------------------


def _earns_for_ever(x: Choices, members: Any) -> None:
    """Raise Unbounded if an end component earns more than nothing on average, exactly."""
    component, inside = end_components(x.P, x.owner)
    if component.max() < 0:
        return
    part, _, states = restrict(x, inside, component)
    first = np.unique(part.owner, return_index=True)[1]
    g, choice, _ = _optimal_gain(part, first)
    best = max(range(len(g)), key=g.__getitem__)
    if g[best] > 0:
        number = closed_classes(part.chain(np.array(choice)))
        (here,) = np.nonzero((number >= 0) & np.array([y == g[best] for y in g]))
        raise _unbounded(g[best], members(np.isin(np.arange(x.n), states[here])))


def _mean(P: Any, r: list[Any], states: list[int]) -> Any:
    """The average reward of a recurrent class."""
    part = _flint().fmpq_mat(len(states), len(states), [P[s, t] for s in states for t in states])
    return gain_and_bias(part, [r[s] for s in states], np.zeros(len(states), int))[0][0]


def _unbounded(mean: Any, states: Array) -> Unbounded:
    from mdptk.solve._exact_rational import _fraction

    return Unbounded(
        f"the total reward is infinite: on {named(states)} a policy earns {float(_fraction(mean)):.6g} per step for "
        "ever, exactly more than nothing",
        states,
    )


def total_optimum(problem: TotalRewardMDP) -> tuple[list[Any], Array, int]:
    """The optimal value of each state, actions that have it, and the number of policies.

    Raises
    ------
    Infeasible, Unbounded, NotConverged
        Where the value is minus infinity, plus infinity, or has no limit: see above.
    """
    c = Collapsed(problem)
    p, x = c.stopping, c.merged
    if not p.stops()[0].all():
        _earns_for_ever(c.x, lambda mask: np.flatnonzero(mask))
    choice = c.proper()
    with suppress(NotConverged, Unbounded):  # exactly, below
        choice = by_policy_iteration(p, GUESS * float(abs(problem.r).max() or 1.0), choice).choice
    rows, policies, held = _Rows(x), 0, choice.tolist()
    fmpq = _flint().fmpq
    everywhere, stops = list(range(x.n)), (p.low > -np.inf).tolist()
    while True:
        policies += 1
        P, r = rows.chain(held)
        v = _system(P, everywhere).solve(_column(r)).entries()
        q = [a + b for a, b in zip(rows.r, rows.expect(v), strict=True)]
        better = list(held)
        for s, choices in enumerate(rows.choices):
            best = max(choices, key=q.__getitem__, default=-1)
            value = q[best] if best >= 0 else v[s]
            if stops[s] and (best < 0 or value < 0):
                best, value = -1, fmpq(0)
            if value > v[s]:
                better[s] = best
        if better == held:
            break
        trapped = x.trapped(np.array(better))
        if (trapped >= 0).any():
            (s,) = np.nonzero(trapped == trapped.max())
            P, r = rows.chain(better)
            raise _unbounded(_mean(P, r, s.tolist()), p.members(np.isin(everywhere, s)))
        held = better
    tight = np.array([q[k] == v[s] for k, s in enumerate(x.owner.tolist())], dtype=bool)
    if tight.any():
        component, _ = end_components(x.pattern, x.owner, tight)
        if component.max() >= 0:
            states = p.members(component == component.max())
            raise NotConverged(
                f"on {named(states)} a policy may stay for ever and earns exactly nothing on average, but the rewards "
                "there are not all zero: the total reward has no limit",
                np.inf,
            )
    return [v[i] for i in c.part.tolist()], c.actions(np.array(held), problem.A), policies


def total_value(problem: TotalRewardMDP, pi: Array) -> list[Any]:
    """The exact total reward of each state under ``pi[s, a]``, rows divided by their sums.

    Raises
    ------
    NotConverged
        If a class that is never left has rewards, for then the total is infinite or has no limit.
    """
    P, r = _mixed(problem, pi)
    number = recurrent_classes(problem, pi)
    used = (pi > 0) & (problem.r != 0)
    for c in range(int(number.max()) + 1):
        (states,) = np.nonzero(number == c)
        if used[states].any():
            mean = _mean(P, r, states.tolist())
            says = "plus infinity" if mean > 0 else "minus infinity" if mean < 0 else "without a limit"
            raise NotConverged(f"the total reward of the policy is {says}: it stays on {named(states)}", np.inf)
    v, transient = [_flint().fmpq(0)] * problem.S, np.flatnonzero(number < 0).tolist()
    if transient:
        b = _column([r[s] for s in transient])
        for s, y in zip(transient, _system(P, transient).solve(b).entries(), strict=True):
            v[s] = y
    return v
