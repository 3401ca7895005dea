r"""Quantities: what can be measured on a run and written in a theorem.

A `Quantity` is a sympy symbol, so theorems are written with it as with any letter, and it carries the function that
computes it from a run and the bound on its rounding error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from sympy.printing.latex import LatexPrinter

from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.core.wide import DIGITS, Number, is_wide, wide
from mdptk.theory.symbols import CLOCK, LATEX

EPS = float(np.finfo(float).eps)


class Quantity(sympy.Symbol):
    r"""A number at each record of a run.

    Parameters
    ----------
    name
        Identifier, unique within a theorem.
    of
        Function of the run; returns an array that broadcasts to (repeats, records).
    latex
        How it is printed, with ``%t`` where the time goes, as in ``\|v_{%t} - V^*\|_\infty``.
    trivial
        A bound on the quantity that holds for every run, as a sympy expression; a theorem whose right side never goes
        below it says nothing on that run.
    rounding
        Function of the run: how far float64 may put the computed value off, absolutely. Relative errors of a few ulp
        are always allowed for.
    """

    of: Callable[[Run], Any]
    template: str
    rounding: Callable[[Run], Any] | None
    trivial: Any
    key: Any  # two quantities are the same if they compute the same, whatever they are called

    def __new__(
        cls,
        name: str,
        of: Callable[[Run], Any],
        *,
        latex: str,
        trivial: Any = None,
        rounding: Callable[[Run], Any] | None = None,
    ) -> Quantity:
        self = sympy.Symbol.__xnew__(cls, name, real=True)
        self.of, self.template, self.rounding = of, latex, rounding
        self.key = of
        self.trivial = None if trivial is None else sympy.sympify(trivial)
        return self

    @classmethod
    def class_key(cls) -> tuple[int, int, str]:  # type: ignore[override]
        """Sympy's order of factors: quantities are printed behind letters."""
        return 2, 1, cls.__name__

    def _hashable_content(self) -> tuple:
        return (*super()._hashable_content(), self.key)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = self.template.replace("%t", "t")
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def values(self, run: Run) -> Array:
        """Array of shape (repeats, records), computed once for each run; float64 unless the run is wide."""
        if self not in run.cache:
            x = np.asarray(self.of(run), dtype=run.t.dtype)
            run.cache[self] = np.broadcast_to(x, (run.repeats, len(run.t)))
        return run.cache[self]

    def error(self, run: Run) -> Array:
        """Bound on the absolute rounding error of `values`."""
        relative = 16 * EPS * abs(self.values(run))
        return relative if self.rounding is None else relative + self.rounding(run)

    def at(self, where: str, of: Callable[[Array], Array]) -> Quantity:
        """The same quantity at another time: `where` is printed, `of` maps (repeats, records) to it."""
        there = Quantity(
            f"{self.name}_at_{where}",
            lambda run: of(self.values(run)),
            latex=self.template.replace("%t", where),
            rounding=lambda run: of(np.broadcast_to(self.error(run), (run.repeats, len(run.t)))),
        )
        there.key = (self.key, where)
        return there


def initial(q: Quantity) -> Quantity:
    """The quantity at step 0."""
    return q.at("0", lambda x: x[:, :1])


def previous(q: Quantity) -> Quantity:
    """The quantity at the record before; nan at the first."""
    return q.at("t-1", lambda x: np.concatenate([np.full_like(x[:, :1], np.nan), x[:, :-1]], axis=1))


def so_far(q: Quantity, reduce: np.ufunc) -> Quantity:
    """The running maximum or minimum (``np.maximum`` or ``np.minimum``) of a quantity over the records."""
    return q.at(r"\leq t", lambda x: reduce.accumulate(x, axis=1))


def evaluate(expr: Any, run: Run) -> Array:
    """The value of a sympy expression on a run, shape (repeats, records)."""
    symbols, f = _compiled(expr)
    values = [_resolve(s, run) for s in symbols]
    if is_wide(run.t):
        expr, symbols, values = _without_floats(expr, symbols, values)
        f = _function(expr, symbols)
    else:  # powers of Python's numbers raise an error where numpy's are infinite
        values = [np.float64(x) if isinstance(x, float) else x for x in values]
    with np.errstate(all="ignore"):
        x = np.asarray(f(*values), dtype=run.t.dtype)
    return np.broadcast_to(x if not is_wide(x) else wide(x), (run.repeats, len(run.t)))


def _function(expr: Any, symbols: list) -> Callable[..., Any]:
    return sympy.lambdify(symbols, expr, modules=["scipy", "numpy"])


@lru_cache(maxsize=4096)
def _compiled(expr: Any) -> tuple[list, Callable[..., Any]]:
    """The symbols of an expression, and the function of them: to make it takes longer than to judge a short run."""
    symbols = sorted(expr.free_symbols, key=str)
    return symbols, _function(expr, symbols)


_slope = lru_cache(maxsize=4096)(sympy.diff)


def _without_floats(expr: Any, symbols: list, values: list) -> tuple[Any, list, list]:
    """The expression with a symbol in place of every constant that Python would compute in float64."""
    constants = [c for c in expr.atoms(sympy.Rational, sympy.Float, sympy.NumberSymbol) if not c.is_Integer]
    names = {c: sympy.Dummy() for c in constants}
    numbers = [
        Number(Fraction(int(c.p), int(c.q))) if c.is_Rational else Number(sympy.N(c, 2 * DIGITS)._to_mpmath(240))
        for c in constants
    ]
    values = [x if isinstance(x, np.ndarray) else Number.of(x) for x in values]
    return expr.xreplace(names), [*symbols, *names.values()], values + numbers


def rounding_error(expr: Any, run: Run) -> Array:
    """Rounding error of the expression by linear propagation from the quantities in it, (repeats, records)."""
    total = 16 * EPS * abs(evaluate(expr, run))
    for q in expr.free_symbols:
        if isinstance(q, Quantity):
            with np.errstate(all="ignore"):
                total = total + abs(evaluate(_slope(expr, q), run)) * q.error(run)
    return np.nan_to_num(total, nan=0.0, posinf=0.0)


def _resolve(s: sympy.Symbol, run: Run) -> Any:
    if isinstance(s, Quantity):
        return s.values(run)
    if hasattr(run.alg, s.name):
        return _number(getattr(run.alg, s.name))
    if s.name in CLOCK:
        return run.t[None] if s.name != "dt" else np.diff(run.t, prepend=np.nan)[None]
    if hasattr(run.problem, s.name):
        return _number(getattr(run.problem, s.name))
    raise KeyError(f"{s.name} is neither a hyperparameter of {run.alg!r} nor a size of {run.problem!r}")


def _number(x: Any) -> Any:
    return x if is_wide(x) else float(x)


class _Printer(LatexPrinter):
    def _needs_mul_brackets(self, expr: Any, first: bool = False, last: bool = False) -> bool:
        """A quantity that is printed as a difference is one symbol to sympy, but a factor only in brackets."""
        if isinstance(expr, Quantity):
            return bool(re.search(r"[+-]", _outside_brackets(expr.template)))
        return super()._needs_mul_brackets(expr, first, last)


def _outside_brackets(tex: str) -> str:
    inside = re.compile(r"\{[^{}]*\}|\([^()]*\)|\[[^][]*\]|\\\|.*?\\\|")
    while (shorter := inside.sub("", tex)) != tex:
        tex = shorter
    return tex


def latex(expr: Any) -> str:
    """LaTeX of an expression: what is evaluated is what is printed."""
    return _Printer({"symbol_names": LATEX}).doprint(expr)
