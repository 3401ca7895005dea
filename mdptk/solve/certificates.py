r"""Bounds on the optimal value that trust nobody: they hold for any guess `v`, however it was found.

Let :math:`Tv = \max_a (r + \gamma Pv)`, :math:`w = Tv`, and let :math:`\gamma\sum_{s'}P(s'|s,a)` lie in
:math:`[\beta_-, \beta_+]` with :math:`\beta_+ < 1` (rows of a file sum to one only to 1e-9). Then:

1. If :math:`w - v \le \delta` and :math:`c \ge 0`, then :math:`T(v + c) \le w + \beta_+ c \le v + c` as soon as
   :math:`c \ge \delta/(1-\beta_+)`; if :math:`\delta < 0`, the same holds with :math:`\beta_-` and a :math:`c < 0`.
2. `T` is monotone and contracts, so :math:`V^* = \lim_k T^k(v + c) \le T(v + c) \le w + \beta c`: the upper bound.
3. Signs reversed, :math:`T_\pi v - v \ge -\delta'` for the greedy :math:`\pi` gives
   :math:`V^* \ge V^\pi \ge T_\pi v - \beta c'`: the lower bound, which the policy attains.
4. A computed :math:`r + \gamma Pv` with `n` successors is off by at most :math:`(n + 4)\,u\,(\|r\| + \|v\|)`, whatever
   the order of summation (:math:`u` is the unit roundoff, :math:`(n+2)u/(1-(n+2)u)` the factor without the rounding of
   the bound itself), plus what underflow can lose.
5. All this is computed in the widest float of the machine, every operation is moved outward by one ulp, and only the
   two bounds are rounded to float64: down and up.

Sources: for 1 to 3 MacQueen [macqueen1966modified] and Porteus [porteus1971some]; section 6.6 of Puterman
[puterman1994markov]. For 4 section 3.1 of Higham [higham2002accuracy].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mdptk.core.errors import InvalidModel, NotConverged
from mdptk.core.models import (
    MDP,
    ROW_SUM_TOLERANCE,
    Array,
    AverageRewardMDP,
    FiniteHorizonMDP,
    expect,
    is_sparse,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mdptk.core.backup import Backup

# 64 bits of mantissa on x86, 113 on arm64 Linux; elsewhere long double is float64, or no IEEE format at all
WIDE = np.longdouble if np.finfo(np.longdouble).nmant in (63, 112) else np.float64
U, TINY = np.finfo(WIDE).eps / 2, np.finfo(np.float64).tiny


class Bracket(NamedTuple):
    """Bounds on an optimal value, and what they were made of."""

    lower: Array  # (S,), or (H + 1, S) for stages; float64
    upper: Array
    actions: Array  # (S,) or (H, S): greedy actions; the value of this policy is at least `lower`
    residual: Array  # (S,): Tv - v in the widest float; for stages zeros of the shape of the bounds
    noise: float  # how far rounding can have moved an entry of `residual`
    guess: Array | None = None  # (S,): v in the widest float

    @property
    def width(self) -> float:
        """The largest ``upper - lower``; infinite if a bound overflowed."""
        with np.errstate(over="ignore", invalid="ignore"):
            width = float((self.upper - self.lower).max())
        return width if width >= 0 else float("inf")


def bracket(mdp: Backup, v: ArrayLike) -> Bracket:
    r"""Bounds on :math:`V^*` from any guess `v`; the closer the guess, the closer the bounds.

    Parameters
    ----------
    mdp
        One model, dense or sparse, or any other `Backup`: nothing is asked of ``r + gamma P v`` but that it is monotone
        in `v` and moves with a constant as rows of ``P`` that sum to one let it.
    v
        Any finite numbers, shape (S,).

    Raises
    ------
    NotConverged
        If ``gamma`` times the largest row sum is not certainly below one: then there is nothing to bound.
    InvalidModel
        If `v` is not of shape (S,) or not finite.

    Examples
    --------
    >>> mdp = MDP(P=[[[1.0]]], r=[[1.0]], gamma=0.5)
    >>> b = bracket(mdp, [0.0])
    >>> bool(b.lower[0] <= 2.0 <= b.upper[0]), b.width < 1e-14
    (True, True)
    """
    v = _guess(v, mdp.shape[0])
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = moduli(mdp) if isinstance(mdp, MDP) else _loose_moduli(mdp.gamma, mdp.terms)
        if not high < 1:
            raise NotConverged(
                f"gamma = {mdp.gamma!r} times the largest row sum of P may reach {float(high)!r}: no contraction",
                float("inf"),
            )
        q = mdp.q(v)
        noise = backup_noise(mdp, v)
        w = q.max(-1)
        residual = w - v
        upper = _up(_up(w + noise) + _shift(residual.max(), noise, low, high))
        lower = -_up(_up(noise - w) + _shift((-residual).max(), noise, low, high))
    return Bracket(float_below(lower), float_above(upper), q.argmax(-1), residual, float(noise), v)


def bracket_of_sweep(mdp: MDP, w: Array, actions: Array, extremes: tuple[float, float], size: float) -> Bracket:
    r"""Bounds on :math:`V^*` from a float64 backup that was made anyway: no further pass over ``P``.

    Wider than those of `bracket` by the rounding of float64, and by a relative
    :math:`10^{-9}\gamma/(1-\gamma)` of the shift, because the rows of ``P`` are not summed again: the model has checked
    that they sum to one within 1e-9. Bounds that are infinitely far apart say that nothing is known to contract.

    Parameters
    ----------
    mdp
        One model, dense or sparse.
    w, actions
        ``Tv`` and the greedy actions as computed in float64, in any order of summation.
    extremes
        Smallest and largest entry of ``w - v`` as computed in float64.
    size
        Largest absolute value of an entry of `v`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        u = np.finfo(np.float64).eps / 2
        n = successors(mdp.P)
        noise = (n + 4) * u * (WIDE(max(mdp.r.max(), -mdp.r.min())) + size) * (1 + 8 * U) + TINY
    return bracket_of_residual(mdp.gamma, w, actions, extremes, noise, n + 4)


def bracket_of_residual(
    gamma: float, w: Array, actions: Array, extremes: tuple[float, float], noise: Any, terms: int = 0
) -> Bracket:  # fmt: skip
    """Bounds from ``w = Tv`` and the extremes of ``w - v``, computed in float64 up to `noise` in every entry of `w`.

    Rows of ``P`` sum to one within 1e-9, in sums of `terms` terms.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = _loose_moduli(gamma, terms)
        if not high < 1:
            return Bracket(np.full_like(w, -np.inf), np.full_like(w, np.inf), actions, w, float("inf"))
        noise = WIDE(noise) + TINY
        least, most = np.nextafter(extremes[0], -np.inf), np.nextafter(extremes[1], np.inf)
        above = float_above(_up(noise + _shift(WIDE(most), noise, low, high)))
        below = float_above(_up(noise + _shift(WIDE(-least), noise, low, high)))
        upper, lower = np.nextafter(w + above, np.inf), np.nextafter(w - below, -np.inf)
    return Bracket(lower, upper, actions, w, float(noise))


def _guess(v: ArrayLike, S: int) -> Array:
    v = np.asarray(v, dtype=WIDE)
    if v.shape != (S,) or not np.isfinite(v).all():
        raise InvalidModel(f"expected {S} finite numbers, one per state, got {v!r}")
    return v


def _shift(delta: Any, noise: Any, low: Any, high: Any) -> Any:
    """An upper bound on ``beta c`` of step 1, with `delta` the largest residual before rounding."""
    delta = _up(_up(delta) + noise)
    if delta >= 0:
        return _up(high * _up(delta / _down(1 - high)))
    return _up(low * _up(delta / _up(1 - low)))


def _loose_moduli(gamma: float, terms: int) -> tuple[Any, Any]:
    """Bounds on ``gamma`` times the row sums where the model has checked that they are one within 1e-9."""
    slack = WIDE(ROW_SUM_TOLERANCE) + terms * np.finfo(np.float64).eps  # the sums that were checked were rounded, too
    return _down(WIDE(gamma) * (1 - slack)), _up(WIDE(gamma) * (1 + slack))


def moduli(mdp: Any) -> tuple[Any, Any]:
    """Bounds, in the widest float, on ``gamma`` times the row sums of ``P``: at least the first, at most the second."""
    total = row_sums(mdp.P)
    slack = (successors(mdp.P) + 4) * U
    gamma = WIDE(mdp.gamma)
    return _down(gamma * total.min() * (1 - slack)), _up(gamma * total.max() * (1 + slack))


def row_sums(P: Any) -> Array:
    """Row sums of ``P`` in the widest float, shape (S, A) for a dense kernel, (S * A,) for a sparse one."""
    return P @ np.ones(P.shape[-1], dtype=WIDE)


def successors(P: Any) -> int:
    """A bound on the number of terms in a row of ``P``."""
    return int(np.diff(P.indptr).max()) if is_sparse(P) else P.shape[-1]


def rounding(P: Any, r: Array, v: Array, u: Any = U) -> Any:
    """How far an entry of a computed ``r + gamma P v``, with ``gamma <= 1``, can be off; step 4 above."""
    return (successors(P) + 4) * u * (WIDE(abs(r).max()) + abs(v).max()) + TINY


def backup_noise(mdp: Backup, v: Array, u: Any = U) -> Any:
    """How far an entry of a computed ``mdp.q(v)`` can be off; `rounding` for every `Backup`."""
    return mdp.terms * u * (WIDE(abs(mdp.r).max()) + abs(v).max()) + TINY


def bracket_stages(problem: FiniteHorizonMDP) -> Bracket:
    r"""Bounds on :math:`V^*_h`, shape (H + 1, S), by backward induction on both bounds at once.

    ``P`` has no negative entries, so ``r + P v`` is monotone in ``v``: a lower and an upper bound at stage ``h + 1``
    give bounds at stage ``h``, moved outward by the rounding of the product.
    """
    lower, upper, actions = [np.zeros(problem.S, WIDE)], [np.zeros(problem.S, WIDE)], []
    with np.errstate(over="ignore", invalid="ignore"):
        for P, r in zip(problem.P[::-1], problem.r[::-1], strict=True):
            below = r + expect(P, lower[-1], problem.A)
            above = r + expect(P, upper[-1], problem.A)
            actions.append(below.argmax(-1))
            lower.append(-_up(rounding(P, r, lower[-1]) - below.max(-1)))
            upper.append(_up(rounding(P, r, upper[-1]) + above.max(-1)))
    below, above = np.stack(lower[::-1]), np.stack(upper[::-1])
    return Bracket(float_below(below), float_above(above), np.stack(actions[::-1]), np.zeros_like(below), 0.0)


def bracket_gain(problem: AverageRewardMDP, h: ArrayLike) -> Bracket:
    r"""Bounds on the optimal gain :math:`g^*(s)`, the same for every state, from any guess `h` of the bias.

    For any `h`, with the greedy :math:`\pi`: :math:`\min_s (Th - h)(s) \le g^\pi \le g^* \le \max_s (Th - h)(s)`,
    because :math:`P_\pi h - h` averages to zero along every run. That holds in every state of every model, but the
    two ends meet only where the optimal gain does not depend on the first state.

    A chain whose rows do not sum to one has no gain: here rows are divided by their sums.

    Source: Odoni [odoni1969finding]; section 8.5 of Puterman [puterman1994markov].
    """
    S, A = problem.S, problem.A
    h = _guess(h, S)
    with np.errstate(over="ignore", invalid="ignore"):
        q = problem.r + expect(problem.P, h, A) / row_sums(problem.P).reshape(S, A)
        noise = 3 * rounding(problem.P, problem.r, h)  # product, row sum, quotient
        residual = q.max(-1) - h
        upper = _up(_up(residual.max()) + noise)
        lower = -_up(_up((-residual).max()) + noise)
    return Bracket(np.full(S, float_below(lower)), np.full(S, float_above(upper)), q.argmax(-1), residual, float(noise))


def float_above(x: Any) -> Any:
    """The smallest float64 that is at least `x`."""
    with np.errstate(over="ignore"):
        y = np.asarray(x).astype(np.float64)
        return np.where(y < x, np.nextafter(y, np.inf), y)


def float_below(x: Any) -> Any:
    """The largest float64 that is at most `x`."""
    return -float_above(-np.asarray(x))


def _up(x: Any) -> Any:
    """A number above whatever was rounded to `x`."""
    return np.nextafter(x, WIDE(np.inf))


def _down(x: Any) -> Any:
    return np.nextafter(x, -WIDE(np.inf))
