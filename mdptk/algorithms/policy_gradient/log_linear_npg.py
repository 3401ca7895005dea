r"""Natural policy gradient for log-linear policies, with compatible features: the pseudo-inverse of the Fisher matrix.

.. math::

   \pi_\theta(a|s) \propto \exp(\phi(s, a) \cdot \theta), \qquad
   \theta_{t+1} = \theta_t + \eta (1-\gamma) F_t^\dagger \nabla_\theta V^{\pi_t}(\rho) = \theta_t + \eta\, w_t, \qquad
   w_t = \arg\min_w \; \mathbb{E}_{d^{\pi_t}_\rho, \pi_t} \big(A^{\pi_t}(s, a) - \psi_t(s, a) \cdot w\big)^2,

with the scores :math:`\psi_t = \nabla_\theta\log\pi_t`, the Fisher information
:math:`F_t = \mathbb{E}\,\psi_t\psi_t^\top` under the visits of the policy, and :math:`\theta_0 = 0`. The fit needs no
more than to be best: whatever it misses is orthogonal to the gradient, so nothing of the gradient is lost, however poor
the features are. As the policy becomes deterministic its scores vanish and F becomes singular; then w grows, and the
step is one of the pseudo-inverse of less rank, which the state has. The features are the first n cosines over the
states for each action; with n = S it is NPG.

Proof: ``proofs/policy_gradient/log_linear_npg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(LogLinearNPG(n=3), riverswim(), 3)["rank"].ravel()  # scores know differences of the two actions only
array([0., 3., 3., 3.])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Count, Positive, Solver
from mdptk.core.compatible import CUT, cosine_features, least_squares
from mdptk.core.models import MDP, Array
from mdptk.core.parameterisations import LogLinear
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, policy, suboptimality, value_rounding
from mdptk.theory.stock_linear_policy import divergence, log_normaliser, longest, mean_misfit, misfit, regret
from mdptk.theory.symbols import A, eta, gamma, t


class State(NamedTuple):
    """Parameters, their policy, and of the last step: the weights, the fit that they make, and the rank of Fisher's."""

    theta: Array  # (..., n A)
    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    w: Array  # (..., n A)
    f: Array  # (..., S, A)
    rank: Any  # (...)


def _residual(run: Run, size: bool = False) -> Array:
    """``E (A - f) psi``, its largest entry; or what it may be for rounding and the cut of small singular values."""
    problem, pi = batch_first(run), policy(run)
    policies = LogLinear(run.alg.features(problem))
    weight = before(exact.occupancy(problem, pi)[..., None] * pi)
    advantage = before(exact.advantage(problem, pi))
    if size:
        most = np.sqrt(np.nansum(weight * advantage**2, axis=(-2, -1)))
        ulp = value_rounding(run) + 64 * EPS * (abs(run["f"]).max((-2, -1)) + abs(run["w"]).sum(-1))
        return 4 * CUT * most + 4 * ulp
    score = before(policies.score(pi))
    return abs(((weight * (advantage - run["f"]))[..., None] * score).sum((-3, -2))).max(-1)


residual = Quantity(
    "residual",
    _residual,
    latex=r"\|F_{%t-1} w_{%t} - (1-\gamma) \nabla_\theta V^{\pi_{%t-1}}(\rho)\|_\infty",
    rounding=lambda run: _residual(run, size=True),
)

AGARWAL = "agarwal2021theory"
COMPATIBLE = Theorem(
    name="compatible function approximation",
    cite=Cite("kakade2001natural", "Theorem 1"),
    reason="recalled and rederived; also where F is singular, for the gradient is in its range",
    consecutive=True,
    lhs=residual,
    rhs=0,
    relation="=",
    proof="policy_gradient/log_linear_npg",
)
IDENTITY = Theorem(
    name="regret identity",
    cite=Cite(AGARWAL, "the proof of Lemma 34, before anything is bounded"),
    reason="recalled and rederived",
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=(previous(divergence) - divergence + log_normaliser) / eta + misfit,
    relation="=",
    proof="policy_gradient/log_linear_npg",
)
REGRET = Theorem(
    name="regret lemma",
    cite=Cite(AGARWAL, "Lemma 34 for features of norm one: beta = 1"),
    reason="recalled and rederived; the least gap so far is at most the mean",
    consecutive=True,
    lhs=regret,
    rhs=(log(A) / (eta * t) + eta * longest / 2 + mean_misfit) / (1 - gamma),
    silent="if nothing moves the misfit is the whole gap; it is the identity, summed and bounded",
    proof="policy_gradient/log_linear_npg",
)


@dataclass(frozen=True)
class LogLinearNPG(Solver[MDP, State]):
    """Natural policy gradient with steps `eta` and `n` features for each action, from the uniform policy."""

    eta: Positive = 0.1
    n: Count = 2

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (COMPATIBLE, IDENTITY, REGRET)

    def features(self, problem: MDP) -> Array:
        """``phi[s, a, i]``, of norm at most one."""
        return cosine_features(problem.S, problem.A, self.n)

    def init(self, problem: MDP) -> State:
        phi = self.features(problem)
        theta = np.zeros((*problem.batch, phi.shape[-1]))
        pi = exact.uniform(problem)
        return State(theta, np.log(pi), pi, theta, np.zeros_like(pi), np.zeros(problem.batch))

    def step(self, problem: MDP, state: State) -> State:
        policies = LogLinear(self.features(problem))
        score, weight = policies.score(state.pi), exact.occupancy(problem, state.pi)[..., None] * state.pi
        w, rank = least_squares(score, exact.advantage(problem, state.pi), np.maximum(weight, 0))
        theta = state.theta + self.eta * w
        log_pi = exact.log_softmax(policies.logits(theta))
        return State(theta, log_pi, np.exp(log_pi), w, (score * w[..., None, None, :]).sum(-1), rank)
