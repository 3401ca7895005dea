"""Worst cases: closed forms of the literature, the instances that attain them, and random instances that stay below."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, InvalidHyperparameter, run
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.worst_case import (
    BellmanOperators,
    BilinearGames,
    BinaryLosses,
    ConstrainedSmoothConvex,
    Contractions,
    Hedge,
    MaxNormContractions,
    ProjectedDescent,
    ProjectedGradient,
    SmoothConvex,
    anchored,
    averaged,
    extragradient,
    gradient,
    momentum,
    nesterov,
    optimistic,
    picard,
)
from mdptk.worst_case.certify import is_positive_definite, linear_bound, shift
from mdptk.worst_case.losses import regret

SDP = 1e-6  # Clarabel stops at 1e-11, but the certificate pays for it with bounds on norms that are crude
LP = 1e-8  # HiGHS's tolerance is 1e-7 for single constraints; these programs are solved at a vertex


def sure(found, expected, tolerance):
    """Certified, just above what is expected and not below what was attained."""
    assert found.certified
    assert isinstance(found.upper, Fraction)
    assert found.value == pytest.approx(expected, rel=tolerance)
    assert expected * (1 - 1e-12) <= found.upper <= expected * (1 + tolerance)
    assert not found.lower > float(found.upper) * (1 + 1e-9)


# methods ----------------------------------------------------------------------------------------------------------


def test_tables_are_the_methods():
    """On a model: the table of value iteration does what the solver does, and anchoring what its display says."""
    mdp = garnet()
    backup = lambda v: mdp.q(v).max(-1)  # noqa: E731
    v0 = np.zeros(mdp.S)
    x, g = picard(5).run(backup, v0)
    np.testing.assert_allclose(x, run(ValueIteration(), mdp, 5)["v"][0], rtol=1e-13)
    np.testing.assert_allclose(g[:-1], x[1:], rtol=1e-13)
    v0 = np.arange(mdp.S) / 2
    v, gamma = v0, 0.9
    for k in range(1, 5):
        beta = 1 / sum(gamma ** (-2 * i) for i in range(k + 1))
        v = beta * v0 + (1 - beta) * backup(v)
    np.testing.assert_allclose(anchored(4, gamma).run(backup, v0)[0][-1], v, rtol=1e-13)
    before = v = v0
    for _ in range(4):
        before, v = v, backup(v + 0.3 * (v - before))
    np.testing.assert_allclose(momentum(4, 0.3).run(backup, v0)[0][-1], v, rtol=1e-13)
    v = v0
    for _ in range(4):
        v = 0.75 * v + 0.25 * backup(v)
    np.testing.assert_allclose(averaged(4, "1/4").run(backup, v0)[0][-1], v, rtol=1e-13)


def test_tables_of_gradient_methods():
    A = np.array([[2.0, 1.0], [-1.0, 0.5]])
    F, z0 = (lambda z: A @ z), np.array([1.0, -2.0])
    eta, z, y = 0.1, z0, z0
    for _ in range(3):
        z = z - eta * F(z - eta * F(z))
        y = y - eta * F(y)
    np.testing.assert_allclose(extragradient(3, eta).run(F, z0)[0][-1], z, rtol=1e-13)
    np.testing.assert_allclose(gradient(3, eta).run(F, z0)[0][-1], y, rtol=1e-13)
    z, seen = z0, F(z0)
    for _ in range(3):
        z, seen = z - 2 * eta * F(z) + eta * seen, F(z)
    np.testing.assert_allclose(optimistic(3, eta).run(F, z0)[0][-1], z, rtol=1e-13)
    x = before = z0
    for k in range(4):
        y = x + max(k - 1, 0) / (k + 2) * (x - before)
        before, x = x, y - eta * F(y)
    np.testing.assert_allclose(nesterov(4, eta).run(F, z0)[0][-1], x, rtol=1e-13)


# closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [1, 4])
def test_gradient_descent(N):
    """L R^2 / (4 N + 2) for steps of 1/L: Drori and Teboulle 2014, Theorem 3.1, and the function that attains it."""
    L = 3
    found = SmoothConvex(L).worst_case(gradient(N, Fraction(1, L)))
    sure(found, L / (4 * N + 2), SDP)
    tau = 1 / (2 * N + 1)
    huber = lambda x: L * x**2 / 2 if abs(x) <= tau else L * tau * abs(x) - L * tau**2 / 2  # noqa: E731
    x, _ = gradient(N, Fraction(1, L)).run(lambda x: L * np.clip(x, -tau, tau), np.ones(1))
    assert huber(float(x[-1, 0])) == pytest.approx(L / (4 * N + 2), rel=1e-12)


@pytest.mark.parametrize(("N", "eta"), [(1, "1/3"), (3, "1/3"), (2, "1/5")])
def test_projected_gradient(N, eta):
    """1 / (4 N eta): a linear function on a half-line attains it, by being run. L / (4 N) for steps of 1/L."""
    method = ProjectedGradient(N, eta)
    found = ConstrainedSmoothConvex(3).worst_case(method)
    expected = 1 / (4 * N * Fraction(eta))
    sure(found, float(expected), SDP)
    assert found.lower == pytest.approx(float(expected), rel=1e-12)
    assert found.upper > SmoothConvex(3).worst_case(gradient(N, eta)).upper


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_no_quadratic_on_a_ball_or_a_box_is_worse(seed):
    """Long steps, too; the minimiser in the set by many steps."""
    rng = np.random.default_rng(seed)
    M = rng.normal(size=(2, 2)) * rng.choice([0.1, 1.0])
    Q = M @ M.T
    Q, b = Q / max(1.0, np.linalg.eigvalsh(Q)[-1]), rng.normal(size=2) * rng.choice([0.1, 1.0, 10.0])
    f = lambda x: x @ Q @ x / 2 - b @ x  # noqa: E731
    ball = lambda y: y / max(1.0, np.linalg.norm(y))  # noqa: E731
    project = ball if rng.random() < 0.5 else lambda y: np.clip(y, -0.5, 0.7)
    best = start = project(rng.normal(size=2) * 2)
    for _ in range(2000):
        best = project(best - (Q @ best - b))
    x, eta = start, float(rng.choice([1.0, 1.5]))
    for _ in range(2):
        x = project(x - eta * (Q @ x - b))
    scale = max(1e-300, float((start - best) @ (start - best)))
    assert (f(x) - f(best)) / scale <= float(_projected(eta).upper) + 1e-9 / scale


@cache
def _projected(eta):
    return ConstrainedSmoothConvex(1).worst_case(ProjectedGradient(2, eta))


def test_acceleration_is_better_and_two_steps_are_gradient_steps():
    """Nesterov's first two steps have no momentum; later it wins."""
    sure(SmoothConvex(1).worst_case(nesterov(2, 1)), 1 / 10, SDP)
    assert SmoothConvex(1).worst_case(nesterov(6, 1)).upper < Fraction(1, 4 * 6 + 2)


@pytest.mark.parametrize("N", [1, 3])
def test_halpern(N):
    """Lieder 2021: the residual is at most 2 R / (N + 1), exactly."""
    sure(Contractions(1).worst_case(anchored(N), "residual"), 4 / (N + 1) ** 2, SDP)


@pytest.mark.parametrize("N", [1, 3])
def test_anchoring_contractions(N):
    r"""Park and Ryu 2022: :math:`(1 + \gamma) / \sum_{k \leq N} \gamma^{-k}` bounds the residual, exactly."""
    gamma = 0.8
    found = Contractions(gamma).worst_case(anchored(N, gamma), "residual")
    sure(found, ((1 + gamma) / sum(gamma**-k for k in range(N + 1))) ** 2, SDP)


@pytest.mark.parametrize("N", [1, 3])
def test_value_iteration(N):
    """gamma^N in every class, and a residual of (1 + gamma) gamma^N."""
    gamma = 0.9
    sure(Contractions(gamma).worst_case(picard(N)), gamma ** (2 * N), SDP)
    for family in (MaxNormContractions(gamma), BellmanOperators(gamma)):
        sure(family.worst_case(picard(N)), gamma**N, LP)
        sure(family.worst_case(picard(N), "residual"), (1 + gamma) * gamma**N, LP)


@pytest.mark.parametrize("N", [1, 4])
def test_bilinear_games(N):
    """Descent ascent: (1 + eta^2 L^2)^N. Extragradient: ((1 - s)^2 + s)^N at the smallest s = eta^2 sigma^2."""
    sure(BilinearGames(2).worst_case(gradient(N, 0.25)), (1 + 0.25**2 * 4) ** N, 1e-9)
    sure(BilinearGames(1).worst_case(extragradient(N, 0.5)), 1.0, 1e-9)
    s = 0.25 * 0.25
    sure(BilinearGames(1, "1/2").worst_case(extragradient(N, 0.5)), ((1 - s) ** 2 + s) ** N, 1e-9)
    assert BilinearGames(1, "1/2").worst_case(extragradient(N, 0.5)).instance == 0.5


def test_worst_game_inside_the_interval():
    """Extragradient's residual: sigma^2 (1 - eta^2 sigma^2 + eta^4 sigma^4)^N is largest inside for many steps."""
    found = BilinearGames(1).worst_case(extragradient(12, 0.7), "residual")
    sigma = np.linspace(0, 1, 100_001)
    s = 0.49 * sigma**2
    curve = sigma**2 * (1 - s + s**2) ** 12
    assert 0.1 < found.instance < 0.9
    sure(found, curve.max(), 1e-8)
    assert found.lower == pytest.approx(found.value, rel=1e-9)


# the maximum norm: what is attained, and what is not exceeded --------------------------------------------------------

METHODS = [picard(3), averaged(2), anchored(3), anchored(2, 0.9), momentum(3, 0.4)]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("measure", ["error", "residual"])
def test_the_worst_operator_attains_it(method, measure):
    """By running the method on it; and monotone operators are as bad as contractions."""
    bellman, contraction = (f(0.9).worst_case(method, measure) for f in (BellmanOperators, MaxNormContractions))
    for found in (bellman, contraction):
        assert found.lower == pytest.approx(found.value, rel=LP)
        sure(found, found.lower, LP)
    assert bellman.upper <= contraction.upper * (1 + Fraction(1, 10**8))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_worst_operator_is_one(seed):
    """It contracts, keeps the order and adds gamma c for c, at random points."""
    found, gamma = BellmanOperators(0.9).worst_case(anchored(2)), 0.9
    T, rng = found.instance, np.random.default_rng(seed)
    v, w = rng.normal(size=(2, len(T.start)))
    assert (T(v) - T(w)).max() <= gamma * (v - w).max() + 1e-9
    assert (T(v) <= T(np.maximum(v, w)) + 1e-9).all()
    np.testing.assert_allclose(T(v + 1), T(v) + gamma, atol=1e-9)
    np.testing.assert_allclose(T(np.zeros_like(v)), 0, atol=1e-9)
    assert abs(T.start).max() <= 1 + 1e-9


@cache
def _worst(family, method, measure):
    return family.worst_case(method, measure)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(METHODS))
def test_no_model_is_worse(seed, method):
    """Random models, with starts that are near, far or of alternating sign."""
    rng = np.random.default_rng(seed)
    S, A = rng.integers(1, 5, 2)
    P = rng.dirichlet(np.full(S, rng.choice([0.05, 1.0])), (S, A)) + 1e-300
    mdp = MDP(P / P.sum(-1, keepdims=True), rng.random((S, A)), 0.9)
    best = exact.optimal(mdp).v
    start = rng.choice([-1.0, 1.0], S) * rng.choice([1.0, rng.random()])
    x, g = method.run(lambda v: mdp.q(v + best).max(-1) - best, start)
    size = max(abs(start).max(), 1e-300)
    for measure, loss in (("error", abs(x[-1]).max()), ("residual", abs(x[-1] - g[-1]).max())):
        assert loss / size <= float(_worst(BellmanOperators(0.9), method, measure).upper) + 1e-9


# Euclidean spaces --------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(0.9, anchored(3)), (0.9, momentum(3, 0.4)), (0.9, averaged(3))]))
def test_no_linear_map_is_worse(seed, which):
    gamma, method = which
    rng = np.random.default_rng(seed)
    U, _, V = np.linalg.svd(rng.normal(size=(3, 3)))
    M = gamma * U @ np.diag(rng.choice([1.0, rng.random()], 3)) @ V
    start = rng.normal(size=3)
    x, g = method.run(lambda v: M @ v, start / np.linalg.norm(start))
    for measure, loss in (("error", x[-1] @ x[-1]), ("residual", ((x[-1] - g[-1]) ** 2).sum())):
        assert loss <= float(_worst(Contractions(gamma), method, measure).upper) + 1e-9


def test_worst_points_are_those_of_a_contraction():
    found = Contractions(0.9).worst_case(momentum(3, 0.4), "residual")
    x, g = (np.concatenate([y[: len(found.instance.g)], np.zeros((1, y.shape[1]))]) for y in found.instance)
    apart = lambda y: np.linalg.norm(y[:, None] - y, axis=-1)  # noqa: E731
    assert (apart(g) <= 0.9 * apart(x) + 1e-5).all()
    assert found.lower == pytest.approx(found.value, rel=SDP)


@pytest.mark.parametrize("method", [gradient(3, "3/2"), nesterov(3, 1)], ids=["long steps", "Nesterov"])
def test_no_huber_function_is_worse(method):
    """On the line, where the worst functions of gradient descent are: quadratic up to a kink, linear beyond."""
    upper = float(SmoothConvex(1).worst_case(method).upper)
    for kink in np.linspace(0.01, 1.5, 60):
        x, _ = method.run(lambda x, k=kink: np.clip(x, -k, k), np.ones(1))
        last = abs(float(x[-1, 0]))
        assert (last**2 / 2 if last <= kink else kink * last - kink**2 / 2) <= upper + 1e-12


# the simplex -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Hedge("1/2"), ProjectedDescent("1/4")], ids=["Hedge", "projected descent"])
@pytest.mark.parametrize("size", [(2, 5), (3, 3)])
def test_regret_against_all_sequences(method, size):
    """By playing against every sequence; dynamic programming sees no more and no less."""
    A, T = size
    found = BinaryLosses(A, T).worst_case(method)
    rows = list(product((0.0, 1.0), repeat=A))
    brute = max(regret(method, np.array(losses)) for losses in product(rows, repeat=T))
    sure(found, brute, 1e-9)
    assert found.lower == pytest.approx(brute, rel=1e-9)


@pytest.mark.parametrize("T", [4, 16])
def test_regret_bounds_of_textbooks(T):
    """log A / eta + eta T / 8 for Hedge; 1/(4 eta) + eta T / 4 for projected descent on two actions.

    On two actions the distance from the centre is 1/sqrt(2), and a loss without its mean is at most as long.
    """
    for eta in (Fraction(1, 10), Fraction(1, 2), Fraction(1)):
        assert BinaryLosses(2, T).worst_case(Hedge(eta)).upper <= np.log(2) / float(eta) + float(eta) * T / 8
        assert BinaryLosses(2, T).worst_case(ProjectedDescent(eta)).upper <= 1 / (4 * eta) + eta * T / 4
    assert BinaryLosses(2, 16).worst_case(ProjectedDescent("1/10")).upper == Fraction(29, 10)  # the bound, exactly


def test_nothing_to_lose_with_one_action():
    assert BinaryLosses(1, 5).worst_case(Hedge(1)).upper == 0


# certificates -------------------------------------------------------------------------------------------------------


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_definite_or_not(n, seed):
    rng = np.random.default_rng(seed)
    B = rng.integers(-3, 4, (n, n))
    M = [[Fraction(int(x)) for x in row] for row in B @ B.T + np.eye(n, dtype=int)]
    assert is_positive_definite(M)
    M[n - 1][n - 1] -= 100
    assert not is_positive_definite(M)


def test_singular_is_not_definite_and_is_shifted_by_little():
    Z = [[Fraction(1), Fraction(1)], [Fraction(1), Fraction(1)]]
    assert not is_positive_definite(Z)
    assert 0 < shift(Z) < Fraction(1, 10**12)


def test_wrong_multipliers_still_give_a_bound():
    """max x + y with x <= 1, y <= 1 and |x|, |y| <= 5: too small a multiplier is paid for by the box."""
    one = Fraction(1)
    rows = [({"x": one}, one), ({"y": one}, one)]
    c, box = {"x": one, "y": one}, {"x": 5 * one, "y": 5 * one}
    assert linear_bound(c, rows, [one, one], box) == 2
    assert linear_bound(c, rows, [one, one / 2], box) == 1 + Fraction(1, 2) + Fraction(5, 2)
    assert linear_bound(c, rows, [2 * one, one], box) == 2 + 1 + 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: picard(0), "steps = 0"),
        (lambda: anchored(2, 0), r"gamma = 0 is not in \(0, 1\]"),
        (lambda: gradient(2, "fast"), "'fast' is not a rational number"),
        (lambda: BellmanOperators(1.5).worst_case(picard(1)), "gamma = 1.5"),
        (lambda: Contractions(0).worst_case(picard(1)), "gamma = 0"),
        (lambda: SmoothConvex(-1).worst_case(gradient(1, 1)), "L = -1"),
        (lambda: ConstrainedSmoothConvex(1).worst_case(ProjectedGradient(0, 1)), "steps = 0"),
        (lambda: BilinearGames(1, 2).worst_case(gradient(1, 1)), "mu = 2"),
        (lambda: BinaryLosses(2, 0).worst_case(Hedge(1)), "T = 0"),
        (lambda: BinaryLosses(2, 2).worst_case(Hedge(0)), "eta = 0"),
    ],
)
def test_refused(make, message):
    with pytest.raises(InvalidHyperparameter, match=message):
        make()
