"""Feasible iteration against its definition in loops; where the sign of its fixed point is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.feasible_iteration import OUTSIDE, FeasibleIteration
from mdptk.core.models import CMDP, MDP
from mdptk.core.safety import largest_safe_set
from mdptk.testing import cmdps


def reference(alg, cmdp, steps):
    """The worse of now and later, and a little of now."""
    S, A, g, P = cmdp.S, cmdp.A, cmdp.gamma, cmdp.mdp.P
    h = np.array([[max(c[s, a] for c in cmdp.c) - alg.level for a in range(A)] for s in range(S)])
    out = [h]
    for _ in range(steps):
        v, q = [min(row) for row in out[-1]], np.zeros((S, A))
        for s in range(S):
            for a in range(A):
                later = max(v[t] for t in range(S) if P[s, a, t] > 0)
                q[s, a] = (1 - g) * h[s, a] + g * max(h[s, a], later)
        out.append(q)
    return {"q": np.array(out)}


@given(cmdps(), st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=25)
def test_theorems(cmdp, level):
    for verdict in check(run(FeasibleIteration(level), cmdp, 8), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@pytest.mark.parametrize(("gamma", "overlooked"), [(0.5, True), (0.9, True), (0.95, False)])
def test_with_a_discount_safe_moments_outweigh_a_violation_to_come(gamma, overlooked):
    """From state 0, ten below the limit, one cannot but go to state 1, one above it: v* = -10 (1 - gamma) + gamma."""
    mdp = MDP([[[0, 1]], [[0, 1]]], [[0], [0]], gamma, [1, 0])
    cmdp = CMDP(mdp, [[[-10], [1]]], [0])
    assert not largest_safe_set(mdp, cmdp.c[0])[0].any()
    result = run(FeasibleIteration(), cmdp, 200)
    assert result["q"][0, -1, 0, 0] == pytest.approx(gamma - 10 * (1 - gamma), abs=1e-9)
    assert (result["q"][0, -1, 0, 0] <= 0) == overlooked == bool(OUTSIDE.unmet(result.alg, cmdp))
    cut = CMDP(mdp, np.maximum(cmdp.c, 0), [0])
    assert OUTSIDE.check(run(FeasibleIteration(), cut, 3)).ok


def test_a_river_that_cannot_be_left_is_found_one_state_in_a_step():
    """The bound is attained: from state 0 it takes S - 1 steps to the fall."""
    S = 6
    P = np.eye(S, k=1)[:, None] + 0.0
    P[-1, 0, -1] = 1.0
    cmdp = CMDP(MDP(P, np.zeros((S, 1)), 0.5), np.eye(S)[None, -1:].reshape(1, S, 1), 1.0)
    verdict = OUTSIDE.check(run(FeasibleIteration(), cmdp, 8))
    assert verdict.ok
    assert verdict.ratio == 1
    assert verdict.informative
