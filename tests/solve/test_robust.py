"""Robust values between their bounds, against policy iteration of both players over all vertices, in rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import NotConverged
from mdptk.core.exact import optimal
from mdptk.core.models import MDP
from mdptk.core.robust import L1, Interval, RobustMDP
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.solve import RobustSolution, solve
from mdptk.solve.certificates import bracket
from tests.core.ambiguity import sets_around, vertices
from tests.solve.test_solve import between, dot, fractions, gauss, models


def value(rows, r, gamma):
    S = len(rows)
    return gauss([[(s == t) - gamma * rows[s][t] for t in range(S)] for s in range(S)], r)


def exact_policy_value(problem, actions):
    """The adversary's policy iteration, over the vertices."""
    gamma, states = Fraction(problem.gamma), range(problem.S)
    r = [Fraction(float(problem.r[s, a])) for s, a in enumerate(actions)]
    choices = [sorted(vertices(problem.ambiguity, s, a)) for s, a in enumerate(actions)]
    rows = [c[0] for c in choices]
    while True:
        v = value(rows, r, gamma)
        worse = [min(choices[s], key=lambda p: dot(p, v)) for s in states]
        if all(dot(worse[s], v) >= dot(rows[s], v) for s in states):
            return v
        rows = [worse[s] if dot(worse[s], v) < dot(rows[s], v) else rows[s] for s in states]


def exact_robust_optimum(problem, actions):
    gamma, U = Fraction(problem.gamma), problem.ambiguity
    actions = [int(a) for a in actions]
    corners = [[sorted(vertices(U, s, a)) for a in range(problem.A)] for s in range(problem.S)]
    r = fractions(problem.r)
    while True:
        v = exact_policy_value(problem, actions)
        q = [
            [r[s][a] + gamma * min(dot(p, v) for p in corners[s][a]) for a in range(problem.A)]
            for s in range(problem.S)
        ]
        best = [max(range(problem.A), key=row.__getitem__) for row in q]
        if all(row[b] <= row[a] for row, a, b in zip(q, actions, best, strict=True)):
            return v
        actions = [b if row[b] > row[a] else a for row, a, b in zip(q, actions, best, strict=True)]


@st.composite
def robust_models(draw, discounts=(0.0, 0.3, 0.9, 0.99)):
    mdp = draw(models(max_S=3, discounts=discounts))
    return RobustMDP(mdp, draw(sets_around(mdp.P)))


@settings(max_examples=300, deadline=None)
@given(robust_models(), st.integers(2, 12), st.booleans(), st.sampled_from(["auto", "vi", "pi"]))
def test_bounds_hold_or_not_converged(problem, digits, relative, method):
    """lower <= V* <= upper, at most tol apart, and both strategies keep what the bounds promise: in rationals."""
    size = abs(problem.r).max()
    tol = 10.0**-digits * (max(size, 1e-13) if relative else 1)
    try:
        solution = solve(problem, tol=tol, method=method)
    except NotConverged as error:
        failure = error
    else:
        failure = None
    if failure is not None:
        assert failure.reached > tol
        horizon = 1 / (1 - problem.gamma)  # the resolution of float64 at the size of the values, amplified
        assert tol < 64 * np.finfo(float).eps * size * horizon**2
        return
    assert isinstance(solution, RobustSolution)
    assert solution.width <= tol
    actions = solution.policy.argmax(-1)
    assert between(solution.lower, exact_robust_optimum(problem, actions), solution.upper)
    worst = exact_policy_value(problem, actions)
    assert all(Fraction(float(x)) <= y for x, y in zip(solution.lower, worst, strict=True))
    # the kernel is rounded to float64: that moves values by a few ulps, amplified by the horizon
    room = 64 * np.finfo(float).eps * size / (1 - problem.gamma) ** 2
    assert (optimal_in(problem, solution.kernel) <= solution.upper + room).all()
    assert problem.ambiguity.excess(solution.kernel).max() <= 64 * np.finfo(float).eps


def optimal_in(problem, kernel):
    return solve(problem.under(kernel), tol=max(1e-9, 1e-9 * abs(problem.r).max())).lower


@settings(max_examples=100, deadline=None)
@given(robust_models(discounts=(0.0, 0.9, 0.999, 1 - 1e-6)), st.integers(0, 2**32 - 1), st.integers(-12, 16))
def test_bracket_holds_for_any_guess(problem, seed, digits):
    v = exact_robust_optimum(problem, np.zeros(problem.S, int))
    guess = np.array([float(x) for x in v])
    guess += np.random.default_rng(seed).standard_normal(problem.S) * abs(guess).max() * 10.0**-digits
    b = bracket(problem, guess)
    assert between(b.lower, v, b.upper)
    policy = exact_policy_value(problem, b.actions)
    assert all(Fraction(float(x)) <= y for x, y in zip(b.lower, policy, strict=True))


@pytest.mark.parametrize("method", ["vi", "pi"])
def test_radius_zero_is_the_nominal_problem(method):
    mdp = riverswim()
    robust, nominal = solve(RobustMDP(mdp, L1(mdp.P, 0.0)), method=method), solve(mdp)
    np.testing.assert_array_equal(robust.policy, nominal.policy)
    assert (robust.lower <= nominal.upper).all()
    assert (nominal.lower <= robust.upper).all()
    np.testing.assert_array_equal(robust.kernel, mdp.P)


def test_less_is_certain_less_is_earned():
    mdp = garnet(S=30, A=4, b=6, gamma=0.97)
    answers = [solve(RobustMDP(mdp, L1(mdp.P, x))) for x in (0.0, 0.1, 0.5, 1.0, 2.0)]
    for more, less in pairwise(answers):
        assert (more.upper >= less.lower).all()


@pytest.mark.parametrize("method", ["vi", "pi"])
def test_policy_and_kernel_verify_each_other(method):
    mdp = garnet(S=40, A=3, b=5, gamma=0.95)
    for U in (L1(mdp.P, 0.3), Interval(np.maximum(mdp.P - 0.05, 0), mdp.P + 0.1)):
        problem = RobustMDP(mdp, U)
        solution = solve(problem, method=method, tol=1e-9)
        both = solve(MDP(solution.kernel, mdp.r, mdp.gamma), tol=1e-11)
        assert abs(both.value - solution.value).max() <= 1e-9  # the policy is optimal against its worst kernel
        pair = optimal(MDP(solution.kernel[np.arange(40), solution.policy.argmax(1)][:, None], mdp.r[:, :1] * 0, 0.5))
        assert pair.v.max() == 0  # the kernel of the pair is a kernel


def test_sweeps_end_where_float64_does():
    """A tolerance below one ulp at gamma = 0, where any spread of the residual looks like none."""
    mdp = MDP(garnet().P, 1e9 * garnet().r, 0.0)
    for problem in (mdp, RobustMDP(mdp, L1(mdp.P, 0.1))):
        with pytest.raises(NotConverged, match=r"after 1\d\d sweeps"):
            solve(problem, method="vi", tol=1e-9)


def test_rewards_that_overflow_are_an_error():
    mdp = MDP([[[1.0]]], [[1e308]], 0.9)
    with pytest.raises(NotConverged):
        solve(RobustMDP(mdp, L1(mdp.P, 0.1)))


def test_any_set_with_a_worst_case_will_do():
    """A set that the library does not know: one kernel for rain and one for shine, the worse weather everywhere."""
    mdp = garnet()
    other = garnet(seed=7).P

    def worst(v):
        return np.minimum(mdp.P @ v, other @ v)

    weather = SimpleNamespace(
        shape=mdp.P.shape,
        terms=mdp.S,
        worst=worst,
        kernel=lambda v: np.where((mdp.P @ v <= other @ v)[..., None], mdp.P, other),
        excess=lambda P: np.minimum(abs(P - mdp.P).max(-1), abs(P - other).max(-1)),
    )
    vi, pi = (solve(RobustMDP(mdp, weather), method=method, tol=1e-10) for method in ("vi", "pi"))
    assert (vi.lower <= pi.upper).all()
    assert (pi.lower <= vi.upper).all()
    assert (pi.upper <= solve(mdp).upper).all()
