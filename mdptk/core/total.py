"""Total reward without discount: stochastic shortest paths, reachability, stopping problems."""

from __future__ import annotations

from dataclasses import dataclass

from mdptk.core.models import _Undiscounted


@dataclass(frozen=True, eq=False, repr=False)
class TotalRewardMDP(_Undiscounted):
    r"""Markov decision process judged by its expected total reward, without discount: rewards of any sign.

    Parameters are those of `MDP` without the discount. Rows that sum to one only within 1e-9 stand for the same rows
    divided by their sums. A run ends where it earns nothing for ever: in an end component whose rewards are all zero,
    such as an absorbing state with ``r = 0``. So no state has to be declared a goal.

    The value is :math:`V^*(s) = \sup_\pi \lim_T \mathbb{E}\sum_{t<T} r(s_t, a_t)`. `mdptk.solve` says so where it is
    not a finite number, or where the limit does not exist.

    Examples
    --------
    >>> TotalRewardMDP(P=[[[0.5, 0.5]], [[0, 1]]], r=[[-1], [0]])
    TotalRewardMDP(S=2, A=1)
    """
