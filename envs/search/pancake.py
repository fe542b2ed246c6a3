"""Pancake: sort a stack by turning its upper part over."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.compile import compiled_with_arrays
from ..kernel.render import Canvas
from .permutations import rank_permutation, unrank_permutation

#: Up to this size the stacks are numbered.
_LARGEST_RANKED = 11
#: Up to this size the fewest moves are found in milliseconds.
_LARGEST_SOLVED = 40


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        count: the number of pancakes.
    """

    count: int


@kernel
def reset(state, params):
    """A stack drawn uniformly among all but the sorted one."""
    while True:
        for place in range(params.count):
            state.stack[place] = place
        rng.shuffle(state, state.stack)
        if _count_gaps(state, params) != 0:
            return


@kernel
def _is_gap(a, b):
    """Whether two neighbours differ by more than one: as neighbours they are not sorted."""
    return a - b > 1 or b - a > 1


@kernel
def _below(state, place, params):
    """What lies below a place; below all lies the plate, which counts as the largest pancake."""
    return int(state.stack[place + 1]) if place + 1 < params.count else params.count


@kernel
def _reverse(values, n):
    """Reverse the order of the first n."""
    for place in range(n // 2):
        kept = values[place]
        values[place] = values[n - 1 - place]
        values[n - 1 - place] = kept


@kernel
def _count_gaps(state, params):
    """Set the number of gaps of the stack, and return it."""
    total = 0
    for place in range(params.count):
        total += _is_gap(int(state.stack[place]), _below(state, place, params))
    state.gaps = total
    return total


@kernel
def step(state, action, params):
    """Turn over the top; the episode ends when the stack is sorted."""
    last = action + 1
    top, bottom, below = int(state.stack[0]), int(state.stack[last]), _below(state, last, params)
    state.gaps += int(_is_gap(top, below)) - int(_is_gap(bottom, below))
    _reverse(state.stack, action + 2)
    return -1.0, state.gaps == 0


@kernel
def goal(state, params):
    """The stack is sorted: without gaps it can only be so."""
    return state.gaps == 0


@kernel
def observe(state, params, obs):
    """The pancakes from the top to the bottom."""
    for place in range(params.count):
        obs[place] = state.stack[place]


@kernel
def rank(state, params):
    """The place of the stack in lexicographic order."""
    word = 0
    for place in range(params.count):
        word |= int(state.stack[place]) << 4 * place
    return rank_permutation(word, params.count)


@kernel
def unrank(state, index, params):
    """The stack at a place in lexicographic order, sorted at 0."""
    word, _ = unrank_permutation(index, params.count)
    for place in range(params.count):
        state.stack[place] = word >> 4 * place & 15
    _count_gaps(state, params)


class Pancake(KernelEnv):
    """
    ## Description
    Pancakes of different sizes lie in a stack, and are to be sorted with the smallest on top. A
    move puts a spatula below one of them and turns over all that lie above: a prefix of a
    permutation is reversed (Dweighter 1975; Gates & Papadimitriou 1979, "Bounds for sorting by
    prefix reversal"). Stacks of 4 to 11 pancakes need up to 4, 5, 7, 8, 9, 10, 11 and 13 moves.

    ## Observation Space
    `Box(0, size − 1, (size,), int8)`: the pancakes from the top to the bottom, 0 the smallest.

    ## Action Space
    `Discrete(size − 1)`: action a turns over the top a + 2 pancakes.

    ## Rewards
    −1 for each move, so that the return is minus the number of moves.

    ## Starting State
    Uniform among all stacks but the sorted one.

    ## Episode End
    Terminated when the stack is sorted; truncated after `max_episode_steps` moves.

    ## Arguments
    - `size`: the number of pancakes, 3 to 100 (default 10).
    - `max_episode_steps`: the time limit (default `10 · size`); −1 for none.

    `reset(options={"stack": …})` starts from the given pancakes, top to bottom. They must not be
    sorted.

    The state field `gaps` counts the neighbours in the stack that differ by more than one, the
    plate below counting as the largest pancake. A move changes one pair of neighbours, so this is
    an admissible and consistent heuristic (Helmert 2010, "Landmark heuristics for the pancake
    problem"), and a very good one. It is 0 at the goal only.

    ## Reference Scores
    `spelunk.reference("spelunk/Pancake-v0")`: the random policy, and optimal solutions by
    iterative-deepening A* with the gap heuristic. For more than 40 pancakes no best is given.

    ## Version History
    - v0: first version.
    """

    reset_options = ("stack",)
    best_source = "optimal solutions by iterative-deepening A*"

    def __init__(
        self,
        size: int = 10,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if isinstance(size, bool) or not isinstance(size, int) or not 3 <= size <= 100:
            raise InvalidArgumentError(f"size must be an integer from 3 to 100; got {size!r}")
        self.size = size
        ranked = size <= _LARGEST_RANKED
        super().__init__(
            kernels=Kernels(
                reset=reset,
                step=step,
                observe=observe,
                goal=goal,
                rank=rank if ranked else None,
                unrank=unrank if ranked else None,
            ),
            layout=StateLayout([], [("stack", np.int8, (size,)), ("gaps", np.int8)]),
            params=Params(size),
            observation_space=spaces.Box(0, size - 1, (size,), np.int8),
            action_space=spaces.Discrete(size - 1),
            inverse_actions=range(size - 1),
            max_episode_steps=10 * size if max_episode_steps is None else max_episode_steps,
            render_mode=render_mode,
        )

    @property
    def n_ranks(self) -> int:
        """The number of stacks, up to size 11; 0 above it, where they are too many to list."""
        return int(np.prod(np.arange(1, self.size + 1))) if self.size <= _LARGEST_RANKED else 0

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        stack = options["stack"]
        if sorted(np.ravel(stack).tolist()) != list(range(self.size)) or np.ndim(stack) != 1:
            raise InvalidArgumentError(
                f"stack must hold each of 0 to {self.size - 1} once, top to bottom; got {stack!r}"
            )
        state["stack"] = stack
        if _count_gaps(state, self.definition.params) == 0:
            raise InvalidArgumentError("stack is sorted already; give another one")

    def describe_state(self, state: Any) -> str:
        return (
            "Sort the pancakes, the smallest on top, by turning over the upper part of the stack. "
            f"From the top to the bottom: {self.show_state(state)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        height = max(6, min(28, 420 // self.size))
        widest, margin = 320, 24
        canvas = Canvas(widest + 2 * margin, height * self.size + 2 * margin + 14, "night")
        for place, pancake in enumerate(state["stack"].tolist()):
            share = (pancake + 1) / self.size
            width = 40 + (widest - 72) * share
            x, y = margin + (widest - width) / 2, margin + place * height
            colour = (246 - int(64 * share), 204 - int(92 * share), 118 - int(64 * share))
            _draw_bar(canvas, x, y + 1, width, height - 2, colour)
            if height >= 12:
                canvas.text(x + width / 2, y + height / 2, str(pancake), "ink", 0.55 * height)
        bottom = margin + height * self.size + 3
        _draw_bar(canvas, margin, bottom, widest, 8, "sand")
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        return " ".join(map(str, state["stack"].tolist()))

    def action_words(self, action: Any) -> str:
        return f"flip {int(action) + 2}"

    def goal_states(self) -> np.ndarray[Any, Any]:
        states = self.definition.layout.empty(1)
        states["stack"] = np.arange(self.size)
        return states

    def best_return(self, seed: int) -> float | None:
        if self.size > _LARGEST_SOLVED:
            return None
        return -float(fewest_flips(self.model.reset([seed])["stack"][0]))


def _draw_bar(canvas: Canvas, x: float, y: float, width: float, height: float, fill: Any) -> None:
    """A rectangle with round ends."""
    r = height / 2
    canvas.rectangle(x + r, y, width - height, height, fill)
    canvas.circle(x + r, y + r, r, fill)
    canvas.circle(x + width - r, y + r, r, fill)


@compiled_with_arrays
def fewest_flips(stack):
    """The fewest moves that sort a stack, (size,): IDA* (Korf 1985) with the gap heuristic."""
    count = len(stack)
    pile = np.full(count + 1, count)  # the last is the plate
    pile[:count] = stack
    gaps = 0
    for place in range(count):
        gaps += abs(pile[place] - pile[place + 1]) > 1
    bound = gaps
    # Of each move on the way: how many pancakes it turns over, and how many gaps there were.
    turned, before = np.zeros(2 * count + 1, np.int64), np.zeros(2 * count + 1, np.int64)
    depth = 0
    turned[0] = 1
    while gaps > 0:
        turned[depth] += 1
        k = turned[depth]
        if k > count:
            depth -= 1
            if depth < 0:
                bound += 1
                depth = 0
                turned[0] = 1
            else:
                _reverse(pile, turned[depth])
                gaps = before[depth]
            continue
        old, new = abs(pile[k - 1] - pile[k]) > 1, abs(pile[0] - pile[k]) > 1
        if depth + 1 + gaps + new - old <= bound:
            before[depth] = gaps
            _reverse(pile, k)
            gaps += new - old
            depth += 1
            turned[depth] = 1
    return depth
