"""Stages, robust models, games and constraints against their rational solutions, small and degenerate; many at night.

``python -m tests.solve.containment 1000`` looks at 1,000 instances of each class, at tolerances from 1e-2 to 1e-12.
`enumeration` does it for average and total reward, `test_methods_at_scale` for discounted models.
"""

from __future__ import annotations

import sys
from collections import Counter
from fractions import Fraction
from itertools import combinations, product

import numpy as np

from mdptk.core.errors import Infeasible, NotConverged
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.solve import solve
from tests.solve.enumeration import dot, fractions, gain, gauss

# instances -------------------------------------------------------------------------------------------------------


def rows(rng, *shape):
    """Distributions of every kind: dense, points, halves, with sums that are one only within 1e-9."""
    S, kind = shape[-1], rng.integers(4)
    P = rng.dirichlet(np.full(S, rng.choice([0.2, 1.0])), shape[:-1])
    if kind == 0:
        P = np.eye(S)[rng.integers(S, size=shape[:-1])]
    elif kind == 1:
        P = (np.eye(S)[rng.integers(S, size=shape[:-1])] + np.eye(S)[rng.integers(S, size=shape[:-1])]) / 2
    elif kind == 2:
        P = P * (1 + rng.choice([-9e-10, 0, 9e-10], (*shape[:-1], 1)))
    return P


def rewards(rng, *shape):
    r = rng.integers(-1, 2, shape) / 2 if rng.random() < 0.4 else rng.uniform(-1, 1, shape)
    return r * 10.0 ** rng.choice([0, 0, 0, -12, 12])


def tolerance(rng, r, largest):
    """From 1e-2 to 1e-12, of the rewards; and whether float64 is sure to have it at values of up to `largest`."""
    tol = 10.0 ** -int(rng.integers(2, 13)) * float(abs(r).max() or 1.0)
    return tol, tol > 1e3 * np.finfo(float).eps * max(largest * float(abs(r).max()), np.finfo(float).tiny)


def discount(rng):
    return float(rng.choice([0.0, 0.5, 0.9, 0.99]))


# rational solutions ----------------------------------------------------------------------------------------------


def evaluate(P, r, gamma):
    """The value of a chain."""
    S = range(len(r))
    return gauss([[(s == t) - gamma * P[s][t] for t in S] for s in S], list(r))


def backward(P, r):
    """Optimal values of all stages, first stage first."""
    v = [[Fraction(0)] * len(r[0])]
    for Ph, rh in zip(P[::-1], r[::-1], strict=True):
        v.insert(0, [max(x + dot(p, v[0]) for p, x in zip(*s, strict=True)) for s in zip(Ph, rh, strict=True)])
    return v


def worst(U, s, a, v):
    """The kernel of a set that is worst for `v`, by moving mass to where `v` is low, one state after the other."""
    order = sorted(range(len(v)), key=v.__getitem__)
    if isinstance(U, Finite):
        return min((fractions(P[s, a]) for P in U.P), key=lambda p: dot(p, v))
    if isinstance(U, L1):
        p, left = fractions(U.P[s, a]), Fraction(float(U.radius[s, a])) / 2
        total = sum(p)
        lowest, moved = order[0], Fraction(0)
        for t in order[:0:-1]:
            take = min(p[t], left - moved)
            p[t], moved = p[t] - take, moved + take
        p[lowest] += moved
        assert sum(p) == total
        return p
    low, high = fractions(U.lower[s, a]), fractions(U.upper[s, a])
    raise_by = min(max(1 - sum(low), 0), sum(high) - sum(low))
    for t in order:
        more = min(high[t] - low[t], raise_by)
        low[t], raise_by = low[t] + more, raise_by - more
    return low


def robust_value(problem):
    """The optimal robust value, by policy iteration of both players in rationals."""
    r, gamma, S = fractions(problem.nominal.r), Fraction(problem.gamma), range(problem.S)
    actions = [0] * problem.S
    while True:
        P = [worst(problem.ambiguity, s, actions[s], [Fraction(0)] * problem.S) for s in S]
        while True:
            v = evaluate(P, [r[s][a] for s, a in enumerate(actions)], gamma)
            new = [worst(problem.ambiguity, s, actions[s], v) for s in S]
            if all(dot(new[s], v) == dot(P[s], v) for s in S):
                break
            P = [p if dot(p, v) < dot(q, v) else q for p, q in zip(new, P, strict=True)]
        q = [[r[s][a] + gamma * dot(worst(problem.ambiguity, s, a, v), v) for a in range(problem.A)] for s in S]
        better = [max(range(problem.A), key=q[s].__getitem__) if max(q[s]) > v[s] else actions[s] for s in S]
        if better == actions:
            return v
        actions = better


def turns(problem, whose):
    """The value of a game in which in state s only player ``whose[s]`` has a choice, by enumeration."""
    P, r, gamma = fractions(problem.P), fractions(problem.r), Fraction(problem.gamma)
    first, second = ([s for s in range(problem.S) if whose[s] == i] for i in (0, 1))
    best = None
    for x in product(range(problem.A), repeat=len(first)):
        worst_of = None
        for y in product(range(problem.B), repeat=len(second)):
            a, b = dict(zip(first, x, strict=True)), dict(zip(second, y, strict=True))
            at = [(s, a.get(s, 0), b.get(s, 0)) for s in range(problem.S)]
            v = evaluate([P[s][i][j] for s, i, j in at], [r[s][i][j] for s, i, j in at], gamma)
            worst_of = v if worst_of is None else [min(z) for z in zip(worst_of, v, strict=True)]
        best = worst_of if best is None else [max(z) for z in zip(best, worst_of, strict=True)]
    return best


def returns(model, pay):
    """The exact return of every deterministic policy for each of some rewards, as a set of tuples."""
    rho, found = fractions(model.rho), set()
    if isinstance(model, FiniteHorizonMDP):
        P, r = fractions(model.P), [fractions(x) for x in pay]
        for flat in product(range(model.A), repeat=model.H * model.S):
            pi = np.reshape(flat, (model.H, model.S)).tolist()
            v = [[Fraction(0)] * model.S for _ in pay]
            for h in reversed(range(model.H)):
                v = [[x[h][s][pi[h][s]] + dot(P[h][s][pi[h][s]], y) for s in range(model.S)]
                     for x, y in zip(r, v, strict=True)]  # fmt: skip
            found.add(tuple(dot(rho, y) for y in v))
        return found
    average = isinstance(model, AverageRewardMDP)
    P, r = fractions(model.P), [fractions(x) for x in pay]
    if average:
        P = [[[x / sum(p) for x in p] for p in state] for state in P]
    for pi in product(range(model.A), repeat=model.S):
        chain = [P[s][a] for s, a in enumerate(pi)]
        values = []
        for x in r:
            earned = [x[s][a] for s, a in enumerate(pi)]
            values.append(gain(chain, earned)[0] if average else
                          dot(rho, evaluate(chain, earned, Fraction(model.gamma))))  # fmt: skip
        found.add(tuple(values))
    return found


def constrained_value(points, b):
    """The best reward of a mixture of (reward, cost) that costs at most `b`; None if there is none."""
    best = max((r for r, c in points if c <= b), default=None)
    for (r, c), (x, y) in combinations(points, 2):
        if min(c, y) <= b < max(c, y):
            t = (b - y) / (c - y)
            best = max(z for z in (best, t * r + (1 - t) * x) if z is not None)
    return best


# one instance of each class --------------------------------------------------------------------------------------


def holds(answer, exact, tol):
    assert answer.width <= tol, answer
    for low, x, high in zip(np.ravel(answer.lower), np.ravel(exact), np.ravel(answer.upper), strict=True):
        assert Fraction(float(low)) <= x <= Fraction(float(high)), (answer, float(x))
    return "solved"


def attempt(problem, exact, tol, sure, method="auto"):
    """Hold an answer against `exact`; a word for what came of it."""
    try:
        answer = solve(problem, tol=tol, method=method)
    except NotConverged as error:
        missed = error
    else:
        return holds(answer, exact, tol)
    assert missed.reached > tol
    assert not sure, f"{problem!r}, tol={tol}, {method}: {missed}"
    return "beyond float64"


def stages(rng):
    S, A, H = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 4)
    problem = FiniteHorizonMDP(rows(rng, H, S, A, S), rewards(rng, H, S, A))
    exact = [x for v in backward(fractions(problem.P), fractions(problem.r)) for x in v]
    return attempt(problem, exact, *tolerance(rng, problem.r, H))


def robust(rng):
    S, A, gamma = rng.integers(1, 4), rng.integers(1, 3), discount(rng)
    P, r = rng.dirichlet(np.ones(S), (S, A)), rewards(rng, S, A)
    if rng.random() < 0.3:
        P = np.eye(S)[rng.integers(S, size=(S, A))]
    kind = rng.integers(3)
    if kind == 0:
        U = L1(P, rng.choice([0.0, 0.1, 0.5, 2.0], (S, A)))
    elif kind == 1:
        U = Finite([P, rng.dirichlet(np.ones(S), (S, A))])
    else:
        U = Interval(np.maximum(P - rng.choice([0.0, 0.125, 1.0], P.shape), 0),
                     np.minimum(P + rng.choice([0.0, 0.125, 1.0], P.shape), 1))  # fmt: skip
    problem = RobustMDP(MDP(P, r, gamma), U)
    return attempt(problem, robust_value(problem), *tolerance(rng, r, 4 / (1 - gamma) ** 2), rng.choice(["vi", "pi"]))


def game(rng):
    S, A, B, gamma = rng.integers(1, 4), rng.integers(1, 3), rng.integers(1, 3), float(rng.choice([0.0, 0.5, 0.9]))
    P, r = rows(rng, S, A, B, S), rewards(rng, S, A, B)
    whose = rng.integers(2, size=S)
    for s in range(S):
        if whose[s] == 0:
            P[s], r[s] = P[s][:, :1], r[s][:, :1]
        else:
            P[s], r[s] = P[s][:1], r[s][:1]
    problem = MarkovGame(P, r, gamma)
    exact = turns(problem, whose)
    return attempt(problem, exact, *tolerance(rng, r, 16 / (1 - gamma) ** 2), rng.choice(["pi", "shapley"]))


def matrix(rng):
    R = rewards(rng, rng.integers(1, 5), rng.integers(1, 5))
    exact = solve(MatrixGame(R), exact=True)
    x, y = exact.exact_policy.tolist(), exact.exact_opponent.tolist()
    entries = fractions(R)
    assert sum(x) == sum(y) == 1
    assert min(x) >= 0
    assert min(y) >= 0
    assert min(dot(x, column) for column in zip(*entries, strict=True)) == exact.exact
    assert max(dot(y, row) for row in entries) == exact.exact  # the pair proves the value
    return attempt(MatrixGame(R), [exact.exact], *tolerance(rng, R, 16))


def constrained(rng):
    S, A, kind = rng.integers(1, 4), rng.integers(1, 3), rng.integers(3)
    gamma, H = float(rng.choice([0.0, 0.5, 0.9])), 2
    P, r, c = rows(rng, S, A, S), rewards(rng, S, A), rng.integers(-2, 3, (S, A)) / 2
    if kind == 0:
        model, size = MDP(P, r, gamma), 1 / (1 - gamma)
    elif kind == 1:
        P, r, c = rows(rng, H, S, A, S), rewards(rng, H, S, A), rng.integers(-2, 3, (H, S, A)) / 2
        model, size = FiniteHorizonMDP(P, r), H
    else:
        P = 0.5 * rng.dirichlet(np.ones(S), (S, A))
        P[:, :, 0] += 0.5  # one recurrent class under every policy
        model, size = AverageRewardMDP(P, r), 1
    points = returns(model, (model.r, c))
    low, high = min(x for _, x in points), max(x for _, x in points)
    b = float(low) + float(high - low) * rng.choice([-0.5, 0.0, 0.25, 0.5, 0.75, 1.5]) - rng.choice([0.0, 0.125])
    exact = constrained_value(points, Fraction(b))
    problem = CMDP(model, c[None], [b])
    tol, sure = tolerance(rng, r, 64 * size**2)
    edge = abs(Fraction(b) - low) <= Fraction(1, 10**9)  # feasible by a hair, or not: only an exact answer can tell
    try:
        answer = solve(problem, tol=max(tol, 1e-9 * float(abs(r).max())))
    except Infeasible as error:
        return _infeasible(exact, error.certificate)
    except NotConverged:
        return "on the edge" if edge or not sure else "not converged"
    assert exact is not None
    return holds(answer, [exact], max(tol, 1e-9 * float(abs(r).max())))


def _infeasible(exact, ray):
    assert exact is None
    assert ray.cost > ray.budget
    return "infeasible"


CLASSES = stages, robust, game, matrix, constrained


def main(count):
    outcomes = Counter()
    for seed in range(count):
        for i, attempted in enumerate(CLASSES):
            try:
                outcomes[attempted.__name__, attempted(np.random.default_rng([seed, i]))] += 1
            except AssertionError as error:
                raise AssertionError(f"{attempted.__name__}, seed {seed}: {error}") from error
    for name, n in sorted(outcomes.items()):
        sys.stdout.write(f"{n} {' '.join(name)}\n")
    failed = sum(n for (_, said), n in outcomes.items() if said == "not converged")
    assert failed <= count / 100, f"{failed} instances were not solved"
    return outcomes


if __name__ == "__main__":
    main(int(sys.argv[1]))
