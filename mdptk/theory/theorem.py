"""A theorem as an object: a statement that is printed, evaluated on a run, and judged."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np
import sympy

from mdptk.core.errors import AssumptionViolated, MdptkError
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import rates, statistics
from mdptk.theory.again import again
from mdptk.theory.quantity import EPS, Quantity, evaluate, latex, rounding_error

REPEATS_AGAIN = 8  # models of a batch that are judged again
DOUBT = 10  # a violation of a few times the slack is not called one: the slack may be that much too small


@dataclass(frozen=True)
class Cite:
    """Where a statement comes from: a key of references.bib and the place in the text."""

    key: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.key}, {self.where}" if self.where else self.key


@dataclass(frozen=True, eq=False)
class Assumption:
    """What a theorem asks of an algorithm and a problem.

    Parameters
    ----------
    text
        One line for people; may hold LaTeX between dollar signs.
    test
        Function of (alg, problem) that returns None if it is met, otherwise what is wrong, with the value.
    """

    text: str
    test: Callable[[Any, Any], str | None]


@dataclass(frozen=True, eq=False)
class Start:
    """The states from which a theorem holds, where they are more than the one that `init` returns.

    Parameters
    ----------
    text
        One line for people; may hold LaTeX between dollar signs.
    free
        Function of a state: the array of numbers in it that may be chosen.
    state
        Function of (alg, problem, free numbers) that makes the state, whatever real numbers they are.
    """

    text: str
    free: Callable[[Any], Any]
    state: Callable[[Any, Any, Any], Any]

    def unmet(self, alg: Any, problem: Any, given: Any) -> str:
        """What is wrong with the state `given`; empty if it is one of them."""
        made = self.state(alg, problem, self.free(given))
        for name, x, y in zip(given._fields, given, made, strict=True):
            if not np.allclose(x, y, rtol=16 * EPS, atol=16 * EPS):
                return f"holds from {self.text}: start.{name} does not belong to the rest of the state"
        return ""


@dataclass(frozen=True)
class Always:
    """The statement holds for every run, at every step."""

    text = "always"


@dataclass(frozen=True)
class WithProbability:
    """The statement holds at all steps at once with probability at least 1 - delta.

    `delta` is a sympy expression or a number; judged by an exact binomial test over the repeats.
    """

    delta: Any
    text = "with high probability"

    @property
    def level(self) -> str:
        """One minus delta in LaTeX, in this order."""
        delta = sympy.sympify(self.delta)
        return latex(1 - delta) if delta.is_number or delta.is_Add else f"1 - {latex(delta)}"


@dataclass(frozen=True)
class InExpectation:
    """The statement bounds an expectation over runs, of a non-negative left side, at each step.

    Judged by betting against it: see `mdptk.theory.statistics.mean_exceeds`.
    """

    text = "in expectation"


@dataclass(frozen=True)
class Asymptotic:
    """The left side grows like t to the power `exponent`, up to constants that nobody stated. Never a bound."""

    exponent: float
    text = "asymptotically"


@dataclass(frozen=True)
class Geometric:
    """The left side falls geometrically, with a factor and from a step on that nobody stated. Never a bound."""

    text = "asymptotically"


Holds = Always | WithProbability | InExpectation | Asymptotic | Geometric


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """What a theorem's check found on a run.

    Attributes
    ----------
    ok
        Whether the statement held; None if it was only reported (order-only), does not apply, or is undecided.
    ratio
        Largest lhs / rhs seen where the right side is above the slack: 1 is tight. nan if the right side is zero.
    informative
        Whether the same run, frozen at step 0, would have broken the statement.
    vacuous
        Whether the bound was above the trivial one at every step tested.
    slack
        Largest rounding error that was allowed for.
    note
        First offending repeat and step, test and p-value, what the test could have noticed, or why it does not apply.
    p
        p-value of a statistical statement, to be corrected where there are several; nan if nothing was drawn by lot.
    undecided
        Whether it is broken, nowhere by more than `DOUBT` times the slack, and could not be judged in wider numbers
        (`mdptk.theory.again`; the note says why). A slack is an estimate: float64 cannot tell a violation of that size
        from rounding.
    applies
        Whether the run meets the assumptions.
    """

    theorem: Theorem
    ok: bool | None
    ratio: float
    informative: bool
    vacuous: bool
    slack: float
    note: str = ""
    p: float = float("nan")
    undecided: bool = False
    applies: bool = True

    @property
    def word(self) -> str:
        """The verdict in a word: holds, VIOLATED, undecided, reported or n/a."""
        if not self.applies:
            return "n/a"
        if self.undecided:
            return "undecided"
        if self.ok is None:
            return "reported" if self.theorem.order_only else "n/a"
        return "holds" if self.ok else "VIOLATED"

    def __repr__(self) -> str:
        says = "vacuous" if self.vacuous else "informative" if self.informative else "silent"
        of = f" ({self.theorem.iterate} iterate)" if self.theorem.iterate else ""
        return f"{self.theorem.name}{of}: {self.word}, ratio {self.ratio:.3g}, {says}" + (
            f" ({self.note})" if self.note else ""
        )

    def _repr_html_(self) -> str:
        return f"<p>$${escape(self.theorem.latex)}$$</p><p>{escape(str(self))}</p>"


class Verdicts(tuple[Verdict, ...]):
    """The verdicts of a run, which print one a line and show their statements in a notebook."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "no theorems"

    def _repr_html_(self) -> str:
        return "".join(v._repr_html_() for v in self)


@dataclass(frozen=True, eq=False)
class Theorem:
    """A statement about every run of an algorithm that meets the assumptions.

    Parameters
    ----------
    name
        What people call it; unique within an algorithm.
    cite
        Source of exactly this statement.
    lhs, rhs
        Sympy expressions over the symbols of `mdptk.theory.symbols`, hyperparameters and quantities.
    assumes
        Assumptions; checking a run that does not meet them raises.
    relation
        How lhs and rhs compare.
    holds
        In which sense.
    status
        "proved"; "order-only" (constants unknown, never judged as a bound); "disputed"; "refuted".
    reason
        Why it is not simply proved, or where its constants come from.
    since
        First step that the statement speaks about.
    consecutive
        Whether it compares a step with the one before, so that a thinned run cannot be judged.
    silent
        Why a run that never moves satisfies it nevertheless, if so: what the statement is good for then.
    proof
        File under ``proofs/`` whose last line is `rhs`.
    iterate
        Which of its policies it speaks about, where an algorithm is judged by more than one: the "last", the "average"
        of those so far (in occupancy space: their mixture), or the "best" so far. Verdicts name it.
    starts
        The states from which it holds; None if it holds only from the one that `init` returns.
    counterexample
        Function that makes a run on which the statement is violated; of a refuted or disputed one.
    """

    name: str
    cite: Cite
    lhs: Any
    rhs: Any
    assumes: tuple[Assumption, ...] = ()
    relation: Literal["<=", ">=", "="] = "<="
    holds: Holds = field(default_factory=Always)
    status: Literal["proved", "order-only", "disputed", "refuted"] = "proved"
    reason: str = ""
    since: int = 1
    consecutive: bool = False
    silent: str = ""
    proof: str = ""
    iterate: Literal["last", "average", "best"] | None = None
    starts: Start | None = None
    counterexample: Callable[[], Run] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lhs", sympy.sympify(self.lhs))
        object.__setattr__(self, "rhs", sympy.sympify(self.rhs))
        if self.status != "proved" and not self.reason:
            raise ValueError(f"theorem {self.name!r} is {self.status} without a reason")
        if (self.status == "order-only") != self.order_only:
            raise ValueError(
                f"theorem {self.name!r}: order-only statements, and only they, are Asymptotic or Geometric"
            )
        if self.counterexample and self.status not in ("refuted", "disputed"):
            raise ValueError(f"theorem {self.name!r} is {self.status} and has a counterexample")

    @property
    def order_only(self) -> bool:
        """Whether it is reported and never judged, for lack of constants."""
        return isinstance(self.holds, Asymptotic | Geometric)

    @property
    def slug(self) -> str:
        """The name with hyphens, as in ``mdptk show NPG.global-convergence``."""
        return self.name.replace(" ", "-")

    @property
    def latex(self) -> str:
        """The statement in LaTeX, from the expressions that are evaluated."""
        sign = {"<=": r"\leq", ">=": r"\geq", "=": "="}[self.relation]
        match self.holds:
            case WithProbability() as sense:
                clock = "K" if re.search(r"\bK\b", latex(self.lhs) + latex(self.rhs)) else "t"
                return (
                    rf"\Pr\left(\forall {clock}:\; {latex(self.lhs)} {sign} {latex(self.rhs)}\right) \geq {sense.level}"
                )
            case InExpectation():
                return rf"\mathbb{{E}}\left[{latex(self.lhs)}\right] {sign} {latex(self.rhs)}"
            case Asymptotic(exponent):
                return rf"{latex(self.lhs)} = \tilde O\left(t^{{{exponent:g}}}\right)"
            case Geometric():
                return rf"{latex(self.lhs)} = O\left(q^t\right),\; q < 1"
            case _:
                return f"{latex(self.lhs)} {sign} {latex(self.rhs)}"

    def unmet(self, alg: Any, problem: Any, start: Any = None) -> str:
        """What is wrong with `alg` on `problem` from `start` in view of the assumptions; empty if all are met."""
        for assumption in self.assumes:
            wrong = assumption.test(alg, problem)
            if wrong is not None:
                return f"assumes {assumption.text}: {wrong}"
        if start is None:
            return ""
        return self.starts.unmet(alg, problem, start) if self.starts else "speaks of runs that begin where init does"

    def sides(self, run: Run) -> tuple[Array, Array]:
        """Left and right side on a run, each of shape (repeats, records)."""
        return evaluate(self.lhs, run), evaluate(self.rhs, run)

    def slack(self, run: Run) -> Array:
        """Rounding error of ``rhs - lhs``, shape (repeats, records)."""
        return rounding_error(self.lhs, run) + rounding_error(self.rhs, run)

    def violations(self, run: Run) -> Array:
        """Where the statement fails by more than rounding, (repeats, records); nan fails."""
        lhs, rhs = self.sides(run)
        return self._broken(lhs, rhs, self.slack(run)) & (run.t >= self.since)

    def _broken(self, lhs: Array, rhs: Array, slack: Array) -> Array:
        with np.errstate(invalid="ignore"):
            match self.relation:
                case "<=":
                    return ~(lhs <= rhs + slack)
                case ">=":
                    return ~(lhs >= rhs - slack)
                case _:
                    return ~(abs(lhs - rhs) <= slack)

    def check(self, run: Run) -> Verdict:
        """Judge the statement on a run.

        Raises
        ------
        AssumptionViolated
            If the run does not meet the assumptions: a theorem does not hold by not applying.
        """
        if wrong := self.unmet(run.alg, run.problem, run.start):
            raise AssumptionViolated(f"{type(run.alg).__name__}.{self.slug} {wrong}")
        if self.consecutive and run.every != 1:
            raise AssumptionViolated(f"{self.name} compares consecutive steps; the run has every = {run.every}")
        judged = run.t >= self.since
        if not judged.any():
            raise AssumptionViolated(f"{self.name} speaks of t >= {self.since}; the run has {run.steps} steps")
        lhs, rhs = (x[:, judged] for x in self.sides(run))
        slack = self.slack(run)[:, judged]
        if isinstance(self.holds, Geometric):
            note = repr(rates.rate(run.t[judged], abs(lhs), floor=float(slack.max())))
            return Verdict(self, None, float("nan"), False, False, 0.0, note)
        if isinstance(self.holds, Asymptotic):
            return self._report_exponent(run, lhs[:, :], run.t[judged])
        ok, note, p = self._judge(run, lhs, rhs, slack, run.t[judged])
        return Verdict(
            theorem=self,
            ok=ok,
            ratio=self._ratio(lhs, rhs, slack),
            informative=self._informative(run),
            vacuous=self._vacuous(run, rhs, judged),
            slack=float(slack.max()),
            note=note,
            p=p,
            undecided=ok is None,
        )

    def repeats_needed(self, run: Run, worse: float, probability: float = 0.8) -> int:
        """How many repeats of `run` it takes until `check` notices that the statement is false.

        Parameters
        ----------
        worse
            How false it is to be. With probability: the rate at which repeats break it, above the `delta` allowed. In
            expectation: how many times the bound the left side is in each repeat, above 1.
        probability
            With which a failure rate is to be noticed; a left side in expectation is noticed for certain.

        Raises
        ------
        ValueError
            If nothing is drawn by lot, or `worse` is not worse than what is allowed.

        Examples
        --------
        >>> from mdptk import registry, run
        >>> from mdptk.problems.teaching import coins
        >>> cls, theorem = registry.theorem("UCBVI.optimism")
        >>> theorem.repeats_needed(run(cls(), coins().episodic(2), 0), worse=0.3)
        73
        """
        if isinstance(self.holds, WithProbability):
            delta = float(evaluate(sympy.sympify(self.holds.delta), run).max())
            return statistics.repeats_needed(delta, worse, probability)
        if not isinstance(self.holds, InExpectation):
            raise ValueError(f"{self.name!r} holds {self.holds.text}: one run can refute it, or none")
        if not worse > 1:
            raise ValueError(f"a left side of {worse:g} times the bound does not break {self.name!r}")
        return statistics.bets_needed(worse)

    def _judge(self, run: Run, lhs: Array, rhs: Array, slack: Array, t: Array) -> tuple[bool | None, str, float]:
        """(whether it held or None if rounding decides, a note, the p-value if there is one)."""
        if isinstance(self.holds, InExpectation):
            if np.isnan(lhs).any() or np.isnan(rhs).any():
                return False, "nan", 0.0
            bound = (rhs + slack).mean(0)
            p = statistics.mean_exceeds(lhs, bound)
            least = statistics.mean_at_least(lhs, bound)
            note = f"{run.repeats} repeats, p = {p:.2g}; at some step the mean is at least {least:.2g} of the bound"
            return p > statistics.SIGNIFICANCE, note, p
        broken = self._broken(lhs, rhs, slack)
        repeat, k = (int(i[0]) if len(i) else -1 for i in np.nonzero(broken))
        where = f"repeat {repeat}, t = {t[k]:g}: lhs {lhs[repeat, k]:.6g}, rhs {rhs[repeat, k]:.6g}"
        if isinstance(self.holds, WithProbability):
            failures, n = int(broken.any(1).sum()), len(broken)
            delta = float(evaluate(sympy.sympify(self.holds.delta), run).max())
            p = statistics.binomial_p_value(failures, n, delta)
            note = f"{failures} of {n} repeats broke it, allowed {delta:.3g}, p = {p:.2g}; {_power(n, delta)}"
            return p > statistics.SIGNIFICANCE, note + (f"; first: {where}" if failures else ""), p
        if not broken.any():
            return True, "", float("nan")
        if self._broken(lhs, rhs, DOUBT * slack).any():
            return False, where, float("nan")
        ok, how = self._judge_again(run, np.flatnonzero(broken.any(1)))
        return ok, f"broken within {DOUBT} times the rounding error; {how}; {where}", float("nan")

    def _judge_again(self, run: Run, repeats: Array) -> tuple[bool | None, str]:
        """(whether it holds in wider numbers on all of these repeats, how that was found)."""
        found = [again(self, run, int(repeat)) for repeat in repeats[:REPEATS_AGAIN]]
        broken, unknown = ([x for x in found if x.ok is ok] for ok in (False, None))
        if broken:
            return False, f"judged again in {broken[0].how}: broken by {broken[0].excess:.3g}"
        if unknown or len(found) < len(repeats):
            why = unknown[0].how if unknown else f"{len(repeats)} models are too many to judge again"
            return None, f"it cannot be judged in wider numbers ({why})"
        return True, f"judged again in {' and '.join(dict.fromkeys(x.how for x in found))}: it holds"

    def _ratio(self, lhs: Array, rhs: Array, slack: Array) -> float:
        if isinstance(self.holds, InExpectation):
            lhs, rhs, slack = (x.mean(0, keepdims=True) for x in (lhs, rhs, slack))
        small, large = (rhs, lhs) if self.relation == ">=" else (lhs, rhs)
        counts = (large > 100 * slack) & np.isfinite(large)
        if not counts.any():
            return float("nan")
        with np.errstate(all="ignore"):
            return float((small[counts] / large[counts]).max())

    def _informative(self, run: Run) -> bool:
        broken = self.violations(run.frozen())
        if isinstance(self.holds, InExpectation):
            lhs, rhs = (x[:, run.t >= self.since] for x in self.sides(run.frozen()))
            return bool((lhs.mean(0) > rhs.mean(0)).any())
        return bool(broken.any())

    def _vacuous(self, run: Run, rhs: Array, judged: Array) -> bool:
        if not (isinstance(self.lhs, Quantity) and self.lhs.trivial is not None and self.relation == "<="):
            return False
        return bool((rhs >= evaluate(self.lhs.trivial, run)[:, judged] * (1 - 1e-12)).all())

    def _report_exponent(self, run: Run, lhs: Array, t: Array) -> Verdict:
        fit = rates.power_law(t, lhs)
        low, high = fit.interval
        note = f"fitted exponent {fit.exponent:.3f} in [{low:.3f}, {high:.3f}], stated {self.holds.exponent:g}"  # type: ignore[union-attr]
        where = f"; t in [{fit.window[0]:g}, {fit.window[1]:g}]" + (f", {fit.note}" if fit.note else "")
        return Verdict(self, None, float("nan"), False, False, 0.0, note + where)


def _power(repeats: int, delta: float) -> str:
    """What the test could have noticed; if nothing, how many repeats would notice twice as much as is allowed."""
    rate = statistics.detectable(repeats, delta)
    if not np.isnan(rate):
        return f"would have noticed a failure rate of {rate:.2g}"
    wanted = min(max(2 * delta, 0.01), (1 + delta) / 2)
    needed = statistics.repeats_needed(delta, wanted)
    return f"too few repeats to notice anything: {needed} would notice a failure rate of {wanted:.2g}"


def applicable(alg: Any, problem: Any, start: Any = None) -> Theorem:
    """The first theorem of an algorithm that applies to a problem.

    Raises
    ------
    MdptkError
        If none does, with the reason of each.
    """
    reasons = {theorem: theorem.unmet(alg, problem, start) for theorem in type(alg).theorems}
    for theorem, why in reasons.items():
        if not why:
            return theorem
    listed = "".join(f"\n  {theorem.name}: {why}" for theorem, why in reasons.items())
    raise MdptkError(f"no theorem of {type(alg).__name__} applies to {problem!r}{listed}")


def check(run: Run, *, skip_unmet: bool = False) -> Verdicts:
    """Judge every theorem of the run's algorithm.

    Parameters
    ----------
    run
        What `mdptk.run` returned.
    skip_unmet
        Report a theorem whose assumptions are not met as "n/a", with the reason, in place of raising.

    Raises
    ------
    AssumptionViolated
        If the run does not meet the assumptions of a theorem.
    """
    verdicts = []
    for theorem in type(run.alg).theorems:
        wrong = theorem.unmet(run.alg, run.problem, run.start) if skip_unmet else ""
        verdicts.append(
            Verdict(theorem, None, float("nan"), False, False, 0.0, wrong, applies=False)
            if wrong
            else theorem.check(run)
        )
    return Verdicts(verdicts)
