"""Supervised fine-tuning: imitating the generated part of sequences."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ....envs.kernel.errors import InvalidArgumentError
from ...core.optimizer import FlatOptimizer
from ..models.lengths import logits_of, uneven
from ..models.model import LanguageModel
from .examples import Example


def imitation_loss(
    model: LanguageModel, tokens: Tensor, imitated: Tensor, count: Tensor | None = None
) -> Tensor:
    """The mean negative log-probability (nats) of the tokens to be imitated.

    Args:
        model: learns.
        tokens: (n, length) `int64`, padded on the right.
        imitated: (n, length) `bool`; the other tokens are read but teach nothing.
        count: what the sum is divided by; None for how many there are here.
    """
    total = imitated.sum() if count is None else count
    places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    # What follows the last token to be imitated is not read.
    ends = (imitated * places).amax(1).clamp(min=2).cpu()
    if uneven(ends):
        ends, order = ends.sort()
        tokens, imitated = tokens[order], imitated[order]
    width = int(ends.max())
    logits = logits_of(model, tokens[:, :width], ends).flatten(0, 1)
    rows = imitated[:, 1:width].flatten().nonzero().squeeze(1)
    told = tokens[:, 1:width].flatten()[rows]
    log_p = logits.index_select(0, rows).float().log_softmax(-1)
    return -log_p.gather(-1, told[:, None]).sum() / total


def encode_example(model: LanguageModel, example: Example) -> tuple[list[int], list[bool]]:
    """The tokens of a conversation as a rollout writes them, and which are to be imitated."""
    tokens: list[int] = []
    imitated: list[bool] = []
    for told, said in example.turns:
        for part, taught in ((model.encode_given(told), False), (model.encode_answer(said), True)):
            tokens += part
            imitated += [taught] * len(part)
    return tokens, imitated


def encode_examples(
    model: LanguageModel, examples: Sequence[Example]
) -> list[tuple[list[int], list[bool]]]:
    """The tokens of conversations; see `encode_example`.

    Raises:
        InvalidArgumentError: one is longer than the model can read.
    """
    encoded = [encode_example(model, example) for example in examples]
    for number, (tokens, _) in enumerate(encoded):
        if len(tokens) > model.limit:
            raise InvalidArgumentError(
                f"example {number} has {len(tokens)} tokens; the model reads at most {model.limit}"
            )
    return encoded


def imitate(
    model: LanguageModel,
    examples: Sequence[Example],
    *,
    epochs: int = 1,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    warmup: int = 50,
    max_grad_norm: float = 1.0,
    seed: int = 0,
) -> list[float]:
    """Teach a model what is said in examples.

    Args:
        model: learns; of one with adapters these alone.
        examples: what it is taught.
        epochs: passes over them, each in an order of its own.
        batch_size: examples of an optimiser step.
        learning_rate: Adam's step size.
        warmup: optimiser steps in which it rises from zero.
        max_grad_norm: gradients are scaled down to this norm.
        seed: of the orders.

    Returns:
        The mean loss of each pass, nats a token.

    Raises:
        InvalidArgumentError: there are no examples, one is longer than the model can read, or a
            number is too small.
    """
    if not examples or min(epochs, batch_size, warmup) < 1:
        raise InvalidArgumentError(
            "examples are needed, and epochs, batch_size and warmup of at least 1; got "
            f"{len(examples)}, {epochs}, {batch_size} and {warmup}"
        )
    encoded = encode_examples(model, examples)
    optimizer = FlatOptimizer(model.trained, "adam", learning_rate, max_grad_norm, eps=1e-8)
    generator = torch.Generator().manual_seed(seed)
    steps, figures = 0, []
    for _ in range(epochs):
        total = count = 0.0
        for rows in torch.randperm(len(encoded), generator=generator).split(batch_size):
            steps += 1
            optimizer.set_learning_rate(learning_rate * min(1.0, steps / warmup))
            tokens, imitated = pad_examples([encoded[i] for i in rows.tolist()], model)
            loss = imitation_loss(model, tokens, imitated)
            optimizer.step(loss)
            total, count = total + loss.item() * int(imitated.sum()), count + int(imitated.sum())
        figures.append(total / count)
    return figures


def pad_examples(
    rows: list[tuple[list[int], list[bool]]], model: LanguageModel
) -> tuple[Tensor, Tensor]:
    """Tokens (n, length) `int64`, and which are to be imitated, (n, length) `bool`."""
    length = max(len(tokens) for tokens, _ in rows)
    tokens = [row + [model.end] * (length - len(row)) for row, _ in rows]
    imitated = [row + [False] * (length - len(row)) for _, row in rows]
    device = model.device
    return torch.tensor(tokens, device=device), torch.tensor(imitated, device=device)
