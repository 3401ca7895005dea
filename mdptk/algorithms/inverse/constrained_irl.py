r"""Constrained inverse RL: the reward and the multipliers that explain an expert under known constraints.

.. math::

   w_{t+1} = w_t - \eta\,(V_\phi^{\pi_t} - V_\phi^{\pi_E})(\rho), \qquad
   \xi_{t+1} = \big[\xi_t + \eta\,(V_c^{\pi_t}(\rho) - b)\big]_+, \qquad
   \pi_t \text{ soft optimal for } w_t \cdot \phi - \xi_t \cdot c,

from zero. The game :math:`\min_w \max_{\pi:\, V_c^\pi \le b} V_{w\cdot\phi}^\pi + \tau\mathcal{H}(\pi)` minus the same
of the expert becomes, with the multipliers of the inner problem, one convex function G of (w, xi):

.. math:: G(w, \xi) = \tfrac{\tau}{1-\gamma} \mathbb{E}_{d^E} \mathrm{KL}(\pi_E \| \pi_{w,\xi})
   + \xi \cdot (b - V_c^{\pi_E}).

Both terms vanish exactly at a certificate of optimality: the expert is soft optimal for
:math:`w\cdot\phi - \xi\cdot c`, and a constraint with a price is tight. That is the normal cone of the feasible
occupancies, see `mdptk.theory.rationalise`: a reward is explained only up to potential shaping *and* up to multiples of
the active costs. So what was learnt under one budget may advise badly under another, and nothing in the data says so.

After Schlaginhaufen and Kamgarpour [schlaginhaufen2023identifiability], exactly, and with the inner problem solved at
each pair of parameters. Proof: ``proofs/inverse/constrained_irl.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.demonstrations import hidden_garnet
>>> result = run(ConstrainedIRL(eta=0.5), hidden_garnet(), 400, every=400)
>>> result["xi"][0, -1].round(2) + 0  # the reward is found as far as its features are no shaping, and so are these
array([0.8, 0. ])
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Range, Solver
from mdptk.core.inverse import HiddenReward
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.stock import step_size
from mdptk.theory.stock_inverse import divergence, short_step, smoothness, soft_return, soft_rounding
from mdptk.theory.symbols import t


class State(NamedTuple):
    """Weights of the reward, multipliers, and the soft optimal policy of both."""

    w: Array  # (n,)
    xi: Array  # (m,)
    log_pi: Array  # (S, A)


def _features(problem: HiddenReward) -> Array:
    return np.concatenate([problem.phi, problem.c])


LARGEST = 1e6  # step, where any would do


def _longest(problem: HiddenReward) -> float:
    features = _features(problem)
    L = len(features) * smoothness(problem, features)
    return 1 / L if L else np.inf  # features that are the same everywhere: the game does not move


def _game(run: Run) -> Array:
    """G by its definition: the Lagrangian of the policy, less what the expert has of the same reward."""
    problem = run.problem
    more = problem.spent(run["log_pi"], problem.phi) - problem.spent(problem.expert, problem.phi)
    left = problem.b - problem.spent(run["log_pi"], problem.c)
    zero = np.zeros_like(problem.mdp.r)
    entropy = soft_return(problem, run["log_pi"], zero) - soft_return(problem, problem.expert, zero)
    return entropy + (run["w"] * more).sum(-1) + (run["xi"] * left).sum(-1)


def _rounding(run: Run) -> Array:
    features = _features(run.problem)
    return soft_rounding(run, features, "w") + soft_rounding(run, features, "xi")


game = Quantity("game", _game, latex=r"G(w_{%t}, \xi_{%t})", rounding=_rounding)
slack = Quantity(
    "slack",
    lambda run: (run["xi"] * (run.problem.b - run.problem.spent(run.problem.expert, run.problem.c))).sum(-1),
    latex=r"\xi_{%t} \cdot (b - V_c^{\pi_E})",
    rounding=_rounding,
)
hidden_square = Quantity(
    "hidden_square",
    lambda run: (run.problem.w**2).sum() + (run.problem.xi**2).sum(),
    latex=r"(\|w^E\|_2^2 + \|\xi^E\|_2^2)",
)

SHORT = short_step(_longest)
KEY = "schlaginhaufen2023identifiability"
OWN = "the paper was not at hand: derived in proofs/ for exact occupancies and entropy"
CERTIFICATE = Theorem(
    name="game value as divergence and slack",
    cite=Cite(KEY, "optimality by the normal cone of the feasible occupancies"),
    lhs=game,
    rhs=divergence + slack,
    relation="=",
    since=0,
    reason=OWN,
    proof="inverse/constrained_irl",
)
RATE = Theorem(
    name="the expert is explained",
    cite=Cite(KEY, "convergence of the descent on the game"),
    assumes=(SHORT,),
    lhs=game,
    rhs=hidden_square / (2 * step_size * t),
    reason=OWN,
    proof="inverse/constrained_irl",
)
DESCENT = Theorem(
    name="descent",
    cite=Cite(KEY, "convergence of the descent on the game"),
    assumes=(SHORT,),
    lhs=game,
    rhs=previous(game),
    consecutive=True,
    silent="a run that stands still does not climb; a step too long does",
    reason=OWN,
    proof="inverse/constrained_irl",
)


@dataclass(frozen=True)
class ConstrainedIRL(Solver[HiddenReward, State]):
    """Gradient descent on the weights and projected descent on the multipliers, with step size `eta`.

    None is one over the smoothness.
    """

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = HiddenReward
    theorems: ClassVar[tuple[Theorem, ...]] = (CERTIFICATE, RATE, DESCENT)

    def step_size(self, problem: HiddenReward) -> float:
        """The step size for `problem`."""
        return min(_longest(problem), LARGEST) if self.eta is None else self.eta

    def init(self, problem: HiddenReward) -> State:
        return _state(problem, np.zeros(problem.n), np.zeros(problem.m))

    def step(self, problem: HiddenReward, state: State) -> State:
        eta = self.step_size(problem)
        more = problem.spent(state.log_pi, problem.phi) - problem.spent(problem.expert, problem.phi)
        over = problem.spent(state.log_pi, problem.c) - problem.b
        return _state(problem, state.w - eta * more, np.maximum(state.xi + eta * over, 0))


def _state(problem: HiddenReward, w: Array, xi: Array) -> State:
    goal = np.tensordot(w, problem.phi, 1) - np.tensordot(xi, problem.c, 1)
    return State(w, xi, exact.soft_optimal(replace(problem.mdp, r=goal), problem.tau).log_pi)
