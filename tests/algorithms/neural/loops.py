"""What the tests of networks share: trajectories, the network and its gradient in loops."""

from __future__ import annotations

import numpy as np

from tests.algorithms.policy_gradient.episodes import draw


def forward(net, phi):
    """Hidden units and log-probabilities for one vector of features."""
    W, b, U, c = net
    hidden = [np.tanh(sum(phi[i] * W[i][j] for i in range(len(phi))) + b[j]) for j in range(len(b))]
    logits = [sum(hidden[j] * U[j][k] for j in range(len(b))) + c[k] for k in range(len(c))]
    top = max(logits)
    total = top + np.log(sum(np.exp(x - top) for x in logits))
    return hidden, [x - total for x in logits]


def policy(net, Phi):
    return np.array([np.exp(forward(net, phi)[1]) for phi in Phi])


def add_score(g, net, phi, a, weight):
    """g += weight * gradient of log pi(a) in the parameters, by the chain rule."""
    hidden, log_pi = forward(net, phi)
    for k in range(len(log_pi)):
        out = weight * ((k == a) - np.exp(log_pi[k]))
        g[3][k] += out
        for j in range(len(hidden)):
            g[2][j, k] += out * hidden[j]
            inner = out * net[2][j][k] * (1 - hidden[j] ** 2)
            g[1][j] += inner
            g[0][:, j] += inner * phi


def trajectory(oracle, pi, u):
    s, a, r = [draw(oracle._first, u[0, 0])], [], []
    for t in range(len(u) - 1):
        total = np.cumsum(pi[s[-1]])
        a.append(draw(total, u[t, 1] * total[-1]))
        r.append(oracle.r[s[-1], a[-1]])
        s.append(draw(oracle._next[s[-1], a[-1]], u[t + 1, 0]))
    return s, a, r
