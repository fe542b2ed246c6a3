"""Runs of a trainer with a replay, killed and resumed."""

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch

from spelunk.agents.core import checkpoint, journal
from spelunk.agents.core.checkpoint import CheckpointError, read_checkpoint
from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.log import Log
from spelunk.agents.core.run import RunConfig, load_agent, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.value.dqn import DQN, Config

TASK = Task("spelunk/DoorKey-v0", 10**5, 16, env_kwargs={"size": 5, "max_episode_steps": 9})
SMALL = Config(learning_starts=64, num_steps=8, replay_size=320, batch_size=16, hidden=(16,))
PRIORITIZED = {"prioritized": True, "n_step": 3, "noisy": True}


class Killed(Exception):
    """In the place of `kill -9`."""


def follow(folder, trainer, resume=False):
    """The log of a trainer; the caller saves when it likes."""
    folder.mkdir(exist_ok=True)
    return Log(folder, trainer, resume, 0.0)


def chunks(folder):
    return {path.name: path.stat().st_size for path in folder.glob("replay-*")}


def go(trainer, steps):
    for _ in range(steps):
        trainer.step()


def run_killed(folder, config, monkeypatch, at):
    """Saves after 2 and 5 steps, and is killed in the second: before the n-th file is in place."""
    trainer = DQN(TASK, config)
    log = follow(folder, trainer)
    log._file = (folder / "metrics.jsonl").open("a")
    go(trainer, 2)
    log.save()
    go(trainer, 3)
    whole, calls = checkpoint.write_whole, []

    def write(path, data):
        calls.append(path.name)
        if len(calls) > at:
            raise Killed
        whole(path, data)

    def prune(_):
        raise Killed

    monkeypatch.setattr(checkpoint, "write_whole", write)
    monkeypatch.setattr(journal.Journal, "prune", prune)
    with pytest.raises(Killed):
        log.save()
    monkeypatch.undo()
    log._file.close()
    return calls


@pytest.mark.parametrize(("at", "expected"), [(0, 2), (1, 2), (2, 5)])
@pytest.mark.parametrize("switches", [{}, PRIORITIZED], ids=["uniform", "prioritized"])
def test_a_run_killed_at_any_moment_goes_on_exactly(tmp_path, monkeypatch, switches, at, expected):
    """Before the chunk, between chunk and checkpoint, and before old chunks are removed."""
    config = dataclasses.replace(SMALL, **switches)
    written = run_killed(tmp_path, config, monkeypatch, at)
    assert written == ["replay-00000001.safetensors", "checkpoint.safetensors"][: at + 1]
    resumed = DQN(TASK, config)
    follow(tmp_path, resumed, resume=True)
    straight = DQN(TASK, config)
    go(straight, expected)
    _, meta = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert meta["trainer"]["env_steps"] == straight.env_steps == resumed.env_steps
    assert chunks(tmp_path).keys() == {chunk["file"] for chunk in meta["replay"]}
    for _ in range(4):
        assert straight.step() == resumed.step()
    parameters = zip(straight.network.parameters(), resumed.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in parameters)


def test_a_checkpoint_costs_what_was_added_and_old_chunks_go(tmp_path):
    config = dataclasses.replace(SMALL, replay_size=64 * 16)
    trainer = DQN(TASK, config)
    with follow(tmp_path, trainer) as log:
        sizes = []
        for steps in (4, 1, 2, 2, 2, 2):
            go(trainer, steps)
            log.save()
            sizes.append(chunks(tmp_path))
    replay = trainer.replay
    fields = (replay.rows, replay.actions, replay.rewards, replay.terminated, replay.cut)
    cost = 8 * sum(field[0].nbytes for field in fields)  # Of 8 slots, a step of the trainer.
    assert sizes[0]["replay-00000000.safetensors"] == pytest.approx(4 * cost, rel=0.2)
    for k, steps in ((1, 1), (2, 2), (3, 2)):
        new = sizes[k].keys() - sizes[k - 1].keys()
        assert [sizes[k][file] for file in new] == [pytest.approx(steps * cost, rel=0.3)]
    # 64 slots are 8 steps of the trainer: after 13 the first 5 are past, after 11 only 3.
    assert [f"replay-{n:08}.safetensors" in sizes[5] for n in range(6)] == [0, 0, 1, 1, 1, 1]
    assert "replay-00000000.safetensors" in sizes[4]
    assert chunks(tmp_path) == sizes[5]  # Nothing was added before the last checkpoint.


def test_runs_with_a_replay(tmp_path):
    """Through run folders; what an agent needs does not include the replay."""
    task = dataclasses.replace(TASK, total_steps=1024)
    config = dataclasses.replace(SMALL, exploration_fraction=0.0)
    run = functools.partial(RunConfig, "dqn", config=dataclasses.asdict(config))
    kwargs: Any = {"progress": False, "evaluation_episodes": 8}
    straight, split = tmp_path / "straight", tmp_path / "split"
    summary = train(run(task), straight, **kwargs)
    train(run(dataclasses.replace(task, total_steps=512)), split, **kwargs)
    run(task).write(split)
    assert train(run(task), split, resume=True, **kwargs)["return_mean"] == summary["return_mean"]
    ours, _ = read_checkpoint(split / "checkpoint.safetensors")
    theirs, _ = read_checkpoint(straight / "checkpoint.safetensors")
    compared = ours.keys() - {"env"}  # Records have padding, whose bytes mean nothing.
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in compared)
    for file in chunks(straight):
        (straight / file).unlink()
    agent, _ = load_agent(straight)
    score = evaluate(agent, task.env_id, episodes=8, **task.env_kwargs)
    assert score.return_mean == summary["return_mean"]
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*replay-"):
        train(run(task), straight, resume=True, **kwargs)
