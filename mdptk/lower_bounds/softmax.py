r"""Softmax gradients: a chain of states of which each takes a power of the time of the one before. Order only.

Li, Wei, Chi, Gu and Chen [li2021softmax] prove that softmax policy gradient, with exact gradients and from the
uniform policy, needs at least :math:`\frac{c}{\eta} S^{2^{\Omega(1/(1-\gamma))}}` steps on a chain of about
:math:`1/(1-\gamma)` states. Their abstract states neither constant, the text was not at hand (it is longer in
Mathematical Programming 201, 2023), and the chain of `softmax_chain` is rebuilt from descriptions: so nothing is
claimed of it here and it is no `LowerBound`. What there is are the times themselves, for any solver that has a
policy: the first step after which a state is worth more than leaving is. Methods that divide by the distribution of
the states or by the gradient, or that have an entropy bonus, escape; ``mdptk reproduce softmax_chain`` measures who
does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.models import Array
from mdptk.core.run import run
from mdptk.problems.softmax_chain import softmax_chain


def learning_times(alg: Solver[Any, Any], steps: int, *, n: int = 5, gamma: float = 0.9) -> Array:
    """Steps after which the states 1, ..., n of the chain are learnt, shape (n,); inf if `steps` are too few.

    A state is learnt where its value is above the middle between the best and the second best action there.

    Parameters
    ----------
    alg
        A solver of MDPs that records a policy ``pi``.
    n, gamma
        Length and discount of the chain.
    """
    problem = softmax_chain(n, gamma)
    second, best = np.sort(exact.optimal(problem).q[1 : n + 1])[:, -2:].T
    v = exact.evaluate(problem, run(alg, problem, steps)["pi"][0])[:, 1 : n + 1]
    learnt = v > (second + best) / 2
    return np.where(learnt.any(0), learnt.argmax(0), np.inf)
