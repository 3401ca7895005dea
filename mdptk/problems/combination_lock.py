"""The combination lock: the moves that open it are hidden in the transitions, not in the rewards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import FiniteHorizonMDP


def combination_lock(code: Sequence[int] = (1, 0, 1), A: int = 2) -> FiniteHorizonMDP:
    r"""Dial the digits of `code` one after another; the first wrong one leads to a state without return.

    State i < n is reached by i right digits, state n pays 1, state n + 1 is the dead end; H = n + 1. All rewards are in
    state n, so somebody who knows them knows nothing about the code. It is what is left of `deep_sea` for learners that
    are told the mean rewards: those of DeepSea tell the way.

    Parameters
    ----------
    code
        The digits, each in 0, ..., A - 1.
    A
        Number of actions.

    Raises
    ------
    InvalidModel
        If there is no code or a digit is no action.

    Examples
    --------
    >>> combination_lock()
    FiniteHorizonMDP(H=4, S=5, A=2)
    """
    n = len(code)
    if not n or not all(0 <= digit < A for digit in code):
        raise InvalidModel(f"code = {tuple(code)}: needs at least one digit, each in 0 ... {A - 1}")
    P, r = np.zeros((n + 2, A, n + 2)), np.zeros((n + 2, A))
    P[:n, :, n + 1] = 1.0
    for i, digit in enumerate(code):
        P[i, digit] = np.eye(n + 2)[i + 1]
    P[n:, :, n + 1] = 1.0
    r[n] = 1.0
    H = n + 1
    rho = np.eye(n + 2)[0]
    return FiniteHorizonMDP(np.broadcast_to(P, (H, *P.shape)), np.broadcast_to(r, (H, *r.shape)), rho)
