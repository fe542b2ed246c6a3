"""A policy and a value function in one network, and the agent that acts by it."""

from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from ..core import memory, networks
from ..core.agent import Agent
from ..core.distributions import ActionHead
from ..core.features import flatten_observations, orthogonal


class ActorCritic(nn.Module):
    """A policy and a value function, on one torso or on two.

    Args:
        observation_space: of one environment.
        action_space: of one environment.
        network: the kind of torso; see `networks.torso`.
        hidden: widths of its layers.
        activation: follows each of them.
        shared: whether policy and values share the torso; with a memory they must.
        memory_kind: what the policy remembers; see `memory.memory`.
        memory_size: width of the memory.
        memory_window: past steps that a transformer sees.
        normalize: whether observations are normalised by their running moments.

    Raises:
        InvalidArgumentError: for arguments that do not fit together.
        UnsupportedFaceError: no network reads or acts in the spaces.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        network: networks.NetworkKind = "auto",
        hidden: tuple[int, ...] = (64, 64),
        activation: networks.Activation = "tanh",
        shared: bool = True,
        memory_kind: memory.MemoryKind = "none",
        memory_size: int = 64,
        memory_window: int = 16,
        normalize: bool = False,
    ):
        super().__init__()
        if memory_kind != "none" and not shared:
            raise InvalidArgumentError("with a memory, policy and values share it: set shared")
        make = (observation_space, network, hidden, activation, normalize)
        self.shared = shared
        self.torso = networks.torso(*make)
        self.value_torso = None if shared else networks.torso(*make)
        self.memory = memory.memory(memory_kind, self.torso.width, memory_size, memory_window)
        width = self.memory.width if self.memory else self.torso.width
        self.head = ActionHead(action_space)
        if network == "slots":
            self.policy = _Scores(observation_space, self.head.inputs, memory_kind)
        else:
            self.policy = orthogonal(width, self.head.inputs, gain=0.01)
        self.critic = orthogonal(width, 1, gain=1.0)

    def initial_state(self, lanes: int) -> Tensor | None:
        """The memory's state (lanes, size) before anything was seen; None without memory."""
        device = self.critic.weight.device
        return None if self.memory is None else self.memory.initial(lanes, device)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the policy (n, k) and values (n,) of raw observation rows (n, width)."""
        features = self.torso(rows)
        of_values = features if self.value_torso is None else self.value_torso(rows)
        return self.policy(features), self.critic(of_values).squeeze(-1)

    def unroll(self, rows: Tensor, state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read stretches of time with the memory.

        Args:
            rows: (time, n, width).
            state: (n, size), before the first.
            starts: (time, n) `bool`, whether an observation is the first of its episode.

        Returns:
            Outputs (time, n, k), values (time, n), and the state after the last.
        """
        assert self.memory is not None
        features = self.torso(rows.flatten(0, 1))
        seen, state = self.memory(features.unflatten(0, rows.shape[:2]), state, starts)
        return self.policy(seen), self.critic(seen).squeeze(-1), state

    def act(
        self, rows: Tensor, state: Tensor | None, starts: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """One step of all lanes.

        Args:
            rows: (n, width).
            state: of the memory, or None.
            starts: (n,) `bool`, whether an observation is the first of its episode.

        Returns:
            Outputs (n, k); values (n,), or None where they share nothing with the policy and are
            better computed together later; and the memory's new state.
        """
        if state is not None:
            outputs, values, state = self.unroll(rows[None], state, starts[None])
            return outputs[0], values[0], state
        if self.shared:
            return *self(rows), None
        return self.policy(self.torso(rows)), None, None

    def value(self, rows: Tensor, state: Tensor | None) -> Tensor:
        """Values (n,) of raw rows (n, width), seen after what the memory's state tells of."""
        if state is not None:
            starts = torch.zeros((1, len(rows)), dtype=torch.bool, device=rows.device)
            return self.unroll(rows[None], state, starts)[1][0]
        return self.critic((self.value_torso or self.torso)(rows)).squeeze(-1)


class _Scores(nn.Module):
    """The scores that `SlotEncoder` puts first, as logits.

    Raises:
        InvalidArgumentError: there is a memory, behind which there are no scores.
        UnsupportedFaceError: the entities of the observation are not as many as the actions.
    """

    def __init__(self, space: spaces.Space[Any], actions: int, memory_kind: memory.MemoryKind):
        super().__init__()
        if memory_kind != "none":
            raise InvalidArgumentError(f"slots keep no memory; got memory={memory_kind!r}")
        if space.shape is None or space.shape[0] != actions:
            raise UnsupportedFaceError(
                f"slots are as many rows of the observation as there are actions, {actions}; got "
                f"{space}"
            )
        self.actions = actions

    def forward(self, features: Tensor) -> Tensor:
        return features[:, : self.actions]


class PolicyAgent(Agent):
    """Acts by a trained policy: samples its actions, or takes the most probable.

    Args:
        network: the policy.
    """

    def __init__(self, network: ActorCritic):
        self.network = network

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        device = self.network.critic.weight.device
        self._generator = torch.Generator(device).manual_seed(seed % 2**63)
        self._state = self.network.initial_state(env.num_envs)
        self._starts = torch.ones(env.num_envs, dtype=torch.bool, device=device)

    @torch.no_grad()
    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        network, device = self.network, self._starts.device
        rows = flatten_observations(observations).to(device)
        mask = infos.get("action_mask")
        mask = None if mask is None else torch.as_tensor(mask).to(device)
        outputs, _, self._state = network.act(rows, self._state, self._starts)
        distribution = network.head(outputs, mask)
        if self.deterministic:
            return distribution.mode().cpu().numpy()
        noise = network.head.noise((len(rows),), self._generator)
        return distribution.sample(noise).cpu().numpy()

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        self._starts = torch.as_tensor(ended).to(self._starts.device)
