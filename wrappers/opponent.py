"""`Opponent`: a game for two in turns as an environment of one agent, against whatever answers."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from ..envs.kernel import KernelEnv
from ..envs.kernel.errors import InvalidArgumentError
from ..envs.kernel.opponent import PLACES, Plays
from ..envs.kernel.spaces import LegalDiscrete
from ..envs.kernel.team import AECFace

Mask = np.ndarray[Any, np.dtype[np.int8]]

#: Answers with an action: `choose(observation, mask, game)`. The observation and the mask,
#: (n_actions,) `int8` or None where every action is always legal, are those of the player to move;
#: the game is there for planners, with its `state` and `model`, and must be left as it is.
Choose = Callable[[Any, Mask | None, KernelEnv], Any]


class Opponent(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A Gymnasium environment in which a step is the agent's move and the opponent's reply to it.

    For opponents of one's own: a policy, a tree search, a person. One game at a time, in Python;
    against uniformly random play `gymnasium.make(…, opponent="random")` is the compiled way.

    Observations, masks (`infos["action_mask"]`) and rewards are those of the agent. Snapshots,
    words and pictures are those of the game, `env.unwrapped`. With `reset(options={"moves": …})`
    the agent is the one who is to move.

    Args:
        game: what `spelunk.aec_env` made.
        choose: who answers; see `Choose`.
        plays: whether the agent moves `"first"` (default), `"second"`, or `"random"`: one or the
            other, drawn for each episode.

    Raises:
        InvalidArgumentError: the game is not one for two in turns, or there is no such place.
    """

    def __init__(self, game: AECFace, choose: Choose, plays: Plays = "first"):
        joint = game.joint
        if not joint.definition.turns or len(joint.definition.agents) != 2:
            raise InvalidArgumentError(f"an opponent needs a game for two in turns; got {joint!r}")
        if plays not in PLACES:
            raise InvalidArgumentError(f"plays must be one of {list(PLACES)}; got {plays!r}")
        super().__init__(joint)
        self._game, self._choose, self._plays = joint, choose, plays
        self.observation_space = joint.agent_observation_space
        self.action_space = joint.agent_action_space
        if joint.definition.masked:
            self.action_space = LegalDiscrete(joint.definition.n_actions, joint.action_mask)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode, and let the opponent move where it is the first to.

        A seed decides about the game and, where that is drawn, who moves first.
        """
        observation, info = self._game.reset(seed=seed, options=options)
        turn = agent = int(self._game.state["turn"])
        if not (options and "moves" in options):
            places = {"first": 0, "second": 1}
            agent = places.get(self._plays, int(self._game.np_random.integers(2)))
        if turn != agent:
            observation, _, _, _, info = self._reply(agent, observation)
        return _part(observation, agent), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move, and let the opponent reply until it is the agent's turn again.

        Raises:
            InvalidActionError: the agent's action is illegal, and nothing happened; or the
                opponent's is.
        """
        agent = int(self._game.state["turn"])
        observation, rewards, terminated, truncated, info = self._game.step(action)
        total, over = float(rewards[agent]), bool(terminated.all())
        if not (over or truncated) and int(self._game.state["turn"]) != agent:
            observation, gained, over, truncated, info = self._reply(agent, observation)
            total += gained
        return _part(observation, agent), total, over, truncated, info

    def _reply(self, agent: int, observation: Any) -> tuple[Any, float, bool, bool, Any]:
        """The opponent's moves, until it is the agent's turn or the game is over."""
        game, total, over, truncated, info = self._game, 0.0, False, False, {}
        while int(game.state["turn"]) != agent and not (over or truncated):
            answer = self._choose(_part(observation, 1 - agent), game.action_mask(), game)
            observation, rewards, terminated, truncated, info = game.step(answer)
            total += float(rewards[agent])
            over = bool(terminated.all())
        return observation, total, over, truncated, info


def _part(observation: Any, player: int) -> Any:
    """What one player sees, of what both do."""
    if isinstance(observation, dict):
        return {name: part[player] for name, part in observation.items()}
    return observation[player]
