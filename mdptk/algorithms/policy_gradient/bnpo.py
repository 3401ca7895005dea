r"""BNPO: answers to a prompt are compared with each other, and prompts are weighed by how rare their success rate is.

An episode succeeds with probability :math:`\sum_h r_h / H`. Of each of M prompts, drawn as first states, K answers are
sampled: :math:`R_{ik} \in \{0, 1\}` says which succeed, and :math:`q_i` is their mean. Then

.. math::

   \theta_{t+1} = \theta_t + \eta\, d_t, \qquad
   d_t = \frac{1}{MK} \sum_{i,k} \frac{R_{ik} - q_i}{f(q_i; \alpha_t, \beta_t)}
   \sum_{h=1}^H \nabla_\theta \log \pi_{\theta_t}(a_h^{ik}|s_h^{ik}), \qquad
   \alpha = 1 + \frac a3, \quad \beta = 1 + \frac b3, \qquad \theta_0 = 0,

with the density f of a Beta distribution. The rates of the batch have mean and variance of a Beta(:math:`a_t, b_t`);
where there is none, for they are all the same or all 0 and 1, :math:`a_t = b_t = 0`, and f = 1.

Given which answers succeed, whatever f is made of them, a score is on average :math:`\nabla p / p` of a success and
:math:`-\nabla p / (1 - p)` of a failure. So d is on average a sum of gradients of success rates p, prompt by prompt,
each times :math:`q_i (1 - q_i) / f(q_i)`, which is not negative: nowhere does it point against the gradient, and it is
not the gradient. With f = 1 it is REINFORCE with a baseline, with a = b = 3/2 it is GRPO; what else is ascended then
`mdptk.core.estimators.beta_weight` says. The parameters make the variance of d the least of all Beta densities, if
rates had that distribution and scores did not depend on success. The first is a fit; the second is not so (the tests
have an instance on which another density is better). How fast it converges is not known: one prompt that differs from
the others is divided by a density that falls exponentially in M.

Proof: ``proofs/policy_gradient/bnpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(BNPO(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Integer

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.estimators import beta_normalised, score_gradient
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, Quantity, Theorem, initial
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import MEASURES, gap
from mdptk.theory.symbols import H, eta, t


class State(NamedTuple):
    """The logits, the direction of the next step, the distribution of success rates, and the density they go by."""

    theta: Any  # (H, S, A)
    d: Any  # (H, S, A)
    a: Any  # ()
    b: Any  # ()
    alpha: Any  # ()
    beta: Any  # ()


def _progress(truth: exact.Truth, x: State) -> Any:
    return (exact.softmax_gradient(truth.problem, exact.softmax(x.theta)) * x.d).sum()


def _log_variance(run: Any) -> Any:
    """``log B(alpha, beta)^2 B(a + 3 - 2 alpha, b + 3 - 2 beta)``, infinite where the integral is."""
    from scipy.special import betaln

    alpha, beta = run["alpha"], run["beta"]
    x, y = run["a"] + 3 - 2 * alpha, run["b"] + 3 - 2 * beta
    finite = (x > 0) & (y > 0)
    return np.where(finite, 2 * betaln(alpha, beta) + betaln(np.where(finite, x, 1), np.where(finite, y, 1)), np.inf)


def _to_reinforce(run: Any) -> Any:
    from scipy.special import betaln

    return np.exp(_log_variance(run) - betaln(1 + run["a"], 1 + run["b"]))


def _to_grpo(run: Any) -> Any:
    from scipy.special import betaln

    fitted = run["a"] > 0  # without a distribution the variance of GRPO has no end
    of_grpo = 2 * betaln(1.5, 1.5) + betaln(np.where(fitted, run["a"], 1), np.where(fitted, run["b"], 1))
    return np.where(fitted, np.exp(_log_variance(run) - of_grpo), 0.0)


def _rounding(run: Any) -> Any:
    return 64 * EPS * (1 + run["a"] + run["b"])  # of the logarithms, which are no larger


average_progress = Quantity(
    "average_progress",
    lambda run: run["progress"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \langle \nabla_\theta V^{\pi_k}(\rho), d_k \rangle",
    rounding=lambda run: exact.rounding(run.problem) * (1 + run["length"] / np.maximum(run.t, 1)),
)
average_length = Quantity(
    "average_length",
    lambda run: run["length"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \|d_k\|_2^2",
)
to_reinforce = Quantity(
    "to_reinforce",
    _to_reinforce,
    latex=r"\mathrm{Var}_{a_{%t}, b_{%t}}(\mathrm{BNPO}) / \mathrm{Var}_{a_{%t}, b_{%t}}(\mathrm{REINFORCE})",
    rounding=_rounding,
)
to_grpo = Quantity(
    "to_grpo",
    _to_grpo,
    latex=r"\mathrm{Var}_{a_{%t}, b_{%t}}(\mathrm{BNPO}) / \mathrm{Var}_{a_{%t}, b_{%t}}(\mathrm{GRPO})",
    rounding=_rounding,
)

XIAO = "xiao2025bnpo"
FITTED = "derived in proofs/, by one inequality for all densities; Var is `mdptk.core.estimators.beta_variance`"
ASCENT = Theorem(
    name="ascent of each run",
    cite=Cite(XIAO, "gradient ascent with its direction; constants of proofs/"),
    assumes=(unit_rewards,),
    lhs=average_progress,
    rhs=(initial(gap) - gap) / (eta * t) + eta * H / 4 * average_length,
    reason="smoothness H/2 is derived in proofs/; the paper has no rate",
    silent="a direction of zero promises nothing; it is broken by steps that do not follow the direction",
    proof="policy_gradient/bnpo",
)
REINFORCE = Theorem(
    name="no noisier than REINFORCE",
    cite=Cite(XIAO, "its theorem on the parameters of least variance"),
    lhs=to_reinforce,
    rhs=Integer(1),
    reason=FITTED,
    silent="it is about the choice of two numbers, and broken by others",
    proof="policy_gradient/bnpo",
)
GRPO = Theorem(
    name="no noisier than GRPO",
    cite=Cite(XIAO, "its theorem on the parameters of least variance"),
    lhs=to_grpo,
    rhs=Integer(1),
    reason=FITTED,
    silent="it is about the choice of two numbers, and broken by others",
    proof="policy_gradient/bnpo",
)


@dataclass(frozen=True)
class BNPO(Learner[Episodic, State]):
    """BNPO with step size `eta`, from `K` answers to each of `M` prompts a step, from the uniform policy."""

    eta: Positive = 0.5
    M: Count = 16
    K: Annotated[int, Range(2, np.inf, "low")] = 8

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (ASCENT, REINFORCE, GRPO)
    measures: ClassVar[tuple[Measure, ...]] = (
        MEASURES[0],
        Measure("progress", _progress, "sum"),
        Measure("length", lambda truth, x: (x.d**2).sum(), "sum"),
    )
    keep: ClassVar[tuple[str, ...]] = ("a", "b", "alpha", "beta")

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        return State(zero, zero, jnp.zeros(()), jnp.zeros(()), jnp.ones(()), jnp.ones(()))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        xi = jax.random.uniform(key, (self.M, self.K, oracle.H + 1, 2))
        return xi.at[:, :, 0, 0].set(xi[:, :1, 0, 0])  # answers to the same prompt

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta = state.theta + self.eta * state.d
        pi = exact.softmax(theta)
        s, a = oracle.follow(pi, xi)
        chance = oracle.rewards(s, a).sum(-1) / oracle.H
        R = (xi[..., -1, 1] < chance) * 1.0  # of the action after the last stage, which nobody takes
        return State(theta, *self.estimate(pi, s, a, R))

    def estimate(self, pi: Any, s: Any, a: Any, R: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Direction, a, b, alpha and beta from ``s[i, k, h]``, ``a[i, k, h]`` and successes ``R[i, k]``."""
        law = self.fit(R.mean(-1))
        density = self.density(*law)
        weight = exact.namespace(R).broadcast_to(beta_normalised(R, *density)[..., None], a.shape)
        flat = (x.reshape(-1, x.shape[-1]) for x in (s, a, weight))
        return score_gradient(pi, *flat), *law, *density

    def fit(self, q: Any) -> tuple[Any, Any]:
        """The parameters (a, b) with the mean and variance of the rates ``q[i]``, or zeros if there are none."""
        xp = exact.namespace(q)
        m, v = q.mean(), q.var()
        exists = (q.min() < q.max()) & ((q > 0) & (q < 1)).any()
        n = xp.where(exists, m * (1 - m) / xp.where(exists, v, 1.0) - 1, 0.0)
        return m * n, (1 - m) * n

    def density(self, a: Any, b: Any) -> tuple[Any, Any]:
        """The parameters (alpha, beta) of least variance."""
        return 1 + a / 3, 1 + b / 3
