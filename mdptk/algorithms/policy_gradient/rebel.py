r"""REBEL: regress differences of log-ratios on differences of rewards, for pairs of actions.

.. math::

   \theta_{t+1} = \arg\min_\theta\; \mathbb{E}_{s \sim d^{\pi_t}_\rho,\; a, a' \sim \pi_t}\Big[\Big(
   \tfrac1\eta \log\tfrac{\pi_\theta(a|s)}{\pi_t(a|s)} - \tfrac1\eta \log\tfrac{\pi_\theta(a'|s)}{\pi_t(a'|s)}
   - Q^{\pi_t}(s, a) + Q^{\pi_t}(s, a')\Big)^2\Big], \qquad \theta_0 = 0,

for log-linear policies :math:`\pi_\theta(a|s) \propto \exp\langle\theta, \phi(s, a)\rangle`; without discount Q is the
reward and this is the method for contextual bandits. Normalisers cancel in the differences, so it is one linear least
squares problem, and no critic, clip or trust region is left. Its solution is the natural policy gradient step. If
the features can express Q it is mirror descent; if not, what the regression misses where an optimal policy goes is all
that is added to the regret, and an inequality says so for every run.

Proof: ``proofs/policy_gradient/rebel.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(REBEL(), riverswim(), 3)["theta"].shape
(1, 4, 4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import Integer, log

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Range, Solver
from mdptk.core.compatible import least_squares
from mdptk.core.models import MDP, Array
from mdptk.core.networks import features
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, occupancy, optimum, optimum_rounding, policy, suboptimality
from mdptk.theory.symbols import A, eta, gamma


class State(NamedTuple):
    """Parameters, log-probabilities and the policy."""

    theta: Array  # (..., n)
    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _phi(alg: REBEL, problem: MDP) -> Array:
    """Features ``phi[s, a, i]``."""
    S, A = problem.S, problem.A
    return np.asarray(features(S * A, alg.n)).reshape(S, A, -1)


def _total(x: Array) -> Array:
    """The sum over the records before each record."""
    return np.cumsum(x, 1) - x


def _direction(run: Run) -> Array:
    """W of the step that leaves each record, (repeats, records, n); nan at the last."""
    theta = run["theta"]
    return np.concatenate([np.diff(theta, axis=1), np.full_like(theta[:, :1], np.nan)], 1) / run.alg.eta


def _missed(run: Run) -> Array:
    """``E_{d*, pi*}[A - <w, grad log pi>]`` of the step that leaves each record: what the regression cannot say."""
    phi, pi, star = _phi(run.alg, run.problem), policy(run), optimum(run).pi
    said = np.einsum("...n,san->...sa", _direction(run), phi)
    off = exact.advantage(batch_first(run), pi) - said + (pi * said).sum(-1, keepdims=True)
    return (occupancy(run, star)[..., None] * star * off).sum((-2, -1))


def _bound(run: Run) -> Array:
    """Sum over steps of eta beta/2 |w|^2 + what was missed, with beta = D^2 / 4 for features D apart."""
    phi = _phi(run.alg, run.problem)
    apart = ((phi[:, :, None] - phi[:, None]) ** 2).sum(-1).max()
    square = (_direction(run) ** 2).sum(-1)
    return _sum_without_last(run.alg.eta * apart / 8 * square + _missed(run))


def _sum_without_last(x: Array) -> Array:
    return _total(np.nan_to_num(x))  # the last step is not made, and nothing is behind its record


def _residual(run: Run) -> Array:
    """``|F w - g|_inf`` of the last step: F the Fisher information, g the policy gradient, times 1 - gamma."""
    problem, phi, pi = batch_first(run), _phi(run.alg, run.problem), policy(run)
    centred = phi - np.einsum("...sa,san->...sn", pi, phi)[..., None, :]
    weight = exact.occupancy(problem, pi)[..., None] * pi
    off = exact.advantage(problem, pi) - np.einsum("...sai,...i->...sa", centred, _direction(run))
    return before(abs(np.einsum("...sa,...sai->...i", weight * off, centred)).max(-1))


def _residual_rounding(run: Run) -> Array:
    phi = _phi(run.alg, run.problem)
    size = (phi**2).sum(-1).max() * np.sqrt((before(_direction(run)) ** 2).sum(-1))
    parameters = (phi**2).sum(-1).max() * np.sqrt((run["theta"] ** 2).sum(-1)) / run.alg.eta  # theta is a sum of steps
    values = np.sqrt((phi**2).sum(-1).max()) * abs(run.problem.r).max() / (1 - run.problem.gamma)
    return 64 * EPS * run.problem.S * run.problem.A * (size + parameters + values) + optimum_rounding(run)


residual = Quantity(
    "residual",
    _residual,
    latex=r"\big\|F_{%t-1}\, \tfrac{\theta_{%t} - \theta_{%t-1}}{\eta}"
    r" - (1-\gamma) \nabla_\theta V^{\pi_{%t-1}}(\rho)\big\|_\infty",
    rounding=_residual_rounding,
)
regret = Quantity(
    "regret",
    lambda run: _total(suboptimality.values(run)),
    latex=r"{\textstyle\sum_{k<%t}} V^*(\rho) - V^{\pi_k}(\rho)",
    rounding=lambda run: run.t * optimum_rounding(run),
)
spent = Quantity(
    "spent",
    _bound,
    latex=r"{\textstyle\sum_{k<%t}} \big(\tfrac{\eta \beta}{2} \|w_k\|_2^2"
    r" + \mathbb{E}_{s\sim d^{\pi^*}_\rho, a\sim\pi^*}[A^{\pi_k}(s, a)"
    r" - \langle w_k, \nabla_\theta\log\pi_k(a|s)\rangle]\big)",
    rounding=lambda run: run.t * optimum_rounding(run),
)

GAO = "gao2024rebel"
NATURAL = Theorem(
    name="regression is the natural gradient",
    cite=Cite(GAO, "its section on connections: natural policy gradient is the Gauss-Newton step; exact if log-linear"),
    reason="the normal equations; F is the Fisher information, and F w its product with the step over eta",
    consecutive=True,
    lhs=residual,
    rhs=Integer(0),
    relation="=",
)
REGRET = Theorem(
    name="regret of each run",
    cite=Cite(GAO, "the regret that is added by errors of the regression; here the NPG regret lemma, with constants"),
    reason="derived in proofs/ from Agarwal et al. 2021, Lemma 34; the paper's own constants were not at hand",
    consecutive=True,
    lhs=regret,
    rhs=(log(A) / eta + spent) / (1 - gamma),
    silent="what a regression that never moves misses is the gap itself",
    proof="policy_gradient/rebel",
)


@dataclass(frozen=True)
class REBEL(Solver[MDP, State]):
    """REBEL with step size `eta`, on `n` fixed random features of state and action, or on a table if n is None."""

    eta: Positive = 0.1
    n: Annotated[int | None, Range(1, np.inf, "low")] = 4

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (NATURAL, REGRET)

    def init(self, problem: MDP) -> State:
        return self._state(problem, np.zeros((*problem.batch, _phi(self, problem).shape[-1])))

    def step(self, problem: MDP, state: State) -> State:
        pi, q, phi = state.pi, exact.action_values(problem, state.pi), _phi(self, problem)
        a, b = np.triu_indices(problem.A, 1)  # each pair once
        chance = exact.occupancy(problem, pi)[..., None] * pi[..., a] * pi[..., b]
        fit = least_squares(phi[:, a] - phi[:, b], q[..., a] - q[..., b], np.maximum(chance, 0), cut=EPS)
        return self._state(problem, state.theta + self.eta * fit.w)

    def _state(self, problem: MDP, theta: Array) -> State:
        log_pi = exact.log_softmax(np.einsum("...n,san->...sa", theta, _phi(self, problem)))
        return State(theta, log_pi, np.exp(log_pi))
