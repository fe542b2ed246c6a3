"""Rollouts, agents and training on small bandits."""

import dataclasses
import json
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.contexts import CONTEXTS, context
from spelunk.agents.llm.imitation.experts import TracedAgent, expert_for
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import join, play
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError

ID = "spelunk/BernoulliBandit-v0"
ENV: dict[str, Any] = {"arms": 3, "horizon": 6}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model():
    texts = collect_texts(ID, episodes=8, **ENV)
    return LanguageModel.small(build_tokenizer(texts), hidden_size=16, layers=1, heads=2)


@pytest.fixture
def env():
    env = gymnasium.make_vec(ID, num_envs=4, autoreset_mode="SAME_STEP", **ENV)
    yield env
    env.close()


def small(**kwargs):
    config = {"hidden_size": 32, "layers": 1, "heads": 2, "num_minibatches": 2, "group_size": 4,
              "sft_learning_rate": 1e-2, "sft_warmup": 10}  # fmt: skip
    env_kwargs = kwargs.pop("env_kwargs", ENV)
    num_envs = kwargs.pop("num_envs", 16)
    task = Task(ID, 10**6, num_envs, env_kwargs=env_kwargs, seed=kwargs.pop("seed", 0))
    return LanguageModelTrainer(task, Config(**{**config, **kwargs}))


def read(model, rollout, row):
    """The given and the generated text of a sequence."""
    tokens, generated = rollout.tokens[row], rollout.generated[row]
    return [model.decode(tokens[kept].tolist()) for kept in (~generated, generated)]


@pytest.mark.parametrize("name", CONTEXTS)
def test_rollouts_hold_what_was_said(model, env, name):
    expert = TracedAgent(expert_for(ID, "ucb1"), model, context(name))
    rollout = play(expert, env, [7, 8, 9, 10], seed=0, pad=model.end)
    assert rollout.lengths.tolist() == [6] * 4
    assert rollout.groups.tolist() == [0, 1, 2, 3]
    remembers = CONTEXTS[name].remembers
    assert len(rollout.tokens) == (4 if remembers else 24)
    row = int((rollout.episodes == 2).nonzero()[0])
    given, answers = read(model, rollout, row)
    # UCB1 first pulls every arm once, in order.
    assert answers.startswith("pull 1 pull 2 pull 3" if remembers else "pull 1")
    assert given.startswith("there are 3 arms. you have pulled nothing yet. 6 pulls left.")
    if name == "rewards":
        seen = [float(word) for word in given.split("reward ")[1:]]
        assert seen == rollout.rewards[2, :5].tolist()
    assert rollout.turns[row].max() == (5 if remembers else 0)


def test_rollout_log_probs_equal_a_teacher_forced_pass(model, env):
    for name in CONTEXTS:
        rollout = play(LanguageModelAgent(model, name), env, [1, 1, 2, 2], seed=5, pad=model.end)
        log_probs = model.log_probs(rollout.tokens)
        torch.testing.assert_close(
            rollout.log_probs, log_probs * rollout.generated, atol=1e-4, rtol=1e-4
        )
        assert rollout.groups.tolist() == [0, 0, 1, 1]
        assert len(rollout.answers) == 4
        said = rollout.tokens[-1][rollout.turns[-1] == rollout.turns[-1].max()]
        lane = int(rollout.episodes[-1])
        assert rollout.answers[lane] == model.decode(said.tolist())


def test_values_are_spread_over_generated_tokens_only(model, env):
    rollout = play(LanguageModelAgent(model, "rewards"), env, [1, 2, 3, 4], seed=0, pad=model.end)
    spread = rollout.per_token(torch.arange(24.0).reshape(4, 6) + 1)
    assert (spread[~rollout.generated] == 0).all()
    for episode in range(4):
        last = spread[episode][rollout.turns[episode] == 5]
        assert last.unique().tolist() == [6.0 * episode + 6]


def test_unparsed_answers_become_random_legal_actions(model, env):
    env.reset(seed=0)
    agent = LanguageModelAgent(model, "state")
    agent.start(env, 0)
    for _ in range(5):
        actions = agent.act(None, {})
        assert env.action_space.contains(np.asarray(actions))
        _, rewards, terminated, truncated, _ = env.step(actions)
        agent.update(actions, rewards, terminated | truncated)
    assert agent.answers == 20
    assert 0 < agent.unparsed <= 20  # an untrained model seldom names an arm


def test_agents_from_a_folder_play(model, env, tmp_path):
    model.save_pretrained(tmp_path)
    agent = LanguageModelAgent.from_pretrained(tmp_path, context="rewards", temperature=0.0)
    rollouts = [play(agent, env, [3, 3, 3, 3], seed=i, pad=agent.model.end) for i in range(2)]
    assert rollouts[0].lengths.tolist() == [6] * 4
    generated = [rollout.tokens[0, :20] for rollout in rollouts]
    assert torch.equal(*generated)  # greedy answers do not depend on the agent's seed


def test_episodes_of_a_group_meet_the_same_luck():
    trainer = small(env_kwargs={"arms": 2, "horizon": 5})
    expert = TracedAgent(expert_for(ID, "ucb1"), trainer.model, context("rewards"))
    rollout = trainer._play(expert, groups_of=4)
    assert rollout.groups.tolist() == [i // 4 for i in range(16)]
    rewards = rollout.rewards.reshape(4, 4, 5)
    assert (rewards == rewards[:, :1]).all()  # UCB1 is deterministic
    assert len(rewards[:, 0].unique(dim=0)) > 1
    assert trainer.env_steps == 16 * 5
    assert trainer._starts == 4


@pytest.mark.parametrize("loss", ["ppo_clip", "reinforce"])
def test_given_tokens_get_no_gradient(loss):
    trainer = small(loss=loss, sft_updates=0, num_minibatches=1)
    trainer.learner.minibatches = lambda n: (torch.arange(n),)
    kept, rollouts, learn = [], [], trainer._learn
    trainer._learn = lambda rollout, *rest: rollouts.append(rollout) or learn(rollout, *rest)

    def keep(module, inputs, output):
        if output.logits.requires_grad:
            output.logits.retain_grad()
            kept.append(output.logits)

    trainer.model.network.register_forward_hook(keep)
    trainer.step()
    touched = kept[0].grad.abs().sum(-1) > 0
    assert touched.any()
    assert not touched[~rollouts[0].generated[:, 1:]].any()


def test_imitation_lowers_its_loss():
    trainer = small(expert="ucb1", num_envs=64)
    losses = [trainer.step()["imitation_loss"] for _ in range(25)]
    assert losses[0] > 3
    assert losses[-1] < 0.8


def test_reinforcement_learns_which_arm_wins():
    trainer = small(
        env_kwargs={"means": [0.0, 1.0, 0.0], "horizon": 4},
        expert="random", sft_updates=20, learning_rate=3e-3, num_envs=64,
    )  # fmt: skip
    history = [trainer.step() for _ in range(50)]
    assert history[20]["return_mean"] < 2
    assert history[-1]["return_mean"] > 3.5
    assert history[-1]["unparsed"] < 0.05


@pytest.mark.parametrize("done", [1, 2, 3])
def test_training_goes_on_exactly(done):
    """Whether interrupted in imitation, between the phases, or in reinforcement learning."""
    trainer, other = (small(sft_updates=2, seed=4) for _ in range(2))
    for _ in range(done):
        trainer.step()
    arrays, meta = trainer.state()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    other.load_state({k: v.copy() for k, v in arrays.items()}, meta)
    for _ in range(2):
        assert trainer.step() == other.step()
    assert trainer.env_steps == other.env_steps
    for a, b in zip(
        trainer.model.network.parameters(), other.model.network.parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_wrong_arguments_are_explained():
    with pytest.raises(InvalidArgumentError, match="advantage must be one of"):
        small(advantage="best")
    with pytest.raises(InvalidArgumentError, match="multiple of group_size"):
        small(num_envs=6)
    with pytest.raises(InvalidArgumentError, match="context must be one of"):
        small(context="whispers")
    with pytest.raises(InvalidArgumentError, match="temperature must be positive"):
        small(temperature=0.0)
    with pytest.raises(InvalidArgumentError, match="no usual expert"):
        expert_for("spelunk/DoorKey-v0", None)


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_environments_that_answer_in_texts_train_too(actions):
    task = Task("spelunk/KnowledgeSearch-v0", 100, 4, {"actions": actions, "max_episode_steps": 6})
    config = Config(hidden_size=16, layers=1, heads=2, group_size=2, sft_updates=1,
                    num_minibatches=2, max_tokens=3)  # fmt: skip
    trainer = LanguageModelTrainer(task, config)
    assert trainer.step()["expert_return_mean"] == 1
    metrics = trainer.step()
    assert 0 <= metrics["return_mean"] <= 1
    assert metrics["unparsed"] > 0.9
    if actions == "text":
        assert metrics["length_mean"] == 6, "malformed messages cost a turn and nothing else"
    assert 1 <= metrics["length_mean"] <= 6


def test_logs_tell_of_the_episodes_that_were_played():
    """Replays of the better episodes are learned from, and change neither return nor entropy."""
    task = Task("spelunk/BernoulliBandit-v0", 10**4, 16, {"arms": 2, "horizon": 4})
    figures = []
    for editors in ((), ("self_imitation(threshold=0.1)",)):
        config = Config(hidden_size=16, layers=1, heads=2, group_size=4, sft_updates=1,
                        num_minibatches=2, learning_rate=1e-30, editors=editors)  # fmt: skip
        trainer = LanguageModelTrainer(task, config)
        figures.append([trainer.step() for _ in range(4)][-1])
    plain, edited = figures
    assert edited["tokens"] > plain["tokens"]
    for name in ("return_mean", "length_mean", "sampled_entropy"):
        assert edited[name] == pytest.approx(plain[name]), name


def test_idle_lanes_play_nothing(model, env):
    rollout = play(LanguageModelAgent(model, "rewards"), env, [7, 7, 8], seed=0, pad=model.end)
    whole = play(LanguageModelAgent(model, "rewards"), env, [7, 7, 8, 9], seed=0, pad=model.end)
    assert len(rollout.groups) == len(rollout.tokens) == 3
    assert rollout.rewards.shape == (3, 6)
    assert torch.equal(rollout.tokens, whole.tokens[:3, : rollout.tokens.shape[1]])


@pytest.mark.parametrize("name", ["rewards", "state"])
def test_rollouts_are_taken_apart_and_joined(model, env, name):
    rollout = play(LanguageModelAgent(model, name), env, [7, 7, 8, 8], seed=0, pad=model.end)
    some, others = rollout.take(torch.tensor([0, 3])), rollout.take(torch.tensor([1, 2]))
    assert some.groups.tolist() == [0, 1]
    assert torch.equal(some.rewards, rollout.rewards[[0, 3]])
    assert some.answers == (rollout.answers[0], rollout.answers[3])
    marked = dataclasses.replace(others, imitated=torch.ones(len(others.tokens), dtype=torch.bool))
    both = join(some, marked)
    assert both.groups.tolist() == [0, 1, 2, 3]
    assert both.imitated.sum() == len(others.tokens)
    turns = rollout.per_token(torch.ones(4, 6)).sum()
    assert both.per_token(torch.ones(4, 6)).sum() == turns
    for episode, before in enumerate([0, 3, 1, 2]):
        rows = rollout.tokens[rollout.episodes == before]
        again = both.tokens[both.episodes == episode][:, : rows.shape[1]]
        assert torch.equal(rows, again)


def test_a_target_of_entropy_is_worked_for():
    """Groups played hotter or colder stand in for others, and are learned as they are."""
    trainer = small(
        expert="random", sft_updates=2, editors=("aepo(target=9.0, most=4)",), loss="reinforce"
    )  # fmt: skip
    seen = []
    learn = trainer._learn
    trainer._learn = lambda rollout, advantages, rows: (
        seen.append((rollout, advantages)) or learn(rollout, advantages, rows)
    )
    for _ in range(6):
        trainer.step()
    imitated = [(r, a) for r, a in seen if r.imitated is not None]
    assert imitated
    for rollout, advantages in imitated:
        assert len(rollout.groups) == 16
        own = advantages[rollout.imitated][rollout.generated[rollout.imitated]]
        assert (own == 1).all()
        assert (rollout.drawn != rollout.log_probs)[rollout.imitated].any()
    assert trainer.terms.memory()["editors.0"]["rollouts"] == 4


@pytest.mark.parametrize(
    "slots",
    [
        {"regularisers": ("kl(coefficient=0.1)", "epo")},
        {"transforms": ("verl(stride=2)", "empg(minimum=4)")},
        {
            "regularisers": ("siren", "clip_cov(share=0.1)"),
            "bonuses": ("kl_in_reward(coefficient=0.1)",),
        },
        {"sampling": "annealed(decay=6.0)", "filters": ("zero_variance",)},
    ],
)
def test_training_with_terms_goes_on_exactly(slots):
    """What terms remember, and the policy they compare with, are part of a checkpoint."""
    trainer, other = (small(sft_updates=2, seed=4, num_minibatches=2, **slots) for _ in range(2))
    for _ in range(4):
        trainer.step()
    arrays, meta = trainer.state()
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    for _ in range(2):
        assert trainer.step() == other.step()


def test_terms_with_wrong_settings_are_explained():
    with pytest.raises(InvalidArgumentError, match="regularisers must be one of"):
        small(regularisers=("magic",))
    with pytest.raises(InvalidArgumentError, match="has the settings"):
        small(loss="ppo_clip(width=3)")
    with pytest.raises(InvalidArgumentError, match="needs the setting 'coefficient'"):
        small(regularisers=("kl",))
    with pytest.raises(InvalidArgumentError, match="written as name"):
        small(loss="__import__('os')")


def test_a_rollout_of_which_nothing_is_kept_teaches_nothing():
    trainer = small(sft_updates=0, filters=("pass_rate(low=0.9, high=0.95)",))
    before = [p.clone() for p in trainer.model.network.parameters()]
    metrics = trainer.step()
    assert metrics["kept"] == 0
    assert "policy_loss" not in metrics
    assert all(map(torch.equal, before, trainer.model.network.parameters()))


def test_episodes_that_went_well_are_replayed_for_a_while():
    """Kept for two rollouts, marked, in groups of their own; through a checkpoint, too."""
    slots = {
        "editors": ("self_imitation(threshold=0.2, stale=2)",),
        "transforms": ("recalibrate(warmup=1)",),
        "advantage": "group_mean",
    }
    trainer, other = (small(expert="random", sft_updates=2, **slots) for _ in range(2))
    rollouts, learn = [], trainer._learn
    trainer._learn = lambda rollout, *rest: rollouts.append(rollout) or learn(rollout, *rest)
    for _ in range(6):
        trainer.step()
    assert rollouts[0].replayed is None
    for rollout in rollouts[1:]:
        replays = rollout.episodes[rollout.replayed]
        assert len(replays)
        assert replays.min() >= 16, "replays come after the new episodes"
        assert len(rollout.groups[replays].unique()) == len(replays)
    assert {entry["age"] for entry in trainer.terms.memory()["editors.0"]["kept"]} <= {0, 1, 2}
    trainer._learn = learn
    arrays, meta = trainer.state()
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    assert trainer.step() == other.step()


def test_adapters_alone_are_trained(model, tmp_path):
    """The model that they adapt stays as it was; checkpoints hold the adapters, and go on."""
    pytest.importorskip("peft")
    model.save_pretrained(tmp_path)
    settings = {
        "path": str(tmp_path), "lora_rank": 2, "expert": "ucb1", "sft_updates": 1,
        "regularisers": ("kl(coefficient=0.1)",),
    }  # fmt: skip
    trainer, other = (small(**settings) for _ in range(2))
    before = trainer.model.frozen_copy()
    for _ in range(2):
        trainer.step()
    arrays, meta = trainer.state()
    size = sum(a.size for name, a in arrays.items() if name.startswith("network."))
    assert size < sum(p.numel() for p in model.network.parameters()) / 2
    tokens = torch.tensor([[5, 6, 7, 8]])
    assert not torch.equal(trainer.model.logits(tokens), before.logits(tokens))
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    assert trainer.step() == other.step()
    with pytest.raises(InvalidArgumentError, match="lora_rank needs a model"):
        small(lora_rank=2)
