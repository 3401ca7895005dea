r"""What is estimated from sampled episodes: returns, advantages, and gradients by the score function.

All of it is loop-free, in numpy or jax. Episodes are states ``s[..., h]``, h = 0 .. H, and actions ``a[..., h]``, with
h < H.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.errors import InvalidHyperparameter, MdptkError
from mdptk.core.exact import log_softmax, namespace, one_hot, softmax
from mdptk.core.models import Array


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


SHARE_TOLERANCE = 1e-9  # at ratios of one, advantages that sum to zero are half positive, up to rounding


def clip_ladder(low: tuple[float, float], high: tuple[float, float], step: tuple[float, float]) -> tuple[Array, Array]:
    """The bounds ``(c_low[k], c_high[k])`` that `balanced_clip` tries in turn, from both ranges and how far they go.

    `c_high` goes up by ``step[1]`` from the first to the second number of `high`, and then `c_low` by ``step[0]``.
    """
    up = [
        np.append(a + d * np.arange(np.ceil((b - a) / d - 1e-9)), b)  # not past b, nor almost there
        for (a, b), d in zip((low, high), step, strict=True)
    ]
    return np.append(np.full(len(up[1]), low[0]), up[0][1:]), np.append(up[1], np.full(len(up[0]) - 1, high[1]))


def unclipped(ratio: Any, advantage: Any, c_low: Any, c_high: Any) -> Any:
    """Which samples still move the policy: of positive advantage up to `c_high`, of negative one from `c_low` on."""
    return ((advantage > 0) & (ratio <= c_high)) | ((advantage < 0) & (ratio >= c_low))


def pushes(ratio: Any, advantage: Any, c_low: Any, c_high: Any) -> tuple[Any, Any]:
    r"""The sums of :math:`\rho |\hat A|` over unclipped samples of positive advantage, and over all unclipped ones.

    Samples are ``ratio[..., i], advantage[..., i]``, bounds ``c_low[..., k], c_high[..., k]``, and so are the sums.
    """
    ratio, advantage = ratio[..., None, :], advantage[..., None, :]
    size = ratio * abs(advantage) * unclipped(ratio, advantage, c_low[..., None], c_high[..., None])
    return (size * (advantage > 0)).sum(-1), size.sum(-1)


def balanced_clip(
    ratio: Any,
    advantage: Any,
    share: float,
    low: tuple[float, float] = (0.6, 0.9),
    high: tuple[float, float] = (1.2, 3.0),
    step: tuple[float, float] = (0.02, 0.05),
) -> tuple[Any, Any]:
    r"""Clip bounds ``(c_low, c_high)`` that let samples of positive advantage have a share of what moves the policy.

    What moves it is :math:`\rho |\hat A|` over samples that are not clipped: of positive ones with
    :math:`\rho \leq c_{high}`, of negative ones with :math:`\rho \geq c_{low}`. From the first numbers of `low` and
    `high` on, `c_high` is raised by ``step[1]`` up to its second number, and then `c_low` by ``step[0]``, until the
    positive part is at least `share` of all (less a billionth of it), or there is nothing left to raise. No raise makes
    the positive part smaller, or the other one larger, so it is the first of all bounds of `clip_ladder` that will do.

    Source: BAPO, Xi et al. 2025, and their published code. That "share of the loss" means this is our reading. The code
    counts a clipped sample at the bound, which raising `c_low` makes larger for negative ones, against what it is for;
    and it raises `c_low` first.
    """
    if not 0 <= share <= 1:
        raise InvalidHyperparameter(f"share = {share} is not in [0, 1]")
    if isinstance(ratio, list):
        ratio, advantage = np.asarray(ratio), np.asarray(advantage)
    xp = namespace(ratio)
    lows, highs = map(xp.asarray, clip_ladder(low, high, step))
    positive, total = pushes(ratio.reshape(-1), advantage.reshape(-1), lows, highs)
    enough = positive >= share * (1 - SHARE_TOLERANCE) * total
    k = xp.where(enough.any(), enough.argmax(), len(lows) - 1)
    return lows[k], highs[k]


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


def score_hessian(pi: Any, s: Any, a: Any, weight: Any, x: Any) -> Any:
    r"""An unbiased estimate of the second derivative of the return along ``x[h, s, a]``, (H, S, A).

    .. math:: \frac1N \sum_i g^i\, \langle u^i, x \rangle
        - \frac1N \sum_i \sum_h w_h^i \big(\mathrm{diag}(\pi_h) - \pi_h \pi_h^\top\big)(s_h^i)\, x_h(s_h^i),

    with :math:`u = \sum_h \nabla_\theta \log \pi_h(a_h|s_h)` and :math:`g = \sum_h w_h \nabla_\theta \log \pi_h`,
    for the returns to go w. Arguments as in `score_gradient`. Source: Shen et al. 2019.
    """
    xp = namespace(pi)
    H, S, A = pi.shape
    s, h = s[:, :H], xp.arange(H)
    p = pi[h, s]
    u, y = one_hot(a, A) - p, x[h, s]
    along = (u * y).sum((1, 2))[:, None, None]
    curved = p * (y - (p * y).sum(-1, keepdims=True))
    return xp.einsum("nhs,nha->hsa", one_hot(s, S), weight[..., None] * (along * u - curved)) / len(s)


def corrected_momentum(oracle: Any, theta: Any, before: Any, d: Any, alpha: Any, xi: Any) -> Any:
    r""":math:`(1-\alpha)\big(d + \hat B(\hat\theta)(\theta - \theta')\big) + \alpha\,\hat g(\theta)`, like `d`.

    `theta` are logits ``[h, s, a]`` of a policy and `before` those of :math:`\theta'` that d was made for;
    :math:`\hat\theta = q\theta + (1-q)\theta'` with q uniform. One batch of episodes of `oracle` is for
    :math:`\hat g`, one for :math:`\hat B`, `score_hessian`: uniforms ``xi`` of shape (2, N, H + 1, 2). On average over
    q the derivative of the gradient is its difference between the ends. Source: Fatkhullin et al. 2023.
    """
    q = xi[1, 0, -1, 1]  # of the action after the last stage, which nobody takes
    pi, between = softmax(theta), softmax(q * theta + (1 - q) * before)
    s, a = oracle.follow(pi, xi[0])
    g = score_gradient(pi, s, a, returns_to_go(oracle.rewards(s, a)))
    s, a = oracle.follow(between, xi[1])
    change = score_hessian(between, s, a, returns_to_go(oracle.rewards(s, a)), theta - before)
    return (1 - alpha) * (d + change) + alpha * g


# batches and their noise ----------------------------------------------------------------------------------------


def multilevel(x: Any, J: Any) -> Any:
    r"""The multi-level Monte Carlo estimate of a long mean, from a geometric level J = 1, 2, ... with P(J = j) = 2^-j.

    .. math:: g = g^0 + 2^J (g^J - g^{J-1})\, 1\{J \leq j_{\max}\}, \qquad g^j = 2^{-j} {\textstyle\sum_{k < 2^j}} x_k,

    of samples ``x[k, ...]``, as many as two to the :math:`j_{\max}`, in the order in which they come. Its mean is that
    of :math:`g^{j_{\max}}`, whatever the samples are, for the levels telescope; it looks at :math:`2^J` of them, or at
    one if J is too large, which is :math:`j_{\max} + 2^{-j_{\max}}` on average. Of independent samples of variance
    :math:`\sigma^2` its variance is :math:`\sigma^2 (j_{\max} - 1 + 2^{1 - j_{\max}})`: as if there were one sample.

    Source: Blanchet and Glynn 2015; Dorfman and Levy 2022 for Markov chains. Cost and variance: derived.
    """
    xp = namespace(x)
    top = len(x).bit_length() - 1
    size = 2 ** xp.arange(top + 1)
    g = xp.cumsum(x, 0)[size - 1] / size.reshape(-1, *[1] * (x.ndim - 1))
    j = xp.clip(J, 1, top) if top else 0
    correction = (g[j] - g[j - 1]) * 2.0**j if top else 0.0 * g[0]
    return g[0] + correction * (top >= J)


def noise_scale(small: Any, large: Any, b: int, B: int) -> tuple[Any, Any]:
    r"""Unbiased estimates of :math:`|G|^2` and :math:`\mathrm{tr}\,\Sigma` from the squared norms of two batch means.

    `small` and `large` are squared norms of mean gradients of `b` and `B` > b examples (they may overlap): each is
    :math:`|G|^2 + \mathrm{tr}(\Sigma)/B` on average. The simple noise scale is the ratio of the two averages over many
    steps; a ratio of single estimates is biased. Source: McCandlish et al. 2018, Appendix A.1.
    """
    return (B * large - b * small) / (B - b), (small - large) / (1 / b - 1 / B)


def beta_moments(p: Any) -> tuple[float, float]:
    """The parameters (a, b) of the Beta distribution with the mean and variance of the success rates ``p[i]``.

    Raises
    ------
    MdptkError
        If there is none: the rates are all the same, or all zero and one.
    """
    m, v = float(p.mean()), float(p.var())
    if not 0 < v < m * (1 - m):
        raise MdptkError(f"no Beta distribution has mean {m:.6g} and variance {v:.6g}, of {len(p)} rates")
    n = m * (1 - m) / v - 1
    return m * n, (1 - m) * n


def beta_density(p: Any, alpha: Any, beta: Any) -> Any:
    r""":math:`p^{\alpha-1} (1-p)^{\beta-1} / B(\alpha, \beta)` for rates p strictly between 0 and 1, elsewhere one."""
    xp = namespace(p)
    inside = (p > 0) & (p < 1)
    q = xp.where(inside, p, 0.5)
    if xp is np:
        from scipy.special import betaln
    else:
        from jax.scipy.special import betaln
    log = (alpha - 1) * xp.log(q) + (beta - 1) * xp.log1p(-q) - betaln(alpha, beta)
    return xp.where(inside, xp.exp(log), 1.0)


def beta_normalised(R: Any, alpha: Any, beta: Any) -> Any:
    r"""BNPO's advantages :math:`(R - p) / f(p; \alpha, \beta)` of rewards ``R[i, k]`` in {0, 1}.

    They are those of the answers k to prompt i; p is the success rate of the prompt, f the density of a Beta
    distribution. Where p is 0 or 1 they are zero. If scores were independent of the rewards, and rates had a
    Beta(a, b) distribution (`beta_moments`), then of all Beta densities that with
    :math:`\alpha = 1 + a/3, \beta = 1 + b/3` would make the variance of the gradient least: see `beta_variance`. The
    scores of a softmax policy are not, and then another one is better.

    With alpha = beta = 1 they are REINFORCE's with the mean as baseline; with 3/2 they are GRPO's,
    :math:`(R - p)/\sqrt{p(1-p)}`, times :math:`\pi/8`. Source: Xiao et al. 2025.
    """
    p = R.mean(-1, keepdims=True)
    return (R - p) / beta_density(p, alpha, beta)


def beta_weight(p: Any, K: int, alpha: Any, beta: Any) -> Any:
    r"""What Beta normalisation multiplies the gradient of a success probability p with, on average over K answers.

    .. math:: \frac{\mathbb{E}[\hat q (1 - \hat q) / f(\hat q; \alpha, \beta)]}{p(1-p)}
        = \frac{K-1}{K}\, \mathbb{E}_{j \sim \mathrm{Bin}(K-2,\, p)}\Big[\frac1{f((j+1)/K; \alpha, \beta)}\Big],

    with the success rate :math:`\hat q` of the K answers. For a given state of learning it is a number: an update with
    held parameters ascends :math:`\sum_s \rho(s) \Phi(p_s)`, where :math:`\Phi'` is this weight, and not
    :math:`\sum_s \rho(s) p_s`. Numpy only. Derived.
    """
    from scipy.stats import binom

    j = np.arange(K - 1)
    chance = binom.pmf(j, K - 2, np.asarray(p)[..., None])
    return (1 - 1 / K) * (chance / beta_density((j + 1) / K, alpha, beta)).sum(-1)


def beta_variance(alpha: Any, beta: Any, a: Any, b: Any) -> Any:
    r""":math:`\mathbb{E}[p(1-p) / f(p; \alpha, \beta)^2]` for rates p of a Beta(a, b) distribution.

    It is :math:`B(\alpha, \beta)^2\, B(a + 3 - 2\alpha, b + 3 - 2\beta) / B(a, b)`, finite where
    :math:`\alpha < (a+3)/2` and :math:`\beta < (b+3)/2`, and least at :math:`\alpha = 1 + a/3, \beta = 1 + b/3`: its
    logarithm is convex, and there the derivative vanishes since :math:`a + 3 - 2\alpha = \alpha`.
    """
    from scipy.special import betaln

    x, y = a + 3 - 2 * alpha, b + 3 - 2 * beta
    finite = (x > 0) & (y > 0)
    log = 2 * betaln(alpha, beta) + betaln(np.where(finite, x, 1.0), np.where(finite, y, 1.0)) - betaln(a, b)
    return np.where(finite, np.exp(log), np.inf)


# how often everything is visited ---------------------------------------------------------------------------------


def occupancy_regression(phi: Any, s: Any, a: Any, gamma: Any) -> Any:
    r"""The linear function of features ``phi[s, a, i]`` that is nearest to the occupancy, from N trajectories, (n,).

    .. math:: \hat\omega = \Big(\sum_{s,a} \phi\phi^\top\Big)^+ \frac1N \sum_i (1-\gamma) \sum_{k<T} \gamma^k
        \phi(s_k^i, a_k^i),

    for states and actions ``(N, T)``. What it estimates without bias is the orthogonal projection of the occupancy (of
    the first T steps) on the features, with n numbers in place of S A; with a table it is the visits themselves. So its
    variance is smaller by what the features leave out, and what they leave out is its bias.
    Source: Barakat et al. 2023, their large state spaces; the sample mean in place of stochastic gradients.
    """
    xp = namespace(phi)
    weight = (1 - gamma) * gamma ** xp.arange(s.shape[-1])
    mean = (weight[:, None] * phi[s, a]).sum(-2).mean(0)
    gram = xp.einsum("sai,saj->ij", phi, phi)
    return xp.linalg.pinv(gram, hermitian=True) @ mean


# data that look like the policy ---------------------------------------------------------------------------------


def ros_policy(theta: Any, n: Any, alpha: Any) -> Any:
    r"""Robust on-policy sampling: the policy of the logits ``theta[..., a]``, one step away from the data so far.

    .. math:: \phi = \theta - \alpha \Big(\frac{n}{\sum_b n_b} - \pi_\theta\Big),

    from counts ``n[..., a]``: the gradient of the mean log-likelihood of the data is what was sampled too often.
    States without data keep their policy. For :math:`\alpha \to \infty` it is `least_sampled`.
    Source: Zhong et al. 2022. `props_gradient` clips the same correction.
    """
    xp = namespace(theta)
    total = n.sum(-1, keepdims=True)
    pi = softmax(theta)
    return softmax(theta - alpha * xp.where(total > 0, n / xp.where(total > 0, total, 1) - pi, 0.0))


def props_gradient(phi: Any, theta: Any, n: Any, eps: float, lam: float) -> Any:
    r"""The gradient in the logits ``phi[..., a]`` of the objective of proximal robust on-policy sampling, PROPS.

    .. math:: \sum_a \frac{n_a}{\sum_b n_b} \min\big(-\rho_a, -\mathrm{clip}(\rho_a, 1-\epsilon, 1+\epsilon)\big)
        - \lambda\, \mathrm{KL}(\pi_\theta \| \pi_\phi), \qquad \rho = \pi_\phi / \pi_\theta,

    for counts ``n[..., a]`` that are not all zero. At :math:`\phi = \theta` it is the correction of `ros_policy`; an
    action whose probability has fallen by the factor :math:`1 - \epsilon` is pushed down no further.
    Source: Corrado and Hanna 2023.
    """
    pi, target = softmax(phi), softmax(theta)
    w = n / n.sum(-1, keepdims=True) * (pi / target) * (pi >= (1 - eps) * target)
    return pi * w.sum(-1, keepdims=True) - w - lam * (pi - target)


def props_objective(phi: Any, theta: Any, n: Any, eps: float, lam: float) -> Any:
    r"""The objective of PROPS, (...): see `props_gradient`. At :math:`\phi = \theta` it is -1.

    What the minimum is of is :math:`-\max(\rho_a, 1-\epsilon)`: nothing is clipped from above.
    """
    xp = namespace(phi)
    log, target = log_softmax(phi), log_softmax(theta)
    size = xp.maximum(xp.exp(log - target), 1 - eps)
    return -(n / n.sum(-1, keepdims=True) * size).sum(-1) - lam * (xp.exp(target) * (target - log)).sum(-1)


def props_logits(theta: Any, n: Any, alpha: float, eps: float, lam: float, steps: int) -> Any:
    r"""The logits of the behaviour policy of PROPS, like `theta`: gradient steps on its objective, from `theta` on.

    In a state in which a step would lower the objective it is not taken, and those after it are half as long: so the
    objective is never below -1. States without data, for counts ``n[..., a]``, keep their policy.
    """
    xp = namespace(theta)
    seen = n.sum(-1, keepdims=True) > 0
    n = xp.where(seen, n, 1.0)
    phi, size, now = theta, alpha * seen, props_objective(theta, theta, n, eps, lam)
    for _ in range(steps):
        ahead = phi + size * props_gradient(phi, theta, n, eps, lam)
        then = props_objective(ahead, theta, n, eps, lam)
        better = then >= now
        phi, now = xp.where(better[..., None], ahead, phi), xp.where(better, then, now)
        size = xp.where(better[..., None], size, size / 2)
    return phi


def least_sampled(pi: Any, n: Any) -> Any:
    r"""The action that ``pi[..., a]`` has taken least often for its probability: the first largest of pi n - n(a).

    If it is always the one to be taken, :math:`-(A - 1) \leq N_a - n \pi(a) \leq 1` after any number n of samples: the
    frequencies are right up to A/n, where those of independent samples are right up to :math:`1/\sqrt n`. (Only an
    action with no more than its share is taken, and the deviations sum to zero.)
    """
    return (pi * n.sum(-1, keepdims=True) - n).argmax(-1)
