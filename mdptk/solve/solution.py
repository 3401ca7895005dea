"""What `solve` returns."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from mdptk.core.errors import MdptkError
from mdptk.core.models import Array


class Unsupported(MdptkError, TypeError):
    """There is no solver for this type of problem; the message lists what there is."""


@dataclass(frozen=True, eq=False)
class Solution:
    r"""An optimal value between two bounds, and a policy that attains the lower one.

    Attributes
    ----------
    value
        The middle of the bounds: :math:`V^*`, shape (S,); for stages (H + 1, S) with a last row of zeros; for average
        reward the optimal gain :math:`g^*(s)` of each first state. Units of the rewards.
    policy
        Deterministic policy ``pi[s, a]`` or ``pi[h, s, a]``; its value lies between `lower` and `upper`, too.
    lower, upper
        Bounds ``lower <= V* <= upper`` in every entry, of the shape of `value`. All rounding is accounted for.
    iterations
        How many steps of the method were made: sweeps, policies, or stages.
    seconds
        Wall time.
    method
        The method that was used.
    reason
        Why this method.
    """

    value: Array
    policy: Array
    lower: Array
    upper: Array
    iterations: int
    seconds: float
    method: str
    reason: str

    @property
    def width(self) -> float:
        """The largest ``upper - lower``."""
        return float((self.upper - self.lower).max())

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(method={self.method!r}, iterations={self.iterations}, width={self.width:.2g})"


@dataclass(frozen=True, eq=False, repr=False)
class ExactSolution(Solution):
    """An optimal value in exact arithmetic: the bounds are the two float64 numbers around it, or equal.

    Attributes
    ----------
    exact
        The optimal value of the stored model as `fractions.Fraction`, an object array of the shape of `value`; `value`
        is the nearest float64, and `policy` is proved optimal.
    """

    exact: Array


@dataclass(frozen=True, eq=False, repr=False)
class AverageSolution(Solution):
    r"""The optimal gain of each first state between two bounds, and a policy whose gain is at least the lower one.

    Attributes
    ----------
    bias
        :math:`h^\pi = \sum_t P_\pi^t (r_\pi - g^\pi)` of `policy`, shape (S,): what a first state earns more than the
        gain, in all. In float64, not certified: a linear solve, above 2000 states sweeps; None where these fail.
    """

    bias: Array | None


@dataclass(frozen=True, eq=False, repr=False)
class ConstrainedSolution(Solution):
    r"""The optimal return of a constrained problem between two bounds, and policies for it.

    Here `value`, `lower` and `upper` are numbers, of shape (): the optimal return :math:`V^*(\rho)` subject to
    :math:`V_{c_i}(\rho) \le b_i`, with ``lower <= V* <= upper``, rounding included. They have different proofs: `upper`
    is the dual function at `multipliers`, `lower` is the return of `feasible`.

    Attributes
    ----------
    policy
        A policy ``pi[s, a]``, with stages ``pi[h, s, a]``, with at most `m` more actions than rows, of the optimal
        return up to rounding; what it spends may exceed the budgets by `violation`.
    feasible
        A policy of the same shape that is proved to meet every budget, and whose return is at least `lower`. It is
        `policy` where that can be proved to be feasible, otherwise `policy` mixed with a little of a strictly feasible
        one.
    violation
        A bound on :math:`\max_i V_{c_i}(\rho) - b_i` for `policy`, rounding included; 0 if it is proved feasible.
        Units of the costs.
    occupancy
        How often `policy` is in ``s`` and takes ``a``, of the shape of `policy` and normalised to sum to one: its
        return is ``(x * r).sum()`` of the average reward, over ``1 - gamma`` if discounted, times ``H`` with stages.
    multipliers
        Shape (m,), not negative: what a unit of each budget is worth, in reward per cost.
    slater
        A proved lower bound on the Slater constant :math:`\max_\pi \min_i b_i - V_{c_i}^\pi(\rho)`, at the accuracy of
        the linear program; 0 if no policy was proved to have slack in every constraint. Units of the costs.
    safest
        The policy that has this slack, of the shape of `policy`.
    """

    feasible: Array
    violation: float
    occupancy: Array
    multipliers: Array
    slater: float
    safest: Array


@dataclass(frozen=True, eq=False, repr=False)
class RobustSolution(Solution):
    r"""The optimal value against an adversary between two bounds, a policy, and the worst kernel for it.

    The pair proves the bounds: `policy` earns at least `lower` in every kernel of the ambiguity set, and in `kernel` no
    policy earns more than `upper`. So the value of `policy` in `kernel` lies between them, and both are optimal.

    Attributes
    ----------
    kernel
        ``P[s, a, s']`` of the ambiguity set, up to rounding (`upper` is for the kernel that it was rounded from).
    """

    kernel: Array


@dataclass(frozen=True, eq=False, repr=False)
class UtilitySolution(Solution):
    r"""The largest utility of an occupancy between two bounds, and a policy that attains the lower one.

    Here `value`, `lower` and `upper` are numbers, of shape (): `lower` is :math:`F(x^\pi)` of `policy`, which may be
    stochastic, and `upper` is the dual function at `reward`. Up to the rounding of F itself they are proved.

    Attributes
    ----------
    occupancy
        ``x[s, a]`` of `policy`, normalised to sum to one.
    reward
        The gradient of F there: the reward per step for which `policy` is optimal up to the width.
    """

    occupancy: Array
    reward: Array


@dataclass(frozen=True, eq=False, repr=False)
class GameSolution(Solution):
    r"""The value of a zero-sum game between two bounds, and a strategy of each player that proves one of them.

    `policy` is the first player's, who maximises: it earns at least `lower`, whatever the second does. Against
    `opponent` the first player earns at most `upper`. For a `MatrixGame` value and bounds are numbers, of shape (), and
    strategies vectors (A,) and (B,); for a `MarkovGame` (S,), (S, A) and (S, B).

    Attributes
    ----------
    opponent
        The strategy of the second player, who minimises.
    """

    opponent: Array

    @property
    def exploitability(self) -> float:
        """A bound on what the players could gain by best answers, both together and in the worst state: `width`."""
        return self.width


@dataclass(frozen=True, eq=False, repr=False)
class ExactGameSolution(GameSolution):
    """The value of a matrix game in exact arithmetic: the bounds are the two float64 numbers around it, or equal.

    Attributes
    ----------
    exact
        The value of the stored game.
    exact_policy, exact_opponent
        Optimal strategies as `fractions.Fraction`, object arrays; `policy` and `opponent` are the nearest float64.
    """

    exact: Fraction
    exact_policy: Array
    exact_opponent: Array
