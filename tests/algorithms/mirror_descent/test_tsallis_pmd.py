"""Policy mirror descent with a Tsallis entropy against its definition, in loops and as a maximisation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.tsallis_pmd import (
    CONVERGENCE,
    IMPROVEMENT,
    THREE_POINTS,
    TsallisPMD,
    _normalised,
)
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core import exact
from mdptk.core.errors import InvalidHyperparameter
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The stationarity condition with its multiplier found by bisection, state by state."""
    S, A, gamma, q = mdp.S, mdp.A, mdp.gamma, alg.q
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.linalg.solve(
            np.eye(S) - gamma * np.array([pi[s] @ mdp.P[s] for s in range(S)]), [pi[s] @ mdp.r[s] for s in range(S)]
        )
        for s in range(S):
            values = [mdp.r[s, a] + gamma * mdp.P[s, a] @ v for a in range(A)]
            power = [pi[s, a] ** (q - 1) - (1 - q) / q * alg.eta * values[a] for a in range(A)]
            low, high = 1 - min(power), A ** (1 - q) - min(power)  # p(a) = 1, and all p at most 1 / A
            for _ in range(200):
                middle = (low + high) / 2
                total = sum((x + middle) ** (-1 / (1 - q)) for x in power)
                low, high = (middle, high) if total > 1 else (low, middle)
            for a in range(A):
                pi[s, a] = (power[a] + low) ** (-1 / (1 - q))
    return {"pi": np.array(out)}


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.01, 1.0, 30.0]), st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=25)
def test_pseudo_code(mdp, eta, q):
    alg = TsallisPMD(eta, q)
    result = run(alg, mdp, 4)
    np.testing.assert_allclose(result["pi"][0], reference(alg, mdp, 4)["pi"], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(result["w"], result["pi"] ** (q - 1), rtol=1e-9)


@given(mdps(), st.sampled_from([1e-2, 1.0, 1e3]), st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=40)
def test_theorems(mdp, eta, q):
    for verdict in check(run(TsallisPMD(eta, q), mdp, 15)):
        assert verdict.ok is not False, str(verdict)


@pytest.mark.parametrize("k", [1 / 0.9, 2.0, 10.0])
@pytest.mark.parametrize("z", [[0.0, 1.0, 3.0, 1e13], [0.0] * 1000], ids=["far apart", "all the same"])
def test_normalised(z, k):
    """To the last digit where one action is hopeless, and in a few steps where there are many."""
    assert (_normalised(np.array(z), k) ** -k).sum() == pytest.approx(1, abs=1e-13)


def test_the_step_is_the_maximiser():
    mdp, rng, q = garnet(3, 4, 2, gamma=0.8), np.random.default_rng(0), 0.5
    before, after = run(TsallisPMD(2.0, q), mdp, 2)["pi"][0, 1:]
    values = exact.action_values(mdp, before)

    def objective(p):
        h = lambda x: (1 - x**q) / (1 - q)  # noqa: E731
        slope = -q * before ** (q - 1) / (1 - q)
        return 2.0 * (values * p).sum(-1) - (h(p) - h(before) - slope * (p - before)).sum(-1)

    for _ in range(200):
        assert (objective(rng.dirichlet(np.ones(4), 3)) <= objective(after) + 1e-12).all()


def test_bad_actions_fade_like_one_over_t_squared():
    """A bandit, q = 1/2: pi^(-1/2) grows by eta (the gap) / 1 each step; natural policy gradient is exponential."""
    mdp = MDP(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    bad = run(TsallisPMD(1.0), mdp, 800)["pi"][0, :, 0, 1]
    assert bad[800] / bad[400] == pytest.approx(1 / 4, rel=0.02)
    assert run(NPG(1.0), mdp, 800)["pi"][0, 800, 0, 1] < 1e-300


def test_a_mirror_map_close_to_the_relative_entropy():
    """Steps of q = 0.9 are nearer to those of NPG than steps of q = 0.5, for Q in place of the advantage."""
    mdp = garnet(gamma=0.5)
    npg = run(NPG(0.05), mdp, 5)["pi"][0, -1]  # its step is eta / (1 - gamma)
    far, near = (abs(run(TsallisPMD(0.1, q), mdp, 5)["pi"][0, -1] - npg).max() for q in (0.5, 0.9))
    assert near < far


def test_identities_catch_a_wrong_normalisation():
    class Rescaled(TsallisPMD):
        def step(self, problem, state):
            pi = super().step(problem, state).pi ** 1.5
            pi = pi / pi.sum(-1, keepdims=True)
            return type(state)(pi, pi ** (self.q - 1))

    result = run(Rescaled(), garnet(), 3)
    assert not THREE_POINTS.check(result).ok
    assert not IMPROVEMENT.check(result).ok


def test_bound_and_range():
    assert CONVERGENCE.check(run(TsallisPMD(), garnet(), 300)).informative
    with pytest.raises(InvalidHyperparameter, match="q must be"):
        TsallisPMD(q=1.0)
