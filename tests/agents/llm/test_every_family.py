"""A language model plays whatever has a text face, and reads just what it is told."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.contexts import CONTEXTS
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import play
from spelunk.envs.kernel.errors import UnsupportedFaceError

CASES: list[tuple[str, dict[str, Any]]] = [
    ("spelunk/Sudoku-v0", {"box": 2, "boards": 4, "max_episode_steps": 5}),
    ("spelunk/Countdown-v0", {"numbers": 3}),
    ("spelunk/CountdownAnswer-v0", {"dialect": "compact"}),
    ("spelunk/TicTacToe-v0", {"opponent": "random"}),
    ("spelunk/BernoulliBandit-v0", {"arms": 3, "horizon": 5}),
    ("spelunk/LinearBandit-v0", {"horizon": 3}),
    ("spelunk/DoorKey-v0", {"max_episode_steps": 4}),
    ("spelunk/PointMaze-v0", {"max_episode_steps": 4}),
    ("spelunk/TSP-v0", {"cities": 5}),
    ("spelunk/KnowledgeSearch-v0", {"max_episode_steps": 3}),
    ("spelunk/Constraints-v0", {}),
]


@pytest.fixture(scope="module")
def models():
    """An untrained model for each environment, made once."""
    made: dict[str, LanguageModel] = {}

    def model(id, kwargs):
        if id not in made:
            tokenizer = build_tokenizer(collect_texts(id, episodes=4, **kwargs))
            made[id] = LanguageModel.small(tokenizer, hidden_size=16, layers=1, heads=2)
        return made[id]

    return model


@pytest.mark.parametrize("context", ["state", "dialogue"])
@pytest.mark.parametrize(("id", "kwargs"), CASES)
def test_whole_episodes_are_played_and_transcribed(models, id, kwargs, context):
    model = models(id, kwargs)
    env: Any = gymnasium.make_vec(id, num_envs=2, autoreset_mode="SAME_STEP", **kwargs)
    told: list[list[str]] = [[], []]
    tell = CONTEXTS[context].tell

    def listen(describe, reward):
        text = tell(describe, reward)
        told[describe.__defaults__[0]].append(" ".join(text.lower().split()))
        return text

    agent = LanguageModelAgent(model, context, max_tokens=6)
    agent.context = CONTEXTS[context].__class__(listen, CONTEXTS[context].remembers)
    rollout = play(agent, env, [3, 4], seed=0, pad=model.end)
    env.close()
    assert (rollout.lengths > 0).all()
    assert agent.answers == int(rollout.lengths.sum())
    heard: list[list[str]] = [[], []]
    for row, episode in enumerate(rollout.episodes.tolist()):
        n = int(rollout.ends[row])
        turns, tokens = rollout.turns[row, :n].numpy(), rollout.tokens[row, :n].tolist()
        for part in np.split(np.arange(n), np.flatnonzero(np.diff(turns)) + 1):
            text = model.decode([tokens[i] for i in part])
            if turns[part[0]] < 0:
                heard[episode].append(text)
    assert heard == told
    assert [len(texts) for texts in heard] == rollout.lengths.tolist()


def test_games_of_several_agents_are_refused(models):
    env: Any = gymnasium.make_vec("spelunk/TicTacToe-v0", num_envs=2)
    env.reset(seed=0)
    with pytest.raises(UnsupportedFaceError, match=r"in this game x, o act: .* an opponent"):
        LanguageModelAgent(models(*CASES[1])).start(env, 0)
