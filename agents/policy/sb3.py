"""SAC and TD3, as Stable-Baselines3 has them, for continuous actions.

Haarnoja et al. 2018, "Soft actor-critic algorithms and applications"; Fujimoto et al. 2018,
"Addressing function approximation error in actor-critic methods"; Raffin et al. 2021,
"Stable-Baselines3: reliable reinforcement learning implementations".
"""

import random
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from ...wrappers.adapters.sb3 import SB3VecEnv
from ..core.agent import Agent
from ..core.checkpoint import pack_records, unpack_records
from ..core.rollout import EpisodeStatistics
from ..core.torch_state import pack_tensors, unpack_tensors
from ..core.trainer import Arrays, Task, Trainer

#: What a replay holds, and the metrics that Stable-Baselines3 logs.
_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_METRICS = ("actor_loss", "critic_loss", "ent_coef")


@dataclass(frozen=True)
class Config:
    """Hyperparameters of SAC and TD3."""

    num_steps: int = 32
    """Steps of every environment that are logged together."""
    updates_per_step: int = 8
    """Gradient steps after each step of all environments."""
    batch_size: int = 256
    """Transitions of a gradient step."""
    replay_size: int = 200_000
    """Transitions kept."""
    learning_starts: int = 1_000
    """Environment steps, of random actions, before the first gradient step."""
    learning_rate: float = 3e-4
    """Adam's step size, of actor, critics and SAC's temperature."""
    gamma: float = 0.99
    """The discount."""
    tau: float = 0.005
    """The part of the way that target networks move at each gradient step."""
    temperature: float = 0.01
    """SAC's temperature at the start; it is small where returns are about 1."""
    exploration_noise: float = 0.1
    """Standard deviation of the noise on TD3's actions, scaled to [−1, 1]; SAC samples instead."""
    hidden: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of actor and critics."""


class SB3Agent(Agent):
    """Takes the mean action of an actor.

    Args:
        policy: of a Stable-Baselines3 algorithm.
    """

    deterministic = True

    def __init__(self, policy: Any):
        self.policy = policy

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        return self.policy.predict(observations, deterministic=True)[0]


class _Means(Logger):
    """Keeps the mean of what is logged, where Stable-Baselines3 keeps the latest."""

    def __init__(self) -> None:
        super().__init__(folder=None, output_formats=[])

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        self.record_mean(key, value, exclude)

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        found = {name: self.name_to_value.get(f"train/{name}") for name in _METRICS}
        self.name_to_value.clear()
        self.name_to_count.clear()
        return {name: float(value) for name, value in found.items() if value is not None}


class SB3Trainer(Trainer):
    """An off-policy algorithm of Stable-Baselines3, advanced some steps at a time.

    Stable-Baselines3 draws from the global generators of NumPy and torch. They are lent to it while
    it works, and put back after, so that runs do not disturb each other and one that was stopped
    goes on exactly; on a GPU up to what its kernels leave open.

    Raises:
        UnsupportedFaceError: the observations are not a `Box`, the actions not a bounded `Box`, or
            there are several agents.
        InvalidArgumentError: a hyperparameter is out of range.
    """

    default_num_envs = 8

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        _check(config)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        _check_spaces(task.env_id, self.env.definition)
        self.statistics = EpisodeStatistics(task.num_envs)
        self._logger = _Means()
        self._random: dict[str, Any] | None = None
        with self._global_randomness():
            self.model = self.make(SB3VecEnv(self.env))
        self.model.set_logger(self._logger)
        self.model.get_env().seed(task.seed * 2**20)  # pyright: ignore[reportOptionalMemberAccess]

    @abstractmethod
    def make(self, env: SB3VecEnv) -> OffPolicyAlgorithm:
        """The algorithm on an environment."""

    def arguments(self, env: SB3VecEnv) -> dict[str, Any]:
        """What the constructors of the algorithms have in common."""
        config = self.config
        return {
            "policy": "MlpPolicy",
            "env": env,
            "learning_rate": config.learning_rate,
            "buffer_size": config.replay_size,
            "learning_starts": config.learning_starts,
            "batch_size": config.batch_size,
            "tau": config.tau,
            "gamma": config.gamma,
            "gradient_steps": config.updates_per_step,
            "policy_kwargs": {"net_arch": list(config.hidden)},
            "seed": self.task.seed,
            "device": self.task.device,
        }

    def step(self) -> dict[str, float]:
        steps = self.config.num_steps * self.task.num_envs
        with self._global_randomness():
            self.model.learn(steps, self._note, log_interval=None, reset_num_timesteps=False)  # pyright: ignore[reportArgumentType]
        self.env_steps = self.model.num_timesteps
        return {**self.statistics.means(), **self._logger.take()}

    def _note(self, *_: Any) -> bool:
        self.statistics.look(self.env)
        return True

    @contextmanager
    def _global_randomness(self) -> Iterator[None]:
        """The global generators are this trainer's inside."""
        outside = np.random.get_state(legacy=False), random.getstate()
        devices = [self.task.device] if self.task.device != "cpu" else []
        try:
            with torch.random.fork_rng(devices):
                if self._random is not None:
                    np.random.set_state(self._random["numpy"])
                    torch.set_rng_state(self._random["torch"])
                    for device, state in zip(devices, self._random["devices"], strict=True):
                        torch.cuda.set_rng_state(state, device)
                yield
                self._random = {
                    "numpy": np.random.get_state(legacy=False),
                    "torch": torch.get_rng_state(),
                    "devices": [torch.cuda.get_rng_state(device) for device in devices],
                }
        finally:
            np.random.set_state(outside[0])
            random.setstate(outside[1])

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        model: Any = self.model
        found = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
        if getattr(model, "ent_coef_optimizer", None) is not None:
            found["temperature"] = model.ent_coef_optimizer
        return found

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        model: Any = self.model
        replay, generators = model.replay_buffer, self._random or {}
        size = replay.size()
        arrays = {f"transitions.{name}": getattr(replay, name)[:size] for name in _REPLAY}
        arrays |= pack_tensors("policy", model.policy.state_dict())
        for name, optimizer in self._optimizers().items():
            for index, moments in optimizer.state_dict()["state"].items():
                arrays |= pack_tensors(f"{name}.{index}", moments)
        if "temperature" in self._optimizers():
            arrays["log_ent_coef"] = model.log_ent_coef.detach().cpu().numpy()
        if model.num_timesteps:  # Before, the environment has no state.
            arrays["env"] = pack_records(self.env.snapshot())
        numpy_state = generators["numpy"]["state"]
        arrays |= {"episodes": self.statistics.latest, "numpy": numpy_state["key"]}
        for index, bits in enumerate([generators["torch"], *generators["devices"]]):
            arrays[f"torch.{index}"] = bits.numpy()
        return arrays, {
            "env_steps": self.env_steps,
            "updates": model._n_updates,
            "numpy_position": int(numpy_state["pos"]),
            "numpy_gauss": [generators["numpy"]["has_gauss"], generators["numpy"]["gauss"]],
            "action_rng": model.action_space.np_random.bit_generator.state,
        }

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        model: Any = self.model
        replay = model.replay_buffer
        size = len(arrays["transitions.rewards"])
        for name in _REPLAY:
            getattr(replay, name)[:size] = arrays[f"transitions.{name}"]
        vector_steps = meta["env_steps"] // self.task.num_envs
        replay.pos = vector_steps % replay.buffer_size
        replay.full = vector_steps >= replay.buffer_size
        model.policy.load_state_dict(unpack_tensors("policy", arrays))
        for name, optimizer in self._optimizers().items():
            groups = optimizer.state_dict()["param_groups"]
            moments = {i: unpack_tensors(f"{name}.{i}", arrays) for i in groups[0]["params"]}
            kept = {i: values for i, values in moments.items() if values}
            optimizer.load_state_dict({"state": kept, "param_groups": groups})
        if "log_ent_coef" in arrays:
            model.log_ent_coef.data.copy_(torch.from_numpy(arrays["log_ent_coef"]))
        if "env" in arrays:
            self.env.restore(unpack_records(arrays["env"], self.env.states))
            model._last_obs = self.env.present()[0]
        self.statistics.latest = arrays["episodes"].copy()
        has_gauss, gauss = meta["numpy_gauss"]
        key = {"key": arrays["numpy"], "pos": meta["numpy_position"]}
        torch_states = list(unpack_tensors("torch", arrays).values())
        self._random = {
            "numpy": {
                "bit_generator": "MT19937", "state": key, "has_gauss": has_gauss, "gauss": gauss,
            },
            "torch": torch_states[0],
            "devices": torch_states[1:],
        }  # fmt: skip
        model.action_space.np_random.bit_generator.state = meta["action_rng"]
        model._n_updates = meta["updates"]
        self.env_steps = model.num_timesteps = meta["env_steps"]

    def agent(self) -> SB3Agent:
        return SB3Agent(self.model.policy)


class SAC(SB3Trainer):
    """Soft actor-critic, its temperature tuned to an entropy of minus the number of actions."""

    def make(self, env: SB3VecEnv) -> OffPolicyAlgorithm:
        return stable_baselines3.SAC(
            **self.arguments(env), ent_coef=f"auto_{self.config.temperature}"
        )


class TD3(SB3Trainer):
    """Twin delayed deep deterministic policy gradient."""

    def make(self, env: SB3VecEnv) -> OffPolicyAlgorithm:
        shape = env.action_space.shape or ()
        noise = NormalActionNoise(
            np.zeros(shape, np.float32), np.full(shape, self.config.exploration_noise, np.float32)
        )
        return stable_baselines3.TD3(**self.arguments(env), action_noise=noise)


def _check_spaces(env_id: str, definition: Any) -> None:
    observations, actions = definition.observation_space, definition.action_space
    bounded = isinstance(actions, spaces.Box) and actions.is_bounded()
    if not isinstance(observations, spaces.Box) or not bounded or definition.agents:
        raise UnsupportedFaceError(
            "SAC and TD3 are for one agent with Box observations and bounded Box actions; "
            f"{env_id} has {observations} and {actions}"
        )


def _check(config: Config) -> None:
    positive = (
        "num_steps",
        "updates_per_step",
        "batch_size",
        "replay_size",
        "learning_rate",
        "temperature",
    )
    wrong = [name for name in positive if getattr(config, name) <= 0]
    if wrong:
        raise InvalidArgumentError(f"{' and '.join(wrong)} must be positive")
    if config.learning_starts < 0 or config.exploration_noise < 0:
        raise InvalidArgumentError("learning_starts and exploration_noise must not be negative")
    if not 0 <= config.gamma <= 1 or not 0 < config.tau <= 1:
        raise InvalidArgumentError(
            f"gamma must be from 0 to 1 and tau in (0, 1]; got {config.gamma!r} and {config.tau!r}"
        )
