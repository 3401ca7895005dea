r"""PROPS, proximal robust on-policy sampling: several clipped steps away from the data, so that they look on-policy.

After each of N episodes, from the counts n of it, of those before it, and of the b - 1 batches before them: from
:math:`\phi = \theta_t` on, and in every state, m steps of size :math:`\alpha` up the objective

.. math::

   L(\phi) = \sum_a \frac{n_a}{n_s} \min\big(-\rho_a, -\mathrm{clip}(\rho_a, 1-\epsilon, 1+\epsilon)\big)
   - \lambda\, \mathrm{KL}(\pi_\theta \| \pi_\phi), \qquad \rho = \frac{\pi_\phi}{\pi_\theta}(\cdot|s);

:math:`\pi_\phi` plays the next episode. The first one is played by :math:`\pi_{\theta_t}` itself. Then REINFORCE's step
with all b batches (or with those that there are), as if their actions had been drawn from the policy,

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac{1}{bN} \sum_{i=1}^{bN} \sum_{h=1}^H G_h^i\, \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i), \qquad
   \theta_0 = 0.

With one step and one batch it is `ROS`. Several steps go further, so they need a limit, and it has two parts: an
action is not pushed down any more once it has lost :math:`\epsilon` of its probability, and a penalty pulls back.
Clipping alone limits nothing, since actions that others make room for are not held. Together they do, whatever the
number of steps is: no step lowers L, which starts at -1 and can't be above :math:`-(1-\epsilon)` less the penalty, so
that :math:`\mathrm{KL}(\pi_\theta \| \pi_\phi) \leq \epsilon/\lambda`. The data become no likelier in the mean of the
ratios, either, so the correction points back in the chi-square distance, as that of `ROS` does.

The paper stops when the divergence has passed a target. Here, in a state in which a step would lower L, it is not
taken, and those after it are half as long; then there is nothing for a target to do. Objectives are of one state each:
in a table nothing else is shared.

Proof: ``proofs/policy_gradient/props.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(PROPS(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import Integer, Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Count, Fraction, Learner, Measure, Positive
from mdptk.core.estimators import props_logits, returns_to_go
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_sampled import MEASURES, PARTS, parts_measure

epsilon, lam = Symbol("epsilon", positive=True), Symbol("lam", positive=True)


class State(NamedTuple):
    """The logits; those that the data were for, the behaviour policy's, the gradient, and the data of the batches."""

    theta: Any  # (H, S, A)
    before: Any  # (H, S, A)
    phi: Any  # (H, S, A)
    g: Any  # (H, S, A)
    n: Any  # (b, H, S, A): how often each action was taken, oldest batch first
    G: Any  # (b, H, S, A): sums of returns to go


def _behaviour(truth: exact.Truth, x: State) -> Any:
    """How far the behaviour policy is from the policy, and how much likelier it makes what there is: largest of all."""
    log, target = exact.log_softmax(x.phi), exact.log_softmax(x.before)
    n = x.n.sum(0)
    xp = exact.namespace(n)
    change = xp.exp(log) - xp.exp(target)
    likelier = (n * change / xp.exp(target)).sum(-1) / xp.maximum(n.sum(-1), 1)
    return xp.stack([(xp.exp(target) * (target - log)).sum(-1).max(), likelier.max()])


def _rounding(run: Any) -> float:
    return 64 * EPS * (run.alg.m + run.problem.A) * (1 + run.alg.lam)


divergence = Quantity(
    "divergence",
    lambda run: run["behaviour"][..., 0],
    latex=r"\max_{h,s} \mathrm{KL}(\pi_{\theta_{%t-1}} \| \pi_{\phi_{%t-1}})",
    rounding=lambda run: _rounding(run) * (1 + 1 / run.alg.lam),
)
likelier = Quantity(
    "likelier",
    lambda run: run["behaviour"][..., 1],
    latex=r"\max_{h,s} \Big\langle \frac{n}{n_s}, \frac{\pi_{\phi_{%t-1}}}{\pi_{\theta_{%t-1}}} - 1 \Big\rangle",
    rounding=_rounding,
)

CORRADO, PROOF = "corrado2023policy", "policy_gradient/props"
STAYS = "a behaviour policy that is the policy meets it; it is broken by steps that are not held back"
TRUST = Theorem(
    name="trust region of the behaviour policy",
    cite=Cite(CORRADO, "the objective of PROPS; what clipping and penalty come to, worked out"),
    lhs=divergence,
    rhs=epsilon / lam,
    reason="derived in proofs/, for steps that do not lower the objective",
    silent=STAYS,
    proof=PROOF,
)
BACK = Theorem(
    name="no likelier data",
    cite=Cite(CORRADO, "that what is under-sampled becomes likelier, worked out for the objective of PROPS"),
    lhs=likelier,
    rhs=Integer(0),
    reason="derived in proofs/, for steps that do not lower the objective",
    silent=STAYS,
    proof=PROOF,
)


@dataclass(frozen=True)
class PROPS(Learner[Episodic, State]):
    """Policy gradient with step size `eta` from the last `b` batches of `N` episodes, from uniform.

    The behaviour policy takes `m` steps of `alpha`, clipped at `epsilon`, with a penalty `lam` on the divergence.
    """

    eta: Positive = 0.25
    alpha: Positive = 1.0
    epsilon: Fraction = 0.3
    lam: Positive = 0.1
    m: Count = 4
    b: Count = 2
    N: Count = 4

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (PARTS, TRUST, BACK)
    measures: ClassVar[tuple[Measure, ...]] = (
        *MEASURES,
        parts_measure(lambda x: (x.n.sum(0), x.G.sum(0))),
        Measure("behaviour", _behaviour),
    )

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        none = jnp.zeros((self.b, *zero.shape))
        return State(zero, zero, zero, zero, none, none)

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, h = state.theta, jnp.arange(oracle.H)
        zero = jnp.zeros_like(theta)
        old = state.n[1:].sum(0)

        def episode(now: Any, u: Any) -> Any:
            phi, n, G = now
            s, a = oracle.follow(exact.softmax(phi), u)
            n = n.at[h, s[:-1], a].add(1.0)
            G = G.at[h, s[:-1], a].add(returns_to_go(oracle.rewards(s, a)))
            return (props_logits(theta, old + n, self.alpha, self.epsilon, self.lam, self.m), n, G), None

        (phi, *new), _ = jax.lax.scan(episode, (theta, zero, zero), xi)
        n, G = (jnp.concatenate([kept[1:], x[None]]) for kept, x in zip((state.n, state.G), new, strict=True))
        earned = G.sum(0)
        g = (earned - exact.softmax(theta) * earned.sum(-1, keepdims=True)) / n[:, 0].sum()
        return State(theta + self.eta * g, theta, phi, g, n, G)
