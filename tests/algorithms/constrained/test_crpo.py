"""CRPO against its definition in loops; what it does where nothing is feasible."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.crpo import CRPO, REGRET, SHARE
from mdptk.problems.constrained import constrained_garnet
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, spent, value


def reference(alg, cmdp, steps):
    """NPG on the reward, or on minus the first cost that exceeds its budget by more than kappa."""
    mdp, pi, out = cmdp.mdp, np.full((cmdp.S, cmdp.A), 1 / cmdp.A), []
    for _ in range(steps + 1):
        over = spent(cmdp, pi) - cmdp.b
        chosen = 0
        for i in range(cmdp.m):
            if over[i] > alg.kappa:
                chosen = i + 1
                break
        out.append((pi.copy(), chosen))
        f = mdp.r if chosen == 0 else -cmdp.c[chosen - 1]
        v = value(mdp, f, pi)
        q = action_value(mdp, f, v)
        for s in range(mdp.S):
            pi[s] = [pi[s, a] * np.exp(alg.eta / (1 - mdp.gamma) * (q[s, a] - v[s])) for a in range(mdp.A)]
            pi[s] /= pi[s].sum()
    return {"pi": np.array([x[0] for x in out]), "chosen": np.array([x[1] for x in out])}


@given(cmdps(), st.sampled_from([(0.05, 0.05), (1e-3, 0.5), (1.0, 1e-3)]))
@settings(max_examples=15)
def test_theorems(cmdp, numbers):
    for verdict in check(run(CRPO(*numbers), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_average_over_reward_steps_is_good():
    """And there are as many of them as the theorem says, at least."""
    result = run(CRPO(eta=0.05, kappa=0.3), constrained_garnet(), 1000, every=50)
    verdict = SHARE.check(result)
    assert verdict.ok
    assert SHARE.sides(result)[1][0, -1] > 0.05
    assert REGRET.check(result).informative


def test_where_nothing_is_feasible_the_costs_are_lowered_for_ever():
    result = run(CRPO(kappa=0.01), constrained_garnet(xi=-0.05), 300)
    assert (result["chosen"][0] > 0).all()
    assert "no policy meets the budgets" in REGRET.unmet(result.alg, result.problem)
