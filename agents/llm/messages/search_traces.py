"""Traces of KnowledgeSearch: who plays it in text leaves a record that rewards and judges read."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ....envs.kernel.errors import InvalidArgumentError
from ....envs.kernel.spaces import Unicode
from ....envs.textweb.grammar import Call, Malformed, preface, say
from ....envs.textweb.knowledge_search import TEXT_LENGTH, KnowledgeSearch
from ....envs.textweb.plain import LONGEST
from ....envs.textweb.questions import Question
from ....envs.textweb.schema import COLUMNS, RELATIONS_PER_TYPE
from ....envs.textweb.search_desk import QUERY_LENGTH, listed
from ....envs.textweb.world import TOP_K, KnowledgeWorld
from ....wrappers.vector_budget import VectorBudget
from ...core.agent import Agent, interact
from ..searching.judges import RecordedOracle
from ..searching.trace import Rubric, Spellings, Task, Trace, TraceBuilder, read_traces
from .chat import ChatAgent, Reply, shown_pages

_SEPARATORS = re.compile(r"[\n,;]|\band\b")


def world_oracle(world: KnowledgeWorld) -> RecordedOracle:
    """What is true of the traces of a world."""
    return RecordedOracle(world.states)


def search_task(problem: KnowledgeSearch, state: Any, max_turns: int | None = None) -> Task:
    """What is asked in an episode.

    The entities and rubrics are told of questions whose answer is one entity.

    Args:
        problem: the environment.
        state: a record of it.
        max_turns: the limit on turns; None for none.
    """
    question, world = problem.question(state), problem.desk_of(state).world
    pages = {fact: set(world.pages.pages_stating(fact).tolist()) for fact in question.facts()}
    ends = range(len(question.edges))
    if question.kind == "entity":
        ends = [i for i, edge in enumerate(question.edges) if 0 in (edge.head, edge.tail)]
    hidden = [v for v in range(len(question.nodes)) if v not in question.known]
    hidden = hidden if question.kind == "entity" else []
    rubrics = []
    for edge, fact in zip(question.edges, question.facts(), strict=True):
        if linked := tuple(hidden.index(v) for v in (edge.head, edge.tail) if v in hidden):
            rubrics.append(Rubric(linked, fact))
    return Task(
        question.words,
        question.pattern,
        gold=_gold(world, question),
        evidence=len(question.edges),
        relevant=tuple(sorted(set().union(*pages.values()))),
        answer_pages=tuple(sorted(set().union(*(pages[question.facts()[i]] for i in ends)))),
        tools=problem.tools,
        max_turns=max_turns,
        entities=tuple(_spellings(world, question.nodes[v]) for v in hidden),
        rubrics=tuple(rubrics),
    )


def _gold(world: KnowledgeWorld, question: Question) -> tuple[Spellings, ...]:
    """The items of the right answer."""
    if question.kind == "number":
        return ((str(question.answers[0]),),)
    if question.kind != "report":
        return tuple(_spellings(world, entity) for entity in question.answers)
    values = [(fact % COLUMNS, world.graph.value(fact)) for fact in question.answers]
    return tuple(
        _spellings(world, value) if column < RELATIONS_PER_TYPE else (str(value),)
        for column, value in values
    )


def _spellings(world: KnowledgeWorld, entity: int) -> Spellings:
    graph = world.graph
    return graph.name(entity), graph.name(graph.n + entity)


class SearchNotes:
    """Writes the traces of what is played in a batch of KnowledgeSearch in text.

    A message is split into thoughts, a report and the call; its tokens, where they are known, stand
    all with the last part. What a tool showed is the observation without the question; `covered`
    are the facts that were read by then. Of the pages listed the texts are their titles, of a page
    opened its sentences. Extras of the ending are `return`, `success`, `coverage`, `searches` and
    `world`, its number among the environment's.

    Args:
        env: the batch in same-step mode, or a `VectorBudget` over it; it has just been reset.

    Raises:
        InvalidArgumentError: the environment is not a KnowledgeSearch of texts.
    """

    def __init__(self, env: Any):
        self.batch: Any = env.unwrapped
        wordy = isinstance(env.single_action_space, Unicode)
        if not (wordy and isinstance(self.batch.prototype, KnowledgeSearch)):
            raise InvalidArgumentError(
                f'traces are written of KnowledgeSearch with actions="text"; '
                f"got {self.batch.prototype!r}"
            )
        self.problem: KnowledgeSearch = self.batch.prototype
        self._max_turns = _turns(env)
        self._builders = [self._begin(state) for state in self.batch.records()]
        self._steps = self.batch.records()["step_count"].copy()

    def update(
        self, actions: Sequence[str], ended: np.ndarray, replies: Mapping[int, Reply] | None = None
    ) -> dict[int, Trace]:
        """Take in a step of the batch.

        Args:
            actions: the messages.
            ended: (n,) `bool`, which episodes ended.
            replies: by lane, with the tokens of the messages; may be left out.

        Returns:
            the traces of the episodes that ended, by lane.
        """
        records, finals, traces = self.batch.records(), self.batch.final_states, {}
        for lane, message in enumerate(actions):
            state = (finals if ended[lane] else records)[lane]
            # A message that a budget holds back is no step of the environment.
            held = bool(state["step_count"] == self._steps[lane])
            self._note(lane, (replies or {}).get(lane, Reply(message)), state, held)
            if ended[lane]:
                traces[lane] = self._finish(lane, message, state, held)
                self._builders[lane] = self._begin(records[lane])
        self._steps = records["step_count"].copy()
        return traces

    def _begin(self, state: Any) -> TraceBuilder:
        builder = TraceBuilder(search_task(self.problem, state, self._max_turns))
        builder.tell(builder.task.question)
        return builder

    def _note(self, lane: int, reply: Reply, state: Any, held: bool) -> None:
        """Write down a turn."""
        builder, message = self._builders[lane], reply.text
        call = self.problem.read_message(message)
        tokens = {"tokens": reply.tokens, "log_probs": reply.log_probs}
        if isinstance(call, Malformed):
            builder.say(message[:LONGEST], "malformed", **tokens)
            builder.tell(call.reason, "tool", "error")
        else:
            thought, report = preface(message)
            for text, kind in ((thought, "think"), (report, "summary")):
                if text is not None:
                    builder.say(text, kind)
            action = message if thought is None and report is None else say(call)
            verdict = call.arguments.get({"judge": "useful", "reflect": "met"}.get(call.tool, ""))
            builder.say(action, call.tool, verdict=verdict, **tokens)
            if held:
                builder.tell("", "tool", "refused")
            elif call.tool != "answer":
                seen = self.problem.describe_state(state)[:TEXT_LENGTH].partition("\n")[2]
                builder.show(seen, call.tool, **self._shown(state, call))
        builder.end_turn(isinstance(call, Call))

    def _shown(self, state: Any, call: Call) -> dict[str, Any]:
        """What a call brought up, as fields of a segment."""
        desk, given = self.problem.desk_of(state), call.arguments
        queries = given.get("queries") or ([given["entity"]] if "entity" in given else [])
        rows = [list(pages)] if (pages := shown_pages(state, call)) else []
        if len(queries) > 1:  # The record does not say which query found what.
            asked = [query[:QUERY_LENGTH] for query in queries]
            found = desk.engines[call.tool].search(asked, TOP_K).pages.tolist()
            rows = [[page for page in row if page in pages] for row in found]
        written = desk.world.pages

        def text(page: int) -> str:
            return written.title(page) if queries else " ".join(written.lines(page))

        return {
            "queries": queries,
            "pages": rows,
            "texts": [[text(page) for page in row] for row in rows],
            "covered": int(state["covered"]),
        }

    def _finish(self, lane: int, message: str, state: Any, held: bool) -> Trace:
        call, question = self.problem.read_message(message), self.problem.question(state)
        answer, items = None, []
        if isinstance(call, Call) and call.tool == "answer" and not held:
            answer = call.arguments["text"]
            if question.kind in ("set", "report"):
                items = [part for part in map(_bare, _SEPARATORS.split(answer)) if part]
        extras = {
            "return": float(state["episode_return"]),
            **{name: float(state[name]) for name in ("success", "coverage")},
            **{name: int(state[name]) for name in ("searches", "world")},
        }
        kept = {
            field: listed(state[name])
            for field, name in (("curated", "curated"), ("citations", "cited"))
            if name in state.dtype.names
        }
        return self._builders[lane].finish(answer, items=items, extras=extras, **kept)


def _bare(name: str) -> str:
    return name.strip(" .")


def _turns(env: Any) -> int | None:
    """The most messages of an episode."""
    limits = [env.unwrapped.definition.max_episode_steps]
    if isinstance(env, VectorBudget) and "turns" in env.limits:
        limits.append(int(env.left[0, env.limits.index("turns")]))
    return min((limit for limit in limits if limit >= 0), default=None)


class SearchRecorder(Agent):
    """Any agent that plays KnowledgeSearch in text, with a trace written of each episode.

    Args:
        agent: who plays.
        on_trace: is given each trace as its episode ends.
        seeds: of the lanes' first episodes: these alone are written down, with the extra `seed`,
            and lanes beyond have nothing to do. None for all that is played.

    Attributes:
        retired: (lanes,) `bool`, where nothing is written down any more, and a `ChatAgent` does not
            ask its policy.
    """

    def __init__(
        self,
        agent: Agent,
        on_trace: Callable[[Trace], None],
        seeds: Sequence[int] | None = None,
    ):
        self.agent, self.on_trace, self.seeds = agent, on_trace, seeds

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act; see `Agent.start`.

        Raises:
            InvalidArgumentError: see `SearchNotes`.
        """
        super().start(env, seed)
        self.agent.start(env, seed)
        self._notes = SearchNotes(env)
        self.retired = np.zeros(env.num_envs, bool)
        if self.seeds is not None:
            self.retired[len(self.seeds) :] = True

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        if isinstance(self.agent, ChatAgent):
            self.agent.retired = self.retired
        return self.agent.act(observations, infos)

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        replies = self.agent.replies if isinstance(self.agent, ChatAgent) else None
        traces = self._notes.update(actions, ended, replies)
        for lane in np.flatnonzero(ended & ~self.retired).tolist():
            trace = traces[lane]
            if self.seeds is not None:
                extras = {**trace.ending.extras, "seed": self.seeds[lane]}
                trace = replace(trace, ending=replace(trace.ending, extras=extras))
                self.retired[lane] = True
            self.on_trace(trace)
        self.agent.update(actions, rewards, ended)


def append_trace(path: str | Path, trace: Trace) -> None:
    """Add a trace to a file of traces, a line of JSON each."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(trace.to_json() + "\n")


def record_traces(
    path: str | Path, agent: Agent, env: Any, seeds: Sequence[int], seed: int = 0
) -> int:
    """Play an episode from each seed, and add its trace to a file as soon as it ends.

    Seeds whose traces the file has are passed over: what a run was interrupted at, be it by a
    service that fails, the next call goes on with.

    Args:
        path: the file; need not exist.
        agent: who plays.
        env: a batch of KnowledgeSearch with text actions in same-step mode, or a `VectorBudget`
            over it.
        seeds: of the episodes.
        seed: of the agent.

    Returns:
        How many episodes were played.

    Raises:
        InvalidArgumentError: the file holds something else, or the environment is another one.
        ServiceError: who is asked for the agent's messages does not answer.
    """
    path = Path(path)
    _drop_torn_line(path)
    done = {trace.extra("seed") for trace in read_traces(path)} if path.exists() else set()
    left = [number for number in dict.fromkeys(map(int, seeds)) if number not in done]
    for first in range(0, len(left), env.num_envs):
        chosen = left[first : first + env.num_envs]
        recorder = SearchRecorder(agent, lambda trace: append_trace(path, trace), chosen)
        spare = [0] * (env.num_envs - len(chosen))
        for _ in interact(recorder, env, env.reset(seed=[*chosen, *spare]), seed + first):
            if recorder.retired.all():
                break
    return len(left)


def _drop_torn_line(path: Path) -> None:
    """Cut off what was being written to a file when its writer was killed."""
    if path.exists() and not (held := path.read_bytes()).endswith(b"\n"):
        path.write_bytes(held[: held.rfind(b"\n") + 1])
