r"""SPO, tabular: as for PPO; of the drift only two things are used.

It is not negative, and it is zero at rho = 1. Here it is |A| (rho - 1)^2 / (2 epsilon).
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
