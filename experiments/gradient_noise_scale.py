"""How large a batch is worth its examples: the noise scale of gradients, on a noisy quadratic and on a bandit.

On the quadratic every expectation is exact, and each step has the size that gains most at once. The fewer examples a
step takes the more steps it takes to come down to a given loss, and between steps S and examples E = S B there is
nearly a hyperbola, (S/S_min - 1)(E/E_min - 1) = 1 (McCandlish et al. 2018, equation 2.11): exact if the noise scale
stayed the same on the way, which it does not. It rises as the loss falls, and so it does for REINFORCE, whose gradient
vanishes faster than its noise.
"""

from __future__ import annotations

import numpy as np

from mdptk.core.estimators import noise_scale

CURVATURE = np.array([1.0, 0.5, 0.25, 0.1])
NOISE = np.array([1.0, 1.0, 0.5, 0.5])  # variance of one example's gradient, in each direction
BATCHES = {"smoke": 2.0 ** np.arange(-3, 13), "paper": 2.0 ** np.arange(-5, 15, 0.25)}
DRAWS = {"smoke": 4000, "paper": 400_000}
TARGET = 0.02
REWARDS = np.array([1.0, 0.6, 0.0])
panels = 2


def descend(B, limit=200_000):
    """Steps to the target, and the noise scale at each, with steps that are best in expectation; B may be any number.

    The state is the second moment of each coordinate. A step eps costs eps |G|^2 - eps^2 (G'HG + tr(H Sigma) / B) / 2.
    """
    m, scales = np.full(len(CURVATURE), 4.0), []
    for t in range(limit):
        if (CURVATURE * m).sum() / 2 <= TARGET:
            return t, np.array(scales)
        g2 = CURVATURE**2 * m
        curved, noise = (CURVATURE * g2).sum(), (CURVATURE * NOISE).sum()
        eps = g2.sum() / (curved + noise / B)
        scales.append(noise / curved)
        m = (1 - eps * CURVATURE) ** 2 * m + eps**2 * NOISE / B
    raise RuntimeError(f"a batch of {B:g} did not reach {TARGET} in {limit} steps")


def reinforce(rng, draws):
    """Gap, |G|^2, tr Sigma and the same estimated from pairs of batches, along exact softmax policy gradient."""
    theta, rows = np.zeros(3), []
    for _ in range(8):
        pi = np.exp(theta) / np.exp(theta).sum()
        g = REWARDS[:, None] * (np.eye(3) - pi)
        G = pi @ g
        a = rng.choice(3, size=(draws, 16), p=pi)
        norms = [(g[a[:, :k]].mean(1) ** 2).sum(-1) for k in (2, 16)]
        estimates = [x.mean() for x in noise_scale(*norms, 2, 16)]
        errors = [x.std() / draws**0.5 for x in noise_scale(*norms, 2, 16)]
        rows.append([1 - pi @ REWARDS, G @ G, pi @ (g**2).sum(-1) - G @ G, *estimates, *errors])
        for _ in range(25):
            pi = np.exp(theta) / np.exp(theta).sum()
            theta = theta + pi * (REWARDS - pi @ REWARDS)
    return np.array(rows)


def compute(scale):
    """Steps and examples by batch size with the mean noise scales; what REINFORCE's noise does as it learns."""
    runs = [descend(B) for B in BATCHES[scale]]
    steps = np.array([t for t, _ in runs], dtype=float)
    ends = np.array([s[[0, -1]] for _, s in runs])
    return {
        "B": BATCHES[scale],
        "steps": steps,
        "examples": steps * BATCHES[scale],
        "ends": ends,
        "reinforce": reinforce(np.random.default_rng(0), DRAWS[scale]),
    }


def hyperbola(data):
    """(S/S_min - 1)(E/E_min - 1) where both are away from their ends; its two constants."""
    S, E = data["steps"], data["examples"]
    far = (1.2 * S.min() < S) & (1.2 * E.min() < E)
    return ((S / S.min() - 1) * (E / E.min() - 1))[far], S.min(), E.min()


def draw(data, axes):
    """Examples against steps with the hyperbola; the noise scale of REINFORCE against its gap."""
    _, S, E = hyperbola(data)
    axes[0].loglog(data["steps"], data["examples"], "o-", ms=3, label="measured")
    x = np.geomspace(1.02 * S, data["steps"].max(), 100)
    axes[0].loglog(x, E * (1 + 1 / (x / S - 1)), "--", label="hyperbola")
    axes[0].set(xlabel="steps", ylabel="examples", title="noisy quadratic")
    axes[0].legend()
    gap, g2, noise, g2_seen, noise_seen = data["reinforce"].T[:5]
    axes[1].loglog(gap, noise / g2, label="exact")
    axes[1].loglog(gap, noise_seen / g2_seen, "o", ms=4, label="from batches of 2 and 16")
    axes[1].set(xlabel=r"$V^* - V^{\pi_t}$", ylabel=r"$\mathrm{tr}\,\Sigma / |G|^2$", title="REINFORCE on a bandit")
    axes[1].legend()


def claims(data):
    """What the law says, and where it is only nearly so."""
    product, S, E = hyperbola(data)
    gap, g2, noise, g2_seen, noise_seen, g2_error, noise_error = data["reinforce"].T
    more = (np.diff(data["examples"]) >= -data["B"][1:])[data["B"][:-1] >= 1]
    return {
        "more examples a step, fewer steps": bool((np.diff(data["steps"]) <= 0).all()),
        "from one example on also more examples in all, but for one batch": bool(more.all()),
        "steps and examples lie within 25 percent of the hyperbola": bool(
            len(product) > 2 and (abs(product - 1) < 0.25).all()
        ),
        "the noise scale rises as the loss falls": bool((data["ends"][:, 1] > data["ends"][:, 0]).all()),
        "the critical batch lies between its ends": bool(data["ends"][:, 0].min() < E / S < data["ends"][:, 1].max()),
        "so it does for REINFORCE": bool((np.diff(noise / g2) > 0).all() and (np.diff(gap) < 0).all()),
        "two batch sizes see both numbers": bool(
            (abs(g2_seen - g2) < 5 * g2_error).all() and (abs(noise_seen - noise) < 5 * noise_error).all()
        ),
    }
