"""The policy gradient family on one instance: gap against steps, the bound of each theorem dashed, the rates measured.

Every method has the step of its theorem, so this compares theorems and not tuned methods. Softmax gradients with the
proved step hardly move; with normalised or searched steps they arrive. Natural gradients and mirror descent have no
smoothness constant in their steps, and those with growing steps converge like policy iteration. Polyak's step, which
is told the optimal return, shrinks with the gap, and in the end a constant one is faster. Methods with entropy are
judged by the gap of their own problem, and the quadratic one is done before the others have begun.
"""

from __future__ import annotations

import numpy as np

from mdptk.algorithms.mirror_descent.adaptive_pmd import LINEAR as ADAPTIVE
from mdptk.algorithms.mirror_descent.adaptive_pmd import AdaptivePMD
from mdptk.algorithms.mirror_descent.euclidean_pmd import CONVERGENCE as EUCLIDEAN
from mdptk.algorithms.mirror_descent.euclidean_pmd import EuclideanPMD
from mdptk.algorithms.mirror_descent.geometric_pmd import SHARP, GeometricPMD
from mdptk.algorithms.mirror_descent.homotopic_pmd import LINEAR as HOMOTOPIC
from mdptk.algorithms.mirror_descent.homotopic_pmd import HomotopicPMD
from mdptk.algorithms.mirror_descent.polyak_pmd import OWN as POLYAK
from mdptk.algorithms.mirror_descent.polyak_pmd import PolyakPMD
from mdptk.algorithms.mirror_descent.tsallis_pmd import CONVERGENCE as TSALLIS
from mdptk.algorithms.mirror_descent.tsallis_pmd import TsallisPMD
from mdptk.algorithms.policy_gradient.armijo_softmax_pg import CONVERGENCE as ARMIJO
from mdptk.algorithms.policy_gradient.armijo_softmax_pg import ArmijoSoftmaxPG
from mdptk.algorithms.policy_gradient.entropy_npg import VALUES, EntropyNPG
from mdptk.algorithms.policy_gradient.entropy_softmax_pg import CONVERGENCE as ENTROPY
from mdptk.algorithms.policy_gradient.entropy_softmax_pg import EntropySoftmaxPG
from mdptk.algorithms.policy_gradient.normalised_softmax_pg import CONVERGENCE as NORMALISED
from mdptk.algorithms.policy_gradient.normalised_softmax_pg import NormalisedSoftmaxPG
from mdptk.algorithms.policy_gradient.npg import CONVERGENCE as NATURAL
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.soft_policy_iteration import LINEAR as SOFT
from mdptk.algorithms.policy_gradient.soft_policy_iteration import SoftPolicyIteration
from mdptk.algorithms.policy_gradient.softmax_pg import CONVERGENCE as SOFTMAX
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.problems.garnet import garnet
from mdptk.sweep import compare

STEPS = {"smoke": 400, "paper": 20_000}
FAMILY = (
    (SoftmaxPG(), SOFTMAX),
    (ArmijoSoftmaxPG(), ARMIJO),
    (NormalisedSoftmaxPG(), NORMALISED),
    (EuclideanPMD(), EUCLIDEAN),
    (TsallisPMD(), TSALLIS),
    (PolyakPMD(), POLYAK),
    (NPG(), NATURAL),
    (GeometricPMD(), SHARP),
    (HomotopicPMD(), HOMOTOPIC),
    (AdaptivePMD(), ADAPTIVE),
    (EntropySoftmaxPG(), ENTROPY),
    (EntropyNPG(), VALUES),
    (SoftPolicyIteration(), SOFT),
)

RIGHT = ("GeometricPMD", "HomotopicPMD", "AdaptivePMD", "EntropySoftmaxPG", "EntropyNPG", "SoftPolicyIteration")


def compute(scale):
    """Gaps, bounds and rounding errors, (methods, records), and kinds and rates with intervals, one for each method."""
    steps = STEPS[scale]
    lines = compare(FAMILY, garnet(S=6, A=3, b=3, gamma=0.7), steps)
    return {
        "t": np.arange(1.0, steps + 1),
        "name": np.array([x.name for x in lines]),
        "gap": np.array([x.lhs[-steps:] for x in lines]),
        "bound": np.array([x.rhs[-steps:] for x in lines]),
        "slack": np.array([x.slack[-steps:] for x in lines]),
        "kind": np.array([x.fit.kind for x in lines]),
        "rate": np.array([(x.fit.value, *x.fit.interval) for x in lines]),
    }


panels = 2


def _label(name, kind, rate):
    value, low, high = rate
    return f"{name}: {kind}" + (f", {value:.3g} in [{low:.3g}, {high:.3g}]" if np.isfinite(value) else "")


def draw(data, axes):
    """Both sides against t, a colour for each method; gradients with constant or searched steps are on the left."""
    for i, name in enumerate(data["name"]):
        ax = axes[int(name in RIGHT)]
        seen = data["gap"][i] > data["slack"][i]
        label = _label(name, data["kind"][i], data["rate"][i])
        (line,) = ax.loglog(data["t"][seen], data["gap"][i][seen], label=label)
        shown = data["bound"][i] > data["slack"][i].max()
        ax.loglog(data["t"][shown], data["bound"][i][shown], "--", color=line.get_color(), lw=0.8)
    for ax in axes:
        ax.set(xlabel="$t$", ylim=(1e-14, 1e4))
        ax.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    axes[0].set(ylabel="gap", title="constant and searched steps (theorem dashed)")
    axes[1].set(title="growing steps, entropy")


def claims(data):
    """What the theorems say, and what the figure is there to show."""
    gap, slack = data["gap"], data["slack"]
    never = len(data["t"]) + 1
    first = np.where((gap <= 1e-6).any(1), (gap <= 1e-6).argmax(1) + 1, never)
    done = dict(zip(data["name"], first, strict=True))
    kind = dict(zip(data["name"], data["kind"], strict=True))
    growing = ("GeometricPMD", "HomotopicPMD", "AdaptivePMD")
    searched = max(done["NormalisedSoftmaxPG"], done["ArmijoSoftmaxPG"])
    return {
        "every bound holds at every step": bool((gap <= data["bound"] + slack).all()),
        "no gap increases": bool((np.diff(gap, axis=1) <= slack[:, 1:] + slack[:, :-1]).all()),
        "growing and adaptive steps converge geometrically or faster": all(
            kind[name] in ("linear", "superlinear", "finite") for name in growing
        ),
        "natural gradients with entropy converge geometrically": kind["EntropyNPG"] == "linear",
        "Polyak's step converges sublinearly, and behind the constant one": bool(
            kind["PolyakPMD"] == "sublinear" and done["PolyakPMD"] > done["NPG"]
        ),
        "normalised and searched steps are not behind constant ones": bool(searched <= done["SoftmaxPG"]),
        "soft policy iteration needs fewer than ten steps, too few to fit a rate": bool(
            done["SoftPolicyIteration"] < min(10, done["EntropyNPG"], done["EntropySoftmaxPG"])
        ),
    }
