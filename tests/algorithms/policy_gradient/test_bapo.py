"""Balanced policy optimisation against loops; intervals of all kinds, and what other ones would have been."""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.bapo import BAPO, ENOUGH, LEAST
from tests.algorithms.policy_gradient.episodes import add_score, roll, softmax, tiny


def interval(alg, samples):
    """The paper's loop, one raise after the other."""
    low, high = 0.6, 1.2
    while True:
        good = sum(ratio * A for ratio, A in samples if A > 0 and ratio <= high)
        bad = sum(-ratio * A for ratio, A in samples if A < 0 and ratio >= low)
        if good >= (1 - 1e-9) * alg.share * (good + bad) or (low, high) == (0.9, 3.0):
            return low, high
        if high < 3.0:
            high = 3.0 if high + 0.05 > 3.0 - 1e-9 else high + 0.05
        else:
            low = 0.9 if low + 0.02 > 0.9 - 1e-9 else low + 0.02


def reference(alg, oracle, xis):
    H = oracle.H
    theta = np.zeros(np.shape(oracle.r))
    ones = np.ones((alg.m, alg.N, H))
    out = {"theta": [theta], "ratio": [ones], "advantage": [0 * ones[0]]}
    out |= {"low": [np.full(alg.m, 0.6)], "high": [np.full(alg.m, 1.2)]}
    for xi in xis:
        old = softmax(theta)
        episodes = [roll(oracle, old, u) for u in xi]
        mean = sum(sum(r) for _, _, r in episodes) / alg.N
        A = np.array([[sum(r) - mean] * H for _, _, r in episodes])
        ratios, lows, highs = [], [], []
        for _ in range(alg.m):
            pi = softmax(theta)
            ratio = np.array([[pi[h, s[h], a[h]] / old[h, s[h], a[h]] for h in range(H)] for s, a, _ in episodes])
            low, high = interval(alg, list(zip(ratio.ravel(), A.ravel(), strict=True)))
            g = np.zeros_like(theta)
            for i, (s, a, _) in enumerate(episodes):
                for h in range(H):
                    inside = ratio[i, h] <= high if A[i, h] > 0 else ratio[i, h] >= low
                    add_score(g, pi, h, s[h], a[h], inside * ratio[i, h] * A[i, h] / alg.N)
            theta = theta + alg.eta * g
            ratios.append(ratio)
            lows.append(low)
            highs.append(high)
        for name, x in zip(out, (theta, ratios, A, lows, highs), strict=True):
            out[name].append(np.array(x))
    return {name: np.array(x) for name, x in out.items()}


MANY = {"eta": 2.0, "share": 0.6, "m": 6}  # steps so long, and shares so large, that intervals of all kinds come up


def test_both_bounds_are_raised():
    result = run(BAPO(**MANY), tiny(2), 60, repeats=4)
    low, high = result["low"][:, 1:], result["high"][:, 1:]
    kinds = [high == 1.2, (high > 1.2) & (high < 3), (low > 0.6) & (low < 0.9), (low == 0.9) & (high == 3)]
    assert all(kind.any() for kind in kinds)
    assert ENOUGH.check(result).ok
    assert LEAST.check(result).ok


def test_statements_catch_other_intervals():
    """One that nobody raised is too small, and one that was raised to the end too large."""

    class Fixed(BAPO):
        raised = 0

        def step(self, oracle, state, xi):
            new, x = BAPO.step(self, oracle, state, xi), self.raised
            return new._replace(low=0 * new.low + 0.6 + 0.3 * x, high=0 * new.high + 1.2 + 1.8 * x)

    class Raised(Fixed):
        raised = 1

    still, raised = (run(cls(**MANY), tiny(2), 60) for cls in (Fixed, Raised))
    assert not ENOUGH.check(still).ok
    assert not LEAST.check(raised).ok
