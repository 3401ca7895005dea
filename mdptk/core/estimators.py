r"""What is estimated from sampled episodes: returns, advantages, and gradients by the score function.

All of it is loop-free, in numpy or jax. Episodes are states ``s[..., h]``, h = 0 .. H, and actions ``a[..., h]``, with
h < H.
"""

from __future__ import annotations

from typing import Any

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
    With :math:`\lambda = 1` it is :math:`G_h + \gamma^{H-h} v_H - v_h`, whatever the values. Source: Schulman et al.
    2016, equations (16) to (18).
    """
    return discounted_sums(td_errors(r, v, gamma), gamma * lam)


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
