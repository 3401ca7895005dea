"""What the tests of networks share: trajectories, the network and its gradient in loops."""

from __future__ import annotations

import jax
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


def starting_networks(alg, oracle):
    """Policy, critic and features that the key of the learner gives."""
    with jax.enable_x64(True):
        start = alg.init(oracle, jax.random.fold_in(jax.random.key(0), 0))
    return [np.array(x) for x in start.net], [np.array(x) for x in start.critic], np.array(start.Phi)


def value(net, phi):
    """Hidden units and the one output of a critic."""
    W, b, U, c = net
    hidden = [np.tanh(sum(phi[i] * W[i][j] for i in range(len(phi))) + b[j]) for j in range(len(b))]
    return hidden, sum(hidden[j] * U[j][0] for j in range(len(b))) + c[0]


def estimates(alg, oracle, critic, Phi, samples):
    """Generalised advantages of each trajectory, and (state, return that they imply) of every step."""
    v = [value(critic, phi)[1] / (1 - oracle.gamma) for phi in Phi]
    A, targets = [], []
    for s, _, r in samples:
        error = [r[k] + oracle.gamma * v[s[k + 1]] - v[s[k]] for k in range(alg.T)]
        gamma = oracle.gamma * alg.lam
        A.append([sum(gamma ** (j - k) * error[j] for j in range(k, alg.T)) for k in range(alg.T)])
        targets += [(s[k], A[-1][k] + v[s[k]]) for k in range(alg.T)]
    return A, targets


def critic_steps(alg, oracle, critic, Phi, targets):
    """K gradient steps on the mean of half the squared error, in units of the rewards."""
    for _ in range(alg.K):
        off, known = np.zeros(len(Phi)), [value(critic, phi) for phi in Phi]
        for s, target in targets:
            off[s] += (known[s][1] - (1 - oracle.gamma) * target) / len(targets)
        g = [np.zeros(x.shape) for x in critic]
        for s, phi in enumerate(Phi):
            hidden = known[s][0]
            g[3][0] += off[s]
            for j in range(len(hidden)):
                g[2][j, 0] += off[s] * hidden[j]
                inner = off[s] * critic[2][j, 0] * (1 - hidden[j] ** 2)
                g[1][j] += inner
                g[0][:, j] += inner * phi
        critic = [x - alg.eta_v * d for x, d in zip(critic, g, strict=True)]
    return critic


def gradient(net, Phi, weight):
    """Sum of ``weight[s, a]`` times the score."""
    g = [np.zeros(x.shape) for x in net]
    for s, phi in enumerate(Phi):
        for a in range(weight.shape[1]):
            if weight[s, a] != 0:
                add_score(g, net, phi, a, weight[s, a])
    return g
