"""Our GRPO against TRL's own code: the same tokens and rewards, the same losses and gradients.

Where the definitions differ:
- TRL divides advantages by the standard deviation with n − 1 under the root, plus 1e-4; `grpo` by
  that with n, plus 1e-6. The paper leaves it open; the first is a factor for all groups of a size.
- `bnpo` is `token_mean` of a minibatch, `dapo` of the whole rollout; with one minibatch they agree.
- Sequences without a generated token count in TRL's means over sequences, and not in ours.
"""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer
from spelunk.agents.llm.training.minibatch import Minibatch
from spelunk.agents.llm.training.terms.advantage import group_mean, grpo, lite
from spelunk.agents.llm.training.terms.aggregation import constant, sequence_mean, token_mean
from spelunk.agents.llm.training.terms.loss import ppo_clip, sequence_ratio

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

GROUPS, SIZE, LONGEST = 3, 4, 10
ROWS = GROUPS * SIZE
TEMPERATURE = 0.8


def assert_near(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def language_model() -> LanguageModel:
    tokenizer = build_tokenizer(["pull 1", "pull 2", "reward 1"])
    return LanguageModel.small(tokenizer, hidden_size=16, layers=2, heads=2, seed=3)


class Rollout:
    """Random prompts, completions and rewards; `rewards` differ within two of three groups."""

    def __init__(self, model: LanguageModel, seed: int):
        generator = torch.Generator().manual_seed(seed)

        def draw(length: int) -> list[int]:
            return torch.randint(3, len(model.tokenizer), (length,), generator=generator).tolist()

        self.prompts = [draw(2 + group) for group in range(GROUPS) for _ in range(SIZE)]
        lengths = torch.randint(1, LONGEST + 1, (ROWS,), generator=generator).tolist()
        self.completions = [draw(length) for length in lengths]
        self.rewards = torch.rand(ROWS, generator=generator)
        self.rewards[SIZE : 2 * SIZE] = 0.5
        self.groups = torch.arange(GROUPS).repeat_interleave(SIZE)
        sequences = list(map(list.__add__, self.prompts, self.completions))
        width = max(map(len, sequences))
        self.tokens = torch.full((ROWS, width), model.end)
        self.generated = torch.zeros(ROWS, width, dtype=torch.bool)
        for i, sequence in enumerate(sequences):
            self.tokens[i, : len(sequence)] = torch.tensor(sequence)
            self.generated[i, len(self.prompts[i]) : len(sequence)] = True

    def of_generated(self, values: Tensor, rows: list[int]) -> Tensor:
        """Values (n, T) of the generated tokens, pushed to the left as TRL has them."""
        out = torch.zeros(len(rows), max(len(self.completions[i]) for i in rows))
        for place, i in enumerate(rows):
            found = values[place][self.generated[i]]
            out[place, : len(found)] = found
        return out

    def advantages(self, estimator) -> Tensor:
        """For each sequence, (n,)."""
        returns = self.rewards[:, None]
        return estimator(returns, torch.ones(ROWS, 1, dtype=torch.bool), self.groups)[:, 0]

    def minibatch(self, model: LanguageModel, advantages: Tensor, old: Tensor) -> Minibatch:
        return Minibatch(
            tokens=self.tokens,
            generated=self.generated,
            old=old * self.generated,
            advantages=advantages[:, None] * self.generated,
            weights=torch.ones_like(old),
            reference=None,
            logits=model.logits(self.tokens, TEMPERATURE),
        )


def trainer(folder, model, rollouts=(), losses=None, **settings):
    """TRL's trainer; its rollouts and rewards are given ones, its losses are written down."""
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    given = iter(rollouts)

    class Watched(GRPOTrainer):
        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            if losses is not None:
                losses.append(loss.item())
            return loss

    def roll_out(prompts, trl):
        rollout = next(given)
        return {
            "prompt_ids": rollout.prompts,
            "completion_ids": rollout.completions,
            "logprobs": [[0.0] * len(c) for c in rollout.completions],
            "reward": rollout.rewards.tolist(),
        }

    defaults = {
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "per_device_train_batch_size": ROWS,
        "num_generations": SIZE,
        "max_completion_length": LONGEST,
        "temperature": TEMPERATURE,
        "max_grad_norm": 1.0,
        "lr_scheduler_type": "constant",
    }
    return Watched(
        model.network,
        lambda reward, **columns: reward,
        GRPOConfig(str(folder), **(defaults | settings)),
        Dataset.from_dict({"prompt": ["x"] * GROUPS}),
        processing_class=model.tokenizer,
        optimizers=(torch.optim.SGD(model.network.parameters(), lr=2.0), None),
        rollout_func=roll_out,
    )


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def model():
    return language_model()


def scored(folder, model, rollout, **settings):
    """What TRL's loss is computed from."""
    trl = trainer(folder, model, [rollout], num_iterations=2, **settings)
    rows = [{"prompt": "x"} for _ in range(ROWS)]
    return trl, trl._generate_and_score_completions(rows)


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_advantages(tmp_path, model, scale):
    rollout = Rollout(model, 0)
    found = scored(tmp_path, model, rollout, scale_rewards=scale)[1]["advantages"]
    if scale == "none":
        assert_near(rollout.advantages(group_mean), found)
        return
    estimator, n = (grpo, SIZE) if scale == "group" else (lite, ROWS)
    unbiased = math.sqrt(n / (n - 1))
    ours = rollout.advantages(lambda *args: estimator(*args, eps=1e-4 / unbiased)) / unbiased
    assert_near(ours, found)


@pytest.mark.parametrize(
    ("loss_type", "aggregation"),
    [
        ("grpo", sequence_mean),
        ("bnpo", token_mean),
        ("dapo", token_mean),
        ("dr_grpo", partial(constant, length=LONGEST)),
    ],
)
def test_losses_and_gradients(tmp_path, model, loss_type, aggregation):
    assert_same_losses(tmp_path, model, aggregation, {"loss_type": loss_type}, low=0.2, high=0.28)


def test_losses_and_gradients_of_one_ratio_for_a_sequence(tmp_path, model):
    settings = {"loss_type": "grpo", "importance_sampling_level": "sequence"}
    assert_same_losses(
        tmp_path, model, sequence_mean, settings, sequence_ratio, low=0.05, high=0.06
    )


def assert_same_losses(tmp_path, model, aggregation, settings, loss=ppo_clip, *, low, high):
    """Compare the two on a policy that has moved, so that tokens are clipped at both sides."""
    rollout = Rollout(model, 1)
    noise = torch.randn(rollout.tokens.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        old = model.log_probs(rollout.tokens, TEMPERATURE) + 0.3 * noise
    trl, inputs = scored(tmp_path, model, rollout, epsilon=low, epsilon_high=high, **settings)
    inputs["old_per_token_logps"] = rollout.of_generated(old, list(range(ROWS)))

    model.network.eval()
    theirs = trl._compute_loss(trl.model, inputs)
    theirs.backward()
    expected = [p.grad.clone() for p in model.network.parameters()]
    model.network.zero_grad()

    batch = rollout.minibatch(model, inputs["advantages"], old)
    values = loss(batch, low=low, high=high)
    ours = aggregation(values, batch.generated)
    ours.backward()
    assert_near(ours, theirs)
    assert abs(ours.item()) > 1e-3
    for parameter, gradient in zip(model.network.parameters(), expected, strict=True):
        assert_near(parameter.grad, gradient)
        assert gradient.abs().max() > 1e-3
    with torch.no_grad():
        clipped = values != loss(batch, low=10.0, high=10.0)
    assert 0 < clipped[batch.generated].float().mean() < 1


def test_the_first_steps(tmp_path, model):
    """Four steps of TRL's own training loop, two on each of two rollouts."""
    rollouts = [Rollout(model, 4), Rollout(model, 5)]
    losses: list[float] = []
    trl = trainer(
        tmp_path, model, rollouts, losses, loss_type="dapo", num_iterations=2, max_steps=4
    )
    trl.train()

    ours = language_model()
    optimizer = torch.optim.SGD(ours.network.parameters(), lr=2.0)
    found = []
    for rollout in rollouts:
        unbiased = math.sqrt(SIZE / (SIZE - 1))
        eps = 1e-4 / unbiased
        advantages = rollout.advantages(lambda *args, eps=eps: grpo(*args, eps=eps)) / unbiased
        with torch.no_grad():
            old = ours.log_probs(rollout.tokens, TEMPERATURE)
        for _ in range(2):
            batch = rollout.minibatch(ours, advantages, old)
            loss = token_mean(ppo_clip(batch), batch.generated)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(ours.network.parameters(), 1.0)
            optimizer.step()
            found.append(loss.item())
    assert found == pytest.approx(losses, abs=1e-5)
    assert max(map(abs, found[1::2])) > 1e-2
    moved = 0.0
    fresh = language_model().network.parameters()
    parameters = zip(ours.network.parameters(), model.network.parameters(), fresh, strict=True)
    for mine, theirs, before in parameters:
        assert_near(mine, theirs)
        moved = max(moved, float((mine - before).abs().max().detach()))
    assert moved > 0.1
