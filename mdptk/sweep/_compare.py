"""Theorems side by side: each method with its own step and its own bound, on one problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from mdptk.core.algorithm import Algorithm
from mdptk.core.errors import MdptkError
from mdptk.core.models import Array, Model
from mdptk.core.run import Run, run
from mdptk.theory import RateFit, Theorem, Verdict, rates
from mdptk.theory.quantity import Quantity, evaluate, latex
from mdptk.theory.theorem import applicable


@dataclass(frozen=True, eq=False)
class Line:
    """One theorem on one run.

    Attributes
    ----------
    lhs, rhs
        Means of the sides over the repeats, at each record from the theorem's first step on.
    slack
        Rounding error that is allowed for, at each of them.
    fit
        The rate at which the left side falls (or grows), measured above the rounding error.
    """

    theorem: Theorem
    run: Run
    verdict: Verdict
    t: Array
    lhs: Array
    rhs: Array
    slack: Array
    fit: RateFit

    @property
    def name(self) -> str:
        """The method's name."""
        return type(self.run.alg).__name__

    @property
    def constants(self) -> dict[str, float]:
        """What the right side is made of and does not change during the run, as it is printed, with its value."""
        found = {}
        for symbol in sorted(self.theorem.rhs.free_symbols, key=str):
            x = evaluate(symbol, self.run)
            if (isinstance(symbol, Quantity) or hasattr(self.run.alg, symbol.name)) and (x == x[:1, :1]).all():
                found[latex(symbol)] = float(x[0, 0])
        return found


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The lines of `compare`; prints as a table, and as one with formulas in a notebook."""

    problem: Model
    steps: int
    lines: tuple[Line, ...]

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, name: str) -> Line:
        """The first line of the method of that name."""
        for line in self:
            if line.name == name:
                return line
        raise MdptkError(f"no method {name!r} among {', '.join(line.name for line in self)}")

    def __repr__(self) -> str:
        rows = [("method", "theorem", f"left at {self.steps}", "right", "ratio", "", "measured")]
        rows += [
            (repr(line.run.alg), line.theorem.slug, f"{line.lhs[-1]:.3g}", f"{line.rhs[-1]:.3g}", *_said(line))
            for line in self
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        heads = ("method", "right side", "constants", f"left at {self.steps}", "right", "ratio", "", "measured")
        body = "".join(
            f"<tr><td>{escape(repr(line.run.alg))}</td><td>$\\displaystyle {escape(latex(line.theorem.rhs))}$</td><td>"
            + "<br>".join(f"${escape(name)}$ = {x:.4g}" for name, x in line.constants.items())
            + f"</td><td>{line.lhs[-1]:.3g}</td><td>{line.rhs[-1]:.3g}</td>"
            + "".join(f"<td>{escape(x)}</td>" for x in _said(line))
            + "</tr>"
            for line in self
        )
        return f"<table><tr>{''.join(f'<th>{escape(x)}</th>' for x in heads)}</tr>{body}</table>"


def _said(line: Line) -> tuple[str, str, str]:
    ratio = "" if np.isnan(line.verdict.ratio) else f"{line.verdict.ratio:.3g}"
    fit = line.fit
    value = f" {fit.value:.3g} in [{fit.interval[0]:.3g}, {fit.interval[1]:.3g}]" if np.isfinite(fit.value) else ""
    return ratio, line.verdict.word, fit.kind + value


def compare(
    statements: Iterable[tuple[Algorithm, Theorem] | Algorithm], problem: Model, steps: int, **options: Any
) -> Comparison:
    """Run each algorithm on the problem, with both sides of its theorem, the verdict and the rate that is measured.

    Parameters
    ----------
    statements
        Pairs of an algorithm and one of its theorems; for an algorithm alone, the first of its theorems that applies.
    **options
        Of `run`, such as ``repeats`` and ``seed`` for learners.

    Raises
    ------
    MdptkError
        If no theorem of an algorithm applies to the problem.
    AssumptionViolated
        If the one that was asked for does not.
    """
    lines = []
    for statement in statements:
        alg, theorem = statement if isinstance(statement, tuple) else (statement, None)
        result = run(alg, problem, steps, **options)
        theorem = theorem or applicable(alg, problem, result.start)
        verdict = theorem.check(result)
        since = result.t >= theorem.since
        lhs, rhs, slack = (x[:, since] for x in (*theorem.sides(result), theorem.slack(result)))
        fit = rates.rate(result.t[since], lhs, floor=float(slack.max()))
        lines.append(Line(theorem, result, verdict, result.t[since], lhs.mean(0), rhs.mean(0), slack.mean(0), fit))
    return Comparison(problem, steps, tuple(lines))
