"""`AnswerEnv`: environments of one turn, in which a task is told and a message answers it."""

import re
import textwrap
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar, Protocol

import numpy as np

from .errors import InvalidArgumentError, UnparseableActionError, UnsupportedFaceError
from .face import State
from .host import HostEnv
from .render import Canvas
from .spaces import Unicode
from .state import Field, StateLayout

#: The ways of saying things: sentences and tags, or few words for very small models.
DIALECTS = ("english", "compact")
#: The parts of the instance space, and the share of it that is kept for tests.
SPLITS, TEST_SHARE = ("all", "train", "test"), 0.05
#: The longest observation, message that is read, and answer that is kept, in characters.
TEXT_LENGTH, LONGEST, ANSWER_LENGTH = 2048, 16_384, 96

_MOST_DRAWS = 10_000
_MARK = re.compile(r"<answer>|\banswer[ \t]*:", re.IGNORECASE)
_WORD = re.compile(r"(?<![</])\banswer\b", re.IGNORECASE)
_END = re.compile(r"</answer>", re.IGNORECASE)


def final_answer(text: str) -> str:
    """The answer that a message gives, whatever was thought before it; never raises.

    It is what the last `<answer>…</answer>` encloses or what follows the last `answer:` up to the
    end of the line, whichever comes later. Without either it follows the last word `answer`, and
    without that it is the whole message. Empty where a tag is not closed, or the message has more
    than `LONGEST` characters.
    """
    if len(text) > LONGEST:
        return ""
    marks = [*_MARK.finditer(text)] or [*_WORD.finditer(text)]
    if not marks:
        return text.strip()
    rest = text[marks[-1].end() :]
    if marks[-1][0].startswith("<"):
        end = _END.search(rest)
        return rest[: end.start()].strip() if end else ""
    return rest.strip().partition("\n")[0].strip()


@dataclass(frozen=True)
class Solution:
    """A way to an answer.

    Attributes:
        answer: what is asked for, in words.
        plan: what is to be done.
        steps: how it is done, in order.
    """

    answer: str
    plan: str = ""
    steps: tuple[str, ...] = ()


class SearchTree(Protocol):
    """A task as a tree of partial answers, for texts that tell of a search."""

    root: Any

    def children(self, node: Any) -> list[tuple[str, Any]]:
        """What can be done next, each in words and with the node it leads to."""
        ...

    def answer(self, node: Any) -> str | None:
        """The answer that a node is, if it solves the task."""
        ...

    def leads(self, node: Any) -> bool:
        """Whether a solution is known to be at a node or below."""
        ...

    def distance(self, node: Any) -> float:
        """A guess of how far a node is from a solution."""
        ...


class AnswerEnv(HostEnv):
    """A Gymnasium environment of one turn: the observation is a task, the action a message.

    A subclass fills in `draw`, `canonical_form`, `task`, `read`, `fault`, `solve` and
    `sample_state`, and `grade` where a wrong answer can be worth something.

    Instances that are the same but for what makes no difference share a canonical form. A hash of
    it says whether an instance belongs to the test split, so that no test task ever appears in
    training, whatever the seeds and other arguments are.

    Args:
        instance: the fields of the state record that hold the task.
        dialect: one of `DIALECTS`.
        split: one of `SPLITS`; instances are drawn again until one is in it.
        max_episode_steps, render_mode: see `HostEnv`.
        metrics: further `float32` fields of the record, handed out in the infos after `success`.
    """

    best_source: ClassVar[str] = "every task has a solution"

    def __init__(
        self,
        *,
        instance: Sequence[Field],
        dialect: str,
        split: str,
        max_episode_steps: int,
        metrics: tuple[str, ...] = (),
        render_mode: str | None,
    ):
        for name, given, accepted in (("dialect", dialect, DIALECTS), ("split", split, SPLITS)):
            if given not in accepted:
                raise InvalidArgumentError(f"{name} must be one of {accepted}; got {given!r}")
        self.dialect, self.split, self._metrics = dialect, split, metrics
        super().__init__(
            layout=StateLayout(
                instance,
                [("answered", np.int8)],
                [
                    ("answer", f"U{ANSWER_LENGTH}"),
                    ("success", np.int8),
                    *((name, np.float32) for name in metrics),
                ],
            ),
            observation_space=Unicode(TEXT_LENGTH),
            action_space=Unicode(None),
            max_episode_steps=max_episode_steps,
            metrics=("success", *metrics),
            render_mode=render_mode,
        )

    @property
    def compact(self) -> bool:
        """Whether the dialect is the compact one."""
        return self.dialect == "compact"

    # --- what a subclass fills in ---

    @abstractmethod
    def draw(self, state: State) -> None:
        """Draw an instance: write every instance field; all chance comes from `state["rng"]`."""

    @abstractmethod
    def canonical_form(self, state: State) -> str:
        """A text that is the same for just those instances that are equivalent."""

    @abstractmethod
    def task(self, state: State) -> str:
        """The task in words."""

    @abstractmethod
    def read(self, message: str) -> str:
        """The answer that a message gives, in plain words; see `final_answer`.

        Raises:
            UnparseableActionError: it gives none.
        """

    @abstractmethod
    def fault(self, state: State, message: str) -> str:
        """What is wrong with a message that has an answer; empty where it solves the task."""

    @abstractmethod
    def solve(self, state: State, rng: np.random.Generator, noise: float = 0.0) -> Solution:
        """A solution of a state's task, drawn where several are known.

        Args:
            state: a record; only its instance is looked at.
            rng: draws the solution and the wrong steps.
            noise: the rate of wrong steps, which lead to a wrong answer unless by luck.
        """

    def grade(self, state: State, message: str) -> float:
        """The reward of a message that has an answer; metrics of the record are written here."""
        return float(not self.fault(state, message))

    def search_tree(self, state: State, rng: np.random.Generator, noise: float = 0.0) -> SearchTree:
        """The task of a state as a search; see `solve` for the arguments.

        Raises:
            UnsupportedFaceError: it is not one of search.
        """
        raise UnsupportedFaceError(f"{type(self).__name__} has no search tree")

    # --- for those who write training texts ---

    def fraction(self, state: State, salt: str) -> float:
        """A hash of a state's canonical form, uniform in [0, 1), another one for each salt."""
        text = f"{salt} {self.canonical_form(state)}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / 2**64

    def plan(self, state: State) -> list[str]:
        """The messages that solve a state's task: one message; always the same for a state.

        Which of the solutions it gives varies with the state's generator, uniformly.
        """
        rng = np.random.default_rng(int(state["rng"]))
        return [self.say(self.solve(state, rng))]

    def say(self, solution: Solution) -> str:
        """The shortest message that gives a solution."""
        return solution.answer

    def say_steps(self, solution: Solution) -> str:
        """A message of plan, steps and answer, in tags or in words as the dialect has it."""
        parts = [("plan", solution.plan), *(("step", step) for step in solution.steps)]
        return self.join([*(self.mark(tag, text) for tag, text in parts), self.end(solution)])

    def end(self, solution: Solution) -> str:
        """How a message ends that says more than the answer."""
        return self.mark("answer", solution.answer)

    def mark(self, tag: str, text: str) -> str:
        """A marked part of a message: `<tag>text</tag>`, or `tag text` in the compact dialect."""
        return f"{tag} {text}" if self.compact else f"<{tag}>{text}</{tag}>"

    def join(self, parts: Sequence[str]) -> str:
        """The parts of a message, a line each or, in the compact dialect, all in one line."""
        return (" " if self.compact else "\n").join(parts)

    def critique(self, state: State, message: str) -> str:
        """What is wrong with a message, in words; empty where it would be rewarded in full."""
        try:
            self.read(message)
        except UnparseableActionError as error:
            return "no answer" if self.compact else str(error)
        return self.fault(state, message)

    def retell(self, state: State, message: str, critique: str) -> str:
        """The task after an answer that was given and what was said about it, for a new answer.

        The message is shown in one line, up to `TEXT_LENGTH` characters, and nothing in it is a
        tag.
        """
        said = " ".join(message[:TEXT_LENGTH].replace("<", " ").split())
        earlier = self.mark("attempt", said), self.mark("critique", critique)
        return self.join([*earlier, self.task(state)])

    # --- dynamics ---

    def reset_state(self, state: State) -> None:
        state["answer"], state["answered"] = "", 0
        for name in ("success", *self._metrics):
            state[name] = 0
        for _ in range(_MOST_DRAWS):
            self.draw(state)
            if self.split == "all" or self._is_test(state) == (self.split == "test"):
                return
        raise InvalidArgumentError(
            f"split must be one that has instances; with the other arguments none in "
            f"{_MOST_DRAWS} was in {self.split!r}"
        )

    def _is_test(self, state: State) -> bool:
        return self.fraction(state, "split") < TEST_SHARE

    def step_state(self, state: State, action: Any) -> tuple[float, bool]:
        state["answered"] = 1
        try:
            state["answer"] = self.read(action)[:ANSWER_LENGTH]
        except UnparseableActionError:
            return 0.0, True
        reward = self.grade(state, action)
        state["success"] = reward >= 1
        return reward, True

    def observe_states(self, states: Any) -> Any:
        return [self.describe_state(state)[:TEXT_LENGTH] for state in states]

    def best_return(self, seed: int) -> float | None:
        return 1.0

    # --- words and pictures ---

    def describe_state(self, state: State) -> str:
        """The task, and after the turn whether it was solved."""
        if not state["answered"]:
            return self.task(state)
        verdict = "right" if state["success"] else "wrong"
        if self.compact:
            return f"{self.task(state)} {verdict}"
        return f"{self.task(state)}\n{verdict.capitalize()}."

    def show_state(self, state: State) -> str:
        given = f"\n> {state['answer'] or '(nothing)'}" if state["answered"] else ""
        return f"{self.task(state)}{given}"

    def draw_state(self, state: State) -> np.ndarray[Any, np.dtype[np.uint8]]:
        rows = [row for line in self.task(state).split("\n") for row in textwrap.wrap(line, 72)]
        canvas = Canvas(640, 110 + 22 * len(rows), "sand")
        for i, row in enumerate(rows):
            canvas.text(24, 32 + 22 * i, row, "ink", 15, "lm")
        colour = ("red", "green")[state["success"]] if state["answered"] else "stone"
        canvas.rectangle(0, 52 + 22 * len(rows), 640, 58, colour)
        words = str(state["answer"]) if state["answered"] else "no answer yet"
        canvas.text(24, 81 + 22 * len(rows), words[:70] or "(nothing)", "white", 15, "lm")
        return canvas.pixels()

    def action_words(self, action: Any) -> str:
        return str(action)

    def parse(self, text: str) -> str:
        """The message itself, if it gives an answer.

        Raises:
            UnparseableActionError: it gives none.
        """
        self.read(text)
        return text
