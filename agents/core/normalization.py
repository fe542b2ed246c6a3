"""Running means and variances, by which observations and rewards are normalised."""

import torch
from torch import Tensor, nn

from .distributed import World

_LIMIT = 10.0


class RunningMoments(nn.Module):
    """Mean and variance of all rows seen so far (Chan, Golub & LeVeque 1979, for batches).

    Args:
        width: numbers in a row.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, rows: Tensor, world: World) -> None:
        """Take note of rows (n, width); other processes do so at the same time."""
        rows = rows.double()
        sums = torch.stack([rows.sum(0), rows.square().sum(0), torch.full_like(rows[0], len(rows))])
        total, squares, counts = world.sum(sums)
        new, mean = counts[0], total / counts[0]
        variance = (squares / new - mean.square()).clamp(min=0)
        both, delta = self.count + new, mean - self.mean.double()
        spread = self.variance.double() * self.count + variance * new
        spread = spread + delta.square() * self.count * new / both
        self.mean.copy_(self.mean.double() + delta * new / both)
        self.variance.copy_(spread / both)
        self.count.copy_(both)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (…, width) with mean 0 and deviation 1, clipped to ±10."""
        scale = torch.rsqrt(self.variance + 1e-8)
        return ((rows - self.mean) * scale).clamp(-_LIMIT, _LIMIT)


class ReturnScale(nn.Module):
    """Scales rewards by the deviation of discounted returns (Engstrom et al. 2020,
    "Implementation matters in deep policy gradients", section 3).

    Args:
        lanes: the number of environments.
        gamma: the discount.
    """

    returns: Tensor

    def __init__(self, lanes: int, gamma: float):
        super().__init__()
        self.moments = RunningMoments(1)
        self._gamma = gamma
        self.register_buffer("returns", torch.zeros(lanes))

    @torch.no_grad()
    def forward(self, rewards: Tensor, ended: Tensor, world: World) -> Tensor:
        """Rewards (time, lanes), scaled and clipped to ±10, once they have been taken note of."""
        seen = torch.empty_like(rewards)
        for t, reward in enumerate(rewards):
            self.returns.mul_(self._gamma).add_(reward)
            seen[t] = self.returns
            self.returns.masked_fill_(ended[t], 0.0)
        self.moments.update(seen.reshape(-1, 1), world)
        return (rewards * torch.rsqrt(self.moments.variance + 1e-8)).clamp(-_LIMIT, _LIMIT)
