"""Tests of statistical statements: exact levels, by enumeration and by simulation with a fixed seed."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from mdptk import MDP, registry, run
from mdptk.problems.teaching import coins
from mdptk.theory.statistics import (
    SIGNIFICANCE,
    allowed_failures,
    binomial_p_value,
    corrected,
    detectable,
    holm,
    mean_at_least,
    mean_exceeds,
    power,
    repeats_needed,
)


@pytest.mark.parametrize("failures", range(6))
def test_binomial_p_value_by_enumeration(failures):
    want = sum(comb(5, k) * 0.3**k * 0.7 ** (5 - k) for k in range(failures, 6))
    assert binomial_p_value(failures, 5, 0.3) == pytest.approx(want)


def test_betting_never_accuses_the_truth_more_often_than_its_level():
    """Heavy-tailed values with mean exactly one: P(p <= 0.1) must be at most 0.1."""
    rng = np.random.default_rng(0)
    p = [mean_exceeds(rng.choice([0.0, 10.0], p=[0.9, 0.1], size=(50, 3)), np.ones(3)) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.1) <= 0.1


def test_betting_finds_a_mean_that_is_too_large():
    rng = np.random.default_rng(0)
    assert mean_exceeds(rng.exponential(2.0, size=(64, 1)), np.ones(1)) < 1e-4
    assert mean_exceeds(rng.exponential(1.0, size=(64, 1)), np.ones(1)) > 1e-4


def test_betting_at_the_edges():
    assert mean_exceeds(np.zeros((5, 1)), np.zeros(1)) == 1
    assert mean_exceeds(np.ones((1, 1)), np.zeros(1)) == 0
    assert mean_exceeds(np.ones((3, 2)), np.array([1.0, np.inf])) == 1


def test_the_mean_is_at_least_what_the_data_reject():
    """The bound is where the p-value crosses the level; and it is below the truth as often as promised."""
    rng = np.random.default_rng(0)
    x = rng.exponential(2.0, size=(256, 3))
    c = mean_at_least(x, np.ones(3))
    assert 1 < c < 2
    assert mean_exceeds(x, 0.999 * c * np.ones(3)) <= SIGNIFICANCE < mean_exceeds(x, 1.001 * c * np.ones(3))
    assert mean_at_least(x, 100 * np.ones(3)) == pytest.approx(c / 100, rel=1e-4)
    wrong = [mean_at_least(rng.exponential(1.0, size=(50, 2)), np.ones(2), 0.1) > 1 for _ in range(100)]
    assert np.mean(wrong) <= 0.1


def test_the_mean_is_at_least_at_the_edges():
    assert mean_at_least(np.zeros((5, 1)), np.ones(1)) == 0
    assert mean_at_least(np.ones((5, 1)), np.full(1, np.inf)) == 0
    assert mean_at_least(np.ones((5, 1)), np.zeros(1)) == np.inf
    assert mean_at_least(np.ones((1, 1)), np.ones(1)) < 1


# power ----------------------------------------------------------------------------------------------------------


def _tail(k, n, q):
    """P(at least k failures), by enumeration."""
    return sum(comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(k, n + 1))


def _power(n, delta, q, significance):
    """By enumeration of the numbers of failures that are rejected."""
    return sum(comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1) if _tail(k, n, delta) <= significance)


@pytest.mark.parametrize("delta", [0, 0.05, 0.3])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_power_by_enumeration(n, delta):
    for q in (0.1, 0.5, 1.0):
        assert power(n, delta, q, 0.01) == pytest.approx(_power(n, delta, q, 0.01), abs=1e-12)


@pytest.mark.parametrize(("n", "delta"), [(5, 0), (16, 0.05), (64, 0.1), (40, 0.3)])
def test_detectable_is_the_rate_with_that_power(n, delta):
    q = detectable(n, delta)
    assert _power(n, delta, q, SIGNIFICANCE) == pytest.approx(0.8)
    assert _power(n, delta, 0.99 * q, SIGNIFICANCE) < 0.8


def test_what_cannot_be_detected():
    """Three failures of three have probability 1e-3 if one in ten is allowed: never below 1e-4."""
    assert allowed_failures(3, 0.1) == 3
    assert np.isnan(detectable(3, 0.1))
    assert power(3, 0.1, 1.0) == 0


@pytest.mark.parametrize(("delta", "rate"), [(0.1, 0.5), (0.05, 0.3), (0, 0.1), (0.2, 1.0)])
def test_repeats_needed_by_enumeration(delta, rate):
    n = repeats_needed(delta, rate, 0.8, 0.01)
    assert _power(n, delta, rate, 0.01) >= 0.8
    assert all(_power(k, delta, rate, 0.01) < 0.8 for k in range(1, n))


def test_repeats_needed_for_nothing():
    with pytest.raises(ValueError, match=r"0.1 cannot be told from the allowed 0.1"):
        repeats_needed(0.1, 0.1)
    with pytest.raises(ValueError, match="more than a hundred thousand"):
        repeats_needed(0.5, 0.5001)


# several checks -------------------------------------------------------------------------------------------------


def test_holm_by_hand():
    """Sorted 0.01, 0.02, 0.04, 0.5, times 4, 3, 2, 1, never falling."""
    np.testing.assert_allclose(holm([0.5, np.nan, 0.02, 0.01, 0.04]), [0.5, np.nan, 0.06, 0.04, 0.08])
    np.testing.assert_allclose(holm([0.02, 0.021]), [0.04, 0.04])
    assert holm([]).shape == (0,)
    assert corrected([0.5, np.nan, 0.02, 0.01], 0.05).tolist() == [False, False, True, True]


def test_holm_keeps_its_level_whatever_the_dependence():
    """100 true statements, p-values uniform: all equal, or independent. P(any rejection at 0.1) must be at most 0.1."""
    rng = np.random.default_rng(0)
    alone = [corrected(rng.random(100), 0.1).any() for _ in range(1000)]
    equal = [corrected(np.full(100, rng.random()), 0.1).any() for _ in range(1000)]
    assert np.mean(alone) <= 0.12  # 0.1 and two standard errors
    assert np.mean(equal) <= 0.01


def test_a_theorem_says_how_many_repeats_it_needs():
    cls, optimism = registry.theorem("UCBVI.optimism")
    start = run(cls(delta=0.05), coins().episodic(2), 0)
    n = optimism.repeats_needed(start, worse=0.2, probability=0.9)
    assert power(n, 0.05, 0.2) >= 0.9 > power(n - 1, 0.05, 0.2)
    cls, regret = registry.theorem("UCB1.regret-by-gaps")
    n = regret.repeats_needed(run(cls(), registry.problems(cls.model())["two_arms"], 0), worse=1.5)
    assert (
        mean_exceeds(np.full((n, 1), 1.5), np.ones(1))
        <= SIGNIFICANCE
        < mean_exceeds(np.full((n - 1, 1), 1.5), np.ones(1))
    )
    cls, convergence = registry.theorem("ValueIteration.convergence")
    with pytest.raises(ValueError, match="one run can refute it, or none"):
        convergence.repeats_needed(run(cls(), MDP([[[1.0]]], [[1.0]], 0.5), 0), worse=0.5)
