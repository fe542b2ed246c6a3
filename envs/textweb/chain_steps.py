"""How the plan and the steps of a message to ChainArithmetic are read."""

import re
from typing import NamedTuple

from ..kernel.answer import LONGEST

_STEP = re.compile(r"([a-z])\s*=\s*([0-9]{1,4})\s*([-+*/])\s*([0-9]{1,4})\s*=\s*([0-9]{1,4})")
_TAGGED = re.compile(r"<(plan|step)>([^<]*)</\1>", re.IGNORECASE)
_SPOKEN = re.compile(
    r"\b(plan|step)\b((?:(?!\b(?:plan|step|answer|critique)\b).)*)", re.IGNORECASE | re.DOTALL
)
_PLAN = re.compile(r"\bplan\b", re.IGNORECASE)


class Attempt(NamedTuple):
    """What stands after the last plan of a message.

    Attributes:
        plan: the plan, None where there is none.
        steps: what is marked as a step, in lower case and single spaces.
        length: how many steps are taken, marked as such or not.
    """

    plan: str | None
    steps: list[str]
    length: int


def read_attempt(message: str, compact: bool) -> Attempt:
    """The last attempt in a message, marked by tags or, in the compact dialect, by words."""
    message = message[:LONGEST]
    plan: str | None = None
    steps: list[str] = []
    for found in (_SPOKEN if compact else _TAGGED).finditer(message):
        body = " ".join(found[2].lower().split())
        if found[1].lower() == "plan":
            plan, steps = body, []
        else:
            steps.append(body)
    unmarked = _STEP.findall(_PLAN.split(message)[-1].lower())
    return Attempt(plan, steps, max(len(steps), len(unmarked)))


def read_step(step: str) -> tuple[str, int, str, int, int] | tuple[str]:
    """The parts of a step such as `b = 7 + 5 = 2`: `("b", 7, "+", 5, 2)`; `("",)` of another."""
    found = _STEP.fullmatch(step)
    if found is None:
        return ("",)
    return found[1], int(found[2]), found[3], int(found[4]), int(found[5])
