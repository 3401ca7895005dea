"""Every statement with constants says where they come from: a proof file, or words."""

from __future__ import annotations

import pytest

from mdptk import registry
from mdptk.theory import Quantity

CLAIMS = [
    pytest.param(th, id=f"{name}.{th.slug}")
    for name, cls in registry.find().items()
    for th in cls.theorems
    if not th.order_only
] + [pytest.param(bound.claim, id=bound.claim.slug) for bound in registry.lower_bounds().values()]


@pytest.mark.parametrize("theorem", CLAIMS)
def test_proof_or_reason(theorem):
    """A right side that is zero, or a quantity alone, has no constants."""
    assert theorem.rhs == 0 or isinstance(theorem.rhs, Quantity) or theorem.proof or theorem.reason
