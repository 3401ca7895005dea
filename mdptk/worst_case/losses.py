r"""Worst regrets of mirror descent on the simplex against binary losses, by dynamic programming in exact arithmetic.

Losses of each round are a vector in :math:`\{0, 1\}^A`, chosen in advance. The regret
:math:`\sum_t \langle x_t, \ell_t \rangle - \min_a \sum_t \ell_t(a)` is built up round by round: what matters for the
rounds to come is the point x and how far the sums of losses are above the smallest. All sequences are gone through.

Projected descent on rational numbers stays rational. The weights of Hedge do not, and are enclosed in intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.models import Array
from mdptk.worst_case.methods import Number, rational
from mdptk.worst_case.result import WorstCase

Counts = tuple[int, ...]
Point = tuple[Fraction, ...]


@dataclass(frozen=True)
class Hedge:
    r"""Multiplicative weights, :math:`x_t(a) \propto \exp(-\eta \sum_{k<t} \ell_k(a))`.

    Parameters
    ----------
    eta
        Step size, positive.
    """

    eta: Number

    def play(self, losses: Array) -> Array:
        """The points x_1, ..., x_T against ``losses[t, a]``, in float64."""
        total = np.cumsum(losses, 0) - losses
        weights = np.exp(-float(rational(self.eta)) * (total - total.min(1, keepdims=True)))
        return weights / weights.sum(1, keepdims=True)


@dataclass(frozen=True)
class ProjectedDescent:
    r"""Projected gradient descent from the centre, :math:`x_{t+1} = \Pi_\Delta(x_t - \eta \ell_t)`.

    Parameters
    ----------
    eta
        Step size, positive.
    """

    eta: Number

    def play(self, losses: Array) -> Array:
        """The points x_1, ..., x_T against ``losses[t, a]``, in float64."""
        from mdptk.core.exact import project_simplex

        x = [np.full(losses.shape[1], 1 / losses.shape[1])]
        for loss in losses[:-1]:
            x.append(project_simplex(x[-1] - float(rational(self.eta)) * loss))
        return np.array(x)


@dataclass(frozen=True)
class BinaryLosses:
    """All sequences of `T` losses in {0, 1} on `A` actions.

    Parameters
    ----------
    A
        Number of actions, at least 1.
    T
        Number of rounds, at least 1. The work grows like T to the power A - 1 for Hedge, exponentially in T for
        projected descent until it repeats itself.
    """

    A: int
    T: int

    def worst_case(self, method: Hedge | ProjectedDescent) -> WorstCase:
        """The largest regret; the instance is the sequence of losses, (T, A)."""
        if self.A < 1 or self.T < 1:
            raise InvalidHyperparameter(f"A = {self.A}, T = {self.T}: needs at least one action and one round")
        eta = rational(method.eta)
        if eta <= 0:
            raise InvalidHyperparameter(f"eta = {method.eta!r} is not positive")
        value, upper, losses = (_hedge if isinstance(method, Hedge) else _projected)(eta, self.A, self.T)
        return WorstCase(value, upper, True, regret(method, losses), losses)


def regret(method: Hedge | ProjectedDescent, losses: Array) -> float:
    """Regret against ``losses[t, a]``, by playing, in float64."""
    return float((method.play(losses) * losses).sum() - losses.sum(0).min())


def _after(above: Counts, loss: Counts) -> tuple[Counts, int]:
    """Sums of losses above the smallest, after one more round, and by how much the smallest rose."""
    sums = [a + l for a, l in zip(above, loss, strict=True)]
    least = min(sums)
    return tuple(s - least for s in sums), least


def _hedge(eta: Fraction, A: int, T: int) -> tuple[float, Fraction, Array]:
    """Upper ends of intervals are added and compared, so the result is an upper bound; each permutation once."""
    from mpmath.ctx_iv import MPIntervalContext  # mpmath comes with sympy

    iv = MPIntervalContext()
    iv.prec = 80
    step = -iv.mpf(eta.numerator) / eta.denominator
    powers = [iv.exp(step * k) for k in range(T + 1)]
    moves = [loss for loss in product((0, 1), repeat=A) if 0 < sum(loss) < A]  # the same for all actions: no regret

    @cache
    def most(left: int, above: Counts) -> tuple[Fraction, Counts]:
        if not left:
            return Fraction(0), (0,) * A
        weights: list[Any] = [powers[k] for k in above]
        total = sum(weights)
        best = (Fraction(0), (0,) * A)
        for loss in moves:
            paid = sum(w for w, l in zip(weights, loss, strict=True) if l) / total
            then, rise = _after(above, loss)
            best = max(best, (_upper(paid) - rise + most(left - 1, tuple(sorted(then)))[0], loss))
        return best

    def unsorted(left: int, above: Counts, _: None) -> tuple[Fraction, Counts]:
        order = sorted(range(A), key=lambda a: above[a])
        value, loss = most(left, tuple(above[a] for a in order))
        return value, tuple(loss[order.index(a)] for a in range(A))

    return _read(unsorted, A, T, None, lambda x, loss: None)


def _upper(x: Any) -> Fraction:
    """The upper end of an interval, exactly."""
    sign, mantissa, exponent, _ = x._mpi_[1]
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** exponent


def _projected(eta: Fraction, A: int, T: int) -> tuple[float, Fraction, Array]:
    moves = [loss for loss in product((0, 1), repeat=A) if 0 < sum(loss) < A]

    @cache
    def most(left: int, above: Counts, x: Point) -> tuple[Fraction, Counts]:
        if not left:
            return Fraction(0), (0,) * A
        best = (Fraction(0), (0,) * A)
        for loss in moves:
            paid = sum((p for p, l in zip(x, loss, strict=True) if l), Fraction(0))
            then, rise = _after(above, loss)
            best = max(best, (paid - rise + most(left - 1, then, _descend(x, loss, eta))[0], loss))
        return best

    centre = (Fraction(1, A),) * A
    return _read(most, A, T, centre, lambda x, loss: _descend(x, loss, eta))


def _descend(x: Point, loss: Counts, eta: Fraction) -> Point:
    """The projection onto the simplex, exactly."""
    y = [p - eta * l for p, l in zip(x, loss, strict=True)]
    down, total, level = sorted(y, reverse=True), Fraction(0), Fraction(0)
    for k, z in enumerate(down, start=1):
        total += z
        if z > (total - 1) / k:
            level = (total - 1) / k
    return tuple(max(z - level, Fraction(0)) for z in y)


def _read(
    most: Callable[..., tuple[Fraction, Counts]], A: int, T: int, x: Any, move: Any
) -> tuple[float, Fraction, Array]:
    """The value at the start, and the losses that lead to it."""
    upper = most(T, (0,) * A, x)[0]
    above: Counts = (0,) * A
    losses = []
    for left in range(T, 0, -1):
        loss = most(left, above, x)[1]
        losses.append(loss)
        x, (above, _) = move(x, loss), _after(above, loss)
    return float(upper), upper, np.array(losses, float).reshape(T, A)
