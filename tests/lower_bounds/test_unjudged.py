"""Families without a learner: the hidden direction by going through all of them, the times on the softmax chain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import InvalidModel, MdptkError
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.core import exact
from mdptk.lower_bounds.hidden_direction import Queries, directions, least_error, one_batch
from mdptk.lower_bounds.softmax import learning_times
from mdptk.problems.softmax_chain import softmax_chain


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_values_are_linear(seed):
    """Its Bellman equation: the reward and gamma times the value of the next feature, at any query."""
    rng = np.random.default_rng(seed)
    d, gamma = int(rng.integers(1, 6)), float(rng.uniform(0.1, 0.95))
    w = directions(d)[rng.integers(2**d)]
    phi = rng.normal(size=(8, d))
    phi /= np.maximum(1, np.linalg.norm(phi, axis=1, keepdims=True)) * rng.choice([1.0, 1.001])
    reward, after = Queries(w, gamma, 1).ask(phi)
    later = np.where(np.isnan(after).any(1), 0.0, gamma * np.nan_to_num(after) @ w)
    np.testing.assert_allclose(reward + later, phi @ w, atol=1e-12)
    assert (np.linalg.norm(np.nan_to_num(after), axis=1) <= 1 + 1e-12).all()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 5), st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_no_design_beats_the_bound(seed, d, n, gamma):
    """Random queries, queries along hidden directions, and along the axes."""
    rng = np.random.default_rng(seed)
    queries = {"random": rng.normal(size=(n, d)), "hidden": directions(d)[rng.integers(2**d, size=n)]}
    queries["axes"] = np.eye(d)[rng.integers(d, size=n)]
    for phi in queries.values():
        phi = phi / np.linalg.norm(phi, axis=1, keepdims=True)
        assert least_error(phi, gamma) >= one_batch(n, d, gamma) - 1e-12


def test_the_least_error_is_that_of_the_best_learner():
    """By what is seen: answers that are the same for several w can only be guessed between."""
    rng, gamma, d = np.random.default_rng(0), 0.6, 4
    design = rng.normal(size=(3, d))
    design /= np.linalg.norm(design, axis=1, keepdims=True)
    seen = {}
    for w in directions(d):
        reward, after = Queries(w, gamma, 1).ask(design)
        answer = np.nan_to_num(np.column_stack([reward, after]), nan=9.0).round(9) + 0.0
        seen.setdefault(answer.tobytes(), []).append(w)
    assert {len(ws) for ws in seen.values()} == {1, 2}  # w alone, or w and -w
    assert least_error(design, gamma) == sum(len(ws) - 1 for ws in seen.values()) / 2**d
    assert 0 < least_error(design, gamma) < 0.5


def test_two_batches_find_it():
    """Each of one query; with three at once the error is above 0.4."""
    d, gamma = 9, 0.9
    first = 2.0 ** -np.arange(1, d + 1)[None]  # no signs make the sum zero
    for w in directions(d):
        queries = Queries(w, gamma, 2)
        reward, after = queries.ask(first / 2)
        assert reward == 0
        axis = after[0] / np.linalg.norm(after[0])
        reward, _ = queries.ask(axis[None])
        np.testing.assert_allclose(reward * axis, w, atol=1e-12)
        assert queries.asked == [1, 1]
    assert one_batch(3, d, gamma) > 0.4
    with pytest.raises(MdptkError, match="all 2 batches"):
        queries.ask(axis[None])


def test_refused():
    with pytest.raises(InvalidModel, match=r"\|w\| = 2"):
        Queries(np.array([2.0]), 0.5, 1)
    with pytest.raises(MdptkError, match="norm 3, above 1"):
        Queries(np.array([1.0]), 0.5, 1).ask(np.array([[3.0]]))


def test_times_are_those_of_plain_ascent():
    """In a loop, on the chain of three states."""
    mdp, gamma, n = softmax_chain(3), 0.9, 3
    best = exact.optimal(mdp)
    middle = np.sort(best.q[1 : n + 1])[:, -2:].mean(1)
    theta, times = np.zeros(mdp.r.shape), {}
    for t in range(301):
        pi = exact.softmax(theta)
        v = exact.evaluate(mdp, pi)
        for s in range(n):
            if v[1 + s] > middle[s]:
                times.setdefault(s, t)
        theta = theta + 2 * exact.softmax_gradient(mdp, pi)
    found = learning_times(SoftmaxPG(eta=2.0), 300, n=n, gamma=gamma)
    assert found.tolist() == [times[0], times[1], times[2]]
    assert times[2] > 20 * times[1]
    assert learning_times(SoftmaxPG(eta=2.0), 100, n=n)[-1] == np.inf
    assert learning_times(NPG(), 20, n=n)[-1] < 20
