"""What an error in the reward costs a tilt, against random tilts and the case in which the bounds are tight."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk.core.alignment import estimation_bound, tilted
from mdptk.core.errors import InvalidHyperparameter


def kl(log_p, log_q):
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


@pytest.mark.parametrize("beta", [0.05, 0.5, 5.0])
def test_estimation_bound(beta):
    rng = np.random.default_rng(0)
    ref = np.log(rng.dirichlet(np.full(4, 0.3), 200) + 1e-12)
    ref = tilted(ref, np.zeros(4), 1.0)
    r, g = rng.normal(size=(2, 200, 4))
    r_hat = r + rng.normal(size=(200, 4)) * rng.uniform(0.01, 2, (200, 1))
    best, off = tilted(ref, r, beta), tilted(ref, r_hat, beta)

    def objective(log_pi):
        return (np.exp(log_pi) * r).sum(-1) - beta * kl(log_pi, ref)

    lost, factor = estimation_bound(r, r_hat, ref, beta)
    gap = objective(best) - objective(off)
    np.testing.assert_allclose(gap, beta * kl(off, best), atol=1e-11)
    assert (gap <= lost + 1e-11).all()
    moved = abs(((np.exp(off) - np.exp(best)) * g).sum(-1))
    assert (moved <= factor * np.ptp(g, axis=-1) + 1e-12).all()
    shifted = estimation_bound(r, r_hat + rng.normal(size=(200, 1)), ref, beta)
    np.testing.assert_allclose(shifted, (lost, factor), atol=1e-9)


def test_both_are_tight_for_a_fair_coin_and_small_errors():
    ref, r, e, beta = np.log([0.5, 0.5]), np.zeros(2), np.array([5e-4, -5e-4]), 0.1
    best, off = tilted(ref, r, beta), tilted(ref, e, beta)
    lost, factor = estimation_bound(r, e, ref, beta)
    assert beta * kl(off, best) == pytest.approx(lost, rel=1e-4)
    assert abs(np.exp(off) - np.exp(best))[0] == pytest.approx(factor, rel=1e-4)
    with pytest.raises(InvalidHyperparameter, match="beta = 0"):
        estimation_bound(r, e, ref, 0)


def test_an_action_that_is_never_taken_has_no_error():
    ref = np.array([0.0, 0.0, -np.inf]) - np.log(2)
    lost, factor = estimation_bound(np.zeros(3), np.array([0.1, 0.1, 9.0]), ref, 1.0)
    assert lost == 0
    assert factor == 0
