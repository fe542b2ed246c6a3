"""What a search agent is told at each turn: the protocol of renderers, and the full transcript.

A renderer turns the episode so far into a prompt. It is given the turns and keeps nothing, so that
one renderer serves any number of episodes. Whatever an environment showed is quoted: each line
begins with `| ` and nothing in it is a tag, so that a page cannot pass for an action, a heading or
an instruction.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ....envs.kernel.errors import InvalidArgumentError
from ....envs.textweb.grammar import Call
from ....envs.textweb.plain import LONGEST, clean, count_pieces, quote
from ....wrappers.budget import budget_line


@dataclass(frozen=True)
class Turn:
    """One message and what came of it.

    Attributes:
        call: what the message was understood as; None where it was malformed.
        message: what was said, thoughts included.
        observation: what was shown then; untrusted.
        pages: the numbers of the pages that were shown, best first.
    """

    call: Call | None
    message: str
    observation: str
    pages: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """What a model is told.

    Attributes:
        messages: `{"role", "content"}` each, the roles `"system"`, `"user"` and `"assistant"`; user
            and assistant take turns.
        size: of the text, as the renderer's `measure` has it.
        left_out: how much was left out to keep to the cap: turns, lines or parts of lines.
    """

    messages: tuple[dict[str, str], ...]
    size: int
    left_out: int

    @property
    def text(self) -> str:
        """The messages one below the other, for models without chat roles."""
        return "\n".join(message["content"] for message in self.messages)


@dataclass(frozen=True)
class Renderer(ABC):
    """Writes prompts.

    Args:
        cap: the largest size of a prompt. The instructions, the question and the budgets are never
            cut, and so the cap must leave room for them.
        observation_cap: the most characters shown of an observation.
        instructions: what stands above all else, such as `tools.describe_tools` gives.
        measure: the size of a text, such as its number of tokens; the size of several lines is
            taken to be about the sum of theirs. Words and punctuation marks by default.

    Raises:
        InvalidArgumentError: a cap is not positive.
    """

    cap: int = 4096
    observation_cap: int = 4096
    instructions: str = ""
    measure: Callable[[str], int] = count_pieces

    def __post_init__(self) -> None:
        if self.cap < 1 or self.observation_cap < 1:
            raise InvalidArgumentError(
                f"caps must be at least 1; got {self.cap} and {self.observation_cap}"
            )

    @abstractmethod
    def render(
        self, question: str, turns: Sequence[Turn], budgets: Mapping[str, int] | None = None
    ) -> Prompt:
        """The prompt of the next turn.

        Args:
            question: what is asked.
            turns: all turns so far.
            budgets: what is left of each limit; told in a line at the end.
        """

    def _prompt(self, said: Sequence[tuple[str, str]], left_out: int) -> Prompt:
        """A prompt of (role, content) below the instructions."""
        system = [("system", self.instructions)] if self.instructions else []
        messages = tuple({"role": role, "content": text} for role, text in [*system, *said])
        prompt = Prompt(messages, 0, left_out)
        return Prompt(messages, self.measure(prompt.text), left_out)

    def _room(self, *fixed: str) -> int:
        """How much may be written besides the instructions and some lines."""
        return self.cap - sum(self.measure(text) for text in (self.instructions, *fixed) if text)


def asked(question: str) -> str:
    """The line that asks the question."""
    return f"Question: {clean(question, LONGEST)}"


def fitted(text: str, room: int, measure: Callable[[str], int]) -> tuple[str, bool]:
    """The longest beginning of whole lines and words that has room, and whether it is cut.

    What is cut ends in ` …`; where not even that has room, nothing is left.
    """
    if measure(text) <= room:
        return text, False
    ends = [i for i, character in enumerate(text) if character.isspace()]
    low, high = 0, len(ends)
    while low < high:  # the number of ends up to which the text fits
        middle = (low + high + 1) // 2
        fits = measure(f"{text[: ends[middle - 1]]} …") <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return (f"{text[: ends[low - 1]]} …" if low else ""), True


class Transcript(Renderer):
    """All that was said and shown; where that is too much, the oldest turns are left out.

    A turn is shown whole or not at all. The model's messages stand as they were said. Without
    budgets a prompt begins with the one before it and its answer, until turns are left out.
    """

    def render(
        self, question: str, turns: Sequence[Turn], budgets: Mapping[str, int] | None = None
    ) -> Prompt:
        left = budget_line(budgets) if budgets else ""
        first = asked(question)
        room = self._room(first, left, _left_out(len(turns)) if turns else "")
        shown: list[tuple[str, str]] = []
        for turn in reversed(turns):
            pair = turn.message[:LONGEST], quote(turn.observation, self.observation_cap)
            room -= sum(map(self.measure, pair))
            if room < 0:
                break
            shown.insert(0, pair)
        while True:
            missing = len(turns) - len(shown)
            said = [("user", f"{first}\n{_left_out(missing)}" if missing else first)]
            for message, seen in shown:
                said += [("assistant", message), ("user", seen)]
            if left:
                said[-1] = "user", f"{said[-1][1]}\n{left}"
            prompt = self._prompt(said, missing)
            if prompt.size <= self.cap or not shown:
                return prompt
            del shown[0]  # the sizes of the parts were less than that of the whole


def _left_out(turns: int) -> str:
    return f"({turns} earlier turns are left out.)"
