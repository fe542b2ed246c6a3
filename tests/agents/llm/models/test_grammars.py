"""With a grammar a model that knows nothing says what is understood, and is judged by what it had
to choose from."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.models.grammars import ActionMask, answer_grammar
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.token_sets import Allowed, TokenSets
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import join, play
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError
from spelunk.envs.textweb.grammar import Call

BANDIT = ("spelunk/BernoulliBandit-v0", {"arms": 12, "horizon": 4})
PUZZLE = ("spelunk/SlidingTile-v0", {"size": 3, "max_episode_steps": 6})
MENU = ("spelunk/KnowledgeSearch-v0", {"max_episode_steps": 5})
SEARCH = ("spelunk/KnowledgeSearch-v0", {"actions": "text", "max_episode_steps": 3})
COMPACT = (SEARCH[0], SEARCH[1] | {"dialect": "compact", "tools": ("note", "judge", "curate")})


def made(bed, n=4) -> Any:
    return gymnasium.make_vec(bed[0], num_envs=n, autoreset_mode="SAME_STEP", **bed[1])


def untrained(bed):
    texts = collect_texts(bed[0], episodes=8, **bed[1])
    return LanguageModel.small(build_tokenizer(texts), hidden_size=16, layers=1, heads=2)


def said(model, rollout):
    """The answers, in the order of sequences and turns."""
    found = []
    for tokens, turns in zip(rollout.tokens.tolist(), rollout.turns.tolist(), strict=True):
        for turn in sorted(set(turns) - {-1}):
            own = [t for t, i in zip(tokens, turns, strict=True) if i == turn]
            found.append(model.decode(own))
    return found


@pytest.mark.parametrize("bed", [BANDIT, PUZZLE, MENU, SEARCH, COMPACT])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_all_that_is_said_is_understood(bed, temperature):
    model, env = untrained(bed), made(bed)
    agent = LanguageModelAgent(model, "state", temperature, 40, grammar=True)
    rollout = play(agent, env, [1, 1, 2, 2], seed=3, pad=model.end)
    assert agent.answers == int(rollout.lengths.sum())
    assert agent.unparsed == 0
    assert not rollout.truncated[rollout.lengths < rollout.lengths.max()].any()
    answers = said(model, rollout)
    assert len(set(answers)) > 2
    if bed in (SEARCH, COMPACT):
        assert all(isinstance(env.prototype.read_message(text), Call) for text in answers)
    width = rollout.tokens.shape[1]
    allowed = rollout.allowed.rows(torch.arange(len(rollout.tokens)), width)
    assert allowed[~rollout.generated[:, 1:]].all(), "what was given could have been anything"
    assert not allowed[rollout.generated[:, 1:]].all(1).any()
    with torch.no_grad():
        forced = model.log_probs(rollout.tokens, temperature, allowed) * rollout.generated
        free = model.log_probs(rollout.tokens, temperature) * rollout.generated
    torch.testing.assert_close(rollout.log_probs, forced, atol=1e-4, rtol=1e-4)
    assert torch.equal(rollout.drawn, rollout.log_probs)
    assert float((free - forced).min()) < -1
    # The entropy of k tokens is at most log k, and 0 of one.
    sizes = allowed.sum(-1)[rollout.generated[:, 1:]]
    entropies = rollout.entropies[rollout.generated]
    assert (entropies <= sizes.log() + 1e-4).all()
    assert (entropies[sizes == 1] == 0).all()


def test_legal_actions_are_drawn_as_the_model_likes_them():
    """Shares of whole answers are products of what is left at each token."""
    bed = (BANDIT[0], {"arms": 3, "horizon": 1})
    model, env = untrained(bed), made(bed, 3000)
    agent = LanguageModelAgent(model, grammar=True)
    rollout = play(agent, env, [7] * 3000, seed=0, pad=model.end)
    shares = np.array([np.mean([a == f"pull {arm}" for a in rollout.answers]) for arm in (1, 2, 3)])
    assert shares.sum() == 1
    prompt = rollout.tokens[0][~rollout.generated[0] & (rollout.turns[0].cumsum(0) < 0)]
    given = prompt.tolist()[: int((rollout.turns[0] >= 0).nonzero()[0])]
    arms = [model.encode_answer(f"pull {arm}") for arm in (1, 2, 3)]
    assert len({tuple(arm[:1]) for arm in arms}) == 1
    with torch.no_grad():
        logits = model.network(torch.tensor([given + arms[0][:1]])).logits[0, -1]
    wanted = logits[[arm[1] for arm in arms]].softmax(-1).numpy()
    assert np.abs(shares - wanted).max() < 0.03


def test_only_legal_words_can_be_said():
    model, env = untrained(PUZZLE), made(PUZZLE, 2)
    env.reset(seed=[3, 4])
    grammar = answer_grammar(env, model)
    mask, longest = grammar.begin(np.ones(2, bool), [[], []], None)
    legal = [
        {env.action_words(lane, a) for a in np.flatnonzero(env.action_mask[lane])}
        for lane in (0, 1)
    ]
    assert longest == max(len(model.encode_answer(text)) for texts in legal for text in texts)
    for lane in (0, 1):
        first = grammar.sets.rows(mask.allowed())[lane].nonzero().flatten().tolist()
        assert set(first) == {model.encode_answer(text)[0] for text in legal[lane]}


def test_masks_follow_each_stream():
    sets = TokenSets(8, torch.device("cpu"))
    mask = ActionMask(sets, [[[3, 1], [3, 2, 1], [4, 1]], [], [[5, 1]]])

    def tokens():
        return [row.nonzero().flatten().tolist() for row in sets.rows(mask.allowed())]

    every = list(range(8))
    assert tokens() == [[3, 4], every, [5]]
    mask.advance(torch.tensor([3, 0, 5]))
    assert tokens() == [[1, 2], every, [1]]
    mask.advance(torch.tensor([2, 0, 1]))
    assert tokens() == [[1], every, every]
    assert len(sets.table()) == 5
    assert sets.table()[0].all()


def test_answers_that_have_begun_go_on_as_they_must():
    model, env = untrained(BANDIT), made(BANDIT, 3)
    env.reset(seed=0)
    begun = [model.encode_answer("pull 1")[:1], [], model.encode_answer("reward")[:1]]
    mask, _ = answer_grammar(env, model).begin(np.ones(3, bool), begun, None)
    sizes = mask.sets.rows(mask.allowed()).sum(-1).tolist()
    assert sizes == [12, 1, model.vocabulary], "an answer that leads nowhere is free"


@pytest.mark.parametrize("slots", [{}, {"regularisers": ("kl(coefficient=0.1)", "siren")}])
@pytest.mark.parametrize("bed", [BANDIT, MENU, COMPACT])
def test_the_ratio_is_one_before_the_first_step(bed, slots):
    task = Task(bed[0], 10**6, 8, env_kwargs=bed[1])
    config = Config(hidden_size=16, layers=1, heads=2, group_size=4, sft_updates=0, context="state",
                    num_minibatches=2, max_tokens=40, grammar=True, temperature=0.8,
                    learning_rate=0.0, **slots)  # fmt: skip
    trainer = LanguageModelTrainer(task, config)
    batches, losses = [], trainer.terms.losses

    def keep(batch):
        batches.append(batch)
        return losses(batch)

    trainer.terms.__dict__["losses"] = keep
    trainer._keep_reference()
    metrics = trainer.step()
    assert metrics["unparsed"] == 0
    entropies = torch.cat([batch.entropies[batch.generated] for batch in batches])
    assert float(entropies.mean()) == pytest.approx(metrics["sampled_entropy"], abs=1e-3)
    for batch in batches:
        assert torch.isfinite(batch.log_policy).all()
        torch.testing.assert_close(batch.ratio, torch.ones_like(batch.ratio), atol=1e-3, rtol=1e-3)
        if slots:
            assert (batch.reference[batch.generated] > -50).all()


def test_replays_keep_what_was_allowed():
    """Through the memory of a term, which is plain data, and a checkpoint."""
    task = Task(BANDIT[0], 10**6, 16, env_kwargs=BANDIT[1])
    config = Config(hidden_size=16, layers=1, heads=2, group_size=4, sft_updates=0,
                    num_minibatches=2, grammar=True, editors=("self_imitation(threshold=0.2)",),
                    transforms=("recalibrate(warmup=1)",))  # fmt: skip
    trainer, other = (LanguageModelTrainer(task, config) for _ in range(2))
    rollouts, learn = [], trainer._learn
    trainer._learn = lambda rollout, *rest: rollouts.append(rollout) or learn(rollout, *rest)
    for _ in range(3):
        trainer.step()
    rollout = rollouts[-1]
    rows = rollout.replayed.nonzero().flatten()
    assert len(rows)
    allowed = rollout.allowed.rows(rows, rollout.tokens.shape[1])
    drawn = allowed.gather(-1, rollout.tokens[rows, 1:, None]).squeeze(-1)
    assert drawn[rollout.generated[rows, 1:]].all()
    assert not allowed[rollout.generated[rows, 1:]].all(-1).any()
    trainer._learn = learn
    arrays, meta = trainer.state()
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    assert trainer.step() == other.step()


def test_sets_are_joined_and_taken_apart():
    model, env = untrained(BANDIT), made(BANDIT)
    masked = play(LanguageModelAgent(model, grammar=True), env, [1, 2, 3, 4], seed=0, pad=model.end)
    free = play(LanguageModelAgent(model, max_tokens=9), env, [1, 2, 3, 4], seed=0, pad=model.end)
    for both, start in ((join(masked, free), 0), (join(free, masked), len(free.tokens))):
        rows = torch.arange(start, start + len(masked.tokens))
        width = masked.tokens.shape[1]
        wanted = masked.allowed.rows(torch.arange(len(masked.tokens)), width)
        assert torch.equal(both.allowed.rows(rows, width), wanted)
        others = torch.ones(len(both.tokens), dtype=torch.bool)
        others[rows] = False
        assert (both.allowed.numbers[others] == 0).all()
        assert both.allowed.sets[0].all()
    some = masked.take(torch.tensor([1, 3]))
    kept = torch.isin(masked.episodes, torch.tensor([1, 3])).nonzero().flatten()
    assert torch.equal(some.allowed.rows(torch.arange(len(kept)), 6), masked.allowed.rows(kept, 6))
    assert len(some.allowed.sets) <= len(masked.allowed.sets)
    again = some.allowed.from_data(json.loads(json.dumps(some.allowed.to_data())))
    assert torch.equal(again.numbers, some.allowed.numbers)
    assert torch.equal(again.sets, some.allowed.sets)


def test_sets_are_kept_once():
    sets = TokenSets(70, torch.device("cpu"))
    rng = np.random.default_rng(0)
    rows = [rng.random(70) < 0.5 for _ in range(20)]
    numbers = [sets.number(row) for row in rows + rows]
    assert numbers == [*range(1, 21), *range(1, 21)]
    assert sets.number(np.ones(70, bool)) == 0
    assert torch.equal(sets.rows(torch.tensor(numbers[:20])), torch.from_numpy(np.stack(rows)))
    assert Allowed(torch.tensor([[0, 2]]), sets.table())[torch.tensor([0])].sets.shape == (2, 70)


def test_environments_without_a_grammar_are_refused():
    bed = ("spelunk/CountdownAnswer-v0", {})
    model, env = untrained(bed), made(bed)
    env.reset(seed=0)
    with pytest.raises(InvalidArgumentError, match=r"numbered actions.*leave grammar out"):
        LanguageModelAgent(model, grammar=True).start(env, 0)
    model, env = untrained(BANDIT), made(BANDIT)
    with pytest.raises(InvalidArgumentError, match="max_tokens must be at least 3"):
        play(LanguageModelAgent(model, max_tokens=2, grammar=True), env, [0], seed=0, pad=model.end)
