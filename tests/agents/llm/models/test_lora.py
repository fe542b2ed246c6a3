"""Low-rank adapters: what is trained, saved and shared."""

import json

import pytest
import torch

from spelunk.agents.core.optimizer import FlatOptimizer
from spelunk.agents.core.torch_state import load_torch_state, torch_state
from spelunk.agents.llm.imitation.sft import imitation_loss
from spelunk.agents.llm.models.lora import Lora
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer
from spelunk.envs.kernel.errors import InvalidArgumentError

SMALL = Lora(rank=2, alpha=4.0, seed=1)
TOKENS = torch.randint(3, 90, (4, 8), generator=torch.Generator().manual_seed(0))
IMITATED = torch.ones(4, 8, dtype=torch.bool)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("base")
    model = LanguageModel.small(
        build_tokenizer(["pull 1", "reward 2"]), hidden_size=16, layers=2, heads=2
    )
    model.save_pretrained(path)
    return path


def optimizer_of(model, rate=1e-2):
    return FlatOptimizer(model.trained, "adam", rate, 1.0, eps=1e-8)


def train(model, optimizer, steps):
    for _ in range(steps):
        loss = imitation_loss(model, TOKENS, IMITATED)
        optimizer.step(loss)
    return loss.item()


def frozen(model):
    return {n: p.clone() for n, p in model.network.named_parameters() if not p.requires_grad}


def test_fresh_adapters_change_nothing_and_are_few(folder):
    plain = LanguageModel.from_pretrained(folder)
    model = LanguageModel.from_pretrained(folder, lora=SMALL)
    torch.testing.assert_close(model.log_probs(TOKENS), plain.log_probs(TOKENS))
    assert plain.trained is plain.network
    # q, k, v and o of 16 × {16, 8, 8, 16}; gate, up and down of 16 × 64.
    a_layer = 2 * ((16 + 16) + (16 + 8) + (16 + 8) + (16 + 16) + 3 * (16 + 64))
    assert sum(p.numel() for p in model.trained.parameters()) == 2 * a_layer
    two = LanguageModel.from_pretrained(folder, lora=Lora(rank=2, modules=("q_proj", "v_proj")))
    assert sum(p.numel() for p in two.trained.parameters()) == 2 * 2 * ((16 + 16) + (16 + 8))


def test_fresh_adapters_are_those_of_their_seed(folder):
    def drawn(seed):
        model = LanguageModel.from_pretrained(folder, lora=Lora(rank=2, seed=seed))
        return torch.cat([p.detach().flatten() for p in model.trained.parameters()])

    state = torch.get_rng_state()
    first = drawn(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(drawn(1), first)
    assert not torch.equal(drawn(2), first)


def test_adapters_alone_are_trained(folder):
    model = LanguageModel.from_pretrained(folder, lora=SMALL)
    before, start = frozen(model), imitation_loss(model, TOKENS, IMITATED).item()
    assert train(model, optimizer_of(model), 30) < start - 0.1
    after = frozen(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    live = dict(model.network.named_parameters())
    for name, parameter in model.trained.named_parameters():
        assert live[name.replace("/", ".")] is parameter


def test_checkpoints_hold_adapters_alone_and_resume_exactly(folder):
    model, generator = LanguageModel.from_pretrained(folder, lora=SMALL), torch.Generator()
    optimizer = optimizer_of(model)
    train(model, optimizer, 3)
    state = torch_state(model.trained, optimizer, generator)
    arrays = {name: array.copy() for name, array in state.items()}
    names = [name for name in arrays if name.startswith("network.")]
    assert names
    assert all("lora_" in name for name in names)
    expected = train(model, optimizer, 3)
    fresh = LanguageModel.from_pretrained(folder, lora=SMALL)
    other = optimizer_of(fresh)
    load_torch_state(fresh.trained, other, generator, arrays)
    assert train(fresh, other, 3) == expected


def test_saved_adapters_load_with_their_model(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    model = LanguageModel.from_pretrained(".", lora=SMALL)
    train(model, optimizer_of(model), 5)
    model.save_pretrained(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert not list(tmp_path.glob("model*"))
    loaded = LanguageModel.from_pretrained(tmp_path)
    assert torch.equal(loaded.log_probs(TOKENS), model.log_probs(TOKENS))
    assert all(p.requires_grad for p in loaded.trained.parameters())
    assert not loaded.network.training
    assert loaded.decode(loaded.encode_answer("pull 1")) == "pull 1"


def test_merged_models_are_plain_ones(folder, tmp_path):
    model = LanguageModel.from_pretrained(folder, lora=SMALL)
    before = frozen(model)
    train(model, optimizer_of(model), 20)
    merged = model.merged()
    torch.testing.assert_close(
        merged.log_probs(TOKENS), model.log_probs(TOKENS), rtol=1e-4, atol=1e-5
    )
    assert all(torch.equal(before[name], value) for name, value in frozen(model).items())
    assert not any("lora_" in name for name, _ in merged.network.named_parameters())
    merged.save_pretrained(tmp_path)
    loaded = LanguageModel.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded.log_probs(TOKENS), merged.log_probs(TOKENS))
    assert loaded.merged() is loaded


@pytest.mark.parametrize("lora", [None, SMALL])
def test_frozen_copies_stay_as_they_are(folder, lora):
    model = LanguageModel.from_pretrained(folder, lora=lora)
    optimizer = optimizer_of(model)
    train(model, optimizer, 3)
    copy, then = model.frozen_copy(), model.log_probs(TOKENS).detach()
    train(model, optimizer, 3)
    assert torch.equal(copy.log_probs(TOKENS), then)
    assert not torch.equal(model.log_probs(TOKENS), then)
    assert not any(p.requires_grad for p in copy.network.parameters())
    assert any(p.requires_grad for p in model.network.parameters())
    places = {p.data_ptr() for p in model.network.parameters()}
    shared = [p for p in copy.network.parameters() if p.data_ptr() in places]
    assert sum(p.numel() for p in shared) == sum(p.numel() for p in frozen(model).values())
    arrays = dict(copy.trained.state_dict())
    assert arrays.keys() == model.trained.state_dict().keys()


def test_wrong_adapters_are_refused(folder, tmp_path):
    for settings in ({"rank": 0}, {"alpha": 0.0}, {"modules": ()}):
        with pytest.raises(InvalidArgumentError, match=next(iter(settings))):
            Lora(**settings)
    with pytest.raises(InvalidArgumentError, match=r"no linear layers \['nope'\].*'q_proj'"):
        LanguageModel.from_pretrained(folder, lora=Lora(modules=("q_proj", "nope")))
    model = LanguageModel.from_pretrained(folder, lora=SMALL)
    model.save_pretrained(tmp_path)
    with pytest.raises(InvalidArgumentError, match="holds adapters already"):
        LanguageModel.from_pretrained(tmp_path, lora=SMALL)

    settings = tmp_path / "adapter_config.json"
    good = settings.read_text()
    settings.write_text(good.replace(str(folder), str(tmp_path / "gone")))
    with pytest.raises(InvalidArgumentError, match=r"there is no folder .*gone"):
        LanguageModel.from_pretrained(tmp_path)
    settings.write_text("{")
    with pytest.raises(InvalidArgumentError, match="does not say whose"):
        LanguageModel.from_pretrained(tmp_path)
    settings.write_text(json.dumps(json.loads(good) | {"r": 3}))
    with pytest.raises(InvalidArgumentError, match="do not fit"):
        LanguageModel.from_pretrained(tmp_path)
    settings.write_text(good)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(InvalidArgumentError, match="adapter_model"):
        LanguageModel.from_pretrained(tmp_path)


def test_folders_without_a_tokenizer_are_refused(folder, tmp_path):
    model = LanguageModel.from_pretrained(folder, lora=SMALL)
    model.save_pretrained(tmp_path)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InvalidArgumentError, match="tokenizer"):
        LanguageModel.from_pretrained(tmp_path)


def test_adapters_of_a_model_without_a_folder_cannot_be_saved(tmp_path):
    from spelunk.agents.llm.models.lora import add_adapters

    small = LanguageModel.small(build_tokenizer(["pull 1"]), hidden_size=16, layers=1, heads=2)
    model = LanguageModel(add_adapters(small.network, SMALL), small.tokenizer)
    with pytest.raises(InvalidArgumentError, match="save it first"):
        model.save_pretrained(tmp_path)
