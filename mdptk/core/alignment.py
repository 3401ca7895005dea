r"""Tilting a policy by a reward, and reading the reward off a policy: the algebra of alignment with a KL penalty.

The policy that is best for :math:`\mathbb{E}_\pi[r] - \beta\,\mathrm{KL}(\pi\|\pi_{\mathrm{ref}})` is
:math:`\pi_{\mathrm{ref}}(a|s)\,e^{r(s, a)/\beta}/Z(s)`, a *tilt*. Tilts compose: first by r and then by
:math:`\lambda g` is at once by :math:`r + \lambda g`, in any order. That is all there is to stepwise alignment (SACPO,
Wachi et al. [wachi2024stepwise]) where rewards are known: nothing is lost by aligning for helpfulness first and for
safety afterwards, with the coefficient :math:`\beta/\lambda`. What is estimated in a step is an error of the next.
"""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.models import Array


def tilted(log_pi: Array, r: Array, beta: float) -> Array:
    r"""Log-probabilities of :math:`\pi(a|s)\,e^{r(s, a)/\beta}/Z(s)`, of the shape of `log_pi`."""
    if not beta > 0:
        raise InvalidHyperparameter(f"beta = {beta!r} is not positive")
    return exact.log_softmax(np.asarray(log_pi) + np.asarray(r) / beta)


def implicit_reward(log_pi: Array, log_ref: Array, beta: float) -> Array:
    r""":math:`\beta \log(\pi/\pi_{\mathrm{ref}})`: the reward by which `log_ref` was tilted.

    That is, but for a constant in each state. A policy trained on preferences carries it (DPO), and OneShotDualisation
    does not see the constants: its multipliers are the same, if budgets are counted from what the reference spends.
    """
    return beta * (np.asarray(log_pi) - np.asarray(log_ref))
