"""The policy within a relative entropy: its number meets the equation that it solves, and its derivative is one."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk.core.trust_region import at_excess, excess


@pytest.fixture
def states():
    """Policies from uniform to all but deterministic, and how far each action is below the best."""
    rng = np.random.default_rng(0)
    log_pi = rng.choice([0.0, -1.0, -30.0, -300.0], (200, 4))
    pi = np.exp(log_pi) / np.exp(log_pi).sum(-1, keepdims=True)
    below = rng.random((200, 4)) * 10.0 ** rng.integers(-6, 3, (200, 1))
    return pi, below - below.min(-1, keepdims=True)


@pytest.mark.parametrize("delta", [1e-6, 0.01, 1.0, 30.0])
def test_the_divergence_is_what_was_asked_for(states, delta):
    pi, below = states
    e = excess(pi, below, delta)
    kl, nu, _ = at_excess(pi, below, e)
    free = e <= 1.01 * np.exp(-700) * below.max(-1)  # what can be reached is not that far away
    assert 0 < free.sum() < len(e) or delta < 1
    np.testing.assert_allclose(kl[~free], delta, rtol=1e-9)
    assert (kl <= delta * (1 + 1e-9)).all()
    np.testing.assert_allclose((nu[:, None] * pi / (e[:, None] + below)).sum(-1), 1, rtol=1e-12)


def test_it_falls_as_fast_as_its_derivative_says(states):
    pi, below = states
    h, e = 1e-5, excess(pi, below, 0.1)
    change = (at_excess(pi, below, e * np.exp(h))[0] - at_excess(pi, below, e * np.exp(-h))[0]) / (2 * h)
    np.testing.assert_allclose(at_excess(pi, below, e)[2], -change, rtol=1e-5, atol=1e-8)


def test_where_all_actions_are_the_same_every_number_will_do():
    pi, same = np.array([[0.3, 0.7]]), np.zeros((1, 2))
    kl, _, fall = at_excess(pi, same, excess(pi, same, 0.1))
    assert kl == fall == 0
