r"""Discovered policy optimisation, tabular: as for PPO; of the drift only two things are used.

It is not negative, and it is zero at rho = 1. Here it is max(0, x - c tanh(x / c)) with x = 0 at rho = 1.
"""

from __future__ import annotations

from proofs.policy_gradient.ppo import ascent, contraction, gain, monotone, pessimism

PROVES = {
    "monotone improvement": monotone,
    "improvement by the drift": gain,
    "contraction by shares": contraction,
    "surrogate ascent": ascent,
    "pessimistic surrogate": pessimism,
}
