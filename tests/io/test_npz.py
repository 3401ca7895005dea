import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from mdptk.core.errors import MdptkError
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP, Grid, PolicyEvaluation
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.io import MalformedFile, OutputExists, SourceNotFound, UnknownSource, load, save

SPECIAL = st.sampled_from([0.0, -0.0, 5e-324, 1e308, -1e-300, 0.1, 1 / 3])


def distributions(rng, *shape):
    p = rng.dirichlet(np.ones(shape[-1]), shape[:-1]) * (rng.random(shape) < 0.7)
    p[..., 0] += p.sum(-1) == 0
    return p / p.sum(-1, keepdims=True)


@st.composite
def models(draw, kind=None):
    kinds = ["mdp", "batch", "sparse", "finite", "average", "total", "cmdp", "evaluation", "robust", "game", "matrix"]
    kind = kind or draw(st.sampled_from(kinds))
    S, A, n = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lead = {"batch": (n,), "finite": (n,)}.get(kind, ())
    P, r, rho = distributions(rng, *lead, S, A, S), rng.normal(size=(*lead, S, A)), distributions(rng, S)
    r.flat[0] = draw(SPECIAL)
    gamma = draw(st.floats(0, 1, exclude_max=True))
    grid = draw(st.sampled_from([None, Grid(1, S, tuple("←↑→"[:A])), Grid(S, 1, ("north east",) * A)]))
    if kind in ("finite", "average"):
        if kind == "finite":
            model = FiniteHorizonMDP(P, r, rho)
        else:
            model = AverageRewardMDP(P if draw(st.booleans()) else sp.csr_array(P.reshape(S * A, S)), r, rho)
        return CMDP(model, rng.normal(size=(n, *r.shape)), rng.normal(size=n)) if draw(st.booleans()) else model
    if kind == "total":
        return TotalRewardMDP(P if draw(st.booleans()) else sp.csr_array(P.reshape(S * A, S)), r, rho)
    if kind == "sparse" or (kind == "cmdp" and draw(st.booleans())):
        P = sp.csr_array(P.reshape(S * A, S))
        P.data[:1] += 1e-17
    if kind == "matrix":
        return MatrixGame(r)
    if kind == "game":
        return MarkovGame(distributions(rng, S, A, n, S), rng.normal(size=(S, A, n)), gamma, rho)
    mdp = MDP(P, r, gamma, None if kind == "batch" else rho, grid=grid)
    if kind == "robust":
        sets = (
            L1(P, rng.random((S, A))),
            Interval(P * 0.9, np.minimum(P * 1.1, 1)),
            Finite([P, distributions(rng, S, A, S)]),
        )
        return RobustMDP(mdp, draw(st.sampled_from(sets)))
    if kind == "cmdp":
        return CMDP(mdp, rng.normal(size=(n, S, A)), rng.normal(size=n))
    if kind == "evaluation":
        return PolicyEvaluation(mdp, distributions(rng, S, A), rng.normal(size=(S, n)), distributions(rng, S))
    return mdp


def parts(x):
    """Everything that a model consists of, arrays as bytes."""
    if sp.issparse(x):
        return [x.shape, *(parts(y) for y in (x.data, x.indices, x.indptr))]
    if isinstance(x, np.ndarray):
        return [x.dtype.str, x.shape, x.tobytes()]
    if hasattr(x, "__dataclass_fields__") and not isinstance(x, Grid):
        return [type(x), *(parts(getattr(x, name)) for name in x.__dataclass_fields__)]
    return x


@given(models())
def test_what_is_saved_is_loaded_bit_for_bit(model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        save(path, model)
        assert parts(load(path)) == parts(model)
        assert [file.name for file in Path(folder).iterdir()] == ["model.npz"]


@given(models(kind="mdp"))
def test_plain_archives_of_arrays(mdp):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        np.savez(path, P=mdp.P, R=mdp.r, gamma=mdp.gamma, rho=mdp.rho)
        assert parts(load(path))[:-1] == parts(mdp)[:-1]  # all but the grid
        np.savez(path, P=mdp.P, r=mdp.r)
        loaded = load(path, gamma=mdp.gamma, rho=mdp.rho)
        assert parts(loaded)[:-1] == parts(mdp)[:-1]


MODEL = MDP(P=[[[1.0]]], r=[[1.0]], gamma=0.5)
PLAIN = {"P": [[[1.0]]], "r": [[2.0]]}


def test_plain_archive_without_rho_starts_uniformly(tmp_path):
    np.savez(tmp_path / "m.npz", P=np.eye(2)[:, None], r=[[1.0], [2.0]])
    assert load(tmp_path / "m.npz", gamma=0.5).rho.tolist() == [0.5, 0.5]


def test_rho_given_to_load_replaces_the_stored_one(tmp_path):
    mdp = MDP(np.eye(2)[:, None], np.ones((2, 1)), 0.5)
    for name, model in [("m", mdp), ("f", mdp.episodic(2)), ("c", CMDP(mdp, mdp.r, 1.0))]:
        save(tmp_path / f"{name}.npz", model)
        loaded = load(tmp_path / f"{name}.npz", rho=[1, 0])
        assert getattr(loaded, "mdp", loaded).rho.tolist() == [1, 0]


def test_nothing_is_overwritten_unless_asked(tmp_path):
    path = tmp_path / "m.npz"
    save(path, MODEL)
    before = path.read_bytes()
    with pytest.raises(OutputExists, match="overwrite=True") as error:
        save(path, MODEL.episodic(2))
    assert str(path) in str(error.value)
    assert isinstance(error.value, FileExistsError)
    assert path.read_bytes() == before
    save(path, MODEL.episodic(2), overwrite=True)
    assert isinstance(load(path), FiniteHorizonMDP)


def test_no_suffix_is_added(tmp_path):
    with pytest.raises(UnknownSource, match=r"saved as \.npz, not to .*model'"):
        save(tmp_path / "model", MODEL)
    assert not list(tmp_path.iterdir())


def test_gamma_of_the_archive_and_of_the_caller(tmp_path):
    save(tmp_path / "m.npz", MODEL)
    assert load(tmp_path / "m.npz", gamma=0.5).gamma == 0.5
    with pytest.raises(MalformedFile, match=r"gamma = 0\.5 is stored, but gamma = 0\.9 was given"):
        load(tmp_path / "m.npz", gamma=0.9)
    save(tmp_path / "f.npz", MODEL.episodic(2))
    with pytest.raises(MalformedFile, match=r"a FiniteHorizonMDP has no discount, but gamma = 0\.9 was given"):
        load(tmp_path / "f.npz", gamma=0.9)
    np.savez(tmp_path / "p.npz", **PLAIN)
    with pytest.raises(UnknownSource, match=r"p\.npz has no discount of its own: give gamma=0\.99 .*--gamma 0\.99"):
        load(tmp_path / "p.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"P": [[[1.0]]]}, ["missing: r, not understood: none"]),
        ({"r": [[1.0]]}, ["missing: P, not"]),
        ({**PLAIN, "c": [[1.0]]}, ["a MDP has the arrays P, gamma, r, rho", "not understood: c"]),
        ({**PLAIN, "R": [[1.0]]}, ["not understood: R"]),
        ({**PLAIN, "gamma": [0.5, 0.6]}, ["gamma has shape (2,)"]),
        ({"P": [[[0.5]]], "r": [[1.0]]}, ["P[0, 0] is not a probability vector: sum 0.5"]),
        ({"P": [[[1.0]]], "r": [1.0]}, ["r has shape (1,)"]),
        ({**PLAIN, "kind": "Zoo"}, ["kind is 'Zoo'", "MDP, FiniteHorizonMDP"]),
        ({**PLAIN, "kind": "CMDP"}, ["a CMDP has the arrays", "missing: b, c, rho"]),
        ({**PLAIN, "grid": [1, 1]}, ["may have arrows, grid"]),
        ({"P": np.array([[[None]]]), "r": [[1.0]]}, ["cannot be read without unpickling"]),
        (
            {"P_data": [1.0], "P_indices": [7], "P_indptr": [0, 1], "P_shape": [1, 1], "r": [[1.0]]},
            ["are not a CSR matrix"],
        ),
    ],
)
def test_archives_that_hold_no_model(tmp_path, arrays, words):
    path = tmp_path / "m.npz"
    np.savez(path, **arrays)
    with pytest.raises(MalformedFile) as error:
        load(path, gamma=None if "gamma" in arrays else 0.5)
    assert all(word in str(error.value) for word in (str(path), *words))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_files_that_are_no_archive(tmp_path, content):
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(MalformedFile, match="is not an npz archive"):
        load(path)


def test_damaged_archive(tmp_path):
    path = tmp_path / "m.npz"
    save(path, MODEL)
    content = bytearray(path.read_bytes())
    content[60:70] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(MalformedFile, match=r"m\.npz"):
        load(path)


def test_rho_of_a_policy_evaluation_stays(tmp_path):
    save(tmp_path / "e.npz", PolicyEvaluation(MODEL))
    with pytest.raises(MalformedFile, match="sampling distribution D"):
        load(tmp_path / "e.npz", rho=[1.0])


def test_missing_file(tmp_path):
    with pytest.raises(SourceNotFound, match=r"m\.npz"):
        load(tmp_path / "m.npz")


@given(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_damage_is_an_error_of_ours_or_harmless(damage, sparse):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        P = np.eye(3)[[0, 1, 1, 2, 2, 0]]
        save(path, MDP(sp.csr_array(P) if sparse else P.reshape(3, 2, 3), np.ones((3, 2)), 0.5))
        content = bytearray(path.read_bytes())
        for where, byte in damage:
            content[where % len(content)] = byte
        path.write_bytes(content)
        with suppress(MdptkError):
            assert load(path).S == 3
