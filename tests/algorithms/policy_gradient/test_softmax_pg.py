"""Softmax policy gradient against its definition in loops; its theorems where they are tight, and one that is false."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mdptk import MDP, Run, check, run
from mdptk.algorithms.policy_gradient.softmax_pg import (
    ASCENT,
    CONVERGENCE,
    DOMINATION,
    LOJASIEWICZ,
    SoftmaxPG,
)
from mdptk.core import exact
from mdptk.core.errors import AssumptionViolated, InvalidHyperparameter
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps, policies
from mdptk.theory.stock_policy import least, softmax_gain


def _by_sweeps(mdp, pi):
    """Value and discounted visits of a policy by summing over time, Gauss-Seidel for the value."""
    S, A = mdp.S, mdp.A
    v, visits, p = np.zeros(S), np.zeros(S), np.array(mdp.rho)
    for _ in range(int(40 / (1 - mdp.gamma)) + 1):
        for s in range(S):
            v[s] = sum(pi[s, a] * (mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v) for a in range(A))
        visits, p = visits + p, mdp.gamma * sum(p[s] * pi[s, a] * mdp.P[s, a] for s in range(S) for a in range(A))
    return v, visits


def reference(alg, mdp, steps):
    """Mei et al. 2020, Algorithm 1 with the gradient of Lemma 1, in loops."""
    S, A = mdp.S, mdp.A
    eta = (1 - mdp.gamma) ** 3 / 8 if alg.eta is None else alg.eta
    theta, out = np.zeros((S, A)), []
    for _ in range(steps + 1):
        pi = np.array([[np.exp(theta[s, a]) / sum(np.exp(theta[s])) for a in range(A)] for s in range(S)])
        out.append(pi)
        v, visits = _by_sweeps(mdp, pi)
        for s in range(S):
            for a in range(A):
                advantage = mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v - v[s]
                theta[s, a] += eta * visits[s] * pi[s, a] * advantage
    return {"pi": np.array(out)}


def spread(mdp):
    """The model with a start distribution that is positive, by much or by next to nothing."""
    floors = st.sampled_from([1.0, 1e-3, 1e-9, 1e-300])
    return floors.map(lambda x: MDP(mdp.P, mdp.r, mdp.gamma, (mdp.rho + x) / (mdp.rho + x).sum()))


def bandit(r, gamma=0.0):
    """One state; action a pays r[a]."""
    return MDP(np.ones((1, len(r), 1)), [r], gamma)


def standing(mdp, pi, alg=None):
    """A run made by hand: at every record the policy `pi`."""
    pi = np.broadcast_to(pi, (1, 2, *np.shape(pi)))
    best = exact.optimal(mdp).pi
    c = (best * pi).sum(-1).min(-1)
    return Run(alg or SoftmaxPG(), mdp, np.arange(2.0), {"theta": np.log(pi), "pi": pi, "c": c}, {"c": c[:, 0]})


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([None, 0.01, 1.0]))
@settings(max_examples=50)
def test_pseudo_code(mdp, eta):
    got = run(SoftmaxPG(eta), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(SoftmaxPG(eta), mdp, 3)["pi"], rtol=1e-9, atol=1e-12)


@given(mdps().flatmap(spread), st.sampled_from([None, 0.1, 10.0]))
@settings(max_examples=150)
def test_theorems(mdp, eta):
    for verdict in check(run(SoftmaxPG(eta), mdp, 20), skip_unmet=True):
        assert verdict.ok is not False or verdict.theorem is DOMINATION, str(verdict)


@given(mdps(), st.data())
@settings(max_examples=200)
def test_lojasiewicz_for_every_policy(mdp, data):
    mdp, pi = data.draw(spread(mdp)), data.draw(policies(mdp)) + 1e-9
    verdict = LOJASIEWICZ.check(standing(mdp, pi / pi.sum(-1, keepdims=True)))
    assert verdict.ok
    assert not verdict.ratio > np.sqrt((mdp.A - 1) / mdp.A) + 1e-6  # one state keeps A / (A - 1) of what is dropped


def test_lojasiewicz_is_printed_with_the_gap_in_brackets():
    assert r"\left(V^*(\rho) - V^{\pi_{t}}(\rho)\right)" in LOJASIEWICZ.latex


@pytest.mark.parametrize("A", [2, 10, 1000])
def test_lojasiewicz_is_tight_with_many_actions(A):
    """One good action among A: the gradient that the proof drops is 1 / (A - 1) of what it keeps, squared."""
    verdict = LOJASIEWICZ.check(run(SoftmaxPG(), bandit([1.0] + [0.0] * (A - 1)), 1))
    assert verdict.ok
    assert verdict.ratio == pytest.approx(np.sqrt((A - 1) / A))


def test_global_convergence_says_something_in_the_end():
    result = run(SoftmaxPG(), bandit([1.0, 0.0]), 2000, every=100)
    verdict = CONVERGENCE.check(result)
    assert verdict.ok
    assert verdict.informative
    assert not verdict.vacuous
    lhs, rhs = CONVERGENCE.sides(result)
    assert rhs[0, -1] == pytest.approx(16 * 4 / 2001)  # S = 1, c = 1/2, everything else 1
    assert lhs[0, -1] == pytest.approx(8 / (2 * 2000), rel=0.2)  # d gap / dt = -2 eta gap^2 as gap -> 0


def test_the_least_chance_is_no_monotone_sequence():
    """Safe pays 0.9 for ever; risky pays 1 to those who act right there, 1/2 as long as nobody knows how."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    mdp = MDP(P, [[0, 0], [0.9, 0.9], [0, 1]], 0.9, [0.9, 0.05, 0.05])
    result = run(SoftmaxPG(eta=0.5), mdp, 400)
    risky = result["pi"][0, :, 0, 1]
    assert risky[0] == 0.5
    assert risky.min() < 0.25
    assert risky[-1] > 0.9
    assert least.values(result)[0, -1] == risky.min()
    assert all(v.ok for v in check(result, skip_unmet=True) if v.theorem in (LOJASIEWICZ, ASCENT))


def test_the_least_chance_sees_steps_that_are_not_recorded():
    every, thin = run(SoftmaxPG(5.0), garnet(), 40), run(SoftmaxPG(5.0), garnet(), 40, every=40)
    assert every["c"][0, -1] == thin["c"][0, -1]
    chance = (exact.optimal(garnet()).pi * every["pi"]).sum(-1).min(-1)[0]
    np.testing.assert_array_equal(every["c"][0], np.minimum.accumulate(chance))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 0.95]))
@settings(max_examples=30)
def test_gain_is_the_difference_of_returns(seed, gamma):
    mdp = garnet(4, 3, 2, gamma, seed=seed)
    result = run(SoftmaxPG(1.0), mdp, 3)
    want = np.diff([mdp.rho @ _by_sweeps(mdp, pi)[0] for pi in result["pi"][0]])
    np.testing.assert_allclose(softmax_gain.values(result)[0, 1:], want, rtol=1e-8, atol=1e-13)


def test_ascent_is_judged_on_a_plateau():
    """Where the gradient is 1e-8, the gain is 1e-17 of the return: a difference of returns could not show it."""
    mdp, theta = bandit([1.0, 0.0], gamma=0.5), np.array([[-19.0, 0.0]])
    state = SoftmaxPG().init(mdp)._replace(theta=theta, pi=exact.softmax(theta))
    states = [state, SoftmaxPG().step(mdp, state)]
    out = {name: np.array([[getattr(s, name) for s in states]]) for name in ("theta", "pi")}
    made_up = Run(SoftmaxPG(), mdp, np.arange(2.0), out, {})
    lhs, rhs = ASCENT.sides(made_up)
    assert 0 < rhs[0, 1] < lhs[0, 1] < 1e-16
    assert ASCENT.slack(made_up)[0, 1] < rhs[0, 1] / 100


def test_ascent_catches_a_wrong_gradient():
    class Downhill(SoftmaxPG):
        def step(self, problem, state):
            theta = state.theta - self.step_size(problem) * exact.softmax_gradient(problem, state.pi)
            return type(state)(theta, exact.softmax(theta))

    assert not ASCENT.check(run(Downhill(), garnet(), 5)).ok


@given(mdps(), st.data())
@settings(max_examples=50)
def test_gradient_domination_is_true_for_the_direct_parameterisation(mdp, data):
    """The constant that is refuted below is that of a theorem: only the gradient is another one."""
    mdp, pi = data.draw(spread(mdp)), data.draw(policies(mdp))
    gap = exact.performance_gap(mdp, exact.optimal(mdp), pi)
    star = np.maximum(exact.occupancy(mdp, exact.optimal(mdp).pi), (1 - mdp.gamma) * mdp.rho)
    constant = np.sqrt(2 * mdp.S) / (1 - mdp.gamma) * (star / mdp.rho).max()
    assert gap <= constant * np.linalg.norm(exact.gradient(mdp, pi)) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("epsilon", [1e-1, 1e-3, 1e-6])
def test_gradient_domination_is_refuted(epsilon):
    """Near the wrong action of two the gap is 1, the gradient sqrt(2) epsilon: no constant is large enough."""
    verdict = DOMINATION.check(standing(bandit([1.0, 0.0]), [[epsilon, 1 - epsilon]]))
    assert verdict.ok is False
    assert verdict.ratio == pytest.approx(1 / (2 * epsilon))


def test_gradient_domination_is_refuted_by_a_run():
    """With ten actions it fails from the start on."""
    verdict = DOMINATION.check(run(SoftmaxPG(), bandit([1.0] + [0.0] * 9), 20))
    assert verdict.ok is False
    assert DOMINATION.status == "refuted"


def test_step_sizes():
    assert SoftmaxPG().step_size(garnet(gamma=0.5)) == 0.5**3 / 8
    assert SoftmaxPG(eta=0.25).step_size(garnet()) == 0.25
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidHyperparameter, match="eta"):
            SoftmaxPG(eta=bad)
    with pytest.raises(AssumptionViolated, match=r"eta = 0\.25"):
        CONVERGENCE.check(run(SoftmaxPG(eta=0.25), garnet(), 1))
    assert CONVERGENCE.check(run(SoftmaxPG(eta=0.1**3 / 8), garnet(gamma=0.9), 1)).ok


@pytest.mark.parametrize("eta", [1e3, 1e9])
def test_huge_steps_stay_finite(eta):
    result = run(SoftmaxPG(eta), garnet(), 50)
    assert np.isfinite(result["theta"]).all()
    assert result["theta"].max() == 0
    np.testing.assert_allclose(result["pi"].sum(-1), 1)


@given(mdps())
@example(bandit([0.5]))
@example(bandit([0.5, 0.5], gamma=0.99))
@settings(max_examples=30)
def test_nothing_happens_where_nothing_matters(mdp):
    """One action, or actions that are all the same: the policy stays uniform."""
    same = MDP(mdp.P[:, :1].repeat(mdp.A, axis=1), mdp.r[:, :1].repeat(mdp.A, axis=1), mdp.gamma, mdp.rho)
    result = run(SoftmaxPG(), same, 20)
    np.testing.assert_allclose(result["pi"], 1 / mdp.A, rtol=1e-12)
    assert not [str(v) for v in check(result, skip_unmet=True) if v.ok is False]


def test_a_batch_is_its_models_one_by_one():
    models = [garnet(5, 3, 3, 0.9, seed=i) for i in range(4)]
    batch = MDP(np.stack([m.P for m in models]), np.stack([m.r for m in models]), 0.9)
    together = run(SoftmaxPG(), batch, 8)
    verdicts = check(together)
    assert all(v.ok for v in verdicts)
    for i, one in enumerate(models):
        alone = run(SoftmaxPG(), one, 8)
        for name in ("theta", "pi", "c"):
            np.testing.assert_allclose(together[name][i], alone[name][0], rtol=1e-12)
        for th in SoftmaxPG.theorems:
            for a, b in zip(th.sides(together), th.sides(alone), strict=True):
                np.testing.assert_allclose(a[i, 1:], b[0, 1:], rtol=1e-6)
