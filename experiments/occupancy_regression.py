"""How often everything is visited, from trajectories: counted in a table, or regressed on features.

After Barakat et al. 2023, whose gradients for general utilities need the occupancy, and whose large state spaces allow
no table. A walk on a ring of 64 states, and features that are its lowest frequencies. A table is right on average, and
its error falls like 1/N from a height that the number of pairs has to do with; the regression has as many numbers as
features, so it starts much lower, and ends at what the features cannot say. Which one is better is a question of N: the
squared errors cross where the variance that is saved is the squared bias.
"""

from __future__ import annotations

import numpy as np

from mdptk import MDP
from mdptk.core import exact
from mdptk.core.estimators import occupancy_regression

S, T, GAMMA, SLIP = 64, 60, 0.9, 0.3
ORDERS = (2, 6)
COUNTS = {"smoke": 2 ** np.arange(1, 9), "paper": 2 ** np.arange(1, 15)}
REPEATS = {"smoke": 10, "paper": 100}
panels = 1


def ring():
    """Actions go left or right, and slip to the other side; starts spread around one state."""
    P = np.zeros((S, 2, S))
    for s in range(S):
        for a, step in enumerate((-1, 1)):
            P[s, a, (s + step) % S] += 1 - SLIP
            P[s, a, (s - step) % S] += SLIP
    far = np.minimum(np.arange(S), S - np.arange(S))
    rho = np.exp(-((far / 6.0) ** 2))
    pi = np.stack(
        [0.5 + 0.3 * np.sin(2 * np.pi * np.arange(S) / S), 0.5 - 0.3 * np.sin(2 * np.pi * np.arange(S) / S)], 1
    )
    return MDP(P, np.zeros((S, 2)), GAMMA, rho / rho.sum()), pi


def frequencies(order):
    """Cosines and sines up to an order for each action, (S, 2, n)."""
    x = 2 * np.pi * np.arange(S)[:, None] * np.arange(order + 1) / S
    waves = np.concatenate([np.cos(x), np.sin(x[:, 1:])], 1)
    phi = np.zeros((S, 2, 2 * waves.shape[1]))
    phi[:, 0, : waves.shape[1]] = phi[:, 1, waves.shape[1] :] = waves
    return phi


def trajectories(rng, mdp, pi, n):
    """States and actions, (n, T) each."""
    s = rng.choice(S, size=n, p=mdp.rho)
    states, actions = [], []
    for _ in range(T):
        a = (rng.random(n) > pi[s, 0]).astype(int)
        right = (a == 1) ^ (rng.random(n) < SLIP)
        states.append(s)
        actions.append(a)
        s = (s + np.where(right, 1, -1)) % S
    return np.stack(states, 1), np.stack(actions, 1)


def compute(scale):
    """Squared errors by number of trajectories, (1 + orders, counts), and the squared bias of each order."""
    rng, (mdp, pi) = np.random.default_rng(0), ring()
    x = exact.occupancy(mdp, pi)[:, None] * pi
    spaces = [np.eye(2 * S).reshape(S, 2, -1), *(frequencies(k) for k in ORDERS)]
    errors = np.zeros((len(spaces), len(COUNTS[scale])))
    for _ in range(REPEATS[scale]):
        for j, n in enumerate(COUNTS[scale]):
            s, a = trajectories(rng, mdp, pi, n)
            for i, phi in enumerate(spaces):
                errors[i, j] += ((phi @ occupancy_regression(phi, s, a, GAMMA) - x) ** 2).sum() / REPEATS[scale]
    bias = []
    for phi in spaces:
        flat = phi.reshape(2 * S, -1)
        bias.append(((flat @ np.linalg.lstsq(flat, x.ravel(), rcond=None)[0] - x.ravel()) ** 2).sum())
    return {"n": COUNTS[scale].astype(float), "errors": errors, "bias": np.array(bias)}


def draw(data, axes):
    """Squared error against the number of trajectories; biases dotted."""
    for k, (y, b) in enumerate(zip(data["errors"], data["bias"], strict=True)):
        name = "table" if k == 0 else f"{2 * (2 * ORDERS[k - 1] + 1)} features"
        (line,) = axes[0].loglog(data["n"], y, "o-", ms=3, label=name)
        if k:
            axes[0].axhline(b, ls=":", lw=0.8, color=line.get_color())
    axes[0].set(xlabel="trajectories", ylabel=r"$\mathbb{E}\,\|\hat x - x\|_2^2$", title="a walk on a ring")
    axes[0].legend()


def claims(data):
    """Where which is better."""
    n, (table, few, many) = data["n"], data["errors"]
    slope = np.polyfit(np.log(n), np.log(table), 1)[0]
    return {
        "the error of a table falls like 1/N": bool(abs(slope + 1) < 0.1),
        "few features are at least three times better from few trajectories": bool((few[:2] < table[:2] / 3).all()),
        "and worse from many, where they end at their bias": bool(
            few[-1] > 2 * table[-1] and abs(few[-1] / data["bias"][1] - 1) < 0.2
        ),
        "more features cost variance and save bias": bool(many[0] > few[0] and many[-1] < few[-1]),
        "and are better than the table throughout": bool((many < table).all()),
    }
