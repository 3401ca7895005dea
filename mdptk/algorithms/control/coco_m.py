r"""COCO-M: online control under constraints that change, by gradient steps with a queue of violations.

.. math::

   M_{t+1} = \Pi_\Omega\big(M_t - \eta\,(\nabla f_t(M_t) + Q_t \nabla g_t^+(M_t))\big), \qquad
   Q_{t+1} = Q_t + \eta_q\, g_t^+(M_t), \qquad u_t = -K x_t + \sum_{i \leq h} M_{t,i} w_{t-i},

where :math:`f_t(M)` and :math:`g_t(M)` are the cost and the excess that step t would have had under the parameters M
all along. They are convex in M, for state and input are affine in it; what really happens depends on the last
parameters, too: a loss with memory. The queue makes what was violated before more expensive, and never forgets.
:math:`\Omega` are the parameters of norm at most R that keep :math:`\epsilon` from the static constraints, if they stay
for ever and whatever the disturbances do; so what is known beforehand is not learned by violating it. Parameters that
change can move a constraint by no more than their drift, and a buffer :math:`\epsilon` above that keeps it. A queue
that has grown makes long steps, with a drift that no buffer covers: then each of the parameters would have kept to a
constraint that their sequence violates. In the theorems about them :math:`z_k = (x_k, u_k)` is what happened, and
:math:`z_k(M)` what would have happened under M all along; W is the largest disturbance.

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
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import NonNegative, Positive, Solver
from mdptk.core.control import OnlineControl
from mdptk.core.errors import MdptkError
from mdptk.core.models import Array
from mdptk.theory import Cite, Theorem
from mdptk.theory.stock_control import (
    drift,
    far,
    hard,
    hard_square,
    memory,
    queue,
    regret,
    room,
    slope_square,
    spare,
    static,
)
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
    room: float  # the least that was left of a static constraint, at first what is at rest
    drift: float  # the most that changing parameters can have moved one
    last: Array  # (n, h * d * n): the last parameters


eta_q, epsilon = Symbol("eta_q", positive=True), Symbol("epsilon", nonnegative=True)
KEY = "liu2023online"
OWN = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
REGRET = Theorem(
    name="regret and violation of the run",
    cite=Cite(KEY, "constrained online convex optimisation with memory"),
    lhs=regret + eta_q * hard**2 / 2,
    rhs=far / (2 * eta) + eta * slope_square / 2 + eta_q * hard_square / 2 + memory,
    reason=OWN + "; the comparator is the best in hindsight for all steps, of those in the set that is projected on",
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
ALLOWED = Theorem(
    name="parameters keep to the static constraints",
    cite=Cite(KEY, "the projection for static constraints"),
    assumes=(static,),
    lhs=spare,
    rhs=epsilon,
    relation=">=",
    since=0,
    reason=OWN,
    proof="control/coco_m",
    silent="the first parameters keep to them, too; steps without the projection do not",
)
STATIC = Theorem(
    name="static constraints up to the drift",
    cite=Cite(KEY, "the violation of static constraints"),
    assumes=(static,),
    lhs=room,
    rhs=epsilon - drift,
    relation=">=",
    reason=OWN
    + r"; $L_{j,i} = W \sqrt{hn}\, \|D_j (1, -K) (F - GK)^{i-1} G\|_2$, and a drift below $\epsilon$ leaves all "
    "of them kept, whatever the disturbances are",
    proof="control/coco_m",
    silent="at rest nothing is violated",
)


@dataclass(frozen=True)
class COCOM(Solver[OnlineControl, State]):
    """Gradient steps of size `eta` with a queue of step `eta_q`, and a buffer `epsilon` before static constraints."""

    eta: Positive = 0.05
    eta_q: Positive = 1.0
    epsilon: NonNegative = 0.05

    sees: ClassVar[type] = OnlineControl
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, QUEUE, ALLOWED, STATIC)

    def init(self, problem: OnlineControl) -> State:
        M = problem.nearest(np.zeros(problem.response[1].shape[-1]), self.epsilon)
        rest = problem.room(np.zeros(problem.S + problem.A))
        return State(
            t=0,
            x=np.zeros(problem.S),
            M=M,
            Q=0.0,
            paid=0.0,
            surrogate=0.0,
            hard=0.0,
            touched=0.0,
            hard_square=0.0,
            slope_square=0.0,
            room=rest,
            drift=0.0,
            last=np.tile(M, (problem.S, 1)),
        )

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
        moved = np.linalg.norm(state.last - state.M, axis=-1)
        return State(
            t=t + 1,
            x=problem.F @ state.x + problem.G @ u + problem.w[t],
            M=problem.nearest(state.M - self.eta * slope, self.epsilon),
            Q=state.Q + self.eta_q * over,
            paid=state.paid + problem.q[t] / 2 * float(state.x @ state.x + u @ u),
            surrogate=state.surrogate + problem.q[t] / 2 * float(z @ z),
            hard=state.hard + over,
            touched=state.touched + max(float(problem.e @ state.x - problem.limit[t]), 0.0),
            hard_square=state.hard_square + over**2,
            slope_square=state.slope_square + float(slope @ slope),
            room=min(state.room, problem.room(np.concatenate([state.x, u]))),
            drift=max(state.drift, float((problem.reach @ moved).max(initial=0.0))),
            last=np.concatenate([state.M[None], state.last[:-1]]),
        )
