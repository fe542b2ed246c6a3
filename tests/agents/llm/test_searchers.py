"""The scripted searchers mark both ends of KnowledgeSearch's scale."""

import pytest

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.registry import entry
from spelunk.envs.kernel import InvalidArgumentError

ID = "spelunk/KnowledgeSearch-v0"


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_the_oracle_always_scores(actions):
    played = evaluate(entry("oracle").load()(), ID, episodes=500, actions=actions)
    assert (played.returns == 1.0).all()
    # One page may state both facts.
    assert set(played.lengths.tolist()) == {3, 5}
    assert played.normalized_score == pytest.approx(1.0)


@pytest.mark.parametrize("actions", ["menu", "text"])
def test_the_guesser_stays_at_chance(actions):
    played = evaluate(entry("guesser").load()(), ID, episodes=500, actions=actions)
    assert (played.lengths == 1).all()
    assert 0 < played.returns.mean() < 0.05


def test_other_worlds_and_sizes():
    for arguments in ({"world_seed": 5}, {"documents": 800}):
        played = evaluate(entry("oracle").load()(), ID, episodes=60, **arguments)
        assert played.return_mean == 1.0


def test_they_play_nothing_else():
    with pytest.raises(InvalidArgumentError, match="KnowledgeSearch only"):
        evaluate(entry("oracle").load()(), "spelunk/DoorKey-v0", episodes=2)
