"""The Unicode space, alone and inside Gymnasium's vector environments."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.vector.utils import (
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
)

from spelunk.envs.kernel import InvalidArgumentError, Unicode

TEXTS = ["", "plain words", "naïve café", "日本語", "🕳️ spelunk", "a\0", "line\nline", "x" * 40]


class Echo(gymnasium.Env[Any, Any]):
    """Says what it is told."""

    def __init__(self, composite: bool = False):
        text = Unicode(60)
        self.composite = composite
        parts = {"heard": text, "length": gymnasium.spaces.Box(0, 99, (1,), np.int64)}
        self.observation_space = gymnasium.spaces.Dict(parts) if composite else text
        self.action_space = Unicode(40)

    def tell(self, text: str) -> Any:
        return {"heard": text, "length": np.array([len(text)])} if self.composite else text

    def reset(self, *, seed=None, options=None):
        return self.tell("start"), {}

    def step(self, action):
        return self.tell(action), 0.0, False, False, {}


def test_contains_every_text_up_to_its_length():
    space = Unicode(40)
    assert all(text in space for text in TEXTS)
    assert "x" * 41 not in space
    assert b"bytes" not in space
    assert 3 not in space


def test_texts_of_any_length():
    space = Unicode(None, seed=0)
    assert "x" * 10**7 in space
    assert b"bytes" not in space
    assert max(len(space.sample()) for _ in range(200)) in range(200, 257)
    assert repr(space) == "Unicode(None)"
    assert space != Unicode(5)
    with pytest.raises(InvalidArgumentError, match="shared memory"):
        create_shared_memory(space, 2)


def test_samples_are_reproducible_members_of_all_lengths():
    space = Unicode(5, seed=1)
    samples = [space.sample() for _ in range(300)]
    assert {len(text) for text in samples} == {0, 1, 2, 3, 4, 5}
    assert all(text in space and text.encode("utf-8") is not None for text in samples)
    assert samples == [copy_.sample() for copy_ in [Unicode(5, seed=1)] for _ in range(300)]
    with pytest.raises(InvalidArgumentError):
        space.sample(mask=np.ones(3, np.int8))


def test_equality_repr_json_and_flattening():
    space = Unicode(7)
    assert space == Unicode(7) == copy.deepcopy(space) != Unicode(8)
    assert repr(space) == "Unicode(7)"
    assert space.from_jsonable(space.to_jsonable(TEXTS)) == TEXTS
    assert not space.is_np_flattenable


@pytest.mark.parametrize("length", [0, -1, 2.0, True, "9"])
def test_wrong_lengths_are_refused(length):
    with pytest.raises(InvalidArgumentError, match="max_length"):
        Unicode(length)


def test_batches():
    space = Unicode(40)
    batch = batch_space(space, len(TEXTS))
    empty = create_empty_array(space, len(TEXTS))
    assert empty == ("",) * len(TEXTS)
    together = concatenate(space, TEXTS, empty)
    assert together == tuple(TEXTS)
    assert together in batch
    assert list(iterate(batch, together)) == TEXTS


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize(
    "vector",
    [
        SyncVectorEnv,
        lambda fns: AsyncVectorEnv(fns, shared_memory=True),
        lambda fns: AsyncVectorEnv(fns, shared_memory=False),
    ],
    ids=["sync", "shared memory", "pipes"],
)
def test_vector_environments_carry_texts(vector, composite):
    env = vector([lambda: Echo(composite)] * 3)

    def heard(seen):
        return seen["heard"] if composite else seen

    try:
        first, _ = env.reset(seed=0)
        assert heard(first) == ("start",) * 3
        before = first
        for i in range(len(TEXTS) - 2):
            told = tuple(TEXTS[i : i + 3])
            seen = env.step(told)[0]
            assert heard(seen) == told
            assert seen in env.observation_space
        assert heard(before) == ("start",) * 3, "an earlier observation was overwritten"
    finally:
        env.close()
