"""Go-Explore's exploration phase on the model face: first return, then explore.

Ecoffet, Huizinga, Lehman, Stanley & Clune 2021, "First return, then explore" (Nature 590). States
that look alike are one cell, of which an archive holds the best way there that is known. Again and
again cells are drawn, the rarely visited more often; their states are restored, which takes no
steps, and explored from by random actions.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from ...envs.kernel import InvalidArgumentError, Model, UnsupportedFaceError
from ...envs.kernel.model import States
from ..planning.plan_agent import PlanAgent
from ..planning.search import Limits, SearchResult, Status, Watch
from .archive import Archive

Array = np.ndarray[Any, Any]

#: What the agent explores by default before each episode.
MILLION_STEPS = Limits(max_expanded=1_000_000)

#: From (n,) states to their cells, (n, k) `uint8`: equal rows are one cell.
Cells = Callable[[Model, States], Array]


def state_cells(model: Model, states: States) -> Array:
    """Every state is a cell."""
    return model.key(states).view(np.uint8)


@dataclass(frozen=True)
class FieldCells:
    """States that agree in some fields of the record are one cell.

    Args:
        names: of the fields, or of metrics, which are fields too.
    """

    names: tuple[str, ...]

    def __call__(self, model: Model, states: States) -> Array:
        unknown = set(self.names) - set(states.dtype.names or ())
        if unknown or not self.names:
            raise InvalidArgumentError(
                f"the state has no fields {sorted(unknown)}; it has {', '.join(states.dtype.names)}"
            )
        parts = [np.ascontiguousarray(states[name]) for name in self.names]
        return np.concatenate([part.reshape(len(states), -1).view(np.uint8) for part in parts], 1)


@dataclass(frozen=True)
class ObservationCells:
    """States whose observations agree once they are scaled down are one cell.

    The mean of the channels, then of rectangles of the image, is rounded down to a few levels;
    vectors are taken as images of one row.

    Args:
        height, width: of the image that is left.
        levels: how many values its numbers may have, up to 256.
    """

    height: int = 8
    width: int = 11
    levels: int = 8

    def __call__(self, model: Model, states: States) -> Array:
        space, seen = model.definition.observation_space, model.observe(states)
        if not isinstance(space, spaces.Box):
            raise UnsupportedFaceError("cells by observation need observations that are one array")
        n = len(seen)
        rows, columns = seen.shape[1:3] if seen.ndim > 2 else (1, seen[0].size)
        images = seen.reshape(n, rows, columns, -1).mean(axis=3, dtype=np.float64)
        small = _shrunk(_shrunk(images, self.height, 1), self.width, 2)
        low, high = float(space.low.min()), float(space.high.max())
        if math.isfinite(high - low):
            share = (small - low) / (high - low)
        else:
            share = 0.5 + 0.5 * np.tanh(small)
        levels = np.floor(share * self.levels).clip(0, self.levels - 1)
        return levels.astype(np.uint8).reshape(n, -1)


def _shrunk(images: Array, length: int, axis: int) -> Array:
    """Means of about equal stretches of an axis, at most so many."""
    starts = np.unique(np.arange(length) * images.shape[axis] // length)
    counts = np.diff(np.append(starts, images.shape[axis]))
    sums = np.add.reduceat(images, starts, axis)
    return sums / np.expand_dims(counts, 1 if axis == 1 else 0)


@dataclass(frozen=True)
class Exploration(SearchResult):
    """What was explored. The plan is the best trajectory: to a goal, of the highest return, short.

    Attributes:
        seeds: (length,) `uint64`, with which `model.step` repeats the plan where there is chance;
            zeros otherwise.
        archive: the cells found, a row each: the `state`, `return` and `length` of the best way
            there, and how many `visits` there were.
    """

    seeds: np.ndarray[Any, np.dtype[np.uint64]] | None = None
    archive: Archive | None = None

    def figures(self) -> dict[str, Any]:
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("plan", "seeds", "archive"):
            del known[name]
        return {**known, "cells": len(self.archive or ())}


def go_explore(
    model: Model,
    root: States,
    cells: Cells = state_cells,
    *,
    explorers: int = 256,
    burst: int = 100,
    stickiness: float = 0.95,
    seed: int = 0,
    limits: Limits,
) -> Exploration:
    """Explore from a state until a goal is reached, or a limit.

    A cell is drawn with weight 1 / √(visits + 1). A way there is better with a higher return, or
    with the same in fewer steps. The time limit of the root holds.

    Args:
        model: the model face; of stochastic dynamics too, whose chance is drawn from the seed.
        root: (1,) the state to start from.
        cells: what counts as one cell.
        explorers: how many cells are explored from at a time.
        burst: how many steps from each.
        stickiness: the probability that an explorer repeats its last action while that is legal;
            otherwise it draws a legal one uniformly.
        seed: of everything random.
        limits: `max_expanded` limits the steps, which are checked after every burst. Where no goal
            can be reached, only they end the search.

    Returns:
        `expanded` and `generated` are steps; the cost is the negated return.

    Raises:
        InvalidArgumentError: an argument is out of range.
        UnsupportedFaceError: actions are not integers, or there are many agents.
    """
    if explorers < 1 or burst < 1 or not 0 <= stickiness <= 1:
        raise InvalidArgumentError(
            "explorers and burst must be positive and stickiness from 0 to 1; got "
            f"{explorers!r}, {burst!r} and {stickiness!r}"
        )
    if not model.definition.discrete or model.definition.agents:
        raise UnsupportedFaceError("Go-Explore is for one agent whose actions are integers")
    explorer = _Explorer(model, root, cells, np.random.default_rng(seed), burst, stickiness)
    with Watch(limits) as watch:
        while True:
            stop = watch.stops(explorer.steps, explorer.memory)
            if explorer.best[0]:
                stop = "solved"
            if stop is not None:
                return explorer.result(stop, watch.seconds)
            explorer.explore(explorers)


class _Explorer:
    """The archive of cells, and the steps that led to them."""

    def __init__(
        self, model: Model, root: States, cells: Cells, rng: np.random.Generator, burst: int,
        stickiness: float,
    ):  # fmt: skip
        self._model, self._cells, self._rng = model, cells, rng
        self._burst, self._stickiness = burst, stickiness
        most = int(root["max_steps"][0])
        self._longest = most - int(root["step_count"][0]) if most >= 0 else np.iinfo(np.int32).max
        self.steps = 0
        #: Of the best: whether it is a goal, the return, minus the length and the last step.
        self.best: tuple[bool, float, int, int] = (False, 0.0, 0, -1)
        self._log = Archive(
            {"before": (np.int32, ()), "action": (np.int32, ()), "seed": (np.uint64, ())}
        )
        self._archive = Archive(
            {
                "state": (root.dtype, ()),
                "return": (np.float64, ()),
                "length": (np.int32, ()),
                "last": (np.int32, ()),  # step of the log
                "visits": (np.int64, ()),
            }
        )
        self._rows: dict[bytes, int] = {}
        self._admit(root, np.zeros(1), np.zeros(1, np.int64), np.full(1, -1))

    @property
    def memory(self) -> int:
        """Bytes of the archive and the log."""
        columns = ("state", "return", "length", "last", "visits")
        row = sum(self._archive[name].itemsize for name in columns)
        return len(self._archive) * row + 16 * len(self._log)

    def explore(self, n: int) -> None:
        """Restore the states of n cells and act from them; put what was found into the archive."""
        weights = 1 / np.sqrt(self._archive["visits"] + 1)
        rows = self._rng.choice(len(weights), n, p=weights / weights.sum())
        states, returns = self._archive["state"][rows], self._archive["return"][rows]
        lengths, last = self._archive["length"][rows], self._archive["last"][rows]
        previous, found = np.full(n, -1), []
        for _ in range(self._burst):
            actions = self._draw(states, previous)
            seeds = np.zeros(len(states), np.uint64)
            if self._model.deterministic:
                states, rewards, ended = self._model.step(states, actions)
            else:
                seeds = self._rng.integers(0, 2**63, len(states), np.uint64)
                states, rewards, ended = self._model.step(states, actions, seeds.tolist())
            first = len(self._log)
            self._log.append(before=last, action=actions, seed=seeds)
            last = np.arange(first, first + len(states))
            returns, lengths = returns + rewards, lengths + 1
            self._note_best(states, returns, lengths, last)
            self.steps += len(states)
            on = ~ended & (lengths < self._longest)
            states, returns, lengths, last = states[on], returns[on], lengths[on], last[on]
            previous = actions[on]
            if len(states) == 0:
                break
            found.append((states, returns, lengths, last))
        if found:
            self._admit(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    def _draw(self, states: States, previous: Array) -> Array:
        """Legal actions: the last ones, or drawn."""
        n, n_actions = len(states), self._model.definition.n_actions
        mask = np.broadcast_to(self._model.legal(states), (n, n_actions)) != 0
        drawn = np.where(mask, self._rng.random((n, n_actions)), -1.0).argmax(axis=1)
        again = (previous >= 0) & (self._rng.random(n) < self._stickiness)
        return np.where(again & mask[np.arange(n), previous], previous, drawn)

    def _note_best(self, states: States, returns: Array, lengths: Array, last: Array) -> None:
        goals = np.zeros(len(states), bool)
        if self._model.definition.kernels.goal is not None:
            goals = self._model.is_goal(states)
        top = np.lexsort((lengths, -returns, ~goals))[0]
        found = bool(goals[top]), float(returns[top]), -int(lengths[top]), int(last[top])
        if found[:3] > self.best[:3]:
            self.best = found

    def _admit(self, states: States, returns: Array, lengths: Array, last: Array) -> None:
        """Count the visits of cells, and keep the best way to each."""
        order = np.lexsort((lengths, -returns))
        names = np.ascontiguousarray(self._cells(self._model, states)[order])
        names = names.view(np.dtype((np.void, names.shape[1]))).ravel()
        names, first, counts = np.unique(names, return_index=True, return_counts=True)
        chosen, archive = order[first], self._archive
        found = {
            "state": states[chosen], "return": returns[chosen], "length": lengths[chosen],
            "last": last[chosen],
        }  # fmt: skip
        rows = np.array([self._rows.get(name.tobytes(), -1) for name in names])
        new, known = rows < 0, np.flatnonzero(rows >= 0)
        rows = rows[known]
        archive["visits"][rows] += counts[known]
        gain = found["return"][known] - archive["return"][rows]
        shorter = found["length"][known] < archive["length"][rows]
        better = (gain > 0) | (gain == 0) & shorter
        for name, column in found.items():
            archive[name][rows[better]] = column[known[better]]
        size = len(archive)
        self._rows.update({name.tobytes(): size + i for i, name in enumerate(names[new])})
        archive.append(visits=counts[new], **{name: column[new] for name, column in found.items()})

    def result(self, status: Status, seconds: float) -> Exploration:
        """The best trajectory."""
        _, gained, length, step = self.best
        before, actions, seeds = (self._log[name] for name in ("before", "action", "seed"))
        steps = np.empty(-length, np.int64)
        for i in range(-length - 1, -1, -1):
            steps[i], step = step, before[step]
        return Exploration(
            status, actions[steps].astype(np.int64), -gained, False, self.steps, self.steps,
            memory=self.memory, seconds=seconds, seeds=seeds[steps], archive=self._archive,
        )  # fmt: skip


class GoExploreAgent(PlanAgent):
    """Explores at the start of each episode, and then repeats the best trajectory found.

    Args:
        cells: `"observation"` for those that look alike when scaled down, `"state"` for each state,
            or names of fields of the state, separated by commas.
        explorers, burst, stickiness, limits: see `go_explore`.
    """

    def __init__(
        self,
        cells: str = "observation",
        explorers: int = 256,
        burst: int = 100,
        stickiness: float = 0.95,
        limits: Limits = MILLION_STEPS,
    ):
        self.cells, self.explorers, self.burst = cells, explorers, burst
        self.stickiness, self.limits = stickiness, limits

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the dynamics are stochastic, so that a trajectory cannot be
                repeated.
        """
        super().start(env, seed)
        if not self.env.prototype.model.deterministic:
            raise UnsupportedFaceError(
                "Go-Explore repeats what it found; where dynamics are stochastic call go_explore"
            )
        known: dict[str, Cells] = {"observation": ObservationCells(), "state": state_cells}
        self._cells = known.get(self.cells, FieldCells((*self.cells.split(","),)))

    def plan(self, state: States) -> Sequence[int] | None:
        self._result = go_explore(
            self.env.prototype.model,
            state,
            self._cells,
            explorers=self.explorers,
            burst=self.burst,
            stickiness=self.stickiness,
            seed=int(self.rng.integers(2**63)),
            limits=self.limits,
        )
        return None if self._result.plan is None else self._result.plan.tolist()

    def figures(self) -> dict[str, Any]:
        return self._result.figures()
