"""Sampling: batches of token streams that grow by what they are given and what they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from ....envs.kernel.errors import InvalidArgumentError
from .model import LanguageModel
from .token_sets import TokenSets, within

#: Columns that a cache has room for besides those that are needed now.
_ROOM = 64


@dataclass
class _Route:
    """Which streams a pass of the network is for.

    Attributes:
        rows: (m,) the streams that are read; None for all, in order.
        copies: (streams,) the row of the pass that each stream has its news from, while nothing is
            held yet; None where each of `rows` has its own, and the others none.
    """

    rows: Tensor | None = None
    copies: Tensor | None = None


class _Layer(DynamicLayer):
    """The keys and values of one layer, in buffers with room for further columns."""

    def __init__(self, streams: int, route: _Route):
        super().__init__()
        self._streams, self._route = streams, route
        self._buffers: list[Tensor] = []

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin = self.get_seq_length()
        end = begin + key_states.shape[-2]
        if not self._buffers or self._buffers[0].shape[-2] < end:
            self._enlarge((key_states, value_states), end + _ROOM)
        rows, copies = self._route.rows, self._route.copies
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            if copies is not None:
                buffer[:, :, begin:end] = new[copies]
            else:
                buffer[slice(None) if rows is None else rows, :, begin:end] = new
        keys, values = (buffer[:, :, :end] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return (keys, values) if rows is None else (keys[rows], values[rows])

    def _enlarge(self, likes: tuple[Tensor, Tensor], room: int) -> None:
        before = self._buffers
        self._buffers = [
            like.new_zeros(self._streams, like.shape[1], room, like.shape[3]) for like in likes
        ]
        for i, held in enumerate(before):
            self._buffers[i][:, :, : held.shape[2]] = held

    def keep(self, columns: Tensor) -> None:
        """Drop the other columns, (columns,) `bool`."""
        self._buffers = [held[:, :, : len(columns)][:, :, columns] for held in self._buffers]
        self.keys, self.values = self._buffers


class Session:
    """A batch of token streams with one key-value cache.

    Streams grow by different amounts and begin again independently: each column of the cache holds
    a token for some streams and nothing for the others, which their attention masks leave out.
    Streams that stay as they are cost little, and so do empty ones that are all told the same.

    A layer that looks back over so many tokens only counts columns instead, so that a stream with
    gaps cannot grow beyond them.

    Args:
        model: the model that reads them.
        streams: how many there are; all are empty at first.

    Attributes:
        logits: (streams, vocabulary), of the token that follows each stream; rows of empty streams
            mean nothing.
    """

    def __init__(self, model: LanguageModel, streams: int):
        self.model = model
        config = model.network.config.get_text_config()
        self.limit = model.limit
        #: How many columns the layers look back over.
        self.window: int = getattr(config, "sliding_window", None) or 2**31
        self.lengths = torch.zeros(streams, dtype=torch.int64, device=model.device)
        self.logits = torch.zeros(0, device=model.device)
        self._held = torch.zeros((streams, 0), dtype=torch.bool, device=model.device)
        self._route = _Route()
        self._cache = self._empty_cache()

    def _empty_cache(self) -> Any:
        layer: Any = partial(_Layer, len(self.lengths), self._route)
        return Cache(layer_class_to_replicate=layer)

    def restart(self, chosen: Tensor) -> None:
        """Empty some of the streams.

        Args:
            chosen: (streams,) `bool`.
        """
        self._held[chosen] = False
        self.lengths[chosen] = 0
        used = self._held.any(0)
        if not used.any():
            self._cache = self._empty_cache()
        elif not used.all():
            for layer in self._cache.layers:
                layer.keep(used)
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
        width, held = tokens.shape[1], self._held.shape[1]
        rows, copies = _few(counts > 0) if held else _shared(tokens, counts)
        if rows is not None and not len(rows):
            return
        columns = torch.arange(width, device=tokens.device) - (width - counts)[:, None]
        positions = (self.lengths[:, None] + columns).clamp(min=0)
        self._held = torch.cat((self._held, columns >= 0), 1)
        self.lengths = self.lengths + counts
        # No stream is longer than there are columns.
        if held + width > self.limit and self.lengths.max() > self.limit:
            raise InvalidArgumentError(
                f"the transcript has {int(self.lengths.max())} tokens; the model reads at most "
                f"{self.limit}"
            )
        if held + width > self.window:
            spans = held + width - self._held.int().argmax(1)
            if ((counts > 0) & (spans > self.window) & (spans > self.lengths)).any():
                raise InvalidArgumentError(
                    f"the transcripts take {int(spans.max())} columns beside each other; layers of "
                    f"the model look back over {self.window} only: play fewer lanes, or shorter "
                    "episodes"
                )
        some = slice(None) if rows is None else rows
        self._route.rows, self._route.copies = rows, copies
        logits = self.model.network(
            input_ids=tokens[some],
            attention_mask=self._held[some].long(),
            position_ids=positions[some],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if copies is not None:
            self.logits = logits[copies]
        elif rows is not None:
            self.logits[rows] = logits
        else:
            known = len(self.logits) > 0
            self.logits = (
                torch.where((counts > 0)[:, None], logits, self.logits) if known else logits
            )


def _few(grown: Tensor) -> tuple[Tensor | None, None]:
    """The streams that grow, (m,), if they are at most half of all."""
    rows = grown.nonzero().squeeze(1)
    return (rows if 2 * len(rows) <= len(grown) else None), None


def _shared(tokens: Tensor, counts: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """One stream, (m,), of each kind that is told the same, and the kind of each, (streams,).

    None where there are more than half as many kinds as streams.
    """
    told = torch.cat((tokens, counts[:, None]), 1)
    kinds, copies = torch.unique(told, dim=0, return_inverse=True)
    if 2 * len(kinds) > len(told):
        return None, None
    rows = torch.empty(len(kinds), dtype=torch.int64, device=tokens.device)
    rows[copies] = torch.arange(len(told), device=tokens.device)
    return rows, copies


def pad_left(rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of tokens as `Session.extend` takes them: (n, width) `int64`, and counts (n,)."""
    width = max(map(len, rows))
    padded = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=device)
    return padded, torch.tensor([len(row) for row in rows], device=device)


@dataclass(frozen=True)
class Answers:
    """What was generated, a row for each stream; none for streams that were not asked.

    Attributes:
        tokens: with the token that ended the answer.
        log_probs: of the tokens under the policy: the model at its temperature (at temperature 0
            the model itself), among the tokens that its mask allows.
        drawn: of the tokens in the distribution they were drawn from, which a schedule of
            temperatures makes another one.
        entropies: of the policy's distribution at each token, nats.
        cut: whether the answer ended because it had become too long.
        allowed: the set that each token was drawn from, by its number in the mask's `sets`; 0
            without a mask.
    """

    tokens: list[list[int]]
    log_probs: list[list[float]]
    drawn: list[list[float]]
    entropies: list[list[float]]
    cut: list[bool]
    allowed: list[list[int]]


class Mask(Protocol):
    """Rules out tokens, stream by stream, while answers are generated."""

    sets: TokenSets

    def allowed(self) -> Tensor:
        """Which tokens can come next, (streams,) `int64` on the CPU: numbers of `sets`."""
        ...

    def advance(self, tokens: Tensor) -> None:
        """Take in the token that each stream goes on with, (streams,)."""
        ...


@torch.no_grad()
def sample(
    session: Session,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    max_tokens: int = 16,
    asked: Tensor | None = None,
    heat: Callable[[int], float] | None = None,
    mask: Mask | None = None,
    rooms: Tensor | None = None,
) -> Answers:
    """Let each stream go on until its answer ends, or has `max_tokens` tokens.

    The last token of each answer is not read by the model yet: the next `extend` begins with it.

    Args:
        session: the streams; those that are asked are not empty.
        generator: of random numbers, on the CPU.
        temperature: of the policy, divides the logits; 0 takes the likeliest token.
        max_tokens: the longest answer.
        asked: (streams,) `bool`, who goes on; None for all.
        heat: by the number of tokens that the answers have so far, a factor of the temperature that
            tokens are drawn with.
        mask: rules out tokens. The policy is the model among those that are left, so that they
            alone make log-probabilities and entropies.
        rooms: (streams,) the most tokens of each answer, where some have less room than others.
    """
    streams, device = len(session.lengths), session.model.device
    open_ = torch.ones(streams, dtype=torch.bool, device=device) if asked is None else asked
    asked_at, columns, allowed = [], [], []
    ended = torch.zeros(streams, dtype=torch.bool, device=device)
    for position in range(max_tokens):
        scaled = session.logits.float() / (temperature or 1.0)
        if mask is not None:
            allowed.append(mask.allowed())
            scaled = within(scaled, mask.sets.rows(allowed[-1].to(device)))
        factor = None if heat is None else heat(position)
        columns.append(_next(scaled, factor, generator if temperature else None))
        token = columns[-1][0]
        asked_at.append(open_)
        now = torch.isin(token, session.model.ends)
        ended |= open_ & now
        open_ = open_ & ~now
        if rooms is not None:
            open_ = open_ & (rooms > position + 1)
        if position == max_tokens - 1 or not open_.any():
            break
        if mask is not None:
            mask.advance(token)
        session.extend(token[:, None], open_.long())
    counts = torch.stack(asked_at).sum(0).tolist()
    rows = [torch.stack(part, 1).tolist() for part in zip(*columns, strict=True)]
    numbers = torch.stack(allowed, 1) if allowed else torch.zeros(streams, max(counts)).long()
    rows.append(numbers.tolist())
    *kept, sets = ([row[:n] for row, n in zip(part, counts, strict=True)] for part in rows)
    cut = ~ended if asked is None else ~ended & asked
    return Answers(*kept, cut=cut.tolist(), allowed=sets)


def _next(
    scaled: Tensor, factor: float | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The next token of each stream.

    Args:
        scaled: (streams, vocabulary) logits of the policy.
        factor: of the temperature that tokens are drawn with; None for 1.
        generator: of random numbers; None to take the likeliest token.

    Returns:
        The tokens, and of each the log-probability under the policy, that which it was drawn with,
        and the entropy of the policy.
    """
    log_policy = log_p = scaled.log_softmax(-1)
    p = drawn_p = log_policy.exp()
    if factor is not None:
        log_p = (scaled / factor).log_softmax(-1)
        drawn_p = log_p.exp()
    token = log_p.argmax(-1) if generator is None else _draw(drawn_p, generator)
    policy = log_policy.gather(-1, token[:, None]).squeeze(-1)
    drawn = policy if log_p is log_policy else log_p.gather(-1, token[:, None]).squeeze(-1)
    # A probability of 0 times its logarithm counts as 0.
    entropy = -(p * log_policy.clamp(min=-1e4)).sum(-1)
    return token, policy, drawn, entropy


def _draw(p: Tensor, generator: torch.Generator) -> Tensor:
    """A token for each row, by one uniform number each."""
    level = torch.rand(len(p), 1, generator=generator, dtype=torch.float64).to(p.device)
    # Below the sum of all, so that no rounding leads beyond the last token that is possible.
    sums = p.cumsum(-1, dtype=torch.float64)
    drawn = torch.searchsorted(sums, level * sums[:, -1:], right=True)
    return drawn.clamp(max=p.shape[-1] - 1).squeeze(-1)
