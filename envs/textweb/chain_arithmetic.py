"""ChainArithmetic: a chain of sums and products, solved step by step."""

import math
import re
import string
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError, UnparseableActionError
from ..kernel.answer import AnswerEnv, Solution, final_answer
from ..kernel.host import integer
from .chain_steps import read_attempt, read_step

#: The most steps, and the largest modulus.
MOST_STEPS, LARGEST = 8, 100

_SIGNS, _INVERSE = "+-*", "-+/"
_WORDS = {"+": "plus", "-": "minus", "*": "times"}
_NAMES = string.ascii_lowercase
_NUMBER = re.compile(r"[0-9]{1,4}")


class ChainArithmetic(AnswerEnv):
    """
    ## Description
    A chain of quantities, each defined by the one before: `a is 7. b is a plus 5. c is b times 3.`
    All arithmetic is modulo a number. The agent plans, carries out the steps and answers in one
    message. Every step can be checked exactly, so that methods which judge steps, or plans apart
    from their execution, can be measured against the truth.

    With `orders=2` both ends of the chain are given, and what is asked for stands between: it can
    be computed forwards from the first quantity or backwards from the last. One way takes as many
    steps as are allowed, the other one more. The choice is the plan's (compare Wang et al. 2025,
    "Emergent hierarchical reasoning in LLMs through reinforcement learning").

    ## Observation Space
    `Unicode(2048)`, the task: `"All numbers are modulo 10. a is 7. b is a plus 5. c is b times 3.
    What is c? Use at most 2 steps."` and how to write the message; in the compact dialect
    `"a = 7 b = a + 5 c = b * 3 c ?"`. After the turn it ends in `Right.` or `Wrong.`

    ## Action Space
    `Unicode(None)`, a message such as `<plan>b c</plan> <step>b = 7 + 5 = 2</step> <step>c = 2 * 3
    = 6</step> <answer>6</answer>`, in the compact dialect `plan b c step b = 7 + 5 = 2 step c = 2 *
    3 = 6 answer 6`. The answer is read as `final_answer` says (`envs/kernel/answer.py`). Backwards,
    a difference undoes a sum, and `/` a product. A message without a number as its answer, or of
    more than 16,384 characters, costs the turn like a wrong answer. `parse` raises instead.

    ## Rewards
    1 for the right number, whatever the steps are, if there are no more than `steps` of them after
    the last plan; otherwise 0.

    ## Starting State
    The first number, the signs `+ - *` and what is added, subtracted or multiplied by are uniform;
    factors have no divisor in common with the modulus, so that every step can be undone. With
    `orders=2` the shorter way is either one with equal chance, and the longer one has from
    `steps` + 1 to 2 · `steps` steps. With a `split` other than `"all"`, tasks are drawn until one
    belongs to it.

    ## Episode End
    Terminated after one turn. The infos hold `success`.

    ## Arguments
    - `steps`: how many steps lead to the answer, 1 to 8 (default 4); also how many are allowed.
    - `modulus`: 3 to 100 (default 10).
    - `orders`: in how many orders the steps can be taken, 1 (default) or 2.
    - `dialect`: `"english"` (default), or `"compact"`: a few words, for very small models.
    - `split`: `"all"` (default), `"train"` or `"test"`. The same chain, `- 3` being `+ 7` modulo
      10, always belongs to the same split: one in 20 to `"test"`, the others to `"train"`.
    - `max_episode_steps`: the time limit (default −1 for none).

    ## Reference Scores
    `spelunk.reference("spelunk/ChainArithmetic-v0")`: the random policy, which writes well-formed
    messages with random results, and the solution that every task has.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        steps: int = 4,
        modulus: int = 10,
        orders: int = 1,
        dialect: str = "english",
        split: str = "all",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        for name, given, low, high in (
            ("steps", steps, 1, MOST_STEPS),
            ("modulus", modulus, 3, LARGEST),
            ("orders", orders, 1, 2),
        ):
            if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
                raise InvalidArgumentError(
                    f"{name} must be an integer from {low} to {high}; got {given!r}"
                )
        self.steps, self.modulus, self.orders = steps, modulus, orders
        self._factors = [n for n in range(2, modulus) if math.gcd(n, modulus) == 1]
        longest = steps if orders == 1 else 3 * steps
        super().__init__(
            instance=[
                ("first", np.int16),
                ("signs", np.int8, (longest,)),
                ("operands", np.int16, (longest,)),
                ("links", np.int8),
                ("asked", np.int8),
            ],
            dialect=dialect,
            split=split,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    # --- instances ---

    def draw(self, state: Any) -> None:
        links = asked = self.steps
        if self.orders == 2:
            links += self.steps + 1 + integer(state, self.steps)
            asked = self.steps if integer(state, 2) else links - self.steps
        state["links"], state["asked"] = links, asked
        state["first"] = integer(state, self.modulus)
        state["signs"], state["operands"] = 0, 0
        for k in range(links):
            sign = integer(state, len(_SIGNS))
            state["signs"][k] = sign
            state["operands"][k] = (
                self._factors[integer(state, len(self._factors))]
                if _SIGNS[sign] == "*"
                else 1 + integer(state, self.modulus - 1)
            )

    def canonical_form(self, state: Any) -> str:
        links = [
            f"+ {self.modulus - operand}" if sign == "-" else f"{sign} {operand}"
            for sign, operand in _links(state)
        ]
        return f"{self.modulus} {state['first']} {' '.join(links)} {state['asked']}"

    def values(self, state: Any) -> list[int]:
        """What each quantity of the chain is, the first one first."""
        found = [int(state["first"])]
        for sign, operand in _links(state):
            found.append(self._compute(found[-1], sign, operand))
        return found

    def _compute(self, value: int, sign: str, operand: int) -> int:
        if sign == "/":
            sign, operand = "*", pow(operand, -1, self.modulus)
        made = {"+": value + operand, "-": value - operand, "*": value * operand}[sign]
        return made % self.modulus

    # --- answers ---

    def read(self, message: str) -> str:
        answer = final_answer(message).rstrip(".")
        if not _NUMBER.fullmatch(answer):
            raise UnparseableActionError(
                f"the answer must be a whole number; say for example {self.mark('answer', '6')!r}"
            )
        return str(int(answer))

    def fault(self, state: Any, message: str) -> str:
        if read_attempt(message, self.compact).length > self.steps:
            return "too long" if self.compact else f"There are more than {self.steps} steps."
        answer = self.read(message)
        if int(answer) == self.values(state)[state["asked"]]:
            return ""
        return f"not {answer}" if self.compact else f"The answer is not {answer}."

    def critique(self, state: Any, message: str) -> str:
        """What is wrong with a message; the first wrong plan or step where there is one."""
        fault = super().critique(state, message)
        labels = self.step_labels(state, message)
        if not fault or all(labels):
            return fault
        place = labels.index(False) + (read_attempt(message, self.compact).plan is None)
        if self.compact:
            return f"step {place} wrong" if place else "plan wrong"
        return f"Step {place} is wrong." if place else "The plan is wrong."

    def step_labels(self, state: Any, message: str) -> list[bool]:
        """Whether the plan, if there is one, and each step of a message are right, in order.

        Only what follows the last plan counts. A plan is right that names what the allowed steps
        compute. A step is right that says what follows from what was given or rightly computed by
        then, and is one of the first `steps`. So after a wrong result nothing that is made from it
        is right.
        """
        plan, steps, _ = read_attempt(message, self.compact)
        links, values = _links(state), self.values(state)
        known = {0} if self.orders == 1 else {0, len(links)}
        labels = [] if plan is None else [plan == self._names(self._way(state))]
        for count, step in enumerate(steps):
            name, *said = read_step(step)
            place = _NAMES.index(name) if name else -1
            right = any(
                said == [values[source], *self._link(links, source, place), values[place]]
                for source in (place - 1, place + 1)
                if source in known and 0 <= place <= len(links)
            )
            labels.append(right and count < self.steps)
            if right:
                known.add(place)
        return labels

    # --- solutions ---

    def _way(self, state: Any, longer: bool = False) -> list[int]:
        """The places in the chain that the shorter or longer way computes, in order."""
        asked, links = int(state["asked"]), int(state["links"])
        forward = asked == self.steps
        if forward != longer:
            return list(range(1, asked + 1))
        return list(range(links - 1, asked - 1, -1))

    @staticmethod
    def _names(way: list[int]) -> str:
        return " ".join(_NAMES[place] for place in way)

    @staticmethod
    def _link(links: list[tuple[str, int]], source: int, place: int) -> tuple[str, int]:
        """The sign and number by which a neighbour is computed."""
        if place > source:
            return links[source]
        sign, operand = links[place]
        return _INVERSE[_SIGNS.index(sign)], operand

    def _carry_out(self, state: Any, way: list[int], result: Callable[[int], int]) -> Solution:
        """A way written out; `result` says what is written for what a step comes to."""
        links, steps = _links(state), []
        source = way[0] - 1 if way[0] == 1 else way[0] + 1
        value = self.values(state)[source]
        for place in way:
            sign, operand = self._link(links, source, place)
            made = result(self._compute(value, sign, operand))
            steps.append(f"{_NAMES[place]} = {value} {sign} {operand} = {made}")
            source, value = place, made
        return Solution(str(value), self._names(way), tuple(steps))

    def solve(self, state: Any, rng: np.random.Generator, noise: float = 0.0) -> Solution:
        """The solution within the allowed steps; see `AnswerEnv.solve` for the arguments.

        A wrong step has a wrong result, from which the next one goes on. With two orders, the
        longer way is planned with probability `noise`.
        """

        def result(value: int) -> int:
            wrong = noise > 0 and rng.random() < noise
            return (value + int(rng.integers(1, self.modulus)) * wrong) % self.modulus

        longer = self.orders == 2 and noise > 0 and rng.random() < noise
        return self._carry_out(state, self._way(state, longer), result)

    def say(self, solution: Solution) -> str:
        return self.say_steps(solution)

    def sample_state(self, state: Any, rng: np.random.Generator) -> str:
        """A message: one of the ways, with random results."""
        way = self._way(state, longer=self.orders == 2 and bool(rng.integers(2)))
        return self.say(self._carry_out(state, way, lambda _: int(rng.integers(self.modulus))))

    # --- words ---

    def task(self, state: Any) -> str:
        values, links, asked = self.values(state), _links(state), _NAMES[state["asked"]]
        given = [(0, values[0])] + ([(len(links), values[-1])] if self.orders == 2 else [])
        if self.compact:
            told = [f"{_NAMES[k]} = {value}" for k, value in given]
            chain = [f"{_NAMES[k + 1]} = {_NAMES[k]} {s} {n}" for k, (s, n) in enumerate(links)]
            return " ".join([told[0], *chain, *told[1:], asked, "?"])
        told = [f"{_NAMES[k]} is {value}." for k, value in given]
        chain = [
            f"{_NAMES[k + 1]} is {_NAMES[k]} {_WORDS[s]} {n}." for k, (s, n) in enumerate(links)
        ]
        sentences = [f"All numbers are modulo {self.modulus}.", told[0], *chain, *told[1:]]
        sentences.append(f"What is {asked}? Use at most {self.steps} steps.")
        return (
            f"{' '.join(sentences)}\nWrite <plan>names in order</plan>, for each a step such as "
            "<step>b = 7 + 5 = 2</step>, and <answer>number</answer>."
        )


def _links(state: Any) -> list[tuple[str, int]]:
    """The sign and the number by which each quantity is made from the one before."""
    links = int(state["links"])
    signs, operands = state["signs"][:links].tolist(), state["operands"][:links].tolist()
    return [(_SIGNS[sign], operand) for sign, operand in zip(signs, operands, strict=True)]
