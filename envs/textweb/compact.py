"""The compact dialect: questions, pages and actions in as few words as can be.

For models of a few hundred thousand parameters with a closed vocabulary: a name is one word (its
spaces become `_`), a fact is three (head, relation, tail), a page is at most four facts in a line,
and an action is a tool and one to three words, most of them copied from what was read, such as
`search employer plosen`, `open 3` or `answer drumen`. There is no punctuation: what a word means
follows from its place.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import islice

from .grammar import ALL_TOOLS, Call, Malformed, read_call
from .plain import LONGEST, clean

Triple = tuple[str, str, str]

#: The most facts of a page, and of a question.
PAGE_FACTS, QUESTION_FACTS = 4, 8
#: The most words of an action; of one that lists things; the most characters of a name.
ACTION_WORDS, LIST_WORDS, NAME_LENGTH = 4, 17, 64
#: The tools whose actions list things.
LISTS = frozenset({"answer", "curate", "summary"})


@lru_cache(maxsize=4096)  # worlds say the same few names again and again
def word(name: str) -> str:
    """A name as one word, cleaned; `?` where nothing is left of it."""
    return clean(name, NAME_LENGTH).replace(" ", "_") or "?"


def facts(triples: Iterable[Triple], most: int = PAGE_FACTS) -> str:
    """Facts in a line, three words each; no more than `most`."""
    return " ".join(word(name) for triple in islice(triples, most) for name in triple)


def question(kind: str, triples: Iterable[Triple]) -> str:
    """A question as its kind and its graph: `chain plosen employer x x seat ?`.

    Args:
        kind: its pattern, a word.
        triples: its facts; the answer is called `?`, what else is hidden by words that are no
            names, such as `x`. No more than `QUESTION_FACTS` are told.
    """
    return f"{word(kind)} {facts(triples, QUESTION_FACTS)}"


def results(pages: Iterable[tuple[int, Sequence[Triple]]]) -> str:
    """Pages found, a line each: the number and what the page states; `none` for no page."""
    return "\n".join(f"{number} {facts(triples)}".rstrip() for number, triples in pages) or "none"


def action(tool: str, *parts: str | int) -> str:
    """An action in words: `action("search", "employer", "Vel Plosen")`."""
    return " ".join([tool, *(word(str(part)) for part in parts)])


def parse(text: str, enabled: Collection[str] = ALL_TOOLS) -> Call | Malformed:
    """The call that an action makes; never raises, whatever the text.

    Words are read in lower case. Each word of an answer is one thing, a line of the call's text;
    the words of a query, a note or a claim make one line together.

    Args:
        text: the action. An action has at most `ACTION_WORDS` words, an answer, a summary and a
            list of pages at most `LIST_WORDS`.
        enabled: the names of the tools that can be called.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        return Malformed(f"An action is a text of at most {LONGEST} characters.")
    tool, *words = clean(text, LONGEST).lower().split(maxsplit=LIST_WORDS + 1) or [""]
    most = LIST_WORDS if tool in LISTS else ACTION_WORDS
    if len(words) >= most:
        return Malformed(f"An action with {clean(tool, 20)} has at most {most} words.")
    between = "\n" if tool == "answer" else " "
    return read_call(tool, between.join(words).replace("_", " "), enabled)
