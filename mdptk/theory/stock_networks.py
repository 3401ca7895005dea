r"""What is judged at every step of a learner whose policy is a network: with the true model, by the exact kernel.

States have the fields `net` and `old`, the parameters after and before the last step, `Phi`, the features, and `g`, the
direction that was estimated at `old`. At step 0 both are the same and g is zero.
"""

from __future__ import annotations

from typing import Any

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.networks import log_policy
from mdptk.theory.quantity import Quantity
from mdptk.theory.stock import value_rounding
from mdptk.theory.theorem import Cite, Theorem


def _new(x: Any) -> Any:
    return exact.namespace(x.Phi).exp(log_policy(x.net, x.Phi))


def _old(x: Any) -> Any:
    return exact.namespace(x.Phi).exp(log_policy(x.old, x.Phi))


def _gap(truth: exact.Truth, x: Any) -> Any:
    return exact.performance_gap(truth.problem, truth.optimum, _new(x))


def _gain(truth: exact.Truth, x: Any) -> Any:
    return exact.expected_return(truth.problem, _new(x)) - exact.expected_return(truth.problem, _old(x))


def _difference(truth: exact.Truth, x: Any, visits: Any) -> Any:
    r""":math:`\frac{1}{1-\gamma} \sum_s d(s) \langle \pi'(\cdot|s), A^\pi(s, \cdot) \rangle`, d that of `visits`."""
    mdp = truth.problem
    d = exact.occupancy(mdp, visits)
    return (d[:, None] * _new(x) * exact.advantage(mdp, _old(x))).sum() / (1 - mdp.gamma)


def _least_gain(truth: exact.Truth, x: Any, square: Any) -> Any:
    mdp = truth.problem
    epsilon = abs(exact.advantage(mdp, _old(x))).max()
    return _difference(truth, x, _old(x)) - 4 * epsilon * mdp.gamma / (1 - mdp.gamma) ** 2 * square


def _max_tv(x: Any) -> Any:
    return (abs(_new(x) - _old(x)).sum(-1) / 2).max()


def _max_kl(truth: exact.Truth, x: Any) -> Any:
    return (_old(x) * (log_policy(x.old, x.Phi) - log_policy(x.net, x.Phi))).sum(-1).max()


def _ratio(x: Any) -> Any:
    return exact.namespace(x.Phi).exp(log_policy(x.net, x.Phi) - log_policy(x.old, x.Phi))


def true_gradient(problem: Any, net: Any, Phi: Any) -> Any:
    r""":math:`\nabla_\theta V^{\pi_\theta}(\rho)` by differentiating the exact value, a Network."""
    import jax
    import jax.numpy as jnp

    return jax.grad(lambda net: exact.expected_return(problem, jnp.exp(log_policy(net, Phi))))(net)


def _gradient_error(truth: exact.Truth, x: Any) -> Any:
    g = true_gradient(truth.problem, x.old, x.Phi)
    return sum(((a - b) ** 2).sum() for a, b in zip(x.g, g, strict=True))


NETWORK_MEASURES = (
    Measure("gap", _gap),
    Measure("gain", _gain),
    Measure("difference", lambda truth, x: _difference(truth, x, _new(x))),
    Measure("least_gain", lambda truth, x: _least_gain(truth, x, _max_tv(x) ** 2)),
    Measure("least_gain_kl", lambda truth, x: _least_gain(truth, x, _max_kl(truth, x))),
    Measure("max_kl", _max_kl),
)
MAX_RATIO = Measure("max_ratio", lambda truth, x: _ratio(x).max())
GRADIENT_ERROR = Measure("gradient_error", _gradient_error)


def _rounding(run: Any) -> float:
    return 4 * value_rounding(run) / (1 - run.problem.gamma)


gain = Quantity(
    "gain",
    lambda run: run["gain"],
    latex=r"V^{\pi_{%t}}(\rho) - V^{\pi_{%t-1}}(\rho)",
    rounding=_rounding,
)
difference = Quantity(
    "difference",
    lambda run: run["difference"],
    latex=r"\tfrac{1}{1-\gamma}\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}"
    r"\langle \pi_{%t}(\cdot|s), A^{\pi_{%t-1}}(s, \cdot)\rangle",
    rounding=_rounding,
)
least_gain = Quantity(
    "least_gain",
    lambda run: run["least_gain"],
    latex=r"\tfrac{1}{1-\gamma}\mathbb{E}_{s\sim d^{\pi_{%t-1}}_\rho}"
    r"\langle \pi_{%t}(\cdot|s), A^{\pi_{%t-1}}(s, \cdot)\rangle"
    r" - \tfrac{4\gamma}{(1-\gamma)^2} \|A^{\pi_{%t-1}}\|_\infty \max_s D_{TV}(\pi_{%t-1}, \pi_{%t})^2",
    rounding=_rounding,
)
least_gain_kl = Quantity(
    "least_gain_kl",
    lambda run: run["least_gain_kl"],
    latex=r"\tfrac{1}{1-\gamma}\mathbb{E}_{s\sim d^{\pi_{%t-1}}_\rho}"
    r"\langle \pi_{%t}(\cdot|s), A^{\pi_{%t-1}}(s, \cdot)\rangle"
    r" - \tfrac{4\gamma}{(1-\gamma)^2} \|A^{\pi_{%t-1}}\|_\infty \max_s \mathrm{KL}(\pi_{%t-1} \| \pi_{%t})(s)",
    rounding=_rounding,
)

PERFORMANCE_DIFFERENCE = Theorem(
    name="performance difference",
    cite=Cite("kakade2002approximately", "Lemma 6.1"),
    lhs=gain,
    rhs=difference,
    relation="=",
)
TRUST_REGION = Theorem(
    name="trust region bound",
    cite=Cite("schulman2015trust", "Theorem 1"),
    lhs=gain,
    rhs=least_gain,
    relation=">=",
    silent="it says what a step may cost; where none is taken both sides are zero",
)
TRUST_REGION_KL = Theorem(
    name="trust region bound with the relative entropy",
    cite=Cite("schulman2015trust", "Theorem 1 with the relative entropy, equation (9)"),
    lhs=gain,
    rhs=least_gain_kl,
    relation=">=",
    silent="it says what a step may cost; where none is taken both sides are zero",
)
NETWORK_THEOREMS = (PERFORMANCE_DIFFERENCE, TRUST_REGION, TRUST_REGION_KL)
