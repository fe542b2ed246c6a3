"""What can be asked of a line of words: six kinds of constraints, and how they are drawn."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from ..kernel.host import integer

#: The words there are.
VOCABULARY = (
    *("ant", "bat", "bee", "cat", "cow", "dog", "eel", "elk"),
    *("emu", "fox", "gnu", "hen", "owl", "pig", "rat", "yak"),
)
#: How many words a line can have, and those that constraints are drawn from at least.
MOST_WORDS, _FEWEST = 8, 4
#: The kinds of constraints, in the order in which they are told; a task has each at most once.
KINDS = ("length", "has", "order", "count", "without", "palindrome")

# What each is about: words (w) and numbers (n).
_PARTS = {
    "length": "n",
    "has": "w",
    "order": "ww",
    "count": "wn",
    "without": "w",
    "palindrome": "n",
}
_ENGLISH = {
    "length": "there are exactly {0} words",
    "has": "{0} is among them",
    "order": "{0} and {1} are among them, the first {0} before the first {1}",
    "count": "the count of {0} is exactly {1}",
    "without": "{0} does not appear",
    "palindrome": "the first {0} words are there and read the same backwards",
}


class Constraint(NamedTuple):
    """Something asked of a line of words.

    Attributes:
        kind: one of `KINDS`.
        parts: the words and numbers it is about.
    """

    kind: str
    parts: tuple[Any, ...]

    def __str__(self) -> str:
        return " ".join(map(str, (self.kind, *self.parts)))

    def english(self) -> str:
        """The constraint as part of a sentence."""
        return _ENGLISH[self.kind].format(*self.parts)

    @classmethod
    def decode(cls, kind: str, codes: Sequence[int]) -> Self:
        """A constraint from the numbers that `draw_parts` gave."""
        shapes = zip(_PARTS[kind], codes, strict=False)
        return cls(
            kind, tuple(VOCABULARY[code] if shape == "w" else code for shape, code in shapes)
        )

    def met(self, words: Sequence[str]) -> bool:
        """Whether a line satisfies it."""
        first, *rest = self.parts
        if self.kind == "length":
            return len(words) == first
        if self.kind == "has":
            return first in words
        if self.kind == "order":
            both = first in words and rest[0] in words
            return both and words.index(first) < words.index(rest[0])
        if self.kind == "count":
            return words.count(first) == rest[0]
        if self.kind == "without":
            return first not in words
        return len(words) >= first and words[:first] == words[:first][::-1]

    def broken(self, words: Sequence[str]) -> bool:
        """Whether no line that begins so satisfies it."""
        first, *rest = self.parts
        if self.kind == "length":
            return len(words) > first
        if self.kind == "order":
            return rest[0] in words and not self.met(words)
        if self.kind == "count":
            return words.count(first) > rest[0]
        if self.kind == "palindrome":
            return len(words) >= first and not self.met(words)
        return self.kind == "without" and not self.met(words)


def draw_line(state: Any, asked: list[str]) -> tuple[list[int], int]:
    """A line of at least two different words, by number, and how long a palindrome it begins with.

    Where it is asked for the beginning is made one, and where counts are asked for a word repeated.
    """
    n = _FEWEST + integer(state, MOST_WORDS - _FEWEST + 1)
    palindrome = 3 + integer(state, min(3, n - 2))
    while True:
        line = [integer(state, len(VOCABULARY)) for _ in range(n)]
        if "count" in asked:
            line[integer(state, n)] = line[integer(state, n)]
        if "palindrome" in asked:
            for i in range(palindrome // 2):
                line[palindrome - 1 - i] = line[i]
        if len(set(line)) > 1:
            return line, palindrome


def draw_parts(state: Any, kind: str, line: list[int]) -> tuple[int, int]:
    """What a constraint is about that a line satisfies."""
    if kind == "length":
        return len(line), 0
    if kind == "without":
        others = [word for word in range(len(VOCABULARY)) if word not in line]
        return others[integer(state, len(others))], 0
    if kind == "order":
        words = list(dict.fromkeys(line))
        second = 1 + integer(state, len(words) - 1)
        return words[integer(state, second)], words[second]
    word = line[integer(state, len(line))]
    return word, line.count(word) if kind == "count" else 0


def places(constraint: Constraint, line: list[str]) -> str:
    """Where the words of a constraint first stand in a line, or all their places where counted."""
    words = [part for part in constraint.parts if part in line]
    places = [line.index(word) + 1 for word in words]
    if constraint.kind == "count":
        places = [i for i, word in enumerate(line, 1) if word == words[0]]
    return f" at {' '.join(map(str, places))}" if places else ""
