"""Grammars: masks that leave a language model only such answers as an environment understands."""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ....envs.kernel.errors import InvalidArgumentError
from ....envs.kernel.spaces import Unicode
from ....envs.textweb.automaton import DEAD, Grammar, TokenMask
from ....envs.textweb.knowledge_search import KnowledgeSearch
from .model import LanguageModel
from .sampler import Mask
from .token_sets import TokenSets

#: The longest answer where messages are free, in tokens.
_MESSAGE = 16

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class AnswerGrammar(Protocol):
    """Makes the masks of an agent, one for each turn.

    Attributes:
        sets: the sets of tokens of all its masks.
    """

    sets: TokenSets

    def begin(
        self, asked: Bools, begun: Sequence[Sequence[int]], max_tokens: int | None
    ) -> tuple[Mask, int]:
        """The mask of the answers of a turn, and how long they can get.

        Args:
            asked: (n,) the lanes that answer.
            begun: the tokens that each answer begins with, already in place; where no answer that
                is understood begins so, all tokens are allowed.
            max_tokens: the longest answer, with its end; None for as long as is needed, or 16
                tokens where messages are free.

        Raises:
            InvalidArgumentError: no legal action is as short as that.
        """
        ...


def answer_grammar(env: Any, model: LanguageModel) -> AnswerGrammar:
    """The grammar of the answers that a batch of environments understands.

    Where actions are numbered, answers are the words of the actions that are legal in the present
    state, each as the tokenizer writes it. In a KnowledgeSearch of texts they are the messages of
    its dialect: of the English one tagged text, of the compact one the actions of `compact.parse`.
    What is called need not be of use: a page may not exist.

    Args:
        env: the batch.
        model: who answers.

    Raises:
        InvalidArgumentError: the environment's answers have no grammar.
    """
    space, prototype = env.single_action_space, getattr(env.unwrapped, "prototype", None)
    if isinstance(space, spaces.Discrete):
        return ActionGrammar(env, model)
    if isinstance(space, Unicode) and isinstance(prototype, KnowledgeSearch):
        return MessageGrammar(prototype, model)
    raise InvalidArgumentError(
        "a grammar needs numbered actions, or the messages of KnowledgeSearch; got actions "
        f"{space} of {prototype!r}: leave grammar out"
    )


# --- the words of actions ---


class ActionGrammar:
    """The words of legal actions; see `answer_grammar` and `AnswerGrammar`."""

    def __init__(self, env: Any, model: LanguageModel):
        self.env, self.model = env, model
        self.sets = TokenSets(model.vocabulary, model.device)

    def begin(
        self, asked: Bools, begun: Sequence[Sequence[int]], max_tokens: int | None
    ) -> tuple["ActionMask", int]:
        options: list[list[list[int]]] = [[] for _ in asked]
        for lane in np.flatnonzero(asked).tolist():
            words = {self.env.action_words(lane, action) for action in self._legal(lane)}
            n = len(begun[lane])
            answers = map(self.model.encode_answer, words)
            found = [answer[n:] for answer in answers if answer[:n] == list(begun[lane])]
            options[lane] = [o for o in found if max_tokens is None or len(o) <= max_tokens]
            if found and not options[lane]:
                raise InvalidArgumentError(
                    f"max_tokens must be at least {min(map(len, found))}, the tokens of the "
                    f"shortest legal action; got {max_tokens}"
                )
        longest = max((len(option) for found in options for option in found), default=1)
        return ActionMask(self.sets, options), longest

    def _legal(self, lane: int) -> list[int]:
        mask = self.env.action_mask
        if mask is None:
            return list(range(int(self.env.single_action_space.n)))
        return np.flatnonzero(mask[lane]).tolist()


class ActionMask:
    """Leads each stream along one of the answers that it can give; see `sampler.Mask`.

    Args:
        sets: where sets of tokens are kept.
        options: for each stream the answers that it can give, as tokens.
    """

    def __init__(self, sets: TokenSets, options: Sequence[Sequence[Sequence[int]]]):
        self.sets = sets
        self._options, self._place = list(options), 0
        self._numbers: dict[frozenset[int], int] = {}

    def allowed(self) -> Tensor:
        return torch.tensor([self._number(options) for options in self._options])

    def _number(self, options: Sequence[Sequence[int]]) -> int:
        tokens = frozenset(o[self._place] for o in options if len(o) > self._place)
        if not tokens:  # a stream that was not asked, or has ended
            return 0
        if tokens not in self._numbers:
            allowed = np.zeros(self.sets.vocabulary, bool)
            allowed[list(tokens)] = True
            self._numbers[tokens] = self.sets.number(allowed)
        return self._numbers[tokens]

    def advance(self, tokens: Tensor) -> None:
        chosen, place = tokens.tolist(), self._place
        self._options = [
            [o for o in options if o[place : place + 1] == [token]]
            for options, token in zip(self._options, chosen, strict=True)
        ]
        self._place += 1


# --- messages ---


class MessageGrammar:
    """The messages of a KnowledgeSearch; see `answer_grammar` and `AnswerGrammar`."""

    def __init__(self, problem: KnowledgeSearch, model: LanguageModel):
        self.sets = TokenSets(model.vocabulary, model.device)
        ends = tuple(model.ends.tolist())
        self._reader = _reader(
            model.tokenizer, model.vocabulary, ends, tuple(problem.tools), problem.dialect
        )

    def begin(
        self, asked: Bools, begun: Sequence[Sequence[int]], max_tokens: int | None
    ) -> tuple["MessageMask", int]:
        longest = max_tokens or _MESSAGE
        return MessageMask(self.sets, *self._reader, begun, longest), longest


class MessageMask:
    """Follows the message of each stream; see `sampler.Mask`.

    Args:
        sets: where sets of tokens are kept.
        reader: the mask of a state of the grammar.
        openings: (vocabulary,) the tokens that a message can begin with.
        breaks: the tokens that the sampler stops at though they end no message.
        begun: how the message of each stream begins.
        max_tokens: the longest rest of a message, with its end.
    """

    def __init__(
        self,
        sets: TokenSets,
        reader: TokenMask,
        openings: Bools,
        breaks: Sequence[int],
        begun: Sequence[Sequence[int]],
        max_tokens: int,
    ):
        self.sets, self._reader = sets, reader
        self._openings, self._breaks = openings, list(breaks)
        self._left = max_tokens
        self._states = [reduce(reader.advance, said, reader.grammar.start) for said in begun]

    def allowed(self) -> Tensor:
        numbers = {state: self._number(state) for state in set(self._states)}
        return torch.tensor([numbers[state] for state in self._states])

    def _number(self, state: int) -> int:
        if state == DEAD:  # a message that has ended, or was never asked for
            return 0
        # After this token there is room for all that is left but the end.
        allowed = self._reader.mask(state, room=self._left - 2)
        if state == self._reader.grammar.start:
            allowed &= self._openings
        allowed[self._breaks] = False
        if not allowed.any():  # a vocabulary without the letters that are needed
            allowed[self._reader.end] = True
        return self.sets.number(allowed)

    def advance(self, tokens: Tensor) -> None:
        reader = self._reader
        self._states = [
            DEAD if state == DEAD or token == reader.end else reader.advance(state, token)
            for state, token in zip(self._states, tokens.tolist(), strict=True)
        ]
        self._left -= 1


@lru_cache(maxsize=4)
def _reader(
    tokenizer: Any, vocabulary: int, ends: tuple[int, ...], tools: tuple[str, ...], dialect: str
) -> tuple[TokenMask, Bools, tuple[int, ...]]:
    """What a `MessageMask` needs of a tokenizer: see there.

    Args:
        tokenizer: writes the messages.
        vocabulary: how many tokens the model knows.
        ends: tokens that the sampler stops at; the first ends a message.
        tools: those that can be called.
        dialect: of the messages.
    """
    known = min(vocabulary, len(tokenizer))

    def texts(before: list[int]) -> list[str]:
        rows = [[*before, token] for token in range(known)]
        return tokenizer.batch_decode(
            rows, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    # What a token adds to a message that has begun, such as " word": with any token before it.
    probe = tokenizer.encode("a", add_special_tokens=False)[-1:]
    begun = tokenizer.decode(probe, skip_special_tokens=True)
    adds = [t[len(begun) :] if t.startswith(begun) else "" for t in texts(probe)]
    openings = np.zeros(vocabulary, bool)
    openings[:known] = [
        first.lstrip() == then.lstrip() for first, then in zip(texts([]), adds, strict=True)
    ]
    adds += [""] * (vocabulary - known)
    return TokenMask(Grammar(tools, dialect), adds, ends[0]), openings, ends[1:]
