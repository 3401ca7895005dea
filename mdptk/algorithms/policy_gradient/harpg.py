r"""HARPG: policy gradient with a recursive momentum that a second derivative keeps up to date.

.. math::

   d_t = (1-\alpha_t) \big(d_{t-1} + \hat B(\hat\theta_t)\, (\theta_t - \theta_{t-1})\big)
   + \alpha_t\, \hat g(\theta_t), \qquad \hat\theta_t = q_t \theta_t + (1-q_t)\, \theta_{t-1}, \quad q_t \sim U[0, 1],

.. math::

   \theta_{t+1} = \theta_t + \frac{\eta}{t+2}\, d_t, \qquad \alpha_t = \frac{2}{t+2}, \qquad
   \theta_0 = 0,

where :math:`\hat g` is the estimate of REINFORCE and :math:`\hat B` that of the second derivative, from N episodes
each. With steps along d itself, as here, a step is short where the gradient is: what is known of one step has the
squares of gradient and direction in it, where the normalised variant, N-HARPG, has the gradient itself. In exchange a
step that is longer than 2 over the smoothness may lose.

Proof: ``proofs/policy_gradient/harpg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(HARPG(), coin().episodic(2), 8, repeats=2)["last_step"].shape
(2, 9, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import corrected_momentum
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import HARPG_RATE, NORMALISED_MEASURES, direction_error, gap, gradient_before
from mdptk.theory.symbols import H, eta, t


class State(NamedTuple):
    """The logits, those before the last step, the direction of that step, and the clock."""

    theta: Any  # (H, S, A)
    before: Any  # (H, S, A)
    d: Any  # (H, S, A)
    t: Any  # ()


LENGTH = Measure("length", lambda truth, x: (x.d**2).sum() ** 0.5)
length = Quantity("length", lambda run: run["length"], latex=r"\|d_{%t-1}\|_2")
ASCENT = Theorem(
    name="ascent of a step",
    cite=Cite("fatkhullin2023stochastic", "the descent lemma of the plain variant, with the smoothness of proofs/"),
    assumes=(unit_rewards,),
    lhs=gap,
    rhs=previous(gap)
    - eta / (2 * (t + 1)) * (gradient_before**2 + length**2 - direction_error**2)
    + H * (eta / (t + 1)) ** 2 / 4 * length**2,
    consecutive=True,
    reason="derived in proofs/",
    silent="a direction of zero is wrong by the whole gradient; it is broken by steps that do not follow the direction",
    proof="policy_gradient/harpg",
)


@dataclass(frozen=True)
class HARPG(Learner[Episodic, State]):
    """HARPG with step size ``eta / (t + 2)`` and estimates from `N` episodes, from the uniform policy."""

    eta: Positive = 8.0
    N: Count = 4

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (ASCENT, HARPG_RATE)
    measures: ClassVar[tuple[Measure, ...]] = (*NORMALISED_MEASURES, LENGTH)

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        return State(zero, zero, zero, jnp.zeros(()))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (2, self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, before, d, t = state
        d = corrected_momentum(oracle, theta, before, d, 2 / (t + 2), xi)
        return State(theta + self.eta / (t + 2) * d, theta, d, t + 1)
