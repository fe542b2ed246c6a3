"""PettingZoo's faces of a game: all agents at once, or one after the other."""

import copy
import functools
import operator
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from .env import KernelEnv
from .errors import InvalidActionError, UnsupportedFaceError
from .spaces import LegalDiscrete

Mask = np.ndarray[Any, np.dtype[np.int8]]
Infos = dict[str, dict[str, Any]]


class TeamFace:
    """What `ParallelFace` and `AECFace` have in common.

    The infos of an agent hold the metrics of the environment and, where not every action is always
    legal, the agent's `action_mask`, (n_actions,) `int8`. It is all zeros for an agent whose turn
    it is not. Samples of an agent's action space are legal.

    Unknown reset options only warn, because PettingZoo's own tests give one to every environment.

    Args:
        joint: the game, as one environment in which all agents act together.

    Attributes:
        joint: the same; its model, words and pictures are there.
        state_space: of `state()`, the observations of all agents.
    """

    #: What a snapshot holds besides the state record.
    _kept: ClassVar[tuple[str, ...]] = ("agents",)

    agents: list[str]

    def __init__(self, joint: KernelEnv):
        definition = joint.definition
        if not definition.agents:
            raise UnsupportedFaceError(f"{joint!r} has one agent only: use gymnasium.make")
        self.joint = joint
        self.possible_agents = list(definition.agents)
        self.metadata = {
            **joint.metadata,
            "name": type(joint).__name__,
            "is_parallelizable": not definition.turns,
        }
        self.render_mode = joint.render_mode
        self.state_space = joint.observation_space
        self.observation_spaces = {
            agent: copy.deepcopy(joint.agent_observation_space) for agent in self.possible_agents
        }
        self.action_spaces = {agent: self._space_of(agent) for agent in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The observation space of an agent."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The action space of an agent, whose samples are legal."""
        return self.action_spaces[agent]

    def action_mask(self, agent: str) -> Mask | None:
        """The actions an agent may choose now, (n_actions,) `int8`; None where always all."""
        mask = self.joint.action_mask()
        return None if mask is None else self._row_of(mask, self.possible_agents.index(agent))

    def snapshot(self) -> dict[str, Any]:
        """The state record and whose turn it is: everything that determines the future."""
        kept = {name: copy.deepcopy(getattr(self, name)) for name in self._kept}
        return {"state": self.joint.snapshot(), **kept}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot of this face.

        Raises:
            InvalidArgumentError: the snapshot is of another environment.
        """
        self.joint.restore(snapshot["state"])
        for name in self._kept:
            setattr(self, name, copy.deepcopy(snapshot[name]))

    def state(self) -> Any:
        """The observations of all agents, as the joint environment gives them."""
        return self.joint.present()[0]

    def render(self) -> Any:
        """What `render_mode` asks for; see `Env.render`."""
        return self.joint.render()

    def close(self) -> None:
        """Let go of what the environment holds."""
        self.joint.close()

    # --- internal ---

    def _space_of(self, agent: str) -> spaces.Space[Any]:
        if self.joint.definition.masked and isinstance(
            self.joint.agent_action_space, spaces.Discrete
        ):
            legal = functools.partial(self.action_mask, agent)
            return LegalDiscrete(self.joint.definition.n_actions, legal)
        return copy.deepcopy(self.joint.agent_action_space)

    def _row_of(self, mask: Mask, index: int) -> Mask:
        if not self.joint.definition.turns:
            return mask[index]
        return mask if index == self.joint.state["turn"] else np.zeros_like(mask)

    def _begin(self, seed: int | None, options: Mapping[str, Any] | None) -> tuple[Any, Infos]:
        known = {"task", *self.joint.reset_options}
        unknown = sorted(set(options or ()) - known)
        if unknown:
            gymnasium.logger.warn(
                f"reset options {unknown} are unknown; accepted are {sorted(known)}"
            )
        options = {name: value for name, value in (options or {}).items() if name in known}
        observation, info = self.joint.reset(seed=seed, options=options)
        self.agents = list(self.possible_agents)
        return observation, self._infos(info)

    def _infos(self, info: dict[str, Any]) -> Infos:
        """The joint infos as those of the agents in the game."""
        infos = {}
        for index, agent in enumerate(self.possible_agents):
            if agent in self.agents:
                infos[agent] = dict(info)
                if "action_mask" in info:
                    infos[agent]["action_mask"] = self._row_of(info["action_mask"], index)
        return infos

    def _must_be_playing(self) -> None:
        if not vars(self).get("agents"):
            raise gymnasium.error.ResetNeeded("no episode is under way: call reset() first")

    def _checked(self, agent: str, action: Any) -> Any:
        """The action of an agent as the joint environment takes it.

        Raises:
            InvalidActionError: names the agent, the action and what was allowed.
        """
        space, mask = self.action_spaces[agent], self.action_mask(agent)
        if mask is not None and not mask.any():
            return 0  # It does not act.
        if isinstance(space, spaces.Discrete):
            try:
                index = operator.index(action)
            except TypeError:
                index = -1
            if 0 <= index < space.n and (mask is None or mask[index]):
                return index
        else:
            given = np.asarray(action)
            numbers = given.shape == space.shape and given.dtype.kind in "biuf"
            if numbers and not np.isnan(given).any():
                return given
        allowed = f"the action space is {space}"
        if mask is not None:
            allowed = f"allowed were {', '.join(map(str, np.flatnonzero(mask)))}"
        raise InvalidActionError(f"agent {agent!r}: action {action!r} is illegal; {allowed}")

    def _joined(self, actions: Mapping[str, Any]) -> Any:
        """Checked actions as one; agents that have left the game have 0."""
        space = self.joint.action_space
        row = np.zeros(space.shape or (), space.dtype)
        for index, agent in enumerate(self.possible_agents):
            if agent in actions:
                row[index] = actions[agent]
        return row


def _of(observation: Any, index: int) -> Any:
    """What one agent sees of a joint observation, as arrays of its own."""
    if isinstance(observation, dict):
        return {name: part[index].copy() for name, part in observation.items()}
    return observation[index].copy()


class ParallelFace(TeamFace, ParallelEnv[str, Any, Any]):
    """A game in which all agents act at once, as a PettingZoo `ParallelEnv`; see `TeamFace`.

    `step` takes a dict of actions, and returns dicts, over the agents in the game. An agent leaves
    `agents` when it is terminated, and all leave when the episode is truncated.

    Raises:
        UnsupportedFaceError: the game is played in turns, or by one agent.
    """

    def __init__(self, joint: KernelEnv):
        super().__init__(joint)
        self.agents = []
        if joint.definition.turns:
            raise UnsupportedFaceError(
                f"{joint!r} is played in turns: use AECFace, or spelunk.aec_env"
            )

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], Infos]:
        """Start an episode: the observations and infos of all agents."""
        observation, infos = self._begin(seed, options)
        return {a: _of(observation, i) for i, a in enumerate(self.agents)}, infos

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Advance one step.

        Args:
            actions: one for each agent in `agents`; one that cannot act may be left out.

        Raises:
            InvalidActionError: an action is illegal, left out, or not of an agent in the game;
                nothing happened.
            gymnasium.error.ResetNeeded: the episode has ended, or none was started.
        """
        self._must_be_playing()
        strangers = sorted(set(actions) - set(self.agents))
        if strangers:
            raise InvalidActionError(f"agents {strangers} do not play; {self.agents} do")
        chosen = {agent: self._checked(agent, actions.get(agent)) for agent in self.agents}
        observation, rewards, terminated, truncated, info = self.joint.step(self._joined(chosen))
        infos = self._infos(info)
        playing = [(i, a) for i, a in enumerate(self.possible_agents) if a in self.agents]
        self.agents = [a for i, a in playing if not (terminated[i] or truncated)]
        return (
            {a: _of(observation, i) for i, a in playing},
            {a: float(rewards[i]) for i, a in playing},
            {a: bool(terminated[i]) for i, a in playing},
            {a: truncated for _, a in playing},
            infos,
        )


class AECFace(TeamFace, AECEnv[str, Any, Any]):
    """A game as a PettingZoo `AECEnv`, agents acting one after the other; see `TeamFace`.

    Where all act at once they are asked in order, and the game goes on when the last has answered.
    """

    _kept = (
        "agents",
        "agent_selection",
        "rewards",
        "_cumulative_rewards",
        "terminations",
        "truncations",
        "_answers",
        "_skip_agent_selection",
    )

    def __getattr__(self, name: str) -> Any:
        # Only what `reset` sets is ever looked for here.
        raise AttributeError(f"{type(self).__name__} has no {name!r} before reset()")

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode."""
        self._observation, self.infos = self._begin(seed, options)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._answers: dict[str, Any] = {}
        self._skip_agent_selection = None
        self._select_next()

    def observe(self, agent: str) -> Any:
        """What an agent sees."""
        return _of(self._observation, self.possible_agents.index(agent))

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._observation, info = self.joint.present()
        self.infos = self._infos(info)

    def step(self, action: Any) -> None:
        """Act for the agent `agent_selection`; None for one that has left the game.

        Raises:
            InvalidActionError: the action is illegal; nothing happened.
            gymnasium.error.ResetNeeded: the episode has ended, or none was started.
        """
        self._must_be_playing()
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._answers[agent] = self._checked(agent, action)
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        if self.joint.definition.turns:
            self._advance(self._answers[agent])
        elif len(self._answers) == len(self.agents):
            self._advance(self._joined(self._answers))
        self._select_next()
        self._deads_step_first()

    def _advance(self, action: Any) -> None:
        self._observation, rewards, terminated, truncated, info = self.joint.step(action)
        for index, agent in enumerate(self.possible_agents):
            if agent in self.agents:
                self.rewards[agent] = float(rewards[index])
                self.terminations[agent] = bool(terminated[index])
                self.truncations[agent] = truncated
        self._accumulate_rewards()
        self._answers = {}
        self.infos = self._infos(info)

    def _select_next(self) -> None:
        """The agent whose turn it is, or the first that has not answered and plays on."""
        if self.joint.definition.turns:
            self.agent_selection = self.possible_agents[int(self.joint.state["turn"])]
            return
        for agent in self.agents:
            left = self.terminations[agent] or self.truncations[agent]
            if agent not in self._answers and not left:
                self.agent_selection = agent
                return
