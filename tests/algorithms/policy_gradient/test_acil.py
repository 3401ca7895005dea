"""Actor-critic improper learning against loops; what it does on average by enumeration; controllers of one's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.acil import ACIL, BIAS_BOUND, BIAS_FORMULA, State, _critic
from mdptk.core import exact
from mdptk.core.improper import mixture_gradient
from tests.algorithms.policy_gradient.controllers import constant_actions, first, learn, transitions
from tests.algorithms.policy_gradient.episodes import softmax


def reference(alg, oracle, xis):
    S, A = np.shape(oracle.r)
    theta, v, s, K = np.zeros(A), np.zeros(S), first(oracle), constant_actions(S, A)
    out = {"theta": [theta], "v": [v], "s": [s], "K": [K]}
    for xi in xis:
        w = softmax(theta)
        seen, s = transitions(oracle, w, s, xi)
        v, batch = learn(alg, oracle, v, seen)
        theta = theta.copy()
        for m, at, r, s2 in batch:
            delta = r + oracle.gamma * v[s2] - v[at]
            for k in range(A):
                theta[k] += alg.alpha / alg.N * delta * ((k == m) - w[k])
        for name, x in zip(out, (theta, v, s, K), strict=True):
            out[name].append(x)
    return {name: np.array(x) for name, x in out.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_mean_direction(seed):
    """Every state, controller, action and next state with its probability: its bias is what the run measures."""
    rng = np.random.default_rng(seed)
    problem = MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.random((3, 2)), 0.8, rng.dirichlet(np.ones(3)))
    K, theta, v = rng.dirichlet(np.ones(2), (4, 3)), rng.normal(size=4), rng.normal(size=3)
    w = softmax(theta)
    pi = sum(w[m] * K[m] for m in range(4))
    d, mean = exact.occupancy(problem, pi), np.zeros(4)
    for s in range(3):
        for m in range(4):
            for a in range(2):
                for s2 in range(3):
                    p = d[s] * w[m] * K[m, s, a] * problem.P[s, a, s2]
                    mean += p * (problem.r[s, a] + 0.8 * v[s2] - v[s]) * (np.eye(4)[m] - w)
    bias = np.linalg.norm(mean - 0.2 * mixture_gradient(problem, K, theta, pi))
    measured = _critic(exact.Truth(problem, None), State(theta, v, 0, K))
    assert measured[:2] == pytest.approx([bias, bias], rel=1e-12)
    assert bias > 1e-3
    assert bias <= 0.8 * measured[2] / np.sqrt(8)
    shifted = _critic(exact.Truth(problem, None), State(theta, v + 7, 0, K))
    assert shifted == pytest.approx(measured, rel=1e-9)


def test_the_bound_is_attained():
    """Two controllers, equally likely, that lead to where the critic is wrong by the most and by the least."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 0] = P[2, :, 0] = 1
    P[1:] = np.eye(3)[1:, None]
    problem = MDP(P, np.zeros((3, 2)), 1e-6, [1, 0, 0])  # almost all of the occupancy is in the first state
    K = np.repeat(np.eye(2)[:, None], 3, axis=1)
    critic = State(np.zeros(2), np.array([0.0, 1.0, -1.0]), 0, K)
    bias, formula, span = _critic(exact.Truth(problem, None), critic)
    assert bias == pytest.approx(1e-6 * span / np.sqrt(8), rel=1e-5)
    assert formula == pytest.approx(bias, rel=1e-9)


@dataclass(frozen=True)
class Halves(ACIL):
    """Three controllers for two actions, of which one is a coin."""

    def controllers(self, problem):
        return np.stack([np.tile(p, (problem.S, 1)) for p in ([1.0, 0.0], [0.5, 0.5], [0.0, 1.0])])


def test_controllers_of_ones_own():
    """Action 1 pays 1, action 0 nothing, and nothing ever changes."""
    problem = MDP(np.ones((1, 2, 1)), [[0.0, 1.0]], 0.5)
    result = run(Halves(alpha=1.0), problem, 200, repeats=2)
    assert BIAS_FORMULA.check(result).ok
    assert BIAS_BOUND.check(result).ok
    w = exact.softmax(result["theta"])
    assert (np.diff(w[:, -1], axis=-1) > 0).all(), "the more of action 1, the more weight"
    assert (w[:, -1] @ [0, 0.5, 1] > 0.9).all()
