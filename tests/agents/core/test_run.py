import dataclasses
import json
import os
import signal
import threading

import numpy as np
import pytest
from filelock import FileLock

from spelunk.agents.core.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.run import RunConfig, RunError, go_on, load_agent, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config

TASK = Task("spelunk/DoorKey-v0", total_steps=2048, num_envs=16, env_kwargs={"size": 5})
RUN = RunConfig("ppo", TASK, dataclasses.asdict(Config(num_steps=16)))


def go(folder, run=RUN, **kwargs):
    return train(run, folder, progress=False, evaluation_episodes=16, **kwargs)


def metrics(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def test_a_run_folder_holds_everything(tmp_path):
    summary = go(tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "metrics.jsonl", "checkpoint.safetensors", "curve.png"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == summary
    keys = {"return_mean", "normalized_score", "steps_per_second", "wall_seconds", "seed"}
    assert keys | {"versions"} <= summary.keys()
    assert len(metrics(tmp_path / "run")) == 8
    agent, run = load_agent(tmp_path / "run")
    assert run == RUN
    again = evaluate(agent, TASK.env_id, episodes=16, **TASK.env_kwargs)
    assert again.return_mean == summary["return_mean"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(RunError, match="not empty"):
        go(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_one_process_trains_in_a_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"):
        for start in (go, lambda folder: go(folder, resume=True), lambda f: go_on(RUN, f)):
            with pytest.raises(RunError, match="in use"):
                start(folder)
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_what_died_before_its_first_checkpoint_begins_again(tmp_path):
    go(tmp_path / "straight")
    died = tmp_path / "died"
    died.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (died / name).write_text("{")
    go_on(RUN, died, progress=False, evaluation_episodes=16)
    assert metrics(died) == metrics(tmp_path / "straight")
    with pytest.raises(RunError, match="no such folder"):
        go(tmp_path / "nowhere", resume=True)
    assert not (tmp_path / "nowhere").exists()


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(tmp_path):
    folder = tmp_path / "run"
    endless = dataclasses.replace(TASK, total_steps=10**9)
    timer = threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    summary = go(folder, RunConfig("ppo", endless, RUN.config))
    assert summary["interrupted"]
    assert not (folder / "summary.json").exists()
    done = metrics(folder)
    _, meta = read_checkpoint(folder / "checkpoint.safetensors")
    assert meta["trainer"]["env_steps"] == done[-1]["env_steps"] == summary["env_steps"]
    goal = done[-1]["env_steps"] + 512
    RunConfig("ppo", dataclasses.replace(TASK, total_steps=goal), RUN.config).write(folder)
    assert go(folder, RunConfig.read(folder), resume=True)["env_steps"] == goal
    assert metrics(folder)[: len(done)] == done


@pytest.mark.parametrize("extra", [0, 2])
def test_resuming_equals_going_straight_on(tmp_path, extra):
    """The log is cut back to the checkpoint, and what follows is bit for bit the same."""
    half = dataclasses.replace(TASK, total_steps=1024)
    constant = {**RUN.config, "anneal_learning_rate": False}
    go(tmp_path / "straight", RunConfig("ppo", TASK, constant))
    go(tmp_path / "split", RunConfig("ppo", half, constant))
    RunConfig("ppo", TASK, constant).write(tmp_path / "split")
    with (tmp_path / "split" / "metrics.jsonl").open("a") as log:
        log.write('{"env_steps": 9999}\n' * extra)
    go(tmp_path / "split", RunConfig.read(tmp_path / "split"), resume=True)
    assert metrics(tmp_path / "split") == metrics(tmp_path / "straight")
    ours, _ = read_checkpoint(tmp_path / "split" / "checkpoint.safetensors")
    theirs, _ = read_checkpoint(tmp_path / "straight" / "checkpoint.safetensors")
    assert ours.keys() == theirs.keys()
    # Records have padding, whose bytes mean nothing; that the states agree, the metrics show.
    compared = ours.keys() - {"env"}
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in compared)


def test_an_error_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    go(tmp_path / "run")
    longer = RunConfig("ppo", dataclasses.replace(TASK, total_steps=4096), RUN.config)
    longer.write(tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()

    def fail(self, *_):
        self.env_steps += 7
        raise ZeroDivisionError

    monkeypatch.setattr(PPO, "_learn", fail)
    with pytest.raises(ZeroDivisionError):
        go(tmp_path / "run", longer, resume=True)
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_an_agent_of_one_process_is_not_trained_by_several(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    run = RunConfig("novelty", Task("spelunk/PointMaze-v0", 100, 16), {})
    with pytest.raises(RunError, match="novelty trains in one process"):
        go(tmp_path / "run", run)
    assert not (tmp_path / "run").exists()


def test_unreadable_folders(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        load_agent(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        load_agent(tmp_path)
    RUN.write(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_agent(tmp_path)


def test_damaged_checkpoints(tmp_path):
    go(tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"not a checkpoint at all"):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_agent(tmp_path / "run")


def test_checkpoints_round_trip_and_leave_no_litter(tmp_path):
    arrays = {"a": np.arange(5), "b": np.ones((2, 3), np.float32)}
    write_checkpoint(tmp_path / "c.safetensors", arrays, {"n": 1})
    write_checkpoint(tmp_path / "c.safetensors", arrays, {"n": 2})
    found, meta = read_checkpoint(tmp_path / "c.safetensors")
    assert meta["n"] == 2
    assert all((found[name] == arrays[name]).all() for name in arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]
