"""Examples in files, data sets and from rollouts, and a model that imitates them."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.contexts import CONTEXTS
from spelunk.agents.llm.imitation.examples import (
    Example,
    from_dataset,
    read_examples,
    right_examples,
    rollout_examples,
    to_dataset,
    trace_examples,
    write_examples,
)
from spelunk.agents.llm.imitation.experts import TracedAgent, expert_for
from spelunk.agents.llm.imitation.sft import encode_example, imitate
from spelunk.agents.llm.imitation.traces import trace_texts
from spelunk.agents.llm.measuring.answers import TEST_SEEDS
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.sampler import Session, pad_left, sample
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import play
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError

BANDIT = "spelunk/BernoulliBandit-v0"
COUNTDOWN = "spelunk/CountdownAnswer-v0"
EASY: dict[str, Any] = {"dialect": "compact", "numbers": 3, "target": (1, 20), "highest": 10}
EXAMPLES = [
    Example.of("3 5 4 = 32", "( 3 + 5 ) * 4", format="direct"),
    Example((("first « 1 »\u2028", "a"), ("", "")), {"return": 0.5, "right": True}),
]


def small(env_id, **kwargs):
    tokenizer = build_tokenizer(collect_texts(env_id, episodes=16, **kwargs))
    return LanguageModel.small(tokenizer, hidden_size=32, layers=1, heads=2)


@pytest.fixture(scope="module")
def traced():
    env: Any = gymnasium.make(COUNTDOWN, **EASY).unwrapped
    texts = trace_texts(env, "direct", 24)
    return [Example.of(task, text, format="direct") for task, text in texts]


def test_files_give_back_what_was_written(tmp_path):
    path = tmp_path / "examples.jsonl"
    write_examples(path, EXAMPLES)
    assert list(read_examples(path)) == EXAMPLES
    first = json.loads(path.read_text(encoding="utf-8").split("\n")[0])
    assert first == {
        "messages": [
            {"role": "user", "content": "3 5 4 = 32"},
            {"role": "assistant", "content": "( 3 + 5 ) * 4"},
        ],
        "format": "direct",
    }


def test_data_sets_give_back_what_was_written(tmp_path):
    dataset = to_dataset(EXAMPLES)
    assert set(dataset.column_names) == {"messages", "format", "return", "right"}
    assert list(from_dataset(dataset)) == EXAMPLES
    dataset = dataset.add_column("other", [None, "x"])
    assert list(from_dataset(dataset))[1].about["other"] == "x"
    with pytest.raises(InvalidArgumentError, match=r"row 0: .*with messages"):
        list(from_dataset(dataset.remove_columns("messages")))


GOOD = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[1]", "with messages"),
        ('{"messages": []}', "with messages"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "pairs"),
        (GOOD.replace("user", "system"), "message 1 must be a text by the user"),
        (GOOD.replace('"b"', "3"), "message 2 must be a text by the assistant"),
        (GOOD.replace('"b"', '"\\ud800"'), "message 2"),
        ("[" * 100_000, "recursion"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_malformed_lines_are_named(tmp_path, line, complaint):
    path = tmp_path / "bad.jsonl"
    line = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(GOOD.encode() + b"\n" + line + b"\n" + GOOD.encode())
    read = read_examples(path)
    assert next(read).turns == (("a", "b"),)
    with pytest.raises(InvalidArgumentError, match=rf"bad\.jsonl, line 2: .*{complaint}"):
        next(read)


@pytest.mark.parametrize("context", ["rewards", "state"])
def test_rollouts_become_what_was_told_and_said(context):
    """Written as tokens again, they are the rollout."""
    kwargs: dict[str, Any] = {"arms": 3, "horizon": 4}
    model = small(BANDIT, **kwargs)
    env: Any = gymnasium.make_vec(BANDIT, num_envs=4, autoreset_mode="SAME_STEP", **kwargs)
    agent = TracedAgent(expert_for(BANDIT, None), model, CONTEXTS[context])
    rollout = play(agent, env, [3, 3, 5, 5], seed=1, pad=model.end)
    examples = list(rollout_examples(rollout, model, env_id=BANDIT))
    assert len(examples) == (4 if context == "rewards" else 16)
    for i, example in enumerate(examples):
        episode = int(rollout.episodes[i])
        assert example.about == {
            "env_id": BANDIT,
            "episode": episode,
            "group": episode // 2,
            "return": rollout.rewards[episode].sum(),
            "truncated": False,
        }
        tokens, imitated = encode_example(model, example)
        n = len(tokens)
        assert tokens == rollout.tokens[i, :n].tolist()
        assert imitated == rollout.generated[i, :n].tolist()
        assert not rollout.generated[i, n:].any()
        assert example.turns[-1][1].startswith("pull ")


def test_a_model_imitates_and_its_right_answers_are_kept(traced):
    model = small(COUNTDOWN, **EASY)
    losses = imitate(model, traced, epochs=60, batch_size=8, learning_rate=1e-2, warmup=10)
    assert losses[-1] < 0.3 < 2 < losses[0]
    agent = LanguageModelAgent(model, max_tokens=12)
    kept = right_examples(agent, COUNTDOWN, EASY, problems=60, samples=12, most=2)
    assert kept
    env: Any = gymnasium.make(COUNTDOWN, **EASY)
    by_seed: dict[int, list[str]] = {}
    for example in kept:
        ((told, said),) = example.turns
        env.reset(seed=example.about["seed"])
        assert told == env.unwrapped.describe()
        assert env.step(said)[1] == example.about["return"] == 1
        assert example.about["env_id"] == COUNTDOWN
        by_seed.setdefault(example.about["seed"], []).append(said)
    assert all(len(said) == len(set(said)) <= 2 for said in by_seed.values())
    assert set(by_seed) <= set(range(60))


def test_the_loss_is_that_of_what_was_said(traced):
    model = small(COUNTDOWN, **EASY)
    with torch.no_grad():
        total = count = 0.0
        for example in traced[:3]:
            tokens, imitated = encode_example(model, example)
            log_probs = model.log_probs(torch.tensor([tokens]))[0]
            total -= float(log_probs[torch.tensor(imitated)].sum())
            count += len(model.encode_answer(example.turns[0][1]))
    (loss,) = imitate(model, traced[:3], batch_size=3)
    assert loss == pytest.approx(total / count, rel=1e-5)


def test_imitation_is_repeated_exactly_by_its_seed(traced):
    def run(seed):
        model = small(COUNTDOWN, **EASY)
        return imitate(model, traced, epochs=2, batch_size=5, seed=seed)

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_the_trace_factory_writes_examples():
    found = list(trace_examples(COUNTDOWN, "dfs", 5, EASY, seed=3, coverage=0.5, noise=0.1))
    env: Any = gymnasium.make(COUNTDOWN, **EASY).unwrapped
    wanted = trace_texts(env, "dfs", 5, seed=3, coverage=0.5, noise=0.1)
    assert [example.turns for example in found] == [(pair,) for pair in wanted]
    assert found[0].about == {
        "env_id": COUNTDOWN, "format": "dfs", "seed": 3, "coverage": 0.5, "noise": 0.1
    }  # fmt: skip
    with pytest.raises(InvalidArgumentError, match="one turn"):
        list(trace_examples(BANDIT, "direct", 1, {}))


def trainer(path, **kwargs):
    task = Task(COUNTDOWN, 10**6, 16, env_kwargs=EASY)
    config = {
        "hidden_size": 32,
        "layers": 1,
        "heads": 2,
        "num_minibatches": 2,
        "group_size": 4,
        "sft_updates": 40,
        "sft_learning_rate": 1e-2,
        "sft_warmup": 10,
        "max_tokens": 12,
    }
    return LanguageModelTrainer(task, Config(**config | {"traces": str(path)} | kwargs))


def test_training_begins_with_a_file(tmp_path, traced):
    """Traces are drawn as often as one another, nothing is played, and what is learned is said."""
    path = tmp_path / "traces.jsonl"
    write_examples(path, traced[:2])
    one, other = trainer(path), trainer(path)
    drawn, _ = one._traces.draw(400, one.model, torch.Generator().manual_seed(0))
    first = one.model.encode_given(traced[0].turns[0][0])
    share = (drawn[:, : len(first)] == torch.tensor(first)).all(1).float().mean()
    assert 0.4 < share < 0.6
    losses = [one.step() for _ in range(40)]
    assert "expert_return_mean" not in losses[0]
    assert one.env_steps == 0
    assert losses[-1]["imitation_loss"] < 0.1 < 2 < losses[0]["imitation_loss"]
    seen = {tuple(example.turns[0]) for example in traced[:2]}
    session = Session(one.model, 2)
    session.extend(*pad_left([one.model.encode_given(told) for told, _ in seen], one.model.device))
    answers = sample(session, torch.Generator(), temperature=0, max_tokens=12)
    assert [one.model.decode(tokens) for tokens in answers.tokens] == [said for _, said in seen]
    assert "return_mean" in one.step()
    for _ in range(3):
        other.step()
    arrays, meta = other.state()
    third = trainer(path)
    third.load_state({k: v.copy() for k, v in arrays.items()}, meta)
    assert third.step() == other.step()


def test_a_small_model_knows_the_words_of_its_traces(tmp_path):
    path = tmp_path / "traces.jsonl"
    write_examples(path, [Example.of("1 2 3 = 6", "Zounds, 1 + 2 + 3")])
    learner = trainer(path)
    assert len(learner.model.encode_given("zounds")) == 1
    with pytest.raises(InvalidArgumentError, match="a file of examples; there is no"):
        trainer(tmp_path / "none")
    (tmp_path / "empty").touch()
    with pytest.raises(InvalidArgumentError, match="has no examples"):
        trainer(tmp_path / "empty")
    path.write_text(GOOD + "\n{}\n")
    with pytest.raises(InvalidArgumentError, match="line 2"):
        trainer(path)
    write_examples(path, [Example.of("1", "2"), Example.of("1 " * 5000, "2")])
    with pytest.raises(InvalidArgumentError, match=r"traces\.jsonl: example 1 has 500\d tokens"):
        trainer(path).step()


def test_wrong_arguments_are_refused(traced):
    model = small(COUNTDOWN, **EASY)
    for bad in ({"examples": []}, {"epochs": 0}, {"batch_size": 0}, {"warmup": 0}):
        with pytest.raises(InvalidArgumentError, match="at least 1"):
            imitate(model, **({"examples": traced} | bad))
    long = Example.of("1 " * 5000, "2")
    with pytest.raises(InvalidArgumentError, match=r"example 1 has 500\d tokens.*4096"):
        imitate(model, [traced[0], long])
    agent = LanguageModelAgent(model)
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        right_examples(agent, COUNTDOWN, EASY, samples=0)
    with pytest.raises(InvalidArgumentError, match="2\\*\\*40"):
        right_examples(agent, COUNTDOWN, EASY, problems=2, seed=TEST_SEEDS - 1)
    assert np.isfinite(imitate(model, traced)).all()
