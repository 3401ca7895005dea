r"""Policy mirror descent with the relative entropy and Polyak's step size, which asks for the optimal return only.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\big(\eta_t A^{\pi_t}(s, a)\big), \qquad
   \eta_t = \frac{4 c\, (1-\gamma)\big(V^*(\rho) - V^{\pi_t}(\rho)\big)}{C_t^2}, \qquad
   C_t = \max_s \mathrm{span}_a A^{\pi_t}(s, a), \quad 0 < c < 2, \quad \pi_0 \text{ uniform}.

Weighed by the visits of an optimal policy, the divergence of that policy from pi_t falls by :math:`\eta (1-\gamma)`
times the gap, and grows by at most :math:`\eta^2 C^2/8`: with c = 1 the step is the best for that bound, as Polyak's is
for a subgradient. No rate, no mismatch and no horizon are needed to choose it, and the distance falls in every step.
What is surprising is that this is not what one wants here: the step vanishes with the gap. On a bandit with rewards 1
and 0 the gap is 1/(4t) in the end, where a constant step forgets the bad arm geometrically: for values, longer steps
are better, up to policy iteration, and what Polyak's step protects is the distance.

Proof: ``proofs/mirror_descent/polyak_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(PolyakPMD(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Range, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, previous, so_far
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, optimum, policy, reward_span, suboptimality, value_rounding
from mdptk.theory.stock_linear_policy import divergence
from mdptk.theory.stock_policy import least_value_gain, optimal_visits
from mdptk.theory.symbols import A, gamma, t

c = Symbol("c", real=True)


class State(NamedTuple):
    """Log-probabilities, the policy, and the length of the last step, in units of the spread of the advantages."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    size: Any  # (...): eta C


def _in_units(problem: MDP, pi: Array) -> tuple[Array, Any]:
    """Advantages over their largest span C in a state, zero where C is rounding; and C."""
    advantage = exact.advantage(problem, pi)
    C = (advantage.max(-1) - advantage.min(-1)).max(-1)
    seen = 8 * exact.rounding(problem) < C
    unit = np.where(seen, C, 1.0)[..., None, None]
    return np.where(seen[..., None, None], advantage / unit, 0.0), C


def _part(problem: MDP, best: exact.Optimum, pi: Array, C: Any) -> Any:
    """``(1 - gamma) (V* - V^pi)(rho) / C``, between 0 and 1."""
    seen = 8 * exact.rounding(problem) < C
    gap = (1 - problem.gamma) * exact.performance_gap(problem, best, pi)
    return np.where(seen, gap / np.where(seen, C, 1.0), 0.0)


def _spread(run: Run) -> Array:
    return _in_units(batch_first(run), policy(run))[1]


def _share(run: Run) -> Array:
    return _part(batch_first(run), optimum(run), policy(run), _spread(run))


def _log_normaliser(run: Run) -> Array:
    """``E_{d*} log E_{pi_{t-1}} exp(eta A)``, the largest exponent taken out."""
    x = run["size"][..., None, None] * before(_in_units(batch_first(run), policy(run))[0])
    y = x + before(run["log_pi"])
    top = y.max(-1)
    return (optimal_visits(run) * (top + np.log(np.exp(y - top[..., None]).sum(-1)))).sum(-1)


def _unit_rounding(run: Run) -> Array:
    """What rounding may do to an advantage over C."""
    C = _spread(run)
    return 2 * value_rounding(run) / np.where(8 * value_rounding(run) < C, C, np.inf)


def _log_rounding(run: Run) -> Array:
    return 32 * EPS * (run.problem.A + abs(run["log_pi"]).max((-2, -1)))


spread = Quantity(
    "C",
    _spread,
    latex=r"\max_s\mathrm{span}_a A^{\pi_{%t}}(s, a)",
    rounding=lambda run: 2 * value_rounding(run),
)
share = Quantity(
    "u",
    _share,
    latex=r"\frac{(1-\gamma)(V^* - V^{\pi_{%t}})(\rho)}{\max_s\mathrm{span}_a A^{\pi_{%t}}}",
    rounding=_unit_rounding,
)
size = Quantity("size", lambda run: run["size"], latex=r"\eta_{%t-1} \max_s\mathrm{span}_a A^{\pi_{%t-1}}")
log_normaliser = Quantity(
    "log_normaliser",
    _log_normaliser,
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\log\mathbb{E}_{\pi_{%t-1}} e^{\eta_{%t-1} A^{\pi_{%t-1}}}(s)",
    rounding=lambda run: _log_rounding(run) + before(_log_rounding(run)) + run["size"] * before(_unit_rounding(run)),
)
least_gain = least_value_gain(_log_rounding)

ANYWHERE = Start(
    "any positive policy",
    lambda state: state.log_pi,
    lambda alg, problem, x: State(exact.log_softmax(x), exact.softmax(x), np.zeros(problem.batch)),
)
POLYAK = "polyak1969minimization"
DERIVED = "Polyak's rule is for subgradients: derived in proofs for the relative entropy in every state"
RATE = Theorem(
    name="global convergence",
    cite=Cite(POLYAK, "the rate of the step size with a known optimal value"),
    reason=DERIVED,
    lhs=suboptimality,
    rhs=reward_span / (1 - gamma) ** 2 * sqrt(log(A) / (2 * (t + 1))) / sqrt(c * (2 - c)),
    proof="mirror_descent/polyak_pmd",
)
OWN = Theorem(
    name="global convergence, spread of the run",
    cite=Cite(POLYAK, "the rate of the step size with a known optimal value"),
    reason=DERIVED + "; before the spread is bounded",
    lhs=suboptimality,
    rhs=so_far(spread, np.maximum) / (1 - gamma) * sqrt(log(A) / (2 * (t + 1))) / sqrt(c * (2 - c)),
    proof="mirror_descent/polyak_pmd",
)
DESCENT = Theorem(
    name="the distance falls",
    cite=Cite(POLYAK, "the distance to every solution falls"),
    reason=DERIVED,
    consecutive=True,
    lhs=divergence,
    rhs=previous(divergence) - 2 * c * (2 - c) * previous(share) ** 2,
    proof="mirror_descent/polyak_pmd",
    starts=ANYWHERE,
)
IDENTITY = Theorem(
    name="regret identity",
    cite=Cite(POLYAK, "the distance after a step, before anything is bounded"),
    reason=DERIVED,
    consecutive=True,
    lhs=size * previous(share),
    rhs=previous(divergence) - divergence + log_normaliser,
    relation="=",
    silent="a run that never moves has steps of length zero",
    proof="mirror_descent/polyak_pmd",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite("xiao2022convergence", "Lemma 7"),
    reason="holds for every step size that is not negative, so for this one",
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/polyak_pmd",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class PolyakPMD(Solver[MDP, State]):
    """Policy mirror descent with `c` times Polyak's step, from the uniform policy; it knows the optimal return."""

    c: Annotated[float, Range(0, 2)] = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (RATE, OWN, DESCENT, IDENTITY, MONOTONE)

    def init(self, problem: MDP) -> State:
        pi = exact.uniform(problem)
        return State(np.log(pi), pi, np.zeros(problem.batch))

    def step(self, problem: MDP, state: State) -> State:
        direction, C = _in_units(problem, state.pi)
        size = 4 * self.c * _part(problem, exact.optimal(problem), state.pi, C)
        log_pi = exact.log_softmax(state.log_pi + size[..., None, None] * direction)
        return State(log_pi, np.exp(log_pi), size)
