"""Experts whose rewards or constraints are hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mdptk.core.inverse import HiddenCosts, HiddenReward, SharedConstraint
from mdptk.core.models import CMDP, MDP
from mdptk.problems.garnet import garnet
from mdptk.problems.gridworld import gridworld
from mdptk.solve import solve


def dear_cells(gamma: float = 0.6, tau: float = 0.3) -> HiddenCosts:
    """A gridworld whose expert avoids two cells that nobody said were dear.

    A grid of 3 by 3 cells with the goal of `gridworld`; a feature for each cell says that a step is taken there. The
    centre costs 1 and the cell above it 1/2, the others nothing.

    Source: after the grids of Scobee and Sastry [scobee2020maximum]; the numbers are ours.

    Parameters
    ----------
    gamma
        Discount in [0, 1).
    tau
        Temperature of the expert.

    Examples
    --------
    >>> dear_cells()
    HiddenCosts(MDP(S=9, A=4, gamma=0.6), n=9, tau=0.3)
    """
    mdp = gridworld(3, 3, gamma, 0.1)
    phi = np.repeat(np.eye(9)[:, :, None], 4, axis=2)
    prices = np.zeros(9)
    prices[[4, 1]] = 1.0, 0.5
    return HiddenCosts(mdp, phi, prices, tau)


def dear_actions(
    S: int = 4, A: int = 3, n: int = 2, gamma: float = 0.5, tau: float = 0.5, *, seed: int = 0
) -> HiddenCosts:
    """A random model with random features in [0, 1], of which the first costs 1 and the others nothing.

    Source: Archibald, McKinnon and Thomas [archibald1995generation] for the model.

    Parameters
    ----------
    S, A, n
        Numbers of states (at least 3), actions and features.
    gamma
        Discount in [0, 1).
    tau
        Temperature of the expert.
    seed
        Seed of the instance.

    Examples
    --------
    >>> dear_actions()
    HiddenCosts(MDP(S=4, A=3, gamma=0.5), n=2, tau=0.5)
    """
    phi = np.random.default_rng([seed, 1]).random((n, S, A))
    return HiddenCosts(garnet(S, A, gamma=gamma, seed=seed), phi, np.eye(n)[0], tau)


def two_goals(gamma: float = 0.6, xi: float = 0.3, tau: float = 0.3) -> HiddenReward:
    """A gridworld with two goals of hidden worth, and a dear cell between them that everybody knows.

    A grid of 3 by 3 cells; features are the two corners on the left, worth 1/2 and 1, and the cost is a step in the
    cell between them. The budget is what an expert spends to whom that costs `xi`.

    Source: after the experiment of Schlaginhaufen and Kamgarpour [schlaginhaufen2023identifiability], which is larger.

    Parameters
    ----------
    gamma
        Discount in [0, 1).
    xi
        Multiplier of the constraint.
    tau
        Temperature of the expert.

    Examples
    --------
    >>> two_goals()
    HiddenReward(MDP(S=9, A=4, gamma=0.6), n=2, m=1, tau=0.3)
    """
    mdp = gridworld(3, 3, gamma, 0.1)
    at = np.repeat(np.eye(9)[:, :, None], 4, axis=2)
    return HiddenReward(replace(mdp, r=np.zeros((9, 4))), at[[0, 6]], [0.5, 1.0], at[[3]], xi, 0.0, tau)


def hidden_garnet(S: int = 4, A: int = 3, gamma: float = 0.5, tau: float = 0.5, *, seed: int = 0) -> HiddenReward:
    """A random model with two random features of a hidden reward, a constraint that binds and one that does not.

    Source: Archibald, McKinnon and Thomas [archibald1995generation] for the model.

    Parameters
    ----------
    S, A
        Numbers of states (at least 3) and actions.
    gamma
        Discount in [0, 1).
    tau
        Temperature of the expert.
    seed
        Seed of the instance.

    Examples
    --------
    >>> hidden_garnet()
    HiddenReward(MDP(S=4, A=3, gamma=0.5), n=2, m=2, tau=0.5)
    """
    x = np.random.default_rng([seed, 2]).random((4, S, A))
    mdp = garnet(S, A, gamma=gamma, seed=seed)
    return HiddenReward(mdp, x[:2], [1.0, -0.5], x[2:], [0.8, 0.0], [0.0, 0.3], tau)


def hidden_hazards(K: int = 3, gamma: float = 0.7) -> SharedConstraint:
    """A gridworld of 3 by 3 cells with two cells that experts do not step on, and a goal for each task.

    A task pays 1 in its goal: the corners, in the order bottom right, top right, bottom left. The start is uniform, so
    some steps in the hidden cells cannot be avoided; the experts take as few of them as there can be, up to a
    hundredth.

    Source: after the grids of Kim et al. [kim2023learning]; the numbers are ours.

    Parameters
    ----------
    K
        Number of tasks, 1 to 3.
    gamma
        Discount in [0, 1).

    Examples
    --------
    >>> hidden_hazards()
    SharedConstraint(MDP(S=9, A=4, gamma=0.7), K=3)
    """
    mdp = gridworld(3, 3, gamma, 0.1)
    at = np.repeat(np.eye(9)[:, :, None], 4, axis=2)
    rewards, c = at[[8, 2, 6]][:K], at[4] + at[5]
    free = _moving(mdp)
    least = -float(free.rho @ solve(replace(free, r=-c)).value)
    experts = [solve(CMDP(replace(free, r=r), c, least + 0.01 / (1 - gamma)), tol=1e-7).policy for r in rewards]
    return SharedConstraint(free, rewards, np.array(experts), c)


def _moving(mdp: MDP) -> MDP:
    """The grid with a goal that can be left: from there the next cell is any, each as likely."""
    P = mdp.P.copy()
    absorbing = (P[np.arange(mdp.S), :, np.arange(mdp.S)] == 1).all(1)
    P[absorbing] = 1 / mdp.S
    return MDP(P, np.zeros(mdp.r.shape), mdp.gamma)
