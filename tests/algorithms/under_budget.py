"""Episodes, counts and plans in loops: what the references of learners under budgets share."""

import numpy as np


def first_above(cdf, u):
    return int(np.flatnonzero(u < cdf)[0])


def choose(p, u):
    total = np.cumsum(p)
    return first_above(np.append(total[:-1], np.inf), u * total[-1])


def episode(episodes, pi, u):
    """States and actions of one episode under pi[h, s, a], with uniforms u[h, 0] for states and u[h, 1] for actions."""
    s, path = first_above(episodes._first, u[0, 0]), []
    for h in range(len(pi)):
        a = choose(pi[h, s], u[h, 1])
        s2 = first_above(episodes._next[h, s, a], u[h + 1, 0])
        path.append((s, a, s2))
        s = s2
    return path


def count(N, path):
    N = N.copy()
    for s, a, s2 in path:
        N[s, a, s2] += 1
    return N


def model(N, H, delta):
    """The counted model (S, A, S), and the bonus (H, S, A)."""
    S, A, _ = N.shape
    P, beta = np.zeros((S, A, S)), np.zeros((H, S, A))
    for s in range(S):
        for a in range(A):
            n = N[s, a].sum()
            P[s, a] = N[s, a] / n if n else 1 / S
            e = min(2.0, np.sqrt(2 * (S * np.log(2) + np.log(S * A * n * (n + 1) / delta)) / n)) if n else 2.0
            beta[:, s, a] = [(H - h - 1) / 2 * e for h in range(H)]
    return P, beta


def action_values(P, g, pi, low=-np.inf, high=None):
    """Q[h, s, a] of the reward g[h, s, a], cut off below at `low` and above at high[h]."""
    H, S, A = g.shape
    V, Q = np.zeros(S), np.zeros((H, S, A))
    for h in range(H - 1, -1, -1):
        for s in range(S):
            for a in range(A):
                Q[h, s, a] = max(low, g[h, s, a] + sum(P[s, a, t] * V[t] for t in range(S)))
                if high is not None:
                    Q[h, s, a] = min(Q[h, s, a], high[h])
        V = np.array([pi[h, s] @ Q[h, s] for s in range(S)])
    return Q


def at_price(P, g, price):
    """The deterministic policy that is best for g[0] - price . g[1:], the first of several."""
    reward = g[0] - sum(p * x for p, x in zip(price, g[1:], strict=True))
    H, S, A = reward.shape
    pi, V = np.zeros((H, S, A)), np.zeros(S)
    for h in range(H - 1, -1, -1):
        q = [[reward[h, s, a] + sum(P[s, a, t] * V[t] for t in range(S)) for a in range(A)] for s in range(S)]
        for s in range(S):
            pi[h, s, max(range(A), key=lambda a: q[s][a])] = 1
        V = np.array([max(row) for row in q])
    return pi


def start(Q, pi, rho):
    return sum(rho[s] * pi[0, s] @ Q[0, s] for s in range(len(rho)))


def best(P, g, cost, rho, weights):
    """A deterministic policy that is best for weights[0] g + weights[1] cost, what it earns and what it spends."""
    H, S, A = g.shape
    pi, R, C = np.zeros((H, S, A)), np.zeros(S), np.zeros(S)
    for h in range(H - 1, -1, -1):
        earns, spends = np.zeros(S), np.zeros(S)
        for s in range(S):
            q = [(g[h, s, a] + P[s, a] @ R, cost[h, s, a] + P[s, a] @ C) for a in range(A)]
            a = int(np.argmax([weights[0] * x + weights[1] * y for x, y in q]))
            pi[h, s, a], earns[s], spends[s] = 1.0, q[a][0], q[a][1]
        R, C = earns, spends
    return pi, rho @ R, rho @ C


def visits(P, pi, rho):
    d, x = rho, []
    for p in pi:
        x.append(d[:, None] * p)
        d = np.einsum("sa,sat->t", x[-1], P)
    return np.array(x)


def trade_off(P, g, cost, rho, target):
    """The chord between a rich and a cheap corner, moved until no corner lies above it, then the point on it."""
    rich, cheap = best(P, g, cost, rho, (1, 0)), best(P, g, cost, rho, (0, -1))
    if rich[2] <= max(target(0.0), cheap[2]):
        return rich[0]
    while True:
        lam = max(rich[1] - cheap[1], 0) / (rich[2] - cheap[2])
        new = best(P, g, cost, rho, (1, -lam))
        size = abs(rich[1]) + abs(cheap[1]) + lam * (abs(rich[2]) + abs(cheap[2]))
        if new[1] - lam * new[2] <= max(rich[1] - lam * rich[2], cheap[1] - lam * cheap[2]) + 1e-12 * size:
            break
        rich, cheap = (new, cheap) if new[2] > target(lam) else (rich, new)
    share = (min(max(target(lam), cheap[2]), rich[2]) - cheap[2]) / (rich[2] - cheap[2])
    x = share * visits(P, rich[0], rho) + (1 - share) * visits(P, cheap[0], rho)
    other = rich[0] if share > 0 else cheap[0]
    return np.where(x.sum(-1, keepdims=True) > 0, x / np.maximum(x.sum(-1, keepdims=True), 1e-300), other)
