"""Ambiguity sets against linear programs and against all of their vertices, in rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.minimax import robust_evaluate, robust_optimal
from mdptk.core.models import MDP
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.problems.garnet import garnet
from mdptk.problems.teaching import two_state
from mdptk.solve.certificates import WIDE
from tests.core.ambiguity import exact_worst, sets_around
from tests.solve.test_solve import fractions, models


@settings(max_examples=200, deadline=None)
@given(models(max_S=4), st.data())
def test_worst_is_the_least_of_all_vertices(mdp, data):
    """In float64 and wider, off by no more than the roundings that the set admits to: the certificates rest on it."""
    U = data.draw(sets_around(mdp.P))
    seed, dtype = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.sampled_from([np.float64, WIDE]))
    ties = data.draw(st.booleans())
    v = np.random.default_rng(seed).standard_normal(mdp.S)
    v = (v.round(0) if ties else v) * 10.0 ** data.draw(st.integers(-6, 9))
    got = U.worst(v.astype(dtype))
    assert got.dtype == dtype
    room = Fraction(float(U.terms * np.finfo(dtype).eps / 2 * abs(v).max())) * (1 + Fraction(1, 10**8))
    for s, a in np.ndindex(mdp.S, mdp.A):
        want = exact_worst(U, s, a, fractions(v))
        high = Fraction(float(got[s, a]))  # two floats hold all digits of the wider one
        rest = Fraction(float(got[s, a] - dtype(float(got[s, a]))))
        assert abs(high + rest - want) <= room


@settings(max_examples=60, deadline=None)
@given(models(max_S=5), st.data())
def test_kernel_attains_the_minimum_and_is_in_the_set(mdp, data):
    U = data.draw(sets_around(mdp.P))
    v = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).standard_normal(mdp.S)
    P = U.kernel(v)
    eps = np.finfo(float).eps
    assert P.min() >= 0
    assert U.excess(P).max() <= 4 * mdp.S * eps
    np.testing.assert_allclose(P @ v, U.worst(v), rtol=0, atol=4 * U.terms * eps * abs(v).max())
    batch = np.stack([v, -v, 0 * v])[:, None]
    np.testing.assert_array_equal(U.worst(batch)[1, 0], U.worst(-v))
    np.testing.assert_array_equal(U.kernel(batch)[1, 0], U.kernel(-v))


def lp_worst(U, s, a, v):
    """The inner problem as a linear program, for HiGHS; the 1-norm by rows split into what is above and below."""
    n = len(v)
    if isinstance(U, Interval):
        bounds = list(zip(U.lower[s, a], np.minimum(U.upper[s, a], 1), strict=True))
        return linprog(v, A_eq=np.ones((1, n)), b_eq=[1.0], bounds=bounds).fun
    p = U.P[s, a]
    balance, length = np.r_[np.ones(n), -np.ones(n)], np.ones(2 * n)
    bounds = [(0, None)] * n + [(0, x) for x in p]
    moved = linprog(
        np.r_[v, -v], A_eq=balance[None], b_eq=[0.0], A_ub=length[None], b_ub=[U.radius[s, a]], bounds=bounds
    )
    return p @ v + moved.fun


@pytest.mark.parametrize("seed", range(5))
def test_worst_against_linear_programs(seed):
    rng = np.random.default_rng(seed)
    P, v = rng.dirichlet(np.full(12, 0.5), (12, 2)), rng.standard_normal(12)
    for U in (L1(P, rng.uniform(0, 1, (12, 2))), Interval(P * rng.random(P.shape), P + rng.random(P.shape) / 4)):
        want = [[lp_worst(U, s, a, v) for a in range(2)] for s in range(12)]
        np.testing.assert_allclose(U.worst(v), want, atol=1e-9)


def test_whole_numbers_are_values_too():
    U = L1(two_state().P, 0.5)
    np.testing.assert_array_equal(U.worst(np.array([0, 1])), U.worst(np.array([0.0, 1.0])))


# values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda P: L1(P, 0.0), lambda P: Interval(P, P), lambda P: Finite(P[None])])
def test_a_set_of_one_kernel_is_the_nominal_problem(make):
    mdp = garnet()
    best, robust = exact.optimal(mdp), robust_optimal(RobustMDP(mdp, make(mdp.P)))
    np.testing.assert_allclose(robust.v, best.v, rtol=1e-12)
    np.testing.assert_array_equal(robust.pi, best.pi)


def test_every_kernel_is_every_kernel():
    """Radius 2: the adversary sends everything to the state where least is to be had, for ever."""
    mdp = garnet()
    best = robust_optimal(RobustMDP(mdp, L1(mdp.P, 2.0)))
    low = mdp.r.max(1).min()
    np.testing.assert_allclose(best.v, mdp.r.max(1) + mdp.gamma * low / (1 - mdp.gamma), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_policies_are_evaluated_in_their_worst_kernel(seed):
    """The value is that of the policy in the kernel found, and no random kernel of the set is worse."""
    mdp = garnet(seed=seed)
    problem = RobustMDP(mdp, L1(mdp.P, 0.4))
    rng = np.random.default_rng(seed)
    pi = rng.dirichlet(np.ones(mdp.A), (3, mdp.S))
    v = robust_evaluate(problem, pi)
    for i in range(3):
        P = problem.ambiguity.kernel(v[i])
        np.testing.assert_allclose(exact.evaluate(problem.under(P), pi[i]), v[i], rtol=1e-12)
        for _ in range(50):
            mixed = 0.8 * mdp.P + 0.2 * rng.dirichlet(np.full(mdp.S, 0.2), mdp.P.shape[:2])
            assert (exact.evaluate(problem.under(mixed), pi[i]) >= v[i] - 1e-12).all()


def test_truth_says_where_it_ends():
    mdp = MDP([[[1.0]]], [[1.0]], 1 - 1e-9)
    with pytest.raises(exact.NotConverged, match="so close to 1"):
        robust_optimal(RobustMDP(mdp, L1(mdp.P, 0.1)))


# bad input -------------------------------------------------------------------------------------------------------

HALF = np.full((2, 1, 2), 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1(HALF, -0.1), "radius = -0.1 is negative"),
        (lambda: L1(HALF, [[0.1], [-0.2]]), r"radius\[1, 0\] = -0.2 is negative"),
        (lambda: L1(HALF, [0.1, 0.2, 0.3]), r"radius has shape \(3,\)"),
        (lambda: L1(HALF * 1.1, 0.1), r"P\[0, 0\] is not a probability vector"),
        (lambda: L1(HALF[None], 0.1), "expected one kernel"),
        (lambda: L1(sp.csr_array(np.eye(2)), 0.1), "takes a dense"),
        (lambda: Interval(HALF, HALF[:1]), "upper has shape"),
        (lambda: Interval(HALF[0], HALF[0]), "expected .S, A, S."),
        (lambda: Interval(-HALF, HALF), r"lower\[0, 0, 0\] = -0.5 is negative"),
        (lambda: Interval(HALF, HALF - 0.1), r"upper\[0, 0, 0\] = 0.4 is below lower, which is 0.5"),
        (lambda: Interval(HALF + 0.1, HALF + 0.2), r"no distribution fits at \[0, 0\]: lower sums to 1.2"),
        (lambda: Interval(HALF - 0.2, HALF - 0.1), r"no distribution fits at \[0, 0\]: upper sums to 0.8"),
        (lambda: Finite(HALF), r"expected \(k, S, A, S\)"),
        (lambda: Finite([HALF, 2 * HALF]), r"P\[1, 0, 0\] is not a probability vector"),
        (lambda: RobustMDP(garnet(), L1(HALF, 0.1)), "the set has kernels of shape"),
        (lambda: RobustMDP(MDP([[[1, 0]], [[0, 1]]], [[0], [0]], 0.5), L1(HALF, 0.9)), r"nominal P\[0, 0\].*by 0.1"),
        (lambda: RobustMDP(MDP([HALF, HALF], np.zeros((2, 2, 1)), 0.5), L1(HALF, 1)), "one dense nominal"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InvalidModel, match=message):
        make()
