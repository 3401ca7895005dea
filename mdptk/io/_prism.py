"""PRISM's explicit files: .tra with .lab, .sta, .srew and .trew beside it.

Source of the format: PRISM manual, appendix "Explicit Model Files".
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from mdptk.io._explicit import (
    UNLIMITED,
    Choices,
    Row,
    Text,
    Transitions,
    choose_reward,
    deadlock_loops,
    uniform,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import ArrayLike

    from mdptk.core.models import MDP, Array

LABEL = re.compile(r'(\d+)="([^"]*)"')
REWARD_NAME = re.compile(r'#\s*Reward structure:?\s*"(.*)"')
TYPE = re.compile(r"#\s*Transitions \((\w+)\)")


def read_prism(path: Path, gamma: float, rho: ArrayLike | None = None, reward: str | None = None) -> MDP:
    """The MDP (or DTMC, with one action) in the PRISM file `path`, a ``.tra``, and in the files beside it.

    Action `a` of a state is its choice `a`; a state with fewer choices than another repeats its last one,
    which changes neither what is optimal nor any value. The reward of a choice is its state's entry in the
    ``.srew`` plus the expectation of its ``.trew`` entries, earned when the state is left, with the sign of
    the file: mdptk maximises. Without reward files r = 0. The start distribution is uniform over the states
    labelled "init"; without a ``.lab`` it is state 0, as in PRISM. States without a transition are absorbing
    if labelled "deadlock" (PRISM's own repair) and an error otherwise. A ``.sta`` is only checked for its
    number of states.

    Parameters
    ----------
    path
        The ``.tra``; model.lab, model.sta, model.srew and model.trew are found by name, with several reward
        structures model1.srew, model1.trew, model2.srew, ...
    gamma
        Discount in [0, 1).
    rho
        Start distribution, shape (S,), in place of the file's.
    reward
        Which reward structure, by its name in the header or by its number; needed if there are several.

    Raises
    ------
    UnknownSource
        If `reward` has to be chosen, or there is no such one.
    MalformedFile
        Naming file and line and showing the line.
    """
    text = Text(path)
    S, nondeterministic, rows = _read_transitions(text)
    labels = _read_labels(path.with_suffix(".lab"), S)
    _check_states(path.with_suffix(".sta"), S)
    rows += deadlock_loops(text, S, (row[0] for row in rows), labels.get("deadlock", set()))
    choices = Choices(text, S, Transitions.of(rows))
    if rho is None:
        rho = _start(path.with_suffix(".lab"), labels, S)
    return choices.mdp(_rewards(path, choices, nondeterministic, reward), gamma, rho)


def prism_labels(path: Path) -> dict[str, set[int]]:
    """The states of each label in the ``.lab`` beside `path`; empty if there is none."""
    return _read_labels(path.with_suffix(".lab"), _read_transitions(Text(path))[0])


def _read_transitions(text: Text) -> tuple[int, bool, list[Row]]:
    """Number of states, whether there are choices, and (s, k, t, p, line) per transition."""
    _check_type(text)
    (S, *C, T), lines = _header(text, "the header of a .tra, 'S C T' (MDP) or 'S T' (DTMC)", (2, 3))
    rows = []
    for i, words in lines:
        s, k, t, p = _transition(text, i, words, S, C[0] if C else None, "p [action]", 1)
        rows.append((s, k, t, text.probability(i, p), i))
    _check_count(text, "transitions", T, len(rows))
    if C:
        _check_count(text, "choices", C[0], len({row[:2] for row in rows}))
    return S, bool(C), rows


def _check_type(text: Text) -> None:
    for i, line in enumerate(text.lines, 1):
        found = line.startswith("#") and TYPE.match(line)
        if found and found[1] not in ("MDP", "DTMC"):
            raise text.error(i, f"a model of type {found[1]}; MDP and DTMC are read")


def _header(text: Text, what: str, sizes: tuple[int, ...]) -> tuple[list[int], Iterator[tuple[int, list[str]]]]:
    """The numbers of the first line and the lines after it."""
    lines = text.rows("#")
    i, words = next(lines, (None, []))
    if i is None:
        raise text.error(None, f"is empty, expected {what}")
    if len(words) not in sizes:
        storm = words[0].lower() in ("mdp", "dtmc")
        hint = "; this is Storm's variant of the format, let it write a .drn" if storm else ""
        raise text.error(i, f"expected {what}{hint}")
    numbers = [text.integer(i, word, UNLIMITED, "size") for word in words]
    if not numbers[0]:
        raise text.error(i, "a model needs at least one state")
    return numbers, lines


def _transition(
    text: Text, i: int, words: list[str], S: int, C: int | None, value: str, optional: int
) -> tuple[int, int, int, str]:
    """(s, k, t) and the value's word on a line 's k t value' or, without choices, 's t value' (k = 0)."""
    size = 3 if C is None else 4
    rows = any(":" in word for word in words[:2])
    if rows or not size <= len(words) <= size + optional:
        form = f"s s' {value}" if C is None else f"s k s' {value}"
        hint = "; files of PRISM's option rows are not read" if rows else ""
        raise text.error(i, f"expected '{form}'{hint}")
    s = text.integer(i, words[0], S, "state")
    k = 0 if C is None else text.integer(i, words[1], C, "choice")
    return s, k, text.integer(i, words[size - 2], S, "state"), words[size - 1]


def _check_count(text: Text, what: str, declared: int, found: int) -> None:
    if declared != found:
        raise text.error(next(text.rows("#"))[0], f"the header declares {declared} {what}, the file has {found}")


def _read_labels(path: Path, S: int) -> dict[str, set[int]]:
    """The states of each label; empty if there is no such file."""
    if not path.exists():
        return {}
    text = Text(path)
    lines = text.rows("#")
    i, words = next(lines, (None, []))
    names = dict(LABEL.findall(" ".join(words)))
    if not names:
        raise text.error(i, 'expected the names of the labels, such as 0="init" 1="deadlock"')
    labels: dict[str, set[int]] = {name: set() for name in names.values()}
    for i, _ in lines:
        s, _, numbers = text.lines[i - 1].partition(":")
        state = text.integer(i, s.strip(), S, "state")
        for word in numbers.split():
            if word not in names:
                raise text.error(i, f"label {word!r} is not one of {', '.join(names)}")
            labels[names[word]].add(state)
    return labels


def _start(path: Path, labels: dict[str, set[int]], S: int) -> Array:
    init = labels.get("init", set()) if path.exists() else {0}
    if not init:
        raise Text(path).error(None, 'no state carries the label "init"; give the start distribution as rho=')
    return uniform(init, S)


def _check_states(path: Path, S: int) -> None:
    if not path.exists():
        return
    text = Text(path)
    lines = [i for i, _ in text.rows("#")][1:]  # the first names the variables
    for s, i in enumerate(lines):
        if not text.lines[i - 1].lstrip().startswith(f"{s}:("):
            raise text.error(i, f"expected '{s}:(...)', the variables of state {s}")
    if len(lines) != S:
        raise text.error(None, f"lists {len(lines)} states, the .tra has {S}")


def _reward_files(path: Path) -> dict[str, list[Path]]:
    """The reward files of each structure, by its number: '' is model.srew, '2' is model2.srew."""
    files: dict[str, list[Path]] = defaultdict(list)
    pattern = re.compile(re.escape(path.stem) + r"(\d*)\.[st]rew")
    for file in sorted(path.parent.iterdir()):
        found = pattern.fullmatch(file.name)
        # model2.srew belongs to model2.tra where there is one
        if found and (not found[1] or not path.with_name(f"{path.stem}{found[1]}.tra").exists()):
            files[found[1]].append(file)
    return {"": files[""]} if "" in files else dict(sorted(files.items(), key=lambda item: int(item[0])))


def _reward_name(files: list[Path]) -> str | None:
    for file in files:
        for line in Text(file).lines:
            if found := REWARD_NAME.match(line):
                return found[1]
    return None


def _rewards(path: Path, choices: Choices, nondeterministic: bool, reward: str | None) -> Array:
    """Expected reward of every choice."""
    files = _reward_files(path)
    numbers = list(files)
    names = [_reward_name(files[number]) or number for number in numbers]
    chosen = numbers.index(reward) if reward in numbers else choose_reward(path, names, reward)
    r = np.zeros(len(choices.s))
    for file in files[numbers[chosen]] if chosen is not None else []:
        if file.suffix == ".srew":
            r += _state_rewards(Text(file), choices.S)[choices.s]
        else:
            r += _transition_rewards(Text(file), choices, nondeterministic)
    return r


def _state_rewards(text: Text, S: int) -> Array:
    (declared, N), lines = _header(text, "the header of a .srew, 'S N'", (2,))
    _check_count(text, "states", declared, S)
    r: dict[int, float] = {}
    for i, words in lines:
        if len(words) != 2:
            raise text.error(i, "expected 's r'")
        s = text.integer(i, words[0], S, "state")
        if s in r:
            raise text.error(i, f"a second reward for state {s}")
        r[s] = text.number(i, words[1], "reward")
    _check_count(text, "rewards", N, len(r))
    return np.array([r.get(s, 0.0) for s in range(S)])


def _transition_rewards(text: Text, choices: Choices, nondeterministic: bool) -> Array:
    """The expectation of the rewards on transitions, per choice."""
    form, size = ("'S C N'", 3) if nondeterministic else ("'S N'", 2)
    (declared, *_, N), lines = _header(text, f"the header of a .trew, {form}", (size,))
    _check_count(text, "states", declared, choices.S)
    p: dict[tuple[int, int, int], float] = defaultdict(float)
    x = choices.transitions
    for s, k, t, probability in zip(x.s.tolist(), x.k.tolist(), x.t.tolist(), x.p.tolist(), strict=True):
        p[s, k, t] += probability
    start, r = np.cumsum(choices.n) - choices.n, np.zeros(len(choices.s))
    seen: set[tuple[int, int, int]] = set()
    C = len(choices.s) if nondeterministic else None
    for i, words in lines:
        s, k, t, word = _transition(text, i, words, choices.S, C, "r", 0)
        if (s, k, t) not in p:
            raise text.error(i, "a reward on a transition that the .tra does not have")
        if (s, k, t) in seen:
            raise text.error(i, "a second reward for the same transition")
        seen.add((s, k, t))
        r[start[s] + k] += p[s, k, t] * text.number(i, word, "reward")
    _check_count(text, "rewards", N, len(seen))
    return r
