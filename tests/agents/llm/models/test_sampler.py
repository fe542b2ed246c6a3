"""Sessions read no more than they must, and sampling leaves them in order."""

import pytest
import torch

from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.sampler import Session, pad_left, sample
from spelunk.agents.llm.models.tokenizer import build_tokenizer

TEXTS = ["There are 5 arms; you pulled (twice) arm 3.", "pull 1", "pull 2", "reward 1"]


@pytest.fixture(scope="module")
def model():
    return LanguageModel.small(build_tokenizer(TEXTS), hidden_size=16, layers=2, heads=2, seed=3)


@pytest.fixture
def passes(model):
    """The shapes of what a session gives to the network."""
    shapes = []

    def note(module, args, kwargs):
        if "past_key_values" in kwargs:
            shapes.append(tuple(kwargs["input_ids"].shape))

    hook = model.network.register_forward_pre_hook(note, with_kwargs=True)
    yield shapes
    hook.remove()


def assert_as_without_a_cache(model, session, streams):
    """The logits of a session are those of passes without a cache."""
    for row, stream in enumerate(streams):
        with torch.no_grad():
            wanted = model.network(torch.tensor([stream]), use_cache=False).logits[0, -1]
        torch.testing.assert_close(session.logits[row], wanted, atol=1e-4, rtol=1e-4)


def test_empty_streams_that_are_told_the_same_are_read_once(model, passes):
    session = Session(model, 6)
    streams = [[5, 6, 7], [8, 9], [5, 6, 7], [8, 9], [5, 6, 7], [9]]
    session.extend(*pad_left(streams, model.device))
    assert passes == [(3, 3)]
    assert_as_without_a_cache(model, session, streams)
    news = [[10 + row] for row in range(6)]
    session.extend(*pad_left(news, model.device))
    assert passes[1:] == [(6, 1)]
    assert_as_without_a_cache(
        model, session, [told + new for told, new in zip(streams, news, strict=True)]
    )


def test_tokens_beyond_the_counts_make_no_difference(model):
    session = Session(model, 4)
    session.extend(torch.tensor([[4, 5]] * 4), torch.tensor([2, 1, 2, 1]))
    assert_as_without_a_cache(model, session, [[4, 5], [5], [4, 5], [5]])


def test_streams_that_stay_as_they_are_are_not_read(model, passes):
    session = Session(model, 4)
    streams = [[5, 6], [7], [8, 9, 10], [11]]
    session.extend(*pad_left(streams, model.device))
    for news in ([[], [12, 13], [], []], [[], [], [14], [15]], [[16], [17], [18], []]):
        session.extend(*pad_left(news, model.device))
        streams = [told + new for told, new in zip(streams, news, strict=True)]
        assert_as_without_a_cache(model, session, streams)
    assert passes == [(4, 3), (1, 2), (2, 1), (4, 1)]
    assert session.lengths.tolist() == [len(stream) for stream in streams]
    session.extend(*pad_left([[1], [], [], []], model.device))
    before = session.logits.clone()
    session.extend(torch.ones(4, 1, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
    assert torch.equal(session.logits, before)
    assert len(passes) == 5


def test_caches_grow_beyond_their_room(model):
    session, generator = Session(model, 3), torch.Generator().manual_seed(0)
    streams = [[], [], []]
    for turn in range(24):
        news = torch.randint(0, 90, (3, 9), generator=generator).tolist()
        session.extend(*pad_left(news, model.device))
        streams = [told + new for told, new in zip(streams, news, strict=True)]
        if turn == 11:
            # Columns between others are dropped.
            session.extend(*pad_left([[], [4, 5], []], model.device))
            session.extend(*pad_left([[2], [], [1]], model.device))
            session.restart(torch.tensor([False, True, False]))
            session.extend(*pad_left([[], [3], []], model.device))
            streams = [[*streams[0], 2], [3], [*streams[2], 1]]
    assert_as_without_a_cache(model, session, streams)


def test_answers_of_different_lengths_leave_the_streams_right(model, passes):
    """Over three turns, in which most answers end long before the last."""
    streams = [[5 + row % 2] for row in range(8)]
    session, generator = Session(model, 8), torch.Generator().manual_seed(0)
    news = streams
    for turn in range(3):
        session.extend(*pad_left(news, model.device))
        # Half of the answers end at once.
        session.logits[turn::2, model.end] = 1e4
        answers = sample(session, generator, max_tokens=12)
        for row, (told, said) in enumerate(zip(streams, answers.tokens, strict=True)):
            log_probs = model.log_probs(torch.tensor([told + said]))[0, len(told) :]
            if said != [model.end]:
                torch.testing.assert_close(
                    torch.tensor(answers.log_probs[row]), log_probs, atol=1e-4, rtol=1e-4
                )
        news = [[*said[-1:], 20 + turn] for said in answers.tokens]
        streams = [
            [*told, *said, 20 + turn] for told, said in zip(streams, answers.tokens, strict=True)
        ]
    session.extend(*pad_left(news, model.device))
    assert_as_without_a_cache(model, session, streams)
    assert {rows for rows, width in passes if width == 1} > {4, 8}
