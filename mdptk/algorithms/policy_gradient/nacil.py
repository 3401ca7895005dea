r"""NACIL, natural actor-critic improper learning: `ACIL` with a regularised Fisher matrix.

.. math::

   \theta_{t+1} = \theta_t + \alpha u_t, \qquad
   u_{t+1} = \Big(\frac1N \sum_{i=1}^N \psi_i \psi_i^\top + \lambda I\Big)^{-1} \frac1N \sum_{i=1}^N \delta_i \psi_i,
   \qquad \psi_i = e_{m_i} - w_{t+1}, \qquad \theta_0 = u_0 = 0,

with m rounds of TD(0) before, and transitions :math:`(m_i, s_i, r_i, s_i')` of the mixture with the weights
:math:`w_{t+1} = \mathrm{softmax}(\theta_{t+1})`, as in `ACIL`. (What is found in one step is taken in the next.)
So u is a ridge regression of the temporal differences on the scores, and its norm is at most
:math:`1/(2\sqrt\lambda)` times theirs: however rare a controller has become, no step is long.

Weights that are moved by u are Hedge on the controllers. Its regret needs nothing from u but its range, so that in
every single run the mixture keeps up with the best controller, up to what u is wrong about: u should say how much
better than the mixture a controller is in the states that the *best* controller visits, and it says so for those that
the mixture visits. The global optimality that the paper claims is hidden in this term: on the model `stuck` of
`ImproperMixture` the gradient at uniform weights is zero, so is its natural form for every :math:`\lambda`, and there
the term is the whole gap.

Proof: ``proofs/policy_gradient/nacil.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import two_state
>>> run(NACIL(), two_state(), 8, repeats=2)["total"].shape
(2, 9, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Symbol, log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.improper import Improper, mixture, td_errors_at, td_rounds, walk
from mdptk.core.oracles import Trajectories
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.stock import unit_rewards
from mdptk.theory.symbols import alpha, gamma, t

lam = Symbol("lam", positive=True)


class State(NamedTuple):
    """The logits of the weights, the direction, the critic, where the walk is, and the controllers."""

    theta: Any  # (M,)
    u: Any  # (M,)
    v: Any  # (S,)
    s: Any  # ()
    K: Any  # (M, S, A)


def _behind(truth: exact.Truth, x: State) -> Any:
    """How far the return is behind the best controller's, what the direction is wrong about, its squared span."""
    problem, w = truth.problem, exact.softmax(x.theta)
    pi = mixture(x.K, w)
    alone = exact.expected_return(problem, x.K)
    best = alone.argmax()
    d = exact.occupancy(problem, x.K[best])
    says = ((x.K * exact.action_values(problem, pi)).sum(-1) * d).sum(-1) - x.u
    regret, span = alone[best] - exact.expected_return(problem, pi), x.u.max() - x.u.min()
    return exact.namespace(says).stack([regret, says[best] - w @ says, span**2])


average_regret = Quantity(
    "average_regret",
    lambda run: run["total"][..., 0] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \big(\max_m V^{K_m}(\rho) - V^{\pi_k}(\rho)\big)",
    trivial=1 / (1 - gamma),
    rounding=lambda run: 2 * exact.rounding(run.problem),
)
wrong = Quantity(
    "wrong",
    lambda run: run["total"][..., 1] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \langle e_b - w_k, x_k - u_k \rangle,\;"
    r" x_k(m) = \mathbb{E}_{d^{K_b}} \langle K_m, Q^{\pi_k} \rangle",
    rounding=lambda run: 4 * exact.rounding(run.problem),
)
average_span = Quantity(
    "average_span",
    lambda run: run["total"][..., 2] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \mathrm{span}(u_k)^2",
)
length = Quantity("length", lambda run: run["length"], latex=r"\max_{k \leq %t} \|u_k\|_2")
controllers = Quantity("controllers", lambda run: len(run.alg.controllers(run.problem)), latex="M")

ZAKI, PROOF = "zaki2022actor", "policy_gradient/nacil"
LENGTH = Theorem(
    name="no long steps",
    cite=Cite(ZAKI, "the regularised Fisher matrix; what it is good for, worked out"),
    assumes=(unit_rewards,),
    lhs=length,
    rhs=1 / (2 * sqrt(lam) * (1 - gamma)),
    reason="derived in proofs/: a ridge regression, with a critic that stays in [0, 1/(1 - gamma)]",
    silent="a direction of zero is short; it is broken by a matrix that is not regularised",
    proof=PROOF,
)
REGRET = Theorem(
    name="regret to the best controller",
    cite=Cite(ZAKI, "global convergence of NACIL, in place of which this was derived"),
    lhs=average_regret,
    rhs=(log(controllers) / (alpha * t) + alpha / 8 * average_span + wrong) / (1 - gamma),
    reason="derived in proofs/; the paper's own bound, whose constants were not at hand, has other error terms",
    silent="a direction of zero is wrong by the whole gap; it is broken by steps that do not follow the direction",
    proof=PROOF,
)


@dataclass(frozen=True)
class NACIL(Improper, Learner[Trajectories, State]):
    """Natural actor-critic improper learning: steps `alpha` of the actor, `beta` of the critic, regularised by `lam`.

    From uniform weights; each step looks at `m` + 1 times `N` transitions, as in `ACIL`.
    """

    alpha: Positive = 0.1
    beta: Annotated[float, Range(0, 1, "high")] = 0.5
    lam: Positive = 0.1
    N: Count = 8
    m: Count = 2

    sees: ClassVar[type] = Trajectories
    theorems: ClassVar[tuple[Theorem, ...]] = (LENGTH, REGRET)
    keep: ClassVar[tuple[str, ...]] = ("theta",)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("total", _behind, "sum"),
        Measure("length", lambda truth, x: (x.u**2).sum() ** 0.5, "max"),
    )

    def init(self, oracle: Trajectories, key: Any) -> State:
        K = jnp.asarray(self.controllers(oracle))
        zero = jnp.zeros(len(K))
        return State(zero, zero, jnp.zeros(oracle.S), oracle.start(jax.random.uniform(key)), K)

    def draw(self, oracle: Trajectories, key: Any) -> Any:
        return jax.random.uniform(key, ((self.m + 1) * self.N, 5))

    def step(self, oracle: Trajectories, state: State, xi: Any) -> State:
        theta, u, v, s, K = state
        theta = theta + self.alpha * u
        w, train = exact.softmax(theta), self.m * self.N
        m, *seen, last = walk(oracle, K, w, s, xi)
        v = td_rounds(v, [x[:train] for x in seen], oracle.gamma, self.beta, self.m)
        delta = td_errors_at(v, [x[train:] for x in seen], oracle.gamma)
        scores = exact.one_hot(m[train:], len(K)) - w
        fisher = scores.T @ scores / self.N + self.lam * jnp.eye(len(K))
        return State(theta, jnp.linalg.solve(fisher, delta @ scores / self.N), v, last, K)
