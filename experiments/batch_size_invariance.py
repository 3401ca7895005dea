"""A policy that is held near its own past learns alike from batches of any size, if the past is measured in examples.

The decoupled objective of PPO-EWMA (Hilton et al. 2022): the ratio that corrects for the data is to the policy that
collected them, the clipped ratio to a proximal policy, an exponentially weighted mean of the parameters. With batches c
times smaller there are c times as many steps; if each is c times shorter and the mean reaches as far back in examples,
1/(1-b) - 1 = c (1/(1-beta) - 1), the curve against examples hardly changes. If only the step is adjusted the proximal
policy forgets sooner, the clipping loosens, and it does. PPO itself, whose proximal policy is the one that collected
the data, has no such knob at all. Exact expectations on a bandit, so all that is seen is drift.
"""

from __future__ import annotations

import numpy as np

REWARDS = np.array([1.0, 0.9, 0.5, 0.0])
EPS, ETA, BETA = 0.1, 0.2, 0.9
CUTS = (1, 4, 16)
STEPS = {"smoke": 120, "paper": 1200}


def softmax(x):
    """Probabilities from logits."""
    w = np.exp(x - x.max())
    return w / w.sum()


def learn(steps, c, beta, eta=ETA):
    """Gap after each of `steps` batches of the largest size, taken in c parts each, with steps of eta / c."""
    theta = prox = np.zeros(len(REWARDS))
    out = []
    for t in range(steps * c + 1):
        pi = softmax(theta)
        if t % c == 0:
            out.append(1 - pi @ REWARDS)
        A = REWARDS - pi @ REWARDS
        ratio = pi / softmax(prox)
        clipped = ((A > 0) & (ratio > 1 + EPS)) | ((A < 0) & (ratio < 1 - EPS))
        w = pi * np.where(clipped, 0.0, A)
        theta = theta + eta / c * (w - pi * w.sum())
        prox = beta * prox + (1 - beta) * theta
    return np.array(out)


def compute(scale):
    """Gaps against examples, (cuts, records), with and without the adjusted mean."""
    n = STEPS[scale]
    com = 1 / (1 - BETA) - 1  # batches that the mean reaches back
    mean = [1 - 1 / (1 + c * com) for c in (*CUTS, *(2 * c for c in CUTS))]
    return {
        "adjusted": np.array([learn(n, c, b) for c, b in zip(CUTS, mean, strict=False)]),
        "halved": np.array([learn(2 * n, c, b, ETA / 2)[::2] for c, b in zip(CUTS, mean[len(CUTS) :], strict=True)]),
        "plain": np.array([learn(n, c, BETA) for c in CUTS]),
    }


panels = 2


def draw(data, axes):
    """Gap against examples, in batches of the largest size."""
    for ax, name in zip(axes, ("adjusted", "plain"), strict=True):
        for c, y in zip(CUTS, data[name], strict=True):
            ax.semilogy(y, lw=1.2, label=f"batch / {c}")
        ax.set(xlabel="examples, in full batches", ylabel=r"$V^* - V^\pi$", title=f"{name} proximal mean")
        ax.legend()


def _spread(y):
    """The largest difference from the full batch, relative to the gap there."""
    return float((abs(y[1:] - y[0]) / y[0]).max())


def claims(data):
    """Invariance, and what it takes."""
    return {
        "adjusted, the curves differ in first order only: half as much with steps half as long": _spread(data["halved"])
        < 0.65 * _spread(data["adjusted"]),
        "without the adjusted mean they differ five times as much": _spread(data["plain"])
        > 5 * _spread(data["adjusted"]),
        "smaller batches then learn faster, since the clipping loosens": bool(
            (data["plain"][1:, -1] < data["plain"][0, -1]).all()
        ),
        "all of them learn": bool((data["adjusted"][:, -1] < 0.7 * data["adjusted"][:, 0]).all()),
    }
