"""`Game`: the class that authors of games for two in turns extend."""

import functools
from typing import Any, Literal, Self

import gymnasium

from .env import KernelEnv
from .errors import InvalidArgumentError
from .game_tree import GameTree
from .lanes import Kernels
from .model import States
from .opponent import NOBODY, PLACES, Plays, opponent_fields
from .playouts import flat_monte_carlo
from .state import StateLayout

#: Who may be chosen to play against.
Opponent = Literal["random"]

#: The yardstick of games that are not searched: playouts of a move, and how many games.
_PLAYOUTS, _GAMES = 1000, 256


class Game(KernelEnv):
    """A zero-sum game for two in turns: the joint face of both players, or one's of its own.

    Without an opponent both players act, each in its turn; see `KernelEnv`. With one this is an
    environment for a single agent, in which a step is the agent's move and the opponent's reply to
    it, in one compiled call. Observations, rewards and masks are then those of the agent, which
    the state field `agent_index` names.

    `reset(options={"moves": …})` starts after the given moves of both players; the agent is then
    the one to move.

    Args:
        opponent: `"random"`, which draws its moves uniformly; None (default) for no opponent.
        plays: whether the agent moves `"first"` (default), `"second"`, or `"random"`: one or the
            other, drawn for each episode.
        searched: whether the whole game is small enough to be searched for `best_return`.
        proven: where it is known that the first player can force a win, which is worth 1, by whom;
            otherwise empty.
        kernels, layout, params, observation_space, action_space, agents, max_episode_steps,
        render_mode: see `KernelEnv`.

    Raises:
        InvalidArgumentError: no such opponent, or `plays` without one.
    """

    reset_options = ("moves",)

    def __init__(
        self,
        *,
        opponent: Opponent | None,
        plays: Plays,
        searched: bool,
        proven: str = "",
        kernels: Kernels,
        layout: StateLayout,
        params: Any,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.spaces.Discrete,
        agents: tuple[str, str],
        max_episode_steps: int,
        render_mode: str | None,
    ):
        if opponent not in (None, "random"):
            raise InvalidArgumentError(f'opponent must be "random", or None; got {opponent!r}')
        if plays not in PLACES:
            raise InvalidArgumentError(f"plays must be one of {list(PLACES)}; got {plays!r}")
        if opponent is None and plays != "first":
            raise InvalidArgumentError(f"plays={plays!r} needs an opponent")
        self.players, self._searched, self._proven = agents, searched, proven
        self.best_source = _source(searched, proven, plays)
        alone = opponent is not None
        if alone:
            # What is a goal for the first player need not be one for the agent, whose step is two
            # moves where an update expects one.
            kernels = kernels._replace(goal=None, update=None)
            fields = *layout.bookkeeping, *opponent_fields(int(action_space.n))
            layout = StateLayout(layout.instance, layout.dynamic, fields)
        super().__init__(
            kernels=kernels,
            layout=layout,
            params=params,
            observation_space=observation_space,
            action_space=action_space,
            max_episode_steps=max_episode_steps,
            stochastic=alone,
            agents=() if alone else agents,
            turns=not alone,
            plays=plays if alone else NOBODY,
            render_mode=render_mode,
        )

    @functools.cached_property
    def joint(self) -> Self:
        """The same game without an opponent."""
        if not self.definition.plays:
            return self
        theirs = ("opponent", "plays", "render_mode")
        return type(self)(**{k: v for k, v in self._arguments.items() if k not in theirs})

    def joint_states(self, states: States) -> States:
        """Records of this environment as those of the game without an opponent."""
        found = self.joint.definition.layout.empty(len(states))
        own = self.definition.layout
        for name, *_ in (*own.instance, *own.dynamic, *self.joint.definition.layout.bookkeeping):
            found[name] = states[name]
        return found

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        model = self.joint.model
        joint = model.reset([0])
        over = False
        for move in options["moves"]:
            if over:
                raise InvalidArgumentError(f"moves: the game is over before {move!r}")
            joint, _, ended = model.step(joint, [move])
            over = bool(ended.all())
        if over:
            raise InvalidArgumentError("moves: the game is over after them")
        layout = self.joint.definition.layout
        for name, *_ in (*layout.fields, *layout.bookkeeping):
            state[name] = joint[name][0]
        if self.definition.plays:
            state["agent_index"] = state["turn"]

    def best_return(self, seed: int) -> float | None:
        """The best return known against a uniformly random opponent, see `best_source`.

        The exact expectation where the game is searched, 1 where a win is proven, and otherwise
        what flat Monte Carlo scores in the mean: nothing less than the best possible can be. None
        where a time limit may cut the game short.
        """
        if self.definition.max_episode_steps >= 0:
            return None
        states = self.model.reset([seed])
        player = int(states["agent_index"][0]) if self.definition.plays else 0
        if player == 0 and self._proven:
            return 1.0
        if not self._searched:
            return self._playout_scores[player]
        value = self._replies[player].value(self.joint_states(states))
        return value if player == 0 else -value

    @functools.cached_property
    def _replies(self) -> tuple[GameTree, GameTree]:
        """The values of the game where each player meets random play."""
        return GameTree(self.joint, ("max", "mean")), GameTree(self.joint, ("mean", "min"))

    @functools.cached_property
    def _playout_scores(self) -> "_PlayoutScores":
        return _PlayoutScores(self)


class _PlayoutScores(dict[int, float]):
    """By player, what flat Monte Carlo scores in a game; played when it is first asked for."""

    def __init__(self, game: Game):
        self._game = game

    def __missing__(self, player: int) -> float:
        met = {"opponent": "random", "plays": ("first", "second")[player], "render_mode": None}
        given: dict[str, Any] = {**self._game._arguments, **met}
        env = type(self._game)(**given)
        self[player] = float(flat_monte_carlo(env, range(_GAMES), _PLAYOUTS).mean())
        return self[player]


def _source(searched: bool, proven: str, plays: Plays) -> str:
    """Where the numbers of `best_return` come from, in words."""
    forced = f"a forced win of the first player ({proven})"
    if proven and plays == "first":
        return forced
    against = "an opponent that plays uniformly at random"
    if searched:
        return f"exact best replies to {against}"
    found = f"flat Monte Carlo with {_PLAYOUTS:,} playouts a move, {_GAMES} games against {against}"
    return f"{forced}; as the second {found}" if proven and plays == "random" else found
