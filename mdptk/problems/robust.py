"""Robust problems: the transitions are known only up to a set."""

from __future__ import annotations

import numpy as np

from mdptk.core.models import MDP
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim


def robust_riverswim(radius: float = 0.2, gamma: float = 0.95) -> RobustMDP:
    """RiverSwim in an unreliable river: every row may move by `radius` in the 1-norm.

    The worst kernel carries the swimmer all the way back now and then, which makes the reward at the right end less
    worth the way: from a radius of 0.4 on (at the default discount) it is optimal to stay at the left end for the
    crumb.

    Source: `riverswim`, with the sets of Strehl and Littman [strehl2008analysis], who use them as confidence regions.

    Parameters
    ----------
    radius
        Largest distance from the nominal rows, in the 1-norm.
    gamma
        Discount in [0, 1).

    Examples
    --------
    >>> robust_riverswim()
    RobustMDP(MDP(S=6, A=2, gamma=0.95), L1)
    """
    mdp = riverswim(gamma=gamma)
    return RobustMDP(mdp, L1(mdp.P, radius))


def robust_garnet(width: float = 0.1, gamma: float = 0.9) -> RobustMDP:
    """A random model whose probabilities are known to `width` on either side, entry by entry.

    Where the nominal model has no transition the worst one has: the adversary reaches every state from everywhere, as
    interval estimates from few samples would have it.

    Source: Givan, Leach and Dean [givan2000bounded], for models with bounded parameters; `garnet` for the nominal one.

    Parameters
    ----------
    width
        Largest distance of a probability from the nominal one; what would be negative is zero.
    gamma
        Discount in [0, 1).

    Examples
    --------
    >>> robust_garnet()
    RobustMDP(MDP(S=10, A=3, gamma=0.9), Interval)
    """
    mdp = garnet(gamma=gamma)
    return RobustMDP(mdp, Interval(np.maximum(mdp.P - width, 0), mdp.P + width))


def machine_replacement(S: int = 6, gamma: float = 0.9) -> RobustMDP:
    """A machine wears at one of two rates, and nobody knows which: repair in time, or run it down.

    State 0 is a new machine, state ``S - 1`` a broken one. Action 0 (run) earns 1, and 0 once it is broken; wear goes
    up by one step with probability 0.1 (nominal) or 0.5 (the other kernel). Action 1 (repair) earns 0.5, or 0 once it
    is broken, and makes the machine new with probability 0.9, else it stays. The worst case assumes the fast wear, and
    repairs one state earlier.

    Source: the problem of Delage and Mannor [delage2010percentile], in a small version with numbers of ours.

    Parameters
    ----------
    S
        Number of states of wear, at least 2.
    gamma
        Discount in [0, 1).

    Examples
    --------
    >>> machine_replacement()
    RobustMDP(MDP(S=6, A=2, gamma=0.9), Finite)
    """
    s = np.arange(S)
    kernels = np.zeros((2, S, 2, S))
    for k, wear in enumerate((0.1, 0.5)):
        kernels[k, s, 0, np.minimum(s + 1, S - 1)] += wear
        kernels[k, s, 0, s] += 1 - wear
        kernels[k, s, 1, 0] += 0.9
        kernels[k, s, 1, s] += 1 - 0.9
    r = np.where((s < S - 1)[:, None], [1.0, 0.5], 0.0)
    return RobustMDP(MDP(kernels[0], r, gamma, rho=s == 0), Finite(kernels))
