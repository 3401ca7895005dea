r"""What is measured of optimistic learners on one stream of average reward, which plan anew episode by episode.

A learner's state has `s`, where the stream is; ``N[s, a, s']``, the transitions seen, and ``v[s, a]``, the visits in
this episode; ``pi[s]``, the actions of this episode, ``u[s]``, the values that they are greedy for, and `g`, the
largest increment of these values; and `k`, the episodes begun.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from mdptk.core.algorithm import Measure
from mdptk.core.exact import Truth
from mdptk.core.run import Run
from mdptk.core.structure import classify, diameter
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.symbols import t
from mdptk.theory.theorem import Assumption

# measured with the true model -----------------------------------------------------------------------------------


def _loss(truth: Truth, state: Any) -> Any:
    return truth.optimum.g.max() - truth.problem.r[state.s, state.pi[state.s]]


def _gap(truth: Truth, state: Any) -> Any:
    q = truth.optimum.q[state.s]
    return q.max() - q[state.pi[state.s]]


def before(state: Any) -> Any:
    """Visits before this episode, at least 1."""
    return jnp.maximum(1.0, state.N.sum(-1) - state.v)


def _deviation(truth: Truth, state: Any) -> Any:
    n = state.N.sum(-1)
    P = truth.problem.P / truth.problem.P.sum(-1, keepdims=True)
    error = jnp.where(n > 0, abs(state.N / jnp.maximum(n, 1)[..., None] - P).sum(-1), 0.0)
    return (n * error**2 / (14 * n.shape[0])).max() - jnp.log(n.sum() + 1)


MEASURES = (
    Measure("regret", _loss, "sum"),
    Measure("gaps", _gap, "sum"),
    Measure("pessimism", lambda truth, x: truth.optimum.g.max() - x.g, "max"),
    Measure("span", lambda truth, x: x.u.max() - x.u.min(), "max"),
    Measure("episodes", lambda truth, x: x.k),
    Measure("widths", lambda truth, x: 1 / jnp.sqrt(before(x)[x.s, x.pi[x.s]]), "sum"),
    Measure("roots", lambda truth, x: jnp.sqrt(x.N.sum(-1)).sum()),
    Measure("deviation", _deviation, "max"),
)

# of runs --------------------------------------------------------------------------------------------------------


def _gain_rounding(run: Run) -> float:
    """Of the optimal gain: the bias says how much an error in a row of P can cost."""
    return 64 * EPS * run.problem.S * (1 + float(abs(run.truth.optimum.h).max()))


def _plan_rounding(run: Run) -> Any:
    """Of values that grow by at most 1 in each sweep, of which there are fewer than steps."""
    return 64 * EPS * (1 + run.t)


diameters = Quantity(
    "diameter",
    lambda run: diameter(run.problem),
    latex="D",
    rounding=lambda run: 64 * EPS * run.problem.S * diameter(run.problem) ** 2,
)
regret = Quantity(
    "regret",
    lambda run: run["regret"],
    latex=r"\sum_{k<%t} (g^* - r(s_k, a_k))",
    trivial=t,
    rounding=lambda run: run.t * _gain_rounding(run),
)
pessimism = Quantity(
    "pessimism",
    lambda run: run["pessimism"],
    latex=r"\max_{k \leq %t} \left(g^* - \max_s (u_{i+1} - u_i)(s)\right)",
    rounding=lambda run: _gain_rounding(run) + _plan_rounding(run),
)
span = Quantity("span", lambda run: run["span"], latex=r"\max_{k \leq %t} \mathrm{span}(u_i)", rounding=_plan_rounding)
episodes = Quantity("episodes", lambda run: run["episodes"], latex=r"k(%t)")
widths = Quantity(
    "widths",
    lambda run: run["widths"],
    latex=r"\sum_{k} \sum_{s,a} \frac{v_k(s, a)}{\sqrt{\max\{1, N_k(s, a)\}}}",
    rounding=lambda run: EPS * run.t**2,
)
roots = Quantity("roots", lambda run: run["roots"], latex=r"\sum_{s,a} \sqrt{N_{%t}(s, a)}")
deviation = Quantity(
    "deviation",
    lambda run: run["deviation"],
    latex=r"\max_{k \leq %t} \left(\max_{s,a} \tfrac{N_k(s,a)}{14 S} \|\hat p_k - p\|_1^2 - \log(k+1)\right)",
)

communicating = Assumption(
    "a communicating model", lambda alg, problem: None if classify(problem).communicating else classify(problem).kind
)
