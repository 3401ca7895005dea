"""Models from triplets and functions against dense ones made in loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import InvalidModel
from mdptk.core.models import MDP
from mdptk.problems.garnet import garnet

some = settings(max_examples=40, deadline=None)


@some
@given(st.integers(1, 7), st.integers(1, 3), st.integers(0, 2**32 - 1), st.integers(1, 9), st.booleans())
def test_triplets_in_any_order_with_duplicates(S, A, seed, block, rewarded):
    rng = np.random.default_rng(seed)
    P, R = rng.dirichlet(np.ones(S), (S, A)), rng.normal(size=(S, A, S))
    s, a, t = np.indices((S, A, S)).reshape(3, -1)
    half = rng.random(len(s))  # every transition comes twice
    p = np.concatenate([P.ravel() * half, P.ravel() * (1 - half)])
    s, a, t = (np.concatenate([x, x]) for x in (s, a, t))
    order = rng.permutation(len(s))
    r = (P * R).sum(-1)
    given_r = np.concatenate([R.ravel(), R.ravel()])[order] if rewarded else r
    mdp = MDP.from_triplets(s[order], a[order], t[order], p[order], given_r, 0.9, S=S, A=A)
    assert mdp.sparse
    np.testing.assert_allclose(mdp.dense().P, P, atol=1e-15)
    np.testing.assert_allclose(mdp.r, r, atol=1e-14)

    def f(states):
        mine = np.isin(s, states)
        return s[mine], a[mine], t[mine], p[mine], r[states]

    again = MDP.from_function(f, S, A, 0.9, block=block)
    np.testing.assert_allclose(again.dense().P, P, atol=1e-15)
    np.testing.assert_array_equal(again.r, r)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": [0.5, 0.4, 1.0]}, r"P\[0, 0\] is not a probability vector: sum 0.9"),
        ({"p": [0.5, 0.5, -1.0]}, r"P\[1, 0, 1\] = -1.0 is not a probability"),
        ({"p": [0.5, np.nan, 1.0]}, "is not a probability"),
        ({"t": [0, 2, 1], "S": 2}, r"t\[1\] = 2 is not in 0, ..., 1"),
        ({"s": [0, -1, 1]}, r"s\[1\] = -1 is not in"),
        ({"a": [0, 0, 1]}, r"P\[0, 1\] is not a probability vector: sum 0, 0 entries"),
        ({"a": [0.0, 0.0, 0.0]}, "type float64: expected integers"),
        ({"p": [0.5, 0.5]}, r"shapes .*\(2,\): expected one"),
        ({"gamma": 1.0}, "gamma = 1"),
        ({"r": [[1.0]]}, "r has shape"),
    ],
)
def test_bad_triplets_are_named(change, message):
    good = {"s": [0, 0, 1], "a": [0, 0, 0], "t": [0, 1, 1], "p": [0.5, 0.5, 1.0], "r": [[1.0], [0.0]], "gamma": 0.5}
    assert MDP.from_triplets(**good).S == 2
    with pytest.raises(InvalidModel, match=message):
        MDP.from_triplets(**good | change)


def test_a_function_answers_what_it_is_asked():
    def other_states(s):
        return s + 1, 0 * s, s, np.ones(len(s)), np.zeros((len(s), 1))

    with pytest.raises(InvalidModel, match="asked for states 0 to 2 and returned s from 1 to 3"):
        MDP.from_function(other_states, 3, 1, 0.9)

    def rewards(s):
        return s, 0 * s, s, np.ones(len(s)), np.zeros(7)

    with pytest.raises(InvalidModel, match=r"rewards of shape \(7,\)"):
        MDP.from_function(rewards, 3, 1, 0.9)


def test_what_nobody_can_write_to_is_shared():
    mdp = garnet(S=3000, A=4, b=5)
    assert MDP(mdp.P, mdp.r, 0.5).P is mdp.P
    P = sp.csr_array(mdp.P, copy=True)
    copy = MDP(P, mdp.r, 0.5)
    P.data[:] = 0
    np.testing.assert_array_equal(copy.P.data, mdp.P.data)
