"""Agents that say what is written for them: the upper and the lower end of what can be scored.

The searchers read as a search engine does: they take the sentence that shares most words with what
they asked for, and out of it the first name that can be what they look for.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....envs.kernel import InvalidArgumentError
from ....envs.textweb.knowledge_search import KnowledgeSearch
from ....envs.textweb.questions import Question
from ....envs.textweb.retrievers import words_of
from ....envs.textweb.search_desk import listed
from ...core.agent import Agent


class Scripted(Agent):
    """Says a message in each lane; in a menu, chooses the slot that says it."""

    problem: Any

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self.problem = env.prototype
        self._scripts = [self.script(state) for state in env.states]

    @abstractmethod
    def script(self, state: Any) -> Iterator[str]:
        """What to say in an episode, message by message; between them the state changes."""

    def act(self, observations: Any, infos: dict[str, Any]) -> list[Any]:
        """One action for each lane: slots of the menu, or texts."""
        return [self.env.parse(lane, next(script)) for lane, script in enumerate(self._scripts)]

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        for lane in np.flatnonzero(ended):
            self._scripts[lane] = self.script(self.env.states[lane])


class OracleAgent(Scripted):
    """Follows the plan that the environment has for each of its starts.

    It looks at the state behind the observation, and so shows what can be scored, not how.
    """

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act; see `Agent.start`.

        Raises:
            InvalidArgumentError: the environment has no plans.
        """
        if not hasattr(env.prototype, "plan"):
            raise InvalidArgumentError(f"oracle needs an environment that plans; got {env!r}")
        super().start(env, seed)

    def script(self, state: Any) -> Iterator[str]:
        yield from self.problem.plan(state)


class Searcher(Scripted):
    """Plays KnowledgeSearch."""

    problem: KnowledgeSearch

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

    def guess(self, state: Any) -> str:
        """An answer, drawn uniformly from those that are possible."""
        return f"answer: {self.problem.guess(state, self.rng)}"


class GuesserSearcher(Searcher):
    """Never searches: answers at once with one of the possible answers, drawn uniformly."""

    def script(self, state: Any) -> Iterator[str]:
        yield self.guess(state)


class GreedySearcher(Searcher):
    """Multi-hop search by BM25: looks up one relation after the other, and believes the first page.

    Only questions for one entity are followed; of others it guesses the answer.
    """

    def script(self, state: Any) -> Iterator[str]:
        question, world = self.problem.question(state), self.problem.desk_of(state).world
        found = {variable: question.nodes[variable] for variable in question.known}
        for edge, fact in zip(question.edges, question.facts(), strict=True):
            if question.kind != "entity" or edge.tail < 0 or {edge.head, edge.tail} <= found.keys():
                continue
            known, sought = (edge.head, edge.tail) if edge.head in found else (edge.tail, edge.head)
            query = world.query(found[known], fact)
            yield f"search: {query}"
            pages = listed(state["results"])
            if not pages:
                break
            yield f"open: {pages[0]}"
            name = self.read(state, query, question, sought, set(found.values()))
            if name is None:
                break
            found[sought] = name
        yield self.conclude(state, found.get(0))

    def conclude(self, state: Any, entity: int | None) -> str:
        """The answer, a guess where nothing was found."""
        return (
            self.guess(state)
            if entity is None
            else f"answer: {self.problem.desk_of(state).world.graph.name(entity)}"
        )

    def read(
        self, state: Any, query: str, question: Question, variable: int, named: set[int]
    ) -> int | None:
        """The first name on the page opened last that can stand for a variable.

        Sentences with more words of the query come first; names known already are passed over.
        """
        world, wanted = self.problem.desk_of(state).world, set(words_of(query))
        graph, type_ = world.graph, world.graph.types[question.nodes[variable]]
        sentences = [words_of(line) for line in world.pages.lines(int(state["page"]))]
        for words in sorted(sentences, key=lambda words: -len(wanted & set(words))):
            for entity in map(graph.read_name, words):
                if entity >= 0 and graph.types[entity] == type_ and entity not in named:
                    return entity
        return None


class SingleShotSearcher(GreedySearcher):
    """Retrieval, then an answer: searches for the question itself, and reads the first page."""

    def script(self, state: Any) -> Iterator[str]:
        question = self.problem.question(state)
        yield f"search: {question.words}"
        pages, entity = listed(state["results"]), None
        if pages:
            yield f"open: {pages[0]}"
            if question.kind == "entity":
                known = {question.nodes[variable] for variable in question.known}
                entity = self.read(state, question.words, question, 0, known)
        yield self.conclude(state, entity)
