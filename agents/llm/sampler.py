"""Sampling: batches of token streams that grow by what they are given and what they answer."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from ...envs.kernel.errors import InvalidArgumentError
from .model import LanguageModel


class Session:
    """A batch of token streams with one key-value cache.

    Streams grow by different amounts and begin again independently: each column of the cache holds
    a token for some streams and nothing for the others, which their attention masks leave out.

    Args:
        model: the model that reads them.
        streams: how many there are; all are empty at first.

    Attributes:
        logits: (streams, vocabulary), of the token that follows each stream; rows of empty streams
            mean nothing.
    """

    def __init__(self, model: LanguageModel, streams: int):
        self.model = model
        self.limit: int = getattr(model.network.config, "max_position_embeddings", 2**31)
        self.lengths = torch.zeros(streams, dtype=torch.int64, device=model.device)
        self.logits = torch.zeros(0, device=model.device)
        self._held = torch.zeros((streams, 0), dtype=torch.bool, device=model.device)
        self._cache: Any = DynamicCache()

    def restart(self, chosen: Tensor) -> None:
        """Empty some of the streams.

        Args:
            chosen: (streams,) `bool`.
        """
        self._held[chosen] = False
        self.lengths[chosen] = 0
        used = self._held.any(0)
        if not used.any():
            self._cache = DynamicCache()
        elif not used.all():
            for layer in self._cache.layers:
                layer.keys, layer.values = layer.keys[:, :, used], layer.values[:, :, used]
        self._held = self._held[:, used]

    @torch.no_grad()
    def extend(self, tokens: Tensor, counts: Tensor) -> None:
        """Append tokens to the streams.

        Args:
            tokens: (streams, width) `int64`; the last `counts` of each row are appended.
            counts: (streams,) `int64`, 0 for streams that stay as they are.

        Raises:
            InvalidArgumentError: a stream becomes longer than the model can read.
        """
        width = tokens.shape[1]
        columns = torch.arange(width, device=tokens.device) - (width - counts)[:, None]
        positions = (self.lengths[:, None] + columns).clamp(min=0)
        self._held = torch.cat((self._held, columns >= 0), 1)
        self.lengths = self.lengths + counts
        if self.lengths.max() > self.limit:
            raise InvalidArgumentError(
                f"the transcript has {int(self.lengths.max())} tokens; the model reads at most "
                f"{self.limit}"
            )
        logits = self.model.network(
            input_ids=tokens,
            attention_mask=self._held.long(),
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        grown = (counts > 0)[:, None]
        self.logits = torch.where(grown, logits, self.logits) if len(self.logits) else logits


def pad_left(rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of tokens as `Session.extend` takes them: (n, width) `int64`, and counts (n,)."""
    width = max(map(len, rows))
    padded = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=device)
    return padded, torch.tensor([len(row) for row in rows], device=device)


@dataclass(frozen=True)
class Answers:
    """What was generated.

    Attributes:
        tokens: of each stream, with the token that ended the answer; none for streams not asked.
        log_probs: of the tokens, in the distribution they were drawn from (greedy: in the model's).
    """

    tokens: list[list[int]]
    log_probs: list[list[float]]


@torch.no_grad()
def sample(
    session: Session,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    max_tokens: int = 16,
) -> Answers:
    """Let each stream go on until its answer ends, or has `max_tokens` tokens.

    The last token of each answer is not read by the model yet: the next `extend` begins with it.

    Args:
        session: the streams, none of them empty.
        generator: of random numbers, on the CPU.
        temperature: divides the logits; 0 takes the likeliest token.
        max_tokens: the longest answer.
    """
    streams, device = len(session.lengths), session.model.device
    open_ = torch.ones(streams, dtype=torch.bool, device=device)
    tokens, log_probs, asked = [], [], []
    for _ in range(max_tokens):
        log_p = (session.logits.float() / (temperature or 1.0)).log_softmax(-1)
        if temperature:
            level = torch.rand(streams, 1, generator=generator, dtype=torch.float64).to(device)
            drawn = torch.searchsorted(log_p.double().exp().cumsum(-1), level, right=True)
            token = drawn.clamp(max=log_p.shape[-1] - 1).squeeze(-1)
        else:
            token = log_p.argmax(-1)
        tokens.append(token)
        log_probs.append(log_p.gather(-1, token[:, None]).squeeze(-1))
        asked.append(open_)
        open_ = open_ & ~torch.isin(token, session.model.ends)
        if len(tokens) == max_tokens or not open_.any():
            break
        session.extend(token[:, None], open_.long())
    counts = torch.stack(asked).sum(0).tolist()
    rows = torch.stack(tokens, 1).tolist(), torch.stack(log_probs, 1).tolist()
    return Answers(*([row[:n] for row, n in zip(part, counts, strict=True)] for part in rows))
