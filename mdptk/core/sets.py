r"""Objectives of sets: what n independent samples of a policy are worth together.

.. math::

   J_n(\pi) = \mathbb{E}_{y_1 \ldots y_n \sim \pi} f(y_1, \ldots, y_n), \qquad
   \frac{\partial J_n}{\partial\theta_y} = n\, \pi(y)\, A^\#(y), \qquad
   A^\#(y) = \mathbb{E}[f \,|\, y_1 = y] - J_n(\pi),

for softmax policies over finitely many outcomes and symmetric f. Everything is exact, by summation over all sets: f is
an array with n axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.exact import namespace


def polychromic(rewards: Any, kinds: Any, n: int) -> Any:
    r""":math:`f = \frac1n \sum_i R(y_i) \cdot \frac{|\{k(y_1), \ldots, k(y_n)\}|}{n}`, an array of n axes of length A.

    Rewards ``R[y]`` and kinds ``k[y]``, of which different ones count. The product of mean reward and diversity is the
    form of Hamid et al. 2025.
    """
    rewards, kinds = np.asarray(rewards), np.asarray(kinds)
    y = np.indices((len(rewards),) * n)
    sorted_kinds = np.sort(kinds[y], axis=0)
    distinct = 1 + (np.diff(sorted_kinds, axis=0) != 0).sum(0)
    return rewards[y].mean(0) * distinct / n


def set_value(pi: Any, f: Any) -> Any:
    """``J_n`` of the distribution ``pi[y]``."""
    for _ in range(f.ndim):
        f = f @ pi
    return f


def set_advantage(pi: Any, f: Any) -> Any:
    """``A#[y]``: what having y in the set is worth, of mean zero under the policy. f has to be symmetric."""
    given = f
    for _ in range(f.ndim - 1):
        given = given @ pi
    return given - (pi * given).sum()


def set_gradient(pi: Any, f: Any) -> Any:
    """Gradient of ``J_n`` in the logits, (A,)."""
    return f.ndim * pi * set_advantage(pi, f)


def pass_at(pi: Any, good: Any, k: int) -> Any:
    """The probability that one of k samples is good: ``1 - (1 - pi(good))^k``."""
    xp = namespace(pi)
    return 1 - (1 - xp.where(good, pi, 0.0).sum(-1)) ** k
