r"""Exact answers: policy iteration over the rationals, and proofs or refutations of policies.

Every float64 is a rational number, so a stored model has an exact optimal value, the fixed point of the stored arrays
even where rows sum to one only within 1e-9. Policy iteration starts from the float64 optimum, so that one rational
solve is usual, and stops when every reduced cost :math:`r + \gamma P v - v` is at most zero: that is the proof, by
theorem 6.2.2 of Puterman [puterman1994markov]. Solves are p-adic (FLINT): the numbers have about 120 S bits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import InvalidModel, NotConverged
from mdptk.core.exact import check_policy, one_hot
from mdptk.core.models import MDP, Array, AverageRewardMDP, FiniteHorizonMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.solve._policy_iteration import newton
from mdptk.solve.certificates import WIDE, bracket, bracket_stages
from mdptk.solve.solution import ExactSolution, Unsupported

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Certificate:
    r"""What exact arithmetic says about a policy: optimal, or by how much it is not, and where.

    Attributes
    ----------
    optimal
        Whether :math:`V^\pi = V^*` in every state (and stage), exactly.
    value
        :math:`V^\pi` as `fractions.Fraction`, shape (S,), for stages (H + 1, S); an object array.
    gain
        The largest :math:`Q^\pi(s, a) - V^\pi(s)`, exactly. It is 0 if the policy is optimal; otherwise it proves that
        :math:`V^*(s) \ge V^\pi(s) + \text{gain}`. Units of the rewards.
    state, action, stage
        Where that is; None if the policy is optimal, and `stage` is None for discounted problems.
    loss
        A bound on :math:`\max_s V^*(s) - V^\pi(s)`, exactly 0 if and only if the policy is optimal: the gain over one
        minus the largest discounted row sum, or the sum of the largest gains of the stages.
    """

    optimal: bool
    value: Array
    gain: Fraction
    state: int | None
    action: int | None
    stage: int | None
    loss: Fraction

    def __repr__(self) -> str:
        if self.optimal:
            return "Certificate(optimal=True)"
        stage = "" if self.stage is None else f"stage={self.stage}, "
        where = f"{stage}state={self.state}, action={self.action}"
        return f"Certificate(optimal=False, {where}, gain={float(self.gain):.3g}, loss<={float(self.loss):.3g})"


def solve_exact(problem: Any) -> ExactSolution:
    """The optimum in exact arithmetic; see `mdptk.solve.solve` with ``exact=True``."""
    start = time.perf_counter()
    _one_model(problem)
    flint()  # or MissingExtra
    if isinstance(problem, FiniteHorizonMDP):
        value, actions, steps = _stages_optimum(problem)
        reason = f"exact, {problem.H} stages of dyadic rationals"
    elif isinstance(problem, (AverageRewardMDP, TotalRewardMDP)):
        from mdptk.solve._exact_undiscounted import average_optimum, total_optimum

        if isinstance(problem, AverageRewardMDP):
            value, actions, steps = average_optimum(problem)
        else:
            value, actions, steps = total_optimum(problem)
        reason = f"exact, {problem.S} states: rational solves from the float64 optimum until no action is better"
    else:
        value, actions, steps = _optimum(problem)
        reason = f"exact, {problem.S} states: rational solves from the float64 optimum until no reduced cost is > 0"
    value = np.array([_fraction(x) for x in value], dtype=object).reshape(_value_shape(problem))
    lower, middle, upper = (x.reshape(value.shape) for x in nearest(value.ravel()))
    policy = one_hot(actions, problem.A)
    for x in (middle, policy, lower, upper, value):
        x.setflags(write=False)
    return ExactSolution(middle, policy, lower, upper, steps, time.perf_counter() - start, "exact", reason, exact=value)


def certify(problem: MDP | FiniteHorizonMDP | AverageRewardMDP | TotalRewardMDP, policy: ArrayLike) -> Certificate:
    r"""Prove in exact arithmetic that a policy is optimal, or refute it with an improvement.

    Parameters
    ----------
    problem
        One `MDP`, `AverageRewardMDP`, `TotalRewardMDP` (dense or sparse) or `FiniteHorizonMDP`, of up to a few hundred
        states. Without discount the optimum itself is computed, so that `gain` and `loss` are both the largest
        :math:`V^*(s) - V^\pi(s)`, exactly, `state` is where that is, and `action` what an optimal policy does there.
    policy
        Probabilities ``pi[s, a]`` or ``pi[h, s, a]``, or actions (integers) ``pi[s]`` or ``pi[h, s]``. Rows whose
        float64 entries do not sum to one exactly are divided by their exact sum.

    Returns
    -------
    Certificate
        Optimal, or the state, action and exact gain of the largest improvement.

    Raises
    ------
    MissingExtra
        Without python-flint: ``pip install mdptk[exact]``.
    InvalidModel
        If `policy` is not a policy of `problem`, or `problem` is a batch of models.
    NotConverged
        If gamma times a row sum reaches one: the stored model has no optimal value. If the total reward of the policy
        is infinite or has no limit.
    Infeasible, Unbounded
        If the optimal total reward is not finite.
    Unsupported
        For other types of problem.

    Examples
    --------
    >>> from mdptk.problems.teaching import two_state
    >>> certify(two_state(gamma=0.75), [1, 0])
    Certificate(optimal=True)
    >>> certify(two_state(gamma=0.75), [0, 0])
    Certificate(optimal=False, state=0, action=1, gain=1, loss<=4)
    """
    _one_model(problem)
    pi = _policy(problem, policy)
    if isinstance(problem, FiniteHorizonMDP):
        return _certify_stages(problem, pi)
    if isinstance(problem, (AverageRewardMDP, TotalRewardMDP)):
        return _certify_undiscounted(problem, pi)
    model = _Rationals(problem)
    v = model.value(pi)
    q = model.q(v)
    gain, where = max((x - v[i // problem.A, 0], -i) for i, x in enumerate(q.entries()))
    state, action = divmod(-where, problem.A)
    value = np.array([_fraction(x) for x in v.entries()], dtype=object)
    if gain <= 0:  # then it is 0: a policy's own action has no advantage
        return Certificate(True, value, Fraction(0), None, None, None, Fraction(0))
    return Certificate(False, value, _fraction(gain), state, action, None, _fraction(gain / (1 - model.modulus)))


def _certify_undiscounted(problem: Any, pi: Array) -> Certificate:
    from mdptk.solve import _exact_undiscounted as undiscounted

    if isinstance(problem, AverageRewardMDP):
        optimum, found = undiscounted.average_optimum(problem), undiscounted.average_value(problem, pi)
    else:
        optimum, found = undiscounted.total_optimum(problem), undiscounted.total_value(problem, pi)
    best, actions, _ = optimum
    value = np.array([_fraction(x) for x in found], dtype=object)
    loss, where = max((x - y, -s) for s, (x, y) in enumerate(zip(best, found, strict=True)))
    if loss == 0:
        return Certificate(True, value, Fraction(0), None, None, None, Fraction(0))
    loss = _fraction(loss)
    return Certificate(False, value, loss, -where, int(actions[-where]), None, loss)


def returns(mdp: MDP, rewards: Array, pi: Array) -> list[Fraction]:
    r"""The exact :math:`V^\pi(\rho)` of a policy, rows divided by their sums, for each of ``rewards[i, s, a]``."""
    model, rho = _Rationals(mdp), _matrix(mdp.rho[None])
    model.r = _matrix(rewards.reshape(len(rewards), -1).T)
    return [_fraction(x) for x in (rho * model.value(pi)).entries()]


def stage_returns(problem: FiniteHorizonMDP, rewards: Array, pi: Array) -> list[Fraction]:
    """The same with stages, for each of ``rewards[i, h, s, a]``."""
    rho, found = _matrix(problem.rho[None]), []
    for r in rewards:
        *_, (v, _) = _backward(replace(problem, r=r), lambda h, q: _means(pi[h], q))
        found.append(_fraction((rho * flint().fmpq_mat(problem.S, 1, v))[0, 0]))
    return found


def gains(problem: AverageRewardMDP, rewards: Array, pi: Array) -> list[Fraction]:
    """The exact average reward of a policy, rows of `pi` and ``P`` divided by their sums, for ``rewards[i, s, a]``.

    Raises
    ------
    NotConverged
        If the policy has several recurrent classes.
    """
    fmpq, fmpq_mat, S, A = flint().fmpq, flint().fmpq_mat, problem.S, problem.A
    P = _matrix((problem.P.toarray() if problem.sparse else problem.P).reshape(-1, S))
    total = (P * fmpq_mat(S, 1, [1] * S)).entries()
    frequency = fmpq_mat(S, S * A)  # of the actions
    normal = fmpq_mat(S, S * A)  # the same over the row sums of P
    for s, row in enumerate(pi.tolist()):
        row = [fmpq(*x.as_integer_ratio()) for x in row]
        for a, x in enumerate(row):
            frequency[s, s * A + a] = x / sum(row, fmpq(0))
            normal[s, s * A + a] = frequency[s, s * A + a] / total[s * A + a]
    M = (
        normal * P
    ).transpose()  # d = M d, and d sums to one: of the first equation, one of all, the sum takes the place
    for s in range(S):
        M[s, s] -= 1
        M[0, s] = 1
    try:
        d = M.solve(fmpq_mat(S, 1, [1] + [0] * (S - 1)))
    except ZeroDivisionError:
        raise NotConverged("the policy has several recurrent classes", float("inf")) from None
    x = d.transpose() * frequency
    return [_fraction(y) for y in (x * _matrix(rewards.reshape(len(rewards), -1).T)).entries()]


def _means(pi: Array, q: list[Any]) -> list[Any]:
    """Of action values in one list the mean under ``pi[s, a]``, rows divided by their sums."""
    fmpq, A = flint().fmpq, pi.shape[1]
    v = []
    for s, row in enumerate(pi.tolist()):
        weights = [fmpq(*x.as_integer_ratio()) for x in row]
        mean = sum((x * y for x, y in zip(weights, q[s * A : s * A + A], strict=True)), fmpq(0))
        v.append(mean / sum(weights, fmpq(0)))
    return v


def nearest(x: Any) -> tuple[Array, Array, Array]:
    """Of fractions: the largest float64 below, the nearest, and the smallest above."""
    middle = np.array([_float(y) for y in x], dtype=np.float64)
    side = np.array([_compare(y, f) for y, f in zip(x, middle, strict=True)])
    lower = np.where(side < 0, np.nextafter(middle, -np.inf), middle)
    upper = np.where(side > 0, np.nextafter(middle, np.inf), middle)
    return lower, middle, upper


def _float(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return float("inf") if x > 0 else -float("inf")


def _compare(x: Fraction, f: float) -> int:
    """The sign of ``x - f``."""
    if np.isinf(f):
        return -1 if f > 0 else 1
    return (x > Fraction(float(f))) - (x < Fraction(float(f)))


def flint() -> Any:
    """The module, or MissingExtra."""
    try:
        return import_module("flint")
    except ImportError:
        from mdptk.io import MissingExtra  # the same error as for every extra

        raise MissingExtra("exact answers need python-flint: pip install mdptk[exact]") from None


def _one_model(problem: Any) -> None:
    if not isinstance(problem, (MDP, FiniteHorizonMDP, AverageRewardMDP, TotalRewardMDP)):
        raise Unsupported(
            "exact answers are for MDP, FiniteHorizonMDP, AverageRewardMDP and TotalRewardMDP, not "
            f"{type(problem).__name__}"
        )
    if problem.batch:
        raise InvalidModel(f"exact answers take one model at a time, not {problem!r}")


def _value_shape(problem: Any) -> tuple[int, ...]:
    return (problem.H + 1, problem.S) if isinstance(problem, FiniteHorizonMDP) else (problem.S,)


def _policy(problem: Any, policy: ArrayLike) -> Array:
    """`policy` as probabilities."""
    pi = np.asarray(policy)
    if pi.shape == problem.r.shape[:-1] and np.issubdtype(pi.dtype, np.integer):
        bad = (pi < 0) | (pi >= problem.A)
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InvalidModel(f"pi{list(where)} = {pi[where]} is not one of the {problem.A} actions")
        return one_hot(pi, problem.A)
    if pi.shape != problem.r.shape:
        raise InvalidModel(f"pi has shape {pi.shape}, expected {problem.r.shape}, or {problem.r.shape[:-1]} of actions")
    try:
        pi = pi.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidModel(f"pi is not an array of numbers: {error}") from None
    check_policy(problem.discounted(0.0) if isinstance(problem, TotalRewardMDP) else problem, pi)
    return pi


def _fraction(x: Any) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def _matrix(x: Array) -> Any:
    """A float64 array (n, k) as an exact rational matrix."""
    fmpq, fmpq_mat = flint().fmpq, flint().fmpq_mat
    zero = fmpq(0)
    return fmpq_mat(*x.shape, [fmpq(*y.as_integer_ratio()) if y else zero for y in x.ravel().tolist()])


# discounted ------------------------------------------------------------------------------------------------------


class _Rationals:
    """A discounted model as rational matrices."""

    def __init__(self, mdp: MDP) -> None:
        self.S, self.A = mdp.S, mdp.A
        P = mdp.P.toarray() if mdp.sparse else mdp.P
        self.P = _matrix(P.reshape(-1, mdp.S))
        self.r = _matrix(mdp.r.reshape(-1, 1))
        self.gamma = flint().fmpq(*mdp.gamma.as_integer_ratio())
        ones = flint().fmpq_mat(self.S, 1, [1] * self.S)
        self.modulus = self.gamma * max((self.P * ones).entries())
        if self.modulus >= 1:
            raise NotConverged(
                f"gamma = {mdp.gamma!r} times the largest row sum of P is {float(_fraction(self.modulus))!r}, "
                "not below one: no contraction",
                float("inf"),
            )

    def q(self, v: Any) -> Any:
        """``r + gamma P v`` as a matrix (S * A, 1)."""
        return self.r + self.P * (v * self.gamma)

    def value(self, pi: Array) -> Any:
        """The value (S, 1) of a policy ``pi[s, a]``, rows divided by their sums."""
        fmpq, fmpq_mat = flint().fmpq, flint().fmpq_mat
        weights = fmpq_mat(self.S, self.S * self.A)
        for s, row in enumerate(pi.tolist()):
            row = [fmpq(*x.as_integer_ratio()) for x in row]
            total = sum(row, fmpq(0))
            for a, x in enumerate(row):
                weights[s, s * self.A + a] = x / total
        return self._solve(weights * self.P, weights * self.r)

    def value_of_actions(self, actions: list[int]) -> Any:
        """The value (S, 1) of a deterministic policy."""
        rows = [s * self.A + a for s, a in enumerate(actions)]
        P, r, S = self.P, self.r, self.S
        chain = flint().fmpq_mat(S, S, [P[i, j] for i in rows for j in range(S)])
        return self._solve(chain, flint().fmpq_mat(S, 1, [r[i, 0] for i in rows]))

    def _solve(self, chain: Any, reward: Any) -> Any:
        one = flint().fmpq_mat(self.S, self.S)
        for s in range(self.S):
            one[s, s] = 1
        return (one - chain * self.gamma).solve(reward)


def _optimum(mdp: MDP) -> tuple[list[Any], Array, int]:
    """Optimal value, actions, and the number of rational solves."""
    model = _Rationals(mdp)
    actions, solves = [int(a) for a in _float_actions(mdp)], 0
    while True:  # ends: each policy is better than the last, and there are finitely many
        v, solves = model.value_of_actions(actions), solves + 1
        q, value, A = model.q(v).entries(), v.entries(), mdp.A
        best = [max(range(A), key=q[s * A : s * A + A].__getitem__) for s in range(mdp.S)]
        better = [q[s * A + a] > value[s] for s, a in enumerate(best)]
        if not any(better):
            return value, np.array(actions), solves
        actions = [a if yes else old for a, old, yes in zip(best, actions, better, strict=True)]


def _float_actions(mdp: MDP) -> Array:
    """Actions that are optimal as far as float64 can tell."""
    v = np.zeros(mdp.S, WIDE)
    with np.errstate(over="ignore", invalid="ignore"):
        b = bracket(mdp, v)
        for _ in range(1000 + mdp.S):
            if not abs(b.residual).max() > 4 * b.noise:
                break
            try:
                v = v + newton(mdp, b.actions, b.residual.astype(np.float64))
            except np.linalg.LinAlgError:
                break
            if not np.isfinite(v).all():
                break
            b = bracket(mdp, v)
    return b.actions


# stages ----------------------------------------------------------------------------------------------------------


def _stages_optimum(problem: FiniteHorizonMDP) -> tuple[list[Any], Array, int]:
    """Optimal values of all stages in one list, actions (H, S), and the number of stages."""
    A = problem.A
    actions = bracket_stages(problem).actions.copy()
    values = []

    def choose(h: int, q: list[Any]) -> list[Any]:
        v = []
        for s in range(problem.S):
            row = q[s * A : s * A + A]
            best = max(range(A), key=row.__getitem__)
            if row[best] > row[actions[h, s]]:
                actions[h, s] = best
            v.append(row[best])
        return v

    for v, _ in _backward(problem, choose):
        values[:0] = v
    return values + [flint().fmpq(0)] * problem.S, actions, problem.H


def _backward(problem: FiniteHorizonMDP, choose: Any) -> Any:
    """Value and action values of the stages, last stage first, as lists."""
    v = flint().fmpq_mat(problem.S, 1)
    for h in reversed(range(problem.H)):
        P = _matrix(problem.P[h].reshape(-1, problem.S))
        q = (_matrix(problem.r[h].reshape(-1, 1)) + P * v).entries()
        chosen = choose(h, q)
        yield chosen, q
        v = flint().fmpq_mat(problem.S, 1, chosen)


def _certify_stages(problem: FiniteHorizonMDP, pi: Array) -> Certificate:
    fmpq, A = flint().fmpq, problem.A
    values: list[Any] = []
    best = []
    for v, q in _backward(problem, lambda h, q: _means(pi[h], q)):
        values[:0] = v
        best.append(max((x - v[i // A], -i) for i, x in enumerate(q)))
    value = [_fraction(x) for x in values] + [Fraction(0)] * problem.S
    value = np.array(value, dtype=object).reshape(problem.H + 1, problem.S)
    gain, where, late = max((gain, where, h) for h, (gain, where) in enumerate(best))
    if gain <= 0:
        return Certificate(True, value, Fraction(0), None, None, None, Fraction(0))
    state, action = divmod(-where, A)
    # a row may sum to 1 + 1e-9: what is lost at a stage counts as often as earlier stages can multiply it
    loss, weight = fmpq(0), fmpq(1)
    for h in range(problem.H):
        loss += weight * best[problem.H - 1 - h][0]
        P = _matrix(problem.P[h].reshape(-1, problem.S))
        weight *= max(fmpq(1), *(P * flint().fmpq_mat(problem.S, 1, [1] * problem.S)).entries())
    return Certificate(False, value, _fraction(gain), state, action, problem.H - 1 - late, _fraction(loss))
