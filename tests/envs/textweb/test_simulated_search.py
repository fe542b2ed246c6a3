"""The simulated search engine: what it makes up, and when it lies."""

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.simulated_search import SimulatedSearch

NAMES = ["Ada", "Bo", "Cy", "Dee", "Eve"]
RELATIONS = ["mentor", "home", "age"]
FACTS = np.array(
    [[0, 0, 1], [0, 1, 2], [1, 0, 2], [2, 1, 3], [3, 0, 4], [3, 1, 3], [4, 2, 70]], np.int32
)


def read_name(word):
    return NAMES.index(word.capitalize()) if word.capitalize() in NAMES else -1


LINKS = np.array([True, True, False])


def engine(facts=FACTS, **kwargs):
    return SimulatedSearch(facts, RELATIONS, LINKS, read_name, NAMES.__getitem__, **kwargs)


def test_useful_pages_state_the_facts_asked_for():
    search = engine()
    found = search.search(["the home of Ada", "mentor of Bo", "age of Eve", "nobody", "Cy Bo"], 3)
    facts = [[search.read(p).fact if p >= 0 else -1 for p in row] for row in found.pages.tolist()]
    assert facts == [[1, 0, -1], [2, -1, -1], [6, -1, -1], [-1] * 3, [2, 3, -1]]
    assert found.scores[0].tolist() == [2, 1, 0]
    page, number = found.pages[0, 0], found.pages[2, 0]
    assert search.title(page) == "Ada"
    for word in ("Ada", "home", "Cy"):
        assert word in search.lines(page)[0]
    assert "70" in search.lines(number)[0]
    assert engine().lines(page)[0] == search.lines(page)[0], "nothing is kept"


def test_noise_makes_pages_lie_at_its_rate():
    search = engine(noise=0.4)
    queries = [f"Dee or Ada {i}" for i in range(1000)]
    pages = search.search(queries, 4).pages
    made = [search.read(page) for page in pages.ravel().tolist()]
    lies = np.array([m.tail != FACTS[m.fact, 2] for m in made])
    assert lies.mean() == pytest.approx(0.4, abs=0.03)
    wrong = {(m.fact, m.tail) for m, lie in zip(made, lies, strict=True) if lie}
    assert {tail for fact, tail in wrong if fact == 0} == {2, 4}, "tails of other mentors"
    assert len({m.template for m in made}) == 4
    np.testing.assert_array_equal(pages[5:6], search.search([queries[5]], 4).pages)
    assert (pages != engine(noise=0.4, seed=1).search(queries, 4).pages).any()


def test_more_pages_lie_as_the_dial_is_turned():
    search = engine(noise=0.2)
    queries = [f"Dee or Ada {i}" for i in range(100)]
    clean = engine().search(queries, 4).pages
    small = search.search(queries, 4).pages
    search.noise = 0.7
    large = search.search(queries, 4).pages
    lies = small != clean
    np.testing.assert_array_equal(small[lies], large[lies])
    assert (large != clean).sum() > lies.sum()
    with pytest.raises(InvalidArgumentError, match="noise"):
        search.noise = 2


def test_there_is_no_lie_where_all_facts_agree():
    search = engine(np.array([[0, 0, 1], [1, 0, 1]]), noise=1)
    assert {search.read(search.search([f"Ada {i}"], 1).pages[0, 0]).tail for i in range(9)} == {1}


def test_untrusted_queries_are_contained():
    queries = ["Ada " * 400_000, "\x00<b>Ada</b>", "{h} Ada {0}", "\ud800"]
    found = engine().search(queries, 1)
    assert (found.pages[:, 0] >= 0).tolist() == [True, True, True, False]


def test_what_does_not_fit_is_refused():
    for bad in ([0, 0, 0], np.zeros((0, 3), int), [[0, 0]]):
        with pytest.raises(InvalidArgumentError, match="rows of 3"):
            engine(np.array(bad))
    for bad in ([[0, 3, 0]], [[0, -1, 0]]):
        with pytest.raises(InvalidArgumentError, match="relations from 0 to 2"):
            engine(np.array(bad))
    for page in (-1, 10**6):
        with pytest.raises(InvalidArgumentError, match="page must be"):
            engine().read(page)
