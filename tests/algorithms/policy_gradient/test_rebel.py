"""REBEL against the regression over pairs, in loops; a table gives mirror descent, and then the paper's rate."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, registry, run
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.rebel import NATURAL, REBEL, REGRET, _phi
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """Rows of the regression, one pair at a time; numpy's least squares."""
    S, A, gamma, phi = mdp.S, mdp.A, mdp.gamma, _phi(alg, mdp)
    theta, out = np.zeros(phi.shape[-1]), []
    for _ in range(steps + 1):
        out.append(theta)
        x = np.array([[theta @ phi[s, a] for a in range(A)] for s in range(S)])
        pi = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        P = np.array([pi[s] @ mdp.P[s] for s in range(S)])
        v = np.linalg.solve(np.eye(S) - gamma * P, [pi[s] @ mdp.r[s] for s in range(S)])
        d = (1 - gamma) * np.linalg.solve(np.eye(S) - gamma * P.T, mdp.rho)
        rows, targets = [], []
        for s in range(S):
            q = [mdp.r[s, a] + gamma * mdp.P[s, a] @ v for a in range(A)]
            for a in range(A):
                for b in range(A):
                    root = np.sqrt(max(d[s], 0) * pi[s, a] * pi[s, b])
                    rows.append(root * (phi[s, a] - phi[s, b]))
                    targets.append(root * (q[a] - q[b]))
        theta = theta + alg.eta * np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)[0]
    return {"theta": np.array(out)}


@given(mdps(gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.01, 1.0]))
@settings(max_examples=25)
def test_theorems(mdp, eta):
    for verdict in check(run(REBEL(eta), mdp, 8)):
        assert verdict.ok is not False, str(verdict)


def test_a_table_gives_mirror_descent():
    """pi_{t+1} ~ pi_t exp(eta Q): NPG with the step eta (1 - gamma)."""
    mdp = garnet(4, 3, 2, 0.8)
    got, want = run(REBEL(0.2, n=None), mdp, 10)["pi"], run(NPG(0.2 * (1 - mdp.gamma)), mdp, 10)["pi"]
    np.testing.assert_allclose(got, want, rtol=1e-8)


@given(st.integers(0, 1000), st.sampled_from([0.1, 1.0, 5.0]))
@settings(max_examples=15)
def test_exact_regression_in_a_bandit_has_the_rate_of_the_paper(seed, eta):
    """J* - J_t <= KL(pi* | pi_0) / (eta t), here with log A, and nothing is missed."""
    r = np.random.default_rng(seed).random((1, 4))
    result = run(REBEL(eta, n=None), MDP(np.ones((1, 4, 1)), r, 0.0), 12)
    gap = r.max() - (result["pi"][0] * r).sum((-2, -1))
    assert (gap[1:] <= np.log(4) / (eta * result.t[1:]) + 1e-12).all()
    assert REGRET.check(result).ok


def test_the_regret_inequality_is_informative_with_few_features():
    verdict = REGRET.check(run(REBEL(0.1), garnet(4, 3, 2, 0.8), 100))
    assert verdict.ok
    assert verdict.ratio > 0.5


def test_another_weighting_is_not_the_natural_gradient():
    class Uniform(REBEL):
        def step(self, problem, state):
            flat = np.full_like(state.pi, 1 / problem.A)
            return super().step(problem, state._replace(pi=flat))

    assert not NATURAL.check(run(Uniform(1.0), garnet(4, 3, 2, 0.8), 4)).ok


def test_many_features_of_few_pairs_and_long_steps():
    """Directions that the policy has all but stopped trying: a pseudo-inverse that is written down loses them."""
    assert NATURAL.check(run(REBEL(eta=1000.0, n=21), registry.problems(MDP)["frozen_lake"], 10)).ok
