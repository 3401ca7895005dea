"""Return against entropy on a bandit of 50 arms: the law R = b - a exp(H), where it holds and where it does not.

After Cui et al. 2025, who fit that law to language models and read from it a ceiling b - a at entropy zero. On a bandit
whose rewards are spread evenly it holds for plain and natural gradients and for Clip-Cov alike: exp(H) counts the arms
that are left, and the mean of the best k of them falls linearly in k. So it speaks of the rewards, not of the method:
with one good arm among bad ones the same methods leave the line, and the ceiling that it predicts can be far too low.
Clip-Cov moves along the line more slowly.
"""

from __future__ import annotations

import numpy as np

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.clip_cov import ClipCov
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.theory.stock_entropy import ENTROPY, entropies

STEPS = {"smoke": 400, "paper": 4000}
METHODS = {"natural": NPG(0.5), "plain": SoftmaxPG(5.0), "Clip-Cov": ClipCov(0.5, 0.1)}
ARMS = 50
panels = 2


def _rewards():
    """Spread evenly, and one good arm."""
    return {"even": np.random.default_rng(0).random(ARMS), "one good": np.eye(ARMS)[0]}


def _fit(H, R):
    """(a, b) of the line R = b - a exp(H), and the part of the variance that it explains."""
    X = np.stack([-np.exp(H), np.ones_like(H)], 1)
    (a, b), *_ = np.linalg.lstsq(X, R, rcond=None)
    return a, b, 1 - ((X @ [a, b] - R) ** 2).sum() / ((R - R.mean()) ** 2).sum()


def compute(scale):
    """Entropies and returns, (rewards, methods, records), the fits, and the worst ratio of the entropy formula."""
    H, R, fits, ratio = [], [], [], []
    for r in _rewards().values():
        for alg in METHODS.values():
            result = run(alg, MDP(np.ones((1, ARMS, 1)), r[None], 0.0), STEPS[scale])
            H.append(entropies(result)[0, :, 0])
            R.append(result["pi"][0, :, 0] @ r)
            fits.append(_fit(H[-1], R[-1]))
            ratio.append(ENTROPY.check(result).ratio)
    shape = (len(_rewards()), len(METHODS))
    return {
        "H": np.reshape(H, (*shape, -1)),
        "R": np.reshape(R, (*shape, -1)),
        "fit": np.reshape(fits, (*shape, 3)),
        "ratio": np.array(ratio),
        "best": np.array([r.max() for r in _rewards().values()]),
    }


def draw(data, axes):
    """R against exp(H), a panel for each kind of rewards, the fit of natural gradients dashed."""
    for ax, name, H, R, fit in zip(axes, _rewards(), data["H"], data["R"], data["fit"], strict=True):
        for label, x, y in zip(METHODS, H, R, strict=True):
            ax.plot(np.exp(x), y, ".", ms=3, label=label)
        x = np.array([1.0, ARMS])
        ax.plot(x, fit[0, 1] - fit[0, 0] * x, "k--", lw=0.8, label=f"fit, $R^2$ = {fit[0, 2]:.2f}")
        ax.set(xlabel=r"$\exp H$", ylabel="return", title=f"rewards: {name}")
        ax.legend(fontsize="x-small")


def claims(data):
    """Where the law holds and where it does not."""
    even, one = data["fit"]
    ceiling = even[:, 1] - even[:, 0]
    return {
        "the entropy formula holds with its rest": bool((data["ratio"] <= 1).all()),
        "even rewards: the line explains 97 percent for every method": bool((even[:, 2] > 0.97).all()),
        "and its end is the best reward within 0.02": bool((abs(ceiling - data["best"][0]) < 0.02).all()),
        "one good arm: the line of natural gradients explains less": bool(one[0, 2] < even[0, 2]),
        "and where half is earned it is off by more than 0.1": bool(
            abs(0.5 - np.interp(0.5, data["R"][1, 0], one[0, 1] - one[0, 0] * np.exp(data["H"][1, 0]))) > 0.1
        ),
        "and the ceiling that is read from Clip-Cov is a third too low": bool(one[2, 1] - one[2, 0] < 0.67),
        "Clip-Cov has more entropy left than natural gradients": bool(data["H"][0, 2, -1] > data["H"][0, 0, -1] + 0.1),
    }
