"""A policy that is held near its own past learns alike from batches of any size, if the past is measured in examples.

The decoupled objective of PPO-EWMA (Hilton et al. 2022): the ratio that corrects for the data is to the policy that
collected them, the clipped ratio to a proximal policy, an exponentially weighted mean of the parameters. With batches c
times smaller there are c times as many steps; if each is c times shorter and the mean reaches as far back in examples,
1/(1-b) - 1 = c (1/(1-beta) - 1), the curve against examples hardly changes. If only the step is adjusted the proximal
policy forgets sooner, the clipping loosens, and it does. PPO itself, whose proximal policy is the one that collected
the data, has no such knob at all. First with exact expectations on a bandit, so that all that is seen is drift; then
with sampled arms: c steps of 1/c of the length add up the noise of c small batches, whose variance is c times as large,
so that at the same number of examples the noise is the same, too, as long as nothing is clipped. Clipping breaks that:
a policy that is held at the edge of the interval leaves it by a step, and small batches have short ones.
"""

from __future__ import annotations

import numpy as np

REWARDS = np.array([1.0, 0.9, 0.5, 0.0])
EPS, ETA, BETA = 0.1, 0.2, 0.9
CUTS = (1, 4, 16)
STEPS = {"smoke": 120, "paper": 1200}
BATCH = 64  # arms pulled for a batch of the largest size
REPEATS = {"smoke": 250, "paper": 4000}


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


def learn_from_samples(rng, repeats, steps, c, beta, eps=EPS):
    """The same from BATCH / c sampled arms a step: gaps, (repeats, steps + 1)."""
    theta = prox = np.zeros((repeats, len(REWARDS)))
    out, n = [], BATCH // c
    for t in range(steps * c + 1):
        weight = np.exp(theta - theta.max(-1, keepdims=True))
        pi = weight / weight.sum(-1, keepdims=True)
        if t % c == 0:
            out.append(1 - pi @ REWARDS)
        A = REWARDS - (pi @ REWARDS)[:, None]
        weight = np.exp(prox - prox.max(-1, keepdims=True))
        ratio = pi / (weight / weight.sum(-1, keepdims=True))
        clipped = ((A > 0) & (ratio > 1 + eps)) | ((A < 0) & (ratio < 1 - eps))
        w = rng.multinomial(n, pi) / n * np.where(clipped, 0.0, A)
        theta = theta + ETA / c * (w - pi * w.sum(-1, keepdims=True))
        prox = beta * prox + (1 - beta) * theta
    return np.array(out).T


def compute(scale):
    """Gaps against examples, (cuts, records), with and without the adjusted mean."""
    n = STEPS[scale]
    com = 1 / (1 - BETA) - 1  # batches that the mean reaches back
    rng = np.random.default_rng(0)
    mean = [1 - 1 / (1 + c * com) for c in (*CUTS, *(2 * c for c in CUTS))]
    return {
        "adjusted": np.array([learn(n, c, b) for c, b in zip(CUTS, mean, strict=False)]),
        "halved": np.array([learn(2 * n, c, b, ETA / 2)[::2] for c, b in zip(CUTS, mean[len(CUTS) :], strict=True)]),
        "plain": np.array([learn(n, c, BETA) for c in CUTS]),
        "sampled": np.array(
            [_moments(learn_from_samples(rng, REPEATS[scale], 120, c, b)) for c, b in zip(CUTS, mean, strict=False)]
        ),
        "unclipped": np.array([_moments(learn_from_samples(rng, REPEATS[scale], 120, c, BETA, np.inf)) for c in CUTS]),
        "repeats": np.array(REPEATS[scale]),
    }


def _moments(gaps):
    """Mean and standard deviation over repeats, (2, records)."""
    return np.stack([gaps.mean(0), gaps.std(0)])


panels = 3


def draw(data, axes):
    """Gap against examples, in batches of the largest size."""
    for ax, name in zip(axes, ("adjusted", "plain"), strict=False):
        for c, y in zip(CUTS, data[name], strict=True):
            ax.semilogy(y, lw=1.2, label=f"batch / {c}")
        ax.set(xlabel="examples, in full batches", ylabel=r"$V^* - V^\pi$", title=f"{name} proximal mean")
        ax.legend()
    for c, (centre, off) in zip(CUTS, data["sampled"], strict=True):
        axes[2].plot(centre, lw=1.2, label=f"batch of {BATCH // c}")
        axes[2].fill_between(np.arange(len(centre)), centre - off, centre + off, alpha=0.15)
    axes[2].set(xlabel="examples, in full batches", ylabel=r"$V^* - V^\pi$", title="adjusted, sampled arms")
    axes[2].legend()


def _spread(y):
    """The largest difference from the full batch, relative to the gap there."""
    return float((abs(y[1:] - y[0]) / y[0]).max())


def claims(data):
    """Invariance, and what it takes."""
    centre, off = data["sampled"][:, 0], data["sampled"][:, 1]
    drift = abs(data["adjusted"][1:, : centre.shape[1]] - data["adjusted"][0, : centre.shape[1]]).max(-1)
    error = 4 * (off / np.sqrt(data["repeats"])).max()
    free = data["unclipped"][1:, 1, 20:] / data["unclipped"][0, 1, 20:]
    held = off[1:, 20:] / off[0, 20:]
    return {
        "adjusted, the curves differ in first order only: half as much with steps half as long": _spread(data["halved"])
        < 0.65 * _spread(data["adjusted"]),
        "without the adjusted mean they differ five times as much": _spread(data["plain"])
        > 5 * _spread(data["adjusted"]),
        "smaller batches then learn faster, since the clipping loosens": bool(
            (data["plain"][1:, -1] < data["plain"][0, -1]).all()
        ),
        "with sampled arms the means are as close as that": bool(
            (abs(centre[1:] - centre[0]).max(-1) <= drift + error).all()
        ),
        "nothing clipped, the noise of the gap is the same within a fifth": bool((abs(free - 1) < 0.2).all()),
        "clipped, small batches have less of it": bool((held < 1).all()),
        "all of them learn": bool((data["adjusted"][:, -1] < 0.7 * data["adjusted"][:, 0]).all()),
    }
