"""Editors: what becomes of a rollout before anything is learned from it.

An editor takes a `Rollout` and a `Player`, with which it can play more episodes, and gives a
rollout.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch

from ..rollout import Rollout, join
from .advantage import group_mean
from .selection import mean_over

Editor = Callable[..., Rollout]


class Player(Protocol):
    """Plays episodes for an editor."""

    def __call__(self, groups: Sequence[int], heat: float) -> Rollout:
        """Play groups of the rollout anew, each from its own start.

        Args:
            groups: which.
            heat: a factor of the policy's temperature.
        """
        ...


def aepo(
    rollout: Rollout,
    play: Player,
    *,
    memory: dict[str, Any],
    target: float,
    hot: float = 1.2,
    cold: float = 0.8,
    share: float = 0.25,
    most: int = 60,
    least_advantage: float = 0.05,
) -> Rollout:
    """Hold the entropy at a target by imitating good episodes that were played hotter or colder.

    While the entropy of the last rollout is below the target some groups are played again at a
    higher temperature, otherwise at a lower one. Of these episodes those with an advantage take the
    place of as many others, drawn at random, and are learned with an advantage of 1 and no ratio
    (Wang et al. 2025, "Arbitrary entropy policy optimization"). No importance weights: that samples
    of another temperature pull the entropy is what they are for.

    Args:
        rollout, play: see the module.
        memory: the entropy of the last rollout (nats a token), and how many there were.
        target: of the entropy, in nats a token.
        hot, cold: factors of the temperature.
        share: of the groups that are played again.
        most: episodes that are replaced at most; half as many above the target.
        least_advantage: of episodes that are imitated.
    """
    done = memory.get("rollouts", 0)
    memory["rollouts"] = done + 1
    entropy = float(mean_over(rollout.entropies, rollout.generated))
    low = memory.get("entropy", entropy) < target
    memory["entropy"] = entropy
    generator = torch.Generator().manual_seed(done)
    groups = rollout.groups.unique()
    again = groups[torch.randperm(len(groups), generator=generator)]
    again = again[: max(1, int(share * len(groups)))].sort().values
    extra = play(again.tolist(), hot if low else cold)
    returns = extra.rewards.sum(1, keepdim=True)
    good = group_mean(returns, torch.ones_like(returns), extra.groups)[:, 0] > least_advantage
    chosen = good.nonzero().squeeze(1)
    chosen = chosen[torch.randperm(len(chosen), generator=generator)]
    chosen = chosen[: most if low else most // 2].sort().values
    if not len(chosen):
        return rollout
    taken = extra.take(chosen)
    marked = torch.ones(len(taken.tokens), dtype=torch.bool)
    stay = torch.randperm(len(rollout.groups), generator=generator)[len(chosen) :].sort().values
    return join(rollout.take(stay), replace(taken, imitated=marked))


def self_imitation(
    rollout: Rollout,
    play: Player,
    *,
    memory: dict[str, Any],
    threshold: float = 0.5,
    size: int = 2048,
    stale: int = 5,
) -> Rollout:
    """Add episodes that went well lately, to be learned from once more.

    Kept are new episodes with an advantage (return − group mean) above a threshold, the latest
    `size` of them, for `stale` rollouts (Qin et al. 2025, "SPEAR: Learn the ropes, then trust the
    wins"). Replays are groups of their own and have no advantage but what the transform
    `recalibrate` gives them.

    Args:
        rollout, play: see the module.
        memory: the kept episodes.
        threshold: of the advantage; 1 in the paper, where it is divided by the deviation.
        size: how many episodes are kept.
        stale: rollouts after which an episode is dropped.
    """
    kept = [entry for entry in memory.get("kept", []) if entry["age"] < stale]
    for entry in kept:
        entry["age"] += 1
    returns = rollout.rewards.sum(1, keepdim=True)
    gains = group_mean(returns, torch.ones_like(returns), rollout.groups)[:, 0]
    good = (gains > threshold).nonzero().squeeze(1).tolist()
    memory["kept"] = [*kept, *(_packed(rollout, episode) for episode in good)][-size:]
    for entry in kept:
        rollout = join(rollout, _unpacked(entry, rollout))
    return rollout


def _packed(rollout: Rollout, episode: int) -> dict[str, Any]:
    """An episode as plain data."""
    one = rollout.take(torch.tensor([episode]))
    fields = {name: getattr(one, name).tolist() for name in _PACKED}
    return {**fields, "answers": list(one.answers), "age": 0}


def _unpacked(entry: dict[str, Any], like: Rollout) -> Rollout:
    """The episode that was packed, marked as a replay."""
    fields: dict[str, Any] = {
        name: torch.tensor(entry[name], dtype=getattr(like, name).dtype) for name in _PACKED
    }
    marks = torch.ones(len(fields["tokens"]), dtype=torch.bool)
    return Rollout(**fields, answers=tuple(entry["answers"]), replayed=marks)


_PACKED = (
    "tokens", "log_probs", "drawn", "entropies", "turns", "episodes", "rewards", "groups",
    "lengths", "truncated",
)  # fmt: skip

EDITORS: dict[str, Editor] = {"aepo": aepo, "self_imitation": self_imitation}
