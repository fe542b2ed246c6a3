"""Graph search over a small graph."""

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.neighbours import EntityNeighbours, entities_in


def read_name(word):
    return {"ada": 0, "bo": 1, "cy": 2, "dee": 3, "duke": 0}.get(word, -1)


@pytest.fixture
def graph():
    near = np.array([1, 2, 1, 0, 3], np.int32)
    return EntityNeighbours(read_name, near, np.array([0, 3, 4, 5, 5]), np.array([9, 8, -1, 7]))


def test_names_are_found_in_text():
    assert entities_in("Is CY older than the Duke, or Ada?", read_name) == [2, 0]
    assert entities_in("nobody", read_name) == entities_in("", read_name) == []


def test_the_pages_of_neighbours_come_in_their_order(graph):
    found = graph.search(["who knows Ada and Bo?", "Bo", "Cy", "Dee", "nobody"], 3)
    assert found.pages.tolist() == [[8, -1, -1], [9, -1, -1], [7, -1, -1], [-1] * 3, [-1] * 3]
    assert found.scores[0].tolist() == [1, 0, 0], "one neighbour has no page"
    near = np.array([3, 1, 3, 2])
    graph = EntityNeighbours(read_name, near, np.array([0, 4, 4, 4, 4]), np.array([5, 6, 7, 8]))
    found = graph.search(["ada"], 4)
    assert found.pages.tolist() == [[8, 6, 7, -1]]
    np.testing.assert_allclose(found.scores, [[1, 1 / 2, 1 / 3, 0]], rtol=1e-6)
    assert graph.search(["ada"], 1).pages.tolist() == [[8]]


def test_untrusted_queries_are_contained(graph):
    found = graph.search(["Ada " * 400_000, "\x00<b>Ada</b>", "\ud800"], 1)
    assert found.pages.tolist() == [[8], [8], [-1]]


def test_arrays_that_do_not_fit_are_refused():
    for offsets in ([0, 1], [0, 1, 3]):
        with pytest.raises(InvalidArgumentError, match="2 entities"):
            EntityNeighbours(read_name, np.array([1, 0]), np.array(offsets), np.array([0, 1]))
