"""KnowledgeSearch: menu, words, features and the end of an episode."""

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError, UnparseableActionError
from spelunk.envs.textweb import knowledge_search as ks
from spelunk.envs.textweb.knowledge_search import KnowledgeSearch

ID = "spelunk/KnowledgeSearch-v0"


def started(seed: int = 0, **arguments: Any) -> KnowledgeSearch:
    env = KnowledgeSearch(**arguments)
    env.reset(seed=seed)
    return env


def plan(env: KnowledgeSearch) -> list[str]:
    return env.library.plan(env.question(env.state))


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_the_plan_answers_every_kind_of_question(actions):
    env = KnowledgeSearch(actions=actions)
    for seed in range(100):
        env.reset(seed=seed)
        for message in plan(env)[:-1]:
            assert env.step(env.parse(message))[1:4] == (0.0, False, False)
        _, reward, terminated, truncated, info = env.step(env.parse(plan(env)[-1]))
        assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, 1)
        assert env.describe().endswith("Right.")


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_another_answer_is_wrong(actions):
    env = started(3, actions=actions)
    right = env.library.world.names[env.library.answer(env.question(env.state))]
    wrong = next(name for name in env.candidates(env.state) if name != right)
    _, reward, terminated, truncated, info = env.step(env.parse(f"answer: {wrong}"))
    assert (reward, terminated, truncated, info["success"]) == (0.0, True, False, 0)
    assert env.describe().endswith("Wrong.")


def test_the_question_is_asked_in_words():
    env = started(1)
    entity, first, second = env.question(env.state)
    relations = [relation.word for relation in ks.RELATIONS]
    name = env.library.world.names[entity]
    assert env.describe().splitlines()[0] == (
        f"Question: What is the {relations[second]} of the {relations[first]} of {name}?"
    )


def legal_words(env: KnowledgeSearch) -> set[str]:
    """What can be said, from the rules alone: entities in mind, results, and what is offered."""
    world, question = env.library.world, env.question(env.state)
    known = [e for e in env.state["known"].tolist() if e >= 0]
    wanted = ks.RELATIONS[question.second].tail
    words = {
        f"search: {r.word} of {world.names[e]}"
        for e in known
        for r in ks.RELATIONS
        if r.head == world.types[e]
    }
    words |= {f"open: {i + 1}" for i, n in enumerate(env.state["results"].tolist()) if n >= 0}
    answers = [e for e in known if world.types[e] == wanted] + env.state["offered"].tolist()
    return words | {f"answer: {world.names[e]}" for e in answers}


def test_mask_and_words_follow_the_rules():
    env, chance = KnowledgeSearch(), np.random.default_rng(0)
    _, info = env.reset(seed=0)
    for _ in range(600):
        slots = np.flatnonzero(info["action_mask"])
        words = [env.action_words(slot) for slot in slots]
        assert len(set(words)) == len(words)
        assert set(words) == legal_words(env)
        assert [env.parse(text) for text in words] == slots.tolist()
        empty = sorted(set(range(ks.SLOTS)) - set(slots.tolist()))
        assert env.action_words(empty[0]) == f"slot {empty[0]} is empty"
        _, _, terminated, truncated, info = env.step(chance.choice(slots))
        if terminated or truncated:
            _, info = env.reset()


def test_entities_in_mind_are_those_read_last():
    env, chance = KnowledgeSearch(max_episode_steps=-1), np.random.default_rng(1)
    env.reset(seed=0)
    asked = env.question(env.state).entity
    read: list[int] = []
    for _ in range(200):
        slots = [s for s in np.flatnonzero(env.action_mask()) if s < ks._ANSWERS]
        slot = int(chance.choice(slots))
        page = int(env.state["results"][slot - ks._OPENS]) if slot >= ks._OPENS else None
        env.step(slot)
        if page is not None:
            mentions = [e for e in env.library.pages[page].mentions if e != asked]
            read = [e for e in read if e not in mentions] + mentions
        wanted = [asked, *read[-(ks.KNOWN - 1) :]]
        assert [e for e in env.state["known"].tolist() if e >= 0] == wanted
    assert len(read) > ks.KNOWN


def features_by_hand(env: KnowledgeSearch) -> np.ndarray:
    """The documented features, slot by slot from the words of the slots and of the pages."""
    world, library, question = env.library.world, env.library, env.question(env.state)
    number = {name: entity for entity, name in enumerate(world.names)}
    relation = {r.word: index for index, r in enumerate(ks.RELATIONS)}
    opened = [n for n in env.state["opened"].tolist() if n >= 0]
    facts = [fact for n in opened for fact in library.pages[n].facts]
    bridges = {f.tail for f in facts if f[:2] == (question.entity, question.first)}
    answers = {f.tail for f in facts if f.relation == question.second and f.head in bridges}

    def query(row: np.ndarray, words: str) -> None:
        asked_relation, name = words.split(" of ")
        row[1] = relation[asked_relation] == question.first
        row[2] = relation[asked_relation] == question.second
        row[3] = number[name] == question.entity
        row[4] = number[name] in bridges

    rows = np.zeros((ks.SLOTS, ks.FEATURES), np.float32)
    for slot in np.flatnonzero(env.action_mask()):
        row, (kind, words) = rows[slot], env.action_words(slot).split(": ")
        row[0] = 1
        if kind == "search":
            query(row, words)
            row[5] = words == env.state["query"]
        elif kind == "open":
            query(row, str(env.state["query"]))
            row[6] = 1 / int(words)
            row[7] = env.state["results"][int(words) - 1] in opened
        elif slot < ks._GUESSES:
            row[3] = number[words] == question.entity
            row[4] = number[words] in bridges
            row[8] = number[words] in answers
            row[9] = 1
    return rows


def test_features_are_what_the_pages_tell():
    env, chance = KnowledgeSearch(), np.random.default_rng(2)
    seen = np.zeros(ks.FEATURES, bool)
    observation, _ = env.reset(seed=0)
    for step in range(900):
        wanted = features_by_hand(env)
        np.testing.assert_array_equal(observation, wanted)
        seen |= (wanted > 0).any(axis=0)
        slots = np.flatnonzero(env.action_mask())
        follow = [s for s in slots if env.action_words(s) in plan(env)[:-1]]
        # Mostly along the plan, so that every feature comes up.
        slot = int(chance.choice(follow if follow and chance.random() < 0.6 else slots))
        observation, _, terminated, truncated, _ = env.step(slot)
        if terminated or truncated:
            observation, _ = env.reset(seed=step)
    assert seen.all(), "a feature never came up"


def test_features_do_not_depend_on_the_hidden_answer():
    env = started(0)
    before = env.observe_states(env._states)
    same = [q for q in range(len(env.library.questions))
            if env.library.questions[q][1:] == env.question(env.state)[1:]
            and env.library.questions[q] != env.question(env.state)]  # fmt: skip
    env.state["question"] = same[0]
    env.state["known"][0] = env.question(env.state).entity
    np.testing.assert_array_equal(before, env.observe_states(env._states))


def test_offered_answers_are_uniform_and_of_the_right_type():
    env = gymnasium.make_vec(ID, num_envs=2000)
    env.reset(seed=0)
    library, right = env.unwrapped.prototype.library, 0
    for state in env.unwrapped.states:
        question = library.questions[state["question"]]
        kind = ks.RELATIONS[question.second].tail
        assert len(set(state["offered"].tolist())) == ks.OFFERED
        assert all(library.world.types[e] == kind for e in state["offered"])
        right += library.answer(question) in state["offered"]
    assert right / 2000 == pytest.approx(ks.OFFERED / 100, abs=0.015)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search: mayor of Nowhere", "search: mayor of Nowhere"),
        ("  SEARCH :   two   words \n and more", "search: two words"),
        ("I think I should look.\nOpen: 2", "open: 2"),
        ("Answer:  Melor. ", "answer: Melor"),
        ("search: search: x", "search: search: x"),
    ],
)
def test_messages_are_read_leniently(text, message):
    env = started(actions="text")
    assert env.parse(text) == message
    assert env.parse(env.action_words(env.parse(text))) == message


RUBBISH = ["", "hello", "search:", "find: x", "answer", "search", ": x", "\0", "🕳️" * 100, "open 1"]


@pytest.mark.parametrize("text", RUBBISH)
def test_rubbish_costs_a_step_and_is_answered_by_help(text):
    env = started(actions="text")
    env.step("search: anything of Trotrat")
    assert "Say search: words" not in env.describe()
    before = env.snapshot()
    observation, reward, terminated, truncated, _ = env.step(text)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert observation.endswith("Say search: words, or open: number, or answer: name.")
    changed = [n for n in before.dtype.names if not np.array_equal(before[n], env.state[n])]
    assert sorted(changed) == ["misunderstood", "step_count"]
    with pytest.raises(UnparseableActionError):
        env.parse(text)
    assert "Say search: words" not in env.step("search: anything")[0]


@pytest.mark.parametrize("number", ["0", "6", "-1", "one", "1.0", "99999999999999999999", "²"])
def test_pages_that_are_not_listed_cannot_be_opened(number):
    env = started(actions="text")
    env.step(plan(env)[0])
    env.step(f"open: {number}")
    assert env.state["misunderstood"]
    assert (env.state["opened"] == -1).all()


def test_strange_queries_are_only_words():
    env = started(actions="text")
    for words in (
        "<script>alert(1)</script>",
        "\x1b[2J\0",
        "word " * 800,
        "ignore all rules",
        "%s",
    ):
        observation = env.step(f"search: {words}")[0]
        assert observation in env.observation_space
        assert "none" in observation or "1 " in observation


def test_what_is_no_text_is_illegal():
    env = started(actions="text")
    for wrong in (3, None, b"open: 1", "x" * 4097):
        with pytest.raises(InvalidActionError):
            env.step(wrong)
    assert env.state["step_count"] == 0


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


def test_the_text_shows_results_and_the_page_opened_last():
    env = started(2, actions="text")
    first, second = plan(env)[:2]
    observation, *_ = env.step(first)
    titles = [env.library.pages[n].title for n in env.state["results"].tolist() if n >= 0]
    for i, title in enumerate(titles):
        assert f"\n{i + 1} {title}" in observation
    observation, *_ = env.step(second)
    page = env.library.pages[env.state["opened"][0]]
    assert f"\nPage {page.title}: {page.text}" in observation
    assert "(read)" in observation


def test_the_time_limit_truncates():
    env = started(max_episode_steps=3)
    assert [env.step(0)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]
    env = started(max_episode_steps=-1)
    assert not any(env.step(0)[3] for _ in range(50))


def test_environments_of_a_world_share_it():
    env = gymnasium.make_vec(ID, num_envs=64)
    assert KnowledgeSearch().library is env.unwrapped.prototype.library
    assert KnowledgeSearch(world_seed=1).library is not env.unwrapped.prototype.library
    assert env.unwrapped.states.itemsize < 1024


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_a_reset_leaves_nothing_behind(actions):
    played = started(0, actions=actions)
    for message in plan(played):
        played.step(played.parse(message))
    played.reset(seed=9)
    assert played.snapshot() == started(9, actions=actions).snapshot()


def test_best_return():
    assert KnowledgeSearch().best_return(5) == 1.0
    assert KnowledgeSearch(max_episode_steps=4).best_return(5) is None


@pytest.mark.parametrize(
    "arguments",
    [{"world_seed": -1}, {"world_seed": 0.5}, {"documents": 39}, {"documents": "400"},
     {"questions": ()}, {"questions": ("ring",)}, {"questions": "chain"}, {"actions": "tool"},
     {"max_episode_steps": 0}, {"render_mode": "human"}, {"size": 3}],
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
