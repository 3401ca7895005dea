"""Constrained problems."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.models import CMDP, MDP, Array, AverageRewardMDP, FiniteHorizonMDP
from mdptk.problems.garnet import garnet
from mdptk.problems.gridworld import gridworld
from mdptk.solve import solve


def budgets_with_slack(mdp: MDP, c: Any, xi: float) -> Array:
    r"""Budgets for the costs `c` with the Slater constant `xi`, up to the accuracy of a linear program.

    That is, :math:`\max_\pi \min_i b_i - V_{c_i}^\pi(\rho) = \xi`. They are what the uniform policy spends, all moved
    by the same amount.

    Parameters
    ----------
    mdp
        The model.
    c
        Costs ``c[i, s, a]``, shape (m, S, A).
    xi
        The constant, in units of discounted cost. If it is negative, every policy exceeds some budget by ``-xi``.
    """
    uniform = np.full((mdp.S, mdp.A), 1 / mdp.A)
    spent = exact.returns(CMDP(mdp, c, np.zeros(len(c))), uniform)[1:]
    size = max(1.0, float(abs(np.asarray(c)).max()) / (1 - mdp.gamma))
    slack = solve(CMDP(mdp, c, spent + size), tol=1e-6 * max(size, float(abs(mdp.r).max()) / (1 - mdp.gamma))).slater  # type: ignore[attr-defined]
    return spent + size - slack + xi


def paradoxical(gamma: float = 0.5, b: float = 0.5) -> CMDP:
    r"""One state, two actions, and the reward is the cost: the optimum has to toss a coin.

    Action 1 pays 1 and costs 1, action 0 does neither, so :math:`V_r = V_c = \frac{p}{1-\gamma}` with the probability
    `p` of action 1. Optimal is :math:`p = (1-\gamma) b` alone, with the value `b` and, for
    :math:`0 < b < \frac1{1-\gamma}`, the multiplier 1 alone. At that price both actions are worth the same, so nothing
    pulls to the optimum: the Lagrangian :math:`L = \frac{p}{1-\gamma}(1 - \lambda) + \lambda b` is a saddle without
    curvature, around which gradient descent-ascent cycles.

    Source: the smallest problem of the kind that Moskovitz et al. [moskovitz2023reload] call paradoxical (the reward
    asks for what the constraint forbids); their own instance was not at hand.

    Parameters
    ----------
    gamma
        Discount in [0, 1).
    b
        Budget, in units of discounted cost.

    Examples
    --------
    >>> paradoxical()
    CMDP(MDP(S=1, A=2, gamma=0.5), m=1)
    """
    return CMDP(MDP([[[1.0], [1.0]]], [[0, 1]], gamma), c=[[0, 1]], b=b)


def hazard_gridworld(gamma: float = 0.9, slip: float = 0.1, b: float = 0.7) -> CMDP:
    r"""Walk to the corner, straight through the hazard or around it.

    A grid of 3 by 4 cells with the start at the bottom left and the goal of `gridworld` at the bottom right. A step in
    one of the two cells between them costs 1. The way around them is two steps longer, and slips lead into the hazard
    now and then; the budget lies between what it spends and what the way through it spends.

    Source: after the cliff walk of Sutton and Barto [sutton2018reinforcement], Example 6.6, with a cost for the cliff.

    Parameters
    ----------
    gamma
        Discount in [0, 1).
    slip
        Probability of going sideways, in [0, 1].
    b
        Budget, in units of discounted cost.

    Examples
    --------
    >>> hazard_gridworld()
    CMDP(MDP(S=12, A=4, gamma=0.9), m=1)
    """
    mdp = replace(gridworld(3, 4, gamma, slip), rho=np.eye(12)[8])
    c = np.zeros((12, 4))
    c[[9, 10]] = 1.0
    return CMDP(mdp, c, b)


def constrained_garnet(
    S: int = 6, A: int = 3, m: int = 2, gamma: float = 0.5, xi: float = 0.1, *, seed: int = 0
) -> CMDP:
    """A random model with random costs, and budgets that leave the slack `xi`.

    Transitions and rewards are those of `garnet` with three successors, costs ``c[i, s, a]`` uniform in [0, 1]. Some
    policy has the slack `xi` in every constraint, none has more in all: the Slater constant, in which the bounds of
    primal-dual methods are written. A negative one makes the problem infeasible.

    Source: Archibald, McKinnon and Thomas [archibald1995generation] for the model.

    Parameters
    ----------
    S, A, m
        Numbers of states (at least 3), actions and constraints.
    gamma
        Discount in [0, 1).
    xi
        Slater constant, in units of discounted cost.
    seed
        Seed of the instance.

    Examples
    --------
    >>> constrained_garnet()
    CMDP(MDP(S=6, A=3, gamma=0.5), m=2)
    """
    mdp = garnet(S, A, 3, gamma, seed=seed)
    c = np.random.default_rng([seed, 1]).random((m, S, A))
    return CMDP(mdp, c, budgets_with_slack(mdp, c, xi))


def constrained_two_state(gamma: float = 0.9, b: float = 2.0) -> CMDP:
    r"""Work or idle, with a budget for work: the optimum has to toss a coin.

    State 0 (rested) is the start. Idling there stays and pays nothing; work pays 1, costs 1 and leads to state 1
    (tired). In state 1 rest leads back to state 0 for nothing, and insisting stays, costs 1 and pays nothing. With
    probability :math:`p` of work in state 0 and rest in state 1, reward and cost agree and

    .. math:: V_r = V_c = \frac{p}{(1-\gamma)(1+\gamma p)}.

    Insisting only costs, so :math:`V_r \le V_c \le b` bounds every feasible policy, with equality only for rest in
    state 1 and :math:`p = \frac{b(1-\gamma)}{1-\gamma(1-\gamma)b}`. For :math:`0 < b < \frac1{1-\gamma^2}` that is
    strictly between 0 and 1: the only optimal policy is stochastic, its value is `b`, and the only optimal multiplier
    is 1. A deterministic policy earns 0 or breaks the budget, and a Lagrangian method whose last iterate is
    deterministic oscillates.

    Source: Altman [altman1999constrained], for the theorem that one constraint asks for one randomised state.

    Parameters
    ----------
    gamma
        Discount in [0, 1).
    b
        Budget, in units of discounted cost.

    Examples
    --------
    >>> constrained_two_state()
    CMDP(MDP(S=2, A=2, gamma=0.9), m=1)
    """
    mdp = MDP(P=[[[1, 0], [0, 1]], [[1, 0], [0, 1]]], r=[[0, 1], [0, 0]], gamma=gamma, rho=[1, 0])
    return CMDP(mdp, c=[[0, 1], [0, 1]], b=b)


def safe_answers() -> CMDP:
    """Prompts and answers, in one step: what helps may harm.

    Three prompts (harmless, mixed, dangerous) and three answers (refuse, hedge, help). Help is worth most everywhere
    and harms where the prompt is dangerous; a refusal is worth nothing and never harms. The budget is for the mean
    harm.

    Source: ours, after the setting of Huang et al. [huang2024oneshot].

    Examples
    --------
    >>> safe_answers()
    CMDP(MDP(S=3, A=3, gamma=0), m=1)
    """
    worth = [[0.0, 0.5, 1.0], [0.0, 0.6, 1.0], [0.0, 0.3, 0.9]]
    harm = [[0.0, 0.0, 0.1], [0.0, 0.2, 0.6], [0.0, 0.4, 1.0]]
    P = np.broadcast_to(np.eye(3)[:, None], (3, 3, 3))
    return CMDP(MDP(P, worth, 0.0, [0.5, 0.3, 0.2]), [harm], 0.1)


def queue_control(L: int = 5, service: float = 0.4, refusal: float = 0.2) -> CMDP:
    r"""A queue whose service and arrivals are controlled: short on average, for little service, with few refusals.

    The state `x` is the number of customers, at most `L`. In a step one of them leaves with probability
    :math:`a \in \{0.2, 0.7\}` and one arrives with probability :math:`b \in \{0.1, 0.5\}`; the actions are the pairs
    (a, b), in this order, b first to change. For :math:`0 < x < L`

    .. math:: x \to x - 1 : a(1-b), \qquad x \to x + 1 : (1-a)b,

    a full queue takes nobody, and who comes to an empty one may be served at once, :math:`0 \to 1 : (1-a)b`.
    The average of :math:`1 - x/L` is maximised subject to fast service in at most the share `service` of all steps,
    and slow arrivals in at most the share `refusal`. Every policy has one recurrent class.

    Source: the flow and service control of chapter 5 of Altman [altman1999constrained]; the numbers are ours.

    Parameters
    ----------
    L
        Size of the queue.
    service, refusal
        Budgets, as shares of the steps.

    Examples
    --------
    >>> queue_control()
    CMDP(AverageRewardMDP(S=6, A=4), m=2)
    """
    P, r, c = _queue(L)
    return CMDP(AverageRewardMDP(P, r), c, [service, refusal])


def queue_control_for_a_day(L: int = 5, H: int = 8, service: float = 3.0, refusal: float = 1.5) -> CMDP:
    r"""`queue_control` for `H` steps from an empty queue, with budgets for the whole of them.

    The optimal policy depends on the step: towards the end nobody has to care for a long queue, and what is left of the
    budgets is spent. Service is worth more early, because a customer who stays is counted again in every step.

    Source: as for `queue_control`.

    Parameters
    ----------
    L, H
        Size of the queue, number of steps.
    service, refusal
        Budgets, in steps.

    Examples
    --------
    >>> queue_control_for_a_day()
    CMDP(FiniteHorizonMDP(H=8, S=6, A=4), m=2)
    """
    P, r, c = _queue(L)
    P, r, c = np.broadcast_to(P, (H, *P.shape)), np.broadcast_to(r, (H, *r.shape)), c[:, None]
    return CMDP(FiniteHorizonMDP(P, r, np.eye(1, L + 1)[0]), np.broadcast_to(c, (2, *r.shape)), [service, refusal])


def _queue(L: int) -> tuple[Array, Array, Array]:
    """P, r and c."""
    a, b = (x.ravel() for x in np.meshgrid([0.2, 0.7], [0.1, 0.5], indexing="ij"))
    x = np.arange(L + 1)[:, None]
    up = (x < L) * b * (1 - a)
    down = np.where(x == L, a, a * (1 - b)) * (x > 0)
    P = np.zeros((L + 1, 4, L + 1))
    P[x[:-1, 0], :, x[1:, 0]] = up[:-1]
    P[x[1:, 0], :, x[:-1, 0]] = down[1:]
    P[x[:, 0], :, x[:, 0]] = 1 - up - down
    r = np.repeat(1 - x / L, 4, axis=1)
    return P, r, np.broadcast_to(np.stack([a == 0.7, b == 0.1])[:, None], (2, L + 1, 4)).astype(float)
