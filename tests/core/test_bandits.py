"""Bernoulli bandits: what is refused, and what a pull returns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from mdptk import InvalidModel
from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.oracles import Bandit
from mdptk.problems.bandits import good_arm, two_arms
from mdptk.testing import bandits


@pytest.mark.parametrize(
    ("means", "message"),
    [
        ([0.5, 1.5], r"means\[1\] = 1.5 is not a probability"),
        ([-1e-9], r"means\[0\] = -1e-09 is not"),
        ([[0.5]], r"shape \(1, 1\)"),
        ([], r"shape \(0,\)"),
        ([float("nan")], r"means\[0\] = nan is not finite"),
    ],
)
def test_refused(means, message):
    with pytest.raises(InvalidModel, match=message):
        BernoulliBandit(means)


def test_problems_refuse():
    with pytest.raises(InvalidModel, match=r"delta = 0\.6"):
        good_arm(delta=0.6)
    with pytest.raises(InvalidModel, match=r"means\[0\]"):
        two_arms(delta=1.2)


def test_a_pull_pays_as_often_as_the_mean_says():
    oracle = Bandit.of(BernoulliBandit([0.0, 0.25, 1.0]))
    u = np.array([0.0, 0.25, 0.5, 0.75])
    assert [oracle.pull(np.full(4, a), u).mean() for a in range(oracle.A)] == [0.0, 0.25, 1.0]


@settings(max_examples=40)
@given(bandits())
def test_truth(problem):
    best = exact.truth(problem).optimum
    assert best.v == max(problem.means)
    assert (best.v - best.q == problem.gaps).all()
