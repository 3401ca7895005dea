r"""Worst cases in a Euclidean space of any dimension, by semidefinite programming.

What a method does depends on the inner products of the start and of what it saw. A matrix of inner products belongs to
an instance of the class exactly if it obeys the interpolation conditions of the class, so the worst case is a
semidefinite program and its dual is a proof. Source: Drori and Teboulle [drori2014performance]; Taylor, Hendrickx and
Glineur [taylor2017smooth].
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any, Literal, NamedTuple

import numpy as np

from mdptk.core.errors import InvalidHyperparameter, NotConverged
from mdptk.core.models import Array
from mdptk.worst_case.certify import rounded, shift
from mdptk.worst_case.methods import Method, Number, combine, rational
from mdptk.worst_case.result import WorstCase

Vector = Array  # of Fractions: coefficients on the basis of the Gram matrix


class Instance(NamedTuple):
    """Points and what is seen at them, each (points, n); the solution is the origin."""

    x: Array
    g: Array


def _square(v: Vector) -> Array:
    return np.outer(v, v)


def _product(v: Vector, w: Vector) -> Array:
    return (np.outer(v, w) + np.outer(w, v)) / Fraction(2)


@dataclass
class _Program:
    """max <C, G> + c f  such that  <A_i, G> + a_i f <= 0,  |x_0|^2 <= 1,  G positive semidefinite."""

    C: Array
    c: Array
    names: list[Any]
    A: list[Array]
    a: list[Array]
    trace: Fraction  # a bound on the trace of G
    box: list[Fraction]  # bounds on |f|

    def solve(self) -> tuple[float, dict[Any, Fraction], Fraction, Array]:
        """The value, the multipliers, a certified bound, and the Gram matrix."""
        import cvxpy as cp  # costs seconds: only here

        n, numbers = len(self.C), [np.array(A, float) for A in self.A]
        tau, lam = cp.Variable(), cp.Variable(len(self.A), nonneg=True)
        E = np.zeros((n, n))
        E[0, 0] = 1
        Z = tau * E - np.array(self.C, float)
        Z = Z + cp.reshape(np.array([A.ravel() for A in numbers]).T @ lam, (n, n), order="C")
        slack = cp.Variable((n, n), PSD=True)
        constraints: list[Any] = [slack == (Z + Z.T) / 2]
        if len(self.c):
            constraints.append(np.array(self.a, float).T @ lam == np.array(self.c, float))
        problem = cp.Problem(cp.Minimize(tau), constraints)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the certificate says how much
            problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
        if problem.status not in ("optimal", "optimal_inaccurate") or tau.value is None:
            raise NotConverged(f"the semidefinite program was not solved: {problem.status}")
        G = np.array(constraints[0].dual_value)
        multipliers = [rounded(x) for x in np.array(lam.value, float).ravel()]
        upper = self._bound(rounded(float(tau.value)), multipliers)
        named = {name: x for name, x in zip(self.names, multipliers, strict=True) if x}
        return float(tau.value), named, upper, (G + G.T) / 2

    def _bound(self, tau: Fraction, lam: list[Fraction]) -> Fraction:
        """<C, G> + c f <= tau - <Z, G> + (c - sum lam a) f, and Z + e I is positive definite."""
        Z = -self.C + Fraction(0)
        Z[0, 0] += tau
        left = self.c + Fraction(0)
        for x, A, a in zip(lam, self.A, self.a, strict=True):
            if x:
                Z, left = Z + x * A, left - x * a
        paid = sum((abs(y) * b for y, b in zip(left, self.box, strict=True)), Fraction(0))
        return tau + shift([list(row) for row in Z]) * self.trace + paid


def _basis(method: Method, seen: int) -> tuple[list[Vector], list[Vector]]:
    """Points and images of the method as coefficients on (x_0, g_0, ..., g_{seen - 1})."""
    unit = np.array([[Fraction(int(i == j)) for j in range(seen + 1)] for i in range(seen + 1)], dtype=object)
    return [combine(row, unit) for row in method.rows], list(unit[1:])


def _none() -> Array:
    return np.zeros(0, dtype=object)


def _factor(G: Array) -> Array:
    """Vectors with the inner products G, as rows."""
    w, V = np.linalg.eigh(G)
    keep = w > 1e-9 * max(w[-1], 1e-300)
    return V[:, keep] * np.sqrt(w[keep])


@dataclass(frozen=True)
class Contractions:
    r"""All :math:`\gamma`-Lipschitz maps of Euclidean spaces that have a fixed point, one at most 1 from the start.

    For gamma = 1 they are the nonexpansive ones. Values of a policy are such a map in the norm of its stationary
    distribution. A map on finitely many points extends to the whole space (Kirszbraun), so the conditions between the
    points are all that there are.

    Parameters
    ----------
    gamma
        Lipschitz constant, in (0, 1].
    """

    gamma: Number

    def worst_case(self, method: Method, measure: Literal["error", "residual"] = "error") -> WorstCase:
        """The largest squared distance of the last point to the fixed point, or to its own image (``residual``)."""
        g2 = rational(self.gamma) ** 2
        if not 0 < g2 <= 1:
            raise InvalidHyperparameter(f"gamma = {self.gamma!r} is not in (0, 1]")
        n = method.points - (measure == "error")
        x, g = _basis(method, n)
        names: list[Any] = [(i, j) for i, j in combinations(range(n), 2)]
        A = [_square(g[i] - g[j]) - g2 * _square(x[i] - x[j]) for i, j in names]
        names += [(i, "*") for i in range(n)]
        A += [_square(g[i]) - g2 * _square(x[i]) for i in range(n)]
        last = x[-1] if measure == "error" else x[-1] - g[-1]
        size = method.sizes(rational(self.gamma))
        trace = 1 + sum((g2 * s**2 for s in size[:n]), Fraction(0))
        program = _Program(_square(last), _none(), names, A, [_none()] * len(A), trace, [])
        value, dual, upper, G = program.solve()
        V = _factor(G)
        instance = Instance(*(np.array([np.array(v, float) @ V for v in vs]) for vs in (x, g)))
        return WorstCase(value, upper, True, _attained(last, V), instance, dual)


@dataclass(frozen=True)
class SmoothConvex:
    """All convex functions with L-Lipschitz gradients on Euclidean spaces, a minimiser at most 1 from the start.

    Parameters
    ----------
    L
        Lipschitz constant of the gradient, positive.
    """

    L: Number = 1

    def worst_case(self, method: Method) -> WorstCase:
        """The largest difference of the function at the last point and at its minimiser."""
        L = rational(self.L)
        if L <= 0:
            raise InvalidHyperparameter(f"L = {self.L!r} is not positive")
        n = method.points
        x, g = _basis(method, n)
        zero, none = 0 * x[0], np.array([Fraction(0)] * n, dtype=object)
        x, g = [*x, zero], [*g, zero]
        f = [*(np.array([Fraction(int(i == j)) for j in range(n)], dtype=object) for i in range(n)), none]
        names, A, a = [], [], []
        for i, j in permutations(range(n + 1), 2):  # f_i >= f_j + g_j (x_i - x_j) + |g_i - g_j|^2 / (2 L)
            names.append(tuple("*" if k == n else k for k in (i, j)))
            A.append(_product(g[j], x[i] - x[j]) + _square(g[i] - g[j]) / (2 * L))
            a.append(f[j] - f[i])
        size = method.sizes(L)
        trace = 1 + sum((L**2 * s**2 for s in size), Fraction(0))
        box = [L * s**2 / 2 for s in size]
        program = _Program(_square(zero), f[n - 1], names, A, a, trace, box)
        value, dual, upper, G = program.solve()
        V = _factor(G)
        instance = Instance(*(np.array([np.array(v, float) @ V for v in vs[:n]]) for vs in (x, g)))
        return WorstCase(value, upper, True, instance=instance, dual=dual)


def _attained(last: Vector, V: Array) -> float:
    v = np.array(last, float) @ V
    return float(v @ v)
