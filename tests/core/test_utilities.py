"""Utilities: gradients against automatic differentiation, the two bounds that theorems use, certified optima."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, solve
from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.utilities import (
    Divergence,
    Exploration,
    Imitation,
    Penalty,
    UtilityMDP,
    certificate,
    gradient,
    softmax_gradient,
    utility_optimal,
    visits,
    worth,
)
from mdptk.problems.garnet import garnet
from mdptk.problems.teaching import two_state
from mdptk.testing import policies, utility_mdps


def some(S=4, A=3, seed=0):
    """One of each kind."""
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.full(S * A, 0.5)).reshape(S, A)
    penalty = Penalty(rng.random((S, A)), rng.random((2, S, A)), [0.3, 0.4])
    return (Exploration(0.1), Imitation(target), Divergence(target), penalty)


@pytest.mark.parametrize("utility", some(), ids=lambda u: type(u).__name__)
@pytest.mark.parametrize("kind", ["random", "almost deterministic"])
def test_gradients_are_those_of_automatic_differentiation(utility, kind):
    problem = UtilityMDP(garnet(4, 3, 2, 0.9, seed=3), utility)
    theta = np.random.default_rng(1).normal(size=(4, 3)) * (1 if kind == "random" else 12)
    pi = exact.softmax(theta)
    with jax.enable_x64(True):
        direct = jax.jit(jax.grad(lambda pi: worth(problem, pi)))(pi)
        logits = jax.jit(jax.grad(lambda theta: worth(problem, exact.softmax(theta))))(theta)
    np.testing.assert_allclose(gradient(problem, pi), direct, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(softmax_gradient(problem, pi), logits, rtol=1e-10, atol=1e-10)


def test_leading_axes_are_free():
    problem = UtilityMDP(garnet(4, 3, 2, 0.9), some()[3])
    pi = np.random.default_rng(0).dirichlet(np.ones(3), (2, 5, 4))
    for f in (worth, gradient, softmax_gradient):
        np.testing.assert_allclose(f(problem, pi)[1, 2], f(problem, pi[1, 2]), rtol=1e-12)


@given(utility_mdps(), st.integers(0, 10_000))
@settings(max_examples=40)
def test_concave_smooth_and_of_bounded_span(problem, seed):
    rng, u, size = np.random.default_rng(seed), problem.utility, problem.S * problem.A
    x, y = rng.dirichlet(np.full(size, rng.choice([0.05, 1.0])), 2).reshape(2, problem.S, problem.A)
    g = u.gradient(x)
    lost = u.value(x) + (g * (y - x)).sum() - u.value(y)
    assert -1e-10 <= lost <= u.smoothness / 2 * abs(y - x).sum() ** 2 + 1e-10
    assert np.ptp(g) <= u.span + 1e-10
    step = 1e-6 * (y - x)
    change = u.value(x + step) - u.value(x)
    assert change == pytest.approx((g * step).sum(), rel=1e-3, abs=1e-11 * max(1.0, u.smoothness))


@given(utility_mdps(), st.data())
@settings(max_examples=15)
def test_the_certificate_holds_for_every_policy(problem, data):
    best = utility_optimal(problem)
    pi = data.draw(policies(problem.mdp))
    assert best.value <= best.upper
    assert worth(problem, pi) <= best.upper + 1e-9
    assert best.upper <= worth(problem, pi) + certificate(problem, pi) + 1e-6 * max(1.0, problem.utility.span)


@pytest.mark.parametrize("utility", some(), ids=lambda u: type(u).__name__)
def test_what_the_conic_solver_sees_is_the_utility(utility):
    import cvxpy as cp

    x = np.random.default_rng(2).dirichlet(np.ones(12)).reshape(4, 3)
    variable = cp.Variable((4, 3), value=x)
    assert float(utility.express(variable).value) == pytest.approx(float(utility.value(x)), rel=1e-12)
    assert utility.express(variable).is_concave()


def test_optima_that_are_known():
    mdp = two_state()
    d = utility_optimal(UtilityMDP(mdp, Exploration(0.1))).x.sum(1)
    np.testing.assert_allclose(d, 0.5, atol=1e-6)  # both alike, which can be had here
    shown = visits(mdp, np.array([[0.2, 0.8], [0.7, 0.3]]))
    met = utility_optimal(UtilityMDP(mdp, Imitation(shown)))
    np.testing.assert_allclose(met.x, shown, atol=1e-7)
    assert met.upper == pytest.approx(0, abs=1e-9)
    free = Penalty(mdp.r, np.ones((1, 2, 2)), [2.0])  # nothing is over budget: the usual problem
    want = (1 - mdp.gamma) * (mdp.rho @ solve(mdp).value)
    assert utility_optimal(UtilityMDP(mdp, free)).value == pytest.approx(want, abs=1e-9)


def test_no_deterministic_policy_explores():
    problem = UtilityMDP(two_state(), Exploration(0.1))
    plain = [np.eye(2)[[a, b]] for a in (0, 1) for b in (0, 1)]
    assert max(worth(problem, pi) for pi in plain) <= utility_optimal(problem).value + 1e-9
    start = replace(problem, mdp=MDP(two_state().P, two_state().r, 0.9, [1.0, 0.0]))
    assert max(worth(start, pi) for pi in plain) < utility_optimal(start).value - 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UtilityMDP(two_state(), Imitation(np.ones((3, 2)))), r"target has shape \(3, 2\)"),
        (lambda: UtilityMDP(two_state(), lambda x: x), "is no Utility"),
        (lambda: Exploration(0.0), "sigma = 0.0 is not a positive number"),
        (lambda: Divergence([[0.5, -0.1]]), r"target\[0, 1\] = -0.1 is negative"),
        (lambda: Penalty(np.ones((2, 2)), np.ones((2, 2)), [1.0, 2.0]), r"c has shape \(1, 2, 2\)"),
        (lambda: Imitation([[np.nan, 1.0]]), r"target\[0, 0\] = nan is not finite"),
    ],
)
def test_what_is_wrong_is_said(make, message):
    with pytest.raises(InvalidModel, match=message):
        make()
