"""Policy gradient from chosen actions against loops; on a bandit there is no chance left."""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.least_sampled_pg import EXCESS, LACK, LeastSampledPG, State
from mdptk.core import exact
from tests.algorithms.policy_gradient.episodes import add_score, bandit, draw, softmax, tiny


def reference(alg, oracle, xis):
    """One episode and one stage after the other."""
    H, S, A = np.shape(oracle.r)
    theta, out = np.zeros((H, S, A)), {"theta": [np.zeros((H, S, A))], "n": [np.zeros((H, S, A))]}
    for xi in xis:
        pi, n, g = softmax(theta), np.zeros((H, S, A)), np.zeros((H, S, A))
        for u in xi:
            s, seen = draw(oracle._first, u[0]), []
            for h in range(H):
                lacks = [pi[h, s, b] * sum(n[h, s]) - n[h, s, b] for b in range(A)]
                a = lacks.index(max(lacks))
                n[h, s, a] += 1
                seen.append((h, s, a, oracle.r[h, s, a]))
                s = draw(oracle._next[h, s, a], u[h + 1])
            for h, s, a, _ in seen:
                add_score(g, pi, h, s, a, sum(x[-1] for x in seen[h:]) / alg.N)
        theta = theta + alg.eta * g
        out["theta"].append(theta)
        out["n"].append(n)
    return {name: np.array(x) for name, x in out.items()}


def test_on_a_bandit_the_gradient_is_right_up_to_one_over_n():
    """The same for every seed; sum |n/N - pi| is at most 2 (A - 1) / N, and a score is no longer than root two."""
    problem, alg = bandit([0.2, 0.9, 0.4]), LeastSampledPG(eta=1.0, N=16)
    result = run(alg, problem, 8, repeats=2)
    np.testing.assert_array_equal(result["gap"][0], result["gap"][1])
    theta = np.zeros((1, 1, 3))
    for _ in range(8):
        theta = theta + exact.softmax_gradient(problem, exact.softmax(theta))
    want = exact.performance_gap(problem, exact.optimal(problem), exact.softmax(theta))
    assert abs(result["gap"][0, -1] - want) < 8 * np.sqrt(2) * 4 / 16


def test_statements_catch_actions_that_are_drawn():
    class Drawn(LeastSampledPG):
        def step(self, oracle, state, xi):
            new = LeastSampledPG.step(self, oracle, state, xi)
            first = new.n.sum(-1, keepdims=True) * np.eye(2)[0]  # as if the first action had been taken throughout
            return State(new.theta, new.before, first)

    result = run(Drawn(), tiny(2), 4)
    assert not EXCESS.check(result).ok
    assert not LACK.check(result).ok
