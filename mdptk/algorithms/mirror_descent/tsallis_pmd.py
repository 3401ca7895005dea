r"""Policy mirror descent with a Tsallis entropy: between the relative entropy (q = 1) and what forgets slowly (q = 0).

.. math::

   \pi_{t+1}(\cdot|s) = \arg\max_{p \in \Delta(A)} \; \eta \langle Q^{\pi_t}(s, \cdot), p \rangle - D(p, \pi_t(s)),
   \qquad D \text{ the divergence of } h(p) = \frac{1 - \sum_a p_a^q}{1 - q}, \quad \pi_0 \text{ uniform},

that is

.. math::

   \pi_{t+1}(a|s)^{q-1} = \pi_t(a|s)^{q-1} - \tfrac{1-q}{q}\,\eta\, \big(Q^{\pi_t}(s, a) - \lambda_t(s)\big),
   \qquad \lambda_t(s) \text{ such that } \sum_a \pi_{t+1}(a|s) = 1 .

With q = 1/2 bad actions get probabilities like 1/t^2, where the relative entropy makes them exponentially small: the
price of exploring is polynomial, and so is the end of the run. The bound is that of every mirror map. What it gains is
an equality, and so are the three points: the map is steep at the boundary, so it is never reached.

Proof: ``proofs/mirror_descent/tsallis_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(TsallisPMD(eta=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Range, Solver
from mdptk.core.errors import NotConverged
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.core.wide import unit
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, gain, optimum, policy, suboptimality, unit_rewards
from mdptk.theory.stock_policy import advance as advance_by
from mdptk.theory.stock_policy import least_value_gain, optimal_visits
from mdptk.theory.symbols import A, eta, gamma, t

q = Symbol("q", positive=True)


class State(NamedTuple):
    """The policy, and its power q - 1, which does not lose what is small."""

    pi: Array  # (..., S, A)
    w: Array  # (..., S, A): at least 1


def _rounding(run: Run) -> float:
    """Relative rounding error of a probability: that of w + eta Q, to the power 1 / (1 - q)."""
    alg, size = run.alg, abs(run.problem.r).max() / (1 - run.problem.gamma)
    return 16 * EPS / (1 - alg.q) * (run.problem.A + (1 - alg.q) / alg.q * alg.eta * size)


def _to_optimum(run: Run) -> Array:
    """``D(pi*, pi_t)`` for a deterministic pi*, (repeats, records, S)."""
    w, pi, index = run["w"], policy(run), run.alg.q
    return (pi * w).sum(-1) - 1 / (1 - index) + index / (1 - index) * (optimum(run).pi * w).sum(-1)


def _bregman(run: Run, both: bool) -> Array:
    """``D(pi_t, pi_{t-1})``, or that plus ``D(pi_{t-1}, pi_t)``, (repeats, records, S)."""
    w, pi, index = run["w"], policy(run), run.alg.q
    old_w, old = before(w), before(pi)
    if both:
        return index / (1 - index) * ((old_w - w) * (pi - old)).sum(-1)
    return (old * old_w - pi * w + index * old_w * (pi - old)).sum(-1) / (1 - index)


def _size(run: Run) -> Array:
    """What is added and subtracted in a divergence, (repeats, records, S); to be multiplied by a relative error."""
    w, pi = run["w"], policy(run)
    return ((pi + before(pi)) * (w + before(w))).sum(-1) / (1 - run.alg.q)


divergence = Quantity(
    "D",
    lambda run: (optimal_visits(run) * _to_optimum(run)).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}D(\pi^*, \pi_{%t})(s)",
    rounding=lambda run: _rounding(run) * (optimal_visits(run) * run["w"].max(-1)).sum(-1) / (1 - run.alg.q),
)
travelled = Quantity(
    "travelled",
    lambda run: (optimal_visits(run) * _bregman(run, both=False)).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}D(\pi_{%t}, \pi_{%t-1})(s)",
    rounding=lambda run: _rounding(run) * (optimal_visits(run) * _size(run)).sum(-1),
)
symmetric = Quantity(
    "symmetric",
    lambda run: (exact.occupancy(batch_first(run), policy(run)) * _bregman(run, both=True)).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}[D(\pi_{%t}, \pi_{%t-1}) + D(\pi_{%t-1}, \pi_{%t})](s)",
    rounding=lambda run: _rounding(run) * (exact.occupancy(batch_first(run), policy(run)) * _size(run)).sum(-1),
)
advance = advance_by(_rounding)
gained = gain(_rounding)
least_gain = least_value_gain(_rounding)

ANYWHERE = Start("any positive policy", lambda state: state.w, lambda alg, problem, w: _state(alg, w))

XIAO = "xiao2022convergence"
READ = "read in a copy without its formulas: constants and index are those of the derivation in proofs"
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(XIAO, "Theorem 8, for this mirror map"),
    reason=READ,
    assumes=(unit_rewards,),
    lhs=suboptimality,
    rhs=((A ** (1 - q) - 1) / ((1 - q) * eta * (1 - gamma)) + 1 / (1 - gamma) ** 2) / (t + 1),
    proof="mirror_descent/tsallis_pmd",
)
THREE_POINTS = Theorem(
    name="three points",
    cite=Cite(XIAO, "Lemma 6, three points, at pi*, averaged over d*"),
    reason=READ + "; an equality since the policy stays inside",
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=(previous(divergence) - divergence - travelled) / eta + advance,
    relation="=",
    proof="mirror_descent/tsallis_pmd",
    starts=ANYWHERE,
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(XIAO, "Lemma 6, three points, at pi_t"),
    reason=READ + "; an equality since the policy stays inside",
    consecutive=True,
    lhs=gained,
    rhs=symmetric / (eta * (1 - gamma)),
    relation="=",
    proof="mirror_descent/tsallis_pmd",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(XIAO, "Lemma 7"),
    reason=READ,
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/tsallis_pmd",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class TsallisPMD(Solver[MDP, State]):
    """Policy mirror descent with the Tsallis entropy of index `q` and steps `eta`, from the uniform policy."""

    eta: Positive = 1.0
    q: Annotated[float, Range(0.1, 0.9, "both")] = 0.5

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, THREE_POINTS, IMPROVEMENT, MONOTONE)

    def init(self, problem: MDP) -> State:
        pi = np.full(problem.r.shape, 1 / problem.A)
        return State(pi, pi ** (self.q - 1))

    def step(self, problem: MDP, state: State) -> State:
        scale = (1 - self.q) / self.q * self.eta
        return _state(self, state.w - scale * exact.action_values(problem, state.pi))


def _state(alg: TsallisPMD, z: Array) -> State:
    w = _normalised(z, 1 / (1 - alg.q))
    return State(w ** (-1 / (1 - alg.q)), w)


def _normalised(z: Array, k: Any) -> Array:
    """``z + u`` with ``sum (z + u)^-k = 1`` and z + u > 0, by Newton's method on a concave function, from below."""
    w, total = z - z.min(-1, keepdims=True) + 1, np.array(np.nan)
    for _ in range(100):
        total = (w**-k).sum(-1, keepdims=True)
        mean, slope = total ** (-1 / k), total ** (-1 / k - 1) * (w ** (-k - 1)).sum(-1, keepdims=True)
        up = np.maximum(1 - mean, 0) / slope
        w = w + up
        if (up <= 4 * unit(w) * w.min(-1, keepdims=True)).all():
            return w
    raise NotConverged(f"normalising a policy did not settle in 100 iterations: sum {float(total.max()):.17g}")
