"""Price and violation of the last policy: gradient descent-ascent circles, optimism and regularisation do not.

One state and two actions are enough to see it, where the optimum has to randomise. Gradient descent-ascent (NPG
primal-dual) goes around the saddle point with an amplitude that does not fall, and only its average converges.
Optimistic steps spiral in, to the optimum itself; regularised ones spiral in to a point beside it, the farther the
stronger the regularisation. After Figure 1 of Ding et al. (2023) and the figures of Moskovitz et al.
(2023), on an instance of our own.
"""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.constrained.npg_primal_dual import NPGPrimalDual
from mdptk.algorithms.constrained.regularised_primal_dual import RegularisedPrimalDual
from mdptk.algorithms.constrained.reload_occupancy import ReLOADOccupancy
from mdptk.problems.constrained import paradoxical
from mdptk.theory.stock_constrained import average, excess, last

STEPS = {"smoke": 600, "paper": 6000}
METHODS = {
    "gradient descent-ascent": NPGPrimalDual(eta=0.1, eta_dual=0.1, bound=4.0),
    "optimistic": ReLOADOccupancy(eta=0.2),
    "regularised, tau = 0.3": RegularisedPrimalDual(eta=0.1, tau=0.3, bound=4.0),
    "regularised, tau = 0.1": RegularisedPrimalDual(eta=0.1, tau=0.1, bound=4.0),
}
panels = 2


def compute(scale):
    """Prices and excesses of the last policy, and of the average, each (methods, records)."""
    runs = [run(alg, paradoxical(), STEPS[scale]) for alg in METHODS.values()]
    return {
        "t": runs[0].t,
        "lam": np.stack([r["lam"][0, :, 0] for r in runs]),
        "last": np.stack([excess(r, last(r))[0, :, 0] for r in runs]),
        "average": np.stack([excess(r, average(r))[0, :, 0] for r in runs]),
    }


def draw(data, axes):
    """The price on the left, the excess of the last policy on the right."""
    for ax, name in zip(axes, ("lam", "last"), strict=True):
        for label, y in zip(METHODS, data[name], strict=True):
            ax.plot(data["t"], y, lw=1, label=label)
        ax.set(xlabel="$t$", xlim=(0, min(data["t"][-1], 600)))
    axes[0].set(ylabel=r"$\lambda_t$", title="price")
    axes[1].set(ylabel=r"$V_c^{\pi_t}(\rho) - b$", title="excess of the last policy")
    axes[1].plot(data["t"], data["average"][0], "--", lw=1, color="C0", label="average of gradient descent-ascent")
    axes[1].legend(fontsize="x-small", loc="upper right")


def _amplitude(y):
    """The largest size in the first and in the last quarter."""
    quarter = len(y) // 4
    return abs(y[:quarter]).max(), abs(y[-quarter:]).max()


def claims(data):
    """What converges, and what does not."""
    gda, optimistic = (_amplitude(y) for y in data["last"][:2])
    price = _amplitude(data["lam"][0] - 1)
    around = [_amplitude(y - y[-1]) for y in data["last"][2:]]
    beside = abs(data["last"][2:, -1])
    return {
        "the last policy of gradient descent-ascent does not converge": bool(gda[1] >= 0.9 * gda[0]),
        "nor does its price": bool(price[1] >= 0.9 * price[0]),
        "its average does": bool(abs(data["average"][0, -1]) < 0.1 * gda[1]),
        "the last policy of optimistic steps converges to the optimum": bool(optimistic[1] < 0.02 * optimistic[0]),
        "that of regularised steps comes to rest": all(bool(y[1] < 0.1 * y[0]) for y in around),
        "beside the optimum, and nearer for less regularisation": bool(0.01 < beside[1] < beside[0]),
    }
