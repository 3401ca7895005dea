r"""Methods as tables of rational numbers: each point a combination of the start and of what was seen at earlier points.

.. math::

   x_k = c_k\, x_0 + \sum_{j<k} h_{kj}\, g_j, \qquad g_j = T x_j,

or a gradient at :math:`x_j`, or the field of a game. Nothing else is needed to search for the worst operator. The last
point is what the method returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.models import Array

Number = int | float | str | Fraction


def rational(x: Number) -> Fraction:
    """A number as it is written: 0.9 is 9/10.

    Raises
    ------
    InvalidHyperparameter
        If it is no number.
    """
    try:
        return x if isinstance(x, Fraction) else Fraction(str(x))
    except (ValueError, ZeroDivisionError):
        raise InvalidHyperparameter(f"{x!r} is not a rational number") from None


@dataclass(frozen=True)
class Method:
    """A first order method of a fixed number of steps.

    Attributes
    ----------
    name
        What it is called.
    steps
        Number of its steps.
    rows
        ``rows[k]``: coefficients of point k on x_0, g_0, g_1, ..., of length 1 + k.
    """

    name: str
    steps: int
    rows: tuple[tuple[Fraction, ...], ...]

    @property
    def points(self) -> int:
        """Number of points, the first and the last included."""
        return len(self.rows)

    def run(self, operator: Callable[[Array], Array], x0: Array) -> tuple[Array, Array]:
        """The points and what was seen at them, the last point included, each (points, n), in float64."""
        x, g = [], []
        for c, *h in self.rows:
            x.append(float(c) * np.asarray(x0, float) + sum((float(w) * y for w, y in zip(h, g, strict=True)), 0.0))
            g.append(np.asarray(operator(x[-1]), float))
        return np.array(x), np.array(g)

    def sizes(self, lipschitz: Fraction) -> list[Fraction]:
        """Bounds on the norms of the points where ``|x_0| <= 1`` and ``|g_j| <= lipschitz |x_j|``."""
        bound: list[Fraction] = []
        for c, *h in self.rows:
            bound.append(abs(c) + sum((abs(w) * lipschitz * b for w, b in zip(h, bound, strict=True)), Fraction(0)))
        return bound

    def __repr__(self) -> str:
        return f"{self.name}, {self.steps} steps"


class _Tape:
    """Writes a method down while it is run on symbols: vectors are coefficient arrays on x_0, g_0, ..., g_{n-1}."""

    def __init__(self, calls: int) -> None:
        self.calls, self.rows = calls, []
        self.start = self._unit(0)

    def _unit(self, i: int) -> Array:
        return np.array([Fraction(int(i == k)) for k in range(self.calls + 1)], dtype=object)

    def __call__(self, x: Array) -> Array:
        self.rows.append(x)
        return self._unit(len(self.rows))

    def method(self, name: str, steps: int, last: Array) -> Method:
        rows = [*self.rows, last]
        return Method(name, steps, tuple(tuple(row[: k + 1]) for k, row in enumerate(rows)))


def _count(steps: int) -> None:
    if steps != int(steps) or steps < 1:
        raise InvalidHyperparameter(f"steps = {steps!r} is not a positive whole number")


def picard(steps: int) -> Method:
    r"""Value iteration, :math:`x_{k+1} = T x_k`."""
    _count(steps)
    T = _Tape(steps)
    x = T.start
    for _ in range(steps):
        x = T(x)
    return T.method("value iteration", steps, x)


def averaged(steps: int, alpha: Number = "1/2") -> Method:
    r"""Damped value iteration (Krasnoselskii and Mann), :math:`x_{k+1} = (1-\alpha) x_k + \alpha T x_k`."""
    _count(steps)
    T, a = _Tape(steps), rational(alpha)
    x = T.start
    for _ in range(steps):
        x = (1 - a) * x + a * T(x)
    return T.method("damped value iteration", steps, x)


def anchored(steps: int, gamma: Number = 1) -> Method:
    r"""Anchored value iteration, :math:`x_k = \beta_k x_0 + (1-\beta_k) T x_{k-1}`.

    The weight of the start is :math:`\beta_k = 1 / \sum_{i \leq k} \gamma^{-2i}`. With gamma = 1 it is Halpern's
    iteration, :math:`\beta_k = \frac{1}{k+1}`. Source: Lieder [lieder2021convergence]; Park and Ryu [park2022exact] for
    gamma < 1; Lee and Ryu [lee2023accelerating] for Bellman operators.
    """
    _count(steps)
    T, g = _Tape(steps), rational(gamma)
    if not 0 < g <= 1:
        raise InvalidHyperparameter(f"gamma = {gamma!r} is not in (0, 1]")
    x = T.start
    for k in range(1, steps + 1):
        beta = 1 / sum((g ** (-2 * i) for i in range(k + 1)), Fraction(0))
        x = beta * T.start + (1 - beta) * T(x)
    return T.method("anchored value iteration", steps, x)


def momentum(steps: int, beta: Number) -> Method:
    r"""Value iteration with momentum, :math:`x_{k+1} = T y_k`, :math:`y_k = x_k + \beta (x_k - x_{k-1})`.

    Source: Goyal and Grand-Clément [goyal2023first], where it is only safe for special operators.
    """
    _count(steps)
    T, b = _Tape(steps), rational(beta)
    x = before = T.start
    for _ in range(steps):
        x, before = T(x + b * (x - before)), x
    return T.method("value iteration with momentum", steps, x)


def gradient(steps: int, eta: Number) -> Method:
    r"""Gradient descent (in a game: descent ascent), :math:`x_{k+1} = x_k - \eta g_k`."""
    _count(steps)
    F, e = _Tape(steps), rational(eta)
    x = F.start
    for _ in range(steps):
        x = x - e * F(x)
    return F.method("gradient descent", steps, x)


def nesterov(steps: int, eta: Number) -> Method:
    r"""Nesterov's method, :math:`x_{k+1} = y_k - \eta g_k`, :math:`y_k = x_k + \frac{k-1}{k+2} (x_k - x_{k-1})`."""
    _count(steps)
    F, e = _Tape(steps), rational(eta)
    x = before = F.start
    for k in range(steps):
        y = x + Fraction(max(k - 1, 0), k + 2) * (x - before)
        x, before = y - e * F(y), x
    return F.method("Nesterov's method", steps, x)


def extragradient(steps: int, eta: Number) -> Method:
    r"""Extragradient, :math:`z_{k+1} = z_k - \eta F(z_k - \eta F(z_k))`; a step sees the field twice."""
    _count(steps)
    F, e = _Tape(2 * steps), rational(eta)
    z = F.start
    for _ in range(steps):
        z = z - e * F(z - e * F(z))
    return F.method("extragradient", steps, z)


def optimistic(steps: int, eta: Number) -> Method:
    r"""Optimistic descent ascent, :math:`z_{k+1} = z_k - 2\eta F(z_k) + \eta F(z_{k-1})`, the first step plain."""
    _count(steps)
    F, e = _Tape(steps), rational(eta)
    z, seen = F.start, None
    for _ in range(steps):
        now = F(z)
        z, seen = z - 2 * e * now + e * (now if seen is None else seen), now
    return F.method("optimistic descent ascent", steps, z)


def combine(row: Sequence[Fraction], basis: Any) -> Any:
    """The combination of the first vectors of `basis` that `row` stands for."""
    return sum((w * v for w, v in zip(row, basis, strict=False)), 0 * basis[0])
