r"""Worst cases in the maximum norm, over contractions and over Bellman operators, by linear programming.

What limits a Bellman operator at two points is the largest difference of the two in any state: the values are monotone,
and a constant added to v adds gamma times as much. Each pair of points may have a state of its own where its largest
difference is. With a state for every pair, these differences are variables of a linear program:

.. math::

   x_i(s) - x_j(s) \le d_{ij}, \quad g_i(s) - g_j(s) \le \gamma\, d_{ij} \ \text{ for all } s, \qquad
   d_{ij} \le x_i(s_{ij}) - x_j(s_{ij}), \quad d_{0*}, d_{*0} \le 1,

with :math:`g_i = T x_i` and :math:`x_* = T x_* = 0`. Every operator gives a solution. And every solution gives an
operator, :math:`(T v)(s) = \min_i \max_{s'} g_i(s) + \gamma (v - x_i)(s')`, that of a game of two players with perfect
information. So the value is the exact worst case over such games, and a bound for all Markov decision processes. For
contractions the differences are distances, :math:`d_{ij} = d_{ji}`, and T has a norm in place of the maximum (McShane's
extension).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Any, Literal

import numpy as np

from mdptk.core.errors import InvalidHyperparameter, NotConverged
from mdptk.core.models import Array
from mdptk.worst_case.certify import linear_bound, rounded
from mdptk.worst_case.methods import Method, Number, rational
from mdptk.worst_case.result import WorstCase

Row = tuple[dict[Any, Fraction], Fraction]
Combination = dict[Any, Fraction]


@dataclass(frozen=True, eq=False)
class Operator:
    r"""A worst operator, :math:`v \mapsto \min_i (g_i + \gamma \|v - x_i\|)`, which takes :math:`x_i` to :math:`g_i`.

    Attributes
    ----------
    x, g
        Points and their images, each (points, S); the fixed point, the origin, is the last.
    gamma
        Contraction factor.
    monotone
        Whether the largest difference stands in place of the norm: a Bellman operator.
    start
        Where the method starts, (S,).
    """

    x: Array
    g: Array
    gamma: float
    monotone: bool
    start: Array

    def __call__(self, v: Array) -> Array:
        apart = v - self.x if self.monotone else abs(v - self.x)
        return (self.g + self.gamma * apart.max(-1)[:, None]).min(0)


@dataclass(frozen=True)
class MaxNormContractions:
    r"""All contractions of the maximum norm by gamma, in any dimension, with a fixed point at most 1 from the start.

    Parameters
    ----------
    gamma
        Lipschitz constant, in (0, 1]; 1 for the nonexpansive maps that have a fixed point.
    """

    gamma: Number

    def worst_case(self, method: Method, measure: Literal["error", "residual"] = "error") -> WorstCase:
        """The largest distance of the last point to the fixed point, or to its own image (``residual``)."""
        return _worst_case(method, self.gamma, measure, monotone=False)


@dataclass(frozen=True)
class BellmanOperators:
    r"""All Bellman operators of games of two players with discount gamma, with a value at most 1 from the start.

    Those of Markov decision processes, and of a policy, are among them.

    Parameters
    ----------
    gamma
        Discount, in (0, 1]; 1 for undiscounted games that have a value.
    """

    gamma: Number

    def worst_case(self, method: Method, measure: Literal["error", "residual"] = "error") -> WorstCase:
        """The largest distance of the last point to the value, or to its own backup (``residual``), in any state."""
        return _worst_case(method, self.gamma, measure, monotone=True)


def _worst_case(method: Method, gamma: Number, measure: str, *, monotone: bool) -> WorstCase:
    factor = rational(gamma)
    if not 0 < factor <= 1:
        raise InvalidHyperparameter(f"gamma = {gamma!r} is not in (0, 1]")
    n, seen = method.points, method.points - (measure == "error")
    pairs = list(permutations([*range(n), "*"], 2))
    difference = {(i, j): ("d", i, j) if monotone or _before(i, j) else ("d", j, i) for i, j in pairs}
    states = [*dict.fromkeys(difference.values()), *(["last"] if measure == "residual" else [])]
    rows = _rows(method, factor, difference, states, seen)
    last = "last" if measure == "residual" else difference[n - 1, "*"]
    image = {("g", n - 1, last): Fraction(1)} if measure == "residual" else {}
    c = _minus(image, _point(method, n - 1, last)) if image else _point(method, n - 1, last)
    radius: dict[Any, Fraction] = dict(enumerate(method.sizes(factor))) | {"*": Fraction(0)}
    box: Combination = {("x", s): Fraction(1) for s in states}
    box |= {("g", i, s): factor * radius[i] for i in range(seen) for s in states}
    box |= {d: radius[i] + radius[j] for (i, j), d in difference.items()}
    value, y, solution = _solve(c, rows, box)
    upper = linear_bound(c, rows, y, box)
    operator = _operator(method, float(factor), monotone, solution, states, seen)
    x, g = method.run(operator, operator.start)
    lower = float(abs(x[-1]).max() if measure == "error" else abs(x[-1] - g[-1]).max())
    return WorstCase(value, upper, True, lower, operator, {k: w for k, w in enumerate(y) if w})


def _before(i: Any, j: Any) -> bool:
    return j == "*" or (i != "*" and i < j)


def _point(method: Method, i: Any, s: Any) -> Combination:
    """State s of point i, as a combination of the variables; the fixed point is the origin."""
    if i == "*":
        return {}
    c, *h = method.rows[i]
    return {("x", s): c} | {("g", j, s): w for j, w in enumerate(h) if w}


def _minus(a: Combination, b: Combination) -> Combination:
    out = dict(a)
    for name, x in b.items():
        out[name] = out.get(name, Fraction(0)) - x
    return {name: x for name, x in out.items() if x}


def _rows(method: Method, gamma: Fraction, difference: dict, states: list, seen: int) -> list[Row]:
    """The inequalities ``a x <= b``."""
    zero, one = Fraction(0), Fraction(1)
    rows = [({d: one}, one) for d in dict.fromkeys([difference[0, "*"], difference["*", 0]])]
    for (i, j), d in difference.items():
        for s in states:
            rows.append((_minus(_minus(_point(method, i, s), _point(method, j, s)), {d: one}), zero))
            if all(k == "*" or k < seen for k in (i, j)):
                images = _minus({("g", i, s): one} if i != "*" else {}, {("g", j, s): one} if j != "*" else {})
                rows.append((_minus(images, {d: gamma}), zero))
        if d == ("d", i, j):
            rows.append((_minus({d: one}, _minus(_point(method, i, d), _point(method, j, d))), zero))
    return rows


def _solve(c: Combination, rows: list[Row], box: Combination) -> tuple[float, list[Fraction], dict[Any, float]]:
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    names = {name: k for k, name in enumerate(box)}
    entries = [(i, names[name], float(w)) for i, (a, _) in enumerate(rows) for name, w in a.items()]
    i, j, w = zip(*entries, strict=True)
    A = csr_array((w, (i, j)), shape=(len(rows), len(names)))
    cost = np.zeros(len(names))
    for name, x in c.items():
        cost[names[name]] = -float(x)
    found = linprog(cost, A, [float(b) for _, b in rows], bounds=(None, None), method="highs")
    if not found.success:
        raise NotConverged(f"the linear program was not solved: {found.message}")
    y = [rounded(-float(m)) for m in found.ineqlin.marginals]
    return -float(found.fun), y, {name: float(found.x[k]) for name, k in names.items()}


def _operator(method: Method, gamma: float, monotone: bool, solution: dict, states: list, seen: int) -> Operator:
    start = np.array([solution["x", s] for s in states])
    g = np.array([[solution["g", i, s] for s in states] for i in range(seen)]).reshape(seen, len(states))
    x = np.zeros_like(g)
    for i in range(seen):
        c, *h = map(float, method.rows[i])
        x[i] = c * start + np.array(h) @ g[:i] if h else c * start
    origin = np.zeros((1, len(states)))
    return Operator(np.concatenate([x, origin]), np.concatenate([g, origin]), gamma, monotone, start)
