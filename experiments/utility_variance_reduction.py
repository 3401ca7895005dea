"""What variance reduction saves for a general utility: N-VR-PG, TSIVR-PG and plain policy gradient, by trajectories.

An occupancy is to be imitated, as in `mdptk.problems.utilities.imitate_garnet`: neither the visits nor the gradient is
known, and both come from the same trajectories. Plain policy gradient forgets them after each batch, and the reward
that it makes of a few is wrong just where their gradient is: a bias, so it ends in a cloud that smaller steps hardly
shrink. TSIVR-PG (Zhang et al. 2021, recalled) takes a large batch once in a while and corrects it by small ones with
importance weights, which a truncation of steps keeps in bounds. N-VR-PG (Barakat et al. 2023) corrects forever, from
one trajectory a step, and normalises steps instead. Each method has the better of two step sizes. Those of N-VR-PG fall
as its theorem says, the others are constant.
"""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.utility.normalised_vr_pg import NormalisedVRPG
from mdptk.core import exact, utilities
from mdptk.core.estimators import discounted_sums
from mdptk.core.oracles import UtilityTrajectories, choose, invert
from mdptk.problems.utilities import imitate_garnet

T, BATCH, LARGE, EPOCH, TRUNCATED = 16, 8, 64, 8, 0.3
BUDGET = {"smoke": 2**12, "paper": 2**16}
REPEATS = {"smoke": 16, "paper": 200}
RECORDS = 32
STEPS = {"plain": (2.0, 4.0), "TSIVR-PG": (4.0, 8.0), "N-VR-PG": (0.25, 0.5)}
panels = 2


def trajectories(rng, oracle, pi, n):
    """States and actions of n trajectories under each policy ``pi[i, s, a]``, (repeats, n, T)."""
    i = np.arange(len(pi))[:, None]
    s, states, actions = invert(oracle._first, rng.random((len(pi), n))), [], []
    for _ in range(T):
        a = choose(pi[i, s], rng.random(s.shape))
        states.append(s)
        actions.append(a)
        s = invert(oracle._next[s, a], rng.random(s.shape))
    return np.stack(states, -1), np.stack(actions, -1)


def counted(s, a, weight, shape):
    """Sum of ``weight[i, n, k]`` at the pairs that are visited, over k, (repeats, n, S, A)."""
    flat = np.eye(shape[0] * shape[1])[s * shape[1] + a]
    return np.einsum("ink,inkp->inp", weight, flat).reshape(*s.shape[:2], *shape)


def visits(oracle, s, a):
    """Discounted visits of each trajectory."""
    shape = (oracle.S, oracle.A)
    return counted(s, a, np.broadcast_to((1 - oracle.gamma) * oracle.gamma ** np.arange(T), s.shape), shape)


def estimates(oracle, pi, s, a, r):
    """Policy gradients of each trajectory in the logits, for the rewards ``r[i, s, a]``."""
    i, shape = np.arange(len(pi))[:, None, None], (oracle.S, oracle.A)
    earned = discounted_sums(r[i, s, a], oracle.gamma)
    weight = (1 - oracle.gamma) * oracle.gamma ** np.arange(T) * earned
    taken = counted(s, a, weight, shape)
    return taken - taken.sum(-1, keepdims=True) * pi[:, None]


def ratio(old, pi, s, a):
    """Importance weights of the trajectories, (repeats, n, 1, 1)."""
    i = np.arange(len(pi))[:, None, None]
    return np.exp(np.log(old[i, s, a] / pi[i, s, a]).sum(-1))[..., None, None]


def plain(rng, oracle, theta, step):
    """Yields logits and the number of trajectories so far."""
    used = 0
    while True:
        yield theta, used
        pi = exact.softmax(theta)
        s, a = trajectories(rng, oracle, pi, BATCH)
        r = oracle.utility.gradient(visits(oracle, s, a).mean(1))
        theta, used = theta + step * estimates(oracle, pi, s, a, r).mean(1), used + BATCH


def tsivr(rng, oracle, theta, step):
    """Epochs that begin with a large batch; within, both estimates are corrected recursively, and steps truncated."""
    used, j = 0, 0
    old, x, d, r, r_old = theta, 0.0, 0.0, None, None
    while True:
        yield theta, used
        pi, before = exact.softmax(theta), exact.softmax(old)
        if j % EPOCH == 0:
            s, a = trajectories(rng, oracle, pi, LARGE)
            x = visits(oracle, s, a).mean(1)
            r = r_old = oracle.utility.gradient(x)
            d = estimates(oracle, pi, s, a, r).mean(1)
            used += LARGE
        else:
            s, a = trajectories(rng, oracle, pi, BATCH)
            w, seen = ratio(before, pi, s, a), visits(oracle, s, a)
            d = d + (estimates(oracle, pi, s, a, r) - w * estimates(oracle, before, s, a, r_old)).mean(1)
            x = x + ((1 - w) * seen).mean(1)
            r, r_old = oracle.utility.gradient(x), r
            used += BATCH
        length = step * np.sqrt((d**2).sum((-2, -1), keepdims=True))
        old, theta, j = theta, theta + step * d * np.minimum(1, TRUNCATED / np.maximum(length, 1e-300)), j + 1


def gaps(method, problem, step, repeats, grid):
    """The mean gap at each number of trajectories of the grid."""
    rng, oracle, best = np.random.default_rng(0), UtilityTrajectories.of(problem), exact.truth(problem).optimum.value
    policies, out = method(rng, oracle, np.zeros((repeats, oracle.S, oracle.A)), step), []
    while len(out) < len(grid):
        theta, used = next(policies)
        while len(out) < len(grid) and used >= grid[len(out)]:
            out.append(best - utilities.worth(problem, exact.softmax(theta)).mean())
    return np.array(out)


def compute(scale):
    """Mean gaps by method, step size and number of trajectories."""
    problem, repeats, budget = imitate_garnet(), REPEATS[scale], BUDGET[scale]
    grid = np.arange(1, RECORDS + 1) * (budget // RECORDS)
    found = {"n": grid.astype(float)}
    for name, method in (("plain", plain), ("TSIVR-PG", tsivr)):
        found[name] = np.array([gaps(method, problem, step, repeats, grid) for step in STEPS[name]])
    runs = [
        run(NormalisedVRPG(alpha=step, T=T), problem, budget, repeats=repeats, every=budget // RECORDS)["gap"]
        for step in STEPS["N-VR-PG"]
    ]
    return found | {"N-VR-PG": np.array([gap[:, 1:].mean(0) for gap in runs])}


def draw(data, axes):
    """The better step of each method on the left, both on the right."""
    for name, steps in STEPS.items():
        (line,) = axes[0].loglog(data["n"], best(data, name), label=name)
        for step, style, gap in zip(steps, ("-", "--"), data[name], strict=True):
            axes[1].loglog(data["n"], gap, style, color=line.get_color(), label=f"{name}, {step:g}")
    axes[0].set(xlabel="trajectories", ylabel=r"$F(x^*) - F(x^\pi)$", title="the better step size")
    axes[1].set(xlabel="trajectories", title="both step sizes")
    for ax in axes:
        ax.legend(fontsize=6)


def late(gap):
    """The mean over the last quarter of the records."""
    return gap[-RECORDS // 4 :].mean()


def best(data, name):
    """The curve of the step size that ends lower."""
    return min(data[name], key=late)


def claims(data):
    """Who stops falling, and who is lower for the same number of trajectories."""
    curves = {name: best(data, name) for name in STEPS}
    second = curves["plain"][RECORDS // 4 : RECORDS // 2].mean()
    slope = np.polyfit(np.log(data["n"]), np.log(curves["N-VR-PG"]), 1)[0]
    return {
        "plain policy gradient has stopped falling by half of the trajectories": bool(
            late(curves["plain"]) > second / 2
        ),
        "and half of the step hardly helps": bool(late(data["plain"][0]) < 2 * late(data["plain"][1])),
        "both methods that reduce variance end lower": bool(
            max(late(curves["TSIVR-PG"]), late(curves["N-VR-PG"])) < 0.8 * late(curves["plain"])
        ),
        "N-VR-PG falls at least like the cube root of their number": bool(slope < -1 / 3),
    }
