"""Budgets in the state, chance constraints, penalties and terminations, against trees of histories and closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mdptk.core import exact
from mdptk.core.augmented import chance_constrained, penalised_budget, stopped, terminated, with_budget
from mdptk.core.errors import Infeasible, InvalidHyperparameter, InvalidModel
from mdptk.core.models import CMDP, MDP, FiniteHorizonMDP
from mdptk.problems.constrained import hazard_gridworld
from mdptk.solve import solve


def small(seed, H=3, S=2, A=2):
    """A random problem with stages and costs of 0, 1 and 2."""
    rng = np.random.default_rng(seed)
    model = FiniteHorizonMDP(rng.dirichlet(np.ones(S), (H, S, A)), rng.random((H, S, A)), rng.dirichlet(np.ones(S)))
    return model, rng.integers(0, 3, (H, S, A))


def tree(model, cost, budget):
    """The same with whole histories (s, a, s, ..., s) for states, and 1 paid at the end if the sum is too much."""
    H, S, A = model.r.shape
    names = [h for n in range(H) for h in product(*([range(S), range(A)] * n), range(S))]
    number = {h: i for i, h in enumerate(names)}
    N = len(names)
    P, r, c, rho = np.zeros((H, N, A, N)), np.zeros((H, N, A)), np.zeros((1, H, N, A)), np.zeros(N)
    P[..., 0] = 1.0
    rho[:S] = model.rho
    for name, i in number.items():
        h, s = len(name) // 2, name[-1]
        spent = sum(cost[k, name[2 * k], name[2 * k + 1]] for k in range(h))
        for a in range(A):
            r[h, i, a] = model.r[h, s, a]
            c[0, h, i, a] = h == H - 1 and spent + cost[h, s, a] > budget
            if h < H - 1:
                P[h, i, a] = 0
                for t in range(S):
                    P[h, i, a, number[(*name, a, t)]] = model.P[h, s, a, t]
    return FiniteHorizonMDP(P, r, rho), c


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("delta", [0.02, 0.3])
def test_what_is_left_is_all_that_one_has_to_remember(seed, delta):
    """The chance-constrained optimum is that over policies of the whole history, feasible or not."""
    model, cost = small(seed)
    budget = int(cost.reshape(3, -1).min(1).sum()) + 2
    whole, over = tree(model, cost, budget)
    try:
        here = solve(chance_constrained(model, cost, budget, delta), tol=1e-7)
    except Infeasible:
        with pytest.raises(Infeasible):
            solve(CMDP(whole, over, delta), tol=1e-7)
        return
    there = solve(CMDP(whole, over, delta), tol=1e-7)
    assert float(here.value) == pytest.approx(float(there.value), abs=2e-7)


def test_the_law_of_the_total():
    """Under a random policy, by enumeration of runs."""
    model, cost = small(7)
    larger, H, S, A, K = with_budget(model, cost, 2), 3, 2, 2, 4
    assert larger.P.shape == (H, S * K, A, S * K)
    pi = np.random.default_rng(1).dirichlet(np.ones(A), (H, S))
    d = exact.occupancy(larger, np.repeat(pi, K, axis=1))[-1].reshape(S, K)
    law = np.zeros(K)
    for x in product(range(S), range(A), repeat=H):
        s, a = x[::2], x[1::2]
        p = model.rho[s[0]] * np.prod([pi[h, s[h], a[h]] for h in range(H - 1)])
        p *= np.prod([model.P[h, s[h], a[h], s[h + 1]] for h in range(H - 1)]) / A  # the last action does not count
        spent = sum(cost[h, s[h], a[h]] for h in range(H - 1))
        law[2 - spent if spent <= 2 else 3] += p
    np.testing.assert_allclose(d.sum(0), law, atol=1e-12)


def corridor():
    """A coin decides whether 1 is spent on the way; at the end another 1 buys the reward of 1."""
    P, r, cost = np.zeros((3, 4, 2, 4)), np.zeros((3, 4, 2)), np.zeros((3, 4, 2))
    P[:, 0, :, [1, 2]] = 0.5
    P[:, 1:, :, 3] = 1.0
    cost[1, 1], cost[2, 3, 1], r[2, 3, 1] = 1, 1, 1.0
    return FiniteHorizonMDP(P, r, np.eye(4)[0]), cost


def test_penalties_close_the_gap_but_only_with_memory():
    """Almost surely within a budget of 1: buy iff the coin was kind. Whoever forgot the coin may never buy."""
    model, cost = corridor()
    exactly = solve(chance_constrained(model, cost, 1, 0.0), tol=1e-9)
    assert float(exactly.value) == pytest.approx(0.5)
    for penalty, value in ((0.5, 0.75), (0.99, 0.505), (1.0, 0.5), (100.0, 0.5)):  # from 1 on it is the same
        priced = penalised_budget(model, cost, 1, penalty)
        assert priced.rho @ exact.optimal(priced).v[0] == pytest.approx(value)
    memoryless = [0.5 * p * (p <= 0) for p in np.linspace(0, 1, 11)]  # bought with probability p, overspent with p / 2
    assert max(memoryless) == 0
    in_the_mean = solve(CMDP(model, cost[None], 1.0))
    assert float(in_the_mean.value) == pytest.approx(0.5)  # bought in half of all runs, by lot
    assert float(solve(CMDP(model, cost[None], 1.25)).value) == pytest.approx(0.75)


def test_terminations_lower_the_value_and_bound_the_time_of_the_first_cost():
    cmdp = hazard_gridworld()
    values = [exact.optimal(terminated(cmdp, p)).v[8] for p in (0.0, 0.3, 0.7, 1.0)]
    assert values[0] == pytest.approx(exact.optimal(cmdp.mdp).v[8])
    assert (np.diff(values) < 0).all()
    ended = terminated(cmdp)
    pi = exact.optimal(ended).pi[:-1]
    first = MDP(ended.P, np.append(cmdp.c[0] > 0, np.zeros((1, 4)), 0).astype(float), 0.9, ended.rho)
    when = exact.evaluate(first, np.append(pi, pi[:1], 0))[8]
    earned = exact.optimal(ended).v[8]
    assert 0 < when <= 1 - 0.1 * earned / cmdp.mdp.r.max()


def test_terminations_are_no_budget():
    """Three good steps and a cost for ever beat a safe tenth, whatever the budget; a soft end does not even deter."""
    P = np.zeros((5, 2, 5))
    P[0, 0, 1], P[0, 1, 4], P[1, :, 2], P[2, :, 3], P[3, :, 3], P[4, :, 4] = 1, 1, 1, 1, 1, 1
    r = np.array([[1, 0.1], [1, 1], [1, 1], [1, 1], [0.1, 0.1]])
    c = np.zeros((5, 2))
    c[3] = 1
    for b in (0.0, 5.0):
        cmdp = CMDP(MDP(P, r, 0.9, np.eye(5)[0]), c, b)
        pi = exact.optimal(terminated(cmdp)).pi[:-1]
        assert pi[0].argmax() == 0
        assert exact.returns(cmdp, pi)[1] == pytest.approx(0.9**3 / 0.1)
    assert float(solve(cmdp).value) < exact.returns(cmdp, pi)[0], "a budget forbids it"


def test_errors():
    model, cost = small(0)
    with pytest.raises(InvalidModel, match=r"cost\[0, 0, 1\] = 0.5"):
        with_budget(model, np.where(np.arange(12).reshape(3, 2, 2) == 1, 0.5, 0), 1)
    with pytest.raises(InvalidModel, match=r"cost has shape \(2, 2\)"):
        with_budget(model, cost[0], 1)
    with pytest.raises(InvalidHyperparameter, match=r"budget = -1"):
        with_budget(model, cost, -1)
    with pytest.raises(InvalidHyperparameter, match=r"delta = 2"):
        chance_constrained(model, cost, 1, 2.0)
    with pytest.raises(InvalidHyperparameter, match=r"p = 2"):
        terminated(hazard_gridworld(), 2.0)
    with pytest.raises(InvalidModel, match=r"worst = \[-1"):
        terminated(hazard_gridworld(), worst=np.array([-1.0]))
    with pytest.raises(InvalidModel, match="terminated is for discounted problems"):
        terminated(CMDP(model, cost[None], 1.0))


@pytest.mark.parametrize("seed", range(3))
def test_an_episode_is_over_when_it_has_cost_too_much(seed):
    """What a policy of (s, what has been spent) earns, path by path; and the optimum, of policies of all histories."""
    model, cost = small(seed)
    allowed = np.random.default_rng(seed).integers(0, 4, model.H)
    here = stopped(model, cost, allowed)
    K = allowed.max() + 2
    pi = np.random.default_rng(seed).dirichlet(np.ones(model.A), (model.H, here.S))

    def earned(h, s, spent, choose):
        """From (s, spent) at stage h on; `choose` mixes what the actions are worth, or takes the best."""
        if h == model.H:
            return 0.0
        worth = []
        for a in range(model.A):
            total = spent + cost[h, s, a]
            later = [earned(h + 1, t, total, choose) for t in range(model.S)] if total <= allowed[h] else None
            worth.append(0.0 if later is None else model.r[h, s, a] + model.P[h, s, a] @ later)
        return choose(h, s, spent, worth)

    def start(choose):
        return sum(model.rho[s] * earned(0, s, 0, choose) for s in range(model.S))

    mixed = start(lambda h, s, spent, worth: pi[h, s * K + spent] @ worth)
    np.testing.assert_allclose(exact.expected_return(here, pi), mixed, rtol=1e-12)
    best = start(lambda h, s, spent, worth: max(worth))
    np.testing.assert_allclose(exact.optimal(here).v[0] @ here.rho, best, rtol=1e-12)
    assert best <= exact.optimal(model).v[0] @ model.rho + 1e-12


def test_the_best_policy_of_a_stopped_model_may_end_on_purpose():
    """Safety earns 1 a step; the other action earns 10 and costs 1 in every step after."""
    P = np.zeros((3, 2, 2, 2))
    P[:, 0, 0, 0] = P[:, 0, 1, 1] = P[:, 1, :, 1] = 1
    r, cost = np.ones((3, 2, 2)), np.zeros((3, 2, 2))
    r[:, 0, 1], cost[:, 1] = 10, 1

    def best(allowed):
        here = stopped(FiniteHorizonMDP(P, r, [1, 0]), cost, allowed)
        return exact.optimal(here).v[0] @ here.rho

    assert best([0, 0, 0]) == 12  # 1, 1, 10: it goes at the end, when nothing can come of it
    assert best([0, 1, 1]) == 12  # or at once, 10, 1, and it is over
    r[:, 0, 1] = 2.5
    assert best([0, 0, 0]) == 4.5
    assert best([0, 1, 2]) == 4.5  # 1, 2.5, 1
    with pytest.raises(InvalidModel, match=r"allowed\[1\] = 0.5 is not 0, 1, 2"):
        stopped(FiniteHorizonMDP(P, r), cost, [0, 0.5, 1])
