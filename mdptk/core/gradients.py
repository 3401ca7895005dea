r"""Gradients in the probabilities :math:`\partial J/\partial\pi(a|s)`, for every kind of problem and objective.

`mdptk.core.parameterisations` pulls them back to the parameters of a class of policies. Each has the form "how often
the state is seen, times what the action is worth"; what they are worth matters up to a number for each state, which no
class of policies can notice, since its probabilities sum to one.

>>> from mdptk.core.parameterisations import Softmax
>>> from mdptk.problems.riverswim import riverswim
>>> mdp, policies = riverswim(), Softmax()
>>> theta = np.zeros((6, 2))
>>> policies.pullback(theta, gradient(mdp, policies(theta))).shape
(6, 2)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.minimax import robust_evaluate
from mdptk.core.models import MDP, AverageRewardMDP, FiniteHorizonMDP, expect
from mdptk.core.parameterisations import centred
from mdptk.core.robust import RobustMDP

Array = Any


def gradient(problem: MDP | FiniteHorizonMDP | AverageRewardMDP | RobustMDP, pi: Array) -> Array:
    r"""Of the return from the start distribution, of the shape of `pi`: (..., S, A), with stages (..., H, S, A).

    Discounted: :math:`\frac{1}{1-\gamma} d^\pi(s) Q^\pi(s, a)`. With stages: :math:`d^\pi_h(s) Q^\pi_h(s, a)`. Average
    reward and robust: see `average_gradient` and `robust_gradient`.
    """
    match problem:
        case FiniteHorizonMDP():
            return exact.occupancy(problem, pi)[..., None] * exact.action_values(problem, pi)
        case AverageRewardMDP():
            return average_gradient(problem, pi)
        case RobustMDP():
            return robust_gradient(problem, pi)
        case _:
            return exact.gradient(problem, pi)


def average_gradient(problem: AverageRewardMDP, pi: Array) -> Array:
    r"""Of the gain :math:`g^\pi(\rho)`, along changes of one policy that leave its support as it is, (S, A).

    With :math:`d = \rho P_\pi^*`, the bias h and the deviation matrix :math:`D = (I - P_\pi + P_\pi^*)^{-1} - P_\pi^*`,

    .. math::

       \frac{\partial g^\pi(\rho)}{\partial\pi(a|s)} = d(s)\Big(r(s, a) + \sum_{s'} P(s'|s, a) h(s') - g(s) - h(s)\Big)
       + (\rho D)(s) \Big(\sum_{s'} P(s'|s, a) g(s') - g(s)\Big).

    The second term chooses between recurrent classes. In a unichain problem g is one number, so that the term is zero,
    and the first is the textbook formula. The chain may be periodic. Where a change makes an impossible action
    possible, classes may merge and the gain jumps: there is no gradient there.

    A matrix whose rows do not sum to one has no long run, so that one number for each state is a matter of choice. Here
    the mean over the policy is zero: what is returned is the derivative of the gain of ``pi / pi.sum(-1)``.

    Source: derivative of the limiting matrix of constant rank, :math:`dP^* = P^* dP\, D + D\, dP\, P^*` (Schweitzer
    1968, "Perturbation theory and finite Markov chains").
    """
    P, _ = exact.chain(problem, pi)
    P = P / P.sum(-1, keepdims=True)
    S, A = problem.S, problem.A
    limit = exact.limiting_occupancy(problem, pi, np.eye(S))
    g, h = exact.gain_and_bias(problem, pi)
    D = np.linalg.inv(np.eye(S) - P + limit) - limit
    total = expect(problem.P, np.ones(S), A)
    stay = problem.r + expect(problem.P, h, A) / total
    worth = (problem.rho @ limit)[:, None] * stay + (problem.rho @ D)[:, None] * expect(problem.P, g, A) / total
    return centred(pi, worth)


def robust_gradient(problem: RobustMDP, pi: Array) -> Array:
    r"""Of the robust value :math:`\min_{P \in U} V_P^\pi(\rho)`, for one policy, (S, A).

    The gradient of the policy under a worst kernel P, :math:`\frac{1}{1-\gamma} d^\pi_P(s) Q^\pi_P(s, a)`: by Danskin's
    theorem the derivative where the worst kernel is unique where the policy goes, and a supergradient in the limit
    where it is not. Source: Wang and Zou 2022, *Policy gradient method for robust reinforcement learning*, for one kind
    of set.
    """
    v = robust_evaluate(problem, pi)
    return exact.gradient(problem.under(problem.ambiguity.kernel(v)), pi)


def utility_gradient(mdp: MDP, pi: Array, slope: Callable[[Array], Array]) -> Array:
    r"""Of a utility :math:`F(x^\pi)` of the occupancy :math:`x^\pi(s, a) = d^\pi(s)\pi(a|s)`, normalised to one.

    It is that of the return with the reward :math:`w = \nabla F(x^\pi)`, held fixed, times :math:`1-\gamma`:
    :math:`d^\pi(s)\,Q_w^\pi(s, a)`, (..., S, A). `slope` maps x to :math:`\nabla F(x)`, both (..., S, A). Source: Zhang
    et al. 2020, *Variational policy gradient method for reinforcement learning with general utilities*.
    """
    d = exact.occupancy(mdp, pi)[..., None]
    w = slope(d * pi)
    P, _ = exact.chain(mdp, pi)
    v = np.linalg.solve(np.eye(mdp.S) - mdp.gamma * P, (pi * w).sum(-1)[..., None])[..., 0]
    return d * (w + mdp.gamma * expect(mdp.P, v, mdp.A))
