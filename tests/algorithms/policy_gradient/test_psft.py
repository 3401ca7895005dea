"""PSFT against loops; its cap is met; plain fine-tuning has none, and drifts where nothing was shown."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.policy_gradient.psft import GROWTH, PSFT, RATIO, largest_ratio
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """A softmax for each state, the derivative of the clipped ratio by its cases."""
    best = exact.optimal(mdp).pi.argmax(1)
    d = exact.occupancy(mdp, exact.optimal(mdp).pi)
    pi, out = np.full((mdp.S, mdp.A), 1 / mdp.A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        old = pi.copy()
        for _ in range(alg.K):
            for s in range(mdp.S):
                ratio = pi[s, best[s]] / old[s, best[s]]
                slope = ratio if ratio <= 1 + alg.epsilon else 0.0  # of min(ratio, clip(ratio)), in log pi(a*)
                theta = np.log(pi[s])
                for a in range(mdp.A):
                    theta[a] += alg.eta * d[s] * slope * ((a == best[s]) - pi[s, a])
                pi[s] = np.exp(theta) / np.exp(theta).sum()
    return {"pi": np.array(out)}


@given(mdps(), st.sampled_from([0.01, 1.0, 5.0]), st.sampled_from([0.1, 0.28]))
@settings(max_examples=25)
def test_theorems(mdp, eta, epsilon):
    for verdict in check(run(PSFT(eta, epsilon), mdp, 8)):
        assert verdict.ok, str(verdict)


def test_the_cap_is_met_with_short_steps():
    mdp = garnet(5, 3, 3, 0.9)
    result = run(PSFT(eta=0.02, K=400), mdp, 2)
    assert RATIO.check(result).ratio > 0.95
    assert (largest_ratio.values(result)[0, 1:] > 1.2).all()


def test_plain_fine_tuning_has_no_cap():
    """K steps without a clip (epsilon almost one, and ratios below two) are the gradient of the likelihood at first."""

    class Plain(PSFT):
        def step(self, problem, state):
            shown, now = exact.optimal(problem).pi, state
            d = exact.occupancy(problem, shown)[..., None]
            for _ in range(self.K):
                x = exact.log_softmax(now.log_pi + self.eta * d * (shown - now.pi))
                now = state._replace(log_pi=x, pi=np.exp(x))
            return now

    mdp = garnet(5, 3, 3, 0.9)
    assert not RATIO.check(run(Plain(eta=0.02, K=400), mdp, 1)).ok
    first, plain = (run(cls(eta=0.1, K=1), mdp, 1)["pi"] for cls in (PSFT, Plain))
    np.testing.assert_allclose(first, plain, rtol=1e-13)  # the ratio is one where a round begins


def test_entropy_falls_more_slowly_than_without_clips():
    mdp = garnet(5, 3, 3, 0.9)
    H = [-(x["pi"] * x["log_pi"]).sum(-1)[0, -1].mean() for x in (run(PSFT(0.2, e, 40), mdp, 2) for e in (0.1, 0.9))]
    assert H[0] > H[1] + 0.05


def test_what_is_not_shown_is_noticed():
    class Other(PSFT):
        def step(self, problem, state):
            ahead = super().step(problem, state)
            x = exact.log_softmax(2 * state.log_pi - ahead.log_pi)
            return ahead._replace(log_pi=x, pi=np.exp(x))

    assert not GROWTH.check(run(Other(), garnet(5, 3, 3, 0.9), 2)).ok
