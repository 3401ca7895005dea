"""ReLOAD in policies: its definition in loops, and its last policy against that of gradient descent-ascent."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.npg_primal_dual import NPGPrimalDual
from mdptk.algorithms.constrained.reload import ReLOAD
from mdptk.problems.constrained import paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, priced, spent, value


def reference(alg, cmdp, steps):
    """Weights times exp(eta (2 Q_t - Q_{t-1})), prices up by eta_dual (2 g_t - g_{t-1})."""
    mdp = cmdp.mdp
    pi, lam, out, old = np.full((mdp.S, mdp.A), 1 / mdp.A), np.zeros(cmdp.m), [], None
    for _ in range(steps + 1):
        out.append((pi.copy(), lam))
        r = priced(cmdp, lam)
        q, g = action_value(mdp, r, value(mdp, r, pi)), spent(cmdp, pi) - cmdp.b
        old_q, old_g = old or (q, g)
        for s in range(mdp.S):
            pi[s] = [pi[s, a] * np.exp(alg.eta * (2 * q[s, a] - old_q[s, a])) for a in range(mdp.A)]
            pi[s] /= pi[s].sum()
        lam = np.array([max(0.0, lam[i] + alg.eta_dual * (2 * g[i] - old_g[i])) for i in range(cmdp.m)])
        old = q, g
    return {"pi": np.array([x[0] for x in out]), "lam": np.array([x[1] for x in out])}


@given(cmdps(), st.sampled_from([0.01, 0.1, 1.0]))
@settings(max_examples=15)
def test_theorems(cmdp, eta):
    for verdict in check(run(ReLOAD(eta, eta), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_last_policy_converges_where_that_of_descent_ascent_circles():
    """The same steps, with the last gradient counted twice and not; NPG's eta is for advantages over 1 - gamma."""
    cmdp, ends = paradoxical(), []
    for alg in (ReLOAD(0.2, 0.2), NPGPrimalDual(eta=0.1, eta_dual=0.2, bound=10.0)):
        excess = run(alg, cmdp, 600)["returns"][0, :, 1] - 0.5
        ends.append(abs(excess[-100:]).max() / abs(excess[:100]).max())
    assert ends[0] < 0.05
    assert ends[1] > 0.8
