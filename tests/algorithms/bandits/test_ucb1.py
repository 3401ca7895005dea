"""UCB1 against its pseudo-code in loops, and its theorems where they say something."""

from __future__ import annotations

import math

import numpy as np

from mdptk import check, run
from mdptk.algorithms.bandits.ucb1 import UCB1
from mdptk.core.bandits import BernoulliBandit


def reference(alg, oracle, xis):
    """Auer et al. 2002, figure 1: play each machine once, then the one with the largest x_j + sqrt(2 ln n / n_j)."""
    pulls, wins, a = [0] * oracle.A, [0.0] * oracle.A, 0
    out = {"n": [list(pulls)], "x": [list(wins)], "a": [a]}
    for n, u in enumerate(xis, start=1):
        pulls[a] += 1
        wins[a] += 1.0 if u < oracle._means[a] else 0.0
        if n < oracle.A:
            a = n
        else:
            best = -math.inf
            for j in range(oracle.A):
                index = wins[j] / pulls[j] + math.sqrt(2 * math.log(n) / pulls[j])
                if index > best:
                    a, best = j, index
        out["n"].append(list(pulls))
        out["x"].append(list(wins))
        out["a"].append(a)
    return out


def test_regret_counts_the_pulls_of_bad_arms():
    problem = BernoulliBandit([0.2, 0.7, 0.5])
    result = run(UCB1(), problem, 64, repeats=4)
    assert (np.diff(result["regret"]) >= 0).all()
    assert np.allclose(result["regret"][:, 3], problem.gaps.sum())  # every arm once


def test_theorems_say_something_where_arms_differ_much():
    _, by_gaps, worst_case = check(run(UCB1(), BernoulliBandit([0.0, 1.0]), 1024, repeats=8))
    for v in (by_gaps, worst_case):
        assert v.ok
        assert v.informative
        assert not v.vacuous


def test_arms_that_are_the_same_cost_nothing():
    assert all(v.ok for v in check(run(UCB1(), BernoulliBandit([0.5, 0.5]), 64, repeats=4)))
