"""Graph search: the pages of what an entity is linked to."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .retrievers import Found, listed, query_words

Array = np.ndarray[Any, np.dtype[Any]]

#: The entity that a word in lower case names, −1 for none.
ReadName = Callable[[str], int]


def entities_in(query: str, read_name: ReadName) -> list[int]:
    """The entities that a query names, in its order, each once."""
    return list(dict.fromkeys(e for e in map(read_name, query_words(query)) if e >= 0))


class EntityNeighbours:
    """The pages of the neighbours of the first entity that a query names (HierSearch 2025).

    They come in the order in which the neighbours are listed, with scores 1, 1/2, 1/3, …; a page
    that would come twice counts where it comes first.

    Args:
        read_name: tells entities from other words.
        neighbours: (total,) those of all entities, one entity after the other.
        offsets: (entities + 1,) where each entity starts in `neighbours`, and the end.
        pages: (entities,) the page of each entity, −1 for none.
    """

    def __init__(self, read_name: ReadName, neighbours: Array, offsets: Array, pages: Array):
        if len(offsets) != len(pages) + 1 or offsets[-1] != len(neighbours):
            raise InvalidArgumentError(
                f"offsets must be those of {len(pages)} entities, one for each page, and end at "
                f"the {len(neighbours)} neighbours; got {len(offsets)} that end at {offsets[-1]}"
            )
        self.read_name = read_name
        self.neighbours = neighbours
        self.offsets = offsets
        self.pages = pages

    def search(self, queries: Sequence[str], k: int) -> Found:
        return listed([self._row(query) for query in queries], k)

    def _row(self, query: str) -> list[tuple[int, float]]:
        for entity in entities_in(query, self.read_name)[:1]:
            near = self.neighbours[self.offsets[entity] : self.offsets[entity + 1]]
            pages = dict.fromkeys(page for page in self.pages[near].tolist() if page >= 0)
            return [(page, 1 / rank) for rank, page in enumerate(pages, 1)]
        return []
