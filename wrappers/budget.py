"""`Budget`: a limit on turns, tool calls and tokens in an environment of texts."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from ..envs.kernel.errors import InvalidActionError, InvalidArgumentError, UnsupportedFaceError
from ..envs.kernel.face import Env, State, restore
from ..envs.kernel.spaces import Unicode
from ..envs.textweb.grammar import ALL_TOOLS, Call, parse
from ..envs.textweb.plain import LONGEST, count_pieces

Left = np.ndarray[Any, np.dtype[np.int64]]

_LINE_LENGTH, _LARGEST = 512, 2**31 - 1


def budget_line(left: Mapping[str, int]) -> str:
    """What is left, in words: `Left: 3 turns, 2 search.`."""
    return f"Left: {', '.join(f'{number} {name}' for name, number in left.items())}."


class Limits:
    """The rules of a budget, over counters of what is left that a wrapper keeps.

    Counters are arrays (…, limits) `int64`, one column for each of `names`.

    The arguments and errors are those of `Budget`.

    Attributes:
        names: of the limits.
        full: the limits themselves, (limits,) `int64`.
        space: of the texts with what is left told below them.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        turns: int | None,
        calls: int | Mapping[str, int] | None,
        tokens: int | None,
        count: Callable[[str], int],
    ):
        seen, said = env.observation_space, env.action_space
        if not isinstance(seen, Unicode) or not isinstance(said, Unicode):
            raise UnsupportedFaceError(f"a budget needs an environment of texts; got {env!r}")
        longest = seen.max_length
        self.space = Unicode(None if longest is None else longest + _LINE_LENGTH)
        tools = frozenset(getattr(env.unwrapped, "tools", ALL_TOOLS))
        understood = functools.partial(parse, enabled=tools)
        self._read = getattr(env.unwrapped, "read_message", understood)
        self._count = count
        per_tool = dict(calls) if isinstance(calls, Mapping) else {}
        if not per_tool.keys() <= tools - {"answer"}:
            raise InvalidArgumentError(
                f"calls must be of {sorted(tools - {'answer'})}; got {sorted(per_tool)}"
            )
        together = None if isinstance(calls, Mapping) else calls
        limits = {"turns": turns, "tokens": tokens, "calls": together, **per_tool}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        if not given:
            raise InvalidArgumentError("a budget needs a limit on turns, calls or tokens")
        for name, limit in given.items():
            least = 1 if name in ("turns", "tokens") else 0
            whole = isinstance(limit, int) and not isinstance(limit, bool)
            if not whole or not least <= limit <= _LARGEST:
                raise InvalidArgumentError(
                    f"{name} must be an integer from {least} to {_LARGEST}; got {limit!r}"
                )
        self.names = tuple(given)
        self.full: Left = np.array(list(given.values()), np.int64)

    def named(self, left: Left) -> dict[str, int]:
        """One row of counters by name."""
        return dict(zip(self.names, left.tolist(), strict=True))

    def answer_only(self, left: Left) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether only an answer is accepted now, (…)."""
        only = np.zeros(left.shape[:-1], bool)
        for name, least in (("turns", 1), ("tokens", 0)):
            if name in self.names:
                only |= left[..., self.names.index(name)] <= least
        return only

    def judge(self, message: str, left: Left) -> tuple[list[int], bool, bool, str]:
        """What becomes of a message where a row of counters is left; nothing is paid yet.

        Returns:
            what it costs of each limit, whether it is refused, whether the episode is over with it
            in any case, and what the agent is told of a refusal.
        """
        call = self._read(message)
        tool = call.tool if isinstance(call, Call) else None
        last, now = bool(self.answer_only(left)), self.named(left)
        spent = tool is not None and 0 in (now.get(tool), now.get("calls"))
        refused = tool != "answer" and (last or spent)
        costs = {"turns": 1}
        if "tokens" in now:
            costs["tokens"] = self._count(message[:LONGEST])
        if tool not in (None, "answer") and not refused:
            costs |= {tool: 1, "calls": 1}
        said = f"No {tool} is left; nothing was done. " if refused and not last else ""
        return [costs.get(name, 0) for name in self.names], refused, last, said

    def pay(self, left: Left, costs: Any) -> Left:
        """What is left after costs (…, limits)."""
        return np.maximum(left - np.asarray(costs, np.int64), 0)

    def tell(self, text: str, left: Left, said: str = "") -> str:
        """What an agent reads: a text, what it is told of a refusal, and what is left."""
        only = " Only an answer is accepted now." if self.answer_only(left) else ""
        return f"{text}\n{said}{budget_line(self.named(left))}{only}"

    def join(self, left: Left, states: Any) -> Any:
        """A snapshot: records of `left` (a field for each limit) and `state`, as packed as any."""
        snapshot = np.zeros(np.shape(states), self._layout(states.dtype))
        snapshot["state"] = states
        for column, name in enumerate(self.names):
            snapshot["left"][name] = left[..., column]
        return snapshot

    def split(self, snapshot: Any, states: Any) -> tuple[Left, Any]:
        """The counters and the environment's records, shaped like `states`, that `join` was given.

        Raises:
            InvalidArgumentError: it is no snapshot, or one of other limits, fields or lanes.
        """
        wanted = self._layout(states.dtype)
        if getattr(snapshot, "dtype", None) != wanted or np.shape(snapshot) != np.shape(states):
            raise InvalidArgumentError(
                f"the snapshot is not this budget's: it must be what `snapshot()` gave, with the "
                f"limits {list(self.names)} and the fields and lanes of the environment"
            )
        left = np.stack([snapshot["left"][name] for name in self.names], axis=-1)
        return left, snapshot["state"]

    def _layout(self, state: np.dtype[Any]) -> np.dtype[Any]:
        left = [(name, np.int64) for name in self.names]
        return np.dtype((np.record, np.dtype([("left", left), ("state", state)], align=True)))


class Budget(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment of texts in which turns, calls of tools and tokens can run out.

    Each message costs a turn and its tokens, a well-formed call also one of the calls of its tool,
    an answer none. The observation ends in a line that says what is left.

    - When the calls of a tool are spent, a further call costs the turn, is not passed on, and the
      last observation is shown again.
    - When the last turn has come, or no tokens are left, only an answer is accepted: anything else
      is not passed on and truncates the episode, with reward 0. So does an answer by which the
      episode does not end.

    `infos["budget"]` is what is left, a number for each limit; `infos["refused"]` whether the last
    call was not passed on; `infos["answer_only"]` whether only an answer is accepted now.

    `VectorBudget` is the same over a batch.

    Args:
        env: an environment whose observations and actions are texts. Its `tools` and
            `read_message`, where it has them, say which calls there are and what a message means.
        turns: the most messages, the answer included; None (default) for no limit.
        calls: the most calls: of each tool named, or, as one number, of all together.
        tokens: the most tokens of all messages together.
        count: how many tokens a text has; words and punctuation marks by default. Of a message
            only the first `plain.LONGEST` (16,384) characters are counted, however long it is.

    Raises:
        InvalidArgumentError: no limit is given, one is below 1 (turns, tokens) or 0 (calls) or
            above 2³¹ − 1, or there is no such tool.
        UnsupportedFaceError: observations or actions are no texts.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        turns: int | None = None,
        calls: int | Mapping[str, int] | None = None,
        tokens: int | None = None,
        count: Callable[[str], int] = count_pieces,
    ):
        self._limits = Limits(env, turns, calls, tokens, count)
        super().__init__(env)
        self.observation_space = self._limits.space
        self._left, self._over = self._limits.full, True

    @property
    def left(self) -> dict[str, int]:
        """What is left of each limit."""
        return self._limits.named(self._left)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        text, self._info = self.env.reset(seed=seed, options=dict(options) if options else None)
        self._text, self._left, self._over = str(text), self._limits.full, False
        return self._limits.tell(self._text, self._left), self._told(False)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Say something; see `gymnasium.Env.step`.

        Raises:
            InvalidActionError: the message is none of the action space, and nothing happened.
            gymnasium.error.ResetNeeded: the episode has ended, or none was started.
        """
        if self._over:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        if action not in self.action_space:
            raise InvalidActionError(
                f"a message must be in {self.action_space}; got {str(action)[:80]!r}"
            )
        costs, refused, last, said = self._limits.judge(action, self._left)
        reward, terminated, truncated = 0.0, False, False
        if not refused:
            text, reward, terminated, truncated, self._info = self.env.step(action)
            self._text = str(text)
        truncated = bool(truncated or (last and not terminated))
        self._left = self._limits.pay(self._left, costs)
        self._over = bool(terminated or truncated)
        told = self._limits.tell(self._text, self._left, said)
        return told, float(reward), bool(terminated), truncated, self._told(refused)

    def snapshot(self) -> State:
        """A record of what is left and of the environment's state, to go back to by `restore`.

        Raises:
            UnsupportedFaceError: the environment has no snapshots, or a wrapper below this one
                may have a memory of its own.
        """
        state = self._bare().snapshot()
        state["done"] = self._over
        return self._limits.join(self._left, state)[()]

    def restore(self, snapshot: State) -> None:
        """Go back to a snapshot of this budget, or of a lane of a `VectorBudget` like it.

        Raises:
            InvalidArgumentError: it is no snapshot, or one of other limits or environments.
            UnsupportedFaceError: see `snapshot`.
        """
        bare = self._bare()
        self._left, state = self._limits.split(snapshot, bare.state)
        restore(self.env, state)
        self._text, self._info = bare.present()
        self._over = bool(state["done"])

    def _bare(self) -> Env:
        env = self.env
        while isinstance(env, TimeLimit | OrderEnforcing | PassiveEnvChecker):
            env = env.env
        if not isinstance(env, Env):
            raise UnsupportedFaceError(
                f"a Budget has snapshots over what `gymnasium.make` gives of an environment of "
                f"the suite, without further wrappers; got {env!r}"
            )
        return env

    def _told(self, refused: bool) -> dict[str, Any]:
        only = bool(self._limits.answer_only(self._left))
        return {**self._info, "budget": self.left, "refused": refused, "answer_only": only}
