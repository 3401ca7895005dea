r"""CAL: the conservative augmented Lagrangian, for a learner that takes one step at a time.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\!\Big(\frac{\eta}{1-\gamma} A_{\mu_t}^{\pi_t}(s, a)\Big), \qquad
   \mu_t = \big[\lambda_t + c\,(e_t + \kappa)\big]_+, \qquad
   \lambda_{t+1} = \big[\lambda_t + \eta_\lambda\,(e_t + \kappa)\big]_+,

with the excess :math:`e_t = V_c^{\pi_t}(\rho) - b`, from the uniform policy and :math:`\lambda_0 = 0`. The policy moves
at the *effective* price :math:`\mu_t`, which answers to the present excess: the penalty of the augmented Lagrangian,
without its inner maximisation. The excess is taken to be larger than it is, by :math:`\kappa`: conservative, against
costs that are estimated too low, since a policy is chosen for looking cheap.

With c = 0 and :math:`\kappa = 0` this is descent-ascent, which spirals outward. From which penalty on it does not is a
matter of energy (W in the theorem, as for PIDLagrangian): while nothing is cut off, a step adds
:math:`\eta(\eta_\lambda/2 - c)\|e_t\|^2` to it, and what the policy's own step is too long by. **The penalty has to be
above half of the step of the multipliers.** And what caution buys is exact: the average exceeds its budgets by
:math:`\kappa` less.

The method is that of Wu et al. [wu2024offpolicy], whose :math:`\kappa` is k standard deviations of an ensemble of
cost critics; here costs are exact and it is a number.

Proof: ``proofs/constrained/conservative_augmented_lagrangian.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> for c in (0.0, 1.0):
...     spent = run(ConservativeAugmentedLagrangian(c=c), paradoxical(), 600)["returns"][0, -100:, 1]
...     print(c, abs(spent - 0.5).max().round(2))
0.0 1.02
1.0 0.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Measure, NonNegative, Positive, Solver
from mdptk.core.errors import Infeasible, NotConverged
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_constrained import MEASURES, average, excess, last, optimum, returns_rounding, slater
from mdptk.theory.stock_energy import (
    kl_to_optimal,
    mean_log_normaliser,
    normaliser_rounding,
    policy_rounding,
    price_rounding,
    saddle_error,
)
from mdptk.theory.symbols import eta, eta_dual, t


class State(NamedTuple):
    """Log-probabilities, the policy that they stand for, multipliers, and the price at which the policy moves."""

    log_pi: Array  # (S, A)
    pi: Array  # (S, A)
    lam: Array  # (m,)
    price: Array  # (m,)


@lru_cache(maxsize=64)
def tightened(problem: CMDP, kappa: float) -> CMDP:
    """The problem with budgets that are lower by `kappa`."""
    return problem if kappa == 0 else CMDP(problem.mdp, problem.c, problem.b - kappa)


def _target(run: Run) -> CMDP:
    return tightened(run.problem, run.alg.kappa)


def _feared(run: Run) -> Array:
    return excess(run, last(run)) + run.alg.kappa


def _energy(run: Run) -> Array:
    off = run["lam"] - optimum(_target(run)).multipliers
    return kl_to_optimal(run, _target(run)) + run.alg.eta / (2 * run.alg.eta_dual) * (off**2).sum(-1)


def _energy_rounding(run: Run) -> Array:
    alg, top = run.alg, 1 + run["lam"].sum(-1) + optimum(_target(run)).multipliers.sum()
    moved = alg.eta * (saddle_error(run, _target(run), "price") + 4 * price_rounding(run, "price"))
    return policy_rounding(run) + moved + alg.eta * (returns_rounding(run.problem) + EPS / alg.eta_dual * top) * top


def _lam_rounding(run: Run) -> Array:
    return run.t * (2 * run.alg.eta_dual * returns_rounding(run.problem) + EPS * run["lam"].max(-1))


W = Quantity("W", _energy, latex=r"W_{%t}", rounding=_energy_rounding)
friction = Quantity(
    "friction",
    lambda run: ((run["price"] - run["lam"]) * _feared(run)).sum(-1),
    latex=r"(\mu_{%t} - \lambda_{%t}) \cdot (e_{%t} + \kappa)",
    rounding=lambda run: 4 * price_rounding(run, "price"),
)
square = Quantity(
    "square",
    lambda run: (_feared(run) ** 2).sum(-1),
    latex=r"\|e_{%t} + \kappa\|_2^2",
    rounding=lambda run: 4 * returns_rounding(run.problem) * abs(_feared(run)).sum(-1),
)
log_normaliser = Quantity(
    "log_normaliser",
    lambda run: mean_log_normaliser(run, _target(run), "price"),
    latex=r"\mathbb{E}_{s\sim d^*}[\log Z_{%t}(s)]",
    rounding=lambda run: normaliser_rounding(run, "price"),
)
largest_excess = Quantity(
    "largest_excess",
    lambda run: excess(run, average(run)).max(-1),
    latex=r"\max_i\,(V_{c_i}^{\bar\pi_{%t}}(\rho) - b_i)",
    rounding=lambda run: 2 * returns_rounding(run.problem),
)
highest = Quantity("highest", lambda run: run["lam"].max(-1), latex=r"\max_i \lambda_{%t,i}", rounding=_lam_rounding)


def _no_room(alg: ConservativeAugmentedLagrangian, problem: CMDP) -> str | None:
    try:
        found = slater(problem)
    except (Infeasible, NotConverged) as error:
        return str(error)
    return None if found > alg.kappa else f"the Slater constant is {found:.6g}, kappa = {alg.kappa:.6g}"


room = Assumption(r"a policy with more slack than $\kappa$ in every constraint (Slater)", _no_room)
kappa = Symbol("kappa", nonnegative=True)
KEY = "wu2024offpolicy"
OURS = "the abstract names theoretical interpretations, and no theorem was at hand: derived in proofs"
ENERGY = Theorem(
    name="friction",
    cite=Cite(KEY, "the augmented Lagrangian, with natural policy gradient"),
    reason=OURS
    + r"; $W_t = \mathrm{KL}_{d^*}(\pi^*\|\pi_t) + \tfrac{\eta}{2\eta_\lambda} \|\lambda_t - \lambda^*\|_2^2$, "
    r"with the solution for budgets lower by $\kappa$",
    assumes=(room,),
    consecutive=True,
    lhs=W,
    rhs=previous(W) - eta * previous(friction) + eta * eta_dual / 2 * previous(square) + previous(log_normaliser),
    proof="constrained/conservative_augmented_lagrangian",
    iterate="last",
)
CAUTION = Theorem(
    name="what caution buys",
    cite=Cite(KEY, "the upper bound of the cost"),
    reason=OURS + "; an equality for a constraint whose multiplier was never cut off at zero",
    lhs=largest_excess,
    rhs=highest / (eta_dual * t) - kappa,
    proof="constrained/conservative_augmented_lagrangian",
    iterate="average",
)


@dataclass(frozen=True)
class ConservativeAugmentedLagrangian(Solver[CMDP, State]):
    """Steps `eta` of the policy and `eta_dual` of the multipliers, with the penalty `c` and the caution `kappa`."""

    eta: Positive = 0.1
    eta_dual: Positive = 0.1
    c: NonNegative = 1.0
    kappa: NonNegative = 0.0

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (ENERGY, CAUTION)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, problem: CMDP) -> State:
        return self._state(problem, np.zeros(problem.mdp.r.shape), np.zeros(problem.m))

    def step(self, problem: CMDP, state: State) -> State:
        advantage = exact.advantage(problem.penalised(state.price), state.pi)
        feared = exact.returns(problem, state.pi)[1:] - problem.b + self.kappa
        lam = np.maximum(state.lam + self.eta_dual * feared, 0)
        return self._state(problem, state.log_pi + self.eta / (1 - problem.gamma) * advantage, lam)

    def _state(self, problem: CMDP, logits: Array, lam: Array) -> State:
        log_pi = exact.log_softmax(logits)
        feared = exact.returns(problem, np.exp(log_pi))[1:] - problem.b + self.kappa
        return State(log_pi, np.exp(log_pi), lam, np.maximum(lam + self.c * feared, 0))
