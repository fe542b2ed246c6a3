"""Contexts: what a language model is told at each turn of an episode."""

from collections.abc import Callable
from dataclasses import dataclass

from ...envs.kernel.errors import InvalidArgumentError

Describe = Callable[[], str]


def reward_words(reward: float) -> str:
    """A reward in words."""
    return f"reward {reward:g}"


def state(describe: Describe, reward: float | None) -> str:
    """The state in words, nothing of the past: for environments whose description says all."""
    return describe()


def dialogue(describe: Describe, reward: float | None) -> str:
    """The last reward and the state in words, after all that was said before."""
    return describe() if reward is None else f"{reward_words(reward)} {describe()}"


def rewards(describe: Describe, reward: float | None) -> str:
    """The state in words at the start, then rewards only: for environments that show no more."""
    return describe() if reward is None else reward_words(reward)


@dataclass(frozen=True)
class Context:
    """A way to keep a language model informed.

    Attributes:
        tell: what to say, from a function that describes the state and the last reward, None at
            the start of an episode.
        remembers: whether the model sees the earlier turns of the episode too.
    """

    tell: Callable[[Describe, float | None], str]
    remembers: bool


CONTEXTS = {
    "state": Context(state, remembers=False),
    "dialogue": Context(dialogue, remembers=True),
    "rewards": Context(rewards, remembers=True),
}


def context(name: str) -> Context:
    """The context of a name.

    Raises:
        InvalidArgumentError: there is none.
    """
    if name not in CONTEXTS:
        raise InvalidArgumentError(f"context must be one of {list(CONTEXTS)}; got {name!r}")
    return CONTEXTS[name]
