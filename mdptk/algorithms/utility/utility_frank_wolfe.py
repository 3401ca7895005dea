r"""Frank-Wolfe for general utilities: mix in a policy that is optimal for the gradient as a reward.

.. math::

   x_{t+1} = x_t + \tfrac{2}{t+2} (s_t - x_t), \qquad
   s_t \in \arg\max_{s \text{ an occupancy}} \langle \nabla F(x_t), s\rangle, \qquad \pi_0 \text{ uniform}.

All that it needs is a planner for ordinary rewards. With the entropy of the visited states it is the method of maximum
entropy exploration (which takes constant steps), and the reward of a state is then high where one has been little. The
mixture is kept as an occupancy, so it is one stationary policy. The same planner certifies it: what the best answer
gains on the gradient bounds the gap.

Proof: ``proofs/utility/utility_frank_wolfe.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.utilities import explore_riverswim
>>> run(UtilityFrankWolfe(), explore_riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.models import Array
from mdptk.core.utilities import UtilityMDP, visits
from mdptk.theory import Cite, Theorem
from mdptk.theory.stock_utility import DUALITY, smoothness, suboptimality
from mdptk.theory.symbols import t


class State(NamedTuple):
    """Steps made, the occupancy, and its policy."""

    t: int
    x: Array  # (S, A)
    pi: Array  # (S, A)


CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite("jaggi2013revisiting", "Theorem 1; for exploration the method of Hazan et al. 2019"),
    reason="the standard proof, rederived: the curvature constant is at most 4 L_F, since occupancies are 2 apart in "
    "the 1-norm",
    lhs=suboptimality,
    rhs=8 * smoothness / (t + 2),
    proof="utility/utility_frank_wolfe",
)


@dataclass(frozen=True)
class UtilityFrankWolfe(Solver[UtilityMDP, State]):
    """Steps 2/(t + 2) towards an optimal policy of the gradient, from the uniform policy."""

    sees: ClassVar[type] = UtilityMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, DUALITY)

    def init(self, problem: UtilityMDP) -> State:
        return _state(0, visits(problem.mdp, exact.uniform(problem.mdp)))

    def step(self, problem: UtilityMDP, state: State) -> State:
        best = exact.optimal(problem.linear(state.x)).pi
        return _state(state.t + 1, state.x + 2 / (state.t + 2) * (visits(problem.mdp, best) - state.x))


def _state(t: int, x: Array) -> State:
    return State(t, x, exact.conditional(x))
