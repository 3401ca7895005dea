"""The Pareto front against the linear program at every budget, and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core import exact
from mdptk.core.errors import Infeasible, InvalidHyperparameter
from mdptk.core.models import CMDP
from mdptk.problems.constrained import constrained_garnet, constrained_two_state, hazard_gridworld
from mdptk.solve import front, solve
from mdptk.testing import mdps


@given(mdps(max_S=4, gammas=(0.0, 0.5, 0.9)), st.integers(0, 1000), st.lists(st.floats(0.01, 0.99), max_size=3))
@settings(max_examples=25)
def test_against_the_linear_program(mdp, seed, shares):
    """Convex, made of deterministic policies, and at every budget what the solver certifies."""
    c = np.random.default_rng(seed).integers(0, 3, mdp.r.shape) / 2  # with ties
    cmdp = CMDP(mdp, c, 1.0)
    f = front(cmdp)
    np.testing.assert_allclose(exact.returns(cmdp, f.policies), np.stack([f.earned, f.spent], -1), atol=1e-12)
    assert (np.diff(f.spent) > 0).all()
    assert (np.diff(f.earned) > 0).all()
    assert (np.diff(f.prices) < 1e-6).all()
    cheapest, dearest = f.spent[0], f.spent[-1] + 0.1
    with pytest.raises(Infeasible):
        solve(CMDP(mdp, c, cheapest - 1e-4))
    for share in shares:
        b = cheapest + share * (dearest - cheapest)
        assert np.interp(b, f.spent, f.earned) == pytest.approx(float(solve(CMDP(mdp, c, b)).value), abs=1e-7)


def test_prices_are_multipliers():
    cmdp = hazard_gridworld()
    f = front(cmdp)
    k = np.searchsorted(f.spent, cmdp.b[0])
    assert f.prices[k - 1] == pytest.approx(solve(cmdp).multipliers[0])
    assert len(f.spent) > 3


def test_two_states_in_closed_form():
    """Reward and cost agree, up to working whenever rested: (0, 0) to 1 / (1 - gamma^2)."""
    f = front(constrained_two_state())
    np.testing.assert_allclose([f.spent, f.earned], [[0, 1 / 0.19]] * 2, atol=1e-12)


def test_which_cost():
    cmdp = constrained_garnet()
    one, two = front(cmdp, 0), front(cmdp, 1)
    assert one.earned[-1] == pytest.approx(two.earned[-1])
    assert one.spent[0] != pytest.approx(two.spent[0])
    with pytest.raises(InvalidHyperparameter, match="cost = 2"):
        front(cmdp, 2)
