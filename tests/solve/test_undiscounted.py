"""Average and total reward against the enumeration of all policies in rationals, and against closed forms."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mdptk import MDP, AverageRewardMDP, TotalRewardMDP, reachability, solve
from mdptk.core import exact
from mdptk.core.errors import Infeasible, InvalidHyperparameter, InvalidModel, NotConverged, Unbounded
from mdptk.problems.gridworld import frozen_lake
from mdptk.problems.jao import jao
from mdptk.problems.riverswim import riverswim
from mdptk.solve import AverageSolution
from mdptk.testing import average_mdps, total_reward_mdps
from tests.solve.enumeration import METHODS, between, bias, hold, model, optimal_total, stored

some = settings(max_examples=40, deadline=None)
kinds = pytest.mark.parametrize("kind", [AverageRewardMDP, TotalRewardMDP], ids=lambda kind: kind.__name__)


@kinds
def test_bounds_hold_without_exception(kind):
    """240 instances, one method each, tolerances from 1e-2 to 1e-12; `make nightly` looks at 1,000 others."""
    solved = 0
    for seed in range(120):
        rng = np.random.default_rng([seed, 1])
        problem = model(rng, kind)
        scale = float(abs(problem.r).max() or 1)
        method = METHODS[kind][seed % len(METHODS[kind])]
        digits = rng.integers(2, 9) if method in ("rvi", "ii") else rng.integers(2, 13)
        solved += hold(problem, 10.0**-digits * scale, method) != "not converged"
    assert solved >= 119


@some
@given(average_mdps(max_S=4), st.integers(2, 12))
def test_gains_of_degenerate_models(problem, digits):
    hold(problem, 10.0**-digits, "auto")


@some
@given(total_reward_mdps(max_S=4), st.integers(2, 12))
def test_totals_of_degenerate_models(problem, digits):
    """Negative rewards, also with positive ones between them, are where sound modes elsewhere return wrong bounds."""
    assert not isinstance(optimal_total(problem), str)
    hold(problem, 10.0**-digits, "auto")


@kinds
@pytest.mark.parametrize("seed", range(2))
def test_sparse_equals_dense(kind, seed):
    rng = np.random.default_rng(seed)
    S, A = 30, 3
    P = rng.dirichlet(np.full(S, 0.5), (S, A))
    P[-1] = np.eye(S)[-1]
    r = rng.uniform(-1, 0, (S, A))
    r[-1] = 0
    problem = kind(P, r)
    csr = kind(sp.csr_array(P.reshape(-1, S)), r)
    answers = [solve(p, tol=1e-7, method=method) for p in (problem, csr) for method in METHODS[kind]]
    for a in answers:
        for b in answers:
            assert (a.lower <= b.upper).all()


# average reward --------------------------------------------------------------------------------------------------


def test_a_periodic_chain():
    """Three states in a ring: the average of the rewards, though no state has a limit of its distribution."""
    problem = AverageRewardMDP(np.roll(np.eye(3), 1, axis=1)[:, None], [[1], [2], [6]])
    for method in METHODS[AverageRewardMDP]:
        np.testing.assert_allclose(solve(problem, method=method).value, [3, 3, 3], rtol=0, atol=1e-8)


def test_the_gain_depends_on_where_one_starts():
    """Left pays 1 for ever, right pays 3; from the middle one gets to the right with probability 1/4 or 1/2 per try."""
    P = np.zeros((3, 2, 3))
    P[0, :, 0] = P[2, :, 2] = 1
    P[1, 0] = [0.75, 0, 0.25]
    P[1, 1] = [0.25, 0.5, 0.25]
    for method in METHODS[AverageRewardMDP]:
        solution = solve(AverageRewardMDP(P, [[1, 1], [100, -100], [3, 3]]), tol=1e-10, method=method)
        np.testing.assert_allclose(solution.value, [1, 2, 3], rtol=0, atol=1e-10)
        assert solution.policy[1].argmax() == 1


@some
@given(average_mdps(max_S=4))
def test_bias(problem):
    solution = solve(problem, tol=1e-6)
    assert isinstance(solution, AverageSolution)
    P, r = stored(problem)
    actions = solution.policy.argmax(1).tolist()
    h = bias([P[s][a] for s, a in enumerate(actions)], [r[s][a] for s, a in enumerate(actions)])
    h = np.array([float(x) for x in h])
    if abs(h).max() < 1e6:  # beyond, a state is left so rarely that float64 loses the digits of the bias
        np.testing.assert_allclose(solution.bias, h, rtol=1e-6, atol=1e-8 * max(1, abs(h).max()))


def test_a_chain_that_floats_cannot_tell_from_two():
    """Left with probability 1e-300, so that the gain is that of the better state: exact, or an error; never wrong."""
    problem = AverageRewardMDP([[[1, 1e-300]], [[1e-300, 1]]], [[0], [1]])
    for method in ("pi", "lp", "auto"):
        with pytest.raises(NotConverged) as caught:
            solve(problem, method=method)
        assert caught.value.reached > 0.1


def test_large_models_are_swept():
    S = 2100
    s = np.arange(S)
    t = np.stack([(s + 1) % S, s, s // 2], 1)
    P = sp.csr_array((np.tile([0.25, 0.25, 0.5], S), t.ravel(), np.arange(0, 3 * S + 1, 3)))
    solution = solve(AverageRewardMDP(P, (s == 0)[:, None] * 1.0), tol=1e-6)
    assert solution.method == "rvi"
    assert isinstance(solution, AverageSolution)
    assert solution.bias is not None
    g, h = solution.value, solution.bias
    np.testing.assert_allclose((s == 0) + P @ h - g - h, 0, atol=1e-6)  # the gain is known to tol
    often = 1.0 * (s == 0)
    for _ in range(500):
        often = (often + often @ P) / 2
    np.testing.assert_allclose(often @ h, 0, atol=1e-9)
    assert "above 2000 states" in solution.reason
    assert "2 states" in solve(jao()).reason


# total reward ----------------------------------------------------------------------------------------------------


def test_costs_to_a_goal():
    """The expected number of throws until heads, at the price of the throws: two coins, the better one is dear."""
    P = [[[0.5, 0.5], [0.25, 0.75]], [[0, 1], [0, 1]]]
    for method in METHODS[TotalRewardMDP]:
        solution = solve(TotalRewardMDP(P, [[-1, -1.4], [0, 0]]), tol=1e-9, method=method)
        np.testing.assert_allclose(solution.value, [-1.4 / 0.75, 0], rtol=0, atol=1e-9)


def test_a_loop_without_rewards_is_a_place_to_stay():
    """Value iteration from above never leaves 5 here, since the loop repeats whatever it is told."""
    P = [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    for reward, value in ((-5, 0), (5, 5)):
        for method in METHODS[TotalRewardMDP]:
            solution = solve(TotalRewardMDP(P, [[0, reward], [0, 0]]), method=method)
            np.testing.assert_allclose(solution.value, [value, 0], rtol=0, atol=1e-8)
            assert solution.policy[0].argmax() == (reward > 0)


def test_loops_are_left_at_the_right_state():
    """A free ring of four states; only from the third one a way out pays."""
    P, r = np.zeros((5, 2, 5)), np.zeros((5, 2))
    P[[0, 1, 2, 3], 0, [1, 2, 3, 0]] = 1
    P[:, 1, 4] = P[4, 0, 4] = 1
    r[:4, 1] = [-1, -2, 1, 0]
    for method in METHODS[TotalRewardMDP]:
        solution = solve(TotalRewardMDP(P, r), method=method)
        np.testing.assert_allclose(solution.value, [1, 1, 1, 1, 0], rtol=0, atol=1e-8)
        assert solution.policy.argmax(1)[:4].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("method", METHODS[TotalRewardMDP])
def test_errors_say_where(method):
    goal = [[0, 0, 1], [0, 0, 1]]
    stay, leave = np.eye(3), [[0, 1, 0], [0, 0, 1], [0, 0, 1]]
    P = np.stack([stay, leave], 1)
    with pytest.raises(Unbounded, match=r"infinite: on state 1 a policy earns at least 0\.25 per step") as caught:
        solve(TotalRewardMDP(P, [[-1, -1], [0.25, 0], [0, 0]]), method=method)
    assert caught.value.states.tolist() == [1]
    P[1] = np.eye(3)[1]
    with pytest.raises(Infeasible, match="from states 0, 1 no policy is certain") as caught:
        solve(TotalRewardMDP(P, [[-1, -1], [-1, -1], [0, 0]]), method=method)
    assert caught.value.certificate.tolist() == [0, 1]
    ring = [[[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 0, 0]], goal]
    with pytest.raises(NotConverged, match="on states 0, 1 a policy may stay for ever and earns nothing on average"):
        solve(TotalRewardMDP(ring, [[1, 0], [-1, -1], [0, 0]]), method=method)
    with pytest.raises(Unbounded, match="on states 0, 1 a policy earns at least"):
        solve(TotalRewardMDP(ring, [[1, 0], [-0.75, -1], [0, 0]]), method=method)
    solution = solve(TotalRewardMDP(ring, [[1, 0], [-1.25, -2], [0, 0]]), method=method)
    np.testing.assert_allclose(solution.value, [0, -1.25, 0], rtol=0, atol=1e-8)
    with pytest.raises(InvalidHyperparameter, match="'vi' is not one of ii, pi"):
        solve(TotalRewardMDP(ring, [[1, 0], [-1.25, -2], [0, 0]]), method="vi")


def test_nothing_but_a_goal():
    solution = solve(TotalRewardMDP([[[1]]], [[0]]))
    assert (solution.lower == 0).all()
    assert (solution.upper == 0).all()


def test_as_the_limit_of_discounts():
    lake = frozen_lake()
    solution = solve(TotalRewardMDP(lake.P, lake.r), tol=1e-9)
    v = exact.optimal(MDP(lake.P, lake.r, 1 - 1e-5)).v
    np.testing.assert_allclose(solution.value, v, rtol=0, atol=1e-3)  # a hundred steps are lost to the discount


# reachability ----------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@example(problem=AverageRewardMDP([[[1.0]]], [[1.0]]), seed=0, minimise=True, method="ii")
@given(average_mdps(max_S=4), st.integers(0, 99), st.booleans(), st.just("pi"))
def test_reachability(problem, seed, minimise, method):
    """Against enumeration of the policies of the same problem with the reward written out."""
    S, A = problem.S, problem.A
    mask = np.random.default_rng(seed).random(S) < 0.4
    try:
        solution = reachability(problem, mask, minimise=minimise, tol=1e-7, method=method)
    except NotConverged as error:  # states that are left with probability 1e-300
        hopeless = error.reached > 1e-7 and problem.P[problem.P > 0].min() < 1e-9
        solution = None
    if solution is None:
        assert hopeless
        return
    P, r = np.zeros((S + 1, A, S + 1)), np.zeros((S + 1, A))
    P[:S, :, :S], P[S, :, S] = problem.P, 1
    P[:S][mask] = np.eye(S + 1)[S]
    r[:S][mask] = -1 if minimise else 1
    best = optimal_total(TotalRewardMDP(P, r))
    best = [abs(x) for x in best[:S]]
    assert between(solution.lower, best, solution.upper)
    assert solution.width <= 1e-7
    assert (solution.value[mask] == 1).all()
    assert ((solution.lower >= 0) & (solution.upper <= 1)).all()


def test_reachability_of_the_goal_of_the_lake():
    lake = frozen_lake()
    chance = reachability(lake, [lake.S - 1], tol=1e-9)
    same = solve(TotalRewardMDP(lake.P, lake.r), tol=1e-9)  # the reward of arriving is 1
    np.testing.assert_allclose(chance.value[:-1], same.value[:-1], rtol=0, atol=1e-9)
    least = reachability(lake, [lake.S - 1], minimise=True, tol=1e-9)
    np.testing.assert_allclose(least.value, np.eye(lake.S)[-1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("targets", [[7], [-1], [[0]], [0.5], [True]])
def test_targets_are_states(targets):
    with pytest.raises(InvalidModel, match="target"):
        reachability(riverswim(), targets)


def test_gamblers_ruin():
    """Fair coin, 0 to n: the chance to win is s / n, exactly a rational."""
    n = 8
    P = np.zeros((n + 1, 1, n + 1))
    for s in range(1, n):
        P[s, 0, [s - 1, s + 1]] = 0.5
    P[0, 0, 0] = P[n, 0, n] = 1
    solution = reachability(MDP(P, np.zeros((n + 1, 1)), 0.0), [n], tol=1e-13)
    assert between(solution.lower, [Fraction(s, n) for s in range(n + 1)], solution.upper)
