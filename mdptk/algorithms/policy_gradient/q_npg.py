r"""Q-NPG: natural policy gradient for log-linear policies, with a linear fit of Q, not of the advantage.

.. math::

   \pi_\theta(a|s) \propto \exp(\phi(s, a) \cdot \theta), \qquad \theta_{t+1} = \theta_t + \eta\, w_t, \qquad
   w_t = \arg\min_w \; \mathbb{E}_{(s, a) \sim \nu_t} \big(Q^{\pi_t}(s, a) - \phi(s, a) \cdot w\big)^2
   + \lambda \|w\|_2^2, \qquad \theta_0 = 0,

where nu is the occupancy of a policy that begins with a uniform action, and phi are the first n cosines over the states
for each action (`features` of a subclass may be others). What is fitted in one place is used in another: the bound
has no approximation error at nu, but that at the visits of an *optimal* policy, which can be large although the fit is
perfect where it was made. Otherwise it is multiplicative weights, and with as many features as states it is NPG.
Where features are dependent, or not seen, the pseudo-inverse leaves them out; the state has the rank that was left.

Proof: ``proofs/policy_gradient/q_npg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(QNPG(n=3), riverswim(), 3)["rank"].ravel()  # after the first step
array([0., 6., 6., 6.])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Count, NonNegative, Positive, Solver
from mdptk.core.compatible import cosine_features, explored_occupancy, least_squares
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, policy, suboptimality, value_rounding
from mdptk.theory.stock_linear_policy import divergence, log_normaliser, longest, mean_misfit, misfit, regret
from mdptk.theory.stock_policy import optimal_visits
from mdptk.theory.symbols import A, eta, gamma, t


class State(NamedTuple):
    """Parameters, their policy, and of the last step: the weights, the fit that they make, and the rank of the fit."""

    theta: Array  # (..., n A)
    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    w: Array  # (..., n A)
    f: Array  # (..., S, A)
    rank: Any  # (...)


def _best_fit(run: Run) -> Array:
    """The fit without ridge to the policies before, (repeats, records, S, A); the other sides of it are recorded."""
    if "best fit" not in run.cache:
        problem, pi = batch_first(run), policy(run)
        phi, q = run.alg.features(problem), exact.action_values(problem, pi)
        w = least_squares(phi, q, explored_occupancy(problem, pi)).w
        run.cache["best fit"] = before((phi * w[..., None, None, :]).sum(-1))
    return run.cache["best fit"]


def _transferred(run: Run, error: Array) -> Array:
    """Root of the mean square under d* and uniform actions, averaged over the steps so far."""
    square = (optimal_visits(run)[..., None] * error**2).sum((-2, -1)) / run.problem.A
    t = np.arange(square.shape[1])
    return np.cumsum(np.where(t > 0, np.sqrt(square), 0.0), axis=1) / np.where(t > 0, t, np.nan)


def _fit_rounding(run: Run) -> Array:
    off = value_rounding(run) / np.sqrt(1e-10) + 1e4 * EPS * abs(run["f"]).max((-2, -1))
    return np.maximum.accumulate(np.nan_to_num(off), axis=1)  # the cut of singular values leaves a root of itself


bias = Quantity(
    "bias",
    lambda run: _transferred(run, before(exact.action_values(batch_first(run), policy(run))) - _best_fit(run)),
    latex=r"\tfrac1t\sum_{k \leq %t} \sqrt{\mathbb{E}_{s\sim d^{\pi^*}_\rho, a \sim U}(Q^{\pi_{k-1}} - \phi w_k^*)^2}",
    rounding=_fit_rounding,
)
estimation = Quantity(
    "estimation",
    lambda run: _transferred(run, _best_fit(run) - run["f"]),
    latex=r"\tfrac1t\sum_{k \leq %t} \sqrt{\mathbb{E}_{s\sim d^{\pi^*}_\rho, a \sim U}(\phi w_k^* - \phi w_k)^2}",
    rounding=_fit_rounding,
)

AGARWAL = "agarwal2021theory"
IDENTITY = Theorem(
    name="regret identity",
    cite=Cite(AGARWAL, "the proof of Lemma 34, before anything is bounded"),
    reason="recalled and rederived",
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=(previous(divergence) - divergence + log_normaliser) / eta + misfit,
    relation="=",
    proof="policy_gradient/q_npg",
)
REGRET = Theorem(
    name="regret lemma",
    cite=Cite(AGARWAL, "Lemma 34 for features of norm one: beta = 1"),
    reason="recalled and rederived; the least gap so far is at most the mean",
    consecutive=True,
    lhs=regret,
    rhs=(log(A) / (eta * t) + eta * longest / 2 + mean_misfit) / (1 - gamma),
    silent="if nothing moves the misfit is the whole gap; it is the identity, summed and bounded",
    proof="policy_gradient/q_npg",
)
TRANSFER = Theorem(
    name="transfer of the errors",
    cite=Cite(AGARWAL, "Theorem 20 for any step size, errors measured where an optimal policy goes"),
    reason="recalled and rederived; the theorem bounds the last term by kappa epsilon_stat / (1 - gamma)",
    consecutive=True,
    lhs=regret,
    rhs=(log(A) / (eta * t) + eta * longest / 2 + 2 * sqrt(A) * (bias + estimation)) / (1 - gamma),
    silent="above the trivial bound where the fit is poor; the identity is not",
    proof="policy_gradient/q_npg",
)


@dataclass(frozen=True)
class QNPG(Solver[MDP, State]):
    """Q-NPG with steps `eta`, `n` features for each action and `ridge` in the regression, from the uniform policy."""

    eta: Positive = 0.1
    n: Count = 2
    ridge: NonNegative = 0.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (IDENTITY, REGRET, TRANSFER)

    def features(self, problem: MDP) -> Array:
        """``phi[s, a, i]``, of norm at most one."""
        return cosine_features(problem.S, problem.A, self.n)

    def init(self, problem: MDP) -> State:
        phi = self.features(problem)
        theta = np.zeros((*problem.batch, phi.shape[-1]))
        return _state(phi, theta, theta, np.zeros(problem.batch))

    def step(self, problem: MDP, state: State) -> State:
        phi, q = self.features(problem), exact.action_values(problem, state.pi)
        w, rank = least_squares(phi, q, explored_occupancy(problem, state.pi), self.ridge)
        return _state(phi, state.theta + self.eta * w, w, rank)


def _state(phi: Array, theta: Array, w: Array, rank: Any) -> State:
    log_pi = exact.log_softmax((phi * theta[..., None, None, :]).sum(-1))
    return State(theta, log_pi, np.exp(log_pi), w, (phi * w[..., None, None, :]).sum(-1), rank)
