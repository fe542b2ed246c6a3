"""`Harness`: a prompt from bookkeeping that is done for the model.

The memory is what the turns say, folded: it reads calls, page numbers and observations, never what
is right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ....envs.textweb.grammar import Call
from ....envs.textweb.plain import clean, quote
from ....envs.textweb.tools import LEVELS, WORDS
from ....wrappers.budget import budget_line
from .compress import NearDuplicates, best_sentences
from .transcript import Prompt, Renderer, Turn, asked, fitted
from .workspace import last_action

#: The most pages of the curated set, and how many of the first search are put there unasked.
CURATED, PREFILLED = 30, 8
#: Sentences kept of an observation.
SENTENCES = 4
_SENTENCE_LENGTH = 2 * WORDS
_LISTS_PAGES = frozenset({"search", "web"})
_READS_PAGES = frozenset({"open", "find"})


@dataclass
class Memory:
    """What is known after some turns.

    Args:
        question: what is asked; sentences are chosen by it and by the query of their turn.

    Attributes:
        pool: the pages shown so far, in order, and whether each was read.
        curated: the level of each curated page. The first search puts its first 8 pages there, at
            level "low"; a call counts up to its first page that is not in the pool, and the 30 that
            were put there last stay.
        goals: those that were set and not yet reached.
        notes: what was written down.
        evidence: the (page, claim) pairs cited, of pages of the pool.
        checks: the (page, claim, result) of each claim checked.
        sentences: the best 4 of each observation, without those seen before nearly word for word.
    """

    question: str
    pool: dict[int, bool] = field(default_factory=dict)
    curated: dict[int, str] = field(default_factory=dict)
    goals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    evidence: list[tuple[int, str]] = field(default_factory=list)
    checks: list[tuple[int, str, str]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    _duplicates: NearDuplicates = field(default_factory=NearDuplicates)

    def note_call(self, turn: Turn) -> None:
        """Book what a turn did."""
        call = turn.call
        tool = call.tool if call is not None else ""
        if tool in _LISTS_PAGES and not self.pool:
            self.curated |= dict.fromkeys(turn.pages[:PREFILLED], "low")
        for page in turn.pages:
            self.pool[page] = self.pool.get(page, False) or tool in _READS_PAGES
        if call is not None:
            self._book(call, turn.observation)

    def note_observation(self, turn: Turn, limit: int) -> None:
        """Keep the sentences of a turn's observation that matter; `limit` characters are read."""
        plain = clean(turn.observation, limit, lines=True)
        for sentence in best_sentences(plain, f"{self.question} {_query(turn.call)}", SENTENCES):
            if not self._duplicates.seen(sentence):
                self.sentences.append(sentence)

    def _book(self, call: Call, observation: str) -> None:
        given = call.arguments
        if call.tool == "goal":
            self.goals.append(given["goal"])
        elif call.tool == "reflect" and given["met"] and self.goals:
            self.goals.pop()
        elif call.tool == "note":
            self.notes.append(given["text"])
        elif call.tool == "curate":
            self._curate(given["pages"], given["level"])
        elif call.tool == "cite" and given["page"] in self.pool:
            self.evidence.append((given["page"], given["claim"]))
        elif call.tool == "verify" and given["page"] in self.pool:
            self.checks.append((given["page"], given["claim"], clean(observation, 80) or "?"))

    def _curate(self, pages: Iterable[int], level: str) -> None:
        for page in pages:
            if page not in self.pool:
                return
            self.curated.pop(page, None)
            if level != "drop":
                self.curated[page] = level
            if len(self.curated) > CURATED:
                del self.curated[next(iter(self.curated))]


def remember(question: str, turns: Sequence[Turn]) -> Memory:
    """The bookkeeping after some turns, without sentences; `curated` is what the agent returns."""
    memory = Memory(question)
    for turn in turns:
        memory.note_call(turn)
    return memory


class Harness(Renderer):
    """The question, the memory, the last action and its result, and what is left of the budget.

    The agent curates, checks and cites, the environment's side keeps the state ("Harness-1:
    Reinforcement Learning for Search Agents with State-Externalizing Harnesses" (2026)). The last
    result is shown as it is, earlier ones as their best sentences. With goals as gaps and notes as
    what is known it also serves controllers that plan from gaps. Where the cap is too small, what
    stands last in this list is left out first, the oldest lines before newer ones: last result (at
    most half of the room), curated set, goals, evidence, checks, notes, candidates, sentences.
    """

    def render(
        self, question: str, turns: Sequence[Turn], budgets: Mapping[str, int] | None = None
    ) -> Prompt:
        memory = remember(question, turns)
        for turn in turns[:-1]:
            memory.note_observation(turn, self.observation_cap)
        ends, cut = [budget_line(budgets)] if budgets else [], False
        room = self._room(asked(question), *ends)
        if turns:
            last = ["Last action:", last_action(turns[-1]), "Result:"]
            most = room // 2 - sum(map(self.measure, last))
            result = quote(turns[-1].observation, self.observation_cap)
            result, cut = fitted(result, most, self.measure)
            ends = [*last, result, *ends] if result else [*last, *ends]
            room = self._room(asked(question), *ends)
        shown, left_out = self._fill(_sections(memory), room)
        return self._prompt([("user", "\n".join([asked(question), *shown, *ends]))], left_out + cut)

    def _fill(
        self, sections: Iterable[tuple[str, Sequence[str]]], room: int
    ) -> tuple[list[str], int]:
        """As many lines as have room, the newest of each section first, and how many have not."""
        shown, left_out = list[str](), 0
        for title, lines in sections:
            kept, rest = [], room - self.measure(title)
            for line in reversed(lines):
                rest -= self.measure(line)
                if rest < 0:
                    break
                kept.insert(0, line)
            if kept:
                shown += [title, *kept]
                room -= sum(map(self.measure, [title, *kept]))
            left_out += len(lines) - len(kept)
        return shown, left_out


def _sections(memory: Memory) -> list[tuple[str, list[str]]]:
    """Titles and lines, in the order in which they are shown and have a right to room."""
    curated = [
        f"{level}: {', '.join(str(page) for page, at in memory.curated.items() if at == level)}"
        for level in reversed(LEVELS)  # the highest last, for it goes last
        if level in memory.curated.values()
    ]
    candidates = [
        f"{page} (read)" if read else f"{page}"
        for page, read in memory.pool.items()
        if page not in memory.curated or read
    ]
    return [
        ("Curated pages:", curated),
        ("Goals:", _quoted(memory.goals)),
        ("Evidence:", _quoted(f"{page}: {claim}" for page, claim in memory.evidence)),
        ("Checked:", _quoted(f"{page}: {claim}: {found}" for page, claim, found in memory.checks)),
        ("Notes:", _quoted(memory.notes)),
        ("Candidates:", [", ".join(candidates[i : i + 10]) for i in range(0, len(candidates), 10)]),
        ("Seen:", _quoted(memory.sentences)),
    ]


def _quoted(lines: Iterable[str]) -> list[str]:
    return [quote(line, _SENTENCE_LENGTH) for line in lines]


def _query(call: Call | None) -> str:
    """The words of a call."""
    texts = (
        [] if call is None else [v for v in call.arguments.values() if isinstance(v, str | list)]
    )
    return " ".join(t if isinstance(t, str) else " ".join(map(str, t)) for t in texts)
