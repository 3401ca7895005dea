"""Geometric policy mirror descent against multiplicative weights in loops; a false constant and its counterexample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.geometric_pmd import (
    LINEAR,
    MISREMEMBERED,
    ONE_STEP,
    SHARP,
    GeometricPMD,
    _state,
    divergence,
)
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """Log-probabilities by multiplicative weights with step eta_0 / gamma^t; values by Gauss-Seidel sweeps."""
    S, A = mdp.S, mdp.A
    pi, theta, out = np.full((S, A), 1 / A), np.zeros((S, A)), []
    for t in range(steps + 1):
        out.append(pi.copy())
        v = np.zeros(S)
        for _ in range(int(40 / (1 - mdp.gamma)) + 1):
            for s in range(S):
                v[s] = sum(pi[s, a] * (mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v) for a in range(A))
        q = np.array([[mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v for a in range(A)] for s in range(S)])
        if mdp.gamma == 0 and t >= 1:  # an infinite step
            pi = np.array([(q[s] == max(q[s])) / sum(q[s] == max(q[s])) for s in range(S)])
            continue
        theta = theta + alg.eta_0 * (1 if t == 0 else mdp.gamma**-t) * q
        pi = np.array([np.exp(theta[s] - max(theta[s])) for s in range(S)])
        pi /= pi.sum(1, keepdims=True)
    return {"pi": np.array(out)}


def spread(mdp):
    """The model with a start distribution that is positive, by much or by next to nothing."""
    floors = st.sampled_from([1.0, 1e-3, 1e-9, 1e-300])
    return floors.map(lambda x: MDP(mdp.P, mdp.r, mdp.gamma, (mdp.rho + x) / (mdp.rho + x).sum()))


def bandit(r, gamma):
    """One state; action a pays r[a]."""
    return MDP(np.ones((1, len(r), 1)), [r], gamma)


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.01, 0.1, 1.0]))
@settings(max_examples=30)
def test_pseudo_code(mdp, eta_0):
    got = run(GeometricPMD(eta_0), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(GeometricPMD(eta_0), mdp, 3)["pi"], rtol=1e-9, atol=1e-11)


@given(mdps().flatmap(spread), st.sampled_from([1e-3, 0.1, 1.0, 100.0]))
@settings(max_examples=40)
def test_theorems(mdp, eta_0):
    for verdict in check(run(GeometricPMD(eta_0), mdp, 30), skip_unmet=True):
        assert verdict.ok is not False or verdict.theorem is MISREMEMBERED, str(verdict)


@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_one_step_is_an_equality_on_a_bandit(gamma):
    """One state: d* is rho, theta = 1 / (1 - gamma), and nothing is lost but KL(pi_{t+1} || pi_t), small at first."""
    lhs, rhs = ONE_STEP.sides(run(GeometricPMD(1e-3), bandit([1.0, 0.0], gamma), 5))
    np.testing.assert_allclose(lhs[0, 1:], rhs[0, 1:], rtol=1e-3)


def test_the_factor_cannot_be_forgotten():
    """Two arms, 1 and 0, gamma = 0.9, a small first step: the gap stays at 5 until the temperature has come down."""
    result = run(GeometricPMD(1e-3), bandit([1.0, 0.0], 0.9), 80)
    verdict = MISREMEMBERED.check(result)
    assert verdict.ok is False
    assert verdict.ratio > 3
    assert MISREMEMBERED.status == "refuted"
    for theorem in (SHARP, LINEAR):
        verdict = theorem.check(result)
        assert verdict.ok
        assert verdict.informative


def test_the_published_form_is_the_sharper_one_without_mismatch():
    """theta - 1 = gamma / (1 - gamma) where the start is where the optimal policy stays."""
    result = run(GeometricPMD(), bandit([1.0, 0.0], 0.9), 9)
    np.testing.assert_allclose(SHARP.sides(result)[1], LINEAR.sides(result)[1])
    result = run(GeometricPMD(), garnet(), 9)
    assert (SHARP.sides(result)[1] < LINEAR.sides(result)[1]).all()


def test_divergence_is_that_of_the_logits():
    result = run(GeometricPMD(0.1), garnet(), 12)
    mdp, best = garnet(), exact.optimal(garnet())
    d = exact.occupancy(mdp, best.pi)
    kl = -(best.pi * np.log(result["pi"][0])).sum(-1) @ d
    np.testing.assert_allclose(divergence.values(result)[0], kl * 0.9 ** np.arange(13) / 0.1, rtol=1e-9)


def test_a_thousand_steps():
    """Logits would be near eta_0 / gamma^1000 = 1e45; for gamma = 0.3 the temperature underflows to zero."""
    for mdp in (garnet(), garnet(gamma=0.3)):
        result = run(GeometricPMD(), mdp, 1000, every=1)
        assert not [str(v) for v in check(result) if not v.ok and v.theorem is not MISREMEMBERED]
        assert result["x"].max() <= 1 / (1 - mdp.gamma) ** 2
        np.testing.assert_array_equal(result["pi"][0, -1], exact.optimal(mdp).pi)


def test_a_run_that_starts_where_another_one_was_goes_on_as_it_did():
    """With the step size that the other one had come to, eta_0 / gamma; theorems are checked from such starts."""
    whole, later = run(GeometricPMD(0.5), garnet(), 5), GeometricPMD(0.5 / 0.9)
    rest = run(later, garnet(), 4, start=_state(later, garnet(), whole["x"][0, 1]))
    for name in ("x", "tau", "pi"):
        np.testing.assert_allclose(rest[name], whole[name][:, 1:], rtol=1e-12)


def test_a_batch_is_its_models_one_by_one():
    models = [garnet(5, 3, 3, 0.9, seed=i) for i in range(4)]
    batch = MDP(np.stack([m.P for m in models]), np.stack([m.r for m in models]), 0.9)
    together = run(GeometricPMD(), batch, 8)
    assert all(v.ok for v in check(together) if v.theorem is not MISREMEMBERED)
    for i, one in enumerate(models):
        alone = run(GeometricPMD(), one, 8)
        for name in ("x", "tau", "pi"):
            np.testing.assert_allclose(together[name][i], alone[name][0], rtol=1e-12)
        for th in GeometricPMD.theorems:
            for a, b in zip(th.sides(together), th.sides(alone), strict=True):
                np.testing.assert_allclose(a[i, 1:], b[0, 1:], rtol=1e-6, atol=1e-14)
