"""CountdownAnswer: Countdown in one turn, the answer being a whole expression."""

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError, UnparseableActionError
from ..kernel.answer import AnswerEnv, Solution, final_answer
from . import number_faces
from .arithmetic import combine_integers, distinct_solutions, plans_for
from .countdown import Countdown
from .expressions import Expression, makes, numbers_of, parse_expression, text_of, value_of

_SIGNS = "+-*/"
_ONE = np.ones(1, bool)


class CountdownAnswer(AnswerEnv):
    """
    ## Description
    The numbers game of the television programme in a single turn: a target is to be made from given
    numbers by + − × ÷, and the answer is the whole expression. The task by which the training of
    language models with verifiable rewards is most often studied (Pan et al. 2025, "TinyZero"). The
    starts are those of `spelunk/Countdown-v0`, where the numbers are combined step by step.

    ## Observation Space
    `Unicode(2048)`, the task: `"Make 32 from the numbers 3, 5 and 4 by + - * and /, with all of
    them, each once. Answer with one expression."`, in the compact dialect `"3 5 4 = 32"`. After the
    turn it ends in `Right.` or `Wrong.`

    ## Action Space
    `Unicode(None)`, a message. The answer is what its last `<answer>…</answer>` encloses, or what
    follows its last `answer:` in the line; otherwise the whole message. It is an expression of the
    numbers, `+ - * /` and parentheses, such as `(3 + 5) * 4`, of at most 400 characters; white
    space makes no difference. A message without an expression, or of more than 16,384 characters,
    costs the turn like a wrong answer. `parse` raises instead.

    ## Rewards
    1 for an expression that comes to the target, otherwise 0. Results in between can be fractions
    or negative.

    ## Starting State
    As in `Countdown`; the same seed gives the same start. With a `split` other than `"all"`,
    starts are drawn until one belongs to it.
    `reset(options={"numbers": […], "target": t})` starts from given ones, which must have a
    solution, whatever split they belong to.

    ## Episode End
    Terminated after one turn. The infos hold `success`.

    ## Arguments
    - `numbers`: how many there are, 3 to 6 (default 4).
    - `target`: the bounds of the target (default (10, 100)), at most ten times `highest`.
    - `highest`: the largest number at the start, 10 to 1000 (default 100).
    - `use_all`: whether every number must be used (default True).
    - `dialect`: `"english"` (default), or `"compact"`: a few words, a space between any two, for
      very small models.
    - `split`: `"all"` (default), `"train"` or `"test"`. Starts with the same numbers in any order
      and the same target belong to the same split: one in 20 to `"test"`, the others to `"train"`.
    - `max_episode_steps`: the time limit (default −1 for none).

    ## Reference Scores
    `spelunk.reference("spelunk/CountdownAnswer-v0")`: the random policy, which combines the numbers
    by random operators in random order, and the solution that every start has.

    ## Version History
    - v0: first version.
    """

    reset_options = ("numbers", "target")
    best_source = "every start has a solution"

    def __init__(
        self,
        numbers: int = 4,
        target: Sequence[int] = (10, 100),
        highest: int = 100,
        use_all: bool = True,
        dialect: str = "english",
        split: str = "all",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        #: Draws the starts and checks given ones.
        self.countdown = Countdown(numbers, target, highest, use_all)
        self._starts = self.countdown.definition.layout.empty(1)
        super().__init__(
            instance=[("target", np.int64), ("numbers", np.int64, (numbers,))],
            dialect=dialect,
            split=split,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    @property
    def use_all(self) -> bool:
        """Whether every number must be used."""
        return self.countdown.use_all

    # --- instances ---

    def draw(self, state: Any) -> None:
        definition, starts = self.countdown.definition, self._starts
        starts["rng"] = state["rng"]
        definition.loops.run("reset", 1, starts, _ONE, definition.params)
        for name in ("rng", "target", "numbers"):
            state[name] = starts[name][0]

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        self.countdown.apply_options(state, options)

    def canonical_form(self, state: Any) -> str:
        return f"{sorted(state['numbers'].tolist())} {state['target']}"

    # --- answers ---

    def read(self, message: str) -> str:
        try:
            return text_of(parse_expression(final_answer(message)))
        except InvalidArgumentError as error:
            raise UnparseableActionError(
                f"{str(error)[:200]}; say for example '(3 + 5) * 4'"
            ) from error

    def fault(self, state: Any, message: str) -> str:
        answer = final_answer(message)
        numbers, target = state["numbers"].tolist(), int(state["target"])
        if makes(answer, numbers, target, use_all=self.use_all):
            return ""
        expression = parse_expression(answer)
        try:
            value = str(value_of(expression))[:20]
        except ZeroDivisionError:
            return "divides by 0" if self.compact else "The expression divides by zero."
        if value == str(target):
            used = " ".join(map(str, numbers_of(expression)[:20]))
            return f"uses {used}" if self.compact else f"The numbers used are {used}."
        return f"makes {value}" if self.compact else f"The expression makes {value}, not {target}."

    def solve(self, state: Any, rng: np.random.Generator, noise: float = 0.0) -> Solution:
        """A solution, each as likely as any other that differs in more than order and grouping.

        The plan is the operators in the order of the steps; a wrong step has another operator. See
        `AnswerEnv.solve` for the arguments.
        """
        numbers, target = state["numbers"].tolist(), int(state["target"])
        solutions = distinct_solutions(numbers, target, fractions=False, use_all=self.use_all)
        expression = parse_expression(solutions[rng.integers(len(solutions))])
        steps: list[str] = []
        expression, _ = _carry_out(expression, rng, noise, steps)
        signs = " ".join(step.split(" ")[1] for step in steps)
        return Solution(self.write(expression), signs, tuple(steps))

    def search_tree(
        self, state: Any, rng: np.random.Generator, noise: float = 0.0
    ) -> "CountdownTree":
        """The combinations of two numbers, one after the other; see `AnswerEnv.search_tree`."""
        return CountdownTree(self, state, rng, noise)

    def write(self, expression: Expression) -> str:
        """An expression in the words of the dialect."""
        text = text_of(expression)
        return " ".join(re.findall(r"\d+|\S", text)) if self.compact else text

    def sample_state(self, state: Any, rng: np.random.Generator) -> str:
        """A message: the numbers, or with `use_all` off some, combined at random."""
        numbers = state["numbers"]
        size = len(numbers) if self.use_all else int(rng.integers(2, len(numbers) + 1))
        values: list[Expression] = rng.permutation(numbers)[:size].tolist()
        while len(values) > 1:
            first, second = values.pop(), values.pop()
            values.insert(int(rng.integers(len(values) + 1)), (_draw(_SIGNS, rng), first, second))
        return self.write(values[0])

    # --- words and pictures ---

    def task(self, state: Any) -> str:
        numbers, target = [str(number) for number in state["numbers"].tolist()], state["target"]
        if self.compact:
            return f"{' '.join(numbers)} = {target}"
        used = "all of them" if self.use_all else "some or all of them"
        return (
            f"Make {target} from the numbers {number_faces.listed(numbers)} by + - * and /, with "
            f"{used}, each once. Answer with one expression."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        labels = [str(number) for number in state["numbers"].tolist()]
        return number_faces.draw(labels, int(state["target"]))


class CountdownTree:
    """Countdown as a search; a node is what is left, each number with its expression.

    Args:
        env, state: the task.
        rng, noise: a result is written wrong with probability `noise`, and believed from then on.
    """

    def __init__(
        self, env: CountdownAnswer, state: Any, rng: np.random.Generator, noise: float = 0.0
    ):
        self._env, self._target = env, int(state["target"])
        self._rng, self._noise = rng, noise
        numbers = state["numbers"].tolist()
        self.root: tuple[tuple[int, Expression], ...] = tuple((n, n) for n in numbers)

    def children(self, node: Any) -> list[tuple[str, Any]]:
        """Every pair combined by every operator that gives a positive integer, the larger first."""
        found = {}
        for i, j in itertools.combinations(range(len(node)), 2):
            rest = tuple(part for k, part in enumerate(node) if k not in (i, j))
            (a, first), (b, second) = sorted((node[i], node[j]), key=lambda p: p[0], reverse=True)
            for operator, sign in enumerate(_SIGNS):
                made = combine_integers(a, b, operator)
                if made:
                    if self._noise and self._rng.random() < self._noise:
                        made += int(self._rng.integers(1, 4))
                    words = f"{a} {sign} {b} = {made}"
                    found.setdefault(words, (*rest, (made, (sign, first, second))))
        return list(found.items())

    def answer(self, node: Any) -> str | None:
        """The expression that makes the target, as far as the search believes."""
        if self._env.use_all and len(node) > 1:
            return None
        made = [expression for value, expression in node if value == self._target]
        return self._env.write(made[0]) if made else None

    def leads(self, node: Any) -> bool:
        """Whether the target can be made from what is left."""
        solved = self.answer(node) is not None
        if solved or len(node) == 1:
            return solved
        left, use_all = [value for value, _ in node], self._env.use_all
        return bool(len(plans_for(left, self._target, fractions=False, use_all=use_all)))

    def distance(self, node: Any) -> float:
        """From the nearest number that is left to the target."""
        return min(abs(value - self._target) for value, _ in node)


def _carry_out(
    expression: Expression, rng: np.random.Generator, noise: float, steps: list[str]
) -> tuple[Expression, Fraction]:
    """What was computed and what it came to; adds to the steps.

    An operator is another one with probability `noise`, as far as the result is a positive integer.
    """
    if isinstance(expression, int):
        return expression, Fraction(expression)
    sign, *parts = expression
    (first, a), (second, b) = (_carry_out(part, rng, noise, steps) for part in parts)
    if noise and rng.random() < noise:
        sign = _draw([other for other in _SIGNS if other != sign and _fits(other, a, b)], rng)
    elif not _fits(sign, a, b):  # after a wrong step
        sign = "+"
    value = value_of((sign, int(a), int(b)))
    steps.append(f"{a} {sign} {b} = {value}")
    return (sign, first, second), value


def _fits(sign: str, a: Fraction, b: Fraction) -> bool:
    """Whether two positive integers come to another."""
    return a > b if sign == "-" else a % b == 0 if sign == "/" else True


def _draw(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
