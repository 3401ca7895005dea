"""Storm's explicit direct encoding, .drn.

Source of the format: Storm's DirectEncodingExporter and DirectEncodingParser, and
https://www.stormchecker.org, "Input languages: explicit".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
    from pathlib import Path

    from numpy.typing import ArrayLike

    from mdptk.core.models import MDP, Array

STATE = re.compile(r"state\s+(\S+)\s*(?:\[([^\]]*)\])?(.*)")
ACTION = re.compile(r"action\s+(\S+)\s*(?:\[([^\]]*)\])?\s*")
TRANSITION = re.compile(r"(\S+)\s*:\s*(.*)")
LABEL = re.compile(r'"([^"]+)"|(\S+)')


def read_drn(path: Path, gamma: float, rho: ArrayLike | None = None, reward: str | None = None) -> MDP:
    """The MDP (or DTMC, with one action) in Storm's file `path`, a ``.drn``.

    Action `a` of a state is its choice `a`, names are not kept; a state with fewer choices than another
    repeats its last one, which changes neither what is optimal nor any value. The reward of a choice is that
    of its state plus its own, with the sign of the file: mdptk maximises, so a file of costs needs its sign
    turned. Without reward models r = 0. The start distribution is uniform over the states labelled init. A
    state without a choice is absorbing if labelled deadlock and an error otherwise. Probabilities may be
    fractions such as 1/3.

    Parameters
    ----------
    path
        The ``.drn``.
    gamma
        Discount in [0, 1).
    rho
        Start distribution, shape (S,), in place of the file's.
    reward
        Which reward model, by name; needed if there are several.

    Raises
    ------
    UnknownSource
        If `reward` has to be chosen, or there is no such one.
    MalformedFile
        Naming file and line and showing the line; also for models with parameters, intervals, rates or
        observations.
    """
    text = Text(path)
    header = _read_header(text)
    body = _Body(text, header)
    body.read()
    rows = body.rows + deadlock_loops(text, header.S, (s for s, _ in body.action), body.labels.get("deadlock", set()))
    choices = Choices(text, header.S, Transitions.of(rows))
    if rho is None:
        if not body.labels.get("init"):
            raise text.error(None, "no state carries the label init; give the start distribution as rho=")
        rho = uniform(body.labels["init"], header.S)
    return choices.mdp(body.rewards(choices, reward), gamma, rho)


def drn_labels(path: Path) -> dict[str, set[int]]:
    """The states of each label in `path`."""
    text = Text(path)
    body = _Body(text, _read_header(text))
    body.read()
    return body.labels


@dataclass
class _Header:
    """What is declared before the model; `names` are the reward models, '' where one has no name."""

    type: str = ""
    S: int = 0
    choices: int | None = None
    names: list[str] = field(default_factory=list)
    end: int = 0  # the line of @model


def _read_header(text: Text) -> _Header:
    header, i = _Header(), 0
    while i < len(text.lines):
        i += 1
        key, _, value = text.lines[i - 1].strip().partition(":")
        if not key or key.startswith("//"):
            continue
        if key == "@model":
            header.end = i
            break
        if key not in ("@type", "@value_type"):  # these have their value on the next line
            i += 1
            value = text.lines[i - 1] if i <= len(text.lines) else ""
        _declare(text, header, i, key, value)
    if not (header.end and header.type and header.S):
        missing = [x for x, y in (("@type", header.type), ("@nr_states", header.S), ("@model", header.end)) if not y]
        raise text.error(None, f"does not declare {', '.join(missing)}")
    return header


def _declare(text: Text, header: _Header, i: int, key: str, value: str) -> None:
    """Enter one declaration, whose value stands in line `i`."""
    word = value.strip()
    if key == "@type":
        if word.upper() not in ("MDP", "DTMC"):
            raise text.error(i, f"a model of type {word}; MDP and DTMC are read")
        header.type = word.upper()
    elif key == "@value_type":
        if word not in ("double", "rational"):
            raise text.error(i, f"values of type {word}; double and rational are read")
    elif key == "@parameters":
        if word:
            raise text.error(i, f"the model has parameters, {word}; give them values in Storm first")
    elif key == "@reward_models":
        # every name is followed by a blank, so that one without a name leaves its place in the line empty
        names = re.split(r"[ \t]", value[:-1] if value.endswith((" ", "\t")) else value)
        header.names = names if value else []
    elif key == "@nr_states":
        header.S = text.integer(i, word, UNLIMITED, "number of states")
    elif key == "@nr_choices":
        header.choices = text.integer(i, word, UNLIMITED, "number of choices")
    else:
        raise text.error(i - 1, f"{key} is not understood")


class _Body:
    """The states, choices and transitions after @model."""

    def __init__(self, text: Text, header: _Header) -> None:
        self.text, self.header = text, header
        self.rows: list[Row] = []
        self.labels: dict[str, set[int]] = {}
        self.size = len(header.names)  # rewards in every bracket; 0: not known yet
        self.state: list[list[float]] = []  # rewards of each state
        self.action: dict[tuple[int, int], list[float]] = {}  # rewards of each choice
        self.k = -1  # the current choice of the current state
        self.empty: int | None = None  # line of an action that has no transition yet

    def read(self) -> None:
        text, header = self.text, self.header
        for i in range(header.end + 1, len(text.lines) + 1):
            line = text.lines[i - 1].strip()
            if not line or line.startswith("//"):
                continue
            if found := STATE.fullmatch(line):
                self._state(i, found)
            elif found := ACTION.fullmatch(line):
                self._action(i, found)
            elif found := TRANSITION.fullmatch(line):
                self._transition(i, found)
            else:
                raise text.error(i, "expected 'state', 'action' or 'target : probability'")
        self._no_empty_action()
        if len(self.state) != header.S:
            raise text.error(None, f"@nr_states is {header.S}, the model has {len(self.state)} states")
        if header.choices is not None and header.choices != len(self.action):
            raise text.error(None, f"@nr_choices is {header.choices}, the model has {len(self.action)} choices")

    def _no_empty_action(self) -> None:
        if self.empty is not None:
            raise self.text.error(self.empty, "an action without transitions")

    def _values(self, i: int, inside: str | None) -> list[float]:
        """The rewards in brackets."""
        words = [word.strip() for word in (inside or "").split(",") if word.strip()]
        self.size = self.size or len(words)
        if words and len(words) != self.size:
            raise self.text.error(i, f"{len(words)} rewards in brackets, expected {self.size}")
        return [self.text.number(i, word, "reward") for word in words]

    def _state(self, i: int, found: re.Match[str]) -> None:
        self._no_empty_action()
        s = len(self.state)
        if found[1] != str(s):
            raise self.text.error(i, f"expected state {s}, states come in order")
        if found[3].lstrip().startswith(("[", "{", "!")):
            raise self.text.error(i, "expected 'state number [rewards] labels'")
        self.state.append(self._values(i, found[2]))
        for quoted, plain in LABEL.findall(found[3]):
            self.labels.setdefault(quoted or plain, set()).add(s)
        self.k = -1

    def _action(self, i: int, found: re.Match[str]) -> None:
        self._no_empty_action()
        if not self.state:
            raise self.text.error(i, "an action before the first state")
        self.k += 1
        if self.k and self.header.type == "DTMC":
            raise self.text.error(i, "a second action in a DTMC")
        self.action[len(self.state) - 1, self.k] = self._values(i, found[2])
        self.empty = i

    def _transition(self, i: int, found: re.Match[str]) -> None:
        s = len(self.state) - 1
        if (s, self.k) not in self.action:
            raise self.text.error(i, "a transition outside an action")
        t = self.text.integer(i, found[1], self.header.S, "state")
        self.rows.append((s, self.k, t, self.text.probability(i, found[2]), i))
        self.empty = None

    def rewards(self, choices: Choices, reward: str | None) -> Array:
        """Expected reward of every choice."""
        j = choose_reward(self.text.path, self.header.names or [""] * self.size, reward)
        if j is None:
            return np.zeros(len(choices.s))
        state = np.array([x[j] if x else 0.0 for x in self.state])
        action = [self.action.get(where) for where in zip(choices.s.tolist(), choices.k.tolist(), strict=True)]
        return state[choices.s] + [x[j] if x else 0.0 for x in action]
