r"""Bounds on the value of problems in which one may stop: the end of every total or average reward problem.

In some states one may stop and get ``end[s]``; elsewhere one has to make a choice. What is left here has no end
component that earns nothing, since those were merged to one state each. With
:math:`Tv(s) = \max(\text{end}(s), \max_k r_k + P_k v)`:

1. If :math:`Tv \le v`, then :math:`V^* \le v`: a run that does not stop earns at most :math:`v(s) - \mathbb{E}v(s_t)`
   up to step t. If, moreover, every choice has :math:`r_k + P_k v < v` strictly, no end component is left in which the
   average reward is zero or more, so a run that never stops earns minus infinity.
2. If :math:`v \le T_\pi v` for a policy that stops with probability one, then :math:`v \le V^\pi \le V^*`.

Both are checked in the widest float, with all rounding, for the float64 numbers that are returned. To have something
that passes, the rewards are moved by a little :math:`\epsilon`, up for the upper bound and down for the lower one: the
exact values then fulfil both with :math:`\epsilon` to spare. The price is :math:`\epsilon` times the number of steps.

Policy iteration solves the moved problems by linear algebra, interval iteration by sweeps of value iteration from both
sides. Sources: Bertsekas and Tsitsiklis [bertsekas1991analysis] for convergence; interval iteration with end components
collapsed is by Haddad and Monmege [haddad2018interval], and that a guess can be checked, rather than iterated down to,
is used by optimistic value iteration [hartmanns2020optimistic].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mdptk.core.errors import NotConverged, Unbounded
from mdptk.core.structure import surely
from mdptk.solve._choices import inverse
from mdptk.solve._end_components import ELIMINATED, ENOUGH, PATIENCE_OF_SWEEPS, restrict
from mdptk.solve._end_components import policy_iteration as stay
from mdptk.solve._end_components import relative_value_iteration as stay_by_sweeps
from mdptk.solve.certificates import WIDE, float_above, float_below, successors

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import Array
    from mdptk.solve._choices import Choices

LIMIT = 1_000_000  # sweeps
ROUNDS = 40  # sizes of epsilon that sweeps try


class Stopped(NamedTuple):
    """Bounds on the value of each state, and choices (-1 to stop) whose value is at least `lower`."""

    lower: Array
    upper: Array
    choice: Array
    iterations: int


@dataclass(frozen=True, eq=False)
class Stopping:
    """A problem in which one may stop; what one gets then is known to lie between two bounds."""

    x: Choices
    low: Array  # (n,): -inf where one cannot stop
    high: Array
    members: Callable[[Array], Array]  # the states of the model that a mask of states is about

    def room(self, tol: float) -> float:
        """What is left of `tol` once one has stopped; `tol` where nothing is."""
        can = self.low > -np.inf
        room = tol - float(np.max(self.high[can] - self.low[can], initial=0.0))
        return room if room > 0 else tol

    def backup(self, end: Array, bonus: float, v: Array) -> tuple[Array, Array]:
        """``Tv`` with the rewards moved by `bonus`, and the ``q`` of the choices."""
        q = self.x.q(v) + bonus
        return self.x.best(q, end), q

    def is_upper(self, u: Array) -> bool:
        """Whether fact 1 holds for the float64 numbers `u`, strictly."""
        v = u.astype(WIDE)
        q, noise = self.x.q(v), self.x.noise(v)
        return bool((_up(_up(q + noise)) < v[self.x.owner]).all() and (u >= self.high).all())

    def is_lower(self, w: Array, choice: Array) -> bool:
        """Whether fact 2 holds for the float64 numbers `w`; one choice, or -1 to stop, for each state."""
        v = w.astype(WIDE)
        k = choice[choice >= 0]
        q, noise = self.x.q(v)[k], self.x.noise(v)[k]
        holds = (v[choice >= 0] <= -_up(_up(noise - q))).all() and (w <= self.low)[choice < 0].all()
        return bool(holds) and not (self.x.trapped(choice) >= 0).any()

    def stops(self) -> tuple[Array, Array]:
        """The states from which one can be certain to stop, and choices that do it."""
        x, can = self.x, self.low > -np.inf
        if not len(x.owner):
            return can, np.full(x.n, -1)
        return surely(x.pattern, x.owner, can)


def named(s: Array) -> str:
    """Some of the states `s` of the model, in words."""
    return f"state {s[0]}" if len(s) == 1 else f"states {', '.join(map(str, s[:5]))}{', ...' * (len(s) > 5)}"


class _Trapped(Exception):
    """An improvement that never stops; `choice` restricted to `states`."""

    def __init__(self, states: Array, choice: Array) -> None:
        self.states, self.choice = states, choice


def _up(x: Any) -> Any:
    return np.nextafter(x, WIDE(np.inf))


class _Best:
    """The closest bounds so far."""

    def __init__(self, p: Stopping, tol: float) -> None:
        self.p, self.tol, self.width = p, tol, np.inf
        self.bounds: Stopped | None = None

    def offer(self, lower: Array, upper: Array, choice: Array, k: int) -> tuple[bool, float]:
        """Whether the bounds are proved, and how far they are apart."""
        width = float((upper - lower).max(initial=0.0))
        proved = np.isfinite(width) and self.p.is_upper(upper) and self.p.is_lower(lower, choice)
        if proved and width < self.width:
            self.width, self.bounds = width, Stopped(lower, upper, choice, k)
        return proved, width

    def answer(self, k: int) -> Stopped:
        if self.bounds is not None and self.width <= self.tol:
            return self.bounds
        raise NotConverged(f"bounds {self.width:.3g} apart after {k} iterations, tol = {self.tol:.3g}", self.width)


def by_policy_iteration(p: Stopping, tol: float, choice: Array) -> Stopped:
    """Bounds `tol` apart from linear solves, from choices that stop."""
    x, best = p.x, _Best(p, tol)
    if not len(x.owner):
        return Stopped(p.low, p.high, choice, 0)
    v, k = np.where(choice < 0, p.low, 0.0).astype(WIDE), 0
    try:
        v, choice, k = _improve(p, p.low, 0.0, choice, v)
    except _Trapped as trap:
        _explain(p, trap)
        raise NotConverged(_undecided(p, trap.states), np.inf) from None
    steps = inverse(_flow(x, choice))(1.0 * (choice >= 0))
    epsilon = float(x.noise(v).max() + 2 * np.finfo(np.float64).eps * abs(v).max())  # of the bounds as float64, too
    epsilon = min(16 * epsilon, p.room(tol) / max(4 * float(steps.max()), 1.0))
    too_big, too_small, trapped = np.inf, 0.0, None
    while too_small < epsilon < too_big:
        try:
            lower = _values(p, p.low, -epsilon, choice, v - epsilon * steps)
            upper, _, more = _improve(p, p.high, epsilon, choice, v + epsilon * steps)
            k += more
        except _Trapped as trap:
            _explain(p, trap)
            too_big, trapped, epsilon = epsilon, trap.states, epsilon / 16
            continue
        proved, width = best.offer(float_below(lower), float_above(upper), choice, k)
        if best.width <= tol or not (proved or width <= tol):
            break
        too_big, too_small = (epsilon, too_small) if proved else (too_big, epsilon)
        epsilon *= 1 / 8 if proved else 8
    if best.bounds is None and trapped is not None:
        raise NotConverged(_undecided(p, trapped), np.inf)
    return best.answer(k)


def _flow(x: Choices, choice: Array) -> Any:
    import scipy.sparse as sp

    return (sp.eye_array(x.n) - x.chain(choice)).tocsr()


def _values(p: Stopping, end: Array, bonus: float, choice: Array, v: Array) -> Array:
    """The value of `choice`, from `v`, with refinement."""
    solve, last = inverse(_flow(p.x, choice)), np.inf
    for _ in range(4):
        residual = np.where(choice < 0, end, (p.x.q(v) + bonus)[choice]) - v
        size = float(abs(residual).max())
        if not size < last:
            break
        last, v = size, v + solve(residual.astype(np.float64))
    return v


def _improve(p: Stopping, end: Array, bonus: float, choice: Array, v: Array) -> tuple[Array, Array, int]:
    """Policy iteration; raises _Trapped where an improvement never stops."""
    x, k = p.x, 0
    while k < 1000 + 10 * x.n:
        k += 1
        v = _values(p, end, bonus, choice, v)
        if not np.isfinite(v).all():
            break
        value, q = p.backup(end, bonus, v)
        noise = x.noise(v)
        current = np.where(choice < 0, end, q[choice])
        slack = np.where(choice < 0, 0.0, 2 * noise[choice]) + 2 * x.best(noise, np.zeros(x.n))
        better = value > current + slack
        if not better.any():
            break
        greedy = np.where(value == end, -1, x.argbest(q))
        choice = np.where(better, greedy, choice)
        trapped = x.trapped(choice)
        if (trapped >= 0).any():
            raise _Trapped(trapped == trapped.max(), choice)
    return v, choice, k


def _explain(p: Stopping, trap: _Trapped) -> float:
    """Raise Unbounded if the trap is proved to earn more than it loses; returns an upper bound on what it earns."""
    (s,) = np.nonzero(trap.states)
    inside = np.isin(np.arange(len(p.x.owner)), trap.choice[s])
    part, component, _ = restrict(p.x, inside, np.where(trap.states, 0, -1))
    return raise_if_unbounded(part, component, lambda mask: p.members(np.isin(np.arange(p.x.n), s[mask])))


def raise_if_unbounded(part: Choices, component: Array, members: Callable[[Array], Array]) -> float:
    """Raise Unbounded if an end component is proved to earn more than it loses; the most that one earns on average."""
    staying = (stay if part.n <= ELIMINATED else stay_by_sweeps)(part, component, 0.0)
    best = int(staying.lower.argmax())
    if staying.lower[best] > 0:
        states = members(component == best)
        raise Unbounded(
            f"the total reward is infinite: on {named(states)} a policy earns at least {staying.lower[best]:.6g} per "
            "step for ever",
            states,
        )
    return float(staying.upper.max())


def _undecided(p: Stopping, states: Array) -> str:
    return (
        f"on {named(p.members(states))} a policy may stay for ever and earns nothing on average, within rounding, but "
        "the rewards there are not all zero: if that is exact, the total reward has no limit, and if not, its size is "
        "beyond float64"
    )


def by_interval_iteration(p: Stopping, tol: float, choice: Array) -> Stopped:
    """Bounds `tol` apart from sweeps of value iteration; `choice` stops.

    Where sweeps get nowhere (a state is hardly ever left), policy iteration goes on, if there are few states.
    """
    x, best, safe = p.x, _Best(p, tol), choice
    if not len(x.owner):
        return Stopped(p.low, p.high, choice, 0)
    limit = ENOUGH if x.n <= ELIMINATED else LIMIT
    start = np.where(p.low > -np.inf, p.low, 0.0)
    below, above, k = start, start, 0
    epsilon = p.room(tol) / 4
    trapped = None
    for _ in range(ROUNDS):
        try:
            above, _, more = _sweeps(p, p.high, epsilon, above, limit - k)
        except _Trapped as trap:
            above, trapped, epsilon = start, trap.states, epsilon / 16
            continue
        below, choice, some = _sweeps(p, p.low, -epsilon, below, limit - k - more)
        k += some + more
        proved, width = best.offer(below, above, choice, k)
        if best.width <= tol or not proved or k >= limit:
            break
        epsilon *= min(0.5, 0.8 * tol / width)
    if best.width > tol and x.n <= ELIMINATED and trapped is None:
        other = by_policy_iteration(p, tol, safe)
        return other._replace(iterations=k + other.iterations)
    if best.bounds is None and trapped is not None:
        raise NotConverged(_undecided(p, trapped), np.inf)
    return best.answer(k)


def _sweeps(p: Stopping, end: Array, bonus: float, v: Array, limit: int) -> tuple[Array, Array, int]:
    r"""Value iteration until ``|Tv - v|`` is at most half the bonus, or does not shrink any more."""
    x, enough, least, idle, k = p.x, abs(bonus) / 2, np.inf, 0, 0
    digits = (successors(x.P) + 6) * np.finfo(np.float64).eps
    value, q = p.backup(end, bonus, v)
    while k < limit:
        size = float(abs(value - v).max())
        least, idle = (size, 0) if size < least else (least, idle + 1)
        if not size > enough:
            break
        if idle >= PATIENCE_OF_SWEEPS and size <= digits * (abs(x.r).max() + abs(v).max()):
            break  # nothing but rounding is left
        k += 1
        v = value
        value, q = p.backup(end, bonus, v)
        if k >= 256 and k & (k - 1) == 0:  # now and then: does this go anywhere?
            choice = np.where(value == end, -1, x.argbest(q))
            trapped = x.trapped(choice)
            if (trapped >= 0).any():
                trap = _Trapped(trapped == trapped.max(), choice)
                if _explain(p, trap) + bonus >= 0:  # with the bonus, at least
                    raise trap
    return v, np.where(value == end, -1, x.argbest(q)), k
