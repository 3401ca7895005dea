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
from functools import lru_cache
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import MEASURES, excess, last, returns_rounding, slater_condition, violation
from mdptk.theory.symbols import t


class State(NamedTuple):
    """Multipliers, the log-probabilities of the tilted policy, and the policy."""

    lam: Array  # (m,)
    log_pi: Array  # (S, A)
    pi: Array  # (S, A)


def smoothness(problem: CMDP) -> float:
    r"""A bound on :math:`\beta` times the Hessian: the largest variance of each cost in a state, summed."""
    return float((np.ptp(problem.c, axis=2) ** 2).max(1).sum() / 4)


def _tilt(problem: CMDP, lam: Array, beta: float) -> Array:
    return (problem.mdp.r - np.einsum("...i,isa->...sa", lam, problem.c)) / beta


def dual(problem: CMDP, lam: Array, beta: float) -> Any:
    r""":math:`D(\lambda)` for ``lam[..., i]``, by the logarithm of a sum."""
    x = _tilt(problem, lam, beta)
    top = x.max(-1)
    log_z = top + np.log(np.exp(x - top[..., None]).mean(-1))
    return beta * log_z @ problem.mdp.rho + lam @ problem.b


@lru_cache(maxsize=64)
def _minimiser(problem: CMDP, beta: float) -> tuple[Array, float]:
    """The least point of D, and how far D may be above its minimum there, within twice that distance of zero."""
    from scipy.optimize import minimize  # only where it is needed: half a second

    def value(lam: Array) -> tuple[float, Array]:
        pi = exact.softmax(_tilt(problem, lam, beta))
        return float(dual(problem, lam, beta)), problem.b - exact.returns(problem, pi)[1:]

    lam = minimize(value, np.zeros(problem.m), jac=True, bounds=[(0, None)] * problem.m, method="L-BFGS-B",
                   options={"ftol": 0, "gtol": 1e-13, "maxiter": 1000}).x  # fmt: skip
    g = value(lam)[1]
    return lam, float(abs(g @ lam) - np.minimum(g, 0).sum() * (1 + 2 * np.linalg.norm(lam)))


def _penalised(run: Run) -> Array:
    """The Lagrangian with the penalty, at the recorded policies and prices."""
    entropy = (run["pi"] * (run["log_pi"] + np.log(run.problem.A))).sum(-1) @ run.problem.mdp.rho
    return last(run)[..., 0] - run.alg.beta * entropy - (run["lam"] * excess(run, last(run))).sum(-1)


def _divergence(run: Run) -> Array:
    """KL(pi_{t-1} || pi_t), in the mean over prompts."""
    old, log_old = before(run["pi"]), before(run["log_pi"])
    return (old * (log_old - run["log_pi"])).sum(-1) @ run.problem.mdp.rho


def _slope(run: Run) -> Array:
    """The gradient at the old multipliers, times the step."""
    return -(before(excess(run, last(run))) * (run["lam"] - before(run["lam"]))).sum(-1)


def _rounding(run: Run) -> Array:
    size = 1 + abs(run["lam"]).sum(-1) + run.alg.beta * np.log(run.problem.A)
    return 4 * (returns_rounding(run.problem) + 8 * EPS * run.problem.A) * np.maximum.accumulate(size, axis=1)


D = Quantity("D", lambda run: dual(run.problem, run["lam"], run.alg.beta), latex=r"D(\lambda_{%t})", rounding=_rounding)
lagrangian = Quantity("lagrangian", _penalised, latex=r"L_\beta(\pi_{%t}, \lambda_{%t})", rounding=_rounding)
divergence = Quantity(
    "divergence",
    _divergence,
    latex=r"\mathrm{KL}(\pi_{%t-1}\|\pi_{%t})",
    rounding=lambda run: _rounding(run) / run.alg.beta,
)
slope = Quantity(
    "slope",
    _slope,
    latex=r"\nabla D(\lambda_{%t-1}) \cdot (\lambda_{%t} - \lambda_{%t-1})",
    rounding=_rounding,
)
suboptimality = Quantity(
    "suboptimality",
    lambda run: dual(run.problem, run["lam"], run.alg.beta) - dual(run.problem, *_best(run)),
    latex=r"D(\lambda_{%t}) - \min D",
    rounding=lambda run: 2 * _rounding(run) + _minimiser(run.problem, run.alg.beta)[1],
)
lam_beta = Quantity(
    "lam_beta",
    lambda run: np.linalg.norm(_best(run)[0]),
    latex=r"\|\lambda^*_\beta\|_2",
    rounding=lambda run: 1e-7 * np.linalg.norm(_best(run)[0]),
)
step = Quantity("step", lambda run: run.alg.step_size(run.problem), latex=r"\eta")


def _best(run: Run) -> tuple[Array, float]:
    return _minimiser(run.problem, run.alg.beta)[0], run.alg.beta


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
        log_pi = exact.log_softmax(_tilt(problem, lam, self.beta))
        return State(lam, log_pi, np.exp(log_pi))
