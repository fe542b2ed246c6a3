"""`spelunk world`: what a knowledge world holds, and how its questions are answered."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from ...envs.kernel.errors import InvalidArgumentError
from ...envs.textweb.answers import gold
from ...envs.textweb.corpus import KINDS
from ...envs.textweb.knowledge_search import KnowledgeSearch
from ...envs.textweb.patterns import PATTERNS, TREEWIDTH
from ...envs.textweb.question_picture import draw_question
from ...envs.textweb.questions import Question
from ...envs.textweb.world import KnowledgeWorld


def build(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Build the world of an environment's arguments; its size and the questions it can answer."""
    begun = time.perf_counter()
    world = KnowledgeSearch(**{"actions": "text", **kwargs}).world
    seconds = time.perf_counter() - begun
    counts = np.bincount(world.corpus.kinds, minlength=len(KINDS)).tolist()
    answered = {}
    for pattern in PATTERNS:
        rng = np.random.default_rng(0)
        proposed = PATTERNS[pattern](world.graph, 200, rng)
        answered[pattern] = float(world.answerable(proposed).mean()) if proposed else None
    return {
        "documents": len(world.corpus),
        "entities": world.graph.n,
        "seconds": seconds,
        "documents_per_second": len(world.corpus) / seconds,
        **{f"{kind}_pages": n for kind, n in zip(KINDS, counts, strict=True) if n},
        "answerable": answered,
    }


def inspect(
    console: Console, kwargs: dict[str, Any], pattern: str, number: int, picture: Path | None
) -> dict[str, Any]:
    """Show a question with the pages that answer it.

    Args:
        console: where it is shown.
        kwargs: the arguments of the environment.
        pattern: of the question.
        number: which of the questions of its pattern.
        picture: where its graph is drawn; None for nowhere.

    Raises:
        InvalidArgumentError: there is no such question.
    """
    env = KnowledgeSearch(**{**kwargs, "actions": "text", "questions": (pattern,)})
    questions, world = env.desk.questions, env.world
    if not 0 <= number < len(questions):
        raise InvalidArgumentError(
            f"number must be from 0 to {len(questions) - 1}, the questions of {pattern} in this "
            f"world; got {number}"
        )
    question = questions[number]
    console.print(Text(question.words, "bold"))
    console.print(Text(f"Answer: {gold(world, question)}", "green"))
    for step in world.plan(question):
        console.print()
        console.print(Text(f"search: {step.query}", "blue"))
        console.print(Text(f"{step.page} {world.corpus.title(step.page)}", "bold"))
        console.print(_evidence(world, question, step.page))
    if picture is not None:
        import imageio.v3 as imageio

        imageio.imwrite(picture, draw_question(world, question))
        console.print(f"\ndrawn in {picture}")
    return {
        "pattern": pattern,
        "number": number,
        "question": question.words,
        "answer": gold(world, question),
        "hops": len(question.edges),
        "treewidth": TREEWIDTH.get(pattern, 1),
        "dispersion": world.dispersion(question),
        "plan": [step._asdict() for step in world.plan(question)],
    }


def _evidence(world: KnowledgeWorld, question: Question, page: int) -> Text:
    """A page's text with the sentences that the answer needs in green."""
    needed, text = set(question.facts()), Text()
    for sentence in world.corpus.sentences(page):
        style = "green" if sentence.fact in needed else "dim"
        text.append(world.corpus.say(sentence) + " ", style)
    return text
