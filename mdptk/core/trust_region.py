r"""The policy that gains most within a relative entropy, state by state: closed form up to one number.

The maximiser of :math:`\langle p, A\rangle` subject to :math:`\mathrm{KL}(\pi \| p) \le \delta` is
:math:`p = \nu\, \pi / (\lambda - A)` with :math:`\lambda > \max A`. The excess is :math:`e = \lambda - \max A`; the
smaller it is, the further p is from pi.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.models import Array

NEAR = 1e-8  # a Newton step of this size leaves an error of its square
LOWEST = -700.0  # of log e, with a span of 1: a policy that is as good as deterministic
EPS = 2.0**-52


def at_excess(pi: Array, below: Array, e: Array) -> tuple[Array, Array, Array]:
    """KL(pi || p), nu, and how fast the first falls as log e rises, of shape (...), for ``below[..., a]``, max A - A.

    As sums of terms that are not negative: no digits are lost for policies that are nearly deterministic.
    """
    e = e[..., None]
    left, lost = e / (e + below), below / (e + below)  # they add up to one: the smaller has the digits
    kept, mean = (pi * left).sum(-1, keepdims=True), (pi * lost).sum(-1, keepdims=True)
    most = kept > 0.5
    x = -np.log1p(below / e) - np.where(most, np.log1p(-np.minimum(mean, 0.5)), np.log(kept))  # log p / pi
    fall = (pi * (np.where(most, lost - mean, kept - left) / np.sqrt(kept)) ** 2).sum(-1)
    return (pi * (np.expm1(x) - x)).sum(-1), (e / kept)[..., 0], fall


def excess(pi: Array, below: Array, delta: Any) -> Array:
    """The e at which KL(pi || p) is `delta`, (...): Newton's method in a bracket of logarithms.

    What is returned is too large by a few roundings, so that the divergence is not above `delta`.
    Where no e is too small, as where all actions are the same, it is exp(-700) times the largest of `below`.

    Raises
    ------
    NotConverged
        If 200 steps do not settle it.
    """
    span = below.max(-1)
    scale = np.where(span > 0, span, 1.0)
    high = np.log(scale / np.sqrt(8 * delta))  # log(1 + span / e) <= span / e, and Hoeffding: KL <= (span / e)^2 / 8
    low = np.minimum(np.log(scale) + LOWEST, high)
    free = at_excess(pi, below, np.exp(low))[0] <= delta
    x, size = np.where(free, low, high), high - low
    for _ in range(200):
        kl, _, fall = at_excess(pi, below, np.exp(x))
        low, high = np.where(kl <= delta, low, x), np.where(kl <= delta, x, high)
        seen = (kl > 0) & (fall > 0)
        newton = np.where(seen, np.log(np.where(seen, kl, delta) / delta) * kl / np.where(seen, fall, 1.0), np.inf)
        good = (low < x + newton) & (x + newton < high) & (abs(newton) < size / 2)
        step = np.where(free, 0.0, np.where(good, newton, (low + high) / 2 - x))
        x, size = x + step, abs(step)
        last = 4 * EPS * (1 + abs(x))
        if (size <= np.where(good, NEAR, last)).all():
            return np.exp(x + 2 * last)
    raise NotConverged("the excess at which a divergence is reached did not settle in 200 steps", float(size.max()))
