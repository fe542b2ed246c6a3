"""Examples to imitate: conversations with what is known of them, in files and data sets.

They come from texts of the trace factory (`traces.trace_texts`), from rollouts, and from the
model's own right answers. A line of a file is a JSON object with the `messages` of a conversation,
as most libraries write them, and whatever else is known beside them:
`{"messages": [{"role": "user", "content": "3 5 4 = 32"}, {"role": "assistant", "content": …}],
"return": 1.0}`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import gymnasium

from ....envs.kernel.answer import AnswerEnv
from ....envs.kernel.errors import InvalidArgumentError
from ..agent import LanguageModelAgent
from ..measuring.answers import TEST_SEEDS
from ..models.model import LanguageModel
from ..rollout import Rollout, play
from ..scribe import BEGUN, GIVEN
from .traces import trace_texts

if TYPE_CHECKING:
    from datasets import Dataset

_ROLES = ("user", "assistant")
_LANES = 512


@dataclass(frozen=True)
class Example:
    """A conversation.

    Attributes:
        turns: what was told and what was said, at least one pair.
        about: what else is known, plain JSON data by name.
    """

    turns: tuple[tuple[str, str], ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, told: str, said: str, **about: Any) -> Self:
        """A conversation of one turn."""
        return cls(((told, said),), about)

    def to_row(self) -> dict[str, Any]:
        """The JSON object of a line."""
        said = [part for turn in self.turns for part in zip(_ROLES, turn, strict=True)]
        messages = [{"role": role, "content": content} for role, content in said]
        return {"messages": messages, **self.about}

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """An example from the JSON object of a line; names with the value null are left out.

        Raises:
            InvalidArgumentError: it has no messages, by user and assistant in turn.
        """
        messages = row.get("messages") if isinstance(row, Mapping) else None
        if not isinstance(messages, list) or not messages or len(messages) % 2:
            raise InvalidArgumentError(
                f"an example is an object with messages, one or more pairs; got {str(row)[:80]!r}"
            )
        texts = []
        for i, message in enumerate(messages):
            role = _ROLES[i % 2]
            content = message.get("content") if isinstance(message, Mapping) else None
            if not isinstance(content, str) or message.get("role") != role or not _sound(content):
                raise InvalidArgumentError(
                    f"message {i + 1} must be a text by the {role}; got {str(message)[:80]!r}"
                )
            texts.append(content)
        about = {name: row[name] for name in row if name != "messages" and row[name] is not None}
        return cls(tuple(zip(texts[::2], texts[1::2], strict=True)), about)


def _sound(text: str) -> bool:
    """Whether a text can be written in UTF-8, which half a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def trace_examples(
    env_id: str,
    format: str,
    count: int,
    env_kwargs: Mapping[str, Any],
    *,
    seed: int = 0,
    coverage: float = 1.0,
    **settings: Any,
) -> Iterator[Example]:
    """Texts of the trace factory as examples, with what they were made by; see `trace_texts`.

    Args:
        env_id: an environment of one turn.
        format: one of `traces.TRACE_FORMATS`.
        count: how many.
        env_kwargs: arguments of the environment.
        seed: of the tasks and the texts.
        coverage: the share of the instance space that is shown.
        settings: of the format, such as `noise`.

    Raises:
        InvalidArgumentError: see `trace_texts`; or the environment has no such texts.
    """
    env: Any = gymnasium.make(env_id, **env_kwargs).unwrapped
    if not isinstance(env, AnswerEnv):
        raise InvalidArgumentError(f"traces are written of environments of one turn; got {env_id}")
    known = {"env_id": env_id, "format": format, "seed": seed, "coverage": coverage, **settings}
    for task, text in trace_texts(env, format, count, seed=seed, coverage=coverage, **settings):
        yield Example.of(task, text, **known)


def write_examples(path: str | Path, examples: Iterable[Example]) -> None:
    """Write examples to a file, a line of JSON each."""
    with Path(path).open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(example.to_row(), ensure_ascii=False, allow_nan=False) + "\n")


def read_examples(path: str | Path) -> Iterator[Example]:
    """The examples of a file, one after the other.

    Raises:
        InvalidArgumentError: a line is no example; the message says which.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield Example.from_row(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise InvalidArgumentError(f"{path}, line {number}: {error}") from error


def to_dataset(examples: Iterable[Example]) -> "Dataset":
    """Examples as a Hugging Face data set: a column for the messages, and one for each name.

    Where an example lacks a name its value is null.
    """
    from datasets import Dataset

    rows = [example.to_row() for example in examples]
    names = dict.fromkeys(name for row in rows for name in row)
    return Dataset.from_dict({name: [row.get(name) for row in rows] for name in names})


def from_dataset(dataset: "Dataset") -> Iterator[Example]:
    """The examples of a Hugging Face data set with a column `messages`.

    Raises:
        InvalidArgumentError: a row is no example; the message says which, counted from 0.
    """
    for number, row in enumerate(dataset):
        try:
            yield Example.from_row(row)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"row {number}: {error}") from error


def rollout_examples(rollout: Rollout, model: LanguageModel, **about: Any) -> Iterator[Example]:
    """What was told and said in a rollout, a conversation for each of its sequences.

    The texts are what the tokenizer makes of the tokens: one that loses upper case or white space
    has lost them here. Each is told its `episode`, `group`, `return` and whether it is `truncated`.

    Args:
        rollout: the episodes.
        model: whose tokens they are.
        about: what else is known of all of them.
    """
    returns = rollout.rewards.sum(1).tolist()
    for tokens, turns, episode in zip(
        rollout.tokens.tolist(), rollout.turns.tolist(), rollout.episodes.tolist(), strict=True
    ):
        pairs, told, begun = [], "", list[int]()
        for turn, part in groupby(zip(turns, tokens, strict=True), key=lambda pair: pair[0]):
            row = [token for _, token in part]
            if turn >= 0:
                pairs.append((told, model.decode(begun + row)))
            told = model.decode(row) if turn == GIVEN else told if turn == BEGUN else ""
            begun = row if turn == BEGUN else []
        known = {
            "episode": episode,
            "group": int(rollout.groups[episode]),
            "return": returns[episode],
            "truncated": bool(rollout.truncated[episode]),
        }
        yield Example(tuple(pairs), {**about, **known})


def right_examples(
    agent: LanguageModelAgent,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    *,
    problems: int = 256,
    samples: int = 8,
    most: int = 4,
    seed: int = 0,
) -> list[Example]:
    """The model's own right answers: rejection sampling.

    Each start is played several times, and what led to a return of 1 or more, and was not cut
    short, is kept once (Zelikman et al. 2022, "STaR: bootstrapping reasoning with reasoning"; Yuan
    et al. 2023, "Scaling relationship on learning mathematical reasoning with large language
    models", which keeps distinct answers only).

    Args:
        agent: who plays.
        env_id: the environment.
        env_kwargs: its arguments.
        problems: how many starts.
        samples: how many episodes of each.
        most: the most episodes of a start that are kept, so that easy ones do not outweigh others.
        seed: of the first start, and of the agent; those of the other starts follow.

    Raises:
        InvalidArgumentError: a number is too small, or there are starts of tests among them.
    """
    if min(problems, samples, most) < 1:
        raise InvalidArgumentError(
            f"problems, samples and most must be at least 1; got {problems}, {samples} and {most}"
        )
    if not 0 <= seed <= TEST_SEEDS - problems:
        raise InvalidArgumentError(f"seeds must be from 0 to 2**40 − 1; got {seed} + {problems}")
    at_once, kept = max(1, _LANES // samples), []
    for first in range(0, problems, at_once):
        count = min(at_once, problems - first) * samples
        env: Any = gymnasium.make_vec(
            env_id, num_envs=count, autoreset_mode="SAME_STEP", **env_kwargs
        )
        seeds = [seed + first + lane // samples for lane in range(count)]
        rollout = play(agent, env, seeds, seed=seed + first, pad=agent.model.end)
        env.close()
        episodes: list[list[Example]] = [[] for _ in range(count)]
        for example in rollout_examples(rollout, agent.model, env_id=env_id):
            episodes[example.about["episode"]].append(example)
        for group in range(0, count, samples):
            kept += _distinct(episodes[group : group + samples], seeds[group], most)
    return kept


def _distinct(episodes: list[list[Example]], seed: int, most: int) -> Iterator[Example]:
    """The conversations of the first right episodes that differ."""
    found = {}
    for episode in episodes:
        about = episode[0].about
        if about["return"] >= 1 - 1e-6 and not about["truncated"]:
            found.setdefault(tuple(part.turns for part in episode), episode)
    for episode in list(found.values())[:most]:
        for part in episode:
            known = {name: part.about[name] for name in ("env_id", "return")}
            yield Example(part.turns, {**known, "seed": seed})
