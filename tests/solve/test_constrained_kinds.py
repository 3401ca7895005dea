"""Constrained problems with stages and of the average reward: what `test_constrained` asks of the discounted ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from mdptk.core.errors import Infeasible, InvalidModel, NotConverged
from mdptk.core.exact import expected_return, one_hot
from mdptk.core.models import CMDP, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation, stationary_distribution
from mdptk.problems.constrained import queue_control, queue_control_for_a_day
from mdptk.problems.teaching import two_state
from mdptk.solve import ConstrainedSolution, FarkasRay, solve
from mdptk.solve._occupancies import occupancies

pytest.importorskip("flint")

KINDS = [FiniteHorizonMDP, AverageRewardMDP]


def random_model(rng, kind):
    S, A, m, H = rng.integers(1, 6), rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 5)
    lead = (H,) if kind is FiniteHorizonMDP else ()
    P = rng.dirichlet(np.full(S, 0.5), size=(*lead, S, A))
    model = kind(P, rng.uniform(size=(*lead, S, A)), rng.dirichlet(np.full(S, 0.5)))
    return model, rng.uniform(size=(m, *lead, S, A))


def returns(model, rewards, pi):
    """The return of a policy for each of some rewards, by the trusted kernel."""
    if isinstance(model, FiniteHorizonMDP):
        return np.array([expected_return(replace(model, r=r), pi) for r in rewards])
    P = np.einsum("sa,sat->st", pi, model.P)
    d = stationary_distribution(P / P.sum(1, keepdims=True), model.rho)
    return np.array([d @ (pi * r).sum(1) for r in rewards])


def clarabel(model, c, b, slack=False):
    """The best return, or the largest smallest slack, of the occupancy LP as printed; and whether that is sure."""
    S, A, t = model.S, model.A, cp.Variable() if slack else 0
    if isinstance(model, FiniteHorizonMDP):
        x = [cp.Variable((S, A), nonneg=True) for _ in range(model.H)]
        flow = [cp.sum(x[0], axis=1) == model.rho]
        for h in range(model.H - 1):
            arrive = sum(model.P[h, s, a] * x[h][s, a] for s in range(S) for a in range(A))
            flow += [cp.sum(x[h + 1], axis=1) == arrive]
    else:
        x = [cp.Variable((S, A), nonneg=True)]
        arrive = sum(model.P[s, a] * x[0][s, a] for s in range(S) for a in range(A))
        flow = [cp.sum(x[0], axis=1) == arrive, cp.sum(x[0]) == 1]

    def total(r):
        return sum(cp.sum(cp.multiply(y, z)) for y, z in zip(x, r.reshape(-1, S, A), strict=True))

    problem = cp.Problem(
        cp.Maximize(t if slack else total(model.r)), [*flow, *(total(y) + t <= z for y, z in zip(c, b, strict=True))]
    )
    problem.solve(solver="CLARABEL")
    return problem.value, problem.status == "optimal"


def with_slater(rng, model, c, slater):
    b = rng.uniform(size=len(c))
    found, sure = clarabel(model, c, b, slack=True)
    assert sure
    return CMDP(model, c, b + (slater - found))


def judge(problem, solution, tol=1e-8):
    model, space = problem.mdp, occupancies(problem.mdp)
    assert isinstance(solution, ConstrainedSolution)
    assert solution.lower <= solution.value <= solution.upper <= solution.lower + tol * (1 + 1e-9)
    assert solution.policy.shape == solution.occupancy.shape == model.r.shape
    rewards, b = np.concatenate([model.r[None], problem.c]), problem.b.tolist()
    for pi in (solution.policy, solution.feasible):
        assert np.allclose(pi.sum(-1), 1)
        assert (pi >= 0).all()
        np.testing.assert_allclose(
            [float(x) for x in space.exact(rewards, pi)], returns(model, rewards, pi), atol=1e-10
        )
    earned, *spent = space.exact(rewards, solution.feasible)
    assert all(x <= Fraction(y) for x, y in zip(spent, b, strict=True))
    assert Fraction(float(solution.lower)) <= earned <= Fraction(float(solution.upper))
    earned, *spent = space.exact(rewards, solution.policy)
    assert all(x <= Fraction(y) + Fraction(solution.violation) for x, y in zip(spent, b, strict=True))
    assert solution.violation <= 1e-9 / space.share
    assert (solution.policy > 0).sum() - solution.policy[..., 0].size <= problem.m
    assert solution.occupancy.sum() == pytest.approx(1)
    earned = (solution.occupancy * rewards).reshape(len(rewards), -1).sum(1) / space.share
    np.testing.assert_allclose(earned, returns(model, rewards, solution.policy), atol=1e-10)
    assert (solution.multipliers >= 0).all()
    relaxed = bound(replace(model, r=model.r - np.tensordot(solution.multipliers, problem.c, 1)), tol)
    assert abs(relaxed + solution.multipliers @ problem.b - solution.upper) <= 2 * tol


def bound(model, tol=1e-9):
    """The optimal return without constraints."""
    value = solve(model, tol=tol).value
    return model.rho @ (value[0] if value.ndim == 2 else value)


def refutes(problem, ray):
    assert isinstance(ray, FarkasRay)
    assert (ray.multipliers >= 0).all()
    assert ray.multipliers.sum() == pytest.approx(1)
    least = -bound(replace(problem.mdp, r=-np.tensordot(ray.multipliers, problem.c, 1)))
    assert ray.cost <= least + 1e-9
    assert least > ray.multipliers @ problem.b
    assert ray.cost > ray.budget >= ray.multipliers @ problem.b


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_random_problems(kind, seed):
    rng = np.random.default_rng(seed)
    for slater in (1e-1, 1e-2, 1e-3, -1e-1, -1e-3):
        model, c = random_model(rng, kind)
        problem = with_slater(rng, model, c, slater)
        if slater < 0:
            with pytest.raises(Infeasible, match="no policy meets the budgets") as caught:
                solve(problem)
            refutes(problem, caught.value.certificate)
            continue
        solution = solve(problem)
        judge(problem, solution)
        assert abs(solution.slater - slater) <= 1e-6
        best, sure = clarabel(model, c, problem.b)
        if sure:
            assert solution.lower - 1e-5 * (1 + best) <= best <= solution.upper + 1e-5 * (1 + best)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_the_best_mixture_of_all_deterministic_policies(kind, seed):
    """A randomisation over whole policies, drawn once, can do no better: Altman, chapters 3 and 4."""
    rng = np.random.default_rng(seed)
    shape = (2, 2, 2) if kind is FiniteHorizonMDP else (3, 2)
    S = shape[-2]
    model, c = kind(rng.dirichlet(np.ones(S), size=shape), rng.uniform(size=shape)), rng.uniform(size=(2, *shape))
    policies = [one_hot(np.array(a).reshape(shape[:-1]), 2) for a in product(range(2), repeat=int(np.prod(shape[:-1])))]
    table = np.array([returns(model, [model.r, *c], pi) for pi in policies]).T
    b = table[1:].mean(1)
    mixed = linprog(-table[0], A_ub=table[1:], b_ub=b, A_eq=np.ones((1, len(policies))), b_eq=[1])
    solution = solve(CMDP(model, c, b))
    assert solution.value == pytest.approx(-mixed.fun, abs=1e-7)
    judge(CMDP(model, c, b), solution)


def fixed(kind, seed=0, S=4, A=3, m=2, H=3):
    rng = np.random.default_rng(seed)
    lead = (H,) if kind is FiniteHorizonMDP else ()
    return (
        rng.dirichlet(np.ones(S), size=(*lead, S, A)),
        rng.uniform(size=(*lead, S, A)),
        rng.uniform(size=(m, *lead, S, A)),
    )


def degenerate(kind):
    P, r, c = fixed(kind)
    b = 1.5 * np.ones(2) if kind is FiniteHorizonMDP else 0.5 * np.ones(2)
    yield "plain", CMDP(kind(P, r), c, b)
    yield "one action", CMDP(kind(P[..., :1, :], r[..., :1]), c[..., :1], 2 * b)
    yield "zero costs, zero budgets", CMDP(kind(P, r), 0 * c, 0 * b)
    yield "a zero cost beside another", CMDP(kind(P, r), np.stack([0 * c[0], c[1]]), [0, b[1]])
    yield "zero rewards", CMDP(kind(P, 0 * r), c, b)
    yield "redundant", CMDP(kind(P, r), np.stack([c[1], c[1], 2 * c[1]]), [b[0], b[0], 2 * b[0]])
    yield "budgets out of reach", CMDP(kind(P, r), c, [1e12, 1e300])
    yield "equal transitions", CMDP(kind(np.repeat(P[..., :1, :], 3, -2), r), c, b)
    yield "equal actions", CMDP(kind(P[..., [0, 0, 0], :], r[..., [0, 0, 0]]), c[..., [0, 0, 0]], 2 * b)
    yield "ties", CMDP(kind(P, np.round(r)), np.round(c), b)
    yield "costs of both signs", CMDP(kind(P, r), c - 0.5, 0.1 * np.array([-1, 1]))
    yield "costs of 1e9 and 1e-9", CMDP(kind(P, r), np.stack([1e9 * c[0], 1e-9 * c[1]]), [1e9 * b[0], 1e-9 * b[1]])
    thirds = np.full((*P.shape[:-3], 3, 2, 3), 0.333333333)
    yield "thirds", CMDP(kind(thirds, r[..., :3, :2]), c[..., :3, :2], 1.3 * b)
    start = [1, 0, 0, 0]
    cycle = np.broadcast_to(np.roll(np.eye(4), 1, 1)[:, None], P.shape)
    yield "periodic", CMDP(kind(cycle, r, start), c, b)
    lost = P.copy()
    lost[..., :2, :, 2:] = 0
    lost /= lost.sum(-1, keepdims=True)
    yield "unreachable", CMDP(kind(lost, r, start), c, 1.3 * b)
    sink = P.copy()
    sink[..., 3, :, :] = [0, 0, 0, 1]
    yield "absorbing", CMDP(kind(sink, r, start), c, b)
    yield "one state", CMDP(kind(np.ones((*P.shape[:-3], 1, 3, 1)), r[..., :1, :]), c[..., :1, :], b)


@pytest.mark.parametrize(
    "problem", [pytest.param(p, id=f"{kind.__name__}, {name}") for kind in KINDS for name, p in degenerate(kind)]
)
def test_degenerate(problem):
    judge(problem, solve(problem))


def test_one_stage_is_gamma_zero():
    rng = np.random.default_rng(0)
    mdp, c = two_state(gamma=0.0), rng.uniform(size=(1, 2, 2))
    one, other = solve(CMDP(mdp, c, [0.4])), solve(CMDP(mdp.episodic(1), c[:, None], [0.4]))
    assert other.value == pytest.approx(float(one.value), abs=1e-8)
    assert other.policy[0] == pytest.approx(one.policy, abs=1e-9)


def test_a_sparse_model_of_the_average_reward():
    P, r, c = fixed(AverageRewardMDP)
    dense = solve(CMDP(AverageRewardMDP(P, r), c, [0.45, 0.5]))
    sparse = solve(CMDP(AverageRewardMDP(sp.csr_array(P.reshape(-1, 4)), r), c, [0.45, 0.5]))
    assert sparse.value == pytest.approx(float(dense.value), abs=1e-8)
    assert sparse.policy == pytest.approx(dense.policy, abs=1e-8)


def test_several_recurrent_classes():
    """From the start one of two traps is chosen: what the budget asks for is a coin, and two classes."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    r = np.array([[0, 0], [1, 1], [0, 0]])
    model = AverageRewardMDP(P, r, [1, 0, 0])
    with pytest.raises(NotConverged, match="several recurrent classes"):
        solve(CMDP(model, r, 0.5))
    with pytest.raises(Infeasible):
        solve(CMDP(model, r, -0.5))


def test_no_constraint_binds():
    for kind in KINDS:
        P, r, c = fixed(kind)
        solution = solve(CMDP(kind(P, r), c, [3.1, 3.1]))
        assert solution.value == pytest.approx(bound(kind(P, r)), abs=1e-8)
        assert (solution.policy.max(-1) == 1).all()
        assert solution.multipliers.tolist() == [0, 0]
        assert solution.feasible is solution.policy


def test_no_slack_but_feasible():
    """The one policy that meets the budget meets it exactly: rational arithmetic says so."""
    for kind in KINDS:
        P, r, _ = fixed(kind)
        c = np.ones(r.shape)
        c[..., 0] = 0.0
        solution = solve(CMDP(kind(P, r), c, 0.0))
        assert (solution.policy[..., 0] == 1).all()
        assert solution.violation == solution.slater == 0


def test_invalid():
    P, r, c = fixed(FiniteHorizonMDP)
    with pytest.raises(InvalidModel, match=r"c has shape \(1, 2, 4, 3\), expected \(m, 3, 4, 3\) = c\[i, h, s, a\]"):
        CMDP(FiniteHorizonMDP(P, r), c[:, 0], [1, 1])
    with pytest.raises(InvalidModel, match="a CMDP has an MDP, FiniteHorizonMDP or AverageRewardMDP, not Policy"):
        CMDP(PolicyEvaluation(two_state()), c[0, 0], 1)
    with pytest.raises(InvalidModel, match=r"CMDP\(FiniteHorizonMDP\(H=3, S=4, A=3\), m=2\) has no discount"):
        _ = CMDP(FiniteHorizonMDP(P, r), c, [1, 1]).gamma


@pytest.mark.parametrize("make", [queue_control, queue_control_for_a_day])
def test_queues(make):
    """Both budgets have a price, and a policy without lots breaks one or earns less."""
    problem = make()
    solution = solve(problem)
    judge(problem, solution)
    assert (solution.multipliers > 0.01).all()
    assert 1 <= (solution.policy > 0).sum() - solution.policy[..., 0].size <= 2
    best, sure = clarabel(problem.mdp, problem.c, problem.b)
    assert sure
    assert solution.value == pytest.approx(best, abs=1e-6)
