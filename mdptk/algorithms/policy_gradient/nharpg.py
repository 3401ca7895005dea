r"""N-HARPG: normalised policy gradient with a recursive momentum that a second derivative keeps up to date.

.. math::

   d_t = (1-\alpha_t) \big(d_{t-1} + \hat B(\hat\theta_t)\, (\theta_t - \theta_{t-1})\big)
   + \alpha_t\, \hat g(\theta_t), \qquad \hat\theta_t = q_t \theta_t + (1-q_t)\, \theta_{t-1}, \quad q_t \sim U[0, 1],

.. math::

   \theta_{t+1} = \theta_t + \frac{\eta}{t+2} \frac{d_t}{\|d_t\|_2}, \qquad \alpha_t = \frac{2}{t+2}, \qquad
   \theta_0 = 0,

where :math:`\hat g` is the estimate of REINFORCE and :math:`\hat B` that of the second derivative, from N episodes
each. On average over the segment the derivative of the gradient is the difference of the gradients at its ends: so the
correction is unbiased, exactly, and needs no importance weights. For the rest see N-PG-IGT; the plain variant takes
steps along d itself: see HARPG.

Proof: ``proofs/policy_gradient/normalised_step.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(NHARPG(), coin().episodic(2), 8, repeats=2)["last_step"].shape
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
from mdptk.theory import Theorem
from mdptk.theory.stock_sampled import HARPG_RATE, NORMALISED_ASCENT, NORMALISED_MEASURES, direction


class State(NamedTuple):
    """The logits, those before the last step, the direction of that step, and the clock."""

    theta: Any  # (H, S, A)
    before: Any  # (H, S, A)
    d: Any  # (H, S, A)
    t: Any  # ()


@dataclass(frozen=True)
class NHARPG(Learner[Episodic, State]):
    """N-HARPG with steps of length ``eta / (t + 2)`` and estimates from `N` episodes, from the uniform policy."""

    eta: Positive = 4.0
    N: Count = 4

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (NORMALISED_ASCENT, HARPG_RATE)
    measures: ClassVar[tuple[Measure, ...]] = NORMALISED_MEASURES

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        return State(zero, zero, zero, jnp.zeros(()))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (2, self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, before, d, t = state
        d = corrected_momentum(oracle, theta, before, d, 2 / (t + 2), xi)
        return State(theta + self.eta / (t + 2) * direction(d), theta, d, t + 1)
