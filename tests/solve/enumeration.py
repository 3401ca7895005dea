"""Undiscounted problems solved in rationals by looking at every deterministic policy; and many of them, at night.

``python -m tests.solve.enumeration 1000`` holds the bounds of every method against that on 1,000 random and degenerate
instances, at tolerances from 1e-2 to 1e-12.
"""

from __future__ import annotations

import sys
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np

from mdptk.core.errors import Infeasible, NotConverged, Unbounded
from mdptk.core.models import AverageRewardMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.solve import certify, solve

# rationals -------------------------------------------------------------------------------------------------------


def fractions(x):
    return [fractions(y) for y in x] if np.ndim(x) else Fraction(float(x))


def gauss(M, b):
    """Solve ``M x = b`` in rationals."""
    n = len(b)
    M = [[*row, c] for row, c in zip(M, b, strict=True)]
    for i in range(n):
        p = next(k for k in range(i, n) if M[k][i] != 0)
        M[i], M[p] = M[p], M[i]
        M[i] = [x / M[i][i] for x in M[i]]
        for k in range(n):
            if k != i and M[k][i] != 0:
                M[k] = [x - M[k][i] * y for x, y in zip(M[k], M[i], strict=True)]
    return [row[n] for row in M]


def dot(p, v):
    return sum((x * y for x, y in zip(p, v, strict=True)), Fraction(0))


def stored(problem):
    """The transitions of a dense model, rows divided by their exact sums, and the rewards."""
    return [[[x / sum(p) for x in p] for p in state] for state in fractions(problem.P)], fractions(problem.r)


def reach(P):
    """Whether t can be reached from s, in no or more steps (Warshall)."""
    S = range(len(P))
    R = [[P[s][t] > 0 or s == t for t in S] for s in S]
    for k in S:
        for s in S:
            if R[s][k]:
                R[s] = [x or y for x, y in zip(R[s], R[k], strict=True)]
    return R


def recurrent(P):
    """The recurrent class of each state, as a tuple; None for transient states."""
    R, S = reach(P), range(len(P))
    return [tuple(t for t in S if R[s][t]) if all(R[t][s] for t in S if R[s][t]) else None for s in S]


def absorbed(P, known, r=None):
    """``x = r + P x`` on the states that are not in `known`."""
    T = [s for s in range(len(P)) if s not in known]
    r = r or [Fraction(0)] * len(P)
    b = [r[s] + sum((P[s][t] * x for t, x in known.items()), Fraction(0)) for s in T]
    return known | dict(zip(T, gauss([[(s == t) - P[s][t] for t in T] for s in T], b), strict=True))


def stationary(P, c):
    """The stationary distribution on a recurrent class `c`."""
    rows = [[(s == t) - P[t][s] for t in c] for s in c[1:]]
    return gauss([[Fraction(1)] * len(c), *rows], [Fraction(1)] + [Fraction(0)] * (len(c) - 1))


def gain(P, r):
    """The gain of a chain from each state."""
    known = {}
    for c in set(recurrent(P)) - {None}:
        d = stationary(P, c)
        known |= dict.fromkeys(c, sum((x * r[s] for x, s in zip(d, c, strict=True)), Fraction(0)))
    g = absorbed(P, known)
    return [g[s] for s in range(len(P))]


def bias(P, r):
    """The bias: ``g + h = r + P h``, and zero on average over the long run."""
    g, known = gain(P, r), {}
    for c in set(recurrent(P)) - {None}:
        d = stationary(P, c)
        h = [Fraction(0), *gauss([[(s == t) - P[s][t] for t in c[1:]] for s in c[1:]], [r[s] - g[s] for s in c[1:]])]
        mean = sum((x * y for x, y in zip(d, h, strict=True)), Fraction(0))
        known |= {s: x - mean for s, x in zip(c, h, strict=True)}
    h = absorbed(P, known, [x - y for x, y in zip(r, g, strict=True)])
    return [h[s] for s in range(len(P))]


def policies(problem):
    """Every deterministic policy, with its chain and rewards."""
    P, r = stored(problem)
    for actions in product(range(problem.A), repeat=problem.S):
        yield actions, [P[s][a] for s, a in enumerate(actions)], [r[s][a] for s, a in enumerate(actions)]


def optimal_gain(problem):
    """The best gain from each state."""
    return [max(g) for g in zip(*(gain(P, r) for _, P, r in policies(problem)), strict=True)]


def total_reward(P, r):
    """The total reward of a chain from each state, None where a class is reached that loses for ever.

    Raises ValueError("earns") or ValueError("no limit") if a class earns, or earns nothing but has rewards.
    """
    classes, known, lost = recurrent(P), {}, set()
    for c in set(classes) - {None}:
        mean = sum((x * r[s] for x, s in zip(stationary(P, c), c, strict=True)), Fraction(0))
        if mean > 0:
            raise ValueError("earns")
        if mean < 0:
            lost |= set(c)
        elif any(r[s] for s in c):
            raise ValueError("no limit")
        else:
            known |= dict.fromkeys(c, Fraction(0))
    R, S = reach(P), range(len(P))
    lost = {s for s in S if any(R[s][t] for t in lost)}
    part = [s for s in S if s not in lost]
    number = {s: i for i, s in enumerate(part)}
    v = absorbed([[P[s][t] for t in part] for s in part], {number[s]: x for s, x in known.items() if s in number},
                 [r[s] for s in part])  # fmt: skip
    return [None if s in lost else v[number[s]] for s in S]


def optimal_total(problem):
    """The best total reward from each state; or "earns", "no limit", or "never ends"."""
    best, says = [None] * problem.S, set()
    for _, P, r in policies(problem):
        try:
            v = total_reward(P, r)
        except ValueError as error:
            says.add(str(error))
            continue
        best = [y if x is None else x if y is None else max(x, y) for x, y in zip(best, v, strict=True)]
    if says:
        return "earns" if "earns" in says else "no limit"
    return "never ends" if None in best else best


def between(lower, value, upper):
    return all(Fraction(float(a)) <= x <= Fraction(float(b)) for a, x, b in zip(lower, value, upper, strict=True))


def attained(lower, value):
    return all(x is not None and Fraction(float(a)) <= x for a, x in zip(lower, value, strict=True))


# instances -------------------------------------------------------------------------------------------------------


def model(rng, kind):
    """A small model of every structure: ties, rings, absorbing states, rows that sum to one only within 1e-9."""
    S, A = rng.integers(1, 6), rng.integers(1, 4)
    P = np.zeros((S, A, S))
    many, off = rng.random(), rng.choice([0, 0, 1])
    for s, a in np.ndindex(S, A):
        k = rng.integers(1, min(S, 3) + 1) if rng.random() < many else 1
        p = rng.dirichlet(np.ones(k)) if rng.random() < 0.7 else np.full(k, 1 / k)
        P[s, a, rng.choice(S, k, replace=False)] = p * (1 + off * rng.choice([0, 9e-10, -9e-10]))
    r = rng.uniform(-1, 1, (S, A)) if rng.random() < 0.6 else rng.integers(-1, 2, (S, A)) / 2
    if rng.random() < 0.2:  # a ring
        P = np.repeat(np.roll(np.eye(S), 1, axis=1)[:, None], A, axis=1)
    if kind is TotalRewardMDP:
        if rng.random() < 0.8:
            P[-1], r[-1] = np.eye(S)[-1], 0.0
        if rng.random() < 0.6:
            r = -abs(r)
        if rng.random() < 0.5:
            r[rng.random((S, A)) < 0.4] = 0.0
        if rng.random() < 0.3:
            r = np.where(r == 0, 0, r - 0.25)
    return kind(P, r * 10.0 ** rng.choice([0, 0, 0, -12, -6, 6, 12]))


METHODS = {AverageRewardMDP: ("rvi", "pi", "lp", "lp-dual"), TotalRewardMDP: ("ii", "pi")}
SAYS = {Unbounded: {"earns"}, Infeasible: {"never ends", "no limit"}, NotConverged: {"no limit"}}


def hold(problem, tol, method):
    """Hold one answer against enumeration; returns in a word what came of it."""
    average = isinstance(problem, AverageRewardMDP)
    truth = (optimal_gain if average else optimal_total)(problem)
    try:
        solution = solve(problem, tol=tol, method=method)
    except (Unbounded, Infeasible, NotConverged) as error:
        if isinstance(truth, str):
            return _agreed(truth in SAYS[type(error)], truth, error)
        return _agreed(isinstance(error, NotConverged) and error.reached > tol, "not converged", error)
    assert not isinstance(truth, str), f"{solution} although enumeration says {truth}"
    assert solution.width <= tol
    assert between(solution.lower, truth, solution.upper)
    P, r = stored(problem)
    actions = solution.policy.argmax(1).tolist()
    chain = [P[s][a] for s, a in enumerate(actions)], [r[s][a] for s, a in enumerate(actions)]
    assert attained(solution.lower, (gain if average else total_reward)(*chain))
    return "solved"


def hold_exactly(problem):
    """Hold the exact answer against enumeration; returns in a word what came of it."""
    average = isinstance(problem, AverageRewardMDP)
    truth = (optimal_gain if average else optimal_total)(problem)
    try:
        solution = solve(problem, exact=True)
    except (Unbounded, Infeasible, NotConverged) as error:
        return _agreed(isinstance(truth, str) and truth in SAYS[type(error)], truth, error)
    assert list(solution.exact) == truth, f"{solution.exact} and {truth}"
    assert between(solution.lower, truth, solution.upper)
    assert certify(problem, solution.policy).optimal
    return "solved exactly"


def _agreed(yes, word, error):
    assert yes, f"enumeration finds {word}, but: {error}"
    return word


def main(count):
    outcomes = Counter()
    for seed in range(count):
        rng = np.random.default_rng(seed)
        for kind, methods in METHODS.items():
            problem = model(rng, kind)
            tol = 10.0 ** -rng.integers(2, 13) * float(abs(problem.r).max() or 1)
            method = str(rng.choice((*methods, "exact")))
            if method in ("rvi", "ii"):  # hundreds of thousands of sweeps
                tol = max(tol, 1e-9 * float(abs(problem.r).max()))
            try:
                said = hold_exactly(problem) if method == "exact" else hold(problem, tol, method)
                outcomes[kind.__name__, method, said] += 1
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {problem!r}, tol={tol}, {method}: {error}") from error
    for name, n in sorted(outcomes.items()):
        sys.stdout.write(f"{n} {' '.join(name)}\n")
    failed = sum(n for (*_, said), n in outcomes.items() if said == "not converged")
    assert failed <= count / 100, f"{failed} instances were not solved"


if __name__ == "__main__":
    main(int(sys.argv[1]))
