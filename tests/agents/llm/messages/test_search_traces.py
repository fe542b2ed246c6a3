"""Traces of real episodes of KnowledgeSearch, and the rewards and judges that read them."""

import gymnasium
import numpy as np
import pytest

from spelunk.agents.core.agent import Agent, interact
from spelunk.agents.llm.messages.chat import ChatAgent, Reply
from spelunk.agents.llm.messages.search_traces import (
    SearchRecorder,
    record_traces,
    search_task,
    world_oracle,
)
from spelunk.agents.llm.searching.judges import WorldJudge
from spelunk.agents.llm.searching.searchers import OracleAgent
from spelunk.agents.llm.searching.trace import Trace, read_traces
from spelunk.agents.llm.training.terms.reward.registry import reward
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.patterns import PATTERNS
from spelunk.wrappers.vector_budget import VectorBudget

from .chats import searches


class Says(Agent):
    """Says the same messages in each lane, one after the other."""

    def __init__(self, *messages):
        self.messages = messages

    def start(self, env, seed):
        super().start(env, seed)
        self.said = 0

    def act(self, observations, infos):
        self.said += 1
        return [self.messages[self.said - 1]] * self.env.num_envs


def recorded(agent, env, steps, seed=0):
    """The traces of some steps."""
    traces = []
    played = interact(SearchRecorder(agent, traces.append), env, env.reset(seed=seed), 0)
    for _ in range(steps):
        next(played)
    return traces


def judge(env):
    return WorldJudge(world_oracle(env.unwrapped.prototype.desks[0].world), epsilon=0)


def value(name, trace, env, **settings):
    return reward(name, **settings)(trace, judge(env))


def test_the_trace_of_a_plan():
    env = searches(1)
    problem = env.unwrapped.prototype
    env.reset(seed=0)
    start = env.unwrapped.states[0].copy()
    question, world = problem.question(start), problem.world
    steps = world.plan(question)
    assert len(steps) == 2
    (trace,) = recorded(OracleAgent(), env, 5)
    task = trace.task
    assert task.question == question.words
    assert (task.pattern, task.evidence, task.max_turns) == ("chain", 2, 20)
    answer, between = question.answers[0], question.nodes[2]
    assert task.gold[0][0] == world.graph.name(answer)
    assert [names[0] for names in task.entities] == [
        world.graph.name(answer), world.graph.name(between)
    ]  # fmt: skip
    first, second = question.facts()
    assert [(r.entities, r.fact) for r in task.rubrics] == [((1,), first), ((1, 0), second)]
    assert {step.page for step in steps} <= set(task.relevant)
    assert set(task.answer_pages) == set(world.pages.pages_stating(second).tolist())
    results = trace.results
    assert [result.tool for result in results] == ["search", "open"] * 2
    assert [result.turn for result in results] == [0, 1, 2, 3]
    assert [result.queries for result in results[::2]] == [(step.query,) for step in steps]
    assert [result.pages for result in results[1::2]] == [((step.page,),) for step in steps]
    assert [result.covered for result in results] == [0, 1, 1, 3]
    for step, result in zip(steps, results[::2], strict=True):
        assert result.pages == (tuple(world.search([step.query]).pages[0].tolist()),)
        assert result.texts == (tuple(map(world.pages.title, result.pages[0])),)
        assert result.text.startswith(f"Results for {step.query}:\n")
    assert results[1].texts == ((" ".join(world.pages.lines(steps[0].page)),),)
    assert [s.kind for s in trace.segments if s.generated] == ["search", "open"] * 2 + ["answer"]
    assert trace.ending.answer == world.graph.name(answer)
    assert trace.ending.well_formed == (True,) * 5
    assert trace.ending.extras == {
        "return": 1.0, "success": 1.0, "coverage": 1.0, "searches": 2, "world": 0
    }  # fmt: skip
    assert Trace.from_json(trace.to_json()) == trace


def test_rewards_of_a_plan_by_hand():
    env = searches(1)
    (trace,) = recorded(OracleAgent(), env, 5)
    worth = {
        "em": 1, "f1": 1, "judged": 1, "well_formed": 1, "retrieval_gain": 1, "info_density": 2 / 4,
        "step_discount": 0.95**3, "earliness": 0, "tool_coverage": 0, "query_diversity":
        value("query_diversity", trace, env), "rank_piecewise": 2, "harness": -0.2, "call_bonus": 0
    }  # fmt: skip
    assert {name: value(name, trace, env) for name in worth} == pytest.approx(worth)
    assert value("step_score", trace, env).tolist() == [0, 1, 0, 1, 1]
    places = [trace.pages.index(page) + 1 for page in trace.task.relevant if page in trace.pages]
    gain = sum(1 / np.log2(1 + place) for place in places)
    best = sum(1 / np.log2(2 + i) for i in range(len(trace.task.relevant)))
    assert value("ndcg", trace, env) == pytest.approx(gain / best)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_plans_of_all_patterns_are_worth_all(pattern):
    env = searches(3, questions=(pattern,), per_pattern=30, max_episode_steps=40)
    traces = recorded(OracleAgent(), env, 25)
    assert len(traces) >= 3
    for trace in traces:
        assert trace.extra("success") == 1
        for name in ("em", "set_f1", "judged", "retrieval_gain"):
            assert value(name, trace, env) == 1, (name, trace.task, trace.ending)
        assert set(trace.task.answer_pages) <= set(trace.task.relevant)
        assert value("step_score", trace, env)[-1] == 1


def test_a_wrong_answer_and_malformed_messages():
    env = searches(1)
    agent = Says("<think>so</think><search>a\nb</search>", "eh?", "open: 399", "answer: Nobody")
    (trace,) = recorded(agent, env, 4)
    assert [(s.role, s.kind, s.turn) for s in trace.segments] == [
        ("user", "question", -1),
        ("assistant", "think", 0),
        ("assistant", "search", 0),
        ("tool", "result", 0),
        ("assistant", "malformed", 1),
        ("tool", "error", 1),
        ("assistant", "open", 2),
        ("tool", "result", 2),
        ("assistant", "answer", 3),
    ]
    assert [s.text for s in trace.segments[1:3]] == ["so", "<search>a\nb</search>"]
    assert trace.ending.well_formed == (True, False, True, True)
    assert trace.results[1].pages == ()
    assert "on no list" in trace.results[1].text
    oracle = judge(env)
    assert [oracle.score(trace, turn) for turn in range(4)] in ([0, -1, -1, -1], [-1] * 4)
    assert value("em", trace, env) == value("judged", trace, env) == 0
    assert value("well_formed_share", trace, env) == 3 / 4
    assert value("call_bonus", trace, env) == 0.05


def test_several_queries_have_a_row_each():
    env = searches(1)
    world = env.unwrapped.prototype.desks[0].world
    env.reset(seed=0)
    steps = world.plan(env.unwrapped.prototype.question(env.unwrapped.states[0]))
    queries = [step.query for step in steps]
    agent = Says(f"<search>{queries[0]}\n{queries[1]}</search>", "answer: x")
    (trace,) = recorded(agent, env, 2)
    (result,) = trace.results
    assert result.queries == tuple(queries)
    assert result.pages == tuple(map(tuple, world.search(queries).pages.tolist()))


def test_tools_that_show_no_pages():
    tools = ("judge", "goal", "reflect", "note", "curate", "cite", "summary")
    env = searches(1, tools=tools)
    env.reset(seed=0)
    problem = env.unwrapped.prototype
    (step, *_) = problem.world.plan(problem.question(env.unwrapped.states[0]))
    agent = Says(
        f"search: {step.query}", "judge: no", "goal: x", "reflect: yes", "note: y",
        f"<summary>r</summary><curate>high {step.page}</curate>", f"cite: {step.page} z",
        "answer: a, b and c",
    )  # fmt: skip
    (trace,) = recorded(agent, env, 8)
    verdicts = [s.verdict for s in trace.segments if s.verdict is not None]
    assert verdicts == [False, True]
    assert trace.ending.curated == trace.ending.citations == (step.page,)
    assert "r" in [s.text for s in trace.segments if s.kind == "summary"]
    assert set(trace.task.tools) == {"search", "open", "answer", *tools}
    assert trace.calls == 7
    assert value("judge_agreement", trace, env) == 1 / 2
    assert value("curation", trace, env) > 0


def test_an_entity_has_two_names():
    env = searches(1, alias_rate=1.0)
    env.reset(seed=0)
    problem = env.unwrapped.prototype
    answer = problem.question(env.unwrapped.states[0]).answers[0]
    other = problem.world.graph.name(problem.world.graph.n + answer)
    (trace,) = recorded(Says(f"answer: {other}"), env, 1)
    assert value("em", trace, env) == value("judged", trace, env) == trace.extra("return") == 1


def test_lists_are_taken_apart():
    env = searches(1, questions=("list",))
    (trace,) = recorded(Says("<answer>a, b and c.\nAndover</answer>"), env, 1)
    assert trace.ending.items == ("a", "b", "c", "Andover")


def test_what_a_budget_holds_back_brings_nothing():
    env = VectorBudget(searches(2), turns=4, calls={"search": 1})
    agent = Says("search: employer of x", "search: employer of x", "open: 1", "search: x")
    traces = recorded(agent, env, 4)
    assert len(traces) == 2
    for trace in traces:
        assert trace.task.max_turns == 4
        assert [s.kind for s in trace.segments if s.role == "tool"] == [
            "result", "refused", "result", "refused"
        ]  # fmt: skip
        assert trace.calls == 2
        assert trace.turns == 4
        assert trace.ending.answer is None
        assert trace.extra("searches") == 1


class Tokens:
    """Says a message in three tokens."""

    def reply(self, prompts, seeds):
        return [Reply("<think>a</think>answer: b", (1, 2, 3), (-1.0, -2.0, -0.5))] * len(prompts)


def test_tokens_stand_with_the_last_part():
    (trace, _) = recorded(ChatAgent(Tokens()), searches(2), 1)
    assert trace.tokens.tolist() == [1, 2, 3]
    assert trace.log_probs.tolist() == [-1, -2, -0.5]
    assert trace.loss_mask().all()
    assert [len(s.tokens) for s in trace.segments] == [0, 0, 3]


def test_the_task_of_each_world():
    env = searches(2, worlds=2, per_pattern=20)
    env.reset(seed=0, options={"task": [0, 1]})
    problem = env.unwrapped.prototype
    tasks = [search_task(problem, state) for state in env.unwrapped.states]
    for task, desk in zip(tasks, problem.desks, strict=True):
        oracle = world_oracle(desk.world)
        for rubric in task.rubrics:
            assert any(oracle.supports(page, rubric.fact) for page in task.relevant)
    assert tasks[0].question != tasks[1].question
    assert tasks[0].max_turns is None


def test_runs_go_on_where_they_stopped(tmp_path):
    path, env = tmp_path / "traces.jsonl", searches(4)
    assert record_traces(path, OracleAgent(), env, range(3)) == 3
    assert record_traces(path, OracleAgent(), env, [2, 9, 9, 0, 7]) == 2
    traces = list(read_traces(path))
    assert sorted(trace.extra("seed") for trace in traces) == [0, 1, 2, 7, 9]
    for trace in traces:
        env.reset(seed=trace.extra("seed"))
        state = env.unwrapped.states[0]
        assert trace.task.question == env.unwrapped.prototype.question(state).words
    path.write_bytes(path.read_bytes()[:-40])
    assert record_traces(path, OracleAgent(), env, [0, 1, 2, 7, 9]) == 1
    assert len(list(read_traces(path))) == 5
    path.write_text("nonsense\n")
    with pytest.raises(InvalidArgumentError, match="line 1"):
        record_traces(path, OracleAgent(), env, [0])


def test_only_searches_in_text_have_traces(tmp_path):
    for env in (
        searches(2, actions="menu"),
        gymnasium.make_vec("spelunk/Maze-v0", num_envs=2, autoreset_mode="SAME_STEP"),
    ):
        with pytest.raises(InvalidArgumentError, match='KnowledgeSearch with actions="text"'):
            record_traces(tmp_path / "t", Says("x"), env, [0])
