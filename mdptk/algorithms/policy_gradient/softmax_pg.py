r"""Policy gradient in the softmax parameterisation, with exact gradients: plain gradient ascent on the logits.

.. math::

   \theta_{t+1}(s, a) = \theta_t(s, a) + \frac{\eta}{1-\gamma}\, d^{\pi_t}_\rho(s)\, \pi_t(a|s)\, A^{\pi_t}(s, a), \quad
   \pi_t(a|s) \propto \exp \theta_t(s, a), \quad \theta_0 = 0.

The factor pi(a|s) is the trouble: what is hardly ever tried hardly ever improves. Near every deterministic policy the
gradient vanishes, near the bad ones too, so the gap is not bounded by the gradient with one constant for all policies
(that theorem is here, refuted). It is with the smallest probability of an optimal action as a factor, whence a rate of
1/t over the square of that probability, which starts at 1/A and can become astronomically small on the way.

Figure: the run on RiverSwim in the gallery. Proof: ``proofs/policy_gradient/softmax_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(SoftmaxPG(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Range, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run, run
from mdptk.theory import Assumption, Cite, Start, Theorem, previous
from mdptk.theory.stock import mismatch, positive_start, step_size, suboptimality, unit_rewards
from mdptk.theory.stock_policy import LEAST, chance, coverage, gradient_norm, least, rarest, softmax_gain
from mdptk.theory.symbols import S, gamma, t


class State(NamedTuple):
    """Logits, the largest in each state kept at 0, and the policy that they stand for."""

    theta: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _other_step(alg: SoftmaxPG, problem: MDP) -> str | None:
    eta, paper = alg.step_size(problem), (1 - problem.gamma) ** 3 / 8
    return None if np.isclose(eta, paper, rtol=1e-12, atol=0) else f"eta = {eta:.6g}, (1 - gamma)^3 / 8 = {paper:.6g}"


ANYWHERE = Start(r"any $\theta_0$", lambda state: state.theta, lambda alg, problem, theta: _state(theta))

MEI = "mei2020global"
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(MEI, "Theorem 4 with mu = rho"),
    reason="the paper counts t from 1; its c is the infimum over all t, of which the proof needs the steps so far",
    assumes=(unit_rewards, positive_start, Assumption("the step size eta = (1 - gamma)^3 / 8", _other_step)),
    lhs=suboptimality,
    rhs=16 * S / (least**2 * (1 - gamma) ** 6 * (t + 1)) * mismatch**2 * rarest,
    silent="above the trivial bound in short runs; the two lemmas that it is made of are not",
    proof="policy_gradient/softmax_pg",
    starts=ANYWHERE,
)
LOJASIEWICZ = Theorem(
    name="non-uniform Lojasiewicz inequality",
    cite=Cite(MEI, "Lemma 8 with mu = rho"),
    assumes=(positive_start,),
    lhs=gradient_norm,
    rhs=coverage * chance / sqrt(S) * suboptimality,
    relation=">=",
    silent="it compares every policy with its own gradient",
    proof="policy_gradient/softmax_pg",
    starts=ANYWHERE,
)
ASCENT = Theorem(
    name="ascent",
    cite=Cite(MEI, "Lemma 7"),
    reason="the ascent lemma for a function that is 8 / (1 - gamma)^3-smooth, with any step size",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=softmax_gain,
    rhs=(step_size - 4 * step_size**2 / (1 - gamma) ** 3) * previous(gradient_norm) ** 2,
    relation=">=",
    proof="policy_gradient/softmax_pg",
    starts=ANYWHERE,
)


def _almost_wrong() -> Run:
    """The better one of two actions is almost impossible: the gradient is, too, and the gap is not."""
    return run(SoftmaxPG(), MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5), 1, start=_state(np.array([[10.0, 0.0]])))


DOMINATION = Theorem(
    name="gradient domination",
    cite=Cite("agarwal2021theory", "Lemma 4, for the direct parameterisation"),
    status="refuted",
    reason="a softmax gradient has a factor pi(a|s): it vanishes near a wrong deterministic policy, the gap does not",
    assumes=(positive_start,),
    lhs=suboptimality,
    rhs=sqrt(2 * S) / (1 - gamma) * mismatch * gradient_norm,
    silent="it compares every policy with its own gradient",
    starts=ANYWHERE,
    counterexample=_almost_wrong,
)


@dataclass(frozen=True)
class SoftmaxPG(Solver[MDP, State]):
    """Softmax policy gradient with step size `eta`, by default (1 - gamma)^3 / 8, from the uniform policy."""

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, LOJASIEWICZ, ASCENT, DOMINATION)
    measures: ClassVar[tuple[Measure, ...]] = (LEAST,)

    def step_size(self, problem: MDP) -> Any:
        """`eta`, or the inverse of the smoothness of the value if none was given."""
        return (1 - problem.gamma) ** 3 / 8 if self.eta is None else self.eta

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        return _state(state.theta + self.step_size(problem) * exact.softmax_gradient(problem, state.pi))


def _state(theta: Array) -> State:
    return State(theta - theta.max(-1, keepdims=True), exact.softmax(theta))
