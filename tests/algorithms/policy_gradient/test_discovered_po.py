"""Tabular discovered policy optimisation against loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.discovered_po import MONOTONE, PESSIMISM, PROMISE, DiscoveredPO
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def value(alg, old, p, adv):
    return sum(old[a] * objective(alg, p[a] / old[a], adv[a]) for a in range(len(adv)))


def reference(alg, mdp, steps):
    """One state after the other, one step after the other, derivatives by hand."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.linalg.solve(np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)]), (pi * mdp.r).sum(-1))
        new = pi.copy()
        for s in range(S):
            adv = [mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s] for a in range(A)]
            theta, size = np.log(pi[s]), alg.step_size
            for _ in range(alg.m):
                p = np.exp(theta) / sum(np.exp(theta))
                slope = np.array([derivative(alg, p[a] / pi[s, a], adv[a]) for a in range(A)])
                g = p * (slope - p @ slope)
                after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
                while value(alg, pi[s], after, adv) < value(alg, pi[s], p, adv) - 1e-15 * max(np.abs(adv)):
                    size /= 2
                    after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
                theta = np.log(after)
            new[s] = np.exp(theta)
        pi = new
    return {"pi": np.array(out)}


def objective(alg, ratio, a):
    x, c = ((ratio - 1) * a, alg.alpha) if a >= 0 else (np.log(ratio) * a, alg.beta)
    return ratio * a - max(0.0, x - c * np.tanh(x / c))


def derivative(alg, ratio, a):
    x, c, inner = ((ratio - 1) * a, alg.alpha, a) if a >= 0 else (np.log(ratio) * a, alg.beta, a / ratio)
    return a - (inner * (1 - 1 / np.cosh(x / c) ** 2) if x > 0 else 0.0)


@settings(max_examples=25)
@given(mdps(), st.sampled_from([0.1, 1.0, 50.0]), st.sampled_from([1, 7]))
def test_theorems(mdp, step, m):
    for verdict in check(run(DiscoveredPO(step_size=step, m=m), mdp, 6)):
        assert verdict.ok is not False or verdict.theorem.status == "refuted", str(verdict)


def test_one_small_step_is_a_policy_gradient_step_without_the_visits():
    mdp = garnet(4, 3, 2, 0.8, seed=1)
    result = run(DiscoveredPO(step_size=1e-3, m=1), mdp, 3)
    for k in range(3):
        pi = result["pi"][0, k]
        want = exact.log_softmax(np.log(pi) + 1e-3 * pi * exact.advantage(mdp, pi))
        np.testing.assert_allclose(result["log_pi"][0, k + 1], want, atol=1e-13)


def test_the_slope_is_the_derivative_of_the_drift():
    """By a central difference, away from the kinks; and at ratio one both are zero."""
    ratio, advantage = np.meshgrid([0.3, 0.75, 0.95, 1.05, 1.25, 3.0], [-2.0, -0.1, 0.4, 5.0])
    drift, h = DiscoveredPO().surrogate, 1e-6
    want = (drift.drift(ratio + h, advantage) - drift.drift(ratio - h, advantage)) / (2 * h)
    np.testing.assert_allclose(drift.slope(ratio, advantage), want, atol=1e-7)
    assert (drift.drift(ratio, advantage) >= 0).all()
    one = np.ones_like(ratio)
    assert abs(drift.drift(one, advantage)).max() == abs(drift.slope(one, advantage)).max() == 0


def test_statements_catch_a_step_downhill():
    class Downhill(DiscoveredPO):
        def step(self, problem, state):
            return DiscoveredPO.step(self, MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    result = run(Downhill(), garnet(), 2)
    assert not MONOTONE.check(result).ok
    assert not PROMISE.check(result).ok
    assert not PESSIMISM.check(result).ok
