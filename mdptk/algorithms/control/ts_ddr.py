r"""TS-DDR: train a decision rule through a linear program, by the prices of the targets that it sets.

.. math::

   \hat x_t = \theta_{t,0} + \theta_{t,1} \textstyle\sum_{s \leq t} \omega_s, \qquad
   f(\theta) = \mathbb{E}_\omega\, Q(\hat x_\theta(\omega), \omega), \qquad
   \theta_{k+1} = \theta_k - \eta\, \mathbb{E}_\omega [\lambda^*(\omega)^\top \partial_\theta \hat x_\theta(\omega)],

where Q is the value of the program that dispatches one inflow path with the targets :math:`\hat x` for the storage, and
:math:`\lambda^*` are the multipliers of the targets. By the envelope theorem they are a subgradient of Q, so nothing is
differentiated through the solver. A network may set the targets; here an affine rule does, and then f is convex and
the method is a subgradient method with its rate. With a kink in f, several multipliers are right, and any will do.
The inner program sees the whole path. So the cost of a rule is that of a policy, which cannot, only as far as a missed
target is dear: if it costs nothing, every rule is as good as perfect foresight, and better than the exact optimum of
the scenario tree.

After Rosemberg et al. [rosemberg2024efficiently]. All scenarios are in one program in each step. Proof:
``proofs/control/ts_ddr.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.control import one_reservoir
>>> result = run(TSDDR(), one_reservoir(), 50)
>>> bool(result["cost"][0, -1] < result["cost"][0, 0])
True
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core.algorithm import Positive, Solver
from mdptk.core.control import Dispatch
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.solve._linear_program import highs
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.symbols import eta, t


class State(NamedTuple):
    """The rule, what it costs, and the multipliers' slope."""

    theta: Array  # (T, 2)
    cost: float  # f(theta)
    slope: Array  # (T, 2): a subgradient of f
    best: float  # the least cost of the rules before; at first that of the first
    squares: float  # the sum of |slope|^2 over the rules before


@lru_cache(maxsize=16)
def best_rule(problem: Dispatch) -> tuple[Array, float]:
    """The best affine rule and its cost, by one linear program with the rule among its variables."""
    import scipy.sparse as sp

    cost, rows, right, bounds = problem.program
    N, T, _ = problem.features.shape
    rule = np.zeros((N * T, 2 * T))
    for k in range(N):
        for s in range(T):
            rule[k * T + s, 2 * s : 2 * s + 2] = problem.features[k, s]
    wide = sp.hstack([rows, sp.vstack([sp.csr_array((2 * N * T, 2 * T)), sp.csr_array(-rule)])])
    answer = highs(
        np.append(cost, np.zeros(2 * T)),
        A_eq=wide.tocsr(),
        b_eq=np.append(right, np.zeros(N * T)),
        bounds=[*bounds, *[(None, None)] * (2 * T)],
    )
    return answer.x[-2 * T :].reshape(T, 2), float(answer.fun)


def _rounding(run: Run) -> Array:
    """Of a linear program's value and multipliers: its tolerance, relative to the dearest thing in it."""
    far = 1 + abs(run["theta"] - best_rule(run.problem)[0]).sum((-2, -1))
    return 1e-8 * run.problem.miss * run.problem.T * far


best_gap = Quantity(
    "best_gap",
    lambda run: run["best"] - best_rule(run.problem)[1],
    latex=r"\min_{k < %t} f(\theta_k) - f^*",
    rounding=_rounding,
)
below = Quantity(
    "below",
    lambda run: run["cost"] + (run["slope"] * (best_rule(run.problem)[0] - run["theta"])).sum((-2, -1)),
    latex=r"f(\theta_{%t}) + \langle \lambda^* \partial \hat x, \theta^* - \theta_{%t} \rangle",
    rounding=_rounding,
)
optimum = Quantity("optimum", lambda run: best_rule(run.problem)[1], latex=r"f^*", rounding=_rounding)
far = Quantity(
    "far", lambda run: (best_rule(run.problem)[0] ** 2).sum(), latex=r"\|\theta^* - \theta_0\|_2^2", rounding=_rounding
)
squares = Quantity(
    "squares", lambda run: run["squares"], latex=r"\textstyle\sum_{k<%t} \|\lambda^*_k \partial \hat x\|_2^2"
)

KEY = "rosemberg2024efficiently"
OWN = "the paper was not at hand: derived in proofs/ for affine rules"
ENVELOPE = Theorem(
    name="multipliers are a subgradient",
    cite=Cite(KEY, "the gradient by Lagrangian duality"),
    lhs=below,
    rhs=optimum,
    since=0,
    silent="about each rule by itself, wherever it came from; multipliers of the wrong sign break it",
    reason=OWN,
    proof="control/ts_ddr",
)
RATE = Theorem(
    name="best rule so far",
    cite=Cite(KEY, "training of the rule"),
    lhs=best_gap,
    rhs=far / (2 * eta * t) + eta * squares / (2 * t),
    reason=OWN,
    iterate="best",
    proof="control/ts_ddr",
)


@dataclass(frozen=True)
class TSDDR(Solver[Dispatch, State]):
    """Subgradient steps of size `eta` by the multipliers of the targets."""

    eta: Positive = 0.005

    sees: ClassVar[type] = Dispatch
    theorems: ClassVar[tuple[Theorem, ...]] = (ENVELOPE, RATE)

    def init(self, problem: Dispatch) -> State:
        theta = np.zeros((problem.T, 2))
        cost, slope = priced(problem, theta)
        return State(theta, cost, slope, cost, 0.0)

    def step(self, problem: Dispatch, state: State) -> State:
        theta = state.theta - self.eta * state.slope
        cost, slope = priced(problem, theta)
        squares = state.squares + float((state.slope**2).sum())
        return State(theta, cost, slope, min(state.best, state.cost), squares)


def priced(problem: Dispatch, theta: Array) -> tuple[float, Array]:
    """The cost of a rule, and the multipliers of its targets times its derivative, (T, 2)."""
    cost, rows, right, bounds = problem.program
    targets = (problem.features * theta).sum(-1)
    answer = highs(cost, A_eq=rows, b_eq=np.append(right, targets.ravel()), bounds=bounds)
    lam = answer.eqlin.marginals[-targets.size :].reshape(targets.shape)
    return float(answer.fun), (lam[..., None] * problem.features).sum(0)
