"""The recursive momentum of HARPG in loops, and its episodes."""

from __future__ import annotations

import numpy as np

from tests.algorithms.policy_gradient.episodes import add_score, roll, softmax


def second_derivative(oracle, pi, xi, x):
    """Shen et al. 2019: the score of the estimate plus its derivative; loops over episodes, stages and actions."""
    out, n = np.zeros(pi.shape), len(xi)
    for u in xi:
        s, a, r = roll(oracle, pi, u)
        score, g = np.zeros(pi.shape), np.zeros(pi.shape)
        for h in range(oracle.H):
            add_score(score, pi, h, s[h], a[h], 1.0)
            add_score(g, pi, h, s[h], a[h], sum(r[h:]))
        out += g * (score * x).sum() / n
        for h in range(oracle.H):
            p, y = pi[h, s[h]], x[h, s[h]]
            for b in range(oracle.A):
                out[h, s[h], b] -= sum(r[h:]) / n * sum(((b == c) * p[b] - p[b] * p[c]) * y[c] for c in range(oracle.A))
    return out


def momentum(alg, oracle, xis, normalised):
    """Fatkhullin et al. 2023, Algorithm 2."""
    theta = before = d = np.zeros(oracle.r.shape)
    out = {"theta": [theta], "d": [d]}
    for t, xi in enumerate(xis):
        alpha, q, pi, g = 2 / (t + 2), xi[1, 0, -1, 1], softmax(theta), np.zeros(theta.shape)
        for u in xi[0]:
            s, a, r = roll(oracle, pi, u)
            for h in range(oracle.H):
                add_score(g, pi, h, s[h], a[h], sum(r[h:]) / alg.N)
        v = second_derivative(oracle, softmax(q * theta + (1 - q) * before), xi[1], theta - before)
        d = (1 - alpha) * (d + v) + alpha * g
        size = np.sqrt((d**2).sum()) if normalised else 1.0
        theta, before = theta + (alg.eta / (t + 2) / size * d if size else 0), theta
        out["theta"].append(theta)
        out["d"].append(d)
    return {k: np.array(x) for k, x in out.items()}
