"""What holds of every method that ascends a surrogate with a drift: PPO, SPO and discovered policy optimisation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.discovered_po import DiscoveredPO
from mdptk.algorithms.policy_gradient.ppo import PPO
from mdptk.algorithms.policy_gradient.spo import SPO
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps

METHODS = [PPO, SPO, DiscoveredPO]


@settings(max_examples=40)
@given(mdps(), st.sampled_from(METHODS), st.sampled_from([0.1, 1.0, 50.0]), st.sampled_from([1, 7]))
def test_theorems(mdp, method, step, m):
    for verdict in check(run(method(step_size=step, m=m), mdp, 6)):
        assert verdict.ok is not False or verdict.theorem.status == "refuted", str(verdict)


@pytest.mark.parametrize("method", METHODS)
def test_one_small_step_is_a_policy_gradient_step_without_the_visits(method):
    mdp = garnet(4, 3, 2, 0.8, seed=1)
    result = run(method(step_size=1e-3, m=1), mdp, 3)
    for k in range(3):
        pi = result["pi"][0, k]
        want = exact.log_softmax(np.log(pi) + 1e-3 * pi * exact.advantage(mdp, pi))
        np.testing.assert_allclose(result["log_pi"][0, k + 1], want, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_the_slope_is_the_derivative_of_the_drift(method):
    """By a central difference, away from the kinks; and at ratio one both are zero."""
    ratio, advantage = np.meshgrid([0.3, 0.75, 0.95, 1.05, 1.25, 3.0], [-2.0, -0.1, 0.4, 5.0])
    drift, h = method().surrogate, 1e-6
    want = (drift.drift(ratio + h, advantage) - drift.drift(ratio - h, advantage)) / (2 * h)
    np.testing.assert_allclose(drift.slope(ratio, advantage), want, atol=1e-7)
    assert (drift.drift(ratio, advantage) >= 0).all()
    one = np.ones_like(ratio)
    assert abs(drift.drift(one, advantage)).max() == abs(drift.slope(one, advantage)).max() == 0


@pytest.mark.parametrize("method", METHODS)
def test_statements_catch_a_step_downhill(method):
    class Downhill(method):
        def step(self, problem, state):
            return method.step(self, MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    result = run(Downhill(), garnet(), 2)
    for theorem in method.theorems:
        assert theorem.status == "refuted" or not theorem.check(result).ok, theorem.name
