"""TopSpin: sort a ring of tokens by turning some of them over."""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas
from ..kernel.solve import distance_table
from .permutations import rank_permutation, unrank_permutation

#: Up to this size the rings are numbered.
_LARGEST_RANKED = 12


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        count: the number of tokens.
        turnstile: how many of them a move turns over.
        even: whether only even permutations of tokens 1 to count − 1 can be reached.
    """

    count: int
    turnstile: int
    even: bool


@kernel
def reset(state, params):
    """A ring drawn uniformly among those that can be reached, the sorted one left out."""
    while True:
        odd = 0
        for place in range(params.count):
            state.ring[place] = place
        for place in range(params.count - 1, 1, -1):
            other = 1 + rng.integer(state, place)
            odd ^= int(other != place)
            _swap(state, place, other)
        if params.even and odd == 1:
            _swap(state, 1, 2)
        _count_gaps(state, params)
        if not goal(state, params):
            return


@kernel
def _swap(state, a, b):
    kept = int(state.ring[a])
    state.ring[a] = state.ring[b]
    state.ring[b] = kept


@kernel
def _around(place, params):
    """The place that many steps clockwise of token 0, for less than two turns."""
    return place - params.count if place >= params.count else place


@kernel
def _is_gap(state, a, b, params):
    """Whether the tokens of two places are not neighbours in the sorted ring."""
    apart = abs(int(state.ring[a]) - int(state.ring[b]))
    return apart != 1 and apart != params.count - 1


@kernel
def _count_gaps(state, params):
    total = 0
    for place in range(params.count):
        total += int(_is_gap(state, place, _around(place + 1, params), params))
    state.gaps = total


@kernel
def step(state, action, params):
    """Turn the tokens over; the episode ends when the ring is sorted."""
    count, first = params.count, action
    last = _around(first + params.turnstile - 1, params)
    before, after = _around(first + count - 1, params), _around(last + 1, params)
    state.gaps += (
        int(_is_gap(state, before, last, params))
        + int(_is_gap(state, first, after, params))
        - int(_is_gap(state, before, first, params))
        - int(_is_gap(state, last, after, params))
    )
    _reverse(state, first, params.turnstile, params)
    if last < first or first == 0:
        # Token 0 was among them. Rotating the ring brings it back to place 0: that is turning over
        # two parts and then the whole.
        place = _around(last + first, params)
        _reverse(state, 0, place, params)
        _reverse(state, place, count - place, params)
        _reverse(state, 0, count, params)
    return -1.0, goal(state, params)


@kernel
def _reverse(state, first, n, params):
    """Turn over n tokens."""
    for k in range(n // 2):
        _swap(state, _around(first + k, params), _around(first + n - 1 - k, params))


@kernel
def goal(state, params):
    """Every token is beside its neighbours, and token 1 is clockwise of token 0."""
    return state.gaps == 0 and state.ring[1] == 1


@kernel
def observe(state, params, obs):
    """The tokens clockwise from token 0."""
    for place in range(params.count):
        obs[place] = state.ring[place]


@kernel
def rank(state, params):
    """The place of the ring in lexicographic order, among the even ones where only they occur."""
    word = 0
    for place in range(params.count - 1):
        word |= (int(state.ring[place + 1]) - 1) << 4 * place
    index = rank_permutation(word, params.count - 1)
    return index // 2 if params.even else index


@kernel
def unrank(state, index, params):
    """The ring at a place in this order, sorted at 0."""
    if params.even:
        index = 2 * index  # Of this one and the next, which differ by a swap, one is even.
    word, odd = unrank_permutation(index, params.count - 1)
    if params.even and odd == 1:
        word, odd = unrank_permutation(index + 1, params.count - 1)
    state.ring[0] = 0
    for place in range(params.count - 1):
        state.ring[place + 1] = 1 + (word >> 4 * place & 15)
    _count_gaps(state, params)


class TopSpin(KernelEnv):
    """
    ## Description
    Numbered tokens lie in a ring, and are to be sorted clockwise. A turnstile turns over some that
    lie side by side. The toy has 20 tokens, of which it turns over 4. As in the literature on
    heuristic search ("(n, k)-TopSpin", for example Yang et al. 2008, "A general theory of additive
    state space abstractions") sliding the ring round costs nothing, so that a move is to turn over
    the tokens of any place, and rings that differ by rotation are one state: (n − 1)! rings can be
    reached, or half of them where n is odd and k or k − 1 a multiple of 4.

    ## Observation Space
    `Box(0, size − 1, (size,), int8)`: the tokens clockwise from token 0, which comes first.

    ## Action Space
    `Discrete(size)`: action a turns over the `turnstile` tokens that begin a places clockwise of
    token 0.

    ## Rewards
    −1 for each move, so that the return is minus the number of moves.

    ## Starting State
    Uniform among the rings that can be reached, the sorted one left out.

    ## Episode End
    Terminated when the ring is sorted; truncated after `max_episode_steps` moves.

    ## Arguments
    - `size`: the number of tokens, 4 to 60 (default 12).
    - `turnstile`: how many a move turns over, 2 to size − 2 (default 4); even if `size` is, since
      otherwise tokens would stay on even and odd places.
    - `max_episode_steps`: the time limit (default `10 · size`); −1 for none.

    `reset(options={"ring": …})` starts from the given tokens, clockwise. They must not be sorted,
    and it must be possible to sort them.

    The state field `gaps` counts the neighbours in the ring that are not neighbours in the sorted
    one. A move changes two pairs of them, so half of it, rounded up, is an admissible and
    consistent heuristic.

    ## Reference Scores
    `spelunk.reference("spelunk/TopSpin-v0")`: the random policy, and for up to 12 tokens the
    optimal solutions from a table of all rings. For more no best is given.

    ## Version History
    - v0: first version.
    """

    reset_options = ("ring",)
    best_source = "optimal solutions from a table of all rings"

    def __init__(
        self,
        size: int = 12,
        turnstile: int = 4,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if isinstance(size, bool) or not isinstance(size, int) or not 4 <= size <= 60:
            raise InvalidArgumentError(f"size must be an integer from 4 to 60; got {size!r}")
        k = turnstile
        if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= size - 2:
            raise InvalidArgumentError(
                f"turnstile must be an integer from 2 to size − 2 = {size - 2}; got {k!r}"
            )
        if size % 2 == 0 and k % 2 == 1:
            raise InvalidArgumentError(f"turnstile must be even for an even size; got {k!r}")
        self.size, self.turnstile = size, turnstile
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
            layout=StateLayout([], [("ring", np.int8, (size,)), ("gaps", np.int8)]),
            # Turning over k tokens makes k (k − 1) / 2 swaps, and rotating an odd ring an even
            # number of them.
            params=Params(size, turnstile, size % 2 == 1 and k % 4 < 2),
            observation_space=spaces.Box(0, size - 1, (size,), np.int8),
            action_space=spaces.Discrete(size),
            inverse_actions=[_inverse(action, size, turnstile) for action in range(size)],
            max_episode_steps=10 * size if max_episode_steps is None else max_episode_steps,
            render_mode=render_mode,
        )

    @property
    def n_ranks(self) -> int:
        """How many rings there are, up to size 12; 0 above it, where they are too many to list."""
        if self.size > _LARGEST_RANKED:
            return 0
        return math.factorial(self.size - 1) // (2 if self.definition.params.even else 1)

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        state["ring"] = self._read_ring(options["ring"])
        params = self.definition.params
        _count_gaps(state, params)
        if goal(state, params):
            raise InvalidArgumentError("ring is sorted already; give another one")

    def describe_state(self, state: Any) -> str:
        return (
            f"Sort the ring of tokens clockwise. A move turns over {self.turnstile} tokens that "
            "lie side by side, beginning at the named place; token 0 is at place 0. Clockwise from "
            f"there: {self.show_state(state)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        step, radius = 2 * math.pi / self.size, max(90.0, 7.0 * self.size)
        token = min(26.0, 0.42 * step * radius)
        middle = radius + token + 14
        canvas = Canvas(round(2 * middle), round(2 * middle), "night")
        canvas.circle(middle, middle, radius, None, "stone", 5)
        ring = state["ring"].tolist()
        for place, number in enumerate(ring):
            x = middle + radius * math.sin(place * step)
            y = middle - radius * math.cos(place * step)
            # Green tokens are followed by the right one.
            follows = ring[(place + 1) % self.size] == (number + 1) % self.size
            canvas.circle(x, y, token, "green" if follows else "sand")
            colour = "white" if follows else "ink"
            canvas.text(x, y, str(number), colour, 0.9 * token)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        return " ".join(map(str, state["ring"].tolist()))

    def action_words(self, action: Any) -> str:
        return f"turn place {int(action)}"

    def goal_states(self) -> np.ndarray[Any, Any]:
        states = self.definition.layout.empty(1)
        states["ring"] = np.arange(self.size)
        return states

    def best_return(self, seed: int) -> float | None:
        if self.size > _LARGEST_RANKED:
            return None
        state = self.model.reset([seed])[0]
        distances = _distances(self.size, self.turnstile)
        return -float(distances[rank(state, self.definition.params)])

    def _read_ring(self, ring: Any) -> np.ndarray[Any, np.dtype[np.int8]]:
        if np.ndim(ring) != 1 or sorted(ring) != list(range(self.size)):
            raise InvalidArgumentError(
                f"ring must hold each of 0 to {self.size - 1} once, clockwise; got {ring!r}"
            )
        tokens = np.roll(ring, -list(ring).index(0)).astype(np.int8)
        swaps = sum(int((tokens[:place] > tokens[place]).sum()) for place in range(self.size))
        if self.definition.params.even and swaps % 2 == 1:
            raise InvalidArgumentError(
                f"ring {ring!r} cannot be sorted; swap any two tokens and it can"
            )
        return tokens


def _inverse(action: int, size: int, turnstile: int) -> int:
    """What takes an action back: the same tokens, counted from where token 0 then is."""
    before = -action % size  # of the tokens turned over, how many come before token 0
    return (before - turnstile + 1) % size if before < turnstile else action


@functools.cache
def _distances(size: int, turnstile: int) -> np.ndarray[Any, Any]:
    return distance_table(TopSpin(size, turnstile))
