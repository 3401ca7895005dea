r"""Homotopic policy mirror descent: growing steps, a pull to the uniform policy that fades, the rate gamma.

.. math::

   \pi_{t+1}(\cdot|s) = \arg\max_{p \in \Delta(A)} \; \eta_t \big[\langle Q^{\pi_t}(s, \cdot), p \rangle
   - \tau_t \mathrm{KL}(p \,\|\, \pi_0)\big] - \mathrm{KL}(p \,\|\, \pi_t(s)), \qquad
   1 + \eta_t \tau_t = \frac1\gamma, \quad \eta_{t+1} = \frac{\eta_t}{\gamma^2}, \quad \pi_0 \text{ uniform}.

Q is that of the problem itself; the regulariser is in the step only. It costs nothing in the end, as its weight falls
like gamma^{2t}, and gives two things: the rate gamma with no mismatch in it, measured where an optimal policy stays
(under a stationary distribution of it), and a limit. Among the optimal policies the one of largest entropy is found;
in float64 until the temperature is down to the rounding error of a value, which then breaks the ties.

With x the logits over the step size, x becomes gamma^3 (x + Q), and the temperature falls by gamma^2.

Proof: ``proofs/mirror_descent/homotopic_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(HomotopicPMD(eta_0=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, log

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array, stationary_distribution
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import discounted, optimum, optimum_rounding, policy, values
from mdptk.theory.symbols import A, gamma, t

eta_0 = Symbol("eta_0", positive=True)


class State(NamedTuple):
    """Logits over the next step size, its inverse, and the policy."""

    x: Array  # (..., S, A)
    tau: Array  # (...)
    pi: Array  # (..., S, A)


def _stay(run: Run) -> Array:
    """A stationary distribution of the optimal policy, (repeats or 1, 1, S)."""
    P, _ = exact.chain(run.problem, run.truth.optimum.pi)
    if not run.problem.batch:
        return stationary_distribution(P, run.problem.rho)[None, None]
    return np.stack([stationary_distribution(*x) for x in zip(P, run.problem.rho, strict=True)])[:, None]


def _divergence(run: Run) -> Array:
    best, x = optimum(run), run["x"]
    kl = x.max(-1) - (best.pi * x).sum(-1) - run["tau"][..., None] * np.log(policy(run).max(-1))
    return (_stay(run) * kl).sum(-1)


gap = Quantity(
    "gap",
    lambda run: (_stay(run) * (optimum(run).v - values(run))).sum(-1),
    latex=r"\mathbb{E}_{s\sim\nu^*}[V^*(s) - V^{\pi_{%t}}(s)]",
    rounding=lambda run: 2 * optimum_rounding(run),
)
divergence = Quantity(
    "D",
    _divergence,
    latex=r"\frac{1}{\eta_{%t}}\mathbb{E}_{s\sim\nu^*}\mathrm{KL}(\pi^* \| \pi_{%t})(s)",
    rounding=lambda run: 2 * optimum_rounding(run),
)

ANYWHERE = Start(
    "any positive policy",
    lambda state: state.x,
    lambda alg, problem, x: _state(x, np.full(problem.batch, 1 / alg.eta_0)),
)

LI = "li2022homotopic"
NOT_READ = "the text was not at hand: the method was recalled, the constants are those of the derivation in proofs"
ONE_STEP = Theorem(
    name="one step",
    cite=Cite(LI, "the recursion behind the linear rate"),
    reason=NOT_READ,
    assumes=(discounted,),
    consecutive=True,
    lhs=gap + divergence / gamma**3,
    rhs=gamma * previous(gap) + previous(divergence) + gamma ** (2 * t - 3) * log(A) / eta_0,
    proof="mirror_descent/homotopic_pmd",
    starts=ANYWHERE,
)
LINEAR = Theorem(
    name="linear convergence",
    cite=Cite(LI, "linear convergence of the optimality gap"),
    reason=NOT_READ,
    assumes=(discounted,),
    lhs=gap,
    rhs=gamma**t * (initial(gap) + log(A) / (gamma * eta_0) * (1 + 1 / (gamma * (1 - gamma)))),
    proof="mirror_descent/homotopic_pmd",
)


@dataclass(frozen=True)
class HomotopicPMD(Solver[MDP, State]):
    """Homotopic policy mirror descent with steps ``eta_0 / gamma^(2t)``, from the uniform policy."""

    eta_0: Positive = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (LINEAR, ONE_STEP)

    def init(self, problem: MDP) -> State:
        x = np.zeros(problem.r.shape)
        return _state(x, np.full(problem.batch, 1 / self.eta_0))

    def step(self, problem: MDP, state: State) -> State:
        x = problem.gamma**3 * (state.x + exact.action_values(problem, state.pi))
        return _state(x, problem.gamma**2 * state.tau)


def _state(x: Array, tau: Any) -> State:
    return State(x, tau, exact.cooled_softmax(x, tau))
