"""Inverse constraint learning against loops, and what more tasks are good for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from mdptk import MDP, run
from mdptk.algorithms.inverse.shared_constraint import SharedConstraintLearning, _response
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


def test_what_was_not_seen_is_not_learnt():
    """Under the learnt cost a task that was seen is safe, another is not; and the cost itself is not the hidden one."""
    problem, learnt = hidden_hazards(2), {}
    for tasks in ([0], [0, 1]):
        some = SharedConstraint(problem.mdp, problem.rewards[tasks], problem.experts[tasks], problem.c)
        learnt[len(tasks)] = run(SharedConstraintLearning(), some, 60)["c"][0].mean(0)

    def overspends(c, k):
        d = _response(problem.mdp, problem.rewards[k], c, problem.occupancies[k])
        return (problem.c * (d - problem.occupancies[k])).sum()

    assert overspends(0 * problem.c, 0) > 0.2
    assert overspends(0 * problem.c, 1) > 0.05
    assert overspends(learnt[1], 0) < 0.01
    assert overspends(learnt[1], 1) > 0.02
    assert max(overspends(learnt[2], k) for k in (0, 1)) < 0.01
    assert np.corrcoef(learnt[2].ravel(), problem.c.ravel())[0, 1] < 0.5


def test_what_is_refused():
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    with pytest.raises(InvalidModel, match="not in"):
        SharedConstraint(mdp, [[[0.0, 1.0]]], [[[1.0, 0.0]]], [[0.0, 2.0]])
    with pytest.raises(InvalidModel, match="1 rewards and 2 experts"):
        SharedConstraint(mdp, [[[0.0, 1.0]]], [[[1.0, 0.0]], [[1.0, 0.0]]], [[0.0, 1.0]])
