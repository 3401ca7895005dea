r"""Constraints on a whole run, made constraints on a state that knows more.

A budget for the *total* cost of an episode, not for its mean, asks for policies that know what has been spent. With the
rest of the budget in the state (`with_budget`) they are Markov policies of a larger model, and nothing is lost: the
best of them is the best of all policies that remember everything. A bound on the probability of overspending is then
one more linear constraint (`chance_constrained`), which `mdptk.solve` answers exactly, and to punish what is overspent
(`penalised_budget`) is the Lagrangian of that. `terminated` and `stopped` end a run in place of
pricing it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mdptk.core.errors import InvalidHyperparameter, InvalidModel
from mdptk.core.models import CMDP, MDP, Array, FiniteHorizonMDP


def with_budget(model: FiniteHorizonMDP, cost: Array, budget: int) -> FiniteHorizonMDP:
    r"""The model whose state is (s, what is left): index ``s * (budget + 2) + k``.

    `k` is the rest of the budget, and ``k = budget + 1`` means overspent, which stays.

    Parameters
    ----------
    model
        A problem with stages.
    cost
        ``cost[h, s, a]``, whole numbers that are not negative.
    budget
        What an episode may spend, a whole number that is not negative.

    Raises
    ------
    InvalidModel
        Naming the first cost that is not a whole number, or negative.
    """
    cost = np.asarray(cost)
    if cost.shape != model.r.shape:
        raise InvalidModel(f"cost has shape {cost.shape}, expected {model.r.shape} = cost[h, s, a]")
    _check_whole(cost, "cost")
    if budget != int(budget) or budget < 0:
        raise InvalidHyperparameter(f"budget = {budget!r} is not 0, 1, 2, ...")
    H, S, A = model.r.shape
    K = int(budget) + 2
    left = np.arange(K - 1)[None, None, :, None] - cost[:, :, None]  # [h, s, k, a], of those not overspent
    after = np.where(left >= 0, left, K - 1).astype(int)
    after = np.concatenate([after, np.full((H, S, 1, A), K - 1)], axis=2)
    P = np.zeros((H, S, K, A, S, K))
    h, s, k, a = np.ogrid[:H, :S, :K, :A]
    P[h, s, k, a, :, after] = np.broadcast_to(model.P[:, :, None], (H, S, K, A, S))
    rho = np.zeros((S, K))
    rho[:, K - 2] = model.rho
    r = np.broadcast_to(model.r[:, :, None], (H, S, K, A))
    return FiniteHorizonMDP(P.reshape(H, S * K, A, S * K), r.reshape(H, S * K, A), rho.ravel())


def chance_constrained(model: FiniteHorizonMDP, cost: Array, budget: int, delta: float) -> CMDP:
    r"""Maximise what is earned subject to :math:`\Pr(\text{total cost} > \text{budget}) \le \delta`, as a `CMDP`.

    Its only cost, 1, is paid in the step in which the budget of `with_budget` is overspent.
    """
    if not 0 <= delta <= 1:
        raise InvalidHyperparameter(f"delta = {delta!r} is not a probability")
    larger = with_budget(model, cost, budget)
    return CMDP(larger, _overspends(model, cost, budget), delta)


def penalised_budget(model: FiniteHorizonMDP, cost: Array, budget: int, penalty: float) -> FiniteHorizonMDP:
    """The model of `with_budget` in which the step that overspends costs `penalty`.

    From some finite penalty on its optimal policies do not overspend, if any policy can help it: the penalty is the
    multiplier of a linear program, which has an optimal one with or without slack.
    """
    larger = with_budget(model, cost, budget)
    return FiniteHorizonMDP(larger.P, larger.r - penalty * _overspends(model, cost, budget)[0], larger.rho)


def _overspends(model: FiniteHorizonMDP, cost: Array, budget: int) -> Array:
    """1 where the budget is overspent in this step, [1, h, (s, k), a]."""
    k = np.arange(int(budget) + 2)[None, None, :, None]
    over = (k <= budget) & (k < np.asarray(cost)[:, :, None])
    return over.reshape(1, model.H, -1, model.A).astype(float)


def terminated(problem: CMDP, p: float = 1.0, worst: Array | None = None) -> MDP:
    r"""Constraints as terminations: a step that costs too much may end the run, and what ends earns nothing.

    .. math::

       \delta(s, a) = \max_i\, p\,\min\{[c_i(s, a)]_+ / c_i^{\max}, 1\}, \qquad
       r' = (1 - \delta) r, \qquad P' = (1 - \delta) P,

    and with :math:`\delta` a run comes to one more, absorbing state, the last. So an ordinary discounted problem is all
    there is to solve. What that guarantees, for rewards in :math:`[0, R]`, :math:`p = 1` and a cost at which a run
    surely ends: a policy that earns as much here as one that never pays, :math:`V`, has

    .. math:: \mathbb{E}[\gamma^\tau] \le 1 - (1 - \gamma) V / R

    for the step :math:`\tau` of the first such cost. It does not guarantee a budget, not even a small one: where safety
    earns little, the best policy pays at once, and nothing in the model depends on `b`. Nor are rewards below zero
    safe: then an end is a way out.

    Source: Chane-Sane et al. [chane2024cat] for the construction; the guarantee is ours.

    Parameters
    ----------
    problem
        A discounted problem; the budgets are not used.
    p
        The largest probability of an end in a step.
    worst
        Shape (m,): the costs from which on it is `p`; the largest ones if None.
    """
    mdp = problem.mdp
    if not isinstance(mdp, MDP):
        raise InvalidModel(f"terminated is for discounted problems, not for {problem!r}")
    if not 0 <= p <= 1:
        raise InvalidHyperparameter(f"p = {p!r} is not a probability")
    c = np.maximum(problem.c, 0)
    top = c.max((1, 2)) if worst is None else np.asarray(worst, dtype=float)
    if top.shape != (problem.m,) or (top < 0).any():
        raise InvalidModel(f"worst = {top} is not a cost for each of the {problem.m} constraints")
    share = np.minimum(c / np.where(top > 0, top, 1)[:, None, None], 1)
    end = p * share.max(0)
    P = np.zeros((mdp.S + 1, mdp.A, mdp.S + 1))
    P[:-1, :, :-1], P[:-1, :, -1], P[-1, :, -1] = (1 - end)[..., None] * mdp.dense().P, end, 1.0
    r = np.concatenate([(1 - end) * mdp.r, np.zeros((1, mdp.A))])
    return MDP(P, r, mdp.gamma, np.append(mdp.rho, 0.0))


def stopped(model: FiniteHorizonMDP, cost: ArrayLike, allowed: ArrayLike) -> FiniteHorizonMDP:
    r"""The model in which an episode is over as soon as it has cost more than is allowed by then.

    After the step h of an episode whose cost so far is above ``allowed[h]`` nothing is earned, in that step and ever
    after. The state is (s, what has been spent): index ``s * (K + 2) + k`` with the largest allowance K, and
    ``k = K + 1`` means that it is over. That is *interior policy differentiation* (IPD): any method without
    constraints, on this model. With a cost of 1 where a known policy would have done the same, and allowances
    ``floor((1 - r0) * (h + 1))`` after a grace period, it looks for policies whose novelty never falls below r0.

    For rewards in [0, R] a policy earns at most what it earns in `model`, and the same if it never exceeds an
    allowance; so the optimum is at least that, V, of the best one that never does. But it is not always inside. What a
    policy that earns V or more does have is

    .. math:: \mathbb{E}[\text{steps before the end}] \geq V / R.

    Source: Sun et al. [sun2020novel] for the construction; the guarantee is ours.

    Parameters
    ----------
    model
        A problem with stages.
    cost
        ``cost[h, s, a]``, whole numbers that are not negative.
    allowed
        ``allowed[h]``, whole numbers that are not negative: what may have been spent after step h.

    Raises
    ------
    InvalidModel
        Naming the first cost or allowance that is not a whole number, or negative.
    """
    cost, allowed = np.asarray(cost), np.asarray(allowed)
    if cost.shape != model.r.shape:
        raise InvalidModel(f"cost has shape {cost.shape}, expected {model.r.shape} = cost[h, s, a]")
    if allowed.shape != (model.H,):
        raise InvalidModel(f"allowed has shape {allowed.shape}, expected ({model.H},) = allowed[h]")
    _check_whole(cost, "cost")
    _check_whole(allowed, "allowed")
    H, S, A = model.r.shape
    K = int(allowed.max()) + 2
    spent = np.arange(K)[None, None, :, None] + cost[:, :, None]  # [h, s, k, a]
    inside = (spent <= allowed[:, None, None, None]) & (np.arange(K) < K - 1)[:, None]
    after = np.where(inside, spent, K - 1).astype(int)
    P = np.zeros((H, S, K, A, S, K))
    h, s, k, a = np.ogrid[:H, :S, :K, :A]
    P[h, s, k, a, :, after] = np.broadcast_to(model.P[:, :, None], (H, S, K, A, S))
    rho = np.zeros((S, K))
    rho[:, 0] = model.rho
    r = model.r[:, :, None] * inside
    return FiniteHorizonMDP(P.reshape(H, S * K, A, S * K), r.reshape(H, S * K, A), rho.ravel())


def _check_whole(x: Array, name: str) -> None:
    wrong = ~((x >= 0) & (x == np.floor(x)) & np.isfinite(x))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InvalidModel(
            f"{name}{list(where)} = {x[where]} is not 0, 1, 2, ...; give {name} in units of the smallest"
        )
