"""Inverse constraint learning against loops, and what more tasks are good for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from mdptk import MDP, run
from mdptk.algorithms.inverse.shared_constraint import SharedConstraintLearning
from mdptk.core.errors import InvalidModel
from mdptk.core.inverse import SharedConstraint
from mdptk.problems.demonstrations import hidden_hazards


def reference(alg, problem, steps):
    """Linear programs over occupancies, written out, and a clipped step; the best responses may be one of several."""
    mdp, S, A = problem.mdp, problem.S, problem.A
    flow = np.array([[(s == t) - mdp.gamma * mdp.P[s, a, t] for s in range(S) for a in range(A)] for t in range(S)])
    got = run(alg, problem, steps)
    c, total, out = np.zeros((S, A)), np.zeros((problem.tasks, S, A)), {"c": [], "total": [], "d": []}
    for i in range(steps + 1):
        d = got["d"][0, i]  # where several are best, that of the solver, if it is
        for k, r in enumerate(problem.rewards):
            spent = sum(c[s, a] * problem.occupancies[k, s, a] for s in range(S) for a in range(A))
            best = linprog(-r.ravel(), A_ub=[c.ravel()], b_ub=[spent], A_eq=flow, b_eq=(1 - mdp.gamma) * mdp.rho)
            assert (r * d[k]).sum() == pytest.approx(-best.fun, abs=1e-8)
            assert (c * d[k]).sum() <= spent + 1e-8
            np.testing.assert_allclose(flow @ d[k].ravel(), (1 - mdp.gamma) * mdp.rho, atol=1e-9)
        for name, x in zip(out, (c, total, d), strict=True):
            out[name].append(x)
        total = total + d
        c = c.copy()
        for s, a in np.ndindex(S, A):
            more = sum(d[k, s, a] - problem.occupancies[k, s, a] for k in range(len(d)))
            c[s, a] = min(max(c[s, a] + alg.eta * more, 0), 1)
    return out


def test_more_tasks_tell_more():
    """The learnt cost points to the hidden cells, more clearly with three tasks than with one."""
    gaps = {}
    for K in (1, 3):
        problem = hidden_hazards(K)
        c = run(SharedConstraintLearning(), problem, 150, every=150)["c"][0, -1]
        visited = np.maximum(problem.occupancies.sum(0), 1e-3)
        dear = problem.c > 0
        gaps[K] = (c * visited)[dear].sum() / (c * visited).sum()
    assert gaps[3] > gaps[1]


def test_what_is_refused():
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    with pytest.raises(InvalidModel, match="not in"):
        SharedConstraint(mdp, [[[0.0, 1.0]]], [[[1.0, 0.0]]], [[0.0, 2.0]])
    with pytest.raises(InvalidModel, match="1 rewards and 2 experts"):
        SharedConstraint(mdp, [[[0.0, 1.0]]], [[[1.0, 0.0]], [[1.0, 0.0]]], [[0.0, 1.0]])
