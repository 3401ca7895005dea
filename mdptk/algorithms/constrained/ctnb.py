r"""CTNB: follow the policy gradient, and where a budget is exceeded a bisector that lowers the cost as well.

With the gradient g of :math:`V_r(\rho)` in the logits and w that of :math:`-V_{c_i}(\rho)`, for the first cost i
that exceeds its budget,

.. math::

   \theta_{t+1} = \theta_t + \eta\, p_t, \qquad
   p_t = \begin{cases}
   g & \text{if every budget is met,} \\
   \tfrac12 (\langle g, b\rangle + \langle w, b\rangle)\, b, \quad
   b \propto \tfrac{g}{\|g\|} + \tfrac{w}{\|w\|} & \text{if not, and } \langle g, w\rangle > 0, \\
   g - \tfrac{\langle g, w\rangle}{\|w\|^2}\, w & \text{otherwise.} \end{cases}

There are no prices. The bisector is from multi-objective policy search, where the cost is how much a policy has in
common with those that are known already (`mdptk.core.constrained.novel`). It gives up neither of two aims, and that
is what goes wrong under a budget: where reward and cost pull in opposite directions, which is why there is a
constraint, the last case applies. It does nothing for the budget to first order, and nothing at all where they are
exactly opposite. So there is a bound on how much a step gains of the reward and another on what it saves, but none on
the violation: a run that starts too high may stay there for ever. The default step size is
:math:`(1-\gamma)^3/8`, the inverse of the smoothness for numbers in [0, 1].

After Sun et al. [sun2020novel], in whose code lengths along b are those of elementwise products, and the last case is
scaled by other factors; the bisector is that of Zhang, Yu and Turk [zhang2019learning]. Their other method, IPD, is
`mdptk.core.augmented.stopped`. Proof: ``proofs/constrained/ctnb.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> run(CTNB(), paradoxical(b=0.5), 100)["returns"][0, [0, -1]].tolist()  # what is earned is what is spent
[[1.0, 1.0], [1.0, 1.0]]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import MEASURES, last, returns_rounding, unit_costs, unit_rewards
from mdptk.theory.symbols import gamma


class State(NamedTuple):
    """Logits, the largest in each state kept at 0, their policy, and the cost that is watched: 0 if all is well."""

    theta: Array  # (S, A)
    pi: Array  # (S, A)
    watched: int  # i + 1 for the cost i


def _geometry(run: Run) -> dict[str, Array]:
    """Norms of both gradients, |p| and the products <g, p> and <w, p>, by the half-angle formula; once for each run."""
    if "geometry" not in run.cache:
        g, w = _gradients(run.problem, run["pi"], run["watched"].astype(int))
        R, C, x = (np.sqrt((g**2).sum((-2, -1))), np.sqrt((w**2).sum((-2, -1))), (g * w).sum((-2, -1)))
        z = np.clip(x / np.where(R * C > 0, R * C, 1.0), -1, 1)
        half, free = np.sqrt((1 + z) / 2), run["watched"] == 0
        p = np.where(free, R, np.where(z > 0, (R + C) / 2 * half, R * np.sqrt(1 - z**2)))
        sharp = ~free & (z > 0)
        gained = np.where(sharp, R * half * p, p**2)
        saved = np.where(sharp, C * half * p, 0)
        run.cache["geometry"] = {"R": R, "C": C, "z": z, "p": p, "gained": gained, "saved": saved}
    return run.cache["geometry"]


def _gradient_rounding(run: Run) -> Array:
    """Of a product of two gradients, or of one and p: an entry is at most of the size of what it was computed from.

    A gradient that is hardly more than rounding has no direction, and an angle that is nearly right decides no case.
    """
    x = _geometry(run)
    R, C, z = x["R"], x["C"], x["z"]
    off = returns_rounding(run.problem) / (1 - run.problem.gamma) * np.sqrt(run.problem.S * run.problem.A)
    turned = sum(np.divide(off, y, out=np.ones_like(y), where=y > off) for y in (R, C))
    undecided = np.where(abs(z) <= turned, 1.0, turned)
    return 4 * (off + 4 * EPS * (R + C)) * (R + C + off) + undecided * (R + C) ** 2 * (run["watched"] > 0)


def _step_rounding(run: Run) -> Array:
    """Of a change of what is earned or spent: logits are rounded, and a return moves by its gradient times that."""
    x, size = _geometry(run), abs(run["theta"]).max((-2, -1))
    return 4 * returns_rounding(run.problem) + 4 * EPS * size * (x["R"] + x["C"]) * np.sqrt(run.problem.A)


def _saving(run: Run) -> Array:
    """What the step saved of the cost that was watched; 0 where none was."""
    i = np.nan_to_num(before(run["watched"])).astype(int)
    now, then = (np.take_along_axis(x, i[..., None], -1)[..., 0] for x in (last(run), before(last(run))))
    return np.where(i > 0, then - now, 0.0)


step_size = Quantity("step_size", lambda run: run.alg.step_size(run.problem), latex=r"\eta")
gained = Quantity(
    "gained", lambda run: _geometry(run)["gained"], latex=r"\langle g_{%t}, p_{%t}\rangle", rounding=_gradient_rounding
)
saved = Quantity(
    "saved", lambda run: _geometry(run)["saved"], latex=r"\langle w_{%t}, p_{%t}\rangle", rounding=_gradient_rounding
)
moved = Quantity("moved", lambda run: _geometry(run)["p"] ** 2, latex=r"\|p_{%t}\|_2^2", rounding=_gradient_rounding)
watching = Quantity("watching", lambda run: (run["watched"] > 0) * 1.0, latex=r"1\{V_c^{\pi_{%t}} \not\leq b\}")
gain = Quantity(
    "gain",
    lambda run: last(run)[..., 0] - before(last(run)[..., 0]),
    latex=r"V_r^{\pi_{%t}}(\rho) - V_r^{\pi_{%t-1}}(\rho)",
    rounding=_step_rounding,
)
saving = Quantity(
    "saving",
    _saving,
    latex=r"1\{V_c^{\pi_{%t-1}} \not\leq b\} (V_{c_i}^{\pi_{%t-1}}(\rho) - V_{c_i}^{\pi_{%t}}(\rho))",
    rounding=_step_rounding,
)

KEY = "sun2020novel"
DERIVED = "derived in proofs/: the ascent lemma for the direction of the update"
kept = 4 * step_size**2 / (1 - gamma) ** 3 * previous(moved)
GAIN = Theorem(
    name="a step gains reward",
    cite=Cite(KEY, "the update of CTNB"),
    reason=DERIVED + r"; $\langle g, p\rangle \geq 0$ in all three cases",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=gain,
    rhs=step_size * previous(gained) - kept,
    relation=">=",
    proof="constrained/ctnb",
    iterate="last",
)
SAVING = Theorem(
    name="a step saves cost",
    cite=Cite(KEY, "the update of CTNB"),
    reason=DERIVED + r"; $\langle w, p\rangle = 0$ where the gradients make an obtuse angle",
    assumes=(unit_costs,),
    consecutive=True,
    lhs=saving,
    rhs=previous(watching) * (step_size * previous(saved) - kept),
    relation=">=",
    proof="constrained/ctnb",
    iterate="last",
)


@dataclass(frozen=True)
class CTNB(Solver[CMDP, State]):
    """Constrained task-novelty bisector with step size `eta`, by default (1 - gamma)^3 / 8, from the uniform policy."""

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (GAIN, SAVING)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def step_size(self, problem: CMDP) -> float:
        """`eta`, or the inverse of the smoothness of a value if none was given."""
        return (1 - problem.gamma) ** 3 / 8 if self.eta is None else self.eta

    def init(self, problem: CMDP) -> State:
        return _state(problem, np.zeros(problem.mdp.r.shape))

    def step(self, problem: CMDP, state: State) -> State:
        g, w = _gradients(problem, state.pi, state.watched)
        p = g if state.watched == 0 else bisector(g, w)
        return _state(problem, state.theta + self.step_size(problem) * p)


def _state(problem: CMDP, theta: Array) -> State:
    pi = exact.softmax(theta)
    over = exact.returns(problem, pi)[1:] > problem.b
    return State(theta - theta.max(-1, keepdims=True), pi, int(over.argmax()) + 1 if over.any() else 0)


def _gradients(problem: CMDP, pi: Array, watched: Array | int) -> tuple[Array, Array]:
    """Of what is earned, and of minus the cost that is watched (the first where none is), (..., S, A)."""
    mdp = problem.mdp
    costs = np.stack([exact.softmax_gradient(replace(mdp, r=-c), pi) for c in problem.c], axis=-3)
    i = np.maximum(np.asarray(watched) - 1, 0)[..., None, None, None]
    return exact.softmax_gradient(mdp, pi), np.take_along_axis(costs, i, -3)[..., 0, :, :]


def bisector(g: Array, w: Array) -> Array:
    """Where both grow alike if the angle of g and w is acute; otherwise g without its part along w."""
    R, C = np.linalg.norm(g), np.linalg.norm(w)
    if not R * C > 0:
        return g
    if (g * w).sum() <= 0:
        return g - (g * w).sum() / C * (w / C)
    b = g / R + w / C
    b = b / np.linalg.norm(b)
    return ((g + w) * b).sum() / 2 * b
