"""Regret and violation of COCO-M against the horizon, on log-log axes: both grow slower than T.

A cart beside a wall that moves, as in `mdptk.problems.control`. Step sizes are those for a known horizon, 1/sqrt(T).
The paper's abstract says sublinear; here are the slopes, for the regret against the best constant parameters that never
touch the wall, and for what the true positions touch it by. Without the queue the cost is lower, and the violation
grows faster.
"""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.control.coco_m import COCOM
from mdptk.problems.control import moving_wall
from mdptk.theory.stock_control import regret

HORIZONS = {"smoke": (128, 256, 512), "paper": (128, 256, 512, 1024, 2048, 4096, 8192)}
panels = 2


def compute(scale):
    """Regret and violation at the horizon, with the queue and without, each (horizons,)."""
    horizons = HORIZONS[scale]
    found = {"T": np.array(horizons, dtype=float), "regret": [], "touched": [], "careless": []}
    for T in horizons:
        problem, eta = moving_wall(T), float(0.5 / np.sqrt(T))
        result = run(COCOM(eta=eta), problem, T, every=T)
        found["regret"].append(regret.values(result)[0, -1])
        found["touched"].append(result["touched"][0, -1])
        found["careless"].append(run(COCOM(eta=eta, eta_q=1e-9), problem, T, every=T)["touched"][0, -1])
    return {name: np.asarray(x) for name, x in found.items()}


def draw(data, axes):
    """Regret on the left, violation on the right."""
    axes[0].loglog(data["T"], np.maximum(data["regret"], 1e-3), "o-")
    axes[0].set(xlabel="$T$", title="regret")
    axes[1].loglog(data["T"], data["touched"], "o-", label="with the queue")
    axes[1].loglog(data["T"], data["careless"], "o--", label="without")
    axes[1].set(xlabel="$T$", title="violation")
    axes[1].legend(fontsize="x-small")


def slope(T, y):
    """The exponent of a power law by least squares, of positive numbers."""
    return np.polyfit(np.log(T), np.log(np.maximum(y, 1e-3)), 1)[0]


def claims(data):
    """Exponents below one with the queue, and a larger one of the violation without."""
    exponents = {name: slope(data["T"], data[name]) for name in ("regret", "touched", "careless")}
    return {
        "the regret grows slower than T": bool(exponents["regret"] < 0.8),
        "so does the violation": bool(exponents["touched"] < 0.8),
        "without the queue the violation grows faster": bool(exponents["careless"] > exponents["touched"] + 0.1),
        "at the largest T it is larger by half at least": bool(data["careless"][-1] > 1.5 * data["touched"][-1]),
    }
