"""What dynamic programming needs of a discounted problem, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mdptk.core.models import Array


class Backup(Protocol):
    r"""A map from values to action values that is monotone and contracts: `MDP` is one, `RobustMDP` is another.

    For numbers :math:`c \ge 0` it must hold that :math:`q(v) \le q(v + c) \le q(v) + \gamma m c`, where `m`, the total
    probability, is one within 1e-9. Greedy policies, value iteration and the bounds of `mdptk.solve` need nothing else.
    """

    @property
    def gamma(self) -> float:
        """Discount in [0, 1)."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of states and actions."""
        ...

    @property
    def r(self) -> Any:
        """Rewards ``r[s, a]``."""
        ...

    @property
    def terms(self) -> int:
        r"""In arithmetic of unit roundoff u, ``q(v)`` is off by at most :math:`u` times this times |r| + |v|."""
        ...

    def q(self, v: Array) -> Array:
        """Action values (..., S, A) from values (..., S), in the precision of `v`."""
        ...
