"""ClickBandit: ranked lists for users who click the first item that attracts them."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnparseableActionError,
    kernel,
    rng,
)
from ..kernel.render import Canvas
from .core import ACCOUNT, METRICS, charge, counted, open_account, read_integer, read_means

_HIGHEST = 0.5  # drawn attractions are below it: with higher ones almost any list is clicked


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own


@kernel
def reset(state, params):
    """Take the given attractions, or draw them; nothing has been shown."""
    for item in range(state.means.shape[0]):
        given = len(params.means) > 0
        state.means[item] = params.means[item] if given else _HIGHEST * rng.uniform(state)
        state.examined[item] = 0
        state.clicks[item] = 0
        state.seen[item] = 0
        state.shown_at[item] = 0
    for slot in range(state.ranking.shape[0]):
        state.ranking[slot] = -1
    state.best_value = best_value(state)
    open_account(state)


@kernel
def best_value(state):
    """The chance of a click on the most attractive items, as many as the list has slots."""
    passed, bound, level = 1.0, np.inf, 0
    for _ in range(state.ranking.shape[0]):
        # The next lower attraction; equal ones follow by their number.
        mean, chosen = -1.0, -1
        for item in range(state.means.shape[0]):
            here = float(state.means[item])
            after = here < bound or (here == bound and item > level)
            if after and here > mean:
                mean, chosen = here, item
        bound, level = mean, chosen
        passed *= 1.0 - mean
    return 1.0 - passed


@kernel
def step(state, action, params):
    """Show a list; the last of the horizon ends the episode."""
    for item in range(state.means.shape[0]):
        state.seen[item] = 0
    time, clicked, passed = int(state.step_count), 0, 1.0
    for slot in range(action.shape[0]):
        item = int(action[slot])
        state.ranking[slot] = item
        if state.shown_at[item] == time:
            continue  # a repeat takes the slot, and is passed over
        state.shown_at[item] = time
        mean = float(state.means[item])
        passed *= 1.0 - mean
        if clicked == 0:
            state.examined[item] += 1
            clicked = 1 if rng.uniform(state) < mean else 0
            state.clicks[item] += clicked
            state.seen[item] = 1 if clicked == 1 else -1
    charge(state, float(state.best_value) - (1.0 - passed))
    return float(clicked), time >= params.horizon


@kernel
def observe(state, params, obs):
    """Of each item how often it was examined, how often it attracted, and what happened now."""
    for item in range(obs.shape[0]):
        examined = int(state.examined[item])
        obs[item, 0] = examined / params.horizon
        obs[item, 1] = int(state.clicks[item]) / examined if examined > 0 else 0.5
        obs[item, 2] = state.seen[item]


class ClickBandit(KernelEnv):
    """
    ## Description
    For each user the agent ranks a few of many items. The user looks at them from the top and
    clicks the first that attracts, or none: the cascade model (Kveton, Szepesvári, Wen & Ashkan
    2015, "Cascading bandits: learning to rank in the cascade model"). A click says that the items
    above it did not attract, and nothing of those below.

    ## Observation Space
    `Box((items, 3), float32)`: for each item the number of times it was examined divided by the
    horizon, the share of these in which it was clicked (0.5 before the first), and what happened
    to it in the last list: 1 clicked, −1 examined and passed over, 0 not examined. The first two
    columns are a sufficient statistic of the episode so far; the third is the semi-bandit feedback.

    ## Action Space
    `MultiDiscrete([items] · slots)`: the item of each place, from the top. An item that is
    repeated in a list is passed over at its second place: that place is lost, without error. In
    words: `show 3 1 2`, items counted from 1.

    ## Rewards
    1 for a click, 0 otherwise.

    The infos hold `regret`, the best list's chance of a click minus that of the list just shown,
    and `pseudo_regret`, its sum over the episode.

    ## Starting State
    The items' attractions are drawn uniformly from [0, ½] for each episode, or are those of
    `means`.

    ## Episode End
    Terminated after `horizon` lists: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `items`: the number of items, ≥ 2 (default 8, or as many as `means` has).
    - `slots`: the length of the list, from 1 to `items` (default 3).
    - `means`: the probability that an item attracts, each in [0, 1]; None (default) to draw them.
    - `horizon`: the number of users, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/ClickBandit-v0")`: the random policy, and the oracle that knows the
    attractions and shows the most attractive items, in expectation.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that shows the most attractive items: horizon × chance of a click"

    def __init__(
        self,
        items: int | None = None,
        slots: int = 3,
        means: Sequence[float] | None = None,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        given = read_means(means, 0.0, 1.0)
        self.items = read_integer("items", len(given) or 8 if items is None else items, 2)
        if len(given) not in (0, self.items):
            raise InvalidArgumentError(f"means has {len(given)} entries for items={items}")
        self.slots, self.horizon = (
            read_integer("slots", slots, 1),
            read_integer("horizon", horizon, 1),
        )
        if self.slots > self.items:
            raise InvalidArgumentError(f"slots must be at most items={self.items}; got {slots}")
        low = np.tile(np.array([0, 0, -1], np.float32), (self.items, 1))
        high = np.ones((self.items, 3), np.float32)
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout(
                [("means", np.float64, (self.items,)), ("best_value", np.float64)],
                [
                    ("examined", np.int32, (self.items,)),
                    ("clicks", np.int32, (self.items,)),
                    ("seen", np.int8, (self.items,)),
                    ("ranking", np.int32, (self.slots,)),
                ],
                [*ACCOUNT, ("shown_at", np.int32, (self.items,))],
            ),
            params=Params(self.horizon, given),
            observation_space=spaces.Box(low, high, dtype=np.float32),
            action_space=spaces.MultiDiscrete([self.items] * self.slots),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        tried = [
            f"item {item + 1} {counted(clicks, 'click')} of {counted(examined, 'look')}"
            for item, (examined, clicks) in enumerate(
                zip(state["examined"], state["clicks"], strict=True)
            )
            if examined
        ]
        past = f"So far: {'; '.join(tried)}." if tried else "Nothing has been shown yet."
        return (
            f"Rank {self.slots} of {self.items} items for the next user, who clicks the first that "
            f"attracts. {past}{self._last(state)} {counted(self._left(state), 'user')} left."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The last list on the left; on the right each item's attraction and share of clicks."""
        row, top = 30, 48
        canvas = Canvas(520, top + max(self.slots, self.items) * row + 16, "paper")
        canvas.text(16, 20, f"{counted(self._left(state), 'user')} left", "ink", 13, "lm")
        canvas.text(504, 20, f"regret {state['pseudo_regret']:.2f}", "stone", 13, "rm")
        colours = {1: "green", -1: "stone", 0: "sand"}
        for slot, item in enumerate(state["ranking"].tolist()):
            seen = int(state["seen"][item]) if item >= 0 else 0
            y = top + slot * row
            canvas.rectangle(16, y, 150, row - 4, colours[seen])
            words = "" if item < 0 else f"item {item + 1}" + (", clicked" if seen == 1 else "")
            canvas.text(26, y + row / 2 - 2, words, "white" if seen else "ink", 13, "lm")
        best = set(np.argsort(-state["means"], kind="stable")[: self.slots].tolist())
        for item, mean in enumerate(state["means"].tolist()):
            y, examined = top + item * row, int(state["examined"][item])
            canvas.text(196, y + row / 2 - 2, f"item {item + 1}", "ink", 12, "lm")
            canvas.rectangle(250, y, 180, row - 4, "sand")
            if clicks := int(state["clicks"][item]):
                canvas.rectangle(250, y, 180 * clicks / examined, row - 4, "blue")
            line = 250 + 180 * mean - 1.5
            canvas.rectangle(line, y - 2, 3, row, "green" if item in best else "ink")
            canvas.text(504, y + row / 2 - 2, counted(examined, "look"), "stone", 12, "rm")
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        lines = ["item  looks  clicks"]
        lines += [
            f"{item + 1:4d}  {state['examined'][item]:5d}  {state['clicks'][item]:6d}"
            for item in range(self.items)
        ]
        left = f"{counted(self._left(state), 'user')} left."
        return "\n".join([*lines, left + self._last(state)])

    def action_words(self, action: Any) -> str:
        return "show " + " ".join(str(int(item) + 1) for item in action)

    def parse(self, text: str) -> Any:
        """The list that a text names, (slots,) `int64`: `show` and the items from the top.

        Raises:
            UnparseableActionError: the text names no list of the right length.
        """
        found = re.fullmatch(r"\s*show((?:[\s,]+\d+)+)\s*", text.lower())
        items = [int(number) - 1 for number in re.findall(r"\d+", found[1])] if found else []
        if len(items) != self.slots or not all(0 <= item < self.items for item in items):
            example = self.action_words(range(self.slots))
            raise UnparseableActionError(
                f"{text!r} names no list of {self.slots} of {self.items} items; say for example "
                f"{example!r}"
            )
        return np.array(items, np.int64)

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_value"][0])

    def _last(self, state: Any) -> str:
        """What became of the last list."""
        if state["ranking"][0] < 0:
            return ""
        clicked = np.flatnonzero(state["seen"] == 1)
        return f" The last user clicked {f'item {clicked[0] + 1}' if len(clicked) else 'nothing'}."

    def _left(self, state: Any) -> int:
        return self.horizon - int(state["step_count"])
