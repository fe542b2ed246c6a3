"""Sequences of different lengths in one batch: short ones are read apart, with less padding."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from .model import LanguageModel


def uneven(ends: Tensor) -> bool:
    """Whether half of some sequences are so much shorter that it is worth it to read them apart.

    Args:
        ends: (n,) `int64`, their lengths in tokens.
    """
    half = len(ends) // 2
    return half >= 4 and 4 * int(ends.kthvalue(half).values) <= 3 * int(ends.max())


def logits_of(
    model: LanguageModel, tokens: Tensor, ends: Tensor, temperature: float = 1.0
) -> Tensor:
    """Logits (n, T − 1, vocabulary) of sequences; 0 far beyond the ends of short ones.

    Args:
        model: reads them.
        tokens: (n, T) `int64`, padded on the right; in order of length where that is uneven.
        ends: (n,) `int64`, how many tokens of each sequence there are, on the CPU.
        temperature: divides the logits.
    """
    if not uneven(ends):
        return model.logits(tokens, temperature)
    half = len(ends) // 2
    width = int(ends[half - 1])
    short = logits_of(model, tokens[:half, :width], ends[:half], temperature)
    long = logits_of(model, tokens[half:], ends[half:], temperature)
    return torch.cat((pad(short, (0, 0, 0, tokens.shape[1] - width)), long))
