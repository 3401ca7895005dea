"""Thompson sampling against its pseudo-code in loops, its gamma variables, and its regret on average over the prior."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from scipy import stats

from mdptk import run
from mdptk.algorithms.bandits import thompson_sampling
from mdptk.algorithms.bandits.thompson_sampling import ATTEMPTS, ThompsonSampling
from mdptk.core.bandits import BernoulliBandit
from mdptk.theory.statistics import SIGNIFICANCE, mean_exceeds


def reference(alg, oracle, xis):
    """Agrawal and Goyal 2012, Algorithm 1, with the gamma variables of Marsaglia and Tsang 2000 in a loop."""
    wins, losses = [0] * oracle.A, [0] * oracle.A
    with jax.enable_x64(True):  # nothing is known yet: any arm
        a = int(jax.random.randint(jax.random.fold_in(jax.random.key(0), 0), (), 0, oracle.A))
    out = {"n": [[0.0] * oracle.A], "x": [[0.0] * oracle.A]}
    for xi in xis:
        numbers = xi[1:].reshape(2, 2, oracle.A, ATTEMPTS)
        if xi[0] < oracle._means[a]:
            wins[a] += 1
        else:
            losses[a] += 1
        theta = []
        for j in range(oracle.A):
            one, two = (_gamma(k + 1, numbers[0, i, j], numbers[1, i, j]) for i, k in ((0, wins[j]), (1, losses[j])))
            theta.append(one / (one + two))
        a = max(range(oracle.A), key=lambda j: theta[j])
        out["n"].append([w + l for w, l in zip(wins, losses, strict=True)])
        out["x"].append(list(wins))
    return out


def _gamma(k, us, ws):
    d = k - 1 / 3
    for u, w in zip(us, ws, strict=True):
        z = stats.norm.ppf(u)
        v = (1 + z / math.sqrt(9 * d)) ** 3
        if v > 0 and math.log(w) < z * z / 2 + d - d * v + d * math.log(v):
            return d * v
    raise AssertionError("no attempt was accepted")


@pytest.mark.parametrize("k", [1.0, 3.0, 200.0])
def test_gamma_variables(k):
    """Of 4000, by the Kolmogorov-Smirnov test at a level of one in a million; an exponential shape where k = 1."""
    with jax.enable_x64(True):
        u, w = jax.random.uniform(jax.random.key(0), (2, 4000, ATTEMPTS))
        x = np.asarray(thompson_sampling._gamma(np.full(4000, k), u, w))
    assert stats.kstest(x, stats.gamma(k).cdf).pvalue > 1e-6
    assert stats.kstest(x, stats.gamma(k * 1.3).cdf).pvalue < 1e-6


def test_regret_on_average_over_the_prior():
    r"""Russo and Van Roy 2016: at most :math:`\sqrt{\tfrac12 A T H(a^*)}`, the entropy of the best arm being log A."""
    A, T, rng = 2, 512, np.random.default_rng(0)
    problems = [BernoulliBandit(rng.random(A)) for _ in range(64)]
    regret = np.stack([run(ThompsonSampling(), p, T, seed=i)["regret"][0] for i, p in enumerate(problems)])
    bound = np.sqrt(A * np.arange(1, T + 1) * np.log(A) / 2)
    assert mean_exceeds(regret[:, 1:], bound) > SIGNIFICANCE
    always_first = np.arange(1, T + 1) / 6  # E max(0, U - V) for uniform U, V: the bound excludes it
    assert (always_first > bound).any()
