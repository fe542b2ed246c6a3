"""`Agent`: what everything that acts has in common, and the loop in which it acts."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np


class Agent(ABC):
    """Acts in a batch of environments.

    `start` is called once for a batch; then `act` and `update` alternate, once a step. Agents that
    learn within an episode (bandit algorithms) do so in `update`; planners and language models
    reach the other faces of the batch through `self.env`: its `states`, `prototype.model`,
    `describe(lane)`, `action_words(lane, action)` and `parse(lane, text)`.
    """

    #: Whether a policy takes its most probable action rather than sample one.
    deterministic: bool = False
    #: Where it need not act any more, (lanes,) `bool`: what it does there is not looked at. Whoever
    #: lets it act may say so; agents for which an action is dear then save it.
    retired: np.ndarray[Any, np.dtype[np.bool_]]

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act in `env`, a vector environment of the suite in same-step mode.

        Args:
            env: the batch; `reset` has been called.
            seed: of the agent's own randomness.
        """
        self.env = env
        self.rng = np.random.default_rng(seed)
        self.retired = np.zeros(env.num_envs, bool)

    @abstractmethod
    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        """One action for each lane, from the batch's latest observations and infos."""

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:  # noqa: B027
        """Learn from a step; most agents do not.

        Args:
            actions: what `act` returned.
            rewards: (n,) `float32`.
            ended: (n,) `bool`; where True, the lane's next observation begins another episode.
        """


class RandomAgent(Agent):
    """Draws legal actions uniformly: the yardstick's lower end."""

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        return self.env.sample_actions(self.rng)


class Step(NamedTuple):
    """One step of a batch.

    Attributes:
        actions: what the agent did.
        rewards: (n,) `float32`.
        ended: (n,) `bool`, terminated or truncated.
        infos: as the environment gave them.
    """

    actions: Any
    rewards: np.ndarray
    ended: np.ndarray
    infos: dict[str, Any]


def interact(agent: Agent, env: Any, seen: tuple[Any, dict[str, Any]], seed: int) -> Iterator[Step]:
    """Let an agent act, for as many steps as are asked for.

    Args:
        agent: who acts; it has learned from a step when the step is handed out.
        env: a vector environment of the suite in same-step mode.
        seen: what its `reset` returned.
        seed: of the agent.
    """
    observations, infos = seen
    agent.start(env, seed)
    while True:
        actions = agent.act(observations, infos)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        # Of a game each agent has its own flag, and an episode is over for all.
        ended = terminated.reshape(len(truncated), -1).all(axis=1) | truncated
        agent.update(actions, rewards, ended)
        yield Step(actions, rewards, ended, infos)
