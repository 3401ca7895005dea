r"""Value iteration: :math:`v_{k+1} = \max_a (r + \gamma P v_k)`.

The sweeps contract at rate :math:`\gamma`, but the bounds of `certificates` only look at the span of ``Tv - v``, which
contracts faster wherever the model mixes; see section 6.6 of Puterman [puterman1994markov].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mdptk.solve._sweeps import sweep

if TYPE_CHECKING:
    from mdptk.core.backup import Backup
    from mdptk.core.models import Array
    from mdptk.solve.certificates import Bracket


def step(mdp: Backup, v: Array, q: Array) -> Array:
    """One sweep, from ``q = r + gamma P v``."""
    return q.max(-1)


def value_iteration(mdp: Backup, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of sweeps."""
    return sweep(mdp, step, tol)
