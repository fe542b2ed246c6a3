"""What a policy remembers within an episode: recurrent networks and transformer memory.

A memory reads features in time-major order and forgets at each first observation of an episode.
Acting is the same as learning with one time step, so that values and probabilities agree.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from ...envs.kernel.errors import InvalidArgumentError

MemoryKind = Literal["none", "gru", "lstm", "transformer"]


class Memory(nn.Module, ABC):
    """From features and a state to features that know the episode so far.

    Attributes:
        width: of the features given out.
        state_size: numbers of a lane's state; at the start of an episode they are 0.
    """

    width: int
    state_size: int

    def initial(self, lanes: int, device: torch.device | str) -> Tensor:
        """The state (lanes, state_size) before anything was seen."""
        return torch.zeros(lanes, self.state_size, device=device)

    @abstractmethod
    def forward(self, features: Tensor, state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Read a stretch of time.

        Args:
            features: (time, lanes, inputs).
            state: (lanes, state_size), after what came before.
            starts: (time, lanes) `bool`, whether an observation is the first of its episode.

        Returns:
            Features (time, lanes, width), and the state after the last.
        """


class Recurrent(Memory):
    """A GRU (Cho et al. 2014) or an LSTM (Hochreiter & Schmidhuber 1997).

    Args:
        inputs: width of the features.
        size: width of the hidden state.
        lstm: whether it is an LSTM.
    """

    def __init__(self, inputs: int, size: int, lstm: bool):
        super().__init__()
        self.cell = nn.LSTMCell(inputs, size) if lstm else nn.GRUCell(inputs, size)
        self.width, self.state_size = size, 2 * size if lstm else size
        for name, weight in self.cell.named_parameters():
            if name.startswith("weight"):
                nn.init.orthogonal_(weight)
            else:
                nn.init.zeros_(weight)

    def forward(self, features: Tensor, state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        outputs = []
        for now, first in zip(features, starts, strict=True):
            state = state.masked_fill(first[:, None], 0.0)
            if isinstance(self.cell, nn.LSTMCell):
                hidden, carried = state.chunk(2, dim=1)
                state = torch.cat(self.cell(now, (hidden.contiguous(), carried.contiguous())), 1)
            else:
                state = self.cell(now, state)
            outputs.append(state[:, : self.width])
        return torch.stack(outputs), state


class TransformerMemory(Memory):
    """Attention over the last observations of the episode.

    As in Parisotto et al. 2020, "Stabilizing transformers for reinforcement learning": layer
    normalisation comes before each part, gates decide how much of it is added, and a layer's
    memory holds its inputs of the past, through which no gradient flows (Dai et al. 2019,
    "Transformer-XL"). Distance in time enters as a learned bias of each head.

    Args:
        inputs: width of the features.
        size: width of the vectors; heads of attention have 16 each.
        window: how many past steps each layer looks back.
        layers: how many.
    """

    def __init__(self, inputs: int, size: int, window: int, layers: int):
        super().__init__()
        self.embed = nn.Linear(inputs, size)
        self.layers = nn.ModuleList(_GatedLayer(size, window) for _ in range(layers))
        self.window, self.width = window, size
        #: The inputs of each layer at the last `window` steps, and how many of them count.
        self.state_size = layers * window * size + 1

    def forward(self, features: Tensor, state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        lanes = features.shape[1]
        past = state[:, :-1].view(lanes, len(self.layers), self.window, self.width)
        age = state[:, -1]
        visible, age = self._visible(age, starts)
        vectors = self.embed(features).transpose(0, 1)
        kept = []
        for index, layer in enumerate(self.layers):
            seen = torch.cat([past[:, index], vectors], dim=1)
            kept.append(seen[:, -self.window :].detach())
            vectors = layer(vectors, seen, visible)
        memory = torch.stack(kept, dim=1).flatten(1)
        return vectors.transpose(0, 1), torch.cat([memory, age[:, None]], dim=1)

    def _visible(self, age: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Which of the past and present steps each step sees (lanes, time, window + time).

        Args:
            age: (lanes,) steps of the episode that came before.
            starts: (time, lanes).

        Returns:
            That, and the age after the last step, at most the window.
        """
        time, device = len(starts), starts.device
        episode = starts.long().cumsum(0).T
        back = torch.arange(self.window, 0, -1, device=device)
        before = torch.where(back <= age[:, None], 0, -1)
        of = torch.cat([before, episode], dim=1)
        same = of[:, None, :] == episode[:, :, None]
        at = torch.arange(time, device=device)[:, None] + self.window
        other = torch.arange(self.window + time, device=device)
        near = (other <= at) & (other >= at - self.window)
        whole = (of == episode[:, -1:]).sum(dim=1).clamp(max=self.window)
        return same & near, whole.to(age.dtype)


class _GatedLayer(nn.Module):
    """Attention and a perceptron, each added through a gate."""

    def __init__(self, size: int, window: int):
        super().__init__()
        self.window, self.heads = window, max(1, size // 16)
        self.before, self.between = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query = nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.join = nn.Linear(size, size)
        self.distance = nn.Parameter(torch.zeros(self.heads, window + 1))
        self.layer = nn.Sequential(nn.Linear(size, 2 * size), nn.ReLU(), nn.Linear(2 * size, size))
        self.gates = nn.ModuleList(_Gate(size) for _ in range(2))

    def forward(self, vectors: Tensor, seen: Tensor, visible: Tensor) -> Tensor:
        """(lanes, time, size) vectors, of all that they may see (lanes, window + time, size)."""
        time, memory = vectors.shape[1], seen.shape[1]
        query = self.query(self.before(vectors)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.key_value(self.before(seen)).chunk(2, dim=-1)
        )
        at = torch.arange(time, device=seen.device)[:, None] + self.window
        steps = (at - torch.arange(memory, device=seen.device)).clamp(0, self.window)
        bias = self.distance[:, steps].masked_fill(~visible[:, None], -torch.inf)
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        found = self.join(found.transpose(1, 2).flatten(2))
        vectors = self.gates[0](vectors, found)
        return self.gates[1](vectors, self.layer(self.between(vectors)))


class _Gate(nn.Module):
    """How much of an update enters; at the start little (Parisotto et al. 2020, section 3.2)."""

    def __init__(self, size: int):
        super().__init__()
        self.old = nn.Linear(size, 2 * size, bias=False)
        self.new = nn.Linear(size, 3 * size, bias=False)
        self.candidate = nn.Linear(size, size, bias=False)
        self.bias = nn.Parameter(torch.full((size,), 2.0))

    def forward(self, old: Tensor, new: Tensor) -> Tensor:
        new_reset, new_update, new_candidate = self.new(new.relu()).chunk(3, dim=-1)
        old_reset, old_update = self.old(old).chunk(2, dim=-1)
        reset = torch.sigmoid(new_reset + old_reset)
        update = torch.sigmoid(new_update + old_update - self.bias)
        candidate = torch.tanh(new_candidate + self.candidate(reset * old))
        return (1 - update) * old + update * candidate


def memory(kind: MemoryKind, inputs: int, size: int, window: int) -> Memory | None:
    """A memory by name; None for `"none"`.

    Args:
        kind: `"none"`, `"gru"`, `"lstm"` or `"transformer"`.
        inputs: width of the features it reads.
        size: width of its hidden state.
        window: past steps a transformer sees.

    Raises:
        InvalidArgumentError: for another kind.
    """
    if kind == "none":
        return None
    if kind in ("gru", "lstm"):
        return Recurrent(inputs, size, kind == "lstm")
    if kind == "transformer":
        return TransformerMemory(inputs, size, window, layers=2)
    raise InvalidArgumentError(f"memory must be none, gru, lstm or transformer; got {kind!r}")
