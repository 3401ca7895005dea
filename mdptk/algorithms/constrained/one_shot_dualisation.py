r"""One-shot dualisation: minimise a dual function in closed form, and then tilt the reference once.

.. math::

   D(\lambda) = \beta\,\mathbb{E}_{s \sim \rho} \log \mathbb{E}_{a \sim u} \exp\frac{(r - \lambda \cdot c)(s, a)}{\beta}
     + \lambda \cdot b, \qquad
   \lambda_{t+1} = \big[\lambda_t + \eta\,(V_c^{\pi_t}(\rho) - b)\big]_+, \qquad
   \pi_t \propto u\,e^{(r - \lambda_t \cdot c)/\beta},

from :math:`\lambda_0 = 0`, for problems of one step (:math:`\gamma = 0`: prompts and answers) with a penalty
:math:`\beta` on the relative entropy to the uniform policy u. Another reference is a reward of
:math:`\beta \log \pi_{\mathrm{ref}}` more. D is convex and *smooth*: its gradient is :math:`b - V_c^{\pi_\lambda}` and
its Hessian the covariance of the costs under :math:`\pi_\lambda`, over :math:`\beta`. So this is gradient descent on a
known function, the policy follows from the multipliers, and what oscillates without the penalty converges here, the
*last* policy included. The first identity below is the gradient, with all that is missing in it: the divergence of two
policies. How far :math:`\pi_t` is from a solution of the problem without penalty is another question, of :math:`\beta`.

That one minimisation replaces the primal-dual loop is due to Huang et al. [huang2024oneshot] (MoCAN; PeCAN for rewards
that are read off policies, see `mdptk.core.alignment`).

Proof: ``proofs/constrained/one_shot_dualisation.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import safe_answers
>>> result = run(OneShotDualisation(), safe_answers(), 300)
>>> (result["returns"][0, [0, -1], 1] - safe_answers().b).round(4).tolist()
[0.2167, 0.0]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.theory import Assumption, Cite, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_constrained import MEASURES, slater_condition, violation
from mdptk.theory.stock_tilted import D, divergence, lagrangian, lam_beta, slope, smoothness, step, suboptimality, tilt
from mdptk.theory.symbols import t


class State(NamedTuple):
    """Multipliers, the log-probabilities of the tilted policy, and the policy."""

    lam: Array  # (m,)
    log_pi: Array  # (S, A)
    pi: Array  # (S, A)


def _long(alg: Any, problem: CMDP) -> str | None:
    return None if problem.gamma == 0 else f"gamma = {problem.gamma:.6g}"


def _steep(alg: Any, problem: CMDP) -> str | None:
    if (wrong := _long(alg, problem)) is not None:
        return wrong
    most, eta = alg.beta / (smoothness(problem) or 1.0), alg.step_size(problem)
    return None if eta <= most * (1 + 4 * EPS) else f"eta = {eta:.6g}, beta / L = {most:.6g}"


one_step = Assumption(r"one step: $\gamma = 0$", _long)
short_steps = Assumption(r"$\gamma = 0$, and $\eta$ at most $\beta$ over the sum of the largest variances", _steep)
beta = Symbol("beta", positive=True)
KEY = "huang2024oneshot"
NOT_READ = "only the abstract was at hand: derived in proofs"
CLOSED = Theorem(
    name="the tilted policy attains the dual function",
    cite=Cite(KEY, "the dual function in closed form"),
    reason=NOT_READ,
    assumes=(one_step,),
    since=0,
    lhs=lagrangian,
    rhs=D,
    relation="=",
    proof="constrained/one_shot_dualisation",
    iterate="last",
)
GRADIENT = Theorem(
    name="gradient of the dual function",
    cite=Cite(KEY, "the gradient of the dual function"),
    reason=NOT_READ + r"; $\nabla D(\lambda) = b - V_c^{\pi_\lambda}(\rho)$, and the divergence is of second order",
    assumes=(one_step,),
    consecutive=True,
    lhs=D - previous(D),
    rhs=slope + beta * divergence,
    relation="=",
    proof="constrained/one_shot_dualisation",
    iterate="last",
)
CONVERGENCE = Theorem(
    name="dual convergence",
    cite=Cite(KEY, "a smooth and convex dual"),
    reason=NOT_READ + ", for gradient descent",
    assumes=(slater_condition, short_steps),
    lhs=suboptimality,
    rhs=lam_beta**2 / (2 * step * t),
    proof="constrained/one_shot_dualisation",
    iterate="last",
)
VIOLATION = Theorem(
    name="violation of the last policy",
    cite=Cite(KEY, "a smooth and convex dual"),
    reason=NOT_READ + ", for gradient descent",
    assumes=(slater_condition, short_steps),
    lhs=violation,
    rhs=2 * lam_beta / (step * sqrt(t * (t + 2))),
    proof="constrained/one_shot_dualisation",
    iterate="last",
)


@dataclass(frozen=True)
class OneShotDualisation(Solver[CMDP, State]):
    """Gradient descent on the dual function with the penalty `beta`, in steps of `beta` over `smoothness` if None."""

    beta: Positive = 0.5
    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CLOSED, GRADIENT, CONVERGENCE, VIOLATION)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def step_size(self, problem: CMDP) -> float:
        """The step, eta."""
        return self.beta / (smoothness(problem) or 1.0) if self.eta is None else self.eta

    def init(self, problem: CMDP) -> State:
        return self._state(problem, np.zeros(problem.m))

    def step(self, problem: CMDP, state: State) -> State:
        over = exact.returns(problem, state.pi)[1:] - problem.b
        return self._state(problem, np.maximum(state.lam + self.step_size(problem) * over, 0))

    def _state(self, problem: CMDP, lam: Array) -> State:
        log_pi = exact.log_softmax(tilt(problem, lam, self.beta))
        return State(lam, log_pi, np.exp(log_pi))
