"""Advantage transforms against loops over tokens, and on cases worked out by hand."""

import json
import math
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spelunk.agents.llm.training.terms.shaping import TRANSFORMS, hicra, recalibrate, verl
from spelunk.agents.llm.training.terms.specification import read_term
from spelunk.envs.kernel.errors import InvalidArgumentError

from .batches import places, rollout

SEEDS = pytest.mark.parametrize("seed", range(3))


def advantages_of(played, seed=0):
    generator = torch.Generator().manual_seed(seed + 100)
    return 2 * torch.randn(played.tokens.shape, generator=generator) * played.generated


def compare(found, expected, played):
    for place in places(played):
        assert found[place].item() == pytest.approx(float(expected[place]), abs=1e-5, rel=1e-5)
    assert (found[~played.generated] == 0).all()


@pytest.mark.parametrize(
    "text",
    [
        "advantage_clip",
        "hicra(mask='entropy_top')",
        "hicra(plan=(2, 3))",
        "empg(minimum=1)",
        "ear",
        "verl(stride=1)",
        "recalibrate",
        "critique_shape",
    ],
)
def test_nothing_happens_to_given_tokens_and_padding(text):
    played = rollout(
        hidden=torch.randn(4, 10, 5),
        refined=torch.tensor([True, False, True, False]),
        replayed=torch.tensor([False, True, False, True]),
    )
    term = read_term(text, TRANSFORMS, "transform")
    advantages = advantages_of(played)
    for _ in range(2):
        found = term(advantages, played)
        assert (found[~played.generated] == 0).all()
        assert found.isfinite().all()
    json.dumps(term.memory)


def test_advantage_clip():
    played = rollout()
    found = TRANSFORMS["advantage_clip"](advantages_of(played), played, bound=1.5)
    expected = {s: min(1.5, max(-1.5, advantages_of(played)[s].item())) for s in places(played)}
    compare(found, expected, played)


@SEEDS
def test_whiten(seed):
    played = rollout(seed)
    advantages = advantages_of(played, seed)
    own = [advantages[s].item() for s in places(played)]
    mean, deviation = statistics.fmean(own), statistics.pstdev(own)
    expected = {s: (advantages[s].item() - mean) / deviation for s in places(played)}
    compare(TRANSFORMS["whiten"](advantages, played), expected, played)


@SEEDS
def test_hicra_on_uncertain_tokens(seed):
    played = rollout(seed)
    advantages = advantages_of(played, seed)
    found = hicra(advantages, played, alpha=0.3, mask="entropy_top", share=0.25)
    order = sorted(places(played), key=lambda s: -played.entropies[s].item())
    planning = set(order[: int(0.25 * len(order))])
    expected = {
        s: advantages[s] + 0.3 * abs(advantages[s]) * (s in planning) for s in places(played)
    }
    compare(found, expected, played)


def test_hicra_rewards_plans_more_and_punishes_them_less():
    """8 opens and 9 closes; a given tag counts, and what is not closed ends with the turn."""
    tokens = torch.tensor([[1, 8, 1, 1, 9, 1, 8, 1, 1, 1], [8, 1, 9, 1, 9, 8, 8, 1, 1, 9]])
    turns = torch.tensor([[-1, 0, 0, 0, 0, 0, 0, 0, -1, 1], [-1, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    played = rollout(tokens=tokens, turns=turns, episodes=torch.tensor([0, 1]))
    sign = torch.where(torch.arange(10) % 2 == 0, 1.0, -1.0)
    found = hicra(sign * played.generated, played, alpha=0.5, plan=(8, 9))
    inside = [[2, 3, 7], [1, 7, 8]]
    for i in range(2):
        for t in range(10):
            base = sign[t].item() * bool(played.generated[i, t])
            assert found[i, t].item() == base + 0.5 * (t in inside[i])


def test_hicra_needs_tags():
    with pytest.raises(InvalidArgumentError, match="plan=None"):
        hicra(torch.zeros(4, 10), rollout())
    with pytest.raises(InvalidArgumentError, match="'grams'"):
        hicra(torch.zeros(4, 10), rollout(), mask="grams")


@SEEDS
def test_empg(seed):
    played = rollout(seed)
    advantages = advantages_of(played, seed)
    k, k_next, zeta = 1.3, 0.7, 0.2
    found = TRANSFORMS["empg"](advantages, played, k=k, k_next=k_next, zeta=zeta, minimum=1)
    turns = {}
    for i, t in places(played):
        key = played.episodes[i].item(), played.turns[i, t].item()
        turns.setdefault(key, []).append((i, t))
    h = {
        key: statistics.mean(played.entropies[s].item() for s in own) for key, own in turns.items()
    }
    low, high = min(h.values()), max(h.values())
    h = {key: (v - low) / (high - low + 1e-8) for key, v in h.items()}
    mean = statistics.mean(math.exp(-k * v) for v in h.values())
    shaped = {}
    for (e, turn), own in turns.items():
        following = h.get((e, turn + 1))
        clarity = 0.0 if following is None else math.exp(-k_next * following)
        for s in own:
            shaped[s] = advantages[s].item() * math.exp(-k * h[e, turn]) / mean + zeta * clarity
    offset = statistics.mean(statistics.mean(shaped[s] for s in own) for own in turns.values())
    assert len(turns) == 7
    compare(found, {s: v - offset for s, v in shaped.items()}, played)


def test_empg_leaves_few_turns_alone():
    played = rollout()
    advantages = advantages_of(played)
    assert TRANSFORMS["empg"](advantages, played) is advantages
    assert TRANSFORMS["empg"](advantages, played, minimum=8) is advantages
    assert TRANSFORMS["empg"](advantages, played, minimum=7) is not advantages


@SEEDS
def test_ear(seed):
    played = rollout(seed)
    advantages = advantages_of(played, seed)
    found = TRANSFORMS["ear"](advantages, played)
    means = []
    for e in range(3):
        own = [played.entropies[s].item() for s in places(played) if played.episodes[s[0]] == e]
        means.append(statistics.mean(own))
    expected = {}
    for i, t in places(played):
        e = played.episodes[i].item()
        mates = [means[j] for j in range(3) if played.groups[j] == played.groups[e]]
        m = statistics.mean(mates)
        expected[i, t] = advantages[i, t].item() * (1 + (m - means[e]) / m)
    compare(found, expected, played)


def test_ear_of_certain_answers_is_nothing():
    played = rollout(entropies=torch.zeros(4, 10))
    advantages = advantages_of(played)
    assert (TRANSFORMS["ear"](advantages, played) == advantages).all()


def dynamics(hidden, stride):
    """Effective rank, and means of its first and second differences, by singular values."""

    def rank(rows):
        values = np.linalg.svd(rows, compute_uv=False)
        shares = values / values.sum()
        shares = shares[shares > 1e-12]
        return math.exp(-(shares * np.log(shares)).sum())

    ranks = [rank(hidden[:end]) for end in range(stride, len(hidden) + 1, stride)]
    first = [ranks[j] - np.mean(ranks[:j]) for j in range(1, len(ranks))]
    second = list(np.diff(first))
    return [rank(hidden), np.mean(first) if first else 0, np.mean(second) if second else 0]


@SEEDS
def test_verl(seed):
    generator = torch.Generator().manual_seed(seed)
    memory, running = {}, np.zeros(0)
    for update in range(3):
        hidden = torch.randn(4, 10, 5, generator=generator)
        hidden[seed] *= torch.tensor([5.0, 1.0, 0.1, 0.1, 0.1])
        played = rollout(seed, hidden=hidden)
        advantages = advantages_of(played, seed + update)
        found = verl(advantages, played, memory=memory, stride=1, ema=0.4, kappa=3.0, gain=1.5)
        figures = [dynamics(hidden[i][played.generated[i]].double().numpy(), 1) for i in range(4)]
        means = np.mean(figures, axis=0)
        if not update:
            assert found is advantages
            running = means
            continue
        bonuses = []
        for own in figures:
            d = [
                min(5.0, max(-5.0, (x - r) / (abs(r) + 1e-8)))
                for x, r in zip(own, running, strict=True)
            ]
            b = 1 / (1 + math.exp(-1.5 * d[2]))
            bonuses.append(max(0.0, b * math.tanh(d[0]) + (1 - b) * math.tanh(d[1])))
        assert max(bonuses) > 0
        expected = {
            (i, t): advantages[i, t] + min(bonuses[i], abs(advantages[i, t].item()) / 3)
            for i, t in places(played)
        }
        compare(found, expected, played)
        running = 0.6 * running + 0.4 * means
    assert memory["means"] == pytest.approx(running.tolist(), abs=1e-5)
    assert verl.needs == {"hidden"}


def replay(rewards, replayed):
    """Episodes of one turn and one sequence of two tokens, two in a group."""
    n = len(rewards)
    fields = {
        "turns": torch.tensor([[-1, 0]] * n),
        "episodes": torch.arange(n),
        "rewards": torch.tensor(rewards)[:, None],
        "groups": torch.arange(n) // 2,
        "truncated": torch.zeros(n, dtype=torch.bool),
        "replayed": torch.tensor(replayed),
    }
    return SimpleNamespace(**fields, generated=fields["turns"] >= 0)


def test_recalibrate_judges_replays_by_how_it_goes_lately():
    """Groups' means are 0.5, 2 and 3; the median is 2, and a replay of 2.5 is only 0.5 better."""
    memory = {"rollouts": 200}
    played = replay([0.0, 1.0, 2.0, 2.0, 3.0, 3.0, 2.5, 1.0], [False] * 6 + [True] * 2)
    found = recalibrate(torch.ones(8, 2), played, memory=memory)
    assert found[:6].tolist() == [[1.0, 1.0]] * 6
    assert found[6:].tolist() == [[0.0, 0.5], [0.0, 0.0]]
    assert memory["means"] == [0.5, 2.0, 3.0]
    recalibrate(torch.ones(2, 2), replay([4.0, 4.0], [False] * 2), memory=memory, size=2)
    assert memory["means"] == [3.0, 4.0]
    found = recalibrate(torch.ones(2, 2), replay([5.0, 3.0], [True] * 2), memory=memory)
    assert found[:, 1].tolist() == [1.5, 0.0]
    found = recalibrate(torch.ones(2, 2), replay([5.0, 3.0], [True] * 2), memory={"rollouts": 200})
    assert found[:, 1].tolist() == [0.0, 0.0]


def test_replays_count_more_and_more():
    weights = []
    for rollouts in (0, 50, 100, 200):
        memory = {"rollouts": rollouts, "means": [1.0]}
        found = recalibrate(torch.ones(1, 2), replay([2.0], [True]), memory=memory)
        weights.append(float(found[0, 1]))
    assert weights == pytest.approx([0.0, (1 - 0.5**0.5) / 2, 0.5, 1.0])


def test_rollouts_without_replays_or_refinements_are_left_alone():
    advantages, played = torch.ones(2, 2), replay([1.0, 2.0], [False] * 2)
    played.replayed, played.refined, memory = None, None, {}
    assert torch.equal(recalibrate(advantages, played, memory=memory), advantages)
    assert memory["means"], "what is ordinary is learned from the first rollout on"
    assert TRANSFORMS["critique_shape"](advantages, played) is advantages


def test_critique_shape_gives_the_gradient_of_the_shaped_probability():
    log_probs = -torch.rand(2, 5, generator=torch.Generator().manual_seed(0)) * 4
    advantages = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    played = SimpleNamespace(log_probs=log_probs, refined=torch.tensor([True, False]))
    found = TRANSFORMS["critique_shape"](advantages, played, gamma=0.2)
    moving = log_probs.clone().requires_grad_()
    shaped = (advantages * moving.exp() / (moving.exp() + 0.2)).sum()
    (wanted,) = torch.autograd.grad(shaped, moving)
    torch.testing.assert_close(found[0], wanted[0])
    assert (found[1] == advantages[1]).all()


def test_critique_shape_by_hand():
    played = SimpleNamespace(
        log_probs=torch.tensor([[0.1, 1.0]]).log(), refined=torch.tensor([True])
    )
    found = TRANSFORMS["critique_shape"](torch.tensor([[4.0, -1.21]]), played)
    torch.testing.assert_close(found, torch.tensor([[1.0, -0.1]]))
