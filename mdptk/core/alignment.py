r"""Tilting a policy by a reward, and reading the reward off a policy: the algebra of alignment with a KL penalty.

The policy that is best for :math:`\mathbb{E}_\pi[r] - \beta\,\mathrm{KL}(\pi\|\pi_{\mathrm{ref}})` is
:math:`\pi_{\mathrm{ref}}(a|s)\,e^{r(s, a)/\beta}/Z(s)`, a *tilt*. Tilts compose: first by r and then by
:math:`\lambda g` is at once by :math:`r + \lambda g`, in any order. That is all there is to stepwise alignment (SACPO,
Wachi et al. [wachi2024stepwise]) where rewards are known: nothing is lost by aligning for helpfulness first and for
safety afterwards, with the coefficient :math:`\beta/\lambda`. What is estimated in a step is an error of
the next, see `estimation_bound`.
"""

from __future__ import annotations

from typing import Any

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


def estimation_bound(r: Array, r_hat: Array, log_ref: Array, beta: float) -> tuple[Any, Any]:
    r"""Bounds on what an error in the reward costs a tilt: of the objective, and of any other mean, (states,).

    With :math:`\epsilon = (\max_a - \min_a)(\hat r - r)` in a state (constants do not matter), the tilts :math:`\pi` by
    r and :math:`\hat\pi` by :math:`\hat r` have

    .. math::

       F(\pi) - F(\hat\pi) = \beta\,\mathrm{KL}(\hat\pi\|\pi) \leq \frac{\epsilon^2}{8\beta}, \qquad
       |\mathbb{E}_{\hat\pi} g - \mathbb{E}_\pi g| \leq \frac{\epsilon}{4\beta}\,(\max_a - \min_a) g

    for :math:`F(\pi) = \mathbb{E}_\pi r - \beta\,\mathrm{KL}(\pi\|\pi_{\mathrm{ref}})`. The second number is the factor
    of the span of g, so that with the safety for g it bounds how far a budget is missed. In stepwise alignment the
    reward is :math:`r + \lambda g`, and its error that of r and lambda times that of g: a large price makes it large.

    The first is an identity and Hoeffding's lemma; the second Pinsker's inequality on it. Derived here: the constants
    of Wachi et al. [wachi2024stepwise], who bound the same two things for estimates from preferences, were not at hand.
    """
    off = np.asarray(r_hat, dtype=float) - np.asarray(r, dtype=float)
    if not beta > 0:
        raise InvalidHyperparameter(f"beta = {beta!r} is not positive")
    seen = np.exp(log_ref) > 0  # an action that the reference never takes is in neither tilt
    epsilon = np.where(seen, off, -np.inf).max(-1) - np.where(seen, off, np.inf).min(-1)
    return epsilon**2 / (8 * beta), epsilon / (4 * beta)
