r"""Maximum causal entropy inverse constrained RL: raise the prices of what the expert does less than one would.

.. math::

   \lambda_{t+1} = \big[\lambda_t + \eta\,(V_\phi^{\pi_t} - V_\phi^{\pi_E})(\rho)\big]_+, \qquad
   \pi_t \text{ soft optimal for } r - \lambda_t \cdot \phi, \qquad \lambda_0 = 0.

The reward is known, the costs are not. Of all policies that do no more of any feature than the expert, the one with
the most reward and causal entropy is soft optimal at some prices, and these are found by descending the dual function

.. math:: D(\lambda) = \max_\pi \, V_r^\pi + \tau \mathcal{H}(\pi) - \lambda \cdot (V_\phi^\pi - V_\phi^{\pi_E}),

convex and smooth. What D exceeds the expert's own return by is exactly the divergence of the expert from
:math:`\pi_t`, so descending D is maximum likelihood for the expert's actions. An expert who is soft optimal at some
prices is found, with the rate of gradient descent; the prices are found only as far as they matter.

After Baert et al. [baert2023maximum], exactly: with occupancies in place of samples, and prices for features in place
of a network. Proof: ``proofs/inverse/mce_icrl.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.demonstrations import dear_actions
>>> run(MCEICRL(eta=1.0), dear_actions(), 200, every=200)["lam"][0, -1].round(2) + 0
array([1., 0.])
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Range, Solver
from mdptk.core.inverse import HiddenCosts
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.stock import step_size
from mdptk.theory.stock_inverse import divergence, short_step, smoothness, soft_return, soft_rounding
from mdptk.theory.symbols import t


class State(NamedTuple):
    """Prices, and the soft optimal policy at these prices."""

    lam: Array  # (n,)
    log_pi: Array  # (S, A)


LARGEST = 1e6  # step, where any would do


def _longest(problem: HiddenCosts) -> float:
    L = problem.n * smoothness(problem, problem.phi)
    return 1 / L if L else np.inf  # features that are the same everywhere: the dual does not move


def _dual(run: Run) -> Array:
    problem = run.problem
    over = problem.spent(run["log_pi"], problem.phi) - problem.spent(problem.expert, problem.phi)
    return soft_return(problem, run["log_pi"], problem.mdp.r) - (run["lam"] * over).sum(-1)


def _miss(run: Run) -> Array:
    problem = run.problem
    return abs(problem.spent(run["log_pi"], problem.phi) - problem.spent(problem.expert, problem.phi)).max(-1)


dual_excess = Quantity(
    "dual_excess",
    lambda run: _dual(run) - soft_return(run.problem, run.problem.expert, run.problem.mdp.r),
    latex=r"D(\lambda_{%t}) - (V_r^{\pi_E} + \tau \mathcal{H}(\pi_E))",
    rounding=lambda run: soft_rounding(run, run.problem.phi, "lam"),
)
miss = Quantity(
    "miss",
    _miss,
    latex=r"\|V_\phi^{\pi_{%t}} - V_\phi^{\pi_E}\|_\infty",
    rounding=lambda run: soft_rounding(run, run.problem.phi, "lam"),
)
hidden = Quantity("hidden", lambda run: np.linalg.norm(run.problem.prices), latex=r"\|\lambda^E\|_2")
L = Quantity(
    "L",
    lambda run: smoothness(run.problem, run.problem.phi),
    latex=r"\tfrac{|\phi|\,\mathrm{span}(\phi)}{2\tau(1-\gamma)^3}",
)

SHORT = short_step(_longest)
KEY = "baert2023maximum"
OWN = "the paper was not at hand: derived in proofs/ for exact occupancies"
LIKELIHOOD = Theorem(
    name="the dual is the likelihood",
    cite=Cite(KEY, "the dual problem and its gradient"),
    lhs=dual_excess,
    rhs=divergence,
    relation="=",
    since=0,
    reason=OWN,
    proof="inverse/mce_icrl",
)
RATE = Theorem(
    name="the expert is found",
    cite=Cite(KEY, "convergence in the tabular setting"),
    assumes=(SHORT,),
    lhs=divergence,
    rhs=hidden**2 / (2 * step_size * t),
    reason=OWN,
    proof="inverse/mce_icrl",
)
DESCENT = Theorem(
    name="descent",
    cite=Cite(KEY, "convergence in the tabular setting"),
    assumes=(SHORT,),
    lhs=divergence,
    rhs=previous(divergence),
    consecutive=True,
    silent="a run that stands still does not climb; a step too long does",
    reason=OWN,
    proof="inverse/mce_icrl",
)
MATCH = Theorem(
    name="features match",
    cite=Cite(KEY, "the gradient of the dual: feature expectations"),
    lhs=miss**2,
    rhs=2 * L * divergence,
    since=0,
    silent="about each policy by itself, wherever it came from",
    reason=OWN,
    proof="inverse/mce_icrl",
)


@dataclass(frozen=True)
class MCEICRL(Solver[HiddenCosts, State]):
    """Projected gradient descent on the dual with step size `eta`, one over the smoothness if None."""

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = HiddenCosts
    theorems: ClassVar[tuple[Theorem, ...]] = (LIKELIHOOD, RATE, DESCENT, MATCH)

    def step_size(self, problem: HiddenCosts) -> float:
        """The step size for `problem`."""
        return min(_longest(problem), LARGEST) if self.eta is None else self.eta

    def init(self, problem: HiddenCosts) -> State:
        return _state(problem, np.zeros(problem.n))

    def step(self, problem: HiddenCosts, state: State) -> State:
        over = problem.spent(state.log_pi, problem.phi) - problem.spent(problem.expert, problem.phi)
        return _state(problem, np.maximum(state.lam + self.step_size(problem) * over, 0))


def _state(problem: HiddenCosts, lam: Array) -> State:
    priced = replace(problem.mdp, r=problem.mdp.r - np.tensordot(lam, problem.phi, 1))
    return State(lam, exact.soft_optimal(priced, problem.tau).log_pi)
