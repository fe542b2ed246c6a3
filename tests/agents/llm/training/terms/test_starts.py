"""Where episodes begin: draws, what is remembered, and that training goes on exactly."""

import json
from collections import Counter

import pytest

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.config import Config
from spelunk.agents.llm.training.terms.starts import STARTS, fresh, learnability
from spelunk.agents.llm.training.trainer import LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError


def test_fresh_starts_are_the_new_ones():
    assert list(STARTS) == ["fresh", "learnability"]
    assert fresh(range(5, 9), {1: [0.5]}) == [5, 6, 7, 8]


def test_what_succeeds_sometimes_is_played_again():
    memory = {}
    outcomes = {1: [1, 1, 1, 1], 2: [0, 0, 0, 0], 3: [1, 0, 0, 0], 4: [1, 0, 1, 0]}
    drawn = learnability(range(10, 16), outcomes, memory=memory, share=0.5)
    assert len(set(drawn)) == 6
    assert set(drawn) - set(range(10, 16)) == {3, 4}, "there are no more than these"
    assert memory["rates"] == [[3, 0.25], [4, 0.5]]
    # Played again, the third is always solved, and the fourth a little more often.
    drawn = learnability(
        range(20, 26), {3: [1, 1, 1, 1], 4: [1, 1, 1, 0], 15: [0.9]}, memory=memory
    )
    assert set(drawn) - set(range(20, 26)) == {4}
    assert memory["rates"] == [[4, 0.75]]
    json.dumps(memory)


def test_starts_are_drawn_in_proportion_to_the_variance_of_success():
    """One of two is drawn: p (1 − p) is 1/4 and 3/64, so the first in 16 of 19 draws."""
    counts, memory = Counter(), {}
    outcomes = {1: [1, 0], 2: [1] * 15 + [0]}
    for _ in range(1500):
        (drawn,) = learnability([9], outcomes, memory=memory, share=1.0)
        counts[drawn] += 1
    expected = 0.25 / (0.25 + 15 / 256)
    assert counts[1] / 1500 == pytest.approx(expected, abs=0.03)
    assert counts[1] + counts[2] == 1500


def test_only_the_latest_are_remembered():
    memory = {}
    learnability(range(4), {s: [1, 0] for s in range(10)}, memory=memory, size=3)
    assert [start for start, _ in memory["rates"]] == [7, 8, 9]
    with pytest.raises(InvalidArgumentError, match="share must be"):
        learnability(range(4), {}, memory=memory, share=1.5)


def make(**settings):
    task = Task("spelunk/BernoulliBandit-v0", 10**6, 16, {"arms": 3, "horizon": 6}, seed=4)
    config = Config(hidden_size=16, layers=1, heads=2, group_size=4, num_minibatches=2,
                    sft_updates=1, starts="learnability(success=3.0)", **settings)  # fmt: skip
    return LanguageModelTrainer(task, config)


def test_a_training_plays_starts_again_and_goes_on_exactly():
    trainer, other = make(), make()
    asked, explore = [], trainer.lanes.explore
    trainer.lanes.explore = lambda request: asked.append(request.starts) or explore(request)
    trainer.step()  # of imitation
    for _ in range(4):
        trainer.step()
        assert set(trainer._outcomes) == set(asked[-1])
    again = [set(starts) & set(sum(asked[:i], ())) for i, starts in enumerate(asked)]
    assert any(again)
    assert all(list(starts) == sorted(set(starts)) for starts in asked)
    arrays, meta = trainer.state()
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    for _ in range(3):
        assert trainer.step() == other.step()
