r"""Softmax policy gradient with entropy regularisation, exact: gradient ascent on the logits of a value with entropy.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \nabla_\theta V_\tau^{\pi_t}(\rho), \qquad
   \frac{\partial V_\tau^\pi(\rho)}{\partial\theta(s, a)} = \frac{1}{1-\gamma}\, d^\pi_\rho(s)\, \pi(a|s)
   \big[Q_\tau^\pi(s, a) - \tau \log\pi(a|s) - V_\tau^\pi(s)\big], \qquad \theta_0 = 0.

Entropy turns the rate of softmax policy gradient from 1/t into a linear one: what is hardly ever tried has a logarithm
that pulls it back, and the gap is bounded by the square of the gradient. The factor in front is still the smallest
probability on the way, now of any action, so the rate is known only when the run is over. The paper has a factor 1/S
more in it; the sum over states can be estimated without.

Figure: ``mdptk reproduce policy_gradient_family``. Proof: ``proofs/policy_gradient/entropy_softmax_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(EntropySoftmaxPG(tau=0.1), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.models import MDP, Array
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import batch_first, occupancy, policy, positive_start, step_size, unit_rewards
from mdptk.theory.stock_policy import (
    divergence_from_optimum,
    soft_gain,
    soft_gap_by_values,
    soft_gradient_norm,
    soft_mismatch,
    soft_optimum,
    soft_suboptimality,
    tau,
)
from mdptk.theory.symbols import A, gamma, t


class State(NamedTuple):
    """Log-probabilities, which are the logits up to a constant in each state, and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


LEAST = Measure("c", lambda truth, state: state.pi.min((-2, -1)), "min")

least_probability = Quantity(
    "least_probability", lambda run: policy(run).min((-2, -1)), latex=r"\min_{s,a}\pi_{%t}(a|s)"
)
least = Quantity("least", lambda run: run["c"], latex=r"\min_{k \leq %t, s, a} \pi_k(a|s)")
coverage = Quantity(
    "coverage",
    lambda run: (occupancy(run, policy(run)) / occupancy(run, np.exp(soft_optimum(run).log_pi))).min(-1),
    latex=r"\|d^{\pi_\tau^*}_\rho / d^{\pi_{%t}}_\rho\|_\infty^{-1}",
)
rarest_visit = Quantity(
    "rarest_visit", lambda run: occupancy(run, policy(run)).min(-1), latex=r"\min_s d^{\pi_{%t}}_\rho(s)"
)
rarest_start = Quantity("rarest_start", lambda run: batch_first(run).rho.min(-1), latex=r"\min_s \rho(s)")
smoothness = (8 + tau * (4 + 8 * log(A))) / (1 - gamma) ** 3


def _other_step(alg: EntropySoftmaxPG, problem: MDP) -> str | None:
    eta, paper = alg.step_size(problem), EntropySoftmaxPG(tau=alg.tau).step_size(problem)
    return None if np.isclose(eta, paper, rtol=1e-12, atol=0) else f"eta = {eta:.6g}, one over smoothness = {paper:.6g}"


MEI = "mei2020global"
RECALLED = "recalled and rederived; the smoothness of the entropy, Lemma 14, is taken from the paper"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
CONVERGENCE = Theorem(
    name="linear convergence",
    cite=Cite(MEI, "Theorem 6 with mu = rho"),
    reason=RECALLED + "; without the paper's factor 1 / S, and the infimum is over the steps so far",
    assumes=(unit_rewards, positive_start, Assumption("the step size that is one over the smoothness", _other_step)),
    lhs=soft_suboptimality,
    rhs=initial(soft_suboptimality)
    * (1 - (1 - gamma) * tau * rarest_start * least**2 / (smoothness * soft_mismatch)) ** t,
    proof="policy_gradient/entropy_softmax_pg",
    starts=ANYWHERE,
)
LOJASIEWICZ = Theorem(
    name="non-uniform Lojasiewicz inequality",
    cite=Cite(MEI, "Lemma 15 with mu = rho"),
    reason=RECALLED + "; without the paper's factor 1 / sqrt(S), squared",
    assumes=(positive_start,),
    lhs=soft_gradient_norm**2,
    rhs=2 * tau / (1 - gamma) * rarest_visit * coverage * least_probability**2 * soft_suboptimality,
    relation=">=",
    silent="it compares every policy with its own gradient",
    proof="policy_gradient/entropy_softmax_pg",
    starts=ANYWHERE,
)
ASCENT = Theorem(
    name="ascent",
    cite=Cite(MEI, "Lemma 14"),
    reason=RECALLED + "; the ascent lemma, with any step size",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=soft_gain,
    rhs=(step_size - smoothness / 2 * step_size**2) * previous(soft_gradient_norm) ** 2,
    relation=">=",
    proof="policy_gradient/entropy_softmax_pg",
    starts=ANYWHERE,
)
GAP = Theorem(
    name="the gap is a relative entropy",
    cite=Cite(MEI, "Lemma 26"),
    reason=RECALLED,
    lhs=soft_gap_by_values,
    rhs=tau / (1 - gamma) * divergence_from_optimum,
    relation="=",
    since=0,
    proof="policy_gradient/entropy_softmax_pg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class EntropySoftmaxPG(Solver[MDP, State]):
    """Softmax policy gradient with entropy of weight `tau`; steps `eta`, by default one over the smoothness."""

    tau: Positive = 0.1
    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, LOJASIEWICZ, ASCENT, GAP)
    measures: ClassVar[tuple[Measure, ...]] = (LEAST,)

    def step_size(self, problem: MDP) -> float:
        """`eta`, or the inverse of the smoothness of the value with entropy if none was given."""
        paper = (1 - problem.gamma) ** 3 / (8 + self.tau * (4 + 8 * float(np.log(problem.A))))
        return paper if self.eta is None else self.eta

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        g = exact.soft_softmax_gradient(problem, state.log_pi, self.tau)
        return _state(state.log_pi + self.step_size(problem) * g)


def _state(theta: Array) -> State:
    log_pi = exact.log_softmax(theta)
    return State(log_pi, np.exp(log_pi))
