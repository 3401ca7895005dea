r"""Constrained MDPs: the occupancy LP, with a duality gap that is certified.

.. math::

    \max_{x \ge 0} \langle r, x\rangle \;\text{ s.t. }\; \langle c_i, x\rangle \le b_i, \qquad E^\top x = e,

over the occupancies of `_occupancies`: discounted, with stages, or of the average reward. HiGHS solves its dual, over
values `v` and multipliers :math:`\lambda \ge 0`, which is many times faster, and gives `x` as multipliers: a vertex, so
at most m entries are positive beside one for each state that is visited. None of that is trusted:

1. For any :math:`\lambda \ge 0`, :math:`V^*(\rho) \le \max_\pi V^\pi_{r - \lambda c}(\rho) + \lambda b`: a problem
   without constraints, whose value `certificates` bounds from above.
2. Any policy that meets the budgets gives a lower bound. A policy that spends a budget to the last cent cannot be
   proved to meet it in floats, so its occupancy is mixed with that of a policy with slack (the Slater point), as little
   as the proof takes.
3. If :math:`\lambda \ge 0` and :math:`\min_\pi V^\pi_{\lambda c}(\rho) > \lambda b`, no policy is feasible: a Farkas
   ray, found by maximising the smallest slack.

Source: chapters 3 and 4 of Altman [altman1999constrained].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mdptk.core.errors import Infeasible, NotConverged
from mdptk.core.exact import one_hot
from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP
from mdptk.solve._linear_program import highs
from mdptk.solve._occupancies import Occupancies, conditional, dot, occupancies, reachable
from mdptk.solve.certificates import TINY, WIDE, U, _up, float_above, float_below
from mdptk.solve.solution import ConstrainedSolution

if TYPE_CHECKING:
    from mdptk.core.models import Array

DUST = 1e-13  # of an occupancy that sums to one: what a linear program leaves of zero
LARGE, SPARSE = 300, 0.2  # states and density from which a dense model is taken for a sparse one
EXACT = 300  # states up to which feasibility without slack is decided in rationals


@dataclass(frozen=True, eq=False)
class FarkasRay:
    r"""Proof that no policy meets the budgets: :math:`\min_\pi V_{\lambda c}^\pi(\rho) > \lambda b`.

    Attributes
    ----------
    multipliers
        :math:`\lambda \ge 0`, shape (m,), with sum one up to rounding.
    cost
        A lower bound on what every policy spends, :math:`\min_\pi \sum_i \lambda_i V_{c_i}^\pi(\rho)`.
    budget
        An upper bound on :math:`\sum_i \lambda_i b_i`, less than `cost`.
    """

    multipliers: Array
    cost: float
    budget: float


class _Point(NamedTuple):
    """A policy and what is proved about it."""

    pi: Array  # of the shape of r
    reward: float  # a lower bound on its return
    excess: Array  # (m,): upper bounds on cost - b


def solve_constrained(problem: CMDP, tol: float) -> ConstrainedSolution:
    """The optimal return between bounds that are `tol` apart; see `mdptk.solve.solve`."""
    problem = _lean(problem)
    model = problem.mdp
    if isinstance(model, AverageRewardMDP) and len(here := reachable(model)) < model.S:
        return _embedded(solve_constrained(_restricted(problem, here), tol), here, model.S)
    space = occupancies(model)
    lp = _Programs(problem, space)
    for i in np.flatnonzero((problem.c == 0).reshape(problem.m, -1).all(1) & (problem.b < 0)):
        _raise_if_infeasible(problem, space, np.eye(problem.m)[i], np.zeros(len(space.start)))
    ray, v, safe, steps = lp.slater()
    inner = _point(problem, space, safe)
    if inner.excess.max() > 0:
        _raise_if_infeasible(problem, space, ray, v)
    v, multipliers, pi, more = lp.optimum()
    upper, greedy = _dual_value(problem, space, model.r, multipliers, tol / 4, v)
    outer = _point(problem, space, space.completed(pi, greedy))
    refined, sharper = _refined(problem, space, outer.pi, multipliers)
    if refined is not None:
        outer = min(outer, _point(problem, space, refined), key=lambda p: p.excess.max())
        bound, _ = _dual_value(problem, space, model.r, sharper, tol / 4, v)
        if bound < upper:
            upper, multipliers = bound, sharper
    best = _repaired(problem, space, outer, inner)
    slater = max(0.0, -float(inner.excess.max()))
    if best is None:
        raise NotConverged(
            f"no policy is proved feasible: the best slack found is {-inner.excess.max():.3g}, so the budgets "
            f"b = {problem.b} can be met exactly or not at all; the policy found exceeds them by at most "
            f"{outer.excess.max():.3g}, and no policy earns more than {upper:.9g}{space.caveat}",
            float("inf"),
        )
    width = upper - best.reward
    if not width <= tol:
        raise NotConverged(
            f"bounds {width:.3g} apart, tol = {tol:.3g}; Slater constant at least {slater:.3g}, multipliers "
            f"{multipliers}{space.caveat}",
            float(width),
        )
    lower, upper = np.array(best.reward), np.array(upper)
    value, occupancy = np.array(lower + (upper - lower) / 2), space.occupancy(outer.pi)
    for x in (value, outer.pi, lower, upper, best.pi, inner.pi, occupancy, multipliers):
        x.setflags(write=False)
    return ConstrainedSolution(
        value=value,
        policy=outer.pi,
        lower=lower,
        upper=upper,
        iterations=steps + more,
        seconds=0.0,
        method="lp",
        reason="",
        feasible=best.pi,
        violation=0.0 if best is outer else float(outer.excess.max()),
        occupancy=occupancy,
        multipliers=multipliers,
        slater=slater,
        safest=inner.pi,
    )


def _lean(problem: CMDP) -> CMDP:
    """The problem with the transitions of a large dense model that are not zero: certificates read them often."""
    import scipy.sparse as sp

    model = problem.mdp
    stages = isinstance(model, FiniteHorizonMDP)
    if stages or model.sparse or model.S < LARGE or np.count_nonzero(model.P) > SPARSE * model.P.size:
        return problem
    P = sp.csr_array(model.P.reshape(-1, model.S))
    return replace(problem, mdp=replace(model, P=P, **({"grid": None} if isinstance(model, MDP) else {})))


def _restricted(problem: CMDP, here: Array) -> CMDP:
    """The problem on the states that can be reached."""
    model = problem.mdp
    if model.sparse:
        P = model.P[(here[:, None] * model.A + np.arange(model.A)).ravel()][:, here]
    else:
        P = model.P[here][:, :, here]
    return CMDP(AverageRewardMDP(P, model.r[here], model.rho[here]), problem.c[:, here], problem.b)


def _embedded(solution: ConstrainedSolution, here: Array, S: int) -> ConstrainedSolution:
    """That solution on all states; where nobody comes, the first action."""

    def wide(x: Array, first: float) -> Array:
        y = np.zeros((S, x.shape[1]))
        y[:, 0] = first
        y[here] = x
        y.setflags(write=False)
        return y

    policy = wide(solution.policy, 1.0)
    feasible = policy if solution.feasible is solution.policy else wide(solution.feasible, 1.0)
    safest = wide(solution.safest, 1.0)
    return replace(solution, policy=policy, feasible=feasible, occupancy=wide(solution.occupancy, 0.0), safest=safest)


# linear programs -------------------------------------------------------------------------------------------------


class _Programs:
    """Both linear programs, in units in which rewards and costs are at most one and `x` sums to the number of rows."""

    def __init__(self, problem: CMDP, space: Occupancies) -> None:
        import scipy.sparse as sp  # only where it is needed: half a second

        m = problem.m
        self.problem, self.space, self.shape = problem, space, problem.mdp.r.shape
        self.columns, self.size = len(space.start), problem.mdp.r[..., 0].size
        largest = abs(problem.c).reshape(m, -1).max(1)
        self.units = np.where(largest > 0, largest, largest.max() or 1.0)
        self.reward = abs(problem.mdp.r).max() or 1.0
        self.b = np.clip(space.share * problem.b / self.units, -1e4, 1e4)  # beyond 1 none binds, below -1 none is met
        self.b[largest == 0] = 1e4  # met or not, whatever the policy
        costs = sp.csr_array((problem.c.reshape(m, -1) / self.units[:, None]).T)
        self.rows = -sp.hstack([space.flow(), costs]).tocsr()
        self.cost = self.size * np.concatenate([space.start, self.b])
        self.bounds = [(None, None)] * self.columns + [(0, None)] * m

    def slater(self) -> tuple[Array, Array, Array, int]:
        """Of the largest smallest slack: multipliers (m,), values, a policy that has it, and the number of steps."""
        share = np.maximum(self.units.min() / self.units, 1e-6)  # the same slack for all, in the units of the costs
        total = np.concatenate([np.zeros(self.columns), share])[None]
        answer = highs(self.cost, A_ub=self.rows, b_ub=np.zeros(self.rows.shape[0]), A_eq=total, b_eq=[1.0],
                       bounds=self.bounds)  # fmt: skip
        ray = np.maximum(answer.x[self.columns :], 0) / self.units
        scale = ray.sum()
        v = answer.x[: self.columns]
        q = self.space.q(v, -np.tensordot(ray, self.problem.c, 1))
        pi = self.space.completed(self._policy(answer), one_hot(q.argmax(-1), self.shape[-1]))
        return ray / scale, v / scale, pi, answer.nit

    def optimum(self) -> tuple[Array, Array, Array, int]:
        """Values, multipliers (m,), a policy with empty rows where it never comes, and the number of steps."""
        r = self.problem.mdp.r.ravel() / self.reward
        answer = highs(self.cost, A_ub=self.rows, b_ub=-r, bounds=self.bounds)
        multipliers = np.maximum(answer.x[self.columns :], 0) * self.reward / self.units
        return answer.x[: self.columns] * self.reward, multipliers, self._policy(answer), answer.nit

    def _policy(self, answer: Any) -> Array:
        x = np.maximum(-answer.ineqlin.marginals, 0).reshape(self.shape) / self.size
        x[x < DUST] = 0
        return conditional(x, np.zeros_like(x))


def _refined(problem: CMDP, space: Occupancies, pi: Array, multipliers: Array) -> tuple[Array | None, Array]:
    r"""A vertex with the digits that HiGHS leaves out: which actions are used is right, how often is off by 1e-10.

    The occupancies with the support of `pi` are the affine combinations of those of one deterministic policy and of
    its neighbours, one for each further action of `pi`. What they spend says how to meet the budgets that have a price,
    and the prices are those at which all of them earn the same. Returns None for a deterministic policy.
    """
    r, c = problem.mdp.r.ravel(), problem.c.reshape(problem.m, -1)
    base = one_hot(pi.argmax(-1), pi.shape[-1])
    further = np.argwhere((pi > 0) & (base == 0))
    active = multipliers * abs(c).max(1) > 1e-9 * abs(r).max()
    if not 0 < len(further) <= problem.m or not active.any():
        return None, multipliers
    neighbours = np.repeat(base[None], len(further), axis=0)
    for p, (*s, a) in zip(neighbours, further, strict=True):
        p[tuple(s)] = one_hot(a, pi.shape[-1])
    x, start = space.occupancy(pi).ravel(), space.occupancy(base).ravel()
    steps = np.array([space.occupancy(p).ravel() for p in neighbours]) - start
    spend = steps @ c[active].T
    short = space.share * problem.b[active] - c[active] @ x
    x = np.maximum(x + np.linalg.lstsq(spend.T, short)[0] @ steps, 0).reshape(pi.shape)
    sharper = multipliers * active
    sharper[active] = np.maximum(np.linalg.lstsq(spend, steps @ r)[0], 0)
    return conditional(x, pi), sharper


# bounds ----------------------------------------------------------------------------------------------------------


def _dual_value(
    problem: CMDP, space: Occupancies, r: Array, multipliers: Array, tol: float, v: Array
) -> tuple[float, Array]:
    r"""An upper bound on :math:`\max_\pi V_{r-\lambda c}(\rho) + \lambda b`, and a policy that attains the maximum."""
    weights = multipliers.astype(WIDE)
    reward = r - np.tensordot(weights, problem.c, 1)
    size = abs(r) + np.tensordot(weights, abs(problem.c), 1)
    reward = float_above(reward + (problem.m + 4) * U * size)  # more reward, more value
    rho, value, greedy = space.relaxed(reward, tol, v)
    _, upper = dot(np.concatenate([rho, weights]), np.concatenate([value, problem.b]))
    return float(float_above(upper)), greedy


def _raise_if_infeasible(problem: CMDP, space: Occupancies, ray: Array, v: Array) -> None:
    """Raise Infeasible if `ray` proves it."""
    zero = np.zeros_like(problem.mdp.r)
    largest = abs(problem.c).reshape(problem.m, -1).max(1) / space.share
    size = float((ray * np.maximum(largest, abs(problem.b))).sum())
    for tol in (1e-3 * size, 1e-9 * size, 1e-12 * size):
        try:
            bound, _ = _dual_value(problem, space, zero, ray, max(tol, TINY), v)
        except NotConverged:
            return
        if bound < 0:  # a bound on lambda b - min V_{lambda c}
            _, budget = dot(ray, problem.b)
            certificate = FarkasRay(ray, float(float_below(budget - WIDE(bound))), float(float_above(budget)))
            raise Infeasible(
                f"no policy meets the budgets b = {problem.b}: with the weights {ray}, every policy spends at least "
                f"{certificate.cost:.9g} of V_c(rho), and the budgets add up to {certificate.budget:.9g}",
                certificate,
            )


def _point(problem: CMDP, space: Occupancies, pi: Array) -> _Point:
    """A policy with proved bounds on what it earns and spends."""
    bounds = space.bounds((problem.mdp.r, *problem.c), pi)
    cost = np.array([high for _, high in bounds[1:]], dtype=WIDE)
    return _Point(pi, bounds[0][0], float_above(_up(cost - problem.b)) * (cost != problem.b))


def _repaired(problem: CMDP, space: Occupancies, outer: _Point, inner: _Point) -> _Point | None:
    """`outer`, or the mixture of it with the least of `inner` that is proved feasible; None if there is none."""
    over = outer.excess > 0
    if not over.any():
        return outer
    if inner.excess.max() > 0 or inner.excess[over].max() == 0:
        feasible = [p for p in (outer, inner) if _exactly_feasible(problem, space, p.pi)]
        return max(feasible, key=lambda p: p.reward) if feasible else None
    x, y = space.occupancy(outer.pi), space.occupancy(inner.pi)
    t = (outer.excess[over] / (outer.excess - inner.excess)[over]).max()
    while t < 1:
        mixed = _point(problem, space, conditional((1 - t) * x + t * y, outer.pi))
        if mixed.excess.max() <= 0:
            return mixed
        t *= 1.5
    return inner


def _exactly_feasible(problem: CMDP, space: Occupancies, pi: Array) -> bool:
    """Whether `pi` meets every budget, in exact arithmetic; False if that cannot be told."""
    if problem.S > EXACT:
        return False
    try:
        spent = space.exact(problem.c, pi)
    except (ImportError, NotConverged):  # without python-flint; a policy with several recurrent classes
        return False
    return all(x <= b for x, b in zip(spent, problem.b.tolist(), strict=True))
