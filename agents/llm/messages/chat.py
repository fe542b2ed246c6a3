"""Policies that speak in messages, and the agent that lets one play any environment of the suite.

Who answers may be a service (`Endpoint`), a model at hand (`ModelPolicy`) or a function.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from ....envs.kernel.answer import final_answer
from ....envs.kernel.errors import InvalidArgumentError, UnparseableActionError
from ....envs.kernel.spaces import Unicode
from ....envs.textweb.grammar import Call
from ....envs.textweb.knowledge_search import KnowledgeSearch
from ....envs.textweb.plain import LONGEST
from ....envs.textweb.search_desk import listed
from ....envs.textweb.tools import describe_tools
from ....wrappers.budget import budget_line
from ...core.agent import Agent
from .harness import Harness
from .transcript import Prompt, Renderer, Transcript, Turn, fitted
from .workspace import Workspace

Messages = Sequence[Mapping[str, str]]

#: The most actions that a prompt lists; of more it gives this many as examples.
LISTED = 24

_LIST_PAGES = frozenset({"search", "web", "neighbours"})
_SHOW_A_PAGE = frozenset({"open", "find"})


@dataclass(frozen=True)
class Reply:
    """A message of a policy.

    Attributes:
        text: what it says.
        tokens: their ids; empty where the policy does not tell.
        log_probs: of the tokens when they were drawn; empty, or one for each token.
        cut: whether it ended because it had become too long.
    """

    text: str
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    cut: bool = False


class ChatPolicy(Protocol):
    """Answers messages with a message."""

    def reply(self, prompts: Sequence[Messages], seeds: Sequence[int]) -> list[Reply]:
        """A reply to each prompt, in their order.

        Args:
            prompts: `{"role", "content"}` messages, as in `transcript.Prompt`.
            seeds: for the randomness of each reply.
        """
        ...


@dataclass(frozen=True)
class FunctionPolicy:
    """A policy that is a function of the prompt and a seed.

    Attributes:
        function: what is said.
    """

    function: Callable[[Messages, int], str]

    def reply(self, prompts: Sequence[Messages], seeds: Sequence[int]) -> list[Reply]:
        """See `ChatPolicy.reply`."""
        return [Reply(self.function(*asked)) for asked in zip(prompts, seeds, strict=True)]


class Situation(Renderer):
    """What is seen now, in the environment's own words and lines; the past is not told.

    For environments whose description of a state says all that matters. It is not quoted, since
    maps are drawn in it: texts of strangers belong in one of the other renderers.
    """

    def render(
        self, question: str, turns: Sequence[Turn], budgets: Mapping[str, int] | None = None
    ) -> Prompt:
        ends = [budget_line(budgets)] if budgets else []
        seen = (turns[-1].observation if turns else question)[: self.observation_cap]
        seen, cut = fitted(seen, self._room(*ends), self.measure)
        return self._prompt([("user", "\n".join([seen, *ends]))], int(cut))


#: The renderers by name.
RENDERERS: dict[str, type[Renderer]] = {
    "situation": Situation,
    "transcript": Transcript,
    "workspace": Workspace,
    "harness": Harness,
}


class ChatAgent(Agent):
    """Is told of its episode by a renderer, and does what the policy's reply says.

    Where actions are texts, every reply is an action. Elsewhere the reply, or the answer in it (see
    `final_answer`), names one of the actions that the prompt lists; where it names none, a random
    legal action is taken. Of a KnowledgeSearch the renderer gets the question, the calls and the
    pages shown; of other environments the question is how the episode begins. In a `VectorBudget`
    the prompt tells what is left.

    Args:
        policy: who replies.
        renderer: writes the prompts. Without instructions of its own it tells how to use the tools
            or to name an action. None for a transcript where there are tools, and for the present
            situation elsewhere.

    Attributes:
        replies: by lane, to the latest prompts.
        answers: how many replies there were since `start`.
        unparsed: how many of them named no legal action.
    """

    def __init__(self, policy: ChatPolicy, renderer: Renderer | None = None):
        self.policy, self.given_renderer = policy, renderer

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act; see `Agent.start`.

        Raises:
            InvalidArgumentError: the renderer tells of tools, and the environment has none.
        """
        super().start(env, seed)
        # Wrappers have no text face.
        self.batch: Any = env.unwrapped
        self.searches = isinstance(self.batch.prototype, KnowledgeSearch)
        self.wordy = isinstance(env.single_action_space, Unicode)
        tooled = self.searches and self.wordy
        chosen = self.given_renderer or (Transcript() if tooled else Situation())
        # The first line of what is seen is the question then, which the renderer repeats itself.
        self._parted = tooled and not isinstance(chosen, Situation)
        if isinstance(chosen, Workspace | Harness) and not self.searches:
            raise InvalidArgumentError(
                f"{type(chosen).__name__} needs an environment of search tools; Transcript and "
                f"Situation do not; got {self.batch.prototype!r}"
            )
        self.renderer = replace(chosen, instructions=chosen.instructions or self._instructions())
        self.replies: dict[int, Reply] = {}
        self.answers = self.unparsed = 0
        self._questions: list[str | None] = [None] * env.num_envs
        self._turns: list[list[Turn]] = [[] for _ in range(env.num_envs)]

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        lanes = np.flatnonzero(~self.retired).tolist()
        prompts = [self._prompt(lane, observations, infos) for lane in lanes]
        seeds = self.rng.integers(2**31, size=len(self.retired))[lanes].tolist()
        replies = self.policy.reply(prompts, seeds) if lanes else []
        self.replies = dict(zip(lanes, replies, strict=True))
        self.answers += len(lanes)
        return self._say() if self.wordy else self._choose()

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        for lane in np.flatnonzero(ended).tolist():
            self.replies.pop(lane, None)
            self._questions[lane], self._turns[lane] = None, []

    # --- what is told ---

    def _prompt(self, lane: int, observations: Any, infos: dict[str, Any]) -> Messages:
        told, left = infos.get("budget", {}), None
        if told:
            left = {name: int(n[lane]) for name, n in told.items() if not name.startswith("_")}
        if isinstance(self.env.single_observation_space, Unicode):
            seen = str(observations[lane])
        else:
            seen = self.batch.describe(lane)
        refused = "refused" in infos and bool(infos["refused"][lane])
        self._note(lane, _without_budget(seen, left), refused)
        question = self._questions[lane] or ""
        return self.renderer.render(question, self._turns[lane], left).messages

    def _note(self, lane: int, seen: str, refused: bool) -> None:
        """Take in what a lane shows: the question of an episode, or what came of the last reply."""
        question, _, rest = seen.partition("\n")
        if not self._parted:
            rest = seen if self.wordy else f"{seen}\n{self._choices(lane)}"
        if self._questions[lane] is None:
            opening = question if self._parted else rest
            raw = isinstance(self.renderer, Situation)
            self._questions[lane] = opening if raw else opening.removeprefix("Question: ")
            return
        message, call = self.replies[lane].text, None
        if self.searches:
            call = self.batch.prototype.read_message(message)
            call = call if isinstance(call, Call) else None
        pages = () if refused else shown_pages(self.batch.records()[lane], call)
        self._turns[lane].append(Turn(call, message, rest, pages))

    def _choices(self, lane: int) -> str:
        """The actions that a lane can take, or examples of them."""
        space, mask = self.env.single_action_space, self.batch.action_mask
        if not isinstance(space, spaces.Discrete):
            examples = [self.batch.sample_actions(self.rng)[lane]]
            few = False
        else:
            legal = range(int(space.n)) if mask is None else np.flatnonzero(mask[lane]).tolist()
            examples, few = list(legal)[:LISTED], len(legal) <= LISTED
        words = ", ".join(self.batch.action_words(lane, action) for action in examples)
        return f"Actions: {words}" if few else f"Actions, for example: {words}"

    def _instructions(self) -> str:
        if self.searches:
            problem = self.batch.prototype
            # The compact dialect has no tags, and is meant for models that have learned it.
            tagged = isinstance(problem.read_message("<answer>x</answer>"), Call)
            return describe_tools(problem.tools) if tagged else ""
        if self.wordy:
            return ""
        return "Say <answer>action</answer> with one action, after your thoughts if you like."

    # --- what is done ---

    def _say(self) -> list[str]:
        return [
            self.replies[lane].text if lane in self.replies else ""
            for lane in range(len(self.retired))
        ]

    def _choose(self) -> Any:
        """The actions that the replies name, or random legal ones."""
        actions, mask = self.batch.sample_actions(self.rng), self.batch.action_mask
        for lane, reply in self.replies.items():
            for words in (reply.text[:LONGEST], final_answer(reply.text)):
                try:
                    action = self.batch.parse(lane, words)
                except UnparseableActionError:
                    continue
                if mask is None or mask[lane, action]:
                    actions[lane] = action
                    break
            else:
                self.unparsed += 1
        return actions


def shown_pages(state: Any, call: Call | None) -> tuple[int, ...]:
    """The pages that a call has brought to light, best first.

    Args:
        state: the record of a KnowledgeSearch after the call.
        call: what was called; None for a message that was none.
    """
    if call is None or state["problem"]:
        return ()
    if call.tool in _LIST_PAGES:
        return tuple(listed(state["results"]))
    return (int(state["page"]),) if call.tool in _SHOW_A_PAGE else ()


def _without_budget(seen: str, left: Mapping[str, int] | None) -> str:
    """An observation without the line that a budget has put below it; the renderer has its own."""
    if not left:
        return seen
    before, _, after = seen.rpartition(budget_line(left))
    return f"{before.rstrip()}{after}"
