"""Which statements the long search is about."""

from __future__ import annotations

from mdptk import registry
from tests.algorithms.exact_methods import SHELVES, statements


def test_every_exact_method_is_searched_and_no_order_is_taken_for_a_bound():
    found = dict(statements())
    assert {name.split(".")[0] for name in found} >= {"NPG", "PolyakPMD", "PPO", "MDPO", "TRPO"}
    for name, theorem in found.items():
        cls, same = registry.theorem(name)
        assert same is theorem
        assert registry.shelf(cls).split("/")[0] in SHELVES
        assert not theorem.order_only
    assert set(dict(statements(["SPO"]))) == {name for name in found if name.startswith("SPO.")}
