"""Constrained models: bounds against Clarabel and against exact arithmetic, vertices, Farkas rays, degenerate cases."""

from __future__ import annotations

import sys
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import mdptk.solve
from mdptk.core.errors import Infeasible, InvalidHyperparameter, InvalidModel, NotConverged
from mdptk.core.exact import expected_return, occupancy, optimal, rounding
from mdptk.core.models import CMDP, MDP
from mdptk.problems.constrained import constrained_two_state
from mdptk.problems.garnet import garnet
from mdptk.solve import ConstrainedSolution, FarkasRay, solve
from mdptk.solve._exact_rational import returns

pytest.importorskip("flint")


def costly(mdp, c):
    """The discounted model that pays the cost `c`."""
    return MDP(mdp.P, c, mdp.gamma, mdp.rho)


def clarabel(mdp, c, b, slack=False):
    """The best return, or the largest smallest slack, of the occupancy LP; and whether Clarabel is sure of it."""
    S, A, gamma = mdp.S, mdp.A, mdp.gamma
    x, t = cp.Variable(S * A, nonneg=True), cp.Variable() if slack else 0
    E = np.repeat(np.eye(S), A, axis=0) - gamma * mdp.P.reshape(-1, S)
    constraints = [E.T @ x == (1 - gamma) * mdp.rho, c.reshape(len(c), -1) @ x / (1 - gamma) + t <= b]
    problem = cp.Problem(cp.Maximize(t if slack else mdp.r.ravel() @ x / (1 - gamma)), constraints)
    problem.solve(solver="CLARABEL")
    return problem.value, problem.status == "optimal"


def random_model(rng, gammas=(0.0, 0.5, 0.9, 0.99)):
    S, A, m, gamma = rng.integers(1, 9), rng.integers(1, 5), rng.integers(1, 4), float(rng.choice(gammas))
    P = rng.dirichlet(np.full(S, 0.3), size=(S, A))
    mdp = MDP(P, rng.uniform(size=(S, A)), gamma, rng.dirichlet(np.full(S, 0.5)))
    return mdp, rng.uniform(size=(m, S, A))


def with_slater(rng, mdp, c, slater):
    """Budgets with that Slater constant; negative: infeasible by that much."""
    b = rng.uniform(size=len(c)) / (1 - mdp.gamma)
    found, sure = clarabel(mdp, c, b, slack=True)
    assert sure
    return CMDP(mdp, c, b + (slater - found))


def judge(problem, solution, tol=1e-8):
    """All that a solution promises, in exact arithmetic where it says that rounding is included."""
    mdp = problem.mdp.dense()
    assert isinstance(solution, ConstrainedSolution)
    assert solution.lower <= solution.value <= solution.upper <= solution.lower + tol * (1 + 1e-9)
    for pi in (solution.policy, solution.feasible):
        assert np.allclose(pi.sum(1), 1)
        assert (pi >= 0).all()
    rewards = np.concatenate([mdp.r[None], problem.c])
    earned, *spent = returns(mdp, rewards, solution.feasible)
    assert all(x <= Fraction(b) for x, b in zip(spent, problem.b.tolist(), strict=True))
    assert Fraction(float(solution.lower)) <= earned <= Fraction(float(solution.upper))
    earned, *spent = returns(mdp, rewards, solution.policy)
    assert all(x <= Fraction(b) + Fraction(solution.violation) for x, b in zip(spent, problem.b.tolist(), strict=True))
    assert solution.violation <= 1e-9 / (1 - mdp.gamma) * max(1.0, abs(problem.c).max())
    assert (solution.policy > 0).sum() - mdp.S <= problem.m
    x = occupancy(mdp, solution.policy)[:, None] * solution.policy
    assert np.allclose(solution.occupancy, x, atol=1e-12)
    assert (solution.multipliers >= 0).all()
    relaxed = solve(costly(mdp, mdp.r - np.tensordot(solution.multipliers, problem.c, 1)), tol=tol)
    dual = mdp.rho @ relaxed.value + solution.multipliers @ problem.b
    assert abs(dual - solution.upper) <= 2 * tol + 1e-12 * abs(dual)


@pytest.mark.parametrize("seed", range(21))
def test_random_problems(seed):
    """Ten models each: feasible by 1e-1 to 1e-3, and infeasible by as much."""
    rng = np.random.default_rng(seed)
    for slater in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-3, -1e-1, -1e-2, -1e-3, -1e-4):
        mdp, c = random_model(rng)
        problem = with_slater(rng, mdp, c, slater)
        if slater < 0:
            with pytest.raises(Infeasible, match="no policy meets the budgets") as caught:
                solve(problem)
            refutes(problem, caught.value.certificate)
            continue
        solution = solve(problem)
        judge(problem, solution)
        assert abs(solution.slater - slater) <= 1e-6 / (1 - mdp.gamma)
        best, sure = clarabel(mdp, c, problem.b)
        if sure:
            assert solution.lower - 1e-5 * (1 + best) <= best <= solution.upper + 1e-5 * (1 + best)


def refutes(problem, ray):
    """Check a Farkas ray with nothing but a solver of discounted models."""
    mdp = problem.mdp
    assert isinstance(ray, FarkasRay)
    assert (ray.multipliers >= 0).all()
    assert ray.multipliers.sum() == pytest.approx(1)
    least = -mdp.rho @ solve(costly(mdp, -np.tensordot(ray.multipliers, problem.c, 1)), tol=1e-9).value
    assert ray.cost <= least + 1e-9
    assert least > ray.multipliers @ problem.b
    assert ray.cost > ray.budget >= ray.multipliers @ problem.b


@settings(max_examples=60, deadline=None)
@given(
    gamma=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    share=st.floats(0.01, 0.99),
)
def test_two_states_in_closed_form(gamma, share):
    b = share / (1 - gamma**2)
    problem = constrained_two_state(gamma, b)
    solution = solve(problem)
    judge(problem, solution)
    assert solution.lower <= b <= solution.upper
    p = b * (1 - gamma) / (1 - gamma * (1 - gamma) * b)
    assert solution.policy[0, 1] == pytest.approx(p, abs=1e-9)
    assert solution.multipliers == pytest.approx([1.0], abs=1e-7)
    assert solution.slater == pytest.approx(b, abs=1e-9)


def test_two_states_at_the_ends():
    free = solve(constrained_two_state(0.9, 6.0))
    assert free.multipliers.tolist() == [0.0]
    assert free.lower <= 1 / (1 - 0.9**2) <= free.upper
    nothing = solve(constrained_two_state(0.9, 0.0))  # no slack: the policy that never works is feasible exactly
    assert nothing.lower <= 0 <= nothing.upper
    assert nothing.slater == nothing.violation == 0
    assert nothing.policy[0].tolist() == [1, 0]
    with pytest.raises(Infeasible) as caught:
        solve(constrained_two_state(0.9, -1e-6))
    refutes(constrained_two_state(0.9, -1e-6), caught.value.certificate)


def fixed(seed=0, S=4, A=3, m=2):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(S), size=(S, A)), rng.uniform(size=(S, A)), rng.uniform(size=(m, S, A))


def degenerate():
    P, r, c = fixed()
    point = np.eye(4)[np.random.default_rng(1).integers(4, size=(4, 3))]
    yield "gamma = 0", CMDP(MDP(P, r, 0.0), c, [0.5, 0.5])
    yield "one action", CMDP(MDP(P[:, :1], r[:, :1], 0.9), c[:, :, :1], [10, 10])
    yield "one action, spent exactly", CMDP(MDP(P[:, :1], r[:, :1], 0.0, [1, 0, 0, 0]), c[:1, :, :1], [c[0, 0, 0]])
    yield "zero costs, zero budgets", CMDP(MDP(P, r, 0.9), 0 * c, [0, 0])
    yield "zero costs", CMDP(MDP(P, r, 0.9), 0 * c, [0, 1])
    yield "a zero cost beside another", CMDP(MDP(P, r, 0.9), c * [[[0]], [[1]]], [0, 5])
    yield "zero rewards", CMDP(MDP(P, 0 * r, 0.9), c, [5, 5])
    yield "redundant", CMDP(MDP(P, r, 0.9), np.stack([c[1], c[1], 2 * c[1]]), [5.5, 5.5, 11])
    yield "budgets out of reach", CMDP(MDP(P, r, 0.9), c, [1e12, 1e300])
    yield "equal transitions", CMDP(MDP(np.repeat(P[:, :1], 3, 1), r, 0.9), c, [5, 6])
    yield "equal actions", CMDP(MDP(P[:, [0, 0, 0]], r[:, [0, 0, 0]], 0.9), c[:, :, [0, 0, 0]], [9, 9])
    yield "ties", CMDP(MDP(P, np.round(r), 0.9), np.round(c), [5, 5])
    yield "deterministic, one start", CMDP(MDP(point, r, 0.9, [1, 0, 0, 0]), c, [5, 5])
    yield "absorbing", CMDP(MDP(np.repeat(np.eye(4)[:, None], 3, 1), r, 0.9), c, [5, 5])
    yield "thirds", CMDP(MDP(np.full((3, 2, 3), 0.333333333), r[:3, :2], 0.99), c[:, :3, :2], [70, 70])
    yield "costs of both signs", CMDP(MDP(P, r, 0.9), c - 0.5, [-0.2, 0.2])
    yield "costs of 1e12 and 1e-12", CMDP(MDP(P, r, 0.9), c * [[[1e12]], [[1e-12]]], [5e12, 6e-12])
    yield "gamma = 0.999", CMDP(MDP(P, r, 0.999), c, [500, 600])


@pytest.mark.parametrize("problem", [pytest.param(p, id=name) for name, p in degenerate()])
def test_degenerate(problem):
    judge(problem, solve(problem))
    mdp = problem.mdp
    sparse = CMDP(MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma, mdp.rho), problem.c, problem.b)
    judge(problem, solve(sparse))


@pytest.mark.parametrize("scale", [1e12, 1e-12])
def test_rewards_of_any_size(scale):
    P, r, c = fixed()
    one = solve(CMDP(MDP(P, r, 0.9), c, [5, 6]))
    problem = CMDP(MDP(P, r * scale, 0.9), c, [5, 6])
    solution = solve(problem, tol=1e-9 * scale)
    judge(problem, solution, tol=1e-9 * scale)
    assert solution.value / scale == pytest.approx(float(one.value), rel=1e-9)
    assert solution.multipliers / scale == pytest.approx(one.multipliers, rel=1e-6)


def test_no_constraint_binds():
    mdp = garnet(20, 3, 4)
    solution = solve(CMDP(mdp, np.ones((20, 3)), 11.0))
    assert solution.lower <= expected_return(mdp, optimal(mdp).pi) + rounding(mdp)
    assert expected_return(mdp, optimal(mdp).pi) - rounding(mdp) <= solution.upper
    assert np.array_equal(solution.policy, optimal(mdp).pi)
    assert solution.violation == 0
    assert solution.feasible is solution.policy


def test_a_budget_that_no_policy_touches():
    """Beside one that binds: its excess is the same for all policies, and nothing is divided by that."""
    r, c = [[0.63, 0.27, 0.04]], [[[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]]]
    solution = solve(CMDP(MDP([[[1.0]] * 3], r, 0.0), c, [0.1, 0.4 + 1 / 30]), tol=1e-11)
    assert solution.lower == pytest.approx(0.27 + 0.36 * (0.4 + 1 / 30), abs=1e-11)
    assert (solution.safest @ np.diag(c[1][0])).sum() == 0


def test_infeasible_without_cost():
    P, r, c = fixed()
    problem = CMDP(MDP(P, r, 0.9), c * [[[1]], [[0]]], [20, -1e-9])
    with pytest.raises(Infeasible, match=r"b = \[ 2.e\+01 -1.e-09\]") as caught:
        solve(problem)
    assert caught.value.certificate.multipliers.tolist() == [0, 1]
    refutes(problem, caught.value.certificate)


def test_infeasible_together():
    """Each budget can be met, but not both."""
    P, r, c = fixed()
    problem = CMDP(MDP(P, r, 0.9), np.stack([c[0], 1 - c[0]]), [4.9, 4.9])
    with pytest.raises(Infeasible) as caught:
        solve(problem)
    refutes(problem, caught.value.certificate)
    assert (caught.value.certificate.multipliers > 0.1).all()


def test_no_slack_cannot_be_proved():
    """An equation between costs: floats hold no policy that meets it exactly, and it says so."""
    P, r, c = fixed()
    with pytest.raises(NotConverged, match="best slack found") as caught:
        solve(CMDP(MDP(P, r, 0.9), np.stack([c[0], -c[0]]), [5, -5]))
    assert caught.value.reached == np.inf


def test_without_flint(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(NotConverged, match="best slack found"):
        solve(constrained_two_state(0.9, 0.0))
    assert solve(constrained_two_state()).width < 1e-8


def test_larger_and_sparse():
    mdp, rng = garnet(600, 3, 4, gamma=0.95), np.random.default_rng(0)
    stored = MDP(sp.csr_array(mdp.P.reshape(-1, 600)), mdp.r, mdp.gamma)
    solution = solve(CMDP(stored, rng.uniform(size=(2, 600, 3)), [7.5, 7.5]))
    assert solution.width <= 1e-8
    assert (solution.policy > 0).sum() - 600 <= 2
    assert (solution.multipliers > 0).all()


def test_errors():
    problem = constrained_two_state()
    with pytest.raises(InvalidHyperparameter, match="'pi' is not one of lp"):
        solve(problem, method="pi")
    with pytest.raises(NotConverged, match="Slater constant at least 2"):
        solve(constrained_two_state(0.999, 2.0), tol=1e-300)
    batch = MDP(np.ones((2, 1, 1, 1)), np.ones((2, 1, 1)), 0.5)
    with pytest.raises(InvalidModel, match="one model at a time"):
        solve(CMDP(batch, [[1.0]], 1.0))
    assert "ConstrainedSolution(method='lp'" in repr(solve(problem))
    assert mdptk.solve.FarkasRay is FarkasRay
