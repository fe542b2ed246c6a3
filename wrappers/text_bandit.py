"""`TextBandit`: a bandit told in words, for language models."""

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from ..envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from ..envs.kernel.spaces import Unicode

_LONGEST = 2**20


class Scenario(NamedTuple):
    """A costume for arms.

    Attributes:
        task: what the agent is told first; `{arms}` and `{horizon}` are filled in.
        arm: what an arm is called.
        names: of the arms; more are numbered.
        paid: how a reward is told, `{name}` and `{reward}` being filled in.
        ask: the question that ends each turn.
    """

    task: str
    arm: str
    names: tuple[str, ...]
    paid: str
    ask: str


SCENARIOS: dict[str, Scenario] = {
    "buttons": Scenario(
        "You stand before {arms} buttons. Each pays a reward that is drawn anew whenever it is "
        "pressed, some on average more than others. Win as much as you can in {horizon} presses.",
        "button",
        ("blue", "green", "red", "yellow", "purple", "white", "black", "orange", "brown", "pink"),
        "You pressed {name}: reward {reward}.",
        "Which button do you press?",
    ),
    "clothes": Scenario(
        "You run a shop for clothes. To each of {horizon} visitors you show one of {arms} "
        "garments, and some visitors buy. Find out what they like, and sell as much as you can.",
        "garment",
        ("parka", "cardigan", "kilt", "blazer", "dungarees", "poncho", "anorak", "tunic", "jerkin",
         "sarong"),
        "You showed {name}: reward {reward}.",
        "Which garment do you show?",
    ),
    "movies": Scenario(
        "You recommend films. To each of {horizon} viewers you suggest one of {arms} films, and "
        "learn how it was liked. Please as many as you can.",
        "film",
        ("The Long Tide", "Paper Lanterns", "North of Noon", "A Borrowed Coat", "The Salt Road",
         "Winter Orchard", "Second Ferry", "Glass Harbour", "The Quiet Mile", "Copper Sky"),
        "You suggested {name}: reward {reward}.",
        "Which film do you suggest?",
    ),
}  # fmt: skip

Context = Literal["history", "summary", "guide"]
_CONTEXTS = ("history", "summary", "guide")


class TextBandit(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A bandit with a finite set of arms whose observations and actions are texts.

    What the agent is told of the past is one of three (Nie et al., "EVOLvE: evaluating and
    optimizing LLMs for exploration" (2024)): each pull and its reward, in order (`"history"`); of
    each arm the number of pulls and the mean reward (`"summary"`); or besides that what an
    algorithm would make of it, the mean and a bonus for exploration, as UCB1 has it (`"guide"`).
    Which arm has which name is drawn anew in each episode, from the environment's seed.

    A reply names one arm, whatever it says besides. One that names none, or several, counts as a
    uniform draw: `infos["invalid"]` says so, and `infos["invalid_replies"]` counts them;
    `infos["arm"]` is the arm that was pulled.

    Args:
        env: an environment of the suite with a `Discrete` action space and a `horizon`.
        scenario: `"buttons"` (default), `"clothes"` or `"movies"`.
        context: `"history"` (default), `"summary"` or `"guide"`.

    Raises:
        InvalidArgumentError: there is no such scenario or context.
        UnsupportedFaceError: the environment has no finite set of arms, or not every arm is always
            legal.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], scenario: str = "buttons", context: Context = "history"
    ):
        if scenario not in SCENARIOS:
            raise InvalidArgumentError(
                f"scenario must be one of {list(SCENARIOS)}; got {scenario!r}"
            )
        if context not in _CONTEXTS:
            raise InvalidArgumentError(f"context must be one of {list(_CONTEXTS)}; got {context!r}")
        base: Any = env.unwrapped
        plain = isinstance(base.action_space, spaces.Discrete) and not base.definition.masked
        if not plain or not hasattr(base, "horizon"):
            raise UnsupportedFaceError(f"a TextBandit needs a bandit with arms; got {base!r}")
        super().__init__(env)
        self._scenario, self._context = SCENARIOS[scenario], context
        self._arms, self._horizon = int(base.action_space.n), int(base.horizon)
        self.observation_space = Unicode(_LONGEST)
        self.action_space = Unicode(_LONGEST)

    @property
    def names(self) -> tuple[str, ...]:
        """The arms' names in this episode."""
        return self._names

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        _, info = self.env.reset(seed=seed, options=dict(options) if options else None)
        known = self._scenario.names
        if len(known) < self._arms:
            known = tuple(f"{self._scenario.arm} {k + 1}" for k in range(self._arms))
        order = self.env.unwrapped.np_random.permutation(len(known))[: self._arms]
        self._names = tuple(known[k] for k in order)
        self._pulls, self._totals = np.zeros(self._arms, np.int64), np.zeros(self._arms)
        self._history: list[str] = []
        self._invalid = 0
        return self._tell(), {**info, "invalid": False, "invalid_replies": 0, "arm": -1}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Pull the arm that a text names."""
        arm = self.parse(action)
        invalid = arm is None
        if arm is None:
            self._invalid += 1
            arm = int(self.env.unwrapped.np_random.integers(self._arms))
        _, reward, terminated, truncated, info = self.env.step(arm)
        self._pulls[arm] += 1
        self._totals[arm] += float(reward)
        told = self._scenario.paid.format(name=self._names[arm], reward=f"{float(reward):.3g}")
        self._history.append(f"{told} (Your answer named no single arm.)" if invalid else told)
        info = {**info, "invalid": invalid, "invalid_replies": self._invalid, "arm": arm}
        return self._tell(), float(reward), terminated, truncated, info

    def parse(self, text: str) -> int | None:
        """The arm that a reply names; None where it names none, or several."""
        named = [
            arm
            for arm, name in enumerate(self._names)
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
        ]
        return named[0] if len(named) == 1 else None

    def _tell(self) -> str:
        scenario, time = self._scenario, int(self._pulls.sum())
        lines = [
            scenario.task.format(arms=self._arms, horizon=self._horizon),
            f"Each {scenario.arm} has a name: {', '.join(self._names)}.",
        ]
        if not time:
            lines.append("Nothing has been tried yet.")
        elif self._context == "history":
            lines += self._history
        else:
            lines += [self._sum_up(arm, time) for arm in range(self._arms)]
        left = self._horizon - time
        return "\n".join([*lines, f"{left} {'turn is' if left == 1 else 'turns are'} left.",
                          scenario.ask])  # fmt: skip

    def _sum_up(self, arm: int, time: int) -> str:
        pulls = int(self._pulls[arm])
        if not pulls:
            guide = ", bonus: infinite" if self._context == "guide" else ""
            return f"{self._names[arm]}: not tried{guide}"
        mean = self._totals[arm] / pulls
        line = f"{self._names[arm]}: tried {pulls}, mean reward {mean:.3f}"
        if self._context == "guide":
            bonus = math.sqrt(2 * math.log(time) / pulls)
            line += f", bonus: {bonus:.3f}, together {mean + bonus:.3f}"
        return line
