"""Supervised fine-tuning: imitating the generated part of sequences."""

from torch import Tensor

from .model import LanguageModel


def imitation_loss(model: LanguageModel, tokens: Tensor, imitated: Tensor) -> Tensor:
    """The mean negative log-probability (nats) of the tokens to be imitated.

    Args:
        model: learns.
        tokens: (n, length) `int64`, padded on the right.
        imitated: (n, length) `bool`; the other tokens are read but teach nothing.
    """
    return -(model.log_probs(tokens) * imitated).sum() / imitated.sum()
