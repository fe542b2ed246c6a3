"""A model at hand as a policy that speaks in messages."""

import pytest
import torch

from spelunk.agents.llm.messages.chat import ChatAgent
from spelunk.agents.llm.messages.model_policy import ModelPolicy
from spelunk.agents.llm.messages.search_traces import record_traces
from spelunk.agents.llm.messages.transcript import Transcript
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer
from spelunk.agents.llm.searching.trace import read_traces
from spelunk.envs.kernel import InvalidArgumentError

from .chats import searches

TEXTS = ["system user assistant : search plosen employer open answer . |", "left turns"]
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
PROMPTS = [
    [{"role": "system", "content": "search ."}, {"role": "user", "content": "plosen"}],
    [{"role": "user", "content": "open the answer of the employer"}],
]


def small(chats):
    tokenizer = build_tokenizer(TEXTS)
    if chats:
        tokenizer.chat_template = TEMPLATE
    return LanguageModel.small(tokenizer, hidden_size=16, layers=2, heads=2, seed=3)


@pytest.mark.parametrize("chats", [False, True])
def test_log_probabilities_are_those_of_the_prompt_and_the_reply(chats):
    model = small(chats)
    replies = ModelPolicy(model, temperature=0.7, max_tokens=12).reply(PROMPTS, [1, 2])
    texts = ["search .\nplosen\n", "open the answer of the employer\n"]
    if chats:
        texts = [
            "system: search . user: plosen assistant:",
            "user: open the answer of the employer assistant:",
        ]
    for text, reply in zip(texts, replies, strict=True):
        given = model.tokenizer.encode(text, add_special_tokens=False)
        assert len(reply.tokens) == len(reply.log_probs) > 1
        tokens = torch.tensor([[*given, *reply.tokens]])
        with torch.no_grad():
            expected = model.log_probs(tokens, 0.7)[0, len(given) :].tolist()
        assert list(reply.log_probs) == pytest.approx(expected, abs=1e-5)
        assert reply.text == model.decode(list(reply.tokens))
        assert reply.cut == (reply.tokens[-1] != model.end)
        assert len(reply.tokens) == 12 or not reply.cut


def test_seeds_decide():
    policy = ModelPolicy(small(False), max_tokens=8)
    first, again, other = (policy.reply(PROMPTS, seeds) for seeds in ([1, 2], [1, 2], [1, 3]))
    assert first == again
    assert first != other


def test_a_batch_says_what_each_says_alone():
    policy = ModelPolicy(small(True), temperature=0, max_tokens=8)
    alone = [policy.reply([prompt], [0])[0] for prompt in PROMPTS]
    assert [r.tokens for r in policy.reply(PROMPTS, [0, 0])] == [r.tokens for r in alone]


def test_replies_in_chats_may_have_several_lines():
    model = small(True)
    chatting = ModelPolicy(model)
    model.network.generation_config.eos_token_id = [model.end, 7]
    assert chatting.model.ends.tolist() == sorted([model.end, 7])
    plain = small(False)
    assert ModelPolicy(plain).model is plain


def test_a_prompt_that_is_too_long_is_refused():
    policy = ModelPolicy(small(False), max_tokens=97)
    fits = [[{"role": "user", "content": "plosen " * 4000}]]
    assert policy.reply(fits, [0])[0].text is not None
    with pytest.raises(InvalidArgumentError, match=r"4001 tokens, .* 97; .* 4096 in all.*cap"):
        policy.reply([[{"role": "user", "content": "plosen " * 4001}]], [0])


def test_wrong_arguments_are_refused():
    for wrong in ({"temperature": -1}, {"temperature": float("nan")}, {"max_tokens": 0}):
        with pytest.raises(InvalidArgumentError):
            ModelPolicy(small(False), **wrong)


def test_a_model_plays(tmp_path):
    """A cap in the model's own tokens keeps every prompt within what it can read."""
    model = small(True)
    renderer = Transcript(cap=300, measure=lambda text: len(model.tokenizer.encode(text)))
    agent = ChatAgent(ModelPolicy(model, max_tokens=8), renderer)
    env = searches(3, max_episode_steps=6, dialect="compact")
    assert record_traces(tmp_path / "t", agent, env, range(3)) == 3
    for trace in read_traces(tmp_path / "t"):
        assert trace.generated_tokens == len(trace.tokens) > 0
        assert (trace.log_probs < 0).all()
