"""TRL: episodes of the suite as the prompts, rewards and tools of its `GRPOTrainer`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gymnasium

from ...envs.kernel.errors import InvalidActionError, InvalidArgumentError
from ...envs.kernel.spaces import Unicode

if TYPE_CHECKING:
    from datasets import Dataset


class TRLTask:
    """An environment as a task for TRL.

    Of environments of one turn the message is the episode:
    `GRPOTrainer(model, task.episode_return, train_dataset=task.prompts(1000), …)`. All others are
    played by calls of a tool, which the model's chat template must know how to write:
    `GRPOTrainer(model, train_dataset=task.prompts(1000, chat=True),
    environment_factory=task.environment, …)`.

    Args:
        env_id: the environment.
        env_kwargs: its arguments.
    """

    def __init__(self, env_id: str, **env_kwargs: Any):
        self.env_id, self.env_kwargs = env_id, env_kwargs
        self._env = self.make()

    def make(self) -> gymnasium.Env[Any, Any]:
        """The environment."""
        return gymnasium.make(self.env_id, disable_env_checker=True, **self.env_kwargs)

    def prompts(self, count: int, *, seed: int = 0, chat: bool = False) -> "Dataset":
        """Starts, as a data set with the columns `prompt` and `seed`, from which they come back.

        Args:
            count: how many.
            seed: of the first one; those of the others follow.
            chat: whether a prompt is the message of a user instead of a line of text.

        Raises:
            InvalidArgumentError: there is nothing to be drawn.
        """
        from datasets import Dataset

        if count < 1:
            raise InvalidArgumentError(f"count must be at least 1; got {count!r}")
        seeds, prompts = list(range(seed, seed + count)), []
        for start in seeds:
            self._env.reset(seed=start)
            text = describe(self._env)
            prompts.append([{"role": "user", "content": text}] if chat else f"{text}\n")
        return Dataset.from_dict({"prompt": prompts, "seed": seeds})

    def episode_return(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        seed: Sequence[int] | None = None,
        **columns: Any,
    ) -> list[float]:
        """What completions earn, each as the message of an episode: a reward function of TRL.

        Args:
            prompts: what was asked; not looked at.
            completions: texts, or lists of messages of which the last one counts.
            seed: the starts, a column of `prompts`.
            columns: whatever else TRL tells.

        Raises:
            InvalidArgumentError: the column of seeds is missing, actions are no messages, or an
                episode has more than one turn.
        """
        if seed is None:
            raise InvalidArgumentError(
                "the column seed is missing: train on the data set of TRLTask.prompts, with "
                "remove_unused_columns off"
            )
        if not isinstance(self._env.action_space, Unicode):
            raise InvalidArgumentError(f"actions of {self.env_id} are no messages; {_INSTEAD}")
        return [self._earned(*pair) for pair in zip(seed, completions, strict=True)]

    def _earned(self, seed: int, completion: Any) -> float:
        text = completion if isinstance(completion, str) else completion[-1].get("content")
        said = text.strip() if isinstance(text, str) else ""
        self._env.reset(seed=int(seed))
        _, reward, terminated, truncated, _ = self._env.step(said)
        if not (terminated or truncated):
            raise InvalidArgumentError(f"{self.env_id} has more than one turn; {_INSTEAD}")
        return float(reward)

    def environment(self) -> "ToolEnvironment":
        """One more environment to be played by a tool: an environment factory of TRL."""
        return ToolEnvironment(self.make())


_INSTEAD = "give environment_factory=task.environment instead of a reward function"


class ToolEnvironment:
    """An environment whose actions are calls of the tool `act`, for TRL's `environment_factory`.

    What `act` raises is told to the model, and nothing has happened.

    Args:
        env: the environment.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]):
        self._env = env
        self._return, self._over = 0.0, True

    def reset(self, seed: int, **columns: Any) -> None:
        """Begin the episode that a row of `TRLTask.prompts` asks for."""
        self._env.reset(seed=int(seed))
        self._return, self._over = 0.0, False

    def act(self, action: str) -> str:
        """Take an action, and see what comes of it.

        Args:
            action: What to do, in words.

        Returns:
            The reward, and the new state in words.
        """
        if self._over:
            raise InvalidActionError("the episode is over: no more actions can be taken")
        env: Any = self._env
        words = str(action).strip()
        said = words if isinstance(env.action_space, Unicode) else env.unwrapped.parse(words)
        _, reward, terminated, truncated, _ = env.step(said)
        self._return, self._over = self._return + float(reward), terminated or truncated
        over = "\nThe episode is over." if self._over else ""
        return f"reward {reward:g}\n{describe(env)}{over}"

    def get_reward(self) -> float:
        """The sum of the episode's rewards so far."""
        return self._return


def describe(env: Any) -> str:
    """The present state of an environment in words."""
    return env.unwrapped.describe()


def as_trl_task(env_id: str, **env_kwargs: Any) -> TRLTask:
    """An environment of the suite for TRL; see `TRLTask`."""
    return TRLTask(env_id, **env_kwargs)
