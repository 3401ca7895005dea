r"""BAPO, balanced policy optimisation: PPO on stale data, with an interval that good samples can make wider.

N episodes of :math:`\pi_{\theta_t}` are used for m steps, the last of which sees data that are m - 1 steps old:

.. math::

   \theta \leftarrow \theta + \eta\, \nabla_\theta\, \frac1N \sum_{i=1}^N \sum_{h=1}^H
   \min\big(\rho_h^i \hat A^i,\; \mathrm{clip}(\rho_h^i, c_-, c_+)\, \hat A^i\big) \quad (m \text{ times}), \qquad
   \rho_h^i = \frac{\pi_\theta(a_h^i|s_h^i)}{\pi_{\theta_t}(a_h^i|s_h^i)}, \qquad \theta_0 = 0,

with the return less its mean over the batch, :math:`\hat A^i = R^i - \bar R`. Before each of the m steps the interval
starts at [0.6, 1.2]. As long as good samples have less than a share of what moves the policy,

.. math::

   \sum_{\hat A > 0,\, \rho \leq c_+} \rho \hat A \;<\; \varrho_0 \Big(
   \sum_{\hat A > 0,\, \rho \leq c_+} \rho \hat A + \sum_{\hat A < 0,\, \rho \geq c_-} \rho |\hat A| \Big),

:math:`c_+` is raised, up to 3, and after that :math:`c_-`, up to 0.9: more good samples count, then fewer bad ones. So
the interval is the first of its kind that has the share, or the last. Where the share is a half the m steps do not make
what was seen less likely on balance.

Why it should help: along the *natural* direction with a clip X the entropy changes by
:math:`-\eta\,\mathrm{Cov}_\pi(\log \pi, \hat A X)`, and what a fixed interval clips first are good samples that were
unlikely, of which that is positive (`mdptk.theory.stock_entropy`; plain steps, as here, obey another formula). The
first of the m steps, at ratios of one, clips nothing whatever the interval is, and is REINFORCE with the mean as
baseline; good and bad samples have a half each.

The paper divides by the standard deviation of the returns, which the share does not feel and the step size does.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(BAPO(), coin().episodic(2), 8, repeats=2)["high"].shape
(2, 9, 4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Float, Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Count, Fraction, Learner, Measure, Positive, Range
from mdptk.core.estimators import SHARE_TOLERANCE, balanced_clip, clip_ladder, pushes, score_gradient, unclipped
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_sampled import MEASURES

LOW, HIGH, RAISE = (0.6, 0.9), (1.2, 3.0), (0.02, 0.05)  # the ranges of the paper; how far c- and c+ go at a time


class State(NamedTuple):
    """The logits, and of each of the last m steps: the ratios of its samples and its interval; their advantages."""

    theta: Any  # (H, S, A)
    ratio: Any  # (m, N, H)
    advantage: Any  # (N, H)
    low: Any  # (m,)
    high: Any  # (m,)


def _share(positive: Any, total: Any) -> Any:
    """Of nothing, all of it."""
    xp = exact.namespace(total)
    return xp.where(total > 0, positive / xp.where(total > 0, total, 1), 1.0)


def _shares(truth: exact.Truth, x: State) -> Any:
    """Of all steps: the least share of good samples where more could be raised; the largest in an interval before.

    The third is how far rounding may put a share off: by a lot where the advantages are roundings themselves.
    """
    xp = exact.namespace(x.ratio)
    lows, highs = map(xp.asarray, clip_ladder(LOW, HIGH, RAISE))
    low, high, ratio = x.low[:, None], x.high[:, None], x.ratio.reshape(len(x.low), -1)
    advantage = x.advantage.reshape(1, -1)
    had, every = pushes(ratio, advantage, low, high), pushes(ratio, advantage, lows[None], highs[None])
    before = (lows <= low) & (highs <= high) & ((lows < low) | (highs < high))
    last = (low >= LOW[1]) & (high >= HIGH[1])
    total = xp.concatenate([had[1], every[1]], -1)
    largest = abs(truth.problem.r).max() * x.advantage.shape[1]  # of a return
    off = largest * ratio.sum(-1) / xp.where(total > 0, total, xp.inf).min(-1)
    return xp.stack([xp.where(last, 1.0, _share(*had)).min(), xp.where(before, _share(*every), 0.0).max(), off.max()])


def _rounding(run: Any) -> Any:
    return 16 * EPS * (run.alg.N + run.problem.H) * (1 + run["shares"][..., 2])


share_had = Quantity(
    "share_had",
    lambda run: run["shares"][..., 0],
    latex=r"\min_{k:\, (c_-, c_+) < (0.9, 3)} \frac{\sum_{\hat A > 0,\, \rho \leq c_+} \rho \hat A}"
    r"{\sum_{\hat A > 0,\, \rho \leq c_+} \rho \hat A + \sum_{\hat A < 0,\, \rho \geq c_-} \rho |\hat A|}",
    rounding=_rounding,
)
share_before = Quantity(
    "share_before",
    lambda run: run["shares"][..., 1],
    latex=r"\max_k \max_{(c'_-, c'_+) < (c_-, c_+)} \frac{\sum_{\hat A > 0,\, \rho \leq c'_+} \rho \hat A}"
    r"{\sum_{\hat A > 0,\, \rho \leq c'_+} \rho \hat A + \sum_{\hat A < 0,\, \rho \geq c'_-} \rho |\hat A|}",
    rounding=_rounding,
)

XI, share = "xi2025bapo", Symbol("share", positive=True)
ENOUGH = Theorem(
    name="good samples have their share",
    cite=Cite(XI, "the condition of the loop, of our reading of the loss"),
    lhs=share_had,
    rhs=(1 - Float(SHARE_TOLERANCE)) * share,
    relation=">=",
    reason="the loop goes on until it is true, or nothing is left to raise",
    silent="without data there is nothing to share; it is broken by an interval that is too small",
)
LEAST = Theorem(
    name="no interval before it would do",
    cite=Cite(XI, "the condition of the loop, of our reading of the loss"),
    lhs=share_before,
    rhs=share,
    reason="a raise never lowers the share, derived in proofs/: what was too little was so all the way",
    silent="without data nothing is raised; it is broken by an interval that is too large",
    proof="policy_gradient/bapo",
)


@dataclass(frozen=True)
class BAPO(Learner[Episodic, State]):
    """Balanced policy optimisation: good samples get a `share`, `N` episodes `m` steps of size `eta`, from uniform."""

    eta: Positive = 0.5
    share: Fraction = 0.5
    N: Annotated[int, Range(2, np.inf, "low")] = 8
    m: Count = 4

    sees: ClassVar[type] = Episodic
    batch: ClassVar[str | int] = "N"
    theorems: ClassVar[tuple[Theorem, ...]] = (ENOUGH, LEAST)
    keep: ClassVar[tuple[str, ...]] = ("low", "high")
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, Measure("shares", _shares))

    def init(self, oracle: Episodic, key: Any) -> State:
        none = jnp.zeros((self.N, oracle.H))
        one = jnp.ones(self.m)
        return State(jnp.zeros(oracle.r.shape), one[:, None, None] + none, none, LOW[0] * one, HIGH[0] * one)

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, h = state.theta, jnp.arange(oracle.H)
        old = exact.softmax(theta)
        s, a = oracle.follow(old, xi)
        seen, R = (h, s[:, :-1], a), oracle.rewards(s, a).sum(-1, keepdims=True)
        advantage = jnp.broadcast_to(R - R.mean(), a.shape)

        def ascend(theta: Any, _: Any) -> Any:
            pi = exact.softmax(theta)
            ratio = pi[seen] / old[seen]
            interval = balanced_clip(ratio, advantage, self.share, LOW, HIGH, RAISE)
            weight = ratio * advantage * unclipped(ratio, advantage, *interval)
            return theta + self.eta * score_gradient(pi, s, a, weight), (ratio, *interval)

        theta, (ratios, low, high) = jax.lax.scan(ascend, theta, length=self.m)
        return State(theta, ratios, advantage, low, high)
