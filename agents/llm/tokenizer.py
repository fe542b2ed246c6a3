"""Word-level tokenizers over the vocabulary of an environment's text face."""

import re
import string
from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from .contexts import reward_words

END, PAD, UNKNOWN = "<end>", "<pad>", "<unknown>"
_PIECE = re.compile(r"\w+|[^\w\s]")
_WHOLE_NUMBERS = 100


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each word of some texts.

    Case and the amount of white space are lost, nothing else is: a piece that follows another
    without a space between is written `##piece`. Whole numbers below 100 are one token each; words
    and numbers that the texts lack are spelt out. The end of an answer is the token `<end>`.
    """
    words, suffixes = {str(n) for n in range(_WHOLE_NUMBERS)}, set()
    characters = set(string.digits + string.ascii_lowercase + string.punctuation)
    for chunk in {chunk for text in texts for chunk in text.lower().split()}:
        first, *rest = _PIECE.findall(chunk)
        words.add(first)
        suffixes.update(rest)
        characters.update(chunk)
    pieces = [PAD, END, UNKNOWN, *sorted(words | characters)]
    pieces += [f"##{piece}" for piece in sorted(suffixes | characters)]
    tokenizer = Tokenizer(
        models.WordPiece(
            {piece: i for i, piece in enumerate(pieces)},
            unk_token=UNKNOWN,
            max_input_chars_per_word=1000,
        )
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


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
