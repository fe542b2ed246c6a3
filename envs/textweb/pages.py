"""What pages have in common, be they those of a corpus or made up on demand."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: What a sentence tells, in words: name, relation or attribute, and name or number.
Triple = tuple[str, str, str]


class Pages(Protocol):
    """Pages by number, of which an agent reads those that it has found."""

    def title(self, page: int) -> str:
        """The title of a page; not unique."""
        ...

    def lines(self, page: int) -> list[str]:
        """The sentences of a page."""
        ...

    def subject(self, page: int) -> int:
        """The entity that a page is about."""
        ...

    def facts(self, page: int) -> list[int]:
        """The facts that a page states as they are."""
        ...

    def mentions(self, page: int) -> list[int]:
        """The entities that a page names, in the order of the text, each once."""
        ...

    def triples(self, page: int) -> Sequence[Triple]:
        """What the sentences of a page tell, true or not."""
        ...

    def pages_stating(self, fact: int) -> Array:
        """The pages that state a fact, ascending."""
        ...

    def tell(self, listed: Array, facts: Array) -> Array:
        """In which rows a page states the row's fact.

        Args:
            listed: (n, k) page numbers, −1 for none.
            facts: (n,) facts.

        Returns:
            (n,) `bool`.
        """
        ...
