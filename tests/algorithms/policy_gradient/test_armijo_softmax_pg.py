"""Softmax policy gradient with a line search against its definition in loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.armijo_softmax_pg import CONVERGENCE, INCREASE, STEP, ArmijoSoftmaxPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.core import exact
from mdptk.core.errors import InvalidHyperparameter
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.testing import mdps
from mdptk.theory.stock import suboptimality


def reference(alg, mdp, steps):
    """Backtracking as printed, on values that are computed by inverting a matrix; the noise of a plateau is no loss."""
    S, A, gamma = mdp.S, mdp.A, mdp.gamma

    def look(theta):
        pi = np.array([np.exp(theta[s] - max(theta[s])) / sum(np.exp(theta[s] - max(theta[s]))) for s in range(S)])
        M = np.linalg.inv(np.eye(S) - gamma * np.array([pi[s] @ mdp.P[s] for s in range(S)]))
        v, visits = M @ [pi[s] @ mdp.r[s] for s in range(S)], M.T @ mdp.rho
        g = np.zeros((S, A))
        for s in range(S):
            for a in range(A):
                g[s, a] = visits[s] * pi[s, a] * (mdp.r[s, a] + gamma * mdp.P[s, a] @ v - v[s])
        return pi, mdp.rho @ v, g

    theta, out = np.zeros((S, A)), []
    for _ in range(steps + 1):
        pi, value, g = look(theta)
        out.append(pi)
        eta, noise = alg.eta_max, 1e-13 * (1 + abs(value))
        while look(theta + eta * g)[1] < value + alg.h * eta * (g**2).sum() - noise:
            eta *= alg.beta
        theta = theta + eta * g
    return {"pi": np.array(out)}


def positive(mdp):
    """The model with a start distribution that is positive."""
    return MDP(mdp.P, mdp.r, mdp.gamma, (mdp.rho + 1e-2) / (mdp.rho + 1e-2).sum())


@given(
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.sampled_from([0.3, 3.0, 100.0]),
    st.sampled_from([0.3, 0.999]),
)
@settings(max_examples=20)
@example(seed=0, gamma=0.0, eta_max=0.3, h=0.999)  # nearly all of the promise: no step is short enough to go unasked
def test_pseudo_code(seed, gamma, eta_max, h):
    mdp = garnet(3, 2, 2, gamma, seed=seed)
    alg = ArmijoSoftmaxPG(eta_max, h=h, beta=0.7)
    np.testing.assert_allclose(run(alg, mdp, 4)["pi"][0], reference(alg, mdp, 4)["pi"], rtol=1e-8, atol=1e-12)


@given(mdps(max_S=4).map(positive), st.sampled_from([1e-3, 1.0, 1e6]), st.sampled_from([0.1, 0.9]))
@settings(max_examples=30)
def test_theorems(mdp, eta_max, h):
    for verdict in check(run(ArmijoSoftmaxPG(eta_max, h), mdp, 15)):
        assert verdict.ok is not False, str(verdict)


def test_the_search_finds_longer_steps_than_the_constant_one():
    """And so it is nearer to the optimum after as many steps."""
    result = run(ArmijoSoftmaxPG(), riverswim(), 50)
    plain = run(SoftmaxPG(), riverswim(), 50)
    assert result["eta"][0, 1:].min() > 100 * SoftmaxPG().step_size(riverswim())
    assert suboptimality.values(result)[0, -1] < suboptimality.values(plain)[0, -1]


def test_long_steps_are_shortened_and_the_bound_on_them_is_not_idle():
    """A bandit from the uniform policy: a step of 100 overshoots nothing; with h near 1 only short ones are linear."""
    mdp = MDP(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    result = run(ArmijoSoftmaxPG(100.0, h=0.99), mdp, 3)
    assert result["eta"][0, 1] < 1
    verdict = STEP.check(result)
    assert verdict.ok
    assert verdict.ratio > 0.001
    assert CONVERGENCE.check(run(ArmijoSoftmaxPG(1.0), mdp, 100)).informative


def test_increase_catches_a_search_that_ends_too_early():
    class Hasty(ArmijoSoftmaxPG):
        def step(self, problem, state):
            theta = state.theta + 50 * exact.softmax_gradient(problem, state.pi)
            return type(state)(theta, exact.softmax(theta), np.array(50.0))

    assert not INCREASE.check(run(Hasty(), garnet(), 5)).ok


def test_ranges():
    for bad in ({"h": 1.0}, {"beta": 0.95}, {"eta_max": 0.0}):
        with pytest.raises(InvalidHyperparameter, match=next(iter(bad))):
            ArmijoSoftmaxPG(**bad)


def test_a_batch_searches_one_by_one():
    models = [garnet(5, 3, 3, gamma=0.9, seed=i) for i in range(3)]
    batch = MDP(np.stack([m.P for m in models]), np.stack([m.r * 10**i for i, m in enumerate(models)]), 0.9)
    together = run(ArmijoSoftmaxPG(), batch, 5)
    assert len(set(together["eta"][:, 1])) > 1
    assert all(v.ok for v in check(together))
