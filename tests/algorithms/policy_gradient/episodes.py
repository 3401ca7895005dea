"""What the tests of sampled policy gradients share: episodes enumerated with their probabilities, and in loops."""

from __future__ import annotations

from itertools import product

import numpy as np

from mdptk import MDP
from mdptk.core.models import FiniteHorizonMDP


def tiny(H=2, seed=0):
    """Two states, two actions, other transitions at each stage."""
    rng = np.random.default_rng(seed)
    return FiniteHorizonMDP(rng.dirichlet(np.ones(2), (H, 2, 2)), rng.random((H, 2, 2)), rng.dirichlet(np.ones(2)))


def policy(problem, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(problem.A), problem.r.shape[:-1])


def bandit(r):
    """One state, one stage; action a pays r[a]."""
    return MDP(np.ones((1, len(r), 1)), [r], 0.0).episodic(1)


def enumerate_episodes(problem, pi):
    """(probability, states, actions) of every episode; the state after the last action does not matter and is 0."""
    H, S, A = problem.r.shape
    for s, a in product(product(range(S), repeat=H), product(range(A), repeat=H)):
        p = problem.rho[s[0]]
        for h in range(H):
            p *= pi[h, s[h], a[h]] * (problem.P[h, s[h], a[h], s[h + 1]] if h + 1 < H else 1.0)
        yield p, np.array([*s, 0]), np.array(a)


def draw(cdf, u):
    """The first outcome whose cumulative probability exceeds u."""
    return next(k for k in range(len(cdf)) if u < cdf[k])


def roll(oracle, pi, u):
    """One episode in loops: states s[0..H], actions, rewards."""
    s, a, r = [draw(oracle._first, u[0, 0])], [], []
    for h in range(oracle.H):
        p = pi[h][s[-1]]
        total = [sum(p[: k + 1]) for k in range(len(p))]
        a.append(draw(total, u[h, 1] * total[-1]))
        r.append(oracle.r[h, s[-1], a[-1]])
        s.append(draw(oracle._next[h, s[-1], a[-1]], u[h + 1, 0]))
    return s, a, r


def softmax(theta):
    w = np.exp(theta)
    return w / w.sum(-1, keepdims=True)


def add_score(g, pi, h, s, a, weight):
    """g += weight * gradient of log pi_h(a|s) in the logits."""
    for b in range(len(pi[h][s])):
        g[h, s, b] += weight * ((a == b) - pi[h][s][b])


def ascend(alg, oracle, xis, estimate):
    """theta <- theta + eta estimate(pi, xi), from zero."""
    theta = np.zeros(oracle.r.shape)
    out = [theta]
    for xi in xis:
        theta = theta + alg.eta * estimate(softmax(theta), xi)
        out.append(theta)
    return {"theta": np.array(out)}
