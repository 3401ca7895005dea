"""A refuted theorem keeps a run that breaks it, beyond doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mdptk import registry
from mdptk.algorithms.policy_gradient.softmax_pg import DOMINATION
from mdptk.core.algorithm import Solver
from mdptk.theory.again import again

KEPT = {f"{n}.{th.slug}": th for n, cls in registry.find().items() for th in cls.theorems if th.counterexample}
REFUTED = [f"{n}.{th.slug}" for n, cls in registry.find().items() for th in cls.theorems if th.status == "refuted"]


@pytest.mark.parametrize("name", KEPT)
def test_it_is_violated_there(name):
    theorem = KEPT[name]
    result = theorem.counterexample()
    assert type(result.alg) is registry.theorem(name)[0]
    assert theorem.check(result).word == "VIOLATED"
    if isinstance(result.alg, Solver):
        found = again(theorem, result)
        assert found.ok is False or "float64" in found.how  # a step with a line search is not taken in wide numbers


def test_every_refuted_theorem_keeps_one():
    assert not [name for name in REFUTED if name not in KEPT]


def test_what_is_proved_has_none():
    with pytest.raises(ValueError, match="is proved and has a counterexample"):
        replace(DOMINATION, status="proved", reason="")
