"""Bandits: one state, and rewards that are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mdptk.core.errors import InvalidModel
from mdptk.core.models import _frozen, _index, _set


@dataclass(frozen=True, eq=False)
class BernoulliBandit:
    """Arms that pay 1 with probability ``means[a]`` and 0 otherwise, independently at every pull.

    Parameters
    ----------
    means
        ``means[a]`` in [0, 1], shape (A,).

    Raises
    ------
    InvalidModel
        Naming the first mean that is no probability.

    Examples
    --------
    >>> BernoulliBandit([0.5, 0.6])
    BernoulliBandit(A=2)
    """

    means: Any

    def __post_init__(self) -> None:
        means = _frozen(self.means, "means")
        if means.ndim != 1 or not len(means):
            raise InvalidModel(f"means has shape {means.shape}, expected (A,) = means[a]")
        bad = (means < 0) | (means > 1)
        if bad.any():
            a = int(bad.argmax())
            raise InvalidModel(f"means{_index((a,))} = {means[a]:.12g} is not a probability")
        _set(self, means=means)

    @property
    def S(self) -> int:
        """Number of states: one."""
        return 1

    @property
    def A(self) -> int:
        """Number of arms."""
        return self.means.shape[-1]

    @property
    def gaps(self) -> Any:
        """What an arm loses in expectation to the best one, ``means.max() - means``, shape (A,)."""
        return self.means.max() - self.means

    def __repr__(self) -> str:
        return f"BernoulliBandit(A={self.A})"
