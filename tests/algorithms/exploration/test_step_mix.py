"""StepMix against its pseudo-code in loops, from no data and from much; why one stage at a time."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.exploration.step_mix import StepMix
from mdptk.core import exact
from mdptk.core.constrained import ConservativeMDP
from mdptk.core.errors import InvalidModel
from mdptk.problems.learning_constrained import steady_income
from tests.algorithms.under_budget import action_values, count, episode, model, start


def optimistic(P, r, H):
    """The greedy policy of the values cut off at what is left, and its value in each state."""
    V, pi = np.zeros(len(P)), np.zeros(r.shape)
    for h in range(H - 1, -1, -1):
        Q = [[min(r[h, s, a] + P[s, a] @ V, H - h) for a in range(r.shape[2])] for s in range(len(P))]
        for s in range(len(P)):
            pi[h, s, int(np.argmax(Q[s]))] = 1.0
        V = np.array([max(q) for q in Q])
    return pi, V


def plan(alg, oracle, N):
    H = len(oracle.r)
    P, beta = model(N, H, alg.delta)
    new, V = optimistic(P, oracle.r + beta, H)

    def low(pi):
        return start(action_values(P, oracle.r - beta, pi), pi, oracle.rho)

    def neighbour(j):
        return np.array([oracle.baseline[h] if h < j else new[h] for h in range(H)])

    pi, mixed = neighbour(0), 0.0
    if low(pi) < oracle.floor:
        pi = neighbour(H)
        if low(pi) >= oracle.floor:
            j = next(j for j in range(1, H + 1) if low(neighbour(j)) >= oracle.floor)
            up, down = low(neighbour(j)), low(neighbour(j - 1))
            rho = (oracle.floor - down) / (up - down)
            pi, mixed = rho * neighbour(j) + (1 - rho) * neighbour(j - 1), 1.0
    return {"N": N, "pi": pi, "promise": oracle.rho @ V, "low": low(pi), "mixed": mixed}


def reference(alg, oracle, xis):
    """Plan, find the first neighbour that keeps the floor, mix, play, count."""
    _, S, A = oracle.r.shape
    states = [plan(alg, oracle, np.zeros((S, A, S)))]
    for u in xis:
        states.append(plan(alg, oracle, count(states[-1]["N"], episode(oracle.episodes, states[-1]["pi"], u))))
    return {name: [x[name] for x in states] for name in states[0]}


def loops_from(alg, problem, many):
    """The plans with many data, by the step and by the loops."""
    import jax
    import jax.numpy as jnp

    from mdptk.core import learn  # registers oracles as pytrees

    del learn
    with jax.enable_x64(True):
        host = type(alg).sees.of(problem)
        oracle, jitted = jax.tree.map(jnp.asarray, host), jax.jit(alg._plan)
        return [(jitted(oracle, jnp.asarray(N)), N, host) for N in many]


def counts(problem):
    """As many visits of each pair as on a grid, in the proportions of the model."""
    rng = np.random.default_rng(0)
    return [10 ** rng.uniform(1, 6, (*problem.mdp.P.shape[1:3], 1)) * problem.mdp.P[0] for _ in range(40)]


def test_plans_with_much_data():
    """All three cases occur, and each is as in the loops."""
    alg, problem = StepMix(), steady_income(0.5)
    kinds = set()
    for state, N, host in loops_from(alg, problem, counts(problem)):
        want = plan(alg, host, N)
        for name, x in want.items():
            np.testing.assert_allclose(getattr(state, name), x, rtol=1e-9, atol=1e-9, err_msg=name)
        base = np.allclose(state.pi, problem.baseline)
        kinds.add("mixed" if state.mixed else "baseline" if base else "optimistic")
    assert kinds == {"mixed", "baseline", "optimistic"}


def test_it_explores_and_keeps_the_floor():
    result = run(StepMix(), steady_income(), 4096, repeats=16)
    assert result["shortfall"].max() <= 1e-12
    assert (result["mixed"].sum(1) > 10).all()  # then the optimistic policy keeps the floor by itself
    late = result["regret"][:, -1] - result["regret"][:, 2048]
    assert (late < 0.75 * result["regret"][:, 2048]).all()
    assert all(v.ok for v in check(result) if v.ok is not None)


def test_value_is_linear_in_one_stage_and_in_no_more():
    """Two stages mixed at once are worth less than either policy: the counterexample that the algorithm avoids."""
    mdp = steady_income().mdp
    one, two = (
        exact.one_hot(np.array([[0, 0], [1, 0], [0, 0]]), 2),
        exact.one_hot(np.array([[0, 0], [0, 1], [0, 0]]), 2),
    )
    half = exact.expected_return(mdp, (one + two) / 2)
    assert half == pytest.approx((exact.expected_return(mdp, one) + exact.expected_return(mdp, two)) / 2)
    P = np.zeros((2, 2, 2, 2))  # the second stage must repeat the first: matching pennies with oneself
    P[0, :, :, :] = np.eye(2)
    P[1] = 0.5
    r = np.zeros((2, 2, 2))
    r[1] = np.eye(2)
    pennies = type(mdp)(P, r, [1.0, 0.0])
    a, b = (exact.one_hot(np.full((2, 2), k), 2) for k in (0, 1))
    worth = [exact.expected_return(pennies, pi) for pi in (a, b, (a + b) / 2)]
    assert worth == [1.0, 1.0, 0.5]


def test_what_is_refused():
    problem = steady_income()
    with pytest.raises(InvalidModel, match=r"the baseline earns 1.5, less than the floor 2"):
        ConservativeMDP(problem.mdp, problem.baseline, 2.0)
    with pytest.raises(InvalidModel, match="baseline has shape"):
        ConservativeMDP(problem.mdp, [[1.0]], 0.0)
