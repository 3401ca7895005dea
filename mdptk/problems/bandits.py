"""Bernoulli bandits: the two that every lecture has."""

from __future__ import annotations

import numpy as np

from mdptk.core.bandits import BernoulliBandit
from mdptk.core.errors import InvalidModel


def two_arms(delta: float = 0.8) -> BernoulliBandit:
    r"""Arms with means :math:`\tfrac{1-\delta}2` and :math:`\tfrac{1+\delta}2`: the second one is better.

    A pull of either arm says the same about which of them it is, so nothing has to be paid for information: the
    optimum pulls what looked better so far.

    Parameters
    ----------
    delta
        The gap, in [-1, 1]; a negative one makes the first arm the better one.

    Raises
    ------
    InvalidModel
        If the gap is out of range.

    Examples
    --------
    >>> two_arms().means
    array([0.1, 0.9])
    """
    return BernoulliBandit([(1 - delta) / 2, (1 + delta) / 2])


def good_arm(A: int = 5, delta: float = 0.2, best: int = -1) -> BernoulliBandit:
    r"""All arms are fair coins but one, with mean :math:`\tfrac12 + \delta`; the last one unless `best` is given.

    Only pulls of the good arm tell it from the others.

    Parameters
    ----------
    A
        Number of arms, at least 1.
    delta
        The gap, in [0, 1/2].
    best
        Index of the good arm.

    Raises
    ------
    InvalidModel
        If there is no such arm, or the gap is out of range.

    Examples
    --------
    >>> good_arm(A=3).means
    array([0.5, 0.5, 0.7])
    """
    if A < 1 or not -A <= best < A or not 0 <= delta <= 0.5:
        raise InvalidModel(f"A = {A}, best = {best}, delta = {delta}: needs an arm of A >= 1, and 0 <= delta <= 1/2")
    means = np.full(A, 0.5)
    means[best] += delta
    return BernoulliBandit(means)


def ten_arms(seed: int = 0) -> BernoulliBandit:
    """Ten arms with means drawn uniformly from [0, 1].

    Parameters
    ----------
    seed
        Of the means.

    Examples
    --------
    >>> ten_arms()
    BernoulliBandit(A=10)
    """
    return BernoulliBandit(np.random.default_rng(seed).random(10))
