"""Episodes for the tests of reward terms, and a judge that does not err."""

from typing import Any

from spelunk.agents.llm.searching.judges import RecordedOracle, WorldJudge
from spelunk.agents.llm.searching.trace import Rubric, Task, TraceBuilder
from spelunk.agents.llm.training.terms.reward.registry import reward

JUDGE = WorldJudge(RecordedOracle(lambda page, fact: page == fact), epsilon=0)
CLOSED = Task("Where is Bo?", gold=(("Ax",),), evidence=4, relevant=(1, 2), answer_pages=(2,))


def value(name, trace, **settings):
    return reward(name, **settings)(trace, JUDGE)


def episode(results=(), answer: Any = "Ax", task=CLOSED, malformed=(), **ending):
    """A turn for each result, fields of a segment, then one for the answer, if there is one."""
    builder = TraceBuilder(task)
    for turn, fields in enumerate(results):
        builder.say("…", "search")
        builder.show("…", **{"tool": "search", **fields})
        builder.end_turn(turn not in malformed)
    if answer is not None:
        builder.say(answer, "answer")
        builder.end_turn(len(results) not in malformed)
    return builder.finish(answer, **ending)


def calls(n, answer: Any = "Ax", **fields):
    return episode([{"queries": ("q",), "pages": ((9,),)}] * n, answer, **fields)


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


SEARCHES = (
    {"queries": ("a",), "pages": ((7, 1),), "covered": 0b0001},
    {"queries": ("b",), "pages": ((1, 8),), "covered": 0b0001},
    {"queries": ("c", "d"), "pages": ((8,), (2,)), "covered": 0b0111},
)

RUBRICS = Task(
    "?",
    gold=(("Ax",),),
    entities=(("Ax",), ("Bo",), ("Cy",), ("Dy",)),
    rubrics=(Rubric((0, 1), 11), Rubric((1, 2), 12), Rubric((2, 3), 13), Rubric((3,), 14)),
)
