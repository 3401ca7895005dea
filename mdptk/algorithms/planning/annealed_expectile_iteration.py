r"""Value iteration with an expectile that is annealed, from the optimality operator to the Bellman operator.

.. math::

   Q_{t+1}(s, a) = r(s, a) + \gamma \sum_{s'} P(s'|s, a)\, e_{\tau_{t+1}}\big(Q_t(s', \cdot)\big), \qquad
   \tau_t = \max\Big(\tfrac12, \; \tau - \frac{t}{m} \big(\tau - \tfrac12\big)\Big), \qquad Q_0 = 0,

with the expectile over the actions of the uniform policy (see `ExpectileIteration`). The first operators are nearly
those of value iteration, the last is the Bellman operator of the policy, so the limit is the value of that policy and
nothing of the optimism is left. On the way Q tracks the fixed point of the present operator: an error is forgotten at
the rate gamma, and in each step the fixed point moves by what the schedule moves it. Slow schedules track, fast ones
forget: after the last change of tau the error falls geometrically in either case.

Proof: ``proofs/planning/annealed_expectile_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(AnnealedExpectileIteration(m=4), riverswim(), 6)["level"].ravel()
array([0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Range, Solver
from mdptk.core.expectile import expectile, limit
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import optimum_rounding, value_rounding
from mdptk.theory.symbols import gamma


class State(NamedTuple):
    """Action values, the level of the operator that made them, and the steps so far."""

    q: Array  # (..., S, A)
    level: Any  # (...)
    n: Any  # (...)


@lru_cache(maxsize=32)
def _limits(problem: MDP, levels: tuple[float, ...]) -> Array:
    """The fixed points of operators of these levels, (records, S, A) behind any batch axis."""
    return np.stack([limit(problem, level) for level in levels], axis=-3)


def _fixed_points(run: Run) -> Array:
    levels = run["level"].reshape(-1, len(run.t))[0]
    return _limits(run.problem, tuple(levels.tolist()))


def _moved(run: Run) -> Array:
    q = _fixed_points(run)
    moved = abs(np.diff(q, axis=-3)).max((-2, -1))
    return np.concatenate([np.full((*moved.shape[:-1], 1), np.nan), moved], axis=-1)


def _sizes(run: Run) -> Array:
    return abs(run["q"]).max((-2, -1))


error = Quantity(
    "error",
    lambda run: abs(run["q"] - _fixed_points(run)).max((-2, -1)),
    latex=r"\|Q_{%t} - Q_{\tau_{%t}}\|_\infty",
    rounding=lambda run: 2 * optimum_rounding(run),
)
moved = Quantity(
    "moved",
    _moved,
    latex=r"\|Q_{\tau_{%t}} - Q_{\tau_{%t-1}}\|_\infty",
    rounding=lambda run: 4 * optimum_rounding(run),
)
above_policy = Quantity(
    "above_policy",
    lambda run: (_fixed_points(run) - _limits(run.problem, (0.5,))).min((-2, -1)),
    latex=r"\min_{s,a}\,[Q_{\tau_{%t}} - Q^{\mathrm{uniform}}](s, a)",
    rounding=lambda run: 4 * optimum_rounding(run),
)
growth = Quantity(
    "growth",
    lambda run: _sizes(run),
    latex=r"\|Q_{%t}\|_\infty",
    rounding=lambda run: 16 * EPS * run.problem.A * _sizes(run),
)
bounded = Quantity(
    "bounded",
    lambda run: abs(run.problem.r).max((-2, -1))[..., None] / (1 - run.problem.gamma),
    latex=r"\frac{\|r\|_\infty}{1-\gamma}",
    rounding=value_rounding,
)

OMURA = "omura2025gradual"
DERIVED = "the text was not at hand: the operator is that of the abstract, a linear schedule is ours; derived in proofs"
TRACKING = Theorem(
    name="tracking",
    cite=Cite(OMURA, "the annealed operator"),
    reason=DERIVED,
    consecutive=True,
    lhs=error,
    rhs=gamma * (previous(error) + moved),
    proof="planning/annealed_expectile_iteration",
)
OPTIMISM = Theorem(
    name="optimistic limits",
    cite=Cite(OMURA, "overestimation by the optimality operator, none by the Bellman operator"),
    reason=DERIVED,
    since=0,
    lhs=above_policy,
    rhs=0,
    relation=">=",
    silent="it is about the limits of the operators, which are those of the schedule",
    proof="planning/annealed_expectile_iteration",
)
BOUNDED = Theorem(
    name="values stay in range",
    cite=Cite(OMURA, "the annealed operator"),
    reason=DERIVED,
    since=0,
    lhs=growth,
    rhs=bounded,
    silent="a run that never moves is at zero",
    proof="planning/annealed_expectile_iteration",
)


@dataclass(frozen=True)
class AnnealedExpectileIteration(Solver[MDP, State]):
    """Expectile iteration from level `tau` down to 1/2 in `m` steps, for the actions of the uniform policy."""

    tau: Annotated[float, Range(0.5, 1, "low")] = 0.9
    m: Count = 40

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (TRACKING, OPTIMISM, BOUNDED)

    def level(self, n: float) -> float:
        """The level after n steps."""
        return max(0.5, self.tau - n / self.m * (self.tau - 0.5))

    def init(self, problem: MDP) -> State:
        zero = np.zeros(problem.batch)
        return State(0 * exact.uniform(problem), zero + self.level(0), zero)

    def step(self, problem: MDP, state: State) -> State:
        n = state.n + 1
        level = self.level(float(np.max(n)))  # the same for all models of a batch
        return State(problem.q(expectile(state.q, level)[0]), 0 * n + level, n)
