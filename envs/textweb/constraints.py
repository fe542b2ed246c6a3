"""Constraints: write a line of words that satisfies what is asked of it."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..kernel import InvalidArgumentError, UnparseableActionError
from ..kernel.answer import AnswerEnv, Solution, final_answer
from ..kernel.host import integer
from .constraint_rules import (
    KINDS,
    MOST_WORDS,
    VOCABULARY,
    Constraint,
    draw_line,
    draw_parts,
    places,
)


class Constraints(AnswerEnv):
    """
    ## Description
    The agent writes a line of at most eight words that satisfies up to six constraints: its length,
    a word that it must have, an order of two words, how often a word stands, a word that it must
    not have, and that its beginning is a palindrome. All can be checked exactly, which makes it a
    small bed for following instructions (compare Zhou et al. 2023, "Instruction-following
    evaluation for large language models").

    ## Observation Space
    `Unicode(2048)`, the task: the 16 words there are and what is asked, such as `"fox is among
    them; gnu does not appear"`; in the compact dialect `"has fox without gnu"`. After the turn it
    ends in `Right.` or `Wrong.`

    ## Action Space
    `Unicode(None)`, a message. The answer is what its last `<answer>…</answer>` encloses, or what
    follows its last `answer:` in the line; otherwise the whole message. It is 1 to 8 words of the
    vocabulary, separated by spaces or commas. Any other message, and any of more than 16,384
    characters, costs the turn and satisfies nothing. `parse` raises instead.

    ## Rewards
    The share of the constraints satisfied, or with `reward="all"` 1 if all are and otherwise 0. The
    infos hold `satisfied`, the share.

    ## Starting State
    A line of 4 to 8 words is drawn, and constraints of different kinds that it satisfies, so that
    every task has a solution. With a `split` other than `"all"`, tasks are drawn until one belongs
    to it.

    ## Episode End
    Terminated after one turn. The infos hold `success`: whether all constraints were satisfied.

    ## Arguments
    - `constraints`: the bounds of the number of constraints, from 1 to 6 (default (1, 6)), which is
      uniform between them.
    - `reward`: `"share"` (default) or `"all"`.
    - `dialect`: `"english"` (default), or `"compact"`: a few words, for very small models.
    - `split`: `"all"` (default), `"train"` or `"test"`. The same constraints always belong to the
      same split: one in 20 to `"test"`, the others to `"train"`.
    - `max_episode_steps`: the time limit (default −1 for none).

    ## Reference Scores
    `spelunk.reference("spelunk/Constraints-v0")`: the random policy, which writes 1 to 8 words, and
    the line that the constraints were drawn from.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        constraints: Sequence[int] = (1, len(KINDS)),
        reward: Literal["share", "all"] = "share",
        dialect: str = "english",
        split: str = "all",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        bounds = list(constraints) if isinstance(constraints, Sequence) else []
        whole = len(bounds) == 2 and all(type(bound) is int for bound in bounds)
        if not whole or not 1 <= bounds[0] <= bounds[1] <= len(KINDS):
            raise InvalidArgumentError(
                f"constraints must be two integers in order from 1 to {len(KINDS)}; "
                f"got {constraints!r}"
            )
        if reward not in ("share", "all"):
            raise InvalidArgumentError(f'reward must be "share" or "all"; got {reward!r}')
        self.bounds, self.reward = bounds, reward
        super().__init__(
            instance=[
                ("line", np.int8, (MOST_WORDS,)),
                ("asked", np.int8, (len(KINDS),)),
                ("parts", np.int8, (len(KINDS), 2)),
            ],
            dialect=dialect,
            split=split,
            max_episode_steps=max_episode_steps,
            metrics=("satisfied",),
            render_mode=render_mode,
        )

    # --- instances ---

    def draw(self, state: Any) -> None:
        low, high = self.bounds
        kinds = list(KINDS)
        asked = [
            kinds.pop(integer(state, len(kinds)))
            for _ in range(low + integer(state, high - low + 1))
        ]
        line, palindrome = draw_line(state, asked)
        state["line"], state["asked"], state["parts"] = -1, 0, 0
        state["line"][: len(line)] = line
        for k, kind in enumerate(KINDS):
            if kind in asked:
                state["asked"][k] = 1
                state["parts"][k] = (
                    (palindrome, 0) if kind == "palindrome" else draw_parts(state, kind, line)
                )

    def canonical_form(self, state: Any) -> str:
        return ", ".join(map(str, self.constraints(state)))

    def constraints(self, state: Any) -> list[Constraint]:
        """What a state's task asks for."""
        asked, parts = state["asked"].tolist(), state["parts"].tolist()
        return [Constraint.decode(kind, parts[k]) for k, kind in enumerate(KINDS) if asked[k]]

    # --- answers ---

    def read(self, message: str) -> str:
        words = final_answer(message).lower().replace(",", " ").rstrip(".").split()
        if not 1 <= len(words) <= MOST_WORDS or not set(words) <= set(VOCABULARY):
            raise UnparseableActionError(
                f"an answer is 1 to {MOST_WORDS} of the words {' '.join(VOCABULARY)}, say for "
                "example 'fox hen fox'"
            )
        return " ".join(words)

    def satisfied(self, state: Any, message: str) -> list[bool]:
        """Which of a state's `constraints` a message satisfies; none where it has no answer."""
        try:
            words = self.read(message).split()
        except UnparseableActionError:
            words = []
        return [bool(words) and constraint.met(words) for constraint in self.constraints(state)]

    def grade(self, state: Any, message: str) -> float:
        met = self.satisfied(state, message)
        share = sum(met) / len(met)
        state["satisfied"] = share
        return share if self.reward == "share" else float(all(met))

    def fault(self, state: Any, message: str) -> str:
        words = self.read(message).split()
        for constraint in self.constraints(state):
            if not constraint.met(words):
                if self.compact:
                    return f"not {constraint}"
                return f"It is not so that {constraint.english()}."
        return ""

    def solve(self, state: Any, rng: np.random.Generator, noise: float = 0.0) -> Solution:
        """The line that the constraints were drawn from; see `AnswerEnv.solve` for the arguments.

        The plan names what is asked, the steps say where the line does it, and a wrong step is
        another word in its place.
        """
        line, constraints = self.line(state), self.constraints(state)
        steps = tuple(f"{constraint}{places(constraint, line)}" for constraint in constraints)
        if noise:
            others = rng.integers(len(VOCABULARY), size=len(line))
            wrong = rng.random(len(line)) < noise
            line = [VOCABULARY[others[i]] if wrong[i] else word for i, word in enumerate(line)]
        return Solution(" ".join(line), " ".join(c.kind for c in constraints), steps)

    def search_tree(
        self, state: Any, rng: np.random.Generator, noise: float = 0.0
    ) -> "ConstraintsTree":
        """Lines word by word; see `AnswerEnv.search_tree`."""
        return ConstraintsTree(self, state, rng, noise)

    def line(self, state: Any) -> list[str]:
        """The line that a state's constraints were drawn from."""
        return [VOCABULARY[word] for word in state["line"].tolist() if word >= 0]

    def sample_state(self, state: Any, rng: np.random.Generator) -> str:
        """A message: 1 to 8 words."""
        size = int(rng.integers(1, MOST_WORDS + 1))
        return " ".join(VOCABULARY[word] for word in rng.integers(len(VOCABULARY), size=size))

    # --- words ---

    def task(self, state: Any) -> str:
        constraints = self.constraints(state)
        if self.compact:
            return " ".join(map(str, constraints))
        return (
            f"Write 1 to {MOST_WORDS} of the words {' '.join(VOCABULARY)}, each as often as you "
            f"like, so that: {'; '.join(constraint.english() for constraint in constraints)}."
        )


class ConstraintsTree:
    """Writing as a search; a node is a line so far.

    Args:
        env, state: the task.
        rng, noise: a constraint that is not met is overlooked with probability `noise`.
    """

    def __init__(self, env: Constraints, state: Any, rng: np.random.Generator, noise: float = 0.0):
        self._constraints, self._line = env.constraints(state), env.line(state)
        self._rng, self._noise = rng, noise
        words = [part for c in self._constraints for part in c.parts if part in VOCABULARY]
        self._words = sorted({*self._line, *words})
        self.root: tuple[str, ...] = ()

    def children(self, node: Any) -> list[tuple[str, Any]]:
        """The words that are asked for, or stand in the known solution; none once all is lost."""
        if len(node) == MOST_WORDS or any(c.broken(node) for c in self._constraints):
            return []
        return [(word, (*node, word)) for word in self._words]

    def answer(self, node: Any) -> str | None:
        """The line, if it satisfies everything, as far as the search sees."""
        for constraint in self._constraints:
            overlooked = self._noise and self._rng.random() < self._noise
            if not (constraint.met(node) or overlooked):
                return None
        return " ".join(node) or None

    def leads(self, node: Any) -> bool:
        """Whether it is the beginning of the known solution."""
        return list(node) == self._line[: len(node)]

    def distance(self, node: Any) -> float:
        """How many constraints are not met."""
        return sum(not constraint.met(node) for constraint in self._constraints)
