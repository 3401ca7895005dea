"""Planning from logged data: the identity, the bound, what a guardian is for; tilted trajectories by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mdptk import CMDP, MDP, solve
from mdptk.core import exact
from mdptk.core.errors import Infeasible, InvalidModel
from mdptk.core.guarded import counted, guarded, played, tilted, violation_slack
from mdptk.problems.constrained import constrained_garnet


def logged(problem, n, rng):
    """Counts of n transitions of a behaviour policy that likes the first action."""
    mdp = problem.mdp
    pi = np.tile([0.9, *[0.1 / (mdp.A - 1)] * (mdp.A - 1)], (mdp.S, 1))
    d = exact.occupancy(mdp, pi)[:, None] * pi
    return np.array(
        [
            [rng.multinomial(k, p) for k, p in zip(*z, strict=True)]
            for z in zip(rng.multinomial(n, d.ravel()).reshape(d.shape), mdp.P, strict=True)
        ]
    )


def test_violation_slack_bounds_every_policy():
    """On random data and policies: the identity to rounding, and the bound; it is not far off."""
    rng, worst = np.random.default_rng(0), 0.0
    problem = constrained_garnet(m=1)
    mdp, g = problem.mdp, problem.gamma
    for n in (50, 500, 5000):
        N = logged(problem, n, rng)
        small = guarded(problem, N, least=5, leave=0.2)
        model, known = small.mdp, N.sum(-1) >= 5
        error = abs(model.P - mdp.P).sum(-1)[known].max(initial=0)
        for _ in range(50):
            pi = rng.dirichlet(np.full(3, 0.2), mdp.S)
            true, there = exact.returns(problem, pi)[1], exact.returns(small, pi)[1]
            x = exact.occupancy(model, pi)[:, None] * pi
            V = exact.evaluate(MDP(mdp.P, problem.c[0], g, mdp.rho), pi)
            assert true - there == pytest.approx(g / (1 - g) * (x * ((mdp.P - model.P) @ V)).sum(), abs=1e-12)
            bound = violation_slack(problem, error, (x * ~known).sum())[0]
            assert true - there <= bound + 1e-12
            worst = max(worst, (true - there) / bound)
    assert 0.05 < worst <= 1  # one norm for all pairs costs a factor of ten here


def test_the_bound_is_attained():
    """One known pair whose next state is certain and was always seen to be the other one."""
    mdp = MDP([[[0.0, 1.0]], [[0.0, 1.0]]], [[0.0], [0.0]], 0.5, [1.0, 0.0])
    problem = CMDP(mdp, [[[0.0], [1.0]]], 10.0)
    N = np.array([[[4, 0]], [[0, 4]]])
    small = guarded(problem, N)
    more = exact.returns(problem, np.ones((2, 1)))[1] - exact.returns(small, np.ones((2, 1)))[1]
    assert more == pytest.approx(
        violation_slack(problem, 2.0, 0.0)[0] * 0.5
    )  # the span of V, not of its bound, is half


def test_without_the_guardian_the_model_is_exploited():
    """Planning on the counts overspends more often, and by more, than with guardian and margin; which still earns."""
    problem, over, earned = constrained_garnet(m=1, xi=0.3), {"plain": [], "guarded": []}, []
    rng = np.random.default_rng(1)
    for _ in range(12):
        N = logged(problem, 600, rng)
        models = {
            "plain": CMDP(MDP(counted(N), problem.mdp.r, problem.gamma, problem.mdp.rho), problem.c, problem.b),
            "guarded": guarded(problem, N, least=4, leave=0.05, margin=0.05),
        }
        for name, model in models.items():
            try:
                pi = solve(model, tol=1e-6).policy
            except Infeasible:
                continue
            found = exact.returns(problem, pi)
            over[name].append(max(0.0, float(found[1] - problem.b[0])))
            if name == "guarded":
                earned.append(float(found[0]))
    assert len(over["guarded"]) >= 6
    assert np.mean(over["guarded"]) < np.mean(over["plain"])
    assert min(earned) > 0


def test_a_margin_of_the_slack_is_safe():
    """With the true error as the radius, whatever is allowed is safe; on every data set."""
    problem = constrained_garnet(m=2, xi=0.5, gamma=0.3)
    rng, tried = np.random.default_rng(2), 0
    for _ in range(8):
        N = logged(problem, 4000, rng)
        known = N.sum(-1) >= 50
        error = abs(counted(N) - problem.mdp.P).sum(-1)[known].max()
        try:
            pi = solve(
                guarded(problem, N, least=50, leave=0.05, margin=violation_slack(problem, error, 0.05)), tol=1e-6
            ).policy
        except Infeasible:
            continue
        tried += 1
        assert (exact.returns(problem, pi)[1:] <= problem.b + 1e-6).all()
    assert tried >= 4


def small(deterministic):
    rng = np.random.default_rng(3)
    P = np.eye(3)[rng.integers(3, size=(3, 2))] if deterministic else rng.dirichlet(np.ones(3), (3, 2))
    mdp = MDP(P, rng.random((3, 2)), 0.5).episodic(3)
    return mdp, rng.dirichlet(np.ones(2), (3, 3)), rng.integers(0, 3, (3, 3, 2))


@pytest.mark.parametrize("deterministic", [True, False])
def test_tilt_by_enumeration(deterministic):
    """Normaliser and policy against a sum over all trajectories; it is played only where nothing is random."""
    mdp, beta, c = small(deterministic)
    found = tilted(mdp, beta, c, 3, 2.0)
    total, earned, first = 0.0, 0.0, np.zeros((3, 2))
    for s in product(range(3), repeat=4):
        for a in product(range(2), repeat=3):
            p = mdp.rho[s[0]] * np.prod([beta[h, s[h], a[h]] * mdp.P[h, s[h], a[h], s[h + 1]] for h in range(3)])
            R, C = (sum(x[h, s[h], a[h]] for h in range(3)) for x in (mdp.r, c))
            if C <= 3:
                total += p * np.exp(2 * R)
                earned += p * np.exp(2 * R) * R
                first[s[0], a[0]] += p * np.exp(2 * R)
    assert (mdp.rho * np.exp(found.log_Z[0, :, 3])).sum() == pytest.approx(total)
    np.testing.assert_allclose(found.pi[0, :, 3], first / first.sum(-1, keepdims=True))
    R, C, stuck = played(mdp, found, c)
    assert C <= 3
    by_start = mdp.rho * np.exp(found.log_Z[0, :, 3])
    if deterministic:
        assert stuck == pytest.approx(0, abs=1e-12)
        starts = [tilted(type(mdp)(mdp.P, mdp.r, e), beta, c, 3, 2.0) for e in np.eye(3)]
        each = [played(type(mdp)(mdp.P, mdp.r, e), x, c)[0] for e, x in zip(np.eye(3), starts, strict=True)]
        assert by_start @ each / by_start.sum() == pytest.approx(earned / total)
    else:
        assert stuck > 0.001 or earned / total > R + 0.01  # the tilt counts on luck


def test_more_budget_earns_more():
    mdp, beta, c = small(True)
    earned = [played(mdp, tilted(mdp, beta, c, b, 50.0), c)[0] for b in range(7)]
    assert earned[-1] > earned[3]


def test_what_is_refused():
    mdp, beta, c = small(True)
    with pytest.raises(InvalidModel, match="whole numbers"):
        tilted(mdp, beta, c + 0.5, 3, 1.0)
    with pytest.raises(InvalidModel, match="shapes"):
        tilted(mdp, beta[0], c, 3, 1.0)
    problem = constrained_garnet()
    with pytest.raises(InvalidModel, match="leave = 0"):
        guarded(problem, np.ones((6, 3, 6)), leave=0)
    with pytest.raises(InvalidModel, match="N has shape"):
        guarded(problem, np.ones((6, 3)))
