"""Experience of many environments side by side: collection, and advantages from it."""

from typing import Any, NamedTuple

import gymnasium
import numba
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from ...envs.kernel.errors import UnsupportedFaceError
from ...envs.registry import ENTRIES
from .distributed import World
from .features import flatten_observations
from .trainer import Task


def make_batch(task: Task, world: World) -> Any:
    """This process's share of a task's environments, on the GPU where they can be.

    Raises:
        UnsupportedFaceError: the environment is a game whose agents act one after the other.
    """
    share = world.share(task.num_envs)
    faces = {row.id: row.faces for row in ENTRIES}.get(task.env_id, ())
    on_gpu = {"device": task.device} if task.device != "cpu" and "cuda" in faces else {}
    env: Any = gymnasium.make_vec(
        task.env_id, num_envs=share.stop - share.start, autoreset_mode=task.autoreset_mode,
        **on_gpu, **task.env_kwargs,
    )  # fmt: skip
    if env.definition.turns:
        raise UnsupportedFaceError(
            f"in {task.env_id} the agents {', '.join(env.definition.agents)} take turns; this "
            "trainer learns for one agent, or for all that act at once"
        )
    return env


class _Finals(NamedTuple):
    """Final observations of the episodes that were cut off at one step."""

    time: int
    lanes: Tensor
    rows: Tensor
    state: Any


class Rollout:
    """A stretch of experience of all lanes, in arrays that are filled again and again.

    The environment writes straight into them. Experience goes on where the last stretch ended.
    Autoreset modes differ in when a lane starts anew: with the step that ends an episode
    (same-step and disabled, where it is reset here), or with the next, which then is no experience
    and has a weight of 0. Of a game whose agents act at once one policy moves all of them, for the
    mean of their rewards.

    Args:
        env: the batch; `reset` has been called and returned `seen`.
        network: an `ActorCritic`.
        num_steps: the length of a stretch.
        seen: observations and infos of the reset.
        device: of the network.

    Attributes:
        rows: (time + 1, lanes, width) raw observations, before each action and after the last.
        masks: (time + 1, lanes, actions) `int8`; None where every action is always legal.
        starts: (time + 1, lanes) `bool`, whether an observation is the first of its episode.
        actions, log_probs: (time, lanes, …) and (time, lanes).
        values: (time + 1, lanes), of the observations.
        rewards, ended: (time, lanes).
        beyond: (time, lanes), where an episode was cut off, the value of its final observation.
        weights: (time, lanes), 0 for what is no experience; None where everything is.
        first_state: (lanes, size), the memory's state before the stretch; None without memory.
    """

    def __init__(self, env: Any, network: Any, num_steps: int, seen: tuple[Any, Any], device: str):
        self.env, self.network, self.device = env, network, torch.device(device)
        n, time = env.num_envs, num_steps
        self._num_steps = time
        self._mode = env.metadata["autoreset_mode"]
        self._env_on_gpu = hasattr(env, "device")
        #: Whether collecting never waits for the host, so that a GPU can repeat it as a graph.
        self.stays_on_device = self._env_on_gpu and self._mode is not AutoresetMode.DISABLED
        self._apart = self.device.type != "cpu" and not self._env_on_gpu
        rows = flatten_observations(seen[0])
        head = network.head
        shape = env.single_observation_space.shape
        self._written = None
        host: dict[str, Any] = {"pin_memory": True} if self._apart else {"device": self.device}
        if shape is not None:
            self._written = torch.empty((time + 1, n, *shape), dtype=rows.dtype, **host)
            self.rows = self._written.flatten(2) if shape else self._written.unsqueeze(2)
        else:
            self.rows = torch.empty((time + 1, *rows.shape), dtype=rows.dtype, **host)
        agents = tuple(env.buffers.rewards.shape[1:])  # of a game
        self._rewards = torch.empty((time, n, *agents), **host)
        self._terminated = torch.empty((time, n, *agents), dtype=torch.bool, **host)
        self._truncated = torch.empty((time, n), dtype=torch.bool, **host)
        self._host_rows = self.rows
        if self._apart:
            self.rows = torch.empty_like(self.rows, device=self.device)
        self.actions = torch.empty((time, n, *head.shape), dtype=head.dtype, device=self.device)
        self.outputs = torch.empty((time, n, head.inputs), device=self.device)
        self.values = torch.empty((time + 1, n), device=self.device)
        self.beyond = torch.empty((time, n), device=self.device)
        self.starts = torch.zeros((time + 1, n), dtype=torch.bool, device=self.device)
        self.starts[-1] = True
        self.masks = None
        if "action_mask" in seen[1]:
            mask = torch.as_tensor(seen[1]["action_mask"])
            self.masks = torch.empty((time + 1, *mask.shape), dtype=mask.dtype, device=self.device)
        self.weights: Tensor | None = None
        if self._mode is AutoresetMode.NEXT_STEP:
            self.weights = torch.ones((time, n), device=self.device)
        #: Whether the next step of a lane only starts its next episode.
        self.pending = torch.zeros(n, dtype=torch.bool, device=self.device)
        #: The memory's state now, and before the stretch.
        self.state, self.first_state = (network.initial_state(n) for _ in range(2))
        self.look(*seen)

    def look(self, observations: Any, infos: dict[str, Any]) -> None:
        """Go on from these observations, as after a reset or `restore`."""
        self._host_rows[-1].copy_(flatten_observations(observations))
        if self._apart:
            self.rows[-1].copy_(self._host_rows[-1])
        if self.masks is not None:
            self.masks[-1].copy_(torch.as_tensor(infos["action_mask"]))

    @torch.no_grad()
    def collect(self, noise: Tensor) -> None:
        """Fill the arrays with the next steps of all lanes.

        Args:
            noise: (time, lanes, …) that actions are sampled from.
        """
        masks = () if self.masks is None else (self.masks,)
        for array in (self.rows, self._host_rows, self.starts, *masks):
            array[0].copy_(array[-1])
        if self.first_state is not None:
            self.first_state.copy_(self.state)
        self.beyond.zero_()
        self._finals: list[_Finals] = []
        state = self.first_state
        for t in range(self._num_steps):
            outputs, values, state = self.network.act(self.rows[t], state, self.starts[t])
            self.outputs[t] = outputs
            if values is not None:
                self.values[t] = values
            mask = None if self.masks is None else self.masks[t]
            self.actions[t] = self.network.head(outputs, mask).sample(noise[t])
            self._step(t, state)
        if self.state is not None:
            self.state.copy_(state)
        self._evaluate()

    def _step(self, t: int, state: Tensor | None) -> None:
        """Step the environment into the arrays; `state` is the memory's, after the observation."""
        if self.weights is not None:
            self.weights[t] = (~self.pending).float()
        self.env.write_into(
            observations=None if self._written is None else self._written[t + 1],
            rewards=self._rewards[t],
            terminated=self._terminated[t],
            truncated=self._truncated[t],
        )
        actions = self.actions[t]
        observations, *_, infos = self.env.step(
            actions if self._env_on_gpu else actions.cpu().numpy()
        )
        if self._mode is AutoresetMode.DISABLED:
            observations, infos = self._reset(t, state, observations, infos)
        if self._written is None:
            self._host_rows[t + 1] = flatten_observations(observations)
        if self._apart:
            self.rows[t + 1].copy_(self._host_rows[t + 1], non_blocking=True)
        if self.masks is not None:
            self.masks[t + 1] = torch.as_tensor(infos["action_mask"])
        ended = self._over(t) | self._truncated[t]
        if self._mode is AutoresetMode.NEXT_STEP:
            self.starts[t + 1] = self.pending
            self.pending.copy_(ended)
            return
        self.starts[t + 1] = ended
        if self._mode is AutoresetMode.SAME_STEP and "final_obs" in infos:
            self._note_finals(t, state, infos["final_obs"])

    def _reset(self, t: int, state: Any, observations: Any, infos: Any) -> tuple[Any, Any]:
        """Start anew the lanes whose episodes have ended, where the environment does not."""
        ended = self._over(t) | self._truncated[t]
        if not ended.any():
            return observations, infos
        if isinstance(observations, dict):
            observations = {k: v.copy() for k, v in observations.items()}
        self._note_finals(t, state, observations)
        return self.env.reset(options={"reset_mask": ended if self._env_on_gpu else ended.numpy()})

    def _note_finals(self, t: int, state: Any, final: Any) -> None:
        """Keep the final observations of the episodes that were cut off; see `beyond`."""
        cut = self._truncated[t] & ~self._over(t)
        if self._env_on_gpu:  # Which lanes they are only the device knows: all are evaluated.
            values = self.network.value(flatten_observations(final), state)
            self.beyond[t] = torch.where(cut, values, 0.0)
        elif cut.any():
            lanes = cut.nonzero().squeeze(1)
            state = None if state is None else state[lanes.to(self.device)]
            self._finals.append(_Finals(t, lanes, flatten_observations(final)[lanes], state))

    def _evaluate(self) -> None:
        """Values, and probabilities of the actions, that were not needed on the way."""
        network = self.network
        if network.shared:
            _, self.values[-1], _ = network.act(self.rows[-1], self.state, self.starts[-1])
        else:
            self.values[...] = network.value(self.rows.flatten(0, 1), None).view_as(self.values)
        if self._finals:
            times = torch.cat([torch.full_like(f.lanes, f.time) for f in self._finals])
            lanes = torch.cat([f.lanes for f in self._finals])
            rows = torch.cat([f.rows for f in self._finals]).to(self.device)
            state = None if self.state is None else torch.cat([f.state for f in self._finals])
            where = times.to(self.device), lanes.to(self.device)
            self.beyond[where] = network.value(rows, state)
        terminated = self._over(slice(None)).to(self.device, non_blocking=True)
        truncated = self._truncated.to(self.device, non_blocking=True)
        if self._mode is AutoresetMode.NEXT_STEP:
            self.beyond = torch.where(truncated & ~terminated, self.values[1:], 0.0)
        self.ended = terminated | truncated
        rewards = self._rewards if self._rewards.ndim == 2 else self._rewards.mean(-1)
        self.rewards = rewards.to(self.device, non_blocking=True)
        masks = None if self.masks is None else self.masks[:-1]
        self.log_probs = network.head(self.outputs, masks).log_prob(self.actions)

    def _over(self, when: Any) -> Tensor:
        """Where an episode terminated: of a game, for all agents."""
        terminated = self._terminated[when]
        return terminated if self._terminated.ndim == 2 else terminated.all(-1)


def generalized_advantages(
    rewards: Tensor, values: Tensor, ended: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalized advantage estimates (Schulman et al. 2016, "High-dimensional continuous control
    using generalized advantage estimation", equation 16).

    Args:
        rewards: (time, n). Where an episode was truncated, its last reward must already include
            the discounted value of the final observation.
        values: (time + 1, n), of the observations acted on and of those after the last step.
        ended: (time, n) `bool`, whether the episode ended with this step.
        gamma: the discount.
        lam: λ; 0 gives temporal-difference errors, 1 Monte Carlo returns.

    Returns:
        (time, n) advantages; adding `values` gives the targets of the value function.
    """
    advantages = torch.empty_like(rewards)
    if rewards.device.type == "cpu":
        arrays = [part.numpy() for part in (rewards, values, ended, advantages)]
        _advantages(*arrays, np.float32(gamma), np.float32(lam))  # pyright: ignore
        return advantages
    running = torch.zeros_like(values[0])
    for t in range(len(rewards) - 1, -1, -1):
        goes_on = (~ended[t]).float()
        error = rewards[t] + gamma * values[t + 1] * goes_on - values[t]
        running = error + gamma * lam * goes_on * running
        advantages[t] = running
    return advantages


@numba.njit(cache=True, nogil=True)
def _advantages(rewards, values, ended, advantages, gamma, lam):  # pragma: no cover
    """The same on the CPU, where a call of torch costs more than a row of lanes."""
    for t in range(len(rewards) - 1, -1, -1):
        for i in range(rewards.shape[1]):
            error, later = rewards[t, i] - values[t, i], np.float32(0)
            if not ended[t, i]:
                error += gamma * values[t + 1, i]
                if t + 1 < len(rewards):
                    later = advantages[t + 1, i]
            advantages[t, i] = error + gamma * lam * later


class EpisodeStatistics:
    """The return and length of every lane's latest finished episode.

    A mean over the episodes that happen to end in an update would favour short ones: early in
    training, the few lucky ones. So nothing is told before every lane has finished an episode.

    Args:
        num_envs: the number of lanes.
    """

    def __init__(self, num_envs: int) -> None:
        self.latest = np.full((2, num_envs), np.nan)

    def look(self, env: Any) -> None:
        """Take note of the episodes that have ended in a batch."""
        returns, lengths = env.latest_episodes()
        ended = lengths > 0
        if returns.ndim > 1:
            returns = returns.mean(axis=1)  # over the agents of a game
        self.latest[0, ended] = returns[ended]
        self.latest[1, ended] = lengths[ended]

    def means(self, world: World | None = None) -> dict[str, float]:
        """`return_mean` and `length_mean`; empty before every lane has finished an episode."""
        sums = torch.from_numpy(np.vstack([self.latest, np.ones_like(self.latest[0])])).sum(1)
        returns, lengths, lanes = (world or World()).sum(sums).tolist()
        if np.isnan(returns):
            return {}
        return {"return_mean": returns / lanes, "length_mean": lengths / lanes}
