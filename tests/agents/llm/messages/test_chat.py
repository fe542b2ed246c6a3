"""Policies that speak in messages, and the agent that plays with them."""

import re

import gymnasium
import numpy as np
import pytest

from spelunk.agents.core.agent import interact
from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.llm.messages.chat import RENDERERS, ChatAgent, FunctionPolicy, Situation
from spelunk.agents.llm.messages.harness import Harness
from spelunk.agents.llm.messages.transcript import Transcript
from spelunk.agents.llm.messages.workspace import Workspace
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.tools import describe_tools
from spelunk.wrappers.vector_budget import VectorBudget

from .chats import Planner, said, searches


class Script:
    """Says some messages in turn, and keeps the prompts."""

    def __init__(self, *messages):
        self.messages, self.prompts = messages, []

    def __call__(self, messages, seed):
        self.prompts.append(messages)
        return self.messages[(len(self.prompts) - 1) % len(self.messages)]


def play(function, env, steps, renderer=None, seed=0):
    agent = ChatAgent(FunctionPolicy(function), renderer)
    played = interact(agent, env, env.reset(seed=seed), 0)
    return agent, [next(played) for _ in range(steps)]


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("actions", ["menu", "text"])
def test_a_search_in_words(renderer, actions):
    env = searches(1)
    agent = ChatAgent(FunctionPolicy(Planner(env)), RENDERERS[renderer]())
    # One lane, so that the planner can count the prompts of a question.
    env = searches(1, actions=actions)
    ends = [s for _, s in zip(range(40), interact(agent, env, env.reset(seed=0), 0), strict=False)]
    returns = [step.infos["episode"]["r"][0] for step in ends if step.ended[0]]
    assert len(returns) >= 8
    assert set(returns) == {1}
    assert agent.unparsed == 0


def test_what_a_transcript_tells():
    env = searches(1)
    script = Script("<think>hm</think><search>employer of x</search>", "what?", "open: 399")
    agent, _ = play(script, env, 4)
    question = env.unwrapped.prototype.question(env.unwrapped.states[0]).words
    first, second, third, fourth = script.prompts
    assert [message["role"] for message in first] == ["system", "user"]
    assert first[0]["content"] == describe_tools(("search", "open", "answer"))
    assert first[1]["content"] == f"Question: {question}"
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": script.messages[0]}
    assert second[3]["content"].startswith("| Results for employer of x:\n| ")
    assert question not in second[3]["content"]
    assert third[:4] == second
    assert "names no action" in third[5]["content"]
    assert "| Page 399 is on no list of results so far." in fourth[7]["content"]
    listed = agent._turns[0][0]
    assert listed.call.tool == "search"
    assert [f"| {page} " in second[3]["content"] for page in listed.pages] == [True] * 5
    assert agent._turns[0][1].call is None
    assert agent._turns[0][2].pages == ()


def test_an_episode_begins_afresh():
    env = searches(1)
    script = Script("search: x", "answer: Nobody")
    play(script, env, 3)
    assert len(script.prompts[1]) == 4
    assert len(script.prompts[2]) == 2
    assert script.prompts[2] != script.prompts[0]


def test_the_compact_dialect_has_no_tags():
    env = searches(1, dialect="compact")
    script = Script("search employer plosen")
    play(script, env, 2)
    assert [message["role"] for message in script.prompts[0]] == ["user"]
    assert script.prompts[0][0]["content"].startswith("Question: chain ")
    assert script.prompts[1][2]["content"].startswith("| found ")


def test_budgets_are_told_once():
    env = VectorBudget(searches(2), turns=4, calls={"search": 1})
    script = Script("search: employer of x")
    agent, _ = play(script, env, 3)
    lines = [said(prompt).count("Left:") for prompt in script.prompts]
    assert lines == [1] * 6
    ends = [said(prompt).split("\n")[-1] for prompt in script.prompts[::2]]
    assert ends == ["Left: 4 turns, 1 search.", "Left: 3 turns, 0 search.",
                    "Left: 2 turns, 0 search."]  # fmt: skip
    assert "| No search is left; nothing was done.\n" in said(script.prompts[4])
    assert [len(turn.pages) > 0 for turn in agent._turns[0]] == [True, False]
    _, played = play(Script("search: x"), env, 4)
    assert [step.ended.tolist() for step in played] == [[False] * 2] * 3 + [[True] * 2]


def test_lanes_that_have_retired_ask_nobody():
    env, script = searches(3), Script("search: x")
    agent = ChatAgent(FunctionPolicy(script))
    seen = env.reset(seed=0)
    agent.start(env, 0)
    agent.retired[1] = True
    assert agent.act(*seen) == ["search: x", "", "search: x"]
    assert len(script.prompts) == agent.answers == 2
    agent.retired[:] = True
    assert agent.act(*seen) == [""] * 3
    assert len(script.prompts) == 2


def listed_action(messages, seed):
    """One of the actions that a prompt lists."""
    actions = re.split("Actions(?:, for example)?: ", said(messages))[-1].split(", ")
    return f"Let me see.\n<answer>{actions[seed % len(actions)]}</answer>"


@pytest.mark.parametrize(
    "name", ["Maze", "DoorKey", "TicTacToe", "SlidingTile", "BernoulliBandit", "Sudoku"]
)
def test_any_environment_by_its_text_face(name):
    env = gymnasium.make_vec(f"spelunk/{name}-v0", num_envs=2, autoreset_mode="SAME_STEP")
    agent, _ = play(listed_action, env, 30)
    assert agent.answers == 60
    assert agent.unparsed == 0
    # Whoever names nothing acts at random, and so legally.
    for nonsense in ("nonsense", "", "<answer>", "x" * 20_000, "\x00\ud800"):
        agent, _ = play(lambda messages, seed, said=nonsense: said, env, 6)
        assert agent.unparsed == agent.answers == 12


def test_actions_without_a_list():
    env = gymnasium.make_vec("spelunk/PointMaze-v0", num_envs=2, autoreset_mode="SAME_STEP")
    script = Script("nonsense")
    agent, _ = play(script, env, 3)
    assert agent.unparsed == 6
    assert "Actions, for example: " in said(script.prompts[0])


def test_environments_of_one_message():
    env = gymnasium.make_vec("spelunk/CountdownAnswer-v0", num_envs=2, autoreset_mode="SAME_STEP")
    problem = env.unwrapped.prototype
    env.reset(seed=0)
    plans = {problem.task(s): problem.plan(s)[0] for s in env.unwrapped.states}
    _, (step,) = play(lambda messages, seed: plans[said(messages)], env, 1)
    assert step.rewards.tolist() == [1, 1]


def test_a_situation_keeps_its_lines():
    env = gymnasium.make_vec("spelunk/Maze-v0", num_envs=1, autoreset_mode="SAME_STEP")
    env.reset(seed=0)
    script = Script("nonsense")
    play(script, env, 1)
    env.reset(seed=0)
    system, user = script.prompts[0]
    assert "<answer>action</answer>" in system["content"]
    assert user["content"].startswith(env.unwrapped.describe(0) + "\nActions: ")
    short = Situation(cap=20).render("one two three four " * 9, (), {"turns": 3})
    assert short.size <= 20
    assert short.left_out == 1
    assert short.messages[0]["content"].endswith(" …\nLeft: 3 turns.")


def test_renderers_of_tools_need_tools():
    for renderer in (Workspace(), Harness()):
        with pytest.raises(InvalidArgumentError, match="needs an environment of search tools"):
            evaluate(
                ChatAgent(FunctionPolicy(listed_action), renderer), "spelunk/Maze-v0", episodes=2
            )
    evaluate(ChatAgent(FunctionPolicy(listed_action), Transcript()),
             "spelunk/BernoulliBandit-v0", episodes=2, horizon=5)  # fmt: skip


def test_instructions_of_ones_own_stay():
    script = Script("search: x")
    play(script, searches(1), 1, Transcript(instructions="Search well."))
    assert script.prompts[0][0]["content"] == "Search well."


def test_the_same_seed_gives_the_same_messages():
    def say(messages, seed):
        return f"search: {seed}"

    first, second = (play(say, searches(2), 3)[1] for _ in range(2))
    assert [step.actions for step in first] == [step.actions for step in second]
    assert len(np.unique([step.actions for step in first])) == 6


def test_it_ends_where_texts_are_long():
    script = Script("<think>" + "a " * 20_000, "answer: " + "b" * 100_000)
    _, played = play(script, searches(1), 4)
    assert max(len(said(prompt)) for prompt in script.prompts) < 100_000
    assert not played[1].ended[0]


def test_evaluation_asks_nobody_whose_episode_is_over():
    policy = FunctionPolicy(lambda messages, seed: "answer: x" if seed % 3 else "search: y")
    agent = ChatAgent(policy)
    played = evaluate(agent, "spelunk/KnowledgeSearch-v0", episodes=30, actions="text")
    assert len(set(played.lengths.tolist())) > 1
    assert agent.answers == played.lengths.sum()
