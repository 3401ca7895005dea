"""The largest safe set against all deterministic policies, one by one; what the shield costs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core import exact
from mdptk.core.errors import Infeasible, InvalidModel
from mdptk.core.models import MDP
from mdptk.core.safety import largest_safe_set, shielded
from mdptk.problems.constrained import hazard_gridworld
from mdptk.testing import mdps


def safe_under(mdp, h, actions):
    """From where this policy never comes to a violation, whatever happens."""
    found = []
    for start in range(mdp.S):
        seen, todo = {start}, [start]
        while todo:
            s = todo.pop()
            new = {t for t in range(mdp.S) if mdp.P[s, actions[s], t] > 0} - seen
            seen |= new
            todo += new
        found.append(all(h[s, actions[s]] <= 0 for s in seen))
    return np.array(found)


@given(mdps(max_S=4, max_A=2), st.integers(0, 1000))
@settings(max_examples=25)
def test_against_all_policies(mdp, seed):
    h = np.random.default_rng(seed).integers(-1, 2, mdp.r.shape).astype(float)
    policies = list(product(range(mdp.A), repeat=mdp.S))
    safe = np.array([safe_under(mdp, h, a) for a in policies])
    found, allowed = largest_safe_set(mdp, h)
    np.testing.assert_array_equal(found, safe.any(0))
    np.testing.assert_array_equal(found, allowed.any(1))
    if not found.all():
        mdp = MDP(mdp.P, mdp.r, mdp.gamma, found / found.sum()) if found.any() else mdp
    if not found.any():
        with pytest.raises(Infeasible, match=r"where no policy is safe"):
            shielded(mdp, h)
        return
    values = [
        exact.evaluate(mdp, np.eye(mdp.A)[list(a)]) for a, s in zip(policies, safe, strict=True) if s[found].all()
    ]
    best = exact.optimal(shielded(mdp, h)).v
    np.testing.assert_allclose(best[found], np.max(values, axis=0)[found], atol=1e-9)


def test_in_the_wind_fewer_steps_are_safe_beside_the_hazard():
    """All but the hazard is safe, with or without: one can push against a wall. Some ways along it are lost."""
    calm, windy = (largest_safe_set(p.mdp, p.c[0]) for p in (hazard_gridworld(slip=0.0), hazard_gridworld()))
    for safe, _ in (calm, windy):
        assert np.flatnonzero(~safe).tolist() == [9, 10]
    assert (windy[1] <= calm[1]).all()
    assert windy[1].sum() < calm[1].sum()


def test_errors():
    with pytest.raises(InvalidModel, match=r"h has shape \(1,\)"):
        largest_safe_set(hazard_gridworld().mdp, np.zeros(1))
