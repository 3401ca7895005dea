"""Homotopic policy mirror descent against its definition as a maximisation, and the policy that it ends with."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.homotopic_pmd import LINEAR, ONE_STEP, HomotopicPMD
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The maximiser in closed form with eta_t and tau_t as printed, on logarithms of probabilities."""
    S, A, gamma = mdp.S, mdp.A, mdp.gamma
    log_pi, out = np.full((S, A), -np.log(A)), []
    for k in range(steps + 1):
        pi = np.exp(log_pi)
        out.append(pi)
        v = np.zeros(S)
        for _ in range(int(40 / (1 - gamma)) + 1):
            for s in range(S):
                v[s] = sum(pi[s, a] * (mdp.r[s, a] + gamma * mdp.P[s, a] @ v) for a in range(A))
        if gamma == 0:
            continue  # all weight on the uniform policy
        eta = alg.eta_0 / gamma ** (2 * k)
        tau = (1 / gamma - 1) / eta
        for s in range(S):
            q = np.array([mdp.r[s, a] + gamma * mdp.P[s, a] @ v for a in range(A)])
            logits = (log_pi[s] + eta * q - eta * tau * np.log(A)) / (1 + eta * tau)
            log_pi[s] = logits - max(logits) - np.log(sum(np.exp(logits - max(logits))))
    return {"pi": np.array(out)}


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.1, 10.0]))
@settings(max_examples=20)
def test_pseudo_code(mdp, eta_0):
    got = run(HomotopicPMD(eta_0), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(HomotopicPMD(eta_0), mdp, 3)["pi"], rtol=1e-7, atol=1e-10)


@given(mdps(gammas=(0.01, 0.3, 0.9, 0.99)), st.sampled_from([1e-2, 1.0, 100.0]))
@settings(max_examples=40)
def test_theorems(mdp, eta_0):
    for verdict in check(run(HomotopicPMD(eta_0), mdp, 25)):
        assert verdict.ok is not False, str(verdict)


def test_the_step_is_the_maximiser():
    """Of the regularised objective, against many other policies."""
    mdp, rng = garnet(3, 4, 2, gamma=0.8), np.random.default_rng(0)
    eta, tau = 1.0, 0.25
    pi = run(HomotopicPMD(1.0), mdp, 1)["pi"][0, 1]
    q = exact.action_values(mdp, np.full((3, 4), 0.25))

    def objective(p):
        kl = (p * np.log(4 * np.maximum(p, 1e-300))).sum(-1)
        return eta * ((q * p).sum(-1) - tau * kl) - kl

    for _ in range(200):
        assert (objective(rng.dirichlet(np.ones(4), 3)) <= objective(pi) + 1e-12).all()


def test_it_ends_with_the_optimal_policy_of_largest_entropy():
    """Two of three actions are optimal in every state: they share, whatever was learned about them on the way."""
    rng = np.random.default_rng(3)
    P, r = rng.dirichlet(np.ones(4), (4, 3)), rng.random((4, 3))
    v = rng.random(4)
    best = np.array([[1, 1, 0]] * 4)
    r = np.where(best == 1, v[:, None] - 0.7 * P @ v, v[:, None] - 0.7 * P @ v - 0.3)  # so V* = v
    pi = run(HomotopicPMD(), MDP(P, r, 0.7), 35)["pi"][0, -1]  # 0.7^70 is 1e-11: later rounding breaks the ties
    np.testing.assert_allclose(pi, best / 2, atol=1e-3)


def test_both_statements_say_something():
    result = run(HomotopicPMD(), garnet(gamma=0.8), 30)
    for theorem in (LINEAR, ONE_STEP):
        assert theorem.check(result).ok
    assert LINEAR.check(result).informative
    assert ONE_STEP.check(result).ratio > 0.1
