"""What a run costs, counted alike for every method so that methods compare at equal cost."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ...envs.kernel.errors import InvalidArgumentError


@dataclass
class BudgetRecord:
    """Counts of what has been spent, exact integers.

    Attributes:
        env_steps: steps of environments, over all copies.
        model_calls: answers asked of a model.
        tokens_generated: tokens drawn from a model.
        tokens_trained: tokens that went forward and backward through the model that learns.
        flops: floating-point operations of models; see `flops_per_token`.

    Raises:
        InvalidArgumentError: a count is not an integer ≥ 0.
    """

    env_steps: int = 0
    model_calls: int = 0
    tokens_generated: int = 0
    tokens_trained: int = 0
    flops: int = 0

    def __post_init__(self) -> None:
        for name, count in asdict(self).items():
            if type(count) is not int or count < 0:
                raise InvalidArgumentError(f"{name} must be an integer of at least 0; got {count}")

    def add(self, spent: Self) -> None:
        """Count what was spent elsewhere too."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(spent, field.name))

    def to_json(self) -> str:
        """The counts as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The record that `to_json` wrote.

        Raises:
            InvalidArgumentError: the text is no JSON object of these counts.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidArgumentError(f"this is no budget record: {error}") from error


def flops_of(network: Any, lengths: Iterable[int], *, training: bool = False) -> int:
    """Floating-point operations for whole sequences.

    Args:
        network: see `flops_per_token`.
        lengths: of the sequences, in tokens; empty ones cost nothing.
        training: see `flops_per_token`.
    """
    counts = Counter(n for n in lengths if n)
    if not counts:
        return 0
    # What a token costs is linear in the length.
    first, second = (flops_per_token(network, n, training=training) for n in (1, 2))
    return sum(k * n * (first + (n - 1) * (second - first)) for n, k in counts.items())


def flops_per_token(network: Any, context: int, *, training: bool = False) -> int:
    """Floating-point operations for a token of a sequence (Kaplan et al. 2020, section 2.1).

    Forward 2 N + 2 L n d: a multiplication and an addition for each of N parameters, and attention
    with d = heads × head size in each of L layers, over a sequence of n tokens. Scores and weighted
    sums take 4 d a position, and a token sees half of the sequence on average. Backward costs twice
    the forward pass, so training costs three times as much, less 2 for each frozen parameter, whose
    gradient is not computed.

    The paper leaves embeddings out of N; here only the table that is looked up is left out, as the
    output layer, which in a small model may be half of all, is computed like any other.

    Args:
        network: a dense causal language model of `transformers`.
        context: n, how long the whole sequence is.
        training: forward and backward instead of forward alone.

    Raises:
        InvalidArgumentError: the context is not positive.
    """
    if context < 1:
        raise InvalidArgumentError(f"context must be at least one token; got {context}")
    config = network.config
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    looked_up = network.get_input_embeddings().weight
    tied = looked_up is network.get_output_embeddings().weight
    computed = [p for p in network.parameters() if tied or p is not looked_up]
    parameters = sum(p.numel() for p in computed)
    forward = 2 * parameters + 2 * config.num_hidden_layers * context * heads * size
    frozen = sum(p.numel() for p in computed if not p.requires_grad)
    return 3 * forward - 2 * frozen if training else forward
