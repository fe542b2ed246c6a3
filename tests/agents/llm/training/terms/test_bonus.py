"""Bonuses against loops over tokens, and on cases worked out by hand."""

import json
import math
import statistics
from types import SimpleNamespace

import pytest
import torch

from spelunk.agents.llm.training.terms.bonus import (
    BONUSES,
    adaptive_kl_in_reward,
    difficulty,
    kl_in_reward,
    length_penalty,
    majority_vote,
    window_entropy,
)
from spelunk.agents.llm.training.terms.specification import read_term
from spelunk.envs.kernel.errors import InvalidArgumentError

from .batches import places, rollout


def by_turn(played, figure):
    """Lists of what a token has, by (episode, turn)."""
    turns = {}
    for i, t in places(played):
        key = played.episodes[i].item(), played.turns[i, t].item()
        turns.setdefault(key, []).append(figure(i, t))
    return turns


def compare(found, expected, played):
    assert found.shape == played.rewards.shape
    for e in range(found.shape[0]):
        for turn in range(found.shape[1]):
            value = expected.get((e, turn), 0.0)
            assert found[e, turn].item() == pytest.approx(value, abs=1e-5)


# --- length, divergence, votes ---


def test_length_penalty():
    """Answers have 3, 4, 4, 6, 1, 1 and 4 tokens; with a limit of 6, a buffer of 3 begins at 3."""
    played = rollout()
    lengths = {s: len(v) for s, v in by_turn(played, lambda i, t: 1).items()}
    assert sorted(lengths.values()) == [1, 1, 3, 4, 4, 4, 6]
    expected = {s: -0.5 * {1: 0, 3: 0, 4: 1 / 3, 6: 1}[n] for s, n in lengths.items()}
    compare(length_penalty(played, limit=6, buffer=3, coefficient=0.5), expected, played)
    assert length_penalty(played, limit=4, buffer=1).min() == -1


@pytest.mark.parametrize(("limit", "buffer"), [(4, 0), (4, 5)])
def test_length_penalty_refuses_a_buffer_that_does_not_fit(limit, buffer):
    with pytest.raises(InvalidArgumentError, match=f"got {buffer} and {limit}"):
        length_penalty(rollout(), limit=limit, buffer=buffer)


def test_kl_in_reward():
    reference = -torch.rand(4, 10, generator=torch.Generator().manual_seed(9))
    played = rollout(reference=reference)
    ratios = by_turn(played, lambda i, t: (played.log_probs - reference)[i, t].item())
    expected = {s: -0.2 * sum(v) for s, v in ratios.items()}
    compare(kl_in_reward(played, coefficient=0.2), expected, played)
    assert kl_in_reward.needs == {"reference"}


def test_adaptive_kl_in_reward():
    """Far above the target the coefficient grows by a tenth of a fifth, below it falls as much."""
    played = rollout()
    reference = played.log_probs - 0.5 * played.generated
    played, memory = rollout(reference=reference), {}
    divergence = 0.5 * int(played.generated.sum()) / 3
    settings = {"initial": 0.4, "memory": memory}
    for target, factor in (
        (divergence / 5, 1.02), (divergence / 1.1, 1.01), (divergence, 1.0), (divergence * 3, 0.98),
    ):  # fmt: skip
        before = memory.get("coefficient", 0.4)
        found = adaptive_kl_in_reward(played, target=target, **settings)
        assert torch.equal(found, kl_in_reward(played, coefficient=before))
        assert memory["coefficient"] == pytest.approx(before * factor, rel=1e-5)
    assert adaptive_kl_in_reward.needs == {"reference"}
    with pytest.raises(InvalidArgumentError, match="target must be positive"):
        adaptive_kl_in_reward(played, target=0.0, **settings)


def voters(answers, groups):
    n = len(answers)
    return SimpleNamespace(
        answers=tuple(answers),
        groups=torch.tensor(groups),
        rewards=torch.zeros(n, 3),
        lengths=torch.tensor([1 + i % 3 for i in range(n)]),
    )


def test_majority_vote_pays_the_last_turn_of_those_who_agree():
    played = voters(["7", " 8", "8 ", "7", "", "7", "8"], [0, 0, 0, 1, 1, 1, 1])
    found = majority_vote(played)
    assert found.sum(1).tolist() == [0, 1, 1, 1, 0, 1, 0]
    assert [row.nonzero().squeeze(1).tolist() for row in found] == [[], [1], [2], [0], [], [2], []]


def test_majority_vote_of_equals_goes_to_the_first():
    assert majority_vote(voters(["a", "b", "b", "a"], [0] * 4)).sum(1).tolist() == [1, 0, 0, 1]


def test_majority_vote_reads_the_last_tag():
    answers = [
        "<answer>4</answer> no: <answer> 5 </answer> done",
        "I think <answer>5",
        "5",
        "<answer></answer>",
        "<answer>4</answer>",
        "</answer><answer>4</answer>",
    ]
    found = majority_vote(voters(answers, [0, 0, 0, 0, 0, 1]), tag="answer")
    assert found.sum(1).tolist() == [1, 1, 0, 0, 0, 1]


def test_nobody_votes_where_there_are_no_answers():
    assert (majority_vote(voters(["", " \n"], [0, 0])) == 0).all()
    assert majority_vote(voters(["", "", "7"], [0, 0, 0])).sum(1).tolist() == [0, 0, 1]


# --- difficulty and window entropy ---


def stretches(entropies, rewards, groups):
    """Episodes of one turn each, with these entropies after one given token."""
    n, width = len(entropies), max(map(len, entropies)) + 1
    table = torch.zeros(n, width)
    turns = torch.full((n, width), -1)
    for i, row in enumerate(entropies):
        table[i, 1 : 1 + len(row)] = torch.tensor(row)
        turns[i, 1 : 1 + len(row)] = 0
    return SimpleNamespace(
        tokens=torch.zeros(n, width, dtype=torch.int64),
        entropies=table,
        turns=turns,
        generated=turns >= 0,
        episodes=torch.arange(n),
        rewards=torch.tensor(rewards)[:, None],
        groups=torch.tensor(groups),
        lengths=torch.ones(n, dtype=torch.int64),
    )


def test_difficulty_is_the_share_of_a_group_that_succeeds():
    rewards = [1.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.9, 0.0, 0.0]
    played = stretches([[0.1]] * 9, rewards, [0, 0, 0, 5, 5, 5, 2, 2, 2])
    assert difficulty(played, 1.0) == ["easy"] * 3 + ["medium"] * 3 + ["hard"] * 3
    assert difficulty(played, 0.5)[3] == "easy"


def uncertain(count):
    """An answer of twelve tokens after which `count` windows of one token are uncertain."""
    return [0.0] + [1.0] * count + [0.0] * (11 - count)


def ares_score(bucket, count, target, correct):
    """The reward of the paper's rule in parts of α."""
    fraction = {"easy": 0.15, "medium": 0.25, "hard": 0.35}[bucket]
    kappa = {"easy": 2.0, "medium": 3.0, "hard": 4.0}[bucket]
    soft = {"easy": 2.0, "medium": 2.5, "hard": 3.0}[bucket]
    margin = max(1.0, fraction * max(target, 1.0))
    over = max(count - target - margin, 0.0)
    if not correct:
        return {"easy": 0.6, "medium": 0.8, "hard": 1.0}[bucket] * math.tanh(over / (2 * soft))
    if bucket == "hard":
        return math.tanh(max(count - target + margin, 0.0) / (2 * soft))
    x = over if bucket == "easy" else max(abs(count - target) - margin, 0.0)
    huber = x * x / (2 * kappa) if x <= kappa else x - kappa / 2
    return -min(1.0, huber / (margin + kappa))


def test_window_entropy_pays_by_difficulty():
    """Three groups of three; the rewards make the first easy, the second medium, the third hard."""
    counts = [10, 4, 10, 0, 10, 10, 0, 10, 5]
    rewards = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    groups = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    played = stretches([uncertain(c) for c in counts], rewards, groups)
    settings = {"window": 1, "quantile": 0.9, "limit": 0.4, "rate": 0.05}
    memory = {}
    found = window_entropy(played, memory=memory, **settings).squeeze(1)
    names = ["easy"] * 3 + ["medium"] * 3 + ["hard"] * 3
    targets = {"easy": 3.5, "medium": 5.0, "hard": 6.5}
    assert memory["targets"] == pytest.approx(targets)
    for e, (name, count) in enumerate(zip(names, counts, strict=True)):
        expected = 0.4 * ares_score(name, count, targets[name], rewards[e] >= 1)
        assert found[e].item() == pytest.approx(expected, abs=1e-6)
    assert found[0] < 0 < found[2]
    assert found[3] < 0
    # Easy: mean 8, above the target: at its limit. Medium: 20/3 above 5. Hard: 5 is below 6.5.
    assert memory["alpha"] == pytest.approx({"easy": 0.4, "medium": 0.4, "hard": 0.4})
    calm = stretches([uncertain(1)] * 9, rewards, groups)
    window_entropy(calm, memory=memory, **settings)
    expected = {"easy": 0.4 - 0.05 * 2.5, "medium": 0.4 - 0.05 * 4, "hard": 0.4}
    assert memory["alpha"] == pytest.approx(expected)


def test_window_entropy_of_hard_tasks_that_succeed_pays_uncertainty():
    counts, rewards = [8, 0, 4, 4], [1.0, 0.0, 0.0, 0.0]
    played = stretches([uncertain(c) for c in counts], rewards, [0] * 4)
    found = window_entropy(played, memory={}, window=1, quantile=0.8).squeeze(1)
    target = 0.65 * 8
    expected = [
        0.5 * ares_score("hard", c, target, r == 1) for c, r in zip(counts, rewards, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert found[0] > 0.2


def test_windows_are_full_and_of_one_turn():
    """Of 6 tokens, 3 + 3 in two turns, a window of 2 follows only the first of each turn."""
    played = stretches([[0.0, 0.5, 0.5, 0.0, 0.9, 0.9], [0.0] * 6], [0.0, 0.0], [0, 0])
    played.turns[0, 4:] = 1
    played.rewards = torch.zeros(2, 2)
    played.lengths = torch.tensor([2, 1])
    memory = {}
    window_entropy(played, memory=memory, window=2, quantile=1.0)
    assert memory["threshold"] == pytest.approx(0.9)
    # Windows: 0.5 and 0.9; four windows of 0 in the other episode.
    window_entropy(played, memory=(lower := {}), window=2, quantile=0.75)
    means = [0.5, 0.9, 0.0, 0.0, 0.0, 0.0]
    assert lower["threshold"] == pytest.approx(statistics.quantiles(means, method="inclusive")[2])


def test_the_threshold_is_frozen_and_then_follows_slowly():
    memory = {}
    settings = {"window": 1, "quantile": 1.0, "ema": 0.9, "frozen": 2}
    for level in (1.0, 5.0, 2.0, 3.0):
        played = stretches([[0.0, level]] * 2, [0.0, 0.0], [0, 0])
        window_entropy(played, memory=memory, **settings)
    assert memory["threshold"] == pytest.approx(0.9 * (0.9 * 1.0 + 0.1 * 2.0) + 0.1 * 3.0)


def test_window_entropy_goes_on_from_what_it_remembers():
    updates = [rollout(seed) for seed in range(4)]
    text = "window_entropy(window=1, quantile=0.6, frozen=1, success=0.5)"
    whole, first, again = (read_term(text, BONUSES, "bonus") for _ in range(3))
    expected = [whole(played) for played in updates]
    found = [first(played) for played in updates[:2]]
    again.memory.update(json.loads(json.dumps(first.memory)))
    found += [again(played) for played in updates[2:]]
    assert all((a == b).all() for a, b in zip(expected, found, strict=True))
    assert again.memory == whole.memory
    assert any((e != 0).any() for e in expected)


def test_answers_too_short_for_a_window_get_nothing():
    played = stretches([[0.5, 0.5], [0.1]], [1.0, 0.0], [0, 0])
    memory = {}
    assert (window_entropy(played, memory=memory, window=4) == 0).all()
    assert memory == {}
