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


def test_those_between_do_worse_the_longer_the_chain():
    found = {}
    for name in ("greedy-search", "single-shot"):
        for pattern in ("lookup", "chain", "chain4"):
            played = evaluate(
                entry(name).load()(), ID, episodes=200, actions="text", questions=(pattern,),
                documents=2000,
            )  # fmt: skip
            found[name, pattern] = played.return_mean
    greedy = [found["greedy-search", pattern] for pattern in ("lookup", "chain", "chain4")]
    assert 0.9 > greedy[0] > greedy[1] + 0.1 > greedy[2] + 0.2 > 0.2
    assert found["single-shot", "lookup"] > 0.4
    assert found["single-shot", "chain"] < 0.1


@pytest.mark.parametrize(
    ("pattern", "chance"), [("count", 1 / 3), ("list", 0.01), ("aggregate", 0.01), ("report", 0)]
)
def test_guesses_of_other_kinds(pattern, chance):
    played = evaluate(
        entry("guesser").load()(), ID, episodes=400, actions="text", questions=(pattern,)
    )
    assert played.return_mean == pytest.approx(chance, abs=0.08)


def test_other_worlds_and_sizes():
    for arguments in ({"world_seed": 5}, {"documents": 800}):
        played = evaluate(entry("oracle").load()(), ID, episodes=60, **arguments)
        assert played.return_mean == 1.0


def test_they_play_nothing_else():
    for name, why in (("greedy-search", "KnowledgeSearch only"), ("oracle", "that plans")):
        with pytest.raises(InvalidArgumentError, match=why):
            evaluate(entry(name).load()(), "spelunk/DoorKey-v0", episodes=2)
