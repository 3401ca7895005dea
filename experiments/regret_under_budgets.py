"""Learning under a budget: what is lost and what is overspent, with cancellation and without.

Two states, three stages, and a reward behind a cost (`dear_reward`). OptCMDP overspends at first and less and less
(the augmented Lagrangian cannot be told from it here); the primal-dual method makes up for what it overspends, so that
its weak violation is far below its strong one; OptPess-LP never overspends, and pays with regret until it dares.
"""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.constrained.opt_cmdp import OptCMDP
from mdptk.algorithms.constrained.opt_pess_lp import OptPessLP
from mdptk.algorithms.constrained.opt_primal_dual import OptPrimalDual
from mdptk.problems.learning_constrained import dear_reward
from mdptk.theory.stock_online import strong_regret, strong_violation, violation

EPISODES, REPEATS = {"smoke": 4096, "paper": 65536}, {"smoke": 8, "paper": 64}
METHODS = {
    "OptCMDP": OptCMDP(),
    "OptPrimalDual": OptPrimalDual(eta=0.5, eta_dual=0.5),
    "OptPess-LP": OptPessLP(),
}
panels = 2


def compute(scale):
    """Means over repeats of the strong regret, the strong and the weak violation, each (methods, records)."""
    runs = [run(alg, dear_reward(), EPISODES[scale], repeats=REPEATS[scale]) for alg in METHODS.values()]
    every = slice(0, None, 32)
    data = {
        "regret": [strong_regret.values(r).mean(0)[every] for r in runs],
        "strong": [strong_violation.values(r).mean(0)[every] for r in runs],
        "weak": [np.maximum(violation.values(r), 0).mean(0)[every] for r in runs],
    }
    return {"K": runs[0].t[every]} | {name: np.stack(x) for name, x in data.items()}


def draw(data, axes):
    """Strong regret on the left, violation on the right: strong solid, weak dashed."""
    for i, label in enumerate(METHODS):
        axes[0].plot(data["K"], data["regret"][i], lw=1, color=f"C{i}", label=label)
        axes[1].plot(data["K"], data["strong"][i], lw=1, color=f"C{i}")
        axes[1].plot(data["K"], data["weak"][i], "--", lw=1, color=f"C{i}")
    axes[0].set(xlabel="$K$", title="strong regret")
    axes[1].set(xlabel="$K$", title="violation: strong, weak (dashed)")
    axes[0].legend(fontsize="x-small")


def _slows(y):
    """What the second half adds, as a share of what the first did."""
    half = len(y) // 2
    return (y[-1] - y[half]) / max(y[half], 1e-9)


def claims(data):
    """Who overspends, who makes up for it, and who never does."""
    cmdp, dual, safe = range(3)
    return {
        "OptCMDP overspends less and less": bool(_slows(data["strong"][cmdp]) < 0.8),
        "the primal-dual method makes up for what it overspends": bool(
            data["weak"][dual, -1] < 0.5 * data["strong"][dual, -1]
        ),
        "OptPess-LP never overspends": bool(data["strong"][safe].max() == 0),
        "and loses more than OptCMDP does": bool(data["regret"][safe, -1] > data["regret"][cmdp, -1]),
    }
