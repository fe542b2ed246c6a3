"""Sets of tokens, of which a grammar allows one at each place of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

#: The logit of a token that is not allowed: its probability is 0, and nothing becomes infinite.
_RULED_OUT = -1e4


def within(logits: Tensor, allowed: Tensor) -> Tensor:
    """Logits (…, vocabulary) among the tokens that are allowed, `bool` of the same shape."""
    return logits.masked_fill(~allowed, _RULED_OUT)


class TokenSets:
    """Sets of tokens, each kept once; number 0 holds all tokens.

    Args:
        vocabulary: how many tokens there are.
        device: where the sets are looked up.
    """

    def __init__(self, vocabulary: int, device: torch.device):
        self.vocabulary, self.device = vocabulary, device
        self._table = torch.ones((1, vocabulary), dtype=torch.bool, device=device)
        self._numbers = {np.packbits(np.ones(vocabulary, bool)).tobytes(): 0}

    def number(self, allowed: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
        """The number of a set, (vocabulary,)."""
        packed = np.packbits(allowed).tobytes()
        if packed not in self._numbers:
            number = self._numbers[packed] = len(self._numbers)
            if number == len(self._table):
                self._table = torch.cat((self._table, torch.zeros_like(self._table)))
            self._table[number] = torch.from_numpy(allowed).to(self.device)
        return self._numbers[packed]

    def rows(self, numbers: Tensor) -> Tensor:
        """The sets of some numbers, (…,) `int64`, as (…, vocabulary) `bool`."""
        return self._table[numbers]

    def table(self) -> Tensor:
        """All sets, (sets, vocabulary) `bool`, on the CPU."""
        return self._table[: len(self._numbers)].cpu()


@dataclass(frozen=True)
class Allowed:
    """The sets that the tokens of some sequences were drawn from.

    Attributes:
        numbers: (n, length) `int64`, of each token; 0 for given tokens.
        sets: (sets, vocabulary) `bool`; the first holds all tokens.
    """

    numbers: Tensor
    sets: Tensor

    def __getitem__(self, rows: Tensor) -> Self:
        """Those of some sequences, with the sets that they need."""
        used, places = torch.unique(
            torch.cat((torch.zeros(1, dtype=torch.int64), self.numbers[rows].flatten())),
            return_inverse=True,
        )
        return type(self)(places[1:].view_as(self.numbers[rows]), self.sets[used])

    def rows(self, rows: Tensor, width: int) -> Tensor:
        """The sets of the tokens that follow the first of some sequences, up to a width.

        (m, width − 1, vocabulary) `bool`, as the logits of these tokens are.
        """
        return self.sets[self.numbers[rows, 1:width]]

    def to_data(self) -> dict[str, Any]:
        """Plain JSON data: the numbers, and the tokens of each set but the first."""
        sets = [row.nonzero().flatten().tolist() for row in self.sets[1:]]
        return {"numbers": self.numbers.tolist(), "sets": sets}

    def from_data(self, data: Mapping[str, Any]) -> Self:
        """What `to_data` wrote of other sequences of the same vocabulary."""
        sets = torch.zeros((1 + len(data["sets"]), self.sets.shape[1]), dtype=torch.bool)
        sets[0] = True
        for row, tokens in zip(sets[1:], data["sets"], strict=True):
            row[tokens] = True
        return type(self)(torch.tensor(data["numbers"]), sets)


def join_allowed(first: Allowed | None, second: Allowed | None, sizes: tuple[int, int]) -> Allowed:
    """The sets of two batches of sequences below each other, padded on the right.

    Args:
        first, second: one of them at least; of None all tokens are allowed.
        sizes: how many sequences there are in each.
    """
    known = first or second
    assert known is not None
    parts = [
        part or Allowed(torch.zeros((size, 1), dtype=torch.int64), known.sets[:1])
        for part, size in zip((first, second), sizes, strict=True)
    ]
    width = max(part.numbers.shape[1] for part in parts)
    shifts = (0, len(parts[0].sets))
    numbers = torch.cat(
        [
            pad(part.numbers + shift, (0, width - part.numbers.shape[1]))
            for part, shift in zip(parts, shifts, strict=True)
        ]
    )
    # Sorted by what is not in a set: that of all tokens stays the first.
    lacking, places = torch.unique(
        ~torch.cat([part.sets for part in parts]), dim=0, return_inverse=True
    )
    return Allowed(places[numbers], ~lacking)
