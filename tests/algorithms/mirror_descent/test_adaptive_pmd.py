"""Policy mirror descent with adaptive steps against its definition in loops; the chain on which gamma is the rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.adaptive_pmd import GREEDY, LINEAR, AdaptivePMD
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps
from mdptk.theory.stock import policy_error


def reference(alg, mdp, steps):
    """Multiplicative weights with the step of the paper, on logarithms; actions within 1e-12 of the best are greedy."""
    S, A = mdp.S, mdp.A
    log_pi, out = np.full((S, A), -np.log(A)), []
    for k in range(steps + 1):
        pi = np.exp(log_pi)
        out.append(pi)
        v = np.linalg.solve(
            np.eye(S) - mdp.gamma * np.array([pi[s] @ mdp.P[s] for s in range(S)]),
            [pi[s] @ mdp.r[s] for s in range(S)],
        )
        q = np.array([[mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v for a in range(A)] for s in range(S)])
        kl = []
        for s in range(S):
            greedy = [log_pi[s, a] for a in range(A) if q[s, a] >= max(q[s]) - 1e-12]
            kl.append(-max(greedy) - np.log(sum(np.exp(x - max(greedy)) for x in greedy)))
        eta = max(0.0, max(kl)) / max(alg.c_0 * mdp.gamma ** (2 * k + 1), exact.rounding(mdp))
        for s in range(S):
            logits = log_pi[s] + eta * (q[s] - max(q[s]))
            log_pi[s] = logits - max(logits) - np.log(sum(np.exp(logits - max(logits))))
    return {"pi": np.array(out)}


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([0.1, 10.0]))
@settings(max_examples=30)
def test_pseudo_code(seed, gamma, c_0):
    mdp = garnet(3, 3, 2, gamma, seed=seed)
    got = run(AdaptivePMD(c_0), mdp, 5)["pi"][0]
    np.testing.assert_allclose(got, reference(AdaptivePMD(c_0), mdp, 5)["pi"], rtol=1e-7, atol=1e-9)


@given(mdps(), st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=40)
def test_theorems(mdp, c_0):
    for verdict in check(run(AdaptivePMD(c_0), mdp, 25)):
        assert verdict.ok is not False, str(verdict)


def chain(n, gamma):
    """State 0 is worth 1; state i leads one nearer to it, or sells for 0.9 gamma^i, or throws everything away."""
    P = np.zeros((n + 2, 3, n + 2))
    P[0, :, 0] = P[:, 1:, -1] = P[-1, :, -1] = 1
    P[0, :, -1] = 0
    for s in range(1, n + 1):
        P[s, 0, s - 1] = 1
    r = np.zeros((n + 2, 3))
    r[0], r[1:-1, 1] = 1 - gamma, 0.9 * gamma ** np.arange(1, n + 1)
    return MDP(P, r, gamma)


@pytest.mark.parametrize("gamma", [0.5, 0.8])
def test_no_mirror_descent_is_faster_than_gamma(gamma):
    """The news that state 0 is worth more than what all others sell for travels one state a step."""
    result = run(AdaptivePMD(1e-9), chain(12, gamma), 12)
    error = policy_error.values(result)[0]
    np.testing.assert_allclose(error[2:9] / error[1:8], gamma, rtol=1e-3)
    assert LINEAR.check(result).ok
    assert LINEAR.check(result).ratio > 0.1


def test_with_no_patience_it_is_policy_iteration():
    mdp = garnet(6, 3, 2)
    result = run(AdaptivePMD(1e-12), mdp, 4)
    for pi, new in zip(result["pi"][0, :-1], result["pi"][0, 1:], strict=True):
        np.testing.assert_allclose(new, exact.greedy(exact.action_values(mdp, pi)), atol=1e-6)


def test_greedy_enough_catches_short_steps():
    class Short(AdaptivePMD):
        def step(self, problem, state):
            new = super().step(problem, state)
            return new._replace(pi=exact.cooled_softmax(new.x, 1000 * new.tau))

    assert not GREEDY.check(run(Short(c_0=1e-3), garnet(), 5)).ok


def test_many_changes_of_mind_stay_finite():
    """Logits would grow by a factor 1 / c_t with every one."""
    result = run(AdaptivePMD(), chain(60, 0.9), 200, every=10)
    assert all(np.isfinite(x).all() for x in result.out.values())
    np.testing.assert_allclose(result["pi"].sum(-1), 1)
