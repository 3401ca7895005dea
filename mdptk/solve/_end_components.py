r"""Bounds on the best gain of staying in each end component.

An end component communicates, so its best gain is one number, and for any `h` with :math:`Th = \max_a (r + Ph)`, over
the choices of the component only,

.. math:: \min_s (Th - h)(s) \le g^\pi \le g \le \max_s (Th - h)(s), \qquad \pi \text{ greedy},

see `certificates.bracket_gain`. Two ways to a good `h`: relative value iteration of :math:`\frac12(I + P)`, which has
no periodic class, and policy iteration. Both treat all components at once. Sources: sections 8.5 and 9.5 of
Puterman [puterman1994markov]; Odoni [odoni1969finding].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.structure import closed_classes, toward
from mdptk.solve._choices import Choices, inverse
from mdptk.solve.certificates import WIDE, float_above, float_below, successors

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import Array

LIMIT = 1_000_000  # sweeps
ELIMINATED = 2000  # states up to which a sparse linear solve does not fill in too much
ENOUGH = 20_000  # sweeps after which linear solves go on, where there are no more states than that
TAU = 0.5
PATIENCE_OF_SWEEPS = 1000
PATIENCE = 3  # policies without better bounds, once none is better by more than rounding


class Staying(NamedTuple):
    """The best gain of each end component between two bounds."""

    lower: Array  # (C,) float64
    upper: Array
    choice: Array  # (n,): choices whose gain is at least `lower` in every state of the component
    iterations: int

    @property
    def width(self) -> float:
        """The largest distance of the bounds."""
        return float(np.max(self.upper - self.lower, initial=0.0))


class _Bounds:
    """The best bounds so far."""

    def __init__(self, x: Choices, component: Array) -> None:
        C = component.max() + 1
        self.x, self.component = x, component
        self.lower, self.upper = np.full(C, -np.inf), np.full(C, np.inf)
        self.choice = np.full(x.n, -1)

    def update(self, h: Array) -> tuple[Array, Array]:
        """See what `h`, in the widest float, proves; returns its ``q`` and the noise of it."""
        x, component = self.x, self.component
        q, noise = x.q(h), x.noise(h)
        choice = x.argbest(q)
        some = choice >= 0  # nan has no best choice
        low = np.where(some, q[choice] - noise[choice] - h, -np.inf)
        high = x.best(q + noise, np.full(x.n, -np.inf)) - h
        lower, upper = np.full(len(self.lower), np.inf, WIDE), np.full(len(self.lower), -np.inf, WIDE)
        np.minimum.at(lower, component, np.nextafter(low, -WIDE(np.inf)))
        np.maximum.at(upper, component, np.nextafter(high, WIDE(np.inf)))
        lower, upper = float_below(np.nextafter(lower, -WIDE(np.inf))), float_above(np.nextafter(upper, WIDE(np.inf)))
        better = lower > self.lower
        self.lower, self.upper = np.where(better, lower, self.lower), np.fmin(upper, self.upper)
        self.choice = np.where(better[component], choice, self.choice)
        return q, noise

    def staying(self, iterations: int) -> Staying:
        return Staying(self.lower, self.upper, self.choice, iterations)

    @property
    def width(self) -> float:
        return float((self.upper - self.lower).max())


def relative_value_iteration(x: Choices, component: Array, tol: float) -> Staying:
    r""":math:`h \leftarrow h + \tau\,(Th - h - (Th - h)(s_0))`, with one :math:`s_0` for each component."""
    b = _Bounds(x, component)
    _, first = np.unique(component, return_index=True)
    digits = (successors(x.P) + 6) * np.finfo(np.float64).eps
    h, ask, nothing = np.zeros(x.n), tol / 2, np.full(x.n, -np.inf)
    b.update(h.astype(WIDE))
    least, idle, k = np.inf, 0, 0
    while k < (ENOUGH if x.n <= ELIMINATED else LIMIT) and b.width > tol:
        residual = x.best(x.q(h), nothing) - h
        span = _span(residual, component, len(first))
        if not np.isfinite(span):
            break
        least, idle = (span, 0) if span < least else (least, idle + 1)
        # the span never grows, but may rest for long: only at the size of rounding is that the end
        stuck = idle >= PATIENCE_OF_SWEEPS and span <= digits * (abs(x.r).max() + abs(h).max())
        if span <= ask or stuck:
            b.update(h.astype(WIDE))
            if stuck or span == 0:
                break
            ask /= 4
        h, k = h + TAU * (residual - residual[first][component]), k + 1
    if b.width > tol and x.n <= ELIMINATED:
        other = policy_iteration(x, component, tol, h)
        return other._replace(iterations=k + other.iterations)
    return b.staying(k)


def _span(residual: Array, component: Array, C: int) -> float:
    if C == 1:
        return float(residual.max() - residual.min())
    low, high = np.full(C, np.inf), np.full(C, -np.inf)
    np.minimum.at(low, component, residual)
    np.maximum.at(high, component, residual)
    return float((high - low).max())


def policy_iteration(x: Choices, component: Array, tol: float, guess: Array | None = None) -> Staying:
    """Howard's, kept to policies with one recurrent class in each component: which a component always has.

    Where an improvement has several, everybody is led to the best of them. Gain and bias are solved for with
    refinement, the residual in the widest float.
    """
    b = _Bounds(x, component)
    h = (np.zeros(x.n) if guess is None else guess).astype(WIDE)
    q, noise = b.update(h)
    choice, idle, k = x.argbest(q), 0, 0
    limit = 1000 + 10 * x.n
    while k < limit and b.width > tol and idle < PATIENCE and (choice >= 0).all():
        before, k = b.width, k + 1
        try:
            choice = _one_class(x, component, choice)
            h = _relative_values(x, component, choice)[1]
        except NotConverged:
            break
        if not np.isfinite(h).all():
            break
        q, noise = b.update(h)
        best = x.argbest(q)
        better = q[best] > q[choice] + noise[best] + noise[choice]
        idle = idle + 1 if not better.any() and not b.width < before else 0
        choice = np.where(better, best, choice)
    return b.staying(k)


def _one_class(x: Choices, component: Array, choice: Array) -> Array:
    """`choice`, changed so that each component has one recurrent class, the one of the best gain."""
    number = closed_classes(x.chain(choice))
    classes, where = np.unique(number, return_index=True)
    classes, where = classes[classes >= 0], where[classes >= 0]
    home = component[where]  # of each class
    if len(classes) == len(np.unique(home)):
        return choice
    (s,) = np.nonzero(number >= 0)
    gain = _relative_values(_part(x, s, choice), number[s], np.arange(len(s)))[0]
    order = np.lexsort((-gain, home))
    keep = order[np.unique(home[order], return_index=True)[1]]
    goal = np.isin(number, classes[keep])
    lead, _ = toward(x.pattern, x.owner, goal)
    return np.where(goal, choice, lead)


def _part(x: Choices, s: Array, choice: Array) -> Choices:
    """The closed chain on the states `s`."""
    column = np.full(x.n, -1)
    column[s] = np.arange(len(s))
    return Choices(x.P[choice[s]], x.r[choice[s]], np.arange(len(s)), column[x.label], len(s))


def _relative_values(x: Choices, component: Array, choice: Array) -> tuple[Array, Array]:
    """Gain of each component and values relative to a recurrent state of it, for a policy with one class in each."""
    solve, home = _system(x, component, choice)
    g, h = np.zeros(len(home), WIDE), np.zeros(x.n, WIDE)
    last: Any = np.inf
    for _ in range(4):  # a solve and refinements
        residual = x.q(h)[choice] - h - g[component]
        size = abs(residual).max()
        if not size < last:
            break
        last = size
        step = solve(residual.astype(np.float64)).astype(WIDE)
        g = g + step[home]
        step[home] = 0
        h = h + step
    return g.astype(np.float64), h


def _system(x: Choices, component: Array, choice: Array) -> tuple[Callable[..., Array], Array]:
    """``I - P``, where the columns of one recurrent state of each component, `home`, are those of the gains instead."""
    import scipy.sparse as sp

    P = x.chain(choice)
    recurrent = np.flatnonzero(closed_classes(P) >= 0)
    _, first = np.unique(component[recurrent], return_index=True)
    home = recurrent[first]  # its value is zero, so there is room for the gain
    others = sp.diags_array(1.0 - np.isin(np.arange(x.n), home))
    gains = sp.csr_array((np.ones(x.n), home[component], np.arange(x.n + 1)), shape=(x.n, x.n))
    return inverse(((sp.eye_array(x.n) - P) @ others + gains).tocsr()), home


def bias(x: Choices, choice: Array) -> Array:
    r"""The bias of one choice per state, :math:`\sum_t P_\pi^t (r_\pi - g^\pi)`, in float64 and not certified.

    In a recurrent class the bias averages to zero over the long run, whose distribution solves the transposed system;
    from there it is carried to the transient states.
    """
    P = x.chain(choice)
    number = closed_classes(P)
    s, t = np.flatnonzero(number >= 0), np.flatnonzero(number < 0)
    part, classes = _part(x, s, choice), number[s]
    gain, relative = _relative_values(part, classes, np.arange(len(s)))
    solve, home = _system(part, classes, np.arange(len(s)))
    often = solve(1.0 * np.isin(np.arange(len(s)), home), transposed=True)
    relative = relative.astype(np.float64)
    g, h = np.zeros(x.n), np.zeros(x.n)
    g[s], h[s] = gain[classes], relative - np.bincount(classes, often * relative)[classes]
    if len(t):
        import scipy.sparse as sp

        solve = inverse((sp.eye_array(x.n) - P)[t][:, t].tocsr())
        g[t] = solve((P @ g)[t])
        h[t] = solve(x.r[choice][t] - g[t] + (P @ h)[t])
    return h


def restrict(x: Choices, inside: Array, component: Array) -> tuple[Choices, Array, Array]:
    """The end components alone: their choices, the component of each of their states, and these states."""
    (states,) = np.nonzero(component >= 0)
    (rows,) = np.nonzero(inside)
    number = np.full(x.n, -1)
    number[states] = np.arange(len(states))
    P = x.P if len(rows) == len(x.owner) else x.P[rows]
    part = Choices(P, x.r[rows], number[x.owner[rows]], number[x.label], len(states))
    return part, component[states], states
