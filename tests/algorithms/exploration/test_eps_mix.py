"""EpsMix against its pseudo-code in loops, from no data and from much."""

from __future__ import annotations

import numpy as np

from mdptk import check, run
from mdptk.algorithms.exploration.eps_mix import EpsMix
from mdptk.problems.learning_constrained import steady_income
from tests.algorithms.exploration.test_step_mix import counts, loops_from, optimistic
from tests.algorithms.under_budget import action_values, count, episode, model, start


def plan(alg, oracle, N):
    H = len(oracle.r)
    P, beta = model(N, H, alg.delta)
    new, V = optimistic(P, oracle.r + beta, H)
    up, down = (start(action_values(P, oracle.r - beta, pi), pi, oracle.rho) for pi in (oracle.baseline, new))
    eps, mixed = 0.0, 0.0
    if down >= oracle.floor:
        eps = 1.0
    elif up >= oracle.floor:
        eps, mixed = (up - oracle.floor) / (up - down), 1.0
    return {
        "N": N,
        "pi": new,
        "eps": eps,
        "promise": oracle.rho @ V,
        "low": eps * down + (1 - eps) * up,
        "mixed": mixed,
    }


def reference(alg, oracle, xis):
    """Plan, toss the coin, play, count."""
    _, S, A = oracle.r.shape
    states = [plan(alg, oracle, np.zeros((S, A, S)))]
    for u in xis:
        pi = states[-1]["pi"] if u[-1, 0] < states[-1]["eps"] else oracle.baseline
        states.append(plan(alg, oracle, count(states[-1]["N"], episode(oracle.episodes, pi, u[:-1]))))
    return {name: [x[name] for x in states] for name in states[0]}


def test_plans_with_much_data():
    alg, problem = EpsMix(), steady_income(0.5)
    found = []
    for state, N, host in loops_from(alg, problem, counts(problem)):
        for name, x in plan(alg, host, N).items():
            np.testing.assert_allclose(getattr(state, name), x, rtol=1e-9, atol=1e-9, err_msg=name)
        found.append(float(state.eps))
    assert {0.0, 1.0} < set(found)


def test_it_explores_and_keeps_the_floor():
    result = run(EpsMix(), steady_income(), 4096, repeats=16)
    assert result["shortfall"].max() <= 1e-12
    assert (result["eps"][:, -1] > 0.1).all()
    assert all(v.ok for v in check(result) if v.ok is not None)
