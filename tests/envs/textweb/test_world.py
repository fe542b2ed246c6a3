import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.corpus import TRUSTED
from spelunk.envs.textweb.patterns import PATTERNS
from spelunk.envs.textweb.world import TOP_K, KnowledgeWorld, open_worlds

MIX = {"gossip": 0.4, "rumour": 0.3, "outdated": 0.2, "copy": 0.1}


@pytest.fixture(scope="module")
def world():
    return KnowledgeWorld(1, 4000, MIX)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_plans_bring_up_all_that_is_needed(world, pattern):
    questions = world.questions(pattern, 30)
    assert len(questions) == 30 or pattern == "clique"
    for question in questions:
        known = {question.nodes[v] for v in question.known}
        learned = set()
        for step in world.plan(question):
            # A query names only what is known by then.
            name = step.query.rsplit(" ", 1)[1]
            assert world.graph.read_name(name) in known
            assert step.page in world.search([step.query]).pages[0]
            assert world.corpus.kinds[step.page] in TRUSTED
            assert set(step.facts) <= set(world.corpus.facts(step.page))
            learned |= set(step.facts)
            known |= {s.first % world.graph.n for s in world.corpus.sentences(step.page)}
            known |= {s.second % world.graph.n for s in world.corpus.sentences(step.page)}
        assert learned == set(question.facts())
        assert 1 <= world.dispersion(question) <= len(world.plan(question))


def test_questions_that_the_pages_do_not_answer_are_left_out(world):
    rng = np.random.default_rng(0)
    proposed = PATTERNS["ring"](world.graph, 200, rng)
    kept = world.answerable(proposed)
    assert 0 < kept.sum() < len(kept)
    for question, ok in zip(proposed, kept, strict=True):
        found = [
            any(
                world.states(int(page), fact)
                for page in world.search([world.query(entity, fact)]).pages[0]
            )
            for entity, fact in question.lookups()
        ]
        assert all(found) == ok


def test_the_same_questions_again(world):
    again = KnowledgeWorld(1, 4000, MIX)
    assert again.questions("chain", 20) == world.questions("chain", 20)
    assert world.questions("chain", 20) != KnowledgeWorld(2, 4000, MIX).questions("chain", 20)
    settings = 400, (("gossip", 1.0),), 0.0, "bm25", "single"
    # More worlds than sets of them that are kept.
    assert open_worlds(range(1, 13), *settings) is open_worlds(range(1, 13), *settings)


def test_what_cannot_be(world):
    with pytest.raises(InvalidArgumentError, match="pattern must be in"):
        world.questions("riddle", 3)
    with pytest.raises(InvalidArgumentError, match="no question of pattern 'clique'"):
        KnowledgeWorld(0, 40).questions("clique", 3)


def test_searches_are_of_titles_and_texts(world):
    name = world.graph.name(7)
    listed = world.search([f"anything on {name}"]).pages[0]
    assert len(listed) == TOP_K
    assert int(world.corpus.page_of[7]) in listed
