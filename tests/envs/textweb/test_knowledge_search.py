"""KnowledgeSearch: menu, words, tools, features and the end of an episode."""

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError, UnparseableActionError
from spelunk.envs.textweb import search_menu as sm
from spelunk.envs.textweb.answers import gold, grade
from spelunk.envs.textweb.bm25 import BM25
from spelunk.envs.textweb.knowledge_search import KnowledgeSearch
from spelunk.envs.textweb.patterns import PATTERNS
from spelunk.envs.textweb.schema import COLUMNS, RELATIONS, RELATIONS_PER_TYPE
from spelunk.envs.textweb.search_desk import KNOWN, OFFERED, TOOLS

ID = "spelunk/KnowledgeSearch-v0"
FURTHER = tuple(tool for tool in TOOLS if tool not in ("search", "web", "open", "answer"))


def started(seed: int = 0, **arguments: Any) -> KnowledgeSearch:
    env = KnowledgeSearch(**arguments)
    env.reset(seed=seed)
    return env


def plan(env: KnowledgeSearch) -> list[str]:
    return env.plan(env.state)


def listed(values: Any) -> list[int]:
    return [n for n in values.tolist() if n >= 0]


# --- questions and answers ---


@pytest.mark.parametrize("dialect", ["english", "compact"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_plan_answers_every_kind_of_question(pattern, dialect):
    env = KnowledgeSearch(actions="text", questions=(pattern,), documents=2000, dialect=dialect)
    for seed in range(30):
        env.reset(seed=seed)
        messages = plan(env)
        for message in messages[:-1]:
            assert env.step(env.parse(message))[1:4] == (0.0, False, False)
        _, reward, terminated, truncated, info = env.step(env.parse(messages[-1]))
        assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, 1)
        assert info["coverage"] == 1.0
        assert info["searches"] == (len(messages) - 1) // 2
        assert env.describe().lower().rstrip(".").endswith("right")


def test_the_plan_by_menu():
    env = KnowledgeSearch(questions=sm.MENU_PATTERNS)
    for seed in range(100):
        env.reset(seed=seed)
        for message in plan(env):
            _, reward, terminated, _, _ = env.step(env.parse(message))
        assert reward == 1
        assert terminated


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_another_answer_is_wrong(actions):
    env = started(3, actions=actions)
    right = gold(env.world, env.question(env.state))
    rng = np.random.default_rng(0)
    wrong = next(name for _ in range(99) if (name := env.guess(env.state, rng)) != right)
    _, reward, terminated, truncated, info = env.step(env.parse(f"answer: {wrong}"))
    assert (reward, terminated, truncated, info["success"]) == (0.0, True, False, 0)
    assert env.describe().endswith("Wrong.")


def test_what_answers_are_worth():
    env = KnowledgeSearch(actions="text", questions=("list", "count", "report", "chain"))
    world, graph = env.world, env.world.graph
    questions = {q.pattern: q for q in env.desk.questions}
    chain, count, several = questions["chain"], questions["count"], questions["list"]
    name, other = graph.name(chain.answers[0]), graph.name(chain.nodes[1])
    for answer, worth in [
        (name, 1), (name.upper() + ".", 1), (graph.name(graph.n + chain.answers[0]), 1),
        (f"{name}, {other}", 0), (f"it is {name}", 0), (other, 0), ("", 0), ("\n,;", 0),
    ]:  # fmt: skip
        assert grade(world, chain, answer) == worth
    number = count.answers[0]
    assert grade(world, count, f"{number}.") == 1
    assert grade(world, count, f"{number} or {number + 1}") == grade(world, count, "two") == 0
    names = [graph.name(entity) for entity in several.answers]
    n = len(names)
    assert (
        grade(world, several, "\n".join(names)) == grade(world, several, " and ".join(names)) == 1
    )
    assert grade(world, several, names[0]) == pytest.approx(2 / (1 + n))
    assert grade(world, several, ", ".join([*names, "Nobody"])) == pytest.approx(
        2 * n / (2 * n + 1)
    )
    assert grade(world, several, f"{names[0]}, {names[0]}") == pytest.approx(2 / (1 + n))
    told = gold(world, questions["report"]).split(", ")
    assert grade(world, questions["report"], f"{told[0]} and then {told[-1]}") >= 2 / COLUMNS - 1e-9
    assert grade(world, questions["report"], "nothing") == 0


# --- the menu ---


def legal_words(env: KnowledgeSearch) -> set[str]:
    """What can be said, from the rules alone: entities in mind, results, and what is offered."""
    graph, question = env.world.graph, env.question(env.state)
    known = listed(env.state["known"])
    wanted = graph.types[question.answers[0]]
    words = {
        f"search: {r.word} of {graph.name(e)}"
        for e in known
        for r in RELATIONS
        if r.head == graph.types[e]
    }
    words |= {f"open: {n}" for n in listed(env.state["results"])}
    answers = [e for e in known if graph.types[e] == wanted] + env.state["offered"].tolist()
    return words | {f"answer: {graph.name(e)}" for e in answers}


def test_mask_and_words_follow_the_rules():
    env, chance = KnowledgeSearch(), np.random.default_rng(0)
    _, info = env.reset(seed=0)
    for _ in range(400):
        slots = np.flatnonzero(info["action_mask"])
        words = [env.action_words(slot) for slot in slots]
        assert len(set(words)) == len(words)
        assert set(words) == legal_words(env)
        assert [env.parse(text) for text in words] == slots.tolist()
        empty = sorted(set(range(sm.SLOTS)) - set(slots.tolist()))
        assert env.action_words(empty[0]) == f"slot {empty[0]} is empty"
        _, _, terminated, truncated, info = env.step(chance.choice(slots))
        if terminated or truncated:
            _, info = env.reset()


def test_entities_in_mind_are_those_read_last():
    env, chance = KnowledgeSearch(max_episode_steps=-1), np.random.default_rng(1)
    env.reset(seed=0)
    asked = env.question(env.state).nodes[1]
    read: list[int] = []
    for _ in range(200):
        slots = [s for s in np.flatnonzero(env.action_mask()) if s < sm.ANSWERS]
        slot = int(chance.choice(slots))
        page = int(env.state["results"][slot - sm.OPENS]) if slot >= sm.OPENS else None
        env.step(slot)
        if page is not None:
            mentions = [e for e in env.world.corpus.mentions(page) if e != asked]
            read = [e for e in read if e not in mentions] + mentions
        assert listed(env.state["known"]) == [asked, *read[-(KNOWN - 1) :]]
    assert len(read) > KNOWN


def features_by_hand(env: KnowledgeSearch) -> np.ndarray:
    """The documented features, slot by slot from the words of the slots and of the pages."""
    graph, question = env.world.graph, env.question(env.state)
    relations = {r.word: r for r in RELATIONS}
    asked = [
        RELATIONS[graph.types[question.nodes[edge.head]] * RELATIONS_PER_TYPE + edge.column].word
        for edge in question.edges
    ]
    opened = listed(env.state["opened"])
    facts = {fact for page in opened for fact in env.world.corpus.facts(page)}
    chain = [question.nodes[1]]
    for edge in question.edges:
        fact = chain[-1] * COLUMNS + edge.column
        if fact not in facts:
            break
        chain.append(graph.value(fact))

    def about(row: np.ndarray, entity: int) -> None:
        row[9 : 9 + len(chain)] = [entity == e for e in chain]

    def query(row: np.ndarray, words: str) -> None:
        relation, name = words.split(" of ")
        assert relation in relations
        row[5 : 5 + len(asked)] = [relation == word for word in asked]
        about(row, graph.read_name(name))

    rows = np.zeros((sm.SLOTS, sm.FEATURES), np.float32)
    for slot in np.flatnonzero(env.action_mask()):
        row, (kind, words) = rows[slot], env.action_words(slot).split(": ")
        row[0] = 1
        if kind == "search":
            query(row, words)
            row[1] = words == env.state["query"]
        elif kind == "open":
            query(row, str(env.state["query"]))
            row[2] = 1 / (1 + listed(env.state["results"]).index(int(words)))
            row[3] = int(words) in opened
        elif slot < sm.GUESSES:
            about(row, graph.read_name(words))
            row[3] = len(chain) > len(asked) and graph.read_name(words) == chain[-1]
        else:
            row[4] = 1
    return rows


def test_features_are_what_the_pages_tell():
    env, chance = KnowledgeSearch(questions=sm.MENU_PATTERNS), np.random.default_rng(2)
    seen = np.zeros(sm.FEATURES, bool)
    observation, _ = env.reset(seed=0)
    for step in range(1200):
        wanted = features_by_hand(env)
        np.testing.assert_array_equal(observation, wanted)
        seen |= (wanted > 0).any(axis=0)
        slots = np.flatnonzero(env.action_mask())
        follow = [s for s in slots if env.action_words(s) in plan(env)[:-1]]
        # Mostly along the plan, so that every feature comes up.
        slot = int(chance.choice(follow if follow and chance.random() < 0.7 else slots))
        observation, _, terminated, truncated, _ = env.step(slot)
        if terminated or truncated:
            observation, _ = env.reset(seed=step)
    assert seen.all(), "a feature never came up"


def test_offered_answers_are_uniform_and_of_the_right_type():
    env = gymnasium.make_vec(ID, num_envs=2000)
    env.reset(seed=0)
    prototype, right = env.unwrapped.prototype, 0
    types = prototype.world.graph.types
    for state in env.unwrapped.states:
        answer = prototype.question(state).answers[0]
        assert len(set(state["offered"].tolist())) == OFFERED
        assert (types[state["offered"]] == types[answer]).all()
        right += answer in state["offered"]
    assert right / 2000 == pytest.approx(OFFERED / 60, abs=0.02)


@pytest.mark.parametrize("text", ["search: mayor of nowhere", "open: 1", "answer: x", "dance"])
def test_the_menu_refuses_what_it_does_not_have(text):
    with pytest.raises(UnparseableActionError):
        started(0).parse(text)


def test_menu_and_text_lead_to_the_same_states():
    menu, text = started(7), started(7, actions="text")
    for message in plan(menu):
        menu.step(menu.parse(message))
        text.step(message)
        assert menu.snapshot() == text.snapshot()


# --- words and tools ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search: mayor of Nowhere", "search: mayor of Nowhere"),
        ("  SEARCH :   two   words \n and more", "search: two words"),
        ("I think I should look.\nOpen: 2", "open: 2"),
        ("<think>hm</think><search>two words</search>", "search: two words"),
        ('{"name": "open", "arguments": {"page": 3}}', "open: 3"),
        ("search: a | b", "search: a | b"),
    ],
)
def test_messages_are_read_leniently(text, message):
    env = started(actions="text")
    assert env.parse(text) == message
    assert env.parse(env.action_words(env.parse(text))) == message


RUBBISH = [
    "", "hello", "search:", "find: x", "answer", "search", ": x", "\0", "🕳️" * 100, "open 1",
    "<search>a<open>1</open></search>", '{"name": "open", "arguments": {"page": NaN}}', "[" * 4000,
    '{"name": "fly", "arguments": {}}', "open: one", "open: 99999999999999999999", "open: ²",
    "＜search＞a＜/search＞",
]  # fmt: skip


@pytest.mark.parametrize("text", RUBBISH)
def test_rubbish_costs_a_step_and_is_answered(text):
    env = started(actions="text")
    env.step("search: anything of Trotrat")
    before = env.snapshot()
    observation, reward, terminated, truncated, _ = env.step(text)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert observation.splitlines()[-1] == str(env.state["problem"])
    assert "search" in env.state["problem"]
    changed = [n for n in before.dtype.names if not np.array_equal(before[n], env.state[n])]
    assert sorted(changed) == ["problem", "step_count"]
    with pytest.raises(UnparseableActionError):
        env.parse(text)
    env.step("search: anything")
    assert env.state["problem"] == ""


def test_pages_that_are_not_listed_cannot_be_opened():
    env = started(actions="text")
    env.step(plan(env)[0])
    other = next(n for n in range(400) if n not in env.state["listed"])
    for number in (other, 400, 999_999_999):
        observation = env.step(f"open: {number}")[0]
        assert observation.endswith(f"Page {number} is on no list of results so far.")
    assert (env.state["opened"] == -1).all()


def test_pages_listed_before_can_be_opened():
    env = started(actions="text")
    first, second = plan(env)[:2]
    env.step(first)
    env.step("search: something else")
    env.step(second)
    assert env.state["page"] == int(second.split()[1])
    assert env.state["coverage"] > 0


def test_strange_queries_are_only_words():
    env = started(actions="text")
    for words in ("<script>alert(1)</script>", "\x1b[2J x", "word " * 800, "ignore rules", "%s"):
        observation = env.step(f"search: {words}")[0]
        assert observation in env.observation_space
        assert "<script" not in observation


def test_what_is_no_text_is_illegal():
    env = started(actions="text")
    for wrong in (3, None, b"open: 1"):
        with pytest.raises(InvalidActionError):
            env.step(wrong)
    assert env.state["step_count"] == 0


@pytest.mark.parametrize("dialect", ["english", "compact"])
def test_a_message_of_any_length_costs_a_step(dialect):
    env = started(actions="text", dialect=dialect)
    for steps, message in enumerate(
        ("x" * 20_000, "search: " + "y " * 2**20, "<search>" * 10**5), 1
    ):
        text, reward, terminated, _, _ = env.step(message)
        assert (reward, terminated, env.state["step_count"]) == (0, False, steps)
        assert text in env.observation_space
        assert "16384" in text if dialect == "english" else text.endswith("bad")


def test_several_worlds():
    """The reset seed draws one of them, the option `task` names one; each has its own questions."""
    env = KnowledgeSearch(actions="text", worlds=3)
    drawn = set()
    for seed in range(20):
        env.reset(seed=seed)
        drawn.add(int(env.state["world"]))
        assert env.world.seed == env.state["world"]
        for message in plan(env):
            reward = env.step(message)[1]
        assert reward == 1
    assert drawn == {0, 1, 2}
    env.reset(seed=0, options={"task": 2})
    twin = KnowledgeSearch(world_seed=2)
    twin.reset(seed=0)
    assert env.question(env.state) == twin.question(twin.state)


def test_worlds_that_share_their_names_tell_other_facts():
    env = KnowledgeSearch(worlds=2, names_seed=7)
    one, other = (desk.world.graph for desk in env.desks)
    assert [one.name(i) for i in range(300)] == [other.name(i) for i in range(300)]
    assert (one.tails != other.tails).mean() > 0.5
    alone = KnowledgeSearch(world_seed=1)
    assert np.array_equal(alone.world.graph.tails, other.tails)
    assert alone.world.graph.name(0) != other.name(0)


def test_worlds_by_lane():
    """A lane keeps its world over episodes, and sees what an environment of it alone does."""
    worlds, env = [2, 0, 1, 2, 0], gymnasium.make_vec(ID, num_envs=5, worlds=3)
    env.reset(seed=3, options={"task": worlds})
    alone = [KnowledgeSearch(world_seed=w) for w in worlds]
    for lane, one in enumerate(alone):
        seen, info = one.reset(seed=3 + lane)
        batch = env.unwrapped
        np.testing.assert_array_equal(batch.buffers.observations[lane], seen)
        np.testing.assert_array_equal(batch.buffers.mask[lane], info["action_mask"])
    for _ in range(60):
        env.step(env.unwrapped.sample_actions(np.random.default_rng(1)))
    assert env.unwrapped.states["world"].tolist() == worlds


def test_several_queries_at_once():
    env = started(actions="text")
    names = [env.world.graph.name(e) for e in (3, 170)]
    env.step(f"search: {names[0]} | {names[1]}")
    results = listed(env.state["results"])
    for entity in (3, 170):
        assert int(env.world.corpus.page_of[entity]) in results
    assert len(results) == len(set(results)) <= 10


def test_two_sources():
    mix = {"rumour": 1.0}
    env = started(2, actions="text", sources="local+web", tools=("web",), mix=mix)
    name, corpus = env.world.graph.name(int(env.state["known"][0])), env.world.corpus
    env.step(f"search: {name}")
    assert (corpus.kinds[listed(env.state["results"])] == 0).all()
    env.step(f"web: {name}")
    assert (corpus.kinds[listed(env.state["results"])] != 0).all()
    for message in plan(env):
        reward = env.step(message)[1]
    assert reward == 1


def test_neighbours_of_a_name():
    env = started(0, actions="text", tools=("neighbours",))
    graph, corpus = env.world.graph, env.world.corpus
    env.step(f"neighbours: {graph.name(7)}")
    assert set(listed(env.state["results"])) == set(corpus.page_of[graph.tails[7]].tolist())
    env.step("neighbours: nobody")
    assert listed(env.state["results"]) == []


def test_degraded_retrieval():
    clean, bad = KnowledgeSearch(actions="text"), KnowledgeSearch(actions="text", degraded=0.5)
    names = [clean.world.graph.name(entity) for entity in range(60)]
    right, found = (env.desk.engines["search"].search(names, 5).pages for env in (clean, bad))
    assert (right != found).mean() == pytest.approx(0.5, abs=0.1)
    bad.reset(seed=0)
    bad.step(f"search: {names[0]}")
    assert listed(bad.state["results"]) == found[0].tolist()


def test_the_dial_of_degraded_retrieval_turns():
    env = KnowledgeSearch(actions="text")
    names = [env.world.graph.name(entity) for entity in range(60)]
    right = env.world.search(names).pages
    for share in (0.0, 0.3, 1.0, 0.0):
        env.degraded = share
        found = env.desk.engines["search"].search(names, 5).pages
        wrong = (found != right)[right >= 0].mean()
        assert wrong == pytest.approx(share, abs=0.1 if 0 < share < 1 else 0)
    with pytest.raises(InvalidArgumentError, match="degraded"):
        env.degraded = 1.5


def test_a_simulated_engine():
    """Its pages tell what was asked for, or with the dial up something else; all can be used."""
    env = KnowledgeSearch(actions="text", retriever="simulated", tools=("find", "verify"))
    for seed in range(20):
        env.reset(seed=seed)
        for message in plan(env):
            reward = env.step(message)[1]
        assert (reward, env.state["coverage"]) == (1, 1)
    page = int(env.state["page"])
    [line] = env.world.pages.lines(page)
    env.reset(seed=seed)
    for message in plan(env)[:-1]:
        env.step(message)
    env.step(f"verify: {page} {line}")
    assert env.state["passed"][0] == 1
    env.degraded = 1.0
    env.reset(seed=0)
    message = plan(env)[0]
    env.step(message)
    facts = [env.world.pages.facts(page) for page in listed(env.state["results"])]
    assert facts
    assert not any(facts)


@pytest.mark.parametrize(
    "arguments",
    [
        {"retriever": "simulated"},
        {"retriever": "simulated", "actions": "text", "tools": ("neighbours",)},
        {"retriever": "simulated", "actions": "text", "sources": "local+web"},
        {"retriever": "reranked", "actions": "text", "sources": "local+web"},
        {"retriever": "altavista"},
        {"worlds": 0},
    ],
)
def test_engines_that_do_not_fit(arguments):
    with pytest.raises(InvalidArgumentError):
        KnowledgeSearch(**arguments)


def test_an_engine_of_the_users():
    asked = []

    class Engine(BM25):
        def search(self, queries, k):
            asked.extend(queries)
            return super().search(queries, k)

    def make(corpus):
        return Engine(*corpus.tokens(), corpus.vocabulary)

    env = KnowledgeSearch(actions="text", retriever=make)
    env.reset(seed=0)
    env.step("search: my words")
    assert asked[-1] == "my words"
    assert KnowledgeSearch(actions="text", retriever=make).world is env.world


@pytest.mark.parametrize("retriever", ["dense", "hybrid", "reranked"])
def test_other_retrievers(retriever):
    env = KnowledgeSearch(actions="text", retriever=retriever)
    for seed in range(20):
        env.reset(seed=seed)
        for message in plan(env):
            reward = env.step(message)[1]
        assert reward == 1


def test_every_tool_does_what_it_says():
    env = started(2, actions="text", tools=FURTHER)
    assert f"There are also: {', '.join(FURTHER)}." in env.describe()
    assert env.step("find: x")[0].endswith("No page has been opened yet.")
    search, opens = plan(env)[:2]
    env.step(search)
    env.step(opens)
    page = env.state["page"].item()
    sentence = env.world.corpus.say(env.world.corpus.sentences(page)[0])
    said = {
        "goal: the first step": "Goal: the first step",
        f"find: {sentence.split()[0]}": "Found: ",
        f"verify: {page} {sentence}": f"Checked: {page} states it",
        f"verify: {page} cows fly": f"{page} does not state it",
        "note: remember this": "Note: remember this",
        "summary: all I know": "Report: all I know",
        f"curate: high {page}": f"Curated: {page} (high)",
    }
    for message, shown in said.items():
        assert shown in env.step(message)[0], message
    assert env.state["passed"].tolist()[:2] == [1, 0]
    env.step("reflect: yes")
    env.step("judge: no")
    env.step(f"cite: {page} {sentence}")
    assert (env.state["met"], env.state["useful"], env.state["cited"][0]) == (1, -1, page)
    env.step(f"curate: low {page}")
    assert f"Curated: {page} (low)" in env.describe()
    assert "Curated" not in env.step(f"curate: drop {page}")[0]
    for message in ("curate: high 399999", "verify: 399999 x", "cite: 399999 x"):
        assert "on no list" in env.step(message)[0]
    env.reset(seed=5)
    assert "Note" not in env.describe()


def test_the_text_shows_results_and_the_page_opened_last():
    env = started(2, actions="text")
    first, second = plan(env)[:2]
    observation, *_ = env.step(first)
    corpus = env.world.corpus
    for page in listed(env.state["results"]):
        assert f"\n{page} {corpus.title(page)}" in observation
    observation, *_ = env.step(second)
    page = int(env.state["page"])
    assert f"\nPage {page} {corpus.title(page)}: {corpus.text(page)}" in observation
    assert "(read)" in observation


def test_the_compact_dialect_tells_what_is_needed():
    env = KnowledgeSearch(actions="text", dialect="compact", questions=("chain3", "diamond"))
    graph = env.world.graph
    for seed in range(40):
        env.reset(seed=seed)
        question = env.question(env.state)
        first = env.describe().splitlines()[0].split()
        assert first[0] == question.pattern
        assert len(first) == 1 + 3 * len(question.edges)
        known = {graph.name(question.nodes[v]).lower() for v in question.known}
        assert known <= set(first)
        assert "?" in first
        for step, message in zip(env.world.plan(question), plan(env)[1::2], strict=False):
            env.step(f"search {step.query.lower()}")
            told = env.step(message)[0].splitlines()[-1].split()
            assert told[:2] == ["page", str(step.page)]
            assert len(told) <= 2 + 12
            fact = step.facts[0]
            assert graph.name(fact // COLUMNS).lower() in told
    assert env.step("fly away home")[0].endswith("bad")


# --- episodes ---


def test_the_time_limit_truncates():
    env = started(max_episode_steps=3)
    assert [env.step(0)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]
    env = started(max_episode_steps=-1)
    assert not any(env.step(0)[3] for _ in range(50))


def test_environments_of_a_world_share_it():
    env = gymnasium.make_vec(ID, num_envs=64)
    assert KnowledgeSearch().world is env.unwrapped.prototype.world
    assert KnowledgeSearch(world_seed=1).world is not env.unwrapped.prototype.world
    assert env.unwrapped.states.itemsize < 3000


@pytest.mark.parametrize("arguments", [{}, {"actions": "text", "tools": FURTHER}])
def test_a_reset_leaves_nothing_behind(arguments):
    played = started(0, **arguments)
    for message in plan(played):
        played.step(played.parse(message))
    played.reset(seed=9)
    assert played.snapshot() == started(9, **arguments).snapshot()


def test_best_return():
    env = KnowledgeSearch(max_episode_steps=4)
    for seed in range(20):
        env.reset(seed=seed)
        assert (env.best_return(seed) == 1.0) == (len(plan(env)) <= 4)
        assert KnowledgeSearch().best_return(seed) == 1.0


@pytest.mark.parametrize(
    "arguments",
    [{"world_seed": -1}, {"world_seed": 0.5}, {"names_seed": -1}, {"documents": 39},
     {"documents": "400"}, {"questions": ()}, {"questions": ("ring",)},
     {"questions": "chain"}, {"actions": "tool"},
     {"max_episode_steps": 0}, {"render_mode": "human"}, {"size": 3}, {"tools": ("note",)},
     {"actions": "text", "tools": ("fly",)}, {"actions": "text", "tools": "note"},
     {"mix": {"spam": 1.0}}, {"alias_rate": 2.0}, {"actions": "text", "tools": ("web",)},
     {"per_pattern": 0}, {"dialect": "klingon"}, {"retriever": "oracle"}, {"sources": "both"},
     {"degraded": 1.5}],
)  # fmt: skip
def test_wrong_arguments(arguments):
    with pytest.raises(InvalidArgumentError):
        KnowledgeSearch(**arguments)


def test_pictures_change_with_the_state():
    env = started(0, render_mode="rgb_array")
    pictures = [env.render()]
    for message in plan(env):
        env.step(env.parse(message))
        pictures.append(env.render())
    assert all(p.shape == (380, 640, 3) and p.dtype == np.uint8 for p in pictures)
    assert all((a != b).any() for a, b in itertools.pairwise(pictures))
