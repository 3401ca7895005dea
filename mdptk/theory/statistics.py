"""Tests of statistical statements: exact, with their level stated, valid at every sample size."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.models import Array

SIGNIFICANCE = 1e-4  # a true statement is called violated at most this often
REPORT_SIGNIFICANCE = 1e-3  # a report calls any true statement violated at most this often
BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8])  # shares of the wealth that are bet against a bound on a mean


def binomial_p_value(failures: int, repeats: int, delta: float) -> float:
    """Probability of at least that many failures when each repeat fails with probability `delta`, exactly."""
    from scipy.stats import binom

    return float(binom.sf(failures - 1, repeats, delta))


def mean_exceeds(x: Array, bound: Array) -> float:
    r"""p-value of the hypothesis :math:`E X_j \le b_j` for all columns j, for non-negative `x` of shape (repeats, n).

    Bets against the hypothesis: :math:`\prod_i (1 + \lambda (x_{ij}/b_j - 1))` is a non-negative supermartingale for
    every :math:`\lambda \in [0, 1]`, so is its average over lambda and over the columns, and by Ville's inequality the
    inverse of its largest value over the repeats is a p-value. No upper bound on x is needed.
    Source: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting".
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(x <= bound, np.minimum(x / bound, 1.0), x / bound)
    z = np.where(np.isnan(z), 1.0, z)  # 0 / 0: no evidence
    if np.isinf(z).any():
        return 0.0  # a positive value where the mean is claimed to be zero
    log_wealth = np.log1p(BETS[:, None, None] * (z - 1)).cumsum(1)  # (lambda, repeats, columns)
    top = log_wealth.max()
    wealth = np.exp(log_wealth - top).mean((0, 2)).max()
    return float(min(1.0, np.exp(-top) / wealth)) if top > 0 else 1.0


def mean_at_least(x: Array, bound: Array, significance: float = SIGNIFICANCE) -> float:
    r"""Largest c such that the same data reject :math:`E X_j \le c\, b_j` for all j: a lower confidence bound.

    With probability at least 1 - `significance` there is a column j with :math:`E X_j > c\, b_j`, whatever the number
    of repeats was and why it was chosen, because the p-value is valid at all of them at once. It falls in c, hence the
    bisection. The claim is called violated where it is at least 1. inf if it has no end, as with a bound of zero.
    """

    def rejects(c: float) -> bool:
        return mean_exceeds(x, c * bound) <= significance

    low, high = 0.0, 1.0
    if not np.any((x > 0) & np.isfinite(bound)):
        return 0.0
    while rejects(high):
        if high > 1e12:
            return float("inf")
        low, high = high, 16 * high
    while not low and high > 1e-12:
        low, high = (high / 16, high) if rejects(high / 16) else (0.0, high / 16)
    if not low:
        return 0.0
    for _ in range(20):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if rejects(middle) else (low, middle)
    return float(low)


def bets_needed(z: float, significance: float = SIGNIFICANCE) -> int:
    """Repeats after which `mean_exceeds` rejects, for one column, if every x is `z` > 1 times the bound."""
    n = 1
    while np.exp(n * np.log1p(BETS * (z - 1))).mean() < 1 / significance:
        n += 1
    return n


# power ----------------------------------------------------------------------------------------------------------


def allowed_failures(repeats: int, delta: float, significance: float = SIGNIFICANCE) -> int:
    """The largest number of failures that the binomial test does not call too many."""
    from scipy.stats import binom

    p = binom.sf(np.arange(repeats + 1) - 1, repeats, delta)  # of 0, 1, ... failures
    return int(np.flatnonzero(p > significance)[-1])


def power(repeats: int, delta: float, true_rate: float, significance: float = SIGNIFICANCE) -> float:
    """Probability that the binomial test rejects `delta` when repeats fail with probability `true_rate`, exactly."""
    return binomial_p_value(allowed_failures(repeats, delta, significance) + 1, repeats, true_rate)


def detectable(repeats: int, delta: float, significance: float = SIGNIFICANCE, probability: float = 0.8) -> float:
    r"""Smallest true failure rate that the binomial test would have noticed with that probability.

    The rate q with :math:`\Pr(\mathrm{Bin}(n, q) > k) = 0.8`, where k is the largest number of failures that is
    allowed: a quantile of the beta distribution. nan if no number of failures is too many.
    """
    from scipy.stats import beta

    k = allowed_failures(repeats, delta, significance)
    return float("nan") if k >= repeats else float(beta.ppf(probability, k + 1, repeats - k))


def repeats_needed(delta: float, true_rate: float, probability: float = 0.8, significance: float = SIGNIFICANCE) -> int:
    """Fewest repeats with which the binomial test notices the failure rate `true_rate` with that probability.

    Failures are counted in whole numbers, so a few more repeats can notice less: take this number or many more.

    Raises
    ------
    ValueError
        Unless 0 <= delta < true_rate <= 1, or if more than a hundred thousand are needed.
    """
    from scipy.stats import binom

    if not 0 <= delta < true_rate <= 1:
        raise ValueError(f"a failure rate of {true_rate:g} cannot be told from the allowed {delta:g}")
    low = 0
    while low < 2**17:
        n = np.arange(low + 1, 2 * low + 64)
        allowed = binom.isf(significance, n, delta) if delta > 0 else np.zeros(len(n))
        (enough,) = np.nonzero(binom.sf(allowed, n, true_rate) >= probability)
        if len(enough):
            return int(n[enough[0]])
        low = int(n[-1])
    raise ValueError(f"more than a hundred thousand repeats to tell {true_rate:g} from {delta:g}")


# several checks -------------------------------------------------------------------------------------------------


def holm(ps: Any) -> Array:
    r"""p-values adjusted for being many, by Holm's step-down method; nan (nothing to adjust) stays nan.

    :math:`\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})`, at most Bonferroni's :math:`m p_{(i)}`.
    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    ps = np.asarray(ps, dtype=np.float64)
    out = np.full_like(ps, np.nan)
    (known,) = np.nonzero(~np.isnan(ps))
    order, m = known[np.argsort(ps[known], kind="stable")], len(known)
    if m:
        out[order] = np.maximum.accumulate(np.minimum(1.0, (m - np.arange(m)) * ps[order]))
    return out


def corrected(ps: Any, level: float = REPORT_SIGNIFICANCE) -> Array:
    """Which of several hypotheses are rejected at `level` for all of them together, a bool each; nan never is.

    *Any* true statement is called violated with probability at most `level`, however the checks depend on each other:
    those of one run do. Holm and not Benjamini-Yekutieli, which allows for dependence, too, but bounds the share of
    false accusations: a report with one of them is a wrong report.
    """
    with np.errstate(invalid="ignore"):
        return holm(ps) <= level
