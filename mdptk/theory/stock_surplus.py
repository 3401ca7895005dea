r"""What is measured of learners that play greedily for optimistic values of an empirical model: surpluses and regret.

A learner's state has ``Q[h, s, a]``, for which its policy is greedy, ``b[h, s, a]``, the bonus in Q, and
``N[s, a, s']``, the transitions seen at any stage. With :math:`V_{k,h} = \max_a Q_{k,h}` the surplus is what Q exceeds
its own true backup by, :math:`Q_{k,h} - r_h - P V_{k,h+1}`.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.exact import Truth
from mdptk.core.models import expect
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.symbols import H, K

# measured with the true model -----------------------------------------------------------------------------------


def _policy(state: Any) -> Any:
    return exact.greedy(state.Q)


def _values(Q: Any) -> Any:
    """V[h, s] with a last row of zeros."""
    V = Q.max(-1)
    return jnp.concatenate([V, jnp.zeros_like(V[:1])])


def _gap(truth: Truth, state: Any) -> Any:
    return exact.performance_gap(truth.problem, truth.optimum, _policy(state))


def _pessimism(truth: Truth, state: Any) -> Any:
    return (truth.optimum.v - _values(state.Q)).max()


def _surplus(truth: Truth, state: Any) -> Any:
    """How much Q exceeds its own true backup, ``Q - r - P V``, (H, S, A)."""
    problem = truth.problem
    return state.Q - problem.r - expect(problem.P, _values(state.Q)[1:], problem.A)


def _expected_surplus(truth: Truth, state: Any) -> Any:
    pi = _policy(state)
    return (exact.occupancy(truth.problem, pi)[..., None] * pi * _surplus(truth, state)).sum()


def _optimistic_gap(truth: Truth, state: Any) -> Any:
    return (truth.problem.rho * state.Q[0].max(-1)).sum() - exact.expected_return(truth.problem, _policy(state))


def _model_error(truth: Truth, state: Any) -> Any:
    """``|P^ - P|_1`` (S, A), where nothing was seen zero, and the visits."""
    n = state.N.sum(-1)
    error = abs(state.N / jnp.maximum(n, 1)[..., None] - truth.problem.P[0]).sum(-1)
    return jnp.where(n > 0, error, 0.0), n


def _surplus_excess(truth: Truth, state: Any) -> Any:
    error, n = _model_error(truth, state)
    left = jnp.arange(len(state.Q), 0, -1.0)[:, None, None]  # H - h + 1
    return (_surplus(truth, state) - jnp.where(n > 0, state.b + (left - 1) / 2 * error, left)).max()


def _deviation(truth: Truth, state: Any) -> Any:
    """What the deviation of the empirical model says about log(1 / delta), by Weissman's inequality."""
    error, n = _model_error(truth, state)
    m = jnp.maximum(n, 1)
    return (m * error**2 / 2 - error.shape[0] * jnp.log(2.0) - jnp.log(error.size * m * (m + 1))).max()


MEASURES = (
    Measure("regret", _gap, "sum"),
    Measure("optimistic_gap", _optimistic_gap, "sum"),
    Measure("total_surplus", _expected_surplus, "sum"),
    Measure("pessimism", _pessimism, "max"),
    Measure("surplus_excess", _surplus_excess, "max"),
    Measure("deviation", _deviation, "max"),
)

# of runs --------------------------------------------------------------------------------------------------------


def _rounding(run: Run) -> float:
    """Of an optimistic value: it is of size H even where all rewards are zero."""
    return 8 * EPS * run.problem.H**2 * max(1.0, float(abs(run.problem.r).max()))


def _summed_rounding(run: Run) -> Any:
    return run.t * 4 * run.problem.H * _rounding(run)


regret = Quantity(
    "regret",
    lambda run: run["regret"],
    latex=r"\sum_{k<K} \left(V^*_1 - V^{\pi_k}_1\right)(\rho)",
    trivial=H * K,
    rounding=_summed_rounding,
)
total_surplus = Quantity(
    "total_surplus",
    lambda run: run["total_surplus"],
    latex=r"\sum_{k<K} \mathbb{E}^{\pi_k} \sum_h (Q_{k,h} - r_h - P V_{k,h+1})(s_h, a_h)",
    rounding=_summed_rounding,
)
optimistic_gap = Quantity(
    "optimistic_gap",
    lambda run: run["optimistic_gap"],
    latex=r"\sum_{k<K} \left(V_{k,1} - V^{\pi_k}_1\right)(\rho)",
    rounding=_summed_rounding,
)
pessimism = Quantity(
    "pessimism",
    lambda run: run["pessimism"],
    latex=r"\max_{k \leq K, h, s} (V^*_h - V_{k,h})(s)",
    rounding=_rounding,
)
surplus_excess = Quantity(
    "surplus_excess",
    lambda run: run["surplus_excess"],
    latex=r"\max_{k \leq K, h, s, a} \left(Q_{k,h} - r_h - P V_{k,h+1} - b_{k,h}"
    r" - \tfrac{H-h}{2} \|\hat P_k - P\|_1\right)(s, a)",
    rounding=_rounding,
)
deviation = Quantity(
    "deviation",
    lambda run: run["deviation"],
    latex=r"\max_{k \leq K, s, a} \left(\tfrac{n}{2} \|\hat P_k - P\|_1^2 - S \log 2 - \log(SA\,n(n+1))\right)",
)
