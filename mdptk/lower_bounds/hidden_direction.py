r"""Batches of queries: a hidden direction that few queries at once miss, and two batches of one find.

A unit vector w in :math:`\{-1, 1\}^d / \sqrt{d}` is hidden. A query is a feature :math:`|\phi| \le 1`,
and the answer is exact:

.. math::

   |w^\top \phi| \le \gamma:\ \text{no reward, and then } \phi^+ = \frac{w^\top \phi}{\gamma}\, w; \qquad
   |w^\top \phi| > \gamma:\ \text{reward } w^\top \phi, \text{ and the end.}

The value with discount :math:`\gamma` is :math:`w^\top \phi` everywhere, linear in the features. The first kind of
answer is the same for w and -w. So whoever asks n queries all at once, and gets none of the second kind, can only guess
between the two: an error of at least half the chance of that, on average over w. By Hoeffding's inequality for signs a
query gets the second kind for at most a share :math:`2 e^{-d\gamma^2/2}` of the w, hence `one_batch`. The first kind
tells the axis of w, so one query of a second batch tells the sign.

Source: the idea of Zanette [zanette2021exponential], here with signs in place of the sphere so that all w can be gone
through. That polynomially many queries take :math:`\Omega(\log\log d)` batches, at a discount of at least
:math:`\sqrt{3/4}`, is by Johnson, Pike-Burke and Rebeschini [johnson2024sample], who hide subspaces in place of
directions. It is not here: its constant was not to be found, and an order alone cannot be judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidModel, MdptkError
from mdptk.core.models import Array


def directions(d: int) -> Array:
    """Every hidden direction, shape (2^d, d)."""
    return np.array(list(product((-1.0, 1.0), repeat=d))) / np.sqrt(d)


@dataclass
class Queries:
    """Answers to batches of queries, and a count of both.

    Parameters
    ----------
    w
        The hidden direction, (d,).
    gamma
        Discount, and height of the caps, in (0, 1).
    batches
        How many batches are answered.

    Raises
    ------
    InvalidModel
        If w is no unit vector or gamma out of range.
    """

    w: Any
    gamma: float
    batches: int
    asked: list[int] = field(default_factory=list)  # queries in each batch

    def __post_init__(self) -> None:
        norm = float(np.linalg.norm(self.w))
        if abs(norm - 1) > 1e-9 or not 0 < self.gamma < 1:
            raise InvalidModel(f"|w| = {norm:.6g}, gamma = {self.gamma:g}: needs a unit vector, and gamma in (0, 1)")

    def ask(self, phi: Array) -> tuple[Array, Array]:
        """Rewards (n,) and next features (n, d), nan where it ended, of the queries ``phi[n, d]``: one batch.

        Raises
        ------
        MdptkError
            If there is no batch left, or a query is longer than 1.
        """
        if len(self.asked) == self.batches:
            raise MdptkError(f"all {self.batches} batches were asked")
        longest = float(np.linalg.norm(phi, axis=1).max())
        if longest > 1 + 1e-9:
            raise MdptkError(f"a query has norm {longest:.6g}, above 1")
        self.asked.append(len(phi))
        x = phi @ self.w
        ends = abs(x) > self.gamma
        return np.where(ends, x, 0.0), np.where(ends[:, None], np.nan, x[:, None] / self.gamma * self.w)


def least_error(design: Array, gamma: float) -> float:
    """The least chance to take w for -w, on average over w, of any learner that asks ``design[n, d]`` at once."""
    hit = (abs(design @ directions(design.shape[1]).T) > gamma).any(0)
    return float((~hit).mean() / 2)


def one_batch(n: int, d: int, gamma: float) -> float:
    r"""The bound :math:`\tfrac12 - n e^{-d\gamma^2/2}` on `least_error`, whatever the n queries are."""
    return 0.5 - n * float(np.exp(-d * gamma**2 / 2))
