"""The effective rank of hidden states, and how it moves along a response (Huang et al. 2025, VERL).

How many directions the hidden states of a response use says how widely it explores; how fast their
number grows, how it is exploited ("Beyond the Exploration-Exploitation Trade-off").
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ....envs.kernel.errors import InvalidArgumentError


class RankDynamics(NamedTuple):
    """A response's effective rank and its movement; 0 where the response is too short for one.

    Attributes:
        rank: of the whole response (ER).
        velocity: mean first difference over the prefixes (ERV): a prefix's rank minus the mean rank
            of all shorter ones.
        acceleration: mean difference between a prefix's velocity and that of the one before (ERA).
    """

    rank: float
    velocity: float
    acceleration: float


def effective_rank(hidden: Tensor, *, centred: bool = False) -> float:
    """The exponential of the entropy of the normalised singular values (Roy & Vetterli 2007).

    Args:
        hidden: (t, d) hidden states, of any floating kind; computed in `float64` where they are.
        centred: take their mean off first, as the authors' program does and their formula does not.

    Returns:
        Between 1 and min(t, d); 0 for states that are all 0.

    Raises:
        InvalidArgumentError: the states have another shape, or there are none.
    """
    return float(prefix_ranks(hidden, [len(hidden)], centred=centred)[0])


def rank_dynamics(hidden: Tensor, stride: int = 40, *, centred: bool = False) -> RankDynamics:
    """Effective rank of a response, with its first and second differences along it.

    Prefixes end at every multiple of the stride. Ranks grow with length as such: compare responses
    at equal length.

    Args:
        hidden: (t, d) hidden states of the response, of the last layer in the paper.
        stride: tokens between prefixes; 40 in the paper, for answers of thousands of tokens.
        centred: as in `effective_rank`.

    Raises:
        InvalidArgumentError: the states have another shape, there are none, or the stride is not
            positive.
    """
    if stride < 1:
        raise InvalidArgumentError(f"stride must be at least 1; got {stride}")
    ends = range(stride, len(hidden) + 1, stride)
    *ranks, whole = prefix_ranks(hidden, [*ends, len(hidden)], centred=centred).tolist()
    velocities = [r - sum(ranks[:j]) / j for j, r in enumerate(ranks) if j]
    accelerations = [v - u for u, v in pairwise(velocities)]
    return RankDynamics(whole, _mean(velocities), _mean(accelerations))


def prefix_ranks(hidden: Tensor, ends: list[int], *, centred: bool = False) -> Tensor:
    """The effective ranks of prefixes of a response.

    Singular values are roots of eigenvalues of the smaller Gram matrix, tokens by tokens or
    dimensions by dimensions. Those below 1e-7 of the largest are lost in rounding and taken for 0.

    Args:
        hidden: (t, d) hidden states.
        ends: the lengths of the prefixes, each in [1, t].
        centred: as in `effective_rank`.

    Returns:
        (prefixes,) `float64`, where the hidden states are.

    Raises:
        InvalidArgumentError: the states have another shape or are not finite, or a length is
            outside.
    """
    if hidden.ndim != 2 or not all(1 <= end <= len(hidden) for end in ends):
        raise InvalidArgumentError(
            "hidden must be (t, d), and every prefix at least one and at most t long; got shape "
            f"{tuple(hidden.shape)} and lengths {ends}"
        )
    states = hidden.detach().double()
    if not states.isfinite().all():
        raise InvalidArgumentError("hidden states must be finite; some are not")
    return torch.stack([_rank(states[:end], centred) for end in ends])


def _rank(states: Tensor, centred: bool) -> Tensor:
    if centred:
        states = states - states.mean(0)
    tokens, dimensions = states.shape
    gram = states @ states.T if tokens <= dimensions else states.T @ states
    eigenvalues = torch.linalg.eigvalsh(gram)
    eigenvalues = eigenvalues * (eigenvalues > 1e-14 * eigenvalues[-1])
    values = eigenvalues.sqrt()
    total = values.sum()
    return torch.special.entr(values / total).sum().exp() if total > 0 else total


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
