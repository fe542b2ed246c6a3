"""The workspace: the report is all that is remembered."""

from spelunk.agents.llm.transcript import Turn
from spelunk.agents.llm.workspace import Workspace
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


def test_the_workspace_remembers_the_report_alone():
    prompt = Workspace().render(QUESTION, TURNS, {"turns": 1, "search": 0})
    assert prompt.text == "\n".join([
        f"Question: {QUESTION}",
        "Report:",
        "| Plosen: Drumen?",
        "Last action:",
        "| open: 2",
        "Result:",
        "| Drumen is based in Orvik.",
        "Left: 1 turns, 0 search.",
    ])  # fmt: skip
    assert Workspace().render(QUESTION, []).text == f"Question: {QUESTION}\nReport:\n(none yet)"
    text = Workspace().render(QUESTION, TURNS[:3]).text
    assert "| open the second\n(not understood)" in text
    newer = turn("<summary>It is\nOrvik.</summary>", "Noted.")
    assert "| It is\n| Orvik.\n" in Workspace().render(QUESTION, [*TURNS, newer]).text
