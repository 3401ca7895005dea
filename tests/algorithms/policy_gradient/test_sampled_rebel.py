"""Sampled REBEL against least squares in loops; with all pairs and no noise it is mirror descent."""

from __future__ import annotations

import jax
import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.sampled_rebel import AGNOSTIC, REGRET, SampledREBEL, average_missed, average_root
from mdptk.core.bandits import BernoulliBandit
from tests.algorithms.policy_gradient.episodes import softmax


def reference(alg, oracle, xis):
    """One pair after the other."""
    A = oracle.A
    theta, w = np.zeros(A), np.zeros(A)
    out = {"theta": [theta], "w": [w]}
    for xi in xis:
        theta = theta + alg.eta * w
        total = np.cumsum(softmax(theta))
        rows, target = [], []
        for u in xi:
            arms = [next(a for a in range(A) if u[k, 0] * total[-1] < total[a]) for k in range(2)]
            R = [float(u[k, 1] < oracle._means[arms[k]]) for k in range(2)]
            rows.append([(a == arms[0]) - (a == arms[1]) for a in range(A)])
            target.append(R[0] - R[1])
        w = np.linalg.lstsq(np.array(rows, dtype=float), np.array(target), rcond=1e-10)[0]
        out["theta"].append(theta)
        out["w"].append(w)
    return {name: np.array(x) for name, x in out.items()}


def test_pairs_that_connect_all_arms_give_the_rewards():
    """Without noise, up to a constant: the step is then that of mirror descent. What is not connected gets nothing."""
    R = np.array([0.2, 0.9, 0.4, 0.7])
    with jax.enable_x64(True):
        chain = np.array([[0, 1], [2, 1], [2, 3]])
        np.testing.assert_allclose(SampledREBEL().regress(4, chain, R[chain]), R - R.mean(), atol=1e-14)
        alone = np.array([[0, 1], [3, 3]])
        np.testing.assert_allclose(SampledREBEL().regress(4, alone, R[alone]), [-0.35, 0.35, 0, 0], atol=1e-14)


def test_it_learns_and_the_statement_notices_a_wrong_sign():
    class Backwards(SampledREBEL):
        def step(self, oracle, state, xi):
            new = SampledREBEL.step(self, oracle, state, xi)
            return new._replace(theta=2 * state.theta - new.theta)

    arms = BernoulliBandit([0.9, 0.5, 0.2])
    good = run(SampledREBEL(), arms, 64, repeats=4)
    assert good["gap"][:, -1].max() < 0.05
    assert REGRET.check(good).ok
    assert AGNOSTIC.check(good).ok
    assert not REGRET.check(run(Backwards(), arms, 64)).ok
    assert (average_missed.values(good) <= average_root.values(good) + 1e-12).all()


def test_what_is_missed_can_be_all_of_the_error():
    """Two arms: chi-square and the error on pairs say no more than what is missed."""
    result = run(SampledREBEL(N=1), BernoulliBandit([0.2, 0.9]), 1)
    np.testing.assert_allclose(average_root.values(result), abs(average_missed.values(result)), rtol=1e-12)
