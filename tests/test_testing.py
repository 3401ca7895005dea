"""The checks themselves: what must not pass as having said something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mdptk.algorithms.mirror_descent.geometric_pmd import GeometricPMD
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.problems.riverswim import riverswim
from mdptk.problems.softmax_chain import softmax_chain
from mdptk.problems.teaching import two_state
from mdptk.testing import check_exact_statement, check_theorems, varied
from mdptk.theory import Cite, Theorem
from mdptk.theory.stock import suboptimality, unit_rewards
from tests.algorithms.mirror_descent.test_geometric_pmd import reference

IDLE = Theorem("idle", Cite("agarwal2021theory"), suboptimality, 1e6, assumes=(unit_rewards,))


@dataclass(frozen=True)
class Idle(NPG):
    """NPG with a bound that nothing can break."""

    theorems = (IDLE,)


def test_a_bound_that_applies_nowhere_else_has_still_said_nothing():
    """The softmax chain has negative rewards: not to apply there must not count as having said something."""
    with pytest.raises(AssertionError, match="'idle' would hold for a run that never moves"):
        check_theorems(Idle(), {"riverswim": riverswim(), "softmax_chain": softmax_chain()})


def test_a_product_that_is_a_quotient_is_seen_away_from_the_default():
    class Inverted(GeometricPMD):
        """Takes eta_0 for its inverse; at the default, which is one, that is the same."""

        def init(self, problem):
            state = super().init(problem)
            return state._replace(tau=np.full(problem.batch, self.eta_0))

    small = {"two_state": two_state()}
    check_exact_statement(GeometricPMD(), small, reference)
    assert varied(GeometricPMD(eta_0=1.0)) == GeometricPMD(eta_0=0.7)
    with pytest.raises(AssertionError, match=r"differs from the loops on two_state, of .*Inverted\(eta_0=0.7\)"):
        check_exact_statement(Inverted(), small, reference)
