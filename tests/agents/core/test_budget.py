"""Budget records, and floating-point operations against torch's own count."""

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from spelunk.agents.core.budget import BudgetRecord, flops_of, flops_per_token
from spelunk.envs.kernel.errors import InvalidArgumentError


def test_counts_add_up():
    record = BudgetRecord(env_steps=3, flops=2**60)
    record.add(BudgetRecord(env_steps=1, model_calls=2, tokens_generated=5, tokens_trained=7))
    record.add(BudgetRecord(flops=1))
    assert record == BudgetRecord(4, 2, 5, 7, 2**60 + 1)


def test_records_survive_json():
    record = BudgetRecord(1, 2, 3, 4, 10**25)
    assert json.loads(record.to_json())["flops"] == 10**25
    assert BudgetRecord.from_json(record.to_json()) == record
    assert BudgetRecord.from_json("{}") == BudgetRecord()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "3",
        '{"tokens": 1}',
        '{"flops": 1.5}',
        '{"flops": -1}',
        '{"flops": true}',
        "[" * 9**5,
    ],
)
def test_other_json_is_refused(text):
    with pytest.raises(InvalidArgumentError, match="no budget record"):
        BudgetRecord.from_json(text)


def test_counts_never_fall():
    with pytest.raises(InvalidArgumentError, match="model_calls"):
        BudgetRecord(model_calls=-1)


def llama(tied):
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50, hidden_size=32, intermediate_size=80, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=tied,
        )
    )  # fmt: skip


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4))


@pytest.mark.parametrize(
    ("build", "width", "layers"),
    [(lambda: llama(True), 64, 3), (lambda: llama(False), 64, 3), (gpt2, 32, 2)],
    ids=["tied", "untied", "gpt2"],
)
def test_agrees_with_the_operations_torch_counts(build, width, layers):
    network = build()
    network.set_attn_implementation("eager")  # torch does not count what fused kernels do
    tokens = torch.zeros(2, 24, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(tokens, use_cache=False)
    # torch counts every pair of tokens, and no norms, biases or positions
    whole_square = counter.get_total_flops() / tokens.numel() - 2 * layers * 24 * width
    vectors = [p for p in network.parameters() if p.ndim == 1]
    vectors += [p for name, p in network.named_parameters() if "wpe" in name]
    uncounted = 2 * sum(p.numel() for p in vectors)
    assert flops_per_token(network, 24) == whole_square + uncounted
    assert flops_per_token(network, 24, training=True) == 3 * flops_per_token(network, 24)


def test_by_hand():
    network = llama(True)
    # attention 32·64·2 + 32·32·2, gate, up and down 3·32·80, norms 2·32; last norm and the table
    parameters = 3 * (4096 + 2048 + 7680 + 64) + 32 + 50 * 32
    assert flops_per_token(network, 10) == 2 * parameters + 2 * 3 * 10 * 64
    with pytest.raises(InvalidArgumentError, match="context"):
        flops_per_token(network, 0)


def test_whole_sequences_cost_what_their_tokens_do():
    network, lengths = llama(False), [3, 10, 3, 0, 1]
    for training in (False, True):
        expected = sum(n * flops_per_token(network, n, training=training) for n in lengths if n)
        assert flops_of(network, lengths, training=training) == expected
    assert flops_of(network, [0, 0]) == 0


def test_frozen_parameters_cost_no_gradient():
    """The weights are used forward, and backward for what lies before; their own step is saved."""
    network = llama(True)
    whole = flops_per_token(network, 24, training=True)
    frozen = [p for name, p in network.named_parameters() if "mlp" in name]
    for parameter in frozen:
        parameter.requires_grad_(False)
    saved = 2 * sum(p.numel() for p in frozen)
    assert flops_per_token(network, 24, training=True) == whole - saved
