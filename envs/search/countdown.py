"""Countdown: make a target from given numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    kernel,
    rng,
)
from ..kernel.solve import shortest_success
from . import number_faces
from .arithmetic import (
    ADD,
    DIVIDE,
    MULTIPLY,
    SIGNS,
    SUBTRACT,
    combine_integers,
    pairs_of,
    plans_for,
)

OPERATORS = 4

_LARGEST_FACTOR = 12  # that a starting state is made with
_LARGEST_RESULT = 1_000_000


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        pairs: (p, 2) `int8`, the pairs of slots.
        highest: the largest number at the start.
        low, high: the bounds of the target.
        use_all: whether every number must be used.
    """

    pairs: np.ndarray[Any, np.dtype[np.int8]]
    highest: int
    low: int
    high: int
    use_all: bool


@kernel
def reset(state, params):
    """A target, taken apart into numbers; again where one is too large or the target itself."""
    n = state.numbers.shape[0]
    target = params.low + rng.integer(state, params.high - params.low + 1)
    state.target = target
    good = False
    while not good:
        state.numbers[0] = target
        count = 1
        while count < n:
            slot = rng.integer(state, count)
            for k in range(count):
                if state.numbers[k] > params.highest:
                    slot = k
            if _split(state, slot, count, params.highest):
                count += 1
        good = True
        for k in range(n):
            good = good and state.numbers[k] <= params.highest and state.numbers[k] != target
    rng.shuffle(state, state.numbers)
    state.left = n
    state.success = 0


@kernel
def _split(state, slot, end, highest):
    """Replace a number by two that an operator makes it from; whether the one drawn can."""
    value = int(state.numbers[slot])
    operator = rng.integer(state, OPERATORS)
    first, second = 0, 2 + rng.integer(state, _LARGEST_FACTOR - 1)
    if operator == ADD and value > 1:
        second = 1 + rng.integer(state, value - 1)
        first = value - second
    elif operator == SUBTRACT:
        second = 1 + rng.integer(state, highest)
        first = value + second
    elif operator == MULTIPLY and value > second and value % second == 0:
        first = value // second
    elif operator == DIVIDE:
        first = value * second
    if first == 0 or first > _LARGEST_RESULT:
        return False
    state.numbers[slot], state.numbers[end] = first, second
    return True


@kernel
def step(state, action, params):
    """Combine two numbers; the episode ends with the target, or with one number."""
    pair, operator = action // OPERATORS, action % OPERATORS
    i, j = params.pairs[pair, 0], params.pairs[pair, 1]
    made = combine_integers(int(state.numbers[i]), int(state.numbers[j]), operator)
    state.numbers[i] = made
    state.numbers[j] = 0
    state.left -= 1
    last = state.left == 1
    if made == state.target and (last or not params.use_all):
        state.success = 1
        return 1.0, True
    return 0.0, last


@kernel
def legal(state, params, mask):
    """Pairs that come to a positive integer; of equal numbers the first one is taken."""
    for pair in range(params.pairs.shape[0]):
        i, j = params.pairs[pair, 0], params.pairs[pair, 1]
        a, b = int(state.numbers[i]), int(state.numbers[j])
        usable = a != 0 and b != 0
        for k in range(j):
            number = int(state.numbers[k])
            usable = usable and not (k < i and number == a) and not (k != i and number == b)
        first = pair * OPERATORS
        mask[first + ADD] = usable
        mask[first + SUBTRACT] = usable and a != b
        mask[first + MULTIPLY] = usable
        mask[first + DIVIDE] = usable and max(a, b) % min(a, b) == 0


@kernel
def goal(state, params):
    """The target is there, as the only number where all must be used."""
    made = False
    for k in range(state.numbers.shape[0]):
        made = made or state.numbers[k] == state.target
    return made and (state.left == 1 or not params.use_all)


@kernel
def canonical(state, params):
    """The largest number first: slots make no difference."""
    for end in range(1, state.numbers.shape[0]):
        number, k = int(state.numbers[end]), end
        while k > 0 and state.numbers[k - 1] < number:
            state.numbers[k] = state.numbers[k - 1]
            k -= 1
        state.numbers[k] = number


@kernel
def observe(state, params, obs):
    """The numbers, then the target."""
    n = state.numbers.shape[0]
    for k in range(n):
        obs[k] = state.numbers[k]
    obs[n] = state.target


class Countdown(KernelEnv):
    """
    ## Description
    The numbers game of the television programme: a target is to be made from given numbers by
    + − × ÷. Each step combines two of the numbers that are left into one. Results must be positive
    integers. Every start has a solution that uses all numbers. A small problem of search with large
    branching, much used to train and to test how language models search (Gandhi et al. 2024,
    "Stream of Search: learning to search in language").

    ## Observation Space
    `Box(0, highest^numbers, (numbers + 1,), int64)`: the number in each slot, 0 where it has been
    used up, and last the target. The result of a step is in the slot of the first number.

    ## Action Space
    `Discrete(2 · numbers · (numbers − 1))`: action `4 · pair + operator`. The pairs of slots are
    (0, 1), (0, 2), …, (1, 2), …; the operators 0 sum, 1 difference, the smaller from the larger,
    2 product, 3 quotient, the larger by the smaller. Illegal and masked are empty slots, a
    difference of 0, quotients with a remainder, and a number where an equal one lies before it. In
    words `"7 - 3"`, with the numbers of the present state.

    ## Rewards
    1 when the target is made, otherwise 0.

    ## Starting State
    The target is uniform within its bounds. It is taken apart until there are enough numbers, those
    that are too large first: a random number at a time into two that a random operator makes it
    from. Where one is too large at the end, or the target itself, it is done again.
    `reset(options={"numbers": […], "target": t})` starts from given ones, which must have a
    solution.

    ## Episode End
    Terminated when the target is made (with `use_all` when it is the only number), or one number is
    left. The infos hold `success`.

    ## Arguments
    - `numbers`: how many there are, 3 to 6 (default 4).
    - `target`: the bounds of the target (default (10, 100)), at most ten times `highest`.
    - `highest`: the largest number at the start, 10 to 1000 (default 100).
    - `use_all`: whether every number must be used (default False).
    - `max_episode_steps`: the time limit (default −1 for none; there are at most `numbers` − 1
      steps).

    ## Reference Scores
    `spelunk.reference("spelunk/Countdown-v0")`: the random policy, and the solution that every
    start has.

    ## Version History
    - v0: first version.
    """

    reset_options = ("numbers", "target")
    best_source = "every start has a solution"

    def __init__(
        self,
        numbers: int = 4,
        target: Sequence[int] = (10, 100),
        highest: int = 100,
        use_all: bool = False,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if isinstance(numbers, bool) or numbers not in (3, 4, 5, 6):
            raise InvalidArgumentError(f"numbers must be from 3 to 6; got {numbers!r}")
        if not _is_integer(highest) or not 10 <= highest <= 1000:
            raise InvalidArgumentError(
                f"highest must be an integer from 10 to 1000; got {highest!r}"
            )
        bounds = list(target) if isinstance(target, Sequence) else []
        whole = len(bounds) == 2 and all(_is_integer(bound) for bound in bounds)
        if not whole or not 1 <= bounds[0] <= bounds[1] <= 10 * highest:
            raise InvalidArgumentError(
                f"target must be two integers in order from 1 to {10 * highest}, ten times "
                f"highest; got {target!r}"
            )
        self.n, self.use_all = numbers, use_all
        super().__init__(
            kernels=Kernels(reset, step, observe, legal, goal, canonical=canonical),
            layout=StateLayout(
                [("target", np.int64)],
                [("numbers", np.int64, (numbers,)), ("left", np.int8)],
                [("success", np.int8)],
            ),
            params=Params(pairs_of(numbers), highest, bounds[0], bounds[1], bool(use_all)),
            observation_space=spaces.Box(0, highest**numbers, (numbers + 1,), np.int64),
            action_space=spaces.Discrete(OPERATORS * len(pairs_of(numbers))),
            max_episode_steps=max_episode_steps,
            metrics=("success",),
            render_mode=render_mode,
        )

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        numbers: Any = options.get("numbers")
        target: Any = options.get("target")
        highest = self.definition.params.highest
        given = list(numbers) if isinstance(numbers, Sequence | np.ndarray) else []
        if len(given) != self.n or not all(_is_integer(k) and 1 <= k <= highest for k in given):
            raise InvalidArgumentError(
                f"numbers must be {self.n} integers from 1 to {highest}, given together with "
                f"target; got {numbers!r}"
            )
        if not _is_integer(target) or not 1 <= target <= 10 * highest or target in given:
            raise InvalidArgumentError(
                f"target must be an integer from 1 to {10 * highest}, none of the numbers, given "
                f"together with numbers; got {target!r}"
            )
        if not len(plans_for(given, target, fractions=False, use_all=self.use_all)):
            raise InvalidArgumentError(f"{target} cannot be made from {given}")
        state["numbers"], state["target"] = given, target

    def describe_state(self, state: Any) -> str:
        labels, target = self._labels(state), int(state["target"])
        used = "all of them" if self.use_all else "some or all of them"
        return (
            f"Make {target} from the numbers by + - * and /, with {used}, each once; every result "
            f"must be a positive integer. There are {number_faces.listed(labels)}. Combine two, "
            "the larger one first."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return number_faces.draw(self._labels(state), int(state["target"]))

    def show_state(self, state: Any) -> str:
        numbers = " ".join(label or "_" for label in self._labels(state))
        return f"{int(state['target'])} from {numbers}"

    def action_words(self, action: Any) -> str:
        pair, operator = divmod(int(action), OPERATORS)
        numbers = sorted(int(self.state["numbers"][k]) for k in pairs_of(self.n)[pair])
        return f"{numbers[1]} {SIGNS[operator]} {numbers[0]}"

    def parse(self, text: str) -> int:
        """The legal action that a text such as `"7 - 3"` names, in the present state.

        Raises:
            UnparseableActionError: it names none.
        """
        return number_faces.find_move(self, text)

    def best_return(self, seed: int) -> float | None:
        if not 0 <= self.definition.max_episode_steps < self.n - 1:
            return 1.0
        return shortest_success(self, seed) or 0.0

    def _labels(self, state: Any) -> list[str]:
        return [str(number) if number else "" for number in state["numbers"].tolist()]


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
