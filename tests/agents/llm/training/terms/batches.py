"""Random minibatches and rollouts for the tests of terms, and a second way to look at them."""

import math
from typing import Any

import torch

from spelunk.agents.llm.rollout import Rollout
from spelunk.agents.llm.training.minibatch import Minibatch

TURNS = torch.tensor(
    [
        [-1, 0, 0, 0, -1, 1, 1, 1, 1, -1],
        [-1, -1, 0, 0, 0, 0, -1, -1, -1, -1],
        [-1, 0, -1, 1, -1, -1, 2, 2, 2, 2],
        [-1, -1, -1, 0, 0, 0, 0, 0, 0, -1],
    ]
)
"""Of four sequences: given tokens before, between and after what was generated, and padding."""


def minibatch(seed: int = 0, vocabulary: int = 7, spread: float = 0.4, **fields: Any) -> Minibatch:
    """A minibatch whose policy has moved away from that of the rollout."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    generated = TURNS >= 0
    n, width = generated.shape
    tokens = torch.randint(vocabulary, (n, width), generator=generator)
    logits = (1.5 * normal(n, width - 1, vocabulary)).requires_grad_()
    log_probs = logits.detach().log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    log_probs = torch.nn.functional.pad(log_probs, (1, 0))
    parts: dict[str, Any] = {
        "tokens": tokens,
        "generated": generated,
        "old": (log_probs + spread * normal(n, width)) * generated,
        "advantages": 2 * normal(n, width) * generated,
        "weights": torch.where(generated, normal(n, width).exp().clamp(max=2), 1.0),
        "reference": log_probs + normal(n, width),
        "logits": logits,
    }
    return Minibatch(**parts | fields)


def rollout(seed: int = 0, **fields: Any) -> Rollout:
    """Three episodes of two groups; the second and the fourth sequence are of one episode."""
    generator = torch.Generator().manual_seed(seed)
    turns = TURNS.clone()
    turns[3, 3:9] = torch.tensor([1, 1, 1, 1, 1, 1])
    generated = turns >= 0
    log_probs = -torch.rand(generated.shape, generator=generator) * 3 * generated
    parts: dict[str, Any] = {
        "tokens": torch.randint(9, generated.shape, generator=generator),
        "log_probs": log_probs,
        "drawn": log_probs,
        "entropies": torch.rand(generated.shape, generator=generator) * generated,
        "turns": turns,
        "episodes": torch.tensor([0, 1, 2, 1]),
        "rewards": torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.25]]),
        "groups": torch.tensor([0, 1, 0]),
        "lengths": torch.tensor([2, 2, 3]),
        "truncated": torch.tensor([False, True, False]),
        "answers": ("a", "b", "c"),
    }
    return Rollout(**parts | fields)


def places(batch: Any) -> list[tuple[int, int]]:
    """Where the generated tokens are, row by row."""
    return [
        (i, t) for i, row in enumerate(batch.generated.tolist()) for t, g in enumerate(row) if g
    ]


class Token:
    """A generated token of a minibatch, from plain sums over the vocabulary in double precision."""

    def __init__(self, batch: Minibatch, i: int, t: int):
        row = batch.logits[i, t - 1].double()
        self.probabilities = row.exp() / row.exp().sum()
        self.p = self.probabilities[batch.tokens[i, t]]
        self.log_p = self.p.log()
        self.entropy = -(self.probabilities * self.probabilities.log()).sum()
        self.old = batch.old[i, t].double()
        self.ratio = self.p / self.old.exp()
        self.advantage = float(batch.advantages[i, t])
        self.weight = float(batch.weights[i, t])
        self.reference = float(batch.reference[i, t]) if batch.reference is not None else math.nan


def tokens(batch: Minibatch) -> dict[tuple[int, int], Token]:
    return {(i, t): Token(batch, i, t) for i, t in places(batch)}


def check(found: torch.Tensor, expected: dict[tuple[int, int], Any], batch: Minibatch) -> None:
    """Losses and their gradients are as expected, and nothing where nothing was generated."""
    whole = torch.zeros(found.shape, dtype=torch.float64)
    for (i, t), value in expected.items():
        whole[i, t] = torch.as_tensor(value).detach()
    torch.testing.assert_close(found.detach(), whole.float(), atol=1e-5, rtol=1e-5)
    assert (found.detach()[~batch.generated] == 0).all()
    scales = torch.linspace(-1, 2, found.numel(), dtype=torch.float64).view_as(found)
    (gradient,) = torch.autograd.grad((found * scales).sum(), batch.logits, retain_graph=True)
    total: Any = sum(scales[place] * value for place, value in expected.items())
    (wanted,) = torch.autograd.grad(total, batch.logits)
    torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-4)
    assert (gradient[~batch.generated[:, 1:]] == 0).all()
