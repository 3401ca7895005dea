"""Every method on models that break solvers: the right answer, in rationals, or an error that says what is wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

from mdptk.core.errors import Infeasible, NotConverged
from mdptk.core.games import MarkovGame
from mdptk.core.matrix_free import MatrixFree
from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.solve import solve
from mdptk.solve.dispatch import METHODS
from tests.solve.enumeration import hold, hold_exactly

pytest.importorskip("flint")
S, A, H = 4, 2, 3


def models():
    rng = np.random.default_rng(0)
    P, r = rng.dirichlet(np.ones(S), (S, A)), rng.uniform(-1, 1, (S, A))
    yield "nothing wrong", P, r, 0.9
    unreachable = P.copy()
    unreachable[:, :, 0] += unreachable[:, :, -1]
    unreachable[:, :, -1] = 0
    yield "unreachable states", unreachable, r, 0.9
    yield "gamma = 0", P, r, 0.0
    yield "A = 1", P[:, :1], r[:, :1], 0.9
    yield "absorbing everything", np.repeat(np.eye(S)[:, None], A, axis=1), r, 0.9
    yield "rewards of 1e12", P, r * 1e12, 0.9
    yield "rewards of 1e-12", P, r * 1e-12, 0.9
    yield "rows off by 1e-9", P * (1 + rng.choice([-9e-10, 9e-10], (S, A, 1))), r, 0.9
    reducible = np.zeros((S, A, S))
    reducible[[0, 1, 2, 3], :, [1, 0, 3, 2]] = 1
    reducible[0, 1] = np.eye(S)[2]
    yield "reducible, periodic", reducible, r, 0.9


MODELS = {name: rest for name, *rest in models()}
named = pytest.mark.parametrize("name", MODELS)


def exactly(x):
    return np.array([Fraction(float(y)) for y in np.ravel(x)], dtype=object)


def holds(answer, exact, tol):
    assert answer.width <= tol
    assert (exactly(answer.lower) <= exact).all()
    assert (exact <= exactly(answer.upper)).all()


def tolerance(r):
    return 1e-6 * float(abs(r).max())


@named
@pytest.mark.parametrize("method", ["auto", *METHODS[MDP]])
def test_discounted(name, method):
    P, r, gamma = MODELS[name]
    exact = solve(MDP(P, r, gamma), exact=True).exact
    holds(solve(MDP(P, r, gamma), tol=tolerance(r), method=method), exact, tolerance(r))
    sparse = MDP(sp.csr_array(P.reshape(-1, S)), r, gamma)
    holds(solve(sparse, tol=tolerance(r), method=method), exact, tolerance(r))


@named
def test_everything_else_with_a_discount(name):
    """A set of one kernel, an opponent without a choice, and a function: the same value."""
    P, r, gamma = MODELS[name]
    mdp = MDP(P, r, gamma)
    exact, tol = solve(mdp, exact=True).exact, tolerance(r)
    for method in METHODS[MatrixFree]:
        holds(solve(MatrixFree(mdp.q, mdp.shape, gamma), tol=tol, method=method), exact, tol)
    for method in METHODS[RobustMDP]:
        for U in (L1(P, 0.0), Interval(P, P), Finite([P, P])):
            holds(solve(RobustMDP(mdp, U), tol=tol, method=method), exact, tol)
    for method in ("pi", "shapley"):
        holds(solve(MarkovGame(P[:, :, None], r[:, :, None], gamma), tol=tol, method=method), exact, tol)


@named
def test_stages(name):
    P, r, _ = MODELS[name]
    problem = FiniteHorizonMDP(np.stack([P] * H), np.stack([r] * H))
    holds(solve(problem, tol=tolerance(r)), np.ravel(solve(problem, exact=True).exact), tolerance(r))


@named
@pytest.mark.parametrize("method", METHODS[AverageRewardMDP])
def test_average_reward(name, method):
    P, r, _ = MODELS[name]
    for problem in (AverageRewardMDP(P, r), AverageRewardMDP(sp.csr_array(P.reshape(-1, S)), r)):
        holds(solve(problem, tol=tolerance(r), method=method), solve(problem, exact=True).exact, tolerance(r))
    assert hold_exactly(AverageRewardMDP(P, r)) == "solved exactly"


@named
@pytest.mark.parametrize("method", METHODS[TotalRewardMDP])
def test_total_reward(name, method):
    """With a way out of every state; and without, which is no shortest path problem any more."""
    P, r, _ = MODELS[name]
    out = np.zeros((S + 1, P.shape[1], S + 1))
    out[:S, :, :S], out[:S, :, S], out[S, :, S] = 0.75 * P, 0.25, 1
    rewards = np.vstack([-abs(r), np.zeros((1, P.shape[1]))])
    assert hold(TotalRewardMDP(out, rewards), tolerance(r), method) == "solved"
    assert hold_exactly(TotalRewardMDP(out, rewards)) == "solved exactly"
    for exact in (False, True):
        with pytest.raises(Infeasible, match="no policy is certain to come to where nothing more is earned"):
            solve(TotalRewardMDP(P, -abs(r)), **({"exact": True} if exact else {"method": method}))


def kinds(P, r, gamma):
    """The three kinds of models that constraints are for, and the largest that a cost of one per step adds up to."""
    yield MDP(P, r, gamma), 1 / (1 - gamma)
    yield FiniteHorizonMDP(np.stack([P] * H), np.stack([r] * H)), H
    yield AverageRewardMDP(P, r), 1.0


@named
def test_constraints(name):
    """Ones that bind nobody, and ones that nobody can meet."""
    P, r, gamma = MODELS[name]
    for model, most in kinds(P, r, gamma):
        exact = solve(model, exact=True).exact
        first = exact[0] if exact.ndim == 2 else exact
        best = sum(Fraction(float(p)) * x for p, x in zip(model.rho, first, strict=True))
        ones = np.ones((1, *model.r.shape))
        try:
            answer = solve(CMDP(model, ones, [2 * most]), tol=tolerance(r))
        except NotConverged as error:
            said = str(error)
        else:
            said = ""
            holds(answer, np.array([best], dtype=object), tolerance(r))
        if said:
            assert isinstance(model, AverageRewardMDP)
            assert "several recurrent classes" in said
            assert name in ("absorbing everything", "reducible, periodic")
        with pytest.raises(Infeasible, match="no policy meets the budgets") as caught:
            solve(CMDP(model, ones, [0.5 * most]), tol=tolerance(r))
        ray = caught.value.certificate
        assert ray.cost > ray.budget
        assert (ray.multipliers >= 0).all()
