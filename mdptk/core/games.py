r"""Zero-sum games of two players: in one round, or on states, discounted.

The first player takes ``a`` and maximises what the second, who takes ``b`` at the same time, has to pay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import (
    MDP,
    Array,
    _distribution,
    _frozen,
    _set,
    check_discount,
    check_distributions,
    expect,
    is_sparse,
)


@dataclass(frozen=True, eq=False)
class MatrixGame:
    r"""One round: the first player receives ``R[a, b]``, the second pays it.

    The value is :math:`\max_x\min_y x^\top R y = \min_y\max_x x^\top R y`.

    Parameters
    ----------
    R
        Payoffs ``R[a, b]``, shape (A, B), any finite values.

    Raises
    ------
    InvalidModel
        If `R` is no matrix of finite numbers.

    Examples
    --------
    >>> MatrixGame([[1, -1], [-1, 1]])
    MatrixGame(A=2, B=2)
    """

    R: Any

    def __post_init__(self) -> None:
        R = _frozen(self.R, "R")
        if R.ndim != 2 or 0 in R.shape:
            raise InvalidModel(f"R has shape {R.shape}, expected (A, B) = R[a, b]")
        _set(self, R=R)

    @property
    def S(self) -> int:
        """Number of states: one."""
        return 1

    @property
    def A(self) -> int:
        """Number of actions of the first player, who maximises."""
        return self.R.shape[0]

    @property
    def B(self) -> int:
        """Number of actions of the second player, who minimises."""
        return self.R.shape[1]

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: none."""
        return ()

    def __repr__(self) -> str:
        return f"MatrixGame(A={self.A}, B={self.B})"


@dataclass(frozen=True, eq=False)
class MarkovGame:
    r"""Discounted zero-sum game on states, of Shapley (1953): both players act at once in every state.

    Parameters
    ----------
    P
        Transition probabilities ``P[s, a, b, s']``, shape (S, A, B, S).
    r
        What the first player receives and the second pays, ``r[s, a, b]``, shape (S, A, B).
    gamma
        Discount in [0, 1).
    rho
        Distribution of the first state, shape (S,); uniform if None.

    Raises
    ------
    InvalidModel
        Naming the first offending row and its values. Rows must sum to one within 1e-9 and are kept as given.

    Examples
    --------
    >>> MarkovGame(P=np.ones((1, 2, 2, 1)), r=[[[1, -1], [-1, 1]]], gamma=0.9)
    MarkovGame(S=1, A=2, B=2, gamma=0.9)
    """

    P: Any
    r: Any
    gamma: float
    rho: Any = None

    def __post_init__(self) -> None:
        if is_sparse(self.P):
            raise InvalidModel("MarkovGame takes a dense P[s, a, b, s']; use P.toarray()")
        P, r = _frozen(self.P, "P"), _frozen(self.r, "r")
        if P.ndim != 4 or P.shape[0] != P.shape[3] or 0 in P.shape:
            raise InvalidModel(f"P has shape {P.shape}, expected (S, A, B, S) = P[s, a, b, s']")
        if r.shape != P.shape[:3]:
            raise InvalidModel(f"r has shape {r.shape}, expected {P.shape[:3]} = r[s, a, b]")
        check_distributions(P, "P")
        _set(self, P=P, r=r, gamma=check_discount(self.gamma), rho=_distribution(self.rho, (), P.shape[0]))

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[0]

    @property
    def A(self) -> int:
        """Number of actions of the first player, who maximises."""
        return self.r.shape[1]

    @property
    def B(self) -> int:
        """Number of actions of the second player, who minimises."""
        return self.r.shape[2]

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: none."""
        return ()

    @property
    def terms(self) -> int:
        """Roundings of a backup, see `Backup`."""
        return self.S + 4

    def q(self, v: Array) -> Array:
        """Payoffs of the stage games, ``r + gamma P v``: values (..., S) to (..., S, A, B)."""
        S, A, B = self.r.shape
        Pv = expect(self.P.reshape(S, A * B, S), v, A * B)
        return self.r + self.gamma * Pv.reshape(*v.shape[:-1], S, A, B)

    def against_first(self, x: Array) -> MDP:
        """What the second player faces if the first plays ``x[s, a]``: to maximise ``-r``. Leading axes are free."""
        P, r = np.einsum("...sa,sabt->...sbt", x, self.P), -np.einsum("...sa,sab->...sb", x, self.r)
        return MDP(P, r, self.gamma, np.broadcast_to(self.rho, (*x.shape[:-2], self.S)))

    def against_second(self, y: Array) -> MDP:
        """What the first player faces if the second plays ``y[s, b]``. Leading axes are free."""
        P, r = np.einsum("...sb,sabt->...sat", y, self.P), np.einsum("...sb,sab->...sa", y, self.r)
        return MDP(P, r, self.gamma, np.broadcast_to(self.rho, (*y.shape[:-2], self.S)))

    def __repr__(self) -> str:
        return f"MarkovGame(S={self.S}, A={self.A}, B={self.B}, gamma={self.gamma:g})"
