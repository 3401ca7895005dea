"""End components, recurrent classes and `classify` against enumeration of policies."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import classify
from mdptk.core import structure
from mdptk.core.models import AverageRewardMDP
from mdptk.core.structure import end_components, pattern, recurrent_classes, surely, toward

some = settings(max_examples=60, deadline=None)


@st.composite
def models(draw, max_S=5, max_A=3):
    """Few successors, so that every structure occurs."""
    S, A = draw(st.integers(1, max_S)), draw(st.integers(1, max_A))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P, many = np.zeros((S, A, S)), draw(st.sampled_from([0.0, 0.3, 0.8]))
    for s, a in np.ndindex(S, A):
        k = rng.integers(1, min(S, 3) + 1) if rng.random() < many else 1
        P[s, a, rng.choice(S, k, replace=False)] = 1 / k
    return AverageRewardMDP(P, np.zeros((S, A)))


def classes(P):
    """Recurrent classes of a chain, by powers of its graph."""
    S = len(P)
    R = np.linalg.matrix_power(np.eye(S) + (P > 0), S) > 0
    return {frozenset(np.flatnonzero(R[s])) for s in range(S) if all(R[t, s] for t in np.flatnonzero(R[s]))}


def chains(problem):
    return [problem.P[np.arange(problem.S), list(a)] for a in product(range(problem.A), repeat=problem.S)]


@some
@given(models())
def test_classify(problem):
    c = classify(problem)
    policies = [classes(P) for P in chains(problem)]
    assert (c.component >= 0).tolist() == [any(s in k for one in policies for k in one) for s in range(problem.S)]
    parts = {frozenset(np.flatnonzero(c.component == k)) for k in range(c.components)}
    assert all(any(k <= part for part in parts) for one in policies for k in one)
    for part in parts:  # a policy moves from everywhere to everywhere, and need not leave
        usable = [set(np.flatnonzero(problem.P[s, a])) <= part for s in range(problem.S) for a in range(problem.A)]
        P, owner = pattern(problem)
        for t in part:
            _, can = toward(P, owner, np.arange(problem.S) == t, np.array(usable))
            assert part <= set(np.flatnonzero(can))
    assert c.unichain == all(len(one) == 1 for one in policies)
    assert c.weakly_communicating == (len(parts) == 1)
    assert c.communicating == (len(parts) == 1 and len(c.transient) == 0)
    assert c.kind.split()[-1] == ("communicating" if c.weakly_communicating else "multichain")


@some
@given(models(), st.integers(0, 2**32 - 1))
def test_recurrent_classes(problem, seed):
    pi = np.random.default_rng(seed).dirichlet(np.full(problem.A, 0.3), problem.S)
    pi = np.where(pi < 0.2, 0.0, pi)
    number = recurrent_classes(problem, pi)
    found = {frozenset(np.flatnonzero(number == k)) for k in set(number[number >= 0])}
    assert found == classes(np.einsum("sa,sat->st", pi, problem.P))


@some
@given(models(), st.integers(0, 4))
def test_surely(problem, s):
    """From where a policy is certain to come to a state: all its recurrent classes are that state, made absorbing."""
    goal = np.arange(problem.S) == min(s, problem.S - 1)
    P, owner = pattern(problem)
    can, choice = surely(P, owner, goal)
    best = np.zeros(problem.S, bool)
    for chain in chains(problem):
        chain = np.where(goal[:, None], np.eye(problem.S), chain)
        R = np.linalg.matrix_power(np.eye(problem.S) + (chain > 0), problem.S) > 0
        best |= [all(c <= set(np.flatnonzero(goal)) for c in classes(chain) if R[s][list(c)].any())
                 for s in range(problem.S)]  # fmt: skip
    assert can.tolist() == best.tolist()
    assert (choice >= 0).tolist() == (can & ~goal).tolist()


def test_transitions_that_are_listed_twice():
    """The strong components that scipy finds in a matrix with repeated entries are wrong: here five states are one."""
    t = 1 / 3
    P = [[[0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [t, 0, t, t, 0]], [[0, .5, 0, .5, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0]],
         [[0, t, t, 0, t], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0]], [[0, 0, .5, .5, 0], [t, 0, t, 0, t], [0, t, 0, t, t]],
         [[0, .5, 0, 0, .5], [0, 0, .5, 0, .5], [0, 0, 0, 0, 1]]]  # fmt: skip
    assert classify(AverageRewardMDP(P, np.zeros((5, 3)))).components == 1


def test_stored_zeros_are_no_transitions():
    P = sp.csr_array((np.array([1.0, 0.0, 1.0]), np.array([0, 1, 1]), np.array([0, 2, 3])))
    assert classify(AverageRewardMDP(P, np.zeros((2, 1)))).kind == "multichain"


def test_a_long_way_out():
    """Every state of a walk is transient because of its last one: states are peeled off one by one."""
    n = 3000
    s = np.arange(n)
    t = np.stack([np.maximum(s - 1, 0), np.minimum(s + 1, n - 1)], 1)
    t[-1] = n - 1
    P = sp.csr_array((np.full(2 * n, 0.5), t.ravel(), np.arange(0, 2 * n + 1, 2)))
    c = classify(AverageRewardMDP(P, np.zeros((n, 1))))
    assert c.weakly_communicating
    assert c.unichain
    np.testing.assert_array_equal(c.transient, s[:-1])


def test_unichain_is_not_guessed(monkeypatch):
    """Three end components, any two of which share a state, but not all three: it takes looking at the policies."""
    P = np.zeros((3, 2, 3))
    P[[0, 1, 2], 0, [1, 2, 0]] = 1
    P[[0, 1, 2], 1, [2, 0, 1]] = 1
    problem = AverageRewardMDP(P, np.zeros((3, 2)))
    assert classify(problem).unichain is True
    monkeypatch.setattr(structure, "POLICIES", 1)
    assert classify(problem).unichain is None


@pytest.mark.parametrize("usable", [[False, False], [True, False]])
def test_without_choices(usable):
    P, owner = pattern(AverageRewardMDP(np.eye(2)[:, None], np.zeros((2, 1))))
    component, inside = end_components(P, owner, np.array(usable))
    assert (component >= 0).tolist() == inside.tolist() == usable
