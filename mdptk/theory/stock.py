"""Quantities and assumptions that many theorems share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.models import MDP, Array, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.run import Run
from mdptk.core.wide import is_wide
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.symbols import gamma
from mdptk.theory.theorem import Assumption

# of problems ----------------------------------------------------------------------------------------------------


def per_model(x: Any) -> Array:
    """Numbers of a problem, () or (batch,), as (repeats, 1)."""
    return np.asarray(x, dtype=object if is_wide(x) else np.float64).reshape(-1, 1)


def _reward_span(run: Run) -> Array:
    r = run.problem.r
    return per_model(r.max((-2, -1)) - r.min((-2, -1)))


reward_span = Quantity("reward_span", _reward_span, latex=r"\mathrm{span}(r)")


def value_rounding(run: Run) -> float:
    """Rounding error of a value computed by the exact kernel."""
    return exact.rounding(run.problem)


def optimum_rounding(run: Run) -> Any:
    """Rounding error of V*: an advantage within rounding is ignored, and taking it for ever is worth 1/(1-gamma)."""
    return value_rounding(run) / (1 - run.problem.gamma)


def sweep_rounding(run: Run) -> float:
    """That of recorded values ``v`` that sweeps made from a start of any size."""
    return value_rounding(run) + 8 * EPS * float(abs(run["v"]).max()) / (1 - run.problem.gamma)


def before(x: Array) -> Array:
    """What was recorded one record earlier, (repeats, records, ...); nan at the first."""
    return np.concatenate([np.full_like(x[:, :1], np.nan), x[:, :-1]], axis=1)


# of runs that record a policy -----------------------------------------------------------------------------------


def policy(run: Run) -> Array:
    """The recorded policies, (repeats, records, S, A)."""
    return run["pi"]


def batch_first(run: Run) -> MDP:
    """The problem with a records axis behind its batch axis, so that arrays over records broadcast against it."""
    problem = run.problem
    if not problem.batch:
        return problem
    return MDP(problem.P[:, None], problem.r[:, None], problem.gamma, problem.rho[:, None])


def optimum(run: Run) -> Any:
    """`Optimum` (or the `Equilibrium` of a game), with a records axis behind a batch axis."""
    best = run.truth.optimum
    return best if not run.problem.batch else exact.Optimum(*(x[:, None] for x in best))


def values(run: Run) -> Array:
    """Values of the recorded policies, (repeats, records, S), computed once for each run."""
    if "values" not in run.cache:
        run.cache["values"] = exact.evaluate(batch_first(run), policy(run))
    return run.cache["values"]


def occupancy(run: Run, pi: Array) -> Array:
    """State occupancy from the start, normalised to one; it is at least (1 - gamma) rho, less than that is rounding."""
    problem = batch_first(run)
    return np.maximum(exact.occupancy(problem, pi), (1 - problem.gamma) * problem.rho)


mismatch = Quantity(
    "mismatch",
    lambda run: (occupancy(run, optimum(run).pi) / batch_first(run).rho).max(-1),
    latex=r"\|d^{\pi^*}_\rho / \rho\|_\infty",
)

suboptimality = Quantity(
    "suboptimality",
    lambda run: exact.performance_gap(batch_first(run), optimum(run), policy(run)),
    latex=r"V^*(\rho) - V^{\pi_{%t}}(\rho)",
    trivial=reward_span / (1 - gamma),
    rounding=lambda run: value_rounding(run) / (1 - run.problem.gamma),
)

policy_error = Quantity(
    "policy_error",
    lambda run: abs(optimum(run).v - values(run)).max(-1),
    latex=r"\|V^* - V^{\pi_{%t}}\|_\infty",
    trivial=reward_span / (1 - gamma),
    rounding=lambda run: 2 * optimum_rounding(run),
)

value_error = Quantity(
    "value_error",
    lambda run: abs(run["v"] - optimum(run).v).max(-1),
    latex=r"\|v_{%t} - V^*\|_\infty",
    rounding=lambda run: 2 * optimum_rounding(run) + sweep_rounding(run),
)

expected_return = Quantity(
    "expected_return",
    lambda run: (batch_first(run).rho * values(run)).sum(-1),
    latex=r"V^{\pi_{%t}}(\rho)",
    rounding=value_rounding,
)


def _gain(run: Run, policy_error: Any) -> tuple[Array, Array]:
    """The performance difference between consecutive policies, and its rounding error."""
    problem, pi = batch_first(run), policy(run)
    d = exact.occupancy(problem, pi)[..., None] / (1 - problem.gamma)
    advantage, change = before(exact.advantage(problem, pi)), pi - before(pi)
    error = value_rounding(run) * abs(change) + policy_error * abs(advantage)
    return (d * advantage * change).sum((-2, -1)), (abs(d) * error).sum((-2, -1))


def gain(policy_error: Callable[[Run], Any]) -> Quantity:
    """What one step gains, by the performance difference: its error is small where the step is.

    `policy_error` bounds the rounding error of the recorded probabilities, (repeats, records, S, A) or a number.
    """
    return Quantity(
        "gain",
        lambda run: _gain(run, 0.0)[0],
        latex=r"V^{\pi_{%t}}(\rho) - V^{\pi_{%t-1}}(\rho)",
        rounding=lambda run: _gain(run, policy_error(run))[1],
    )


step_size = Quantity("step_size", lambda run: run.alg.step_size(run.problem), latex=r"\eta")


# assumptions ----------------------------------------------------------------------------------------------------


def _outside(r: Array, low: float, high: float) -> str | None:
    bad = (r < low) | (r > high)
    if not bad.any():
        return None
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"r{list(where)} = {r[where]:.6g}"


def _first_zero(rho: Array) -> str | None:
    zero = rho == 0
    return f"rho{np.argwhere(zero)[0].tolist()} = 0" if zero.any() else None


unit_rewards = Assumption("rewards in [0, 1]", lambda alg, problem: _outside(problem.r, 0, 1))
positive_start = Assumption("a start distribution that is positive", lambda alg, problem: _first_zero(problem.rho))
discounted = Assumption("gamma > 0", lambda alg, problem: None if problem.gamma > 0 else f"gamma = {problem.gamma:g}")
stationary = Assumption(
    "the same transitions and rewards at every stage",
    lambda alg, problem: None if problem.stationary else "they differ between stages",
)


def unique_optimum(alg: Any, problem: MDP | FiniteHorizonMDP) -> str | None:
    """Reason why the optimal action is not unique in every state, or None."""
    q = exact.optimal(problem).q
    if q.shape[-1] == 1:
        return None
    best = np.sort(q, axis=-1)
    gap = best[..., -1] - best[..., -2]
    tied = gap <= 4 * exact.rounding(problem)
    return f"two optimal actions in state {np.argwhere(tied)[0].tolist()}" if tied.any() else None


unique_optimal_actions = Assumption("a unique optimal action in every state", unique_optimum)


# of policy evaluation with linear features ----------------------------------------------------------------------
# States have fields `theta`, (n,), and `average`, the mean of theta_0 .. theta_{t-1}.


def _squared_value(truth: exact.Truth, theta: Any) -> Any:
    problem = truth.problem
    return (problem.D * (problem.Phi @ theta) ** 2).sum()


LINEAR_MEASURES = (
    Measure("distance", lambda truth, state: ((truth.optimum.theta - state.theta) ** 2).sum()),
    Measure("value_distance", lambda truth, state: _squared_value(truth, truth.optimum.theta - state.theta)),
    Measure("average_distance", lambda truth, state: _squared_value(truth, truth.optimum.theta - state.average)),
)


def feature_spectrum(problem: PolicyEvaluation) -> Array:
    r"""Eigenvalues of the covariance :math:`\Phi^\top D \Phi` of the features, ascending, shape (n,)."""
    covariance = problem.Phi.T @ (problem.D[:, None] * problem.Phi)
    return exact.namespace(covariance).linalg.eigvalsh(covariance)


def _spectral_rounding(problem: PolicyEvaluation) -> float:
    """What an eigenvalue that is zero may come out as."""
    return 8 * EPS * problem.n * float(feature_spectrum(problem)[-1])


def fixed_point_rounding(problem: PolicyEvaluation) -> float:
    r"""How far the computed :math:`\theta^*` may be off, in norm: by the condition number of A on its range."""
    theta, _, A, _ = exact.fixed_point(problem)
    s = np.linalg.svd(A, compute_uv=False)
    s = s[s > EPS * len(s) * s[0]]  # the others count as zero when theta* is solved for
    return 8 * EPS * float(s[0] / s[-1] * np.linalg.norm(theta)) if len(s) else 0.0


def fixed_point_residual(problem: PolicyEvaluation) -> float:
    r"""The norm of :math:`b - A \theta^*`: what is left because singular values near zero count as zero."""
    theta, _, A, b = exact.fixed_point(problem)
    return float(np.linalg.norm(b - A @ theta))


def iterate_rounding(run: Run) -> Array:
    r"""How far float64 may put :math:`\theta_t - \theta^*`, in norm, (repeats, records); for alpha at most 1.

    That of the solution, and in each of t steps its residual and one rounding of n products.
    """
    problem = run.problem
    size = np.linalg.norm(run.truth.optimum.theta) + np.sqrt(np.maximum.accumulate(run["distance"], axis=1))
    steps = (1 + run.t) * (fixed_point_residual(problem) + 8 * EPS * problem.n * size)
    return fixed_point_rounding(problem) + steps


def quadratic_rounding(run: Run) -> Array:
    r"""Rounding error of a quadratic form in :math:`\theta_t - \theta^*`, (repeats, records).

    For matrices of norm at most 4, such as that of :math:`\|\bar g(\theta)\|_2^2` where :math:`\|\phi(s)\|_2 \leq 1`.
    """
    off = iterate_rounding(run)
    return 4 * (2 * np.sqrt(run["distance"]) + off) * off + 32 * EPS * run.problem.S * run["distance"]


omega = Quantity(
    "omega",
    lambda run: feature_spectrum(run.problem)[0],
    latex=r"\omega",
    rounding=lambda run: _spectral_rounding(run.problem),
)
distance = Quantity(
    "distance",
    lambda run: run["distance"],
    latex=r"\|\theta^* - \theta_{%t}\|_2^2",
    rounding=quadratic_rounding,
)
value_distance = Quantity(
    "value_distance",
    lambda run: run["value_distance"],
    latex=r"\|V_{\theta^*} - V_{\theta_{%t}}\|_D^2",
    rounding=quadratic_rounding,
)
average_distance = Quantity(
    "average_distance",
    lambda run: run["average_distance"],
    latex=r"\|V_{\theta^*} - V_{\bar\theta_{%t}}\|_D^2",
    rounding=quadratic_rounding,
)


def _drift(problem: PolicyEvaluation) -> str | None:
    P, _ = exact.chain(problem.mdp, problem.pi)
    off = abs(problem.D @ P - problem.D).sum()
    return None if off <= 16 * EPS * problem.S else f"|D P_pi - D|_1 = {off:.3g}"


def _long_feature(problem: PolicyEvaluation) -> str | None:
    norm = np.linalg.norm(problem.Phi, axis=1)
    s = int(norm.argmax())
    return None if norm[s] <= 1 + 16 * EPS else f"|phi({s})|_2 = {norm[s]:.6g}"


def _rank_deficiency(problem: PolicyEvaluation) -> str | None:
    low = feature_spectrum(problem)[0]
    return None if low > _spectral_rounding(problem) else f"the smallest eigenvalue of Phi^T D Phi is {low:.3g}"


on_policy = Assumption("D stationary under the policy", lambda alg, problem: _drift(problem))
unit_features = Assumption("features of norm at most one", lambda alg, problem: _long_feature(problem))
full_rank = Assumption("features of full rank under D", lambda alg, problem: _rank_deficiency(problem))
