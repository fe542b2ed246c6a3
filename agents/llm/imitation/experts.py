"""Traces to imitate: experts' episodes as a language model would have played them, and files."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....envs import registry as env_registry
from ....envs.kernel.errors import InvalidArgumentError
from ... import registry
from ...core.agent import Agent
from ..contexts import Context
from ..models.model import LanguageModel
from ..scribe import Scribe, Transcripts
from .examples import Example, read_examples
from .sft import encode_examples, pad_examples

#: Whom a language model imitates at first, unless told otherwise; where an environment has plans of
#: its own, they are followed.
EXPERTS = {"spelunk/BernoulliBandit-v0": "thompson"}


def expert_for(env_id: str, name: str | None) -> Agent:
    """The expert of an environment.

    Args:
        env_id: the environment.
        name: an agent that needs no training; None for the usual one.

    Raises:
        InvalidArgumentError: there is no usual one, or the agent named has to be trained.
    """
    if name is None:
        name = EXPERTS.get(env_id)
        if name is None and hasattr(env_registry.entry(env_id).load(), "plan"):
            name = "oracle"
    if name is None:
        raise InvalidArgumentError(
            f"there is no usual expert for {env_id}: name an agent as expert, or start from a "
            "trained model"
        )
    row = registry.entry(name)
    if row.kind == "trained":
        raise InvalidArgumentError(f"expert must be an agent that needs no training; got {name!r}")
    return row.load()()


class TracedAgent(Scribe):
    """An agent whose actions are also written down in words.

    Args:
        agent: who acts.
        model: its tokenizer writes the tokens.
        context: what a language model would have been told.
    """

    def __init__(self, agent: Agent, model: LanguageModel, context: Context):
        self.agent, self.model, self.context = agent, model, context

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self.agent.start(env, seed)
        self.transcripts = Transcripts(env, self.model, self.context)

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        self.transcripts.ask()
        actions = self.agent.act(observations, infos)
        words = [self.env.action_words(lane, action) for lane, action in enumerate(actions)]
        self.transcripts.quote([self.model.encode_answer(text) for text in words])
        return actions

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        self.agent.update(actions, rewards, ended)
        self.transcripts.update(rewards, ended)


class TraceFile:
    """Conversations of a file, drawn at random to be imitated.

    Args:
        path: the file; see `examples.read_examples`.

    Raises:
        InvalidArgumentError: there is no such file, it has no examples, or a line is none.
    """

    def __init__(self, path: str | Path):
        self.path = path
        if not Path(path).is_file():
            raise InvalidArgumentError(f"traces must be a file of examples; there is no {path}")
        self.examples: list[Example] = list(read_examples(path))
        self._encoded: list[tuple[list[int], list[bool]]] = []
        if not self.examples:
            raise InvalidArgumentError(f"{path} has no examples")

    @cached_property
    def texts(self) -> set[str]:
        """All that is told and said."""
        return {text for example in self.examples for turn in example.turns for text in turn}

    def draw(
        self, count: int, model: LanguageModel, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Examples as tokens.

        Args:
            count: how many; one can be drawn twice.
            model: its tokenizer writes the tokens, always the same.
            generator: of random numbers.

        Returns:
            Tokens (count, length) `int64`, padded on the right, and which are to be imitated, of
            the same shape.

        Raises:
            InvalidArgumentError: an example is longer than the model can read.
        """
        if not self._encoded:
            try:
                self._encoded = encode_examples(model, self.examples)
            except InvalidArgumentError as error:
                raise InvalidArgumentError(f"{self.path}: {error}") from error
        chosen = torch.randint(len(self.examples), (count,), generator=generator)
        return pad_examples([self._encoded[i] for i in chosen.tolist()], model)
