"""What the checks of `conformance` are run over, and the tools they share."""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

LANES = 7


@dataclass(frozen=True)
class Subject:
    """An environment to be checked.

    Attributes:
        id: as registered with Gymnasium.
        kwargs: its arguments.
        randomness: what the registry says is random: `"none"`, `"start"` or `"dynamics"`.
    """

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    randomness: str = "start"

    @functools.cached_property
    def agents(self) -> tuple[str, ...]:
        """The agents of a game; empty where there is only one."""
        return self._prototype.definition.agents

    @functools.cached_property
    def _prototype(self) -> Any:
        return self.batch(1).prototype

    def single(self, **more: Any) -> Any:
        """The environment itself, without wrappers; of a game the joint face, which has no id."""
        if self.agents:
            return self.construct(**more)
        return gymnasium.make(self.id, **{**self.kwargs, **more}).unwrapped

    def construct(self, **more: Any) -> Any:
        """The environment, made by its class rather than by Gymnasium."""
        return type(self._prototype)(**{**self.kwargs, **more})

    def batch(self, num_envs: int = LANES, **more: Any) -> Any:
        """A vector environment."""
        return gymnasium.make_vec(self.id, num_envs=num_envs, **{**self.kwargs, **more})


def fingerprint(subject: Subject, steps: int = 200) -> str:
    """A hash of a fixed trajectory: it changes when the dynamics, rewards or observations do."""
    return play(subject, seed=31, steps=steps)


def play(subject: Subject, seed: int, steps: int = 60) -> str:
    """A hash of what the environment shows from `reset(seed=seed)` on."""
    env, digest = subject.single(), hashlib.sha256()
    digest.update(_bytes(env.reset(seed=seed)[0]))
    for outcome in walk(env, seed=0, steps=steps):
        digest.update(_bytes(outcome[0]) + repr(tuple(map(plain, outcome[1:-1]))).encode())
    return digest.hexdigest()


def walk(env: Any, seed: int, steps: int = 40) -> Iterator[Any]:
    """What a random walk gets to see, from the present state on."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        outcome = env.step(env.sample_action(rng))
        yield outcome
        if over(*outcome[2:4]):
            yield env.reset()


def over(terminated: Any, truncated: bool) -> bool:
    """Whether an episode has ended: of a game, whether it has for all agents."""
    return bool(np.all(terminated) or truncated)


def plain(value: Any) -> Any:
    """A reward or flag, or those of a game's agents, as Python's own numbers."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def same(a: Any, b: Any, near: bool = False) -> bool:
    """Whether two nested values are equal; `near` allows the rounding of numbers said in words."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k], near) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y, near) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) and near and a.dtype.kind == "f":
        return bool(np.allclose(a, b, atol=0.01))
    if isinstance(a, np.ndarray):
        b = np.asarray(b)
        return a.dtype == b.dtype and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    return bool(a == b)


def element(actions: Any, i: int) -> Any:
    """The action of lane i as the single environment takes it."""
    return actions[i].item() if getattr(actions, "ndim", 0) == 1 else actions[i]


def assert_row(i: int, observations: Any, infos: Any, expected: Any, info: Any) -> None:
    """Lane i of a batch shows what the single environment does."""
    if isinstance(expected, dict):
        row: Any = {name: part[i] for name, part in observations.items()}
    else:
        row = observations[i]
    assert same(row, expected), f"lane {i}: the observation differs"
    for name, value in info.items():
        assert infos[f"_{name}"][i], f"lane {i}: info {name} is missing"
        assert same(np.asarray(infos[name][i]).tolist(), np.asarray(value).tolist()), (
            f"lane {i}: info {name} is {infos[name][i]}, not {value}"
        )


def _bytes(observation: Any) -> bytes:
    if isinstance(observation, dict):
        return b"".join(_bytes(part) for part in observation.values())
    return observation.encode() if isinstance(observation, str) else observation.tobytes()
