"""Proximal robust on-policy sampling against loops; one step is ROS; what holds the behaviour policy, and what not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import run
from mdptk.algorithms.policy_gradient.props import BACK, PROPS, TRUST
from mdptk.core.estimators import props_logits, props_objective, ros_policy
from mdptk.core.exact import log_softmax
from mdptk.core.exact import softmax as stable_softmax
from tests.algorithms.policy_gradient.episodes import add_score, draw, softmax, tiny


def objective(alg, phi, theta, n):
    """As printed, in one state."""
    p, target, total = softmax(phi), softmax(theta), 0.0
    for a in range(len(n)):
        ratio = p[a] / target[a]
        clipped = min(max(ratio, 1 - alg.epsilon), 1 + alg.epsilon)
        total += n[a] / sum(n) * min(-ratio, -clipped) - alg.lam * target[a] * np.log(target[a] / p[a])
    return total


def behaviour(alg, theta, n):
    """The logits for one state, from the counts of its actions; the derivative term by term."""
    A, phi, size = len(n), theta, alg.alpha
    if not sum(n):
        return phi
    target = softmax(theta)
    for _ in range(alg.m):
        p, g = softmax(phi), np.zeros(A)
        for a in range(A):
            ratio = p[a] / target[a]
            for k in range(A):
                score = (k == a) - p[k]
                if ratio >= 1 - alg.epsilon:
                    g[k] -= n[a] / sum(n) * ratio * score
                g[k] += alg.lam * target[a] * score
        ahead = phi + size * g
        if objective(alg, ahead, theta, n) >= objective(alg, phi, theta, n):
            phi = ahead
        else:
            size = size / 2
    return phi


def reference(alg, oracle, xis):
    """The buffer is a list of batches of episodes; one episode, one stage after the other."""
    shape = np.shape(oracle.r)
    H, S, A = shape
    theta, zero, none = np.zeros(shape), np.zeros(shape), np.zeros((alg.b, *shape))
    out = {"theta": [zero], "before": [zero], "phi": [zero], "g": [zero], "n": [none], "G": [none]}
    buffer = []
    for xi in xis:
        buffer = [*buffer, []][-alg.b :]
        pi, phi = softmax(theta), theta
        for u in xi:
            s, episode = draw(oracle._first, u[0, 0]), []
            for h in range(H):
                p = softmax(phi[h, s])
                a = draw([sum(p[: k + 1]) for k in range(A - 1)] + [2.0], u[h, 1])
                episode.append((h, s, a, oracle.r[h, s, a]))
                s = draw(oracle._next[h, s, a], u[h + 1, 0])
            buffer[-1].append(episode)
            count = np.zeros(shape)
            for h, s, a, _ in [x for batch in buffer for e in batch for x in e]:
                count[h, s, a] += 1
            phi = np.array([[behaviour(alg, theta[h, s], count[h, s]) for s in range(S)] for h in range(H)])
        n, G, g, episodes = none.copy(), none.copy(), np.zeros(shape), sum(map(len, buffer))
        for k, batch in enumerate(reversed(buffer)):
            for episode in batch:
                for h, s, a, _ in episode:
                    earned = sum(x[-1] for x in episode[h:])
                    n[-1 - k, h, s, a] += 1
                    G[-1 - k, h, s, a] += earned
                    add_score(g, pi, h, s, a, earned / episodes)
        for name, x in zip(out, (theta + alg.eta * g, theta, phi, g, n, G), strict=True):
            out[name].append(x)
        theta = theta + alg.eta * g
    return {name: np.array(x) for name, x in out.items()}


@given(st.integers(2, 5), st.integers(0, 10_000), st.sampled_from([0.01, 0.3, 0.9]), st.sampled_from([0.01, 1.0]))
@settings(max_examples=40)
def test_what_holds_the_behaviour_policy(A, seed, eps, lam):
    """However many steps there are, and however long; a state without data stays."""
    rng = np.random.default_rng(seed)
    theta, n = 2 * rng.normal(size=(2, A)), rng.integers(0, 6, (2, A)).astype(float)
    n[0, 0] += 1
    n[1] = 0
    phi = props_logits(theta, n, rng.choice([0.1, 3.0, 100.0]), eps, lam, 50)
    pi, q = stable_softmax(theta), stable_softmax(phi)
    np.testing.assert_array_equal(phi[1], theta[1])
    assert pi[0] @ (log_softmax(theta) - log_softmax(phi))[0] <= eps / lam + 1e-12
    assert n[0] @ (q[0] / pi[0] - 1) <= 1e-12
    assert (q[0] - pi[0]) @ ((n[0] / n[0].sum() - pi[0]) / pi[0]) <= 1e-12, "it points back"
    assert props_objective(phi[:1], theta[:1], n[:1], eps, lam)[0] >= -1 - 1e-12


def test_one_step_is_robust_on_policy_sampling():
    rng = np.random.default_rng(0)
    theta, n = rng.normal(size=(3, 4)), rng.integers(0, 5, (3, 4)) + 1.0
    one = stable_softmax(props_logits(theta, n, 0.5, 0.3, 0.1, 1))
    np.testing.assert_allclose(one, ros_policy(theta, n, 0.5), rtol=1e-12)


def test_clipping_alone_limits_nothing():
    """Two of three actions have no data, and take all from the third, and one from the other, but for the penalty."""
    theta, n = np.log([0.05, 0.9, 0.05]), np.array([0.0, 1.0, 0.0])
    far = [stable_softmax(props_logits(theta, n, 50.0, 0.3, lam, 400)) for lam in (1e-9, 1.0)]
    ratio = [q / stable_softmax(theta) for q in far]
    assert ratio[0].min() < 0.5
    assert ratio[1].min() > 0.6


def test_statements_catch_steps_that_are_not_held_back():
    class Loose(PROPS):
        def step(self, oracle, state, xi):
            new = PROPS.step(self, oracle, state, xi)
            return new._replace(phi=state.theta + 100 * (state.theta - new.phi))

    result = run(Loose(N=2), tiny(2), 8)
    assert not TRUST.check(result).ok
    assert not BACK.check(result).ok


@pytest.mark.parametrize("pi", [[0.5, 0.5], [0.2, 0.3, 0.5], [0.9, 0.1]])
def test_frequencies_are_more_right_than_by_chance(pi):
    """``E |n - m pi|^2`` after eight actions in one state, sequences enumerated."""
    pi = np.array(pi)
    chances = {tuple([0] * len(pi)): 1.0}
    for _ in range(8):
        new = {}
        for n, chance in chances.items():
            q = stable_softmax(props_logits(np.log(pi), np.array(n, dtype=float), 1.0, 0.3, 0.1, 8))
            for a in range(len(pi)):
                after = (*n[:a], n[a] + 1, *n[a + 1 :])
                new[after] = new.get(after, 0.0) + chance * q[a]
        chances = new
    error = sum(p * ((np.array(n) - 8 * pi) ** 2).sum() for n, p in chances.items())
    assert error < 0.9 * 8 * (1 - pi @ pi)
