r"""Anderson acceleration of value iteration, safeguarded: a step is only kept if its residual is no worse.

With the last few :math:`v_i` and :math:`g_i = Tv_i - v_i`,

.. math:: v_{k+1} = Tv_k - \sum_i \theta_i \bigl(Tv_{i+1} - Tv_i\bigr), \qquad
          \theta = \arg\min_\theta \Bigl\| g_k - \sum_i \theta_i (g_{i+1} - g_i) \Bigr\|_2,

after Walker and Ni [walker2011anderson]. `T` has kinks, where the acceleration may run off; a :math:`v_{k+1}` whose
residual is larger than :math:`\|g_k\|_\infty` is dropped for :math:`Tv_k`, which value iteration would have taken, as
in the safeguard of Zhang, O'Donoghue and Boyd [zhang2020globally]. It needs nothing but backups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.solve._sweeps import sweep

if TYPE_CHECKING:
    from mdptk.core.models import MDP, Array
    from mdptk.solve.certificates import Bracket

MEMORY = 5  # differences that are kept


class Accelerated:
    """The step from ``q = r + gamma P v``, which remembers the steps before."""

    def __init__(self) -> None:
        self.past: list[tuple[Array, Array]] = []  # Tv and Tv - v of accepted steps, the last one at the end
        self.plain: Array | None = None  # Tv of the step before, if an accelerated one was tried after it
        self.size = np.inf  # of the residual of the step before

    def __call__(self, problem: Any, v: Array, q: Array) -> Array:
        w = q.max(-1)
        g = w - v
        size = abs(g).max()
        if self.plain is not None and not size <= self.size:
            w, self.plain, self.past = self.plain, None, []
            return w
        self.size = size
        self.past = [*self.past, (w, g)][-MEMORY - 1 :]
        if len(self.past) < 2 or not 0 < size < np.inf:
            return w
        images, residuals = (np.diff(np.array(x), axis=0) for x in zip(*self.past, strict=True))
        G = (residuals / size).astype(np.float64)
        theta = np.linalg.lstsq(G.T, (g / size).astype(np.float64), rcond=1e-10)[0]
        candidate = w - theta @ images
        if not np.isfinite(candidate).all():
            return w
        self.plain = w
        return candidate


def anderson(mdp: MDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of backups."""
    return sweep(mdp, Accelerated(), tol)
