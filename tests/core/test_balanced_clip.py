"""Adaptive clip bounds: the share that is asked for is met with the least clip that meets it, or all is raised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.estimators import balanced_clip
from mdptk.theory.stock_entropy import covariance


def positive_share(ratio, advantage, low, high):
    positive = sum(r * a for r, a in zip(ratio, advantage, strict=True) if a > 0 and r <= high)
    negative = sum(-r * a for r, a in zip(ratio, advantage, strict=True) if a < 0 and r >= low)
    return positive, positive + negative


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.5, 0.9]))
@settings(max_examples=40)
def test_pseudo_code(seed, share):
    rng = np.random.default_rng(seed)
    ratio, advantage = np.exp(rng.normal(size=12)), rng.normal(size=12) - 0.3
    low, high = 0.6, 1.2
    while True:
        positive, total = positive_share(ratio, advantage, low, high)
        if positive >= share * total or (high >= 3.0 and low >= 0.9):
            break
        if high < 3.0:
            high = min(high + 0.05, 3.0)
        else:
            low = min(low + 0.02, 0.9)
    assert balanced_clip(ratio, advantage, share) == pytest.approx((low, high), rel=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_larger_share_never_lowers_a_bound(seed):
    rng = np.random.default_rng(seed)
    ratio, advantage = np.exp(rng.normal(size=12)), rng.normal(size=12)
    some, more = (balanced_clip(ratio, advantage, share) for share in (0.4, 0.6))
    assert more[0] >= some[0]
    assert more[1] >= some[1]


def test_the_entropy_clip_rule_holds_for_natural_steps_and_not_for_plain_ones():
    """dH/d eta = -Cov(log pi, A X) for logits that move by eta A X; a plain gradient moves them by eta pi A X."""
    rng = np.random.default_rng(0)
    x, A, X = rng.normal(size=8), rng.normal(size=8), rng.random(8) < 0.6
    pi = np.exp(x) / np.exp(x).sum()
    A, h = A - pi @ A, 1e-6

    def entropy(x):
        p = np.exp(x) / np.exp(x).sum()
        return -p @ np.log(p)

    rule = -covariance(pi, np.log(pi), A * X)
    natural, plain = ((entropy(x + h * d) - entropy(x - h * d)) / (2 * h) for d in (A * X, pi * A * X))
    assert natural == pytest.approx(rule, rel=1e-6)
    assert abs(plain / rule - 1) > 0.1


def test_clipping_unlikely_good_samples_costs_entropy():
    """Raising c_high lets them through again: the derivative of the entropy is larger with them."""
    pi = np.array([0.9, 0.06, 0.04])
    A = np.array([-0.1, 0.5, 1.5])
    A = A - pi @ A
    clipped, kept = (-covariance(pi, np.log(pi), A * np.array(X)) for X in ([1, 1, 0], [1, 1, 1]))
    assert kept > clipped


def test_a_share_that_is_none_is_refused():
    with pytest.raises(InvalidHyperparameter, match=r"share = 1\.5"):
        balanced_clip([1.0], [1.0], 1.5)
