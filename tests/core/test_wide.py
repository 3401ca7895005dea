"""Wide numbers: exact where they say so, and never rounded to float64 unnoticed."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, PolicyEvaluation
from mdptk.core import exact
from mdptk.core.exact import WIDE
from mdptk.core.wide import LONGEST, Number, PrecisionLost, is_wide, meant, wide, widened
from mdptk.problems.constrained import constrained_two_state
from mdptk.problems.garnet import garnet
from mdptk.solve import solve

FRACTIONS = st.fractions(min_value=-5, max_value=5, max_denominator=50)


@settings(max_examples=50)
@given(FRACTIONS, FRACTIONS)
def test_rational_operations_are_those_of_fractions(x, y):
    a, b = Number(x), Number(y)
    for got, wanted in ((a + b, x + y), (a - b, x - y), (a * b, x * y), (1 - a, 1 - x), (abs(a), abs(x)), (-a, -x)):
        assert got.x == wanted
        assert got.exact
    if y:
        assert (a / b).x == x / y
        assert (a**-2).x == x**-2 if x else math.isinf((a**-2).x)
    assert (a < b, a <= b, a == b) == (x < y, x <= y, x == y)
    assert int(Number(Fraction(math.floor(x)))) == math.floor(x)
    assert (math.ceil(a), math.floor(a)) == (math.ceil(x), math.floor(x))


@settings(max_examples=30)
@given(st.fractions(min_value=Fraction(1, 50), max_value=5, max_denominator=50))
def test_the_others_have_sixty_digits(x):
    with mpmath.workdps(80):
        for got, wanted in (
            (Number(x).log(), mpmath.log),
            (Number(x).exp(), mpmath.exp),
            (Number(x).sqrt(), mpmath.sqrt),
        ):
            true = wanted(mpmath.mpf(x.numerator) / x.denominator)
            assert abs(mpmath.mpf(got.x.numerator) / got.x.denominator - true if got.exact else got.x - true) < 1e-57
    assert (Number(x * x).sqrt()).x == x
    assert Number(Fraction(1)).log().exact


def test_division_by_zero_is_as_in_float64():
    zero, one = Number.of(0), Number.of(1)
    assert math.isinf((one / zero).x)
    assert (-one / zero).x < 0
    assert (zero / zero).x != (zero / zero).x
    assert math.isinf((zero ** Number(Fraction(-1, 2))).x)


def test_no_float64_gets_in_or_out():
    x = Number(Fraction(1, 3))
    assert (x * 0.5).x == Fraction(1, 6)
    assert (x < 0.1) is False
    for lossy in (lambda: x * (1 / 3), lambda: float(x), lambda: int(x)):
        with pytest.raises(PrecisionLost):
            lossy()
    with pytest.raises(ValueError, match="setting an array element") as wrapped:
        np.asarray(wide([1, x]), dtype=float)
    assert isinstance(wrapped.value.__cause__, PrecisionLost)
    with pytest.raises(PrecisionLost, match="of type str"):
        Number.of("1")
    with pytest.raises(PrecisionLost, match="too close to a whole number"):
        math.ceil(Number(Fraction(1, 3)).exp().log() * 3)


def test_long_rationals_are_rounded():
    x = Number(Fraction(1, 3)) ** 10
    assert x.exact
    for _ in range(20):
        x = x * x
    assert not x.exact
    assert (Number(Fraction(1, 2)) ** (LONGEST - 2)).exact


def test_floats_are_read_as_what_they_stand_for():
    assert [x.x for x in meant([1 / 3, 0.1, -2 / 7, math.pi])] == [
        Fraction(1, 3), Fraction(1, 10), Fraction(-2, 7), Fraction(math.pi),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2)])
def test_systems_are_solved_exactly(shape):
    rng = np.random.default_rng(0)
    M, b = wide(rng.integers(-4, 5, size=shape)), wide(rng.integers(-4, 5, size=shape))
    assert (M @ WIDE.linalg.solve(M, b) == b).all()
    with pytest.raises(PrecisionLost, match="singular"):
        WIDE.linalg.solve(wide(np.ones((2, 2))), wide(np.ones((2, 1))))


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_least_squares_of_least_norm(rank):
    rng = np.random.default_rng(rank)
    A = rng.integers(-3, 4, size=(3, rank)) @ rng.integers(-3, 4, size=(rank, 3))
    b = rng.integers(-3, 4, size=3)
    (x,) = WIDE.linalg.lstsq(wide(A), wide(b))
    np.testing.assert_allclose([y.nearest for y in x], np.linalg.lstsq(A, b, rcond=None)[0], atol=1e-12)


def test_eigenvalues():
    A = np.array([[2, 1], [1, 2]])
    np.testing.assert_allclose([x.nearest for x in WIDE.linalg.eigvalsh(wide(A))], [1, 3])


def test_a_wide_model_is_exact():
    mdp = garnet(S=4, A=2)
    twin = widened(mdp)
    assert is_wide(twin.P)
    assert (twin.P.sum(-1) == 1).all()
    best = exact.optimal(twin)
    np.testing.assert_allclose([x.nearest for x in best.v], solve(mdp, tol=1e-12).value, rtol=1e-11)
    backup = twin.q(best.v).max(-1)
    assert (backup == best.v).all()  # to the last bit, of which there are many
    assert all(x.exact for x in best.v)


def test_a_wide_evaluation_is_on_policy_where_the_model_is():
    mdp = garnet(S=4, A=2)
    twin = widened(PolicyEvaluation(mdp))
    P, _ = exact.chain(twin.mdp, twin.pi)
    assert (twin.D @ P == twin.D).all()
    off = PolicyEvaluation(mdp, D=[0.7, 0.1, 0.1, 0.1])
    assert [x.x for x in widened(off).D] == [Fraction(7, 10), *[Fraction(1, 10)] * 3]


def test_there_is_no_wide_model_of_everything():
    for model in (constrained_two_state(), MDP(np.ones((1, 1, 1)), [[1.0]], 0.5).dense()):
        if isinstance(model, MDP):
            widened(model)
            continue
        with pytest.raises(PrecisionLost, match="no wide model"):
            widened(model)
