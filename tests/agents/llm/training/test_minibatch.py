"""Minibatches: what losses see of a rollout, whatever is left out for speed."""

from dataclasses import replace

import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer

from .terms.batches import minibatch, rollout


def test_log_probabilities_and_entropies_are_of_generated_tokens():
    batch = minibatch()
    log_p = batch.logits.detach().log_softmax(-1)
    wanted = torch.zeros(batch.tokens.shape), torch.zeros(batch.tokens.shape)
    for i, t in batch.generated.nonzero().tolist():
        row = log_p[i, t - 1]
        wanted[0][i, t] = row[batch.tokens[i, t]]
        wanted[1][i, t] = -(row.exp() * row).sum()
        torch.testing.assert_close(batch.log_policy[i, t - 1], row)
    torch.testing.assert_close(batch.log_probs, wanted[0])
    torch.testing.assert_close(batch.entropies, wanted[1])
    assert (batch.log_policy[~batch.generated[:, 1:]] == 0).all()
    (gradient,) = torch.autograd.grad(
        (batch.log_probs + batch.entropies + batch.log_policy.sum()).sum(), batch.logits
    )
    assert (gradient[~batch.generated[:, 1:]] == 0).all()


@pytest.fixture(scope="module")
def trainer():
    config = Config(hidden_size=16, layers=1, heads=2, sft_updates=0, num_minibatches=1)
    return LanguageModelTrainer(
        Task("spelunk/BernoulliBandit-v0", 100, 8, {"arms": 3, "horizon": 4}), config
    )


def sequences(lengths, width):
    """A rollout of sequences whose last tokens were generated."""
    generator = torch.Generator().manual_seed(1)
    n = len(lengths)
    places, ends = torch.arange(width), torch.tensor(lengths)[:, None]
    tokens = torch.randint(9, (n, width), generator=generator)
    return replace(
        rollout(),
        tokens=tokens,
        turns=torch.where((places >= 1) & (places < ends), 0, -1),
        **{
            name: torch.rand(n, width, generator=generator)
            for name in ("log_probs", "drawn", "reference")
        },
    )


@pytest.mark.parametrize(
    ("lengths", "read"),
    [
        ([6, 7, 8, 7], [(4, 7)]),
        ([2], [(1, 1)]),
        ([9, 3, 8, 3, 3, 4, 9, 8], [(4, 3), (4, 8)]),
        ([16, 3, 16, 8] * 4, [(4, 2), (4, 7), (8, 15)]),
    ],
)
def test_sequences_are_read_no_further_than_needed(trainer, lengths, read):
    seen, whole = [], sequences(lengths, 18)
    assert whole.ends.tolist() == lengths
    hook = trainer.model.network.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    rows = torch.arange(len(lengths))
    batch = trainer.learner.minibatch(whole, whole.drawn, rows)
    hook.remove()
    assert seen == read
    assert batch.tokens.shape == (len(lengths), max(lengths))
    for i, row in enumerate(batch.tokens):
        j = next(j for j in rows if torch.equal(whole.tokens[j, : len(row)], row))
        mine = batch.generated[i]
        log_probs = trainer.model.log_probs(whole.tokens[j : j + 1])[0, : len(row)]
        torch.testing.assert_close(batch.log_probs[i], log_probs * mine, atol=1e-5, rtol=1e-5)
        for name, field in (("old", "log_probs"), ("advantages", "drawn"), ("reference",) * 2):
            assert torch.equal(getattr(batch, name)[i], getattr(whole, field)[j, : len(row)])
