"""The compiled driver of learners: steps under `lax.scan`, repeats under `vmap` and on threads.

Measurement happens inside the scan, so memory is repeats x records.

It is the only place that turns on 64-bit floats, for its own duration.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import lru_cache, partial
from threading import Event
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mdptk.core import exact, oracles, utilities
from mdptk.core.algorithm import Learner
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.models import MDP, Array, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.run import state_like

BLOCK = 256  # steps whose random numbers are drawn at once
ROOM = 2**26  # bytes for the records of a block, below which their number is not worth another program
_QUICKER = {"xla_backend_optimization_level": 1}  # half the compile time of the default on a CPU, and as fast a program


def _register(cls: type) -> None:
    """Make a dataclass of arrays a pytree; rebuilding skips the validation, since traced arrays have no values."""
    names = [f.name for f in fields(cls) if f.name != "grid"]

    def unflatten(_: Any, leaves: Any) -> Any:
        x = object.__new__(cls)
        for name, leaf in zip(names, leaves, strict=True):
            object.__setattr__(x, name, leaf)
        return x

    jax.tree_util.register_pytree_node(cls, lambda x: ([getattr(x, n) for n in names], None), unflatten)


for _cls in (
    MDP,
    FiniteHorizonMDP,
    PolicyEvaluation,
    oracles.Episodic,
    EpisodicCMDP,
    oracles.EpisodicCosts,
    ConservativeMDP,
    oracles.EpisodicBaseline,
    oracles.Generative,
    oracles.Online,
    AverageRewardMDP,
    oracles.Stream,
    oracles.Trajectories,
    oracles.Transitions,
    BernoulliBandit,
    oracles.Bandit,
    utilities.UtilityMDP,
    utilities.Exploration,
    utilities.Imitation,
    utilities.Divergence,
    utilities.Penalty,
    oracles.UtilityTrajectories,
):
    _register(_cls)


def learn(
    alg: Learner, problem: Any, steps: int, seed: int, repeats: int, every: int, tick: Any, given: Any = None
) -> tuple[dict[str, Array], dict[str, Array], Any]:
    """Records of a Learner, measurements before reduction, the given start as a state; see `mdptk.core.run.run`.

    Repeats run in groups of `alg.width` under one compiled program, the last group filled up with repeats that are
    thrown away: so what a repeat does cannot depend, not even in the last bit, on how many others there are.
    """
    stride, width = _stride(every), type(alg).width
    block = BLOCK // stride * stride
    with jax.enable_x64(True):
        truth = jax.tree.map(jnp.asarray, exact.truth(problem))
        oracle = jax.tree.map(jnp.asarray, alg.sees.of(problem))
        if given is not None:
            given = state_like(jax.eval_shape(alg.init, oracle, jax.random.key(seed)), given, type(alg).__name__)
    start, advance = _compiled(alg)
    groups = -(-repeats // width)
    stop = Event()

    def group(g: int) -> tuple[dict[str, Array], dict[str, Array]]:
        with jax.enable_x64(True):  # holds for this thread
            keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(g * width + jnp.arange(width))
            carry, first, record = start(oracle, truth, keys, given)
            slots = BLOCK if BLOCK * sum(x.nbytes for x in record.values()) <= ROOM else block // stride
            records = [{name: np.asarray(x)[:, None] for name, x in record.items()}]
            for t in range(0, steps, block):
                if stop.is_set():
                    break
                count = min(block, steps - t) // stride
                carry, more = advance(oracle, truth, keys, carry, t, count, stride, slots)
                records.append({name: np.asarray(x)[:, :count] for name, x in more.items()})
                tick(min(block, steps - t) / groups)
        keep = slice(None, None, every // stride)
        out = {k: np.concatenate([r[k] for r in records], 1)[:, keep].astype(np.float64) for k in record}
        return out, {k: np.asarray(x, dtype=np.float64) for k, x in first.items()}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            done = list(pool.map(group, range(groups)))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    out, first = ({k: np.concatenate([d[i][k] for d in done])[:repeats] for k in done[0][i]} for i in (0, 1))
    return out, first, given


def _stride(every: int) -> int:
    """Steps between compiled records: `every`, or the largest divisor of it that fits a block."""
    return max(d for d in range(1, BLOCK + 1) if every % d == 0)


def forget() -> None:
    """Let go of all that was compiled: a process may not keep the programs of a hundred learners."""
    _compiled.cache_clear()
    jax.clear_caches()


@lru_cache(maxsize=64)
def _compiled(alg: Learner) -> tuple[Any, Any]:
    """(start, advance) for this algorithm: compiled once for each shape of problem, for runs of every length."""
    measures = type(alg).measures
    running = [m for m in measures if m.reduce != "now"]

    def record(truth: Any, state: Any, total: dict) -> dict:
        kept = {name: getattr(state, name) for name in type(alg).keep}
        return kept | {m.name: m.of(truth, state) for m in measures if m.reduce == "now"} | total

    def begin(oracle: Any, truth: Any, key: Any, given: Any) -> Any:
        state = alg.init(oracle, key) if given is None else given
        first = {m.name: m.of(truth, state) for m in measures}
        value = {m.name: first[m.name] for m in running}
        total = {m.name: m.start(value[m.name]) for m in running}
        return (state, value, total), first, record(truth, state, total)

    def one_step(oracle: Any, truth: Any, carry: Any, xi: Any) -> Any:
        state, before, total = carry
        state = alg.step(oracle, state, xi)
        value = {m.name: m.of(truth, state) for m in running}
        return state, value, {m.name: m.update(total[m.name], before[m.name], value[m.name]) for m in running}

    def go_on(oracle: Any, truth: Any, key: Any, carry: Any, t: Any, count: Any, stride: Any, slots: int) -> Any:
        """`count` records of at most `slots`, `stride` steps before each."""
        xi = jax.vmap(lambda t: alg.draw(oracle, jax.random.fold_in(key, t)))(t + jnp.arange(BLOCK))

        def to_record(k: Any, loop: Any) -> Any:
            carry, kept = loop

            def step(i: Any, carry: Any) -> Any:
                return one_step(oracle, truth, carry, jax.tree.map(lambda x: x[k * stride + i], xi))

            carry = jax.lax.fori_loop(0, stride, step, carry)
            state, _, total = carry
            return carry, jax.tree.map(lambda to, x: to.at[k].set(x), kept, record(truth, state, total))

        empty = jax.eval_shape(lambda: record(truth, carry[0], carry[2]))
        kept = jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), empty)
        return jax.lax.fori_loop(0, count, to_record, (carry, kept))

    each = jax.vmap(begin, in_axes=(None, None, 0, None))
    onward = jax.vmap(go_on, in_axes=(None, None, 0, 0, None, None, None, None))
    return jax.jit(each, compiler_options=_QUICKER), jax.jit(onward, static_argnums=7, compiler_options=_QUICKER)
