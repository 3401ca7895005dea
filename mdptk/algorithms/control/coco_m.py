r"""COCO-M: online control under constraints that change, by gradient steps with a queue of violations.

.. math::

   M_{t+1} = \Pi_{\|M\| \leq R}\big(M_t - \eta\,(\nabla f_t(M_t) + Q_t \nabla g_t^+(M_t))\big), \qquad
   Q_{t+1} = Q_t + \eta_q\, g_t^+(M_t), \qquad u_t = -K x_t + \sum_{i \leq h} M_{t,i} w_{t-i},

where :math:`f_t(M)` and :math:`g_t(M)` are the cost and the excess that step t would have had under the parameters M
all along. They are convex in M, for state and input are affine in it; what really happens depends on the last
parameters, too: a loss with memory. The queue makes what was violated before more expensive, and never forgets.

The statement is an inequality of each run: regret and the square of the violation together are at most what gradient
descent leaves, and what the memory adds. No constants of the system enter, for all that happened is on the right side.
With steps of size :math:`1/\sqrt T` and a queue step of one, what gradient descent leaves grows like :math:`\sqrt T`.

After Liu, Yang and Ying [liu2023online], with a K for which truncated states are exact, and the hard form of the queue.
Proof: ``proofs/control/coco_m.py``.

Figure: ``mdptk reproduce moving_wall``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.control import moving_wall
>>> result = run(COCOM(), moving_wall(), 100)
>>> bool(result["hard"][0, -1] < 2), bool(result["hard"][0, -1] > 0)
(True, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import Positive, Solver
from mdptk.core.control import OnlineControl
from mdptk.core.errors import MdptkError
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.symbols import eta


class State(NamedTuple):
    """Parameters, queue, the true state, and sums over the steps before."""

    t: int  # the step that comes
    x: Array  # (n,): the state in it
    M: Array  # (h * d * n,): parameters
    Q: float  # the queue
    paid: float  # sum of the true costs
    surrogate: float  # sum of f_k(M_k)
    hard: float  # sum of g_k^+(M_k)
    touched: float  # sum of the true excesses [e x_k - limit_k]_+
    hard_square: float  # sum of g_k^+(M_k)^2
    slope_square: float  # sum of |grad f_k + Q_k grad g_k^+|^2


@lru_cache(maxsize=16)
def best_parameters(problem: OnlineControl) -> Array:
    """The cheapest constant parameters that never touch the limit, (h * d * n,); within 1e-9 of it by a solver."""
    import cvxpy as cp

    there, move = problem.response
    n, w = problem.S, np.sqrt(problem.q / 2)[:, None]
    M = cp.Variable(move.shape[-1])
    cost = cp.sum_squares((w * there).ravel() + (w[..., None] * move).reshape(-1, move.shape[-1]) @ M)
    position, shift = there[:, :n] @ problem.e, np.einsum("tim,i->tm", move[:, :n], problem.e)
    rules = [position + shift @ M <= problem.limit, cp.norm(M) <= problem.radius]
    cp.Problem(cp.Minimize(cost / problem.T), rules).solve(solver="CLARABEL")
    if M.value is None:
        raise MdptkError(f"no constant parameters of norm {problem.radius} keep to the limits of {problem!r}")
    return np.asarray(M.value)


def _of_best(run: Run, part: Any) -> Array:
    """A sum over the steps before each record, for the best parameters."""
    there, move = run.problem.response
    values = part(there + move @ best_parameters(run.problem))
    return np.concatenate([[0.0], np.cumsum(values)])[run.t.astype(int)]


def _costs(run: Run) -> Array:
    return _of_best(run, lambda z: run.problem.q / 2 * (z**2).sum(1))


def _touch(run: Run) -> Array:
    """What the best parameters touch the limit by, as a solver leaves it."""
    return _of_best(run, lambda z: np.maximum(z[:, : run.problem.S] @ run.problem.e - run.problem.limit, 0))


def _rounding(run: Run) -> Array:
    """Of sums of costs; and the touch of the comparator, which the queue prices."""
    return 64 * EPS * (1 + run.t) * (1 + run["paid"]) + run["Q"] * _touch(run)


eta_q = Symbol("eta_q", positive=True)
regret = Quantity(
    "regret",
    lambda run: run["paid"] - _costs(run),
    latex=r"\textstyle\sum_{k<%t} (c_k - f_k(M^*))",
    rounding=_rounding,
)
memory = Quantity(
    "memory",
    lambda run: run["paid"] - run["surrogate"],
    latex=r"\textstyle\sum_{k<%t} (c_k - f_k(M_k))",
    rounding=_rounding,
)
hard = Quantity("hard", lambda run: run["hard"], latex=r"\textstyle\sum_{k<%t} g_k^+(M_k)")
hard_square = Quantity("hard_square", lambda run: run["hard_square"], latex=r"\textstyle\sum_{k<%t} g_k^+(M_k)^2")
slope_square = Quantity(
    "slope_square",
    lambda run: run["slope_square"],
    latex=r"\textstyle\sum_{k<%t} \|\nabla f_k + Q_k \nabla g_k^+\|^2",
)
far = Quantity("far", lambda run: (best_parameters(run.problem) ** 2).sum(), latex=r"\|M^*\|^2")
queue = Quantity("queue", lambda run: run["Q"], latex=r"Q_{%t}")

KEY = "liu2023online"
OWN = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
REGRET = Theorem(
    name="regret and violation of the run",
    cite=Cite(KEY, "constrained online convex optimisation with memory"),
    lhs=regret + eta_q * hard**2 / 2,
    rhs=far / (2 * eta) + eta * slope_square / 2 + eta_q * hard_square / 2 + memory,
    reason=OWN + "; the comparator is the best in hindsight for all steps",
    proof="control/coco_m",
    silent="the sums of a run that stands still are zero",
)
QUEUE = Theorem(
    name="the queue is the violation",
    cite=Cite(KEY, "the virtual queue"),
    lhs=queue,
    rhs=eta_q * hard,
    relation="=",
    since=0,
    reason=OWN,
    proof="control/coco_m",
)


@dataclass(frozen=True)
class COCOM(Solver[OnlineControl, State]):
    """Gradient steps of size `eta` with a queue of step `eta_q`."""

    eta: Positive = 0.05
    eta_q: Positive = 1.0

    sees: ClassVar[type] = OnlineControl
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, QUEUE)

    def init(self, problem: OnlineControl) -> State:
        return State(0, np.zeros(problem.S), np.zeros(problem.response[1].shape[-1]), *[0.0] * 7)

    def step(self, problem: OnlineControl, state: State) -> State:
        t, n = state.t, problem.S
        if t == problem.T:
            raise MdptkError(f"{problem!r} ends after T = {problem.T} steps")
        there, move = (x[t] for x in problem.response)
        z = there + move @ state.M  # what it would be with these parameters all along
        over = max(float(z[:n] @ problem.e - problem.limit[t]), 0.0)
        slope = problem.q[t] * z @ move + state.Q * (over > 0) * (problem.e @ move[:n])
        seen = [problem.w[t - i] if t >= i else np.zeros(n) for i in range(1, problem.h + 1)]
        u = -problem.K @ state.x + np.einsum("idn,in->d", state.M.reshape(problem.h, -1, n), np.array(seen))
        M = state.M - self.eta * slope
        return State(
            t=t + 1,
            x=problem.F @ state.x + problem.G @ u + problem.w[t],
            M=M * min(1.0, problem.radius / max(float(np.linalg.norm(M)), 1e-300)),
            Q=state.Q + self.eta_q * over,
            paid=state.paid + problem.q[t] / 2 * float(state.x @ state.x + u @ u),
            surrogate=state.surrogate + problem.q[t] / 2 * float(z @ z),
            hard=state.hard + over,
            touched=state.touched + max(float(problem.e @ state.x - problem.limit[t]), 0.0),
            hard_square=state.hard_square + over**2,
            slope_square=state.slope_square + float(slope @ slope),
        )
