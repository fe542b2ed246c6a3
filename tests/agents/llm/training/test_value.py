"""The critic, and the advantages that its values lead to, against plain sums."""

import json
import math

import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.config import Config
from spelunk.agents.llm.training.terms.advantage import gae
from spelunk.agents.llm.training.trainer import LanguageModelTrainer
from spelunk.agents.llm.training.value import Critic, looked_at
from spelunk.envs.kernel.errors import InvalidArgumentError

from .terms.batches import rollout

ID = "spelunk/BernoulliBandit-v0"


def valued(seed=0, **fields):
    """Three episodes with values; the second was cut off by the time limit."""
    generator = torch.Generator().manual_seed(seed)
    whole = rollout(seed, **fields)
    return rollout(
        seed, values=torch.randn(4, whole.tokens.shape[1] + 1, generator=generator), **fields
    )


def steps_of(whole, episode, level):
    """The tokens (row, column) of each step of an episode, in order."""
    tokens = sorted(
        (int(whole.turns[row, column]), row, column)
        for row in range(len(whole.tokens))
        for column in range(whole.tokens.shape[1])
        if whole.episodes[row] == episode and whole.turns[row, column] >= 0
    )
    if level == "token":
        return [[token] for token in tokens]
    return [[t for t in tokens if t[0] == turn] for turn in sorted({t[0] for t in tokens})]


@pytest.mark.parametrize("level", ["token", "turn"])
@pytest.mark.parametrize("seed", range(3))
def test_estimates_against_plain_sums(level, seed):
    whole, gamma, lam = valued(seed), 0.9, 0.7
    rewards = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)) * whole.played
    found = gae(whole, rewards, gamma=gamma, lam=lam, level=level)
    advantages = torch.zeros(whole.tokens.shape)
    targets = torch.full(whole.values.shape, math.nan)
    for episode in range(3):
        steps = steps_of(whole, episode, level)
        last_of = {turn: (row, column) for step in steps for turn, row, column in step}
        values = [whole.values[row, column].item() for ((_, row, column), *_) in steps]
        end = steps[-1][-1]
        beyond = whole.values[end[1], end[2] + 1].item() if whole.truncated[episode] else 0.0
        after, running, following = [*values[1:], beyond], 0.0, None
        for i in reversed(range(len(steps))):
            turn, row, column = steps[i][-1]
            ends = last_of[turn] == (row, column)
            paid = rewards[episode, turn].item() if ends else 0.0
            if ends and following is not None:
                targets[row, column + 1] = following
            elif ends and not whole.truncated[episode]:
                targets[row, column + 1] = 0.0
            running = paid + gamma * after[i] - values[i] + gamma * lam * running
            following = running + values[i]
            targets[steps[i][0][1], steps[i][0][2]] = following
            for _, row, column in steps[i]:
                advantages[row, column] = running
    torch.testing.assert_close(found.advantages, advantages, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.targets, targets, atol=1e-5, rtol=1e-5, equal_nan=True)


def test_estimates_by_hand():
    """One episode: two tokens in the first turn, which is paid 1, one in the second, paid 4."""
    whole = rollout(
        tokens=torch.zeros(1, 6, dtype=torch.int64),
        turns=torch.tensor([[-1, 0, 0, -1, 1, -1]]),
        **dict.fromkeys(("log_probs", "drawn", "entropies"), torch.zeros(1, 6)),
        episodes=torch.tensor([0]),
        groups=torch.tensor([0]),
        lengths=torch.tensor([2]),
        truncated=torch.tensor([False]),
        rewards=torch.tensor([[1.0, 4.0]]),
        values=torch.tensor([[9.0, 2.0, 3.0, 9.0, 1.0, 9.0, 9.0]]),
    )
    # Errors 0.5·3 − 2, 1 + 0.5·1 − 3 and 4 − 1; each later one counts a quarter.
    found = gae(whole, whole.rewards, gamma=0.5, lam=0.5)
    nan = math.nan
    expected = [0.0, -0.5 - 0.25 * 0.75, -1.5 + 0.75, 0.0, 3.0, 0.0]
    torch.testing.assert_close(found.advantages, torch.tensor([expected]))
    known = torch.tensor([[nan, 2 - 0.6875, 3 - 0.75, 4.0, 4.0, 0.0, nan]])
    torch.testing.assert_close(found.targets, known, equal_nan=True)
    turns = gae(whole, whole.rewards, gamma=0.5, lam=0.0, level="turn")
    torch.testing.assert_close(turns.advantages, torch.tensor([[0.0, -0.5, -0.5, 0.0, 3.0, 0.0]]))
    with pytest.raises(InvalidArgumentError, match="level must be"):
        gae(whole, whole.rewards, level="word")  # pyright: ignore[reportArgumentType]


def test_values_are_of_what_comes_before_a_token_or_after_a_turn():
    whole = rollout()
    looked = looked_at(whole)
    first = [column for column in range(11) if looked[0, column]]
    assert first == [1, 2, 3, 4, 5, 6, 7, 8, 9]  # tokens at 1 to 3 and 5 to 8
    second = [column for column in range(11) if looked[1, column]]
    assert second == [2, 3, 4, 5, 6]


def features(seed=0):
    """A rollout with hidden states that tell whether the token before is even, and its goal."""
    whole = rollout(seed)
    even = (whole.tokens % 2 == 0).float()
    hidden = torch.stack((even, 1 - even, torch.zeros_like(even)), -1)
    goals = torch.full((4, 11), math.nan)
    looked = looked_at(whole)
    goals[:, 1:] = torch.where(even.bool(), 2.0, -1.0)
    return rollout(seed, hidden=hidden), goals.masked_fill(~looked, math.nan)


def make_critic(**settings):
    config = Config(value_size=8, num_minibatches=1, **settings)
    return Critic(3, config, 0, torch.device("cpu"))


def test_a_known_value_is_learned():
    critic, generator = make_critic(value_learning_rate=3e-2), torch.Generator().manual_seed(0)
    whole, goals = features()
    every_end = torch.arange(9)
    assert (critic.values(whole, every_end) == 0).all()
    for _ in range(150):
        values = critic.values(whole, every_end)
        told = critic.learn(rollout(hidden=whole.hidden, values=values), goals, generator)
    known = goals.isfinite()
    torch.testing.assert_close(
        critic.values(whole, every_end)[known], goals[known], atol=0.05, rtol=0
    )
    assert told["value_loss"] < 1e-3
    assert told["explained_variance"] > 0.99


def test_clipped_values_stay_near_those_of_the_rollout():
    whole, goals = features()
    zeros = rollout(hidden=whole.hidden, values=torch.zeros(4, 11))
    reached = {}
    for clip in (None, 0.1):
        critic = make_critic(value_learning_rate=1e-2, value_clip=clip, epochs=300)
        critic.learn(zeros, goals, torch.Generator().manual_seed(0))
        reached[clip] = critic.values(whole, torch.arange(9)).abs().max().item()
    assert reached[None] > 1.5
    assert 0.1 < reached[0.1] < 0.5


def test_nothing_is_expected_after_an_answer_that_was_cut():
    critic = make_critic()
    torch.nn.init.ones_(critic.head[2].bias)
    whole, _ = features()
    ends = whole.tokens[1, 5:6]  # the last generated token of the second sequence
    values = critic.values(whole, ends)
    assert values[1, 6] != 0
    last = [(0, 4), (0, 9), (2, 2), (2, 4), (2, 10), (3, 9)]
    for row, length in last:
        cut = whole.tokens[row, length - 1] != ends
        assert (values[row, length] == 0) == cut
    before = looked_at(whole)[:, :-1] & whole.generated
    assert (values[:, :-1][before] != 0).all()


def train(**settings):
    task = Task(ID, 10**6, 32, {"means": [0.0, 1.0, 0.0], "horizon": 4})
    config = {"hidden_size": 32, "layers": 1, "heads": 2, "group_size": 4, "num_minibatches": 2,
              "sft_learning_rate": 1e-2, "sft_warmup": 10, "sft_updates": 20,
              "expert": "random", "learning_rate": 3e-3}  # fmt: skip
    return LanguageModelTrainer(task, Config(**{**config, **settings}))


@pytest.mark.parametrize("advantage", ["gae(lam=1.0)", 'gae(level="turn", lam=0.9)'])
def test_proximal_policy_optimisation_learns_which_arm_wins(advantage):
    trainer = train(advantage=advantage, value_learning_rate=1e-2)
    history = [trainer.step() for _ in range(36)]
    assert history[20]["return_mean"] < 2.2
    assert history[-1]["return_mean"] > 3.5
    assert history[-1]["value_loss"] < 1


def test_the_policy_does_not_feel_what_its_critic_learns():
    one, other = (
        train(advantage="gae", sft_updates=0, value_learning_rate=rate) for rate in (1e-3, 1.0)
    )
    assert one.step()["policy_loss"] == other.step()["policy_loss"]
    for a, b in zip(one.model.network.parameters(), other.model.network.parameters(), strict=True):
        assert torch.equal(a, b)
    assert one.step()["policy_loss"] != other.step()["policy_loss"], "advantages are its part"


def test_a_critic_goes_on_exactly():
    one, other = (train(advantage="gae", sft_updates=1, value_clip=0.2) for _ in range(2))
    for _ in range(3):
        one.step()
    arrays, meta = one.state()
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    for _ in range(2):
        assert one.step() == other.step()
