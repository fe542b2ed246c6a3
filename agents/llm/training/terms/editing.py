"""Editors: what becomes of a rollout before anything is learned from it.

An editor takes a `Rollout` and a `Player`, with which it can play more episodes, and gives a
rollout. Editors that need the environment's states come before those that bring in episodes whose
states are not known: `self_imitation`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from .....envs.kernel.errors import InvalidArgumentError
from ...branching import Form, Player, as_answers, criticise, wrong_answers
from ...rollout import Rollout, join
from ...scribe import Moment
from .advantage import group_mean
from .selection import mean_over, turn_sums
from .specification import needs

Editor = Callable[..., Rollout]
Unit = Literal["turn", "token"]


def aepo(
    rollout: Rollout,
    player: Player,
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
        rollout, player: see the module.
        memory: the entropy of the last rollout (nats a token), and how many there were.
        target: of the entropy, in nats a token.
        hot, cold: factors of the temperature.
        share: of the groups that are played again.
        most: episodes that are replaced at most; half as many above the target.
        least_advantage: of episodes that are imitated.
    """
    generator = _generator(memory)
    entropy = float(mean_over(rollout.entropies, rollout.generated))
    low = memory.get("entropy", entropy) < target
    memory["entropy"] = entropy
    again = _some_groups(rollout, player, share, generator)
    extra = player.again(again, hot if low else cold)
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
    player: Player,
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
        rollout, player: see the module.
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
    allowed = None if one.allowed is None else one.allowed.to_data()
    return {**fields, "answers": list(one.answers), "allowed": allowed, "age": 0}


def _unpacked(entry: dict[str, Any], like: Rollout) -> Rollout:
    """The episode that was packed, marked as a replay."""
    fields: dict[str, Any] = {
        name: torch.tensor(entry[name], dtype=getattr(like, name).dtype) for name in _PACKED
    }
    marks = torch.ones(len(fields["tokens"]), dtype=torch.bool)
    allowed = None if like.allowed is None else like.allowed.from_data(entry["allowed"])
    return Rollout(**fields, answers=tuple(entry["answers"]), allowed=allowed, replayed=marks)


_PACKED = (
    "tokens", "log_probs", "drawn", "entropies", "turns", "episodes", "rewards", "groups",
    "lengths", "truncated",
)  # fmt: skip


@needs("states")
def fork(
    rollout: Rollout,
    player: Player,
    *,
    unit: Unit = "token",
    points: int = 1,
    branches: int = 4,
    same_group: bool = False,
) -> Rollout:
    """Add continuations of an episode of each group, from where the policy was least sure.

    Liu et al. 2025, "ETTRL: Balancing exploration and exploitation in LLM test-time reinforcement
    learning via entropy mechanism", whose trees of answers branch at the tokens of highest entropy.
    What comes before is given, and so it is learned from only once.

    Args:
        rollout, player: see the module.
        unit: whether a branch begins at a `"token"` of an answer, not the first, or before a
            `"turn"` after the first one. Turns count with the mean entropy of their tokens.
        points: how many of an episode, those of highest entropy; fewer where it has fewer.
        branches: episodes from each point.
        same_group: whether they are compared with the group that they come from, as the authors'
            are, or those of a point with each other.
    """
    moments, groups, new_group = [], [], int(rollout.groups.max()) + 1
    for group in rollout.groups.unique().tolist():
        episode = int((rollout.groups == group).nonzero()[0])
        for turn, kept in _unsure(rollout, episode, unit)[:points]:
            number = group if same_group else new_group
            moments += [rollout.moment(episode, turn, kept)] * branches
            groups += [number] * branches
            new_group += not same_group
    if not moments:
        return rollout
    return join(rollout, player.go_on(moments, groups), same_groups=True)


def _unsure(rollout: Rollout, episode: int, unit: Unit) -> list[tuple[int, int]]:
    """Turns, and how many of their tokens come before; the highest entropy first."""
    if unit not in ("turn", "token"):
        raise InvalidArgumentError(f"unit must be 'turn' or 'token'; got {unit!r}")
    if unit == "turn":
        sums = turn_sums(rollout.entropies, rollout)[episode]
        counts = turn_sums(torch.ones_like(rollout.entropies), rollout)[episode]
        later = [turn for turn in counts.nonzero().flatten().tolist() if turn > 0]
        means = (sums / counts.clamp(min=1)).tolist()
        return [(turn, 0) for turn in sorted(later, key=lambda turn: -means[turn])]
    found = []
    for row in (rollout.episodes == episode).nonzero().flatten().tolist():
        turns, kept = rollout.turns[row].tolist(), dict[int, int]()
        for turn, entropy in zip(turns, rollout.entropies[row].tolist(), strict=True):
            if turn >= 0:
                place = kept[turn] = kept.get(turn, -1) + 1
                found += [(-entropy, turn, place)] if place else []
    return [(turn, place) for _, turn, place in sorted(found)]


@needs("states")
def roll_in(
    rollout: Rollout,
    player: Player,
    *,
    memory: dict[str, Any],
    expert: str | None = None,
    unit: Unit = "turn",
    share: float = 0.25,
    branches: int = 4,
) -> Rollout:
    """Add episodes that an expert begins, and the policy ends.

    Of some groups' starts the expert plays an episode each; a point of it is drawn uniformly, up to
    which it stays, and the policy plays a new group from there (Chang et al. 2023, "Learning to
    generate better than your LLM"). What the expert says is given.

    Args:
        rollout, player: see the module.
        memory: how many rollouts there were.
        expert: see `data.expert_for`.
        unit: whether it stays up to a `"turn"`, not the first, or to a `"token"` of its first
            answer, not the first.
        share: of the groups.
        branches: episodes of each new group.
    """
    if unit not in ("turn", "token"):
        raise InvalidArgumentError(f"unit must be 'turn' or 'token'; got {unit!r}")
    generator = _generator(memory)
    led = player.lead(_some_groups(rollout, player, share, generator), expert)
    moments, groups = [], []
    first_answers = turn_sums(torch.ones_like(led.entropies), led)[:, 0]
    for episode in range(len(led.groups)):
        count = int(led.lengths[episode] if unit == "turn" else first_answers[episode])
        if count < 2:
            continue
        drawn = int(torch.randint(1, count, (), generator=generator))
        moment = led.moment(episode, drawn) if unit == "turn" else led.moment(episode, 0, drawn)
        moments += [moment] * branches
        groups += [episode] * branches
    return join(rollout, player.go_on(moments, groups)) if moments else rollout


@needs("states")
def restart(
    rollout: Rollout,
    player: Player,
    *,
    memory: dict[str, Any],
    groups: int = 4,
    branches: int = 4,
    size: int = 256,
) -> Rollout:
    """Add groups that begin in the middle of earlier episodes.

    Of each rollout's episodes the moments before later turns are remembered, the latest ones, and
    drawn from uniformly (as Salimans and Chen 2018, "Learning Montezuma's Revenge from a single
    demonstration", start from states of one episode).

    Args:
        rollout, player: see the module.
        memory: the moments, and how many rollouts there were.
        groups: how many are added.
        branches: episodes of each.
        size: how many moments are remembered.
    """
    generator = _generator(memory)
    assert rollout.states is not None
    held = memory.get("moments", [])
    drawn = torch.randint(max(1, len(held)), (groups,), generator=generator).tolist()
    if held:
        starts = [_unpacked_moment(held[i], rollout.states.dtype) for i in drawn]
        moments = [start for start in starts for _ in range(branches)]
        numbers = [group for group in range(groups) for _ in range(branches)]
        extra = player.go_on(moments, numbers)
    spoken = turn_sums(torch.ones_like(rollout.entropies), rollout) > 0
    spoken[:, 0] = False
    turns = spoken.nonzero().tolist()
    order = torch.randperm(len(turns), generator=generator)[:size].tolist()
    new = [_packed_moment(rollout.moment(*turns[i])) for i in order]
    memory["moments"] = [*held, *new][-size:]
    return join(rollout, extra) if held else rollout


def _packed_moment(moment: Moment) -> dict[str, Any]:
    """A moment as plain data."""
    state = np.asarray(moment.state).tobytes().hex()
    return {"state": state, "tokens": list(moment.tokens), "rewards": list(moment.rewards)}


def _unpacked_moment(entry: dict[str, Any], dtype: Any) -> Moment:
    """The moment that was packed, of an environment whose records have this type."""
    state = np.frombuffer(bytes.fromhex(entry["state"]), dtype)[0]
    return Moment(state, tuple(entry["tokens"]), tuple(entry["rewards"]))


@needs("states")
def refine(
    rollout: Rollout, player: Player, *, form: Form = "full", answers: int | None = None
) -> Rollout:
    """Add corrections of wrong answers, as answers to the same task in the same group.

    The policy is told the task again, with its answer and a critique of it, and answers once more
    (Zhang et al. 2025, "Critique-GRPO: Advancing LLM reasoning with natural language and numerical
    feedback"). What it says is learned as an answer to the task alone: see
    `branching.as_answers`, and the transform `critique_shape`. The authors also have right answers
    corrected, and keep some of all corrections.

    Args:
        rollout, player: see the module; the environment is an `AnswerEnv`.
        form: what a critique says, that the answer is wrong (`"indicator"`) or also why (`"full"`).
        answers: how many of a group are corrected at most; None for all wrong ones.
    """
    of_group: dict[int, list[int]] = {}
    for episode in wrong_answers(rollout):
        of_group.setdefault(int(rollout.groups[episode]), []).append(episode)
    episodes = [episode for own in of_group.values() for episode in own[:answers]]
    if not episodes:
        return rollout
    moments = criticise(rollout, player.env, player.agent.model, episodes, form)
    new = player.go_on(moments, rollout.groups[episodes].tolist())
    return join(rollout, as_answers(new, rollout, episodes, player.agent), same_groups=True)


def _generator(memory: dict[str, Any]) -> torch.Generator:
    """Random numbers, others for each rollout; `memory` counts them."""
    done = memory.get("rollouts", 0)
    memory["rollouts"] = done + 1
    return torch.Generator().manual_seed(done)


def _some_groups(
    rollout: Rollout, player: Player, share: float, generator: torch.Generator
) -> list[int]:
    """A share of the groups that have a start of their own, at least one, in rising order."""
    groups = rollout.groups.unique()
    groups = groups[groups < len(player.seeds)]
    chosen = groups[torch.randperm(len(groups), generator=generator)]
    return chosen[: max(1, int(share * len(groups)))].sort().values.tolist()


EDITORS: dict[str, Editor] = {
    "aepo": aepo,
    "self_imitation": self_imitation,
    "fork": fork,
    "roll_in": roll_in,
    "restart": restart,
    "refine": refine,
}
