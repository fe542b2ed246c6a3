"""Who answers in chats, for the tests of policies that speak in messages."""

import re
from collections import Counter
from typing import Any

import gymnasium

ID = "spelunk/KnowledgeSearch-v0"
_QUESTION = re.compile("^Question: (.*)$", re.MULTILINE)


def searches(n, **arguments) -> Any:
    """A batch of KnowledgeSearch in text."""
    return gymnasium.make_vec(
        ID, num_envs=n, autoreset_mode="SAME_STEP", **{"actions": "text", **arguments}
    )


def said(messages):
    """All that a prompt says."""
    return "\n".join(message["content"] for message in messages)


class Planner:
    """Knows the plan of each question, and follows it from one prompt to the next."""

    def __init__(self, env):
        self.problem = env.unwrapped.prototype
        self.asked = Counter()

    def __call__(self, messages, seed=0):
        asked = _QUESTION.search(said(messages))
        assert asked is not None
        desk = self.problem.desks[0]
        number = next(i for i, q in enumerate(desk.questions) if asked[1].startswith(q.words))
        plan = self.problem.plan({"world": 0, "question": number})
        self.asked[number] += 1
        return plan[(self.asked[number] - 1) % len(plan)]
