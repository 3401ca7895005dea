"""Who needs long on the softmax chain: steps after which each state is learnt, for every exact method with a softmax.

On the chain of Li, Wei, Chi, Gu and Chen [li2021softmax] each state waits for the one before, and is led astray
meanwhile. Plain gradients, with a constant step, a searched one or an entropy bonus, then start from next to nothing: a
factor between the times of two states that grows along the chain. It does not for normalised gradients; natural ones
and the other methods whose steps do not have the probability of the action as a factor are done before plain ones have
begun. Order only: the constants of the paper's theorem are not stated, so nothing is judged but what the figure shows.
"""

from __future__ import annotations

import numpy as np

from mdptk.algorithms.policy_gradient.armijo_softmax_pg import ArmijoSoftmaxPG
from mdptk.algorithms.policy_gradient.entropy_npg import EntropyNPG
from mdptk.algorithms.policy_gradient.entropy_softmax_pg import EntropySoftmaxPG
from mdptk.algorithms.policy_gradient.normalised_softmax_pg import NormalisedSoftmaxPG
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.soft_policy_iteration import SoftPolicyIteration
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.algorithms.policy_gradient.trpo import TRPO
from mdptk.lower_bounds.softmax import learning_times

LENGTH = 5
PLAIN = {"gradient": SoftmaxPG(eta=4.0), "searched steps": ArmijoSoftmaxPG(), "entropy": EntropySoftmaxPG(1e-3, 4.0)}
OTHER = {
    "normalised gradient": NormalisedSoftmaxPG(eta=0.1),
    "natural gradient": NPG(),
    "natural gradient, entropy": EntropyNPG(tau=1e-3),
    "soft policy iteration": SoftPolicyIteration(tau=1e-3),
    "trust region": TRPO(),
}
STEPS = {"smoke": (2600, 320), "paper": (40_000, 4000)}


def compute(scale):
    """Times of the states 1, 2, ..., (methods, states); inf for those that were not learnt."""
    many, few = STEPS[scale]
    times = [learning_times(alg, many, n=LENGTH) for alg in PLAIN.values()]
    times += [learning_times(alg, few, n=LENGTH) for alg in OTHER.values()]
    return {"name": np.array([*PLAIN, *OTHER]), "times": np.array(times)}


def draw(data, axes):
    """Times against states, a line for each method; plain gradients solid, the others dashed."""
    ax, s = axes[0], np.arange(1, data["times"].shape[1] + 1)
    for name, y in zip(data["name"], data["times"], strict=True):
        seen = np.isfinite(y)
        ax.semilogy(s[seen], np.maximum(y[seen], 1), "o-" if name in PLAIN else "o--", ms=3, label=name)
    ax.set(xlabel="state", ylabel="steps until it is learnt", xticks=s)
    ax.legend(fontsize=6)


def claims(data):
    """Growing factors for plain gradients, and who escapes them."""
    times = dict(zip(data["name"], data["times"], strict=True))
    factors = {name: (y[3:] / y[2:-1])[np.isfinite(y[3:])] for name, y in times.items()}
    normalised = times["normalised gradient"]
    return {
        "factors of plain gradients grow": all((np.diff(factors[name]) > 0).all() for name in PLAIN),
        "the gradient learns the last state, more than five times later than the one before": bool(
            np.isfinite(times["gradient"][-1]) and factors["gradient"][-1] > 5
        ),
        "factors of normalised gradients do not": bool(
            np.isfinite(normalised).all() and np.ptp(factors["normalised gradient"]) < 0.1
        ),
        "natural gradients are done before plain ones have learnt the third state": bool(
            times["natural gradient"][-1] < times["gradient"][2]
        ),
        "an entropy bonus alone does not help": bool(times["entropy"][3] >= times["gradient"][3]),
    }
