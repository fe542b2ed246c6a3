"""TRL's own trainer on prompts, rewards and tools of the suite; no network."""

import socket
from typing import Any

import gymnasium
import huggingface_hub.constants
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AddedToken, PreTrainedTokenizerFast

from spelunk.agents.llm.imitation.sft import imitation_loss
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError
from spelunk.wrappers.adapters.trl import as_trl_task

COUNTDOWN = "spelunk/CountdownAnswer-v0"
EASY: dict[str, Any] = {"dialect": "compact", "numbers": 3, "target": (1, 50), "highest": 20}
BANDIT = "spelunk/BernoulliBandit-v0"
CALL = '<tool_call>\n{"name": "act", "arguments": {"action": "pull 1"}}\n</tool_call>'

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture
def offline(monkeypatch):
    """No telemetry, and no connection at all."""
    tried = []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))
    yield
    assert tried == []


def trainer(folder, model, **kwargs):
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    settings = GRPOConfig(
        str(folder),
        use_cpu=True,
        bf16=False,
        max_steps=2,
        per_device_train_batch_size=8,
        num_generations=4,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        learning_rate=1e-3,
        max_completion_length=kwargs.pop("max_completion_length", 8),
    )
    return GRPOTrainer(model.network, args=settings, processing_class=model.tokenizer, **kwargs)


def learn(model, tokens, imitated, steps):
    optimizer = torch.optim.Adam(model.network.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        imitation_loss(model, tokens, imitated).backward()
        optimizer.step()


def test_prompts_are_what_our_own_rollouts_tell():
    data = as_trl_task(COUNTDOWN, **EASY).prompts(3, seed=5)
    env = gymnasium.make(COUNTDOWN, **EASY)
    for i, row in enumerate(data):
        env.reset(seed=5 + i)
        assert row == {"prompt": env.unwrapped.describe() + "\n", "seed": 5 + i}
    chat = as_trl_task(COUNTDOWN, **EASY).prompts(1, seed=5, chat=True)
    assert chat["prompt"][0] == [{"role": "user", "content": data["prompt"][0].strip()}]
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        as_trl_task(COUNTDOWN).prompts(0)


def test_completions_earn_what_the_environment_gives():
    task = as_trl_task(COUNTDOWN, **EASY)
    env: Any = gymnasium.make(COUNTDOWN, **EASY)
    env.reset(seed=7)
    right = env.unwrapped.solve(env.unwrapped.state, env.np_random).answer
    said = [right, f" {right}\n", "1 + 1", "", f"answer: {right}", "<answer>(", "𓀀\x00"]
    assert task.episode_return([], said, [7] * 7) == [1, 1, 0, 0, 1, 0, 0]
    assert task.episode_return([], [right, right], [8, 7]) == [0, 1]
    messages = [[{"role": "assistant", "content": right}], [{"role": "assistant"}]]
    assert task.episode_return([], messages, [7, 7]) == [1, 0]


def test_rewards_that_cannot_be_are_refused():
    with pytest.raises(InvalidArgumentError, match="column seed is missing"):
        as_trl_task(COUNTDOWN).episode_return(["3 4"], ["3"])
    with pytest.raises(InvalidArgumentError, match=r"no messages.*environment_factory"):
        as_trl_task(BANDIT).episode_return([""], ["pull 1"], [0])
    with pytest.raises(InvalidArgumentError, match=r"more than one turn.*environment_factory"):
        as_trl_task("spelunk/KnowledgeSearch-v0", actions="text").episode_return([""], ["x"], [0])


def test_trl_trains_on_one_turn(tmp_path, offline):
    task = as_trl_task(COUNTDOWN, **EASY)
    texts = collect_texts(COUNTDOWN, episodes=16, **EASY)
    model = LanguageModel.small(build_tokenizer(texts), hidden_size=32, layers=1, heads=2)
    data, env = task.prompts(4), gymnasium.make(COUNTDOWN, **EASY)
    rows = []
    for start in data["seed"]:  # so that some answers are right
        env.reset(seed=start)
        unwrapped: Any = env.unwrapped
        answer = unwrapped.solve(unwrapped.state, env.np_random).answer
        rows.append((model.encode_given(unwrapped.describe()), model.encode_answer(answer)))
    width = max(len(given) + len(answer) for given, answer in rows)
    tokens = torch.full((4, width), model.end)
    imitated = torch.zeros(4, width, dtype=torch.bool)
    for i, (given, answer) in enumerate(rows):
        tokens[i, : len(given) + len(answer)] = torch.tensor(given + answer)
        imitated[i, len(given) : len(given) + len(answer)] = True
    learn(model, tokens, imitated, 40)
    seen = []

    def reward(prompts, completions, seed, **columns):
        seen.extend(zip(prompts, completions, seed, strict=True))
        return task.episode_return(prompts, completions, seed, **columns)

    before = [p.clone() for p in model.network.parameters()]
    trl = trainer(tmp_path, model, reward_funcs=reward, train_dataset=data)
    trl.train()
    assert len(seen) == 16
    rewards = []
    for prompt, completion, start in seen:
        env.reset(seed=start)
        assert prompt == env.unwrapped.describe() + "\n"
        rewards.append(env.step(completion.strip())[1])
    assert 0 < sum(rewards) < 16
    assert list(trl._logs["rewards"]["reward"]) == rewards[-8:]
    assert any((p != q).any() for p, q in zip(model.network.parameters(), before, strict=True))


def test_trl_plays_many_turns_by_calls_of_a_tool(tmp_path, offline):
    """The model has learned one call; it makes it once more than the episode is long."""
    from trl.chat_template_utils import qwen3_chat_template

    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = Tokenizer(models.BPE({c: i for i, c in enumerate(characters)}, []))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, pad_token="<pad>")
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
    tokenizer.add_tokens([AddedToken(CALL, normalized=False)])
    tokenizer.chat_template = qwen3_chat_template
    model = LanguageModel.small(tokenizer, hidden_size=32, layers=1, heads=2)
    call = [*tokenizer.encode("\n"), *tokenizer.encode(CALL), model.end]
    given = torch.randint(0, 256, (8, 20), generator=torch.Generator().manual_seed(0))
    tokens = torch.cat((given, torch.tensor([call] * 8)), 1)
    learn(model, tokens, torch.arange(tokens.shape[1]).expand_as(tokens) >= 21, 60)

    task = as_trl_task(BANDIT, arms=3, horizon=2)
    trl = trainer(
        tmp_path,
        model,
        train_dataset=task.prompts(4, chat=True),
        environment_factory=task.environment,
        max_completion_length=1000,
    )
    trl.train()
    env = gymnasium.make(BANDIT, arms=3, horizon=2)
    returns = []
    for start in range(4):
        env.reset(seed=start)
        returns.append(sum(float(env.step(1 - 1)[1]) for _ in range(2)))
    assert set(trl._logs["rewards"]["ToolEnvironment"]) <= set(returns)
    whole = [c for c in trl._logs["completion"] if sum(m["role"] == "tool" for m in c) >= 3]
    assert whole
    told = [m["content"] for m in whole[0] if m["role"] == "tool"]
    assert told[0].startswith("reward ")
    assert told[1].endswith("The episode is over.")
    assert told[2].startswith("{'error': 'the episode is over")


def test_tools_act_as_the_environment_does():
    played = as_trl_task(BANDIT, arms=3, horizon=2).environment()
    with pytest.raises(InvalidActionError, match="over"):
        played.act("pull 1")
    env: Any = gymnasium.make(BANDIT, arms=3, horizon=2)
    for seed in range(3):
        env.reset(seed=seed)
        assert played.reset(prompt=[], seed=seed) is None
        with pytest.raises(ValueError, match="names no action"):
            played.act("pull nothing")
        total = 0.0
        for arm in (2, 1):
            reward = float(env.step(arm - 1)[1])
            total += reward
            told = played.act(f" pull {arm}\n")
            assert told.startswith(f"reward {reward:g}\n{env.unwrapped.describe()}")
        assert told.endswith("\nThe episode is over.")
        assert played.get_reward() == total
