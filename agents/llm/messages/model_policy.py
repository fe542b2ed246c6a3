"""`ModelPolicy`: a model at hand as a policy that speaks in messages."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....envs.kernel.errors import InvalidArgumentError
from ..models.model import LanguageModel
from ..models.sampler import Session, pad_left, sample
from .chat import Messages, Reply


class ModelPolicy:
    """A policy that samples from a causal model; see `chat.ChatPolicy`.

    A tokenizer with a chat template writes the prompt, and a reply may have several lines. Without
    one the prompt is the text of its messages, one below the other, and a reply is one line. All
    prompts of a call are one batch.

    Args:
        model: the model.
        temperature: of sampling; 0 for the likeliest tokens.
        max_tokens: the longest reply.

    Raises:
        InvalidArgumentError: an argument is out of range.
    """

    def __init__(self, model: LanguageModel, temperature: float = 1.0, max_tokens: int = 512):
        if not 0 <= temperature < float("inf") or max_tokens < 1:
            raise InvalidArgumentError(
                f"temperature must be a number ≥ 0 and max_tokens ≥ 1; got {temperature!r} and "
                f"{max_tokens!r}"
            )
        self.chats = getattr(model.tokenizer, "chat_template", None) is not None
        self.model = _Chatting(model.network, model.tokenizer) if self.chats else model
        self.temperature, self.max_tokens = temperature, max_tokens

    def reply(self, prompts: Sequence[Messages], seeds: Sequence[int]) -> list[Reply]:
        """A reply to each prompt; see `ChatPolicy.reply`.

        A reply depends on the seeds of all prompts of the call.

        Raises:
            InvalidArgumentError: a prompt is longer than the model can read and reply to.
        """
        rows = [self._encode(messages) for messages in prompts]
        session = Session(self.model, len(rows))
        longest = max(map(len, rows))
        # The model never reads the last token of its reply.
        if longest + self.max_tokens - 1 > session.limit:
            raise InvalidArgumentError(
                f"a prompt has {longest} tokens, and a reply up to {self.max_tokens}; the model "
                f"reads at most {session.limit} in all: give the renderer a smaller cap"
            )
        session.extend(*pad_left(rows, self.model.device))
        state = np.random.SeedSequence(list(seeds)).generate_state(1, np.uint64)[0]
        said = sample(
            session,
            torch.Generator().manual_seed(int(state) % 2**63),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )
        told = zip(said.tokens, said.log_probs, said.cut, strict=True)
        return [
            Reply(self.model.decode(tokens), tuple(tokens), tuple(log_probs), cut)
            for tokens, log_probs, cut in told
        ]

    def _encode(self, messages: Messages) -> list[int]:
        tokenizer: Any = self.model.tokenizer
        if self.chats:
            told = [dict(message) for message in messages]
            return tokenizer.apply_chat_template(
                told, add_generation_prompt=True, return_dict=False
            )
        text = "\n".join(message["content"] for message in messages)
        return tokenizer.encode(f"{text}\n", add_special_tokens=False)


class _Chatting(LanguageModel):
    """A model whose answers end at their end tokens, not at the end of a line."""

    @cached_property
    def ends(self) -> Tensor:
        settings = getattr(self.network, "generation_config", None)
        ends = getattr(settings, "eos_token_id", None)
        more = ends if isinstance(ends, list) else [] if ends is None else [ends]
        return torch.tensor(sorted({self.end, *more}), device=self.device)
