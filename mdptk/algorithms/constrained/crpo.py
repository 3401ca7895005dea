r"""CRPO: follow the reward while every budget is met, and otherwise lower a cost that is too high.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\!\Big(\frac{\eta}{1-\gamma} A_{f_t}^{\pi_t}(s, a)\Big), \qquad
   f_t = \begin{cases} r & \text{if } V_{c_i}^{\pi_t}(\rho) \leq b_i + \kappa \text{ for all } i, \\
   -c_i & \text{for the first } i \text{ that does not, otherwise,} \end{cases}

from the uniform policy. There are no multipliers to tune, and none to oscillate: what is judged is the average of the
policies at which the reward was followed, each of which meets the budgets up to the tolerance. Whatever is lost on the
reward steps is paid for on the other ones, where the optimal policy would have been better by the tolerance at least.
That sum is bounded as for multiplicative weights with a reward that may change at will. So the price of having no
dual variable is the rate: the gains do not telescope.

After Xu, Liang and Lan [xu2021crpo]. Proof: ``proofs/constrained/crpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import constrained_garnet
>>> result = run(CRPO(), constrained_garnet(), 200)
>>> sorted(set(result["chosen"][0].tolist()))
[0.0, 1.0, 2.0]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, log

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem
from mdptk.theory.stock_constrained import (
    MEASURES,
    lam_star_sum,
    optimum,
    optimum_error,
    returns_rounding,
    slater_condition,
    unit_costs,
    unit_rewards,
)
from mdptk.theory.symbols import A, eta, gamma, t


class State(NamedTuple):
    """Log-probabilities, the policy that they stand for, and what it will follow: 0 the reward, i > 0 the cost i."""

    log_pi: Array  # (S, A)
    pi: Array  # (S, A)
    chosen: int


def _rewarded(truth: exact.Truth, state: State) -> Array:
    """1 and what is earned and spent where the reward is followed; zeros elsewhere, (2 + m,)."""
    found = np.append(1.0, exact.returns(truth.problem, state.pi))
    return found if state.chosen == 0 else 0 * found


def _overspent(truth: exact.Truth, state: State) -> Any:
    """What the cost that is followed exceeds its budget by; 0 where the reward is."""
    over = exact.returns(truth.problem, state.pi)[1:] - truth.problem.b
    return 0.0 if state.chosen == 0 else over[state.chosen - 1]


def _regret(run: Run) -> Array:
    count, earned = run["rewarded"][..., 0], run["rewarded"][..., 1]
    with np.errstate(invalid="ignore"):
        return (count * optimum(run.problem).value - earned + run["overspent"]) / run.t


def _kept(run: Run) -> Array:
    """The largest excess of the average over the steps that followed the reward; 0 while there is none."""
    count = run["rewarded"][..., :1]
    over = run["rewarded"][..., 2:] / np.maximum(count, 1) - run.problem.b
    return np.where(count > 0, np.maximum(over, 0), 0).max(-1)


def _share(run: Run) -> Array:
    with np.errstate(invalid="ignore"):
        return run["rewarded"][..., 0] / run.t


def _rounding(run: Run) -> float:
    return 2 * returns_rounding(run.problem) + optimum_error(run.problem)


regret = Quantity(
    "regret",
    _regret,
    latex=r"\frac{1}{%t} [\sum_{k<%t, f_k = r} (V^*(\rho) - V_r^{\pi_k}(\rho)) + "
    r"\sum_{k<%t, f_k = -c_i} (V_{c_i}^{\pi_k}(\rho) - b_i)]",
    rounding=_rounding,
)
kept = Quantity(
    "kept",
    _kept,
    latex=r"\max_i\,[V_{c_i}^{\bar\pi_{%t}}(\rho) - b_i]_+",
    rounding=lambda run: 2 * returns_rounding(run.problem),
)
share = Quantity("share", _share, latex=r"\tfrac{N_{%t}}{%t}")

kappa = Symbol("kappa", positive=True)
KEY = "xu2021crpo"
NOT_READ = "the paper was not at hand: constants derived in proofs, for exact values"
allowed = log(A) / (eta * t) + eta / (8 * (1 - gamma) ** 4)
REGRET = Theorem(
    name="regret of the switches",
    cite=Cite(KEY, "the lemma on the regret over both kinds of steps"),
    reason=NOT_READ,
    assumes=(slater_condition, unit_rewards, unit_costs),
    lhs=regret,
    rhs=allowed,
    proof="constrained/crpo",
    iterate="average",
)
SHARE = Theorem(
    name="how often the reward is followed",
    cite=Cite(KEY, "the lemma that the set of reward steps is not empty"),
    reason=NOT_READ + r"; $N_t$ is the number of steps that followed the reward",
    assumes=(slater_condition, unit_rewards, unit_costs),
    lhs=share,
    rhs=(1 - allowed / kappa) / (1 + lam_star_sum),
    relation=">=",
    silent="it is about which steps are made, not about what they achieve",
    proof="constrained/crpo",
    iterate="average",
)
KEPT = Theorem(
    name="violation of the average over reward steps",
    cite=Cite(KEY, "the bound on the violation, by construction"),
    reason="the average over the steps that followed the reward, as in the paper, not over all of them",
    lhs=kept,
    rhs=kappa,
    silent="by construction: it says which policies the average is about",
    proof="constrained/crpo",
    iterate="average",
    starts=Start("any logits", lambda state: state.log_pi, lambda alg, problem, x: alg.at(problem, x)),
)


@dataclass(frozen=True)
class CRPO(Solver[CMDP, State]):
    """Natural policy gradient steps of size `eta`, on the reward while no budget is exceeded by more than `kappa`."""

    eta: Positive = 0.05
    kappa: Positive = 0.05

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, SHARE, KEPT)
    measures: ClassVar[tuple[Measure, ...]] = (
        *MEASURES,
        Measure("rewarded", _rewarded, "sum"),
        Measure("overspent", _overspent, "sum"),
    )

    def init(self, problem: CMDP) -> State:
        return self.at(problem, np.zeros(problem.mdp.r.shape))

    def step(self, problem: CMDP, state: State) -> State:
        follow = np.concatenate([problem.mdp.r[None], -problem.c])[state.chosen]
        advantage = exact.advantage(replace(problem.mdp, r=follow), state.pi)
        return self.at(problem, state.log_pi + self.eta / (1 - problem.gamma) * advantage)

    def at(self, problem: CMDP, logits: Array) -> State:
        log_pi = exact.log_softmax(logits)
        over = exact.returns(problem, np.exp(log_pi))[1:] - problem.b > self.kappa
        return State(log_pi, np.exp(log_pi), int(over.argmax()) + 1 if over.any() else 0)
