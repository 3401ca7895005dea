"""Ambiguity sets taken apart into their vertices, in rationals, by brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
from hypothesis import strategies as st

from mdptk.core.robust import L1, Finite, Interval
from tests.solve.test_solve import dot, fractions, rows


def filled(start, capacity, mass):
    """`mass` put on top of `start` in every order of the entries: all vertices of a box cut by a hyperplane."""
    found = set()
    for order in permutations(range(len(start))):
        p, left = list(start), mass
        for i in order:
            give = min(left, capacity[i])
            p[i], left = p[i] + give, left - give
        found.add(tuple(p))
    return found


def l1_vertices(p, radius):
    """Half the radius, if there is as much, moves to one state, from the others in every order."""
    found = {tuple(p)}
    for j in range(len(p)):
        others = [-x if i != j else Fraction(0) for i, x in enumerate(p)]
        moved = min(radius / 2, -sum(others))
        for q in filled([-x for x in p], [-x for x in others], moved):  # what is left, with the sign changed
            row = [-x for x in q]
            row[j] += moved
            found.add(tuple(row))
    return found


def vertices(U, s, a):
    """The rows (s, a) that matter, for the stored floats."""
    if isinstance(U, Finite):
        return {tuple(fractions(row)) for row in U.P[:, s, a]}
    if isinstance(U, L1):
        return l1_vertices(fractions(U.P[s, a]), Fraction(float(U.radius[s, a])))
    low, high = fractions(U.lower[s, a]), fractions(U.upper[s, a])
    mass = min(max(Fraction(1), sum(low)), sum(high))
    return filled(low, [y - x for x, y in zip(low, high, strict=True)], mass - sum(low))


def exact_worst(U, s, a, v):
    return min(dot(p, v) for p in vertices(U, s, a))


@st.composite
def sets_around(draw, P):
    """Sets of all kinds that hold `P`, from the point to everything, with exact ties."""
    S, A, _ = P.shape
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["l1", "l1 each", "interval", "decimal", "finite"]))
    if kind == "l1":
        return L1(P, draw(st.sampled_from([0.0, 1e-12, 0.1, 0.5, 1.0, 2.0, 3.0])))
    if kind == "l1 each":
        return L1(P, rng.choice([0.0, 0.3, 0.7, 2.0], (S, A)))
    if kind == "finite":
        more = [np.array([[rows(draw, S, rng) for _ in range(A)] for _ in range(S)]) for _ in range(2)]
        return Finite([P, *more[: draw(st.integers(0, 2))]])
    below, above = rng.choice([0.0, 1e-12, 0.1, 0.5, 1.0], (2, S, A, S))
    if kind == "decimal":
        return Interval(np.maximum(P - 0.25, 0), P + 0.25)
    return Interval(np.maximum(P - below, 0), P + above)
