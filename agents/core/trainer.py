"""`Trainer`: what every learning algorithm offers the code that runs, logs and resumes it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .agent import Agent
from .distributed import World

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Task:
    """What is to be learned, and with what means.

    Attributes:
        env_id: the environment.
        env_kwargs: its arguments.
        total_steps: environment steps to train for.
        num_envs: environments stepped side by side.
        seed: of everything random.
        device: `"cpu"` or `"cuda"`, where networks are trained.
        autoreset_mode: when lanes start anew, an `AutoresetMode` by name, for PPO and A2C; the
            others reset in the same step, which wastes none.
    """

    env_id: str
    total_steps: int
    num_envs: int
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    autoreset_mode: str = "SAME_STEP"


class Addition(NamedTuple):
    """What a trainer has added to its replay since a position; see `Trainer.added`.

    Attributes:
        arrays: what was added and is still held, with time as the first axis.
        position: where the replay stands now, a number that grows.
        oldest: the position of the oldest that is still held.
    """

    arrays: Arrays
    position: int
    oldest: int


class Trainer(ABC):
    """A learning algorithm, advanced one update at a time.

    A subclass is constructed as `Trainer(task, config)`; its module has a dataclass `Config` with
    the hyperparameters, all with defaults.
    """

    #: The number of environments that suits the algorithm.
    default_num_envs: ClassVar[int] = 64

    #: Environment steps taken so far, by all processes.
    env_steps: int = 0

    #: The processes that train together.
    world: World = World()

    def __init__(self, task: Task, config: Any) -> None:
        self.task = task
        self.config = config

    @abstractmethod
    def step(self) -> dict[str, float]:
        """One update: gather experience, learn from it, and return metrics to log.

        Metrics are means over the update; `return_mean` and `length_mean`, of each environment's
        latest finished episode, are left out before every one has finished one.
        """

    @abstractmethod
    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Everything a later `load_state` needs to go on bit for bit: arrays, and plain JSON data.

        Both include the environments' states and every random-number generator.
        """

    @abstractmethod
    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        """Go on from what `state` returned.

        Of a trainer with a replay, `arrays` also holds what `added` returned, one addition after
        the other, under `replay.…`; without it the agent is as learned, but cannot learn on.
        """

    def added(self, since: int) -> Addition:
        """What the replay has got since a position; `state` leaves it out.

        So a checkpoint of a large replay costs no more than what is new. Most trainers have none.

        Args:
            since: the position up to which additions are kept already, at first 0.
        """
        return Addition({}, since, since)

    @abstractmethod
    def agent(self) -> Agent:
        """The agent as learned so far, sharing the trainer's parameters."""
