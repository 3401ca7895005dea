"""Oracles sample what the model says: counted exactly, over a grid of uniforms, not by averages."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mdptk import MDP, AverageRewardMDP, PolicyEvaluation
from mdptk.core.oracles import Episodic, Generative, Online, Stream, Transitions, cumulative, invert

QUARTERS = MDP([[[0.25, 0.75], [0.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]]], [[0.0, 1.0], [0.5, 0.25]], 0.9, [0.75, 0.25])
GRID = np.array([0.0, 0.25, 0.5, 0.75])  # inverting at these four uniforms counts quarters exactly


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(sum))
def test_inversion_never_takes_an_impossible_outcome(weights):
    p = np.array(weights, float) / sum(weights)
    for u in (0.0, 0.1, 1 / 3, 0.5, np.nextafter(1, 0)):
        assert p[invert(cumulative(p), np.array(u))] > 0


def test_inversion_counts_exactly():
    assert np.bincount(invert(cumulative(np.array([0.25, 0.0, 0.5, 0.25])), GRID)).tolist() == [1, 0, 2, 1]


def test_generative():
    oracle = Generative.of(QUARTERS)
    assert (oracle.S, oracle.A) == (2, 2)
    for s, a in product(range(2), range(2)):
        counts = np.bincount(oracle.sample(s, a, GRID), minlength=2) / 4
        np.testing.assert_array_equal(counts, QUARTERS.P[s, a])
    assert oracle.sample_all(np.zeros((2, 2))).tolist() == [[0, 1], [0, 0]]


def test_online():
    undiscounted = AverageRewardMDP(QUARTERS.P, QUARTERS.r, QUARTERS.rho)
    for stream in (Online.of(QUARTERS).stream, Stream.of(undiscounted)):
        assert np.bincount(stream.start(GRID)).tolist() == [3, 1]
        assert np.bincount(stream.move(0, 0, GRID)).tolist() == [1, 3]


def test_episodic_plays_every_path_as_often_as_the_model_says():
    problem = QUARTERS.episodic(2)
    oracle = Episodic.of(problem)
    actions = np.array([[0, 1], [1, 0]])
    paths = {}
    for u in product(GRID, repeat=3):
        s, a = oracle.play(actions, np.array(u))
        assert a.tolist() == [actions[0, s[0]], actions[1, s[1]]]
        paths[tuple(s.tolist())] = paths.get(tuple(s.tolist()), 0) + 1 / 64
    for (s0, s1, s2), frequency in paths.items():
        p = QUARTERS.rho[s0] * QUARTERS.P[s0, actions[0, s0], s1] * QUARTERS.P[s1, actions[1, s1], s2]
        assert frequency == p
    assert sum(paths.values()) == 1


def test_transitions():
    problem = PolicyEvaluation(QUARTERS, [[0.5, 0.5], [0.25, 0.75]], D=[0.25, 0.75])
    s, r, s2 = Transitions.of(problem).sample(np.array(list(product(GRID, repeat=3))))
    joint = np.zeros((2, 2))
    np.add.at(joint, (s, s2), 1 / 64)
    want = problem.D[:, None] * np.einsum("sa,sat->st", problem.pi, QUARTERS.P)
    np.testing.assert_array_equal(joint, want)
    assert r.mean() == problem.D @ (problem.pi * QUARTERS.r).sum(1)
