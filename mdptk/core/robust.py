r"""Robust models: an adversary chooses the transitions, in every state and action anew, from an ambiguity set.

.. math:: q(v)(s, a) = r(s, a) + \gamma \min_{p \in U(s, a)} \langle p, v \rangle

A set is an object with a method ``worst(v)``, the inner minimum, shape (S, A), and ``kernel(v)``, transitions that
attain it. What is minimised in each state and action alone is called sa-rectangular: then a stationary adversary is the
worst one, and a deterministic policy is optimal; see Iyengar [iyengar2005robust], Nilim and El Ghaoui
[nilim2005robust].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import (
    MDP,
    ROW_SUM_TOLERANCE,
    Array,
    _dense_kernel,
    _frozen,
    _index,
    _set,
    expect,
    is_sparse,
)

if TYPE_CHECKING:
    from mdptk.core.models import Grid


class Ambiguity(Protocol):
    """What `RobustMDP` needs of a set of kernels that is sa-rectangular; ``P`` in the set has rows of mass one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the kernels in the set, ``(S, A, S)``."""
        ...

    @property
    def terms(self) -> int:
        """In arithmetic of unit roundoff u, ``worst(v)`` is off by at most u times this times ``max |v|``."""
        ...

    def worst(self, v: Array) -> Array:
        """``min over U(s, a) of p.v``: values (..., S) to (..., S, A), in the precision of `v`."""
        ...

    def kernel(self, v: Array) -> Array:
        """A kernel of the set that attains the minimum, (..., S, A, S); in the set up to rounding."""
        ...

    def excess(self, P: Array) -> Array:
        """How far the rows of a kernel are outside the set, (..., S, A); 0 inside. Units of probability."""
        ...


@dataclass(frozen=True, eq=False)
class L1:
    r"""Rows at most `radius` away from those of `P` in the 1-norm, and of the same mass.

    .. math:: U(s, a) = \{p \ge 0 : \|p - P(\cdot|s, a)\|_1 \le \text{radius}(s, a),\ \sum p = \sum P(\cdot|s, a)\}

    The minimum takes half the radius from the states where `v` is highest, to where it is lowest: Strehl and Littman
    [strehl2008analysis]. With `C_i` the mass of the `i` highest states it is
    :math:`\langle P, v\rangle - \sum_i \min(\text{radius}/2,\ C_i)\,(v_{(i)} - v_{(i+1)})`, where nothing cancels.

    Parameters
    ----------
    P
        The centre ``P[s, a, s']``.
    radius
        A number or ``radius[s, a]``, not negative; 2 or more is every distribution.

    Examples
    --------
    >>> U = L1([[[0.5, 0.5]], [[0.0, 1.0]]], radius=0.5)
    >>> U.worst(np.array([0.0, 1.0]))
    array([[0.25],
           [0.75]])
    """

    P: Any
    radius: Any

    def __post_init__(self) -> None:
        P = _one_kernel(self.P, "L1")
        radius = _frozen(self.radius, "radius")
        if radius.shape not in ((), P.shape[:2]):
            raise InvalidModel(f"radius has shape {radius.shape}, expected a number or {P.shape[:2]} = radius[s, a]")
        if (radius < 0).any():
            where = tuple(int(i) for i in np.argwhere(radius < 0)[0])
            raise InvalidModel(f"radius{_index(where)} = {radius[where]:g} is negative")
        _set(self, P=P, radius=_frozen(np.broadcast_to(radius, P.shape[:2]), "radius"))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.P.shape

    @property
    def terms(self) -> int:
        return 6 * self.P.shape[-1] + 4  # n for <P, v>; 2n + 1 for a sum of size 2 |v|, n of them for C; 1 to subtract

    def worst(self, v: Array) -> Array:
        v = _floats(v)
        order = np.argsort(-v, axis=-1, kind="stable")
        C = np.cumsum(_ordered(self.P, order)[..., :-1], axis=-1, dtype=v.dtype)
        return expect(self.P, v, self.P.shape[1]) - _abel(np.minimum(self.radius[..., None] / 2, C), -v, order)

    def kernel(self, v: Array) -> Array:
        order = np.argsort(-v, axis=-1, kind="stable")
        p = _ordered(self.P, order)
        take = _taken(self.radius / 2, np.concatenate([p[..., :-1], np.zeros_like(p[..., :1])], axis=-1))
        p = p - take
        p[..., -1] += take.sum(-1)
        return _in_place(p, order)

    def excess(self, P: Array) -> Array:
        mass = abs(P.sum(-1) - self.P.sum(-1))
        return np.maximum(np.maximum(abs(P - self.P).sum(-1) - self.radius, mass), -P.min(-1))


@dataclass(frozen=True, eq=False)
class Interval:
    r"""Rows between `lower` and `upper` in every entry, of mass one.

    Where the bounds themselves miss one by rounding (by at most 1e-9), rows have the mass that is nearest to one.

    The minimum starts from `lower` and gives what is missing to the states where `v` is lowest, each up to `upper`:
    "order-maximising", Givan, Leach and Dean [givan2000bounded].

    Parameters
    ----------
    lower, upper
        Bounds on ``P[s, a, s']``, ``0 <= lower <= upper``, with a distribution between them for every state and action.

    Examples
    --------
    >>> U = Interval(lower=[[[0.5, 0.25]], [[0.0, 0.0]]], upper=[[[0.75, 0.5]], [[1.0, 1.0]]])
    >>> U.worst(np.array([0.0, 1.0]))
    array([[0.25],
           [0.  ]])
    """

    lower: Any
    upper: Any

    def __post_init__(self) -> None:
        lower, upper = _frozen(self.lower, "lower"), _frozen(self.upper, "upper")
        if lower.ndim != 3 or lower.shape[0] != lower.shape[2] or 0 in lower.shape:
            raise InvalidModel(f"lower has shape {lower.shape}, expected (S, A, S) = lower[s, a, s']")
        if upper.shape != lower.shape:
            raise InvalidModel(f"upper has shape {upper.shape}, lower has {lower.shape}")
        for bad, name, why in ((lower < 0, "lower", "negative"), (upper < lower, "upper", "below lower")):
            if bad.any():
                where = tuple(int(i) for i in np.argwhere(bad)[0])
                value, than = (lower if name == "lower" else upper)[where], f", which is {lower[where]:.6g}"
                raise InvalidModel(f"{name}{_index(where)} = {value:.6g} is {why}{than if name == 'upper' else ''}")
        for total, empty, name in (
            (lower.sum(-1), lower.sum(-1) > 1 + ROW_SUM_TOLERANCE, "lower"),
            (upper.sum(-1), upper.sum(-1) < 1 - ROW_SUM_TOLERANCE, "upper"),
        ):
            if empty.any():
                where = tuple(int(i) for i in np.argwhere(empty)[0])
                raise InvalidModel(f"no distribution fits at {_index(where)}: {name} sums to {total[where]:.12g}")
        _set(self, lower=lower, upper=upper)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lower.shape

    @property
    def terms(self) -> int:
        # n for <lower, v>; n + 2 for what is missing, times the highest v; 2n + 4 for a sum of size 2 |v|; 4 to add
        return 7 * self.lower.shape[-1] + 16

    def _missing(self, dtype: Any) -> Array:
        return np.clip(1 - self.lower.sum(-1, dtype=dtype), 0, (self.upper - self.lower).sum(-1, dtype=dtype))

    def worst(self, v: Array) -> Array:
        v = _floats(v)
        order = np.argsort(v, axis=-1, kind="stable")
        missing, width = self._missing(v.dtype), self.upper.astype(v.dtype) - self.lower
        C = np.cumsum(_ordered(width, order)[..., :-1], axis=-1)
        lowest = _abel(np.minimum(missing[..., None], C), v, order)
        return expect(self.lower, v, self.lower.shape[1]) + (missing * v.max(-1)[..., None, None] - lowest)

    def kernel(self, v: Array) -> Array:
        order = np.argsort(v, axis=-1, kind="stable")
        low, high = _ordered(self.lower, order), _ordered(self.upper, order)
        give = _taken(self._missing(np.float64), high - low)
        return _in_place(np.minimum(low + give, high), order)

    def excess(self, P: Array) -> Array:
        total = P.sum(-1)
        mass = abs(total - np.clip(1.0, self.lower.sum(-1), self.upper.sum(-1)))
        return np.maximum(np.maximum((self.lower - P).max(-1), (P - self.upper).max(-1)), mass)


@dataclass(frozen=True, eq=False)
class Finite:
    r"""One of several kernels, in every state and action anew: :math:`U(s, a) = \{P_1(\cdot|s, a), \dots\}`.

    Mixtures of them change nothing: the minimum over their convex hull is attained at one of them.

    Parameters
    ----------
    P
        ``P[k, s, a, s']``.

    Examples
    --------
    >>> U = Finite([[[[1.0, 0.0]], [[0.0, 1.0]]], [[[0.5, 0.5]], [[0.0, 1.0]]]])
    >>> U.worst(np.array([1.0, 0.0]))
    array([[0.5],
           [0. ]])
    """

    P: Any

    def __post_init__(self) -> None:
        P = _dense_kernel(self.P, stages=False)
        if P.ndim != 4:
            raise InvalidModel(f"P has shape {P.shape}, expected (k, S, A, S) = P[k, s, a, s']")
        _set(self, P=P)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.P.shape[1:]

    @property
    def terms(self) -> int:
        return self.P.shape[-1]

    def _each(self, v: Array) -> Array:
        return np.stack([expect(P, v, P.shape[1]) for P in self.P])

    def worst(self, v: Array) -> Array:
        return self._each(v).min(0)

    def kernel(self, v: Array) -> Array:
        s, a = np.ogrid[: self.P.shape[1], : self.P.shape[2]]
        return self.P[self._each(v).argmin(0), s, a]

    def excess(self, P: Array) -> Array:
        return np.stack([abs(P - one).max(-1) for one in self.P]).min(0)


def _one_kernel(P: Any, name: str) -> Array:
    if is_sparse(P):
        raise InvalidModel(f"{name} takes a dense P[s, a, s']; use mdp.dense().P")
    P = _dense_kernel(P, stages=False)
    if P.ndim != 3:
        raise InvalidModel(f"P has shape {P.shape}, expected one kernel (S, A, S)")
    return P


def _floats(v: Any) -> Array:
    v = np.asarray(v)
    return v if np.issubdtype(v.dtype, np.floating) else v.astype(np.float64)


def _ordered(P: Array, order: Array) -> Array:
    """``P[s, a, order]`` for orders (..., S) of the states: (..., S, A, S)."""
    return np.moveaxis(P[:, :, order], (0, 1), (-3, -2))


def _in_place(p: Array, order: Array) -> Array:
    """What `_ordered` made, back in the order of the states."""
    back = np.argsort(order, axis=-1, kind="stable")
    return np.take_along_axis(p, np.broadcast_to(back[..., None, None, :], p.shape), axis=-1)


def _abel(C: Array, v: Array, order: Array) -> Array:
    """``sum_i C[..., i] (v_(i+1) - v_(i))`` with `v` ascending in `order`: (..., S, A). Summation by parts."""
    gaps = np.diff(np.take_along_axis(v, order, axis=-1), axis=-1)
    return (C * gaps[..., None, None, :]).sum(-1)


def _taken(mass: Array, capacity: Array) -> Array:
    """`mass` (..., S, A) filled into ``capacity[..., s, a, i]``, the first ones first."""
    before = np.cumsum(capacity, axis=-1) - capacity
    return np.clip(mass[..., None] - before, 0, capacity)


@dataclass(frozen=True, eq=False)
class RobustMDP:
    r"""Discounted problem against an adversary who chooses the transitions: maximise :math:`\min_P V_P^\pi`.

    Parameters
    ----------
    nominal
        One dense `MDP`: its rewards, discount and start, and the kernel that is meant.
    ambiguity
        The kernels that are possible, the nominal one among them: `L1`, `Interval`, `Finite`, or any object with
        the methods of `Ambiguity`.

    Raises
    ------
    InvalidModel
        If the shapes differ, or the nominal kernel is not in the set; the message says where.

    Examples
    --------
    >>> from mdptk.problems.teaching import two_state
    >>> mdp = two_state()
    >>> RobustMDP(mdp, L1(mdp.P, radius=0.2))
    RobustMDP(MDP(S=2, A=2, gamma=0.9), L1)
    """

    nominal: MDP
    ambiguity: Any

    def __post_init__(self) -> None:
        nominal = self.nominal
        if nominal.sparse or nominal.batch:
            raise InvalidModel(f"RobustMDP takes one dense nominal model, got {nominal!r}")
        if self.ambiguity.shape != nominal.P.shape:
            raise InvalidModel(f"the set has kernels of shape {self.ambiguity.shape}, the nominal {nominal.P.shape}")
        out = self.ambiguity.excess(nominal.P)
        if (out > ROW_SUM_TOLERANCE).any():
            where = tuple(int(i) for i in np.argwhere(out > ROW_SUM_TOLERANCE)[0])
            raise InvalidModel(f"the nominal P{_index(where)} is outside the ambiguity set, by {out[where]:.6g}")

    @property
    def S(self) -> int:
        """Number of states."""
        return self.nominal.S

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.nominal.A

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of states and actions."""
        return self.nominal.S, self.nominal.A

    @property
    def gamma(self) -> float:
        """Discount in [0, 1)."""
        return self.nominal.gamma

    @property
    def r(self) -> Array:
        """Rewards ``r[s, a]``."""
        return self.nominal.r

    @property
    def rho(self) -> Array:
        """Distribution of the first state."""
        return self.nominal.rho

    @property
    def grid(self) -> Grid | None:
        """How to draw the states on a grid, if they lie on one."""
        return self.nominal.grid

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: none."""
        return ()

    @property
    def terms(self) -> int:
        """Roundings of a backup, see `Backup`."""
        return self.ambiguity.terms + 4

    def q(self, v: Array) -> Array:
        """One backup without the maximum, ``r + gamma min p.v``: values (..., S) to action values (..., S, A)."""
        return self.r + self.gamma * self.ambiguity.worst(v)

    def under(self, P: Array) -> MDP:
        """The nominal model with another kernel, such as the worst one."""
        return MDP(P, self.r, self.gamma, self.rho, grid=self.grid)

    def __repr__(self) -> str:
        return f"RobustMDP({self.nominal!r}, {type(self.ambiguity).__name__})"
