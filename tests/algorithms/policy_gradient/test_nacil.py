"""Natural actor-critic improper learning against loops, which have a ridge regression; stuck where it is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import run
from mdptk.algorithms.policy_gradient.improper_mixture import stuck
from mdptk.algorithms.policy_gradient.nacil import LENGTH, NACIL, REGRET, State, _behind
from mdptk.core import exact
from mdptk.core.improper import mixture_gradient
from mdptk.core.models import MDP
from tests.algorithms.policy_gradient.controllers import constant_actions, first, learn, transitions
from tests.algorithms.policy_gradient.episodes import softmax


def reference(alg, oracle, xis):
    """The matrix is inverted by solving the normal equations of a ridge regression with rows in place of the ridge."""
    S, A = np.shape(oracle.r)
    theta, u, v, s, K = np.zeros(A), np.zeros(A), np.zeros(S), first(oracle), constant_actions(S, A)
    out = {"theta": [theta], "u": [u], "v": [v], "s": [s], "K": [K]}
    for xi in xis:
        theta = theta + alg.alpha * u
        w = softmax(theta)
        seen, s = transitions(oracle, w, s, xi)
        v, batch = learn(alg, oracle, v, seen)
        rows, says = [], []
        for m, at, r, s2 in batch:
            rows.append([(k == m) - w[k] for k in range(A)])
            says.append(r + oracle.gamma * v[s2] - v[at])
        for k in range(A):
            rows.append([np.sqrt(alg.N * alg.lam) * (k == j) for j in range(A)])
            says.append(0.0)
        u = np.linalg.lstsq(np.array(rows), np.array(says), rcond=None)[0]
        for name, x in zip(out, (theta, u, v, s, K), strict=True):
            out[name].append(x)
    return {name: np.array(x) for name, x in out.items()}


def test_stuck():
    """At uniform weights the exact natural direction is zero, for any ridge, and the term of the bound is all there."""
    problem, K = stuck(), np.repeat(np.eye(2)[:, None], 4, axis=1)
    uniform = np.full((4, 2), 0.5)
    np.testing.assert_array_equal(mixture_gradient(problem, K, np.zeros(2), uniform), 0.0)
    zero = np.zeros(2)
    behind, wrong, _ = _behind(exact.Truth(problem, None), State(zero, zero, np.zeros(4), 0, K))
    assert behind > 0.16 * exact.expected_return(problem, uniform)
    assert wrong / (1 - problem.gamma) == pytest.approx(behind, rel=1e-12)


ONE_PAYS = MDP(np.ones((1, 2, 1)), [[0.0, 1.0]], 0.0)


def test_the_regret_lemma_needs_the_direction_to_be_followed():
    class Backwards(NACIL):
        def step(self, oracle, state, xi):
            new = NACIL.step(self, oracle, state, xi)
            return new._replace(theta=2 * state.theta - new.theta)

    alg = {"alpha": 0.05, "lam": 0.05, "N": 16}
    result = run(NACIL(**alg), ONE_PAYS, 100)
    assert REGRET.check(result).ok
    assert exact.softmax(result["theta"])[0, -1, 1] > 0.9
    assert not REGRET.check(run(Backwards(**alg), ONE_PAYS, 100)).ok


def test_without_a_ridge_steps_are_long():
    class Hardly(NACIL):
        def step(self, oracle, state, xi):
            return NACIL.step(NACIL(self.alpha, self.beta, self.lam / 1000, self.N), oracle, state, xi)

    alg = {"alpha": 5.0, "lam": 1.0, "N": 16}
    assert LENGTH.check(run(NACIL(**alg), ONE_PAYS, 100)).ok
    assert not LENGTH.check(run(Hardly(**alg), ONE_PAYS, 100)).ok
