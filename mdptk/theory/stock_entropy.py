r"""How the entropy of a policy changes in one step: minus a covariance, up to a square.

For logits that move by z the derivative of the entropy of a state is exactly
:math:`-\mathrm{Cov}_{a\sim\pi}(\log\pi(a|s), z(a))`. States of runs have the fields `log_pi` and `pi`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Rational, log

from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import before, policy
from mdptk.theory.stock_policy import logits
from mdptk.theory.symbols import A
from mdptk.theory.theorem import Cite, Theorem


def _logs(run: Run) -> Array:
    from mdptk.core.exact import log_softmax

    return log_softmax(logits(run))


def entropies(run: Run) -> Array:
    """Entropy of the recorded policies in each state, (repeats, records, S)."""
    return -(policy(run) * _logs(run)).sum(-1)


def covariance(pi: Array, x: Array, y: Array) -> Any:
    """``Cov(x, y)`` under ``pi[..., a]``, (...)."""
    return (pi * (x - (pi * x).sum(-1, keepdims=True)) * y).sum(-1)


def centred_product(log_pi: Array, advantage: Array) -> Array:
    """``c[..., s, a]``: its mean under the policy is the covariance of log pi and the advantage."""
    pi = np.exp(log_pi)
    return (log_pi - (pi * log_pi).sum(-1, keepdims=True)) * advantage


def _move(run: Run) -> Array:
    return _logs(run) - before(_logs(run))


def _remainder(run: Run) -> Array:
    old = before(policy(run))
    predicted = -covariance(old, before(_logs(run)), _move(run))
    return abs(entropies(run) - before(entropies(run)) - predicted).max(-1)


def _rounding(run: Run) -> Array:
    size = 1 + abs(logits(run)).max((-2, -1))
    return 32 * EPS * run.problem.A * size**2


remainder = Quantity(
    "remainder",
    _remainder,
    latex=r"\max_s\big|H(\pi_{%t}) - H(\pi_{%t-1})"
    r" + \mathrm{Cov}_{\pi_{%t-1}}(\log\pi_{%t-1}, \log\pi_{%t} - \log\pi_{%t-1})\big|(s)",
    rounding=_rounding,
)
move = Quantity(
    "move",
    lambda run: np.ptp(_move(run), axis=-1).max(-1),
    latex=r"\max_s\mathrm{span}(\log\pi_{%t} - \log\pi_{%t-1})(s)",
    rounding=lambda run: 32 * EPS * (1 + abs(logits(run)).max((-2, -1))),
)

ENTROPY = Theorem(
    name="entropy change",
    cite=Cite("cui2025entropy", "the covariance formula, which the paper has to first order; the rest is of proofs/"),
    reason="that the rest is at most log(A) / 2 times the squared span of the step is derived in proofs/",
    consecutive=True,
    lhs=remainder,
    rhs=Rational(1, 2) * log(A) * move**2,
    silent="it compares two policies; if they are the same both sides are zero",
    proof="policy_gradient/clip_cov",
)
