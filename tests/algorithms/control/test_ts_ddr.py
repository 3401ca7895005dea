"""TS-DDR against loops of one program for each scenario; the envelope theorem by differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from mdptk import run
from mdptk.algorithms.control.ts_ddr import TSDDR, best_rule, priced
from mdptk.core.control import Dispatch
from mdptk.core.errors import InvalidModel
from mdptk.problems.control import one_reservoir


def dispatch(problem, inflow, targets):
    """The least cost of one path, its program written out stage by stage; without targets if None."""
    T, names = problem.T, ("x", "u", "spill", "cheap", "dear", "shed", "above", "below")
    at = {(name, s): i * T + s for i, name in enumerate(names) for s in range(T)}
    price = {
        "cheap": problem.price,
        "dear": 3 * problem.price,
        "shed": problem.shed,
        "above": problem.miss,
        "below": problem.miss,
    }
    top = {"x": problem.full, "cheap": problem.burn / 2, "dear": problem.burn / 2}
    rows, right = [], []
    for s in range(T):
        water, power, target = np.zeros((3, len(at)))
        for name in ("x", "u", "spill"):
            water[at[name, s]] = 1
        if s:
            water[at["x", s - 1]] = -1
        for name in ("u", "cheap", "dear", "shed"):
            power[at[name, s]] = 1
        target[[at["x", s], at["above", s], at["below", s]]] = 1, -1, 1
        rows += [water, power] + ([] if targets is None else [target])
        right += [inflow[s] + (0 if s else problem.start), problem.demand[s]] + (
            [] if targets is None else [targets[s]]
        )
    cost = [price.get(name, 0.0) for name, _ in at]
    return linprog(cost, A_eq=rows, b_eq=right, bounds=[(0, top.get(name)) for name, _ in at]).fun


def reference(alg, problem, steps):
    """Costs scenario by scenario, at the rules of the run; the rules by steps along its slopes."""
    got = run(alg, problem, steps)
    theta, out = np.zeros((problem.T, 2)), {"theta": [], "cost": [], "best": []}
    for k in range(steps + 1):
        paths = [[theta[s, 0] + theta[s, 1] * sum(w[: s + 1]) for s in range(problem.T)] for w in problem.inflow]
        cost = np.mean([dispatch(problem, w, x) for w, x in zip(problem.inflow, paths, strict=True)])
        out["theta"].append(theta)
        out["cost"].append(cost)
        out["best"].append(min(out["cost"][:k] or [cost]))
        theta = theta - alg.eta * got["slope"][0, k]  # where several multipliers are right, those of the solver
    return out


def test_multipliers_are_the_derivative():
    """Central differences at a rule in general position, where the cost has no kink."""
    problem = one_reservoir()
    theta = np.random.default_rng(0).uniform(0.1, 0.5, (5, 2))
    _, slope = priced(problem, theta)
    for i in np.ndindex(5, 2):
        e = np.zeros((5, 2))
        e[i] = 1e-6
        difference = (priced(problem, theta + e)[0] - priced(problem, theta - e)[0]) / 2e-6
        assert slope[i] == pytest.approx(difference, abs=1e-4)


def test_between_foresight_and_the_best_constant_targets():
    """The best affine rule costs more than perfect foresight, and less than targets that look at nothing."""
    problem = one_reservoir()
    _, best = best_rule(problem)
    foresight = np.mean([dispatch(problem, w, None) for w in problem.inflow])
    assert foresight <= best + 1e-9
    assert priced(problem, best_rule(problem)[0])[0] == pytest.approx(best, abs=1e-7)
    result = run(TSDDR(), problem, 150)
    assert best <= result["best"][0, -1] + 1e-9
    assert result["best"][0, -1] - best < 0.3 * (result["cost"][0, 0] - best)


def tree(problem):
    """The least mean cost of all policies that know the inflow so far: nodes of the scenario tree, one program.

    Scenarios share a node as long as their inflows are the same; a node has the weight of those that come to it.
    """
    N, T = problem.inflow.shape
    nodes = sorted({tuple(w[: s + 1]) for w in problem.inflow for s in range(T)}, key=lambda h: (len(h), h))
    weight = {h: sum(tuple(w[: len(h)]) == h for w in problem.inflow) / N for h in nodes}
    names = ("x", "u", "spill", "cheap", "dear", "shed")
    at = {(name, h): i for i, (name, h) in enumerate((name, h) for name in names for h in nodes)}
    price = {"cheap": problem.price, "dear": 3 * problem.price, "shed": problem.shed}
    top = {"x": problem.full, "cheap": problem.burn / 2, "dear": problem.burn / 2}
    rows, right = [], []
    for h in nodes:
        water, power = np.zeros((2, len(at)))
        water[[at[name, h] for name in ("x", "u", "spill")]] = 1
        if len(h) > 1:
            water[at["x", h[:-1]]] = -1
        power[[at[name, h] for name in ("u", "cheap", "dear", "shed")]] = 1
        rows += [water, power]
        right += [h[-1] + (problem.start if len(h) == 1 else 0), problem.demand[len(h) - 1]]
    cost = [weight[h] * price.get(name, 0.0) for name, h in at]
    return linprog(cost, A_eq=rows, b_eq=right, bounds=[(0, top.get(name)) for name, _ in at]).fun


def test_against_the_scenario_tree():
    """What SDDP would come to lies between foresight and rules; unless targets may be missed for little.

    All scenarios begin alike, so that in the third stage nobody knows yet which one it is.
    """
    drawn = one_reservoir().inflow
    problem = Dispatch(np.concatenate([np.repeat(drawn[:1, :2], 6, axis=0), drawn[:, 2:]], 1), one_reservoir().demand)
    foresight = np.mean([dispatch(problem, w, None) for w in problem.inflow])
    exactly = tree(problem)
    assert foresight < exactly - 1e-3
    assert exactly < best_rule(problem)[1] - 1e-3
    assert best_rule(replace(problem, miss=0.0))[1] == pytest.approx(foresight, abs=1e-7)


def test_what_is_refused():
    with pytest.raises(InvalidModel, match="expected"):
        Dispatch([[1.0, 1.0]], [1.0])
    with pytest.raises(InvalidModel, match="start = 5"):
        Dispatch([[1.0]], [1.0], start=5.0)
    with pytest.raises(InvalidModel, match="negative"):
        Dispatch([[-1.0]], [1.0])
