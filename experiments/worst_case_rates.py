"""Value iteration and its relatives, over all Bellman operators at once: the exact worst case beside what is proved.

The error of value iteration is gamma^N, and nothing here is faster for all operators. Its residual (what can be
measured without knowing the answer) is (1 + gamma) gamma^N, and anchoring at the start does better while gamma^N is
near 1. Momentum, which is faster where all eigenvalues are real, is the worst of all. The worst operator of each was
extracted and run; every number has a certificate in rational arithmetic.
"""

from __future__ import annotations

import numpy as np

from mdptk.worst_case import BellmanOperators, anchored, averaged, momentum, picard

GAMMA = 0.9
LARGEST = {"smoke": 3, "paper": 8}
METHODS = {
    "value iteration": picard,
    "damped, 1/2": averaged,
    "anchored": anchored,
    "momentum, 0.3": lambda N: momentum(N, 0.3),
}


def compute(scale):
    """Worst residuals and errors with their certified bounds, each (methods, N)."""
    steps = np.arange(1, LARGEST[scale] + 1)
    out = {"N": steps, "method": np.array(list(METHODS))}
    for measure in ("error", "residual"):
        found = [[BellmanOperators(GAMMA).worst_case(m(int(N)), measure) for N in steps] for m in METHODS.values()]
        out[measure] = np.array([[w.value for w in row] for row in found])
        out[f"{measure}_certified"] = np.array([[float(w.upper) for w in row] for row in found])
        out[f"{measure}_attained"] = np.array([[w.lower for w in row] for row in found])
    return out


def draw(data, axes):
    """Residuals against N: the worst case as a line, what the worst operator attains as dots."""
    (ax,) = axes
    N = data["N"]
    for name, worst, attained in zip(data["method"], data["residual"], data["residual_attained"], strict=True):
        (line,) = ax.semilogy(N, worst, label=name)
        ax.semilogy(N, attained, ".", color=line.get_color())
    ax.semilogy(N, (1 + GAMMA) * GAMMA**N, ":", color="0.3", label=r"$(1 + \gamma)\, \gamma^N$")
    ax.set(xlabel="steps $N$", ylabel=r"$\|T v_N - v_N\|_\infty$", xticks=N)
    ax.set_title(rf"Worst Bellman operators, $\gamma = {GAMMA}$")
    ax.legend()


def claims(data):
    """What the theorems say, and what the figure is there to show."""
    N, close = data["N"], {"rtol": 1e-7, "atol": 0}
    vi = list(data["method"]).index("value iteration")
    anchor, fast = (list(data["method"]).index(name) for name in ("anchored", "momentum, 0.3"))
    bounds = all((data[m] <= data[f"{m}_certified"] * (1 + 1e-12)).all() for m in ("error", "residual"))
    attained = all(np.allclose(data[m], data[f"{m}_attained"], **close) for m in ("error", "residual"))
    return {
        "the worst error of value iteration is gamma^N": np.allclose(data["error"][vi], GAMMA**N, **close),
        "its worst residual is (1 + gamma) gamma^N": np.allclose(data["residual"][vi], (1 + GAMMA) * GAMMA**N, **close),
        "every worst case is attained by the operator that was extracted": attained,
        "no worst case is above its certificate": bool(bounds),
        "anchoring has a smaller residual": bool((data["residual"][anchor] < data["residual"][vi]).all()),
        "and a larger error": bool((data["error"][anchor] > data["error"][vi]).all()),
        "momentum is no faster in the worst case": bool((data["error"][fast] >= data["error"][vi] * (1 - 1e-9)).all()),
    }
