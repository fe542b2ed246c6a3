"""Scripted searchers for KnowledgeSearch: the upper and the lower end of what search can score."""

from abc import abstractmethod
from typing import Any

from ...envs.kernel import InvalidArgumentError
from ...envs.textweb.knowledge_search import KnowledgeSearch
from ..core.agent import Agent


class Searcher(Agent):
    """Says a message in each lane; in the menu, chooses the slot that says it."""

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act; see `Agent.start`.

        Raises:
            InvalidArgumentError: the environment is not a KnowledgeSearch.
        """
        if not isinstance(env.prototype, KnowledgeSearch):
            raise InvalidArgumentError(
                f"{type(self).__name__} plays KnowledgeSearch only; got {env.prototype!r}"
            )
        super().start(env, seed)

    @abstractmethod
    def message(self, state: Any) -> str:
        """What to say in a state."""

    def act(self, observations: Any, infos: dict[str, Any]) -> list[Any]:
        """One action for each lane: slots of the menu, or texts."""
        messages = [self.message(state) for state in self.env.states]
        return [self.env.parse(lane, message) for lane, message in enumerate(messages)]


class OracleSearcher(Searcher):
    """Knows the evidence of every question: searches, opens and answers without a detour.

    It looks at the world behind the pages, and so shows what can be scored, not how.
    """

    def message(self, state: Any) -> str:
        """The next message of the question's plan."""
        return self.env.prototype.plan(state)[state["step_count"]]


class GuesserSearcher(Searcher):
    """Never searches: answers at once with one of the possible answers, drawn uniformly."""

    def message(self, state: Any) -> str:
        """An answer."""
        return f"answer: {self.rng.choice(self.env.prototype.candidates(state))}"
