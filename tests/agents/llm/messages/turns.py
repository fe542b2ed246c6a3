"""An episode of a search agent, for the tests of renderers."""

from spelunk.agents.llm.messages.transcript import Turn
from spelunk.envs.textweb.grammar import Call, parse

QUESTION = "What is the seat of the employer of Plosen?"


def turn(message, observation="", pages=()):
    call = parse(message)
    return Turn(call if isinstance(call, Call) else None, message, observation, pages)


TURNS = [
    turn("<think>hm</think><search>employer of Plosen</search>", "1 Plosen\n2 Drumen", (1, 2)),
    turn("<summary>Plosen: Drumen?</summary><open>1</open>", "Plosen works for Drumen.", (1,)),
    turn("open the second", "Say search: words."),
    turn("open: 2", "Drumen is based in Orvik.", (2,)),
]
