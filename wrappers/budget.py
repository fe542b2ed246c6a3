"""`Budget`: a limit on turns, tool calls and tokens in an environment of texts."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from ..envs.kernel.errors import InvalidActionError, InvalidArgumentError, UnsupportedFaceError
from ..envs.kernel.spaces import Unicode
from ..envs.textweb.grammar import ALL_TOOLS, Call, parse
from ..envs.textweb.plain import count_pieces

_LINE_LENGTH = 512


def budget_line(left: Mapping[str, int]) -> str:
    """What is left, in words: `Left: 3 turns, 2 search.`."""
    return f"Left: {', '.join(f'{number} {name}' for name, number in left.items())}."


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

    Args:
        env: an environment whose observations and actions are texts. Its `tools`, where it has
            them, are the tools whose calls are understood.
        turns: the most messages, the answer included; None (default) for no limit.
        calls: the most calls: of each tool named, or, as one number, of all together.
        tokens: the most tokens of all messages together.
        count: how many tokens a text has; words and punctuation marks by default.

    Raises:
        InvalidArgumentError: no limit is given, one is below 1 (turns, tokens) or 0 (calls), or
            there is no such tool.
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
        seen, said = env.observation_space, env.action_space
        if not isinstance(seen, Unicode) or not isinstance(said, Unicode):
            raise UnsupportedFaceError(f"a Budget needs an environment of texts; got {env!r}")
        self._tools = frozenset(getattr(env.unwrapped, "tools", ALL_TOOLS))
        per_tool = dict(calls) if isinstance(calls, Mapping) else {}
        if not per_tool.keys() <= self._tools - {"answer"}:
            raise InvalidArgumentError(
                f"calls must be of {sorted(self._tools - {'answer'})}; got {sorted(per_tool)}"
            )
        together = None if isinstance(calls, Mapping) else calls
        limits = {"turns": turns, "tokens": tokens, "calls": together, **per_tool}
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        if not self._limits:
            raise InvalidArgumentError("a Budget needs a limit on turns, calls or tokens")
        for name, limit in self._limits.items():
            least = 1 if name in ("turns", "tokens") else 0
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < least:
                raise InvalidArgumentError(
                    f"{name} must be an integer of at least {least}; got {limit!r}"
                )
        super().__init__(env)
        self._count = count
        self.observation_space = Unicode(seen.max_length + _LINE_LENGTH)

    @property
    def left(self) -> dict[str, int]:
        """What is left of each limit."""
        return dict(self._left)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        text, self._info = self.env.reset(seed=seed, options=dict(options) if options else None)
        self._text, self._left = str(text), dict(self._limits)
        return self._tell(), self._told()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Say something; see `gymnasium.Env.step`.

        Raises:
            InvalidActionError: the message is none of the action space, and nothing happened.
        """
        if action not in self.action_space:
            raise InvalidActionError(
                f"a message must be in {self.action_space}; got {str(action)[:80]!r}"
            )
        call = parse(action, self._tools)
        tool = call.tool if isinstance(call, Call) else None
        last = self._answer_only
        refused = tool != "answer" and (last or self._spent(tool))
        reward, terminated, truncated = 0.0, False, last
        if not refused:
            text, given, terminated, over, self._info = self.env.step(action)
            self._text, reward, truncated = str(text), float(given), bool(over or last)
        self._pay(action, None if refused else tool)
        truncated = truncated and not terminated
        said = f"No {tool} is left; nothing was done. " if refused and not last else ""
        return self._tell(said), reward, bool(terminated), truncated, self._told(refused)

    @property
    def _answer_only(self) -> bool:
        return self._left.get("turns", 2) <= 1 or self._left.get("tokens", 1) <= 0

    def _spent(self, tool: str | None) -> bool:
        return tool is not None and 0 in (self._left.get(tool), self._left.get("calls"))

    def _pay(self, message: str, tool: str | None) -> None:
        costs = {"turns": 1}
        if "tokens" in self._left:
            costs["tokens"] = self._count(message)
        if tool is not None and tool != "answer":
            costs |= {tool: 1, "calls": 1}
        for name in costs.keys() & self._left.keys():
            self._left[name] = max(0, self._left[name] - costs[name])

    def _tell(self, said: str = "") -> str:
        only = " Only an answer is accepted now." if self._answer_only else ""
        return f"{self._text}\n{said}{budget_line(self._left)}{only}"

    def _told(self, refused: bool = False) -> dict[str, Any]:
        return {
            **self._info,
            "budget": self.left,
            "refused": refused,
            "answer_only": self._answer_only,
        }
