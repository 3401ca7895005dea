"""Natural policy gradient against its definition in loops, and against the Fisher matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.npg import LINEAR, NPG
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """Multiplicative weights, Agarwal et al. 2021, Lemma 15; values by Gauss-Seidel sweeps."""
    S, A = mdp.S, mdp.A
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.zeros(S)
        for _ in range(int(40 / (1 - mdp.gamma)) + 1):
            for s in range(S):
                v[s] = sum(pi[s, a] * (mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v) for a in range(A))
        new = np.zeros((S, A))
        for s in range(S):
            for a in range(A):
                advantage = mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v - v[s]
                new[s, a] = pi[s, a] * np.exp(alg.eta / (1 - mdp.gamma) * advantage)
            new[s] /= new[s].sum()
        pi = new
    return {"pi": np.array(out)}


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.01, 0.1, 1.0]))
def test_pseudo_code(mdp, eta):
    got = run(NPG(eta=eta), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(NPG(eta=eta), mdp, 3)["pi"], rtol=1e-9, atol=1e-12)


@given(mdps(max_S=4, gammas=(0.5,)), st.data())
def test_step_is_the_fisher_preconditioned_gradient(mdp, data):
    """F^+ grad V = A / (1 - gamma) up to a constant in each state that is visited: the definition of the method."""
    theta = data.draw(st.integers(0, 100).map(lambda i: np.random.default_rng(i).normal(size=mdp.r.shape)))
    pi = np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)
    d = exact.occupancy(mdp, pi)
    seen = d > 1e-6
    if not seen.any():
        pytest.fail("some state is always visited")
    fisher = np.zeros((mdp.S, mdp.A, mdp.S, mdp.A))
    for s in range(mdp.S):
        for a in range(mdp.A):
            score = np.zeros((mdp.S, mdp.A))
            score[s] = -pi[s]
            score[s, a] += 1
            fisher += d[s] * pi[s, a] * score[:, :, None, None] * score
    n = mdp.S * mdp.A
    direction = np.linalg.lstsq(fisher.reshape(n, n), exact.softmax_gradient(mdp, pi).ravel(), rcond=1e-10)[0]
    want = exact.advantage(mdp, pi) / (1 - mdp.gamma)
    difference = (direction.reshape(mdp.S, mdp.A) - want)[seen]
    assert abs(difference - difference[:, :1]).max() < 1e-6


def test_gradient_is_that_of_the_exact_value():
    """softmax_gradient and gradient equal finite differences of the value in closed form (complex step)."""
    from mdptk.problems.garnet import garnet

    mdp = garnet()
    theta = np.random.default_rng(1).normal(size=mdp.r.shape)

    def value(theta):
        pi = np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)
        P, r = np.einsum("sa,sat->st", pi, mdp.P), (pi * mdp.r).sum(-1)
        return mdp.rho @ np.linalg.solve(np.eye(mdp.S) - mdp.gamma * P, r)

    g = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        step = np.zeros(theta.shape, complex)
        step[i] = 1e-30j
        g[i] = value(theta + step).imag / 1e-30
    pi = np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)
    np.testing.assert_allclose(exact.softmax_gradient(mdp, pi), g, rtol=1e-10, atol=1e-14)


def test_linear_rate_is_that_of_the_action_gap():
    """In the end log of the gap falls by eta Delta / (1 - gamma) a step, no slower and no faster."""
    from mdptk.problems.garnet import garnet
    from mdptk.theory.stock import suboptimality
    from mdptk.theory.stock_policy import action_gap

    mdp = garnet(4, 2, 2, gamma=0.5, seed=3)
    result = run(NPG(eta=1.0), mdp, 400)
    gap, delta = suboptimality.values(result)[0], action_gap.values(result)[0, 0]
    want = 1.0 * delta / 0.5
    last = int(min(400, 25 / want))
    assert np.log(gap[last // 2] / gap[last]) / (last - last // 2) == pytest.approx(want, rel=0.02)
    verdict = LINEAR.check(result)
    assert verdict.ok
    assert verdict.informative


def test_linear_rate_with_ties_only():
    """Where every action is optimal the bound is zero, and so is the gap."""
    mdp = MDP(np.full((3, 2, 3), 1 / 3), np.repeat([[1.0], [0.0], [0.5]], 2, axis=1), 0.9)
    lhs, rhs = LINEAR.sides(run(NPG(), mdp, 5))
    np.testing.assert_array_equal(rhs[:, 1:], 0)  # at t = 0 it says nothing: 0 / 0
    assert abs(lhs).max() < 1e-13
    assert LINEAR.check(run(NPG(), mdp, 5)).ok


def test_a_bound_that_no_float_holds_is_infinite():
    """A to the power of gamma / (1 - gamma), for a discount close to one."""
    result = run(NPG(), garnet(3, 3, 2, 0.999, seed=0), 3)
    assert np.isposinf(LINEAR.sides(result)[1]).all()
    assert LINEAR.check(result).ok
