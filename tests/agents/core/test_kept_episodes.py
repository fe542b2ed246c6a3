"""Evaluations that break off go on with what they lack."""

import json

import numpy as np
import pytest

from spelunk.agents.core.agent import RandomAgent
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.envs.kernel.errors import InvalidArgumentError

ID = "spelunk/BernoulliBandit-v0"
ENV = {"arms": 3, "horizon": 5}


class Fails(RandomAgent):
    """Pulls the arm that the seed of its episode says, and fails at some call of `act`."""

    def __init__(self, calls=10**9):
        self.calls, self.lanes = calls, []

    def act(self, observations, infos):
        if not self.calls:
            raise ConnectionError("gone")
        self.calls -= 1
        self.lanes.append(int((~self.retired).sum()))
        return np.zeros(self.env.num_envs, np.int64)


def test_what_a_file_has_is_not_played_again(tmp_path):
    path = tmp_path / "episodes.jsonl"
    whole = evaluate(Fails(), ID, episodes=6, **ENV)
    part = evaluate(Fails(), ID, episodes=4, kept=path, **ENV)
    assert part.returns.tolist() == whole.returns[:4].tolist()
    agent = Fails()
    again = evaluate(agent, ID, episodes=6, kept=path, **ENV)
    assert again.returns.tolist() == whole.returns.tolist()
    assert again.lengths.tolist() == [5] * 6
    assert agent.lanes == [2] * 5
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["seed"] - EVALUATION_SEEDS for row in rows] == list(range(6))
    # Nothing is left to be played.
    assert evaluate(Fails(0), ID, episodes=6, kept=path, **ENV).return_mean == whole.return_mean


def test_a_torn_line_is_dropped_and_gaps_are_filled(tmp_path):
    path = tmp_path / "episodes.jsonl"
    whole = evaluate(Fails(), ID, episodes=4, kept=path, **ENV)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2], lines[3][:30]]))
    agent = Fails()
    again = evaluate(agent, ID, episodes=4, kept=path, **ENV)
    assert again.returns.tolist() == whole.returns.tolist()
    assert agent.lanes == [2] * 5
    assert sorted(path.read_text().splitlines()) == sorted(lines)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "episodes.jsonl"
    evaluate(Fails(), ID, episodes=2, kept=path, **ENV)
    with pytest.raises(InvalidArgumentError, match=r"line 1, is of another environment.*'arms': 4"):
        evaluate(Fails(), ID, episodes=2, kept=path, **ENV | {"arms": 4})
    for text in ("{}\n", "[]\n", "x\n", "\xff\n", '{"seed": "a"}\n', "[" * 10**5 + "\n"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(InvalidArgumentError, match="line 1, is no episode"):
            evaluate(Fails(), ID, episodes=2, kept=path, **ENV)
