r"""Policy mirror descent with the hyperbolic entropy: a mirror map between the square and the relative entropy.

.. math::

   \pi_{t+1}(a|s) = \max\big(0, \; b \sinh(\mathrm{arsinh}(\pi_t(a|s)/b) + \eta\, Q^{\pi_t}(s, a) + \lambda_s)\big),
   \qquad h(p) = \sum_a p_a\, \mathrm{arsinh}(p_a / b) - \sqrt{p_a^2 + b^2}, \qquad \pi_0 \text{ uniform},

with lambda such that probabilities sum to one. For b to infinity the update is that of the Euclidean map (with steps
b eta), for b to zero that of natural policy gradient. In between it has something of both: bad actions get
probability zero after finitely many steps, and can come back, yet small probabilities grow geometrically. Any potential
in place of b sinh makes a method with the theorems that are here; all that they know of the map is the divergence that
belongs to it.

Proof: ``proofs/mirror_descent/hyperbolic_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(HyperbolicPMD(eta=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, asinh, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Range, Solver
from mdptk.core.errors import NotConverged
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.core.wide import unit
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, gain, optimum, policy, suboptimality, unit_rewards
from mdptk.theory.stock_policy import advance as advance_by
from mdptk.theory.stock_policy import least_value_gain, optimal_visits
from mdptk.theory.symbols import A, eta, gamma, t

b = Symbol("b", positive=True)


class State(NamedTuple):
    """The policy."""

    pi: Array  # (..., S, A)


def _bregman(run: Run, p: Array, q: Array) -> Array:
    """``D(p, q)``, summed over actions, as a sum of terms that are not negative up to rounding."""
    scale = run.alg.b
    terms = p * (np.arcsinh(p / scale) - np.arcsinh(q / scale)) - np.sqrt(p**2 + scale**2) + np.sqrt(q**2 + scale**2)
    return terms.sum(-1)


def _rounding(run: Run) -> float:
    """How far rounding may put a probability, and with it a divergence."""
    alg, problem = run.alg, run.problem
    size = np.arcsinh(1 / alg.b) + alg.eta * abs(problem.r).max() / (1 - problem.gamma)
    return 16 * EPS * problem.A * (1 + alg.b) * (1 + size)


def _visits(run: Run) -> Array:
    return exact.occupancy(batch_first(run), policy(run))


def _dual_change(run: Run) -> Array:
    return np.arcsinh(policy(run) / run.alg.b) - np.arcsinh(before(policy(run)) / run.alg.b)


divergence = Quantity(
    "D",
    lambda run: (optimal_visits(run) * _bregman(run, optimum(run).pi, policy(run))).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}D(\pi^*, \pi_{%t})(s)",
    rounding=lambda run: _rounding(run) * (2 + np.arcsinh(1 / run.alg.b) + 1 / run.alg.b),
)
travelled = Quantity(
    "travelled",
    lambda run: (optimal_visits(run) * _bregman(run, policy(run), before(policy(run)))).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}D(\pi_{%t}, \pi_{%t-1})(s)",
    rounding=_rounding,
)
symmetric = Quantity(
    "symmetric",
    lambda run: (_visits(run) * ((policy(run) - before(policy(run))) * _dual_change(run)).sum(-1)).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}[D(\pi_{%t}, \pi_{%t-1}) + D(\pi_{%t-1}, \pi_{%t})](s)",
    rounding=lambda run: 2 * _rounding(run) * (abs(_visits(run)) * abs(_dual_change(run)).sum(-1)).sum(-1),
)
advance = advance_by(_rounding)
gained = gain(_rounding)
least_gain = least_value_gain(_rounding)

ALFANO = "alfano2023novel"
DERIVED = "the paper, on mirror maps from potentials, was not at hand: constants and index are those of the derivation"
START = asinh(1 / b) - asinh(1 / (A * b)) - sqrt(1 + b**2) + sqrt(1 + A**2 * b**2) - (A - 1) * b  # D(e_1, uniform)
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(ALFANO, "constant step size, for one potential, without approximation"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    lhs=suboptimality,
    rhs=(START / (eta * (1 - gamma)) + 1 / (1 - gamma) ** 2) / (t + 1),
    proof="mirror_descent/hyperbolic_pmd",
)
THREE_POINTS = Theorem(
    name="three-point lemma",
    cite=Cite(ALFANO, "three-point descent lemma at pi*, averaged over d*"),
    reason=DERIVED,
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=(previous(divergence) - divergence - travelled) / eta + advance,
    proof="mirror_descent/hyperbolic_pmd",
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(ALFANO, "three-point descent lemma at pi_t"),
    reason=DERIVED,
    consecutive=True,
    lhs=gained,
    rhs=symmetric / (eta * (1 - gamma)),
    relation=">=",
    silent="if nothing moves both sides are zero; a step that is too long breaks it",
    proof="mirror_descent/hyperbolic_pmd",
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(ALFANO, "policy improvement in every state"),
    reason=DERIVED,
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/hyperbolic_pmd",
)


@dataclass(frozen=True)
class HyperbolicPMD(Solver[MDP, State]):
    """Policy mirror descent with the hyperbolic entropy of scale `b` and steps `eta`, from the uniform policy."""

    eta: Positive = 1.0
    b: Annotated[float, Range(1e-3, 10, "both")] = 0.1

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, THREE_POINTS, IMPROVEMENT, MONOTONE)

    def init(self, problem: MDP) -> State:
        return State(exact.uniform(problem))

    def step(self, problem: MDP, state: State) -> State:
        z = np.arcsinh(state.pi / self.b) + self.eta * exact.action_values(problem, state.pi)
        return State(_normalised(z, self.b))


def _normalised(z: Array, scale: float) -> Array:
    """``max(0, b sinh(z + u))`` with sum one: Newton's method in u on a convex function, from above."""
    z = z - z.max(-1, keepdims=True)
    u, excess = np.full((*z.shape[:-1], 1), np.arcsinh(1 / scale)), np.array(np.inf)  # the largest alone is one there
    for _ in range(100):
        x = np.maximum(z + u, 0)
        excess = scale * np.sinh(x).sum(-1, keepdims=True) - 1
        step = excess / np.where(z + u > 0, scale * np.cosh(x), 0.0).sum(-1, keepdims=True)
        u = u - step
        if (abs(step) <= 4 * unit(z) * (1 + abs(u))).all() or (excess <= 4 * unit(z) * z.shape[-1]).all():
            p = scale * np.sinh(np.maximum(z + u, 0))
            return p / p.sum(-1, keepdims=True)
    raise NotConverged("normalising a policy did not settle in 100 iterations", float(excess.max()))
