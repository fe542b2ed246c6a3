"""Causal language models: small ones built here, and any other from a folder or the hub."""

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
)

from ....envs.kernel.errors import InvalidArgumentError
from . import lora as low_rank
from .hub import check_weights, is_hub_id, model_folder
from .lora import Lora
from .token_sets import within

_MAX_POSITIONS = 4096
_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass
class LanguageModel:
    """A causal network with its tokenizer.

    Attributes:
        network: the network, a `transformers` causal language model.
        tokenizer: a `transformers` tokenizer with an end-of-sequence token, which ends an answer.
    """

    network: Any
    tokenizer: Any

    @classmethod
    def small(
        cls,
        tokenizer: Any,
        *,
        hidden_size: int = 64,
        layers: int = 2,
        heads: int = 4,
        seed: int = 0,
        device: str = "cpu",
    ) -> Self:
        """A fresh Llama-style network: pre-norm, rotary positions, tied embeddings.

        One head of keys and values serves all heads of queries, which halves the time of sampling.

        Args:
            tokenizer: its vocabulary.
            hidden_size: width.
            layers: depth.
            heads: attention heads, which divide `hidden_size`.
            seed: of the initial parameters.
            device: where they live.

        Raises:
            InvalidArgumentError: heads do not divide the width.
        """
        if hidden_size % heads:
            raise InvalidArgumentError(
                f"hidden_size must be a multiple of heads; got {hidden_size} and {heads}"
            )
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            intermediate_size=4 * hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=1,
            # The usual 0.02 suits wide networks; a narrow one would learn several times slower.
            initializer_range=hidden_size**-0.5,
            max_position_embeddings=_MAX_POSITIONS,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: Any = LlamaForCausalLM(config)
        return cls(network.eval().to(device), tokenizer)

    @classmethod
    def from_pretrained(
        cls, path: str | Path, device: str = "cpu", lora: Lora | None = None
    ) -> Self:
        """Any causal model of attention that `transformers` knows.

        It is read from a folder as `save_pretrained` writes it, or fetched from the Hugging Face
        hub; see `hub.model_folder`. Parameters are read from safetensors files only, and no code
        that comes with a model is run. Adapters are loaded with the model that they belong to.

        Args:
            path: the folder, or an id of the hub such as `"owner/name"`.
            device: where the parameters live.
            lora: fresh adapters, which are trained instead of the model; None to train all of it,
                or the adapters in the folder.

        Raises:
            InvalidArgumentError: there is no such model, the folder holds none, a tokenizer is
                missing, the adapters do not fit, or there is no such device.
            ServiceError: the hub cannot be reached.
        """
        folder = model_folder(path)
        base = low_rank.base_of(folder)
        if base is not None and lora is not None:
            raise InvalidArgumentError(f"{path} holds adapters already; leave lora out")
        network, tokenizer = _load_network(str(base or path)), _load_tokenizer(folder, path)
        if base is not None:
            network = low_rank.load_adapters(network, folder)
        elif lora is not None:
            network = low_rank.add_adapters(network, lora)
        return cls(_moved(network, device).eval(), tokenizer)

    def save_pretrained(self, path: str | Path) -> None:
        """Write the network (safetensors) and the tokenizer into a folder.

        Of a network with adapters, these alone are written.

        Raises:
            InvalidArgumentError: the model that the adapters belong to has no folder.
        """
        if low_rank.has_adapters(self.network):
            low_rank.save_adapters(self.network, path)
        else:
            self.network.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    @cached_property
    def trained(self) -> nn.Module:
        """What is trained: the network, or of one with adapters these alone.

        An optimiser takes its parameters, and a checkpoint its state.
        """
        if low_rank.has_adapters(self.network):
            return low_rank.adapters(self.network)
        return self.network

    def frozen_copy(self) -> Self:
        """The policy as it is now, which is not trained; what is frozen already is shared."""
        shared: dict[int, Any] = {
            id(p): p for p in self.network.parameters() if not p.requires_grad
        }
        network = copy.deepcopy(self.network, shared)
        return type(self)(network.requires_grad_(False), self.tokenizer)

    def merged(self) -> Self:
        """A copy with the adapters added to the weights, which samples as fast as without them.

        It is not trained, and its log-probabilities are the same but for rounding. A model without
        adapters is returned itself.
        """
        if not low_rank.has_adapters(self.network):
            return self
        return type(self)(low_rank.merged(self.network), self.tokenizer)

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.network.device

    @property
    def vocabulary(self) -> int:
        """How many tokens it knows, the width of its logits; the tokenizer may use fewer."""
        return int(self.network.config.get_text_config().vocab_size)

    @property
    def limit(self) -> int:
        """How many tokens it can read."""
        config = self.network.config.get_text_config()
        return getattr(config, "max_position_embeddings", None) or 2**31

    @cached_property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    @cached_property
    def ends(self) -> Tensor:
        """The tokens at which a generated answer stops: `end`, and the end of a line."""
        newline = self.tokenizer.encode("\n", add_special_tokens=False)
        return torch.tensor([self.end, *newline[-1:]], device=self.device)

    @cached_property
    def _encoded(self) -> dict[str, list[int]]:
        return {}

    def encode_given(self, text: str) -> list[int]:
        """The tokens of something the model is told: the text and an end of line."""
        return self._encode(text + "\n")

    def encode_answer(self, text: str) -> list[int]:
        """The tokens of an answer and its end."""
        return [*self._encode(text), self.end]

    def _encode(self, text: str) -> list[int]:
        if text not in self._encoded:
            if len(self._encoded) >= 2**16:
                self._encoded.clear()
            self._encoded[text] = self.tokenizer.encode(text, add_special_tokens=False)
        return self._encoded[text]

    def decode(self, tokens: list[int]) -> str:
        """The text of an answer, without what ends it."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def logits(self, tokens: Tensor, temperature: float = 1.0) -> Tensor:
        """Logits (n, length − 1, vocabulary) of whole sequences; those at t are of token t + 1.

        Args:
            tokens: (n, length) `int64`, padded on the right; what pads is never seen by the rest.
            temperature: divides the logits.

        Raises:
            InvalidArgumentError: a sequence is longer than the model can read.
        """
        # The last token is not read.
        if tokens.shape[1] - 1 > self.limit:
            raise InvalidArgumentError(
                f"a sequence has {tokens.shape[1]} tokens; the model reads at most {self.limit}"
            )
        return self.network(input_ids=tokens[:, :-1], use_cache=False).logits / temperature

    def hidden(self, tokens: Tensor) -> Tensor:
        """The last layer's activations at each token, (n, length, width)."""
        seen = self.network(input_ids=tokens, use_cache=False, output_hidden_states=True)
        return seen.hidden_states[-1]

    def log_probs(
        self, tokens: Tensor, temperature: float = 1.0, allowed: Tensor | None = None
    ) -> Tensor:
        """The log-probability (nats) of each token given those before it, (n, length).

        The first column is 0.

        Args:
            tokens, temperature: see `logits`.
            allowed: (n, length − 1, vocabulary) `bool`, among what tokens; None for all.
        """
        logits = self.logits(tokens, temperature).float()
        log_p = (logits if allowed is None else within(logits, allowed)).log_softmax(-1)
        return pad(log_p.gather(-1, tokens[:, 1:, None]).squeeze(-1), (1, 0))


def _load_network(name: str | Path) -> Any:
    """The network of a folder or id; see `LanguageModel.from_pretrained`."""
    folder = model_folder(name)
    check_weights(folder, name)
    loader: Any = AutoModelForCausalLM
    try:
        network = loader.from_pretrained(folder, use_safetensors=True, **_LOCAL)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InvalidArgumentError(f"the model in {name} cannot be loaded: {error}") from error
    if network._is_stateful:
        raise InvalidArgumentError(
            f"{name} is a {network.config.model_type}, which keeps a recurrent state; models of "
            "attention alone can be sampled here"
        )
    # Adapters remember where their model comes from.
    home = str(name if is_hub_id(name) else folder.resolve())
    network.name_or_path = network.config._name_or_path = home
    return network


def _load_tokenizer(folder: Path, name: str | Path) -> Any:
    """The tokenizer in a folder; see `LanguageModel.from_pretrained`."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            f"{name} holds no tokenizer that can be loaded: {error}"
        ) from error
    if tokenizer.eos_token_id is None:
        raise InvalidArgumentError(f"the tokenizer in {name} has no end-of-sequence token")
    return tokenizer


def _moved(network: Any, device: str) -> Any:
    try:
        return network.to(device)
    except (RuntimeError, AssertionError) as error:  # what torch raises where there is none
        raise InvalidArgumentError(f"device must be one that is there; got {device!r}") from error
