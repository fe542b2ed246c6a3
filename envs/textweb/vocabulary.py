"""The numbers of all words that a world's pages can hold."""

from .graph import Graph
from .templates import templates

#: Numbers of one token; every number in a world is below.
_NUMBERS = 100_000


class Vocabulary:
    """Numbers of words: those of the templates, then numbers, then names.

    Args:
        graph: whose names are known.
    """

    def __init__(self, graph: Graph):
        self._graph, self._words = graph, {w: i for i, w in enumerate(templates().words)}
        self.first_number = len(self._words)
        self.first_name = self.first_number + _NUMBERS

    def __len__(self) -> int:
        return self.first_name + 2 * self._graph.n

    def word_id(self, word: str) -> int:
        """The number of a word in lower case; −1 for words that no page can hold."""
        known = self._words.get(word)
        if known is not None:
            return known
        if word.isascii() and word.isdigit() and len(word) < 6 and str(int(word)) == word:
            return self.first_number + int(word)
        name = self._graph.names.read(word)
        return self.first_name + name if 0 <= name < 2 * self._graph.n else -1

    def word(self, number: int) -> str:
        """The word of a number, in lower case."""
        if number < self.first_number:
            return templates().words[number]
        if number < self.first_name:
            return str(number - self.first_number)
        return self._graph.names.write(number - self.first_name)
