r"""Thompson sampling: pull each arm as often as it is believed to be the best one.

.. math::

   \theta_a \sim \mathrm{Beta}(1 + x_a,\, 1 + n_a - x_a), \qquad a_t = \arg\max_a \theta_a,

where :math:`x_a` of :math:`n_a` pulls of arm a paid. Beta(1 + x, 1 + n - x) is what is known about the mean of such an
arm by somebody who held every mean for equally likely before.

The regret grows like :math:`\sum_a \frac{\Delta_a}{\mathrm{kl}(\mu_a, \mu^*)} \log t`, the least that is possible. How
long that takes is in a constant that the theorem does not show. On average over means drawn from the prior, though,
:math:`\sqrt{\tfrac12 A t \log A}` bounds it at every t [russo2016information].

>>> from mdptk.core.run import run
>>> from mdptk.problems.bandits import two_arms
>>> run(ThompsonSampling(), two_arms(), 8, repeats=2)["regret"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.algorithm import Learner, Measure
from mdptk.core.oracles import Bandit
from mdptk.theory import Asymptotic, Cite, Theorem
from mdptk.theory.stock_bandits import DEVIATION, MEANS, REGRET, regret

ATTEMPTS = 12  # at a gamma variable, all drawn ahead: no loop whose length depends on chance


class State(NamedTuple):
    """What is remembered of the pulls."""

    n: Any  # (A,): pulls
    x: Any  # (A,): sum of rewards
    a: Any  # (): the arm that is pulled next


LOGARITHMIC = Theorem(
    name="logarithmic regret",
    cite=Cite("kaufmann2012thompson", "Theorem 2"),
    lhs=regret,
    rhs=0,
    holds=Asymptotic(0),
    status="order-only",
    reason="its second order constant, which depends on the means, is not stated: a power of t with exponent zero",
)


@dataclass(frozen=True)
class ThompsonSampling(Learner[Bandit, State]):
    """Thompson sampling for Bernoulli rewards, from uniform priors; one step is one pull."""

    sees: ClassVar[type] = Bandit
    theorems: ClassVar[tuple[Theorem, ...]] = (MEANS, LOGARITHMIC)
    measures: ClassVar[tuple[Measure, ...]] = (REGRET, DEVIATION)

    def init(self, oracle: Bandit, key: Any) -> State:
        zero = jnp.zeros(oracle.A)
        return State(zero, zero, jax.random.randint(key, (), 0, oracle.A))  # all beliefs are the same

    def draw(self, oracle: Bandit, key: Any) -> Any:
        return jax.random.uniform(key, (1 + 4 * oracle.A * ATTEMPTS,))

    def step(self, oracle: Bandit, state: State, xi: Any) -> State:
        n = state.n.at[state.a].add(1.0)
        x = state.x.at[state.a].add(oracle.pull(state.a, xi[0]))
        g, h = _gamma(jnp.stack([1 + x, 1 + n - x]), *xi[1:].reshape(2, 2, oracle.A, ATTEMPTS))
        return State(n, x, (g / (g + h)).argmax())


def _gamma(k: Any, u: Any, w: Any) -> Any:
    r"""Gamma variables of shapes ``k >= 1`` from uniforms ``u, w`` of shape ``(..., ATTEMPTS)``.

    Rejection, of which the first success counts: :math:`d v` with :math:`d = k - \tfrac13`,
    :math:`v = (1 + z/\sqrt{9d})^3` for a normal z, accepted if
    :math:`\log w < \tfrac12 z^2 + d(1 - v + \log v)`. An attempt fails with probability less than 0.05, all of them
    less often than float64 can tell. Source: Marsaglia and Tsang [marsaglia2000simple].
    """
    d, z = (k - 1 / 3)[..., None], jax.scipy.special.ndtri(u)
    v = (1 + z / jnp.sqrt(9 * d)) ** 3
    accept = (v > 0) & (jnp.log(w) < z**2 / 2 + d * (1 - v + jnp.log(jnp.maximum(v, 1e-300))))
    return jnp.take_along_axis(d * v, accept.argmax(-1)[..., None], -1)[..., 0]
