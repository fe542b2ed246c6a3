"""The workspace: the report is all that is remembered."""

from spelunk.agents.llm.messages.workspace import Workspace

from .turns import QUESTION, TURNS, turn


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
