"""Models by path or by the hub's id, from a hub of our own and from its cache."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from huggingface_hub import constants
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from spelunk.agents.llm.models.lora import Lora
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.sampler import Session, pad_left, sample
from spelunk.agents.llm.models.tokenizer import build_tokenizer
from spelunk.envs.kernel.errors import InvalidArgumentError
from spelunk.envs.kernel.http import ServiceError

from ....services import Handler, nobody, served

SHA = "a" * 40
TOKENIZER = build_tokenizer(["pull 1", "reward 2"])
SIZES: Any = {"vocab_size": len(TOKENIZER), "hidden_size": 16, "intermediate_size": 16,
              "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
              "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}  # fmt: skip
TOKENS = torch.randint(3, 90, (2, 8), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, with a pickle and a program beside it, which nobody should touch."""
    path = tmp_path_factory.mktemp("model")
    LanguageModel.small(TOKENIZER, hidden_size=16, layers=1, heads=2).save_pretrained(path)
    (path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (path / "modeling.py").write_text("raise SystemExit")
    return path


class Hub(Handler):
    """As much of the hub as it takes to fetch the model `me/tiny` from `server.folder`."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        found = sorted(self.server.folder.iterdir())
        if path.startswith("/api/models/me/tiny/revision/"):
            return self.say({"id": "me/tiny", "sha": SHA, "siblings": []})
        if path.startswith(f"/api/models/me/tiny/tree/{SHA}"):
            return self.say(
                [
                    {
                        "type": "file",
                        "path": file.name,
                        "size": file.stat().st_size,
                        "oid": "0" * 40,
                    }
                    for file in found
                ]
            )
        wanted = [f for f in found if path == f"/me/tiny/resolve/{SHA}/{f.name}"]
        if wanted:
            data = wanted[0].read_bytes()
            etag = f'"{hashlib.sha1(data).hexdigest()}"'
            return self.send(200, data, **{"X-Repo-Commit": SHA, "ETag": etag})
        return self.send(404, b"{}", **{"X-Error-Code": "RepoNotFound"})

    def say(self, data: Any) -> None:
        self.send(200, json.dumps(data).encode(), **{"Content-Type": "application/json"})


@pytest.fixture
def reach(monkeypatch, tmp_path):
    """Lets the client talk to an address, with a cache of its own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)

    def reach(url: str, offline: bool = False) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)

    return reach


@contextmanager
def hub(folder, reach, monkeypatch) -> Iterator[Any]:
    with served(Hub, monkeypatch) as server:
        server.folder = folder
        reach(server.url)
        yield server


def test_models_come_from_the_hub_once_and_stay(folder, reach, monkeypatch):
    with hub(folder, reach, monkeypatch) as server:
        model = LanguageModel.from_pretrained("me/tiny")
        asked = [path.rpartition("/")[2] for path in server.asked if "resolve" in path]
        assert "model.safetensors" in asked
        assert not {"pytorch_model.bin", "modeling.py"} & set(asked)
    wanted = LanguageModel.from_pretrained(folder).log_probs(TOKENS)
    torch.testing.assert_close(model.log_probs(TOKENS), wanted)
    for url, offline in ((nobody(), False), (nobody(), True)):
        reach(url, offline)
        again = LanguageModel.from_pretrained("me/tiny")
        torch.testing.assert_close(again.log_probs(TOKENS), wanted)


def test_adapters_remember_the_id_of_their_model(folder, reach, monkeypatch, tmp_path):
    with hub(folder, reach, monkeypatch):
        model = LanguageModel.from_pretrained("me/tiny", lora=Lora(rank=2))
        model.save_pretrained(tmp_path / "adapters")
        loaded = LanguageModel.from_pretrained(tmp_path / "adapters")
    torch.testing.assert_close(loaded.log_probs(TOKENS), model.log_probs(TOKENS))
    written = json.loads((tmp_path / "adapters" / "adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == "me/tiny"


def test_what_cannot_be_fetched_is_told(folder, reach, monkeypatch):
    with (
        hub(folder, reach, monkeypatch),
        pytest.raises(InvalidArgumentError, match=r"no folder me/none, and no model.*HF_TOKEN"),
    ):
        LanguageModel.from_pretrained("me/none")
    for offline in (False, True):
        reach(nobody(), offline)
        with pytest.raises(ServiceError, match=r"me/tiny, and the model .* not in the cache"):
            LanguageModel.from_pretrained("me/tiny")
    # What can be no id is not asked for.
    with pytest.raises(InvalidArgumentError, match=r"there is no folder \./tiny"):
        LanguageModel.from_pretrained("./tiny")
    with pytest.raises(InvalidArgumentError, match="there is no folder"):
        LanguageModel.from_pretrained("a/b/c")


def test_folders_that_hold_no_model_are_told_apart(folder, tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"no config\.json"):
        LanguageModel.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    TOKENIZER.save_pretrained(tmp_path)
    with pytest.raises(InvalidArgumentError, match="holds no weights"):
        LanguageModel.from_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InvalidArgumentError, match=r"are pickles \(pytorch_model\.bin\).*safetens"):
        LanguageModel.from_pretrained(tmp_path)
    for data in (b"", b"\xff" * 64, (folder / "model.safetensors").read_bytes()[:-9]):
        (tmp_path / "model.safetensors").write_bytes(data)
        with pytest.raises(InvalidArgumentError, match="cannot be loaded"):
            LanguageModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert LanguageModel.from_pretrained(tmp_path).vocabulary == len(TOKENIZER)
    for name, text in (("tokenizer.json", "{"), ("tokenizer.json", "[]"), ("config.json", "{}")):
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidArgumentError, match=r"that can be loaded|cannot be loaded"):
            LanguageModel.from_pretrained(tmp_path)
        (tmp_path / name).write_text(before)
    with pytest.raises(InvalidArgumentError, match="device must be one that is there"):
        LanguageModel.from_pretrained(tmp_path, device="cuda:99")


def test_other_families_of_models_are_sampled_exactly(tmp_path):
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(TOKENIZER), n_embd=16, n_layer=1, n_head=2, n_positions=32)
    ).save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    model = LanguageModel.from_pretrained(tmp_path)
    session = Session(model, 2)
    assert session.limit == 32
    prompts = [[5, 6, 7], [8]]
    session.extend(*pad_left(prompts, model.device))
    answers = sample(session, torch.Generator().manual_seed(0), max_tokens=5)
    for prompt, tokens, logs in zip(prompts, answers.tokens, answers.log_probs, strict=True):
        log_probs = model.log_probs(torch.tensor([prompt + tokens]))[0, len(prompt) :]
        torch.testing.assert_close(torch.tensor(logs), log_probs, atol=1e-4, rtol=1e-4)


def test_models_with_a_recurrent_state_are_refused(tmp_path):
    config = MambaConfig(vocab_size=len(TOKENIZER), hidden_size=8, state_size=4,
                         num_hidden_layers=1)  # fmt: skip
    MambaForCausalLM(config).save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    with pytest.raises(InvalidArgumentError, match="mamba, which keeps a recurrent state"):
        LanguageModel.from_pretrained(tmp_path)


def test_layers_that_look_back_a_little_are_exact_or_refused(tmp_path):
    torch.manual_seed(0)
    network = MistralForCausalLM(MistralConfig(sliding_window=6, **SIZES)).eval()
    model = LanguageModel(network, TOKENIZER)

    def check(session, streams):
        for row, stream in enumerate(streams):
            with torch.no_grad():
                wanted = network(torch.tensor([stream]), use_cache=False).logits[0, -1]
            torch.testing.assert_close(session.logits[row], wanted, atol=1e-4, rtol=1e-4)

    session, streams = Session(model, 2), [[3, 4, 5], [6]]
    session.extend(*pad_left(streams, model.device))
    for token in range(7, 14):  # without gaps, any length
        session.extend(*pad_left([[token], [token]], model.device))
        streams = [[*stream, token] for stream in streams]
        check(session, streams)
    session, streams = Session(model, 2), [[3, 4], [5, 6]]
    session.extend(*pad_left(streams, model.device))
    for news in ([[7], []], [[8], []], [[], [9]], [[10], []]):
        session.extend(*pad_left(news, model.device))
        streams = [a + b for a, b in zip(streams, news, strict=True)]
        check(session, streams)
    with pytest.raises(InvalidArgumentError, match=r"take 7 columns .* back over 6 only"):
        session.extend(*pad_left([[], [11]], model.device))
