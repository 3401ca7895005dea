r"""What is estimated from sampled episodes: returns, advantages, and gradients by the score function.

All of it is loop-free, in numpy or jax. Episodes are states ``s[..., h]``, h = 0 .. H, and actions ``a[..., h]``, with
h < H.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.exact import namespace, one_hot


def discounted_sums(x: Any, gamma: Any) -> Any:
    r""":math:`y_h = \sum_{k \geq h} \gamma^{k-h} x_k` along the last axis."""
    xp = namespace(x)
    h = xp.arange(x.shape[-1])
    lag = h - h[:, None]
    return x @ xp.where(lag >= 0, gamma ** xp.maximum(lag, 0), 0.0).T


def returns_to_go(r: Any, gamma: Any = 1.0) -> Any:
    r""":math:`G_h = \sum_{k \geq h} \gamma^{k-h} r_k` from rewards ``r[..., h]``."""
    return discounted_sums(r, gamma)


def td_errors(r: Any, v: Any, gamma: Any = 1.0) -> Any:
    r""":math:`\delta_h = r_h + \gamma v_{h+1} - v_h` from rewards ``r[..., h]`` and values ``v[..., h]``, one more."""
    return r + gamma * v[..., 1:] - v[..., :-1]


def gae(r: Any, v: Any, lam: Any, gamma: Any = 1.0) -> Any:
    r"""Generalised advantage estimates :math:`\hat A_h = \sum_{k \geq h} (\gamma\lambda)^{k-h} \delta_k`, (..., H).

    Rewards ``r[..., h]``; values ``v[..., h]``, h = 0 .. H, of the visited states: the last one after the last reward.
    With :math:`\lambda = 1` it is :math:`G_h + \gamma^{H-h} v_H - v_h`, whatever the values; with :math:`\lambda = 0`
    it is :math:`\delta_h`; and it is always :math:`\sum_{k \geq h} (\gamma\lambda)^{k-h} \tilde r_k - v_h` for the
    reshaped rewards :math:`\tilde r_k = r_k + \gamma (1 - \lambda) v_{k+1}`, the last of them with all of
    :math:`\gamma v_H`. Source: Schulman et al. 2016, equations (16) to (18).

    >>> import numpy as np
    >>> gae(np.array([0.0, 0.0, 1.0]), np.zeros(4), 0.5)  # how little of a late reward an early action hears
    array([0.25, 0.5 , 1.  ])
    """
    return discounted_sums(td_errors(r, v, gamma), gamma * lam)


def expected_gae(problem: Any, pi: Any, v: Any, lam: Any, gamma: Any = 1.0) -> Any:
    r""":math:`\mathbb{E}[\hat A_h | s_h = s, a_h = a]` of `gae` under ``pi[h, s, a]``, (H, S, A).

    Values ``v[h, s]`` have a row H for what is left after the last stage. It is
    :math:`A^{\pi}_h(s, a) - e_h(s)` plus `bootstrap_bias`, where :math:`e = v - V^\pi` (for gamma = 1).
    """
    xp = namespace(pi)
    out, later = [], xp.zeros(problem.r.shape[-2:-1])
    for h in reversed(range(problem.r.shape[0])):
        error = problem.r[h] + gamma * (problem.P[h] @ v[h + 1]) - v[h][:, None]
        out.append(error + gamma * lam * (problem.P[h] @ later))
        later = (pi[h] * out[-1]).sum(-1)
    return xp.stack(out[::-1])


def bootstrap_bias(problem: Any, pi: Any, e: Any, lam: Any) -> Any:
    r""":math:`(1-\lambda) \sum_{l \geq 1} \lambda^{l-1} \mathbb{E}[e_{h+l}(s_{h+l}) | s_h = s, a_h = a]`, (H, S, A).

    What errors ``e[h, s]`` of the values (a row H among them) do to an advantage estimate that depends on the action:
    the only bias that a policy gradient feels. With :math:`\lambda = 1`, or without errors, it is zero.
    """
    xp = namespace(pi)
    out, later = [], e[-1]
    for h in reversed(range(problem.r.shape[0])):
        out.append(problem.P[h] @ ((1 - lam) * e[h + 1] + lam * later))
        later = (pi[h] * out[-1]).sum(-1)
    return xp.stack(out[::-1])


def visit_means(x: Any, s: Any, S: int) -> Any:
    r""":math:`\frac1N \sum_i 1\{s_h^i = s\} x_h^i` for numbers ``x[i, h]`` at states ``s[i, h]``, (H, S)."""
    xp = namespace(x)
    return xp.einsum("nhs,nh->hs", one_hot(s[:, : x.shape[1]], S), x) / len(x)


def balanced_clip(
    ratio: Any,
    advantage: Any,
    share: float,
    low: tuple[float, float] = (0.6, 0.9),
    high: tuple[float, float] = (1.2, 3.0),
    step: tuple[float, float] = (0.02, 0.05),
) -> tuple[float, float]:
    r"""Clip bounds ``(c_low, c_high)`` that let samples of positive advantage have a share of what moves the policy.

    What moves it is :math:`\rho |\hat A|` over samples that are not clipped: of positive ones with
    :math:`\rho \leq c_{high}`, of negative ones with :math:`\rho \geq c_{low}`. From the first numbers of `low` and
    `high` on, `c_high` is raised by ``step[1]`` up to its second number, and then `c_low` by ``step[0]``, until the
    positive part is at least `share` of all, or there is nothing left to raise. Numpy only. Source: BAPO, Xi et al.
    2025; that "share of the loss" means this is our reading.
    """
    ratio, advantage = np.asarray(ratio), np.asarray(advantage)
    if not 0 <= share <= 1:
        raise InvalidHyperparameter(f"share = {share} is not in [0, 1]")
    size = ratio * abs(advantage)
    c_low, c_high = low[0], high[0]
    while True:
        positive = size[(advantage > 0) & (ratio <= c_high)].sum()
        negative = size[(advantage < 0) & (ratio >= c_low)].sum()
        if positive >= share * (positive + negative) or (c_high >= high[1] and c_low >= low[1]):
            return c_low, c_high
        if c_high < high[1]:
            c_high = min(c_high + step[1], high[1])
        else:
            c_low = min(c_low + step[0], low[1])


def score_gradient(pi: Any, s: Any, a: Any, weight: Any) -> Any:
    r""":math:`\frac1N \sum_i \sum_h w_h^i \nabla_\theta \log \pi_h(a_h^i|s_h^i)` for softmax policies ``pi[h, s, a]``.

    States ``s[i, h]`` of N episodes (the last one, after the last action, is not looked at), actions and weights
    ``(N, H)``. Returns an array (H, S, A).
    """
    xp = namespace(pi)
    H, S, A = pi.shape
    s = s[:, :H]
    score = weight[..., None] * (one_hot(a, A) - pi[xp.arange(H), s])
    return xp.einsum("nhs,nha->hsa", one_hot(s, S), score) / len(s)
