"""The PID Lagrangian against its definition in loops; which term does what, in closed form where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.pid_lagrangian import ENERGY, PIDLagrangian
from mdptk.problems.constrained import paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, priced, spent, value


def follow(alg, cmdp, steps, price):
    """Natural policy gradient at the prices that `price` makes of the excess, one after the other."""
    mdp, out = cmdp.mdp, []
    pi = np.full((mdp.S, mdp.A), 1 / mdp.A)
    for _ in range(steps + 1):
        lam = price(spent(cmdp, pi) - cmdp.b)
        out.append((pi.copy(), lam))
        v = value(mdp, priced(cmdp, lam), pi)
        q = action_value(mdp, priced(cmdp, lam), v)
        for s in range(mdp.S):
            pi[s] = [pi[s, a] * np.exp(alg.eta / (1 - mdp.gamma) * (q[s, a] - v[s])) for a in range(mdp.A)]
            pi[s] /= pi[s].sum()
    return {"pi": np.array([x[0] for x in out]), "lam": np.array([x[1] for x in out])}


def reference(alg, cmdp, steps):
    """A controller for each cost."""
    integral, old = [0.0] * cmdp.m, []

    def price(e):
        lam = []
        for i in range(cmdp.m):
            integral[i] = max(0.0, integral[i] + e[i])
            rise = max(0.0, e[i] - old[-1][i]) if old else 0.0
            lam.append(max(0.0, alg.K_I * integral[i] + alg.K_P * e[i] + alg.K_D * rise))
        old.append(e)
        return np.array(lam)

    return follow(alg, cmdp, steps, price)


@given(cmdps(), st.sampled_from([(0.1, 1.0, 0.1, 0.0), (1.0, 0.0, 0.1, 0.0), (0.1, 0.3, 1.0, 3.0)]))
@settings(max_examples=20)
def test_theorems(cmdp, gains):
    for verdict in check(run(PIDLagrangian(*gains), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_integral_alone_is_ascent_on_the_dual():
    """Steps on the price, in turn with those on the policy."""
    lam, cmdp, alg = np.zeros(1), paradoxical(), PIDLagrangian(0.3, 0.0, 0.2)

    def price(e):
        lam[:] = np.maximum(lam + 0.2 * e, 0)
        return lam.copy()

    want, got = follow(alg, cmdp, 60, price), run(alg, cmdp, 60)
    np.testing.assert_allclose(got["lam"][0], want["lam"], atol=1e-12)
    np.testing.assert_allclose(got["pi"][0], want["pi"], atol=1e-12)


@pytest.mark.parametrize("c", [0.2, 0.5, 1.5])
def test_the_conservative_augmented_lagrangian_is_a_controller(c):
    """CAL plays [lam + c e]_+ and then moves lam by 0.2 e; c = 0.2 is the integral alone, one step ahead."""
    lam, cmdp, alg = np.full(1, 0.6), paradoxical(), PIDLagrangian(0.1, c - 0.2, 0.2)

    def price(e):
        now = np.maximum(lam + c * e, 0)
        lam[:] = np.maximum(lam + 0.2 * e, 0)
        return now

    want = follow(alg, cmdp, 100, price)
    first = {k: x[0, 0] for k, x in run(alg, cmdp, 0).out.items() if k in alg.init(cmdp)._fields}
    first["integral"] = np.array([0.6 / 0.2]) + first["excess"]
    first["lam"] = alg.K_I * first["integral"] + alg.K_P * first["excess"]
    got = run(alg, cmdp, 100, start=first)
    assert want["lam"].min() > 0, "away from the boundary"
    np.testing.assert_allclose(got["lam"][0], want["lam"], atol=1e-12)


@pytest.mark.parametrize("K_P", [0.0, 0.2, 1.0])
def test_the_proportional_term_damps_as_the_linearised_step_says(K_P):
    """e_{t+1} = trace e_t - det e_{t-1} near the saddle, with det = 1 - eta K_P p (1 - p) / (1 - gamma)^2."""
    eta, K_I, gamma, p = 0.1, 0.1, 0.5, 0.25
    alg, cmdp = PIDLagrangian(eta, K_P, K_I), paradoxical(gamma, 0.5)
    theta = np.log(p / (1 - p)) + 1e-5
    pi = np.array([[1 / (1 + np.exp(theta)), 1 / (1 + np.exp(-theta))]])
    e = pi[0, 1] / (1 - gamma) - 0.5
    start = {"log_pi": np.log(pi), "pi": pi, "integral": [1 / K_I], "excess": [e], "lam": [1 + K_P * e]}
    x = run(alg, cmdp, 60, start=start)["returns"][0, :, 1] - 0.5
    trace, det = np.linalg.lstsq(np.stack([x[1:-1], -x[:-2]], 1), x[2:])[0]
    h, s = eta / (1 - gamma), p * (1 - p) / (1 - gamma)
    assert det == pytest.approx(1 - h * K_P * s, abs=1e-5)
    assert trace == pytest.approx(2 - h * s * (K_P + K_I), abs=1e-5)


def test_energy_is_lost_to_friction_alone():
    """On the paradoxical problem the statement is an equality; with P or D the last policy comes to rest."""
    ends = {}
    for name, gains in {"I": (0.0, 0.1, 0.0), "PI": (1.0, 0.1, 0.0), "ID": (0.0, 0.1, 3.0)}.items():
        result = run(PIDLagrangian(0.1, *gains), paradoxical(), 600)
        lhs, rhs = ENERGY.sides(result)
        cut = result["integral"][0, :-1, 0] == 0
        assert abs(rhs - lhs)[0, 1:][~cut].max() < 1e-12
        x = result["returns"][0, :, 1] - 0.5
        ends[name] = abs(x[-150:]).max() / abs(x[:150]).max()
    assert ends["I"] > 0.9
    assert ends["PI"] < 1e-3
    assert ends["ID"] < 0.6
