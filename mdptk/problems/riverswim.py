"""RiverSwim: the reward is upstream, and a crumb lies where the current carries you [strehl2008analysis]."""

from __future__ import annotations

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import MDP, AverageRewardMDP, FiniteHorizonMDP


def riverswim(S: int = 6, gamma: float = 0.95) -> MDP:
    """Swim right against the current for reward 1, or drift left for 0.005.

    ``S`` places in a row. Action 0 (left) always goes one place left, or stays at the left end, where it pays 0.005.
    Action 1 (right) goes right with probability 0.35, stays with 0.6 and is carried left with 0.05; at the left end
    it goes right with 0.6 and stays with 0.4; at the right end it stays with 0.6, is carried left with 0.4, and pays
    1. The start is the left end, rewards are in [0, 1].

    A greedy learner settles for the crumb: the way to the large reward costs a number of tries exponential in ``S``
    unless exploration is directed.

    Source: Strehl and Littman [strehl2008analysis]; the numbers are those of Osband, Russo and Van Roy
    [osband2013more]: the first paper pays 5 and 10000 and has a slightly different current.

    Parameters
    ----------
    S
        Number of places, at least 2.
    gamma
        Discount in [0, 1).

    Raises
    ------
    InvalidModel
        If ``S < 2``.

    Examples
    --------
    >>> riverswim().P[2, 1]
    array([0.  , 0.05, 0.6 , 0.35, 0.  , 0.  ])
    """
    if S < 2:
        raise InvalidModel(f"S = {S}: a river has two ends, S >= 2")
    left, right = 0, 1
    s, inner = np.arange(S), np.arange(1, S - 1)
    P, r = np.zeros((S, 2, S)), np.zeros((S, 2))
    P[s, left, np.maximum(s - 1, 0)] = 1.0
    P[inner, right, inner - 1] = 0.05
    P[inner, right, inner] = 0.6
    P[inner, right, inner + 1] = 0.35
    P[0, right, :2] = 0.4, 0.6
    P[-1, right, -2:] = 0.4, 0.6
    r[0, left], r[-1, right] = 0.005, 1.0
    return MDP(P, r, gamma, rho=s == 0)


def episodic_riverswim(S: int = 6, H: int = 12) -> FiniteHorizonMDP:
    """RiverSwim in episodes of ``H`` stages that start at the left end; see `riverswim` for the model.

    Osband, Russo and Van Roy [osband2013more] use ``H = 20``. With six places and at most six stages the crumb is worth
    more than the way to the reward; from seven on, swimming is.

    Parameters
    ----------
    S
        Number of places, at least 2.
    H
        Number of stages.

    Examples
    --------
    >>> episodic_riverswim()
    FiniteHorizonMDP(H=12, S=6, A=2)
    """
    return riverswim(S).episodic(H)


def average_riverswim(S: int = 4) -> AverageRewardMDP:
    """RiverSwim for ever, judged by its average reward; see `riverswim` for the model.

    Parameters
    ----------
    S
        Number of places, at least 2.

    Examples
    --------
    >>> average_riverswim()
    AverageRewardMDP(S=4, A=2)
    """
    mdp = riverswim(S)
    return AverageRewardMDP(mdp.P, mdp.r, mdp.rho)
