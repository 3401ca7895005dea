"""MDPO against loops; with one inner step it is policy gradient, with many natural policy gradient, without KL SAC."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.mdpo import IMPROVEMENT, INNER, MDPO, MONOTONE
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps
from mdptk.theory.stock_mdpo import residual


def reference(alg, mdp, steps):
    """One logit at a time; the gradient of the objective from its definition."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    alpha = 1 / (1 / (1 - mdp.gamma) + 1 / alg.eta)
    theta, out = np.zeros((S, A)), []
    for _ in range(steps + 1):
        pi = np.array([np.exp(theta[s]) / sum(np.exp(theta[s])) for s in range(S)])
        out.append(pi)
        M = np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)])
        v, d = np.linalg.solve(M, (pi * mdp.r).sum(-1)), (1 - mdp.gamma) * np.linalg.solve(M.T, mdp.rho)
        for s in range(S):
            adv = [mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s] for a in range(A)]
            for _ in range(alg.m):
                p = np.exp(theta[s]) / sum(np.exp(theta[s]))
                worth = [adv[a] - np.log(p[a] / pi[s, a]) / alg.eta for a in range(A)]
                mean = sum(p[a] * worth[a] for a in range(A))
                theta[s] = [theta[s, a] + alpha * d[s] * p[a] * (worth[a] - mean) for a in range(A)]
    return {"pi": np.array(out)}


@settings(max_examples=30)
@given(mdps(), st.sampled_from([0.01, 1.0, 100.0]), st.sampled_from([1, 3, 20]))
def test_theorems(mdp, eta, m):
    for verdict in check(run(MDPO(eta, m), mdp, 6)):
        assert verdict.ok is not False, str(verdict)


@settings(max_examples=10)
@given(mdps(max_S=3), st.sampled_from([0.1, 10.0]))
def test_one_inner_step_is_policy_gradient(mdp, eta):
    """The step is (1 - gamma) alpha times the gradient, whatever eta is otherwise."""
    alg = MDPO(eta, m=1)
    result = run(alg, mdp, 2)
    for k in range(2):
        pi = result["pi"][0, k]
        step = (1 - mdp.gamma) * alg.inner(mdp) * exact.softmax_gradient(mdp, pi)
        want = exact.log_softmax(result["log_pi"][0, k] + step)
        np.testing.assert_allclose(result["log_pi"][0, k + 1], want, atol=1e-12)


def test_many_inner_steps_are_natural_policy_gradient():
    mdp, eta = garnet(4, 3, 2, 0.5, seed=1), 0.5
    exactly = run(NPG(eta=(1 - mdp.gamma) * eta), mdp, 3)
    off = [abs(run(MDPO(eta, m), mdp, 3)["pi"] - exactly["pi"]).max() for m in (1, 10, 100, 3000)]
    assert off == sorted(off, reverse=True)
    assert off[-1] < 1e-10
    assert residual.values(run(MDPO(eta, 3000), mdp, 3))[0, 1:].max() < 1e-8


def _reverse_kl(target, x, weight, alpha, m):
    """Off-policy: m gradient steps on E_D KL(p || target) in the logits, states weighted by a replay buffer D."""
    for _ in range(m):
        p = np.exp(x)
        slope = x - target
        x = exact.log_softmax(x - alpha * weight[:, None] * p * (slope - (p * slope).sum(-1, keepdims=True)))
    return x


def test_off_policy_steps_have_the_same_fixed_point_whatever_the_buffer():
    """KL to pi exp(eta Q) / Z: any positive buffer leads to the step of on-policy MDPO with infinitely many steps."""
    mdp, eta, rng = garnet(4, 3, 2, 0.5, seed=2), 0.5, np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(3) * 5, 4)
    target = exact.log_softmax(np.log(pi) + eta * exact.action_values(mdp, pi))
    for weight in (np.full(4, 0.25), np.array([0.7, 0.1, 0.1, 0.1])):
        np.testing.assert_allclose(_reverse_kl(target, np.log(pi), weight, 1.0, 4000), target, atol=1e-8)


def test_soft_actor_critic_is_the_case_of_a_uniform_reference():
    """KL to exp(Q_tau / tau) / Z, the soft values of the policy: the maximiser is a step of soft policy iteration."""
    from mdptk.algorithms.policy_gradient.soft_policy_iteration import SoftPolicyIteration

    mdp, tau = garnet(4, 3, 2, 0.5, seed=3), 0.3
    result = run(SoftPolicyIteration(tau=tau), mdp, 3)
    for k in range(3):
        log_pi = result["log_pi"][0, k]
        q = mdp.q(exact.soft_evaluate(mdp, log_pi, tau))
        target = exact.log_softmax(np.full((4, 3), -np.log(3)) + q / tau)  # uniform times exp(q / tau)
        got = _reverse_kl(target, log_pi, np.full(4, 0.25), 1.0, 6000)
        np.testing.assert_allclose(got, result["log_pi"][0, k + 1], atol=1e-6)


def test_statements_catch_steps_downhill():
    class Downhill(MDPO):
        def step(self, problem, state):
            return MDPO.step(self, MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    for theorem in (INNER, MONOTONE, IMPROVEMENT):
        assert not theorem.check(run(Downhill(), garnet(), 2)).ok
