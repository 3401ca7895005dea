"""What m inner gradient steps do: how far ratios go (PPO, SPO, the discovered drift), and how near MDPO is to its step.

Left: the largest ratio that one update made, over all states and actions, against the number of inner steps. Clipping
removes the reason to go further, not the way; a drift that pulls back keeps a table near its region. Right: how far an
update of MDPO is from the exact step of mirror descent, which m steps replace; with one it is policy gradient.
"""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.mirror_descent.mdpo import INNER, MDPO
from mdptk.algorithms.policy_gradient.discovered_po import DiscoveredPO
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.ppo import PPO
from mdptk.algorithms.policy_gradient.spo import SPO
from mdptk.problems.garnet import garnet
from mdptk.theory.stock_mdpo import residual
from mdptk.theory.stock_surrogates import furthest, least_gain

INNER_STEPS = {"smoke": (1, 4, 16, 64), "paper": (1, 2, 4, 8, 16, 32, 64, 128, 256)}
EPSILON, STEP, ETA = 0.2, 2.0, 0.5
METHODS = ("PPO", "SPO", "DiscoveredPO")


def _methods(m):
    return PPO(EPSILON, STEP, m), SPO(EPSILON, STEP, m), DiscoveredPO(step_size=STEP, m=m)


def compute(scale):
    """Ratios and least gains, (methods, inner steps); distances and residuals of MDPO, (inner steps)."""
    mdp, inner = garnet(S=5, A=3, b=2, gamma=0.8, seed=1), INNER_STEPS[scale]
    runs = [[run(alg, mdp, 10) for alg in _methods(m)] for m in inner]
    exactly = run(NPG(eta=(1 - mdp.gamma) * ETA), mdp, 1)["pi"][0, 1]
    steps = [run(MDPO(ETA, m), mdp, 1) for m in inner]
    return {
        "m": np.array(inner, dtype=float),
        "ratio": np.array([[furthest.values(r)[0, 1:].max() for r in of] for of in runs]).T,
        "gain": np.array([[least_gain.values(r)[0, 1:].min() for r in of] for of in runs]).T,
        "slack": np.array([[least_gain.error(r)[0, 1:].max() for r in of] for of in runs]).T,
        "distance": np.array([abs(r["pi"][0, 1] - exactly).max() for r in steps]),
        "residual": np.array([residual.values(r)[0, 1] for r in steps]),
        "bound": np.array([INNER.sides(r)[1][0, 1] for r in steps]),
    }


panels = 2


def draw(data, axes):
    """Ratios on the left, MDPO on the right; the theorem about the residual dashed."""
    left, right = axes
    for name, ratio in zip(METHODS, data["ratio"], strict=True):
        left.loglog(data["m"], ratio, "o-", label=name)
    left.axhline(EPSILON, ls=":", lw=0.8)
    left.set(xlabel="inner steps $m$", ylabel=r"$\max |\pi_{t+1}/\pi_t - 1|$")
    left.legend()
    right.loglog(data["m"], data["distance"], "o-", label="distance from the exact step")
    (line,) = right.loglog(data["m"], data["residual"], "o-", label="residual")
    right.loglog(data["m"], data["bound"], "--", color=line.get_color(), lw=0.8)
    right.set(xlabel="inner steps $m$")
    right.legend()


def claims(data):
    """What the theorems say, and what the figure is there to show."""
    ppo, spo, _ = data["ratio"]
    return {
        "no state ever loses, for any drift and number of steps": bool((data["gain"] >= -data["slack"]).all()),
        "PPO leaves its interval": bool(ppo[-1] > 1.5 * EPSILON),
        "SPO comes back nearer to its interval than PPO": bool(spo[-1] < ppo[-1]),
        "more inner steps are nearer to the exact step": bool((np.diff(data["distance"]) < 0).all()),
        "the residual is below its bound": bool((data["residual"] <= data["bound"] * (1 + 1e-9)).all()),
    }
