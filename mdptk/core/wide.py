"""Numbers wider than float64, for the same code: exact rationals, and `DIGITS` digits from the first logarithm on.

numpy's operators run on arrays of objects, so what is written with them runs unchanged on arrays of `Number`. Nothing
is rounded to float64 unnoticed on the way: a Number that is to become a float, and a float that has been rounded before
it meets a Number, raise `PrecisionLost`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from mdptk.core.errors import MdptkError
from mdptk.core.models import MDP, Array, FiniteHorizonMDP, PolicyEvaluation, is_sparse, stationary_distribution

DIGITS = 60
SHORT = 2.0**32  # a float with a mantissa this short is meant; one third, rounded, has all 53 bits
LONGEST = 2**15  # bits of a denominator from which on a rational is rounded to `DIGITS` digits
SIMPLE = 1000  # the fraction with at most this denominator of which a float is the nearest is what was meant


class PrecisionLost(MdptkError):
    """A computation cannot be done with wider numbers; the message says where it leaves them."""


@cache
def _context() -> Any:
    import mpmath  # here, because importing mdptk costs numpy only

    context = mpmath.MPContext()
    context.dps = DIGITS
    return context


def unit(x: Any) -> float:
    """A relative rounding error of the numbers in an array, as a power of two: where an iteration may stop."""
    return 2.0**-190 if is_wide(x) else 2.0**-52


class Number:
    """A rational number, or one of `DIGITS` digits."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x  # Fraction or mpf

    @classmethod
    def of(cls, y: Any) -> Number:
        """An int, a float that has not been rounded, or a Number, as a Number."""
        x = _operand(y)
        if x is NotImplemented:
            raise PrecisionLost(f"{y!r} of type {type(y).__name__} is no number")
        return cls(x)

    @classmethod
    def meant(cls, y: float) -> Number:
        """The simple fraction of which the float `y` is the nearest, or else `y` exactly."""
        simple = Fraction(y).limit_denominator(SIMPLE)
        return cls(simple if float(simple) == y else Fraction(y))

    @property
    def exact(self) -> bool:
        """Whether it is a rational, without any rounding."""
        return isinstance(self.x, Fraction)

    @property
    def nearest(self) -> float:
        """The nearest float, for people."""
        return float(self.x)

    def __float__(self) -> float:
        raise PrecisionLost("a wide number was turned into a float64")

    def __getitem__(self, key: Any) -> Any:
        """A new axis, as numpy's scalars have it."""
        return wide(self)[key]

    def __int__(self) -> int:
        if self.x != int(self.x):
            raise PrecisionLost(f"{self!r} was turned into a whole number")
        return int(self.x)

    def __repr__(self) -> str:
        return f"Number({self.x})"

    def __bool__(self) -> bool:
        return bool(self.x != 0)

    def __hash__(self) -> int:
        return hash(self.x)

    def __neg__(self) -> Number:
        return Number(-self.x)

    def __pos__(self) -> Number:
        return self

    def __abs__(self) -> Number:
        return Number(abs(self.x))

    def __pow__(self, other: Any) -> Any:
        y = _operand(other)
        return y if y is NotImplemented else Number(_power(self.x, y))

    def __rpow__(self, other: Any) -> Any:
        y = _operand(other)
        return y if y is NotImplemented else Number(_power(y, self.x))

    def __ceil__(self) -> int:
        return self._whole(math.ceil)

    def __floor__(self) -> int:
        return self._whole(math.floor)

    def _whole(self, way: Callable[[Any], int]) -> int:
        if isinstance(self.x, Fraction):
            return way(self.x)
        if abs(self.x - _context().nint(self.x)) < _context().mpf(10) ** (-DIGITS // 2):
            raise PrecisionLost(f"{self.x} is too close to a whole number to be rounded to one")
        sign, mantissa, exponent, _ = self.x._mpf_
        return way((-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** exponent)

    # what np.exp and its relatives call on each object

    def exp(self) -> Number:
        """The exponential."""
        return Number(Fraction(1)) if self.x == 0 else Number(_context().exp(_mpf(self.x)))

    def log(self) -> Number:
        """The natural logarithm."""
        return Number(Fraction(0)) if self.x == 1 else Number(_context().log(_mpf(self.x)))

    def sqrt(self) -> Number:
        """The square root, exact where it is rational."""
        return Number(_power(self.x, Fraction(1, 2)))


def _operand(y: Any) -> Any:
    """Fraction or mpf of what stands beside a Number in a sum; NotImplemented for arrays."""
    if isinstance(y, Number):
        return y.x
    if isinstance(y, int | np.integer | np.bool_):
        return Fraction(int(y))
    if isinstance(y, float | np.floating):
        y = float(y)
        if not math.isfinite(y):
            return _context().mpf(y)
        if not (math.frexp(y)[0] * SHORT).is_integer():
            raise PrecisionLost(f"{y!r} was rounded to float64 before it met a wide number")
        return Fraction(y)
    return NotImplemented


def _mpf(x: Any) -> Any:
    return _context().mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else x


def _alike(x: Any, y: Any) -> tuple[Any, Any]:
    return (x, y) if isinstance(x, Fraction) and isinstance(y, Fraction) else (_mpf(x), _mpf(y))


def _fit(x: Any) -> Any:
    """`x`, rounded to `DIGITS` digits if it is a rational of many more."""
    return _mpf(x) if isinstance(x, Fraction) and x.denominator.bit_length() > LONGEST else x


def _quotient(x: Any, y: Any) -> Any:
    if y == 0:  # as in float64
        return _context().mpf("nan" if x == 0 or x != x else "inf" if x > 0 else "-inf")
    return x / y


def _power(x: Any, y: Any) -> Any:
    if isinstance(y, Fraction) and y.denominator == 1:
        return _quotient(*_alike(Fraction(1), _power(x, -y))) if y < 0 else _fit(x ** int(y))
    if isinstance(x, Fraction) and y == Fraction(1, 2) and x >= 0:
        roots = math.isqrt(x.numerator), math.isqrt(x.denominator)
        if roots[0] ** 2 == x.numerator and roots[1] ** 2 == x.denominator:
            return Fraction(*roots)
    if x <= 0:
        return _context().mpf("nan" if x < 0 else "0" if y > 0 else "inf")
    return _mpf(x) ** _mpf(y)


def _binary(of: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """The two methods of an operator: with the number on the left, and on the right."""

    def left(self: Number, other: Any) -> Any:
        y = _operand(other)
        return y if y is NotImplemented else Number(_fit(of(*_alike(self.x, y))))

    def right(self: Number, other: Any) -> Any:
        y = _operand(other)
        return y if y is NotImplemented else Number(_fit(of(*_alike(y, self.x))))

    return left, right


def _comparison(of: Callable[[Any, Any], bool]) -> Any:
    def compare(self: Number, other: Any) -> Any:
        finite = isinstance(other, float | np.floating) and math.isfinite(other)
        y = Fraction(float(other)) if finite else _operand(other)  # comparing with a rounded number loses nothing
        return y if y is NotImplemented else bool(of(*_alike(self.x, y)))

    return compare


for _name, _of in {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": _quotient}.items():
    _left, _right = _binary(_of)
    setattr(Number, f"__{_name}__", _left)
    setattr(Number, f"__r{_name}__", _right)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Number, f"__{_name}__", _comparison(getattr(operator, _name)))


# arrays ---------------------------------------------------------------------------------------------------------


def _array(x: Any, of: Callable[[Any], Number]) -> Array:
    x = np.asarray(x)
    out = np.empty(x.shape, dtype=object)
    out.ravel()[:] = [of(y) for y in x.ravel().tolist()]
    return out


def wide(x: Any) -> Array:
    """Numbers as an array of `Number`; raises PrecisionLost where a float was rounded before."""
    return _array(x, Number.of)


def meant(x: Any) -> Array:
    """Floats as the fractions that they stand for (`Number.meant`), an array."""
    return _array(x, Number.meant)


def nearest(x: Array) -> Array:
    """The floats nearest to wide numbers, for people."""
    return np.array([y.nearest for y in x.ravel()], dtype=np.float64).reshape(x.shape)


def is_wide(x: Any) -> bool:
    """Whether `x` is a Number or an array of objects."""
    return isinstance(x, Number) or getattr(getattr(x, "dtype", None), "kind", "") == "O"


class Namespace:
    """numpy for arrays of `Number`: what does not work on objects is written out, all else is numpy's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @property
    def linalg(self) -> Any:
        """Linear algebra."""
        return _Linalg

    @staticmethod
    def exp(x: Any) -> Any:
        """Exponential of each."""
        return np.exp(wide(x))

    @staticmethod
    def log(x: Any) -> Any:
        """Logarithm of each."""
        return np.log(wide(x))

    @staticmethod
    def sqrt(x: Any) -> Any:
        """Square root of each."""
        return np.sqrt(wide(x))

    @staticmethod
    def ones_like(x: Any) -> Array:
        """Ones of the shape of `x`."""
        return wide(np.ones(np.shape(x)))

    @staticmethod
    def zeros_like(x: Any) -> Array:
        """Zeros of the shape of `x`."""
        return wide(np.zeros(np.shape(x)))


class _Linalg:
    @staticmethod
    def solve(M: Any, b: Any) -> Array:
        """Solve ``M x = b`` for columns b, (..., n, k), with free leading axes, by elimination."""
        lead = np.broadcast_shapes(M.shape[:-2], b.shape[:-2])
        M, b = np.broadcast_to(M, (*lead, *M.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
        out = np.empty(b.shape, dtype=object)
        for i in product(*map(range, lead)):
            out[i] = _eliminate(wide(M[i]), wide(b[i]))
        return out

    @staticmethod
    def lstsq(A: Any, b: Any, rcond: Any = None) -> tuple[Array, ...]:
        """The solution of least norm of ``A x = b`` in the sense of least squares; A of rational numbers if singular.

        From ``A = C R`` with C the columns and R the rows of full rank that elimination finds.
        """
        A, b = wide(A), wide(b)[:, None]
        R, columns = _reduced(A)
        C = A[:, columns]
        if not columns:
            return (wide(np.zeros(A.shape[1])),)
        y = _eliminate(C.T @ C, C.T @ b)
        return ((R.T @ _eliminate(R @ R.T, y))[:, 0],)

    @staticmethod
    def eigvalsh(A: Any) -> Array:
        """Eigenvalues of a symmetric matrix, ascending."""
        context = _context()
        values = context.eigsy(context.matrix([[_mpf(x.x) for x in row] for row in wide(A)]), eigvals_only=True)
        return np.array([*map(Number, sorted(values))], dtype=object)

    @staticmethod
    def norm(x: Any, axis: Any = None) -> Any:
        """Euclidean norm of a vector, or along an axis."""
        return np.sqrt((wide(x) ** 2).sum(axis))

    matrix_power = staticmethod(np.linalg.matrix_power)


def _reduced(A: Array) -> tuple[Array, list[int]]:
    """The rows of the reduced row echelon form that are not zero, and its pivot columns."""
    M, columns = A.copy(), []
    for k in range(A.shape[1]):
        i = len(columns)
        if i == len(M):
            break
        top = i + int(abs(M[i:, k]).argmax())
        if M[top, k] == 0:
            continue
        if not M[top, k].exact and abs(M[top, k]) < 2.0**-100:
            raise PrecisionLost("the rank of a matrix of rounded numbers is not known")
        M[[i, top]] = M[[top, i]]
        M[i] = M[i] / M[i, k]
        for j in range(len(M)):
            if j != i and M[j, k] != 0:
                M[j] = M[j] - M[j, k] * M[i]
        columns.append(k)
    return M[: len(columns)], columns


def _eliminate(M: Array, b: Array) -> Array:
    n = len(M)
    M = np.concatenate([M, b], axis=1)
    for k in range(n):
        top = k + int(abs(M[k:, k]).argmax())
        if M[top, k] == 0:
            raise PrecisionLost(f"a system of {n} equations is singular in exact arithmetic")
        M[[k, top]] = M[[top, k]]
        M[k] = M[k] / M[k, k]
        for i in range(n):
            if i != k and M[i, k] != 0:
                M[i] = M[i] - M[i, k] * M[k]
    return M[:, n:]


# models and algorithms --------------------------------------------------------------------------------------------


def widened_algorithm(alg: Any) -> Any:
    """An algorithm with its hyperparameters as the fractions that they stand for."""
    values = {f.name: getattr(alg, f.name) for f in fields(alg)}
    return _made(type(alg), {k: Number.meant(x) if isinstance(x, float) else x for k, x in values.items()})


def widened(x: Any) -> Any:
    """A model with its numbers as the fractions that they stand for (`Number.meant`).

    Rows of probabilities are divided by their exact sum, and features that rounding made longer than one are cut to
    length, so that what is asked of a model holds exactly: of all models that round to this one, one is chosen.

    Raises
    ------
    PrecisionLost
        For models of other types, and sparse ones.
    """
    if isinstance(x, PolicyEvaluation):
        return _evaluation(x)
    if type(x) not in (MDP, FiniteHorizonMDP) or is_sparse(x.P):
        raise PrecisionLost(f"there is no wide model of {x!r}")
    values = {"P": _rows(x.P), "r": meant(x.r), "rho": _rows(x.rho)}
    return _made(type(x), values | ({"gamma": Number.meant(x.gamma), "grid": None} if isinstance(x, MDP) else {}))


def _made(kind: type, values: dict[str, Any]) -> Any:
    x = object.__new__(kind)  # constructors make float64 of everything
    for name, value in values.items():
        object.__setattr__(x, name, value)
    return x


def _rows(p: Array) -> Array:
    p = meant(p)
    return p / p.sum(-1, keepdims=True)


def _evaluation(x: PolicyEvaluation) -> PolicyEvaluation:
    mdp, pi, Phi = widened(x.mdp), _rows(x.pi), meant(x.Phi)
    for s, square in enumerate((Phi**2).sum(1)):
        if 1 < square < 1 + 2.0**-40:
            Phi[s] = Phi[s] * Number(1 - Fraction(1, 2**40))
    D = stationary_distribution(np.einsum("sa,sat->st", pi, mdp.P), mdp.rho)
    if any(abs(a - b) > 2.0**-30 for a, b in zip(D, meant(x.D), strict=True)):
        D = _rows(x.D)  # off-policy
    return _made(PolicyEvaluation, {"mdp": mdp, "pi": pi, "Phi": Phi, "D": D})
