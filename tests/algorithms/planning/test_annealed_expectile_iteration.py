"""Annealed expectile iteration against loops and bisection; its two ends are value iteration and policy evaluation."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.planning.annealed_expectile_iteration import TRACKING, AnnealedExpectileIteration, error
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The expectile by bisection of its equation, the schedule by counting."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    q, out = np.zeros((S, A)), []
    for t in range(steps + 1):
        out.append(q)
        tau = max(0.5, alg.tau - (t + 1) / alg.m * (alg.tau - 0.5))
        v = np.zeros(S)
        for s in range(S):
            low, high = min(q[s]), max(q[s])
            for _ in range(100):
                e = (low + high) / 2
                up = sum(tau * max(q[s, a] - e, 0) - (1 - tau) * max(e - q[s, a], 0) for a in range(A))
                low, high = (e, high) if up > 0 else (low, e)
            v[s] = low
        q = np.array([[mdp.r[s, a] + mdp.gamma * P[s, a] @ v for a in range(A)] for s in range(S)])
    return {"q": np.array(out)}


@settings(max_examples=25)
@given(mdps(gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.5, 0.7, 0.99]), st.sampled_from([1, 5]))
def test_theorems(mdp, tau, m):
    for verdict in check(run(AnnealedExpectileIteration(tau, m), mdp, 8)):
        assert verdict.ok is not False, str(verdict)


def test_in_the_end_it_is_the_value_of_the_policy():
    mdp = garnet(5, 3, 2, 0.8, seed=1)
    result = run(AnnealedExpectileIteration(tau=0.99, m=30), mdp, 200)
    np.testing.assert_allclose(result["q"][0, -1], exact.action_values(mdp, exact.uniform(mdp)), atol=1e-12)
    over = result["q"][0, 25] - exact.action_values(mdp, exact.uniform(mdp))
    assert over.min() > 0  # optimism on the way


def test_slow_schedules_track():
    mdp = garnet(5, 3, 2, 0.8, seed=1)
    off = [error.values(run(AnnealedExpectileIteration(m=m), mdp, m))[0, m // 2 :].max() for m in (20, 200)]
    assert off[1] < off[0] / 3


def test_the_statement_catches_another_operator():
    class Maximum(AnnealedExpectileIteration):
        def step(self, problem, state):
            new = super().step(problem, state)
            return new._replace(q=problem.q(state.q.max(-1)))

    assert not TRACKING.check(run(Maximum(), garnet(), 40)).ok
