"""Advantages: how much better each turn went than could be expected.

An estimator takes returns (episodes, turns), which of them were played (same shape, `bool`) and
groups (episodes,) `int64`, and gives advantages (episodes, turns), constants of the gradient.
Returns are 0 at turns after the end of an episode, or the episode's own where all turns share it.
What is given for turns that were not played means nothing.

One with a critic takes a `Rollout` with values and rewards (episodes, turns) instead, and gives
`Estimates`.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from .....envs.kernel.errors import InvalidArgumentError
from ....core.rollout import generalized_advantages
from ...rollout import Rollout
from .specification import needs

Estimator = Callable[..., Any]

_STEEPEST = 1e6
"""Where the search of `entropic` for b ends, times the range of the returns."""


def _group_sum(values: Tensor, groups: Tensor) -> Tensor:
    """Sums over each episode's group, itself included, in the shape of the values."""
    sums = values.new_zeros(int(groups.max()) + 1, *values.shape[1:])
    return sums.index_add_(0, groups, values)[groups]


def _group_size(groups: Tensor) -> Tensor:
    return _group_sum(torch.ones(len(groups), 1, device=groups.device), groups)


def reinforce(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus their mean over the whole batch (Williams 1992, with a constant baseline)."""
    return returns - (returns * played).sum() / played.sum().clamp(min=1)


def group_mean(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus the group's mean at the same turn (Liu et al. 2025, "Dr. GRPO")."""
    return returns - _group_sum(returns, groups) / _group_size(groups)


def grpo(returns: Tensor, played: Tensor, groups: Tensor, *, eps: float = 1e-6) -> Tensor:
    """`group_mean` over the group's standard deviation + eps (Shao et al. 2024, "DeepSeekMath")."""
    centred = group_mean(returns, played, groups) * played
    squares = _group_sum(centred.square().sum(1, keepdim=True), groups)
    turns = _group_sum(played.sum(1, keepdim=True).to(centred.dtype), groups)
    return centred / ((squares / turns.clamp(min=1)).sqrt() + eps)


def lite(returns: Tensor, played: Tensor, groups: Tensor, *, eps: float = 1e-6) -> Tensor:
    """`group_mean` over the standard deviation of all played turns + eps.

    A group whose returns hardly differ is not blown up (Liu et al. 2025, "Part I: Tricks or traps?
    A deep dive into RL for LLM reasoning", "Lite PPO").
    """
    turns = played.sum().clamp(min=1)
    deviations = (returns - (returns * played).sum() / turns) * played
    spread = (deviations.square().sum() / turns).sqrt()
    return group_mean(returns, played, groups) / (spread + eps)


def rloo(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus the mean of the group's others (Kool et al. 2019; Ahmadian et al. 2024)."""
    size = _group_size(groups)
    return (returns - _group_sum(returns, groups) / size) * size / (size - 1).clamp(min=1)


def entropic(returns: Tensor, played: Tensor, groups: Tensor, *, b: float | None = None) -> Tensor:
    """wᵢ − 1, wᵢ = exp(b rᵢ) / mean over the group's others of exp(b rⱼ), at the same turn.

    The larger b, the more the best episode counts alone. Without a setting b is solved for each
    group so that KL(softmax(b r) ‖ uniform) = ln 2, by bisection; it is as good as infinite where
    half of a group or more is best, and groups of fewer than three, where no b has that
    divergence, get 0 (Yuksekgonul et al. 2026, "Learning to discover at test time").

    Args:
        returns, played, groups: see the module.
        b: the same for all groups.
    """
    low, high = (_group_extreme(returns, groups, kind) for kind in ("amin", "amax"))
    size = _group_size(groups).double()
    if b is None:
        scaled = (returns - high).double() / (high - low).clamp(min=1e-12)
        logits = scaled * _entropic_slope(scaled, groups, size)
        weighed = size > 2
    else:
        logits = (returns - high).double() * b
        weighed = size > 1
    weights = logits.exp()
    others = (_group_sum(weights, groups) - weights) / (size - 1).clamp(min=1)
    return torch.where(weighed, weights / others.clamp(min=1e-12) - 1, 0.0).to(returns.dtype)


def _group_extreme(values: Tensor, groups: Tensor, kind: str) -> Tensor:
    """The highest (`"amax"`) or lowest (`"amin"`) value of each episode's group."""
    index = groups[:, None].expand_as(values)
    found = values.new_zeros(int(groups.max()) + 1, values.shape[1])
    return found.scatter_reduce(0, index, values, kind, include_self=False)[groups]


def _entropic_slope(values: Tensor, groups: Tensor, size: Tensor) -> Tensor:
    """The b with which softmax(b · values) in each group is ln 2 from uniform."""
    low, high = torch.zeros_like(values), torch.full_like(values, _STEEPEST)
    for _ in range(60):
        b = (low + high) / 2
        share = (b * values).exp()
        share = share / _group_sum(share, groups)
        divergence = _group_sum(torch.xlogy(share, share), groups) + size.log()
        below = divergence < math.log(2)
        low, high = torch.where(below, b, low), torch.where(below, high, b)
    return high


class Estimates(NamedTuple):
    """What a critic's values lead to.

    Attributes:
        advantages: (n, T), 0 for tokens that were not generated.
        targets: (n, T + 1), what the values of a rollout should have been; NaN where that is not
            known.
    """

    advantages: Tensor
    targets: Tensor


@needs("values")
def gae(
    rollout: Rollout,
    rewards: Tensor,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
    level: Literal["token", "turn"] = "token",
) -> Estimates:
    """Generalized advantage estimates (Schulman et al. 2016, "High-dimensional continuous control
    using generalized advantage estimation"), in steps of tokens or of turns.

    A turn's reward is paid at its last token. Where the time limit ended an episode, the value of
    what was said and heard until then takes the place of what would have followed.

    Args:
        rollout, rewards: see the module.
        gamma: the discount of a step.
        lam: λ; with 0 advantages are temporal-difference errors, with 1 returns minus values.
        level: whether each token is a step, or a turn, whose tokens share its advantage.

    Raises:
        InvalidArgumentError: there is no such level.
    """
    if level not in ("token", "turn"):
        raise InvalidArgumentError(f"level must be 'token' or 'turn'; got {level!r}")
    assert rollout.values is not None
    tokens = _in_order(rollout)
    begins = tokens.begins if level == "turn" else torch.ones_like(tokens.begins)
    ends = tokens.ends if level == "turn" else torch.ones_like(tokens.ends)
    rows, columns, episodes = (part[begins] for part in tokens[:3])
    paid = torch.where(tokens.ends, rewards[tokens.episodes, tokens.turns], 0.0)[ends]
    count = episodes.bincount(minlength=len(rewards))
    places = torch.arange(len(episodes)) - (count.cumsum(0) - count)[episodes]

    def spread(values: Tensor) -> Tensor:
        whole = values.new_zeros(len(count), int(count.max()))
        whole[episodes, places] = values
        return whole

    last = torch.cat((tokens.episodes[1:] != tokens.episodes[:-1], torch.tensor([True])))
    cut = last & rollout.truncated[tokens.episodes]
    beyond = rewards.new_zeros(len(rewards))
    beyond[tokens.episodes[cut]] = rollout.values[tokens.rows[cut], tokens.columns[cut] + 1]
    before = rollout.values[rows, columns]
    found = gae_of_steps(
        spread(paid), spread(before), spread(begins[begins]), beyond, gamma=gamma, lam=lam
    )[episodes, places]
    # The step that each token belongs to.
    steps = begins.cumsum(0) - 1
    advantages = torch.zeros_like(rollout.log_probs)
    advantages[tokens.rows, tokens.columns] = found[steps]
    targets = torch.full_like(rollout.values, torch.nan)
    # After a turn there is to come what there is before the next one.
    following = torch.cat(((found + before)[steps[1:]], found.new_zeros(1))).masked_fill(last, 0.0)
    said = tokens.ends & ~cut
    targets[tokens.rows[said], tokens.columns[said] + 1] = following[said]
    targets[rows, columns] = found + before
    return Estimates(advantages, targets)


class _Tokens(NamedTuple):
    """The m generated tokens of a rollout, episode by episode in the order of their making.

    `rows` and `columns` say where they are; `begins` and `ends`, (m,) `bool`, whether they are the
    first and the last of their turns.
    """

    rows: Tensor
    columns: Tensor
    episodes: Tensor
    turns: Tensor
    begins: Tensor
    ends: Tensor


def _in_order(rollout: Rollout) -> _Tokens:
    rows, columns = rollout.generated.nonzero(as_tuple=True)
    episodes, turns = rollout.episodes[rows], rollout.turns[rows, columns]
    number = episodes * rollout.rewards.shape[1] + turns
    order = number.argsort(stable=True)
    number = number[order]
    changes, true = number[1:] != number[:-1], torch.tensor([True])
    return _Tokens(
        rows=rows[order],
        columns=columns[order],
        episodes=episodes[order],
        turns=turns[order],
        begins=torch.cat((true, changes)),
        ends=torch.cat((changes, true)),
    )


def gae_of_steps(
    rewards: Tensor,
    values: Tensor,
    played: Tensor,
    beyond: Tensor,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
) -> Tensor:
    """Generalized advantage estimates of episodes in rows.

    Args:
        rewards: (episodes, steps) `float32`.
        values: (episodes, steps) `float32`, before each step.
        played: (episodes, steps) `bool`, the first steps of each episode.
        beyond: (episodes,) `float32`, values after the last step of episodes that were truncated,
            0 for others.
        gamma, lam: see `agents.core.rollout.generalized_advantages`.

    Returns:
        (episodes, steps), 0 at steps that were not played; adding `values` gives the targets of
        the critic.
    """
    ended = torch.cat((played[:, :-1] & ~played[:, 1:], played[:, -1:]), 1)
    rewards = rewards + gamma * ended * beyond[:, None]
    after = torch.cat((values, torch.zeros_like(values[:, :1])), 1)
    rewards, after, ended = (part.T.contiguous() for part in (rewards, after, ended))
    return generalized_advantages(rewards, after, ended, gamma, lam).T * played


ADVANTAGES: dict[str, Estimator] = {
    "reinforce": reinforce,
    "group_mean": group_mean,
    "grpo": grpo,
    "lite": lite,
    "rloo": rloo,
    "entropic": entropic,
    "gae": gae,
}
