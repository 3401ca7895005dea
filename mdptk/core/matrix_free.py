"""Models whose transitions are not stored: a function from values to action values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import Array, check_discount

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, eq=False)
class MatrixFree:
    r"""A discounted model whose transitions are not stored: ``q(v)`` computes :math:`r + \gamma P v`.

    Bounds on its optimal value rest on what is assumed of `function` and cannot be tested: that for some stochastic
    ``P``, whose rows sum to one within 1e-9, what it returns is off by at most `error` times
    :math:`\|r\|_\infty + \|v\|_\infty`.

    Parameters
    ----------
    function
        ``q(v)``: from an array of float64 of shape (S,) to one of shape (S, A).
    shape
        Numbers of states and actions.
    gamma
        Discount in [0, 1).
    successors
        The most states that an action may lead to; all of them if None. It makes the default of `error`.
    error
        Relative rounding error of `function`; if None :math:`(n + 4) u` with ``n = successors``, which holds for
        ``r + gamma * (p @ v)`` in float64 in any order of summation. A function that computes the probabilities anew
        each time, or interpolates, has to say what it does.

    Raises
    ------
    InvalidModel
        If ``q`` of zeros or ones has a wrong shape or is not finite, or if adding one to all values does not add
        `gamma` to all action values: then rows do not sum to one.

    Examples
    --------
    A walk on a circle of a thousand states:

    >>> def q(v):
    ...     p = np.stack([np.roll(v, 1), np.roll(v, -1)], 1)
    ...     return (np.arange(1000) == 0)[:, None] + 0.9 * p
    >>> from mdptk.solve import solve
    >>> solution = solve(MatrixFree(q, (1000, 2), 0.9, successors=1))
    >>> solution.method, solution.width < 1e-8
    ('anderson', True)
    """

    function: Callable[[Array], Array]
    shape: tuple[int, int]
    gamma: float
    successors: int | None = None
    error: float | None = None

    def __post_init__(self) -> None:
        check_discount(self.gamma)
        S, A = self.shape
        if S < 1 or A < 1:
            raise InvalidModel(f"shape = {self.shape}: a model needs at least one state and one action")
        if self.error is not None and not 0 <= self.error < 1:
            raise InvalidModel(f"error = {self.error} is not in [0, 1)")
        r, more = self.q(np.zeros(S)), self.q(np.ones(S)) - self.gamma
        off = abs(more - r) > 1e-9 * self.gamma + 4 * self.relative_error * (1 + abs(r).max())
        if off.any():
            s, a = (int(i) for i in np.argwhere(off)[0])
            raise InvalidModel(
                f"q of ones minus q of zeros at [{s}, {a}] is {more[s, a] - r[s, a] + self.gamma:.12g}, expected "
                f"gamma = {self.gamma}: the probabilities do not sum to one"
            )
        object.__setattr__(self, "_r", float(abs(r).max()))

    @property
    def relative_error(self) -> float:
        """`error`, or its default."""
        n = self.shape[0] if self.successors is None else self.successors
        return (n + 4) * float(np.finfo(np.float64).eps) / 2 if self.error is None else self.error

    @property
    def largest_reward(self) -> float:
        """The largest absolute reward, ``q`` of zeros."""
        return self._r  # pyright: ignore[reportAttributeAccessIssue]

    def q(self, v: Array) -> Array:
        """``r + gamma P v``, checked."""
        q = np.asarray(self.function(np.asarray(v, dtype=np.float64)), dtype=np.float64)
        if q.shape != tuple(self.shape):
            raise InvalidModel(f"q(v) has shape {q.shape}, expected {tuple(self.shape)}")
        if not np.isfinite(q).all():
            s, a = (int(i) for i in np.argwhere(~np.isfinite(q))[0])
            raise InvalidModel(f"q(v)[{s}, {a}] = {q[s, a]} is not finite, for v between {v.min()} and {v.max()}")
        return q
