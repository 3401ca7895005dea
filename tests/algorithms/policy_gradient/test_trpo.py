"""Tabular TRPO against its definition in loops and against a convex solver; its bound for any two policies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, Run, check, run
from mdptk.algorithms.policy_gradient.trpo import BOUND, SURROGATE, TIGHTER, TRPO, TRUST, State, largest_kl
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps, policies


def reference(alg, mdp, steps):
    """Stationarity of the Lagrangian state by state, p(a) = nu pi(a) / (lambda - A(a)), lambda by bisection."""
    S, A, gamma = mdp.S, mdp.A, mdp.gamma
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.linalg.solve(
            np.eye(S) - gamma * np.array([pi[s] @ mdp.P[s] for s in range(S)]), [pi[s] @ mdp.r[s] for s in range(S)]
        )
        for s in range(S):
            q = np.array([mdp.r[s, a] + gamma * mdp.P[s, a] @ v for a in range(A)])
            if max(q) - min(q) < 1e-12:
                continue
            low, high = -60.0, 60.0  # of log(lambda - max q)
            for _ in range(64):
                middle = (low + high) / 2
                weights = max(q) - q + np.exp(middle)
                kl = pi[s] @ np.log(weights) + np.log((pi[s] / weights).sum())
                low, high = (low, middle) if kl <= alg.radius else (middle, high)
            p = pi[s] / (max(q) - q + np.exp(high))
            pi[s] = p / sum(p)
    return {"pi": np.array(out)}


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([1e-3, 0.1, 1.0]))
@settings(max_examples=20)
def test_pseudo_code(seed, gamma, radius):
    mdp = garnet(3, 3, 2, gamma, seed=seed)
    got = run(TRPO(radius), mdp, 4)["pi"][0]
    np.testing.assert_allclose(got, reference(TRPO(radius), mdp, 4)["pi"], rtol=1e-6, atol=1e-9)


@given(mdps(), st.sampled_from([1e-4, 0.01, 1.0]))
@settings(max_examples=40)
def test_theorems(mdp, radius):
    for verdict in check(run(TRPO(radius), mdp, 15)):
        assert verdict.ok is not False, str(verdict)


@given(mdps(gammas=(0.3, 0.9)), st.data())
@settings(max_examples=60)
def test_bounds_for_any_two_policies(mdp, data):
    pi = np.stack([data.draw(policies(mdp)), data.draw(policies(mdp))]) + 1e-6
    pi = (pi / pi.sum(-1, keepdims=True))[None]
    made_up = Run(TRPO(), mdp, np.arange(2.0), {"log_pi": np.log(pi), "pi": pi}, {})
    assert BOUND.check(made_up).ok
    assert TIGHTER.check(made_up).ok


def test_the_step_is_that_of_a_convex_solver():
    import cvxpy as cp

    mdp, radius = garnet(3, 4, 2, gamma=0.8), 0.05
    result = run(TRPO(radius), mdp, 2)
    pi, new = result["pi"][0, 1:]
    advantage = exact.advantage(mdp, pi)
    for s in range(mdp.S):
        p = cp.Variable(4, nonneg=True)
        constraints = [cp.sum(p) == 1, cp.sum(cp.kl_div(pi[s], p)) <= radius]
        best = cp.Problem(cp.Maximize(advantage[s] @ p), constraints).solve(solver=cp.CLARABEL)
        assert advantage[s] @ new[s] == pytest.approx(best, abs=1e-6)


@given(mdps(gammas=(0.0, 0.9)), st.sampled_from([1e-4, 0.01, 3.0, 1e3]), st.integers(0, 1000))
@settings(max_examples=60)
def test_from_policies_that_are_nearly_deterministic(mdp, radius, seed):
    """Where a divergence is a difference of large numbers, and its root is hundreds of powers of e away."""
    x = np.random.default_rng(seed).choice([0.0, -1.0, -30.0, -500.0], mdp.r.shape)
    log_pi = exact.log_softmax(x)
    result = run(TRPO(radius), mdp, 3, start=State(log_pi, np.exp(log_pi)))
    assert TRUST.check(result).ok
    assert SURROGATE.check(result).ok


@pytest.mark.parametrize("radius", [0.01, 1e3])
def test_the_unit_of_rewards_does_not_matter(radius):
    """Not even where the region is larger than numbers are: then a step ends at odds of e^-700, of advantages."""
    mdp = garnet()
    one, small, large = (run(TRPO(radius), MDP(mdp.P, x * mdp.r, mdp.gamma), 3)["log_pi"] for x in (1, 2**-10, 2**10))
    np.testing.assert_allclose(small, one, rtol=1e-9)
    np.testing.assert_allclose(large, one, rtol=1e-9)
    if radius == 1e3:
        np.testing.assert_allclose(one[0, 1].min(-1), -700, rtol=1e-9)


def test_the_constraint_is_met_with_equality():
    """Until a state has nothing more to gain."""
    kl = largest_kl.values(run(TRPO(0.02), garnet(), 10))[0, 1:]
    np.testing.assert_allclose(kl, 0.02, rtol=1e-6)


def test_the_bound_is_tight_for_small_steps_and_promises_nothing_for_large_ones():
    small, large = run(TRPO(1e-10), garnet(), 3), run(TRPO(0.1), garnet(), 3)
    assert BOUND.check(small).ratio > 0.5
    assert (BOUND.sides(large)[1][0, 1:] < 0).all()
    assert SURROGATE.check(large).ok


def test_statements_catch_a_step_that_is_too_long_or_downhill():
    class Long(TRPO):
        def step(self, problem, state):
            return TRPO(radius=2 * self.radius).step(problem, state)

    class Downhill(TRPO):
        def step(self, problem, state):
            return super().step(MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    assert not TRUST.check(run(Long(), garnet(), 2)).ok
    assert not SURROGATE.check(run(Downhill(), garnet(), 2)).ok
