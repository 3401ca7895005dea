"""The expectile of the whole target against bisection; what it makes of luck."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.planning.expectile_iteration import ExpectileIteration
from mdptk.algorithms.planning.joint_expectile_iteration import OVERESTIMATES, JointExpectileIteration, above_actions
from mdptk.core import exact
from mdptk.core.expectile import limit
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def _by_bisection(x, p, tau):
    low, high = min(x), max(x)
    for _ in range(100):
        e = (low + high) / 2
        balance = sum(w * (tau * (y - e) if y > e else (1 - tau) * (y - e)) for y, w in zip(x, p, strict=True))
        low, high = (e, high) if balance > 0 else (low, e)
    return (low + high) / 2


def reference(alg, mdp, steps):
    """The minimiser of the loss for every pair, by bisection on its derivative."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    q, out = np.zeros((S, A)), []
    for _ in range(steps + 1):
        out.append(q)
        new = np.zeros((S, A))
        for s in range(S):
            for a in range(A):
                seen = [(x, b) for x in range(S) for b in range(A) if P[s, a, x] > 0]
                target = [mdp.r[s, a] + mdp.gamma * q[x, b] for x, b in seen]
                new[s, a] = _by_bisection(target, [P[s, a, x] / A for x, _ in seen], alg.tau)
        q = new
    return {"q": np.array(out)}


@settings(max_examples=25)
@given(mdps(), st.sampled_from([0.5, 0.8, 1 - 1e-6]))
def test_theorems(mdp, tau):
    for verdict in check(run(JointExpectileIteration(tau), mdp, 10)):
        assert verdict.ok is not False or verdict.theorem is OVERESTIMATES, str(verdict)


def test_without_chance_it_is_the_expectile_over_actions():
    """Deterministic transitions; and at 1/2 both are the mean, whatever the transitions."""
    rng = np.random.default_rng(0)
    mdp = MDP(np.eye(5)[rng.integers(5, size=(5, 3))], rng.random((5, 3)), 0.9)
    for tau, problem in ((0.9, mdp), (0.5, garnet())):
        joint, actions = run(JointExpectileIteration(tau), problem, 20), run(ExpectileIteration(tau), problem, 20)
        np.testing.assert_allclose(joint["q"], actions["q"], rtol=1e-12, atol=1e-12)


def test_a_chain_without_choice_is_overestimated():
    """A coin that pays 1 or 0 for ever: the odds of luck are tilted to tau."""
    P = np.full((2, 1, 2), 0.5)
    mdp = MDP(P, [[1.0], [0.0]], 0.9)
    q = run(JointExpectileIteration(0.8), mdp, 400)["q"][0, -1]
    tilted = MDP([[[0.8, 0.2]], [[0.8, 0.2]]], mdp.r, 0.9)
    np.testing.assert_allclose(q, exact.action_values(tilted, np.ones((2, 1))), rtol=1e-10)
    np.testing.assert_allclose(limit(mdp, 0.8), exact.action_values(mdp, np.ones((2, 1))), rtol=1e-10)


def test_it_may_be_below_the_expectile_over_actions():
    """Together the best weights make 1; each state for itself 2/1.1 with chance 0.1 and 1.8/1.9 with chance 0.9."""
    result = OVERESTIMATES.counterexample()
    assert not OVERESTIMATES.check(result).ok
    assert result["q"][0, 1, 0, 0] == pytest.approx(0.9)
    assert above_actions.values(result)[0, 1] == pytest.approx(0.9 * (1 - 0.1 * 2 / 1.1 - 0.9 * 1.8 / 1.9))
