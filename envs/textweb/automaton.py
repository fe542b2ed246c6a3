"""The automaton of messages: which characters, and which tokens, can come next.

The language is a regular expression over classes of characters, and a state is what is left to be
matched: the expression's derivative by what has been read (Brzozowski, "Derivatives of regular
expressions" (1964)). States are made when they are first met, and kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..kernel.errors import InvalidArgumentError
from .compact import ACTION_WORDS, LIST_WORDS, LISTS
from .plain import LONGEST, WORD_BREAKS, clean
from .tools import Parameter, Tool, enabled_tools

#: The state in which nothing can be read any more.
DEAD = -1

# The symbols: 128 ASCII characters, and all others in two classes.
_BLANK, _VISIBLE, _SYMBOLS = 128, 129, 130
_NEVER = 10**6


@cache
def _symbol(character: str) -> int:
    point = ord(character)
    if point < 128:
        return point
    return _VISIBLE if clean(character, 1) else _BLANK


# --- regular expressions ---


@dataclass(frozen=True, eq=False)
class _Expression:
    """A regular expression; the functions below make equal ones one object.

    Attributes:
        kind: `"set"` (of symbols, as bits), `"then"`, `"either"` or `"many"` (none, too).
        parts: the bits, or the expressions inside.
        nullable: whether it matches the empty text.
        shortest: the length of the shortest text that it matches.
    """

    kind: str
    parts: Any
    nullable: bool
    shortest: int


_NOTHING = _Expression("set", 0, False, _NEVER)
_EMPTY = _Expression("then", (), True, 0)


@cache
def _set(bits: int) -> _Expression:
    return _Expression("set", bits, False, 1)


@cache
def _then(first: _Expression, second: _Expression) -> _Expression:
    if first is _NOTHING or second is _NOTHING:
        return _NOTHING
    if first is _EMPTY or second is _EMPTY:
        return first if second is _EMPTY else second
    if first.kind == "then":
        return _then(first.parts[0], _then(first.parts[1], second))
    shortest = first.shortest + second.shortest
    return _Expression("then", (first, second), first.nullable and second.nullable, shortest)


@cache
def _any_of(parts: frozenset[_Expression]) -> _Expression:
    if len(parts) == 1:
        return next(iter(parts))
    nullable = any(part.nullable for part in parts)
    return _Expression("either", parts, nullable, min(part.shortest for part in parts))


def _either(*parts: _Expression) -> _Expression:
    flat = set[_Expression]()
    for part in parts:
        flat |= part.parts if part.kind == "either" else {part}
    return _any_of(frozenset(flat - {_NOTHING})) if flat - {_NOTHING} else _NOTHING


@cache
def _many(part: _Expression) -> _Expression:
    return _Expression("many", part, True, 0)


@cache
def _derivative(e: _Expression, symbol: int) -> _Expression:
    """What is left of an expression after a symbol."""
    if e is _EMPTY:
        return _NOTHING
    if e.kind == "set":
        return _EMPTY if e.parts >> symbol & 1 else _NOTHING
    if e.kind == "either":
        return _either(*(_derivative(part, symbol) for part in e.parts))
    if e.kind == "many":
        return _then(_derivative(e.parts, symbol), e)
    first, second = e.parts
    after = _then(_derivative(first, symbol), second)
    return _either(after, _derivative(second, symbol)) if first.nullable else after


def _sequence(*parts: _Expression) -> _Expression:
    whole = _EMPTY
    for part in reversed(parts):
        whole = _then(part, whole)
    return whole


def _optional(part: _Expression) -> _Expression:
    return _either(_EMPTY, part)


def _up_to(part: _Expression, times: int) -> _Expression:
    whole = _EMPTY
    for _ in range(times):
        whole = _optional(_then(part, whole))
    return whole


def _bits(characters: Iterable[str]) -> int:
    return sum(1 << _symbol(character) for character in set(characters))


def _literal(text: str) -> _Expression:
    return _sequence(*(_set(_bits({c.lower(), c.upper()})) for c in text))


def _exactly(text: str) -> _Expression:
    return _sequence(*(_set(_bits(c)) for c in text))


# --- the language ---

_ALL = (1 << _SYMBOLS) - 1
_LETTERS = _bits("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LESS, _NEWLINE = _bits("<"), _bits("\n")
_HIDDEN = _bits(chr(i) for i in range(128) if not clean(chr(i), 1)) | 1 << _BLANK
_BREAK = _set(_bits(WORD_BREAKS))
_BREAKS, _GAP = _many(_BREAK), _then(_BREAK, _many(_BREAK))
_LESSES = _many(_set(_LESS))
_NUMBER = _either(
    _exactly("0"), _then(_set(_bits("123456789")), _up_to(_set(_bits("0123456789")), 8))
)


def _running(universe: int) -> _Expression:
    """Text in which no `<` is followed by a letter or `/`, except by what comes after the text."""
    after_less = _sequence(_set(_LESS), _LESSES, _set(universe & ~(_LETTERS | _bits("/<"))))
    return _then(_many(_either(_set(universe & ~_LESS), after_less)), _LESSES)


def _visible(universe: int) -> _Expression:
    """Such text that is not blank, from its first visible character on."""
    after_less = _set(universe & ~(_LETTERS | _bits("/<")))
    return _either(
        _then(_set(universe & ~_HIDDEN & ~_LESS), _running(universe)),
        _sequence(_set(_LESS), _LESSES, _optional(_then(after_less, _running(universe)))),
    )


_BLANKS = _many(_set(_HIDDEN))
_TEXT = _then(_BLANKS, _visible(_ALL))


def _value(p: Parameter) -> _Expression:
    """How a parameter is written, `_with_body` of the grammar seen from the other side."""
    if p.kind in ("words", "text"):
        return _TEXT
    if p.kind == "lines":
        line, more = _visible(_ALL & ~_NEWLINE), _then(_set(_NEWLINE), _BLANKS)
        end = _optional(more)
        for _ in range(p.limit - 1):
            end = _optional(_then(more, _optional(_then(line, end))))
        return _sequence(_BLANKS, line, end)
    if p.kind == "numbers":
        return _then(_NUMBER, _up_to(_then(_GAP, _NUMBER), p.limit - 1))
    if p.kind == "number":
        return _NUMBER
    return _either(*map(_literal, ("yes", "no") if p.kind == "flag" else p.options))


def _element(name: str, body: _Expression) -> _Expression:
    return _sequence(_exactly(f"<{name}>"), body, _exactly(f"</{name}>"), _BREAKS)


def _tool(tool: Tool) -> _Expression:
    body = _EMPTY
    for p in reversed(tool.parameters):
        value = _value(p) if p is tool.parameters[0] else _then(_GAP, _value(p))
        body = _then(value if p.required else _optional(value), body)
    return _element(tool.name, _sequence(_BREAKS, body, _BREAKS))


def _message(tools: Sequence[Tool]) -> _Expression:
    parts = [_BREAKS, _optional(_element("think", _running(_ALL)))]
    if any(tool.name == "summary" for tool in tools):
        parts.append(_optional(_element("summary", _TEXT)))
    return _sequence(*parts, _either(*map(_tool, tools)))


# --- the compact dialect ---

_SPACE = _set(_bits(" "))
_INSIDE = _bits(chr(i) for i in range(33, 127) if chr(i) != "<")
_WORD = _then(_set(_INSIDE & ~_bits("_")), _many(_set(_INSIDE)))


def _list_of(part: _Expression, most: int) -> _Expression:
    return _then(part, _up_to(_then(_SPACE, part), most - 1))


def _action(tool: Tool) -> _Expression:
    """A call in the compact dialect: the tool, then its parameters, single words but the last."""
    words = (LIST_WORDS if tool.name in LISTS else ACTION_WORDS) - len(tool.parameters)
    body = _EMPTY
    for p in reversed(tool.parameters):
        if p.kind in ("words", "text", "lines"):
            value = _list_of(_WORD, words)
        elif p.kind == "numbers":
            value = _list_of(_NUMBER, min(words, p.limit))
        else:
            value = _value(p)
        value = _then(_SPACE, value)
        body = _then(value if p.required else _optional(value), body)
    return _then(_literal(tool.name), body)


#: What a message is, by dialect.
_LANGUAGES = {
    "english": _message,
    "compact": lambda tools: _then(_optional(_SPACE), _either(*map(_action, tools))),
}


class Grammar:
    """Reads a message character by character.

    In English it accepts the messages that `grammar.parse` reads as tagged text, except that it
    does not count the characters of the whole message; in the compact dialect actions of ASCII
    characters that `compact.parse` reads, with single spaces. A state is an integer; reading starts
    in state 0.

    Args:
        enabled: the names of the tools that can be called.
        dialect: `"english"` or `"compact"`.

    Raises:
        InvalidArgumentError: there is no tool of a name, or no such dialect.
    """

    start = 0

    def __init__(self, enabled: Iterable[str], dialect: str = "english"):
        if dialect not in _LANGUAGES:
            raise InvalidArgumentError(
                f"dialect must be one of {list(_LANGUAGES)}; got {dialect!r}"
            )
        first = _LANGUAGES[dialect](enabled_tools(enabled))
        self._states = [first]
        self._numbers = {first: 0, _NOTHING: DEAD}
        self._rows: dict[int, np.ndarray[Any, np.dtype[np.int32]]] = {}

    def advance(self, state: int, text: str) -> int:
        """The state after some more text; `DEAD` where that is not allowed."""
        for character in text:
            if state == DEAD:
                break
            state = int(self.row(state)[_symbol(character)])
        return state

    def allows(self, state: int, character: str) -> bool:
        """Whether a character can come next."""
        return self.advance(state, character) != DEAD

    def allowed(self, state: int) -> str:
        """The ASCII characters that can come next."""
        return "".join(chr(i) for i in range(128) if state != DEAD and self.row(state)[i] != DEAD)

    def ends(self, state: int) -> bool:
        """Whether the message can end here."""
        return state != DEAD and self._states[state].nullable

    def needs(self, state: int) -> int:
        """The fewest characters until the message can end; −1 where it never can."""
        return -1 if state == DEAD else self._states[state].shortest

    def format_ok(self, text: str) -> bool:
        """Whether a text is one whole message, of at most `plain.LONGEST` characters."""
        return len(text) <= LONGEST and self.ends(self.advance(self.start, text))

    def row(self, state: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The states after each symbol, (130,): ASCII, other invisible, other visible."""
        if state not in self._rows:
            left = self._states[state]
            nexts = [self._number(_derivative(left, symbol)) for symbol in range(_SYMBOLS)]
            self._rows[state] = np.array(nexts, np.int32)
        return self._rows[state]

    def _number(self, left: _Expression) -> int:
        if left not in self._numbers:
            self._numbers[left] = len(self._states)
            self._states.append(left)
        return self._numbers[left]


class TokenMask:
    """Which tokens of a vocabulary can come next; computed once for each state, and kept.

    Args:
        grammar: the automaton.
        tokens: the text that each token adds to a message. Tokens that add none, or that are no
            whole characters (they hold U+FFFD), are never allowed.
        end: the number of the token that ends a message; its text does not matter.

    Raises:
        InvalidArgumentError: there is no token of the number `end`.
    """

    def __init__(self, grammar: Grammar, tokens: Sequence[str], end: int):
        if not 0 <= end < len(tokens):
            raise InvalidArgumentError(
                f"end must be the number of a token, below {len(tokens)}; got {end!r}"
            )
        self.grammar, self.tokens, self.end = grammar, tokens, end
        usable = ["" if "\ufffd" in t or i == end else t for i, t in enumerate(tokens)]
        lengths = np.array([len(text) for text in usable])
        # The longest first, so that those that go on after j characters are the first few.
        self._order = np.argsort(-lengths, kind="stable")
        self._lengths = lengths[self._order]
        self._symbols = np.zeros((len(tokens), max(1, lengths.max())), np.uint8)
        for row, i in enumerate(self._order):
            self._symbols[row, : len(usable[i])] = [_symbol(c) for c in usable[i]]
        self._needs: dict[int, np.ndarray[Any, np.dtype[np.int16]]] = {}

    def mask(self, state: int, room: int | None = None) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The tokens that can come next, (tokens,) `bool`; the end counts as one.

        Args:
            state: of the grammar, not `DEAD`.
            room: how many tokens can follow this one before the end. Then tokens are left out after
                which that many characters would not do; if none is left, only those stay that come
                closest to the end.
        """
        needs = self._needs_after(state)
        mask = needs >= 0
        if room is not None:
            short = mask & (needs <= room)
            if not short.any() and mask.any() and not self.grammar.ends(state):
                short = needs == needs[mask].min()
            mask = short
        mask[self.end] = self.grammar.ends(state)
        return mask

    def advance(self, state: int, token: int) -> int:
        """The state after a token."""
        return self.grammar.advance(state, self.tokens[token])

    def _needs_after(self, state: int) -> np.ndarray[Any, np.dtype[np.int16]]:
        """What `Grammar.needs` is after each token, (tokens,)."""
        if state not in self._needs:
            after = np.where(self._lengths > 0, state, DEAD).astype(np.int32)
            for j in range(self._symbols.shape[1]):
                alive = np.flatnonzero((self._lengths > j) & (after >= 0))
                if not len(alive):
                    break
                states, which = np.unique(after[alive], return_inverse=True)
                table = np.stack([self.grammar.row(s) for s in states.tolist()])
                after[alive] = table[which, self._symbols[alive, j]]
            states, which = np.unique(after, return_inverse=True)
            found = np.array([self.grammar.needs(s) for s in states.tolist()], np.int16)[which]
            needs = np.empty_like(found)
            needs[self._order] = found
            self._needs[state] = needs
        return self._needs[state]
