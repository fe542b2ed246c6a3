"""Tokenizers, models and sampling."""

import math
from typing import Any

import gymnasium
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.contexts import CONTEXTS
from spelunk.agents.llm.imitation.examples import Example
from spelunk.agents.llm.imitation.experts import TracedAgent, expert_for
from spelunk.agents.llm.imitation.sft import imitate, imitation_loss
from spelunk.agents.llm.messages.model_policy import ModelPolicy
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.sampler import Session, pad_left, sample
from spelunk.agents.llm.models.token_sets import TokenSets
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import play
from spelunk.envs.kernel.errors import InvalidArgumentError

TEXTS = ["There are 5 arms; you pulled (twice) arm 3.", "pull 1", "pull 2", "reward 1"]


@pytest.fixture(scope="module")
def model():
    return LanguageModel.small(build_tokenizer(TEXTS), hidden_size=16, layers=2, heads=2, seed=3)


@pytest.mark.parametrize(
    "text", [*TEXTS, "pull 99", "an unseen, word: 0.25", "x=-3.75e-02; {[y]}", "reward -12345"]
)
def test_tokenizer_keeps_all_but_case_and_spacing(model, text):
    tokens = model.encode_answer("  ".join(text.split(" ")))
    assert tokens[-1] == model.end
    assert model.tokenizer.unk_token_id not in tokens
    assert model.decode(tokens) == text.lower()


def test_known_words_are_one_token(model):
    assert len(model.encode_given("pull 17")) == 2
    assert len(model.encode_given("arms; (twice)")) == 5


def test_collected_texts_cover_what_is_said():
    texts = collect_texts("spelunk/BernoulliBandit-v0", episodes=8, arms=3, horizon=20)
    assert {"pull 1", "pull 2", "pull 3", "reward 0", "reward 1"} <= texts
    assert any(text.startswith("There are 3 arms.") for text in texts)


def fresh_logits(model, tokens):
    """The logits after a sequence, from one pass without a cache."""
    with torch.no_grad():
        return model.network(torch.tensor([tokens]), use_cache=False).logits[0, -1]


def test_session_equals_passes_without_cache(model):
    rng = torch.Generator().manual_seed(0)
    session = Session(model, 4)
    streams = [[], [], [], []]
    for turn in range(12):
        counts = torch.randint(0 if turn else 1, 5, (4,), generator=rng).tolist()
        news = [torch.randint(0, 90, (n,), generator=rng).tolist() for n in counts]
        if any(news):
            session.extend(*pad_left(news, model.device))
        for i in range(4):
            streams[i] += news[i]
            torch.testing.assert_close(
                session.logits[i], fresh_logits(model, streams[i]), atol=1e-4, rtol=1e-4
            )
        if turn % 3 == 2:
            ended = torch.arange(4) == turn % 4
            session.restart(ended)
            new = [torch.randint(0, 90, (3 * int(e),), generator=rng).tolist() for e in ended]
            session.extend(*pad_left(new, model.device))
            streams = [new[i] if ended[i] else streams[i] for i in range(4)]
        assert session.lengths.tolist() == [len(s) for s in streams]


def test_restarted_columns_are_dropped(model):
    session = Session(model, 2)
    session.extend(torch.ones(2, 5, dtype=torch.int64), torch.tensor([5, 2]))
    session.restart(torch.tensor([True, False]))
    assert session._held.shape == (2, 2)
    session.restart(torch.tensor([True, True]))
    assert session._held.shape == (2, 0)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampled_log_probs_equal_a_teacher_forced_pass(model, temperature):
    prompts = [model.encode_given("pull 1"), model.encode_given("reward 1 pull 2")]
    session = Session(model, 2)
    session.extend(*pad_left(prompts, model.device))
    generator = torch.Generator().manual_seed(1)
    answers = sample(session, generator, temperature=temperature, max_tokens=6)
    for prompt, tokens, logs in zip(prompts, answers.tokens, answers.log_probs, strict=True):
        log_probs = model.log_probs(torch.tensor([prompt + tokens]), temperature)
        torch.testing.assert_close(log_probs[0, len(prompt) :], torch.tensor(logs))
    assert answers.drawn == answers.log_probs
    assert all(entropy > 0 for row in answers.entropies for entropy in row)


def test_entropies_are_those_of_the_policy(model):
    session = Session(model, 1)
    session.extend(torch.ones(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64))
    session.logits[0] = -torch.inf
    session.logits[0, 3:6] = torch.tensor([0.25, 0.25, 0.5]).log()
    answers = sample(session, torch.Generator().manual_seed(0), max_tokens=1)
    assert answers.entropies[0][0] == pytest.approx(1.5 * math.log(2))


def begun(model):
    """A session of four streams of one token each."""
    session = Session(model, 4)
    session.extend(torch.ones(4, 1, dtype=torch.int64), torch.ones(4, dtype=torch.int64))
    return session


def test_the_policy_is_the_model_among_what_a_mask_leaves(model):
    size = len(model.tokenizer)
    even = torch.arange(size) % 2 == 0

    class Even:
        sets = TokenSets(size, model.device)

        def allowed(self):
            return torch.full((4,), self.sets.number(even.numpy()))

        def advance(self, tokens):
            assert (tokens % 2 == 0).all()

    generator = torch.Generator().manual_seed(0)
    answers = sample(begun(model), generator, max_tokens=6, mask=Even())
    assert answers.drawn == answers.log_probs
    assert answers.allowed == [[1] * len(row) for row in answers.tokens]
    for tokens, policy, entropies in zip(
        answers.tokens, answers.log_probs, answers.entropies, strict=True
    ):
        assert all(token % 2 == 0 for token in tokens)
        logits = model.logits(torch.tensor([[1, *tokens]]))[0][:, ::2]
        log_p = logits.log_softmax(-1)
        chosen = log_p.gather(-1, torch.tensor(tokens)[:, None] // 2).squeeze(-1)
        torch.testing.assert_close(chosen, torch.tensor(policy), atol=1e-4, rtol=1e-4)
        entropy = -(log_p.exp() * log_p).sum(-1)
        torch.testing.assert_close(entropy, torch.tensor(entropies), atol=1e-4, rtol=1e-4)


def test_schedules_change_what_is_drawn_from(model):
    """The policy's log-probabilities stay its own."""
    generator = torch.Generator().manual_seed(0)
    hot = sample(begun(model), generator, max_tokens=3, heat=lambda position: 2.0 + position)
    for tokens, policy, drawn in zip(hot.tokens, hot.log_probs, hot.drawn, strict=True):
        logits = model.logits(torch.tensor([[1, *tokens]]))[0]
        heated = logits / (2.0 + torch.arange(len(tokens)))[:, None]
        for found, wanted in ((policy, logits), (drawn, heated)):
            chosen = wanted.log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None]).squeeze(-1)
            torch.testing.assert_close(chosen, torch.tensor(found), atol=1e-4, rtol=1e-4)


def test_streams_that_are_not_asked_stay_as_they_are(model):
    session = Session(model, 3)
    session.extend(torch.ones(3, 2, dtype=torch.int64), torch.tensor([2, 0, 1]))
    asked = torch.tensor([True, False, True])
    answers = sample(session, torch.Generator().manual_seed(0), max_tokens=3, asked=asked)
    assert [bool(row) for row in answers.tokens] == [True, False, True]
    assert session.lengths[1] == 0
    assert not answers.cut[1]
    assert answers.cut == [bool(r) and r[-1] not in model.ends for r in answers.tokens]


def test_samples_follow_the_distribution(model):
    prompt = model.encode_given("pull 1")
    session = Session(model, 20_000)
    session.extend(*pad_left([prompt] * 20_000, model.device))
    expected = session.logits[0].softmax(-1)
    answers = sample(session, torch.Generator().manual_seed(2), max_tokens=1)
    drawn = torch.tensor([tokens[0] for tokens in answers.tokens])
    shares = torch.bincount(drawn, minlength=len(expected)) / 20_000
    assert (shares - expected).abs().sum() < 0.15
    greedy = sample(session, torch.Generator(), temperature=0, max_tokens=1)
    assert {tokens[0] for tokens in greedy.tokens} == {int(expected.argmax())}


def test_answers_stop_at_their_end(model):
    session = Session(model, 3)
    session.extend(torch.ones(3, 1, dtype=torch.int64), torch.ones(3, dtype=torch.int64))
    session.logits[1, model.end] = 1e4
    answers = sample(session, torch.Generator().manual_seed(0), max_tokens=5)
    assert answers.tokens[1] == [model.end]
    assert session.lengths[1] == 1
    assert all(model.end not in tokens[:-1] for tokens in answers.tokens)


def test_too_long_a_transcript_is_an_error(model):
    session = Session(model, 1)
    session.limit = 8
    with pytest.raises(InvalidArgumentError, match=r"9 tokens.*at most 8"):
        session.extend(torch.ones(1, 9, dtype=torch.int64), torch.tensor([9]))


def test_what_is_longer_than_the_context_is_told():
    """To an agent, in imitation, and in a pass over whole sequences."""
    bandit: dict[str, Any] = {"arms": 3, "horizon": 20}
    model = LanguageModel.small(build_tokenizer(TEXTS), hidden_size=16, layers=1, heads=2)
    model.network.config.max_position_embeddings = 60
    assert model.log_probs(torch.ones(1, 61, dtype=torch.int64)).shape == (1, 61)
    with pytest.raises(InvalidArgumentError, match="has 62 tokens; the model reads at most 60"):
        model.logits(torch.ones(1, 62, dtype=torch.int64))
    env: Any = gymnasium.make_vec(
        "spelunk/BernoulliBandit-v0", num_envs=2, autoreset_mode="SAME_STEP", **bandit
    )
    agent = LanguageModelAgent(model, "rewards", max_tokens=4)
    with pytest.raises(InvalidArgumentError, match=r"transcript has 6\d tokens.*at most 60"):
        play(agent, env, [0, 1], seed=0, pad=model.end)
    expert = TracedAgent(expert_for("spelunk/BernoulliBandit-v0", None), model, CONTEXTS["rewards"])
    traced = play(expert, env, [0, 1], seed=0, pad=model.end)
    with pytest.raises(InvalidArgumentError, match="the model reads at most 60"):
        imitation_loss(model, traced.tokens, traced.generated)
    with pytest.raises(InvalidArgumentError, match=r"example 1 has \d+ tokens.*at most 60"):
        imitate(model, [Example.of("1", "2"), Example.of("1 " * 99, "2")])
    policy = ModelPolicy(model, max_tokens=8)
    with pytest.raises(InvalidArgumentError, match=r"a prompt has \d+ tokens.*at most 60"):
        policy.reply([[{"role": "user", "content": "1 " * 99}]], [0])


def test_given_tokens_teach_nothing(model):
    tokens = torch.randint(0, 90, (3, 8), generator=torch.Generator().manual_seed(0))
    imitated = torch.zeros(3, 8, dtype=torch.bool)
    imitated[0, 3:5] = imitated[2, 7] = True
    kept = []

    def keep(module, inputs, output):
        output.logits.retain_grad()
        kept.append(output.logits)

    hook = model.network.register_forward_hook(keep)
    loss = imitation_loss(model, tokens, imitated)
    loss.backward()
    hook.remove()
    touched = kept[0].grad.abs().sum(-1) > 0
    assert torch.equal(touched, imitated[:, 1:])
    log_probs = model.log_probs(tokens)
    torch.testing.assert_close(loss, -log_probs[imitated].mean())


def test_short_sequences_are_read_apart_and_teach_the_same(model):
    rng = torch.Generator().manual_seed(0)
    tokens, imitated = torch.randint(0, 90, (16, 24), generator=rng), torch.zeros(16, 24).bool()
    for row in range(16):
        imitated[row, 2 + row // 2 : 4 + row] = True
    seen = []
    watch = model.network.register_forward_hook(lambda _, __, out: seen.append(out.logits.shape))
    loss = imitation_loss(model, tokens, imitated)
    watch.remove()
    assert sum(n * width for n, width, _ in seen) < 0.75 * 16 * 18
    parameters = list(model.network.parameters())
    plain = -model.log_probs(tokens)[imitated].mean()
    torch.testing.assert_close(loss, plain)
    for a, b in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(plain, parameters), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_heads_must_divide_the_width():
    with pytest.raises(InvalidArgumentError, match="multiple of heads"):
        LanguageModel.small(build_tokenizer(TEXTS), hidden_size=16, heads=3)


def test_saved_models_load_from_their_folder(tmp_path, model):
    model.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.bin"))
    loaded = LanguageModel.from_pretrained(tmp_path)
    assert loaded.decode(loaded.encode_answer("pull 2")) == "pull 2"
    tokens = torch.tensor([model.encode_given("reward 1 pull 2")])
    torch.testing.assert_close(loaded.log_probs(tokens)[0], model.log_probs(tokens)[0])


def test_folders_without_a_model_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="there is no folder"):
        LanguageModel.from_pretrained(tmp_path / "nothing")
    network = LlamaForCausalLM(
        LlamaConfig(vocab_size=50, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                    num_attention_heads=2)
    )  # fmt: skip
    network.save_pretrained(tmp_path)
    with pytest.raises(InvalidArgumentError, match="tokenizer"):
        LanguageModel.from_pretrained(tmp_path)
    build_tokenizer(TEXTS).save_pretrained(tmp_path)
    assert LanguageModel.from_pretrained(tmp_path).network.num_parameters() > 0
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InvalidArgumentError, match="are pickles"):
        LanguageModel.from_pretrained(tmp_path)
