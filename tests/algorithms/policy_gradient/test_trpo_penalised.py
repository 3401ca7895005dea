"""The penalised step of TRPO against nested root finding and a convex solver."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.trpo_penalised import MINORISATION, MONOTONE, PenalisedTRPO
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def _answer(pi, a, ln):
    """In one state: the policy with divergence exp(ln), and what one more unit of divergence gains."""
    top, span = max(a), max(a) - min(a)

    def policy(x):
        w = pi / (top - a + span * np.exp(x))
        return w / sum(w), 1 / sum(w)

    def excess(x):
        change = np.log(policy(x)[0] / pi)
        return np.log(max(pi @ (np.expm1(change) - change), 1e-300)) - ln

    if excess(-690) < 0:  # as good as deterministic
        return policy(-690)
    return policy(brentq(excess, -690, 60, xtol=1e-13))


def reference(alg, mdp, steps):
    """The divergence by root finding, and inside of it the multiplier of each state by root finding."""
    S, A, gamma, P = mdp.S, mdp.A, mdp.gamma, mdp.dense().P
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        M = np.eye(S) - gamma * np.array([pi[s] @ P[s] for s in range(S)])
        v, d = np.linalg.solve(M, (pi * mdp.r).sum(-1)), (1 - gamma) * np.linalg.solve(M.T, mdp.rho)
        adv = np.array([[mdp.r[s, a] + gamma * P[s, a] @ v - v[s] for a in range(A)] for s in range(S)])
        active = [s for s in range(S) if np.ptp(adv[s]) > 1e-11 and pi[s] @ adv[s] ** 2 > 1e-13 * abs(adv).max() ** 2]
        if not active:
            continue
        C = abs(adv).max() * max(4 * gamma / (1 - gamma) ** 2, 1.0)
        worth = lambda ln: sum(d[s] / (1 - gamma) * _answer(pi[s], adv[s], ln)[1] for s in active)  # noqa: B023, E731
        low, high = -60.0, np.log(20.0)
        ln = high if worth(high) >= C else brentq(lambda x: np.log(worth(x) / C), low, high, xtol=1e-12)  # noqa: B023
        for s in active:
            pi[s] = _answer(pi[s], adv[s], ln)[0]
    return {"pi": np.array(out)}


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([0.3, 0.9]))
def test_pseudo_code(seed, gamma):
    mdp = garnet(3, 3, 2, gamma, seed=seed)
    got = run(PenalisedTRPO(), mdp, 4)["pi"][0]
    np.testing.assert_allclose(got, reference(PenalisedTRPO(), mdp, 4)["pi"], rtol=1e-8, atol=1e-10)


@settings(max_examples=30)
@given(mdps())
def test_theorems(mdp):
    for verdict in check(run(PenalisedTRPO(), mdp, 10)):
        assert verdict.ok is not False, str(verdict)


def test_the_step_is_that_of_a_convex_solver():
    import cvxpy as cp

    mdp = garnet(3, 3, 2, gamma=0.5, seed=1)
    result = run(PenalisedTRPO(), mdp, 1)
    pi, new = result["pi"][0]
    advantage, d = exact.advantage(mdp, pi), exact.occupancy(mdp, pi)
    C = 4 * abs(advantage).max() * 0.5 / 0.25
    p, far = cp.Variable((3, 3), nonneg=True), cp.Variable()
    met = [cp.sum(p, axis=1) == 1] + [cp.sum(cp.kl_div(pi[s], p[s])) <= far for s in range(3)]
    objective = cp.sum(cp.multiply(d[:, None] * advantage, p)) / 0.5 - C * far
    best = cp.Problem(cp.Maximize(objective), met).solve(solver=cp.CLARABEL)
    ours = (d[:, None] * advantage * new).sum() / 0.5 - C * (pi * np.log(pi / new)).sum(-1).max()
    assert ours == pytest.approx(best, abs=1e-7)
    np.testing.assert_allclose(new, p.value, atol=1e-4)


def test_all_states_move_equally_far():
    result = run(PenalisedTRPO(), garnet(seed=2), 3)
    kl = (result["pi"][0, :-1] * (result["log_pi"][0, :-1] - result["log_pi"][0, 1:])).sum(-1)
    np.testing.assert_allclose(kl, kl[:, :1] * np.ones(kl.shape), rtol=1e-5)


def test_statements_catch_a_step_that_is_too_long_or_downhill():
    class Long(PenalisedTRPO):
        def step(self, problem, state):
            x = exact.log_softmax(state.log_pi + 3 * (super().step(problem, state).log_pi - state.log_pi))
            return state._replace(log_pi=x, pi=np.exp(x))

    class Downhill(PenalisedTRPO):
        def step(self, problem, state):
            return super().step(MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    assert not MINORISATION.check(run(Long(), garnet(), 2)).ok
    assert not MONOTONE.check(run(Downhill(), garnet(), 2)).ok


def test_nobody_moves_where_no_state_that_is_visited_gains():
    """An instance that a search found: the divergence of a state that is never visited is paid for, and for nothing."""
    problem = MDP([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]], [[0.0, 0.0], [1.0, 1.0]], 0.9, [1.0, 0.0])
    result = run(PenalisedTRPO(), problem, 2)
    assert all(v.ok for v in check(result))
    np.testing.assert_array_equal(result["pi"][0], 0.5)
