"""Problems with general utilities: exploration, imitation, and soft constraints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mdptk.core import exact
from mdptk.core.utilities import Divergence, Exploration, Imitation, Penalty, UtilityMDP, visits
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.problems.teaching import two_state


def explore_riverswim(sigma: float = 0.1) -> UtilityMDP:
    """Visit all states of RiverSwim alike, as far as the current lets you: the smoothed entropy of the states.

    Source: the river of Strehl and Littman [strehl2008analysis], the utility of Hazan et al. [hazan2019provably].

    Parameters
    ----------
    sigma
        Smoothing of the entropy, positive.

    Examples
    --------
    >>> explore_riverswim()
    UtilityMDP(MDP(S=6, A=2, gamma=0.95), Exploration)
    """
    return UtilityMDP(riverswim(), Exploration(sigma))


def explore_two_state(gamma: float = 0.9) -> UtilityMDP:
    """Be in both states alike, from state 0: no deterministic policy is optimal, nor is the uniform one.

    Source: the smallest problem of its kind; the utility of Hazan et al. [hazan2019provably].

    Parameters
    ----------
    gamma
        Discount in [0, 1).

    Examples
    --------
    >>> explore_two_state()
    UtilityMDP(MDP(S=2, A=2, gamma=0.9), Exploration)
    """
    return UtilityMDP(replace(two_state(gamma), rho=[1.0, 0.0]), Exploration())


def imitate_garnet(S: int = 4, A: int = 3, gamma: float = 0.5, *, seed: int = 0) -> UtilityMDP:
    """Meet the occupancy of a policy that was drawn at random, in a random model.

    Source: Archibald, McKinnon and Thomas [archibald1995generation] for the model, Zhang et al.
    [zhang2020variational] for the utility.

    Parameters
    ----------
    S, A
        Numbers of states (at least 2) and actions.
    gamma
        Discount in [0, 1).
    seed
        Seed of the instance.

    Examples
    --------
    >>> imitate_garnet()
    UtilityMDP(MDP(S=4, A=3, gamma=0.5), Imitation)
    """
    mdp = garnet(S, A, 2, gamma, seed=seed)
    expert = np.random.default_rng([seed, 2]).dirichlet(np.full(A, 0.3), S)
    return UtilityMDP(mdp, Imitation(visits(mdp, expert)))


def likely_two_state(gamma: float = 0.9, sigma: float = 0.1) -> UtilityMDP:
    """The likelihood of what a policy that stays in state 1 was seen to do.

    Source: the smallest problem of its kind; the utility of Zhang et al. [zhang2020variational], smoothed.

    Parameters
    ----------
    gamma
        Discount in [0, 1).
    sigma
        Smoothing of the likelihood, positive.

    Examples
    --------
    >>> likely_two_state()
    UtilityMDP(MDP(S=2, A=2, gamma=0.9), Divergence)
    """
    mdp = two_state(gamma)
    return UtilityMDP(mdp, Divergence(visits(mdp, exact.optimal(mdp).pi), sigma))


def penalised_garnet(S: int = 4, A: int = 3, gamma: float = 0.5, beta: float = 10.0, *, seed: int = 0) -> UtilityMDP:
    """Earn, and spend little more than nine tenths of what the uniform policy spends.

    Source: Archibald, McKinnon and Thomas [archibald1995generation] for the model; costs are uniform in [0, 1].

    Parameters
    ----------
    S, A
        Numbers of states (at least 2) and actions.
    gamma
        Discount in [0, 1).
    beta
        Weight of the squared excess, positive.
    seed
        Seed of the instance.

    Examples
    --------
    >>> penalised_garnet()
    UtilityMDP(MDP(S=4, A=3, gamma=0.5), Penalty)
    """
    mdp = garnet(S, A, 2, gamma, seed=seed)
    c = np.random.default_rng([seed, 1]).random((1, S, A))
    b = 0.9 * (c * visits(mdp, exact.uniform(mdp))).sum((1, 2))
    return UtilityMDP(mdp, Penalty(mdp.r, c, b, beta))
