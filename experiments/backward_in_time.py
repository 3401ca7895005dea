"""How the horizon counts: softmax policy gradient on all stages at once, and backward in time (Klein et al. 2024).

The cost is counted in gradients of one stage: a simultaneous step costs H of them. For each horizon, the cost until the
gap is EPSILON, with the steps that each theorem allows, and the cost that the theorem promises. The slopes of their
logarithms are the factors of the horizon.
"""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.dynamic_pg import DynamicPG, budget, top
from mdptk.algorithms.policy_gradient.simultaneous_pg import SimultaneousPG, least_reach
from mdptk.problems.garnet import garnet
from mdptk.theory.stock_stages import suboptimality

HORIZONS = {"smoke": (2, 4, 8), "paper": (2, 4, 8, 16, 32)}
EPSILON = 0.2
METHODS = ("simultaneous", "backward")


def _simultaneous(problem):
    """Measured cost, and the cost that the theorem promises with the reach seen until then."""
    steps, S, H = 200, problem.S, problem.H
    while True:
        result = run(SimultaneousPG(), problem, steps)
        small = suboptimality.values(result)[0] <= EPSILON
        if small.any():
            t, c = int(small.argmax()), least_reach.values(result)[0].min()
            return H * t, H * S * H**2 * (H + 3) / (4 * c**2 * EPSILON)
        steps *= 2


def _backward(problem):
    """The same, with the fewest steps a stage that will do, by bisection."""

    def gap(m):
        result = run(DynamicPG(m=m), problem, m * problem.H, every=m * problem.H)
        return suboptimality.values(result)[0, -1], result

    high = 1
    while gap(high)[0] > EPSILON:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if gap(middle)[0] <= EPSILON else (middle, high)
    result = gap(high)[1]
    factor = budget.values(result)[0, -1] * (1 + high)  # the theorem with n_h = m is this over 1 + m
    promised = problem.A**2 * problem.S * top.values(result)[0, 0] * factor / EPSILON
    return problem.H * high, problem.H * promised


def compute(scale):
    """Measured and promised costs, (methods, horizons), and their exponents."""
    horizons = np.array(HORIZONS[scale], dtype=float)
    mdp = garnet(S=3, A=2, b=2, gamma=0.9)
    problems = [mdp.episodic(int(H)) for H in horizons]
    cost = np.array([[f(p) for p in problems] for f in (_simultaneous, _backward)], dtype=float)
    x = np.log(horizons)
    slopes = np.array([[np.polyfit(x, np.log(c), 1)[0] for c in of.T] for of in cost])
    return {"H": horizons, "measured": cost[..., 0], "promised": cost[..., 1], "exponent": slopes}


panels = 1


def draw(data, axes):
    """Cost against horizon, what the theorem promises dashed."""
    ax = axes[0]
    for i, name in enumerate(METHODS):
        seen, said = data["exponent"][i]
        (line,) = ax.loglog(data["H"], data["measured"][i], "o-", label=f"{name}: slope {seen:.2g} (bound {said:.2g})")
        ax.loglog(data["H"], data["promised"][i], "--", color=line.get_color(), lw=0.8)
    ax.set(xlabel="$H$", ylabel="gradients of one stage")
    ax.legend()


def claims(data):
    """What the theorems say, and what the figure is there to show."""
    (sim, sim_bound), (back, back_bound) = data["exponent"]
    ahead = data["measured"][0] / data["measured"][1]
    return {
        "nobody needs more than the theorem promises": bool((data["measured"] <= data["promised"]).all()),
        "the bounds grow with about the third power of the horizon, the simultaneous one faster": bool(
            sim_bound > back_bound > 2.5
        ),
        "what is needed grows more slowly than what is promised": bool(sim < sim_bound and back < back_bound),
        "backward in time is ahead, and the more so the longer the horizon": bool(
            (ahead >= 1).all() and ahead[-1] > ahead[0]
        ),
        "the horizon has a smaller power backward in time": bool(back < sim),
    }
