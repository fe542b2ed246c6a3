"""GameOf24: make 24 from four cards."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from . import number_faces
from .arithmetic import DIVIDE_INTO, SIGNS, SUBTRACT, combine_fractions, pairs_of, plans_for

TARGET = 24
CARDS = 4
OPERATORS = 5


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        hands: (h, 4) `int8`, the hands that can be solved.
        pairs: (6, 2) `int8`, the pairs of slots.
    """

    hands: np.ndarray[Any, np.dtype[np.int8]]
    pairs: np.ndarray[Any, np.dtype[np.int8]]


@kernel
def reset(state, params):
    """One of the hands."""
    hand = rng.task(state, len(params.hands))
    for k in range(CARDS):
        state.tops[k] = params.hands[hand, k]
        state.bottoms[k] = 1
    state.left = CARDS
    state.success = 0


@kernel
def step(state, action, params):
    """Combine two numbers; the episode ends with the last."""
    pair, operator = action // OPERATORS, action % OPERATORS
    i, j = params.pairs[pair, 0], params.pairs[pair, 1]
    top, bottom = combine_fractions(
        int(state.tops[i]),
        int(state.bottoms[i]),
        int(state.tops[j]),
        int(state.bottoms[j]),
        operator,
    )
    state.tops[i], state.bottoms[i] = top, bottom
    state.tops[j], state.bottoms[j] = 0, 0
    state.left -= 1
    if state.left > 1:
        return 0.0, False
    state.success = top == TARGET and bottom == 1
    return float(state.success), True


@kernel
def legal(state, params, mask):
    """All but divisions by zero; of equal numbers the first one is taken."""
    for pair in range(params.pairs.shape[0]):
        i, j = params.pairs[pair, 0], params.pairs[pair, 1]
        usable = state.bottoms[i] != 0 and state.bottoms[j] != 0
        for k in range(j):
            usable = usable and not (k < i and _equal(state, k, i))
            usable = usable and not (k != i and _equal(state, k, j))
        for operator in range(3):
            mask[pair * OPERATORS + operator] = usable
        mask[pair * OPERATORS + 3] = usable and state.tops[j] != 0
        # Equal numbers divide to 1 either way.
        mask[pair * OPERATORS + 4] = usable and state.tops[i] != 0 and not _equal(state, i, j)


@kernel
def _equal(state, i, j):
    """Whether the numbers of two slots are equal; fractions are in lowest terms."""
    return state.tops[i] == state.tops[j] and state.bottoms[i] == state.bottoms[j]


@kernel
def goal(state, params):
    """24 is the only number."""
    made = False
    for k in range(CARDS):
        made = made or (state.tops[k] == TARGET and state.bottoms[k] == 1)
    return made and state.left == 1


@kernel
def canonical(state, params):
    """One order of the slots, which make no difference."""
    for end in range(1, CARDS):
        top, bottom, k = int(state.tops[end]), int(state.bottoms[end]), end
        while k > 0 and (
            state.tops[k - 1] < top or (state.tops[k - 1] == top and state.bottoms[k - 1] < bottom)
        ):
            state.tops[k], state.bottoms[k] = state.tops[k - 1], state.bottoms[k - 1]
            k -= 1
        state.tops[k], state.bottoms[k] = top, bottom


@kernel
def observe(state, params, obs):
    """Numerators and denominators."""
    for k in range(CARDS):
        obs[k, 0] = state.tops[k]
        obs[k, 1] = state.bottoms[k]


@functools.cache
def solvable_hands(highest: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    """The hands from which 24 can be made, (h, 4), each in ascending order."""
    hands = itertools.combinations_with_replacement(range(1, highest + 1), CARDS)
    return np.array([h for h in hands if len(plans_for(h, TARGET, fractions=True))], np.int8)


class GameOf24(KernelEnv):
    """
    ## Description
    Four cards are to be combined to 24 by + − × ÷, all of them, each once; fractions in between are
    allowed, as in 8 ÷ (3 − 8 ÷ 3). Of the 1,820 hands of cards from 1 to 13, 1,362 have a solution.
    The test bed of "Tree of Thoughts: deliberate problem solving with large language models" (Yao
    et al. 2023).

    ## Observation Space
    `Box(0, 2³¹ − 1, (4, 2), int32)`: numerator and denominator of the number in each slot, in
    lowest terms; both are 0 where it has been used up. The result of a step is in the slot of the
    first number.

    ## Action Space
    `Discrete(30)`: action `5 · pair + operator`. The pairs of slots are (0, 1), (0, 2), (0, 3),
    (1, 2), (1, 3), (2, 3); the operators 0 sum, 1 difference, the smaller from the larger,
    2 product, 3 first by second, 4 second by first. No solution is lost for want of negative
    numbers. Illegal and masked are empty slots, divisions by 0, a number where an equal one lies
    before it, and operator 4 for two equal numbers. In words `"8 / (8/3)"`, with the numbers of the
    present state.

    ## Rewards
    1 when the last number is 24, otherwise 0.

    ## Starting State
    Uniform among the hands that have a solution, in ascending order; `reset(options={"task": k})`
    chooses one, `reset(options={"cards": […]})` starts from given cards.

    ## Episode End
    Terminated when one number is left, after three steps. The infos hold `success`.

    ## Arguments
    - `highest`: the highest card, 6 to 13 (default 13). With 10 there are 566 hands.
    - `max_episode_steps`: the time limit (default −1 for none).

    ## Reference Scores
    `spelunk.reference("spelunk/GameOf24-v0")`: the random policy, and the solution that every hand
    has.

    ## Version History
    - v0: first version.
    """

    reset_options = ("cards",)
    best_source = "every hand has a solution"

    def __init__(
        self, highest: int = 13, max_episode_steps: int = -1, render_mode: str | None = None
    ):
        if isinstance(highest, bool) or not isinstance(highest, int) or not 6 <= highest <= 13:
            raise InvalidArgumentError(f"highest must be an integer from 6 to 13; got {highest!r}")
        hands = solvable_hands(highest)
        super().__init__(
            kernels=Kernels(reset, step, observe, legal, goal, canonical=canonical),
            layout=StateLayout(
                [],
                [
                    ("tops", np.int32, (CARDS,)),
                    ("bottoms", np.int32, (CARDS,)),
                    ("left", np.int8),
                ],
                [("success", np.int8)],
            ),
            params=Params(hands, pairs_of(CARDS)),
            observation_space=spaces.Box(0, np.iinfo(np.int32).max, (CARDS, 2), np.int32),
            action_space=spaces.Discrete(OPERATORS * len(pairs_of(CARDS))),
            max_episode_steps=max_episode_steps,
            metrics=("success",),
            tasks=len(hands),
            render_mode=render_mode,
        )

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        cards, accepted = options["cards"], range(1, 14)
        given = list(cards) if isinstance(cards, Sequence | np.ndarray) else []
        if len(given) != CARDS or not all(card in accepted for card in given):
            raise InvalidArgumentError(f"cards must be 4 integers from 1 to 13; got {cards!r}")
        if not len(plans_for(given, TARGET, fractions=True)):
            raise InvalidArgumentError(f"24 cannot be made from {given}")
        state["tops"] = given

    def describe_state(self, state: Any) -> str:
        return (
            "Make 24 from the numbers by + - * and /, with all of them, each once; fractions are "
            f"allowed. There are {number_faces.listed(self._labels(state))}. Combine two, in a "
            "difference the larger one first."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return number_faces.draw(self._labels(state), TARGET)

    def show_state(self, state: Any) -> str:
        return " ".join(label or "_" for label in self._labels(state))

    def action_words(self, action: Any) -> str:
        pair, operator = divmod(int(action), OPERATORS)
        i, j = pairs_of(CARDS)[pair].tolist()
        tops, bottoms = self.state["tops"].tolist(), self.state["bottoms"].tolist()
        smaller = tops[i] * bottoms[j] < tops[j] * bottoms[i]
        if operator == DIVIDE_INTO or (operator == SUBTRACT and smaller):
            i, j = j, i
        labels = [f"({label})" if "/" in label else label for label in self._labels(self.state)]
        return f"{labels[i]} {SIGNS[operator]} {labels[j]}"

    def parse(self, text: str) -> int:
        """The legal action that a text such as `"8 / (8/3)"` names, in the present state.

        Raises:
            UnparseableActionError: it names none.
        """
        return number_faces.find_move(self, text)

    def best_return(self, seed: int) -> float | None:
        return 0.0 if 0 <= self.definition.max_episode_steps < CARDS - 1 else 1.0

    def _labels(self, state: Any) -> list[str]:
        """The numbers as text; empty where a slot is."""
        fractions = zip(state["tops"].tolist(), state["bottoms"].tolist(), strict=True)
        return [
            "" if bottom == 0 else str(top) if bottom == 1 else f"{top}/{bottom}"
            for top, bottom in fractions
        ]
