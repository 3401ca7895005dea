r"""The trusted kernel: exact values, occupancies, advantages, gradients and optima of small models.

Everything that a theorem is judged against is computed here, by linear solves and backward induction, in float64.
A policy is an array ``pi[..., s, a]`` (``pi[..., h, s, a]`` for stages); leading axes are free. The same code runs on
numpy arrays and, inside a compiled run, on jax arrays.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP
from mdptk.core.errors import InvalidModel, NotConverged
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.inverse import SharedConstraint
from mdptk.core.models import (
    CMDP,
    MDP,
    ROW_SUM_TOLERANCE,
    AverageRewardMDP,
    FiniteHorizonMDP,
    PolicyEvaluation,
    expect,
    is_sparse,
    stationary_distribution,
)
from mdptk.core.robust import RobustMDP
from mdptk.core.wide import Namespace, is_wide

Array = Any  # a numpy array, or a jax array inside a compiled run
WIDE = Namespace()


class Optimum(NamedTuple):
    """What is optimal: the yardstick of a run."""

    v: Array  # V*: (S,), or (H + 1, S) for stages
    q: Array  # Q*: (S, A), or (H, S, A)
    pi: Array  # an optimal deterministic policy, of the shape of q


class AverageOptimum(NamedTuple):
    """What is optimal for the average reward: the yardstick of a run."""

    g: Array  # (S,): the optimal gain of each first state, in reward per step
    h: Array  # (S,): the bias of pi
    q: Array  # (S, A): r - g + P h
    pi: Array  # (S, A): a deterministic policy of gain g


class FixedPoint(NamedTuple):
    """Where temporal differences go: the yardstick of policy evaluation."""

    theta: Array  # (n,): the solution of A theta = b
    v: Array  # (S,): the true value of the policy
    A: Array  # (n, n): Phi' D (I - gamma P) Phi
    b: Array  # (n,): Phi' D r


class BestArm(NamedTuple):
    """What is optimal in a bandit."""

    v: Array  # (): the largest mean
    q: Array  # (A,): the means


class Truth(NamedTuple):
    """A problem and its exact answer; what measurements are made with, and no algorithm may see."""

    problem: Any
    optimum: Any


def namespace(x: Any) -> Any:
    """The module (numpy or jax.numpy) that the array `x` belongs to; numpy's relative for wide numbers."""
    if is_wide(x):
        return WIDE
    if isinstance(x, (np.ndarray, np.generic)):
        return np
    import jax.numpy as jnp  # x is a jax array, so jax is there already

    return jnp


def one_hot(actions: Any, A: int) -> Any:
    """Actions ``(...)`` as a deterministic policy ``(..., A)``."""
    xp = namespace(actions)
    return (actions[..., None] == xp.arange(A)).astype(float)


def greedy(q: Any) -> Any:
    """The policy that takes the first best action of ``q[..., a]``, as an array of the same shape."""
    return one_hot(q.argmax(-1), q.shape[-1])


def softmax(theta: Any) -> Any:
    """The policy with probabilities proportional to ``exp(theta[..., a])``, for logits of any size."""
    xp = namespace(theta)
    weights = xp.exp(theta - theta.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def cooled_softmax(x: Any, tau: Any) -> Any:
    """`softmax` of ``x / tau``; at temperature zero, or where one step of x is infinitely many of tau, a maximum.

    `tau` has the axes of x that come before ``[s, a]``. At zero the policy is uniform on what is largest.
    """
    behind = x - x.max(-1, keepdims=True)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return softmax(np.where(behind < 0, behind / np.asarray(tau)[..., None, None], 0.0))


def project_simplex(y: Any) -> Any:
    r"""The point of the probability simplex that is nearest to ``y[..., a]``, :math:`\max(y - \lambda, 0)`.

    The level :math:`\lambda` is found by sorting (Held, Wolfe and Crowder 1974); numbers of any size.
    """
    xp = namespace(y)
    y = y - y.max(-1, keepdims=True)  # the same point, and what counts lies in [-1, 0]: no digits are lost to size
    down = xp.flip(xp.sort(y, axis=-1), -1)
    level = (xp.cumsum(down, axis=-1) - 1) / xp.arange(1, y.shape[-1] + 1)
    last = (down > level).sum(-1, keepdims=True) - 1
    return xp.maximum(y - xp.take_along_axis(level, last, axis=-1), 0)


def uniform(problem: MDP | FiniteHorizonMDP) -> Array:
    """The uniform policy of a problem, of the shape of its rewards."""
    return namespace(problem.r).ones_like(problem.r) / problem.A


def check_policy(problem: MDP | FiniteHorizonMDP | AverageRewardMDP, pi: Array) -> None:
    """Raise InvalidModel unless `pi` is a policy of `problem`; leading axes are free."""
    pi = np.asarray(pi)
    expected = problem.r.shape[len(problem.batch) :]
    if pi.shape[pi.ndim - len(expected) :] != expected:
        raise InvalidModel(f"pi has shape {pi.shape}, expected (..., {', '.join(map(str, expected))})")
    bad = (pi < 0).any(-1) | (abs(pi.sum(-1) - 1) > ROW_SUM_TOLERANCE) | ~np.isfinite(pi).all(-1)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidModel(f"pi{list(where)} = {pi[where]} is not a probability vector")


# discounted -----------------------------------------------------------------------------------------------------


def chain(mdp: MDP | AverageRewardMDP, pi: Array) -> tuple[Array, Array]:
    """Transitions ``P_pi[..., s, s']`` and rewards ``r_pi[..., s]`` under `pi`, dense."""
    xp = namespace(pi)
    if is_sparse(mdp.P):
        S, A = mdp.S, mdp.A
        P = np.stack([_sparse_chain(mdp, p).toarray() for p in pi.reshape(-1, S, A)]).reshape(*pi.shape[:-1], S)
    else:
        P = xp.einsum("...sa,...sat->...st", pi, mdp.P)
    return P, (pi * mdp.r).sum(-1)


def _sparse_chain(mdp: MDP | AverageRewardMDP, pi: Array) -> Any:
    """``P_pi`` as CSR for one policy ``pi[s, a]``."""
    import scipy.sparse as sp

    S, A = pi.shape
    weights = sp.csr_array((pi.ravel(), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
    return weights @ mdp.P


def _solve(M: Any, b: Any) -> Any:
    """Solve ``M x = b`` for vectors with free leading axes."""
    xp = namespace(M)
    shape = xp.broadcast_shapes(M.shape[:-1], b.shape)
    return xp.linalg.solve(M, xp.broadcast_to(b, shape)[..., None])[..., 0]


def evaluate(problem: MDP | FiniteHorizonMDP, pi: Array) -> Array:
    r"""Value of a policy, :math:`V^\pi = (I - \gamma P_\pi)^{-1} r_\pi`, or backward over the stages.

    Returns (..., S); for stages (..., H + 1, S) with a last row of zeros.
    """
    if isinstance(problem, FiniteHorizonMDP):
        return _backward(problem, lambda h, q: (pi[..., h, :, :] * q).sum(-1), pi.shape[:-3])[0]
    if problem.sparse and pi.ndim == 2:
        import scipy.sparse as sp
        from scipy.sparse.linalg import spsolve

        P = _sparse_chain(problem, pi)
        return spsolve((sp.eye_array(problem.S) - problem.gamma * P).tocsc(), (pi * problem.r).sum(-1))
    P, r = chain(problem, pi)
    xp = namespace(P)
    return _solve(xp.eye(problem.S) - problem.gamma * P, r)


def _backward(problem: FiniteHorizonMDP, choose: Any, lead: tuple[int, ...] = ()) -> tuple[Array, Array]:
    """Backward induction: ``q[h] = r[h] + P[h] v[h + 1]``, ``v[h] = choose(h, q[h])``; `lead`: axes of a policy."""
    xp = namespace(problem.r)
    lead = xp.broadcast_shapes(lead, problem.r.shape[:-3])
    v, q = [xp.zeros((*lead, problem.S))], []
    for h in reversed(range(problem.H)):
        q.append(problem.r[..., h, :, :] + expect(problem.P[..., h, :, :, :], v[-1], problem.A))
        v.append(choose(h, q[-1]))
    return xp.stack(v[::-1], axis=-2), xp.stack(q[::-1], axis=-3)


def action_values(problem: MDP | FiniteHorizonMDP, pi: Array) -> Array:
    r""":math:`Q^\pi`, shape (..., S, A) or (..., H, S, A)."""
    if isinstance(problem, FiniteHorizonMDP):
        return _backward(problem, lambda h, q: (pi[..., h, :, :] * q).sum(-1), pi.shape[:-3])[1]
    return problem.q(evaluate(problem, pi))


def advantage(problem: MDP | FiniteHorizonMDP, pi: Array) -> Array:
    r""":math:`A^\pi = Q^\pi - V^\pi`, shape of the policy."""
    q = action_values(problem, pi)
    return q - (pi * q).sum(-1, keepdims=True)


def occupancy(problem: MDP | FiniteHorizonMDP, pi: Array, rho: Any = None) -> Array:
    r"""State occupancy *normalised to one*, :math:`d^\pi_\rho(s) = (1-\gamma)\sum_t \gamma^t \Pr(s_t = s)`.

    For stages ``d[..., h, s]`` is the distribution of the state at stage `h`, each row summing to one.
    """
    rho = problem.rho if rho is None else rho
    if isinstance(problem, FiniteHorizonMDP):
        xp = namespace(pi)
        d = [xp.broadcast_to(rho, xp.broadcast_shapes(rho.shape, pi.shape[:-3] + pi.shape[-2:-1]))]
        for h in range(problem.H - 1):
            d.append(xp.einsum("...s,...sa,...sat->...t", d[-1], pi[..., h, :, :], problem.P[..., h, :, :, :]))
        return xp.stack(d, axis=-2)
    P, _ = chain(problem, pi)
    xp = namespace(P)
    return (1 - problem.gamma) * _solve(xp.swapaxes(xp.eye(problem.S) - problem.gamma * P, -1, -2), rho)


def expected_return(problem: MDP | FiniteHorizonMDP, pi: Array) -> Array:
    r""":math:`V^\pi(\rho)`, shape of the leading axes."""
    v = evaluate(problem, pi)
    v = v[..., 0, :] if isinstance(problem, FiniteHorizonMDP) else v
    return (problem.rho * v).sum(-1)


def gradient(mdp: MDP, pi: Array) -> Array:
    r"""Policy gradient in the direct parameterisation, :math:`\partial V^\pi(\rho)/\partial\pi(a|s)`.

    Equals :math:`\frac{1}{1-\gamma} d^\pi_\rho(s) Q^\pi(s, a)`, (..., S, A). Source: Agarwal et al. 2021, eq. (6).
    """
    return occupancy(mdp, pi)[..., None] * action_values(mdp, pi) / (1 - mdp.gamma)


def softmax_gradient(problem: MDP | FiniteHorizonMDP, pi: Array) -> Array:
    r"""Policy gradient in the logits, :math:`\frac{1}{1-\gamma} d^\pi_\rho(s)\,\pi(a|s)\,A^\pi(s, a)`, (..., S, A).

    With stages, :math:`d_h(s)\,\pi_h(a|s)\,A_h(s, a)`, (..., H, S, A): each stage has its own logits.
    Source: Agarwal et al. 2021, Lemma C.1; Mei et al. 2020, Lemma 1.
    """
    total = 1 if isinstance(problem, FiniteHorizonMDP) else 1 / (1 - problem.gamma)
    return total * occupancy(problem, pi)[..., None] * pi * advantage(problem, pi)


def performance_gap(problem: MDP | FiniteHorizonMDP, optimum: Optimum, pi: Array) -> Array:
    r""":math:`V^*(\rho)-V^\pi(\rho)` as the performance difference :math:`\sum_{s,a} d^\pi(s)\pi(a|s)(V^*-Q^*)(s,a)`.

    Every term is non-negative, so nothing cancels: the relative error stays small where the gap does not.
    """
    stages = isinstance(problem, FiniteHorizonMDP)
    d = occupancy(problem, pi)
    loss = optimum.q.max(-1, keepdims=True) - optimum.q
    gap = (d[..., None] * pi * loss).sum((-3, -2, -1) if stages else (-2, -1))
    return gap if stages else gap / (1 - problem.gamma)


# with constraints -----------------------------------------------------------------------------------------------


def returns(problem: CMDP, pi: Array) -> Array:
    r"""What a policy earns and spends, :math:`(V_r^\pi, V_{c_1}^\pi, \ldots, V_{c_m}^\pi)(\rho)`, (..., 1 + m)."""
    mdp = problem.mdp
    stages = isinstance(mdp, FiniteHorizonMDP)
    x = occupancy(mdp, pi)[..., None] * pi / (1 if stages else 1 - mdp.gamma)
    xp = namespace(x)
    axes = "hsa" if stages else "sa"
    return xp.einsum(f"...{axes},i{axes}->...i", x, xp.concatenate([mdp.r[None], problem.c]))


def occupancy_flow(mdp: MDP) -> Array:
    r"""The matrix E of the flow equations: `x` is an occupancy iff :math:`x E = (1-\gamma)\rho,\ x \ge 0`; (S A, S)."""
    P = mdp.dense().P.reshape(-1, mdp.S)
    return np.repeat(np.eye(mdp.S), mdp.A, axis=0) - mdp.gamma * P


def project_occupancy(mdp: MDP, y: Any) -> Any:
    r"""The occupancy, normalised to one, that is nearest to ``y[s, a]`` in the Euclidean norm.

    It is :math:`x(v) = \max(y + E v, 0)` at the least value of the convex, piecewise quadratic dual function
    :math:`\tfrac12\|x(v)\|^2 - (1-\gamma)\rho \cdot v`, which a damped Newton method finds in a few steps.

    Raises
    ------
    NotConverged
        If the flow equations are not met up to rounding after 200 steps.
    """
    E, y, start = occupancy_flow(mdp), np.asarray(y, dtype=np.float64).ravel(), (1 - mdp.gamma) * mdp.rho
    small = 64 * float(np.finfo(float).eps) * max(1.0, abs(y).max())
    v, x, size = np.zeros(mdp.S), np.maximum(y, 0), np.inf
    for _ in range(200):
        F = x @ E - start
        size = abs(F).max()
        if size <= small:
            return x.reshape(mdp.r.shape)
        active = E[x > 0]
        step = -np.linalg.solve(active.T @ active + 1e-3 * min(1.0, size) * np.eye(mdp.S), F)
        value, t = 0.5 * x @ x - start @ v, 1.0
        while t > 1e-12:
            x = np.maximum(y + E @ (v + t * step), 0)
            lower = 0.5 * x @ x - start @ (v + t * step) <= value + 1e-4 * t * (F @ step)
            if lower or abs(x @ E - start).max() <= size / 2:  # near the end rounding hides that the value falls
                break
            t /= 2
        v = v + t * step
    raise NotConverged("the projection onto the occupancies did not settle in 200 steps", float(size))


def conditional(x: Array) -> Array:
    """The policy with the occupancy ``x[..., s, a]``; uniform in states where that is zero."""
    xp = namespace(x)
    total = x.sum(-1, keepdims=True)
    return xp.where(total > 0, x / xp.where(total > 0, total, 1.0), 1 / x.shape[-1])


# average reward -------------------------------------------------------------------------------------------------
# Any number of recurrent classes, periodic or not. Rows are divided by their sums.


def gain_and_bias(problem: AverageRewardMDP, pi: Array) -> tuple[Array, Array]:
    r"""Gain :math:`g = P_\pi^* r_\pi` and bias :math:`h = \sum_t P_\pi^t (r_\pi - g)` of a policy, each (..., S).

    :math:`P_\pi^*(s, \cdot)` is the long-run distribution of the state from ``s``; the sum, a Cesaro limit where the
    chain is periodic, is :math:`(I - P_\pi + P_\pi^*)^{-1}(r_\pi - g)`. So :math:`g = P_\pi g`,
    :math:`g + h = r_\pi + P_\pi h`, and :math:`P_\pi^* h = 0`. Numpy only.

    Source: Appendix A.4 and section 8.2 of Puterman 1994.
    """
    g, h, _ = _gain_and_bias(problem, pi)
    return g, h


def _gain_and_bias(problem: AverageRewardMDP, pi: Array) -> tuple[Array, Array, Array]:
    """The same, and a bound on what an error of the rewards becomes: the maximum norm of the inverse."""
    P, r = chain(problem, pi)
    S = problem.S
    P = (P / P.sum(-1, keepdims=True)).reshape(-1, S, S)
    limit = np.stack([stationary_distribution(p, np.eye(S)) for p in P])
    r = np.broadcast_to(r, (*pi.shape[:-2], S))
    limit, P = limit.reshape(*r.shape, S), P.reshape(*r.shape, S)
    g = _apply(limit, r)
    inverse = np.linalg.inv(np.eye(S) - P + limit)
    h = _apply(inverse, r - g)
    return g, h - _apply(limit, h), abs(inverse).sum(-1).max(-1)


def _apply(M: Array, x: Array) -> Array:
    return (M @ x[..., None])[..., 0]


def limiting_occupancy(problem: AverageRewardMDP, pi: Array, rho: Any = None) -> Array:
    r"""Long-run state distribution :math:`\rho P_\pi^*` of one policy, (S,); it earns ``(d * r_pi).sum()``."""
    P, _ = chain(problem, pi)
    return stationary_distribution(P / P.sum(-1, keepdims=True), problem.rho if rho is None else rho)


def _average_optimal(problem: AverageRewardMDP) -> AverageOptimum:
    """Multichain policy iteration: improve the gain, and only where it cannot be improved the bias.

    Source: section 9.2 of Puterman 1994. A state keeps its action unless another is better by more than rounding.
    """
    S, A = problem.S, problem.A
    total = (problem.P @ np.ones(S)).reshape(S, A)
    scale, eps = float(abs(problem.r).max()), float(np.finfo(float).eps)
    pi, gain = greedy(problem.r), np.inf
    for _ in range(1000):
        g, h, condition = _gain_and_bias(problem, pi)
        slack = 8 * eps * condition * scale
        if not condition * slack <= 0.01 * scale:
            raise NotConverged(
                f"a policy leaves some states so rarely that float64 cannot tell actions apart: its gain is rounded by "
                f"up to {slack:.3g}, its bias by {condition * slack:.3g}, rewards are at most {scale:.3g}; mdptk.solve "
                "certifies what it can",
                float(condition * slack),
            )
        later = expect(problem.P, g, A) / total
        q = problem.r + expect(problem.P, h, A) / total - g[:, None]
        keeps = later >= later.max(-1, keepdims=True) - slack
        one = later.max(-1) - (pi * later).sum(-1)
        two = np.where(keeps, q, -np.inf).max(-1) - (pi * q).sum(-1)
        gain = np.where(one > slack, one, two)
        if (one > slack).any():
            pi = np.where((one > slack)[:, None], greedy(np.where(keeps, q, -np.inf)), pi)
        elif (two > condition * slack).any():
            pi = np.where((two > condition * slack)[:, None], greedy(np.where(keeps, q, -np.inf)), pi)
        else:
            return AverageOptimum(g, h, q, pi)
    raise NotConverged("multichain policy iteration did not settle in 1000 iterations", float(np.max(gain)))


# with entropy ---------------------------------------------------------------------------------------------------
# The reward of an action is r - tau log pi(a|s). Policies come as log-probabilities: probabilities may underflow.


def log_softmax(x: Any) -> Any:
    """Logarithm of `softmax`."""
    xp = namespace(x)
    x = x - x.max(-1, keepdims=True)
    return x - xp.log(xp.exp(x).sum(-1, keepdims=True))


def soft_evaluate(mdp: MDP, log_pi: Array, tau: Any) -> Array:
    r"""Value with entropy, :math:`V_\tau^\pi = (I-\gamma P_\pi)^{-1} \langle\pi, r - \tau\log\pi\rangle`, (..., S)."""
    xp = namespace(log_pi)
    pi = xp.exp(log_pi)
    P, _ = chain(mdp, pi)
    return _solve(xp.eye(mdp.S) - mdp.gamma * P, (pi * (mdp.r - tau * log_pi)).sum(-1))


def soft_advantage(mdp: MDP, log_pi: Array, tau: float) -> Array:
    r""":math:`Q_\tau^\pi - \tau\log\pi - V_\tau^\pi`, (..., S, A), of mean zero under the policy in every state."""
    v = soft_evaluate(mdp, log_pi, tau)
    return mdp.q(v) - tau * log_pi - v[..., None]


def soft_softmax_gradient(mdp: MDP, log_pi: Array, tau: float) -> Array:
    r"""Gradient of :math:`V_\tau^\pi(\rho)` in the logits, `softmax_gradient` with the advantage of `soft_advantage`.

    Source: Mei et al. 2020, Lemma 10.
    """
    pi = namespace(log_pi).exp(log_pi)
    return occupancy(mdp, pi)[..., None] * pi * soft_advantage(mdp, log_pi, tau) / (1 - mdp.gamma)


def soft_rounding(mdp: MDP, tau: Any) -> float:
    r"""How far a value with entropy can be off: `rounding` for rewards of size up to :math:`|r| + \tau\log A`."""
    if is_wide(mdp.r):
        return 2.0**-160
    eps = float(np.finfo(float).eps)
    return 8 * eps * (1 + mdp.gamma) / (1 - mdp.gamma) ** 2 * (float(abs(mdp.r).max()) + tau * float(np.log(mdp.A)))


class SoftOptimum(NamedTuple):
    """What is optimal with entropy."""

    v: Array  # (..., S): tau log sum_a exp(q / tau)
    q: Array  # (..., S, A)
    log_pi: Array  # (..., S, A): (q - v) / tau


@lru_cache(maxsize=256)
def soft_optimal(mdp: MDP, tau: Any) -> SoftOptimum:
    """Optimal values with entropy, by soft policy iteration (Newton's method) until nothing is gained but rounding.

    Raises
    ------
    NotConverged
        If that does not happen within 1000 iterations.
    """
    log_pi, slack, gain = log_softmax(mdp.r / tau), soft_rounding(mdp, tau), np.inf
    for _ in range(1000):
        v = soft_evaluate(mdp, log_pi, tau)
        q = mdp.q(v)
        log_pi = log_softmax(q / tau)
        better = q.max(-1) - tau * log_pi.max(-1)  # log sum exp, by the largest
        gain = (better - v).max()
        if gain <= slack:
            return SoftOptimum(better, q, log_pi)
    raise NotConverged("soft policy iteration did not settle in 1000 iterations", float(gain))


# optima ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def optimal(problem: MDP | FiniteHorizonMDP | AverageRewardMDP) -> Any:
    """Optimal values and a deterministic optimal policy, by policy iteration or backward induction.

    Policy iteration stops when no action improves on the policy by more than its own rounding error. For average reward
    the answer is an `AverageOptimum`: gain and bias, by policy iteration of the multichain kind.

    Raises
    ------
    NotConverged
        If that does not happen within 1000 iterations, or if gamma is so close to 1 that rounding would decide.
    """
    if isinstance(problem, FiniteHorizonMDP):
        v, q = _backward(problem, lambda h, q: q.max(-1))
        return Optimum(v, q, greedy(q))
    if isinstance(problem, AverageRewardMDP):
        return _average_optimal(problem)
    slack, scale = rounding(problem), abs(problem.r).max()
    if 100 * slack > scale:
        raise NotConverged(
            f"gamma = {problem.gamma!r} is so close to 1 that float64 cannot tell actions apart: values are rounded "
            f"by up to {slack:.3g}, rewards are at most {scale:.3g}; mdptk.solve certifies what it can",
            slack,
        )
    pi, gain = greedy(problem.r), np.inf
    for _ in range(1000):
        q = problem.q(evaluate(problem, pi))
        current = (pi * q).sum(-1)
        gain = q.max(-1) - current
        better = gain > slack
        if not better.any():
            return Optimum(current, q, pi)
        pi = np.where(better[..., None], greedy(q), pi)
    raise NotConverged("policy iteration did not settle in 1000 iterations", float(np.max(gain)))


def rounding(problem: MDP | FiniteHorizonMDP | RobustMDP | MarkovGame) -> float:
    r"""How far a computed value can be off: :math:`8\varepsilon\,\kappa\,\|V\|_\infty`.

    :math:`\kappa = (1+\gamma)/(1-\gamma)` is the condition number of :math:`I - \gamma P_\pi` in the maximum norm and
    :math:`\|r\|_\infty/(1-\gamma)` bounds the values; with stages the error grows by one addition per stage.
    The factor 8 covers the growth of a backward stable elimination and the accumulation of the products; the
    backups of robust models and games add roundings of their own. Wide numbers are exact where a maximum is taken, so
    they are not off.
    """
    if is_wide(problem.r):
        return 0.0
    eps = float(np.finfo(float).eps)
    scale = float(abs(problem.r).max())
    if isinstance(problem, FiniteHorizonMDP):
        return 8 * eps * problem.H**2 * scale
    factor = 8
    if isinstance(problem, RobustMDP):
        factor = 2 * problem.terms
    elif isinstance(problem, MarkovGame):
        factor = 2 * problem.terms + 8 * (problem.A + problem.B)  # and a linear program in every state
    return factor * eps * (1 + problem.gamma) / (1 - problem.gamma) ** 2 * scale


@lru_cache(maxsize=256)
def fixed_point(problem: PolicyEvaluation) -> FixedPoint:
    r"""The TD fixed point :math:`\theta^*`: :math:`A = \Phi^T D (I - \gamma P_\pi)\Phi`, :math:`b = \Phi^T D r_\pi`.

    A singular `A` (dependent features, unvisited states) gives the solution of least norm.
    """
    P, r = chain(problem.mdp, problem.pi)
    weighted = problem.Phi * problem.D[:, None]
    A = weighted.T @ (problem.Phi - problem.gamma * P @ problem.Phi)
    b = weighted.T @ r
    theta = namespace(A).linalg.lstsq(A, b, rcond=None)[0]
    return FixedPoint(theta, evaluate(problem.mdp, problem.pi), A, b)


def truth(problem: Any) -> Truth:
    """The problem beside its exact answer; without it where that takes a linear program."""
    if isinstance(problem, CMDP | SharedConstraint):
        return Truth(problem, None)
    if isinstance(problem, ConservativeMDP):
        return Truth(problem, optimal(problem.mdp))
    if isinstance(problem, PolicyEvaluation):
        return Truth(problem, fixed_point(problem))
    if isinstance(problem, RobustMDP):
        from mdptk.core.minimax import robust_optimal  # which is built on this module

        return Truth(problem, robust_optimal(problem))
    if isinstance(problem, BernoulliBandit):
        return Truth(problem, BestArm(problem.means.max(), problem.means))
    if isinstance(problem, MatrixGame | MarkovGame):
        from mdptk.core.minimax import game_optimal

        return Truth(problem, game_optimal(problem))
    from mdptk.core.utilities import UtilityMDP, utility_optimal  # built on this module, too

    if isinstance(problem, UtilityMDP):
        return Truth(problem, utility_optimal(problem))
    return Truth(problem, optimal(problem))
