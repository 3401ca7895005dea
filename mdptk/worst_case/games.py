r"""Worst cases on bilinear games, by exact algebra with one polynomial.

In :math:`\min_x \max_y x^\top B y` a method sees the field :math:`J z = (B y, -B^\top x)`, which is linear and skew, so
the last point is :math:`p(J) z_0` for a polynomial p that the method fixes, and J has the eigenvalues :math:`\pm i
\sigma` for the singular values :math:`\sigma` of B. The worst case is the maximum of :math:`|p(i\sigma)|^2`, a
polynomial in :math:`\sigma^2`, over the singular values that are allowed; a game with one action each attains it. That
nothing exceeds a rational bound is certified by Sturm's theorem.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import sympy

from mdptk.core.errors import InvalidHyperparameter, NotConverged
from mdptk.worst_case.methods import Method, Number, rational
from mdptk.worst_case.result import WorstCase


@dataclass(frozen=True)
class BilinearGames:
    r"""Unconstrained games :math:`x^\top B y` with singular values of B in [mu, L], a saddle at most 1 from the start.

    Parameters
    ----------
    L
        Largest singular value, positive.
    mu
        Smallest singular value, in [0, L].
    """

    L: Number = 1
    mu: Number = 0

    def worst_case(self, method: Method, measure: Literal["error", "residual"] = "error") -> WorstCase:
        r"""The largest squared distance of the last point to the saddle, or the squared norm of the field there.

        The instance is the singular value :math:`\sigma` of the worst game, ``x sigma y`` with one number each.
        """
        L, mu = rational(self.L), rational(self.mu)
        if not 0 <= mu <= L or not L:
            raise InvalidHyperparameter(f"L = {self.L!r}, mu = {self.mu!r}: needs 0 <= mu <= L, 0 < L")
        s = sympy.Symbol("s")
        q = _squared(method, s)
        q = q * sympy.Poly(s, s, domain="QQ") if measure == "residual" else q
        low, high = (sympy.Rational(x.numerator, x.denominator) ** 2 for x in (mu, L))
        worst = _largest(q, float(low), float(high))
        value = float(q.eval(sympy.Rational(Fraction(worst))))
        upper = _bound(q, low, high, value)
        sigma = float(np.sqrt(worst))
        return WorstCase(value, upper, True, _play(method, sigma, measure), sigma)


def _squared(method: Method, s: sympy.Symbol) -> Any:
    """|p(i sigma)|^2 as a polynomial in s = sigma^2, p in powers of J, of which the even ones are real."""
    points: list[list[Fraction]] = []  # coefficients of each point in powers of J
    for c, *h in method.rows:
        p = [c] + [Fraction(0)] * len(method.rows)
        for w, earlier in zip(h, points, strict=True):
            for k, x in enumerate(earlier[:-1]):
                p[k + 1] += w * x  # what is seen is J times the point
        points.append(p)
    p = [sympy.Rational(x.numerator, x.denominator) for x in points[-1]]
    even = sum((x * (-s) ** (k // 2) for k, x in enumerate(p) if k % 2 == 0), sympy.Integer(0))
    odd = sum((x * (-s) ** (k // 2) for k, x in enumerate(p) if k % 2), sympy.Integer(0))
    return sympy.Poly(sympy.expand(even**2 + s * odd**2), s, domain="QQ")


def _largest(q: Any, low: float, high: float) -> float:
    """Where q is largest on [low, high]: at an end or where its derivative vanishes."""
    inside = [float(x) for x in q.diff().real_roots()] if q.degree() > 1 else []
    candidates = [low, high, *(x for x in inside if low < x < high)]
    return max(candidates, key=lambda x: q.eval(sympy.Rational(Fraction(x))))


def _bound(q: Any, low: Any, high: Any, value: float) -> Fraction:
    """A rational just above the maximum: the difference is positive at one end and has no root up to the other."""
    margin = 1e-12 * max(1.0, value)
    while margin < 1e-3 * max(1.0, value):
        upper = Fraction(value + margin)
        difference = sympy.Rational(upper.numerator, upper.denominator) - q
        if difference.eval(low) > 0 and difference.count_roots(low, high) == 0:
            return upper
        margin *= 10
    raise NotConverged("no bound near the largest value could be certified", value)


def _play(method: Method, sigma: float, measure: str) -> float:
    """What the method loses in the game x sigma y, from (1, 0), by running it."""
    z, F = method.run(lambda z: sigma * np.array([z[1], -z[0]]), np.array([1.0, 0.0]))
    last = z[-1] if measure == "error" else F[-1]
    return float(last @ last)
