"""Tokenizers over the vocabulary of an environment's text face: words, characters, or BPE."""

import re
import string
from collections.abc import Iterable
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ....envs.kernel.errors import InvalidArgumentError
from ..contexts import reward_words

END, PAD, UNKNOWN = "<end>", "<pad>", "<unknown>"
#: What a token is.
Unit = Literal["word", "character", "bpe"]
_SPECIAL = [PAD, END, UNKNOWN]
_PIECE = re.compile(r"\w+|[^\w\s]")
_CHARACTERS = frozenset(string.digits + string.ascii_lowercase + string.punctuation)
_WHOLE_NUMBERS = 100


def build_tokenizer(
    texts: Iterable[str], unit: Unit = "word", size: int = 1024
) -> PreTrainedTokenizerFast:
    """A tokenizer for what some texts say.

    Case and the amount of white space are lost, nothing else is. The end of an answer is the token
    `<end>`.

    Args:
        texts: what it is made for; other texts cost more tokens.
        unit: `"word"`, each word of the texts and each whole number below 100, other words being
            spelt out; `"character"`; or `"bpe"`, parts of words that are often found together
            (Sennrich et al. 2016, "Neural machine translation of rare words with subword units").
        size: of the vocabulary of `"bpe"`, if there are as many pairs.

    Raises:
        InvalidArgumentError: there is no such unit.
    """
    if unit not in get_args(Unit):
        raise InvalidArgumentError(f"the unit must be one of {get_args(Unit)}; got {unit!r}")
    chunks = sorted({chunk for text in texts for chunk in text.lower().split()})
    characters = _CHARACTERS.union(*chunks)
    tokenizer = (
        _bpe(chunks, characters, size)
        if unit == "bpe"
        else _listed(chunks if unit == "word" else [], characters)
    )
    tokenizer.normalizer = normalizers.Lowercase()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def _listed(chunks: Iterable[str], characters: Iterable[str]) -> Tokenizer:
    """One that takes the longest word or character that fits; `##` stands for no space before."""
    words, suffixes = {str(n) for n in range(_WHOLE_NUMBERS)} if chunks else set[str](), set[str]()
    for chunk in chunks:
        first, *rest = _PIECE.findall(chunk)
        words.add(first)
        suffixes.update(rest)
    pieces = [*_SPECIAL, *sorted(words.union(characters))]
    pieces += [f"##{piece}" for piece in sorted(suffixes.union(characters))]
    tokenizer = Tokenizer(
        models.WordPiece(
            {piece: i for i, piece in enumerate(pieces)},
            unk_token=UNKNOWN,
            max_input_chars_per_word=1000,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return tokenizer


def _bpe(chunks: Iterable[str], characters: Iterable[str], size: int) -> Tokenizer:
    """One that merges pairs of pieces in the order of how frequent they were."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    # Spaces are characters here: with "##" the trainer's order, and so its merges, is by chance.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=_SPECIAL,
        initial_alphabet=sorted(characters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(chunks, trainer)
    return tokenizer


def collect_texts(id: str, *, episodes: int = 64, seed: int = 0, **env_kwargs: Any) -> set[str]:
    """What an environment says, and the words of its actions, in episodes of random actions.

    Args:
        id: the environment.
        episodes: how many are played, side by side; those that end sooner begin again.
        seed: of the episodes and the actions.
        env_kwargs: the environment's arguments.
    """
    env: Any = gymnasium.make_vec(id, num_envs=episodes, autoreset_mode="SAME_STEP", **env_kwargs)
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    texts, running = set(), np.ones(episodes, bool)
    while running.any():
        texts.update(env.describe(lane) for lane in range(episodes))
        actions = env.sample_actions(rng)
        texts.update(env.action_words(lane, action) for lane, action in enumerate(actions))
        _, rewards, terminated, truncated, _ = env.step(actions)
        texts.update(reward_words(reward) for reward in set(rewards.tolist()))
        running &= ~(terminated | truncated)
    env.close()
    return texts
