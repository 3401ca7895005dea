r"""Episodes: a combination lock with a hidden code.

Every failed episode tests one digit. A code of n = H - 1 digits in 0 ... A - 1 needs (H - 1)(A - 1) / 2 failures on
average, and no learner does with less: for K at least (H - 1)(A - 1) the bound is an equality for those that never try
a digit twice. It is the exact count behind `deep_sea`; chance plays no part, so no square root of K.

Proof: ``proofs/lower_bounds/episodic.py``.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from sympy import Min

from mdptk.core.models import FiniteHorizonMDP
from mdptk.core.oracles import Episodic
from mdptk.problems.combination_lock import combination_lock
from mdptk.theory import Quantity
from mdptk.theory.lower_bound import LowerBound
from mdptk.theory.symbols import A, H, K
from mdptk.theory.theorem import Cite, InExpectation, Theorem

regret = Quantity("regret", lambda run: run["regret"], latex=r"\sum_{k<K} \left(V^*_1 - V^{\pi_k}_1\right)(\rho)")


def locks(A: float, H: float, **_: float) -> tuple[FiniteHorizonMDP, ...]:
    """A lock for each code of H - 1 digits."""
    return tuple(combination_lock(code, int(A)) for code in product(range(int(A)), repeat=int(H) - 1))


def least_failures(A: float, H: float, K: float) -> float:
    """E min(K, U_1 + ... + U_{H-1}) for independent U_i, uniform on 0 ... A - 1: failures of the best learner."""
    p = np.ones(1)
    for _ in range(int(H) - 1):
        p = np.convolve(p, np.full(int(A), 1 / A))
    return float(p @ np.minimum(K, np.arange(len(p))))


LOCK = LowerBound(
    claim=Theorem(
        name="combination lock",
        cite=Cite("osband2019deep", "the path of DeepSea, counted exactly in proofs/"),
        lhs=regret,
        rhs=Min(K, (H - 1) * (A - 1)) / 2,
        relation=">=",
        holds=InExpectation(),
        reason="derived in proofs/",
        proof="lower_bounds/episodic",
    ),
    sees=Episodic,
    family=locks,
    most=K,
    sizes=({"A": 2, "H": 4, "K": 6}, {"A": 3, "H": 3, "K": 6}),
    least=least_failures,
    rate="gap",  # the failures of one episode, on average over its actions
)
