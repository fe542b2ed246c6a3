"""The world, its pages, the index, and the questions that can be answered."""

import math
import re
from collections import Counter

import numpy as np
import pytest

from spelunk.envs.textweb import library as library_module
from spelunk.envs.textweb.corpus import PAGE_FACTS, PAGE_MENTIONS, Page
from spelunk.envs.textweb.library import TOP_K, Library, open_library
from spelunk.envs.textweb.retrieval import BM25Index
from spelunk.envs.textweb.world import RELATIONS, RELATIONS_PER_TYPE, TYPES, make_world


@pytest.fixture(scope="module")
def library():
    return open_library(0, 400)


def test_relations_are_sorted_by_head_and_named_apart():
    assert [r.head for r in RELATIONS] == [i // RELATIONS_PER_TYPE for i in range(len(RELATIONS))]
    assert len({r.word for r in RELATIONS}) == len(RELATIONS)


def test_the_world_respects_types_and_cardinalities():
    world = make_world(90, np.random.default_rng(5))
    assert len(set(world.names)) == 90
    assert all(re.fullmatch("[A-Z][a-z]+", name) for name in world.names)
    for index, relation in enumerate(RELATIONS):
        facts = [fact for fact in world.facts() if fact.relation == index]
        assert [fact.head for fact in facts] == list(world.by_type[relation.head])
        assert {fact.tail for fact in facts} <= set(world.by_type[relation.tail])
        if relation.cardinality == "1-1":
            assert max(Counter(fact.tail for fact in facts).values()) == 1
    assert len(set(make_world(3000, np.random.default_rng(0)).names)) == 3000
    assert sum(map(len, world.by_type)) == 90
    assert len(world.facts()) == 90 * RELATIONS_PER_TYPE


def test_one_seed_rebuilds_the_library_and_others_differ(library):
    again, other = Library(0, 400), Library(1, 400)
    assert again.pages == library.pages
    assert again.questions == library.questions
    assert other.world.names != library.world.names
    assert open_library(0, 400) is library


def test_pages_state_every_fact_once_and_in_words(library):
    names = library.world.names
    stated = Counter(fact for page in library.pages for fact in page.facts)
    assert stated == Counter(library.world.facts())
    for page in library.pages:
        assert len(page.facts) <= PAGE_FACTS
        assert len(page.mentions) <= PAGE_MENTIONS
        words = set(re.findall(r"\w+", f"{page.title} {page.text}"))
        assert {name for name in names if name in words} == {names[e] for e in page.mentions}
        if page.facts:
            sentences = re.split(r"(?<=\.) ", page.text)
            for sentence, fact in zip(sentences, page.facts, strict=True):
                assert names[fact.head] in sentence
                assert names[fact.tail] in sentence
    assert sum(not page.facts for page in library.pages) >= len(library.pages) // 4


def test_bm25_ranks_as_its_formula_says():
    texts = ["red fox", "red red dog house", "blue fox", "the end of it all, at last", "RED fox!"]
    index = BM25Index(texts)
    documents = [re.findall(r"\w+", text.lower()) for text in texts]
    mean = sum(map(len, documents)) / len(documents)

    def score(words, query):
        total = 0.0
        for term in query:
            holding = sum(term in document for document in documents)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            count = words.count(term)
            total += idf * count / (count + 1.2 * (0.25 + 0.75 * len(words) / mean))
        return total

    for query in (["red"], ["fox", "red"], ["blue", "house"], ["fox"]):
        scores = [score(document, query) for document in documents]
        wanted = sorted((i for i, s in enumerate(scores) if s > 0), key=lambda i: -scores[i])
        assert index.search(" ".join(query), 10) == wanted
    assert index.search("fox", 2) == [0, 2], "ties go to the first"
    assert index.search("", 3) == index.search("?! unheard", 3) == []


def test_every_question_is_answered_by_the_pages_in_one_way(library):
    told = {}
    for page in library.pages:
        for head, relation, tail in page.facts:
            told.setdefault((head, relation), set()).add(tail)
    for question in library.questions:
        (bridge,) = told[question.entity, question.first]
        (answer,) = told[bridge, question.second]
        assert answer == library.answer(question)
        assert len({question.entity, bridge, answer}) == 3


def test_every_plan_works(library):
    for question in library.questions:
        plan = library.plan(question)
        assert len(plan) == 5
        for step, fact in zip((0, 2), library.world.evidence(question), strict=True):
            kind, words = plan[step].split(": ")
            assert kind == "search"
            results = library.search(words)
            assert len(results) <= TOP_K
            page = library.pages[results[int(plan[step + 1].removeprefix("open: ")) - 1]]
            assert fact in page.facts
        assert plan[4] == f"answer: {library.world.names[library.answer(question)]}"


def test_questions_no_query_can_answer_are_dropped(library):
    unreachable = [
        fact
        for fact in library.world.facts()
        if not any(
            fact in library.pages[n].facts
            for n in library.search(library.query(fact.head, fact.relation))
        )
    ]
    assert unreachable, "the world is so easy that nothing is tested here"
    used = {fact for q in library.questions for fact in library.world.evidence(q)}
    assert used.isdisjoint(unreachable)
    assert set(library.world.chains()) - set(library.questions) == {
        q for q in library.world.chains() if set(library.world.evidence(q)) & set(unreachable)
    }


def test_questions_the_pages_answer_in_two_ways_are_dropped(library, monkeypatch):
    fact = library.world.evidence(library.questions[0])[1]
    other = next(e for e in library.world.by_type[RELATIONS[fact.relation].tail] if e != fact.tail)
    lie = Page("A lie", "", (fact._replace(tail=other),), ())
    honest = library_module.write_corpus
    monkeypatch.setattr(library_module, "write_corpus", lambda *args: (*honest(*args)[:-1], lie))
    left = Library(0, 400).questions
    assert left
    assert not any(fact in library.world.evidence(question) for question in left)


def test_there_are_many_questions_and_possible_answers(library):
    assert len(library.questions) > 2000
    assert len({library.ask(q) for q in library.questions}) == len(library.questions)
    answers = Counter(library.answer(q) for q in library.questions)
    assert len(answers) >= 100
    assert max(answers.values()) / len(library.questions) < 0.02
    assert [len(entities) for entities in library.world.by_type] == [100] * len(TYPES)


def test_menu_queries_and_free_queries_agree(library):
    for words in list(library.queries)[::37]:
        assert library.search(words) == library._index.search(words, TOP_K)
        assert library.search(words.upper() + " ?") == library.search(words)
