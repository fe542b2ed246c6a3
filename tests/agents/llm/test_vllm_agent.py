"""Answers drawn elsewhere, against a stand-in with vLLM's calls that samples with another model."""

import dataclasses
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import gymnasium
import pytest
import torch

from spelunk.agents.core.extras import MissingPackageError
from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.models.lora import Lora
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import play, rescored
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer
from spelunk.agents.llm.vllm_agent import VllmAgent, VllmEngine
from spelunk.envs.kernel.errors import InvalidArgumentError

ID = "spelunk/BernoulliBandit-v0"
ENV: dict[str, Any] = {"arms": 3, "horizon": 4}


@dataclasses.dataclass
class SamplingParams:
    temperature: float
    max_tokens: int
    seed: int
    stop_token_ids: list[int]
    logprobs: int
    detokenize: bool


class LLM:
    """Reads its weights from a folder, and rounds logits to tenths: other arithmetic than ours."""

    made: ClassVar[list["LLM"]] = []

    def __init__(self, model: str, *, gpu_memory_utilization: float, logprobs_mode: str):
        assert logprobs_mode == "processed_logprobs"
        assert 0 < gpu_memory_utilization < 1
        self.folder, self.calls, self.seen = model, [], []
        self.collective_rpc("reload_weights")
        LLM.made.append(self)

    def collective_rpc(self, method: str) -> None:
        assert method == "reload_weights"
        self.model = LanguageModel.from_pretrained(self.folder)
        self.calls.append(method)

    def reset_prefix_cache(self) -> None:
        self.calls.append("reset_prefix_cache")

    @torch.no_grad()
    def generate(
        self, prompts: list[dict[str, list[int]]], params: list[SamplingParams], *, use_tqdm: bool
    ) -> list[Any]:
        assert not use_tqdm
        self.seen.append([prompt["prompt_token_ids"] for prompt in prompts])
        return [self._one(p["prompt_token_ids"], q) for p, q in zip(prompts, params, strict=True)]

    def _one(self, prompt: list[int], params: SamplingParams) -> Any:
        generator, said, logs = torch.Generator().manual_seed(params.seed), [], []
        while len(said) < params.max_tokens and said[-1:] != [self.model.end]:
            logits = self.model.network(torch.tensor([prompt + said])).logits[0, -1]
            log_p = (logits.round(decimals=1) / params.temperature).log_softmax(-1)
            token = int(torch.multinomial(log_p.exp(), 1, generator=generator))
            said.append(token)
            logs.append({token: SimpleNamespace(logprob=float(log_p[token]))})
        reason = "stop" if said[-1] in params.stop_token_ids else "length"
        output = SimpleNamespace(token_ids=tuple(said), logprobs=logs, finish_reason=reason)
        return SimpleNamespace(outputs=[output])


@pytest.fixture
def vllm(monkeypatch):
    module: Any = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams
    monkeypatch.setitem(sys.modules, "vllm", module)
    LLM.made = []
    return LLM.made


@pytest.fixture(scope="module")
def model():
    texts = collect_texts(ID, episodes=8, **ENV)
    return LanguageModel.small(build_tokenizer(texts), hidden_size=16, layers=1, heads=2)


def test_without_the_package_the_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingPackageError, match=r'pip install "spelunk\[vllm\]"'):
        VllmEngine(model)


@pytest.mark.parametrize("context", ["state", "rewards"])
def test_episodes_are_told_as_they_are_and_rescored(vllm, model, context):
    env: Any = gymnasium.make_vec(ID, num_envs=4, autoreset_mode="SAME_STEP", **ENV)
    agent = VllmAgent(VllmEngine(model), model, context, 0.7, 4)
    rollout = play(agent, env, [1, 1, 2, 2], seed=5, pad=model.end)
    assert rollout.lengths.tolist() == [4] * 4
    assert rollout.entropies[rollout.generated].isnan().all()
    ours = rescored(rollout, model, 0.7, 3)
    wanted = model.log_probs(rollout.tokens, 0.7) * rollout.generated
    torch.testing.assert_close(ours.log_probs, wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(ours.drawn, rollout.log_probs)
    gap = (ours.log_probs - ours.drawn).abs()
    assert 1e-3 < float(gap.max()) < 0.3, "logits rounded to tenths"
    log_p = model.logits(rollout.tokens, 0.7).log_softmax(-1)
    entropies = -(log_p.exp() * log_p).sum(-1)[rollout.generated[:, 1:]]
    torch.testing.assert_close(ours.entropies[rollout.generated], entropies)
    assert (ours.entropies[~rollout.generated] == 0).all()
    # What vLLM was asked to go on with is what the sequences say.
    (engine,) = vllm
    row = rollout.tokens[-1].tolist()
    turns = rollout.turns[-1].tolist()
    lane = int(rollout.episodes[-1])
    begin = turns.index(max(turns))
    assert engine.seen[-1][lane] == row[:begin]
    assert play(agent, env, [1, 1, 2, 2], seed=5, pad=model.end).answers == rollout.answers


def test_lanes_that_are_done_are_not_asked(vllm, model):
    env: Any = gymnasium.make_vec(ID, num_envs=3, autoreset_mode="SAME_STEP", **ENV)
    agent = VllmAgent(VllmEngine(model), model, "rewards", 1.0, 4)
    play(agent, env, [7], seed=0, pad=model.end)
    assert all(len(prompts) == 1 for prompts in vllm[0].seen)


def test_too_long_a_transcript_is_an_error(vllm, model):
    env: Any = gymnasium.make_vec(ID, num_envs=1, autoreset_mode="SAME_STEP", **ENV)
    agent = VllmAgent(VllmEngine(model), model, "rewards", 1.0, 5000)
    with pytest.raises(InvalidArgumentError, match="the model reads at most 4096"):
        play(agent, env, [7], seed=0, pad=model.end)


def trainer(**kwargs):
    config = {"hidden_size": 16, "layers": 1, "heads": 2, "group_size": 4, "num_minibatches": 2,
              "sft_updates": 0, "engine": "vllm"}  # fmt: skip
    return LanguageModelTrainer(Task(ID, 10**5, 8, env_kwargs=ENV), Config(**config | kwargs))


def test_training_sends_its_weights_and_weights_the_tokens(vllm):
    learner = trainer(learning_rate=1e-2)
    batches, made = [], learner.learner.minibatch
    learner.learner.minibatch = lambda *args: batches.append(made(*args)) or batches[-1]
    metrics = learner.step()
    assert 0 < metrics["sampled_entropy"] < 10
    (engine,) = vllm
    assert engine.calls == ["reload_weights"]
    # Before the first step the ratio is of the model to itself, and the weight of it to vLLM.
    first = batches[0]
    torch.testing.assert_close(first.ratio, torch.ones_like(first.ratio), atol=1e-4, rtol=1e-4)
    assert (first.weights[first.generated] != 1).any()
    assert float(first.weights.max()) <= learner.config.importance_cap
    learner.step()
    assert engine.calls[-2:] == ["reload_weights", "reset_prefix_cache"]
    learner.lanes._engine.update(learner.model)
    for ours, theirs in zip(
        learner.model.network.parameters(), engine.model.network.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_adapters_are_sent_merged(vllm, model, tmp_path):
    pytest.importorskip("peft")
    model.save_pretrained(tmp_path)
    adapted = LanguageModel.from_pretrained(tmp_path, lora=Lora(rank=2))
    engine = VllmEngine(adapted)
    for parameter in adapted.trained.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    engine.update(adapted)
    tokens = torch.randint(3, 60, (2, 8))
    torch.testing.assert_close(
        vllm[0].model.log_probs(tokens), adapted.log_probs(tokens), atol=1e-4, rtol=1e-4
    )


def test_what_vllm_cannot_do_is_refused():
    for wrong in ({"grammar": True}, {"sampling": "annealed(decay=6.0)"}):
        with pytest.raises(InvalidArgumentError, match="leave grammar and sampling out"):
            trainer(**wrong)
