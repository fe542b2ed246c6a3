"""Shares of the gradient against gradients taken apart, and what a training has cost."""

import json

import pytest
import torch

from spelunk.agents.core.budget import BudgetRecord, flops_of
from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.config import Config
from spelunk.agents.llm.training.trainer import LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError

ID, ENV = "spelunk/BernoulliBandit-v0", {"arms": 3, "horizon": 6}


def make(**settings):
    config = {"hidden_size": 32, "layers": 1, "heads": 2, "num_minibatches": 2, "group_size": 4,
              "sft_updates": 0}  # fmt: skip
    return LanguageModelTrainer(Task(ID, 10**6, 16, ENV), Config(**{**config, **settings}))


def gradient(trainer, loss):
    parameters = list(trainer.model.network.parameters())
    found = torch.autograd.grad(loss, parameters, retain_graph=True)
    return torch.cat([part.flatten() for part in found])


def test_shares_are_those_of_gradients_taken_apart():
    """Of an entropy bonus and a term that doubles what there is."""
    trainer = make(regularisers=("entropy_bonus(coefficient=0.3)", "steer"), num_minibatches=1)
    _, played = trainer._explore()
    rollout = played.rollout
    advantages = torch.randn(rollout.tokens.shape) * rollout.generated
    batch = trainer.learner.minibatch(rollout, advantages, torch.arange(16))
    policy = -(batch.ratio * batch.advantages)
    stages = [
        ("reinforce", policy),
        ("bonus", policy - 0.3 * batch.entropies * batch.generated),
        ("double", 2 * (policy - 0.3 * batch.entropies * batch.generated)),
    ]
    found = trainer.learner._gradients(stages, batch)
    count = batch.generated.sum()
    of_policy = gradient(trainer, (policy * batch.generated).sum() / count)
    of_bonus = gradient(trainer, -0.3 * batch.entropies.sum() / count)
    whole = (2 * (of_policy + of_bonus)).norm()
    expected = {
        "reinforce_gradient": of_policy.norm() / whole,
        "bonus_gradient": of_bonus.norm() / whole,
        "double_gradient": 0.5,
    }
    assert found == pytest.approx({k: float(v) for k, v in expected.items()}, rel=1e-4)


def test_shares_are_measured_every_so_often_and_change_nothing():
    settings = {"regularisers": ("entropy_bonus(coefficient=0.1)", "clip_cov(share=0.1)")}
    often, never = make(share_updates=2, **settings), make(share_updates=0, **settings)
    names = {"ppo_clip_gradient", "entropy_bonus_gradient", "clip_cov_gradient"}
    for update in range(4):
        told, plain = often.step(), never.step()
        assert names & told.keys() == (names if update % 2 == 0 else set())
        assert {k: v for k, v in told.items() if k not in names} == plain
    assert not any(name.endswith("_gradient") for name in make(share_updates=1).step())
    with pytest.raises(InvalidArgumentError, match="share_updates"):
        make(share_updates=-1)


@pytest.mark.parametrize("needs", [{}, {"regularisers": ("kl(coefficient=0.1)",)}])
def test_a_training_knows_what_it_has_cost(needs):
    trainer = make(epochs=3, **needs)
    seen, learn = [], trainer._learn
    trainer._learn = lambda rollout, *rest: seen.append(rollout) or learn(rollout, *rest)
    told = [trainer.step() for _ in range(2)]
    network = trainer.model.network
    lengths = [rollout.ends.tolist() for rollout in seen]
    flops = sum(
        flops_of(network, ends) * (1 + len(needs)) + 3 * flops_of(network, ends, training=True)
        for ends in lengths
    )
    assert trainer.budget == BudgetRecord(
        env_steps=2 * 16 * 6,
        model_calls=2 * 16 * 6,
        tokens_generated=sum(int(rollout.generated.sum()) for rollout in seen),
        tokens_trained=3 * sum(map(sum, lengths)),
        flops=flops,
    )
    assert told[1]["flops"] == flops
    assert told[0]["tokens_generated"] == float(seen[0].generated.sum())


def test_more_episodes_are_counted_and_replays_are_not():
    """Whom editors have played is in the count; what they only add again is not."""
    trainer = make(editors=("aepo(target=9.0, most=4)", "self_imitation(threshold=0.0)"))
    seen, learn = [], trainer._learn
    trainer._learn = lambda rollout, *rest: seen.append(rollout) or learn(rollout, *rest)
    for update in range(1, 3):
        trainer.step()
        # Sixteen episodes, and one group of four again, of six steps each.
        assert trainer.budget.env_steps == update * 20 * 6 == trainer.budget.model_calls
    assert seen[1].replayed is not None


def test_imitation_is_training_and_its_experts_generate_nothing():
    trainer = make(sft_updates=1)
    played, play = [], trainer._play
    trainer._play = lambda *args, **kwargs: played.append(play(*args, **kwargs)) or played[0]
    trainer.step()
    lengths = played[0].ends.tolist()
    flops = flops_of(trainer.model.network, lengths, training=True)
    assert trainer.budget == BudgetRecord(
        env_steps=16 * 6, tokens_trained=sum(lengths), flops=flops
    )


def test_costs_go_on_after_a_checkpoint():
    trainer, other = make(), make()
    trainer.step()
    arrays, meta = trainer.state()
    other.load_state(arrays, json.loads(json.dumps(meta)))
    assert other.budget == trainer.budget
    assert other.step()["flops"] == trainer.step()["flops"]
    # Checkpoints of before this was counted still load.
    for name in ("budget", "outcomes", "asked"):
        del meta[name]
    del meta["memory"]["starts"]
    other.load_state(arrays, meta)
    assert other.env_steps == meta["env_steps"] == other.budget.env_steps
