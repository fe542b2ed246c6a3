"""Sokoban: push all boxes onto targets."""

from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout
from . import sokoban_faces
from . import sokoban_rules as rules
from .sokoban_levels import generate, read
from .sokoban_rules import Params
from .sokoban_solver import fewest_moves

ACTION_WORDS = ("up", "down", "left", "right")


class Sokoban(KernelEnv):
    """
    ## Description
    A warehouse keeper is to push every box onto a target. Boxes can be pushed, one at a time, but
    not pulled, so that a careless push may make the level unsolvable: a box in a corner stays
    there. Plans are long and mistakes final, which makes the game a test of planning for search
    (Junghanns & Schaeffer 2001, "Sokoban: enhancing general single-agent search methods using
    domain knowledge") and for learning (Racanière et al. 2017, "Imagination-augmented agents for
    deep reinforcement learning"; Guez et al. 2019, "An investigation of model-free planning", whose
    Boxoban levels have 10×10 cells and 4 boxes, as the default here).

    ## Observation Space
    - `observation="planes"`: `Box(0, 1, (size, size, 4), uint8)`: planes [row, column, plane] of 0
      walls, 1 targets, 2 boxes, 3 the player.
    - `observation="codes"`: `Box(0, 6, (size, size), int8)`: 0 wall, 1 floor, 2 target, 3 box on a
      target, 4 box elsewhere, 5 player, 6 player on a target.

    ## Action Space
    `Discrete(4)`: 0 up, 1 down, 2 left, 3 right, pushing a box that stands there. Moves into a
    wall, and pushes of a box against a wall or another box, are illegal and masked.

    ## Rewards
    - `reward="cost"`: −1 for each move, so that the return is minus the number of moves.
    - `reward="boxoban"`: −0.1 for each move, 1 for a box pushed onto a target, −1 for one pushed
      off, and 10 for the last of them.

    ## Starting State
    A level drawn uniformly from a bank; `reset(options={"task": k})` chooses it. Levels that are
    made here start from rooms dug by a random walk with all boxes on targets, from which the boxes
    are pulled away. So all can be solved, and within the default time limit.

    ## Episode End
    Terminated when every box is on a target; truncated after `max_episode_steps` moves.

    ## Arguments
    - `size`: side of the levels with their outer walls, 5 to 60 (default 10).
    - `boxes`: in each level, ≥ 1 (default 4).
    - `min_pushes`: a lower bound on the pushes that a level takes, counting for each box those to
      its nearest target (default `3 · boxes`).
    - `levels`: the number of levels in the bank (default 1,000).
    - `levels_seed`: what they are made from (default 0). Other seeds give other levels, for tests
      of generalisation.
    - `file`: instead of made levels, those of a file or folder in the format of Boxoban or XSB. The
      arguments before this one are then left at their defaults.
    - `observation`: `"planes"` or `"codes"`.
    - `reward`: `"cost"` or `"boxoban"`.
    - `max_episode_steps`: the time limit (default 12 times the larger side, for Boxoban the usual
      120); −1 for none.

    `env.levels` holds the levels with a plan for each that was made here, which need not be a
    shortest. The kernel `sokoban_rules.fewest_pushes` is an admissible, consistent heuristic.

    ## Reference Scores
    `spelunk.reference("spelunk/Sokoban-v0")`: the random policy, and plans with the fewest moves
    by A*. For a level too large for that the reference plan counts; without one no best is given.

    ## Version History
    - v0: first version.
    """

    best_source = "plans with the fewest moves by A*, where that ends, else the plans of the makers"

    def __init__(
        self,
        size: int = 10,
        boxes: int = 4,
        min_pushes: int | None = None,
        levels: int = 1000,
        levels_seed: int = 0,
        file: str | None = None,
        observation: Literal["planes", "codes"] = "planes",
        reward: Literal["cost", "boxoban"] = "cost",
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if file is None:
            _check(size, boxes, min_pushes, levels, levels_seed)
            least = 3 * boxes if min_pushes is None else min_pushes
            made = generate(levels, levels_seed, size, boxes, least, 12 * size)
        elif (size, boxes, min_pushes, levels, levels_seed) != (10, 4, None, 1000, 0):
            raise InvalidArgumentError(
                f"the levels come from file {file!r}: leave size, boxes, min_pushes, levels and "
                "levels_seed out"
            )
        else:
            made = read(file)
        #: The levels; see `sokoban_levels.Levels`.
        self.levels = made
        self._moves: dict[int, int | None] = {}
        shape = (made.height, made.width)
        observers: dict[str, tuple[Any, Any, spaces.Box]] = {
            "planes": (
                rules.observe_planes,
                rules.update_planes,
                spaces.Box(0, 1, (*shape, 4), np.uint8),
            ),
            "codes": (rules.observe_codes, rules.update_codes, spaces.Box(0, 6, shape, np.int8)),
        }
        steps = {"cost": rules.step_cost, "boxoban": rules.step_boxoban}
        for name, given, known in (
            ("observation", observation, observers),
            ("reward", reward, steps),
        ):
            if given not in known:
                raise InvalidArgumentError(f"{name} must be one of {list(known)}; got {given!r}")
        self.reward = reward
        observe, update, observation_space = observers[observation]
        super().__init__(
            kernels=Kernels(
                reset=rules.reset,
                step=steps[reward],
                observe=observe,
                legal=rules.legal,
                goal=rules.goal,
                update=update,
            ),
            layout=StateLayout(
                [("level", np.int32)],
                [("player", np.int16), ("boxes", np.int64, (made.boxes.shape[1],))],
                # Where the player came from, and the cell of the box just pushed; −1 for none.
                [("left", np.int16), ("pushed", np.int16)],
            ),
            params=Params(
                made.walls, made.targets, made.boxes, made.players, made.pushes, made.width
            ),
            observation_space=observation_space,
            action_space=spaces.Discrete(4),
            max_episode_steps=12 * max(shape) if max_episode_steps is None else max_episode_steps,
            tasks=len(made.players),
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        return (
            "Push every box onto a target. The map, row by row, with # for walls, $ for a box, . "
            "for a target, * for a box on a target, @ for you and + for you on a target: "
            f"{' / '.join(self.show_state(state).splitlines())}"
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return sokoban_faces.draw(self._codes(state))

    def show_state(self, state: Any) -> str:
        return sokoban_faces.show(self._codes(state))

    def action_words(self, action: Any) -> str:
        return ACTION_WORDS[int(action)]

    def best_return(self, seed: int) -> float | None:
        level = int(self.model.reset([seed])["level"][0])
        if level not in self._moves:
            self._moves[level] = fewest_moves(self.levels, level)
        cost, limit = self._moves[level], self.definition.max_episode_steps
        if cost is None or 0 <= limit < cost:
            return None
        if self.reward == "cost":
            return -float(cost)
        _, targets, boxes = self.levels.flags(level)
        return 10.0 - 0.1 * cost + float((boxes & ~targets).sum())

    def _codes(self, state: Any) -> np.ndarray[Any, np.dtype[np.int8]]:
        codes = np.empty((self.levels.height, self.levels.width), np.int8)
        rules.observe_codes(state, self.definition.params, codes)
        return codes


def _check(size: Any, boxes: Any, min_pushes: Any, levels: Any, levels_seed: Any) -> None:
    """Refuse arguments of made levels that are out of range."""
    for name, value, least, most in (
        ("size", size, 5, 60),
        ("boxes", boxes, 1, 30),
        ("min_pushes", 1 if min_pushes is None else min_pushes, 1, None),
        ("levels", levels, 1, None),
        ("levels_seed", levels_seed, 0, None),
    ):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < least or (most is not None and value > most):
            accepted = f"≥ {least}" if most is None else f"from {least} to {most}"
            raise InvalidArgumentError(f"{name} must be an integer {accepted}; got {value!r}")
