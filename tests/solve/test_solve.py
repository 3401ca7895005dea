"""`solve` and its certificates against exact rational solutions of the stored floats."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import mdptk.solve
from mdptk.core.errors import InvalidHyperparameter, InvalidModel, MdptkError, NotConverged
from mdptk.core.exact import optimal
from mdptk.core.models import MDP, AverageRewardMDP, FiniteHorizonMDP
from mdptk.problems.chain import combination_lock
from mdptk.problems.evaluation import baird
from mdptk.problems.garnet import garnet
from mdptk.problems.gridworld import frozen_lake, gridworld
from mdptk.problems.jao import jao
from mdptk.problems.riverswim import episodic_riverswim, riverswim
from mdptk.problems.teaching import coin, two_state
from mdptk.solve import Solution, solve
from mdptk.solve.certificates import bracket, bracket_gain, bracket_stages, float_above, float_below
from mdptk.solve.solution import Unsupported
from tests.solve.enumeration import dot, fractions, gauss

many = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
some = settings(max_examples=80, deadline=None)

# exact answers ---------------------------------------------------------------------------------------------------


def exact_value(mdp, actions):
    P, r, gamma = fractions(mdp.dense().P), fractions(mdp.r), Fraction(mdp.gamma)
    S = mdp.S
    M = [[(s == t) - gamma * P[s][actions[s]][t] for t in range(S)] for s in range(S)]
    return gauss(M, [r[s][actions[s]] for s in range(S)])


def exact_optimum(mdp, actions):
    """Policy iteration in rationals, from `actions`; for the stored matrix, whatever its rows sum to."""
    P, r, gamma = fractions(mdp.dense().P), fractions(mdp.r), Fraction(mdp.gamma)
    actions = [int(a) for a in actions]
    while True:
        v = exact_value(mdp, actions)
        q = [[r[s][a] + gamma * dot(P[s][a], v) for a in range(mdp.A)] for s in range(mdp.S)]
        better = [max(range(mdp.A), key=row.__getitem__) for row in q]
        if all(row[b] <= value for row, b, value in zip(q, better, v, strict=True)):
            return v
        actions = [b if row[b] > row[a] else a for row, a, b in zip(q, actions, better, strict=True)]


def exact_stages(problem):
    P, r = fractions(problem.P), fractions(problem.r)
    v = [[Fraction(0)] * problem.S]
    for h in reversed(range(problem.H)):
        v.insert(0, [max(r[h][s][a] + dot(P[h][s][a], v[0]) for a in range(problem.A)) for s in range(problem.S)])
    return v


def exact_gain(problem):
    """The best gain over all deterministic policies of a unichain model, rows divided by their sums."""
    P, r, S = fractions(problem.P), fractions(problem.r), problem.S
    best = None
    for actions in product(range(problem.A), repeat=S):
        rows = [[x / sum(P[s][a]) for x in P[s][a]] for s, a in enumerate(actions)]
        # unknowns g, h[1], ..., h[S - 1]: g + h = r + P h with h[0] = 0
        M = [[Fraction(1)] + [(s == t) - rows[s][t] for t in range(1, S)] for s in range(S)]
        g = gauss(M, [r[s][a] for s, a in enumerate(actions)])[0]
        best = g if best is None else max(best, g)
    return best


def between(lower, value, upper):
    return all(
        Fraction(float(a)) <= x <= Fraction(float(b))
        for a, x, b in zip(np.ravel(lower), value, np.ravel(upper), strict=True)
    )


# models ----------------------------------------------------------------------------------------------------------


def rows(draw, S, rng):
    """One row of probabilities, of every kind that has bitten anybody."""
    kind = draw(st.sampled_from(["random", "point", "thirds", "decimal", "heavy", "light", "tiny", "uniform"]))
    p = rng.dirichlet(np.ones(S))
    if kind == "point" or S == 1:
        return np.eye(S)[rng.integers(S)]
    if kind == "thirds":  # 1/3 in nine decimals: sums to one within 1e-9
        p = np.zeros(S)
        p[rng.choice(S, size=min(3, S), replace=False)] = round(1 / min(3, S), 9)
        return p
    if kind == "decimal":
        p = p.round(10)
        return p if abs(p.sum() - 1) < 9e-10 else np.eye(S)[0]
    if kind == "heavy":
        return p / p.sum() * (1 + 9e-10)
    if kind == "light":
        return p / p.sum() * (1 - 9e-10)
    if kind == "tiny":
        p = np.full(S, 1e-300)
        p[rng.integers(S)] = 1.0
        return p
    return np.full(S, 1 / S) if kind == "uniform" else p


@st.composite
def models(draw, max_S=5, discounts=(0.0, 0.3, 0.5, 0.9, 0.99, 0.999)):
    S, A = draw(st.integers(1, max_S)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P = np.array([[rows(draw, S, rng) for _ in range(A)] for _ in range(S)])
    if draw(st.booleans()):  # state 0 absorbing
        P[0] = np.eye(S)[0]
    if S > 1 and draw(st.booleans()):  # the last state unreachable
        P[:-1, :, 0] += P[:-1, :, -1]
        P[:-1, :, -1] = 0
    kind = draw(st.sampled_from(["reals", "signs", "zero", "equal actions", "constant"]))
    r = rng.uniform(-1, 1, (S, A))
    if kind == "signs":
        r = rng.integers(-1, 2, (S, A)).astype(float)
    elif kind == "zero":
        r = np.zeros((S, A))
    elif kind == "equal actions":
        P, r = np.repeat(P[:, :1], A, axis=1), np.repeat(r[:, :1], A, axis=1)
    elif kind == "constant":
        r = np.full((S, A), 0.7)
    scale = 10.0 ** draw(st.integers(-12, 12))
    return MDP(P, r * scale, draw(st.sampled_from(discounts)))


methods = st.sampled_from(["auto", "vi", "pi", "mpi"])


# certificates ----------------------------------------------------------------------------------------------------


@many
@given(
    models(discounts=(0.0, 0.3, 0.9, 0.999, 1 - 1e-6, 1 - 1e-9)),
    st.integers(0, 2**32 - 1),
    st.integers(-12, 16),
    st.booleans(),
)
def test_bracket_holds_for_any_guess(mdp, seed, digits, sparse):
    """From far away, and from as near as float64 allows, where only rounding is left."""
    v = exact_optimum(mdp, np.zeros(mdp.S, int))
    guess = np.array([float(x) for x in v])
    guess += np.random.default_rng(seed).standard_normal(mdp.S) * abs(guess).max() * 10.0**-digits
    stored = MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma) if sparse else mdp
    b = bracket(stored, guess)
    assert between(b.lower, v, b.upper)
    policy = exact_value(mdp, b.actions)
    assert all(Fraction(float(x)) <= y for x, y in zip(b.lower, policy, strict=True))


@many
@given(
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.5, 0.999, 1 - 1e-6, 1 - 1e-9]),
    st.sampled_from([1.0, 1 - 9e-10, 1 + 9e-10]),
    st.integers(-12, 16),
)
def test_nothing_but_rounding(S, seed, gamma, total, digits):
    """Equal rows and equal rewards: exact bounds would meet in V* = r / (1 - gamma sum(p)), from every flat guess.

    So whatever a bound gives up here was given up to rounding, and rounding that is not accounted for shows.
    """
    rng = np.random.default_rng(seed)
    p, r = rng.dirichlet(np.ones(S)) * total, rng.uniform(-1, 1)
    mdp = MDP(np.broadcast_to(p, (S, 1, S)), np.full((S, 1), r), gamma)
    v = Fraction(r) / (1 - Fraction(gamma) * sum(fractions(mdp.P[0, 0])))
    b = bracket(mdp, np.full(S, float(v) * (1 + rng.standard_normal() * 10.0**-digits)))
    assert between(b.lower, [v] * S, b.upper)


@some
@given(models(discounts=(0.5, 0.99)), st.integers(0, 2**32 - 1))
def test_bracket_is_as_close_as_the_guess(mdp, seed):
    """The width is at most that of the classical bounds, 2 gamma |e| (1 + gamma) / (1 - gamma) for an error e."""
    v = np.array([float(x) for x in exact_optimum(mdp, np.zeros(mdp.S, int))])
    scale = abs(mdp.r).max() / (1 - mdp.gamma)
    error = np.random.default_rng(seed).uniform(-1, 1, mdp.S) * scale * 1e-3
    gamma = mdp.gamma
    room = 1e-9 * scale / (1 - gamma)  # rows sum to one within 1e-9
    assert bracket(mdp, v + error).width <= 2 * gamma * (1 + gamma) / (1 - gamma) * abs(error).max() + room + 1e-300


def test_a_guess_must_be_finite_numbers():
    with pytest.raises(InvalidModel, match="2 finite numbers"):
        bracket(two_state(), [0.0, np.nan])
    with pytest.raises(InvalidModel, match="2 finite numbers"):
        bracket(two_state(), [0.0])
    with pytest.raises(InvalidModel, match="2 finite numbers"):
        bracket_gain(jao(), [0.0])


def test_no_contraction_no_bounds():
    """gamma times a row that sums to 1 + 9e-10 exceeds one: the stored matrix has no optimal value."""
    mdp = MDP([[[1 + 9e-10]]], [[1.0]], 1 - 1e-10)
    for method in ("vi", "pi", "mpi"):
        with pytest.raises(NotConverged, match="no contraction") as caught:
            solve(mdp, method=method)
        assert caught.value.reached == np.inf


@given(st.fractions(min_value=-(10**6), max_value=10**6))
def test_directed_rounding(x):
    wide = np.longdouble(x.numerator) / np.longdouble(x.denominator)
    low, high = float_below(wide), float_above(wide)
    assert low <= wide <= high
    assert high in (low, np.nextafter(low, np.inf))


def test_directed_rounding_beyond_float64():
    assert float_above(np.longdouble(np.inf)) == np.inf
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        assert float_below(np.longdouble(10) ** 310) == np.finfo(float).max
        assert float_above(np.longdouble(10) ** 310) == np.inf


# discounted models -----------------------------------------------------------------------------------------------


@many
@example(mdp=riverswim(5, gamma=0.999), digits=8, relative=False, method="auto", sparse=False)
@example(mdp=combination_lock(5, gamma=0.999), digits=10, relative=False, method="vi", sparse=True)
@example(mdp=coin(gamma=0.999), digits=10, relative=False, method="mpi", sparse=False)
@example(mdp=MDP([[[1.0]]], [[1e12]], 0.999), digits=10, relative=False, method="pi", sparse=False)
@example(
    mdp=MDP(
        [
            [[1 - 9e-10]],
        ],
        [[1.0]],
        0.999,
    ),
    digits=9,
    relative=False,
    method="vi",
    sparse=False,
)
@given(mdp=models(), digits=st.integers(2, 10), relative=st.booleans(), method=methods, sparse=st.booleans())
def test_bounds_hold_or_not_converged(mdp, digits, relative, method, sparse):
    """lower <= V* <= upper, at most tol apart, and the policy is worth at least `lower`: exactly, in rationals."""
    tol = 10.0**-digits
    if relative:
        tol *= max(abs(mdp.r).max(), 1e-13)
    if method == "vi" and digits > 6:  # tens of thousands of sweeps at 0.999: two of them are examples
        mdp = replace(mdp, gamma=min(mdp.gamma, 0.99)) if mdp.S > 1 else mdp
    stored = MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma) if sparse else mdp
    try:
        solution = solve(stored, tol=tol, method=method)
    except NotConverged as error:
        failure = error
    else:
        failure = None
    if failure is not None:
        assert failure.reached > tol
        # the reason must be the resolution of float64 at the size of the values, amplified at most 1 / (1 - gamma)
        size = abs(mdp.r).max() / (1 - mdp.gamma)
        assert tol < 64 * np.finfo(float).eps * size / (1 - mdp.gamma)
        return
    assert solution.width <= tol
    assert (solution.lower <= solution.value).all()
    assert (solution.value <= solution.upper).all()
    actions = solution.policy.argmax(-1)
    assert (solution.policy == np.eye(mdp.A)[actions]).all()
    assert between(solution.lower, exact_optimum(mdp, actions), solution.upper)
    policy = exact_value(mdp, actions)
    assert all(Fraction(float(x)) <= y for x, y in zip(solution.lower, policy, strict=True))


@some
@given(models(discounts=(0.9, 0.99)))
def test_policy_iteration_reaches_the_last_digits(mdp):
    """The residual is known to 1e-19 and the horizon is at most 100: two ulps of float64 remain on either side."""
    if np.finfo(np.longdouble).eps == np.finfo(float).eps:
        pytest.skip("no float wider than float64 on this machine")
    size = max(abs(mdp.r).max(), *(abs(float(x)) for x in exact_optimum(mdp, np.zeros(mdp.S, int))))
    assert solve(mdp, tol=max(4 * np.spacing(size), 1e-300), method="pi").iterations <= 50


@pytest.mark.parametrize("method", ["vi", "pi", "mpi"])
@pytest.mark.parametrize("problem", [garnet, riverswim, combination_lock, gridworld, frozen_lake, coin, two_state])
def test_methods_agree_with_the_kernel(problem, method):
    mdp = problem()
    solution = solve(mdp, method=method)
    assert solution.method == method
    np.testing.assert_allclose(solution.value, optimal(mdp).v, rtol=0, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["vi", "pi", "mpi"]))
def test_sparse_equals_dense(seed, method):
    mdp = garnet(S=30, A=3, b=4, seed=seed)
    csr = MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma)
    dense, sparse = solve(mdp, method=method, tol=1e-11), solve(csr, method=method, tol=1e-11)
    assert (dense.lower <= sparse.upper).all()
    assert (sparse.lower <= dense.upper).all()
    np.testing.assert_array_equal(dense.policy, sparse.policy)


def test_modified_policy_iteration_on_a_long_sparse_lock():
    """News takes 2000 sweeps to cross: a lack of progress in the residual must not pass for convergence or failure."""
    n, gamma = 2000, 0.999
    s = np.arange(n)
    P = sp.csr_array((np.ones(2 * n), (np.r_[2 * s, 2 * s + 1], np.r_[0 * s, np.minimum(s + 1, n - 1)])))
    r = np.zeros((n, 2))
    r[-1, 1] = 1
    solution = solve(MDP(P, r, gamma), tol=1e-6, method="mpi")
    np.testing.assert_allclose(solution.value, gamma ** (n - 1.0 - s) / (1 - gamma), rtol=0, atol=1e-6)


def test_value_and_modified_policy_iteration_as_printed():
    """The sweeps against loops over the pseudo-code."""
    from mdptk.solve import _modified_policy_iteration as mpi
    from mdptk.solve import _value_iteration as vi

    mdp = garnet(S=4, A=3, b=2, seed=3)
    v = np.arange(4.0)
    S, A = range(4), range(3)
    q = [[mdp.r[s, a] + mdp.gamma * sum(mdp.P[s, a, t] * v[t] for t in S) for a in A] for s in S]
    np.testing.assert_allclose(vi.step(mdp, v, mdp.q(v)), [max(q[s]) for s in S], rtol=1e-14)
    pi = [max(A, key=q[s].__getitem__) for s in S]
    u = [max(q[s]) for s in S]
    for _ in range(mpi.INNER):
        u = [mdp.r[s, pi[s]] + mdp.gamma * sum(mdp.P[s, pi[s], t] * u[t] for t in S) for s in S]
    np.testing.assert_allclose(mpi.step(mdp, v, mdp.q(v)), u, rtol=1e-14)


def test_newton_is_policy_evaluation():
    """One step of Howard's method lands on the value of the greedy policy, from anywhere."""
    from mdptk.core.exact import evaluate, greedy
    from mdptk.solve._policy_iteration import newton

    mdp = garnet(seed=5)
    v = np.random.default_rng(0).standard_normal(mdp.S)
    q = mdp.q(v)
    step = v + newton(mdp, q.argmax(-1), q.max(-1) - v)
    np.testing.assert_allclose(step, evaluate(mdp, greedy(q)), rtol=1e-12)


# stages ----------------------------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(models(max_S=4), st.integers(1, 5), st.integers(2, 10))
def test_stages_bounds_hold_or_not_converged(mdp, H, digits):
    problem = mdp.episodic(H)
    tol = 10.0**-digits
    b = bracket_stages(problem)
    v = exact_stages(problem)
    assert between(b.lower, [x for row in v for x in row], b.upper)
    if b.width <= tol:
        solution = solve(problem, tol=tol)
        assert solution.value.shape == (H + 1, mdp.S)
        assert not solution.value[-1].any()
        assert solution.policy.shape == problem.r.shape
        assert solution.iterations == H
        assert solution.width <= tol
    else:
        assert tol < 1e-11 * abs(mdp.r).max() * H
        with pytest.raises(NotConverged) as caught:
            solve(problem, tol=tol)
        assert caught.value.reached == b.width


def test_stages_agree_with_the_kernel():
    problem = episodic_riverswim()
    solution, optimum = solve(problem), optimal(problem)
    np.testing.assert_allclose(solution.value, optimum.v, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(solution.policy[0], optimum.pi[0])
    assert solution.method == "backward"


# average reward --------------------------------------------------------------------------------------------------


@st.composite
def unichain(draw):
    """Every action has some chance to lead to state 0, or all is a ring: periodic."""
    mdp = draw(models(max_S=3, discounts=(0.0,)))
    if draw(st.booleans()):
        P = 0.8 * mdp.P / mdp.P.sum(-1, keepdims=True)
        P[:, :, 0] += 0.2
    else:
        P = np.repeat(np.roll(np.eye(mdp.S), 1, axis=1)[:, None], mdp.A, axis=1)
    total = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).choice([1.0, 1 - 9e-10, 1 + 9e-10], mdp.r.shape)
    return AverageRewardMDP(P * total[:, :, None], mdp.r)


@settings(max_examples=120, deadline=None)
@given(unichain(), st.integers(0, 2**32 - 1), st.integers(2, 10))
def test_gain_bounds_hold_or_not_converged(problem, seed, digits):
    g = exact_gain(problem)
    scale = abs(problem.r).max()
    b = bracket_gain(problem, np.random.default_rng(seed).standard_normal(problem.S) * scale)
    assert between(b.lower, [g] * problem.S, b.upper)
    tol = 10.0**-digits * max(scale, 1e-13)
    solution = solve(problem, tol=tol)
    assert solution.width <= tol
    assert between(solution.lower, [g] * problem.S, solution.upper)


def test_gain_of_jao():
    A, delta, epsilon = 3, 0.1, 0.05
    solution = solve(jao(A, delta, epsilon), tol=1e-12)
    np.testing.assert_allclose(solution.value, (delta + epsilon) / (2 * delta + epsilon), rtol=0, atol=1e-12)
    assert solution.policy[0].argmax() == A - 1


def test_a_multichain_gain_has_a_value_per_state():
    problem = AverageRewardMDP([[[1, 0]], [[0, 1]]], [[0], [1]])
    for method in ("rvi", "pi", "lp", "lp-dual"):
        np.testing.assert_allclose(solve(problem, method=method).value, [0, 1], rtol=0, atol=1e-15)


def test_sparse_gain_equals_dense():
    mdp = garnet(S=20)
    dense = AverageRewardMDP(mdp.P, mdp.r)
    sparse = AverageRewardMDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r)
    a, b = solve(dense, tol=1e-10), solve(sparse, tol=1e-10)
    assert a.lower[0] <= b.upper[0]
    assert b.lower[0] <= a.upper[0]


# the front door --------------------------------------------------------------------------------------------------


def test_auto_says_what_it_picked():
    small = garnet()
    assert solve(small).method == "pi"
    assert "10 states" in solve(small).reason
    large = solve(garnet(S=600, A=2))
    assert large.method == "mpi"
    assert "above 500" in large.reason
    csr = MDP(sp.csr_array(small.P.reshape(-1, small.S)), small.r, small.gamma)
    assert solve(csr).method == "pi"
    assert "sparse, 10 states" in solve(csr).reason
    assert solve(small, method="vi").reason == "asked for"


@pytest.mark.parametrize("method", ["vi", "pi", "mpi"])
def test_below_the_resolution_of_floats(method):
    """Values near 1e15 are 0.125 apart in float64: nothing below that is promised, and what was reached is said."""
    mdp = MDP(riverswim().P, riverswim().r * 1e14, 0.9)
    with pytest.raises(NotConverged, match="tol = 1e-08") as caught:
        solve(mdp, method=method)
    assert 1e-8 < caught.value.reached < 1e3
    assert solve(mdp, tol=1e3, method=method).width <= 1e3


@pytest.mark.parametrize("method", ["vi", "pi", "mpi"])
def test_values_that_overflow(method):
    with pytest.raises(NotConverged) as caught:
        solve(MDP([[[1.0]]], [[1e308]], 0.99), method=method)
    assert caught.value.reached == np.inf


def test_gamma_next_to_one():
    mdp = MDP(np.full((2, 1, 2), 0.5), [[1.0], [0.0]], 1 - 2.0**-53)
    with pytest.raises(NotConverged):
        solve(mdp, tol=1e-3)


def test_what_it_does_not_solve():
    with pytest.raises(Unsupported, match=r"PolicyEvaluation; it solves MDP, .*AverageRewardMDP, .*CMDP"):
        solve(baird())
    with pytest.raises(TypeError):
        solve(3)
    with pytest.raises(MdptkError):
        solve(None)
    two = two_state()
    batch = MDP(np.stack([two.P, two.P]), np.stack([two.r, two.r]), 0.5)
    for problem in (batch, batch.episodic(3), AverageRewardMDP(batch.P, batch.r)):
        with pytest.raises(InvalidModel, match="one model at a time"):
            solve(problem)


@pytest.mark.parametrize("tol", [0.0, -1.0, np.nan, np.inf])
def test_tolerances_are_positive(tol):
    with pytest.raises(InvalidHyperparameter, match=r"tol = .* is not a positive number"):
        solve(two_state(), tol=tol)


@pytest.mark.parametrize("problem", [two_state(), two_state().episodic(2), jao()])
def test_unknown_method(problem):
    with pytest.raises(InvalidHyperparameter, match=r"'simplex' is not one of"):
        solve(problem, method="simplex")


def test_a_solution_is_read_only():
    solution = solve(two_state())
    assert isinstance(solution, Solution)
    for x in (solution.value, solution.policy, solution.lower, solution.upper):
        assert x.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 1
    assert repr(solution).startswith("Solution(method='pi', iterations=")
    assert solution.seconds > 0


def test_the_package_is_the_function():
    """`mdptk.solve(...)` works although `mdptk.solve` is also the package."""
    assert mdptk.solve(two_state()).width <= 1e-8


def test_import_costs_numpy_only():
    code = "import sys, mdptk.solve, mdptk.problems.garnet; print({'scipy', 'jax', 'cvxpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@some
@given(models(max_S=3), methods)
def test_deterministic(mdp, method):
    assume(abs(mdp.r).max() < 1e3)
    try:
        a, b = solve(mdp, tol=1e-4, method=method), solve(mdp, tol=1e-4, method=method)
    except NotConverged:
        return
    np.testing.assert_array_equal(a.lower, b.lower)
    np.testing.assert_array_equal(a.policy, b.policy)


def test_stage_dependent_models():
    """A reward that only the last stage pays is worth the same at every earlier stage."""
    P = np.ones((3, 1, 1, 1))
    problem = FiniteHorizonMDP(P, np.array([0.0, 0.0, 1.0]).reshape(3, 1, 1))
    np.testing.assert_allclose(solve(problem).value[:, 0], [1, 1, 1, 0], rtol=0, atol=1e-15)
