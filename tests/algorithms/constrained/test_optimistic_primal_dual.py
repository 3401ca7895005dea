"""OPG-PD against its definition in loops; its last policy converges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.optimistic_primal_dual import LINEAR, STEP, OptimisticPrimalDual
from mdptk.problems.constrained import constrained_garnet, constrained_two_state, paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, priced, project, spent, value


def reference(alg, cmdp, steps):
    """Two projected steps with one gradient, from one point to the next."""
    mdp, bound = cmdp.mdp, alg.multiplier_bound(cmdp)

    def move(pi0, lam0, pi, lam):
        r = priced(cmdp, lam)
        q, g = action_value(mdp, r, value(mdp, r, pi)), spent(cmdp, pi) - cmdp.b
        new = np.array([project(pi0[s] + alg.eta * q[s]) for s in range(mdp.S)])
        return new, np.array([min(max(0.0, lam0[i] + alg.eta * g[i]), bound) for i in range(cmdp.m)])

    hat = np.full((mdp.S, mdp.A), 1 / mdp.A), np.zeros(cmdp.m)
    z = move(*hat, *hat)
    out = [(*hat, *z)]
    for _ in range(steps):
        hat = move(*hat, *z)
        z = move(*hat, *z)
        out.append((*hat, *z))
    return dict(zip(("pi_hat", "lam_hat", "pi", "lam"), map(np.array, zip(*out, strict=True)), strict=True))


@given(cmdps(), st.sampled_from([0.01, 0.1, 1.0]))
@settings(max_examples=15)
def test_theorems(cmdp, eta):
    for verdict in check(run(OptimisticPrimalDual(eta), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_last_policy_converges():
    result = run(OptimisticPrimalDual(0.2), paradoxical(), 500)
    np.testing.assert_allclose(result["pi"][0, -1], [[0.75, 0.25]], atol=1e-4)
    assert LINEAR.check(result).note.startswith("linear: y ~ 0.9")


def test_one_step_is_an_equality_while_nothing_is_cut_off():
    """Inside of the simplex and of the box projections are onto planes; what is lost is the value of the saddle."""
    result = run(OptimisticPrimalDual(0.05), constrained_two_state(), 100)
    lhs, rhs = STEP.sides(result)
    assert (rhs - lhs)[0, 1:].min() < 1e-3 * lhs.max()


def test_multipliers_are_bounded_by_the_slater_constant_if_nothing_is_said():
    """2 / ((1 - gamma) xi) with gamma = 1/2 and xi = 1/10."""
    cmdp = constrained_garnet(gamma=0.5, xi=0.1)
    assert OptimisticPrimalDual().multiplier_bound(cmdp) == pytest.approx(40, rel=1e-4)
    assert OptimisticPrimalDual(bound=3.0).multiplier_bound(cmdp) == 3.0
