r"""The worst case of projected gradient descent on a closed convex set, by semidefinite programming.

.. math:: x_{k+1} = \Pi_C(x_k - \eta \nabla f(x_k)), \qquad x_0 \in C, \quad |x_0 - x_*| \leq 1.

The gradient at the constrained minimiser is not zero, and nothing bounds it. What is bounded are the differences
:math:`d_k = \nabla f(x_k) - \nabla f(x_*)`, and :math:`p_{k+1} = (x_k - \eta d_k) - x_{k+1}`: what the projection takes
away, up to the same at the minimiser. With :math:`x_* = 0` and
:math:`f(x) - f(x_*) = \varphi(x) + \langle \nabla f(x_*), x \rangle` they obey

- the conditions of smooth convex functions for :math:`\varphi` and d, with the minimiser 0;
- :math:`a_k = \langle \nabla f(x_*), x_k \rangle \geq 0`, and
  :math:`\langle p_j, x_i - x_j \rangle \leq \eta (a_i - a_j)`: normal cones of C.

The numbers a may be any: a further dimension, of any small size, has room for them, so that the value is the supremum
over the class. Source: Taylor, Hendrickx and Glineur [taylor2017exact].
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidHyperparameter
from mdptk.worst_case.hilbert import _product, _Program, _square
from mdptk.worst_case.methods import Number, rational
from mdptk.worst_case.result import WorstCase


@dataclass(frozen=True)
class ProjectedGradient:
    r"""Projected gradient descent, :math:`x_{k+1} = \Pi_C(x_k - \eta \nabla f(x_k))`.

    Parameters
    ----------
    steps
        Number of its steps, at least 1.
    eta
        Step size, positive.
    """

    steps: int
    eta: Number

    def play(self, slope: float) -> float:
        """The value of ``slope * x`` on the half-line x >= 0 after all steps from 1: there it falls by what it can."""
        x = 1.0
        for _ in range(self.steps):
            x = max(0.0, x - float(rational(self.eta)) * slope)
        return slope * x


@dataclass(frozen=True)
class ConstrainedSmoothConvex:
    """All convex functions with L-Lipschitz gradients on all closed convex sets, a minimiser at most 1 from the start.

    Parameters
    ----------
    L
        Lipschitz constant of the gradient, positive.
    """

    L: Number = 1

    def worst_case(self, method: ProjectedGradient) -> WorstCase:
        """The largest difference of the function at the last point and at its minimiser in the set.

        The instance is the slope of a linear function on the half-line, the worst of these.
        """
        L, eta, N = rational(self.L), rational(method.eta), method.steps
        if L <= 0 or eta <= 0 or int(N) != N or N < 1:
            raise InvalidHyperparameter(f"L = {self.L!r}, eta = {method.eta!r}, steps = {N!r}: needs positive numbers")
        basis, numbers = (_unit(n) for n in (2 * N + 2, 2 * N + 1))
        x0, d, p = basis[0], basis[1 : N + 2], basis[N + 2 :]
        phi, a = [*numbers[: N + 1], 0 * numbers[0]], [0 * numbers[0], *numbers[N + 1 :], 0 * numbers[0]]
        x = [x0]
        for k in range(N):
            x.append(x[k] - eta * d[k] - p[k])
        x, d = [*x, 0 * x0], [*d, 0 * x0]  # the last of each is the minimiser
        rows: dict[Any, tuple[Any, Any]] = {}
        for i, j in permutations(range(N + 2), 2):
            gram = _product(d[j], x[i] - x[j]) + _square(d[i] - d[j]) / (2 * L)
            rows["smooth", i, j] = gram, phi[j] - phi[i]
        for j in range(1, N + 1):
            rows["minimiser", j] = 0 * _square(x0), -a[j]
            for i in range(1, N + 2):
                if i != j:
                    rows["normal", i, j] = _product(p[j - 1], x[i] - x[j]), -eta * (a[i] - a[j])
        grows = max(Fraction(1), eta * L - 1)  # a gradient step is this Lipschitz, and a projection shortens
        size = [grows**k for k in range(N + 1)]
        trace = (
            1 + sum(((L * s) ** 2 for s in size), Fraction(0)) + sum(((grows * s) ** 2 for s in size[:N]), Fraction(0))
        )
        box = [L * s**2 / 2 for s in size] + [grows * size[k] * size[k + 1] / eta for k in range(N)]
        grams, linear = (list(z) for z in zip(*rows.values(), strict=True))
        program = _Program(0 * _square(x0), phi[N] + a[N], list(rows), grams, linear, trace, box)
        value, dual, upper, _ = program.solve()
        slope = 1 / (2 * N * float(eta))
        return WorstCase(value, upper, True, method.play(slope), slope, dual)


def _unit(n: int) -> Any:
    return np.array([[Fraction(int(i == j)) for j in range(n)] for i in range(n)], dtype=object)
