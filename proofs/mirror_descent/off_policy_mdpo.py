r"""Off-policy MDPO: as for on-policy MDPO, with the weight D of a state in place of its visits.

Of weights only D <= 1 is used, by which inner steps are short enough in every state; a mean of occupancies is one.
"""

from __future__ import annotations

from proofs.mirror_descent.mdpo import identity, improvement, inner_convergence, monotone

PROVES = {
    "regret identity": identity,
    "improvement": improvement,
    "monotone improvement": monotone,
    "inner convergence": inner_convergence,
}
