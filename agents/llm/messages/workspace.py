"""`Workspace`: a prompt that forgets everything but a report that the model keeps."""

from collections.abc import Mapping, Sequence

from ....envs.textweb.grammar import preface, say
from ....envs.textweb.plain import quote
from ....envs.textweb.tools import TEXT
from ....wrappers.budget import budget_line
from .transcript import Prompt, Renderer, Turn, asked, fitted


class Workspace(Renderer):
    """The question, the report, the last action and its result; nothing else is remembered.

    The state is Markovian ("IterResearch: Rethinking Long-Horizon Agents via Markovian State
    Reconstruction" (2025)): each turn is a training sample of its own, and the size of a
    prompt does not grow. The report is what the tool `summary` was last called with, or the last
    `<summary>` that stood before an action. Where the cap is too small for both, report and result
    are cut, neither to less than half of their room.
    """

    def render(
        self, question: str, turns: Sequence[Turn], budgets: Mapping[str, int] | None = None
    ) -> Prompt:
        written = last_report(turns)
        report = quote(written, TEXT) if written else "(none yet)"
        first, result = asked(question), ""
        between, ends = [], [budget_line(budgets)] if budgets else []
        if turns:
            between = ["Last action:", last_action(turns[-1]), "Result:"]
            result = quote(turns[-1].observation, self.observation_cap)
        room = self._room(first, "Report:", *between, *ends)
        most = max(room // 2, room - self.measure(result))
        report, cut = fitted(report, most, self.measure)
        result, cut_too = fitted(result, room - self.measure(report), self.measure)
        parts = [first, "Report:", report, *between, result, *ends]
        text = "\n".join(part for part in parts if part)
        return self._prompt([("user", text)], cut + cut_too)


def last_report(turns: Sequence[Turn]) -> str | None:
    """The report as it stands; None where none was written."""
    for turn in reversed(turns):
        if turn.call is not None and turn.call.tool == "summary":
            return str(turn.call.arguments["text"])
        if (report := preface(turn.message).summary) is not None:
            return report
    return None


def last_action(turn: Turn) -> str:
    """What a turn did, without its thoughts, quoted."""
    if turn.call is None:
        return f"{quote(turn.message, 200)}\n(not understood)"
    return quote(say(turn.call, "line"), 400)
