r"""Dynamic policy gradient: softmax policy gradient backward in time, one stage after the other.

For :math:`h = H-1, \ldots, 0`, m steps each, with the later stages as they were left:

.. math::

   \theta_h(s, a) \leftarrow \theta_h(s, a) + \frac{\eta}{L_h}\, \rho(s)\, \pi_h(a|s)\, A^\pi_h(s, a), \qquad
   L_h = \tfrac12 (H - h) \|\rho\|_\infty, \qquad \theta = 0 \text{ at first}.

Every stage is trained from the start distribution, whatever leads there, so it is a bandit in each state, whose rewards
do not change any more. Two troubles are gone. The best action, uniform at first, is never less likely than another, so
the constant that may be astronomically small elsewhere is 1/A. And the smoothness has one factor H, not two: no stage
is moved while a later one moves. The errors of the stages add up, and that is the end of the proof.

Figure: ``mdptk reproduce backward_in_time``. Proof: ``proofs/policy_gradient/dynamic_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(DynamicPG(m=2), riverswim().episodic(4), 8)["pi"].shape
(1, 9, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Range, Solver
from mdptk.core.models import Array, FiniteHorizonMDP
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.stock import before, policy, positive_start, unit_rewards, value_rounding
from mdptk.theory.stock_policy import softmax_rounding
from mdptk.theory.stock_stages import suboptimality
from mdptk.theory.symbols import A, S, eta


class State(NamedTuple):
    """Logits, the largest in each state of each stage kept at 0, their policy, and the steps made."""

    theta: Array  # (H, S, A)
    pi: Array  # (H, S, A)
    n: Any  # a number


def _trained(H: int, m: int, t: Array) -> Array:
    """Steps that each stage has had after t steps, (..., H)."""
    return np.clip(np.asarray(t)[..., None] - m * np.arange(H)[::-1], 0, m)


def _budget(run: Run) -> Array:
    """``sum_h |d*_h / rho| (H - h) / (1 + n_h)``."""
    problem = run.problem
    worst = (exact.occupancy(problem, run.truth.optimum.pi) / problem.rho).max(-1)
    n = _trained(problem.H, run.alg.m, run.t)
    return (worst * np.arange(problem.H, 0, -1) / (1 + n)).sum(-1)[None]


def _best_chance(run: Run) -> Array:
    """The least probability of what is best for the later stages as they are, ties within rounding shared."""
    advantage = exact.advantage(run.problem, policy(run))
    best = advantage >= advantage.max(-1, keepdims=True) - 4 * value_rounding(run)
    return np.where(best, policy(run), 0.0).max(-1).min((-2, -1))


def _stage_gain(run: Run) -> tuple[Array, Array]:
    """What the last step gained in the stage that it trained, from rho, and its rounding error."""
    pi = policy(run)
    change, advantage = pi - before(pi), before(exact.advantage(run.problem, pi))
    error = value_rounding(run) * abs(change) + softmax_rounding(run) * abs(advantage)
    rho = run.problem.rho[:, None]
    return (rho * change * advantage).sum((-3, -2, -1)), (rho * error).sum((-3, -2, -1))


def _stage_gradient(run: Run) -> Array:
    """``|grad|^2 / L_h`` in the stage that the last step trained, 0 if there was none."""
    problem, pi, trained = run.problem, policy(run), _trained(run.problem.H, run.alg.m, run.t)
    g = problem.rho[:, None] * pi * exact.advantage(problem, pi)
    size = before((g**2).sum((-2, -1)) / _smoothness(problem))
    return (size * np.diff(trained, axis=0, prepend=trained[:1])).sum(-1)


def _smoothness(problem: FiniteHorizonMDP) -> Array:
    """``L_h = (H - h) max rho / 2``, (H,)."""
    return np.arange(problem.H, 0, -1) * problem.rho.max() / 2


budget = Quantity(
    "budget", _budget, latex=r"\sum_{h<H} \Big\|\frac{d_h^{\pi^*}}{\rho}\Big\|_\infty \frac{H - h}{1 + n_h(%t)}"
)
top = Quantity("top", lambda run: run.problem.rho.max(), latex=r"\|\rho\|_\infty")
best_chance = Quantity(
    "best_chance", _best_chance, latex=r"\min_{h,s} \pi_{%t, h}(\arg\max_a A_h^{\pi_{%t}}(s, a)\,|\,s)"
)
stage_gain = Quantity(
    "stage_gain",
    lambda run: _stage_gain(run)[0],
    latex=r"J_h(\pi_{%t}) - J_h(\pi_{%t-1})",
    rounding=lambda run: _stage_gain(run)[1],
)
stage_gradient = Quantity(
    "stage_gradient",
    _stage_gradient,
    latex=r"\tfrac{1}{L_h} \|\nabla_{\theta_h} J_h(\pi_{%t-1})\|_2^2",
    rounding=lambda run: 16 * value_rounding(run) / run.problem.rho.max() * run.problem.S * run.problem.A,
)

KLEIN = "klein2024beyond"
NOT_READ = "of the paper only the order in H is known to us: constants are those of the derivation in proofs"
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(KLEIN, "dynamic policy gradient with exact gradients: O(H^3 / t)"),
    reason=NOT_READ + "; with m steps for each of H stages the sum is at most H (H + 1) / 2 times the mismatch over m",
    assumes=(unit_rewards, positive_start),
    lhs=suboptimality,
    rhs=A**2 * S * top / (eta * (2 - eta)) * budget,
    proof="policy_gradient/dynamic_pg",
)
CHANCE = Theorem(
    name="the best action leads",
    cite=Cite(KLEIN, "the constant c_h is explicit for uniform initialisation"),
    reason=NOT_READ,
    lhs=best_chance,
    rhs=1 / A,
    relation=">=",
    silent="a run that never moves is uniform; a step that takes from the best action breaks it",
    proof="policy_gradient/dynamic_pg",
)
ASCENT = Theorem(
    name="stage ascent",
    cite=Cite(KLEIN, "smoothness of the value in the logits of one stage"),
    reason=NOT_READ,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=stage_gain,
    rhs=eta * (2 - eta) / 2 * stage_gradient,
    relation=">=",
    proof="policy_gradient/dynamic_pg",
)


@dataclass(frozen=True)
class DynamicPG(Solver[FiniteHorizonMDP, State]):
    """Dynamic policy gradient: `m` steps a stage of size `eta`, in units of the inverse smoothness, from uniform."""

    eta: Annotated[float, Range(0, 2)] = 1.0
    m: Count = 40

    sees: ClassVar[type] = FiniteHorizonMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, CHANCE, ASCENT)

    def init(self, problem: FiniteHorizonMDP) -> State:
        return _state(np.zeros_like(problem.r), 0.0)

    def step(self, problem: FiniteHorizonMDP, state: State) -> State:
        h = problem.H - 1 - int(state.n) // self.m
        if h < 0:  # all stages have had their steps
            return state._replace(n=state.n + 1)
        now: Any = (np.arange(problem.H) == h)[:, None, None]
        g = problem.rho[:, None] * state.pi * exact.advantage(problem, state.pi)
        step = self.eta / _smoothness(problem)[h]
        return _state(state.theta + np.where(now, step * g, 0.0), state.n + 1)


def _state(theta: Array, n: Any) -> State:
    return State(theta - theta.max(-1, keepdims=True), exact.softmax(theta), n)
