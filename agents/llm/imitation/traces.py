"""Texts to imitate: tasks of one turn solved in the ways that language models are taught.

The formats differ in how much of the way to the answer they tell. Environments read only the final
answer, so that every format can be rewarded. Two dials make weaker teachers: `noise`, the rate of
wrong steps, which are believed and lead to a wrong answer unless by luck; and `coverage`, the share
of the instance space that is ever shown.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ....envs.kernel.answer import AnswerEnv, SearchTree
from ....envs.kernel.errors import InvalidArgumentError

Write = Callable[..., str]

#: The orders in which `dfs` tries what can be done: at random, what is nearest to the goal first,
#: what is farthest first, or as the environment lists it.
ORDERS = ("random", "near", "far", "listed")

_MOST_DRAWS, _ATTEMPTS = 10_000, 100


def direct(env: AnswerEnv, state: Any, rng: np.random.Generator, *, noise: float = 0.0) -> str:
    """The shortest message that solves the task.

    Args:
        env: the environment.
        state: a record of it.
        rng: draws among solutions, and the wrong steps.
        noise: the rate of wrong steps.
    """
    return env.say(env.solve(state, rng, noise))


def plan_execute(
    env: AnswerEnv, state: Any, rng: np.random.Generator, *, noise: float = 0.0
) -> str:
    """A plan, the steps and the answer; see `direct` for the arguments."""
    return env.say_steps(env.solve(state, rng, noise))


def critique(env: AnswerEnv, state: Any, rng: np.random.Generator, *, noise: float = 0.0) -> str:
    """A wrong attempt, what is wrong with it, and a new attempt; see `direct` for the arguments.

    The noise is that of the second attempt. The first one is drawn until something is wrong.
    """
    for _ in range(_ATTEMPTS):
        attempt = env.say_steps(env.solve(state, rng, 0.5))
        fault = env.critique(state, attempt)
        if fault:
            fixed = env.say_steps(env.solve(state, rng, noise))
            return env.join([attempt, env.mark("critique", fault), fixed])
    return plan_execute(env, state, rng, noise=noise)


def preview(
    env: AnswerEnv,
    state: Any,
    rng: np.random.Generator,
    *,
    slips: float = 0.5,
    noise: float = 0.0,
) -> str:
    """A preview of what is asked, a draft, a check of it, and the answer, which heeds the check.

    The format of Wang et al. 2025, "Light-IF: endowing LLMs with generalizable reasoning via
    preview and self-checking for complex instruction following".

    Args:
        env, state, rng: as in `direct`.
        slips: the rate of wrong drafts, which the check finds out.
        noise: the rate of wrong steps of the answer; of a draft that is no slip nobody notices.
    """
    solution = env.solve(state, rng, noise)
    draft, verdict = solution, "ok"
    if rng.random() < slips:
        for _ in range(_ATTEMPTS):
            attempt = env.solve(state, rng, 0.5)
            if fault := env.critique(state, env.say(attempt)):
                draft, verdict = attempt, fault
                break
    marked = {"preview": solution.plan, "draft": draft.answer, "check": verdict}
    return env.join([*(env.mark(tag, text) for tag, text in marked.items()), env.end(solution)])


def dfs(
    env: AnswerEnv,
    state: Any,
    rng: np.random.Generator,
    *,
    order: str = "random",
    failures: int = 3,
    noise: float = 0.0,
) -> str:
    """A depth-first search as it goes: `try` a step, `undo` it where it fails, then the answer.

    Gandhi et al. 2024, "Stream of Search: learning to search in language".

    Args:
        env, state, rng: as in `direct`.
        order: what is tried first, one of `ORDERS`.
        failures: after so many dead ends only what is known to lead to a solution is tried, so that
            texts do not get long.
        noise: the rate of steps with a wrong result, which is believed.

    Raises:
        InvalidArgumentError: there is no such order, or `failures` is negative.
        UnsupportedFaceError: the environment has no search tree.
    """
    return think(env, state, rng, order=order, failures=failures, dropped=0.0, noise=noise)


def mix(
    env: AnswerEnv,
    state: Any,
    rng: np.random.Generator,
    *,
    failures: int = 3,
    noise: float = 0.0,
) -> str:
    """A depth-first search in one of the `ORDERS`, drawn uniformly; see `dfs`."""
    order = ORDERS[int(rng.integers(len(ORDERS)))]
    return dfs(env, state, rng, order=order, failures=failures, noise=noise)


def think(
    env: AnswerEnv,
    state: Any,
    rng: np.random.Generator,
    *,
    order: str = "random",
    failures: int = 3,
    dropped: float = 0.5,
    noise: float = 0.0,
) -> str:
    """A depth-first search of which some failed branches are not told; see `dfs`.

    Args:
        env, state, rng, order, failures, noise: as in `dfs`.
        dropped: the share of failed branches that are left out.

    Raises:
        InvalidArgumentError: there is no such order, or a number is out of range.
        UnsupportedFaceError: the environment has no search tree.
    """
    if order not in ORDERS or failures < 0 or not 0 <= dropped <= 1:
        raise InvalidArgumentError(
            f"order must be one of {ORDERS}, failures ≥ 0 and dropped from 0 to 1; got {order!r}, "
            f"{failures!r} and {dropped!r}"
        )
    tree, told = env.search_tree(state, rng, noise), _Told(failures, dropped)
    answer = _search(tree, tree.root, order, rng, told)
    if answer is None:  # errors have hidden every solution
        answer = env.solve(state, rng, 1.0).answer
    return env.join([*told.parts, env.mark("answer", answer)])


#: The formats by name.
TRACE_FORMATS: dict[str, Write] = {
    "direct": direct,
    "dfs": dfs,
    "mix": mix,
    "think": think,
    "preview": preview,
    "plan+execute": plan_execute,
    "critique": critique,
}


def trace_texts(
    env: AnswerEnv,
    format: str,
    count: int,
    *,
    seed: int = 0,
    coverage: float = 1.0,
    **settings: Any,
) -> Iterator[tuple[str, str]]:
    """Tasks and texts that solve them.

    Args:
        env: the environment; its `split` decides where the tasks come from.
        format: one of `TRACE_FORMATS`.
        count: how many.
        seed: of the tasks and the texts.
        coverage: the share of the instance space that the tasks are drawn from, above 0 and at most
            1. It is chosen by a hash of the canonical form: a smaller share is part of a larger.
        settings: of the format, such as `noise`.

    Yields:
        A task as the environment describes it, and a text.

    Raises:
        InvalidArgumentError: there is no such format, or a number is out of range.
    """
    if format not in TRACE_FORMATS:
        raise InvalidArgumentError(f"format must be one of {list(TRACE_FORMATS)}; got {format!r}")
    for name, value in (("coverage", coverage), ("noise", settings.get("noise", 0.0))):
        if not 0 <= value <= 1 or (name == "coverage" and value == 0):
            raise InvalidArgumentError(f"{name} must be from 0 to 1, coverage above 0; got {value}")
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    for _ in range(count):
        for _ in range(_MOST_DRAWS):
            env.reset()
            if env.fraction(env.state, "coverage") < coverage:
                break
        else:
            raise InvalidArgumentError(f"coverage must leave instances; got {coverage}")
        yield env.describe(), TRACE_FORMATS[format](env, env.state, rng, **settings)


class _Told:
    """What was told of a search, and how many dead ends it may still meet."""

    def __init__(self, failures: int, dropped: float):
        self.parts: list[str] = []
        self.failures, self.dropped = failures, dropped


def _search(
    tree: SearchTree, node: Any, order: str, rng: np.random.Generator, told: _Told
) -> str | None:
    """Search below a node; the answer, or None."""
    answer = tree.answer(node)
    if answer is not None:
        return answer
    children = _ordered(tree, tree.children(node), order, rng)
    if not children:
        told.failures -= 1
    for words, child in children:
        if told.failures <= 0 and not tree.leads(child):
            continue
        begin = len(told.parts)
        told.parts.append(f"try {words}")
        answer = _search(tree, child, order, rng, told)
        if answer is not None:
            return answer
        told.parts.append("undo")
        if told.dropped and rng.random() < told.dropped:
            del told.parts[begin:]
    return None


def _ordered(
    tree: SearchTree, children: list[tuple[str, Any]], order: str, rng: np.random.Generator
) -> list[tuple[str, Any]]:
    if order == "random":
        return [children[i] for i in rng.permutation(len(children))]
    if order == "listed":
        return children
    sign = 1 if order == "near" else -1
    return sorted(children, key=lambda child: sign * tree.distance(child[1]))
