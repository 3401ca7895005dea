r"""Total reward of any sign, and reachability: end components that earn nothing are merged, and there one may stop.

A run that stays for ever in an end component whose rewards are all zero has all it gets. Merged to one state each, with
the choice to stop, these leave a problem for `_stopping`. If a policy can stay elsewhere and earn on average nothing or
more, the total reward is infinite or has no limit; where none is certain to stop, it is minus infinity. Both raise.
Source: Bertsekas and Tsitsiklis [bertsekas1991analysis]; De Alfaro [dealfaro1997formal].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import Infeasible
from mdptk.core.structure import end_components
from mdptk.solve._average import merge, unmerge, whole
from mdptk.solve._end_components import restrict
from mdptk.solve._stopping import Stopping, by_interval_iteration, by_policy_iteration, named, raise_if_unbounded
from mdptk.solve.certificates import Bracket

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import Array
    from mdptk.core.total import TotalRewardMDP
    from mdptk.solve._stopping import Stopped


def interval_iteration(problem: TotalRewardMDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of sweeps."""
    return _solve(problem, tol, by_interval_iteration)


def policy_iteration(problem: TotalRewardMDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of policies."""
    return _solve(problem, tol, by_policy_iteration)


class Collapsed:
    """A problem of total reward whose end components without rewards are one state each."""

    def __init__(self, problem: Any) -> None:
        self.x = whole(problem)
        self.component, self.inside = end_components(self.x.P, self.x.owner, self.x.r == 0)
        self.merged, self.rows, self.part = merge(self.x, self.component, self.inside)
        C = int(self.component.max()) + 1
        end = np.where(np.arange(self.merged.n) < C, 0.0, -np.inf)
        self.stopping = Stopping(self.merged, end, end, lambda mask: np.flatnonzero(mask[self.part]))

    def proper(self) -> Array:
        """Choices that are certain to stop; raises Infeasible or Unbounded where there are none."""
        p = self.stopping
        can, choice = p.stops()
        if can.all():
            return choice
        component, inside = end_components(self.x.P, self.x.owner)
        part, labels, states = restrict(self.x, inside, component)
        raise_if_unbounded(part, labels, lambda mask: states[mask])
        stuck = p.members(~can)
        raise Infeasible(
            f"the total reward is minus infinity, or has no limit: from {named(stuck)} no policy is certain to come to "
            "where nothing more is earned",
            stuck,
        )

    def actions(self, choice: Array, A: int) -> Array:
        """The actions of the model for choices of the merged states."""
        (k,) = np.nonzero(self.inside)
        kept = np.full(self.x.n, -1)
        kept[self.x.owner[k[::-1]]] = k[::-1]
        return unmerge(self.x, self.inside, self.part, self.rows, choice, kept) % A


def _solve(problem: TotalRewardMDP, tol: float, bound: Callable[..., Stopped]) -> tuple[Bracket, int]:
    c = Collapsed(problem)
    end = bound(c.stopping, tol, c.proper())
    actions = c.actions(end.choice, problem.A)
    return Bracket(end.lower[c.part], end.upper[c.part], actions, np.zeros(problem.S), 0.0), end.iterations
