"""The machinery of theorems: relations, slack, nan, statistics, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
import sympy

from mdptk import MDP, AssumptionViolated, Run, check
from mdptk.core.algorithm import Positive, Solver
from mdptk.theory import (
    Assumption,
    Asymptotic,
    Cite,
    Geometric,
    InExpectation,
    Quantity,
    Theorem,
    WithProbability,
    initial,
    previous,
    so_far,
    statistics,
)
from mdptk.theory.symbols import S, dt, eta, gamma, t
from mdptk.theory.theorem import Verdicts

HERE = Cite("puterman1994markov")


class X(NamedTuple):
    x: object


@dataclass(frozen=True)
class Toy(Solver):
    eta: Positive = 2.0
    sees: ClassVar[type] = MDP

    def init(self, problem):
        return X(np.zeros(()))

    def step(self, problem, state):
        return state


def made_up(x, t=None):
    x = np.asarray(x, dtype=float)
    return Run(
        Toy(), MDP([[[1.0]]], [[1.0]], 0.5), np.arange(x.shape[1], dtype=float) if t is None else t, {"x": x}, {}
    )


x = Quantity("x", lambda run: run["x"], latex="x_{%t}", trivial=10)


def theorem(lhs, rhs, **kw):
    return Theorem("toy", HERE, lhs, rhs, **kw)


def test_letters_are_resolved():
    th = theorem(x, S + 3 * gamma + eta / 2 + t, relation="=")
    assert th.check(made_up([[0.0, 4.5, 5.5]])).ok
    assert not th.check(made_up([[0.0, 4.5, 5.6]])).ok


def test_first_offence_is_named():
    verdict = theorem(x, 1).check(made_up([[9, 1, 1], [9, 0.5, 2]]))
    assert verdict.word == "VIOLATED"
    assert verdict.note == "repeat 1, t = 2: lhs 2, rhs 1"
    assert verdict.ratio == 2


def test_nan_is_a_failure():
    assert not theorem(x, 1).check(made_up([[0, np.nan]])).ok
    assert not theorem(x, 1, relation=">=").check(made_up([[2, np.nan]])).ok
    assert not theorem(x, x, relation="=").check(made_up([[0, np.nan]])).ok


def test_informative_and_vacuous():
    falling = made_up([[8.0, 4.0, 2.0]])
    assert theorem(x, 8 / (1 + t)).check(falling).informative
    assert not theorem(x, 9).check(falling).informative
    assert not theorem(x, 9).check(falling).vacuous
    assert theorem(x, 10).check(falling).vacuous


def test_slack_is_propagated_from_the_quantities():
    rough = Quantity("rough", lambda run: run["x"], latex="y", rounding=lambda run: 1e-3)
    assert theorem(100 * rough, 100).check(made_up([[0, 1 + 0.9e-3]])).ok
    assert theorem(100 * rough, 100).check(made_up([[0, 1 + 1.2e-3]])).undecided
    assert theorem(100 * rough, 100).check(made_up([[0, 1 + 12e-3]])).ok is False


def test_other_times():
    run = made_up([[4.0, 2.0, 3.0]])
    assert initial(x).values(run).tolist() == [[4, 4, 4]]
    assert previous(x).values(run)[0, 1:].tolist() == [4, 2]
    assert so_far(x, np.minimum).values(run).tolist() == [[4, 2, 2]]
    assert theorem(x, sympy.Rational(1, 2) ** dt * previous(x)).check(made_up([[4.0, 1.0]], np.array([0.0, 2.0]))).ok
    assert previous(x).template == "x_{t-1}"
    assert previous(x) == previous(x)
    assert previous(x) != initial(x)


def test_with_probability_counts_repeats():
    th = theorem(x, 0, holds=WithProbability(0.1))
    some = np.zeros((50, 2))
    some[:5, 1] = 1
    assert th.check(made_up(some)).ok
    some[:25, 1] = 1
    verdict = th.check(made_up(some))
    assert not verdict.ok
    assert verdict.note.startswith("25 of 50 repeats broke it, allowed 0.1")
    assert "would have noticed a failure rate of 0.35" in verdict.note
    assert verdict.p < 1e-4
    note = th.check(made_up(some[:2])).note
    assert "too few repeats to notice anything" in note
    needed, rate = re.search(r"(\d+) would notice a failure rate of ([\d.]+)", note).groups()
    assert float(rate) == 0.2  # twice as much as is allowed
    assert statistics.power(int(needed), 0.1, 0.2) >= 0.8 > statistics.power(int(needed) // 2, 0.1, 0.2)


def test_in_expectation_allows_single_runs_above():
    values = np.zeros((64, 2))
    values[::4, 1] = 3.0
    assert theorem(x, 1, holds=InExpectation()).check(made_up(values)).ok
    verdict = theorem(x, 0.1, holds=InExpectation()).check(made_up(values))
    assert not verdict.ok
    assert verdict.p < 1e-4
    assert "at some step the mean is at least 2.1 of the bound" in verdict.note
    assert np.isnan(theorem(x, 3).check(made_up(values)).p)


def test_order_only_is_reported_never_judged():
    steps = np.arange(100.0)
    th = theorem(x, 0, holds=Asymptotic(0.5), status="order-only", reason="constants unknown")
    verdict = th.check(made_up(np.sqrt(steps)[None]))
    assert verdict.ok is None
    assert verdict.word == "reported"
    assert verdict.note.startswith("fitted exponent 0.500")
    with pytest.raises(ValueError, match="without a reason"):
        theorem(x, 0, status="refuted")
    with pytest.raises(ValueError, match="order-only"):
        theorem(x, 0, holds=Asymptotic(0.5))
    with pytest.raises(ValueError, match="order-only"):
        theorem(x, 0, holds=Geometric())


def test_geometric_decrease_is_reported_never_judged():
    th = theorem(x, 0, holds=Geometric(), status="order-only", reason="constants unknown")
    verdict = th.check(made_up(0.9 ** np.arange(60.0)[None]))
    assert (verdict.ok, verdict.word) == (None, "reported")
    assert verdict.note.startswith("linear: y ~ 0.9^t")
    assert th.latex == r"x_{t} = O\left(q^t\right),\; q < 1"


def test_unmet_assumptions_raise():
    never = Assumption("the impossible", lambda alg, problem: f"eta = {alg.eta}")
    th = theorem(x, 1, assumes=(never,))
    with pytest.raises(AssumptionViolated, match=r"Toy.toy assumes the impossible: eta = 2.0"):
        th.check(made_up([[0, 0]]))
    with pytest.raises(AssumptionViolated, match="compares consecutive steps; the run has every = 2"):
        theorem(x, 1, consecutive=True).check(made_up([[0, 0]], np.array([0.0, 2.0])))
    with pytest.raises(AssumptionViolated, match="speaks of t >= 5"):
        theorem(x, 1, since=5).check(made_up([[0, 0]]))
    assert check(made_up([[0.0]])) == ()


def test_statement_is_printed_from_what_is_evaluated():
    assert theorem(x, gamma**t * initial(x)).latex == r"x_{t} \leq \gamma^{t} x_{0}"
    assert theorem(x, 1, holds=WithProbability(0.1)).latex == r"\Pr\left(\forall t:\; x_{t} \leq 1\right) \geq 0.9"
    assert theorem(x, 1, holds=InExpectation(), relation=">=").latex == r"\mathbb{E}\left[x_{t}\right] \geq 1"


def test_same_name_different_function_are_different_quantities():
    y = Quantity("x", lambda run: 2 * run["x"], latex="x_{%t}")
    assert x != y
    assert theorem(y, 2 * x, relation="=").check(made_up([[1.0, 3.0]])).ok


def test_verdicts_print_one_a_line_and_show_mathematics_in_a_notebook():
    verdicts = Verdicts([theorem(x, gamma**t * initial(x)).check(made_up([[1.0, 0.25]]))])
    assert str(verdicts) == "toy: holds, ratio 0.5, informative"
    assert r"$$x_{t} \leq \gamma^{t} x_{0}$$" in verdicts._repr_html_()
    assert str(Verdicts()) == "no theorems"
