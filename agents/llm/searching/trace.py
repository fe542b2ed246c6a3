"""Traces: what an episode of a language model left behind, as plain data.

A `Trace` is what was asked (`Task`), what was said and shown (`Segment`s in order) and how it ended
(`Ending`). Scorers, judges and reward terms read traces and nothing else. Whoever runs an episode
writes one with a `TraceBuilder`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ....envs.kernel.errors import InvalidArgumentError

Spellings = tuple[str, ...]


@dataclass(frozen=True)
class Rubric:
    """One single-hop requirement of a question.

    Attributes:
        entities: the hidden entities that it links, numbers in `Task.entities`.
        fact: the fact that fulfils it, as `Judge.supports` knows it.
    """

    entities: tuple[int, ...]
    fact: int


@dataclass(frozen=True)
class Task:
    """What was asked.

    Attributes:
        question: its words.
        pattern: its kind, such as `"chain"`.
        gold: the items of the right answer, each in the spellings accepted; a closed one has one.
        evidence: how many gold facts there are to find, the bits of `Segment.covered`.
        relevant: the pages that state a gold fact.
        answer_pages: the pages that state the answer.
        tools: the tools that could be called.
        max_turns: the limit on turns; None for none.
        entities: the hidden entities of the question in their spellings, the answer first.
        rubrics: what links them.
    """

    question: str
    pattern: str = ""
    gold: tuple[Spellings, ...] = ()
    evidence: int = 0
    relevant: tuple[int, ...] = ()
    answer_pages: tuple[int, ...] = ()
    tools: tuple[str, ...] = ()
    max_turns: int | None = None
    entities: tuple[Spellings, ...] = ()
    rubrics: tuple[Rubric, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A part of the dialogue: a part of a message of the model, or something it was told.

    Attributes:
        role: who speaks, `"system"`, `"user"`, `"assistant"` or `"tool"`.
        kind: what it is, such as `"think"`, `"search"`, `"judge"`, `"answer"`, `"result"`.
        turn: the message that it is part of or answers, from 0; −1 before the first.
        text: its words.
        tokens: its token ids; may be left out.
        log_probs: of the tokens when they were drawn; empty, or one for each token.
        generated: whether the model wrote it.
        tool: the tool whose result it is; None for anything else.
        queries: the queries that it answers.
        pages: the pages returned, best first, a list for each query or, without queries, one.
        texts: what was shown of each page, in the shape of `pages`; may be left out.
        covered: the gold facts that have been shown by now, as a bit mask.
        verdict: what a judge or reflect tag says of the last result; None for other kinds.
        claims: the facts that a thought claims, as `Judge.supports` knows them.

    Raises:
        InvalidArgumentError: the fields contradict each other.
    """

    role: str
    kind: str
    turn: int
    text: str = ""
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    generated: bool = False
    tool: str | None = None
    queries: tuple[str, ...] = ()
    pages: tuple[tuple[int, ...], ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()
    covered: int = 0
    verdict: bool | None = None
    claims: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.turn < (0 if self.generated else -1):
            raise InvalidArgumentError(
                f"turn must be at least 0, or −1 for what is told before; got {self.turn}"
            )
        if self.log_probs and len(self.log_probs) != len(self.tokens):
            raise InvalidArgumentError(
                f"log_probs must be empty or one a token; got {len(self.log_probs)} "
                f"for {len(self.tokens)} tokens"
            )
        if self.queries and self.pages and len(self.pages) != len(self.queries):
            raise InvalidArgumentError(
                f"pages must be a list for each query; got {len(self.pages)} lists "
                f"for {len(self.queries)} queries"
            )
        if self.texts and [len(row) for row in self.texts] != [len(row) for row in self.pages]:
            raise InvalidArgumentError("texts must be empty or have the shape of pages")
        if self.covered < 0:
            raise InvalidArgumentError(f"covered must be a bit mask ≥ 0; got {self.covered}")


@dataclass(frozen=True)
class Ending:
    """How an episode ended.

    Attributes:
        answer: what the model answered; None if it never did.
        items: the parts of an answer that lists several; the answer alone where empty.
        well_formed: for each turn, whether its message kept the format.
        curated: the pages that the model put into its set.
        citations: the pages that the answer cites.
        cost: what the calls cost, in the unit of the environment's prices.
        extras: what only some environments know, by name, in JSON's types.

    Raises:
        InvalidArgumentError: the cost is negative or no number.
    """

    answer: str | None = None
    items: tuple[str, ...] = ()
    well_formed: tuple[bool, ...] = ()
    curated: tuple[int, ...] = ()
    citations: tuple[int, ...] = ()
    cost: float = 0.0
    extras: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.cost < float("inf"):
            raise InvalidArgumentError(f"cost must be a number ≥ 0; got {self.cost!r}")


@dataclass(frozen=True)
class Trace:
    """One episode.

    Attributes:
        task: what was asked.
        segments: what was said and shown, in order.
        ending: how it ended.

    Raises:
        InvalidArgumentError: turns go backwards or beyond the ending's, or facts beyond the task's.
    """

    task: Task
    segments: tuple[Segment, ...]
    ending: Ending

    def __post_init__(self) -> None:
        turns = [segment.turn for segment in self.segments]
        if turns != sorted(turns):
            raise InvalidArgumentError(f"the turns of segments must not go backwards; got {turns}")
        if turns and turns[-1] >= self.turns:
            raise InvalidArgumentError(
                f"well_formed must have an entry a turn; got {self.turns} for turn {turns[-1]}"
            )
        if any(segment.covered >> self.task.evidence for segment in self.segments):
            raise InvalidArgumentError(f"covered must have {self.task.evidence} bits at most")

    # --- counts ---

    @property
    def turns(self) -> int:
        """How many messages the model sent."""
        return len(self.ending.well_formed)

    @property
    def results(self) -> list[Segment]:
        """The results of the tools that were called, in order."""
        return [segment for segment in self.segments if segment.tool is not None]

    @property
    def calls(self) -> int:
        """How many calls of tools were answered; one call may carry several queries."""
        return len(self.results)

    @property
    def queries(self) -> list[str]:
        """Every query, in order."""
        return [query for result in self.results for query in result.queries]

    @property
    def pages(self) -> list[int]:
        """Every page returned, in order of arrival, each once."""
        return list(dict.fromkeys(page for r in self.results for row in r.pages for page in row))

    @property
    def items(self) -> tuple[str, ...]:
        """The parts of the answer."""
        given = () if self.ending.answer is None else (self.ending.answer,)
        return self.ending.items or given

    def pages_by(self, turn: int) -> set[int]:
        """The pages returned by the end of a turn."""
        return {p for r in self.results if r.turn <= turn for row in r.pages for p in row}

    def covered(self, turn: int) -> int:
        """The gold facts shown by the end of a turn, as a bit mask."""
        mask = 0
        for segment in self.segments:
            if segment.turn <= turn:
                mask |= segment.covered
        return mask

    def extra(self, name: str) -> Any:
        """An entry of the ending's extras.

        Raises:
            InvalidArgumentError: whoever wrote the trace has not recorded it.
        """
        if name not in self.ending.extras:
            raise InvalidArgumentError(
                f"the trace has no extra {name!r}; it has {sorted(self.ending.extras)}"
            )
        return self.ending.extras[name]

    # --- tokens ---

    @property
    def tokens(self) -> NDArray[np.int64]:
        """All token ids, (n,)."""
        return np.array([t for segment in self.segments for t in segment.tokens], np.int64)

    @property
    def log_probs(self) -> NDArray[np.float32]:
        """Of the tokens when they were drawn, (n,); 0 where none were recorded."""
        rows = [s.log_probs or (0.0,) * len(s.tokens) for s in self.segments]
        return np.array([value for row in rows for value in row], np.float32)

    @property
    def generated_tokens(self) -> int:
        """How many tokens the model wrote."""
        return sum(len(segment.tokens) for segment in self.segments if segment.generated)

    def loss_mask(self, masked_kinds: Iterable[str] = ()) -> NDArray[np.bool_]:
        """Which tokens a loss may count, (n,): those that the model wrote.

        Args:
            masked_kinds: kinds of segments that are left out even so, as results that a model
                writes itself (SSRL).
        """
        masked = set(masked_kinds)
        rows = [[s.generated and s.kind not in masked] * len(s.tokens) for s in self.segments]
        return np.array([value for row in rows for value in row], np.bool_)

    # --- storage ---

    def to_json(self) -> str:
        """The trace as one line of JSON.

        Raises:
            InvalidArgumentError: it holds a value that JSON cannot, such as an infinite number.
        """
        record = {
            "task": {**vars(self.task), "rubrics": [vars(rubric) for rubric in self.task.rubrics]},
            "segments": [vars(segment) for segment in self.segments],
            "ending": vars(self.ending),
        }
        try:
            return json.dumps(record, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"the trace cannot be written as JSON: {error}") from error

    @classmethod
    def from_json(cls, line: str) -> Self:
        """A trace from its line of JSON.

        Raises:
            InvalidArgumentError: the line is no trace.
        """
        try:
            record = json.loads(line)
            task = _tuples(record["task"])
            task["rubrics"] = tuple(Rubric(**rubric) for rubric in task["rubrics"])
            extras = record["ending"].pop("extras")
            return cls(
                Task(**task),
                tuple(Segment(**_tuples(segment)) for segment in record["segments"]),
                Ending(**_tuples(record["ending"]), extras=extras),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InvalidArgumentError(f"{line[:80]!r} is no trace: {error}") from error

    @cached_property
    def digest(self) -> bytes:
        """A fingerprint, 16 bytes, that ignores log-probabilities."""
        bare = tuple(replace(segment, log_probs=()) for segment in self.segments)
        return blake2b(replace(self, segments=bare).to_json().encode(), digest_size=16).digest()


def write_traces(path: str | Path, traces: Iterable[Trace]) -> None:
    """Write traces to a file, a line of JSON each."""
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(trace.to_json() + "\n" for trace in traces)


def read_traces(path: str | Path) -> Iterator[Trace]:
    """The traces of a file, one after the other.

    Raises:
        InvalidArgumentError: a line is no trace; the message says which.
    """
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield Trace.from_json(line)
            except InvalidArgumentError as error:
                raise InvalidArgumentError(f"{path}, line {number}: {error}") from error


class TraceBuilder:
    """Writes a trace while an episode runs.

    Each turn is any number of `say` and `show`, closed by `end_turn`; `tell` is for what stands
    before the first turn or between two. Lists and arrays may stand for tuples.

    Args:
        task: what is asked.
    """

    def __init__(self, task: Task):
        self.task = task
        self._segments: list[Segment] = []
        self._well_formed: list[bool] = []
        self._open = False

    def tell(self, text: str, role: str = "user", kind: str = "question", **fields: Any) -> None:
        """Note something the model was told; `fields` are others of `Segment`."""
        self._add(Segment(role, kind, len(self._well_formed) - (not self._open), text), fields)

    def say(self, text: str, kind: str, **fields: Any) -> None:
        """Note a part of the model's message; `fields` are others of `Segment`."""
        self._open = True
        turn = len(self._well_formed)
        self._add(Segment("assistant", kind, turn, text, generated=True), fields)

    def show(self, text: str, tool: str, **fields: Any) -> None:
        """Note what a tool returned to the message; `fields` are others of `Segment`."""
        self._open = True
        self._add(Segment("tool", "result", len(self._well_formed), text, tool=tool), fields)

    def end_turn(self, well_formed: bool = True) -> None:
        """Close the turn; say whether its message kept the format."""
        self._well_formed.append(well_formed)
        self._open = False

    def finish(self, answer: str | None = None, **fields: Any) -> Trace:
        """The trace; `fields` are others of `Ending`.

        Raises:
            InvalidArgumentError: a turn is still open.
        """
        if self._open:
            raise InvalidArgumentError("end_turn must close the last turn before finish")
        extras = fields.pop("extras", {})
        ending = Ending(
            answer, well_formed=tuple(self._well_formed), extras=extras, **_tuples(fields)
        )
        return Trace(self.task, tuple(self._segments), ending)

    def _add(self, segment: Segment, fields: dict[str, Any]) -> None:
        self._segments.append(replace(segment, **_tuples(fields)))


def _tuples(value: Any) -> Any:
    """The same with tuples for lists and arrays, as the dataclasses have them."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple(_tuples(entry) for entry in value)
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return value
